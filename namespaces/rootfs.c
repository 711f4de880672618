/* SPDX-License-Identifier: Apache-2.0 */
/* The root file system of a partition: the sequence (see rootfs.h for the theory of operation). */
#include "namespaces/rootfs.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/mount_state.h"

/* --- in the parent -------------------------------------------------------------------------------------- */

static enum mnt_kind kind_of(const struct spec_mount *m, const struct mnt_options *o)
{
	if (o->bind && !o->remount)
		return MNT_BIND;
	if (!o->remount && m->type && (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2")))
		return MNT_CGROUP;
	return MNT_FS;
}

static int init_entry(struct mnt_ctx *c, struct mnt_entry *entry, const struct spec_mount *m, struct err *e)
{
	struct mnt_state *st = c->state;
	int r;

	entry->m = m;
	entry->tree = -EBADF;
	if (entry == st->entries && mnt_is_root_overlay(m)) {
		entry->kind = MNT_ROOT;
		return mnt_overlay_parse(st->arena, m, c->bundle, &st->overlay, e);
	}
	r = mnt_options_parse(st->arena, m, &entry->o, e);
	if (r < 0)
		return r;
	entry->kind = kind_of(m, &entry->o);
	if (entry->kind == MNT_BIND) {
		if (!m->source || !*m->source)
			return err_text(e, EINVAL, "mounts: bind mount %s has no source", m->destination);
		entry->source = m->source[0] == '/' ? m->source
						    : arena_printf(st->arena, "%s/%s", c->bundle, m->source);
		if (!entry->source)
			return err_set(e, ENOMEM, "prepare mounts");
	}
	if (entry->kind == MNT_CGROUP && entry->o.data)
		return err_text(e, EINVAL,
			"mounts: %s: a cgroup mount takes no file system options, but is given \"%s\"",
			m->destination, entry->o.data);
	if (str_eq(m->destination, "/dev"))
		st->dev_kind = entry->o.remount		 ? st->dev_kind
			       : entry->kind == MNT_BIND ? MNT_DEV_HOST
							 : MNT_DEV_OTHER;
	return mnt_check_destination(entry, e);
}

static int init(struct mnt_ctx *c, struct err *e)
{
	const struct spec *s = c->spec;
	struct mnt_state *st = c->state;
	int r;

	if (!st->arena)
		return err_set(e, ENOMEM, "prepare mounts");
	st->dev_kind = MNT_DEV_ROOTFS;
	st->entries = arena_calloc(st->arena, s->n_mounts ? s->n_mounts : 1, sizeof(*st->entries));
	if (!st->entries)
		return err_set(e, ENOMEM, "prepare mounts");
	for (size_t i = 0; i < s->n_mounts; i++) {
		r = init_entry(c, &st->entries[i], &s->mounts[i], e);
		st->n_entries = i + 1;
		if (r < 0)
			return r;
	}
	c->no_dev = st->dev_kind == MNT_DEV_ROOTFS;
	if (!s->ns[SPEC_NS_MOUNT].present &&
		(s->n_mounts || (s->masked_paths && *s->masked_paths) ||
			(s->readonly_paths && *s->readonly_paths) || s->root_readonly))
		return err_text(e, EINVAL,
			"mounts, masked or read-only paths and root.readonly need a mount namespace in "
			"linux.namespaces: they would change the host");
	/* Hiding the host's /proc and /sys would then unmount them on the host. */
	if (c->no_pivot && s->rootfs_propagation == SPEC_PROPAGATION_SHARED)
		return err_text(e, EINVAL, "linux.rootfsPropagation shared is not possible with --no-pivot");
	return mnt_devices_init(c, e);
}

int mnt_init(struct mnt_ctx *c, struct err *e)
{
	struct mnt_state *st = calloc(1, sizeof(*st));
	int r;

	if (!st)
		return err_set(e, ENOMEM, "prepare mounts");
	st->root = st->root_tree = st->dev = st->here = -EBADF;
	st->arena = arena_new();
	c->state = st;
	r = init(c, e);
	if (r < 0)
		mnt_free(c);
	return r;
}

int mnt_unshare_state(struct mnt_ctx *c, struct err *e)
{
	const struct mnt_state *theirs = c->state;
	struct mnt_state *st = arena_alloc(theirs->arena, sizeof(*st));
	struct mnt_entry *entries =
		arena_calloc(theirs->arena, theirs->n_entries ? theirs->n_entries : 1, sizeof(*entries));
	struct mnt_device *devices =
		arena_calloc(theirs->arena, theirs->n_devices ? theirs->n_devices : 1, sizeof(*devices));

	if (!st || !entries || !devices)
		return err_set(e, ENOMEM, "prepare mounts");
	*st = *theirs;
	if (theirs->n_entries)
		memcpy(entries, theirs->entries, theirs->n_entries * sizeof(*entries));
	if (theirs->n_devices)
		memcpy(devices, theirs->devices, theirs->n_devices * sizeof(*devices));
	st->entries = entries;
	st->devices = devices;
	c->state = st;
	return 0;
}

void mnt_free(struct mnt_ctx *c)
{
	struct mnt_state *st = TAKE_PTR(c->state);

	if (!st)
		return;
	for (size_t i = 0; i < st->n_entries; i++)
		fd_close(st->entries[i].tree);
	for (size_t i = 0; i < st->n_devices; i++)
		fd_close(st->devices[i].tree);
	for (size_t i = 0; i < st->n_bases; i++)
		fd_close(st->bases[i].fd);
	if (st->own_dev)
		fd_close(st->dev);
	mnt_overlay_free(st->overlay);
	fd_close(st->root_tree);
	fd_close(st->root);
	if (st->arena)
		arena_free(st->arena);
	free(st);
}

/* --- in the child --------------------------------------------------------------------------------------- */

/*
 * With rootfsPropagation shared the host's mounts keep their peers, so that a volume can still pass mounts
 * on. But the mount that the root file system lies on must be private: the bind would be its peer, and
 * everything mounted on it would appear on the host (and pivot_root(2) refuses a shared parent). Its mount
 * point is the first directory upwards that mount(2) accepts as one.
 */
static int make_parent_private(const char *rootfs, struct err *e)
{
	char path[4096];
	size_t n = strlen(rootfs);

	if (n >= sizeof(path))
		return err_set(e, ENAMETOOLONG, "find the mount of %s", rootfs);
	memcpy(path, rootfs, n + 1);
	for (;;) {
		char *slash;

		if (mount(NULL, path, NULL, MS_PRIVATE, NULL) == 0)
			return 0;
		if (errno != EINVAL || str_eq(path, "/"))
			return err_set(e, errno, "make the mount at %s private", path);
		slash = strrchr(path, '/');
		slash[slash == path] = '\0';
	}
}

static int set_propagation(struct mnt_ctx *c, struct err *e)
{
	unsigned long flags = mnt_entry_propagation(c->spec);

	if (!flags) {
		flags = MS_SHARED | (c->spec->rootfs_propagation_recursive ? MS_REC : 0);
		if (mount(NULL, "/", NULL, flags, NULL) < 0)
			return err_set(e, errno, "make the host's tree shared");
		return make_parent_private(c->rootfs, e);
	}
	if (mount(NULL, "/", NULL, flags, NULL) < 0) {
		int r = err_set(e, errno, "cut the mount namespace off from the host's mounts");

		return r == -EINVAL
			       ? err_hint(e, "\"/\" is no mount point for the runtime: is it in a chroot?")
			       : r;
	}
	return 0;
}

/* A user namespace's root may not be able to walk to it; then it goes over "/", which needs no walk. */
static int attach_root(struct mnt_ctx *c, int tree, struct err *e)
{
	int r = sys_attach(tree, AT_FDCWD, c->rootfs);

	if (r == -EACCES && c->user_ns && !c->no_pivot)
		r = sys_attach(tree, AT_FDCWD, "/");
	return r < 0 ? err_set(e, -r, "mount the root file system %s", c->rootfs) : 0;
}

int mnt_enter(struct mnt_ctx *c, struct err *e)
{
	struct mnt_state *st = c->state;
	_cleanup_close_ int tree = TAKE_FD(st->root_tree);
	int r;

	if (!c->spec->ns[SPEC_NS_MOUNT].present) {
		st->root = open(c->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
		return st->root < 0 ? err_set(e, errno, "open the root file system %s", c->rootfs) : 0;
	}
	r = set_propagation(c, e);
	if (r < 0)
		return r;
	if (st->overlay && tree < 0) {
		tree = mnt_overlay_make(c, e);
		if (tree < 0)
			return tree;
	} else if (tree < 0) {
		tree = sys_clone_tree(AT_FDCWD, c->rootfs, AT_RECURSIVE);
		if (tree < 0)
			return err_set(e, -tree, "open the root file system %s", c->rootfs);
	}
	r = attach_root(c, tree, e);
	if (r < 0)
		return r;
	r = st->slave_later ? mnt_attr(tree, "", AT_RECURSIVE, 0, 0, mnt_tree_propagation(c->spec)) : 0;
	if (r < 0)
		return err_set(e, -r, "cut the root file system off from the host's mounts");
	st->root = TAKE_FD(tree);
	return 0;
}

int mnt_mounts(struct mnt_ctx *c, struct err *e)
{
	struct mnt_state *st = c->state;
	int r = 0;

	/* Modes of nodes and directories are what the config says; mnt_devices() puts the mask back. */
	st->umask = umask(0);
	for (size_t i = 0; i < st->n_entries && r == 0; i++) {
		struct mnt_entry *m = &st->entries[i];

		if (!m->o.remount && m->kind != MNT_ROOT)
			mnt_base_drop(st, m->m->destination);
		switch (m->kind) {
		case MNT_ROOT:
			break;
		case MNT_BIND:
			r = mnt_bind(c, i, e);
			break;
		case MNT_CGROUP:
			r = mnt_cgroup(c, i, e);
			break;
		case MNT_FS:
			r = mnt_fs(c, i, e);
			break;
		}
	}
	for (size_t b = 0; b < st->n_bases && r == 0; b++)
		if (str_eq(st->bases[b].destination, "/dev") && st->bases[b].ours) {
			st->dev_kind = MNT_DEV_FRESH;
			st->dev = st->bases[b].fd;
		}
	return r;
}

int mnt_root_fd(const struct mnt_ctx *c)
{
	return c->state->root;
}

/* --- the pivot ------------------------------------------------------------------------------------------ */

/*
 * The mount point of a mountinfo line, its octal escapes undone, if it is the root of a proc or sysfs; else
 * NULL.
 */
static char *kernel_mount(char *line)
{
	char *field[6], *type, *p = line, *out;

	type = strstr(line, " - ");
	if (!type)
		return NULL;
	*type = '\0';
	type += 3;
	for (int i = 0; i < 6; i++) {
		field[i] = p;
		p += strcspn(p, " ");
		if (*p)
			*p++ = '\0';
	}
	if (!str_eq(field[3], "/") || !(str_starts(type, "proc ") || str_starts(type, "sysfs ")))
		return NULL;
	p = out = field[4];
	while (*p) {
		if (p[0] == '\\' && p[1] && p[2] && p[3]) {
			*out++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
			p += 4;
		} else {
			*out++ = *p++;
		}
	}
	*out = '\0';
	return field[4];
}

/*
 * After MS_MOVE the host's old mounts stay below us, out of sight but there: a full proc or sysfs among them
 * would let a later user namespace mount its own without our masks (the kernel only asks whether an uncovered
 * one exists). They go, or are covered.
 */
static int hide_kernel_mounts(struct mnt_ctx *c, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	char *line, *next;
	int r = fd_read_at(AT_FDCWD, "/proc/self/mountinfo", 16 * 1024 * 1024, &text, NULL);

	if (r < 0)
		return err_set(e, -r, "read /proc/self/mountinfo");
	for (line = text; *line; line = next) {
		char *at;

		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		at = kernel_mount(line);
		if (!at || path_within(at, c->rootfs))
			continue;
		if (umount2(at, MNT_DETACH) == 0)
			continue;
		if (errno != EINVAL && errno != EPERM)
			return err_set(e, errno, "unmount %s", at);
		if (mount("tmpfs", at, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
			    "size=4k,nr_inodes=1") < 0 &&
			errno != ENOENT)
			return err_set(e, errno, "cover %s", at);
	}
	return 0;
}

static int move_root(struct mnt_ctx *c, struct err *e)
{
	int r = hide_kernel_mounts(c, e);

	if (r < 0)
		return r;
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		return err_set(e, errno, "move the root file system to /");
	if (chroot(".") < 0)
		return err_set(e, errno, "chroot into the root file system");
	return 0;
}

static int pivot_root_here(struct mnt_ctx *c, struct err *e)
{
	bool shared = !mnt_entry_propagation(c->spec);
	_cleanup_close_ int old = -EBADF;

	if (shared) {
		old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (old < 0)
			return err_set(e, errno, "open the old root");
	}
	if (syscall(SYS_pivot_root, ".", ".") < 0) {
		int r = err_set(e, errno, "pivot_root into %s", c->rootfs);

		return r == -EINVAL ? err_hint(e, "on an initramfs there is nothing to pivot away from: use "
						  "--no-pivot")
				    : r;
	}
	/*
	 * The old root lies on top of the new one now, and "." finds it there. Where the host's mounts are
	 * still shared its unmounting must not reach the host; but a recursive change of "." would begin at
	 * the new root, hence the descriptor.
	 */
	if (shared && (fchdir(old) < 0 || mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0))
		return err_set(e, errno, "cut the old root off from the host's mounts");
	if (umount2(".", MNT_DETACH) < 0)
		return err_set(e, errno, "unmount the old root");
	return 0;
}

/*
 * Instead: the tree goes along into a mount namespace that has nothing else (template.h). The one that we
 * leave ends with us. What was held by descriptor is in that one. 1: it cannot be, and nothing has changed.
 */
static int enter_template(struct mnt_ctx *c, struct err *e)
{
	_cleanup_close_ int tree = sys_clone_tree(AT_FDCWD, ".", AT_RECURSIVE);
	int r;

	if (tree < 0 || setns(c->template_ns, CLONE_NEWNS) < 0)
		return 1;
	r = sys_attach(tree, AT_FDCWD, "/");
	if (r < 0)
		return err_set(e, -r, "attach the root file system");
	if (fchdir(tree) < 0 || chroot(".") < 0)
		return err_set(e, errno, "make the root file system the root");
	if (dup3(tree, c->state->root, O_CLOEXEC) < 0)
		return err_set(e, errno, "hold the root file system");
	return 0;
}

int mnt_pivot(struct mnt_ctx *c, struct err *e)
{
	struct mnt_state *st = c->state;
	int r = 0;

	/*
	 * The host's /proc/self/fd and /dev/null are still in reach, and nobody inside can have touched
	 * those.
	 */
	if (c->spec->ns[SPEC_NS_MOUNT].present)
		r = mnt_mask(c, e);
	if (r < 0)
		return r;
	if (st->dev_readonly && st->dev >= 0) {
		r = mnt_attr(st->dev, "", 0, MOUNT_ATTR_RDONLY, 0, 0);
		if (r < 0)
			return err_set(e, -r, "set /dev read-only");
	}
	if (fchdir(st->root) < 0)
		return err_set(e, errno, "enter the root file system %s", c->rootfs);
	if (!c->spec->ns[SPEC_NS_MOUNT].present) {
		if (chroot(".") < 0)
			r = err_set(e, errno, "chroot into %s", c->rootfs);
	} else {
		r = c->template_ns > 0 ? enter_template(c, e) : 1;
		if (r > 0)
			r = c->no_pivot ? move_root(c, e) : pivot_root_here(c, e);
		if (c->template_ns > 0)
			fd_close(c->template_ns);
		c->template_ns = 0;
	}
	if (r == 0 && chdir("/") < 0)
		r = err_set(e, errno, "enter the new root");
	return r;
}

int mnt_protect(struct mnt_ctx *c, struct err *e)
{
	static const unsigned long words[] = {
		[SPEC_PROPAGATION_SHARED] = MS_SHARED,
		[SPEC_PROPAGATION_UNBINDABLE] = MS_UNBINDABLE,
	};
	enum spec_propagation wanted = c->spec->rootfs_propagation;
	int r;

	if (c->spec->root_readonly || (c->state->overlay && c->state->overlay->readonly)) {
		r = mnt_attr_root_readonly(c->state->root);
		if (r < 0)
			return err_set(e, -r, "set the root file system read-only");
	}
	/* Slave and private are what it has been since mnt_enter(). */
	if ((wanted == SPEC_PROPAGATION_SHARED || wanted == SPEC_PROPAGATION_UNBINDABLE) &&
		mount(NULL, "/", NULL, words[wanted] | (c->spec->rootfs_propagation_recursive ? MS_REC : 0),
			NULL) < 0)
		return err_set(e, errno, "set linux.rootfsPropagation");
	return 0;
}
