/* SPDX-License-Identifier: Apache-2.0 */
/* Our own program file, out of reach of what we run (see seal.h). */
#include "runtime/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/partition.h"

#define SELF	       "/proc/self/exe"
#define SEALS	       (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define ST_RDONLY_FLAG 1 /* ST_RDONLY of statvfs(3), as statfs(2) reports it */

extern char **environ;

static bool read_only(void)
{
	struct statfs fs;

	return statfs(SELF, &fs) == 0 && (fs.f_flags & ST_RDONLY_FLAG);
}

static bool sealed_memfd(void)
{
	_cleanup_close_ int fd = open(SELF, O_RDONLY | O_CLOEXEC);
	int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);

	/* -1 is the answer for any file but a memfd, and has all bits set. */
	return seals >= 0 && (seals & SEALS) == SEALS;
}

/* A file that is neither ours nor writable for us cannot be written by what we run with our rights or less.
 * Real root can write any. */
static bool harmless(void)
{
	return rt_caller() != 0 && faccessat(AT_FDCWD, SELF, W_OK, AT_EACCESS) < 0;
}

bool seal_done(void)
{
	return read_only() || harmless() || sealed_memfd();
}

static int exec_clone(char **argv)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	_cleanup_close_ int fd =
		(int)syscall(SYS_open_tree, AT_FDCWD, SELF, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	return -errno;
}

static int exec_copy(char **argv)
{
	_cleanup_close_ int from = open(SELF, O_RDONLY | O_CLOEXEC),
			    to = memfd_create("ringfence", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;
	off_t at = 0;

	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return -errno;
	while (at < st.st_size)
		if (sendfile(to, from, &at, (size_t)(st.st_size - at)) <= 0)
			return errno ? -errno : -EIO;
	if (fcntl(to, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	syscall(SYS_execveat, to, "", argv, environ, AT_EMPTY_PATH);
	return -errno;
}

int seal_self(char **argv, struct err *e)
{
	int r;

	if (seal_done())
		return 0;
	r = exec_clone(argv);
	if (r < 0)
		r = exec_copy(argv);
	return err_set(e, -r,
		"protect the program file from the container: execute " SELF " from a read-only place");
}
