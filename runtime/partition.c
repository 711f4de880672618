/* SPDX-License-Identifier: Apache-2.0 */
/* A partition's state directory: made, opened, locked, removed (see partition.h). */
#include "runtime/partition.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/engine.h"

struct rt_partition *rt_partition_free(struct rt_partition *p)
{
	if (!p)
		return NULL;
	cgrp_free(p->cgroup);
	spec_free(p->spec);
	fd_close(p->dirfd);
	fd_close(p->rootfd);
	arena_free(p->arena);
	return NULL;
}

static struct rt_partition *partition_alloc(void)
{
	struct arena *a = arena_new();
	struct rt_partition *p = a ? arena_alloc(a, sizeof(*p)) : NULL;

	if (!p) {
		arena_free(a);
		return NULL;
	}
	p->arena = a;
	p->rootfd = p->dirfd = -EBADF;
	return p;
}

/* --- making, opening, locking
 * ------------------------------------------------------------------------------------------------------ */

/* Who holds the lock, for the message, out of /proc/locks: "1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0
 * EOF". 0: it does not tell. */
static int lock_holder(int fd)
{
	_cleanup_free_ char *text = NULL;
	char wanted[64];
	struct stat st;
	int pid;

	if (fstat(fd, &st) < 0 || fd_read_at(AT_FDCWD, "/proc/locks", 16U << 20, &text, NULL) < 0)
		return 0;
	snprintf(wanted, sizeof(wanted), "%02x:%02x:%" PRIu64, major(st.st_dev), minor(st.st_dev),
		(uint64_t)st.st_ino);
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		char *word[6] = { NULL };
		size_t n = 0;

		for (char *w; n < ARRAY_SIZE(word) && (w = strsep(&line, " "));)
			if (*w)
				word[n++] = w;
		if (n == ARRAY_SIZE(word) && str_eq(word[1], "FLOCK") && str_eq(word[5], wanted) &&
			str_to_int(word[4], &pid) == 0 && pid > 0)
			return pid;
	}
	return 0;
}

static int busy(int fd, const char *id, int ms, struct err *e)
{
	int holder = lock_holder(fd);

	err_text(e, EBUSY, "container \"%s\" is busy: another command has held its lock for %d seconds", id,
		ms / 1000);
	return holder ? err_hint(e, "it is process %d", holder) : -EBUSY;
}

/* flock(2) with a limit: a verb that hangs (a hook without a timeout) must not make every other verb hang
 * with it. */
static int lock_dir(int fd, const char *id, int ms, bool *waited, struct err *e)
{
	struct timespec pause = { .tv_nsec = 200 * 1000 };
	int64_t waited_ns = 0;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return err_set(e, errno, "lock the state of container \"%s\"", id);
		*waited = true;
		if (waited_ns > (int64_t)ms * 1000000)
			return busy(fd, id, ms, e);
		nanosleep(&pause, NULL);
		waited_ns += pause.tv_nsec;
		if (pause.tv_nsec < 20 * 1000 * 1000)
			pause.tv_nsec *= 2;
	}
	return 0;
}

/* Is the directory that we hold still the one of that name? A `delete --force` may have been quicker than our
 * lock. */
bool rt_partition_there(const struct rt_partition *p)
{
	struct stat mine, now;

	return fstat(p->dirfd, &mine) == 0 && fstatat(p->rootfd, p->id, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mine.st_ino == now.st_ino && mine.st_dev == now.st_dev;
}

int rt_partition_new(const struct rt_ctx *ctx, const char *id, struct rt_partition **out, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	int r = rt_check_id(id, e);
	bool waited = false;

	if (r < 0)
		return r;
	p = partition_alloc();
	if (!p)
		return err_set(e, ENOMEM, "create container \"%s\"", id);
	p->id = arena_strdup(p->arena, id);
	if (!p->id)
		return err_set(e, ENOMEM, "create container \"%s\"", id);
	p->rootfd = rt_root_open(ctx, true, e);
	if (p->rootfd < 0)
		return p->rootfd;
	if (mkdirat(p->rootfd, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_text(e, EEXIST,
				"container with id exists: \"%s\"; delete it first, or choose another id",
				id);
		return err_set(e, errno, "make the state directory of container \"%s\"", id);
	}
	p->dirfd = openat(p->rootfd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (p->dirfd < 0)
		r = err_set(e, errno, "open the state directory of container \"%s\"", id);
	else
		/* A `state` that looks at just this moment may hold it for an instant, a `delete --force` for
		 * longer. */
		r = lock_dir(p->dirfd, id, RT_LOCK_SECONDS * 1000, &waited, e);
	if (r < 0) {
		unlinkat(p->rootfd, id, AT_REMOVEDIR);
		return r;
	}
	if (waited && !rt_partition_there(p))
		return err_text(e, EBUSY, "container \"%s\" was deleted while it was being created", id);
	p->locked = true;
	p->creating = true;
	p->owner = rt_caller();
	*out = TAKE_PTR(p);
	return 0;
}

/* Of a wreck, and of what is just being created: go-runc refuses a whole list for a time that is none. */
static void guess_created(struct rt_partition *p)
{
	char text[LOG_TIME_MAX];
	struct stat st;

	if (fstat(p->dirfd, &st) < 0)
		return;
	log_time(&st.st_mtim, text);
	p->created = arena_strdup(p->arena, text);
}

int rt_partition_open(
	const struct rt_ctx *ctx, const char *id, enum rt_lock lock, struct rt_partition **out, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	int r = rt_check_id(id, e);
	bool waited;

	if (r < 0)
		return r;
	p = partition_alloc();
	if (!p || !(p->id = arena_strdup(p->arena, id)))
		return err_set(e, ENOMEM, "open container \"%s\"", id);
	p->rootfd = rt_root_open(ctx, false, e);
	if (p->rootfd == -ENOENT)
		return err_text(e, ENOENT, "container \"%s\" does not exist", id);
	if (p->rootfd < 0)
		return p->rootfd;
	p->dirfd = openat(p->rootfd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (p->dirfd < 0) {
		if (errno == ENOENT)
			return err_text(e, ENOENT, "container \"%s\" does not exist", id);
		return err_set(e, errno, "open the state directory of container \"%s\"", id);
	}
	if (lock != RT_UNLOCKED) {
		r = lock_dir(p->dirfd, id, RT_LOCK_SECONDS * (lock == RT_LOCKED ? 1000 : 100), &waited, e);
		if (r < 0)
			return r;
		p->locked = true;
		if (!rt_partition_there(p))
			return err_text(e, ENOENT, "container \"%s\" does not exist", id);
	}
	r = rt_state_read(p, NULL);
	p->saved = r == 0;
	if (r == -ENOMEM)
		return err_set(e, ENOMEM, "open container \"%s\"", id);
	if (r < 0) {
		p->damaged = rt_snapshot_head_read(p) < 0;
		/* Files that are gone because a `delete` was at work, which has come to its end. */
		if (p->damaged && !rt_partition_there(p))
			return err_text(e, ENOENT, "container \"%s\" does not exist", id);
		if (!p->engine)
			p->engine = &rt_engine_ns;
	}
	if (!p->created)
		guess_created(p);
	*out = TAKE_PTR(p);
	return 0;
}

void rt_partition_unlock(struct rt_partition *p)
{
	if (p->locked)
		flock(p->dirfd, LOCK_UN);
	p->locked = false;
}

int rt_partition_relock(struct rt_partition *p, struct err *e)
{
	bool waited;
	int r = lock_dir(p->dirfd, p->id, RT_LOCK_SECONDS * 1000, &waited, e);

	if (r < 0)
		return r;
	p->locked = true;
	return rt_partition_there(p) ? 0 : err_text(e, ENOENT, "container \"%s\" does not exist", p->id);
}

bool rt_partition_busy(const struct rt_partition *p)
{
	if (p->locked)
		return false;
	if (flock(p->dirfd, LOCK_SH | LOCK_NB) < 0)
		return true;
	flock(p->dirfd, LOCK_UN);
	return false;
}

/* --- removal
 * ---------------------------------------------------------------------------------------------------------------------------
 */

/* Ours alone (0700) and flat but for the notify directory: no recursion that anybody could lead astray. */
static int empty_dir(int fd, int depth)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (copy < 0)
		return -errno;
	d = fdopendir(copy);
	if (!d) {
		fd_close(copy);
		return -ENOMEM;
	}
	while ((de = readdir(d))) {
		if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		if (unlinkat(fd, de->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if ((errno == EISDIR || errno == EPERM) && depth < 2) {
			_cleanup_close_ int sub =
				openat(fd, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

			if (sub >= 0)
				empty_dir(sub, depth + 1);
			if (unlinkat(fd, de->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
				continue;
		}
		return -errno;
	}
	return 0;
}

int rt_partition_remove(struct rt_partition *p, struct err *e)
{
	int r;

	/* The usual content by name first: no directory listing on the way of every short-lived partition. */
	unlinkat(p->dirfd, RT_SNAPSHOT_FILE, 0);
	unlinkat(p->dirfd, RT_STATE_FILE, 0);
	if (unlinkat(p->rootfd, p->id, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_set(e, errno, "remove the state directory of container \"%s\"", p->id);
	r = empty_dir(p->dirfd, 0);
	if (r < 0)
		return err_set(e, -r, "empty the state directory of container \"%s\"", p->id);
	if (unlinkat(p->rootfd, p->id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(e, errno, "remove the state directory of container \"%s\"", p->id);
	return 0;
}
