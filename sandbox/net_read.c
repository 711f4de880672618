/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the partition's network namespace has: interfaces, addresses, routes, neighbours (see net.h).
 *
 * Engines have set it up, but a bundle's author may have had a hand in it: names are checked, numbers of
 * things are limited, and what the guest could not have in the same way is refused.
 *
 * Left to the guest's own kernel is what this one has only from router advertisements: the guest hears the
 * same ones. The addresses and routes that the kernel makes by itself otherwise (link-local addresses, a
 * prefix's route) are taken over like all others, so that both sides have exactly the same; the guest makes
 * none then.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "namespaces/netlink.h"
#include "sandbox/net_int.h"

#define ADDRESS_TEXT_MAX 64 /* an IPv6 address, a slash, a number */

struct attrs {
	const unsigned char *p;
	size_t len;
};

/* One dump: where its messages go. An error with a text of its own has set `told`. */
struct reading {
	struct net_links *links;
	struct net_link *link; /* whose addresses these are */
	struct json_writer *w;
	unsigned count;
	bool told;
	struct err *e;
};

static bool attrs_behind(size_t fixed, const void *data, size_t len, struct attrs *out)
{
	fixed = NLMSG_ALIGN(fixed);
	if (len < fixed)
		return false;
	out->p = (const unsigned char *)data + fixed;
	out->len = len - fixed;
	return true;
}

static bool get_u32(const struct attrs *a, uint16_t type, uint32_t *out)
{
	return nl_copy(a->p, a->len, type, out, sizeof(*out));
}

/* "ADDRESS", or with bits >= 0 "ADDRESS/BITS"; false: there is no such attribute, or it is too short. */
static bool get_address(
	const struct attrs *a, uint16_t type, int family, int bits, char text[ADDRESS_TEXT_MAX])
{
	unsigned char raw[sizeof(struct in6_addr)];
	size_t n;

	if (!nl_copy(a->p, a->len, type, raw, family == AF_INET ? 4 : 16) ||
		!inet_ntop(family, raw, text, ADDRESS_TEXT_MAX))
		return false;
	n = strlen(text);
	if (bits >= 0)
		snprintf(text + n, ADDRESS_TEXT_MAX - n, "/%d", bits);
	return true;
}

static int dump(int sock, uint16_t type, const void *fixed, size_t len, nl_each_fn *each, struct reading *rd,
	const char *what)
{
	struct nl_request q;
	int r;

	nl_begin(&q, type, NLM_F_DUMP, fixed, len);
	r = nl_send(sock, &q, each, rd);
	if (r == 0 || rd->told)
		return r;
	return err_set(rd->e, -r, "read the %s of the partition's network namespace", what);
}

#define refuse(rd, ...) ((rd)->told = true, err_text((rd)->e, EOPNOTSUPP, __VA_ARGS__))

/* --- interfaces ------------------------------------------------------------------------------------ */

static void take_ip6(const struct attrs *a, struct net_link *l)
{
	int32_t conf[DEVCONF_DISABLE_IPV6 + 1] = { 0 };
	uint8_t mode = 0;
	size_t n = 0;
	const void *p = nl_find(a->p, a->len, IFLA_AF_SPEC, &n);

	if (p)
		p = nl_find(p, n, AF_INET6, &n);
	if (!p || !nl_copy(p, n, IFLA_INET6_CONF, conf, sizeof(conf)))
		return;
	l->has_ip6 = true;
	l->ip6_off = conf[DEVCONF_DISABLE_IPV6] != 0;
	l->accept_ra = conf[DEVCONF_ACCEPT_RA];
	l->own_local = !nl_copy(p, n, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode)) ||
		       mode != IN6_ADDR_GEN_MODE_NONE;
}

static bool is_kind(const struct attrs *a, const char *kind)
{
	size_t n = 0, len = strlen(kind);
	const void *p = nl_find(a->p, a->len, IFLA_LINKINFO, &n);

	if (p)
		p = nl_find(p, n, IFLA_INFO_KIND, &n);
	return p && (n == len || n == len + 1) && memcmp(p, kind, len) == 0; /* with or without its NUL */
}

static int check_link(
	struct reading *rd, const struct net_link *l, const struct ifinfomsg *m, const struct attrs *a)
{
	size_t n = 0;
	uint32_t v, mtu = 0;

	if (m->ifi_type != ARPHRD_ETHER || !nl_find(a->p, a->len, IFLA_ADDRESS, &n) || n != sizeof(l->mac))
		return refuse(rd,
			"interface %s is no Ethernet interface, and a sandbox can have no others; set it "
			"down if the "
			"partition does not need it",
			l->name);
	if (get_u32(a, IFLA_MASTER, &v))
		return refuse(rd,
			"interface %s is a part of another one (a bridge, a bond) in the partition's network "
			"namespace, which a sandbox cannot have",
			l->name);
	/* Its peer or parent is in this namespace, too: there is no word on another one. */
	if (get_u32(a, IFLA_LINK, &v) && v != 0 && (int)v != l->index &&
		!nl_find(a->p, a->len, IFLA_LINK_NETNSID, &n) && !is_kind(a, "veth"))
		return refuse(rd,
			"interface %s lies on top of another one in the partition's network namespace, which "
			"a sandbox "
			"cannot have",
			l->name);
	if (!get_u32(a, IFLA_MTU, &mtu) || mtu == 0 || mtu > NET_MTU_MAX)
		return refuse(rd, "interface %s has an MTU of %u, and a sandbox's at most %d", l->name, mtu,
			NET_MTU_MAX);
	for (unsigned i = 0; i < rd->links->n; i++)
		if (!rd->links->list[i].loopback &&
			memcmp(rd->links->list[i].mac, l->mac, sizeof(l->mac)) == 0)
			return refuse(rd,
				"interfaces %s and %s have the same MAC address; a sandbox tells them apart "
				"by it",
				rd->links->list[i].name, l->name);
	return 0;
}

static int take_link(uint16_t type, const void *data, size_t len, void *arg)
{
	struct reading *rd = arg;
	struct net_link l = { 0 };
	struct ifinfomsg m;
	struct attrs a;
	const char *name;
	size_t n = 0;
	uint32_t mtu = 0;
	int r = 0;

	if (type != RTM_NEWLINK || !attrs_behind(sizeof(m), data, len, &a))
		return 0;
	memcpy(&m, data, sizeof(m));
	l.loopback = m.ifi_flags & IFF_LOOPBACK;
	if (!l.loopback && !(m.ifi_flags & IFF_UP))
		return 0;
	l.index = m.ifi_index;
	name = nl_find(a.p, a.len, IFLA_IFNAME, &n);
	if (!name || n == 0 || n > IFNAMSIZ || name[n - 1] != '\0')
		return -EBADMSG;
	memcpy(l.name, name, n);
	if (!net_name_is_valid(l.name))
		return refuse(rd,
			"the name of interface number %d has characters that a sandbox does not take; rename "
			"it to "
			"plain letters and digits",
			l.index);
	get_u32(&a, IFLA_MTU, &mtu);
	take_ip6(&a, &l);
	if (!l.loopback) {
		nl_copy(a.p, a.len, IFLA_ADDRESS, l.mac, sizeof(l.mac));
		r = check_link(rd, &l, &m, &a);
		l.mtu = (uint16_t)mtu;
		rd->count++;
	}
	if (r < 0)
		return r;
	/* There is one lo, so one place more than for the others. */
	if (rd->count > VM_NICS_MAX || rd->links->n == VM_NICS_MAX + 1)
		return refuse(
			rd, "interface %s is one too many: a sandbox has %d at most", l.name, VM_NICS_MAX);
	rd->links->list[rd->links->n++] = l;
	return 0;
}

/* Another table than the main one is somebody's who knows the packets' way here; we could not follow. */
static int take_rule(uint16_t type, const void *data, size_t len, void *arg)
{
	struct reading *rd = arg;
	struct fib_rule_hdr m;
	struct attrs a;
	uint32_t preference = 0;

	if (type != RTM_NEWRULE || !attrs_behind(sizeof(m), data, len, &a))
		return 0;
	memcpy(&m, data, sizeof(m));
	if (m.family != AF_INET && m.family != AF_INET6)
		return 0;
	get_u32(&a, FRA_PRIORITY, &preference);
	if (preference == 0 || preference == 32766 || preference == 32767)
		return 0;
	return refuse(rd,
		"the partition's network namespace has rules of policy routing (number %u), which a sandbox "
		"cannot "
		"have",
		preference);
}

int net_read_links(int sock, struct net_links *out, struct err *e)
{
	struct net_links links = { 0 };
	struct reading rd = { .links = &links, .e = e };
	struct ifinfomsg info = { 0 };
	struct fib_rule_hdr rule = { 0 };
	struct nl_request q;
	int r;

	r = dump(sock, RTM_GETLINK, &info, sizeof(info), take_link, &rd, "interfaces");
	if (r < 0)
		return r;
	nl_begin(&q, RTM_GETRULE, NLM_F_DUMP, &rule, sizeof(rule));
	r = nl_send(sock, &q, take_rule, &rd);
	if (r < 0 && rd.told)
		return r;
	if (r < 0 && r != -EOPNOTSUPP) /* a kernel without them */
		return err_set(e, -r, "read the rules of the partition's network namespace");
	*out = links;
	return 0;
}

/* --- addresses ------------------------------------------------------------------------------------- */

/* Not for the guest: see at the top; lo gets its usual ones anyway; a duplicate was never usable. */
static bool is_left_out(const struct net_link *l, const struct ifaddrmsg *m, uint32_t flags, const char *text)
{
	if (l->loopback && (str_eq(text, "127.0.0.1/8") || str_eq(text, "::1/128")))
		return true;
	if (m->ifa_family != AF_INET6)
		return false;
	return (flags & (IFA_F_TEMPORARY | IFA_F_DADFAILED)) ||
	       ((flags & IFA_F_MANAGETEMPADDR) && !(flags & IFA_F_PERMANENT));
}

static int take_address(uint16_t type, const void *data, size_t len, void *arg)
{
	struct reading *rd = arg;
	struct net_link *l = rd->link;
	char text[ADDRESS_TEXT_MAX], local[ADDRESS_TEXT_MAX], peer[ADDRESS_TEXT_MAX];
	bool has_local, has_peer;
	struct ifaddrmsg m;
	struct attrs a;
	uint32_t flags;

	if (type != RTM_NEWADDR || !attrs_behind(sizeof(m), data, len, &a))
		return 0;
	memcpy(&m, data, sizeof(m));
	if ((int)m.ifa_index != l->index || (m.ifa_family != AF_INET && m.ifa_family != AF_INET6))
		return 0;
	if (!get_u32(&a, IFA_FLAGS, &flags))
		flags = m.ifa_flags;
	/* IPv6 has IFA_LOCAL only where there is a peer; IPv4 has both always. */
	has_local = get_address(&a, IFA_LOCAL, m.ifa_family, m.ifa_prefixlen, local);
	has_peer = get_address(&a, IFA_ADDRESS, m.ifa_family, m.ifa_prefixlen, peer);
	if (!has_local && !has_peer)
		return 0;
	snprintf(text, sizeof(text), "%s", has_local ? local : peer);
	if (is_left_out(l, &m, flags, text))
		return 0;
	if (++rd->count > NET_ADDRESSES_MAX)
		return refuse(rd, "interface %s has more than %d addresses", l->name, NET_ADDRESSES_MAX);
	if (m.ifa_family == AF_INET6 && m.ifa_scope == RT_SCOPE_LINK)
		l->own_local = false;
	json_open_object(rd->w, NULL);
	json_put_string(rd->w, "address", text);
	if (has_local && has_peer && !str_eq(local, peer))
		json_put_string(rd->w, "peer", peer);
	if (m.ifa_family == AF_INET && get_address(&a, IFA_BROADCAST, AF_INET, -1, text))
		json_put_string(rd->w, "broadcast", text);
	if (m.ifa_family == AF_INET && m.ifa_scope != RT_SCOPE_UNIVERSE)
		json_put_u64(rd->w, "scope", m.ifa_scope);
	if (m.ifa_family == AF_INET6 && (flags & IFA_F_DEPRECATED))
		json_put_bool(rd->w, "deprecated", true);
	json_close_object(rd->w);
	return 0;
}

static int put_interface(int sock, struct net_link *l, struct reading *rd)
{
	const struct ifaddrmsg any = { 0 };
	char mac[18];
	int r;

	json_open_object(rd->w, NULL);
	json_put_string(rd->w, "name", l->name);
	if (!l->loopback) {
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", l->mac[0], l->mac[1], l->mac[2],
			l->mac[3], l->mac[4], l->mac[5]);
		json_put_string(rd->w, "mac", mac);
		json_put_u64(rd->w, "mtu", l->mtu);
	}
	json_open_array(rd->w, "addresses");
	rd->link = l;
	rd->count = 0;
	r = dump(sock, RTM_GETADDR, &any, sizeof(any), take_address, rd, "addresses");
	json_close_array(rd->w);
	if (!l->loopback && l->has_ip6) {
		json_put_bool(rd->w, "ipv6", !l->ip6_off);
		json_put_i64(rd->w, "acceptRa", l->accept_ra);
		json_put_bool(rd->w, "ownLinkLocal", l->own_local && !l->ip6_off);
	}
	json_close_object(rd->w);
	return r;
}

/* --- routes ---------------------------------------------------------------------------------------- */

static const char *name_of(const struct net_links *links, uint32_t index)
{
	for (unsigned i = 0; i < links->n; i++)
		if ((uint32_t)links->list[i].index == index)
			return links->list[i].name;
	return NULL;
}

static bool is_left_to_guest(const struct rtmsg *m, const struct attrs *a)
{
	struct rta_cacheinfo cache = { 0 };
	uint32_t table = m->rtm_table;

	get_u32(a, RTA_TABLE, &table);
	if (table != RT_TABLE_MAIN || (m->rtm_flags & RTM_F_CLONED))
		return true;
	if (m->rtm_family != AF_INET6)
		return false;
	/* One that expires is from a router, too, whatever its protocol says. */
	nl_copy(a->p, a->len, RTA_CACHEINFO, &cache, sizeof(cache));
	return m->rtm_protocol == RTPROT_RA || cache.rta_expires != 0;
}

static int put_metrics(struct reading *rd, const struct attrs *a, const char *to)
{
	size_t n = 0;
	const void *p = nl_find(a->p, a->len, RTA_METRICS, &n);
	uint32_t v;
	size_t ignored;

	if (!p)
		return 0;
	if (nl_find(p, n, RTAX_CC_ALGO, &ignored))
		return refuse(rd,
			"the route to %s has a congestion control of its own, which a sandbox cannot have",
			to);
	json_open_object(rd->w, "metrics");
	for (unsigned i = 0; i < net_n_route_metrics; i++)
		if (net_route_metrics[i] && nl_copy(p, n, (uint16_t)i, &v, sizeof(v)))
			json_put_u64(rd->w, net_route_metrics[i], v);
	json_close_object(rd->w);
	return 0;
}

/* The next hop, of the other family perhaps (RTA_VIA: IPv4 by way of IPv6). */
static void put_via(struct reading *rd, const struct attrs *a, int family)
{
	struct {
		uint16_t family;
		unsigned char address[16];
	} via = { 0 };
	char text[ADDRESS_TEXT_MAX];

	if (get_address(a, RTA_GATEWAY, family, -1, text))
		json_put_string(rd->w, "via", text);
	else if (nl_copy(a->p, a->len, RTA_VIA, &via, sizeof(via)) && via.family == AF_INET6 &&
		 inet_ntop(AF_INET6, via.address, text, sizeof(text)))
		json_put_string(rd->w, "via", text);
}

static void put_route(struct reading *rd, const struct rtmsg *m, const struct attrs *a, const char *to)
{
	char text[ADDRESS_TEXT_MAX];
	uint32_t v;

	json_put_string(rd->w, "to", to);
	if (m->rtm_type != RTN_UNICAST)
		json_put_string(rd->w, "type", net_route_types[m->rtm_type]);
	if (get_u32(a, RTA_OIF, &v))
		json_put_string(rd->w, "dev", name_of(rd->links, v));
	put_via(rd, a, m->rtm_family);
	if (get_address(a, RTA_PREFSRC, m->rtm_family, -1, text))
		json_put_string(rd->w, "src", text);
	json_put_u64(rd->w, "scope", m->rtm_scope);
	json_put_u64(rd->w, "protocol", m->rtm_protocol);
	if (get_u32(a, RTA_PRIORITY, &v))
		json_put_u64(rd->w, "metric", v);
	if (m->rtm_tos)
		json_put_u64(rd->w, "tos", m->rtm_tos);
	if (m->rtm_flags & RTNH_F_ONLINK)
		json_put_bool(rd->w, "onlink", true);
}

static int take_route(uint16_t type, const void *data, size_t len, void *arg)
{
	struct reading *rd = arg;
	char to[ADDRESS_TEXT_MAX];
	struct rtmsg m;
	struct attrs a;
	uint32_t dev;
	size_t n;
	int r;

	if (type != RTM_NEWROUTE || !attrs_behind(sizeof(m), data, len, &a))
		return 0;
	memcpy(&m, data, sizeof(m));
	if ((m.rtm_family != AF_INET && m.rtm_family != AF_INET6) || is_left_to_guest(&m, &a))
		return 0;
	if (!get_address(&a, RTA_DST, m.rtm_family, m.rtm_dst_len, to))
		snprintf(to, sizeof(to), "%s", m.rtm_family == AF_INET ? "0.0.0.0/0" : "::/0");
	if (nl_find(a.p, a.len, RTA_MULTIPATH, &n) || nl_find(a.p, a.len, RTA_ENCAP, &n) ||
		m.rtm_src_len != 0 || m.rtm_type >= net_n_route_types || !net_route_types[m.rtm_type])
		return refuse(rd,
			"the route to %s has several next hops, an encapsulation, a source or a type that a "
			"sandbox "
			"cannot have",
			to);
	/* An interface that is down keeps some (IPv6, without carrier); nothing goes there. */
	if (get_u32(&a, RTA_OIF, &dev) && !name_of(rd->links, dev))
		return 0;
	if (++rd->count > NET_ROUTES_MAX)
		return refuse(
			rd, "the partition's network namespace has more than %d routes", NET_ROUTES_MAX);
	json_open_object(rd->w, NULL);
	put_route(rd, &m, &a, to);
	r = put_metrics(rd, &a, to);
	json_close_object(rd->w);
	return r;
}

static int take_neighbour(uint16_t type, const void *data, size_t len, void *arg)
{
	struct reading *rd = arg;
	char to[ADDRESS_TEXT_MAX], text[18];
	const char *dev;
	unsigned char mac[6];
	struct ndmsg m;
	struct attrs a;

	if (type != RTM_NEWNEIGH || !attrs_behind(sizeof(m), data, len, &a))
		return 0;
	memcpy(&m, data, sizeof(m));
	dev = name_of(rd->links, (uint32_t)m.ndm_ifindex);
	if (!(m.ndm_state & NUD_PERMANENT) || !dev || (m.ndm_family != AF_INET && m.ndm_family != AF_INET6) ||
		!get_address(&a, NDA_DST, m.ndm_family, -1, to) ||
		!nl_copy(a.p, a.len, NDA_LLADDR, mac, sizeof(mac)))
		return 0;
	if (++rd->count > NET_ROUTES_MAX)
		return refuse(rd, "the partition's network namespace has more than %d permanent neighbours",
			NET_ROUTES_MAX);
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		mac[5]);
	json_open_object(rd->w, NULL);
	json_put_string(rd->w, "to", to);
	json_put_string(rd->w, "mac", text);
	json_put_string(rd->w, "dev", dev);
	json_close_object(rd->w);
	return 0;
}

int net_read(int sock, const struct net_links *links, struct json_writer *w, struct err *e)
{
	struct net_links copy = *links;
	struct reading rd = { .links = &copy, .w = w, .e = e };
	const struct rtmsg route = { 0 };
	const struct ndmsg neighbour = { 0 };
	int r = 0;

	json_open_array(w, "interfaces");
	for (unsigned i = 0; i < copy.n && r == 0; i++)
		r = put_interface(sock, &copy.list[i], &rd);
	json_close_array(w);
	rd.count = 0;
	json_open_array(w, "routes");
	if (r == 0)
		r = dump(sock, RTM_GETROUTE, &route, sizeof(route), take_route, &rd, "routes");
	json_close_array(w);
	rd.count = 0;
	json_open_array(w, "neighbours");
	if (r == 0)
		r = dump(
			sock, RTM_GETNEIGH, &neighbour, sizeof(neighbour), take_neighbour, &rd, "neighbours");
	json_close_array(w);
	return r;
}
