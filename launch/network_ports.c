/* SPDX-License-Identifier: Apache-2.0 */
/* --publish: what is said, and which host ports can be had (see network_internal.h). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"
#include "launch/network_internal.h"

/* A port that is in the kernel's hands is tried so many times for one that no partition has. */
#define CHOICES 200

struct range {
	uint16_t first, last; /* 0, 0: to be chosen */
};

struct spec_port {
	const char *text; /* as it was given */
	const char *ip;
	struct range host, inside;
	const char *protocol;
};

const char *net_port_text(const struct launch_port *p, char buf[NET_PORT_TEXT_MAX])
{
	bool v6 = strchr(p->host_ip, ':');

	snprintf(buf, NET_PORT_TEXT_MAX, "%s%s%s:%u", v6 ? "[" : "", p->host_ip, v6 ? "]" : "",
		(unsigned)p->host_port);
	return buf;
}

/* --- the grammar ------------------------------------------------------------------------------ */

__attribute__((format(printf, 3, 4))) static int refuse(const char *text, struct err *e, const char *fmt, ...)
{
	char why[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_text(e, EINVAL,
		"option --publish %s: %s; it is [[IP:]HOST_PORT:]PORT[/tcp|/udp], IPv6 in brackets", text,
		why);
}

static int parse_port(const char *s, uint16_t *out)
{
	uint32_t v;
	int r = str_to_u32(s, &v);

	if (r < 0)
		return r;
	if (v > UINT16_MAX)
		return -ERANGE;
	*out = (uint16_t)v;
	return 0;
}

/* "80" or "80-90", modified in passing. */
static int parse_range(char *s, struct range *out)
{
	char *dash = strchr(s, '-');
	struct range v;
	int r;

	if (dash)
		*dash++ = '\0';
	r = parse_port(s, &v.first);
	v.last = v.first;
	if (r == 0 && dash)
		r = parse_port(dash, &v.last);
	if (r < 0)
		return r;
	if (dash && (v.first == 0 || v.first > v.last))
		return -EINVAL;
	*out = v;
	return 0;
}

/* Cuts IP, host port and port apart, in place. `ip` and `host` are NULL where nothing was said. */
static int cut(const char *text, char *s, char **ip, char **host, char **inside, struct err *e)
{
	char *end, *colon;

	*ip = *host = NULL;
	if (*s == '[') {
		end = strchr(s, ']');
		if (!end || end[1] != ':')
			return refuse(text, e, "after \"[\" comes an address, \"]\" and \":\"");
		*end = '\0';
		*ip = s + 1;
		s = end + 2;
		colon = strchr(s, ':');
		if (!colon)
			return refuse(text, e,
				"an address goes with a host port, which may be empty ([%s]::%s)", *ip, s);
	} else {
		colon = strchr(s, ':');
		end = colon ? strchr(colon + 1, ':') : NULL;
		if (end) {
			*ip = s;
			*colon = '\0';
			s = colon + 1;
			colon = end;
		}
	}
	if (colon) {
		*colon = '\0';
		*host = s;
		s = colon + 1;
	}
	*inside = s;
	if (strchr(s, ':'))
		return refuse(text, e, "too many colons");
	return 0;
}

/* The address in the form that the kernel would print, so that two spellings of one are the same. */
static int parse_ip(const char *text, const char *ip, struct arena *a, const char **out, struct err *e)
{
	char canonical[INET6_ADDRSTRLEN];
	unsigned char binary[16];
	int family = strchr(ip, ':') ? AF_INET6 : AF_INET;

	if (inet_pton(family, ip, binary) != 1)
		return refuse(text, e, "\"%s\" is no IP address of a host", ip);
	inet_ntop(family, binary, canonical, sizeof(canonical));
	*out = arena_strdup(a, canonical);
	return *out ? 0 : err_set(e, ENOMEM, "option --publish");
}

static int parse_one(const char *text, struct arena *a, struct spec_port *out, struct err *e)
{
	char *s = arena_strdup(a, text), *ip = NULL, *host = NULL, *inside = NULL, *slash;
	int r;

	if (!s)
		return err_set(e, ENOMEM, "option --publish");
	*out = (struct spec_port){ .text = text, .ip = "0.0.0.0", .protocol = "tcp" };
	slash = strrchr(s, '/');
	if (slash) {
		*slash++ = '\0';
		if (!str_eq(slash, "tcp") && !str_eq(slash, "udp"))
			return refuse(text, e, "protocol \"%s\" cannot be published", slash);
		out->protocol = str_eq(slash, "tcp") ? "tcp" : "udp";
	}
	r = cut(text, s, &ip, &host, &inside, e);
	if (r == 0 && ip)
		r = parse_ip(text, ip, a, &out->ip, e);
	if (r < 0)
		return r;
	if (parse_range(inside, &out->inside) < 0 || out->inside.first == 0)
		return refuse(
			text, e, "\"%s\" is no port or range of ports of the partition (1 to 65535)", inside);
	if (host && *host && parse_range(host, &out->host) < 0)
		return refuse(text, e, "\"%s\" is no port or range of ports of the host%s", host,
			strchr(host, '.') ? " (an address goes with two colons: IP::PORT)" : "");
	/* One of a range is enough for a single port; else each has its own. */
	if (out->host.first && out->inside.first != out->inside.last &&
		out->host.last - out->host.first != out->inside.last - out->inside.first)
		return refuse(text, e, "the ranges differ in length");
	return 0;
}

/* --- which ones can be had --------------------------------------------------------------------- */

static bool any_address(const char *ip)
{
	return str_eq(ip, "0.0.0.0") || str_eq(ip, "::");
}

static bool clash(const struct launch_port *a, const struct launch_port *b)
{
	if (a->host_port != b->host_port || !str_eq(a->protocol, b->protocol))
		return false;
	if (!strchr(a->host_ip, ':') != !strchr(b->host_ip, ':'))
		return false;
	return any_address(a->host_ip) || any_address(b->host_ip) || str_eq(a->host_ip, b->host_ip);
}

/*
 * Whether a program could listen there now. Without SO_REUSEADDR connections that are nearly over would be in
 * the way. *port: that which was chosen for 0.
 */
static int try_port(const struct launch_port *p, uint16_t *port)
{
	bool v6 = strchr(p->host_ip, ':'), tcp = str_eq(p->protocol, "tcp");
	_cleanup_close_ int fd =
		socket(v6 ? AF_INET6 : AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at = { 0 };
	socklen_t len = v6 ? sizeof(at.v6) : sizeof(at.v4);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (v6) {
		at.v6.sin6_family = AF_INET6;
		at.v6.sin6_port = htons(p->host_port);
		inet_pton(AF_INET6, p->host_ip, &at.v6.sin6_addr);
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	} else {
		at.v4.sin_family = AF_INET;
		at.v4.sin_port = htons(p->host_port);
		inet_pton(AF_INET, p->host_ip, &at.v4.sin_addr);
	}
	if (tcp && p->host_port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &at.any, len) < 0 || getsockname(fd, &at.any, &len) < 0)
		return -errno;
	*port = ntohs(v6 ? at.v6.sin6_port : at.v4.sin_port);
	/* bind(2) with SO_REUSEADDR is content beside another that is bound, but not beside one that listens.
	 */
	return tcp && listen(fd, 1) < 0 ? -errno : 0;
}

static const char *holder(const struct launch_port *p, const struct net_taken *taken, size_t n_taken)
{
	for (size_t i = 0; i < n_taken; i++)
		if (clash(p, &taken[i].port))
			return taken[i].by;
	return NULL;
}

static int check_one(
	const struct launch_port *p, const struct net_taken *taken, size_t n_taken, struct err *e)
{
	const char *by = holder(p, taken, n_taken);
	char text[NET_PORT_TEXT_MAX];
	uint16_t got;
	int r;

	net_port_text(p, text);
	if (by)
		return err_text(
			e, EADDRINUSE, "port %s/%s is published by partition \"%s\"", text, p->protocol, by);
	r = try_port(p, &got);
	switch (-r) {
	case 0:
		return 0;
	case EADDRINUSE:
		return err_text(e, EADDRINUSE,
			"port %s/%s is in use by a program of this host; take another, or none for a free "
			"one",
			text, p->protocol);
	case EADDRNOTAVAIL:
		return err_text(e, EADDRNOTAVAIL,
			"port %s/%s cannot be published: this host has no address %s", text, p->protocol,
			p->host_ip);
	case EACCES:
		return err_text(e, EACCES,
			"port %s/%s is not for users that are not root (sysctl "
			"net.ipv4.ip_unprivileged_port_start)",
			text, p->protocol);
	default:
		return err_set(e, -r, "try port %s/%s", text, p->protocol);
	}
}

int net_ports_check(const struct launch_port *ports, size_t n, const struct net_taken *taken, size_t n_taken,
	struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int r = check_one(&ports[i], taken, n_taken, e);

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

struct list {
	struct launch_port *ports;
	size_t n;
	const struct net_taken *taken;
	size_t n_taken;
};

static bool in_list(const struct list *l, const struct launch_port *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (clash(&l->ports[i], p))
			return true;
	return false;
}

/* One of the kernel's choice, or of the range. */
static int choose(const struct list *l, const struct spec_port *s, struct launch_port *p, struct err *e)
{
	uint32_t last = s->host.first ? s->host.last : CHOICES, first = s->host.first ? s->host.first : 1;
	struct err last_error = ERR_INIT;
	char text[NET_PORT_TEXT_MAX];
	uint16_t got;
	int r = 0;

	for (uint32_t i = first; i <= last; i++) {
		p->host_port = s->host.first ? (uint16_t)i : 0;
		r = try_port(p, &got);
		if (r == 0) {
			p->host_port = got;
			if (!in_list(l, p) && !holder(p, l->taken, l->n_taken))
				return 0;
		} else if (r != -EADDRINUSE) {
			check_one(p, NULL, 0, &last_error);
			break;
		}
	}
	if (last_error.code) {
		if (e)
			*e = last_error;
		return err_wrap(e, "option --publish %s", s->text);
	}
	return err_text(e, EADDRINUSE, "option --publish %s: no free port on %s for %u/%s", s->text,
		s->host.first
			? net_port_text(&(struct launch_port){ s->ip, s->host.first, 0, s->protocol }, text)
			: s->ip,
		(unsigned)p->port, s->protocol);
}

static int add(struct list *l, const struct spec_port *s, struct err *e)
{
	bool one_of_range =
		s->host.first && s->host.first != s->host.last && s->inside.first == s->inside.last;
	char text[NET_PORT_TEXT_MAX];

	for (uint32_t port = s->inside.first; port <= s->inside.last; port++) {
		struct launch_port p = { .host_ip = s->ip, .port = (uint16_t)port, .protocol = s->protocol };
		int r = 0;

		if (!s->host.first || one_of_range) {
			r = choose(l, s, &p, e);
		} else {
			p.host_port = (uint16_t)(s->host.first + (port - s->inside.first));
			if (in_list(l, &p))
				return err_text(e, EINVAL,
					"option --publish %s: port %s/%s is published twice", s->text,
					net_port_text(&p, text), p.protocol);
			r = check_one(&p, l->taken, l->n_taken, e);
			if (r < 0)
				err_wrap(e, "option --publish %s", s->text);
		}
		if (r < 0)
			return r;
		l->ports[l->n++] = p;
	}
	return 0;
}

int net_ports_parse(char *const *publish, const struct net_taken *taken, size_t n_taken,
	struct launch_record *r, struct arena *a, struct err *e)
{
	struct list l = { .taken = taken, .n_taken = n_taken };
	size_t n = strv_len(publish), total = 0;
	struct spec_port *specs = arena_calloc(a, n ? n : 1, sizeof(*specs));
	int rc = specs ? 0 : err_set(e, ENOMEM, "option --publish");

	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = parse_one(publish[i], a, &specs[i], e);
		if (rc == 0)
			total += (size_t)(specs[i].inside.last - specs[i].inside.first) + 1;
		if (rc == 0 && total > NET_PORTS_MAX)
			rc = err_text(e, EINVAL,
				"option --publish %s: more than %d ports; network \"host\" has them all",
				publish[i], NET_PORTS_MAX);
	}
	if (rc < 0)
		return rc;
	l.ports = arena_calloc(a, total ? total : 1, sizeof(*l.ports));
	if (!l.ports)
		return err_set(e, ENOMEM, "option --publish");
	/* First those that are said, so that none of the others is given what is asked for. */
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n; i++) {
			bool said =
				specs[i].host.first && (specs[i].host.first == specs[i].host.last ||
							       specs[i].inside.first != specs[i].inside.last);

			if (said != (pass == 0))
				continue;
			rc = add(&l, &specs[i], e);
			if (rc < 0)
				return rc;
		}
	r->ports = l.ports;
	r->n_ports = l.n;
	return 0;
}
