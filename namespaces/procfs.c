/* SPDX-License-Identifier: Apache-2.0 */
/* A procfs that nobody inside a partition can have covered (see rootfs.h). */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "namespaces/mount_calls.h"
#include "namespaces/rootfs.h"

int mnt_procfs(struct err *e)
{
	_cleanup_close_ int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fs = -EBADF;
	struct statfs st;
	int r;

	if (fd >= 0 && fstatfs(fd, &st) == 0 && st.f_type == PROC_SUPER_MAGIC)
		return TAKE_FD(fd);
	/*
	 * No /proc here, or something that only looks like it: one of our own that is never attached
	 * anywhere.
	 */
	fs = sys_fsopen("proc");
	if (fs < 0)
		return err_set(e, -fs, "open a procfs: /proc is none, and fsopen failed");
	r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (r == 0)
		r = sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return r < 0 ? err_set(e, -r, "make a private procfs, since /proc is none") : r;
}
