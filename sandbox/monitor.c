/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's life (see monitor.h). */
#include "sandbox/monitor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/sync.h"
#include "sandbox/fate.h"

/* For a guest to come up and build its partition. */
#define BOOT_MS	    60000
#define BOOT_MS_TCG 180000
#define OFF_MS	    3000
#define FULL_MS	    100 /* before the next try to accept who calls, for want of descriptors or memory */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the end ----------------------------------------------------------------------------------------------
 */

static void end_children(struct monitor *m)
{
	/* Once we are confined there is nobody whom we may kill: the server is root's, and QEMU's user is
	 * that of all sandboxes. The one ends with its socket, the other with us (PR_SET_PDEATHSIG, in
	 * qemu.c). */
	if (m->confined)
		return;
	if (m->qemu > 0)
		kill(m->qemu, SIGKILL);
	if (m->server > 0)
		kill(m->server, SIGKILL);
}

void monitor_exit(struct monitor *m, int status)
{
	for (struct monitor_client *c = m->clients; c; c = c->next)
		if (c->proc)
			monitor_client_exit(m, c, c->proc->exited ? c->proc->status : 128 + SIGKILL);
	end_children(m);
	_exit(status);
}

/* What the guest's kernel said last, if it says why. */
static void add_console(struct monitor *m, struct err *e)
{
	size_t from = m->said_len > 300 ? m->said_len - 300 : 0, n = 0;
	char text[301];

	for (size_t i = from; i < m->said_len; i++) {
		char c = m->said[i];

		if (c == '\n' || c == '\r')
			c = ' ';
		if ((unsigned char)c >= ' ' && c < 0x7f && !(c == ' ' && n && text[n - 1] == ' '))
			text[n++] = c;
	}
	text[n] = '\0';
	if (n > 1)
		err_hint(e, "the guest's kernel said last: %s", text);
}

void monitor_fail(struct monitor *m, const struct err *e)
{
	struct err told = *e;

	/* What the agent refuses it has reasons for; where the machine failed, its kernel may know. */
	if (e->code == ECONNRESET || e->code == EPIPE || e->code == ETIMEDOUT)
		add_console(m, &told);
	if (m->phase < MON_CREATED)
		sync_send_err(m->sync, SYNC_ERROR, &told);
	else if (m->phase < MON_ENDED)
		vm_fate_write(m->b->fate, m->oom_kills, told.text);
	monitor_exit(m, m->phase >= MON_ENDED ? m->status : 128 + SIGKILL);
}

static void fail_early(const struct monitor_birth *b, const struct err *e)
{
	sync_send_err(b->sync, SYNC_ERROR, e);
	_exit(1);
}

/* --- the loop
 * ----------------------------------------------------------------------------------------------- */

static void serve_serial(struct monitor *m)
{
	char text[512];
	ssize_t n = 1;
	int budget = 16;

	/* A guest that does nothing but write there is not to keep us from all else. */
	while (budget-- > 0 && (n = read(m->serial, text, sizeof(text))) > 0) {
		size_t keep = sizeof(m->said) - (size_t)n;

		if (m->said_len > keep) {
			memmove(m->said, m->said + m->said_len - keep, keep);
			m->said_len = keep;
		}
		memcpy(m->said + m->said_len, text, (size_t)n);
		m->said_len += (size_t)n;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		m->serial = fd_close(m->serial);
}

static void machine_ended(struct monitor *m)
{
	struct err e = ERR_INIT;

	if (m->phase >= MON_ENDED)
		monitor_exit(m, m->status);
	err_text(&e, ECONNRESET, "the sandbox's machine ended by itself");
	monitor_fail(m, &e);
}

static void reap(struct monitor *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->qemu) {
			m->qemu = 0;
			machine_ended(m);
		} else if (pid == m->server) {
			m->server = 0;
		}
	}
}

static void serve_signals(struct monitor *m)
{
	struct signalfd_siginfo info;

	while (read(m->signals, &info, sizeof(info)) == sizeof(info)) {
		int sig = (int)info.ssi_signo;
		/* By somebody, and thus meant for the payload, rather than by the kernel, meant for us. One
		 * that waits hides a second one, so those of the kernel's are always looked after. */
		bool sent = info.ssi_code <= 0;

		if (sig == SIGCHLD)
			reap(m);
		if (sig == SIGWINCH && m->b->slave >= 0)
			monitor_send_size(m, 0, 0);
		if (sig == SIGHUP && m->b->slave >= 0 && !sent) {
			/* Our terminal's other end is gone: it is the payload's terminal that hangs up.
			 * Before there is one, reading will tell. */
			struct monitor_proc *first = monitor_proc_find(m, 0);

			if (first && m->phase >= MON_CREATED)
				monitor_proc_input_ends(m, first);
		}
		if (sent && m->phase >= MON_CREATED && m->phase <= MON_UP)
			monitor_send_signal(m, 0, sig, false, 0);
	}
}

/* The creator: once it has recorded us it says so; before that its end is ours. */
static void serve_sync(struct monitor *m)
{
	struct sync_frame f;
	int fd, msg = sync_recv(m->sync, &f, &fd);

	fd_close(fd);
	if (msg == SYNC_GO) {
		m->committed = true;
		return;
	}
	if (!m->committed && !m->started && m->phase < MON_UP)
		monitor_exit(m, 1);
	m->sync = fd_close(m->sync);
}

void monitor_kill(struct monitor *m)
{
	if (m->killed || m->phase >= MON_OFF)
		return;
	m->killed = true;
	m->deadline = now_ms() + MONITOR_KILL_MS;
}

static void check_end(struct monitor *m)
{
	struct monitor_proc *first = monitor_proc_find(m, 0);

	for (struct monitor_proc *p = m->procs, *next; p; p = next) {
		next = p->next;
		if (p->id == 0 || !monitor_proc_done(p))
			continue;
		if (p->owner) {
			monitor_client_exit(m, p->owner, p->status);
			p->owner->proc = NULL;
		}
		monitor_proc_free(m, p);
	}
	if (m->phase == MON_ENDED && (!first || !first->exited || monitor_proc_done(first))) {
		m->phase = MON_OFF;
		m->deadline = now_ms() + OFF_MS;
		proto_send(&m->guest, PROTO_OFF, 0, 0, 0, NULL, 0);
	}
	if (m->deadline && now_ms() >= m->deadline) {
		struct err e = ERR_INIT;

		if (m->phase == MON_OFF)
			monitor_exit(m, m->status);
		if (m->killed)
			monitor_exit(m, 128 + SIGKILL);
		err_text(&e, ETIMEDOUT, "the sandbox's guest did not come up in time");
		monitor_fail(m, &e);
	}
}

struct polls {
	struct pollfd *at;
	size_t n, room;
};

static struct pollfd *add(struct monitor *m, struct polls *p, size_t n)
{
	struct err e = ERR_INIT;

	if (p->n + n > p->room) {
		size_t room = p->room ? p->room * 2 : 16;
		struct pollfd *bigger = realloc(p->at, room * sizeof(*bigger));

		if (!bigger) {
			err_set(&e, ENOMEM, "wait for the sandbox's streams and callers");
			monitor_fail(m, &e);
		}
		p->at = bigger;
		p->room = room;
	}
	p->n += n;
	return p->at + p->n - n;
}

enum { P_SIGNALS, P_SYNC, P_LISTENER, P_GUEST, P_SERIAL, P_VM, P_DNS, P_FIXED };

static void fill(struct monitor *m, struct polls *p)
{
	p->n = 0;
	memcpy(add(m, p, P_FIXED),
		(struct pollfd[P_FIXED]){
			[P_SIGNALS] = { .fd = m->signals, .events = POLLIN },
			[P_SYNC] = { .fd = m->sync, .events = POLLIN },
			[P_LISTENER] = { .fd = m->phase >= MON_CREATED && !m->full ? m->listener : -1,
				.events = POLLIN },
			[P_GUEST] = { .fd = m->guest.fd,
				.events = (short)(POLLIN | (proto_waits(&m->guest) ? POLLOUT : 0)) },
			[P_SERIAL] = { .fd = m->serial, .events = POLLIN },
			[P_VM] = { .fd = m->vm ? vm_poll_fd(m->vm) : -1, .events = POLLIN },
			[P_DNS] = { .fd = monitor_guest_takes(m) ? m->dns : -1, .events = POLLIN },
		},
		P_FIXED * sizeof(struct pollfd));
	for (struct monitor_proc *q = m->procs; q; q = q->next)
		monitor_proc_poll(m, q, add(m, p, MONITOR_POLLS));
	for (struct monitor_client *c = m->clients; c; c = c->next)
		*add(m, p, 1) = (struct pollfd){ .fd = c->gone ? -1 : c->proto.fd,
			.events = (short)(POLLIN | (proto_waits(&c->proto) ? POLLOUT : 0)) };
}

static void serve(struct monitor *m, const struct polls *p)
{
	const struct pollfd *at = p->at + P_FIXED;
	struct err e = ERR_INIT;
	enum vm_end end = VM_RUNS;
	int r = 0;

	/* In the order of the list, before anything changes it. */
	for (struct monitor_proc *q = m->procs; q && r == 0; q = q->next, at += MONITOR_POLLS)
		r = monitor_proc_serve(m, q, at);
	for (struct monitor_client *c = m->clients; c && r == 0; c = c->next, at++)
		if (at->revents)
			r = monitor_client_serve(m, c);
	if (r == 0 && p->at[P_DNS].revents)
		r = monitor_dns_serve(m);
	if (r < 0)
		err_set(&e, -r, "talk to the sandbox's agent");
	if (r == 0 && p->at[P_VM].revents) {
		r = vm_serve(m->vm, &end, &e);
		if (r == 0 && end != VM_RUNS)
			machine_ended(m);
	}
	if (p->at[P_SERIAL].revents)
		serve_serial(m);
	if (r == 0 && (p->at[P_GUEST].revents || proto_waits(&m->guest) || m->more))
		r = monitor_guest_serve(m, &e);
	/* With the machine gone, so is the channel; its end is what counts. */
	if (r < 0 && m->phase >= MON_ENDED)
		monitor_exit(m, m->status);
	if (r < 0)
		monitor_fail(m, &e);
	if (p->at[P_SYNC].revents)
		serve_sync(m);
	if (p->at[P_LISTENER].revents)
		monitor_welcome(m);
	if (p->at[P_SIGNALS].revents)
		serve_signals(m);
}

static int how_long(const struct monitor *m)
{
	int64_t left = m->deadline ? m->deadline - now_ms() : -1;

	/* In our own memory, of which poll(2) knows nothing. */
	if (m->more)
		return 0;
	if (m->deadline && left < 0)
		left = 0;
	/* Until somebody who calls can be let in. */
	if (m->full && (left < 0 || left > FULL_MS))
		left = FULL_MS;
	return (int)left;
}

static void loop(struct monitor *m)
{
	struct polls p = { 0 };

	m->deadline = now_ms() + (m->vm ? BOOT_MS : BOOT_MS_TCG);
	if (m->b->slave >= 0)
		monitor_send_size(m, 0, 0);
	for (;;) {
		int timeout;

		fill(m, &p);
		timeout = how_long(m);
		m->full = false;
		if (poll(p.at, p.n, timeout) >= 0)
			serve(m, &p);
		monitor_clients_reap(m);
		check_end(m);
	}
}

void monitor_main(struct monitor_birth *b)
{
	static struct monitor m;
	struct err e = ERR_INIT;

	m = (struct monitor){ .b = b,
		.sync = b->sync,
		.listener = b->listener,
		.serial = -EBADF,
		.dns = -EBADF,
		.signals = -EBADF,
		.next_serial = 16,
		.guest = { .fd = -EBADF } };
	prctl(PR_SET_NAME, "ringfence-vm");
	if (monitor_set_up(&m, &e) < 0) {
		end_children(&m);
		fail_early(b, &e);
	}
	loop(&m);
	_exit(1);
}
