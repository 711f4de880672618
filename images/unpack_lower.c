/* SPDX-License-Identifier: Apache-2.0 */
/* The layers below: what they show at a path, and copies of it (see unpack_internal.h). */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/unpack_internal.h"

#define INSIDE (PATH_NO_SYMLINKS | PATH_NO_XDEV)

/* --- looking ------------------------------------------------------------------------------------ */

static bool is_opaque(const struct up *p, int fd)
{
	char value = 0;

	return fgetxattr(fd, p->opaque, &value, 1) == 1 && value == 'y';
}

/*
 * One layer. `*stop`: what is missing here is hidden, not only absent, so that the layers below are not
 * asked: a whiteout, a file where the path wants a directory, an opaque directory on the way.
 */
static int look(const struct up *p, int lower, const char *path, struct stat *st, bool *stop)
{
	_cleanup_close_ int dir = -EBADF;
	char name[NAME_MAX + 1];
	bool opaque = false;

	*stop = true;
	dir = path_open(lower, "", O_RDONLY | O_DIRECTORY, 0, INSIDE);
	while (dir >= 0) {
		size_t len = strcspn(path, "/");
		_cleanup_close_ int fd = -EBADF;
		int next;

		memcpy(name, path, len);
		name[len] = '\0';
		fd = path_open(dir, name, O_PATH | O_NOFOLLOW, 0, PATH_NO_XDEV);
		if (fd == -ENOENT) {
			*stop = opaque;
			return -ENOENT;
		}
		if (fd < 0 || fstat(fd, st) < 0)
			return fd < 0 ? fd : -errno;
		if (up_is_whiteout(st->st_mode, st->st_rdev))
			return -ENOENT;
		path += len;
		if (!*path)
			return TAKE_FD(fd);
		path++;
		if (!S_ISDIR(st->st_mode))
			return -ENOENT;
		next = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(dir);
		dir = next < 0 ? -errno : next;
		opaque = opaque || (dir >= 0 && is_opaque(p, dir));
	}
	return dir;
}

int up_lower_find(struct up *p, const char *path, struct stat *st)
{
	for (size_t i = 0; i < p->u->n_lowers; i++) {
		bool stop = false;
		int fd;

		if (!*path) {
			fd = path_open(p->u->lowers[i], "", O_PATH | O_DIRECTORY, 0, INSIDE);
			if (fd >= 0 && fstat(fd, st) < 0)
				return fd_close(fd);
			return fd;
		}
		fd = look(p, p->u->lowers[i], path, st, &stop);
		if (fd != -ENOENT || stop)
			return fd;
	}
	return -ENOENT;
}

/* --- attributes --------------------------------------------------------------------------------- */

/* Names and values of a node's xattrs, in one piece of memory. */
struct copied_xattrs {
	struct up_xattr *list;
	size_t n;
	char *names, *values;
};

static void free_xattrs(struct copied_xattrs *x)
{
	free(x->list);
	free(x->names);
	free(x->values);
}

static int read_xattrs(int fd, struct copied_xattrs *x)
{
	ssize_t len = flistxattr(fd, NULL, 0);
	size_t room = 0, used = 0, n = 0;

	if (len <= 0)
		return len == 0 || errno == EOPNOTSUPP ? 0 : -errno;
	x->names = malloc((size_t)len + 1);
	if (!x->names)
		return -ENOMEM;
	len = flistxattr(fd, x->names, (size_t)len);
	if (len < 0)
		return -errno;
	x->names[len] = '\0';
	for (char *s = x->names; s < x->names + len; s += strlen(s) + 1, n++) {
		ssize_t size = fgetxattr(fd, s, NULL, 0);

		room += size > 0 ? (size_t)size : 0;
	}
	x->list = calloc(n, sizeof(*x->list));
	x->values = malloc(room + 1);
	if (!x->list || !x->values)
		return -ENOMEM;
	for (char *s = x->names; s < x->names + len; s += strlen(s) + 1) {
		ssize_t size = fgetxattr(fd, s, x->values + used, room - used);

		if (size < 0)
			return -errno;
		x->list[x->n++] =
			(struct up_xattr){ .name = s, .value = x->values + used, .size = (size_t)size };
		used += (size_t)size;
	}
	return 0;
}

static struct up_attrs attrs_of(const struct stat *st, const struct copied_xattrs *x)
{
	return (struct up_attrs){
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.times = { st->st_atim, st->st_mtim },
		.xattrs = x->list,
		.n_xattrs = x->n,
	};
}

int up_imply(struct up *p, int fd, const char *path, bool hidden, struct timespec times[2])
{
	_cleanup_close_ int lower = -EBADF, readable = -EBADF;
	_cleanup_(free_xattrs) struct copied_xattrs x = { 0 };
	struct up_attrs a = { .mode = 0755 };
	struct stat st;
	int r;

	if (!hidden)
		lower = up_lower_find(p, path, &st);
	if (lower >= 0 && S_ISDIR(st.st_mode)) {
		readable = openat(lower, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = readable < 0 ? -errno : read_xattrs(readable, &x);
		if (r < 0)
			return err_set(p->err, r, "read directory \"%s\" of the layers below", path);
		a = attrs_of(&st, &x);
	} else {
		if (fstat(fd, &st) < 0)
			return err_set(p->err, errno, "directory \"%s\"", path);
		a.times[0] = st.st_atim;
		a.times[1] = st.st_mtim;
	}
	times[0] = a.times[0];
	times[1] = a.times[1];
	return up_set_attrs(p, fd, path, &a, true);
}

/* --- copying up --------------------------------------------------------------------------------- */

/* The data between holes. */
static int copy_data(int from, int to, off_t size)
{
	off_t at = 0;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	while (at < size) {
		off_t data = lseek(from, at, SEEK_DATA), hole, out;

		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? size : lseek(from, data, SEEK_HOLE);
		if (data < 0)
			data = at;
		if (hole < 0)
			hole = size;
		for (out = data; data < hole;) {
			ssize_t n = copy_file_range(from, &data, to, &out, (size_t)(hole - data), 0);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return -errno;
			if (n == 0)
				return -EIO;
		}
		at = hole;
	}
	return ftruncate(to, size) < 0 ? -errno : 0;
}

static int copy_file(struct up *p, const char *path, int lower, const struct stat *st)
{
	_cleanup_close_ int from = -EBADF, to = -EBADF;
	_cleanup_(free_xattrs) struct copied_xattrs x = { 0 };
	char via[FD_PATH_MAX];
	struct up_attrs a;
	int r;

	/* It is a regular file, ours, and held: nothing can put another one in its place. */
	from = open(fd_path(via, lower), O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (from < 0)
		return err_set(p->err, errno, "read \"%s\" of the layers below", path);
	p->bytes += st->st_size;
	if (p->bytes > p->max_bytes)
		return err_text(p->err, E2BIG, "layer has more than %lld bytes", (long long)p->max_bytes);
	to = up_make_file(p, path);
	if (to < 0)
		return to;
	r = copy_data(from, to, st->st_size);
	if (r == 0)
		r = read_xattrs(from, &x);
	if (r < 0)
		return err_set(p->err, r, "copy \"%s\" of the layers below", path);
	p->out.tree.bytes += st->st_size;
	a = attrs_of(st, &x);
	return up_set_attrs(p, to, path, &a, false);
}

int up_copy_up(struct up *p, const char *path)
{
	_cleanup_close_ int lower = -EBADF;
	const struct copied_xattrs none = { 0 };
	char target[PATH_MAX];
	struct up_attrs a;
	struct stat st;
	ssize_t n;

	lower = up_lower_find(p, path, &st);
	if (lower < 0)
		return err_text(p->err, EINVAL,
			"a hard link leads to \"%.200s\", which is neither in this layer nor in one below",
			path);
	a = attrs_of(&st, &none);
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return copy_file(p, path, lower, &st);
	case S_IFLNK:
		n = readlinkat(lower, "", target, sizeof(target) - 1);
		if (n < 0)
			return err_set(p->err, errno, "read \"%s\" of the layers below", path);
		target[n] = '\0';
		return up_make_symlink(p, path, target, &a);
	case S_IFDIR:
		return err_text(
			p->err, EINVAL, "a hard link leads to \"%.200s\", which is a directory", path);
	default:
		return up_make_node(p, path, st.st_mode & S_IFMT, st.st_rdev, &a);
	}
}
