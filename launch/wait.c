/* SPDX-License-Identifier: Apache-2.0 */
/* wait: until a partition has ended for good (see launch.h). */
#include <poll.h>

#include "base/fd.h"
#include "launch/control.h"
#include "launch/pidfd.h"
#include "launch/supervise.h"

/*
 * The supervisor tells: also of one that is removed at its end. 1 if it has told, 0 if there is none, or it
 * has gone without a word.
 */
static int ask_supervisor(const struct launch_dir *d, int *code, struct err *e)
{
	_cleanup_close_ int sock = control_connect(d->fd);
	char message[CONTROL_MAX];
	int32_t status;
	ssize_t n;
	int r;

	if (sock < 0)
		return 0;
	r = control_ask(sock, CONTROL_WAIT, NULL, 0, e);
	/* It has just ended, or has too many who wait already. */
	if (r == -ECONNRESET || r == -EBUSY) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	do {
		n = control_receive(sock, message, sizeof(message), -1);
	} while (n > 0 && message[0] != CONTROL_EXIT);
	if (n != 1 + (ssize_t)sizeof(status))
		return 0;
	memcpy(&status, message + 1, sizeof(status));
	*code = status;
	return 1;
}

/* Whoever stays with it, else the payload itself. 0: nothing runs any more. */
static int sleep_with(const struct launch_ctx *ctx, const struct launch_dir *d, const struct launch_state *s)
{
	struct rt_ctx rt = launch_rt(ctx, &d->record);
	_cleanup_close_ int fd = -EBADF;
	struct rt_info info;
	struct err ignored = ERR_INIT;
	pid_t pid = launch_supervised(s) ? s->supervisor : 0;

	if (pid == 0 && rt_info(&rt, d->record.name, &info, &ignored) == 0) {
		pid = info.status == RT_STOPPED ? 0 : info.pid;
		rt_info_free(&info);
	}
	if (pid == 0)
		return 0;
	fd = pidfd_of(pid);
	if (fd >= 0)
		pidfd_wait(fd, -1);
	return 1;
}

static int wait_for_end(const struct launch_ctx *ctx, const struct launch_dir *d, int *code, struct err *e)
{
	const char *name = d->record.name;

	for (;;) {
		_cleanup_(arena_freep) struct arena *a = arena_new();
		struct launch_state s;
		int r = a ? ask_supervisor(d, code, e) : err_set(e, ENOMEM, "wait for \"%s\"", name);

		if (r == 0)
			r = launch_state_read(d, a, &s, e) < 0 ? -e->code : 0;
		if (r != 0)
			return r < 0 ? r : 0;
		if (!launch_supervised(&s) && s.phase == LAUNCH_PHASE_ENDED) {
			*code = s.exit_code;
			return 0;
		}
		if (sleep_with(ctx, d, &s) > 0)
			continue;
		if (!launch_dir_there(d))
			return err_text(e, ECHILD,
				"partition \"%s\" was removed before its exit status could be read", name);
		/* It may have been written while we looked. */
		r = launch_state_read(d, a, &s, e);
		if (r == 0 && s.phase != LAUNCH_PHASE_ENDED)
			return err_text(e, ECHILD,
				"nobody saw partition \"%s\" end: its supervisor was killed, or the host "
				"went down",
				name);
		if (r < 0)
			return r;
	}
}

int launch_wait(const struct launch_ctx *ctx, const char *name, int *code, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_dir d = LAUNCH_DIR_INIT;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "wait for \"%s\"", name);
	r = launch_dir_open(ctx, name, false, a, &d, e);
	if (r == 0)
		r = wait_for_end(ctx, &d, code, e);
	launch_dir_close(&d);
	return r;
}
