/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree as a source: from a descriptor down, one name at a time and by descriptor, so that nothing that is
 * swapped meanwhile leads elsewhere. Nothing but directories and regular files is ever opened, and those only
 * after a descriptor that cannot act (O_PATH) has shown what they are.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "launch/cp_internal.h"

#define XATTRS_MAX 65536

/* Where files with several names have been, by device and inode. */
struct seen {
	dev_t dev;
	ino_t ino;
	char *path;
};

struct walk {
	const struct cp_tree *tree;
	struct cp_sink *sink;
	struct seen *seen; /* a hash table of `room`, a power of two */
	size_t n_seen, room;
	char path[PATH_MAX];
};

/* --- hard links ------------------------------------------------------------------------------- */

static struct seen *slot(struct seen *table, size_t room, dev_t dev, ino_t ino)
{
	uint64_t h = ((uint64_t)ino * 0x9E3779B97F4A7C15ULL) ^ (uint64_t)dev;

	for (size_t i = (size_t)(h >> 17) & (room - 1);; i = (i + 1) & (room - 1))
		if (!table[i].path || (table[i].dev == dev && table[i].ino == ino))
			return &table[i];
}

static int grow(struct walk *w)
{
	size_t room = w->room ? w->room * 2 : 64;
	struct seen *table = calloc(room, sizeof(*table));

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < w->room; i++)
		if (w->seen[i].path)
			*slot(table, room, w->seen[i].dev, w->seen[i].ino) = w->seen[i];
	free(w->seen);
	w->seen = table;
	w->room = room;
	return 0;
}

/* *before: the path it was met under, or NULL: now is the first time. */
static int look_up(struct walk *w, const struct stat *st, const char **before)
{
	struct seen *s;

	if (w->n_seen * 2 >= w->room && grow(w) < 0)
		return -ENOMEM;
	s = slot(w->seen, w->room, st->st_dev, st->st_ino);
	*before = s->path;
	if (s->path)
		return 0;
	*s = (struct seen){ st->st_dev, st->st_ino, strdup(w->path) };
	w->n_seen++;
	return s->path ? 0 : -ENOMEM;
}

/* --- extended attributes ---------------------------------------------------------------------- */

static bool wanted(const struct walk *w, const char *name)
{
	return str_starts(name, "user.") ? !str_starts(name, "user.overlay.")
					 : w->tree->capabilities && str_eq(name, "security.capability");
}

static void free_xattrs(struct cp_xattr *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(x[i].name);
		free(x[i].value);
	}
	free(x);
}

static int add_xattr(int fd, const char *name, struct cp_xattr **list, size_t *n)
{
	_cleanup_free_ char *value = malloc(XATTRS_MAX), *copy = strdup(name);
	struct cp_xattr *more = realloc(*list, (*n + 1) * sizeof(*more));
	ssize_t len;

	if (more)
		*list = more;
	if (!value || !copy || !more)
		return -ENOMEM;
	len = fgetxattr(fd, name, value, XATTRS_MAX);
	/* Gone meanwhile. */
	if (len < 0)
		return errno == ENODATA ? 0 : -errno;
	more[(*n)++] = (struct cp_xattr){ TAKE_PTR(copy), TAKE_PTR(value), (size_t)len };
	return 0;
}

static int read_xattrs(const struct walk *w, int fd, struct cp_xattr **list, size_t *n)
{
	char small[1024];
	_cleanup_free_ char *big = NULL;
	char *names = small;
	ssize_t len = flistxattr(fd, small, sizeof(small));
	int r = 0;

	if (len < 0 && errno == ERANGE) {
		names = big = malloc(XATTRS_MAX);
		len = big ? flistxattr(fd, big, XATTRS_MAX) : -1;
	}
	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (ssize_t i = 0; r == 0 && i < len; i += (ssize_t)strlen(names + i) + 1)
		if (wanted(w, names + i))
			r = add_xattr(fd, names + i, list, n);
	return r;
}

/* --- what there is ---------------------------------------------------------------------------- */

static int cannot(const struct walk *w, int code, const char *what, struct err *e)
{
	char shown[CP_SHOWN];

	return err_set(e, code, "%s %s", what, cp_show(*w->path ? w->path : ".", shown));
}

static uint32_t id_of(const struct spec_id_map *map, size_t n, uint32_t id)
{
	int64_t v = cp_id_inside(map, n, id);

	/* What the user namespace has no number for is nobody to it. */
	return v < 0 ? 65534 : (uint32_t)v;
}

static void fill(const struct walk *w, const struct stat *st, struct cp_entry *entry)
{
	const struct cp_root *root = w->tree->root;

	*entry = (struct cp_entry){
		.path = w->path,
		.mode = st->st_mode,
		.uid = root ? id_of(root->uid_map, root->n_uid, st->st_uid) : st->st_uid,
		.gid = root ? id_of(root->gid_map, root->n_gid, st->st_gid) : st->st_gid,
		.device = st->st_rdev,
		.size = S_ISREG(st->st_mode) ? st->st_size : 0,
		.mtime = st->st_mtim,
		.fd = -EBADF,
	};
}

static int node(struct walk *w, int fd, const struct stat *st, struct err *e);

static int children(struct walk *w, int fd, struct err *e)
{
	_cleanup_closedir_ DIR *d = fdopendir(fd);
	size_t len = strlen(w->path);
	const struct dirent *x;
	int r = 0;

	if (!d) {
		r = cannot(w, errno, "read directory", e);
		close(fd);
		return r;
	}
	while (r == 0) {
		_cleanup_close_ int child = -EBADF;
		struct stat st;

		errno = 0;
		x = readdir(d);
		if (!x)
			return errno ? cannot(w, errno, "read directory", e) : 0;
		/* No file system should tell of a name with a slash. */
		if (str_eq(x->d_name, ".") || str_eq(x->d_name, "..") || strchr(x->d_name, '/'))
			continue;
		if (snprintf(w->path + len, sizeof(w->path) - len, "%s%s", len ? "/" : "", x->d_name) >=
			(int)(sizeof(w->path) - len)) {
			w->path[len] = '\0';
			return cannot(w, ENAMETOOLONG, "copy what is in", e);
		}
		child = openat(dirfd(d), x->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0 || fstat(child, &st) < 0)
			/* Gone since the directory was read. */
			r = errno == ENOENT ? 0 : cannot(w, errno, "look at", e);
		else
			r = node(w, child, &st, e);
		w->path[len] = '\0';
	}
	return r;
}

static int directory(struct walk *w, int fd, struct cp_entry *entry, const struct stat *st, struct err *e)
{
	const struct cp_tree *t = w->tree;
	struct cp_xattr *xattrs = NULL;
	const char *fs = NULL;
	size_t n = 0;
	int dir, r;

	if (t->have_not && st->st_dev == t->not_dev && st->st_ino == t->not_ino) {
		cp_skip(w->sink->report, w->path, "it is the directory that is copied to");
		return 0;
	}
	dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return cannot(w, errno, "open directory", e);
	/* The directory itself, empty, stands for what is mounted there. */
	if (cp_is_kernel_fs(dir, &fs)) {
		close(dir);
		if (!*w->path)
			return err_text(e, EINVAL,
				"it is on a file system of the kernel (%s), which holds no files to copy; "
				"`ringfence exec … cat` reads them",
				fs);
		cp_skip(w->sink->report, w->path, "on a file system of the kernel");
		return w->sink->ops->put(w->sink, entry, e);
	}
	r = read_xattrs(w, dir, &xattrs, &n);
	if (r < 0)
		cannot(w, -r, "read the attributes of", e);
	entry->xattrs = xattrs;
	entry->n_xattrs = n;
	if (r == 0)
		r = w->sink->ops->put(w->sink, entry, e);
	free_xattrs(xattrs, n);
	if (r < 0) {
		close(dir);
		return r;
	}
	return children(w, dir, e);
}

static int regular(struct walk *w, int fd, struct cp_entry *entry, struct err *e)
{
	char via[FD_PATH_MAX];
	/* The very file that was looked at. O_NONBLOCK: a lease of another's must not make us wait. */
	_cleanup_close_ int data = open(fd_path(via, fd), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct cp_xattr *xattrs = NULL;
	const char *fs;
	size_t n = 0;
	int r;

	if (data < 0)
		return cannot(w, errno, "open", e);
	if (cp_is_kernel_fs(data, &fs)) {
		if (!*w->path)
			return err_text(e, EINVAL,
				"it is on a file system of the kernel (%s), which holds no files to copy; "
				"`ringfence exec … cat` reads them",
				fs);
		cp_skip(w->sink->report, w->path, "on a file system of the kernel");
		return 0;
	}
	r = read_xattrs(w, data, &xattrs, &n);
	entry->xattrs = xattrs;
	entry->n_xattrs = n;
	entry->fd = data;
	r = r < 0 ? cannot(w, -r, "read the attributes of", e) : w->sink->ops->put(w->sink, entry, e);
	free_xattrs(xattrs, n);
	return r;
}

static int other(struct walk *w, int fd, struct cp_entry *entry, struct err *e)
{
	char target[PATH_MAX];
	const char *why = S_ISSOCK(entry->mode) ? "a socket" : "a device";
	ssize_t n;

	if (S_ISLNK(entry->mode)) {
		n = readlinkat(fd, "", target, sizeof(target) - 1);
		if (n < 0)
			return cannot(w, errno, "read symlink", e);
		target[n] = '\0';
		entry->link = target;
	} else if (S_ISSOCK(entry->mode) || (!S_ISFIFO(entry->mode) && !w->tree->devices)) {
		if (!*w->path)
			return err_text(e, EINVAL, "it is %s, which cannot be copied", why);
		cp_skip(w->sink->report, w->path, why);
		return 0;
	}
	return w->sink->ops->put(w->sink, entry, e);
}

static int node(struct walk *w, int fd, const struct stat *st, struct err *e)
{
	struct cp_entry entry;
	const char *before = NULL;

	fill(w, st, &entry);
	if (S_ISDIR(st->st_mode))
		return directory(w, fd, &entry, st, e);
	if (st->st_nlink > 1 && !S_ISSOCK(st->st_mode)) {
		if (look_up(w, st, &before) < 0)
			return cannot(w, ENOMEM, "remember", e);
		if (before) {
			entry.link = before;
			entry.hard = true;
			/* For a sink that finds the other one gone, and copies. */
			if (S_ISREG(st->st_mode))
				return regular(w, fd, &entry, e);
			return w->sink->ops->put(w->sink, &entry, e);
		}
	}
	return S_ISREG(st->st_mode) ? regular(w, fd, &entry, e) : other(w, fd, &entry, e);
}

int cp_tree_walk(const struct cp_tree *t, int top, struct cp_sink *sink, struct err *e)
{
	struct walk w = { .tree = t, .sink = sink };
	struct stat st;
	int r = fstat(top, &st) < 0 ? err_set(e, errno, "look at it") : node(&w, top, &st, e);

	for (size_t i = 0; i < w.room; i++)
		free(w.seen[i].path);
	free(w.seen);
	return r == 0 ? sink->ops->end(sink, e) : r;
}
