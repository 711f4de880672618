/* SPDX-License-Identifier: Apache-2.0 */
/* SETUP: the clock, directories of the host, disks, the network; and how they are given back. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "sandbox/dns.h"
#include "sandbox/guest/guest.h"
#include "sandbox/net.h"

#define SHARES_MAX 256
#define PORT_MS	   10000

/*
 * How every share is mounted. The kernel checks permissions by itself (p9.h), so that one attach serves all
 * users. Where the host changes files behind our back, pages are cached for mmap(2) only, and names not at
 * all.
 */
#define P9_OPTIONS "version=9p2000.L,access=client,msize=65536,cache="

/* Optional members: absent is NULL, false, 0. */
static int get_string(const struct json *j, const char *name, const char **out, struct err *e)
{
	const struct json *v = json_get(j, name);

	*out = NULL;
	return v ? json_as_string(v, name, out, e) : 0;
}

static int get_bool(const struct json *j, const char *name, bool *out, struct err *e)
{
	const struct json *v = json_get(j, name);

	*out = false;
	return v ? json_as_bool(v, name, out, e) : 0;
}

static int set_clock(const struct json *setup, struct err *e)
{
	const struct json *v = json_get(setup, "time");
	struct timespec t;
	int64_t ns;
	int r;

	if (!v)
		return 0;
	r = json_as_i64(v, "time", &ns, e);
	if (r < 0)
		return r;
	t = (struct timespec){ ns / 1000000000, ns % 1000000000 };
	return clock_settime(CLOCK_REALTIME, &t) < 0 ? err_set(e, errno, "set the guest's clock") : 0;
}

/* --- shares ----------------------------------------------------------------------------------------------
 */

struct share {
	const char *tag, *port, *target;
	bool readonly, exclusive;
	int sock; /* 9p's end */
};

static int read_share(const struct json *j, struct share *s, struct err *e)
{
	int r = get_string(j, "tag", &s->tag, e);

	s->sock = -EBADF;
	if (r == 0)
		r = get_string(j, "port", &s->port, e);
	if (r == 0)
		r = get_string(j, "target", &s->target, e);
	if (r == 0)
		r = get_bool(j, "readonly", &s->readonly, e);
	if (r == 0)
		r = get_bool(j, "exclusive", &s->exclusive, e);
	if (r == 0 && (!s->tag || !s->target || !path_is_normal(s->target)))
		r = err_text(e, EINVAL, "shares: each needs a tag, and a target that is an absolute path");
	return r;
}

static int open_pair(struct share *s, struct guest_pair *pair, struct err *e)
{
	int two[2];

	pair->port = guest_port(s->port, PORT_MS, e);
	if (pair->port < 0)
		return pair->port;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, two) < 0)
		return err_set(e, errno, "make a socket pair for share \"%s\"", s->tag);
	pair->sock = two[0];
	s->sock = two[1];
	return 0;
}

static int start_relay(const struct share *shares, unsigned n_shares, const struct guest_pair *pairs,
	unsigned n, pid_t *relay, struct err *e)
{
	if (n == 0)
		return 0;
	*relay = fork();
	if (*relay < 0)
		return err_set(e, errno, "make a process for the shares");
	if (*relay > 0)
		return 0;
	/* Else it would never see the end of what it copies; and the worker's answer is not its own. */
	for (unsigned i = 0; i < n_shares; i++)
		fd_close(shares[i].sock);
	fd_close(3);
	guest_relay(pairs, n);
}

static int mount_share(const struct share *s, struct err *e)
{
	unsigned long flags = MS_NOATIME | (s->readonly ? MS_RDONLY : 0);
	const char *cache = s->exclusive ? "loose" : "mmap";
	char options[200];
	int r = path_make(s->target, 0755, e);

	if (r < 0)
		return r;
	if (s->port)
		snprintf(options, sizeof(options), "trans=fd,rfdno=%d,wfdno=%d," P9_OPTIONS "%s", s->sock,
			s->sock, cache);
	else
		snprintf(options, sizeof(options), "trans=virtio," P9_OPTIONS "%s", cache);
	if (mount(s->tag, s->target, "9p", flags, options) < 0)
		return err_set(e, errno, "mount share \"%s\" on %s", s->tag, s->target);
	return 0;
}

static int set_up_shares(const struct json *list, pid_t *relay, struct err *e)
{
	struct guest_pair pairs[SHARES_MAX];
	struct share shares[SHARES_MAX];
	const struct json *j;
	unsigned n = 0, n_pairs = 0;
	int r = 0;

	json_each (j, list) {
		if (n == SHARES_MAX)
			return err_text(e, E2BIG, "shares: more than %d", SHARES_MAX);
		r = read_share(j, &shares[n], e);
		if (r == 0 && shares[n].port)
			r = open_pair(&shares[n], &pairs[n_pairs++], e);
		if (r < 0)
			return r;
		n++;
	}
	r = start_relay(shares, n, pairs, n_pairs, relay, e);
	for (unsigned i = 0; i < n_pairs; i++) {
		fd_close(pairs[i].port);
		fd_close(pairs[i].sock);
	}
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = mount_share(&shares[i], e);
	/* The mounts have what they need; without them the relay ends. */
	for (unsigned i = 0; i < n; i++)
		fd_close(shares[i].sock);
	return r;
}

/* --- disks -----------------------------------------------------------------------------------------------
 */

static int set_up_disks(const struct json *list, struct err *e)
{
	char device[GUEST_DISK_PATH];
	const struct json *j;
	unsigned n = 0;
	dev_t rdev;

	json_each (j, list) {
		const char *fs, *target;
		bool readonly;
		int r = get_string(j, "fs", &fs, e);

		if (r == 0)
			r = get_string(j, "target", &target, e);
		if (r == 0)
			r = get_bool(j, "readonly", &readonly, e);
		if (r == 0 && (!fs || !target || !path_is_normal(target)))
			r = err_text(
				e, EINVAL, "disks: each needs fs, and a target that is an absolute path");
		if (r == 0)
			r = guest_disk_find(n++, device, &rdev, e);
		if (r == 0)
			r = path_make(target, 0755, e);
		if (r < 0)
			return r;
		if (mount(device, target, fs, MS_NOATIME | (readonly ? MS_RDONLY : 0), NULL) < 0)
			return err_set(e, errno, "mount disk %s (%s) on %s", device, fs, target);
	}
	return 0;
}

/* --- the whole --------------------------------------------------------------------------------------------
 */

int guest_set_up(const struct guest *g, const struct json *setup, pid_t *relay, int *dns, struct err *e)
{
	const char *hostname, *resolver;
	int r = get_string(setup, "hostname", &hostname, e);

	if (r == 0)
		r = get_string(setup, "resolver", &resolver, e);

	/* A test's machine is not ours to change. */
	if (r == 0 && g->machine)
		r = set_clock(setup, e);
	if (r == 0 && g->machine && hostname && sethostname(hostname, strlen(hostname)) < 0)
		r = err_set(e, errno, "set the guest's host name \"%s\"", hostname);
	if (r == 0 && g->machine)
		r = vm_net_apply(json_get(setup, "network"), e);
	if (r == 0 && resolver) {
		*dns = vm_dns_bind(resolver, e);
		r = *dns < 0 ? *dns : 0;
	}
	if (r == 0)
		r = set_up_shares(json_get(setup, "shares"), relay, e);
	if (r == 0)
		r = set_up_disks(json_get(setup, "disks"), e);
	return r;
}

/* The last mount first: it may lie on an earlier one. */
static void unmount_lines(char *text)
{
	char *line = strrchr(text, '\n');
	char path[4096];

	for (; line; line = strrchr(text, '\n')) {
		*line = '\0';
		line = strrchr(text, '\n');
		if (sscanf(line ? line + 1 : text, "%*s %*s %*s %*s %4095s", path) == 1 &&
			str_starts(path, PLAN_DIR "/"))
			umount2(path, 0);
	}
}

void guest_take_down(void)
{
	_cleanup_free_ char *text = NULL;

	sync();
	if (fd_read_at(AT_FDCWD, "/proc/self/mountinfo", 16U << 20, &text, NULL) == 0)
		unmount_lines(text);
}
