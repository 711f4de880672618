/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree as a sink. Names are made in a directory that is held by descriptor, each as a new node, so that
 * neither a symlink nor a hard link nor a fifo that waits there is ever written through. What a directory is
 * to have (mode, time) it gets at the end, when nothing is written into it any more.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/path.h"
#include "launch/cp_internal.h"

#define MAKE_TRIES 16

struct cp_later {
	char *path;
	dev_t dev;
	ino_t ino;
	mode_t mode;
	struct timespec mtime;
};

/* --- where ------------------------------------------------------------------------------------ */

static int cannot(int code, const char *what, const char *path, struct err *e)
{
	char shown[CP_SHOWN];

	return err_set(e, code, "%s %s", what, cp_show(*path ? path : ".", shown));
}

/* The entry's path below s->dir. */
static int full_path(const struct cp_tree_sink *s, const char *path, char buf[static PATH_MAX], struct err *e)
{
	if (snprintf(buf, PATH_MAX, "%s%s%s", s->name, *s->name && *path ? "/" : "", path) >= PATH_MAX)
		return cannot(ENAMETOOLONG, "make", path, e);
	return 0;
}

/*
 * A directory of the sink by its path. Below s->dir no symlink is followed, but for those that a partition
 * has inside (/bin to usr/bin): these lead through its root, which they cannot leave.
 */
static int open_dir(const struct cp_tree_sink *s, const char *path)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	int fd = path_open(s->dir, *path ? path : ".", O_PATH | O_DIRECTORY, 0, PATH_NO_SYMLINKS);

	if (!s->inside || (fd != -ELOOP && fd != -ENOTDIR))
		return fd;
	strbuf_printf(&b, "%s/%s", s->dir_path, path);
	return b.failed ? -ENOMEM : path_open(s->root->fd, b.s, O_PATH | O_DIRECTORY, 0, 0);
}

static int check_fs(const struct cp_tree_sink *s, int dir, const char *path, struct err *e)
{
	char shown[CP_SHOWN];
	const char *fs;

	if (!s->inside || !cp_is_kernel_fs(dir, &fs))
		return 0;
	return err_text(e, EPERM,
		"%s is on a file system of the kernel (%s) inside the partition: nothing is copied there",
		cp_show(path, shown), fs);
}

/* A stream may leave directories out: they are made, the partition's root's. Returns it, or -errno. */
static int make_dirs(const struct cp_tree_sink *s, char *path, int depth)
{
	_cleanup_close_ int dir = -EBADF;
	char *slash = strrchr(path, '/');
	int fd = open_dir(s, path);

	if (fd != -ENOENT || !*path)
		return fd;
	/* As many components as fit a path. */
	if (depth > PATH_MAX / 2)
		return -ENAMETOOLONG;
	if (slash)
		*slash = '\0';
	dir = make_dirs(s, slash ? path : (char[]){ "" }, depth + 1);
	if (slash)
		*slash = '/';
	if (dir < 0)
		return TAKE_FD(dir);
	if (cp_is_kernel_fs(dir, &(const char *){ NULL }))
		return -EPERM;
	if (mkdirat(dir, slash ? slash + 1 : path, 0755) < 0 && errno != EEXIST)
		return -errno;
	return open_dir(s, path);
}

/* The directory that `full` is to be made in, held in s->parent, and its name there. */
static int find_parent(struct cp_tree_sink *s, char *full, const char **name, struct err *e)
{
	char *slash = strrchr(full, '/');
	const char *dir = slash ? full : "";
	_cleanup_close_ int fd = -EBADF;
	int r;

	*name = slash ? slash + 1 : full;
	if (slash)
		*slash = '\0';
	if (s->parent_path && str_eq(s->parent_path, dir)) {
		if (slash)
			*slash = '/';
		return 0;
	}
	fd = slash ? make_dirs(s, full, 0) : open_dir(s, "");
	if (fd < 0) {
		cannot(-fd, "open directory", dir, e);
		return fd == -ELOOP ? err_hint(e, "a symlink is in the way, which is not followed") : fd;
	}
	r = check_fs(s, fd, full, e);
	if (r < 0)
		return r;
	free(s->parent_path);
	s->parent_path = strdup(dir);
	fd_close(s->parent);
	s->parent = TAKE_FD(fd);
	if (slash)
		*slash = '/';
	return s->parent_path ? 0 : err_set(e, ENOMEM, "cp");
}

/* --- what is in the way ----------------------------------------------------------------------- */

/*
 * Whether something is mounted on that name. It must be asked: in a mount namespace that is not ours, unlink
 * and rmdir of a mount point succeed, and unmount it there (fs/namei.c, is_local_mountpoint()).
 */
static bool is_mount_point(int dirfd, const char *name)
{
	const unsigned int mask = STATX_INO | STATX_MNT_ID;
	struct statx dir, x;

	if (statx(dirfd, "", AT_EMPTY_PATH, mask, &dir) < 0 ||
		statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, mask, &x) < 0)
		return false;
	/* Before Linux 5.8 the device has to tell. */
	if (!(x.stx_mask & dir.stx_mask & STATX_MNT_ID))
		return x.stx_dev_major != dir.stx_dev_major || x.stx_dev_minor != dir.stx_dev_minor;
	return x.stx_mnt_id != dir.stx_mnt_id;
}

/* What is mounted in it stays, and so does it: -EBUSY. */
static int remove_tree(int dirfd, const char *name, int depth)
{
	_cleanup_closedir_ DIR *d = NULL;
	const struct dirent *x;
	int fd, r = 0;

	if (is_mount_point(dirfd, name))
		return -EBUSY;
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (depth > 1000)
		return -ELOOP;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (x = readdir(d)))
		if (!str_eq(x->d_name, ".") && !str_eq(x->d_name, ".."))
			r = remove_tree(fd, x->d_name, depth + 1);
	return r < 0 ? r : unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

enum { WAY_FREE, WAY_MERGE, WAY_IN_PLACE };

/* Makes room for the entry. WAY_MERGE: the directory is there; WAY_IN_PLACE: a file is mounted there. */
static int clear_way(struct cp_tree_sink *s, const struct cp_entry *entry, const char *full, const char *name,
	struct err *e)
{
	char shown[CP_SHOWN];
	struct stat st;
	int r;

	if (fstatat(s->parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? WAY_FREE : cannot(errno, "look at", full, e);
	if (S_ISDIR(entry->mode)) {
		_cleanup_close_ int dir = -EBADF;

		if (S_ISDIR(st.st_mode))
			return WAY_MERGE;
		dir = S_ISLNK(st.st_mode) && s->inside ? open_dir(s, full) : -ENOENT;
		if (dir >= 0)
			return WAY_MERGE;
		if (!s->overwrite)
			return err_text(e, ENOTDIR,
				"%s is not a directory, and a directory is to be copied there; --overwrite "
				"puts "
				"it in its place",
				cp_show(full, shown));
	} else if (S_ISDIR(st.st_mode) && !s->overwrite) {
		return err_text(e, EISDIR,
			"%s is a directory, and something else is to be copied there; --overwrite puts it in "
			"its place",
			cp_show(full, shown));
	}
	r = remove_tree(s->parent, name, 0);
	if (r == -EBUSY && S_ISREG(st.st_mode) && S_ISREG(entry->mode))
		return WAY_IN_PLACE;
	if (r < 0)
		cannot(-r, "remove", full, e);
	return r == -EBUSY ? err_hint(e, "something is mounted there") : r < 0 ? r : WAY_FREE;
}

/* --- what it is to have ----------------------------------------------------------------------- */

static int target_ids(const struct cp_tree_sink *s, const struct cp_entry *entry, uid_t *uid, gid_t *gid,
	const char *full, struct err *e)
{
	const struct cp_root *r = s->root;
	int64_t u = s->archive ? entry->uid : 0, g = s->archive ? entry->gid : 0;

	if (s->inside) {
		u = cp_id_host(r->uid_map, r->n_uid, (uint32_t)u);
		g = cp_id_host(r->gid_map, r->n_gid, (uint32_t)g);
		if (u < 0 || g < 0) {
			cannot(EINVAL, "keep the owner of", full, e);
			return err_hint(e,
				"%u:%u is no id of the partition's user namespace; leave --archive out",
				entry->uid, entry->gid);
		}
	}
	*uid = (uid_t)u;
	*gid = (gid_t)g;
	return 0;
}

static mode_t mode_of(const struct cp_tree_sink *s, const struct cp_entry *entry)
{
	/* On the host nothing that a partition made runs as anybody else. */
	return entry->mode & (s->inside ? 07777 : 01777);
}

static int put_xattrs(
	const struct cp_tree_sink *s, int fd, const struct cp_entry *entry, const char *full, struct err *e)
{
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		const struct cp_xattr *x = &entry->xattrs[i];

		if (!s->inside && !str_starts(x->name, "user."))
			continue;
		/* A file system without them (tmpfs before 6.6) keeps the file without. */
		if (fsetxattr(fd, x->name, x->value, x->len, 0) < 0 && errno != EOPNOTSUPP)
			return cannot(errno, "set extended attributes of", full, e);
	}
	return 0;
}

/* Of an open regular file or directory. Its owner first: a change of that takes set-id bits away. */
static int dress(struct cp_tree_sink *s, int fd, const struct cp_entry *entry, bool at_once, const char *full,
	struct err *e)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, entry->mtime };
	uid_t uid;
	gid_t gid;
	int r;

	if (s->chown) {
		r = target_ids(s, entry, &uid, &gid, full, e);
		if (r < 0)
			return r;
		if (fchown(fd, uid, gid) < 0)
			return cannot(errno, "set the owner of", full, e);
	}
	r = put_xattrs(s, fd, entry, full, e);
	if (r < 0 || !at_once)
		return r;
	if (fchmod(fd, mode_of(s, entry)) < 0)
		return cannot(errno, "set the mode of", full, e);
	return futimens(fd, times) < 0 ? cannot(errno, "set the time of", full, e) : 0;
}

static int remember(
	struct cp_tree_sink *s, int fd, const struct cp_entry *entry, const char *full, struct err *e)
{
	struct stat st;

	if (s->n_later == s->later_room) {
		size_t room = s->later_room ? s->later_room * 2 : 32;
		struct cp_later *more = realloc(s->later, room * sizeof(*more));

		if (!more)
			return err_set(e, ENOMEM, "cp");
		s->later = more;
		s->later_room = room;
	}
	if (fstat(fd, &st) < 0)
		return cannot(errno, "look at", full, e);
	s->later[s->n_later] =
		(struct cp_later){ strdup(full), st.st_dev, st.st_ino, mode_of(s, entry), entry->mtime };
	return s->later[s->n_later++].path ? 0 : err_set(e, ENOMEM, "cp");
}

/* --- making ----------------------------------------------------------------------------------- */

static int put_dir(struct cp_tree_sink *s, const struct cp_entry *entry, const char *full, const char *name,
	struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (mkdirat(s->parent, name, 0700) < 0)
		return -errno;
	fd = openat(s->parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return cannot(errno, "open directory", full, e);
	r = dress(s, fd, entry, false, full, e);
	return r < 0 ? r : remember(s, fd, entry, full, e);
}

/* From a stream. */
static int fill_from(const struct cp_entry *entry, int out, const char *full, struct err *e)
{
	const struct cp_piece all = { 0, entry->size };
	const struct cp_piece *pieces = entry->pieces ? entry->pieces : &all;
	size_t n = entry->pieces ? entry->n_pieces : 1;
	_cleanup_free_ char *buf = malloc(1 << 17);

	if (!buf)
		return err_set(e, ENOMEM, "cp");
	for (size_t i = 0; i < n; i++) {
		int64_t left = pieces[i].length;

		if (lseek(out, pieces[i].offset, SEEK_SET) < 0)
			return cannot(errno, "write", full, e);
		while (left > 0) {
			size_t len = left < 1 << 17 ? (size_t)left : 1 << 17;
			int r = entry->read(entry->arg, buf, len, e);

			if (r < 0)
				return r;
			r = fd_write_all(out, buf, len);
			if (r < 0)
				return cannot(-r, "write", full, e);
			left -= (int64_t)len;
		}
	}
	return ftruncate(out, entry->size) < 0 ? cannot(errno, "write", full, e) : 0;
}

static int put_data(
	struct cp_tree_sink *s, int fd, const struct cp_entry *entry, const char *full, struct err *e)
{
	int r;

	if (entry->fd < 0)
		r = fill_from(entry, fd, full, e);
	else if ((r = cp_data(entry->fd, fd, entry->size)) < 0)
		cannot(-r, "write", full, e);
	return r < 0 ? r : dress(s, fd, entry, true, full, e);
}

static int put_file(struct cp_tree_sink *s, const struct cp_entry *entry, const char *full, const char *name,
	struct err *e)
{
	_cleanup_close_ int fd =
		openat(s->parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : put_data(s, fd, entry, full, e);
}

/* A file that is mounted there (/etc/resolv.conf): its content is replaced, it stays what it is. */
static int put_in_place(struct cp_tree_sink *s, const struct cp_entry *entry, const char *full,
	const char *name, struct err *e)
{
	_cleanup_close_ int seen = openat(s->parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), fd = -EBADF;
	char via[FD_PATH_MAX];
	struct stat st;
	int r;

	if (seen < 0 || fstat(seen, &st) < 0)
		return cannot(errno, "open", full, e);
	r = check_fs(s, seen, full, e);
	if (r < 0)
		return r;
	if (!S_ISREG(st.st_mode))
		return cannot(EBUSY, "replace", full, e);
	fd = open(fd_path(via, seen), O_WRONLY | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return cannot(errno, "open", full, e);
	if (entry->fd < 0)
		return fill_from(entry, fd, full, e);
	r = cp_data(entry->fd, fd, entry->size);
	return r < 0 ? cannot(-r, "write", full, e) : 0;
}

/* A second name of an earlier entry, if that is still what it was. 1: it is not. */
static int put_hard(struct cp_tree_sink *s, const struct cp_entry *entry, const char *name, struct err *e)
{
	char old[PATH_MAX], via[FD_PATH_MAX];
	_cleanup_close_ int fd = -EBADF;
	struct stat st;

	if (full_path(s, entry->link, old, e) < 0)
		return -e->code;
	fd = path_open(s->dir, old, O_PATH | O_NOFOLLOW, 0, 0);
	if (fd < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) ||
		(S_ISREG(entry->mode) && !S_ISREG(st.st_mode)) ||
		(entry->fd >= 0 && st.st_size != entry->size))
		return 1;
	if (linkat(AT_FDCWD, fd_path(via, fd), s->parent, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	return errno == EEXIST ? -EEXIST : 1;
}

static int put_other(struct cp_tree_sink *s, const struct cp_entry *entry, const char *full, const char *name,
	struct err *e)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, entry->mtime };
	uid_t uid;
	gid_t gid;
	int r = S_ISLNK(entry->mode) ? symlinkat(entry->link, s->parent, name)
				     : mknodat(s->parent, name, S_IFIFO | (mode_of(s, entry) & 0777), 0);

	if (r < 0)
		return -errno;
	if (s->chown) {
		r = target_ids(s, entry, &uid, &gid, full, e);
		if (r < 0)
			return r;
		if (fchownat(s->parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			return cannot(errno, "set the owner of", full, e);
	}
	/* Times are an ornament here, and somebody may have put another node in its place. */
	(void)!utimensat(s->parent, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int make(struct cp_tree_sink *s, const struct cp_entry *entry, const char *full, const char *name,
	struct err *e)
{
	int r = 1;

	if (entry->hard) {
		r = put_hard(s, entry, name, e);
		if (r == 1 && entry->fd < 0 && S_ISREG(entry->mode)) {
			char shown[CP_SHOWN];

			return err_text(e, ENOENT, "hard link %s: what it is to be linked to is not there",
				cp_show(full, shown));
		}
		if (r == 1 && !S_ISREG(entry->mode)) {
			cp_skip(s->sink.report, entry->path, "a hard link to what is gone");
			return 0;
		}
	}
	if (r <= 0)
		return r;
	if (S_ISDIR(entry->mode))
		return put_dir(s, entry, full, name, e);
	return S_ISREG(entry->mode) ? put_file(s, entry, full, name, e) : put_other(s, entry, full, name, e);
}

static int put(struct cp_sink *sink, const struct cp_entry *entry, struct err *e)
{
	struct cp_tree_sink *s = (struct cp_tree_sink *)sink;
	char full[PATH_MAX];
	const char *name;
	int r = full_path(s, entry->path, full, e);

	/* The top, which is there: what is in it goes into it. */
	if (r < 0 || !*full)
		return r;
	if (S_ISCHR(entry->mode) || S_ISBLK(entry->mode)) {
		cp_skip(sink->report, entry->path, "a device");
		return 0;
	}
	r = find_parent(s, full, &name, e);
	if (r < 0)
		return r;
	sink->report->files++;
	for (int i = 0; i < MAKE_TRIES; i++) {
		r = clear_way(s, entry, full, name, e);
		if (r < 0 || r == WAY_MERGE)
			return r < 0 ? r : 0;
		if (r == WAY_IN_PLACE)
			return put_in_place(s, entry, full, name, e);
		r = make(s, entry, full, name, e);
		/* Somebody was quicker, and made another node there. */
		if (r != -EEXIST || e->code)
			return r < 0 && !e->code ? cannot(-r, "make", full, e) : r;
	}
	return cannot(EEXIST, "make", full, e);
}

static int end(struct cp_sink *sink, struct err *e)
{
	struct cp_tree_sink *s = (struct cp_tree_sink *)sink;

	for (size_t i = s->n_later; i-- > 0;) {
		const struct cp_later *l = &s->later[i];
		const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, l->mtime };
		_cleanup_close_ int seen = open_dir(s, l->path), fd = -EBADF;
		struct stat st;

		/* It has been moved away by the inside, and is its own business now. */
		if (seen < 0 || fstat(seen, &st) < 0 || st.st_dev != l->dev || st.st_ino != l->ino)
			continue;
		fd = openat(seen, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || fchmod(fd, l->mode) < 0 || futimens(fd, times) < 0)
			return cannot(errno, "set mode and time of", l->path, e);
	}
	return 0;
}

static const struct cp_sink_ops ops = { .put = put, .end = end };

void cp_tree_sink_init(struct cp_tree_sink *s)
{
	s->sink.ops = &ops;
	s->parent = -EBADF;
}

void cp_tree_sink_free(struct cp_tree_sink *s)
{
	for (size_t i = 0; i < s->n_later; i++)
		free(s->later[i].path);
	free(s->later);
	free(s->parent_path);
	s->parent = fd_close(s->parent);
}
