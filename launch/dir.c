/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of a partition: opened, locked, closed (see record.h for the rules). */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "launch/record_internal.h"
#include "runtime/partition.h"
#include "runtime/files.h"

int launch_lock(int fd, int ms)
{
	return launch_lock_as(fd, LOCK_EX, ms);
}

int launch_lock_as(int fd, int how, int ms)
{
	struct timespec pause = { .tv_nsec = 200 * 1000 };
	int64_t waited = 0;

	while (flock(fd, how | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return -errno;
		if (waited >= (int64_t)ms * 1000000)
			return -EBUSY;
		nanosleep(&pause, NULL);
		waited += pause.tv_nsec;
		if (pause.tv_nsec < 20 * 1000 * 1000)
			pause.tv_nsec *= 2;
	}
	return 0;
}

bool launch_dir_there(const struct launch_dir *d)
{
	struct stat mine, now;

	return fstat(d->fd, &mine) == 0 &&
	       fstatat(d->partitions, d->record.name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mine.st_ino == now.st_ino && mine.st_dev == now.st_dev;
}

void launch_dir_unlock(struct launch_dir *d)
{
	(void)flock(d->fd, LOCK_UN);
}

void launch_dir_close(struct launch_dir *d)
{
	d->fd = fd_close(d->fd);
	d->partitions = fd_close(d->partitions);
}

int launch_dir_begin(const struct launch_ctx *ctx, const char *name, bool create, struct arena *a,
	struct launch_dir *d, struct err *e)
{
	const char *parent;
	int r = launch_check_name("partition", name, e);

	if (r < 0)
		return r;
	d->partitions = launch_data_open(ctx, "partitions", create, a, &parent, e);
	if (d->partitions < 0)
		return d->partitions;
	d->record.name = arena_strdup(a, name);
	d->path = arena_printf(a, "%s/%s", parent, name);
	return d->record.name && d->path ? 0 : err_set(e, ENOMEM, "partition \"%s\"", name);
}

static int unknown(const struct launch_ctx *ctx, const char *name, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;

	err_text(e, ENOENT, "there is no launched partition \"%s\"", name);
	if (rt_partition_open(ctx->rt, name, RT_UNLOCKED, &p, NULL) < 0)
		return -ENOENT;
	return err_hint(e,
		"the runtime has one of that name, which \"ringfence launch\" has not made: see \"ringfence "
		"state\", \"kill\" and \"delete\"");
}

int launch_dir_open(const struct launch_ctx *ctx, const char *name, bool lock, struct arena *a,
	struct launch_dir *out, struct err *e)
{
	struct launch_dir d = LAUNCH_DIR_INIT;
	int r = launch_dir_begin(ctx, name, false, a, &d, e);

	if (r == 0) {
		d.fd = openat(d.partitions, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (d.fd < 0)
			r = errno == ENOENT ? -ENOENT : err_set(e, errno, "open %s", d.path);
	}
	if (r == 0 && lock) {
		r = launch_lock(d.fd, RT_LOCK_SECONDS * 1000);
		if (r == -EBUSY)
			err_text(e, EBUSY,
				"partition \"%s\" is busy: another command has held its lock for %d seconds",
				name, RT_LOCK_SECONDS);
		else if (r < 0)
			err_set(e, r, "lock partition \"%s\"", name);
		/* Removed while we waited for our turn. */
		else if (!launch_dir_there(&d))
			r = -ENOENT;
	}
	if (r == 0) {
		r = launch_record_read(&d, a, NULL);
		d.damaged = r < 0;
		r = r == -ENOMEM ? err_set(e, ENOMEM, "partition \"%s\"", name) : 0;
	}
	if (r == 0) {
		*out = d;
		return 0;
	}
	launch_dir_close(&d);
	return r == -ENOENT ? unknown(ctx, name, e) : r;
}

int launch_dir_check_written(const struct launch_dir *d, struct err *e)
{
	if (faccessat(d->fd, "work/" RT_WRITTEN_ELSEWHERE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return err_text(e, EOPNOTSUPP,
		"what partition \"%s\" writes to its root file system is on a disk of its sandbox and ends "
		"with that: "
		"use a volume, or launch it with --annotation io.ringfence.sandbox.root=share",
		d->record.name);
}
