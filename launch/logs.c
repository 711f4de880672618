/* SPDX-License-Identifier: Apache-2.0 */
/* logs: the log of a partition by its name, followed until it ends. */
#include "base/fd.h"
#include "launch/pidfd.h"
#include "launch/supervise.h"

struct life {
	int fd; /* of the supervisor, or of the payload that has none */
};

static bool has_ended(void *arg)
{
	const struct life *l = arg;

	return l->fd < 0 || pidfd_wait(l->fd, 0);
}

static int life_of(const struct launch_ctx *ctx, const struct launch_dir *d, struct arena *a)
{
	struct rt_ctx rt = launch_rt(ctx, &d->record);
	struct err ignored = ERR_INIT;
	struct launch_state s;
	struct rt_info info;
	pid_t pid = 0;

	if (launch_state_read(d, a, &s, &ignored) == 0 && launch_supervised(&s)) {
		pid = s.supervisor;
	} else if (rt_info(&rt, d->record.name, &info, &ignored) == 0) {
		pid = info.status == RT_STOPPED ? 0 : info.pid;
		rt_info_free(&info);
	}
	return pid ? pidfd_of(pid) : -ESRCH;
}

int launch_logs(const struct launch_ctx *ctx, const char *name, struct launch_log_query *q, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_dir d = LAUNCH_DIR_INIT;
	struct life l = { .fd = -EBADF };
	int r;

	if (!a)
		return err_set(e, ENOMEM, "logs of \"%s\"", name);
	r = launch_dir_open(ctx, name, false, a, &d, e);
	if (r < 0)
		return r;
	if (q->follow)
		l.fd = life_of(ctx, &d, a);
	q->ended = has_ended;
	q->arg = &l;
	r = launch_log_read(d.fd, q, -1, e);
	if (r < 0)
		err_wrap(e, "partition \"%s\"", name);
	fd_close(l.fd);
	launch_dir_close(&d);
	return r;
}
