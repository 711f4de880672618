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
 * A directory that is not empty is moved up, next to the one that is being removed, and waits there for its
 * turn: two descriptors are enough for any depth. The names are such as no layer can have.
 */
struct removal {
	int parent;
	unsigned int next; /* the number of the next one that is moved up */
	struct img_tree *gone;
};

static void waiting_name(unsigned int n, char buf[40])
{
	snprintf(buf, 40, ".wh..wh..going-%u", n);
}

static void count_gone(struct removal *r, int dir, const char *name)
{
	struct stat st;

	if (!r->gone || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	r->gone->entries++;
	if (S_ISREG(st.st_mode) && st.st_nlink == 1)
		r->gone->bytes += st.st_size;
}

static int remove_entry(struct removal *r, int dir, const char *name)
{
	char up[40];

	count_gone(r, dir, name);
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
		return -errno;
	/* To be moved, a directory must be writable itself: its ".." changes. */
	(void)fchmodat(dir, name, 0700, 0);
	waiting_name(r->next, up);
	if (renameat(dir, name, r->parent, up) < 0)
		return -errno;
	r->next++;
	return 0;
}

/* Everything out of parent/name, and it itself. */
static int remove_level(struct removal *r, const char *name)
{
	_cleanup_closedir_ DIR *d = NULL;
	const struct dirent *entry;
	bool more = true;
	int fd, ret;

	fd = path_open(r->parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, INSIDE);
	if (fd == -EACCES && fchmodat(r->parent, name, 0700, 0) == 0)
		fd = path_open(r->parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, INSIDE);
	if (fd < 0)
		return fd;
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		(void)fchmod(fd, 0700);
	d = fdopendir(fd);
	if (!d) {
		ret = -errno;
		close(fd);
		return ret;
	}
	/* Until a look finds nothing: what readdir(3) says about a directory that changes is not certain. */
	while (more) {
		more = false;
		rewinddir(d);
		while ((errno = 0, entry = readdir(d))) {
			if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
				continue;
			more = true;
			ret = remove_entry(r, fd, entry->d_name);
			if (ret < 0)
				return ret;
		}
		if (errno)
			return -errno;
	}
	return unlinkat(r->parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int img_tree_remove_counted(int parent, const char *name, struct img_tree *gone, struct err *e)
{
	struct removal r = { .parent = parent, .gone = gone };
	struct stat st;
	char up[40];
	int ret = 0;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "remove %s", name);
	count_gone(&r, parent, name);
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
			return err_set(e, errno, "remove %s", name);
		return 0;
	}
	/* Names that an earlier removal, which was killed, has left are not in our way. */
	for (waiting_name(0, up); fstatat(parent, up, &st, AT_SYMLINK_NOFOLLOW) == 0;
		waiting_name(r.next, up))
		r.next++;
	ret = remove_level(&r, name);
	for (unsigned int i = 0; ret == 0 && i < r.next; i++) {
		waiting_name(i, up);
		ret = remove_level(&r, up);
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
