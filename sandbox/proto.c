/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between monitor, agent and verbs (see proto.h). */
#include "sandbox/proto.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define HEADER 16U
/* A whole frame fits, and much of the next one. */
#define IN_ROOM (PROTO_DATA_MAX + HEADER + 1)
/* What is read of small frames at a time: the buffer grows to IN_ROOM only for those who send so much. */
#define IN_FIRST 8192U
#define N_PASSED (sizeof(((struct proto *)NULL)->passed) / sizeof(int))

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void proto_put_u32(uint8_t *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

uint32_t proto_u32(const struct proto_msg *m, size_t at)
{
	return m->len >= 4 && at <= m->len - 4 ? get_u32(m->data + at) : 0;
}

static void forget_passed(struct proto *p)
{
	for (size_t i = 0; i < N_PASSED; i++) {
		if (p->passed[i] >= 0)
			close(p->passed[i]);
		p->passed[i] = -1;
	}
}

void proto_open(struct proto *p, int fd)
{
	struct stat st;

	*p = (struct proto){ .fd = fd, .passed = { -1, -1, -1, -1 } };
	p->is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

void proto_close(struct proto *p)
{
	forget_passed(p);
	free(p->in);
	free(p->out);
	free(p->whole);
	fd_close(p->fd);
	*p = (struct proto){ .fd = -EBADF, .passed = { -1, -1, -1, -1 } };
}

/* --- sending ----------------------------------------------------------------------------------------- */

bool proto_waits(const struct proto *p)
{
	return p->out_at < p->out_len;
}

size_t proto_queued(const struct proto *p)
{
	return p->out_len - p->out_at;
}

int proto_flush(struct proto *p)
{
	while (proto_waits(p)) {
		size_t len = p->out_len - p->out_at;
		ssize_t n = p->is_socket ? send(p->fd, p->out + p->out_at, len, MSG_NOSIGNAL | MSG_DONTWAIT)
					 : write(p->fd, p->out + p->out_at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		p->out_at += (size_t)n;
	}
	p->out_at = p->out_len = 0;
	/* One that was long is not kept for ever. */
	if (p->out_room > 2 * IN_FIRST) {
		free(p->out);
		p->out = NULL;
		p->out_room = 0;
	}
	return 0;
}

/* Room for `more` bytes behind what is queued. */
static int make_room(struct proto *p, size_t more)
{
	size_t room;
	uint8_t *bigger;

	if (p->out_at > 0) {
		memmove(p->out, p->out + p->out_at, p->out_len - p->out_at);
		p->out_len -= p->out_at;
		p->out_at = 0;
	}
	if (p->out_room - p->out_len >= more)
		return 0;
	room = p->out_len + more;
	room = room < 1024 ? 1024 : room;
	bigger = realloc(p->out, room);
	if (!bigger)
		return -ENOMEM;
	p->out = bigger;
	p->out_room = room;
	return 0;
}

static void put_frame(struct proto *p, enum proto_type type, uint16_t flags, uint32_t id, uint32_t serial,
	const uint8_t *data, size_t len)
{
	uint8_t *h = p->out + p->out_len;

	proto_put_u32(h, (uint32_t)len);
	h[4] = (uint8_t)type;
	h[5] = 0;
	h[6] = (uint8_t)flags;
	h[7] = (uint8_t)(flags >> 8);
	proto_put_u32(h + 8, id);
	proto_put_u32(h + 12, serial);
	if (len)
		memcpy(h + HEADER, data, len);
	p->out_len += HEADER + len;
}

static int queue(struct proto *p, enum proto_type type, uint16_t flags, uint32_t id, uint32_t serial,
	const void *data, size_t len)
{
	const uint8_t *at = data;
	int r;

	if (len > PROTO_MESSAGE_MAX)
		return -EMSGSIZE;
	r = make_room(p, len + HEADER * (1 + len / PROTO_DATA_MAX));
	if (r < 0)
		return r;
	while (len > PROTO_DATA_MAX) {
		put_frame(p, type, flags | PROTO_MORE, id, serial, at, PROTO_DATA_MAX);
		at += PROTO_DATA_MAX;
		len -= PROTO_DATA_MAX;
	}
	put_frame(p, type, flags, id, serial, at, len);
	return 0;
}

int proto_send(struct proto *p, enum proto_type type, uint16_t flags, uint32_t id, uint32_t serial,
	const void *data, size_t len)
{
	int r = queue(p, type, flags, id, serial, data, len);

	return r < 0 ? r : proto_flush(p);
}

int proto_send_fds(struct proto *p, enum proto_type type, uint32_t id, uint32_t serial, const void *data,
	size_t len, const int *fds, unsigned n_fds)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * N_PASSED)];
	} control = { 0 };
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;
	int r;

	if (!p->is_socket || proto_waits(p) || n_fds > N_PASSED)
		return -EINVAL;
	r = queue(p, type, 0, id, serial, data, len);
	if (r < 0)
		return r;
	if (n_fds) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n_fds);
	}
	/* With the first byte: they are there when the frame is. */
	iov = (struct iovec){ p->out, 1 };
	do
		n = sendmsg(p->fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	p->out_at = 1;
	return proto_flush(p);
}

/* --- receiving --------------------------------------------------------------------------------------- */

static void take_fds(struct proto *p, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			size_t place = 0;
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			while (place < N_PASSED && p->passed[place] >= 0)
				place++;
			if (place < N_PASSED)
				p->passed[place] = fd;
			else
				close(fd);
		}
	}
}

static ssize_t read_some(struct proto *p, void *at, size_t room)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * N_PASSED)];
	} control;
	struct iovec iov = { at, room };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t n;

	do
		n = p->is_socket ? recvmsg(p->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)
				 : read(p->fd, at, room);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (p->is_socket)
		take_fds(p, &msg);
	return n;
}

static int in_room(struct proto *p, size_t room)
{
	uint8_t *bigger;

	if (p->in_room >= room)
		return 0;
	bigger = realloc(p->in, room);
	if (!bigger)
		return -ENOMEM;
	p->in = bigger;
	p->in_room = room;
	return 0;
}

/* More of what is not yet a whole frame of `need` bytes. 1: something came; 0: nothing now. */
static int fill(struct proto *p, size_t need)
{
	ssize_t n;
	int r;

	if (p->in_at > 0) {
		memmove(p->in, p->in + p->in_at, p->in_len - p->in_at);
		p->in_len -= p->in_at;
		p->in_at = 0;
	}
	r = in_room(p, need < IN_FIRST ? IN_FIRST : IN_ROOM);
	if (r < 0)
		return r;
	/* The last byte is kept free for the NUL behind the data. */
	n = read_some(p, p->in + p->in_len, p->in_room - 1 - p->in_len);
	if (n < 0)
		return n == -EAGAIN ? 0 : (int)n;
	p->in_len += (size_t)n;
	return n == 0 ? -EPIPE : 1;
}

/* A piece of a message: all of them together come out with the last one. 1: that was it. */
static int assemble(struct proto *p, struct proto_msg *m)
{
	bool first = p->whole_len == 0, more = m->flags & PROTO_MORE;
	uint8_t *bigger;

	/* Where the flag means something else there is one frame only. */
	if (m->type == PROTO_CREDIT || (first && !more))
		return 1;
	if (first)
		p->partial = *m;
	else if (m->type != p->partial.type || m->id != p->partial.id || m->serial != p->partial.serial)
		return -EPROTO;
	if (m->len > PROTO_MESSAGE_MAX - p->whole_len || (more && m->len == 0))
		return -EPROTO;
	if (p->whole_room - p->whole_len < m->len + 1) {
		size_t room = (p->whole_len + m->len + 1) * 2;

		bigger = realloc(p->whole, room);
		if (!bigger)
			return -ENOMEM;
		p->whole = bigger;
		p->whole_room = room;
	}
	memcpy(p->whole + p->whole_len, m->data, m->len);
	p->whole_len += m->len;
	if (more)
		return 0;
	p->whole[p->whole_len] = '\0';
	m->data = p->whole;
	m->len = p->whole_len;
	p->whole_len = 0;
	return 1;
}

int proto_next(struct proto *p, struct proto_msg *m)
{
	/* The NUL behind the last message stands where the next one begins. */
	if (p->in_at < p->in_len && p->in_at > 0)
		p->in[p->in_at] = p->next;
	for (;;) {
		size_t have = p->in_len - p->in_at, need = HEADER;
		const uint8_t *h = p->in + p->in_at;
		int r;

		if (have >= HEADER) {
			size_t len = get_u32(h);

			if (len > PROTO_DATA_MAX || h[5] != 0)
				return -EPROTO;
			need += len;
		}
		if (have < need || have < HEADER) {
			r = fill(p, need);
			if (r <= 0)
				return r;
			continue;
		}
		*m = (struct proto_msg){ .type = h[4],
			.flags = (uint16_t)(h[6] | h[7] << 8),
			.id = get_u32(h + 8),
			.serial = get_u32(h + 12),
			.data = h + HEADER,
			.len = need - HEADER };
		p->in_at += need;
		r = assemble(p, m);
		if (r < 0)
			return r;
		if (r > 0) {
			p->next = p->in[p->in_at];
			p->in[p->in_at] = '\0';
			return 1;
		}
	}
}

int proto_wait(struct proto *p, struct proto_msg *m, int timeout)
{
	struct timespec t;
	int64_t now, until;

	clock_gettime(CLOCK_MONOTONIC, &t);
	until = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + timeout;
	for (;;) {
		struct pollfd poll_for = { .fd = p->fd, .events = POLLIN };
		int r = proto_flush(p);

		/* What the other side said before it closed is still there to be read. */
		if (r < 0 && r != -EPIPE && r != -ECONNRESET)
			return r;
		r = proto_next(p, m);
		if (r != 0)
			return r < 0 ? r : 0;
		if (proto_waits(p))
			poll_for.events |= POLLOUT;
		clock_gettime(CLOCK_MONOTONIC, &t);
		now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
		if (timeout >= 0 && now >= until)
			return -ETIMEDOUT;
		if (poll(&poll_for, 1, timeout < 0 ? -1 : (int)(until - now)) < 0 && errno != EINTR)
			return -errno;
	}
}

/* --- errors ------------------------------------------------------------------------------------------ */

int proto_error(const struct proto_msg *m, struct err *e)
{
	uint32_t code = proto_u32(m, 0);
	char text[ERR_TEXT_MAX];
	size_t n = 0;

	if (code == 0 || code > 4095)
		code = EPROTO;
	/* It is shown on terminals, and comes from a machine that we do not trust. */
	for (size_t i = 8; i < m->len && n < sizeof(text) - 1; i++)
		text[n++] = m->data[i] >= ' ' && m->data[i] < 0x7f ? (char)m->data[i] : '?';
	text[n] = '\0';
	return err_text(e, (int)code, "%s", n ? text : "the guest gives no reason");
}
