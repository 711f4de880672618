/* SPDX-License-Identifier: Apache-2.0 */
/* linux.sysctl: which keys pass, and that writing goes to a real procfs only. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "namespaces/rootfs.h"
#include "namespaces/sysctl.h"

static struct err err;

static int check(uint64_t own, const char *key, const char *value)
{
	struct spec_sysctl one = { key, value };
	struct spec s = { .sysctl = &one, .n_sysctl = 1 };

	for (int k = 0; k < SPEC_NS_KINDS; k++)
		s.ns[k].present = (own & spec_ns_flags[k]) != 0;
	err_clear(&err);
	return sysctl_check(&s, &err);
}

static void test_allowed(void **state)
{
	assert_int_equal(check(CLONE_NEWNET, "net.ipv4.ip_forward", "1"), 0);
	assert_int_equal(check(CLONE_NEWNET, "net/ipv4/conf/eth0.1/mtu", "1"), 0);
	assert_int_equal(check(CLONE_NEWNET, "net.ipv4.conf.eno2/100.rp_filter", "1"), 0);
	assert_int_equal(check(CLONE_NEWIPC, "kernel.shmmax", "1"), 0);
	assert_int_equal(check(CLONE_NEWIPC, "kernel.sem", "250 32000 32 128"), 0);
	assert_int_equal(check(CLONE_NEWIPC, "fs.mqueue.msg_max", "1"), 0);
	assert_int_equal(check(CLONE_NEWUTS, "kernel.domainname", "x"), 0);
	assert_int_equal(check(CLONE_NEWUSER, "user.max_user_namespaces", "0"), 0);
}

static void test_namespace_needed(void **state)
{
	assert_int_equal(check(CLONE_NEWIPC, "net.ipv4.ip_forward", "1"), -EINVAL);
	assert_non_null(strstr(err.text, "network namespace"));
	assert_int_equal(check(CLONE_NEWNET, "kernel.shmmax", "1"), -EINVAL);
	assert_int_equal(check(CLONE_NEWNET, "fs.mqueue.msg_max", "1"), -EINVAL);
	assert_int_equal(check(CLONE_NEWNET, "user.max_user_namespaces", "0"), -EINVAL);
}

static void test_hosts_namespace_by_path(void **state)
{
	struct spec_sysctl one = { "net.ipv4.ip_forward", "1" };
	struct spec s = { .sysctl = &one, .n_sysctl = 1 };

	s.ns[SPEC_NS_NETWORK].present = true;
	s.ns[SPEC_NS_NETWORK].path = "/proc/self/ns/net";
	assert_int_equal(sysctl_check(&s, &err), -EINVAL);
}

static void test_refused(void **state)
{
	static const char *const keys[] = { "kernel.core_pattern", "kernel.sysrq", "vm.swappiness",
		"fs.file-max", "net", "net.", "net..x", "net.ipv4/../../kernel/core_pattern",
		"net/../kernel/core_pattern", "../net/x", "/net/ipv4/ip_forward", "net.ipv4.a\nb",
		"net.ipv4.a b", "net.ipv4.a=b", "kernel.shmmax+kernel.core_pattern",
		"kernel.shm_rmid_forcedx", "", ".", "kernel/./shmmax", "net/ipv4/", NULL };

	for (size_t i = 0; keys[i]; i++)
		if (check(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWUSER, keys[i], "1") !=
			-EINVAL)
			fail_msg("%s was accepted", keys[i]);
	/* cr8escape: the rest of the value would have been another key's. */
	assert_int_equal(
		check(CLONE_NEWIPC, "kernel.shm_rmid_forced", "1\nkernel.core_pattern=|/x"), -EINVAL);
}

static void test_conflicts(void **state)
{
	struct spec_sysctl one = { "kernel.hostname", "x" };
	struct spec s = { .sysctl = &one, .n_sysctl = 1 };

	s.ns[SPEC_NS_UTS].present = true;
	assert_int_equal(sysctl_check(&s, &err), 0);
	s.hostname = "y";
	assert_int_equal(sysctl_check(&s, &err), -EINVAL);
	one.key = "kernel/domainname";
	assert_int_equal(sysctl_check(&s, &err), 0);
	s.domainname = "z";
	assert_int_equal(sysctl_check(&s, &err), -EINVAL);
}

static int apply_inside(void)
{
	struct spec_sysctl list[] = { { "kernel.shmmni", "77" }, { "net.ipv4.ip_default_ttl", "33" } };
	struct spec s = { .sysctl = list, .n_sysctl = 2 };
	_cleanup_close_ int proc = -EBADF;
	char text[32];

	if (unshare(CLONE_NEWIPC | CLONE_NEWNET) < 0)
		return 77;
	proc = mnt_procfs(&err);
	if (proc < 0 || sysctl_apply(&s, proc, &err) < 0)
		return 1;
	if (fd_get_at(AT_FDCWD, "/proc/sys/kernel/shmmni", text, sizeof(text)) < 0 || strcmp(text, "77") != 0)
		return 2;
	if (fd_get_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_default_ttl", text, sizeof(text)) < 0 ||
		strcmp(text, "33") != 0)
		return 3;
	list[0].value = "not a number";
	return sysctl_apply(&s, proc, &err) < 0 && strstr(err.text, "kernel.shmmni") ? 0 : 4;
}

static void test_apply(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(apply_inside());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* A symlink in what poses as /proc/sys leads nowhere. */
static void test_apply_follows_nothing(void **state)
{
	char dir[] = "/tmp/ns-sysctl-XXXXXX", path[64];
	struct spec_sysctl one = { "kernel.shmmni", "77" };
	struct spec s = { .sysctl = &one, .n_sysctl = 1 };
	_cleanup_close_ int fd = -EBADF;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sys", dir);
	assert_int_equal(symlink("/tmp", path), 0);
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(sysctl_apply(&s, fd, &err), -ELOOP);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_namespace_needed),
		cmocka_unit_test(test_hosts_namespace_by_path),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_conflicts),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_apply_follows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
