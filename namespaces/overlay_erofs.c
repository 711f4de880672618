/* SPDX-License-Identifier: Apache-2.0 */
/* A layer that is an EROFS image file, as a mount that is attached nowhere (see overlay.h). */
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "namespaces/mount_state.h"
#include "namespaces/overlay.h"

#define LOOP_TRIES 64 /* others may take the device that we were told is free */

/*
 * A read-only block device for the file, which the kernel takes apart when nobody has it open any more: us,
 * then the mount. No text.
 */
static int loop_device(int file)
{
	struct loop_config config = { .fd = (unsigned int)file,
		.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR };
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		return -errno;
	for (int i = 0; i < LOOP_TRIES; i++) {
		_cleanup_close_ int fd = -EBADF;
		int n = ioctl(control, LOOP_CTL_GET_FREE);
		char path[32];

		if (n < 0)
			return -errno;
		snprintf(path, sizeof(path), "/dev/loop%d", n);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (ioctl(fd, LOOP_CONFIGURE, &config) == 0)
			return TAKE_FD(fd);
		if (errno != EBUSY)
			return -errno;
	}
	return -EBUSY;
}

static int mount_source(int source, char *said, size_t size, const char **words)
{
	_cleanup_close_ int fs = sys_fsopen("erofs");
	char path[FD_PATH_MAX];
	int r = fs < 0 ? fs : sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", fd_path(path, source));

	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL);
	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (r == 0)
		r = sys_fsmount(fs, MOUNT_ATTR_RDONLY);
	*words = r < 0 && fs >= 0 ? mnt_fs_said(fs, said, size) : NULL;
	return r;
}

static int explain(int code, const char *path, const char *said, struct err *e)
{
	int r;

	if (code == -ENODEV)
		return err_text(e, ENODEV,
			"mounts: layer %s of / is a file, and this kernel has no EROFS; load the module "
			"\"erofs\", or name a directory",
			path);
	r = err_set(e, -code, "mounts: mount layer %s of / as EROFS%s%s%s", path,
		said ? ": the kernel says \"" : "", said ? said : "", said ? "\"" : "");
	return code == -EPERM ? err_hint(e, "that takes root's powers: name a directory") : r;
}

int mnt_erofs_new(int file, const char *path, struct err *e)
{
	_cleanup_close_ int loop = -EBADF;
	char said[300];
	const char *words;
	int r = mount_source(file, said, sizeof(said), &words);

	/* Before Linux 6.12 it must be a block device, and what some file systems have still must. */
	if (r != -ENOTBLK && r != -EINVAL)
		return r < 0 ? explain(r, path, words, e) : r;
	loop = loop_device(file);
	if (loop < 0)
		return err_set(e, -loop, "mounts: make a loop device for layer %s of /", path);
	r = mount_source(loop, said, sizeof(said), &words);
	return r < 0 ? explain(r, path, words, e) : r;
}
