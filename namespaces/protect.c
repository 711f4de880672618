/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masked and read-only paths.
 *
 * Most of them lie directly in the proc and sysfs that are held open, where a name is safe: one mount(2) for
 * a mask, two calls for a read-only path, one failing call for a path that this kernel does not have. The
 * rest is opened in-root. All directories share one empty read-only directory. Files get the host's
 * /dev/null, which is checked to be that: with the partition's own, a symlink in its place would bind a file
 * of the attacker's choice, writable, over what was to be hidden (CVE-2025-31133).
 */
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/mount_state.h"

struct masks {
	struct mnt_ctx *c;
	int null;
	int empty; /* the shared directory; attached at the first directory that is masked */
	bool attached;
};

static int open_null(struct masks *k, struct err *e)
{
	k->null = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (k->null < 0)
		return err_set(e, errno, "open the host's /dev/null to mask paths with");
	if (!mnt_is_device(k->null, S_IFCHR, 1, 3))
		return err_text(e, EINVAL,
			"the host's /dev/null is not the null device: paths cannot be masked with it");
	return 0;
}

/*
 * A guess, which costs a second call where it is wrong: what people mask in sysfs and these few in proc are
 * directories.
 */
static bool looks_like_directory(const char *path)
{
	static const char *const dirs[] = { "/proc/acpi", "/proc/asound", "/proc/bus", "/proc/fs",
		"/proc/irq", "/proc/scsi", NULL };

	return str_starts(path, "/sys/") || strv_has((char *const *)dirs, path);
}

static int mask_file(struct masks *k, const struct mnt_place *p, const char *path, struct err *e)
{
	char from[FD_PATH_MAX], to[MNT_PLACE_PATH];

	if (k->null < 0) {
		int r = open_null(k, e);

		if (r < 0)
			return r;
	}
	if (mount(fd_path(from, k->null), mnt_place_here(k->c, p, to), NULL, MS_BIND, NULL) < 0)
		return err_set(e, errno, "mask %s", path);
	return 0;
}

/*
 * An empty directory that nobody can ever put anything into: sysfs has some, as mount points
 * (fs/sysfs/mount.c, sysfs_create_mount_point()). One of the partition's own sysfs, reached without crossing
 * a mount on it, spares a superblock: making and unmaking one costs as much as ten binds, and each one alive
 * makes every memory cgroup of the host larger. -errno where there is none: then a tmpfs is made.
 */
static int empty_of_sysfs(struct mnt_ctx *c, uint64_t attr)
{
	static const char *const candidates[] = { "kernel/debug", "kernel/tracing", "fs/cgroup", NULL };
	const struct mnt_base *b = NULL;

	for (size_t i = 0; i < c->state->n_bases && !b; i++)
		if (str_eq(c->state->bases[i].destination, "/sys"))
			b = &c->state->bases[i];
	for (size_t i = 0; b && candidates[i]; i++) {
		struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
			.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS };
		_cleanup_close_ int dir = -EBADF, tree = -EBADF;

		dir = (int)syscall(SYS_openat2, b->fd, candidates[i], &how, sizeof(how));
		if (dir < 0)
			continue;
		tree = sys_clone_tree(dir, "", 0);
		if (tree >= 0 && mnt_attr(tree, "", 0, attr, 0, 0) == 0)
			return TAKE_FD(tree);
	}
	return -ENOENT;
}

static int mask_dir(struct masks *k, const struct mnt_place *p, const char *path, struct err *e)
{
	const uint64_t attr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	char from[FD_PATH_MAX], to[MNT_PLACE_PATH];
	int r;

	if (k->attached) {
		if (mount(fd_path(from, k->empty), mnt_place_here(k->c, p, to), NULL, MS_BIND, NULL) < 0)
			return err_set(e, errno, "mask %s", path);
		return 0;
	}
	if (k->empty < 0)
		k->empty = empty_of_sysfs(k->c, attr);
	if (k->empty < 0)
		k->empty = mnt_fs_new("tmpfs", NULL, "mode=555,nr_inodes=1", 0, attr, NULL, e);
	if (k->empty < 0)
		return err_wrap(e, "mask %s", path);
	r = sys_attach(k->empty, p->dir, p->name);
	if (r < 0)
		return err_set(e, r == -EINVAL ? ENOTDIR : -r, "mask %s", path);
	k->attached = true;
	return 0;
}

static int find_in_root(struct mnt_ctx *c, const char *path, struct mnt_place *p, struct err *e)
{
	int fd = path_open(c->state->root, path, O_PATH, 0, 0);

	if (fd == -ENOENT || fd == -EACCES || fd == -ENOTDIR)
		return -ENOENT;
	if (fd < 0)
		return err_set(e, -fd, "open %s", path);
	p->dir = p->own = fd;
	p->name = "";
	return 0;
}

/*
 * Where a path is: below a held file system by name, else opened. -ENOENT: nowhere, or out of reach, which is
 * as good.
 */
static int find(struct mnt_ctx *c, const char *path, struct mnt_place *p, struct err *e)
{
	const char *rest;
	const struct mnt_base *b = mnt_base_for(c->state, path, c->state->n_entries, &rest);

	if (b && !b->ours) {
		/*
		 * In /proc only names that are no process: what is below those is made of magic links into
		 * other file systems. The device tree is a symlink to a path in /sys, which here is still the
		 * host's.
		 */
		bool process = str_eq(b->destination, "/proc") &&
			       ((*rest >= '0' && *rest <= '9') || str_starts(rest, "self") ||
				       str_starts(rest, "thread-self") || str_starts(rest, "net") ||
				       str_starts(rest, "mounts") || str_starts(rest, "device-tree"));

		if (!process) {
			p->dir = b->fd;
			p->name = rest;
			return 0;
		}
	}
	return find_in_root(c, path, p, e);
}

/* -ENOTDIR: it is neither a directory nor a file, but a symlink by the name that it was given. */
static int mask_place(struct masks *k, const struct mnt_place *p, const char *path, struct err *e)
{
	bool dir = looks_like_directory(path);
	int r = -ENOTDIR;

	for (int i = 0; i < 2 && r == -ENOTDIR; i++, dir = !dir)
		r = dir ? mask_dir(k, p, path, e) : mask_file(k, p, path, e);
	if (r != -ENOENT && r != -EACCES)
		return r;
	err_clear(e);
	return 0;
}

static int mask(struct masks *k, const char *path, struct err *e)
{
	_cleanup_place_ struct mnt_place p = MNT_PLACE_INIT;
	int r;

	if (str_eq(path, "/"))
		return err_text(e, EINVAL, "linux.maskedPaths: the root cannot be masked");
	r = find(k->c, path, &p, e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = mask_place(k, &p, path, e);
	if (r != -ENOTDIR || !*p.name)
		return r;
	/* sysfs has symlinks. */
	err_clear(e);
	r = find_in_root(k->c, path, &p, e);
	return r < 0 ? (r == -ENOENT ? 0 : r) : mask_place(k, &p, path, e);
}

/* A path that is held by name: bound on itself, then its flags. */
static int readonly_by_name(struct mnt_ctx *c, const struct mnt_place *p)
{
	char buf[MNT_PLACE_PATH];
	const char *path = mnt_place_here(c, p, buf);

	if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0)
		return -errno;
	return mnt_attr(p->dir, p->name, 0, MOUNT_ATTR_RDONLY, 0, 0);
}

/* By descriptor the new mount is only reachable through the tree that it was. */
static int readonly_by_tree(const struct mnt_place *p)
{
	_cleanup_close_ int tree = sys_clone_tree(p->dir, "", AT_RECURSIVE);
	bool early = mnt_attr_detached();
	int r;

	if (tree < 0)
		return tree;
	r = early ? mnt_attr(tree, "", 0, MOUNT_ATTR_RDONLY, 0, 0) : 0;
	if (r == 0)
		r = sys_attach(tree, p->dir, "");
	return r == 0 && !early ? mnt_attr(tree, "", 0, MOUNT_ATTR_RDONLY, 0, 0) : r;
}

static int make_readonly(struct mnt_ctx *c, const char *path, struct err *e)
{
	_cleanup_place_ struct mnt_place p = MNT_PLACE_INIT;
	int r;

	if (str_eq(path, "/"))
		return err_text(e, EINVAL, "linux.readonlyPaths: for \"/\" there is root.readonly");
	r = find(c, path, &p, e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = *p.name ? readonly_by_name(c, &p) : readonly_by_tree(&p);
	if (r == -EINVAL && *p.name) {
		/* A symlink of sysfs: the bind is where it leads to, the name is not. */
		r = find_in_root(c, path, &p, e);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		r = readonly_by_tree(&p);
	}
	if (r == -ENOENT || r == -EACCES)
		return 0;
	return r < 0 ? err_set(e, -r, "make %s read-only", path) : 0;
}

int mnt_mask(struct mnt_ctx *c, struct err *e)
{
	struct masks k = { .c = c, .null = -EBADF, .empty = -EBADF };
	const char *path;
	int r = 0;

	/* Read-only first: a mask may lie in a path that becomes a mount of its own, and must end up on top.
	 */
	strv_each (path, c->spec->readonly_paths) {
		r = make_readonly(c, path, e);
		if (r < 0)
			return r;
	}
	strv_each (path, c->spec->masked_paths) {
		r = mask(&k, path, e);
		if (r < 0)
			break;
	}
	/* The two descriptors go with the exec; closing them here would be two calls more on every start. */
	return r;
}
