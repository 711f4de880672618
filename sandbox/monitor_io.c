/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's streams: between descriptors of the host's and frames.
 *
 * The descriptors are others' too, so they are not made non-blocking: a write is done only when poll(2) says
 * that it can be, and of PIPE_BUF bytes at most, which a pipe then takes whole (pipe(7)). What a slow reader
 * has not taken stays in a buffer, whose size the protocol's window bounds.
 */
#include "sandbox/monitor.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* So much may wait on the control channel before no more is read for it. */
#define QUEUE_MAX (2U * PROTO_DATA_MAX)

struct monitor_proc *monitor_proc_new(struct monitor *m, int in, int out, int err)
{
	struct monitor_proc *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->id = m->next_id++;
	p->in = in;
	p->out[0].fd = out;
	p->out[1].fd = err;
	p->window = PROTO_WINDOW;
	p->next = m->procs;
	m->procs = p;
	return p;
}

void monitor_proc_free(struct monitor *m, struct monitor_proc *p)
{
	for (struct monitor_proc **at = &m->procs; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	fd_close(p->in);
	for (int i = 0; i < 2; i++) {
		fd_close(p->out[i].fd);
		free(p->out[i].data);
	}
	free(p);
}

struct monitor_proc *monitor_proc_find(struct monitor *m, uint32_t id)
{
	for (struct monitor_proc *p = m->procs; p; p = p->next)
		if (p->id == id)
			return p;
	return NULL;
}

struct monitor_proc *monitor_member_find(struct monitor *m, uint32_t number)
{
	struct monitor_proc *p = monitor_proc_find(m, number);

	return p && p->first ? p : NULL;
}

/* What goes nowhere need not be waited for. */
static bool drained(const struct monitor_sink *s)
{
	return s->len == 0 || s->fd < 0 || s->broken;
}

bool monitor_proc_done(const struct monitor_proc *p)
{
	return p->exited && drained(&p->out[0]) && drained(&p->out[1]);
}

/* Nothing more will go there: whoever reads it sees its end. */
static void settle(struct monitor_sink *s)
{
	if (s->broken || (s->ended && s->len == 0))
		s->fd = fd_close(s->fd);
}

int monitor_sink_put(struct monitor_sink *s, const uint8_t *data, size_t len)
{
	if (s->ended)
		return -EPROTO;
	if (len == 0) {
		s->ended = true;
		settle(s);
		return 0;
	}
	if (len > PROTO_WINDOW - s->len)
		return -EPROTO;
	if (s->at > 0 && s->at + s->len + len > s->room) {
		memmove(s->data, s->data + s->at, s->len);
		s->at = 0;
	}
	if (s->len + len > s->room) {
		size_t room = s->len + len < 4096 ? 4096 : s->len + len;
		uint8_t *bigger = realloc(s->data, room);

		if (!bigger)
			return -ENOMEM;
		s->data = bigger;
		s->room = room;
	}
	memcpy(s->data + s->at + s->len, data, len);
	s->len += len;
	return 0;
}

/* Whoever read is gone, or never was: the payload is not to hang on it. */
static size_t drop(struct monitor_sink *s)
{
	size_t n = s->len;

	s->broken = true;
	s->len = s->at = 0;
	return n;
}

/* How much of it has gone where it belongs. */
static size_t push(struct monitor_sink *s)
{
	size_t part = s->len < PIPE_BUF ? s->len : PIPE_BUF;
	ssize_t n;

	if (s->broken || s->fd < 0)
		return drop(s);
	n = send(s->fd, s->data + s->at, part, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == ENOTSOCK)
		n = write(s->fd, s->data + s->at, part);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : drop(s);
	s->at += (size_t)n;
	s->len -= (size_t)n;
	if (s->len == 0) {
		s->at = s->room = 0;
		free(s->data);
		s->data = NULL;
	}
	return (size_t)n;
}

/*
 * Only as long as the guest reads: one that does not, and goes on sending, would have us queue one credit
 * after the other until the memory is full. If it fails the channel says so by itself.
 */
static void credit(struct monitor *m, struct monitor_proc *p, int i)
{
	struct monitor_sink *s = &p->out[i];
	uint8_t data[4];

	if (s->owed == 0 || proto_queued(&m->guest) >= QUEUE_MAX)
		return;
	proto_put_u32(data, (uint32_t)s->owed);
	if (proto_send(&m->guest, PROTO_CREDIT, (uint16_t)(i + 1), p->id, 0, data, sizeof(data)) == 0)
		s->owed = 0;
}

unsigned monitor_proc_poll(struct monitor *m, struct monitor_proc *p, struct pollfd *at)
{
	/* Not before it has been started: a first process by `start`, others by the answer to their exec. */
	bool runs = p->id == 0 ? m->phase == MON_UP
		    : p->first ? p->phase == PROC_UP
			       : !p->owner || p->owner->ours == 0;
	bool may = runs && !p->in_ended && !p->exited && p->window > 0 && proto_queued(&m->guest) < QUEUE_MAX;

	for (int i = 0; i < 2; i++)
		credit(m, p, i);
	at[0] = (struct pollfd){ .fd = may ? p->in : -1, .events = POLLIN };
	for (int i = 0; i < 2; i++)
		at[1 + i] = (struct pollfd){ .fd = p->out[i].len ? p->out[i].fd : -1, .events = POLLOUT };
	return MONITOR_POLLS;
}

int monitor_proc_input_ends(struct monitor *m, struct monitor_proc *p)
{
	if (p->in_ended || p->exited)
		return 0;
	p->in_ended = true;
	p->in = fd_close(p->in);
	return proto_send(&m->guest, PROTO_STDIN, 0, p->id, 0, NULL, 0);
}

static int read_input(struct monitor *m, struct monitor_proc *p)
{
	uint8_t data[16384];
	size_t room = p->window < sizeof(data) ? p->window : sizeof(data);
	ssize_t n = read(p->in, data, room);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	/* EIO: a terminal that has been hung up. */
	if (n <= 0)
		return monitor_proc_input_ends(m, p);
	p->window -= (size_t)n;
	return proto_send(&m->guest, PROTO_STDIN, 0, p->id, 0, data, (size_t)n);
}

int monitor_proc_serve(struct monitor *m, struct monitor_proc *p, const struct pollfd *at)
{
	int r = 0;

	if (at[0].fd >= 0 && at[0].revents)
		r = read_input(m, p);
	for (int i = 0; i < 2; i++) {
		struct monitor_sink *s = &p->out[i];

		if (s->len && (s->fd < 0 || s->broken || (at[1 + i].fd >= 0 && at[1 + i].revents)))
			s->owed += push(s);
		settle(s);
	}
	return r;
}
