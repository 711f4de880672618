/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing what a partition has written: trees of any depth, names and modes.
 *
 * What lies deeper than DEPTH directories is handed up to the top, where it waits for its turn: so a bounded
 * number of descriptors and stack frames is enough for any depth. Nothing is followed out of the tree:
 * neither a symlink nor a mount that somebody has put there.
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "launch/tree.h"
#include "runtime/partition.h"

/* Descriptors, and frames of the stack. */
#define DEPTH  32
#define INSIDE (PATH_NO_SYMLINKS | PATH_NO_XDEV)
/* Where what is renamed away waits. No partition's or volume's name begins with a dot. */
#define GONE ".gone"

struct removal {
	int top;
	unsigned int next; /* number of the next one that is handed up */
	uint64_t done;	   /* how much has gone or moved: as long as it grows, another look may find more */
};

static int open_level(int parent, const char *name)
{
	int fd = path_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, INSIDE);

	if (rt_caller() == 0)
		return fd;
	/* A user who is not root is kept out by modes, also of what is his (overlayfs makes work/work 0000).
	 */
	if (fd == -EACCES && fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = path_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, INSIDE);
	if (fd >= 0 && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		(void)fchmod(fd, 0700);
	return fd;
}

static int hand_up(struct removal *r, int dir, const char *name)
{
	char up[32];

	/* To be moved a directory must be writable itself, for its ".." changes; root's is in any case.
	 * Whoever still writes to a volume may have put a symlink there by now. */
	if (rt_caller() != 0)
		(void)fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW);
	do {
		snprintf(up, sizeof(up), "%u", r->next++);
		if (renameat(dir, name, r->top, up) == 0) {
			r->done++;
			return 0;
		}
	} while (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR);
	return -errno;
}

static int remove_dir(struct removal *r, int dir, const char *name, int depth);

static int remove_entry(struct removal *r, int dir, const struct dirent *entry, int depth)
{
	if (entry->d_type != DT_DIR) {
		if (unlinkat(dir, entry->d_name, 0) == 0 || errno == ENOENT) {
			r->done++;
			return 0;
		}
		if (errno != EISDIR && (errno != EPERM || entry->d_type != DT_UNKNOWN))
			return -errno;
	}
	return remove_dir(r, dir, entry->d_name, depth);
}

/* One look at all that is in it. Takes over fd. What readdir(3) says of a directory that changes is not
 * certain: whether all is gone, rmdir(2) tells. */
static int empty(struct removal *r, int fd, int depth)
{
	_cleanup_closedir_ DIR *d = fdopendir(fd);
	const struct dirent *entry;

	if (!d) {
		fd_close(fd);
		return -ENOMEM;
	}
	while ((errno = 0, entry = readdir(d))) {
		int ret;

		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		ret = remove_entry(r, dirfd(d), entry, depth);
		if (ret < 0)
			return ret;
	}
	return -errno;
}

static int remove_dir(struct removal *r, int dir, const char *name, int depth)
{
	for (;;) {
		uint64_t before = r->done;
		int fd, ret;

		if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
			r->done++;
			return 0;
		}
		if (errno == ENOTDIR) /* a file, then, that may not be removed: chattr(1) */
			return -EPERM;
		if (errno != ENOTEMPTY && errno != EEXIST)
			return -errno;
		if (depth >= DEPTH)
			return hand_up(r, dir, name);
		fd = open_level(dir, name);
		if (fd < 0)
			return fd;
		ret = empty(r, fd, depth + 1);
		if (ret < 0)
			return ret;
		if (r->done == before)
			return -ENOTEMPTY;
	}
}

struct top {
	int parent, fd;
	const char *name;
};

static int remove_it(void *arg)
{
	const struct top *t = arg;
	struct removal r = { .top = t->fd };

	return remove_dir(&r, t->parent, t->name, 0);
}

/* The directory `name` of `parent`, of which `fd` is open. */
static int remove_top(int parent, const char *name, int fd)
{
	struct top t = { parent, fd, name };
	int r = remove_it(&t), own;

	if ((r != -EACCES && r != -EPERM) || rt_caller() == 0)
		return r;
	own = launch_as_users(remove_it, &t, NULL);
	return own == 0 ? 0 : r;
}

/* What an earlier one left behind because it was killed; one that is at it still has the lock. */
static void sweep(int gone)
{
	int copy = openat(gone, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!d) {
		fd_close(copy);
		return;
	}
	while ((entry = readdir(d))) {
		_cleanup_close_ int fd = -EBADF;

		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		fd = open_level(gone, entry->d_name);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)remove_top(gone, entry->d_name, fd);
	}
}

static int open_gone(int parent)
{
	int fd;

	fd = openat(parent, GONE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(parent, GONE, 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = openat(parent, GONE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

int launch_tree_remove(int parent, const char *name, int locked)
{
	_cleanup_close_ int gone = open_gone(parent), own = -EBADF;
	char away[32];
	uint64_t random;
	int r;

	if (gone < 0)
		return gone;
	if (locked < 0) {
		own = open_level(parent, name);
		if (own < 0)
			return own;
		/* As the partition's own lock: a sweep leaves it alone. */
		if (flock(own, LOCK_EX | LOCK_NB) < 0)
			return -errno;
		locked = own;
	}
	do {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -EIO;
		snprintf(away, sizeof(away), "%016llx", (unsigned long long)random);
	} while ((r = renameat(parent, name, gone, away)) < 0 &&
		 (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR));
	if (r < 0)
		return -errno;
	/* Whoever stays with the payload may write its last state meanwhile; another look finds it. */
	r = remove_top(gone, away, locked);
	sweep(gone);
	return r;
}
