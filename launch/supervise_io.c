/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passes through a supervisor: the payload's output into the log and to who is attached, their input to
 * the payload. Everything is bounded: one message of output that somebody has not taken yet, one of input
 * that the payload has not taken yet.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "base/fd.h"
#include "launch/supervisor.h"

#define STALL_MS   1000 /* for which a client may hold the payload up */
#define FORGIVE_MS 5000 /* without a stall, and it may again */
#define DEAF_MS	   100
#define LAST_MS	   500

#define IN	   1 /* offset of the data in a message, after its stream */

/* --- clients --------------------------------------------------------------------------------------- */

static void drop(struct supervisor_client *c)
{
	*c = (struct supervisor_client){ .fd = fd_close(c->fd) };
}

static bool say(struct supervisor_client *c, char command, const void *data, size_t len)
{
	int r = control_send(c->fd, command, data, len, MSG_DONTWAIT);

	if (r < 0 && r != -EAGAIN)
		drop(c);
	return r == 0;
}

/* A few places are kept for who says one thing and goes, such as `stop`. */
static bool may_stay(struct supervisor *s, struct supervisor_client *c)
{
	static const char full[] = "too many are attached already";
	int n = 0;

	for (int i = 0; i < SUPERVISOR_CLIENTS; i++)
		n += s->clients[i].attached || s->clients[i].waiting;
	if (n < SUPERVISOR_STAYING)
		return true;
	say(c, CONTROL_REFUSED, full, sizeof(full) - 1);
	drop(c);
	return false;
}

/* A free place, or that of who has been there longest without saying what he wants: `stop` must get in. */
static struct supervisor_client *find_place(struct supervisor *s)
{
	struct supervisor_client *oldest = NULL;

	for (int i = 0; i < SUPERVISOR_CLIENTS; i++) {
		struct supervisor_client *c = &s->clients[i];

		if (c->fd < 0)
			return c;
		if (!c->attached && !c->waiting && !c->owes_exit && (!oldest || c->number < oldest->number))
			oldest = c;
	}
	if (oldest)
		drop(oldest);
	return oldest;
}

static void welcome(struct supervisor *s)
{
	static uint64_t number;
	int fd = control_accept(s->listener);
	struct supervisor_client *c = fd < 0 ? NULL : find_place(s);

	if (c)
		*c = (struct supervisor_client){ .fd = fd, .number = number++, .budget = STALL_MS };
	else
		fd_close(fd);
}

bool supervisor_throttled(const struct supervisor *s)
{
	return s->out_len > 0;
}

static int64_t patience_ends(const struct supervisor_client *c)
{
	return c->since + c->budget;
}

int64_t supervisor_io_due(const struct supervisor *s)
{
	int64_t due = s->deaf_until ? s->deaf_until : INT64_MAX;

	for (int i = 0; i < SUPERVISOR_CLIENTS; i++)
		if (s->clients[i].owes && patience_ends(&s->clients[i]) < due)
			due = patience_ends(&s->clients[i]);
	return due;
}

static void send_out(struct supervisor *s, struct supervisor_client *c)
{
	int64_t now;

	if (!c->attached)
		return;
	if (c->lagging) {
		c->lost += s->out_len - 1;
		return;
	}
	if (say(c, CONTROL_OUTPUT, s->out, s->out_len) || c->fd < 0)
		return;
	now = supervisor_now();
	if (now - c->last > FORGIVE_MS)
		c->budget = STALL_MS;
	c->owes = true;
	c->since = now;
}

/* What is left to be taken: when nobody owes any more, reading goes on. */
static void settle(struct supervisor *s)
{
	bool owed = false;

	for (int i = 0; i < SUPERVISOR_CLIENTS; i++) {
		struct supervisor_client *c = &s->clients[i];

		if (c->owes && supervisor_now() >= patience_ends(c)) {
			c->owes = false;
			c->lagging = true;
			c->lost += s->out_len - 1;
		}
		owed = owed || c->owes;
	}
	if (!owed)
		s->out_len = 0;
}

static void client_writable(struct supervisor *s, struct supervisor_client *c)
{
	int64_t now = supervisor_now();

	if (c->owes && say(c, CONTROL_OUTPUT, s->out, s->out_len)) {
		c->owes = false;
		c->budget -= now - c->since < c->budget ? (int)(now - c->since) : c->budget;
		c->last = now;
	}
	if (c->lagging && say(c, CONTROL_LOST, &c->lost, sizeof(c->lost))) {
		c->lagging = false;
		c->lost = 0;
		c->last = now;
	}
	if (c->owes_exit && !c->lagging && !c->owes) {
		int32_t status = s->status;

		if (say(c, CONTROL_EXIT, &status, sizeof(status)))
			c->owes_exit = c->attached = false;
	}
}

void supervisor_tell_exit(struct supervisor *s, bool at_the_end)
{
	for (int i = 0; i < SUPERVISOR_CLIENTS; i++) {
		struct supervisor_client *c = &s->clients[i];

		if (c->fd < 0 || (!c->attached && !(at_the_end && c->waiting)))
			continue;
		c->owes_exit = true;
		client_writable(s, c);
	}
}

/* A moment for those who have not yet taken the last message. */
void supervisor_close_clients(struct supervisor *s)
{
	int64_t end = supervisor_now() + LAST_MS;

	for (int i = 0; i < SUPERVISOR_CLIENTS; i++) {
		struct supervisor_client *c = &s->clients[i];

		while (c->fd >= 0 && c->owes_exit && supervisor_now() < end) {
			struct pollfd p = { .fd = c->fd, .events = POLLOUT };

			if (poll(&p, 1, LAST_MS) <= 0 || (p.revents & (POLLERR | POLLHUP)))
				break;
			client_writable(s, c);
		}
		drop(c);
	}
}

/* --- input ------------------------------------------------------------------------------------------- */

static void close_input(struct supervisor *s)
{
	struct termios t;

	s->close_input = false;
	if (!s->tty) {
		s->to = fd_close(s->to);
		return;
	}
	/* A terminal is told as a person would, with its end-of-file character. */
	if (s->to >= 0 && tcgetattr(s->to, &t) == 0 && (t.c_lflag & ICANON))
		(void)!write(s->to, &t.c_cc[VEOF], 1);
}

static void push_input(struct supervisor *s)
{
	while (s->in_len > 0) {
		ssize_t n = s->to < 0 ? -1 : write(s->to, s->in + s->in_at, s->in_len);

		if (n < 0 && s->to >= 0 && (errno == EAGAIN || errno == EINTR))
			return;
		/* Nobody reads it any more. */
		if (n <= 0)
			n = (ssize_t)s->in_len;
		s->in_at += (size_t)n;
		s->in_len -= (size_t)n;
	}
	s->in_at = 0;
	if (s->close_input)
		close_input(s);
}

static void resize(struct supervisor *s, const char *data, size_t len)
{
	uint16_t size[2];
	struct winsize w = { 0 };

	if (!s->tty || s->to < 0 || len != sizeof(size))
		return;
	memcpy(size, data, sizeof(size));
	w.ws_row = size[0];
	w.ws_col = size[1];
	ioctl(s->to, TIOCSWINSZ, &w);
}

static void asked_to_attach(struct supervisor *s, struct supervisor_client *c)
{
	static const char gone[] = "it does not run just now";
	char flags = (char)((s->tty ? CONTROL_TTY : 0) | (s->tty || s->to >= 0 ? CONTROL_STDIN : 0));

	if (s->phase != SV_UP && s->phase != SV_STARTING) {
		say(c, CONTROL_REFUSED, gone, sizeof(gone) - 1);
		drop(c);
		return;
	}
	if (may_stay(s, c))
		c->attached = say(c, CONTROL_READY, &flags, 1);
}

static void command(
	struct supervisor *s, struct supervisor_client *c, char what, const char *data, size_t len)
{
	const char none = 0;

	switch (what) {
	case CONTROL_ATTACH:
		asked_to_attach(s, c);
		break;
	case CONTROL_INPUT:
		if (!c->attached || s->to < 0 || s->close_input)
			break;
		memcpy(s->in, data, len);
		s->in_len = len;
		push_input(s);
		break;
	case CONTROL_RESIZE:
		if (c->attached)
			resize(s, data, len);
		break;
	case CONTROL_CLOSE_INPUT:
		if (c->attached && s->to >= 0) {
			s->close_input = true;
			push_input(s);
		}
		break;
	case CONTROL_STOP:
		s->stopped = true;
		s->keep = s->keep || (len == 1 && data[0] == CONTROL_KEEP);
		say(c, CONTROL_READY, &none, 1);
		break;
	case CONTROL_WAIT:
		if (may_stay(s, c))
			c->waiting = say(c, CONTROL_READY, &none, 1);
		break;
	default: /* of another version of us */
		drop(c);
	}
}

/* One message: the others get their turn, too. */
static void client_readable(struct supervisor *s, struct supervisor_client *c)
{
	/* Static, as all that is large. */
	static char message[CONTROL_MAX];
	ssize_t n = recv(c->fd, message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || n > CONTROL_CHUNK + 1) {
		drop(c);
		return;
	}
	command(s, c, message[0], message + 1, (size_t)n - 1);
}

/* --- output ------------------------------------------------------------------------------------------ */

void supervisor_take_console(struct supervisor *s)
{
	_cleanup_close_ int conn = -EBADF;
	char name[4096];
	size_t n = 1;
	int master = -EBADF;

	if (s->console < 0)
		return;
	/* The runtime has sent it before it said that the payload runs. */
	conn = accept4(s->console, NULL, NULL, SOCK_CLOEXEC);
	if (conn >= 0 && fd_recv(conn, name, sizeof(name), &master, &n) >= 0 && n == 1 &&
		fcntl(master, F_SETFL, O_NONBLOCK) == 0) {
		s->from[0] = master;
		s->to = fcntl(master, F_DUPFD_CLOEXEC, 3);
	}
	s->console = fd_close(s->console);
	unlink(SUPERVISOR_CONSOLE);
}

void supervisor_close_payload(struct supervisor *s)
{
	s->from[0] = fd_close(s->from[0]);
	s->from[1] = fd_close(s->from[1]);
	s->to = fd_close(s->to);
	if (s->console >= 0)
		unlink(SUPERVISOR_CONSOLE);
	s->console = fd_close(s->console);
	s->in_len = s->in_at = 0;
	s->close_input = false;
	s->deaf_until = 0;
}

/* True if something was read. */
static bool read_from(struct supervisor *s, int i)
{
	char *data = s->out + IN;
	ssize_t n;

	if (s->from[i] < 0 || supervisor_throttled(s))
		return false;
	n = read(s->from[i], data, CONTROL_CHUNK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0 && errno == EIO && s->tty && s->phase == SV_UP) {
		/* Nobody has the terminal open. It may be opened again: an init does so. */
		s->deaf_until = supervisor_now() + DEAF_MS;
		return false;
	}
	if (n <= 0) {
		s->from[i] = fd_close(s->from[i]);
		return false;
	}
	launch_log_add(&s->log, i + 1, data, (size_t)n);
	s->out[0] = (char)(i + 1);
	s->out_len = (size_t)n + IN;
	for (int k = 0; k < SUPERVISOR_CLIENTS; k++)
		if (s->clients[k].fd >= 0)
			send_out(s, &s->clients[k]);
	settle(s);
	return true;
}

bool supervisor_read(struct supervisor *s)
{
	bool first = read_from(s, 0);

	return read_from(s, 1) || first;
}

void supervisor_read_all(struct supervisor *s)
{
	int64_t end = supervisor_now() + LAST_MS;

	do {
		for (int i = 0; i < SUPERVISOR_CLIENTS; i++)
			if (s->clients[i].owes)
				s->clients[i].since = s->clients[i].budget = 0;
		settle(s);
	} while (supervisor_read(s) && supervisor_now() < end);
}

/* --- poll -------------------------------------------------------------------------------------------- */

static struct pollfd client_events(const struct supervisor *s, const struct supervisor_client *c)
{
	struct pollfd p = { .fd = c->fd };

	/* Input that the payload does not take yet waits in the socket of who sent it. */
	if (!(c->attached && s->in_len > 0))
		p.events |= POLLIN;
	if (c->owes || c->lagging || c->owes_exit)
		p.events |= POLLOUT;
	return p;
}

int supervisor_poll_set(struct supervisor *s, struct pollfd *p)
{
	bool hold = supervisor_throttled(s);

	if (s->deaf_until && supervisor_now() >= s->deaf_until)
		s->deaf_until = 0;
	p[0] = (struct pollfd){ .fd = s->listener, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = hold || s->deaf_until ? -1 : s->from[0], .events = POLLIN };
	p[2] = (struct pollfd){ .fd = hold ? -1 : s->from[1], .events = POLLIN };
	p[3] = (struct pollfd){ .fd = s->in_len > 0 && !s->deaf_until ? s->to : -1, .events = POLLOUT };
	for (int i = 0; i < SUPERVISOR_CLIENTS; i++)
		p[4 + i] = client_events(s, &s->clients[i]);
	return SUPERVISOR_POLLS;
}

void supervisor_serve(struct supervisor *s, const struct pollfd *p)
{
	for (int i = 0; i < SUPERVISOR_CLIENTS; i++) {
		struct supervisor_client *c = &s->clients[i];
		short got = p[4 + i].revents;

		if (c->fd < 0 || !got)
			continue;
		if (got & POLLOUT)
			client_writable(s, c);
		if (c->fd >= 0 && (got & POLLIN) && !(c->attached && s->in_len > 0))
			client_readable(s, c);
		else if (c->fd >= 0 && (got & (POLLHUP | POLLERR)))
			drop(c);
	}
	if (s->out_len)
		settle(s);
	if (p[3].revents)
		push_input(s);
	if (p[1].revents)
		read_from(s, 0);
	if (p[2].revents)
		read_from(s, 1);
	if (p[0].revents & POLLIN)
		welcome(s);
}
