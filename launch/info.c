/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How partitions are: what state.json says, as far as the runtime's state, processes' start times and the
 * boot id bear it out.
 *
 * Nothing is locked: whoever writes a state replaces it as a whole. So what looks like a partition that
 * nobody saw end may be one that ends just now; before that is said, the state is read again.
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "launch/record_internal.h"
#include "runtime/partition.h"

static bool same_dir(int fd, const char *path)
{
	struct stat x, y;

	return fstat(fd, &x) == 0 && stat(path, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

/* What the runtime says of it: 0, or -ENOENT if it has none, or one of the name that is not out of our
 * directory. */
static int ask_runtime(
	const struct launch_ctx *ctx, const struct launch_dir *d, enum rt_status *status, pid_t *pid)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	struct rt_ctx rt = launch_rt(ctx, &d->record);
	int r = rt_partition_open(&rt, d->record.name, RT_UNLOCKED, &p, NULL);

	if (r < 0)
		return r;
	if (p->bundle && !str_eq(p->bundle, d->path) && !same_dir(d->fd, p->bundle))
		return -ENOENT;
	r = rt_partition_status(p, status, NULL);
	*pid = r == 0 && *status != RT_STOPPED ? p->pid : 0;
	return r;
}

static enum launch_status status_alone(const struct launch_state *s, bool supervised)
{
	switch (s->phase) {
	case LAUNCH_PHASE_ENDED:
		return LAUNCH_EXITED;
	case LAUNCH_PHASE_WAITING:
		return supervised ? LAUNCH_RESTARTING : LAUNCH_LOST;
	case LAUNCH_PHASE_UP:
		/* Its command has it just begun, or is clearing it away. */
		return supervised ? LAUNCH_RUNNING : LAUNCH_LOST;
	case LAUNCH_PHASE_STARTING:
		break;
	}
	return supervised || !s->started ? LAUNCH_CREATED : LAUNCH_LOST;
}

static void judge(const struct launch_ctx *ctx, const struct launch_dir *d, const struct launch_state *s,
	struct launch_info *out)
{
	bool supervised = launch_supervised(s);
	enum rt_status status;
	pid_t pid = 0;

	*out = (struct launch_info){
		.started = s->started,
		.finished = s->finished,
		.exit_code = s->exit_code,
		.oom_killed = s->oom_killed,
		.error = s->error,
		.restarts = s->restarts,
		.supervisor = supervised ? s->supervisor : 0,
	};
	out->status = status_alone(s, supervised);
	if (s->phase == LAUNCH_PHASE_ENDED || ask_runtime(ctx, d, &status, &pid) < 0 || status == RT_STOPPED)
		return;
	out->pid = pid;
	out->status = status == RT_PAUSED    ? LAUNCH_PAUSED
		      : status == RT_RUNNING ? LAUNCH_RUNNING
					     : LAUNCH_CREATED;
	/* What an earlier run has left there says nothing of this one. */
	out->finished = NULL;
	out->exit_code = 0;
}

int launch_look(const struct launch_ctx *ctx, const struct launch_dir *d, struct arena *a,
	struct launch_info *out, struct err *e)
{
	struct launch_record *record = arena_alloc(a, sizeof(*record));
	struct launch_state s = { .phase = LAUNCH_PHASE_STARTING };
	int r = 0;

	if (!record)
		return err_set(e, ENOMEM, "partition \"%s\"", d->record.name);
	*record = d->record;
	for (int attempt = 0; attempt < 2; attempt++) {
		r = launch_state_read_at(d->fd, a, &s, e);
		if (r < 0)
			break;
		judge(ctx, d, &s, out);
		if (out->status != LAUNCH_LOST && out->status != LAUNCH_CREATED)
			break;
	}
	if (r < 0 || d->damaged) {
		bool unread = r < 0 && r != -ENOMEM;

		if (r == -ENOMEM)
			return r;
		/* A state that cannot be read is that of a partition of which nothing is known. */
		err_clear(e);
		s = (struct launch_state){ .phase = LAUNCH_PHASE_UP };
		judge(ctx, d, &s, out);
		out->error = d->damaged ? "launch.json is missing or damaged; remove it with \"rm --force\""
			     : unread	? "state.json is damaged"
					: NULL;
	}
	out->record = record;
	return 0;
}

int launch_info(const struct launch_ctx *ctx, const char *name, struct arena *a, struct launch_info *out,
	struct err *e)
{
	struct launch_dir d = LAUNCH_DIR_INIT;
	int r = launch_dir_open(ctx, name, false, a, &d, e);

	if (r == 0)
		r = launch_look(ctx, &d, a, out, e);
	launch_dir_close(&d);
	return r;
}

/* --- all of them -------------------------------------------------------------------------------- */

static int by_name(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Names in <data>/partitions, sorted; those that begin with '.' are on their way out. */
static int names_in(int dir, struct arena *a, const char ***out, size_t *n, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	_cleanup_free_ const char **list = NULL;
	const struct dirent *entry;
	size_t room = 0;

	*n = 0;
	if (!d) {
		err_set(e, errno, "list partitions");
		fd_close(fd);
		return -e->code;
	}
	while ((errno = 0, entry = readdir(d))) {
		if (launch_check_name("partition", entry->d_name, NULL) < 0)
			continue;
		if (*n == room) {
			size_t more = room ? room * 2 : 64;
			const char **bigger = reallocarray(list, more, sizeof(*list));

			if (!bigger)
				return err_set(e, ENOMEM, "list partitions");
			list = bigger;
			room = more;
		}
		list[*n] = arena_strdup(a, entry->d_name);
		if (!list[(*n)++])
			return err_set(e, ENOMEM, "list partitions");
	}
	if (errno)
		return err_set(e, errno, "list partitions");
	if (*n)
		qsort(list, *n, sizeof(*list), by_name);
	*out = TAKE_PTR(list);
	return 0;
}

/* Being made just now: its creator has the lock, and has not come to launch.json. */
static bool in_the_making(const struct launch_dir *d)
{
	if (flock(d->fd, LOCK_SH | LOCK_NB) < 0)
		return true;
	flock(d->fd, LOCK_UN);
	return false;
}

/* 1: listed; 0: left out. */
static int look_at(const struct launch_ctx *ctx, int partitions, const char *parent, const char *name,
	struct arena *a, struct launch_info *out, struct err *e)
{
	struct launch_dir d = { .partitions = partitions, .record.name = name };
	_cleanup_close_ int fd = openat(partitions, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return 0;
	d.fd = fd;
	d.path = arena_printf(a, "%s/%s", parent, name);
	if (!d.path)
		return err_set(e, ENOMEM, "list partitions");
	r = launch_record_read(&d, a, e);
	if (r == -ENOMEM)
		return r;
	d.damaged = r < 0;
	err_clear(e);
	if (d.damaged && (in_the_making(&d) || !launch_dir_there(&d)))
		return 0;
	r = launch_look(ctx, &d, a, out, e);
	/* Removed while we looked, what we saw is of no time. */
	if (r == 0 && out->status == LAUNCH_LOST && !launch_dir_there(&d))
		return 0;
	return r < 0 ? r : 1;
}

int launch_list(
	const struct launch_ctx *ctx, struct arena *a, struct launch_info **out, size_t *n, struct err *e)
{
	_cleanup_close_ int partitions = -EBADF;
	_cleanup_free_ const char **names = NULL;
	struct launch_info *list;
	const char *parent;
	size_t n_names, kept = 0;
	int r;

	partitions = launch_data_open(ctx, "partitions", false, a, &parent, e);
	if (partitions == -ENOENT) {
		err_clear(e);
		*out = NULL;
		*n = 0;
		return 0;
	}
	if (partitions < 0)
		return partitions;
	r = names_in(partitions, a, &names, &n_names, e);
	if (r < 0)
		return r;
	list = arena_calloc(a, n_names + 1, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "list partitions");
	for (size_t i = 0; i < n_names; i++) {
		r = look_at(ctx, partitions, parent, names[i], a, &list[kept], e);
		if (r < 0)
			return r;
		kept += (size_t)r;
	}
	*out = list;
	*n = kept;
	return 0;
}
