/* SPDX-License-Identifier: Apache-2.0 */
/* Making files, directories, links and nodes, with their attributes (see unpack_internal.h). */
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/unpack_internal.h"

#define LATE_MAX    100000
#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

/* --- attributes --------------------------------------------------------------------------------- */

enum verdict { TAKE, SKIP, LEAVE_OUT };

/*
 * Overlayfs's own would let an image forge directories and whiteouts. Labels and hashes of security modules
 * are the host's to give, not an image's. Capabilities of files are the one thing there that belongs to the
 * file.
 */
static enum verdict judge_xattr(const struct up *p, const char *name)
{
	if (str_starts(name, "trusted.overlay.") || str_starts(name, "user.overlay."))
		return SKIP;
	if (str_starts(name, "trusted."))
		return p->u->rootless ? LEAVE_OUT : TAKE;
	if (str_eq(name, "security.capability"))
		return p->u->no_owners ? LEAVE_OUT : TAKE;
	if (str_eq(name, ACL_ACCESS) || str_eq(name, ACL_DEFAULT) || str_starts(name, "user."))
		return TAKE;
	return SKIP;
}

/*
 * What a failure means that is none of the image's fault: a file system without user.*, a kind of node that
 * has none (a device), a user namespace that may not give capabilities.
 */
static bool may_lack(const struct up *p, const char *name, bool opened)
{
	if (str_starts(name, "user."))
		return errno == EOPNOTSUPP || (errno == EPERM && !opened);
	return p->u->rootless && errno == EPERM && str_starts(name, "security.");
}

/* `fd` of the node, or -1 and `via`, a path that does not end in a symlink that would be followed. */
static int set_xattrs(struct up *p, int fd, const char *via, const char *what, const struct up_attrs *a)
{
	for (size_t i = 0; i < a->n_xattrs; i++) {
		const struct up_xattr *x = &a->xattrs[i];
		enum verdict v = judge_xattr(p, x->name);
		int r;

		if (v == TAKE) {
			r = fd >= 0 ? fsetxattr(fd, x->name, x->value, x->size, 0)
				    : lsetxattr(via, x->name, x->value, x->size, 0);
			if (r < 0 && may_lack(p, x->name, fd >= 0))
				v = LEAVE_OUT;
			else if (r < 0)
				return err_set(p->err, errno, "set attribute %.100s of \"%s\" (%zu bytes)",
					x->name, what, x->size);
			p->default_acls = p->default_acls || str_eq(x->name, ACL_DEFAULT);
		}
		p->out.left_out += v == LEAVE_OUT;
	}
	return 0;
}

/* A directory's default ACL is given to what is made in it, which has its own or none. */
static void drop_inherited(struct up *p, int fd)
{
	if (!p->default_acls)
		return;
	(void)fremovexattr(fd, ACL_ACCESS);
	(void)fremovexattr(fd, ACL_DEFAULT);
}

static int by_path(const void *a, const void *b)
{
	const struct up_late *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* `due`: the mode is still to be set at the end. Else what was said of the directory before is void. */
static int note_late(struct up *p, const char *path, mode_t mode, bool due)
{
	size_t len = strlen(path) + 1;
	struct up_late *l, **found;

	if (!due && !p->late)
		return 0;
	l = malloc(sizeof(*l) + len);
	if (!l)
		return err_set(p->err, ENOMEM, "unpack \"%s\"", path);
	memcpy(l->path, path, len);
	found = due ? tsearch(l, &p->late, by_path) : tfind(l, &p->late, by_path);
	if (due && !found) {
		free(l);
		return err_set(p->err, ENOMEM, "unpack \"%s\"", path);
	}
	if (found) {
		(*found)->mode = mode;
		(*found)->due = due;
	}
	if (!found || *found != l)
		free(l);
	else if (++p->n_late > LATE_MAX)
		return err_text(p->err, E2BIG,
			"layer has more than %d directories that their owner may not write to", LATE_MAX);
	return 0;
}

/*
 * chown(2) comes before the rest, for it takes set-user-ID bits and capabilities away. EINVAL: an id that our
 * user namespace does not have; the node stays ours.
 */
static int set_owner(struct up *p, int fd, const char *name, const char *what, const struct up_attrs *a)
{
	int r;

	if (p->u->no_owners)
		return 0;
	r = name ? fchownat(fd, name, a->uid, a->gid, AT_SYMLINK_NOFOLLOW) : fchown(fd, a->uid, a->gid);
	if (r == 0)
		return 0;
	if (errno != EINVAL || !p->u->rootless)
		return err_set(p->err, errno, "change the owner of \"%s\" to %u:%u", what, a->uid, a->gid);
	p->out.left_out++;
	return 0;
}

int up_set_attrs(struct up *p, int fd, const char *what, const struct up_attrs *a, bool is_dir)
{
	mode_t mode = a->mode;
	int r;

	r = set_owner(p, fd, NULL, what, a);
	if (r < 0)
		return r;
	drop_inherited(p, fd);
	/*
	 * Whom no capability lets in must be able to read a directory, or the layer could be neither checked
	 * nor copied, and to write to it until it is full: 0555, as whole distributions have it, comes at the
	 * end.
	 */
	if (p->u->rootless && is_dir) {
		mode |= 0500;
		r = note_late(p, what, mode, !(mode & 0200));
		if (r < 0)
			return r;
		mode |= 0200;
	}
	if (fchmod(fd, mode) < 0)
		return err_set(p->err, errno, "change the mode of \"%s\" to %04o", what, (unsigned int)mode);
	r = set_xattrs(p, fd, NULL, what, a);
	if (r < 0)
		return r;
	if (futimens(fd, a->times) < 0)
		return err_set(p->err, errno, "set the time of \"%s\"", what);
	return 0;
}

/* The same for what cannot be opened: a symlink, a device, a fifo. It was just made, and the directory is
 * nobody else's. */
static int set_node_attrs(
	struct up *p, const char *name, const char *what, const struct up_attrs *a, bool is_link)
{
	char via[FD_PATH_MAX + NAME_MAX + 2], dir[FD_PATH_MAX];
	int r;

	r = set_owner(p, p->at.fd, name, what, a);
	if (r < 0)
		return r;
	if (!is_link && fchmodat(p->at.fd, name, a->mode, 0) < 0)
		return err_set(
			p->err, errno, "change the mode of \"%s\" to %04o", what, (unsigned int)a->mode);
	if (a->n_xattrs || (p->default_acls && !is_link)) {
		snprintf(via, sizeof(via), "%s/%s", fd_path(dir, p->at.fd), name);
		if (p->default_acls && !is_link)
			(void)lremovexattr(via, ACL_ACCESS);
		r = set_xattrs(p, -1, via, what, a);
		if (r < 0)
			return r;
	}
	if (utimensat(p->at.fd, name, a->times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(p->err, errno, "set the time of \"%s\"", what);
	return 0;
}

/* --- making ------------------------------------------------------------------------------------- */

/* A new name in the place: counted, and the place's time is to be put back. */
static void made(struct up *p)
{
	p->at.touched = true;
	p->out.tree.entries++;
}

/* What an entry that was there before is worth: the last one counts, and attributes of the first must not
 * show through. */
static void drop_xattrs(const struct up *p, int fd)
{
	char names[4096];
	ssize_t len = flistxattr(fd, names, sizeof(names) - 1);

	if (len <= 0)
		return;
	names[len] = '\0';
	for (const char *s = names; s < names + len; s += strlen(s) + 1)
		if (!str_eq(s, p->opaque))
			(void)fremovexattr(fd, s);
}

/* mkdir(2) at `name` of the place. *old: it was a directory already; *hidden: what the layers below have
 * there was whited out. */
static int place_dir(struct up *p, const char *path, const char *name, bool *old, bool *hidden)
{
	struct stat st;
	int r;

	*old = *hidden = false;
	for (int i = 0; i < 2; i++) {
		if (mkdirat(p->at.fd, name, 0700) == 0) {
			made(p);
			return 0;
		}
		if (errno != EEXIST || fstatat(p->at.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			break;
		if (S_ISDIR(st.st_mode)) {
			*old = true;
			return 0;
		}
		*hidden = up_is_whiteout(st.st_mode, st.st_rdev);
		r = up_clear(p, name);
		if (r < 0)
			return r;
	}
	return err_set(p->err, errno, "make directory \"%s\"", path);
}

int up_make_dir(struct up *p, const char *path, const struct up_attrs *a)
{
	_cleanup_close_ int fd = -EBADF;
	char dir[PATH_MAX];
	const char *name = up_split(path, dir);
	bool old = true, hidden = false;
	int r;

	r = *path ? up_go(p, dir) : 0;
	if (r == 0 && *path)
		r = place_dir(p, path, name, &old, &hidden);
	if (r < 0)
		return r;
	fd = *path ? path_open(p->at.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
			     PATH_NO_SYMLINKS | PATH_NO_XDEV)
		   : up_open_dir(p, "");
	if (fd < 0)
		return err_set(p->err, fd, "open directory \"%s\"", path);
	/* Not before the new times are set: where we are may be this directory, whose old ones would then
	 * come last. */
	r = up_leave(p);
	if (r < 0)
		return r;
	if (old)
		drop_xattrs(p, fd);
	if (hidden)
		r = up_set_opaque(p, fd);
	if (r == 0)
		r = up_set_attrs(p, fd, path, a, true);
	if (r == 0)
		up_stay(p, TAKE_FD(fd), path, a->times);
	return r;
}

int up_make_file(struct up *p, const char *path)
{
	char dir[PATH_MAX];
	const char *name = up_split(path, dir);
	int r = up_go(p, dir);

	for (int i = 0; r == 0 && i < 2; i++) {
		int fd = openat(p->at.fd, name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);

		if (fd >= 0) {
			made(p);
			return fd;
		}
		if (errno != EEXIST)
			break;
		r = up_clear(p, name);
	}
	return r < 0 ? r : err_set(p->err, errno, "create \"%s\"", path);
}

int up_make_symlink(struct up *p, const char *path, const char *target, const struct up_attrs *a)
{
	char dir[PATH_MAX];
	const char *name = up_split(path, dir);
	int r = up_go(p, dir);

	for (int i = 0; r == 0 && i < 2; i++) {
		if (symlinkat(target, p->at.fd, name) == 0) {
			made(p);
			return set_node_attrs(p, name, path, a, true);
		}
		if (errno != EEXIST)
			break;
		r = up_clear(p, name);
	}
	return r < 0 ? r : err_set(p->err, errno, "make symlink \"%s\" to \"%.200s\"", path, target);
}

int up_make_node(struct up *p, const char *path, mode_t type, dev_t rdev, const struct up_attrs *a)
{
	char dir[PATH_MAX];
	const char *name = up_split(path, dir);
	int r = up_go(p, dir);

	if (r == 0 && p->u->rootless && type != S_IFIFO && !up_is_whiteout(type, rdev)) {
		p->out.left_out++;
		return up_clear(p, name); /* an earlier entry of the name does not come back */
	}
	for (int i = 0; r == 0 && i < 2; i++) {
		if (mknodat(p->at.fd, name, type | 0600, rdev) == 0) {
			made(p);
			return set_node_attrs(p, name, path, a, false);
		}
		if (errno != EEXIST)
			break;
		r = up_clear(p, name);
	}
	return r < 0 ? r : err_set(p->err, errno, "make device or fifo \"%s\"", path);
}

/* --- hard links --------------------------------------------------------------------------------- */

static int refuse_link(struct up *p, const char *path, const char *target, const char *why)
{
	return err_text(
		p->err, EINVAL, "hard link \"%.200s\" leads to \"%.200s\", which %s", path, target, why);
}

static int note_copy(struct up *p, const char *path)
{
	size_t len = strlen(path) + 1;
	struct up_path *c = malloc(sizeof(*c) + len);

	if (!c)
		return err_set(p->err, ENOMEM, "unpack \"%s\"", path);
	memcpy(c->path, path, len);
	c->next = p->copied;
	p->copied = c;
	return 0;
}

/* Opens the directory of a link's target, which must be there, or is copied from a layer below. */
static int find_target(
	struct up *p, const char *path, const char *target, const char *tdir, const char *tname, int *out)
{
	struct stat st;
	int r;

	for (int i = 0; i < 2; i++) {
		_cleanup_close_ int fd = up_open_dir(p, tdir);

		if (fd == -ELOOP || fd == -ENOTDIR)
			return refuse_link(p, path, target, "passes through what is no directory");
		if (fd < 0 && fd != -ENOENT)
			return err_set(p->err, fd, "open directory \"%s\"", tdir);
		if (fd >= 0 && fstatat(fd, tname, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			if (S_ISDIR(st.st_mode))
				return refuse_link(p, path, target, "is a directory");
			if (up_is_whiteout(st.st_mode, st.st_rdev))
				return refuse_link(p, path, target, "this layer has removed");
			*out = TAKE_FD(fd);
			return 0;
		}
		if (i > 0)
			break;
		r = up_copy_up(p, target);
		if (r == 0)
			r = note_copy(p, target);
		if (r < 0)
			return r;
	}
	return refuse_link(p, path, target, "is not there");
}

static bool same_node(int a, const char *a_name, int b, const char *b_name)
{
	struct stat x, y;

	return fstatat(a, a_name, &x, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(b, b_name, &y, AT_SYMLINK_NOFOLLOW) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

/* A hard link's attributes are those of its target: what its own entry says of them is not looked at (GNU tar
 * and umoci do the same). */
int up_make_link(struct up *p, const char *path, const char *target)
{
	_cleanup_close_ int fd = -EBADF;
	char dir[PATH_MAX], tdir[PATH_MAX];
	const char *name = up_split(path, dir), *tname = up_split(target, tdir);
	int r;

	if (!*target)
		return refuse_link(p, path, target, "is the layer's root");
	r = find_target(p, path, target, tdir, tname, &fd);
	if (r == 0)
		r = up_go(p, dir);
	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		if (linkat(fd, tname, p->at.fd, name, 0) == 0) {
			made(p);
			return 0;
		}
		if (errno != EEXIST)
			break;
		if (same_node(fd, tname, p->at.fd, name))
			return 0;
		r = up_clear(p, name);
		if (r < 0)
			return r;
		errno = EEXIST;
	}
	if (errno == ENOENT)
		return refuse_link(p, path, target, "is below what the link replaces");
	return err_set(p->err, errno, "make hard link \"%s\" to \"%s\"", path, target);
}

/* --- at the end --------------------------------------------------------------------------------- */

struct finishing {
	struct up *p;
	int r;
};

static void finish_one(const void *node, VISIT which, void *arg)
{
	const struct up_late *const *l = node;
	struct finishing *f = arg;
	_cleanup_close_ int fd = -EBADF;

	if ((which != postorder && which != leaf) || f->r < 0 || !(*l)->due)
		return;
	fd = up_open_dir(f->p, (*l)->path);
	/* One that something else has replaced is none of ours any more. */
	if (fd >= 0 && fchmod(fd, (*l)->mode) < 0)
		f->r = err_set(f->p->err, errno, "change the mode of \"%s\"", (*l)->path);
}

int up_finish_modes(struct up *p)
{
	struct finishing f = { .p = p };

	twalk_r(p->late, finish_one, &f);
	return f.r;
}
