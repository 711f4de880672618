/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's callers: verbs of the command line, each on a connection of its own to the socket in the
 * state directory, which only the partition's owner may enter. One request at a time a connection; what it is
 * about is handed on to the guest, and the answer back. An exec stays connected until its process has ended:
 * it sends signals and sizes of its terminal, and if it goes, its process is killed.
 */
#include "sandbox/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define CLIENTS_MAX 4096

void monitor_welcome(struct monitor *m)
{
	size_t n = 0;

	for (struct monitor_client *c = m->clients; c; c = c->next)
		n++;
	for (;;) {
		int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct monitor_client *c;

		/* EMFILE and its kind: whoever waits there would wake us for ever. */
		if (fd < 0)
			m->full = errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
		if (fd < 0)
			return;
		c = n++ < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
		if (!c) {
			close(fd);
			continue;
		}
		proto_open(&c->proto, fd);
		c->next = m->clients;
		m->clients = c;
	}
}

static void answer(
	struct monitor_client *c, enum proto_type type, uint32_t serial, const void *data, size_t len)
{
	if (!c->gone && proto_send(&c->proto, type, 0, 0, serial, data, len) < 0)
		c->gone = true;
}

static void refuse(struct monitor_client *c, uint32_t serial, int code, const char *text)
{
	uint8_t data[8 + 200];
	size_t len = strnlen(text, sizeof(data) - 8);

	proto_put_u32(data, (uint32_t)code);
	proto_put_u32(data + 4, 0);
	memcpy(data + 8, text, len);
	answer(c, PROTO_ERROR, serial, data, 8 + len);
}

static int hand_on(struct monitor *m, struct monitor_client *c, const struct proto_msg *msg, uint32_t id)
{
	c->asked = msg->type;
	c->about = id;
	c->theirs = msg->serial;
	c->ours = m->next_serial++;
	return proto_send(&m->guest, msg->type, 0, id, c->ours, msg->data, msg->len);
}

/* EXEC, and CREATE of a further partition. */
static int begin_process(struct monitor *m, struct monitor_client *c, const struct proto_msg *msg)
{
	struct monitor_proc *p;
	int *fd = c->proto.passed;

	if (c->proc || fd[0] < 0 || fd[1] < 0 || fd[2] < 0) {
		refuse(c, msg->serial, EINVAL, "standard input and output are missing");
		return 0;
	}
	p = monitor_proc_new(m, fd[0], fd[1], fd[2]);
	if (!p) {
		refuse(c, msg->serial, ENOMEM, "no memory for another process");
		return 0;
	}
	fd[0] = fd[1] = fd[2] = -1;
	p->owner = c;
	p->first = msg->type == PROTO_CREATE;
	c->proc = p;
	return hand_on(m, c, msg, p->id);
}

static int start(struct monitor *m, struct monitor_client *c, const struct proto_msg *msg)
{
	struct monitor_proc *p = msg->id ? monitor_member_find(m, msg->id) : NULL;

	if (msg->id && (!p || p->exited))
		refuse(c, msg->serial, ESRCH, "container not running: no such process");
	else if (p ? p->phase != PROC_CREATED : m->phase != MON_CREATED)
		refuse(c, msg->serial, EALREADY, "the sandbox has been started already");
	else {
		if (p)
			p->phase = PROC_STARTING;
		else
			m->phase = MON_STARTING;
		return hand_on(m, c, msg, msg->id);
	}
	return 0;
}

/* Of the whole sandbox. Nothing is waited for: what does not end by then ends with us. */
static int kill_all(struct monitor *m, struct monitor_client *c, const struct proto_msg *msg)
{
	monitor_kill(m);
	answer(c, PROTO_DONE, msg->serial, NULL, 0);
	return monitor_send_signal(m, 0, SIGKILL, true, 0);
}

static int serve_request(struct monitor *m, struct monitor_client *c, const struct proto_msg *msg)
{
	if (msg->type == PROTO_WINSIZE)
		return c->proc && !c->proc->exited
			       ? proto_send(&m->guest, PROTO_WINSIZE, 0, c->proc->id, 0, msg->data, msg->len)
			       : 0;
	if (msg->type == PROTO_SIGNAL && msg->serial == 0)
		return c->proc && !c->proc->exited
			       ? monitor_send_signal(m, c->proc->id, (int)proto_u32(msg, 0), false, 0)
			       : 0;
	if (c->ours || msg->serial == 0) {
		c->gone = true;
		return 0;
	}
	switch (msg->type) {
	case PROTO_START:
		return start(m, c, msg);
	case PROTO_EXEC:
	case PROTO_CREATE:
		if (m->phase != MON_UP && m->phase != MON_CREATED) {
			refuse(c, msg->serial, ESRCH,
				"cannot exec in a stopped container: its first process has ended");
			return 0;
		}
		return begin_process(m, c, msg);
	case PROTO_SIGNAL:
		if (msg->id == 0 && proto_u32(msg, 0) == SIGKILL)
			return kill_all(m, c, msg);
		/* fallthrough */
	case PROTO_UPDATE:
	case PROTO_STATS:
	case PROTO_PIDS:
	case PROTO_PAUSE:
	case PROTO_RESUME:
	case PROTO_SYNC:
		if (msg->id && !monitor_member_find(m, msg->id)) {
			refuse(c, msg->serial, ESRCH, "container not running: no such process");
			return 0;
		}
		return hand_on(m, c, msg, msg->id);
	default:
		c->gone = true;
		return 0;
	}
}

/* -errno: the guest's channel is gone. */
int monitor_client_serve(struct monitor *m, struct monitor_client *c)
{
	struct proto_msg msg;
	int r = proto_flush(&c->proto);

	while (r == 0 && !c->gone) {
		r = proto_next(&c->proto, &msg);
		if (r == 0)
			return 0;
		if (r < 0)
			break;
		r = serve_request(m, c, &msg);
		if (r < 0)
			return r;
	}
	c->gone = true;
	return 0;
}

/* What could not be executed has no status of its own, and no end that the guest would tell of. */
static void member_started(struct monitor *m, const struct monitor_client *c, bool well)
{
	struct monitor_proc *p = monitor_member_find(m, c->about);

	if (!p || p->phase != PROC_STARTING)
		return;
	p->phase = PROC_UP;
	if (well || p->exited)
		return;
	p->exited = p->out[0].ended = p->out[1].ended = true;
	p->status = 1;
}

bool monitor_answer(struct monitor *m, const struct proto_msg *msg)
{
	uint8_t number[4];
	struct monitor_client *c = m->clients;

	while (c && c->ours != msg->serial)
		c = c->next;
	if (!c)
		return false;
	c->ours = 0;
	if (c->asked == PROTO_START && c->about)
		member_started(m, c, msg->type == PROTO_DONE);
	/* Its process may have ended before that, the guest says. */
	else if (c->asked == PROTO_START && m->phase == MON_STARTING) {
		m->phase = msg->type == PROTO_DONE ? MON_UP : MON_ENDED;
		/* It has never run, so it has no status of its own. */
		if (m->phase == MON_ENDED)
			m->status = 1;
	}
	if (c->asked == PROTO_START && !c->about && msg->type == PROTO_DONE)
		m->started = true;
	if ((c->asked == PROTO_EXEC || c->asked == PROTO_CREATE) && msg->type == PROTO_ERROR && c->proc) {
		monitor_proc_free(m, c->proc);
		c->proc = NULL;
	}
	if (c->asked == PROTO_CREATE && msg->type == PROTO_DONE) {
		proto_put_u32(number, c->about);
		answer(c, PROTO_DONE, c->theirs, number, sizeof(number));
		return true;
	}
	answer(c, msg->type, c->theirs, msg->data, msg->len);
	return true;
}

void monitor_client_exit(struct monitor *m, struct monitor_client *c, int status)
{
	uint8_t data[4];

	proto_put_u32(data, (uint32_t)status);
	answer(c, PROTO_EXIT, 0, data, sizeof(data));
}

/* One that does not read is not told for ever: there is no end to what a guest may say. */
void monitor_client_oom(struct monitor_client *c)
{
	if (proto_queued(&c->proto) < PROTO_DATA_MAX)
		answer(c, PROTO_OOM, 0, NULL, 0);
}

/* Nobody is there to read, to write or to be told any more. */
static void leave(struct monitor_client *c)
{
	proto_close(&c->proto);
	if (!c->proc)
		return;
	c->proc->in = fd_close(c->proc->in);
	c->proc->in_ended = true;
	for (int i = 0; i < 2; i++) {
		c->proc->out[i].broken = true;
		c->proc->out[i].fd = fd_close(c->proc->out[i].fd);
	}
}

/*
 * Takes away who has gone: the descriptors at once, the rest when the guest has answered what was asked of
 * it, so that its answer finds a place. The process of an exec is killed then; before, the guest may not have
 * it.
 */
void monitor_clients_reap(struct monitor *m)
{
	struct monitor_client **at = &m->clients;

	while (*at) {
		struct monitor_client *c = *at;

		if (c->gone && c->proto.fd >= 0)
			leave(c);
		if (!c->gone || c->ours) {
			at = &c->next;
			continue;
		}
		if (c->proc) {
			c->proc->owner = NULL;
			if (!c->proc->exited)
				monitor_send_signal(m, c->proc->id, SIGKILL, c->proc->first, 0);
		}
		*at = c->next;
		free(c);
	}
}
