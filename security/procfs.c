/* SPDX-License-Identifier: Apache-2.0 */
/* Files below a procfs descriptor (see procfs.h). */
#include "security/procfs.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/path.h"

int sec_procfs_open(int procfd, const char *path, int flags, struct err *e)
{
	_cleanup_close_ int fd = path_open(procfd, path, flags, 0, PATH_NO_XDEV);
	struct statfs fs;

	if (fd == -EXDEV)
		return err_text(e, EXDEV, "/proc/%s: something is mounted over it: refused", path);
	if (fd < 0)
		return err_set(e, -fd, "open /proc/%s", path);
	/*
	 * openat2(2) has proved that no mount was crossed, so this is for procfd itself, and for kernels
	 * without that call, where path_open() compares device numbers on its way but opens the last name
	 * once more.
	 */
	if (fstatfs(fd, &fs) < 0)
		return err_set(e, errno, "fstatfs of /proc/%s", path);
	if (fs.f_type != PROC_SUPER_MAGIC)
		return err_text(e, EXDEV, "/proc/%s is not a file of procfs (file system type %#lx): refused",
			path, (unsigned long)fs.f_type);
	return TAKE_FD(fd);
}
