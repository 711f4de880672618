/* SPDX-License-Identifier: Apache-2.0 */
/* lsm.c and procfs.c: labels are written to the real files or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/fd.h"
#include "security/lsm.h"
#include "security/procfs.h"
#include "tests/unit/security_bpf.h"

static int proc_fd(void)
{
	int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void labels_where_there_is_no_lsm(void **state)
{
	_cleanup_close_ int procfd = proc_fd();
	struct err e = ERR_INIT;

	if (lsm_apparmor_enabled() || lsm_selinux_enabled())
		skip();
	assert_int_equal(lsm_set_apparmor(procfd, "docker-default", &e), -EOPNOTSUPP);
	assert_string_equal(e.text, "process.apparmorProfile is \"docker-default\", but AppArmor is not "
				    "enabled on this host: remove the "
				    "property or boot with apparmor=1 security=apparmor");
	assert_int_equal(lsm_set_selinux(procfd, "system_u:system_r:container_t:s0", &e), -EOPNOTSUPP);
	assert_string_equal(e.text, "process.selinuxLabel is \"system_u:system_r:container_t:s0\", but "
				    "SELinux is not enabled on this "
				    "host: remove the property");
	assert_int_equal(lsm_set_keycreate(procfd, "x", &e), -EOPNOTSUPP);
	/* An empty label asks for nothing. */
	assert_int_equal(lsm_set_apparmor(procfd, "", &e), 0);
	assert_int_equal(lsm_set_selinux(procfd, "", &e), 0);
}

static void the_real_file_opens(void **state)
{
	_cleanup_close_ int procfd = proc_fd();
	_cleanup_close_ int fd = sec_procfs_open(procfd, "thread-self/attr/exec", O_WRONLY, NULL);

	if (fd == -ENOENT)
		skip(); /* a kernel without LSMs */
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void another_file_system_is_refused(void **state)
{
	char dir[] = "/tmp/rf-proc-XXXXXX";
	_cleanup_close_ int fake = -EBADF;
	struct err e = ERR_INIT;

	assert_non_null(mkdtemp(dir));
	fake = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(fake, "thread-self", 0755), 0);
	close(openat(fake, "thread-self/x", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	assert_int_equal(sec_procfs_open(fake, "thread-self/x", O_WRONLY, &e), -EXDEV);
	assert_non_null(strstr(e.text, "/proc/thread-self/x is not a file of procfs (file system type 0x"));
	unlinkat(fake, "thread-self/x", 0);
	unlinkat(fake, "thread-self", AT_REMOVEDIR);
	rmdir(dir);
}

static void magic_links_are_refused(void **state)
{
	_cleanup_close_ int procfd = proc_fd();

	assert_int_equal(sec_procfs_open(procfd, "self/cwd/x", O_RDONLY, NULL), -ELOOP);
	assert_int_equal(sec_procfs_open(procfd, "self/exe", O_RDONLY, NULL), -ELOOP);
	assert_int_equal(sec_procfs_open(procfd, "thread-self/attr/no-such-file", O_WRONLY, NULL), -ENOENT);
}

/*
 * The attack (CVE-2019-16884, CVE-2025-52881): something else where the attr file is. `arg` is what is
 * mounted where: over the directory a tmpfs with a file of that name, over the file another file of the same
 * procfs.
 */
static int with_a_mount(void *arg)
{
	const char *const *m = arg;
	struct err e = ERR_INIT;
	char path[64];
	int procfd, r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	procfd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/task/%d/attr%s", (int)getpid(), m[1]);
	if (mount(m[0], path, "tmpfs", m[2] ? MS_BIND : 0, NULL) < 0)
		return 77;
	if (!m[2])
		close(open("/proc/thread-self/attr/exec", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	/* By its name it can be written to, and the label is gone. */
	if (access("/proc/thread-self/attr/exec", F_OK) < 0)
		return 2;
	r = sec_procfs_open(procfd, "thread-self/attr/exec", O_WRONLY, &e);
	if (r != -EXDEV)
		return 3;
	return strstr(e.text, "/proc/thread-self/attr/exec: something is mounted over it: refused") ? 0 : 4;
}

static void mounts_over_it_are_refused(void **state)
{
	const char *tmpfs[] = { "none", "", NULL }, *bind[] = { "/proc/self/comm", "/exec", "bind" };
	int r = in_child(with_a_mount, tmpfs);

	if (r == 77 || access("/proc/thread-self/attr/exec", F_OK) < 0)
		skip();
	assert_int_equal(r, 0);
	assert_int_equal(in_child(with_a_mount, bind), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_where_there_is_no_lsm),
		cmocka_unit_test(the_real_file_opens),
		cmocka_unit_test(another_file_system_is_refused),
		cmocka_unit_test(magic_links_are_refused),
		cmocka_unit_test(mounts_over_it_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
