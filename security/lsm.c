/* SPDX-License-Identifier: Apache-2.0 */
/* AppArmor and SELinux labels through a checked procfs (see lsm.h). */
#include "security/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "security/procfs.h"

#ifndef SELINUX_MAGIC
#define SELINUX_MAGIC 0xf97cff8c
#endif

/* The host's answer does not change while we live, and after pivot_root(2) nobody can ask it any more. */
enum { UNASKED, OFF, ON };

bool lsm_apparmor_enabled(void)
{
	static int state = UNASKED;
	char buf[8];

	if (state == UNASKED)
		state = fd_get_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", buf, sizeof(buf)) >
						0 &&
					buf[0] == 'Y'
				? ON
				: OFF;
	return state == ON;
}

bool lsm_selinux_enabled(void)
{
	static int state = UNASKED;
	struct statfs st;

	if (state == UNASKED)
		state = statfs("/sys/fs/selinux", &st) == 0 && (unsigned int)st.f_type == SELINUX_MAGIC ? ON
													: OFF;
	return state == ON;
}

/*
 * One write(2): the kernel takes a label whole or not at all. The files are per thread, hence thread-self.
 * `other` (may be NULL) is tried where `file` does not exist.
 */
static int write_attr(int procfd, const char *file, const char *other, const char *value, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "thread-self/attr/%s", file);
	fd = sec_procfs_open(procfd, path, O_WRONLY, e);
	if (fd == -ENOENT && other) {
		err_clear(e);
		return write_attr(procfd, other, NULL, value, e);
	}
	if (fd < 0)
		return fd;
	r = fd_write_once(fd, value, strlen(value));
	if (r < 0)
		return err_set(e, -r, "write \"%s\" to /proc/%s", value, path);
	return 0;
}

int lsm_set_apparmor(int procfd, const char *profile, struct err *e)
{
	char value[4096 + 8];
	int r;

	if (!*profile)
		return 0;
	if (!lsm_apparmor_enabled())
		return err_text(e, EOPNOTSUPP,
			"process.apparmorProfile is \"%s\", but AppArmor is not enabled on this host: remove "
			"the property or boot "
			"with apparmor=1 security=apparmor",
			profile);
	if (snprintf(value, sizeof(value), "exec %s", profile) >= (int)sizeof(value))
		return err_text(e, ENAMETOOLONG, "process.apparmorProfile is longer than 4096 bytes");
	/* AppArmor has a directory of its own since Linux 5.8; before, only the file shared by all LSMs. */
	r = write_attr(procfd, "apparmor/exec", "exec", value, e);
	if (r < 0) {
		err_wrap(e, "set AppArmor profile \"%s\"", profile);
		if (r == -ENOENT)
			err_hint(e, "is the profile loaded? (see aa-status)");
	}
	return r;
}

static int set_selinux(int procfd, const char *file, const char *label, struct err *e)
{
	int r;

	if (!*label)
		return 0;
	if (!lsm_selinux_enabled())
		return err_text(e, EOPNOTSUPP,
			"process.selinuxLabel is \"%s\", but SELinux is not enabled on this host: remove the "
			"property",
			label);
	r = write_attr(procfd, file, NULL, label, e);
	if (r < 0) {
		err_wrap(e, "set SELinux label \"%s\"", label);
		if (r == -EINVAL)
			err_hint(e, "the loaded policy does not know this label");
	}
	return r;
}

int lsm_set_selinux(int procfd, const char *label, struct err *e)
{
	return set_selinux(procfd, "exec", label, e);
}

int lsm_set_keycreate(int procfd, const char *label, struct err *e)
{
	return set_selinux(procfd, "keycreate", label, e);
}
