/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's talk with the agent in the guest: what it is told, and what comes out of it, none of which is
 * trusted. */
#include "sandbox/monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/sync.h"
#include "sandbox/dns.h"
#include "sandbox/fate.h"

#define SERIAL_SETUP  1
#define SERIAL_CREATE 2

#define WARNINGS_MAX  16

int monitor_send_signal(struct monitor *m, uint32_t id, int sig, bool all, uint32_t serial)
{
	uint8_t data[8];

	proto_put_u32(data, (uint32_t)sig);
	proto_put_u32(data + 4, all ? PROTO_ALL : 0);
	return proto_send(&m->guest, PROTO_SIGNAL, 0, id, serial, data, sizeof(data));
}

int monitor_send_size(struct monitor *m, uint32_t id, int tty)
{
	struct winsize ws;
	uint8_t data[8];

	if (ioctl(tty, TIOCGWINSZ, &ws) < 0 || (ws.ws_row == 0 && ws.ws_col == 0))
		return 0;
	memcpy(data, (uint16_t[]){ ws.ws_row, ws.ws_col, ws.ws_xpixel, ws.ws_ypixel }, sizeof(data));
	return proto_send(&m->guest, PROTO_WINSIZE, 0, id, 0, data, sizeof(data));
}

static int bad(struct err *e, const char *what)
{
	return err_text(e, EPROTO, "the sandbox's guest does not keep to the protocol: %s", what);
}

static int is_ready(struct monitor *m, const struct proto_msg *msg, struct err *e)
{
	if (m->phase != MON_BOOT)
		return bad(e, "it is ready twice");
	if (proto_u32(msg, 0) != PROTO_VERSION)
		return err_text(e, EPROTO,
			"the sandbox's agent speaks version %u of the protocol, and we version %d: "
			"ringfence-guest is of "
			"another build",
			proto_u32(msg, 0), PROTO_VERSION);
	m->phase = MON_SETUP;
	return proto_send(&m->guest, PROTO_SETUP, 0, 0, SERIAL_SETUP, m->setup, strlen(m->setup));
}

static int is_set_up(struct monitor *m)
{
	struct monitor_birth *b = m->b;
	int r = proto_send(&m->guest, PROTO_CONFIG, 0, 0, 0, b->config, b->config_len);

	m->phase = MON_CREATE;
	return r < 0 ? r
		     : proto_send(&m->guest, PROTO_CREATE, 0, 0, SERIAL_CREATE, b->create, strlen(b->create));
}

static int is_created(struct monitor *m)
{
	m->phase = MON_CREATED;
	m->deadline = 0;
	/* What it says from now on may be a reason; how it came up is none. */
	m->said_len = 0;
	return sync_send(m->sync, SYNC_CREATED, 0, NULL, -1);
}

/* An answer to what the monitor asked by itself. */
static int own_answer(struct monitor *m, const struct proto_msg *msg, struct err *e)
{
	bool setup = msg->serial == SERIAL_SETUP && m->phase == MON_SETUP;
	int r;

	if (!setup && !(msg->serial == SERIAL_CREATE && m->phase == MON_CREATE))
		return bad(e, "an answer that nobody waits for");
	if (msg->type == PROTO_ERROR)
		return proto_error(msg, e);
	r = setup ? is_set_up(m) : is_created(m);
	return r < 0 ? err_set(e, -r, "talk to the sandbox's agent") : 0;
}

/* A number that has been given out, of somebody who is taken for ended (a start that failed): the guest may
 * have said it before it knew. */
static bool is_past(const struct monitor *m, const struct monitor_proc *p, uint32_t id)
{
	return id > 0 && id < m->next_id && (!p || (p->first && p->exited));
}

static int output(struct monitor *m, const struct proto_msg *msg, struct err *e)
{
	struct monitor_proc *p = monitor_proc_find(m, msg->id);
	int r;

	if (is_past(m, p, msg->id))
		return 0;
	if (!p || p->exited)
		return bad(e, "output of no process");
	r = monitor_sink_put(&p->out[msg->type == PROTO_STDERR], msg->data, msg->len);
	if (r == -EPROTO)
		return bad(e, "more output than was asked for");
	return r < 0 ? err_set(e, -r, "keep the output of a process") : 0;
}

static int exited(struct monitor *m, const struct proto_msg *msg, struct err *e)
{
	struct monitor_proc *p = monitor_proc_find(m, msg->id);

	if (is_past(m, p, msg->id))
		return 0;
	if (!p || p->exited || msg->len < 4 || (p->id == 0 && m->phase < MON_CREATED))
		return bad(e, "the end of no process");
	p->exited = true;
	p->status = (int)(proto_u32(msg, 0) & 0xff);
	p->out[0].ended = p->out[1].ended = true;
	if (p->id == 0) {
		m->status = p->status;
		m->phase = MON_ENDED;
	}
	return 0;
}

static int credit(struct monitor *m, const struct proto_msg *msg, struct err *e)
{
	struct monitor_proc *p = monitor_proc_find(m, msg->id);
	uint32_t n = proto_u32(msg, 0);

	/* One that has ended may still have been sent some. */
	if (!p)
		return 0;
	if (msg->flags != 0 || n > PROTO_WINDOW - p->window)
		return bad(e, "it took more input than it got");
	p->window += n;
	return 0;
}

/* While somebody listens: what the runtime in the guest has to say of the config. */
static void warn(struct monitor *m, const struct proto_msg *msg)
{
	char text[ERR_TEXT_MAX];
	size_t n = 0;

	if (m->phase >= MON_CREATED || m->warnings == WARNINGS_MAX)
		return;
	m->warnings++;
	for (size_t i = 0; i < msg->len && n < sizeof(text) - 1; i++)
		if (msg->data[i] >= ' ' && msg->data[i] <= '~')
			text[n++] = (char)msg->data[i];
		else if (msg->data[i] == '\n' && i + 1 < msg->len)
			text[n++] = ' ';
	text[n] = '\0';
	if (n > 0)
		sync_send(m->sync, SYNC_WARN, 0, text, -1);
}

/* Who stands for a member of a pod notes it for that one; what has ended meanwhile nobody asks about. */
static void out_of_memory(struct monitor *m, uint32_t number)
{
	struct monitor_proc *p = number ? monitor_member_find(m, number) : NULL;

	if (number == 0)
		vm_fate_write(m->b->fate, ++m->oom_kills, NULL);
	else if (p && p->owner)
		monitor_client_oom(p->owner);
}

bool monitor_guest_takes(const struct monitor *m)
{
	return proto_queued(&m->guest) < PROTO_DATA_MAX;
}

/* As any program's to any resolver: what cannot be sent now is asked again. */
static void query(struct monitor *m, const struct proto_msg *msg)
{
	if (m->dns >= 0 && msg->len > 0 && msg->len <= VM_DNS_MAX)
		(void)!write(m->dns, msg->data, msg->len);
}

int monitor_dns_serve(struct monitor *m)
{
	uint8_t data[VM_DNS_MAX];
	int budget = 16, r = 0;
	ssize_t n;

	/* ECONNREFUSED: nobody is there just now. */
	while (r == 0 && budget-- > 0 && monitor_guest_takes(m) && (n = read(m->dns, data, sizeof(data))) > 0)
		r = proto_send(&m->guest, PROTO_DNS, 0, 0, 0, data, (size_t)n);
	return r;
}

static int serve(struct monitor *m, const struct proto_msg *msg, struct err *e)
{
	switch (msg->type) {
	case PROTO_READY:
		return is_ready(m, msg, e);
	case PROTO_DONE:
	case PROTO_ERROR:
		/* Not even of a caller who asks for nothing just now, and has serial 0. */
		if (msg->serial == 0)
			return bad(e, "an answer to nothing");
		if (monitor_answer(m, msg))
			return 0;
		return own_answer(m, msg, e);
	case PROTO_STDOUT:
	case PROTO_STDERR:
		return output(m, msg, e);
	case PROTO_EXIT:
		return exited(m, msg, e);
	case PROTO_CREDIT:
		return credit(m, msg, e);
	case PROTO_OOM:
		out_of_memory(m, msg->id);
		return 0;
	case PROTO_DNS:
		query(m, msg);
		return 0;
	case PROTO_LOG:
		warn(m, msg);
		return 0;
	default:
		return bad(e, "an unknown message");
	}
}

int monitor_guest_serve(struct monitor *m, struct err *e)
{
	struct proto_msg msg;
	int r, budget = 64;

	m->more = false;
	r = proto_flush(&m->guest);
	while (r == 0 && budget-- > 0) {
		r = proto_next(&m->guest, &msg);
		if (r == 0)
			return 0;
		if (r == -EPROTO)
			return bad(e, "what it sends is no message");
		if (r < 0)
			break;
		r = serve(m, &msg, e);
		if (r < 0)
			return r;
	}
	m->more = true;
	return r < 0 ? err_set(e, -r, "the sandbox's control channel is closed") : 0;
}
