/* SPDX-License-Identifier: Apache-2.0 */
/* linux.netDevices: host interfaces moved into the partition's network namespace (see net.h). */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "namespaces/net.h"
#include "namespaces/netlink.h"

/* "eth%d" is tried up to this number, as the kernel does for its own patterns (8 * PAGE_SIZE there). */
#define PATTERN_MAX 32768

struct address {
	unsigned char family, prefix;
	unsigned char local[16], peer[16], broadcast[16];
	size_t n_local, n_peer, n_broadcast; /* bytes; 0: absent */
	uint32_t flags, metric;
};

struct addresses {
	int ifindex;
	struct address *list;
	size_t n;
};

static bool name_is_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= IFNAMSIZ || str_eq(name, ".") || str_eq(name, ".."))
		return false;
	for (const char *p = name; *p; p++)
		if (*p == '/' || *p == ':' || (unsigned char)*p <= ' ' || *p == 0x7f)
			return false;
	return true;
}

static int take_index(uint16_t type, const void *data, size_t len, void *arg)
{
	struct ifinfomsg info;

	if (type != RTM_NEWLINK || len < sizeof(info))
		return -EBADMSG;
	memcpy(&info, data, sizeof(info));
	*(int *)arg = info.ifi_index;
	return 0;
}

/* The index of the interface, or -ENODEV. */
static int find_link(int sock, const char *name)
{
	struct ifinfomsg info = { 0 };
	struct nl_request q;
	int index = 0, r;

	nl_begin(&q, RTM_GETLINK, 0, &info, sizeof(info));
	nl_attr_string(&q, IFLA_IFNAME, name);
	r = nl_send(sock, &q, take_index, &index);
	if (r < 0)
		return r;
	return index > 0 ? index : -ENODEV;
}

static size_t copy_attr(const void *attrs, size_t len, uint16_t type, void *out, size_t room)
{
	size_t n;
	const void *p = nl_find(attrs, len, type, &n);

	if (!p || n > room)
		return 0;
	memcpy(out, p, n);
	return n;
}

static int take_address(uint16_t type, const void *data, size_t len, void *arg)
{
	const size_t head = NLMSG_ALIGN(sizeof(struct ifaddrmsg));
	const unsigned char *attrs = (const unsigned char *)data + head;
	struct addresses *all = arg;
	struct address a = { 0 }, *more;
	struct ifaddrmsg m;

	if (type != RTM_NEWADDR || len < head)
		return 0;
	memcpy(&m, data, sizeof(m));
	len -= head;
	a.family = m.ifa_family;
	a.prefix = m.ifa_prefixlen;
	if (!copy_attr(attrs, len, IFA_FLAGS, &a.flags, sizeof(a.flags)))
		a.flags = m.ifa_flags;
	/* Only what an administrator put there: link-local and temporary ones make themselves anew. */
	if ((int)m.ifa_index != all->ifindex || m.ifa_scope != RT_SCOPE_UNIVERSE ||
		!(a.flags & IFA_F_PERMANENT))
		return 0;
	a.n_local = copy_attr(attrs, len, IFA_LOCAL, a.local, sizeof(a.local));
	a.n_peer = copy_attr(attrs, len, IFA_ADDRESS, a.peer, sizeof(a.peer));
	a.n_broadcast = copy_attr(attrs, len, IFA_BROADCAST, a.broadcast, sizeof(a.broadcast));
	copy_attr(attrs, len, IFA_RT_PRIORITY, &a.metric, sizeof(a.metric));
	more = realloc(all->list, (all->n + 1) * sizeof(a));
	if (!more)
		return -ENOMEM;
	all->list = more;
	all->list[all->n++] = a;
	return 0;
}

static int read_addresses(int sock, struct addresses *all)
{
	struct ifaddrmsg m = { 0 };
	struct nl_request q;

	nl_begin(&q, RTM_GETADDR, NLM_F_DUMP, &m, sizeof(m));
	return nl_send(sock, &q, take_address, all);
}

static int write_address(int sock, int ifindex, const struct address *a)
{
	struct ifaddrmsg m = {
		.ifa_family = a->family,
		.ifa_prefixlen = a->prefix,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (uint32_t)ifindex,
	};
	struct nl_request q;

	nl_begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
	if (a->n_local)
		nl_attr(&q, IFA_LOCAL, a->local, a->n_local);
	if (a->n_peer)
		nl_attr(&q, IFA_ADDRESS, a->peer, a->n_peer);
	if (a->n_broadcast)
		nl_attr(&q, IFA_BROADCAST, a->broadcast, a->n_broadcast);
	if (a->metric)
		nl_attr_u32(&q, IFA_RT_PRIORITY, a->metric);
	nl_attr_u32(&q, IFA_FLAGS, a->flags & (IFA_F_NOPREFIXROUTE | IFA_F_NODAD | IFA_F_HOMEADDRESS));
	return nl_send(sock, &q, NULL, NULL);
}

static int set_up(int sock, int ifindex)
{
	struct ifinfomsg info = { .ifi_index = ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nl_request q;

	nl_begin(&q, RTM_NEWLINK, 0, &info, sizeof(info));
	return nl_send(sock, &q, NULL, NULL);
}

/* The name it shall have inside: patterns become the first free number. */
static int choose_name(int inside, const char *wanted, char name[IFNAMSIZ], struct err *e)
{
	const char *percent = strstr(wanted, "%d");
	int r;

	for (int i = 0; i < (percent ? PATTERN_MAX : 1); i++) {
		int n = percent ? snprintf(name, IFNAMSIZ, "%.*s%d%s", (int)(percent - wanted), wanted, i,
					  percent + 2)
				: snprintf(name, IFNAMSIZ, "%s", wanted);

		if (n >= IFNAMSIZ || strchr(name, '%'))
			return err_text(
				e, EINVAL, "linux.netDevices: \"%s\" is no valid interface name", wanted);
		r = find_link(inside, name);
		if (r == -ENODEV)
			return 0;
		if (r < 0)
			return err_set(e, -r, "look for the interface %s in the partition", name);
	}
	return err_text(e, EEXIST,
		"linux.netDevices: the partition's network namespace has an interface \"%s\" already",
		wanted);
}

static int move_one(const struct spec_net_device *d, int netns_fd, int outside, int inside,
	struct addresses *all, struct err *e)
{
	const char *wanted = d->name && *d->name ? d->name : d->host_name;
	struct ifinfomsg info = { 0 };
	struct nl_request q;
	char name[IFNAMSIZ];
	int r;

	if (!name_is_valid(d->host_name) || !name_is_valid(wanted))
		return err_text(e, EINVAL, "linux.netDevices: \"%s\" is no valid interface name",
			name_is_valid(d->host_name) ? wanted : d->host_name);
	r = all->ifindex = find_link(outside, d->host_name);
	if (r < 0)
		return err_set(e, -r, "linux.netDevices: find %s on the host", d->host_name);
	r = read_addresses(outside, all);
	if (r < 0)
		return err_set(e, -r, "linux.netDevices: read the addresses of %s", d->host_name);
	r = choose_name(inside, wanted, name, e);
	if (r < 0)
		return r;
	info.ifi_index = all->ifindex;
	nl_begin(&q, RTM_NEWLINK, 0, &info, sizeof(info));
	nl_attr_u32(&q, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	nl_attr_string(&q, IFLA_IFNAME, name);
	r = nl_send(outside, &q, NULL, NULL);
	if (r < 0)
		return err_set(
			e, -r, "linux.netDevices: move %s into the partition as %s", d->host_name, name);
	r = find_link(inside, name);
	if (r < 0)
		return err_set(e, -r, "linux.netDevices: find %s in the partition", name);
	info.ifi_index = r;
	for (size_t i = 0; i < all->n; i++) {
		r = write_address(inside, info.ifi_index, &all->list[i]);
		if (r < 0)
			return err_set(e, -r, "linux.netDevices: give %s its address back", name);
	}
	r = set_up(inside, info.ifi_index);
	return r < 0 ? err_set(e, -r, "linux.netDevices: set %s up", name) : 0;
}

/* A netlink socket stays in the namespace that it was made in: one trip there is enough. */
static int open_inside(int netns_fd, struct err *e)
{
	_cleanup_close_ int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), sock = -EBADF;
	int r = 0;

	if (own < 0)
		return err_set(e, errno, "open /proc/self/ns/net");
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return err_set(e, errno, "linux.netDevices: enter the partition's network namespace");
	sock = nl_open(e);
	if (setns(own, CLONE_NEWNET) < 0)
		r = err_set(e, errno, "leave the partition's network namespace");
	return r < 0 ? r : TAKE_FD(sock);
}

int net_move_devices(const struct spec *s, int netns_fd, struct err *e)
{
	_cleanup_close_ int outside = -EBADF, inside = -EBADF;

	if (s->n_net_devices == 0)
		return 0;
	outside = nl_open(e);
	if (outside < 0)
		return outside;
	inside = open_inside(netns_fd, e);
	if (inside < 0)
		return inside;
	for (size_t i = 0; i < s->n_net_devices; i++) {
		struct addresses all = { 0 };
		int r = move_one(&s->net_devices[i], netns_fd, outside, inside, &all, e);

		free(all.list);
		if (r < 0)
			return r;
	}
	return 0;
}
