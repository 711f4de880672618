/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's side of the network: the interfaces become what the partition's network namespace has (net.h).
 *
 * Order: names; then each interface: the kernel makes no address of its own, MTU, up, addresses (each without
 * its prefix's route and without duplicate address detection, which the host's side has behind it); then
 * routes, those without a next hop first, since the others need them; then neighbours.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "namespaces/net.h"
#include "namespaces/netlink.h"
#include "namespaces/rootfs.h"
#include "sandbox/net.h"
#include "sandbox/net_int.h"
#include "sandbox/net_text.h"

struct interface {
	const struct json *json;
	const char *name; /* wanted */
	char now[IFNAMSIZ];
	bool loopback;
	uint8_t mac[6];
	int index; /* 0: not found yet */
};

struct apply {
	int sock;
	struct interface list[VM_NICS_MAX + 1];
	unsigned n;
	bool no_ip6; /* this kernel has none */
	bool twice;
};

/* --- which interface is which ---------------------------------------------------------------------- */

static int parse_interface(const struct json *j, struct interface *i, struct err *e)
{
	const char *mac;
	int r = json_as_string(json_get(j, "name"), "network.interfaces: name", &i->name, e);

	if (r < 0)
		return r;
	if (!net_name_is_valid(i->name))
		return err_text(e, EINVAL, "network.interfaces: a name is no valid name of an interface");
	i->json = j;
	i->loopback = json_get(j, "mac") == NULL && str_eq(i->name, "lo");
	if (i->loopback)
		return 0;
	r = json_as_string(json_get(j, "mac"), "network.interfaces: mac", &mac, e);
	if (r == 0 && net_parse_mac(mac, i->mac) < 0)
		return err_text(e, EINVAL, "network.interfaces: the MAC address of %s is none", i->name);
	return r;
}

static int parse_interfaces(struct apply *ap, const struct json *network, struct err *e)
{
	const struct json *j, *all = json_get(network, "interfaces");

	if (all && all->type != JSON_ARRAY)
		return err_text(e, EINVAL, "network.interfaces is no array");
	json_each (j, all) {
		struct interface *i = &ap->list[ap->n];
		int r;

		if (ap->n == VM_NICS_MAX + 1)
			return err_text(e, E2BIG, "network.interfaces has more than %d", VM_NICS_MAX + 1);
		r = parse_interface(j, i, e);
		if (r < 0)
			return r;
		for (unsigned k = 0; k < ap->n; k++)
			if (str_eq(ap->list[k].name, i->name))
				return err_text(e, EINVAL, "network.interfaces has %s twice", i->name);
		ap->n++;
	}
	return 0;
}

static int take_link(uint16_t type, const void *data, size_t len, void *arg)
{
	const size_t head = NLMSG_ALIGN(sizeof(struct ifinfomsg));
	const unsigned char *attrs = (const unsigned char *)data + head;
	struct apply *ap = arg;
	struct ifinfomsg m;
	uint8_t mac[6];
	const char *name;
	size_t n = 0;

	if (type != RTM_NEWLINK || len < head)
		return 0;
	memcpy(&m, data, sizeof(m));
	len -= head;
	name = nl_find(attrs, len, IFLA_IFNAME, &n);
	if (!name || n == 0 || n > IFNAMSIZ || name[n - 1] != '\0' ||
		!nl_copy(attrs, len, IFLA_ADDRESS, mac, sizeof(mac)))
		return 0;
	for (unsigned k = 0; k < ap->n; k++) {
		struct interface *i = &ap->list[k];

		if (i->loopback != !!(m.ifi_flags & IFF_LOOPBACK) ||
			(!i->loopback && memcmp(mac, i->mac, sizeof(mac)) != 0))
			continue;
		if (i->index)
			ap->twice = true;
		i->index = m.ifi_index;
		memcpy(i->now, name, n);
	}
	return 0;
}

static int find_interfaces(struct apply *ap, struct err *e)
{
	struct ifinfomsg info = { 0 };
	struct nl_request q;
	int r;

	nl_begin(&q, RTM_GETLINK, NLM_F_DUMP, &info, sizeof(info));
	r = nl_send(ap->sock, &q, take_link, ap);
	if (r < 0)
		return err_set(e, -r, "list the guest's interfaces");
	if (ap->twice)
		return err_text(e, EEXIST, "two of the guest's interfaces have the same MAC address");
	for (unsigned k = 0; k < ap->n; k++)
		if (ap->list[k].index == 0)
			return err_text(e, ENODEV,
				"the guest has no interface with the MAC address of %s; does its kernel have "
				"virtio-net?",
				ap->list[k].name);
	return 0;
}

static int rename_one(int sock, const struct interface *i, const char *name, struct err *e)
{
	struct ifinfomsg info = { .ifi_index = i->index };
	struct nl_request q;
	int r;

	nl_begin(&q, RTM_NEWLINK, 0, &info, sizeof(info));
	nl_attr_string(&q, IFLA_IFNAME, name);
	r = nl_send(sock, &q, NULL, NULL);
	return r < 0 ? err_set(e, -r, "rename the guest's interface for %s to %s", i->name, name) : 0;
}

/* In two steps, for the kernel's own names (eth0, eth1) may be wanted the other way round. */
static int rename_all(struct apply *ap, struct err *e)
{
	bool moved[VM_NICS_MAX + 1] = { false };
	char name[24];
	int r = 0;

	for (unsigned k = 0; k < ap->n && r == 0; k++) {
		moved[k] = !ap->list[k].loopback && !str_eq(ap->list[k].now, ap->list[k].name);
		snprintf(name, sizeof(name), "rf-nic%u", k);
		if (moved[k])
			r = rename_one(ap->sock, &ap->list[k], name, e);
	}
	for (unsigned k = 0; k < ap->n && r == 0; k++)
		if (moved[k])
			r = rename_one(ap->sock, &ap->list[k], ap->list[k].name, e);
	return r;
}

/* --- an interface ---------------------------------------------------------------------------------- */

static int add_address(struct apply *ap, const struct interface *i, const struct json *j, struct err *e)
{
	struct net_text address, peer, broadcast;
	struct ifaddrmsg m = { .ifa_index = (uint32_t)i->index };
	const struct ifa_cacheinfo deprecated = { .ifa_prefered = 0, .ifa_valid = UINT32_MAX };
	uint32_t flags = IFA_F_NOPREFIXROUTE;
	bool old = false;
	uint64_t scope = 0;
	struct nl_request q;
	int r = net_get_text(j, "address", NET_TEXT_PREFIX, &address, e);

	if (r == 0)
		r = net_get_text(j, "peer", NET_TEXT_PREFIX | NET_TEXT_MISSING, &peer, e);
	if (r == 0)
		r = net_get_text(j, "broadcast", NET_TEXT_MISSING, &broadcast, e);
	if (r == 0)
		r = net_get_number(j, "scope", UINT8_MAX, &scope, e);
	if (r == 0 && json_get(j, "deprecated"))
		r = json_as_bool(json_get(j, "deprecated"), "network: deprecated", &old, e);
	if (r < 0)
		return r;
	if ((peer.len && peer.family != address.family) ||
		(broadcast.len && broadcast.family != address.family))
		return err_text(e, EINVAL, "network: an address of %s mixes IPv4 and IPv6", i->name);
	m.ifa_family = address.family;
	m.ifa_prefixlen = peer.len ? peer.bits : address.bits;
	m.ifa_scope = (uint8_t)scope;
	if (address.family == AF_INET6)
		flags |= IFA_F_NODAD;
	nl_begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
	nl_attr(&q, IFA_LOCAL, address.raw, address.len);
	nl_attr(&q, IFA_ADDRESS, peer.len ? peer.raw : address.raw, address.len);
	if (broadcast.len)
		nl_attr(&q, IFA_BROADCAST, broadcast.raw, broadcast.len);
	if (old)
		nl_attr(&q, IFA_CACHEINFO, &deprecated, sizeof(deprecated));
	nl_attr_u32(&q, IFA_FLAGS, flags);
	r = nl_send(ap->sock, &q, NULL, NULL);
	/* Every interface of a host has a link-local address: a guest without IPv6 must not fail by that. */
	if (r < 0 && ap->no_ip6 && address.family == AF_INET6 && net_is_link_local(&address))
		return 0;
	if (r < 0)
		err_set(e, -r, "give the guest's %s the address %s", i->name, address.text);
	return r < 0 && ap->no_ip6 && address.family == AF_INET6 ? err_hint(e, "its kernel has no IPv6") : r;
}

static int put_sysctl(
	int proc, const char *interface, const char *name, const char *value, bool *missing, struct err *e)
{
	char path[96];
	int r;

	snprintf(path, sizeof(path), "sys/net/ipv6/conf/%s/%s", interface, name);
	r = fd_put_at(proc, path, value);
	*missing = r == -ENOENT;
	return r < 0 && r != -ENOENT ? err_set(e, -r, "write %s to /proc/%s in the guest", value, path) : 0;
}

/* own: the kernel makes a link-local address itself. */
static int set_ip6(struct apply *ap, const struct interface *i, bool *own, struct err *e)
{
	_cleanup_close_ int proc = mnt_procfs(e);
	bool on = false;
	uint64_t accept = 0;
	char text[24];
	int r;

	if (proc < 0)
		return proc;
	*own = false;
	if (json_get(i->json, "ipv6")) {
		r = json_as_bool(json_get(i->json, "ipv6"), "network.interfaces: ipv6", &on, e);
		if (r == 0)
			r = net_get_number(i->json, "acceptRa", 2, &accept, e);
		if (r == 0 && json_get(i->json, "ownLinkLocal"))
			r = json_as_bool(json_get(i->json, "ownLinkLocal"),
				"network.interfaces: ownLinkLocal", own, e);
		if (r < 0)
			return r;
	}
	snprintf(text, sizeof(text), "%u", (unsigned)accept);
	r = put_sysctl(proc, i->name, "accept_ra", text, &ap->no_ip6, e);
	if (r == 0 && !ap->no_ip6)
		r = put_sysctl(proc, i->name, "disable_ipv6", on ? "0" : "1", &ap->no_ip6, e);
	return r;
}

/* Not together with what sets it up: the kernel would do that first. */
static int no_own_address(int sock, const struct interface *i)
{
	struct ifinfomsg info = { .ifi_index = i->index };
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

static int set_up(struct apply *ap, const struct interface *i, struct err *e)
{
	struct ifinfomsg info = { .ifi_index = i->index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nl_request q;
	uint64_t mtu = 0;
	bool own;
	int r = net_get_number(i->json, "mtu", UINT16_MAX, &mtu, e);

	if (r == 0)
		r = set_ip6(ap, i, &own, e);
	if (r < 0)
		return r;
	nl_begin(&q, RTM_NEWLINK, 0, &info, sizeof(info));
	if (mtu)
		nl_attr_u32(&q, IFLA_MTU, (uint32_t)mtu);
	r = own ? 0 : no_own_address(ap->sock, i);
	if (r == 0)
		r = nl_send(ap->sock, &q, NULL, NULL);
	return r < 0 ? err_set(e, -r, "set the guest's %s up with an MTU of %u", i->name, (unsigned)mtu) : 0;
}

static bool is_ip6(const struct json *j)
{
	const struct json *a = json_get(j, "address");

	return a && a->type == JSON_STRING && strchr(a->text, ':');
}

/*
 * The kernel lists IPv4 addresses as they came, and IPv6 ones the other way round; where everything else is
 * equal it takes the first one as source. So it shall be the same one here.
 */
static int set_interface(struct apply *ap, const struct interface *i, struct err *e)
{
	const struct json *j, *all = json_get(i->json, "addresses"), *list[NET_ADDRESSES_MAX];
	size_t n = 0;
	int r = i->loopback ? 0 : set_up(ap, i, e);

	if (r < 0)
		return r;
	if (all && (all->type != JSON_ARRAY || all->count > NET_ADDRESSES_MAX))
		return err_text(e, EINVAL,
			"network.interfaces: the addresses of %s are no array, or more than %d", i->name,
			NET_ADDRESSES_MAX);
	json_each (j, all)
		list[n++] = j;
	for (size_t k = 0; k < n && r == 0; k++)
		if (!is_ip6(list[k]))
			r = add_address(ap, i, list[k], e);
	for (size_t k = n; k > 0 && r == 0; k--)
		if (is_ip6(list[k - 1]))
			r = add_address(ap, i, list[k - 1], e);
	return r;
}

/* --- routes and neighbours ------------------------------------------------------------------------- */

static int index_of(const struct apply *ap, const struct json *j, int *out, struct err *e)
{
	const char *dev;
	int r = json_as_string(json_get(j, "dev"), "network: dev", &dev, e);

	if (r < 0)
		return r;
	for (unsigned k = 0; k < ap->n; k++)
		if (str_eq(ap->list[k].name, dev)) {
			*out = ap->list[k].index;
			return 0;
		}
	return err_text(e, EINVAL, "network: a route or neighbour names an interface that is not there");
}

static int put_metrics(struct nl_request *q, const struct json *j, struct err *e)
{
	const struct json *all = json_get(j, "metrics");
	size_t nest = q->len;
	uint64_t v;
	int r = 0;

	if (!all)
		return 0;
	nest = nl_nest(q, RTA_METRICS);
	for (unsigned i = 0; i < net_n_route_metrics && r == 0; i++)
		if (net_route_metrics[i] && json_get(all, net_route_metrics[i])) {
			r = net_get_number(all, net_route_metrics[i], UINT32_MAX, &v, e);
			nl_attr_u32(q, (uint16_t)i, (uint32_t)v);
		}
	nl_nest_end(q, nest);
	return r;
}

static int get_type(const struct json *j, uint8_t *out, struct err *e)
{
	const char *name;
	int r;

	*out = RTN_UNICAST;
	if (!json_get(j, "type"))
		return 0;
	r = json_as_string(json_get(j, "type"), "network.routes: type", &name, e);
	for (unsigned i = 0; i < net_n_route_types && r == 0; i++)
		if (net_route_types[i] && str_eq(net_route_types[i], name)) {
			*out = (uint8_t)i;
			return 0;
		}
	return r < 0 ? r : err_text(e, EINVAL, "network.routes: a type is unknown");
}

/* The fixed part of a route's request: what is no address. */
static int get_fixed(const struct json *j, const struct net_text *to, struct rtmsg *m, struct err *e)
{
	uint64_t scope = 0, protocol = RTPROT_BOOT, tos = 0;
	bool onlink = false;
	int r = net_get_number(j, "scope", UINT8_MAX, &scope, e);

	if (r == 0)
		r = net_get_number(j, "protocol", UINT8_MAX, &protocol, e);
	if (r == 0)
		r = net_get_number(j, "tos", UINT8_MAX, &tos, e);
	if (r == 0 && json_get(j, "onlink"))
		r = json_as_bool(json_get(j, "onlink"), "network.routes: onlink", &onlink, e);
	if (r == 0)
		r = get_type(j, &m->rtm_type, e);
	m->rtm_family = to->family;
	m->rtm_dst_len = to->bits;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_scope = (uint8_t)scope;
	m->rtm_protocol = (uint8_t)protocol;
	m->rtm_tos = (uint8_t)tos;
	m->rtm_flags = onlink ? RTNH_F_ONLINK : 0;
	return r;
}

/* RTA_VIA is for IPv4 by way of IPv6 only. */
static void put_via(struct nl_request *q, const struct net_text *to, const struct net_text *via)
{
	struct {
		uint16_t family;
		unsigned char address[16];
	} other = { .family = via->family };

	if (via->family == to->family) {
		nl_attr(q, RTA_GATEWAY, via->raw, via->len);
		return;
	}
	memcpy(other.address, via->raw, via->len);
	nl_attr(q, RTA_VIA, &other, sizeof(other.family) + via->len);
}

static int add_route(const struct apply *ap, const struct json *j, struct err *e)
{
	struct net_text to, via, src;
	struct rtmsg m = { 0 };
	struct nl_request q;
	uint64_t metric = 0;
	int index = 0, r = net_get_text(j, "to", NET_TEXT_PREFIX, &to, e);

	if (r == 0)
		r = net_get_text(j, "via", NET_TEXT_MISSING, &via, e);
	if (r == 0)
		r = net_get_text(j, "src", NET_TEXT_MISSING, &src, e);
	if (r == 0)
		r = net_get_number(j, "metric", UINT32_MAX, &metric, e);
	if (r == 0 && json_get(j, "dev"))
		r = index_of(ap, j, &index, e);
	if (r == 0)
		r = get_fixed(j, &to, &m, e);
	if (r < 0)
		return r;
	nl_begin(&q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, &m, sizeof(m));
	if (to.bits)
		nl_attr(&q, RTA_DST, to.raw, to.len);
	if (index)
		nl_attr_u32(&q, RTA_OIF, (uint32_t)index);
	if (via.len)
		put_via(&q, &to, &via);
	if (src.len)
		nl_attr(&q, RTA_PREFSRC, src.raw, src.len);
	if (metric)
		nl_attr_u32(&q, RTA_PRIORITY, (uint32_t)metric);
	r = put_metrics(&q, j, e);
	if (r < 0)
		return r;
	r = nl_send(ap->sock, &q, NULL, NULL);
	/* The kernel has made the same one itself; or it knows no IPv6, which the addresses have told. */
	if (r == -EEXIST || (r < 0 && ap->no_ip6 && to.family == AF_INET6))
		return 0;
	return r < 0 ? err_set(e, -r, "make the guest's route to %s", to.text) : 0;
}

static int add_neighbour(const struct apply *ap, const struct json *j, struct err *e)
{
	struct ndmsg m = { .ndm_state = NUD_PERMANENT };
	struct net_text to;
	struct nl_request q;
	const char *text;
	uint8_t mac[6];
	int index, r = net_get_text(j, "to", 0, &to, e);

	if (r == 0)
		r = json_as_string(json_get(j, "mac"), "network.neighbours: mac", &text, e);
	if (r == 0 && net_parse_mac(text, mac) < 0)
		return err_text(e, EINVAL, "network.neighbours: the MAC address of %s is none", to.text);
	if (r == 0)
		r = index_of(ap, j, &index, e);
	if (r < 0)
		return r;
	m.ndm_family = to.family;
	m.ndm_ifindex = index;
	nl_begin(&q, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
	nl_attr(&q, NDA_DST, to.raw, to.len);
	nl_attr(&q, NDA_LLADDR, mac, sizeof(mac));
	r = nl_send(ap->sock, &q, NULL, NULL);
	if (r < 0 && ap->no_ip6 && to.family == AF_INET6)
		return 0;
	return r < 0 ? err_set(e, -r, "make the guest's neighbour %s", to.text) : 0;
}

static int get_list(const struct json *network, const char *name, const struct json **out, struct err *e)
{
	*out = json_get(network, name);
	if (*out && ((*out)->type != JSON_ARRAY || (*out)->count > NET_ROUTES_MAX))
		return err_text(e, EINVAL, "network.%s is no array, or has more than %d members", name,
			NET_ROUTES_MAX);
	return 0;
}

static int add_routes(const struct apply *ap, const struct json *network, struct err *e)
{
	const struct json *j, *routes = NULL, *neighbours = NULL;
	int r = get_list(network, "routes", &routes, e);

	if (r == 0)
		r = get_list(network, "neighbours", &neighbours, e);
	for (int with_via = 0; with_via < 2 && r == 0; with_via++)
		json_each (j, routes)
			if (r == 0 && !!json_get(j, "via") == with_via)
				r = add_route(ap, j, e);
	if (r < 0)
		return r;
	json_each (j, neighbours)
		if (r == 0)
			r = add_neighbour(ap, j, e);
	return r;
}

int vm_net_apply(const struct json *network, struct err *e)
{
	_cleanup_close_ int sock = -EBADF;
	struct apply ap = { 0 };
	int r = net_loopback_up(e);

	if (r < 0 || !network)
		return r;
	if (network->type != JSON_OBJECT)
		return err_text(e, EINVAL, "network is no object");
	r = parse_interfaces(&ap, network, e);
	if (r < 0)
		return r;
	ap.sock = sock = nl_open(e);
	if (sock < 0)
		return sock;
	r = find_interfaces(&ap, e);
	if (r == 0)
		r = rename_all(&ap, e);
	for (unsigned k = 0; k < ap.n && r == 0; k++)
		r = set_interface(&ap, &ap.list[k], e);
	return r < 0 ? r : add_routes(&ap, network, e);
}
