/* SPDX-License-Identifier: Apache-2.0 */
/* A file of an image that is not mounted: overlayfs' own look-up, by hand (see roots.h). */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "images/roots.h"

#define LINKS_MAX 40 /* as the kernel's */
#define INSIDE	  (PATH_NO_SYMLINKS | PATH_NO_XDEV)

/* A directory as the overlay merges it: those of the layers, the uppermost first. */
struct merged {
	int *fds;
	size_t n;
};

struct walk {
	const struct img_root *root;
	const char *opaque, *whiteout; /* names of attributes */
	struct merged at;
	char done[PATH_MAX]; /* where `at` is, "" or "/a/b"; without symlinks */
	char rest[PATH_MAX]; /* what is still to be walked */
	int links;
};

static void clear(struct merged *m)
{
	for (size_t i = 0; i < m->n; i++)
		fd_close(m->fds[i]);
	m->n = 0;
}

static int go_to_top(struct walk *w)
{
	clear(&w->at);
	w->done[0] = '\0';
	for (size_t i = w->root->n_layers; i-- > 0;) {
		int fd = openat(w->root->layers[i].fd, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		w->at.fds[w->at.n++] = fd;
	}
	return 0;
}

/* 'y': hides what is below; 'x': files with the whiteout attribute are whiteouts in it; 0: neither. */
static char opacity(const struct walk *w, int dir)
{
	char value;

	return fgetxattr(dir, w->opaque, &value, 1) == 1 ? value : 0;
}

static bool is_whiteout(const struct walk *w, int dir, const char *name, const struct stat *st)
{
	_cleanup_close_ int fd = -EBADF;

	if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0))
		return true;
	if (!S_ISREG(st->st_mode) || st->st_size || opacity(w, dir) != 'x')
		return false;
	fd = path_open(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, INSIDE);
	return fd >= 0 && fgetxattr(fd, w->whiteout, NULL, 0) >= 0;
}

/*
 * One component. 0: a directory, and w->at is it. 1: something else, *dir (which is w->at's) has it, and *st
 * says what. -errno.
 */
static int step(struct walk *w, const char *name, int *dir, struct stat *st)
{
	size_t kept = 0;
	bool hidden = false;

	for (size_t i = 0; i < w->at.n; i++) {
		int fd, r;

		if (hidden || fstatat(w->at.fds[i], name, st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (!hidden && errno != ENOENT)
				return -errno;
			fd_close(w->at.fds[i]);
			w->at.fds[i] = -EBADF;
			continue;
		}
		if (!S_ISDIR(st->st_mode)) {
			hidden = true;
			if (kept == 0 && !is_whiteout(w, w->at.fds[i], name, st)) {
				*dir = w->at.fds[i];
				return 1;
			}
			fd_close(w->at.fds[i]);
			w->at.fds[i] = -EBADF;
			continue;
		}
		fd = path_open(w->at.fds[i], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, INSIDE);
		if (fd < 0)
			return fd;
		fd_close(w->at.fds[i]);
		w->at.fds[i] = -EBADF;
		r = opacity(w, fd);
		w->at.fds[kept++] = fd;
		hidden = r == 'y';
	}
	w->at.n = kept;
	return kept ? 0 : -ENOENT;
}

/* The link's text and what was to come after it are walked instead, from the top again. */
static int follow(struct walk *w, int dir, const char *name)
{
	char text[PATH_MAX], path[PATH_MAX * 2 + 2];
	ssize_t n = readlinkat(dir, name, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	/* What was walked has no symlinks in it, so that ".." can be told from the text. */
	n = snprintf(path, sizeof(path), "%s/%s/%s", text[0] == '/' ? "" : w->done, text, w->rest);
	if (n < 0 || (size_t)n >= sizeof(w->rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, path, (size_t)n + 1);
	return go_to_top(w);
}

static int go_up(struct walk *w)
{
	char path[PATH_MAX * 2 + 2];
	char *slash = strrchr(w->done, '/');
	int n;

	if (slash)
		*slash = '\0';
	n = snprintf(path, sizeof(path), "%s/%s", w->done, w->rest);
	if (n < 0 || (size_t)n >= sizeof(w->rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, path, (size_t)n + 1);
	return go_to_top(w);
}

/* The next component of w->rest, which is shortened by it; false: there is none. */
static bool next_name(struct walk *w, char name[NAME_MAX + 1], int *r)
{
	const char *p = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(p, "/");

	*r = n > NAME_MAX ? -ENAMETOOLONG : 0;
	if (n == 0 || n > NAME_MAX)
		return false;
	memcpy(name, p, n);
	name[n] = '\0';
	p += n;
	memmove(w->rest, p, strlen(p) + 1);
	return true;
}

static int open_found(int dir, const char *name)
{
	/* O_NONBLOCK: what became a FIFO meanwhile does not stop us. */
	_cleanup_close_ int fd = path_open(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, INSIDE);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -EINVAL;
}

static int walk(struct walk *w)
{
	char name[NAME_MAX + 1];
	struct stat st;
	int r = go_to_top(w), dir = -EBADF;

	while (r == 0 && next_name(w, name, &r)) {
		if (str_eq(name, "."))
			continue;
		if (str_eq(name, "..")) {
			r = go_up(w);
			continue;
		}
		r = step(w, name, &dir, &st);
		if (r == 0) {
			size_t used = strlen(w->done);

			if (used + strlen(name) + 2 > sizeof(w->done))
				return -ENAMETOOLONG;
			w->done[used] = '/';
			memcpy(w->done + used + 1, name, strlen(name) + 1);
		} else if (r > 0 && S_ISLNK(st.st_mode)) {
			r = follow(w, dir, name);
		} else if (r > 0) {
			if (!S_ISREG(st.st_mode))
				return -EINVAL;
			return w->rest[strspn(w->rest, "/")] ? -ENOTDIR : open_found(dir, name);
		}
	}
	return r < 0 ? r : -EISDIR;
}

/* An fd of a regular file; -EISDIR: w->at is the directory, uppermost first, and the caller's to clear(). */
static int look_up(const struct img_root *r, const char *path, int *fds, struct walk *w)
{
	if (!fds || !w)
		return -ENOMEM;
	if (strlen(path) >= sizeof(w->rest))
		return -ENAMETOOLONG;
	w->root = r;
	w->at.fds = fds;
	w->opaque = r->rootless ? "user.overlay.opaque" : "trusted.overlay.opaque";
	w->whiteout = r->rootless ? "user.overlay.whiteout" : "trusted.overlay.whiteout";
	memcpy(w->rest, path, strlen(path) + 1);
	return walk(w);
}

int img_root_open_file(const struct img_root *r, const char *path, struct err *e)
{
	_cleanup_free_ int *fds = calloc(r->n_layers + 1, sizeof(*fds));
	_cleanup_free_ struct walk *w = calloc(1, sizeof(*w));
	const char *what = r->name ? r->name : r->target;
	int fd = look_up(r, path, fds, w);

	if (w)
		clear(&w->at);
	if (fd == -EINVAL || fd == -EISDIR)
		return err_text(e, EINVAL, "%.200s of image %s is no regular file", path, what);
	return fd < 0 ? err_set(e, fd, "open %.200s of image %s", path, what) : fd;
}

int img_root_stat_dir(const struct img_root *r, const char *path, struct stat *st, struct err *e)
{
	_cleanup_free_ int *fds = calloc(r->n_layers + 1, sizeof(*fds));
	_cleanup_free_ struct walk *w = calloc(1, sizeof(*w));
	const char *what = r->name ? r->name : r->target;
	int fd = look_up(r, path, fds, w), res = fd;

	if (fd == -EISDIR)
		res = fstat(w->at.fds[0], st) < 0 ? -errno : 0;
	else if (fd >= 0)
		res = -ENOTDIR;
	fd_close(fd);
	if (w)
		clear(&w->at);
	return res < 0 ? err_set(e, res, "look at %.200s of image %s", path, what) : 0;
}
