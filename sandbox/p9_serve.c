/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's loop: bytes of the connections to messages, to requests, to answers (see p9.h).
 *
 * Theory of operation
 *   Each connection has a buffer for what comes and one for what goes. A whole message is handled at once and
 * its answer sent; while an answer waits for the other side to take it, nothing more is read there, so a
 * guest that does not read has cost one message of memory and nobody's time. Buffers are address space of the
 * largest size, of which the kernel fills in as much as messages are long, and are given back when the
 * connection has been quiet for a second.
 */
#include "sandbox/p9_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define IDLE_MS 1000

static const struct {
	p9_request *run;
	bool changes; /* refused where an export is read-only */
} requests[256] = {
	[P9_TSTATFS] = { p9_statfs, false },
	[P9_TLOPEN] = { p9_lopen, false },
	[P9_TLCREATE] = { p9_lcreate, true },
	[P9_TSYMLINK] = { p9_symlink, true },
	[P9_TMKNOD] = { p9_mknod, true },
	[P9_TRENAME] = { p9_rename, true },
	[P9_TREADLINK] = { p9_readlink, false },
	[P9_TGETATTR] = { p9_getattr, false },
	[P9_TSETATTR] = { p9_setattr, true },
	[P9_TXATTRWALK] = { p9_xattrwalk, false },
	[P9_TXATTRCREATE] = { p9_xattrcreate, true },
	[P9_TREADDIR] = { p9_readdir, false },
	[P9_TFSYNC] = { p9_fsync, false },
	[P9_TLOCK] = { p9_lock, false },
	[P9_TGETLOCK] = { p9_getlock, false },
	[P9_TLINK] = { p9_link, true },
	[P9_TMKDIR] = { p9_mkdir, true },
	[P9_TRENAMEAT] = { p9_renameat, true },
	[P9_TUNLINKAT] = { p9_unlinkat, true },
	[P9_TVERSION] = { p9_version, false },
	[P9_TATTACH] = { p9_attach, false },
	[P9_TFLUSH] = { p9_flush, false },
	[P9_TWALK] = { p9_walk, false },
	[P9_TREAD] = { p9_read, false },
	[P9_TWRITE] = { p9_write, false },
	[P9_TCLUNK] = { p9_clunk, false },
	/* Its fid is gone even then, so it looks for itself. */
	[P9_TREMOVE] = { p9_remove, false },
};

static uint32_t le32(const uint8_t *at)
{
	struct p9_in in = { .at = at, .left = 4 };

	return p9_get32(&in);
}

static void seal(struct p9_out *out, uint8_t type, uint16_t tag)
{
	struct p9_out head = { .buf = out->buf, .cap = P9_HEADER };

	p9_put32(&head, (uint32_t)out->len);
	p9_put8(&head, type);
	p9_put16(&head, tag);
}

int p9_dispatch(struct p9_conn *c, const uint8_t *msg, size_t len)
{
	struct p9_in in = { .at = msg, .left = len };
	struct p9_out out = { .buf = c->out, .len = P9_HEADER, .cap = c->msize };
	uint8_t type;
	uint16_t tag;
	int r;

	p9_get32(&in);
	type = p9_get8(&in);
	tag = p9_get16(&in);
	if (in.bad)
		return -EPROTO;
	if (!requests[type].run)
		r = -EOPNOTSUPP;
	else if (!c->agreed && type != P9_TVERSION)
		return -EPROTO;
	else if (c->readonly && requests[type].changes)
		r = -EROFS;
	else
		r = requests[type].run(c, &in, &out);
	if (r == 0 && out.full)
		r = -EMSGSIZE;
	if (r < 0) {
		out = (struct p9_out){ .buf = c->out, .len = P9_HEADER, .cap = c->msize };
		p9_put32(&out, (uint32_t)-r);
		type = P9_RLERROR - 1;
	}
	seal(&out, type + 1, tag);
	c->out_at = 0;
	c->out_len = out.len;
	return 0;
}

/* --- connections --------------------------------------------------------------------------------- */

static void *buffer(void)
{
	void *p = mmap(NULL, P9_MSIZE_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void drop_buffers(struct p9_conn *c)
{
	if (c->in)
		munmap(c->in, P9_MSIZE_MAX);
	if (c->out)
		munmap(c->out, P9_MSIZE_MAX);
	c->in = c->out = NULL;
	c->in_len = c->out_at = c->out_len = 0;
}

static void conn_end(struct p9_conn *c)
{
	if (c->sock < 0)
		return;
	c->sock = fd_close(c->sock);
	p9_fid_remove_all(c);
	p9_node_unref(c->only);
	p9_node_unref(c->root);
	c->root = c->only = NULL;
	drop_buffers(c);
}

/* 1: everything is out; 0: the other side must read first. */
static int flush(struct p9_conn *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(
			c->sock, c->out + c->out_at, c->out_len - c->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		c->out_at += (size_t)n;
	}
	c->out_at = c->out_len = 0;
	return 1;
}

/* Answers the messages that are there, as long as the answers are taken. */
static int handle(struct p9_conn *c)
{
	size_t at = 0;
	int r = flush(c);

	while (r > 0 && c->in_len - at >= 4) {
		uint32_t size = le32(c->in + at);

		if (size < P9_HEADER || size > c->msize)
			return -EPROTO;
		if (c->in_len - at < size)
			break;
		r = p9_dispatch(c, c->in + at, size);
		if (r < 0)
			return r;
		at += size;
		r = flush(c);
	}
	if (at > 0 && c->in_len > at)
		memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
	return r < 0 ? r : 0;
}

/* An error, also -EPIPE for the end: the connection is over. */
static int serve_conn(struct p9_conn *c, short events)
{
	ssize_t n;

	if (!c->in)
		c->in = buffer();
	if (!c->out)
		c->out = buffer();
	if (!c->in || !c->out)
		return -ENOMEM;
	c->busy = true;
	if (events & POLLOUT)
		return handle(c);
	n = recv(c->sock, c->in + c->in_len, P9_MSIZE_MAX - c->in_len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	c->in_len += (size_t)n;
	return handle(c);
}

/* Whether there is anybody who was busy and may be idle by the next look. */
static bool look_for_idle(struct p9_server *s, bool look)
{
	bool any = false;

	for (unsigned i = 0; i < s->n; i++) {
		struct p9_conn *c = &s->conns[i];

		if (look && !c->busy && c->in && c->in_len == 0 && c->out_len == 0)
			drop_buffers(c);
		if (look)
			c->busy = false;
		any |= c->in != NULL;
	}
	return any;
}

static int loop(struct p9_server *s, struct pollfd *fds, struct err *e)
{
	for (;;) {
		unsigned alive = 0;
		int n;

		for (unsigned i = 0; i < s->n; i++) {
			const struct p9_conn *c = &s->conns[i];

			alive += c->sock >= 0;
			fds[i] = (struct pollfd){ .fd = c->sock, .events = c->out_len ? POLLOUT : POLLIN };
		}
		if (alive == 0)
			return 0;
		n = poll(fds, s->n, look_for_idle(s, false) ? IDLE_MS : -1);
		if (n < 0 && errno != EINTR)
			return err_set(e, errno, "wait for requests to the server of directories");
		if (n == 0)
			look_for_idle(s, true);
		for (unsigned i = 0; n > 0 && i < s->n; i++)
			if (s->conns[i].sock >= 0 && fds[i].revents &&
				serve_conn(&s->conns[i], fds[i].revents) < 0)
				conn_end(&s->conns[i]);
	}
}

/* --- the beginning ------------------------------------------------------------------------------- */

static int conn_begin(struct p9_server *s, struct p9_conn *c, const struct p9_export *x, struct err *e)
{
	int fd = fcntl(x->fd, F_DUPFD_CLOEXEC, 0), r = 0;

	*c = (struct p9_conn){ .server = s, .sock = -1, .readonly = x->readonly, .msize = P9_FIRST };
	if (fd < 0)
		return err_set(e, errno, "export a directory");
	c->root = p9_node_new(s, fd, NULL, NULL, &r);
	if (!c->root)
		return err_set(e, -r, "export a directory");
	if (!S_ISDIR(c->root->type)) {
		p9_node_unref(TAKE_PTR(c->root));
		return err_set(e, ENOTDIR, "export a directory");
	}
	if (x->only) {
		c->only = p9_node_child(c, c->root, x->only, &r);
		if (!c->only) {
			p9_node_unref(TAKE_PTR(c->root));
			return err_set(e, -r, "export %s", x->only);
		}
		p9_held_pin(c->only);
		c->only_name = x->only;
	}
	c->sock = x->sock;
	return 0;
}

int p9_serve(const struct p9_export *exports, unsigned n, int self_fd, bool confine, struct err *e)
{
	_cleanup_free_ struct p9_conn *conns = calloc(n ? n : 1, sizeof(*conns));
	_cleanup_free_ struct pollfd *fds = calloc(n ? n : 1, sizeof(*fds));
	struct p9_server s = { .conns = conns };
	int r = 0;

	if (!conns || !fds)
		return err_set(e, ENOMEM, "serve %u directories", n);
	if ((self_fd >= 0 ? fchdir(self_fd) : chdir("/proc/self/fd")) < 0)
		return err_set(e, errno, "change to /proc/self/fd");
	umask(0);
	p9_held_init(&s);
	for (; r == 0 && s.n < n; s.n++)
		r = conn_begin(&s, &conns[s.n], &exports[s.n], e);
	if (r == 0 && confine)
		r = p9_confine(e);
	if (r == 0)
		r = loop(&s, fds, e);
	for (unsigned i = 0; i < s.n; i++)
		conn_end(&conns[i]);
	free(s.names);
	return r;
}
