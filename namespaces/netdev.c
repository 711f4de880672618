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

#include "base/fd.h"
#include "base/log.h"
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

struct moved {
	const char *host_name;
	int ifindex; /* in the partition; 0: not there */
	bool was_up;
	struct addresses addresses;
};

struct net_moved {
	int outside, inside; /* netlink sockets; the second one keeps the namespace alive */
	int home;	     /* our own network namespace */
	int away;	     /* the partition's, not ours */
	struct moved *list;
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

static int take_info(uint16_t type, const void *data, size_t len, void *arg)
{
	if (type != RTM_NEWLINK || len < sizeof(struct ifinfomsg))
		return -EBADMSG;
	memcpy(arg, data, sizeof(struct ifinfomsg));
	return 0;
}

/* The index of the interface, or -ENODEV. `up` may be NULL. */
static int find_link(int sock, const char *name, bool *up)
{
	struct ifinfomsg info = { 0 }, found = { 0 };
	struct nl_request q;
	int r;

	nl_begin(&q, RTM_GETLINK, 0, &info, sizeof(info));
	nl_attr_string(&q, IFLA_IFNAME, name);
	r = nl_send(sock, &q, take_info, &found);
	if (r < 0)
		return r;
	if (up)
		*up = found.ifi_flags & IFF_UP;
	return found.ifi_index > 0 ? found.ifi_index : -ENODEV;
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
		r = find_link(inside, name, NULL);
		if (r == -ENODEV)
			return 0;
		if (r < 0)
			return err_set(e, -r, "look for the interface %s in the partition", name);
	}
	return err_text(e, EEXIST,
		"linux.netDevices: the partition's network namespace has an interface \"%s\" already",
		wanted);
}

static const char *name_inside(const struct spec_net_device *d)
{
	return d->name && *d->name ? d->name : d->host_name;
}

/* What can be told before anything is moved: an interface loses its routes by it, even if it comes back. */
static int check_one(const struct spec_net_device *d, const struct net_moved *m, struct err *e)
{
	const char *wanted = name_inside(d);
	char name[IFNAMSIZ];
	int r;

	if (!name_is_valid(d->host_name) || !name_is_valid(wanted))
		return err_text(e, EINVAL, "linux.netDevices: \"%s\" is no valid interface name",
			name_is_valid(d->host_name) ? wanted : d->host_name);
	r = find_link(m->outside, d->host_name, NULL);
	if (r < 0)
		return err_set(e, -r, "linux.netDevices: find %s on the host", d->host_name);
	return choose_name(m->inside, wanted, name, e);
}

/* To the namespace `to`, whose netlink socket is `there`, under that name. Returns its index there. */
static int move_link(int here, int ifindex, int to, int there, const char *name)
{
	struct ifinfomsg info = { .ifi_index = ifindex };
	struct nl_request q;
	int r;

	nl_begin(&q, RTM_NEWLINK, 0, &info, sizeof(info));
	nl_attr_u32(&q, IFLA_NET_NS_FD, (uint32_t)to);
	nl_attr_string(&q, IFLA_IFNAME, name);
	r = nl_send(here, &q, NULL, NULL);
	return r < 0 ? r : find_link(there, name, NULL);
}

static int move_one(
	const struct spec_net_device *d, const struct net_moved *m, struct moved *one, struct err *e)
{
	struct addresses *all = &one->addresses;
	char name[IFNAMSIZ];
	int r;

	one->host_name = d->host_name;
	r = all->ifindex = find_link(m->outside, d->host_name, &one->was_up);
	if (r < 0)
		return err_set(e, -r, "linux.netDevices: find %s on the host", d->host_name);
	r = read_addresses(m->outside, all);
	if (r < 0)
		return err_set(e, -r, "linux.netDevices: read the addresses of %s", d->host_name);
	r = choose_name(m->inside, name_inside(d), name, e);
	if (r < 0)
		return r;
	r = move_link(m->outside, all->ifindex, m->away, m->inside, name);
	if (r < 0)
		return err_set(
			e, -r, "linux.netDevices: move %s into the partition as %s", d->host_name, name);
	one->ifindex = r;
	for (size_t i = 0; i < all->n; i++) {
		r = write_address(m->inside, one->ifindex, &all->list[i]);
		if (r < 0)
			return err_set(e, -r, "linux.netDevices: give %s its address back", name);
	}
	r = set_up(m->inside, one->ifindex);
	return r < 0 ? err_set(e, -r, "linux.netDevices: set %s up", name) : 0;
}

/* A netlink socket stays in the namespace that it was made in: one trip there is enough. */
static int open_inside(const struct net_moved *m, struct err *e)
{
	_cleanup_close_ int sock = -EBADF;
	int r = 0;

	if (setns(m->away, CLONE_NEWNET) < 0) {
		r = err_set(e, errno, "linux.netDevices: enter the partition's network namespace");
		return r == -EPERM ? err_hint(e, "to move a device of the host takes its root") : r;
	}
	sock = nl_open(e);
	if (setns(m->home, CLONE_NEWNET) < 0)
		r = err_set(e, errno, "leave the partition's network namespace");
	return r < 0 ? r : TAKE_FD(sock);
}

static int move_all(const struct spec *s, struct net_moved *m, struct err *e)
{
	int r = 0;

	m->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (m->home < 0)
		return err_set(e, errno, "open /proc/self/ns/net");
	m->list = calloc(s->n_net_devices, sizeof(*m->list));
	if (!m->list)
		return err_set(e, ENOMEM, "linux.netDevices");
	m->outside = nl_open(e);
	if (m->outside < 0)
		return m->outside;
	m->inside = open_inside(m, e);
	if (m->inside < 0)
		return m->inside;
	for (size_t i = 0; i < s->n_net_devices && r == 0; i++)
		r = check_one(&s->net_devices[i], m, e);
	for (; m->n < s->n_net_devices && r == 0; m->n++)
		r = move_one(&s->net_devices[m->n], m, &m->list[m->n], e);
	return r;
}

int net_move_devices(const struct spec *s, int netns_fd, struct net_moved **out, struct err *e)
{
	struct net_moved *m;
	int r;

	if (s->n_net_devices == 0)
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(e, ENOMEM, "linux.netDevices");
	m->away = netns_fd;
	m->outside = m->inside = m->home = -EBADF;
	r = move_all(s, m, e);
	m->away = -EBADF;
	if (r < 0) {
		net_return_devices(m);
		net_moved_free(m);
		return r;
	}
	*out = m;
	return 0;
}

static int return_one(const struct net_moved *m, const struct moved *one)
{
	int r = move_link(m->inside, one->ifindex, m->home, m->outside, one->host_name), index = r;

	for (size_t i = 0; i < one->addresses.n && r >= 0; i++)
		r = write_address(m->outside, index, &one->addresses.list[i]);
	return r >= 0 && one->was_up ? set_up(m->outside, index) : r;
}

void net_return_devices(const struct net_moved *m)
{
	for (size_t i = m ? m->n : 0; i-- > 0;) {
		const struct moved *one = &m->list[i];
		int r = one->ifindex ? return_one(m, one) : 0;

		if (r < 0)
			log_warn("linux.netDevices: give %s back to the host: %s", one->host_name,
				strerror(-r));
	}
}

void net_moved_free(struct net_moved *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->list[i].addresses.list);
	free(m->list);
	fd_close(m->outside);
	fd_close(m->inside);
	fd_close(m->home);
	free(m);
}
