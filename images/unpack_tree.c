/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole trees: removed, counted (see unpack.h).
 *
 * What is in them came from strangers: they may be deeper than we have descriptors, or have modes that keep a
 * user who is not root out of his own directories.
 */
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "images/unpack_internal.h"

#define INSIDE (PATH_NO_SYMLINKS | PATH_NO_XDEV)

/* --- removing ----------------------------------------------------------------------------------- */

/*
 * What is below a directory of the tree is moved up into the tree's top, and waits there for its turn: three
 * descriptors are enough for any depth. The names are such as no layer can have.
 */
struct removal {
	int top;
	unsigned int next; /* number of the next one that is moved up */
	struct img_tree *gone;
};

static void count_gone(struct removal *r, int dir, const char *name)
{
	struct stat st;

	if (!r->gone || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	r->gone->entries++;
	if (S_ISREG(st.st_mode) && st.st_nlink == 1)
		r->gone->bytes += st.st_size;
}

static int move_up(struct removal *r, int dir, const char *name)
{
	char up[40];

	/* To be moved, a directory must be writable itself: its ".." changes. */
	(void)fchmodat(dir, name, 0700, 0);
	do {
		snprintf(up, sizeof(up), ".wh..wh..going-%u", r->next++);
		if (renameat(dir, name, r->top, up) == 0)
			return 0;
	} while (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR);
	return -errno;
}

/* Opened to be emptied, whatever its mode says. */
static DIR *open_level(int parent, const char *name)
{
	int fd = path_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, INSIDE);
	DIR *d;

	if (fd == -EACCES && fchmodat(parent, name, 0700, 0) == 0)
		fd = path_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, INSIDE);
	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		(void)fchmod(fd, 0700);
	d = fdopendir(fd);
	if (!d)
		fd_close(fd);
	return d;
}

/* Calls act() for all entries until a look finds none: what readdir(3) says about a directory that changes is
 * not certain. */
static int empty_level(struct removal *r, DIR *d, int (*act)(struct removal *r, int dir, const char *name))
{
	const struct dirent *entry;
	bool more = true;

	while (more) {
		more = false;
		rewinddir(d);
		while ((errno = 0, entry = readdir(d))) {
			int ret;

			if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
				continue;
			more = true;
			ret = act(r, dirfd(d), entry->d_name);
			if (ret < 0)
				return ret;
		}
		if (errno)
			return -errno;
	}
	return 0;
}

/* 0: gone; 1: a directory, and not empty. */
static int remove_easily(struct removal *r, int dir, const char *name, bool count)
{
	if (count)
		count_gone(r, dir, name);
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	return errno == ENOTEMPTY || errno == EEXIST || errno == EACCES ? 1 : -errno;
}

static int remove_below(struct removal *r, int dir, const char *name)
{
	int ret = remove_easily(r, dir, name, true);

	return ret > 0 ? move_up(r, dir, name) : ret;
}

static int remove_in_top(struct removal *r, int top, const char *name)
{
	_cleanup_closedir_ DIR *d = NULL;
	/* What was moved up has been counted where it was. */
	int ret = remove_easily(r, top, name, !str_starts(name, ".wh..wh..going-"));

	if (ret <= 0)
		return ret;
	d = open_level(top, name);
	ret = d ? empty_level(r, d, remove_below) : -errno;
	if (ret == 0 && unlinkat(top, name, AT_REMOVEDIR) < 0)
		ret = -errno;
	return ret;
}

int img_tree_remove_counted(int parent, const char *name, struct img_tree *gone, struct err *e)
{
	_cleanup_closedir_ DIR *top = NULL;
	struct removal r = { .gone = gone };
	int ret = remove_easily(&r, parent, name, true);

	if (ret > 0) {
		top = open_level(parent, name);
		r.top = top ? dirfd(top) : -EBADF;
		ret = top ? empty_level(&r, top, remove_in_top) : -errno;
		if (ret == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0)
			ret = -errno;
	}
	if (ret == -EXDEV || ret == -EBUSY)
		return err_text(e, EBUSY, "remove %s: something is mounted in it", name);
	return ret < 0 ? err_set(e, ret, "remove %s", name) : 0;
}

int img_tree_remove(int parent, const char *name, struct err *e)
{
	return img_tree_remove_counted(parent, name, NULL, e);
}

/* --- counting ----------------------------------------------------------------------------------- */

struct pending {
	struct pending *next;
	char path[];
};

struct counting {
	int dir;
	struct pending *todo;
	void *inodes; /* tsearch(3) of those that have more than one name */
	struct img_tree tree;
};

static int by_value(const void *a, const void *b)
{
	return (uintptr_t)a < (uintptr_t)b ? -1 : (uintptr_t)a > (uintptr_t)b;
}

static void keep(void *node)
{
}

static int push(struct counting *c, const char *dir, const char *name)
{
	size_t size = strlen(dir) + strlen(name) + 2;
	struct pending *p = malloc(sizeof(*p) + size);

	if (!p)
		return -ENOMEM;
	snprintf(p->path, size, "%s%s%s", dir, *dir ? "/" : "", name);
	p->next = c->todo;
	c->todo = p;
	return 0;
}

static int count_entry(struct counting *c, int fd, const char *dir, const char *name)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	c->tree.entries++;
	if (S_ISDIR(st.st_mode))
		return push(c, dir, name);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (st.st_nlink > 1) {
		void *key = (void *)(uintptr_t)st.st_ino;

		if (tfind(key, &c->inodes, by_value))
			return 0;
		if (!tsearch(key, &c->inodes, by_value))
			return -ENOMEM;
	}
	c->tree.bytes += st.st_size;
	return 0;
}

static int count_dir(struct counting *c, const char *path)
{
	_cleanup_closedir_ DIR *d = NULL;
	const struct dirent *entry;
	int fd = path_open(c->dir, path, O_RDONLY | O_DIRECTORY, 0, INSIDE), r;

	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		r = -errno;
		close(fd);
		return r;
	}
	while ((errno = 0, entry = readdir(d))) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		r = count_entry(c, fd, path, entry->d_name);
		if (r < 0)
			return r;
	}
	return errno ? -errno : 0;
}

int img_tree_count(int dir, struct img_tree *out, struct err *e)
{
	struct counting c = { .dir = dir };
	int r = push(&c, "", "");

	while (r == 0 && c.todo) {
		struct pending *p = c.todo;

		c.todo = p->next;
		r = count_dir(&c, p->path);
		free(p);
	}
	for (struct pending *p = c.todo, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	tdestroy(c.inodes, keep);
	if (r < 0)
		return err_set(e, r, "count files");
	*out = c.tree;
	return 0;
}
