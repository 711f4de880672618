/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of the network: a tap beside each interface, all packets handed over (see net.h).
 *
 * What the interface's own stack still sends (router solicitations, reports of multicast groups, its
 * duplicate address detection, announcements) goes out as before: it has the MAC and the addresses that are
 * the guest's now, so it says nothing that would not be true of the guest; answers go to the guest. It
 * receives nothing, so it answers nothing. The tap, in contrast, has a MAC of its own that nobody is to see:
 * it gets no address at all, and so has nothing to say.
 *
 * Offloads: packets of a veth come with checksums that are not filled in, and longer than its MTU (GSO). The
 * kernel finishes both in software before it hands them to a tap whose owner has not said that it can take
 * them (TUNSETOFFLOAD), so the device that uses the tap decides.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "namespaces/netlink.h"
#include "sandbox/net.h"
#include "sandbox/net_int.h"

#define TUN	     "/dev/net/tun"
#define VNET_HDR_LEN 12 /* struct virtio_net_hdr_v1 */

static int no_tun(struct err *e)
{
	int r;

	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return err_text(e, EOPNOTSUPP,
			"open " TUN
			" for the sandbox's network: %s; load the kernel's module tun (modprobe tun)",
			strerror(errno));
	r = err_set(e, errno, "open " TUN " for the sandbox's network");
	return r == -EACCES || r == -EPERM
		       ? err_hint(e, "the user that runs ringfence needs read and write permission there")
		       : r;
}

/* Its fd; the interface is in the namespace of whoever opens the device. `sock`: any socket there. */
static int make_tap(int sock, char name[IFNAMSIZ], int *index, struct err *e)
{
	struct ifreq ifr = { .ifr_name = "rf-tap%d", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	_cleanup_close_ int fd = open(TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int len = VNET_HDR_LEN;

	if (fd < 0)
		return no_tun(e);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return err_set(e, errno, "make a tap device for the sandbox");
	if (ioctl(fd, TUNSETVNETHDRSZ, &len) < 0)
		return err_set(e, errno, "prepare the tap device of the sandbox for virtio");
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	name[IFNAMSIZ - 1] = '\0';
	if (ioctl(sock, SIOCGIFINDEX, &ifr) < 0)
		return err_set(e, errno, "find the tap device %s", name);
	*index = ifr.ifr_ifindex;
	return TAKE_FD(fd);
}

/* No IPv6 address may be made when it comes up. Refused by kernels without IPv6, which make none. */
static int keep_silent(int sock, int index)
{
	struct ifinfomsg info = { .ifi_index = index };
	const uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
	struct nl_request q;
	size_t spec, family;
	int r;

	nl_begin(&q, RTM_NEWLINK, 0, &info, sizeof(info));
	spec = nl_nest(&q, IFLA_AF_SPEC);
	family = nl_nest(&q, AF_INET6);
	nl_attr(&q, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode));
	nl_nest_end(&q, family);
	nl_nest_end(&q, spec);
	r = nl_send(sock, &q, NULL, NULL);
	return r == -EAFNOSUPPORT || r == -EOPNOTSUPP ? 0 : r;
}

static int set_up(int sock, int index, uint16_t mtu)
{
	struct ifinfomsg info = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nl_request q;

	nl_begin(&q, RTM_NEWLINK, 0, &info, sizeof(info));
	nl_attr_u32(&q, IFLA_MTU, mtu);
	return nl_send(sock, &q, NULL, NULL);
}

static int connect_one(int sock, const struct net_link *l, struct vm_nic *nic, struct err *e)
{
	char name[IFNAMSIZ];
	int tap = 0, r;
	_cleanup_close_ int fd = make_tap(sock, name, &tap, e);

	if (fd < 0)
		return fd;
	r = keep_silent(sock, tap);
	if (r == 0)
		r = set_up(sock, tap, l->mtu);
	if (r < 0)
		return err_set(e, -r, "set up %s with an MTU of %u", name, l->mtu);
	r = net_redirect_add(sock, tap, l->index, e);
	/* Last: from here on the interface's packets are the guest's. */
	if (r == 0)
		r = net_redirect_add(sock, l->index, tap, e);
	if (r < 0)
		return err_wrap(e, "connect %s with the sandbox", l->name);
	memcpy(nic->mac, l->mac, sizeof(nic->mac));
	nic->mtu = l->mtu;
	nic->fd = TAKE_FD(fd);
	return 0;
}

/* Leftovers go; what is somebody else's is told before anything is made. */
static int make_room(int sock, const struct net_link *l, struct err *e)
{
	enum net_redirect found;
	bool foreign;
	int r = net_redirect_find(sock, l->index, &found, &foreign);

	if (r < 0)
		return err_set(e, -r, "read the filters (tc) of %s", l->name);
	if (found == NET_REDIRECT_LIVE)
		return err_text(e, EBUSY,
			"the network namespace is another sandbox's already: %s is connected with it; "
			"sandboxes "
			"cannot share one, give each its own",
			l->name);
	if (foreign)
		return err_text(e, EBUSY,
			"%s has filters (tc) on what it receives, which a sandbox cannot keep; remove them "
			"(tc "
			"qdisc del dev %s ingress) or put them on the other end",
			l->name, l->name);
	if (found == NET_REDIRECT_DEAD) {
		r = net_redirect_remove(sock, l->index);
		if (r < 0)
			return err_set(e, -r, "remove what an earlier sandbox has left on %s", l->name);
	}
	return 0;
}

static int connect_all(
	int sock, const struct net_links *links, struct vm_nic *nics, unsigned *n, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; i < links->n && r == 0; i++)
		if (!links->list[i].loopback)
			r = make_room(sock, &links->list[i], e);
	for (unsigned i = 0; i < links->n && r == 0; i++) {
		if (links->list[i].loopback)
			continue;
		r = connect_one(sock, &links->list[i], &nics[*n], e);
		*n += r == 0;
	}
	return r;
}

int vm_net_connect(struct vm_nic *nics, unsigned *n, struct json_writer *w, struct err *e)
{
	_cleanup_close_ int sock = nl_open(e);
	struct net_links links = { 0 };
	struct vm_nic made[VM_NICS_MAX];
	unsigned n_made = 0;
	int r;

	if (sock < 0)
		return sock;
	r = net_read_links(sock, &links, e);
	/* Read before packets go elsewhere, so that nothing (a router's lifetime) changes under our hands. */
	if (r == 0)
		r = net_read(sock, &links, w, e);
	if (r == 0)
		r = connect_all(sock, &links, made, &n_made, e);
	if (r < 0) {
		while (n_made > 0)
			fd_close(made[--n_made].fd);
		vm_net_disconnect(NULL);
		return r;
	}
	memcpy(nics, made, n_made * sizeof(*made));
	*n = n_made;
	return 0;
}

struct indices {
	int list[64];
	unsigned n;
};

static int take_index(uint16_t type, const void *data, size_t len, void *arg)
{
	struct indices *all = arg;
	struct ifinfomsg m;

	if (type != RTM_NEWLINK || len < sizeof(m) || all->n == sizeof(all->list) / sizeof(all->list[0]))
		return 0;
	memcpy(&m, data, sizeof(m));
	all->list[all->n++] = m.ifi_index;
	return 0;
}

int vm_net_disconnect(struct err *e)
{
	_cleanup_close_ int sock = nl_open(e);
	struct indices all = { 0 };
	struct ifinfomsg info = { 0 };
	struct nl_request q;
	int r, failed = 0;

	if (sock < 0)
		return sock;
	nl_begin(&q, RTM_GETLINK, NLM_F_DUMP, &info, sizeof(info));
	r = nl_send(sock, &q, take_index, &all);
	if (r < 0)
		return err_set(e, -r, "list the interfaces of the network namespace");
	for (unsigned i = 0; i < all.n; i++) {
		enum net_redirect found;
		bool foreign;

		r = net_redirect_find(sock, all.list[i], &found, &foreign);
		if (r == 0 && found == NET_REDIRECT_DEAD)
			r = net_redirect_remove(sock, all.list[i]);
		if (r < 0 && r != -ENODEV)
			failed = r;
	}
	return failed ? err_set(e, -failed, "give the interfaces of the network namespace back to it") : 0;
}
