/* SPDX-License-Identifier: Apache-2.0 */
/* A new directory of a partition, also in the place of a wreck (see record.h for the rules). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "launch/record_internal.h"
#include "runtime/partition.h"

static int taken(const char *name, struct err *e)
{
	return err_text(e, EEXIST,
		"there is a partition \"%s\" already; remove it with \"ringfence rm %s\", or choose another "
		"name",
		name, name);
}

/* One that only the runtime knows: made with `create` or `run`. */
static int check_runtime(const struct launch_ctx *ctx, const char *name, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	int r = rt_partition_open(ctx->rt, name, RT_UNLOCKED, &p, NULL);

	if (r == -ENOENT)
		return 0;
	return err_text(e, EEXIST,
		"there is a partition \"%s\" already, which was not launched; remove it with \"ringfence "
		"delete "
		"%s\", or choose another name",
		name, name);
}

/* What stands under the name: 0 if that was a wreck, which is gone now. */
static int clear_wreck(const struct launch_ctx *ctx, const char *name, struct arena *a, struct err *e)
{
	struct launch_dir d = LAUNCH_DIR_INIT;
	_cleanup_(launch_dir_closep) struct launch_dir *closing = &d;
	struct stat st;
	int r = launch_dir_begin(ctx, name, false, a, &d, e);

	(void)closing;
	if (r < 0)
		return r;
	d.fd = openat(d.partitions, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d.fd < 0)
		return errno == ENOENT ? 0 : taken(name, e);
	/* Its creator has the lock for as long as it takes. */
	if (launch_lock(d.fd, 0) < 0)
		return taken(name, e);
	if (fstatat(d.fd, LAUNCH_RECORD_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0)
		return taken(name, e);
	if (!launch_dir_there(&d))
		return 0;
	d.damaged = true;
	return launch_remove(ctx, &d, true, false, a, e);
}

/*
 * Is it the one that we have just made? Between mkdir(2) and our lock another launch may have taken it for a
 * wreck, and made a new one under the name: that is what we have opened, and whoever made it is through by
 * now.
 */
static bool untouched(const struct launch_dir *d)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return false;
	}
	while ((errno = 0, entry = readdir(dir)))
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			return false;
	return errno == 0;
}

int launch_dir_new(const struct launch_ctx *ctx, const char *name, struct arena *a, struct launch_dir *out,
	struct err *e)
{
	struct launch_dir d = LAUNCH_DIR_INIT;
	int r = launch_dir_begin(ctx, name, true, a, &d, e);

	if (r == 0)
		r = check_runtime(ctx, name, e);
	for (int attempt = 0; r == 0; attempt++) {
		if (mkdirat(d.partitions, name, 0700) < 0) {
			if (errno != EEXIST)
				r = err_set(e, errno, "make %s", d.path);
			else
				r = attempt < 3 ? clear_wreck(ctx, name, a, e) : taken(name, e);
			continue;
		}
		d.fd = openat(d.partitions, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (d.fd >= 0 && launch_lock(d.fd, RT_LOCK_SECONDS * 1000) == 0 && launch_dir_there(&d) &&
			untouched(&d)) {
			*out = d;
			return 0;
		}
		d.fd = fd_close(d.fd);
		if (attempt >= 3)
			r = taken(name, e);
	}
	launch_dir_close(&d);
	return r;
}
