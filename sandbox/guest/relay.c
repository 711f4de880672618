/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shares' messages: 9p in the kernel reads and writes sockets, and a port is none. One process copies for
 * all of them. It never waits for one side with the other side's bytes in hand, or two kernels that wait for
 * each other to read would wait for ever.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "sandbox/guest/guest.h"

#define CHUNK 65536

struct flow {
	int from, to;
	char *data; /* CHUNK; pages that are not touched are not there */
	size_t at, len;
	bool over;
};

static void end(struct flow *f)
{
	f->over = true;
	f->at = f->len = 0;
}

/* False: nothing could be done now. */
static bool copy(struct flow *f)
{
	ssize_t n;

	if (f->over)
		return false;
	if (f->len == 0) {
		n = read(f->from, f->data, CHUNK);
		if (n <= 0) {
			if (n == 0 || (errno != EAGAIN && errno != EINTR))
				end(f);
			return false;
		}
		f->at = 0;
		f->len = (size_t)n;
	}
	n = write(f->to, f->data + f->at, f->len);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			end(f);
		return false;
	}
	f->at += (size_t)n;
	f->len -= (size_t)n;
	return f->len == 0;
}

/* One side is gone: the other is told, which fails what waits for an answer. */
static bool close_pair(struct flow *f)
{
	if (f[0].from < 0 || (!f[0].over && !f[1].over))
		return false;
	fd_close(f[0].from);
	fd_close(f[0].to);
	f[0].over = f[1].over = true;
	f[0].from = f[0].to = f[1].from = f[1].to = -1;
	return true;
}

_Noreturn void guest_relay(const struct guest_pair *pairs, unsigned n)
{
	struct flow *flows = calloc(2 * n, sizeof(*flows));
	struct pollfd *p = calloc(2 * n, sizeof(*p));
	unsigned left = n;
	int fd;

	prctl(PR_SET_NAME, "ringfence-relay");
	/* What lacks memory is ended by who uses it, not by us: without us it would have no files. Best
	 * effort. */
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, "-1000", 5);
	fd_close(fd);
	if (!flows || !p)
		_exit(1);
	for (unsigned i = 0; i < n; i++) {
		flows[2 * i] =
			(struct flow){ .from = pairs[i].port, .to = pairs[i].sock, .data = malloc(CHUNK) };
		flows[2 * i + 1] =
			(struct flow){ .from = pairs[i].sock, .to = pairs[i].port, .data = malloc(CHUNK) };
		if (!flows[2 * i].data || !flows[2 * i + 1].data ||
			fcntl(pairs[i].sock, F_SETFL, O_NONBLOCK) < 0)
			_exit(1);
	}
	while (left > 0) {
		for (unsigned i = 0; i < 2 * n; i++) {
			struct flow *in = &flows[i], *out = &flows[i ^ 1];

			p[i] = (struct pollfd){ .fd = in->from };
			if (in->len == 0)
				p[i].events |= POLLIN;
			if (out->len > 0)
				p[i].events |= POLLOUT;
		}
		if (poll(p, 2 * n, -1) < 0)
			continue;
		for (unsigned i = 0; i < 2 * n; i++) {
			/* Either end of it may be what was waited for. */
			if (p[i].revents || p[i ^ 1].revents)
				copy(&flows[i]);
			if ((p[i].revents & (POLLHUP | POLLERR)) && !(p[i].revents & POLLIN))
				end(&flows[i]);
		}
		for (unsigned i = 0; i < n; i++)
			left -= close_pair(&flows[2 * i]);
	}
	_exit(0);
}
