/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags and propagation of mounts by descriptor, with mount_setattr(2) or what came before it (see
 * mount_state.h).
 */
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "namespaces/mount_state.h"

/* ENOSYS comes from a kernel before 5.12, or from a seccomp filter around us. */
static enum { UNKNOWN, THERE, MISSING } setattr_call;

static int call_setattr(int dirfd, const char *name, unsigned int flags, struct mount_attr *attr)
{
	int r = setattr_call == MISSING ? -ENOSYS : sys_mount_setattr(dirfd, name, flags, attr);

	setattr_call = r == -ENOSYS ? MISSING : THERE;
	return r;
}

bool mnt_attr_detached(void)
{
	struct mount_attr nothing = { 0 };

	/* The kernel answers a change of nothing without a look at the mount. */
	if (setattr_call == UNKNOWN)
		call_setattr(AT_FDCWD, "/", 0, &nothing);
	return setattr_call == THERE;
}

unsigned long mnt_entry_propagation(const struct spec *s)
{
	switch (s->rootfs_propagation) {
	case SPEC_PROPAGATION_SHARED:
		return 0;
	case SPEC_PROPAGATION_PRIVATE:
	case SPEC_PROPAGATION_UNBINDABLE: /* it could not even be bound before the end */
		return MS_PRIVATE | MS_REC;
	default:
		return MS_SLAVE | MS_REC;
	}
}

unsigned long mnt_tree_propagation(const struct spec *s)
{
	unsigned long p = mnt_entry_propagation(s) & ~(unsigned long)MS_REC;

	return p ? p : MS_SLAVE;
}

/*
 * The flags of a mount as mount(2) wants them back on a remount, which else would drop them (and may not, if
 * they are locked).
 */
static int present_flags(const char *path, unsigned long *out)
{
	static const struct {
		unsigned long st, ms;
	} table[] = {
		{ ST_RDONLY, MS_RDONLY },
		{ ST_NOSUID, MS_NOSUID },
		{ ST_NODEV, MS_NODEV },
		{ ST_NOEXEC, MS_NOEXEC },
		{ ST_NOATIME, MS_NOATIME },
		{ ST_NODIRATIME, MS_NODIRATIME },
		{ ST_RELATIME, MS_RELATIME },
	};
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return -errno;
	*out = 0;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if ((unsigned long)fs.f_flags & table[i].st)
			*out |= table[i].ms;
	return 0;
}

static int attr_by_mount(
	const char *path, unsigned int flags, uint64_t set, uint64_t clr, uint64_t propagation)
{
	static const struct {
		uint64_t attr;
		unsigned long ms;
	} table[] = {
		{ MOUNT_ATTR_RDONLY, MS_RDONLY },
		{ MOUNT_ATTR_NOSUID, MS_NOSUID },
		{ MOUNT_ATTR_NODEV, MS_NODEV },
		{ MOUNT_ATTR_NOEXEC, MS_NOEXEC },
		{ MOUNT_ATTR_NODIRATIME, MS_NODIRATIME },
		{ MOUNT_ATTR_NOATIME, MS_NOATIME },
		{ MOUNT_ATTR_STRICTATIME, MS_STRICTATIME },
	};
	unsigned long now = 0, ms;
	int r;

	if ((flags & AT_RECURSIVE) && (set || clr))
		return -ENOSYS;
	if (set & MOUNT_ATTR_NOSYMFOLLOW)
		return -ENOSYS;
	if (set || clr) {
		r = present_flags(path, &now);
		if (r < 0)
			return r;
		ms = now;
		if (clr & MOUNT_ATTR__ATIME)
			ms &= ~(unsigned long)(MS_NOATIME | MS_RELATIME | MS_STRICTATIME);
		for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
			if (clr & ~MOUNT_ATTR__ATIME & table[i].attr)
				ms &= ~table[i].ms;
			if (set & table[i].attr)
				ms |= table[i].ms;
		}
		if (mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | ms, NULL) < 0) {
			/* A locked flag was to go: what was asked for on top of those that stay. */
			ms |= now & ~(unsigned long)MS_RELATIME;
			if (errno != EPERM || mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | ms, NULL) < 0)
				return -errno;
		}
	}
	if (propagation &&
		mount(NULL, path, NULL, propagation | ((flags & AT_RECURSIVE) ? MS_REC : 0), NULL) < 0)
		return -errno;
	return 0;
}

int mnt_attr(
	int dirfd, const char *name, unsigned int flags, uint64_t set, uint64_t clr, uint64_t propagation)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clr, .propagation = propagation };
	struct mnt_place p = { .dir = dirfd, .name = name };
	char path[MNT_PLACE_PATH];
	int r;

	if (!set && !clr && !propagation)
		return 0;
	r = call_setattr(dirfd, name, flags, &attr);
	if (r == -EPERM && (clr & MOUNT_ATTR__ATIME)) {
		attr.attr_clr &= ~(uint64_t)MOUNT_ATTR__ATIME;
		attr.attr_set &= ~(uint64_t)MOUNT_ATTR__ATIME;
		r = call_setattr(dirfd, name, flags, &attr);
	}
	return r == -ENOSYS ? attr_by_mount(mnt_place_path(&p, path), flags, set, clr, propagation) : r;
}

int mnt_attr_root_readonly(int root)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int r = call_setattr(root, "", 0, &attr);

	return r == -ENOSYS ? attr_by_mount("/", 0, MOUNT_ATTR_RDONLY, 0, 0) : r;
}

/* The word for the part of a recursive change that a kernel cannot do. */
static const char *recursive_word(const struct mnt_options *o)
{
	static const struct {
		uint64_t bit;
		const char *set, *clear;
	} table[] = {
		{ MOUNT_ATTR_RDONLY, "rro", "rrw" },
		{ MOUNT_ATTR_NOSUID, "rnosuid", "rsuid" },
		{ MOUNT_ATTR_NODEV, "rnodev", "rdev" },
		{ MOUNT_ATTR_NOEXEC, "rnoexec", "rexec" },
		{ MOUNT_ATTR_NODIRATIME, "rnodiratime", "rdiratime" },
		{ MOUNT_ATTR_NOSYMFOLLOW, "rnosymfollow", "rsymfollow" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (o->rec_set & table[i].bit)
			return table[i].set;
		if (o->rec_clear & table[i].bit)
			return table[i].clear;
	}
	return "ratime, rnoatime, …";
}

int mnt_attr_options(int tree, const struct mnt_options *o, const char *destination, struct err *e)
{
	unsigned long prop = o->n_propagation ? o->propagation[0] : 0;
	bool prop_all = (prop & MS_REC) != 0;
	uint64_t set, clr;
	int i = 0, r;

	mnt_flags_to_attr(o->set, &set, &clr);
	/* One call where flags and propagation reach equally far, as in "bind,ro,private". */
	if (o->n_propagation == 1 && !prop_all && (set || clr) && !o->rec_set && !o->rec_clear) {
		r = mnt_attr(tree, "", 0, set, clr, prop);
		i = 1;
	} else {
		r = mnt_attr(tree, "", 0, set, clr, 0);
	}
	if (r < 0)
		return err_set(e, -r, "set the mount flags of %s", destination);
	if (o->rec_set || o->rec_clear) {
		bool merge = i == 0 && o->n_propagation == 1 && prop_all;

		r = mnt_attr(tree, "", AT_RECURSIVE, o->rec_set, o->rec_clear,
			merge ? prop & ~(unsigned long)MS_REC : 0);
		if (r == -ENOSYS)
			return err_text(e, ENOSYS,
				"mount option \"%s\" of %s needs mount_setattr(2), Linux 5.12",
				recursive_word(o), destination);
		if (r < 0)
			return err_set(e, -r, "set the recursive mount flags (%s) of %s", recursive_word(o),
				destination);
		i += merge;
	}
	for (; i < o->n_propagation; i++) {
		r = mnt_attr(tree, "", (o->propagation[i] & MS_REC) ? AT_RECURSIVE : 0, 0, 0,
			o->propagation[i] & ~(unsigned long)MS_REC);
		if (r < 0)
			return err_set(e, -r, "set the propagation of %s", destination);
	}
	return 0;
}
