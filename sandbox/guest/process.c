/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that the monitor knows: their input, their output, their end. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "sandbox/guest/guest.h"

#define CHUNK	 32768 /* what virtio-serial takes at once */
#define GRACE_MS 100   /* for the output of those that a process leaves behind */
#define DEAF_MS	 100   /* how often a terminal is looked at that nobody has open */

struct guest_process *guest_process_new(struct guest *g, uint32_t id)
{
	struct guest_process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	*p = (struct guest_process){ .id = id, .in = -EBADF, .in_polled = -1 };
	for (int i = 0; i < 2; i++)
		p->out[i] = (struct guest_stream){ .fd = -EBADF, .polled = -1, .room = PROTO_WINDOW };
	p->next = g->processes;
	g->processes = p;
	return p;
}

struct guest_process *guest_process_find(const struct guest *g, uint32_t id)
{
	struct guest_process *p = g->processes;

	while (p && p->id != id)
		p = p->next;
	return p;
}

void guest_process_free(struct guest *g, struct guest_process *p)
{
	struct guest_process **at = &g->processes;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	fd_close(p->in);
	fd_close(p->out[0].fd);
	fd_close(p->out[1].fd);
	free(p->input);
	free(p);
}

/* --- input
 * --------------------------------------------------------------------------------------------------- */

static void credit(struct guest *g, const struct guest_process *p, size_t n)
{
	uint8_t data[4];

	proto_put_u32(data, (uint32_t)n);
	if (n)
		guest_say(g, PROTO_CREDIT, 0, p->id, 0, data, sizeof(data));
}

static void forget_input(struct guest *g, struct guest_process *p)
{
	credit(g, p, p->in_len);
	free(p->input);
	p->input = NULL;
	p->in_at = p->in_len = 0;
}

static void end_stream(struct guest *g, struct guest_process *p, int i)
{
	p->out[i].fd = fd_close(p->out[i].fd);
	if (!p->out[i].over)
		guest_say(g, i == 0 ? PROTO_STDOUT : PROTO_STDERR, 0, p->id, 0, NULL, 0);
	p->out[i].over = true;
}

/* The end of a terminal's input is that of the terminal: what has it open finds it hung up, as on the host.
 */
static void hang_up(struct guest *g, struct guest_process *p)
{
	forget_input(g, p);
	p->in = fd_close(p->in);
	end_stream(g, p, 0);
}

void guest_process_push(struct guest *g, struct guest_process *p)
{
	size_t before = p->in_len;

	if (p->close_input && p->terminal) {
		hang_up(g, p);
		return;
	}
	while (p->in_len > 0 && p->in >= 0) {
		ssize_t n = write(p->in, p->input + p->in_at, p->in_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		/* Nobody reads it any more: what still comes is taken, and goes nowhere. */
		if (n < 0) {
			p->in = fd_close(p->in);
			break;
		}
		p->in_at += (size_t)n;
		p->in_len -= (size_t)n;
	}
	credit(g, p, before - p->in_len);
	if (p->in_len == 0 || p->in < 0)
		forget_input(g, p);
	if (p->close_input && p->in_len == 0)
		p->in = fd_close(p->in);
}

void guest_process_input(struct guest *g, struct guest_process *p, const uint8_t *data, size_t len)
{
	bool there = p->pid > 0;
	uint8_t *all;

	if (len == 0)
		p->close_input = true;
	if (len > PROTO_WINDOW - p->in_len) {
		g->gone = true;
		return;
	}
	if (len && (p->ended || (there && p->in < 0))) {
		credit(g, p, len);
		return;
	}
	if (len) {
		all = malloc(p->in_len + len);
		if (!all) {
			g->gone = true;
			return;
		}
		if (p->in_len)
			memcpy(all, p->input + p->in_at, p->in_len);
		memcpy(all + p->in_len, data, len);
		free(p->input);
		p->input = all;
		p->in_at = 0;
		p->in_len += len;
	}
	if (there)
		guest_process_push(g, p);
}

/* u16 rows, columns, x and y pixels, little endian as all else. */
void guest_process_resize(struct guest_process *p, const struct proto_msg *m)
{
	const uint8_t *d = m->data;

	if (m->len != 8)
		return;
	p->size = (struct winsize){ .ws_row = (uint16_t)(d[0] | d[1] << 8),
		.ws_col = (uint16_t)(d[2] | d[3] << 8),
		.ws_xpixel = (uint16_t)(d[4] | d[5] << 8),
		.ws_ypixel = (uint16_t)(d[6] | d[7] << 8) };
	p->sized = true;
	if (p->terminal && p->out[0].fd >= 0)
		ioctl(p->out[0].fd, TIOCSWINSZ, &p->size);
}

void guest_process_adopt(struct guest_process *p, struct guest_worker *w)
{
	p->pid = w->a.pid;
	p->terminal = w->a.terminal;
	p->out[0].fd = TAKE_FD(w->fds[GUEST_OUT]);
	p->out[1].fd = TAKE_FD(w->fds[GUEST_ERR]);
	p->in = TAKE_FD(w->fds[GUEST_IN]);
	if (!p->terminal)
		return;
	p->in = fcntl(p->out[0].fd, F_DUPFD_CLOEXEC, 3);
	if (p->sized)
		ioctl(p->out[0].fd, TIOCSWINSZ, &p->size);
}

/* --- output
 * ---------------------------------------------------------------------------------------------------- */

/*
 * The process is gone, and there are others that hold its output open: what is in there now still counts.
 * A terminal has more in store than it tells of.
 */
static void bound(struct guest_process *p, struct guest_stream *s)
{
	int n = 0;

	if (s->bounded)
		return;
	s->bounded = true;
	s->left = ioctl(s->fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
	if (p->terminal)
		s->left += CHUNK;
}

static bool holds(const struct guest *g, const struct guest_stream *s)
{
	return s->room == 0 || proto_waits(&g->port);
}

static void read_stream(struct guest *g, struct guest_process *p, int i)
{
	static uint8_t data[CHUNK]; /* as all that is large: not on the stack, and one for all */
	struct guest_stream *s = &p->out[i];
	size_t want = s->room < CHUNK ? s->room : CHUNK;
	ssize_t n;

	if (s->fd < 0 || holds(g, s))
		return;
	if (p->ended && guest_now() >= p->since + GRACE_MS)
		bound(p, s);
	if (s->bounded && s->left < want)
		want = s->left;
	n = want ? read(s->fd, data, want) : 0;
	if (n < 0 && errno == EINTR)
		return;
	if (n < 0 && errno == EAGAIN && !s->bounded)
		return;
	if (n < 0 && errno == EIO && p->terminal && !p->ended) {
		/* Nobody has the terminal open. It may be opened again: an init does so. */
		s->silent = guest_now() + DEAF_MS;
		return;
	}
	if (n <= 0) {
		end_stream(g, p, i);
		return;
	}
	s->room -= (uint32_t)n;
	if (s->bounded)
		s->left -= (size_t)n;
	guest_say(g, i == 0 ? PROTO_STDOUT : PROTO_STDERR, 0, p->id, 0, data, (size_t)n);
}

void guest_process_credit(struct guest *g, uint32_t id, unsigned stream, uint32_t n)
{
	/* What has ended meanwhile needs none. */
	struct guest_process *p = guest_process_find(g, id);
	struct guest_stream *s;

	if (!p)
		return;
	if (stream != 1 && stream != 2) {
		g->gone = true;
		return;
	}
	s = &p->out[stream - 1];
	if (n > PROTO_WINDOW - s->room)
		g->gone = true;
	else
		s->room += n;
}

/* --- the end
 * ------------------------------------------------------------------------------------------------------ */

void guest_process_ended(struct guest *g, pid_t pid, int status)
{
	struct guest_process *p = g->processes;
	const struct guest_partition *of;

	while (p && p->pid != pid)
		p = p->next;
	if (!p)
		return;
	p->pid = 0;
	p->ended = true;
	p->status = (uint32_t)(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	p->since = guest_now();
	p->in = fd_close(p->in);
	forget_input(g, p);
	/* Killed before it was started: there is no answer to wait for. */
	of = guest_partition_find(g, p->id);
	if (of && of->phase == GUEST_CREATED && !of->under_way)
		p->answered = true;
}

static void tell_end(struct guest *g, struct guest_process *p)
{
	struct guest_partition *of = guest_partition_find(g, p->id);
	uint8_t status[4];

	end_stream(g, p, 0);
	end_stream(g, p, 1);
	if (of)
		guest_look_for_oom(g, of);
	/* With the first one the machine ends. What others leave behind is removed before anybody hears. */
	if (of && of->id != 0) {
		if (!of->removed && !of->under_way && !g->off)
			guest_partition_remove(g, of);
		if (of->under_way)
			return;
	}
	proto_put_u32(status, p->status);
	guest_say(g, PROTO_EXIT, 0, p->id, 0, status, sizeof(status));
	if (of && of->id != 0)
		guest_partition_free(g, of);
	guest_process_free(g, p);
}

/* --- the loop's part
 * ------------------------------------------------------------------------------------------------ */

void guest_processes_poll(struct guest *g)
{
	int64_t now = guest_now();

	for (struct guest_process *p = g->processes; p; p = p->next) {
		for (int i = 0; i < 2; i++) {
			struct guest_stream *s = &p->out[i];
			bool quiet = !p->answered || holds(g, s) || s->silent > now;

			s->polled = guest_poll_add(g, quiet ? -1 : s->fd, POLLIN);
		}
		p->in_polled = guest_poll_add(g, p->in_len > 0 ? p->in : -1, POLLOUT);
	}
}

void guest_processes_serve(struct guest *g)
{
	struct guest_process *next;

	for (struct guest_process *p = g->processes; p && !g->gone; p = next) {
		bool late = p->ended && guest_now() >= p->since + GRACE_MS;

		next = p->next;
		if (guest_polled(g, p->in_polled))
			guest_process_push(g, p);
		p->in_polled = -1;
		for (int i = 0; i < 2; i++) {
			if (p->answered && (late || guest_polled(g, p->out[i].polled)))
				read_stream(g, p, i);
			p->out[i].polled = -1;
		}
		if (p->answered && p->ended && p->out[0].fd < 0 && p->out[1].fd < 0)
			tell_end(g, p);
	}
}

static int sooner(int64_t now, int64_t at, int due)
{
	int64_t ms = at > now ? at - now : 0;

	return due < 0 || ms < due ? (int)ms : due;
}

int guest_processes_due(const struct guest *g)
{
	const struct guest_partition *of;
	int64_t now = guest_now();
	int due = -1;

	for (const struct guest_process *p = g->processes; p; p = p->next) {
		for (int i = 0; p->answered && i < 2; i++) {
			const struct guest_stream *s = &p->out[i];

			if (s->fd < 0 || holds(g, s))
				continue;
			if (p->ended)
				due = sooner(now, p->since + GRACE_MS, due);
			else if (s->silent > now)
				due = sooner(now, s->silent, due);
		}
		/* Where it is waited for that something is removed, whoever does that will wake us. */
		of = guest_partition_find(g, p->id);
		if (p->answered && p->ended && p->out[0].fd < 0 && p->out[1].fd < 0 && !(of && of->under_way))
			due = 0;
	}
	return due;
}
