/* SPDX-License-Identifier: Apache-2.0 */
/* Walking a tree, for a layer (see pack.h). */
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "images/pack_internal.h"
#include "images/store_internal.h"

#define BUFFER	    (256 * 1024)
#define EXTENTS_MAX 4096	       /* what has more holes is packed without them */
#define ZEROS	    (INT64_C(1) << 30) /* at once; libarchive takes no more than INT_MAX */
#define HOLES_MAX   (INT64_C(1) << 50) /* of all files */
#define FILLED_MAX  (INT64_C(1) << 40) /* of one that is packed without its holes */
#define WHITEOUT    ".wh."

/* The first name of a file that has several. */
struct linked {
	dev_t dev;
	ino_t ino;
	char path[];
};

struct pack {
	const struct img_pack_opts *o;
	struct layer_writer *w;
	struct err *err;
	struct stat store; /* its directory, which is not to be packed into itself */
	void *linked;	   /* tsearch(3) of struct linked */
	struct img_packed out;
	char *buf;
	const char *zeros; /* as many as ZEROS, and no memory: nobody reads those of a hole */
	int64_t holes;	   /* bytes of them so far */
	struct layer_extent *extents;
	size_t len; /* of path */
	char path[PATH_MAX];
};

/* One of a directory, with what fstatat(2) and then its own descriptor say. */
struct node {
	int dir, fd; /* fd -EBADF: not open */
	const char *name;
	struct stat st;
	uint64_t mount, parent_mount;
};

/* --- names -------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

static void free_namesp(char ***names)
{
	free_names(*names);
}

static int add_name(char ***names, size_t *n, size_t *room, const char *name)
{
	char **more = *names;

	if (*n + 1 >= *room) {
		*room = *room ? 2 * *room : 32;
		more = realloc(*names, *room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		*names = more;
	}
	more[*n] = strdup(name);
	if (!more[*n])
		return -ENOMEM;
	more[++*n] = NULL;
	return 0;
}

static int read_names(int dir, char ***out)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	size_t n = 0, room = 0;

	if (!d) {
		r = -errno;
		fd_close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, entry = readdir(d)))
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			r = add_name(out, &n, &room, entry->d_name);
	if (r == 0 && errno)
		r = -errno;
	if (n)
		qsort(*out, n, sizeof(**out), by_name);
	return r;
}

bool img_pack_is_excluded(char *const *excludes, const char *path)
{
	const char *pattern, *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	strv_each (pattern, excludes) {
		if (strchr(pattern, '/') ? fnmatch(pattern + (*pattern == '/'), path, FNM_PATHNAME) == 0
					 : fnmatch(pattern, base, 0) == 0)
			return true;
	}
	return false;
}

static bool is_named_mount(const struct pack *p)
{
	const char *m;

	strv_each (m, p->o->mounts)
		if (str_eq(m + (*m == '/'), p->path))
			return true;
	return false;
}

/* --- changes while we read ---------------------------------------------------------------------- */

/* 0 where that is normal. */
static int changed(struct pack *p, const char *how)
{
	p->out.changed++;
	if (!p->o->hot)
		return err_text(p->err, ESTALE, "\"%s\" %s while it was read", p->path, how);
	log_warn("\"%s\" %s while it was read", p->path, how);
	return 0;
}

static int failed(struct pack *p, int code, const char *what)
{
	if (code == ENOENT || code == ESTALE || code == ELOOP || code == ENOTDIR)
		return changed(p, "vanished");
	return err_set(p->err, code, "%s \"%s\"", what, p->path);
}

/* --- entries ------------------------------------------------------------------------------------ */

static int shift(struct pack *p, uint32_t id, uint32_t by, const char *what, uint32_t *out)
{
	if (id < by || (p->o->shift_count && id - by >= p->o->shift_count))
		return err_text(p->err, EOVERFLOW,
			"\"%s\" belongs to %s %u, which is none of the image's (they begin at %u)", p->path,
			what, id, by);
	*out = id - by;
	return 0;
}

static int put(struct pack *p, const struct node *n, struct layer_entry *x)
{
	int r = shift(p, n->st.st_uid, p->o->uid_shift, "user", &x->uid);

	if (r == 0)
		r = shift(p, n->st.st_gid, p->o->gid_shift, "group", &x->gid);
	if (r < 0)
		return r;
	if (!x->path)
		x->path = p->path;
	x->mode = n->st.st_mode;
	x->mtime = n->st.st_mtim;
	x->rdev = n->st.st_rdev;
	p->out.entries++;
	return layer_entry(p->w, x, p->err);
}

static int put_marker(struct pack *p, const char *dir, const char *prefix, const char *name)
{
	char path[2 * PATH_MAX];
	struct layer_entry x = { .path = path, .mode = S_IFREG };

	if (snprintf(path, sizeof(path), "%s%s%s%s", dir, *dir ? "/" : "", prefix, name) >= PATH_MAX)
		return err_text(
			p->err, ENAMETOOLONG, "\"%.200s...\": the path is too long for a whiteout", p->path);
	p->out.entries++;
	return layer_entry(p->w, &x, p->err);
}

static int put_whiteout(struct pack *p, const char *name)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%.*s", (int)(p->len - strlen(name)), p->path);
	dir[strlen(dir) ? strlen(dir) - 1 : 0] = '\0';
	return put_marker(p, dir, WHITEOUT, name);
}

/* --- content ------------------------------------------------------------------------------------ */

/* Files of 8 EiB cost whoever makes them nothing: holes are passed over in few steps, and limited. */
static int put_zeros(struct pack *p, int64_t n)
{
	const char *zeros = p->zeros ? p->zeros : p->buf;
	int64_t most = p->zeros ? ZEROS : BUFFER;
	int r = 0;

	if (n > 0 && !p->zeros)
		memset(p->buf, 0, BUFFER);
	for (int64_t len; n > 0 && r == 0; n -= len) {
		len = n < most ? n : most;
		r = layer_data(p->w, zeros, (size_t)len, p->err);
	}
	return r;
}

/* How many of the bytes there were; the caller fills up. */
static int put_range(struct pack *p, int fd, int64_t at, int64_t end, int64_t *done)
{
	struct img_progress *progress = p->o->progress;
	int r = 0;

	while (at < end && r == 0) {
		ssize_t n = pread(fd, p->buf, end - at < BUFFER ? (size_t)(end - at) : BUFFER, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(p->err, errno, "read \"%s\"", p->path);
		if (n == 0)
			break;
		r = layer_data(p->w, p->buf, (size_t)n, p->err);
		at += n;
		p->out.bytes += n;
		if (progress)
			progress->at(progress, 0, p->out.bytes);
	}
	*done = at;
	return r;
}

/* A file as it was when its size was asked for, whatever becomes of it. */
static int put_content(struct pack *p, const struct node *n, const struct layer_entry *x)
{
	struct layer_extent whole = { 0, x->size };
	const struct layer_extent *list = x->sparse ? x->extents : &whole;
	size_t count = x->sparse ? x->n_extents : 1;
	int64_t at = 0, done = 0;
	struct stat now;
	bool shorter = false;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		r = put_zeros(p, list[i].at - at);
		if (r == 0)
			r = put_range(p, n->fd, list[i].at, list[i].at + list[i].len, &done);
		at = list[i].at + list[i].len;
		if (r == 0 && done < at) {
			shorter = true;
			r = put_zeros(p, at - done);
		}
	}
	if (r == 0)
		r = put_zeros(p, x->size - at);
	if (r < 0)
		return r;
	if (shorter)
		return changed(p, "became shorter");
	if (fstat(n->fd, &now) == 0 &&
		(now.st_size != n->st.st_size || now.st_mtim.tv_sec != n->st.st_mtim.tv_sec ||
			now.st_mtim.tv_nsec != n->st.st_mtim.tv_nsec))
		return changed(p, "changed");
	return 0;
}

/* Where there is data. False: everywhere, as far as can be told. */
static bool find_extents(struct pack *p, const struct node *n, struct layer_entry *x)
{
	int64_t size = n->st.st_size, at = 0;
	size_t count = 0;

	if (n->st.st_blocks * 512 >= size)
		return false;
	while (at < size) {
		int64_t data = lseek(n->fd, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? -1 : lseek(n->fd, data, SEEK_HOLE);
		if (hole < 0 || count == EXTENTS_MAX)
			return false;
		hole = hole > size ? size : hole;
		if (data >= hole)
			break;
		p->extents[count++] = (struct layer_extent){ data, hole - data };
		at = hole;
	}
	x->extents = p->extents;
	x->n_extents = count;
	return count != 1 || p->extents[0].len != size;
}

/* --- files with several names ------------------------------------------------------------------- */

static int by_inode(const void *a, const void *b)
{
	const struct linked *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static const char *first_name(struct pack *p, const struct stat *st)
{
	struct linked key = { .dev = st->st_dev, .ino = st->st_ino };
	struct linked *const *found = tfind(&key, &p->linked, by_inode);

	return found ? (*found)->path : NULL;
}

static int note_name(struct pack *p, const struct stat *st)
{
	struct linked *l = st->st_nlink > 1 ? calloc(1, sizeof(*l) + p->len + 1) : NULL;

	if (st->st_nlink < 2)
		return 0;
	if (l) {
		l->dev = st->st_dev;
		l->ino = st->st_ino;
		memcpy(l->path, p->path, p->len + 1);
	}
	if (l && tsearch(l, &p->linked, by_inode))
		return 0;
	free(l);
	return err_set(p->err, ENOMEM, "pack");
}

/* --- nodes -------------------------------------------------------------------------------------- */

static int put_file(struct pack *p, struct node *n, struct pack_attrs *a)
{
	struct layer_entry x = { .xattrs = a->list, .n_xattrs = a->n, .size = n->st.st_size };
	int r;

	/* A file that is mounted over another: the one below cannot be seen. */
	if (n->mount != n->parent_mount && !is_named_mount(p)) {
		x = (struct layer_entry){ 0 };
		return put(p, n, &x);
	}
	x.sparse = find_extents(p, n, &x);
	if (x.sparse) {
		int64_t holes = x.size;

		for (size_t i = 0; i < x.n_extents; i++)
			holes -= x.extents[i].len;
		if (__builtin_add_overflow(p->holes, holes, &p->holes) || p->holes > HOLES_MAX)
			return err_text(p->err, E2BIG,
				"\"%s\" has %lld bytes: there are more than %lld of holes in all", p->path,
				(long long)x.size, (long long)HOLES_MAX);
	}
	if (!x.sparse && x.size - n->st.st_blocks * 512 > FILLED_MAX)
		return err_text(p->err, E2BIG,
			"\"%s\" has %lld bytes, nearly all of them holes, and more than %d of those", p->path,
			(long long)x.size, EXTENTS_MAX);
	r = put(p, n, &x);
	if (r == 0)
		r = put_content(p, n, &x);
	return r < 0 ? r : note_name(p, &n->st);
}

static int put_other(struct pack *p, struct node *n, struct pack_attrs *a)
{
	struct layer_entry x = { .xattrs = a->list, .n_xattrs = a->n };
	char target[PATH_MAX];
	ssize_t len;
	int r;

	if (S_ISLNK(n->st.st_mode)) {
		len = readlinkat(n->dir, n->name, target, sizeof(target) - 1);
		if (len < 0)
			return failed(p, errno, "read symlink");
		target[len] = '\0';
		x.link = target;
	}
	r = put(p, n, &x);
	return r < 0 ? r : note_name(p, &n->st);
}

static int pack_leaf(struct pack *p, struct node *n)
{
	const char *first = n->st.st_nlink > 1 ? first_name(p, &n->st) : NULL;
	struct layer_entry link = { .link = first, .hard = true };
	struct pack_attrs a;
	int r;

	if (p->o->overlay && S_ISCHR(n->st.st_mode) && n->st.st_rdev == 0)
		return put_whiteout(p, n->name);
	if (first)
		return put(p, n, &link);
	r = pack_attrs_read(n->fd, n->dir, n->name, p->o, &a, p->err);
	if (r < 0)
		return err_wrap(p->err, "\"%s\"", p->path);
	if (p->o->overlay && a.needs_lower)
		r = err_text(p->err, EOPNOTSUPP,
			"\"%s\" has attribute %s: its content is in a layer below; overlayfs must be mounted "
			"with metacopy=off,redirect_dir=off",
			p->path, a.needs_lower);
	else if (p->o->overlay && a.whiteout && S_ISREG(n->st.st_mode) && n->st.st_size == 0)
		r = put_whiteout(p, n->name);
	else
		r = S_ISREG(n->st.st_mode) ? put_file(p, n, &a) : put_other(p, n, &a);
	pack_attrs_free(&a);
	return r;
}

static int pack_children(struct pack *p, int dir, uint64_t mount);

static int put_dir(struct pack *p, struct node *n)
{
	struct layer_entry x = { 0 };
	struct pack_attrs a;
	int r = pack_attrs_read(n->fd, n->dir, n->name, p->o, &a, p->err);

	if (r < 0)
		return err_wrap(p->err, "\"%s\"", p->path);
	if (p->o->overlay && a.needs_lower) {
		r = err_text(p->err, EOPNOTSUPP,
			"\"%s\" has attribute %s: it was renamed, and its content is in a layer below; "
			"overlayfs must be mounted with redirect_dir=off",
			p->path, a.needs_lower);
	} else {
		x.xattrs = a.list;
		x.n_xattrs = a.n;
		r = put(p, n, &x);
		if (r == 0 && p->o->overlay && a.opaque)
			r = put_marker(p, p->path, WHITEOUT, ".wh..opq");
	}
	pack_attrs_free(&a);
	return r;
}

/* Opening what is mounted there could mount something (autofs): its attributes must do. */
static int pack_mount_point(struct pack *p, struct node *n)
{
	struct layer_entry x = { 0 };

	log_debug("\"%s\" is a mount point: what is mounted there is left out", p->path);
	return put(p, n, &x);
}

static int pack_dir(struct pack *p, struct node *n)
{
	int r = put_dir(p, n);

	if (r < 0)
		return r;
	if (n->st.st_dev == p->store.st_dev && n->st.st_ino == p->store.st_ino)
		return 0;
	return pack_children(p, n->fd, n->mount);
}

/* The mount that something is on: of Linux 5.8; before that, the device. */
static int look_up(struct pack *p, struct node *n)
{
	struct statx sx;

	if (statx(n->dir, n->name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_MNT_ID,
		    &sx) < 0 ||
		fstatat(n->dir, n->name, &n->st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return failed(p, errno, "look at") < 0 ? -p->err->code : 1;
	n->mount = sx.stx_mask & STATX_MNT_ID ? sx.stx_mnt_id : (uint64_t)n->st.st_dev;
	return 0;
}

/* 1: it has become something else. */
static int open_node(struct pack *p, struct node *n)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stat st;

	if (S_ISDIR(n->st.st_mode))
		flags |= O_DIRECTORY;
	n->fd = openat(n->dir, n->name, flags);
	if (n->fd < 0 || fstat(n->fd, &st) < 0)
		return failed(p, errno, "open") < 0 ? -p->err->code : 1;
	if (st.st_ino != n->st.st_ino || st.st_dev != n->st.st_dev || ((st.st_mode ^ n->st.st_mode) & S_IFMT))
		return changed(p, "was exchanged") < 0 ? -p->err->code : 1;
	n->st = st;
	return 0;
}

static int pack_node(struct pack *p, int dir, const char *name, uint64_t parent_mount)
{
	struct node n = { .dir = dir, .fd = -EBADF, .name = name, .parent_mount = parent_mount };
	int r = look_up(p, &n);

	if (r != 0)
		return r < 0 ? r : 0;
	if (S_ISSOCK(n.st.st_mode))
		return 0;
	if (S_ISDIR(n.st.st_mode) && n.mount != parent_mount && !is_named_mount(p))
		return pack_mount_point(p, &n);
	if (S_ISDIR(n.st.st_mode) ||
		(S_ISREG(n.st.st_mode) && !(n.st.st_nlink > 1 && first_name(p, &n.st)))) {
		r = open_node(p, &n);
		if (r == 0)
			r = S_ISDIR(n.st.st_mode) ? pack_dir(p, &n) : pack_leaf(p, &n);
		fd_close(n.fd);
		return r < 0 ? r : 0;
	}
	return pack_leaf(p, &n);
}

/* ".wh.x" in an image means that "x" is removed: there is no way to write a file of that name. */
static int reserved(struct pack *p)
{
	if (!p->o->hot)
		return err_text(p->err, EINVAL,
			"\"%s\": names that begin with \"" WHITEOUT "\" are reserved in images; %s", p->path,
			p->o->overlay ? "remove it from the partition" : "--exclude it");
	log_warn(
		"\"%s\" is left out: names that begin with \"" WHITEOUT "\" are reserved in images", p->path);
	return 0;
}

static int pack_children(struct pack *p, int dir, uint64_t mount)
{
	_cleanup_(free_namesp) char **names = NULL;
	size_t before = p->len;
	int r = read_names(dir, &names);

	if (r < 0)
		return err_set(p->err, r, "read directory \"%s\"", p->path);
	for (size_t i = 0; names && names[i] && r == 0; i++) {
		size_t len = strlen(names[i]);

		if (before + len + 2 > sizeof(p->path))
			return err_text(p->err, ENAMETOOLONG,
				"\"%.200s...\": a path of more than %d bytes, which no image can have",
				p->path, PATH_MAX);
		p->len = before + (size_t)snprintf(p->path + before, sizeof(p->path) - before, "%s%s",
					  before ? "/" : "", names[i]);
		if (img_pack_is_excluded(p->o->excludes, p->path))
			;
		else if (str_starts(names[i], WHITEOUT))
			r = reserved(p);
		else
			r = pack_node(p, dir, names[i], mount);
		p->len = before;
		p->path[before] = '\0';
	}
	return r;
}

/* --- all of it ---------------------------------------------------------------------------------- */

static int pack_root(struct pack *p, int dir)
{
	struct node n = { .dir = dir, .fd = dir, .name = "." };
	struct layer_entry x = { .path = "./" };
	struct pack_attrs a;
	int r = look_up(p, &n);

	if (r != 0)
		return r;
	if (!p->o->overlay) {
		r = pack_attrs_read(dir, dir, ".", p->o, &a, p->err);
		if (r < 0)
			return r;
		x.xattrs = a.list;
		x.n_xattrs = a.n;
		r = put(p, &n, &x);
		pack_attrs_free(&a);
	}
	return r < 0 ? r : pack_children(p, dir, n.mount);
}

/* One for each level of the tree. */
static void allow_descriptors(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur >= PATH_MAX)
		return;
	lim.rlim_cur = lim.rlim_max < PATH_MAX ? lim.rlim_max : PATH_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &lim);
}

int img_pack_tree(
	struct img_store *s, int dir, const struct img_pack_opts *o, struct img_packed *out, struct err *e)
{
	_cleanup_(layer_closep) struct layer_writer *w = NULL;
	_cleanup_free_ struct pack *p = calloc(1, sizeof(*p));
	_cleanup_free_ struct layer_extent *extents = calloc(EXTENTS_MAX, sizeof(*extents));
	_cleanup_free_ char *buf = malloc(BUFFER);
	struct err own = ERR_INIT;
	int r;

	e = e ? e : &own;
	if (!p || !extents || !buf)
		return err_set(e, ENOMEM, "pack");
	p->o = o;
	p->err = e;
	p->buf = buf;
	p->extents = extents;
	if (fstat(s->dir, &p->store) < 0)
		return err_set(e, errno, "image store %s", s->path);
	allow_descriptors();
	p->zeros = mmap(NULL, ZEROS, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p->zeros == MAP_FAILED)
		p->zeros = NULL;
	r = layer_open(s, o->compression, &w, e);
	p->w = w;
	if (o->progress)
		o->progress->begin(o->progress, 0, "layer", -1);
	if (r == 0)
		r = pack_root(p, dir);
	if (r == 0 && p->out.entries == 0)
		r = layer_empty(w, e);
	if (r == 0)
		r = layer_finish(w, &p->out, e);
	if (o->progress)
		o->progress->end(o->progress, 0, r < 0 ? "failed" : "done");
	tdestroy(p->linked, free);
	if (p->zeros)
		munmap((void *)p->zeros, ZEROS);
	if (r == 0)
		*out = p->out;
	return r;
}
