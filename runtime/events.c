/* SPDX-License-Identifier: Apache-2.0 */
/* events: statistics at intervals, and out-of-memory kills as they happen. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/engine.h"

static int stats_line(struct rt_partition *p, char **line, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text;
	int r;

	if (!w)
		return err_set(e, ENOMEM, "tell statistics");
	json_open_object(w, NULL);
	json_put_string(w, "type", "stats");
	json_put_string(w, "id", p->id);
	json_open_object(w, "data");
	r = p->engine->stats(p, w, e);
	if (r < 0)
		return r;
	json_close_object(w);
	json_close_object(w);
	text = json_writer_text(w, NULL);
	*line = text ? strdup(text) : NULL;
	return *line ? 0 : err_set(e, ENOMEM, "tell statistics");
}

static int open_living(const struct rt_ctx *ctx, const char *id, struct rt_partition **p, struct err *e)
{
	enum rt_status status;
	int r = rt_partition_open(ctx, id, RT_UNLOCKED, p, e);

	if (r == 0)
		r = rt_partition_status(*p, &status, e);
	if (r < 0)
		return r;
	if (status == RT_STOPPED || status == RT_CREATING)
		return err_text(e, ESRCH, "container not running: \"%s\" is %s", id, rt_status_names[status]);
	return 0;
}

int rt_stats(const struct rt_ctx *ctx, const char *id, char **line, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	int r = open_living(ctx, id, &p, e);

	return r < 0 ? r : stats_line(p, line, e);
}

void rt_oom_hand_over(struct rt_oom *oom)
{
	const int both[] = { oom->fd, oom->empty };

	if (oom->fd < 0 || oom->to < 0)
		return;
	fd_send(oom->to, "", 1, both, oom->empty >= 0 ? 2 : 1);
	oom->fd = fd_close(oom->fd);
	oom->empty = fd_close(oom->empty);
}

void rt_oom_read(struct rt_oom *oom)
{
	uint64_t n = 0;

	if (oom->fd >= 0)
		oom->killed = cgrp_oom_read(oom->fd, &n) == 0 && n > 0;
	oom->fd = fd_close(oom->fd);
	oom->empty = fd_close(oom->empty);
}

/* A payload that lives at its limit changes memory.events all the time. Some seconds of that are enough. */
#define LOOKS_MAX 1000

void rt_oom_poll(const struct rt_oom *oom, struct pollfd *p)
{
	bool watch = oom && oom->empty >= 0;

	p[0] = (struct pollfd){ .fd = watch ? oom->empty : -1, .events = POLLPRI };
	p[1] = (struct pollfd){ .fd = watch && oom->looks < LOOKS_MAX ? oom->fd : -1, .events = POLLPRI };
}

void rt_oom_look(struct rt_oom *oom, const struct pollfd *p)
{
	uint64_t n = 0;

	if (!p[0].revents && !p[1].revents)
		return;
	oom->looks += p[1].revents != 0;
	if (cgrp_oom_read(oom->fd, &n) < 0 || n > 0 || cgrp_empty_seen(oom->empty))
		rt_oom_read(oom);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int send_oom(struct rt_partition *p, int (*line)(const char *text, void *arg), void *arg)
{
	char text[400];

	/* Ids need no escaping: rt_check_id(). */
	snprintf(text, sizeof(text), "{\"type\":\"oom\",\"id\":\"%s\"}", p->id);
	return line(text, arg);
}

struct oom_watch {
	int fd;
	short events;
	bool counts; /* else each time that it wakes us is one */
	uint64_t seen;
};

static int oom_count(const struct rt_partition *p, uint64_t *n)
{
	struct err ignored;

	if (p->engine->oom_count)
		return p->engine->oom_count(p, n, &ignored);
	return p->cgroup ? cgrp_oom_count(p->cgroup, n, &ignored) : -ENODEV;
}

/*
 * v1's eventfd tells of each time. v2's memory.events changes for other reasons too, so that the number of
 * kills counts.
 */
static void watch_oom(const struct rt_partition *p, struct oom_watch *w)
{
	struct err ignored;

	*w = (struct oom_watch){ .fd = -EBADF };
	if (p->engine->oom_watch) {
		w->fd = p->engine->oom_watch(p, &ignored);
		w->events = POLLIN;
		w->counts = true;
	} else if (p->cgroup) {
		w->fd = cgrp_oom_fd(p->cgroup, &w->events, &ignored);
		w->counts = w->events == POLLPRI;
	}
	if (w->counts)
		oom_count(p, &w->seen);
}

/* So that it does not wake us again. False: it never will. */
static bool oom_seen(const struct rt_partition *p, const struct oom_watch *w, short got)
{
	char events[4096];

	if (got & POLLHUP)
		return false;
	if (!p->engine->oom_watch)
		return cgrp_oom_seen(w->fd, w->events);
	return read(w->fd, events, sizeof(events)) > 0;
}

/* The kernel may tell of a kill up to 10 ms late, so the last look comes after the end. */
static int look_for_oom(struct rt_partition *p, struct oom_watch *w, bool woken,
	int (*line)(const char *text, void *arg), void *arg)
{
	uint64_t count;

	if (!w->counts)
		return woken ? send_oom(p, line, arg) : 0;
	if (oom_count(p, &count) < 0 || count == w->seen)
		return 0;
	w->seen = count;
	return send_oom(p, line, arg);
}

static int follow(struct rt_partition *p, int interval_ms, int (*line)(const char *text, void *arg),
	void *arg, struct err *e)
{
	_cleanup_close_ int pidfd = rt_pidfd(p);
	int64_t next = now_ms() + interval_ms;
	struct oom_watch oom;
	bool ended = pidfd < 0;
	int r = 0;

	watch_oom(p, &oom);
	while (r == 0 && !ended) {
		struct pollfd poll_for[2] = { { .fd = pidfd, .events = POLLIN },
			{ .fd = oom.fd, .events = oom.events } };
		int64_t left = next - now_ms();

		/* Also when a line is due: they may all be late, where a look takes longer than the interval.
		 */
		poll(poll_for, 2, left > 0 ? (int)left : 0);
		ended = poll_for[0].revents != 0;
		/* A cgroup that is gone would wake us for ever. */
		if (poll_for[1].revents && !oom_seen(p, &oom, poll_for[1].revents))
			oom.fd = fd_close(oom.fd);
		if (ended || poll_for[1].revents)
			r = look_for_oom(p, &oom, poll_for[1].revents != 0, line, arg);
		if (r == 0 && !ended && now_ms() >= next) {
			_cleanup_free_ char *text = NULL;

			if (stats_line(p, &text, e) == 0)
				r = line(text, arg);
			next += interval_ms;
			if (next < now_ms())
				next = now_ms();
		}
	}
	fd_close(oom.fd);
	if (r == 0)
		err_clear(e);
	return r;
}

int rt_events(const struct rt_ctx *ctx, const char *id, int interval_ms,
	int (*line)(const char *text, void *arg), void *arg, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	int r;

	if (interval_ms <= 0)
		return err_text(e, EINVAL, "--interval must be longer than 0");
	r = open_living(ctx, id, &p, e);
	return r < 0 ? r : follow(p, interval_ms, line, arg, e);
}
