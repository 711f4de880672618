/* SPDX-License-Identifier: Apache-2.0 */
/* A process that stands for one in a guest (see stand_in.h). */
#include "sandbox/stand_in.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/partition.h"
#include "runtime/sync.h"
#include "sandbox/client.h"
#include "sandbox/confine.h"
#include "sandbox/fate.h"
#include "sandbox/terminal.h"

static void tell(struct stand_in *s, const struct proto_msg *done, bool exec_failed, const struct err *e)
{
	if (!s->told)
		s->tell(s, done, exec_failed, e);
	s->told = true;
}

void stand_in_give_up(struct stand_in *s, const struct err *e)
{
	tell(s, NULL, false, e);
	_exit(1);
}

int stand_in_begin(struct stand_in *s, const char *name, int slave, struct err *e)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		return err_set(e, errno, "make a signal descriptor");
	prctl(PR_SET_NAME, name);
	setsid();
	s->tty = slave >= 0;
	if (!s->tty)
		return 0;
	for (int i = 0; i < 3; i++)
		if (dup2(slave, i) < 0)
			return err_set(e, errno, "take the terminal");
	return ioctl(0, TIOCSCTTY, 0) < 0 ? err_set(e, errno, "take the terminal as ours") : 0;
}

/* They are the monitor's now. The terminal stays ours, to be told its size. */
static void leave_streams(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3 && null >= 0; i++)
		dup2(null, i);
	if (null > 2)
		close(null);
}

int stand_in_ask(struct stand_in *s, int dirfd, enum proto_type what, const char *document, struct err *e)
{
	int fds[3], r, sock = fd_connect_unix(dirfd, CLIENT_SOCKET, SOCK_STREAM);

	if (sock == -ENOENT)
		sock = fd_connect_unix(dirfd, RT_START_SOCKET, SOCK_STREAM);
	if (sock < 0)
		return err_set(e, -sock, "reach the sandbox's monitor");
	proto_open(&s->c, sock);
	for (int i = 0; i < 3; i++)
		fds[i] = terminal_own(i);
	r = proto_send_fds(&s->c, what, 0, 1, document, strlen(document), fds, 3);
	if (r < 0)
		return err_set(e, -r, "talk to the sandbox's monitor");
	for (int i = 0; i < 3; i++)
		fd_close(fds[i]);
	if (!s->tty)
		leave_streams();
	return 0;
}

void stand_in_confine(struct stand_in *s)
{
	struct err e = ERR_INIT;

	if (confine_monitor(&e) < 0)
		stand_in_give_up(s, &e);
}

static int send_size(struct proto *c, int tty)
{
	struct winsize ws;
	uint8_t data[8];

	if (ioctl(tty, TIOCGWINSZ, &ws) < 0 || (ws.ws_row == 0 && ws.ws_col == 0))
		return 0;
	memcpy(data, (uint16_t[]){ ws.ws_row, ws.ws_col, ws.ws_xpixel, ws.ws_ypixel }, sizeof(data));
	return proto_send(c, PROTO_WINSIZE, 0, 0, 0, data, sizeof(data));
}

static void serve_signals(struct stand_in *s)
{
	struct signalfd_siginfo info;
	uint8_t data[8] = { 0 };

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH && s->tty)
			send_size(&s->c, 0);
		/* Not the kernel's, but for a terminal that hangs up. */
		if (info.ssi_code <= 0 || info.ssi_signo == SIGHUP) {
			proto_put_u32(data, info.ssi_signo);
			proto_send(&s->c, PROTO_SIGNAL, 0, 0, 0, data, sizeof(data));
		}
	}
}

/* The creator: once it has recorded us it says so; before that its end is ours. */
static void serve_sync(struct stand_in *s)
{
	struct sync_frame f;
	int fd, msg = sync_recv(s->sync, &f, &fd);

	fd_close(fd);
	if (msg == SYNC_GO) {
		s->committed = true;
		return;
	}
	if (!s->committed)
		_exit(1);
	s->sync = fd_close(s->sync);
}

static void serve_message(struct stand_in *s, const struct proto_msg *m)
{
	struct err e = ERR_INIT;

	switch (m->type) {
	case PROTO_EXIT:
		/* Its program has ended before anybody was told that it runs. */
		err_text(&e, ESRCH, "the process in the sandbox was killed");
		tell(s, NULL, false, &e);
		_exit((int)(proto_u32(m, 0) & 0xff));
	case PROTO_ERROR:
		proto_error(m, &e);
		tell(s, NULL, proto_u32(m, 4) & PROTO_EXEC_FAILED, &e);
		_exit(1);
	case PROTO_DONE:
		if (!s->told && s->tty)
			send_size(&s->c, 0);
		tell(s, m, false, NULL);
		break;
	case PROTO_OOM:
		if (s->fate >= 0)
			vm_fate_write(s->fate, ++s->kills, NULL);
		break;
	default:
		break;
	}
}

/* The connection is gone. */
_Noreturn static void lost(struct stand_in *s)
{
	struct err e = ERR_INIT;

	err_text(&e, ESRCH, "container not running: the sandbox has ended");
	tell(s, NULL, false, &e);
	if (s->fate >= 0)
		vm_fate_write(s->fate, s->kills, "the sandbox that it ran in has ended");
	_exit(128 + SIGKILL);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int left(int64_t until)
{
	int64_t ms = until - now_ms();

	return ms > 0 ? (int)ms : 0;
}

void stand_in_follow(struct stand_in *s)
{
	enum { P_MONITOR, P_SIGNALS, P_SYNC, P_ALL };
	struct pollfd at[P_ALL] = { [P_SIGNALS] = { .fd = s->signals, .events = POLLIN } };
	int64_t until = s->patience ? now_ms() + s->patience : 0;
	struct err e = ERR_INIT;
	struct proto_msg m;
	bool more = false;
	int r, budget;

	for (;;) {
		at[P_MONITOR] = (struct pollfd){ .fd = s->c.fd,
			.events = (short)(POLLIN | (proto_waits(&s->c) ? POLLOUT : 0)) };
		at[P_SYNC] = (struct pollfd){ .fd = s->sync, .events = POLLIN };
		r = poll(at, P_ALL, more ? 0 : s->told || !until ? -1 : left(until));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 || (!s->told && until && left(until) == 0)) {
			if (r < 0)
				err_set(&e, errno, "wait for the sandbox's monitor");
			else
				err_text(&e, ETIMEDOUT, "the sandbox's guest has not answered within %d s",
					s->patience / 1000);
			stand_in_give_up(s, &e);
		}
		if (at[P_SIGNALS].revents)
			serve_signals(s);
		proto_flush(&s->c);
		/* Whatever the monitor has become: our creator and signals are heard, too. */
		for (budget = 64; budget > 0 && (r = proto_next(&s->c, &m)) > 0; budget--)
			serve_message(s, &m);
		more = budget == 0;
		if (r < 0)
			lost(s);
		if (at[P_SYNC].revents)
			serve_sync(s);
	}
}
