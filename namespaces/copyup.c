/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmpcopyup: what a tmpfs hides is copied into it first, from a directory that may be hostile (see
 * mount_state.h).
 */
#include <dirent.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>

#include "base/str.h"
#include "namespaces/mount_state.h"

/* Deeper trees than this are an attack on our descriptors or our stack, not content. */
#define DEPTH_MAX 128

static int copy_data(int from, int to)
{
	for (;;) {
		ssize_t n = sendfile(to, from, NULL, 1 << 20);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
	}
}

/* File capabilities and the like; what the tmpfs or our rights do not allow is left out. */
static void copy_xattrs(int from, int to)
{
	char names[4096], value[4096];
	ssize_t n = flistxattr(from, names, sizeof(names));

	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t len = fgetxattr(from, names + at, value, sizeof(value));

		if (len >= 0)
			(void)!fsetxattr(to, names + at, value, (size_t)len, 0);
	}
}

static int copy_owner(int dir, const char *name, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	/* In a user namespace an owner without a mapping cannot be given away: it stays ours. */
	if (fchownat(dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EPERM &&
		errno != EINVAL)
		return -errno;
	/* After the owner, which would clear set-id bits. */
	if (!S_ISLNK(st->st_mode) && fchmodat(dir, name, st->st_mode & 07777, 0) < 0)
		return -errno;
	return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_dir(int from, int to, int depth);

static int copy_link(int from, int to, const char *name)
{
	char target[4096];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	return symlinkat(target, to, name) < 0 ? -errno : 0;
}

static int copy_file(int from, int to, const char *name)
{
	/* O_NONBLOCK: it may have become a FIFO meanwhile. */
	_cleanup_close_ int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_close_ int out = -EBADF;
	struct stat st;
	int r;

	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	r = copy_data(in, out);
	if (r == 0)
		copy_xattrs(in, out);
	return r;
}

static int copy_entry(int from, int to, const char *name, int depth)
{
	struct stat st;
	int r;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode)) {
		_cleanup_close_ int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
				    out = -EBADF;

		if (in < 0 || mkdirat(to, name, 0700) < 0)
			return -errno;
		out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (out < 0)
			return -errno;
		r = copy_dir(in, out, depth + 1);
		if (r == 0)
			copy_xattrs(in, out);
	} else if (S_ISLNK(st.st_mode)) {
		r = copy_link(from, to, name);
	} else if (S_ISREG(st.st_mode)) {
		r = copy_file(from, to, name);
	} else if (S_ISFIFO(st.st_mode)) {
		r = mkfifoat(to, name, 0600) < 0 ? -errno : 0;
	} else {
		/* Sockets lead nowhere, and a device node from an image is nothing to multiply. */
		return 0;
	}
	if (r == 0)
		r = copy_owner(to, name, &st);
	return r == -ENOENT ? 0 : r;
}

static int copy_dir(int from, int to, int depth)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *ent;
	int fd;

	if (depth > DEPTH_MAX)
		return -ELOOP;
	fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while ((errno = 0, ent = readdir(d))) {
		int r = str_eq(ent->d_name, ".") || str_eq(ent->d_name, "..")
				? 0
				: copy_entry(from, to, ent->d_name, depth);

		if (r < 0)
			return r;
	}
	return errno ? -errno : 0;
}

int mnt_copy_up(int from, int to, const char *destination, struct err *e)
{
	int r = copy_dir(from, to, 0);

	return r < 0 ? err_set(e, -r, "tmpcopyup: copy the content of %s", destination) : 0;
}
