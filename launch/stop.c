/* SPDX-License-Identifier: Apache-2.0 */
/* stop and restart (see launch.h). */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"
#include "launch/pidfd.h"
#include "launch/supervisor.h"

#define KILL_MS	 10000 /* for SIGKILL to have its effect */
#define AFTER_MS 60000 /* for what follows the payload's end: poststop hooks, the removal with --rm */
#define LOOK_MS	 50

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the payload -------------------------------------------------------------------------------------- */

/* A pidfd of what the runtime says runs; -ESRCH: nothing does. */
static int payload_fd(const struct rt_ctx *rt, const char *name, bool *paused)
{
	struct rt_info info, again;
	struct err ignored = ERR_INIT;
	int fd = -ESRCH, r;

	r = rt_info(rt, name, &info, &ignored);
	if (r < 0)
		return -ESRCH;
	*paused = info.status == RT_PAUSED;
	if (info.pid > 0 && info.status != RT_STOPPED)
		fd = pidfd_of(info.pid);
	/* Still the one that it was when we looked: the runtime goes by its start time. */
	if (fd >= 0) {
		if (rt_info(rt, name, &again, &ignored) < 0 || again.pid != info.pid)
			fd = -ESRCH;
		rt_info_free(&again);
	}
	rt_info_free(&info);
	return fd;
}

/* Signals it, and lets a frozen one see it. */
static int signal_payload(const struct rt_ctx *rt, const char *name, int sig, bool paused, struct err *e)
{
	int r = rt_kill(rt, name, sig, false, e);

	if (r == -ESRCH || r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r == 0 && paused) {
		r = rt_resume(rt, name, e);
		/* It has ended, or somebody was faster. */
		if (r == -EINVAL || r == -ENOENT) {
			err_clear(e);
			r = 0;
		}
	}
	return r;
}

int launch_end_payload(const struct rt_ctx *rt, const char *name, int sig, int seconds, struct err *e)
{
	bool paused = false;
	_cleanup_close_ int fd = payload_fd(rt, name, &paused);
	int64_t ms = (int64_t)seconds * 1000;
	int r;

	if (fd == -ESRCH)
		return 0;
	if (fd < 0)
		return err_set(e, -fd, "stop partition \"%s\"", name);
	if (sig > 0 && seconds != 0) {
		r = signal_payload(rt, name, sig, paused, e);
		if (r < 0)
			return r;
		if (pidfd_wait(fd, seconds < 0 ? -1 : ms))
			return 0;
	}
	r = signal_payload(rt, name, SIGKILL, paused, e);
	if (r < 0)
		return r;
	if (!pidfd_wait(fd, KILL_MS))
		return err_text(e, EBUSY,
			"partition \"%s\" does not end, not even by SIGKILL: is it waiting for a device?",
			name);
	return 0;
}

/* --- stop ---------------------------------------------------------------------------------------------- */

/* Nobody was there to clear away after it. */
static int clear_away(const struct launch_ctx *ctx, const struct launch_dir *d, const struct rt_ctx *rt,
	struct launch_state *s, struct err *e)
{
	struct rt_info info;
	struct err ignored = ERR_INIT;
	int r = rt_info(rt, d->record.name, &info, &ignored);

	if (r == 0)
		rt_info_free(&info);
	/* Also a wreck that says nothing of itself: its creator was killed halfway. */
	if (r != -ENOENT) {
		r = rt_delete(rt, d->record.name, true, e);
		if (r < 0)
			return r;
	}
	/* How it ended nobody has seen: that is not made up here. */
	if (s->phase == LAUNCH_PHASE_ENDED || s->stopped_by_user)
		return 0;
	s->stopped_by_user = true;
	return launch_state_write(d, s, e);
}

static int stop_signal(const struct launch_dir *d, int *seconds, struct err *e)
{
	if (*seconds < 0)
		*seconds = d->damaged ? 10 : d->record.stop_timeout;
	return d->damaged || !d->record.stop_signal ? SIGTERM : rt_signal_parse(d->record.stop_signal, e);
}

/*
 * The payload, then whoever stays with it: when that has gone, all that follows an end has been done. One
 * that is just starting ends it by itself when it is up.
 */
static int stop(const struct launch_ctx *ctx, struct launch_dir *d, int seconds, bool keep, struct arena *a,
	struct err *e)
{
	_cleanup_close_ int supervisor = -EBADF;
	struct rt_ctx rt = launch_rt(ctx, &d->record);
	struct launch_state s;
	int sig = stop_signal(d, &seconds, e), r = sig;
	int64_t end;

	if (r >= 0)
		r = launch_state_read(d, a, &s, e);
	if (r < 0)
		return r;
	if (launch_supervised(&s)) {
		supervisor = pidfd_of(s.supervisor);
		if (supervisor >= 0 && !launch_supervised(&s))
			supervisor = fd_close(supervisor);
	}
	r = launch_supervisor_stop(d, keep, e);
	if (r >= 0)
		r = launch_end_payload(&rt, d->record.name, sig, seconds, e);
	if (r < 0)
		return r;
	if (supervisor < 0)
		return clear_away(ctx, d, &rt, &s, e);
	end = now_ms() + (seconds > 0 ? (int64_t)seconds * 1000 : 0) + AFTER_MS;
	while (!pidfd_wait(supervisor, LOOK_MS * 4)) {
		/* It came up only now, or somebody has started it without us. */
		r = launch_end_payload(&rt, d->record.name, sig, seconds, e);
		if (r < 0)
			return r;
		if (now_ms() > end)
			return err_text(e, EBUSY,
				"partition \"%s\" has ended, but process %d is still busy with what follows "
				"it",
				d->record.name, (int)s.supervisor);
	}
	/* It was killed just when we looked; or all is done, and there is nothing to clear away. */
	if (!launch_dir_there(d))
		return 0;
	r = launch_state_read(d, a, &s, e);
	return r < 0 || launch_supervised(&s) ? r : clear_away(ctx, d, &rt, &s, e);
}

int launch_stop(const struct launch_ctx *ctx, const char *name, int timeout, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_dir d = LAUNCH_DIR_INIT;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "stop \"%s\"", name);
	/* Without the lock: one that is being started is to be stopped, too. */
	r = launch_dir_open(ctx, name, false, a, &d, e);
	if (r < 0)
		return r;
	r = stop(ctx, &d, timeout, false, a, e);
	launch_dir_close(&d);
	return r;
}

/* --- restart ------------------------------------------------------------------------------------------- */

static int restart(
	const struct launch_ctx *ctx, struct launch_dir *d, int timeout, struct arena *a, struct err *e)
{
	const char *name = d->record.name;
	struct rt_ctx rt = launch_rt(ctx, &d->record);
	struct launch_state s;
	int r;

	if (d->damaged)
		return err_text(e, EINVAL,
			"partition \"%s\": launch.json is damaged; remove it with \"ringfence rm --force\"",
			name);
	r = launch_state_read(d, a, &s, e);
	if (r < 0)
		return r;
	if (d->record.rm && launch_supervised(&s) && !d->record.detach &&
		faccessat(d->fd, CONTROL_SOCKET, F_OK, 0) < 0)
		return err_text(e, EBUSY,
			"partition \"%s\" runs in the foreground with --rm: as soon as it ends it is removed",
			name);
	r = stop(ctx, d, timeout, true, a, e);
	if (r == 0)
		r = rt_delete(&rt, name, true, e);
	if (r == 0)
		r = launch_supervisor_start(ctx, d, e);
	return r;
}

int launch_restart(const struct launch_ctx *ctx, const char *name, int timeout, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_dir d = LAUNCH_DIR_INIT;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "restart \"%s\"", name);
	r = launch_dir_open(ctx, name, true, a, &d, e);
	if (r < 0)
		return r;
	r = launch_rename_finish(ctx, &d, a, e);
	if (r == 0)
		r = restart(ctx, &d, timeout, a, e);
	launch_dir_close(&d);
	return r;
}
