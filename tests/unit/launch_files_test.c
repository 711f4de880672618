/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a bundle: /etc/hosts and its kin, the zone's root, volumes. */
#include "tests/unit/launch_test.h"

#include <sys/stat.h>
#include <sys/wait.h>

static char where[32];
static int dir;

static int setup(void **state)
{
	strncpy(where, "/tmp/launch-files-XXXXXX", sizeof(where) - 1);
	assert_non_null(mkdtemp(where));
	dir = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0;
}

static int teardown(void **state)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", where, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	close(dir);
	return 0;
}

static char *content(const char *path)
{
	char *text = NULL;

	if (fd_read_at(dir, path, 1 << 20, &text, NULL) < 0)
		fail_msg("%s cannot be read", path);
	return text;
}

static void test_etc(void **state)
{
	struct launch_opts o = { .add_hosts = STRV("db:10.0.0.5", "six:fe80::1", "brackets:[::2]") };
	struct launch_record r = { .name = "web", .network = "none", .dns = STRV("192.0.2.1") };
	struct err e = ERR_INIT;

	if (launch_etc_write(dir, &o, &r, NULL, &e) < 0)
		fail_msg("%s", e.text);
	{
		_cleanup_free_ char *hosts = content("etc/hosts"), *name = content("etc/hostname");
		_cleanup_free_ char *resolv = content("etc/resolv.conf");

		assert_true(str_starts(hosts, "127.0.0.1\tlocalhost\n"));
		assert_non_null(strstr(hosts, "\n10.0.0.5\tdb\n"));
		assert_non_null(strstr(hosts, "\nfe80::1\tsix\n"));
		assert_non_null(strstr(hosts, "\n::2\tbrackets\n"));
		assert_non_null(strstr(hosts, "\n127.0.1.1\tweb\n"));
		assert_string_equal(name, "web\n");
		assert_non_null(strstr(resolv, "nameserver 192.0.2.1\n"));
	}
	o.hostname = "box";
	assert_int_equal(launch_etc_write(dir, &o, &r, "10.89.0.7", &e), 0);
	{
		_cleanup_free_ char *hosts = content("etc/hosts"), *name = content("etc/hostname");

		assert_non_null(strstr(hosts, "\n10.89.0.7\tbox\n"));
		assert_null(strstr(hosts, "127.0.1.1"));
		assert_string_equal(name, "box\n");
	}
}

static void test_add_host_refused(void **state)
{
	static const char *const bad[] = { "x", ":1.2.3.4", "x:", "x:1.2.3", "x y:1.2.3.4",
		"x\n1.1.1.1 y:1.2.3.4", "x:1.2.3.4\n", "x:host-gateway", "x:[::1", "" };
	struct launch_record r = { .name = "web", .network = "none" };

	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		struct launch_opts o = { .add_hosts = STRV((char *)bad[k]) };
		struct err e = ERR_INIT;

		assert_int_equal(launch_etc_write(dir, &o, &r, NULL, &e), -EINVAL);
		assert_true(str_starts(e.text, "--add-host"));
	}
}

static void test_zone(void **state)
{
	struct err e = ERR_INIT;
	mode_t before = umask(077);
	struct stat st;
	int r = launch_host_write(dir, &e);

	umask(before);
	if (r == -EOPNOTSUPP)
		skip();
	if (r < 0)
		fail_msg("%s", e.text);
	assert_int_equal(fstatat(dir, "host", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fstatat(dir, "host/tmp", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 01777);
	assert_int_equal(fstatat(dir, "host/root", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(dir, "host/bin", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(fstatat(dir, "host/etc/passwd", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	/* Nothing that is secret, or the host's identity. */
	assert_int_equal(fstatat(dir, "host/etc/shadow", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(dir, "host/etc/ssl/private", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(dir, "host/etc/machine-id", &st, AT_SYMLINK_NOFOLLOW), -1);
	/* Once more after a crash in the middle. */
	unlinkat(dir, "host/etc/passwd", 0);
	assert_int_equal(launch_host_write(dir, &e), 0);
	assert_int_equal(fstatat(dir, "host/etc/passwd", &st, AT_SYMLINK_NOFOLLOW), 0);
}

static void test_volumes(void **state)
{
	struct launch_record r = { .volumes = STRV("a", "b") };
	struct err e = ERR_INIT;
	struct stat st;

	assert_int_equal(launch_volumes_make(dir, &r, &e), 0);
	assert_int_equal(launch_volumes_make(dir, &r, &e), 0);
	assert_int_equal(fstatat(dir, "b/_data", &st, 0), 0);
	assert_true(S_ISDIR(st.st_mode));
	/* A link in its place is not followed. */
	assert_int_equal(symlinkat("/tmp", dir, "evil"), 0);
	r.volumes = STRV("evil");
	assert_true(launch_volumes_make(dir, &r, &e) < 0);
	assert_true(str_starts(e.text, "volume evil: "));
	r.volumes = NULL;
	assert_int_equal(launch_volumes_make(dir, &r, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_etc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_host_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_volumes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
