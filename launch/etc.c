/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a bundle: what is bound on /etc/hosts and its kin (see config.h). */
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "launch/config_internal.h"

int cfg_make_dir(int at, const char *name, mode_t mode, struct err *e)
{
	int fd;
	bool made = mkdirat(at, name, mode) == 0;

	if (!made && errno != EEXIST)
		return err_set(e, errno, "make the directory %s", name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "open the directory %s", name);
	/* Whatever the umask is. One that was there has the mode that somebody gave it. */
	if (made && fchmod(fd, mode) < 0) {
		close(fd);
		return err_set(e, errno, "make the directory %s", name);
	}
	return fd;
}

/* For everybody in the partition to read, whatever the umask is. */
static int write_file(int dir, const char *name, const char *text, size_t len, struct err *e)
{
	int r = fd_replace_at(dir, name, 0644, text, len, e);

	if (r == 0 && fchmodat(dir, name, 0644, 0) < 0)
		r = err_set(e, errno, "write etc/%s", name);
	return r;
}

static bool is_address(const char *s)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1;
}

static bool is_host_name(const char *s, size_t len)
{
	for (size_t k = 0; k < len; k++)
		if (!isalnum((unsigned char)s[k]) && !strchr("-_.", s[k]))
			return false;
	return len > 0 && len < 256;
}

static const char *hostname(const struct launch_opts *o, const struct launch_record *r)
{
	return o->hostname ? o->hostname : r->name;
}

/* --- /etc/hosts --------------------------------------------------------------------------------- */

/* NAME:ADDRESS; an IPv6 address has colons itself, and may be in brackets. */
static int add_host(struct strbuf *b, const char *s, struct err *e)
{
	size_t len = strcspn(s, ":="), n;
	char address[64];

	n = s[len] ? strlen(s + len + 1) : 0;
	if (n == 0 || n >= sizeof(address) || !is_host_name(s, len))
		return err_text(e, EINVAL, "--add-host %.200s: must be NAME:ADDRESS", s);
	if (s[len + 1] == '[' && s[len + n] == ']')
		snprintf(address, sizeof(address), "%.*s", (int)n - 2, s + len + 2);
	else
		snprintf(address, sizeof(address), "%s", s + len + 1);
	if (str_eq(address, "host-gateway"))
		return err_text(
			e, EINVAL, "--add-host %.200s: host-gateway is not supported; give the address", s);
	if (!is_address(address))
		return err_text(e, EINVAL, "--add-host %.200s: %.100s is no address", s, address);
	strbuf_printf(b, "%s\t%.*s\n", address, (int)len, s);
	return 0;
}

static int write_hosts(int dir, const struct launch_opts *o, const struct launch_record *r,
	const char *address, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	const char *s, *name = hostname(o, r);
	int k;

	strbuf_puts(&b, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	strv_each (s, o->add_hosts) {
		k = add_host(&b, s, e);
		if (k < 0)
			return k;
	}
	/* 127.0.1.1 as Debian has it, where there is no address to give. */
	strbuf_printf(&b, "%s\t%s\n", address ? address : "127.0.1.1", name);
	if (b.failed)
		return err_set(e, ENOMEM, "write etc/hosts");
	return write_file(dir, "hosts", b.s, b.len, e);
}

static int write_resolv(int dir, const struct launch_record *r, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const char *text;
	int k;

	if (!a)
		return err_set(e, ENOMEM, "write etc/resolv.conf");
	k = launch_network_resolv_conf(r, a, &text, e);
	return k < 0 ? k : write_file(dir, "resolv.conf", text, strlen(text), e);
}

int launch_etc_write(int bundle, const struct launch_opts *o, const struct launch_record *r,
	const char *address, struct err *e)
{
	_cleanup_close_ int dir = cfg_make_dir(bundle, "etc", 0755, e);
	char name[NAME_MAX + 2];
	int n, k;

	if (dir < 0)
		return dir;
	k = write_hosts(dir, o, r, address, e);
	if (k == 0)
		k = write_resolv(dir, r, e);
	n = snprintf(name, sizeof(name), "%s\n", hostname(o, r));
	if (k == 0)
		k = write_file(
			dir, "hostname", name, (size_t)n < sizeof(name) ? (size_t)n : sizeof(name) - 1, e);
	return k;
}
