/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount system calls that work on descriptors, as thin functions that return 0 or an fd, or a negative
 * errno. Every fd is O_CLOEXEC. All but mount_setattr(2) (Linux 5.12) are in every kernel that is supported
 * (5.4).
 */
#ifndef NAMESPACES_MOUNT_CALLS_H
#define NAMESPACES_MOUNT_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef ST_NOSYMFOLLOW
#define ST_NOSYMFOLLOW 0x2000
#endif

/*
 * A copy of the mount at dirfd/path ("": of dirfd itself) that is attached nowhere. flags: AT_RECURSIVE,
 * AT_SYMLINK_NOFOLLOW.
 */
static inline int sys_clone_tree(int dirfd, const char *path, unsigned int flags)
{
	long fd = syscall(SYS_open_tree, dirfd, path,
		flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0 : AT_EMPTY_PATH));

	return fd < 0 ? -errno : (int)fd;
}

/*
 * Attaches a detached tree at dirfd/name ("": on dirfd itself). A symlink as the last component is not
 * followed; earlier ones are, so `name` has one component unless dirfd is a file system that nobody can write
 * symlinks to.
 */
static inline int sys_attach(int tree, int dirfd, const char *name)
{
	unsigned int flags = MOVE_MOUNT_F_EMPTY_PATH | (*name ? 0 : MOVE_MOUNT_T_EMPTY_PATH);

	return syscall(SYS_move_mount, tree, "", dirfd, name, flags) < 0 ? -errno : 0;
}

static inline int sys_mount_setattr(int dirfd, const char *path, unsigned int flags, struct mount_attr *attr)
{
	flags |= *path ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
	return syscall(SYS_mount_setattr, dirfd, path, flags, attr, sizeof(*attr)) < 0 ? -errno : 0;
}

static inline int sys_fsopen(const char *type)
{
	long fd = syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static inline int sys_fsconfig(int fs, unsigned int cmd, const char *key, const char *value)
{
	return syscall(SYS_fsconfig, fs, cmd, key, value, 0) < 0 ? -errno : 0;
}

static inline int sys_fsmount(int fs, unsigned int attr)
{
	long fd = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr);

	return fd < 0 ? -errno : (int)fd;
}

#endif
