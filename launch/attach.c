/* SPDX-License-Identifier: Apache-2.0 */
/* attach: our terminal, or stdin and stdout, joined to a partition that a supervisor keeps (see supervise.h).
 */
#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include "base/fd.h"
#include "base/str.h"
#include "launch/control.h"
#include "launch/supervise.h"

#define KEYS_MAX 16

struct session {
	const struct launch_ctx *ctx;
	struct rt_ctx rt;
	const char *name;
	const struct launch_attach_opts *o;
	int sock, signals;
	bool tty, reading; /* reading: our stdin is still to be read */
	bool raw;
	unsigned char keys[KEYS_MAX];
	size_t n_keys, typed; /* typed: how many of them have just come */
	bool detached, ended;
	struct launch_attach_end end;
};

/* --- detach keys ---------------------------------------------------------------------------------------- */

static int key_of(const char *s, size_t len)
{
	static const char prefix[] = "ctrl-";
	size_t n = sizeof(prefix) - 1;
	int c;

	if (len == 1)
		return (unsigned char)s[0];
	if (len != n + 1 || strncasecmp(s, prefix, n) != 0)
		return -1;
	c = toupper((unsigned char)s[n]);
	return c >= '@' && c <= '_' ? c & 0x1f : -1;
}

static int parse_keys(struct session *s, const char *text, struct err *e)
{
	const char *p = text;

	while (*p) {
		size_t len = strcspn(p, ",");
		int key = key_of(p, len);

		if (key < 0 || s->n_keys == KEYS_MAX)
			return err_text(e, EINVAL,
				"option --detach-keys \"%s\": must be at most %d keys, each a letter or "
				"ctrl-X with X one of "
				"a-z @ [ \\ ] ^ _, with commas between them",
				text, KEYS_MAX);
		s->keys[s->n_keys++] = (unsigned char)key;
		p += len + (p[len] == ',');
	}
	return 0;
}

/*
 * Sends what was typed, without the detach keys. A beginning of them that did not go on is sent after all,
 * which is noticed only with the next key, as everywhere.
 */
static int send_input(struct session *s, const unsigned char *data, size_t len)
{
	unsigned char out[CONTROL_CHUNK];
	size_t n = 0;

	for (size_t i = 0; i < len && !s->detached; i++) {
		if (s->tty && s->n_keys && data[i] == s->keys[s->typed]) {
			s->detached = ++s->typed == s->n_keys;
			continue;
		}
		if (s->typed) {
			memcpy(out + n, s->keys, s->typed);
			n += s->typed;
			s->typed = 0;
			i--; /* it may be the first of them */
			continue;
		}
		out[n++] = data[i];
	}
	return n ? control_send(s->sock, CONTROL_INPUT, out, n, 0) : 0;
}

/* --- the terminal ----------------------------------------------------------------------------------------
 */

static void send_size(struct session *s)
{
	struct winsize w;
	uint16_t size[2];

	if (!s->tty || (ioctl(0, TIOCGWINSZ, &w) < 0 && ioctl(1, TIOCGWINSZ, &w) < 0))
		return;
	size[0] = w.ws_row;
	size[1] = w.ws_col;
	control_send(s->sock, CONTROL_RESIZE, size, sizeof(size), 0);
}

/* --- the loop --------------------------------------------------------------------------------------------
 */

/* The keys that stand back take room, too. */
#define READ_MAX (CONTROL_CHUNK - KEYS_MAX)

static void read_stdin(struct session *s)
{
	unsigned char data[READ_MAX];
	ssize_t n = read(0, data, sizeof(data));
	struct stat st;

	if (n > 0) {
		send_input(s, data, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	s->reading = false;
	/* The end of /dev/null, which many are started with, is nothing that somebody wanted to say. */
	if (n == 0 && fstat(0, &st) == 0 && !S_ISCHR(st.st_mode))
		control_send(s->sock, CONTROL_CLOSE_INPUT, NULL, 0, 0);
}

static int take_output(struct session *s, const char *message, size_t len)
{
	uint64_t lost;
	int32_t status;
	int r = 0;

	if (message[0] == CONTROL_OUTPUT && len > 2) {
		r = fd_write_all(message[1] == 2 ? 2 : 1, message + 2, len - 2);
		/* A stream of ours that nobody reads: we are of no more use. */
		return r == -EPIPE || r == -EIO ? r : 0;
	}
	if (message[0] == CONTROL_LOST && len == 1 + sizeof(lost)) {
		memcpy(&lost, message + 1, sizeof(lost));
		s->end.lost += lost;
	} else if (message[0] == CONTROL_EXIT && len == 1 + sizeof(status)) {
		memcpy(&status, message + 1, sizeof(status));
		s->end.status = status;
		s->ended = true;
	}
	return 0;
}

static void serve_signals(struct session *s)
{
	struct signalfd_siginfo info;
	struct err ignored = ERR_INIT;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			send_size(s);
		else if (s->o->no_sig_proxy || info.ssi_signo == SIGHUP)
			s->detached = true; /* with SIGHUP our terminal has gone, and not its */
		else
			rt_kill(&s->rt, s->name, (int)info.ssi_signo, false, &ignored);
	}
}

static bool can_send(const struct session *s)
{
	struct pollfd p = { .fd = s->sock, .events = POLLOUT };

	return poll(&p, 1, 0) > 0;
}

static int relay(struct session *s, struct err *e)
{
	char message[CONTROL_MAX];

	while (!s->ended && !s->detached) {
		/* Input that it does not take must not keep us from showing its output. */
		bool room = s->reading && can_send(s);
		struct pollfd p[3] = {
			{ .fd = s->sock, .events = s->reading && !room ? POLLIN | POLLOUT : POLLIN },
			{ .fd = s->signals, .events = POLLIN },
			{ .fd = room ? 0 : -1, .events = POLLIN },
		};
		ssize_t n;

		if (poll(p, 3, -1) < 0 && errno != EINTR)
			return err_set(e, errno, "wait for partition \"%s\"", s->name);
		if (p[1].revents)
			serve_signals(s);
		if (p[2].revents)
			read_stdin(s);
		if (!(p[0].revents & ~POLLOUT))
			continue;
		n = recv(s->sock, message, sizeof(message), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return err_text(e, ECONNRESET, "partition \"%s\": its supervisor has gone", s->name);
		if (take_output(s, message, (size_t)n) < 0)
			s->detached = true;
	}
	return 0;
}

static int take_signals(struct session *s, struct err *e)
{
	static const int ours[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		sigaddset(&set, ours[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? err_set(e, errno, "make a signal descriptor") : 0;
}

static int stay(struct session *s, struct err *e)
{
	struct termios saved, raw;
	int r;

	s->raw = s->tty && s->reading && tcgetattr(0, &saved) == 0;
	if (s->raw) {
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(0, TCSANOW, &raw);
	}
	send_size(s);
	r = relay(s, e);
	if (s->raw)
		tcsetattr(0, TCSADRAIN, &saved);
	return r;
}

/* --- beginning -------------------------------------------------------------------------------------------
 */

static int nobody(const struct launch_ctx *ctx, const struct launch_dir *d, struct err *e)
{
	struct rt_ctx rt = launch_rt(ctx, &d->record);
	const char *name = d->record.name;
	struct err ignored = ERR_INIT;
	struct rt_info info;
	bool runs = false;

	if (rt_info(&rt, name, &info, &ignored) == 0) {
		runs = info.status != RT_STOPPED;
		rt_info_free(&info);
	}
	if (!runs)
		return err_text(
			e, ESRCH, "partition \"%s\" does not run; \"ringfence restart\" runs it again", name);
	return err_text(e, ENOTCONN,
		"partition \"%s\" has no supervisor to attach to: it runs in the foreground of another "
		"terminal, or its "
		"supervisor was killed; \"ringfence exec\" gets you in",
		name);
}

static int attach(struct session *s, const struct launch_dir *d, struct err *e)
{
	int r = take_signals(s, e);

	if (r < 0)
		return r;
	r = control_ask(s->sock, CONTROL_ATTACH, NULL, 0, e);
	if (r == -ECONNRESET || r == -EBUSY)
		return err_wrap(e, "partition \"%s\"", s->name);
	if (r < 0)
		return r;
	s->tty = r & CONTROL_TTY;
	s->reading = !s->o->no_stdin && (r & CONTROL_STDIN);
	r = stay(s, e);
	return r;
}

int launch_attach(const struct launch_ctx *ctx, const char *name, const struct launch_attach_opts *o,
	struct launch_attach_end *end, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_dir d = LAUNCH_DIR_INIT;
	struct session s = {
		.ctx = ctx, .name = name, .o = o, .sock = -EBADF, .signals = -EBADF, .end = { .status = -1 }
	};
	int r;

	if (!a)
		return err_set(e, ENOMEM, "attach to \"%s\"", name);
	r = parse_keys(&s, o->detach_keys ? o->detach_keys : "ctrl-p,ctrl-q", e);
	if (r == 0)
		r = launch_dir_open(ctx, name, false, a, &d, e);
	if (r < 0)
		return r;
	s.rt = launch_rt(ctx, &d.record);
	s.sock = control_connect(d.fd);
	if (s.sock == -ENOENT || s.sock == -ECONNREFUSED)
		r = nobody(ctx, &d, e);
	else if (s.sock < 0)
		r = err_set(e, -s.sock, "talk to the supervisor of partition \"%s\"", name);
	else
		r = attach(&s, &d, e);
	if (r == 0)
		*end = s.end;
	fd_close(s.sock);
	fd_close(s.signals);
	launch_dir_close(&d);
	return r;
}
