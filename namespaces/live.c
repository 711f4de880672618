/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts added to and removed from a living partition, by a process that is already in its mount namespace.
 *
 * Nothing can be trusted there, not even /proc: so only calls that take descriptors are used, and for
 * umount2(2), which takes none, a name without a slash relative to the working directory.
 */
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/mount_state.h"

static int add_tree(int rootfd, const struct mnt_entry *m, int tree, struct err *e)
{
	_cleanup_place_ struct mnt_place p = MNT_PLACE_INIT;
	struct stat st;
	int r;

	r = mnt_place_open(rootfd, m->m->destination, MNT_WANT_ANY, m->o.dest_nofollow, false, &p, e);
	if (r == -ENOENT) {
		if (fstat(tree, &st) < 0)
			return err_set(e, errno, "look at the source of %s", m->m->destination);
		r = mnt_place_open(rootfd, m->m->destination,
			S_ISDIR(st.st_mode) ? MNT_WANT_DIR : MNT_WANT_FILE, m->o.dest_nofollow, false, &p, e);
	}
	if (r < 0)
		return r;
	r = sys_attach(tree, p.dir, p.name);
	return r < 0 ? err_set(e, -r, "mount on %s", m->m->destination) : 0;
}

int mnt_add(int rootfd, const struct spec_mount *m, int source_tree, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_close_ int made = -EBADF;
	struct mnt_entry entry = { .m = m, .tree = -EBADF };
	uint64_t attr, clr;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "mount %s", m->destination);
	r = mnt_options_parse(a, m, &entry.o, e);
	if (r < 0)
		return r;
	entry.kind = entry.o.bind ? MNT_BIND : MNT_FS;
	if (entry.o.remount || entry.o.tmpcopyup || entry.o.copy_symlink)
		return err_text(e, EINVAL, "mount %s: %s is not possible in a living partition",
			m->destination,
			entry.o.remount	    ? "remount"
			: entry.o.tmpcopyup ? "tmpcopyup"
					    : "copy-symlink");
	/* /proc is there already: a second one would only undo its masks. */
	if (path_within(m->destination, "/proc") || str_eq(m->destination, "/"))
		return err_text(e, EPERM, "mount %s: nothing can be mounted there in a living partition",
			m->destination);
	if (!mnt_attr_detached())
		return err_text(e, ENOSYS,
			"mount %s: mounts in a living partition need mount_setattr(2), Linux 5.12",
			m->destination);
	if (source_tree < 0) {
		if (entry.kind == MNT_BIND || !m->type || str_starts(m->type, "cgroup"))
			return err_text(e, EINVAL,
				"mount %s: a bind mount needs its source, any other a type", m->destination);
		mnt_flags_to_attr(entry.o.set, &attr, &clr);
		made = mnt_fs_new(
			m->type, m->source ? m->source : m->type, entry.o.data, entry.o.set, attr, NULL, e);
		if (made < 0)
			return err_wrap(e, "mount %s", m->destination);
		entry.o.set = 0;
	}
	r = mnt_attr_options(made >= 0 ? made : source_tree, &entry.o, m->destination, e);
	return r < 0 ? r : add_tree(rootfd, &entry, made >= 0 ? made : source_tree, e);
}

/* The same after symlinks: an image with a link to /proc must not have its masks taken away by a harmless
 * name. */
static int check_parent(int rootfd, int parent, const char *destination, struct err *e)
{
	_cleanup_close_ int dev = path_open(rootfd, "/dev", O_PATH | O_DIRECTORY, 0, 0);
	struct stat root, at, d;
	struct statfs fs;
	bool in_dev;

	if (fstatfs(parent, &fs) < 0 || fstat(parent, &at) < 0 || fstat(rootfd, &root) < 0)
		return err_set(e, errno, "unmount %s", destination);
	in_dev = dev >= 0 && fstat(dev, &d) == 0 && d.st_dev != root.st_dev && d.st_dev == at.st_dev;
	if (in_dev || fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC)
		return err_text(e, EPERM,
			"unmount %s: it leads through a symlink into /proc, /sys or /dev, where what is "
			"mounted stays",
			destination);
	return 0;
}

int mnt_remove(int rootfd, const char *destination, struct err *e)
{
	_cleanup_close_ int parent = -EBADF;
	const char *name;
	int r;

	if (path_within(destination, "/proc") || path_within(destination, "/sys") ||
		path_within(destination, "/dev"))
		return err_text(
			e, EPERM, "unmount %s: what is mounted in /proc, /sys and /dev stays", destination);
	parent = path_open_parent(rootfd, destination, false, &name);
	if (parent < 0)
		return err_set(e, -parent, "unmount %s", destination);
	r = check_parent(rootfd, parent, destination, e);
	if (r < 0)
		return r;
	if (fchdir(parent) < 0)
		return err_set(e, errno, "unmount %s", destination);
	if (umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0) {
		r = err_set(e, errno, "unmount %s", destination);
		return r == -EINVAL
			       ? err_hint(e,
					 "it is no mount point, or belongs to the partition from its start")
			       : r;
	}
	return 0;
}
