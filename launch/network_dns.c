/* SPDX-License-Identifier: Apache-2.0 */
/* What a partition's /etc/resolv.conf says: the name servers of the host that it can reach from where it is.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "launch/network_internal.h"

#define RESOLV_MAX (64 * 1024)

/*
 * systemd-resolved listens on the host's loopback (127.0.0.53) and keeps the servers that it asks itself in a
 * second file (systemd-resolved.service(8)).
 */
static const char *const sources[] = { "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf" };

/* Of one's own loopback, or of a link that the partition does not have ("fe80::1%eth0"). */
static bool beyond_reach(const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, address, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127 || v4.s_addr == 0;
	if (inet_pton(AF_INET6, address, &v6) != 1)
		return true;
	if (IN6_IS_ADDR_V4MAPPED(&v6))
		return v6.s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6);
}

struct copied {
	int servers;	  /* taken over */
	bool unreachable; /* some were left out */
};

/* Line by line: name servers are judged, everything else (search, options) stays as it is. */
static struct copied copy(char *text, bool all, bool servers, struct strbuf *out)
{
	static const char blanks[] = " \t\r";
	struct copied c = { 0 };
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		char *p = line + strspn(line, blanks), *address;

		if (*p == '\0' || *p == '#' || *p == ';')
			continue;
		if (!str_starts(p, "nameserver") || !strchr(blanks, p[10]) || !p[10]) {
			strbuf_printf(out, "%s\n", p);
			continue;
		}
		if (!servers)
			continue;
		address = p + 10 + strspn(p + 10, blanks);
		address[strcspn(address, blanks)] = '\0';
		if (!all && beyond_reach(address)) {
			c.unreachable = true;
			continue;
		}
		strbuf_printf(out, "nameserver %s\n", address);
		c.servers++;
	}
	return c;
}

/* A file that is missing is empty. */
static struct copied copy_file(const char *path, bool all, bool servers, struct strbuf *out)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;

	if (fd < 0 || fd_read_regular(fd, RESOLV_MAX, &text, NULL) < 0)
		return (struct copied){ 0 };
	return copy(text, all, servers, out);
}

static void hosts_servers(enum net_kind kind, struct strbuf *out)
{
	struct copied c = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(sources) && !c.servers; i++) {
		strbuf_reset(out);
		c = copy_file(sources[i], kind == NET_HOST, true, out);
		if (!c.servers && !c.unreachable)
			return;
	}
	if (!c.servers) {
		strbuf_reset(out);
		copy_file(sources[0], false, false, out);
		strbuf_puts(out,
			"# The host's name servers are on its loopback, out of reach from here: launch with "
			"--dns ADDRESS.\n");
	}
}

int launch_network_resolv_conf(
	const struct launch_record *r, struct arena *a, const char **text, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	const char *name, *server;
	enum net_kind kind;
	int rc = net_kind_parse(r->network, &kind, &name, e);

	if (rc < 0)
		return rc;
	if (r->dns && r->dns[0]) {
		copy_file(sources[0], false, false, &out);
		strv_each (server, r->dns)
			strbuf_printf(&out, "nameserver %s\n", server);
	} else if (kind == NET_PASTA) {
		/* Whatever the host's is, on its loopback too, pasta asks it for us. */
		copy_file(sources[0], false, false, &out);
		strbuf_puts(&out, "nameserver " NET_PASTA_DNS "\n");
	} else if (kind != NET_NONE) {
		hosts_servers(kind, &out);
	}
	*text = out.failed ? NULL : arena_strndup(a, out.s ? out.s : "", out.len);
	return *text ? 0 : err_set(e, ENOMEM, "write resolv.conf");
}
