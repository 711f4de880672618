/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lsm.c on a host that has AppArmor and SELinux, as far as it can tell: fd_get_at() and statfs(2) say so, and
 * sec_procfs_open() gives it a pipe, or what the test has for it. What is written where is what counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "security/lsm.h"
#include "security/procfs.h"

ssize_t __wrap_fd_get_at(int dirfd, const char *path, char *buf, size_t size);
int __wrap_statfs(const char *path, struct statfs *fs);
int __wrap_sec_procfs_open(int procfd, const char *path, int flags, struct err *e);
int __wrap_fd_write_once(int fd, const void *buf, size_t len);

static char opened[256], written[8192];
static const char *missing; /* a file that this kernel does not have */
static int write_fails;	    /* an errno */

ssize_t __wrap_fd_get_at(int dirfd, const char *path, char *buf, size_t size)
{
	if (!str_eq(path, "/sys/module/apparmor/parameters/enabled"))
		abort();
	snprintf(buf, size, "Y");
	return 1;
}

int __wrap_statfs(const char *path, struct statfs *fs)
{
	if (!str_eq(path, "/sys/fs/selinux"))
		abort();
	*fs = (struct statfs){ .f_type = 0xf97cff8c };
	return 0;
}

int __wrap_sec_procfs_open(int procfd, const char *path, int flags, struct err *e)
{
	size_t used = strlen(opened);

	assert_int_equal(procfd, 4711);
	assert_int_equal(flags, O_WRONLY);
	snprintf(opened + used, sizeof(opened) - used, "%s%s", used ? " " : "", path);
	if (missing && str_eq(path, missing))
		return err_set(e, ENOENT, "open /proc/%s", path);
	return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

int __wrap_fd_write_once(int fd, const void *buf, size_t len)
{
	size_t used = strlen(written);

	snprintf(written + used, sizeof(written) - used, "<%.*s>", (int)len, (const char *)buf);
	return -write_fails;
}

static int fresh(void **state)
{
	opened[0] = written[0] = '\0';
	missing = NULL;
	write_fails = 0;
	return 0;
}

static void apparmor(void **state)
{
	struct err e = ERR_INIT;

	assert_true(lsm_apparmor_enabled());
	assert_int_equal(lsm_set_apparmor(4711, "docker-default", &e), 0);
	assert_string_equal(opened, "thread-self/attr/apparmor/exec");
	assert_string_equal(written, "<exec docker-default>");
	/* Nothing asked for, nothing done. */
	assert_int_equal(lsm_set_apparmor(4711, "", &e), 0);
	assert_string_equal(written, "<exec docker-default>");
}

/* Before Linux 5.8 there is one directory for all. */
static void apparmor_of_an_older_kernel(void **state)
{
	struct err e = ERR_INIT;

	missing = "thread-self/attr/apparmor/exec";
	assert_int_equal(lsm_set_apparmor(4711, "unconfined", &e), 0);
	assert_string_equal(opened, "thread-self/attr/apparmor/exec thread-self/attr/exec");
	assert_string_equal(written, "<exec unconfined>");
	/* The first attempt is not told of. */
	assert_int_equal(e.code, 0);
}

static void apparmor_refuses(void **state)
{
	char name[4200];
	struct err e = ERR_INIT;

	write_fails = ENOENT;
	assert_int_equal(lsm_set_apparmor(4711, "nosuch", &e), -ENOENT);
	assert_non_null(strstr(e.text, "AppArmor profile \"nosuch\""));
	assert_non_null(strstr(e.text, "is the profile loaded? (see aa-status)"));
	/* Written once: a second try somewhere else would be a label that nobody asked for. */
	assert_string_equal(written, "<exec nosuch>");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(lsm_set_apparmor(4711, name, &e), -ENAMETOOLONG);
	assert_string_equal(written, "<exec nosuch>");
}

static void selinux(void **state)
{
	static const char label[] = "system_u:system_r:container_t:s0:c1,c2";
	struct err e = ERR_INIT;

	assert_true(lsm_selinux_enabled());
	assert_int_equal(lsm_set_selinux(4711, label, &e), 0);
	assert_int_equal(lsm_set_keycreate(4711, label, &e), 0);
	assert_string_equal(opened, "thread-self/attr/exec thread-self/attr/keycreate");
	assert_string_equal(written, "<system_u:system_r:container_t:s0:c1,c2>"
				     "<system_u:system_r:container_t:s0:c1,c2>");
	write_fails = EINVAL;
	assert_int_equal(lsm_set_selinux(4711, "nonsense", &e), -EINVAL);
	assert_non_null(strstr(e.text, "SELinux label \"nonsense\""));
	assert_non_null(strstr(e.text, "the loaded policy does not know this label"));
}

static void a_file_that_is_not_there(void **state)
{
	struct err e = ERR_INIT;

	missing = "thread-self/attr/exec";
	assert_int_equal(lsm_set_selinux(4711, "x", &e), -ENOENT);
	assert_string_equal(written, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(apparmor, fresh),
		cmocka_unit_test_setup(apparmor_of_an_older_kernel, fresh),
		cmocka_unit_test_setup(apparmor_refuses, fresh),
		cmocka_unit_test_setup(selinux, fresh),
		cmocka_unit_test_setup(a_file_that_is_not_there, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
