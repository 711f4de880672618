/* SPDX-License-Identifier: Apache-2.0 */
/* Paths inside a root that somebody else can write to (see path.h). */
#include "base/path.h"

#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* openat2(2) answers EAGAIN when something moved while it resolved "..": it then could not prove that it
 * stayed inside. */
#define OPENAT2_TRIES 64

/* As many as the kernel follows (MAXSYMLINKS, include/linux/namei.h). */
#define SYMLINKS_MAX 40

/* Deeper paths than this do not fit PATH_MAX anyway. */
#define DEPTH_MAX (PATH_MAX / 2)

static bool no_openat2;

/* --- the fallback: components by hand
 * --------------------------------------------------------------------------- */

struct walk {
	int root; /* the caller's */
	int *fds; /* ours: the directories below root that lead to where we are */
	size_t depth;
	char rest[PATH_MAX * 2]; /* what is still to be walked */
};

static int walk_here(const struct walk *w)
{
	return w->depth ? w->fds[w->depth - 1] : w->root;
}

static void walk_up(struct walk *w, size_t to)
{
	while (w->depth > to)
		close(w->fds[--w->depth]);
}

static int walk_push(struct walk *w, int fd)
{
	int *more;

	if (w->depth >= DEPTH_MAX) {
		close(fd);
		return -ENAMETOOLONG;
	}
	more = realloc(w->fds, (w->depth + 1) * sizeof(int));
	if (!more) {
		close(fd);
		return -ENOMEM;
	}
	w->fds = more;
	w->fds[w->depth++] = fd;
	return 0;
}

/* Puts a symlink's target in front of the rest. */
static int walk_symlink(struct walk *w, int linkfd, const char *after)
{
	char target[PATH_MAX], rest[sizeof(w->rest)];
	ssize_t n = readlinkat(linkfd, "", target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (snprintf(rest, sizeof(rest), "%s/%s", target, after) >= (int)sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, rest, sizeof(rest));
	if (target[0] == '/')
		walk_up(w, 0);
	return 0;
}

static int walk_open(int rootfd, const char *path, int flags, mode_t mode, int resolve)
{
	struct walk w = { .root = rootfd };
	char *p, comp[NAME_MAX + 1];
	int links = 0, r = 0, fd = -EBADF;
	struct stat st, here;

	if (snprintf(w.rest, sizeof(w.rest), "%s", path) >= PATH_MAX)
		return -ENAMETOOLONG;
	for (p = w.rest;;) {
		size_t len;
		bool last;

		while (*p == '/')
			p++;
		if (!*p) {
			/* The path ended on a directory we already hold. */
			fd = openat(
				walk_here(&w), ".", (flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_CLOEXEC);
			r = fd < 0 ? -errno : fd;
			break;
		}
		len = strcspn(p, "/");
		if (len > NAME_MAX) {
			r = -ENAMETOOLONG;
			break;
		}
		memcpy(comp, p, len);
		comp[len] = '\0';
		p += len;
		last = p[strspn(p, "/")] == '\0';
		if (strcmp(comp, ".") == 0)
			continue;
		if (strcmp(comp, "..") == 0) {
			if (w.depth)
				walk_up(&w, w.depth - 1);
			continue;
		}
		fd = openat(walk_here(&w), comp, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && last && (flags & O_CREAT)) {
			fd = openat(walk_here(&w), comp, flags | O_NOFOLLOW | O_CLOEXEC, mode);
			r = fd < 0 ? -errno : fd;
			break;
		}
		if (fd < 0 || fstat(fd, &st) < 0) {
			r = -errno;
			if (fd >= 0)
				close(fd);
			break;
		}
		if ((resolve & PATH_NO_XDEV) && fstat(rootfd, &here) == 0 && st.st_dev != here.st_dev) {
			close(fd);
			r = -EXDEV;
			break;
		}
		if (S_ISLNK(st.st_mode) && !(last && (flags & O_NOFOLLOW))) {
			if ((resolve & PATH_NO_SYMLINKS) || ++links > SYMLINKS_MAX)
				r = -ELOOP;
			else
				r = walk_symlink(&w, fd, p);
			close(fd);
			if (r < 0)
				break;
			p = w.rest;
			continue;
		}
		if (!last) {
			if (!S_ISDIR(st.st_mode)) {
				close(fd);
				r = -ENOTDIR;
				break;
			}
			r = walk_push(&w, fd);
			if (r < 0)
				break;
			continue;
		}
		if ((flags & O_CREAT) && (flags & O_EXCL)) {
			close(fd);
			r = -EEXIST;
			break;
		}
		if (S_ISLNK(st.st_mode) && !(flags & O_PATH)) {
			close(fd);
			r = -ELOOP;
			break;
		}
		/*
		 * Opened once more with the real flags: by name and O_NOFOLLOW, so what came in between can
		 * only be another node of this same directory, never a way out of it.
		 */
		close(fd);
		fd = openat(walk_here(&w), comp, (flags & ~O_CREAT) | O_NOFOLLOW | O_CLOEXEC);
		r = fd < 0 ? -errno : fd;
		break;
	}
	walk_up(&w, 0);
	free(w.fds);
	return r;
}

/* --- the public calls
 * --------------------------------------------------------------------------------------------- */

int path_open(int rootfd, const char *path, int flags, mode_t mode, int resolve)
{
	struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC,
		.mode = (flags & O_CREAT) ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	if (!*path)
		path = "/";
	if (no_openat2)
		return walk_open(rootfd, path, flags, mode, resolve);
	if (resolve & PATH_NO_SYMLINKS)
		how.resolve |= RESOLVE_NO_SYMLINKS;
	if (resolve & PATH_NO_XDEV)
		how.resolve |= RESOLVE_NO_XDEV;
	for (int i = 0; i < OPENAT2_TRIES; i++) {
		int fd = (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));

		if (fd >= 0)
			return fd;
		if (errno == ENOSYS || errno == EPERM) {
			/* EPERM: a seccomp filter of an outer container runtime that does not know the call.
			 */
			int saved = errno;

			fd = walk_open(rootfd, path, flags, mode, resolve);
			if (fd >= 0 || saved == ENOSYS)
				no_openat2 = saved == ENOSYS || no_openat2;
			return fd;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

int path_mkdirs(int rootfd, const char *path, mode_t mode)
{
	char prefix[PATH_MAX];
	size_t len = strlen(path);
	int fd;

	fd = path_open(rootfd, path, O_PATH | O_DIRECTORY, 0, 0);
	if (fd != -ENOENT)
		return fd;
	if (len >= sizeof(prefix))
		return -ENAMETOOLONG;
	/*
	 * Go down one component at a time. Each step resolves the prefix anew from the root, so that symlinks
	 * met on the way keep their meaning; mkdirat() then only ever sees one plain name in a directory held
	 * by fd.
	 */
	for (size_t end = 0; end <= len;) {
		_cleanup_close_ int dir = -EBADF;
		size_t start = end + strspn(path + end, "/");
		size_t n = strcspn(path + start, "/");

		if (n == 0)
			break;
		end = start + n;
		memcpy(prefix, path, end);
		prefix[end] = '\0';
		dir = path_open(rootfd, prefix, O_PATH | O_DIRECTORY, 0, 0);
		if (dir == -ENOENT) {
			_cleanup_close_ int parent = -EBADF;

			prefix[start] = '\0';
			parent = path_open(rootfd, prefix, O_PATH | O_DIRECTORY, 0, 0);
			if (parent < 0)
				return parent;
			memcpy(prefix, path, end);
			/* A dangling symlink answers EEXIST here and ENOENT below: the caller sees the
			 * latter. */
			if (mkdirat(parent, prefix + start, mode) < 0 && errno != EEXIST)
				return -errno;
		} else if (dir < 0) {
			return dir;
		}
	}
	return path_open(rootfd, path, O_PATH | O_DIRECTORY, 0, 0);
}

int path_open_parent(int rootfd, const char *path, bool create, const char **name)
{
	char dir[PATH_MAX];
	const char *base = strrchr(path, '/');
	size_t len;
	int fd;

	base = base ? base + 1 : path;
	if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return -EINVAL;
	len = (size_t)(base - path);
	if (len >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, path, len);
	dir[len] = '\0';
	if (create)
		fd = path_mkdirs(rootfd, len ? dir : "/", 0755);
	else
		fd = path_open(rootfd, len ? dir : "/", O_PATH | O_DIRECTORY, 0, 0);
	if (fd >= 0)
		*name = base;
	return fd;
}

int path_touch(int rootfd, const char *path, mode_t mode)
{
	_cleanup_close_ int parent = -EBADF, made = -EBADF;
	const char *name;
	struct stat st;
	int fd;

	fd = path_open(rootfd, path, O_PATH, 0, 0);
	if (fd == -ENOENT) {
		parent = path_open_parent(rootfd, path, true, &name);
		if (parent < 0)
			return parent;
		/* O_EXCL: never through a dangling symlink, which could create a file elsewhere. */
		made = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		if (made < 0 && errno != EEXIST)
			return -errno;
		fd = path_open(rootfd, path, O_PATH, 0, 0);
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return -EISDIR;
	}
	return fd;
}

bool path_is_normal(const char *path)
{
	if (*path != '/')
		return false;
	if (path[1] == '\0')
		return true;
	for (const char *p = path; *p;) {
		size_t n = strcspn(p + 1, "/");

		if (n == 0 || (n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
			return false;
		p += 1 + n;
	}
	return true;
}

int path_clean(const char *path, char *buf, size_t size)
{
	size_t used = 0;

	for (const char *p = path; *p;) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 0)
			break;
		if (n == 1 && p[0] == '.') {
			;
		} else if (n == 2 && p[0] == '.' && p[1] == '.') {
			while (used > 0 && buf[--used] != '/')
				;
		} else {
			if (used + n + 2 > size)
				return -ENAMETOOLONG;
			buf[used++] = '/';
			memcpy(buf + used, p, n);
			used += n;
		}
		p += n;
	}
	if (used == 0) {
		if (size < 2)
			return -ENAMETOOLONG;
		buf[used++] = '/';
	}
	buf[used] = '\0';
	return 0;
}

bool path_within(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (n == 1 && dir[0] == '/')
		return true;
	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

char *path_absolute(const char *path)
{
	_cleanup_free_ char *cwd = NULL;
	char *out = NULL;

	if (*path == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return NULL;
	if (asprintf(&out, "%s/%s", cwd, path) < 0)
		return NULL;
	return out;
}

int path_make(const char *path, mode_t mode, struct err *e)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return err_set(e, ENOMEM, "make directory %s", path);
	for (char *p = copy + strspn(copy, "/"); *p;) {
		size_t n = strcspn(p, "/");
		char end = p[n];

		p[n] = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return err_set(e, errno, "make directory %s", copy);
		p[n] = end;
		p += n + strspn(p + n, "/");
	}
	return 0;
}
