/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system of layers: opening them, and who makes it of them (see overlay.h; rootfs.h has the
 * theory).
 */
#include "namespaces/overlay.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/mount_state.h"
#include "namespaces/ns.h"

#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* --- opening ------------------------------------------------------------------------------------ */

/* How layers are opened: as they are, or idmapped; what is a mount of its own is attached in `place`, if that
 * is not -1. */
struct opening {
	struct mnt_ctx *c;
	int userns, place;
	unsigned int serial;
	bool detached; /* some are mounts of their own, attached nowhere */
};

#define EMPTY "empty" /* a directory in `place` */

static int cannot_open(int code, const char *what, const char *path, struct err *e)
{
	int r = err_set(e, code, "mounts: open %s %s of the root file system", what, path);

	return r == -ENOTDIR || r == -ELOOP
		       ? err_hint(e, "it must be a directory (a layer: or an EROFS image), and no symlink")
		       : r;
}

static int cannot_idmap(int code, int fd, const char *what, const char *path, struct err *e)
{
	char type[16];

	if (code == -ENOSYS)
		return err_text(
			e, ENOSYS, "mounts: option \"idmap\" of / needs mount_setattr(2), Linux 5.12");
	if (code == -EINVAL)
		return err_text(e, EINVAL,
			"mounts: %s %s of / cannot be idmapped: its file system (type %s) does not have that "
			"on this kernel",
			what, path, mnt_fs_name(fd, type, sizeof(type)));
	if (code == -EPERM)
		return err_text(e, EPERM,
			"mounts: %s %s of / cannot be idmapped: that takes root's powers over its file "
			"system",
			what, path);
	return err_set(e, -code, "mounts: idmap %s %s of /", what, path);
}

/* A mount that is a layer: idmapped, and attached, where that must be. */
static int add_mount(struct opening *op, int tree, const char *what, const char *path, struct err *e)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP, .propagation = MS_PRIVATE, .userns_fd = (uint64_t)op->userns
	};
	int r = op->userns >= 0 ? sys_mount_setattr(tree, "", 0, &attr) : 0;
	char name[24];

	if (r < 0)
		return cannot_idmap(r, tree, what, path, e);
	op->detached = true;
	if (op->place < 0)
		return 0;
	snprintf(name, sizeof(name), "%u", op->serial++);
	r = mkdirat(op->place, name, 0700) < 0 ? -errno : sys_attach(tree, op->place, name);
	return r < 0 ? err_set(e, -r, "mounts: attach %s %s of /", what, path) : 0;
}

static int idmapped(struct opening *op, int dir, const char *what, const char *path, struct err *e)
{
	_cleanup_close_ int tree = sys_clone_tree(dir, "", 0);
	int r = tree < 0 ? cannot_idmap(tree, dir, what, path, e) : add_mount(op, tree, what, path, e);

	return r < 0 ? r : TAKE_FD(tree);
}

/* O_NONBLOCK: it may be a FIFO. */
static int open_image(struct opening *op, const char *path, struct err *e)
{
	_cleanup_close_ int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_close_ int tree = -EBADF;
	struct stat st;
	int r;

	if (file < 0)
		return cannot_open(errno, "layer", path, e);
	if (fstat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return cannot_open(ENOTDIR, "layer", path, e);
	tree = mnt_erofs_new(file, path, e);
	if (tree < 0)
		return tree;
	r = add_mount(op, tree, "layer", path, e);
	return r < 0 ? r : TAKE_FD(tree);
}

static int open_lower(struct opening *op, const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(path, DIR_FLAGS);

	if (fd < 0)
		return errno == ENOTDIR ? open_image(op, path, e) : cannot_open(errno, "layer", path, e);
	return op->userns >= 0 ? idmapped(op, fd, "layer", path, e) : TAKE_FD(fd);
}

static int open_below(int dir, const char *rest, const char *what, const char *path, struct err *e)
{
	int fd = path_open(dir, rest, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, PATH_NO_SYMLINKS | PATH_NO_XDEV);

	return fd < 0 ? cannot_open(-fd, what, path, e) : fd;
}

/* Idmapped, both must be of one mount: that of the directory which has both. */
static int open_upper_idmapped(
	struct opening *op, const struct mnt_overlay *o, struct mnt_layers *l, struct err *e)
{
	char upper[PATH_MAX], work[PATH_MAX], both[PATH_MAX];
	_cleanup_close_ int dir = -EBADF;
	size_t n = 0, common = 0;

	if (path_clean(o->upper, upper, sizeof(upper)) < 0 || path_clean(o->work, work, sizeof(work)) < 0)
		return cannot_open(ENAMETOOLONG, "upperdir", o->upper, e);
	for (; upper[n] && upper[n] == work[n]; n++)
		if (upper[n] == '/')
			common = n;
	if (!upper[n] || !work[n])
		return err_text(
			e, EINVAL, "mounts: upperdir and workdir of / must not lie one inside the other");
	snprintf(both, sizeof(both), "%.*s", common ? (int)common : 1, upper);
	dir = open(both, DIR_FLAGS);
	if (dir < 0)
		return cannot_open(errno, "the directory of upperdir and workdir,", both, e);
	l->both = idmapped(op, dir, "upperdir", o->upper, e);
	if (l->both < 0)
		return l->both;
	l->upper = open_below(l->both, upper + common + 1, "upperdir", o->upper, e);
	if (l->upper < 0)
		return l->upper;
	l->work = open_below(l->both, work + common + 1, "workdir", o->work, e);
	return l->work < 0 ? l->work : 0;
}

static int open_upper(struct opening *op, const struct mnt_overlay *o, struct mnt_layers *l, struct err *e)
{
	if (!o->upper)
		return 0;
	if (op->userns >= 0)
		return open_upper_idmapped(op, o, l, e);
	l->upper = open(o->upper, DIR_FLAGS);
	if (l->upper < 0)
		return cannot_open(errno, "upperdir", o->upper, e);
	l->work = open(o->work, DIR_FLAGS);
	return l->work < 0 ? cannot_open(errno, "workdir", o->work, e) : 0;
}

static void free_layers(struct mnt_layers *l)
{
	for (size_t i = 0; l->lower && i < l->n; i++)
		fd_close(l->lower[i]);
	fd_close(l->upper);
	fd_close(l->work);
	fd_close(l->both);
	free(l->lower);
	*l = (struct mnt_layers){ .upper = -EBADF, .work = -EBADF, .both = -EBADF };
}

/*
 * overlayfs makes files in the work directory as who made the mount, and to idmapped mounts the host's root
 * is nobody: the partition's is.
 */
static void set_maker(const struct spec *s, struct mnt_layers *l)
{
	int64_t uid = ns_map_to_host(s->uid_map, s->n_uid_map, 0),
		gid = ns_map_to_host(s->gid_map, s->n_gid_map, 0);

	l->as_root_inside = uid >= 0 && gid >= 0;
	l->uid = (uid_t)uid;
	l->gid = (gid_t)gid;
}

/* The caller's to free_layers(), also after a failure. */
static int open_layers(struct opening *op, struct mnt_layers *l, struct err *e)
{
	const struct mnt_overlay *o = op->c->state->overlay;
	int fd;

	*l = (struct mnt_layers){ .upper = -EBADF, .work = -EBADF, .both = -EBADF };
	if (op->userns >= 0)
		set_maker(op->c->spec, l);
	l->lower = calloc(o->n_lower + 1, sizeof(*l->lower));
	if (!l->lower)
		return err_set(e, ENOMEM, "open the layers of the root file system");
	for (size_t i = 0; i < o->n_lower; i++) {
		fd = open_lower(op, o->lower[i], e);
		if (fd < 0)
			return fd;
		l->lower[l->n++] = fd;
	}
	/* Without an upper directory overlayfs wants two: the place to attach it at is empty. */
	if (o->n_lower == 1 && !o->upper) {
		fd = op->place < 0 ? open(op->c->rootfs, DIR_FLAGS) : openat(op->place, EMPTY, DIR_FLAGS);
		if (fd < 0)
			return cannot_open(errno, "the place", op->c->rootfs, e);
		l->lower[l->n++] = fd;
	}
	return open_upper(op, o, l, e);
}

/* --- the helper --------------------------------------------------------------------------------- */

/*
 * Before Linux 6.15 overlayfs takes as layers only what is attached in the caller's mount namespace, which an
 * idmapped copy or a new mount is not; before 6.7 it takes many layers from mount(2) only, which attaches. On
 * the host neither may ever be seen. So a process in a mount namespace of its own attaches what must be
 * attached. It shares our table of descriptors: the one that it makes is ours.
 */
struct helped {
	struct err err;
	int tree;
};

static int help(struct mnt_ctx *c, int userns, const char *context, struct err *e)
{
	struct opening op = { .c = c, .userns = userns, .place = -EBADF };
	_cleanup_(free_layers) struct mnt_layers l = { .upper = -EBADF, .work = -EBADF, .both = -EBADF };
	_cleanup_close_ int place = -EBADF;
	char target[FD_PATH_MAX + 8];
	int r;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(e, errno, "cut a mount namespace off from the host's mounts");
	if (mount("tmpfs", c->rootfs, "tmpfs", 0, "mode=700") < 0)
		return err_set(e, errno, "mount a tmpfs on %s", c->rootfs);
	place = open(c->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place < 0 || mkdirat(place, "root", 0700) < 0 || mkdirat(place, EMPTY, 0755) < 0)
		return err_set(e, errno, "make a directory on %s", c->rootfs);
	op.place = place;
	r = open_layers(&op, &l, e);
	if (r < 0)
		return r;
	r = mnt_overlay_new(c->state->overlay, &l, context, e);
	if (r != -ENOTSUP)
		return r;
	err_clear(e);
	snprintf(target, sizeof(target), "/proc/self/fd/%d/root", place);
	return mnt_overlay_new_at(c->state->overlay, &l, context, target, e);
}

static int make_by_helper(struct mnt_ctx *c, int userns, const char *context, struct err *e)
{
	struct helped *h = mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct err err;
	pid_t pid;
	int tree;

	if (h == MAP_FAILED)
		return err_set(e, errno, "make the root file system");
	h->tree = -ECANCELED;
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWNS | CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		h->tree = help(c, userns, context, &h->err);
		_exit(0);
	}
	if (pid < 0) {
		int r = err_set(e, errno, "make a mount namespace for the root file system");

		munmap(h, sizeof(*h));
		return r;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	tree = h->tree;
	err = h->err;
	munmap(h, sizeof(*h));
	if (tree >= 0)
		return tree;
	if (!err.code)
		return err_text(e, ECANCELED, "the process that makes the root file system was killed");
	return err_text(e, err.code, "%s", err.text);
}

/* --- in the parent ------------------------------------------------------------------------------ */

/* The user namespace whose maps the layers get: that which is joined, or one with the config's maps. */
static int maps_of(struct mnt_ctx *c, int userns_fd, struct err *e)
{
	const struct spec *s = c->spec;
	int fd;

	if (userns_fd >= 0) {
		fd = fcntl(userns_fd, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? err_set(e, errno, "mounts: idmap /") : fd;
	}
	if (!s->n_uid_map || !s->n_gid_map)
		return err_text(e, EINVAL,
			"mounts: option \"idmap\" of / takes linux.uidMappings and gidMappings, and there "
			"are "
			"none");
	return ns_map_userns(s->uid_map, s->n_uid_map, s->gid_map, s->n_gid_map, "/", e);
}

static int make(struct mnt_ctx *c, int userns, struct err *e)
{
	struct opening op = { .c = c, .userns = userns, .place = -EBADF };
	_cleanup_(free_layers) struct mnt_layers l = { .upper = -EBADF, .work = -EBADF, .both = -EBADF };
	const char *context = mnt_label_of(c, "overlay");
	int r = open_layers(&op, &l, e);

	if (r < 0)
		return r;
	r = mnt_overlay_new(c->state->overlay, &l, context, e);
	/* The other refusal is that of layers which are attached nowhere. */
	if (r != -ENOTSUP && !(r == -EINVAL && op.detached))
		return r;
	err_clear(e);
	free_layers(&l);
	r = make_by_helper(c, userns, context, e);
	return r == -EINVAL && userns >= 0
		       ? err_hint(e, "overlayfs takes idmapped layers since Linux 5.19: leave \"idmap\" out")
		       : r;
}

/* Without privilege over the host's file systems it is made by who has one of its own. */
static bool may_make(void)
{
	_cleanup_close_ int fs = sys_fsopen("overlay");

	return fs != -EPERM;
}

int mnt_overlay_open(struct mnt_ctx *c, int userns_fd, struct err *e)
{
	struct mnt_overlay *o = c->state->overlay;
	_cleanup_close_ int userns = -EBADF;
	int r;

	if (c->user_ns && !may_make()) {
		if (o->idmap)
			return err_text(e, EPERM,
				"mounts: option \"idmap\" of / takes root's powers over the layers' file "
				"system");
		o->by_child = true;
		/* In a user namespace there are no trusted.* attributes. */
		o->userxattr = true;
		return 0;
	}
	if (o->idmap) {
		userns = maps_of(c, userns_fd, e);
		if (userns < 0)
			return userns;
	}
	r = make(c, userns, e);
	if (r < 0)
		return r;
	c->state->root_tree = r;
	return 0;
}

/* --- in the child ------------------------------------------------------------------------------- */

int mnt_overlay_own(struct mnt_ctx *c, struct err *e)
{
	struct opening op = { .c = c, .userns = -EBADF, .place = -EBADF };
	struct mnt_overlay *o = c->state->overlay;

	if (!o->by_child)
		return 0;
	o->layers = arena_alloc(c->state->arena, sizeof(*o->layers));
	return o->layers ? open_layers(&op, o->layers, e) : err_set(e, ENOMEM, "open layers");
}

int mnt_overlay_make(struct mnt_ctx *c, struct err *e)
{
	struct mnt_overlay *o = c->state->overlay;
	int r = mnt_overlay_new(o, o->layers, NULL, e);

	if (r == -ENOTSUP)
		r = mnt_overlay_new_at(o, o->layers, NULL, c->rootfs, e);
	free_layers(o->layers);
	if (r == -EPERM)
		err_hint(e, "overlay mounts in user namespaces need Linux 5.11");
	return r;
}

void mnt_overlay_free(struct mnt_overlay *o)
{
	if (o && o->layers)
		free_layers(o->layers);
}
