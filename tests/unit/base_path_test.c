/* SPDX-License-Identifier: Apache-2.0 */
/* Paths inside a root: everything twice, by openat2(2) and by the walk that kernels without it get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/str.h"

static char top[64];
static int root = -EBADF;

static int make_file(int at, const char *path, const char *text)
{
	_cleanup_close_ int fd = openat(at, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* top/outside is what nobody may reach from top/root. */
static int set_up(void **state)
{
	static const char *const dirs[] = { "outside", "root", "root/a", "root/a/b" };
	static const char *const links[][2] = { { "/a", "abs" }, { "../../../../outside", "up" },
		{ "/etc/passwd", "out" }, { "loop", "loop" }, { "/a/none", "dangling" }, { "b", "a/rel" },
		{ "/a/f", "a/back" }, { "abs/f", "two" } };
	_cleanup_close_ int at = -EBADF;

	snprintf(top, sizeof(top), "/tmp/base-path-test-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	at = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdirat(at, dirs[i], 0755) < 0)
			return -1;
	if (make_file(at, "outside/f", "secret") < 0 || make_file(at, "root/a/f", "f") < 0)
		return -1;
	root = openat(at, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i][0], root, links[i][1]) < 0)
			return -1;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	close(root);
	return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void same(const char *path, int flags, int resolve, const char *expected)
{
	_cleanup_close_ int fd = path_open(root, path, flags, 0, resolve), want = -EBADF;
	struct stat a, b;

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(-fd));
	want = openat(root, expected, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	assert_true(want >= 0);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstat(want, &b), 0);
	if (a.st_ino != b.st_ino || a.st_dev != b.st_dev)
		fail_msg("%s is not %s", path, expected);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void refused(const char *path, int flags, int resolve, int error)
{
	int fd = path_open(root, path, flags, 0600, resolve);

	if (fd != error)
		fail_msg("%s: %d, not %d", path, fd, error);
}

static void test_open(void **state)
{
	same("a/f", O_RDONLY, 0, "a/f");
	same("/a/f", O_RDONLY, 0, "a/f");
	same("//a/./f", O_RDONLY, 0, "a/f");
	same("a/b/../f", O_RDONLY, 0, "a/f");
	same("", O_PATH, 0, ".");
	same("/", O_PATH | O_DIRECTORY, 0, ".");
	same(".", O_RDONLY | O_DIRECTORY, 0, ".");
	refused("none", O_RDONLY, 0, -ENOENT);
	refused("a/f/x", O_RDONLY, 0, -ENOTDIR);
	refused("a/f", O_RDONLY | O_DIRECTORY, 0, -ENOTDIR);
}

static void test_stays_inside(void **state)
{
	same("../../../a/f", O_RDONLY, 0, "a/f");
	same("/../a/b/../../../../a/f", O_RDONLY, 0, "a/f");
	same("abs/f", O_RDONLY, 0, "a/f");
	same("two", O_RDONLY, 0, "a/f");
	same("a/back", O_RDONLY, 0, "a/f");
	same("abs/b/../back", O_RDONLY, 0, "a/f");
	same("a/rel", O_PATH, 0, "a/b");
	same("abs/rel/../f", O_PATH, 0, "a/f");
	/* There is a top/outside/f and an /etc/passwd: neither is reached. */
	refused("up/f", O_RDONLY, 0, -ENOENT);
	refused("out", O_RDONLY, 0, -ENOENT);
	refused("../outside/f", O_RDONLY, 0, -ENOENT);
}

static void test_symlinks(void **state)
{
	refused("loop", O_RDONLY, 0, -ELOOP);
	refused("loop/x", O_RDONLY, 0, -ELOOP);
	refused("abs/f", O_RDONLY, PATH_NO_SYMLINKS, -ELOOP);
	refused("two", O_RDONLY, PATH_NO_SYMLINKS, -ELOOP);
	same("a/f", O_RDONLY, PATH_NO_SYMLINKS, "a/f");
	refused("two", O_RDONLY | O_NOFOLLOW, 0, -ELOOP);
	same("two", O_PATH | O_NOFOLLOW, 0, "two");
	same("abs/rel", O_PATH | O_NOFOLLOW, 0, "a/rel");
}

static void test_mount_points(void **state)
{
	_cleanup_close_ int slash = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat a, b;

	if (fstatat(slash, "proc/self", &a, 0) < 0 || fstat(slash, &b) < 0 || a.st_dev == b.st_dev)
		skip();
	assert_int_equal(path_open(slash, "proc/version", O_RDONLY, 0, PATH_NO_XDEV), -EXDEV);
}

static void test_create(void **state)
{
	_cleanup_close_ int fd = path_open(root, "abs/new", O_WRONLY | O_CREAT | O_EXCL, 0640, 0);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstatat(root, "a/new", &st, 0), 0);
	assert_int_equal(st.st_mode & ~022U, S_IFREG | 0640);
	refused("a/new", O_WRONLY | O_CREAT | O_EXCL, 0, -EEXIST);
	same("a/new", O_WRONLY | O_CREAT, 0, "a/new");
}

static void made(const char *path, const char *expected)
{
	_cleanup_close_ int fd = path_mkdirs(root, path, 0755);
	struct stat a, b;

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(-fd));
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstatat(root, expected, &b, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISDIR(b.st_mode));
	assert_int_equal(a.st_ino, b.st_ino);
}

static void test_mkdirs(void **state)
{
	char path[128];

	made("x/y/z", "x/y/z");
	made("/x/y/z/", "x/y/z");
	made("x//y/w", "x/y/w");
	made("abs/n/m", "a/n/m");
	made("x/../../v", "v");
	made("", ".");
	assert_int_equal(path_mkdirs(root, "a/f/x", 0755), -ENOTDIR);
	assert_int_equal(path_mkdirs(root, "a/f", 0755), -ENOTDIR);
	assert_int_equal(path_mkdirs(root, "dangling/x", 0755), -ENOENT);
	assert_int_equal(path_mkdirs(root, "loop/x", 0755), -ELOOP);
	/* "up" leads out of the root by name: nothing may have come into being there. */
	assert_true(path_mkdirs(root, "up/made", 0755) < 0);
	snprintf(path, sizeof(path), "%s/outside/made", top);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_touch(void **state)
{
	_cleanup_close_ int fd = path_touch(root, "t/u/file", 0600), again = -EBADF;
	struct stat a, b;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &a), 0);
	assert_true(S_ISREG(a.st_mode) && a.st_size == 0);
	again = path_touch(root, "/t/u/file", 0600);
	assert_true(again >= 0);
	assert_int_equal(fstat(again, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(path_touch(root, "a", 0600), -EISDIR);
	assert_int_equal(path_touch(root, "dangling", 0600), -ENOENT);
	assert_int_equal(fstatat(root, "a/none", &a, 0), -1);
	assert_int_equal(path_touch(root, "a/f/x", 0600), -ENOTDIR);
}

static void test_parent(void **state)
{
	_cleanup_close_ int fd = -EBADF, made_ = -EBADF;
	const char *name = NULL;
	struct stat a, b;

	fd = path_open_parent(root, "abs/b", false, &name);
	assert_true(fd >= 0);
	assert_string_equal(name, "b");
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstatat(root, "a", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(path_open_parent(root, "p/q/r", false, &name), -ENOENT);
	made_ = path_open_parent(root, "p/q/r", true, &name);
	assert_true(made_ >= 0);
	assert_string_equal(name, "r");
	assert_int_equal(path_open_parent(root, "a/..", false, &name), -EINVAL);
	assert_int_equal(path_open_parent(root, "a/", false, &name), -EINVAL);
	assert_int_equal(path_open_parent(root, "", false, &name), -EINVAL);
	close(fd);
	fd = path_open_parent(root, "plain", false, &name);
	assert_true(fd >= 0);
	assert_string_equal(name, "plain");
}

/* --- words only ----------------------------------------------------------------------------------------- */

static void test_clean(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = { { "/", "/" }, { "", "/" }, { "a", "/a" }, { "/a/", "/a" }, { "//a///b", "/a/b" },
		{ "/a/./b/.", "/a/b" }, { "/a/../b", "/b" }, { "/../../a", "/a" }, { "..", "/" },
		{ "/a/b/../..", "/" }, { "a/../../b", "/b" }, { "/...", "/..." }, { "/a/..b", "/a/..b" } };
	char buf[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(path_clean(cases[i].in, buf, sizeof(buf)), 0);
		assert_string_equal(buf, cases[i].out);
		assert_true(path_is_normal(buf));
	}
	assert_int_equal(path_clean("/abc", buf, 5), 0);
	assert_int_equal(path_clean("/abc", buf, 4), -ENAMETOOLONG);
	assert_int_equal(path_clean("/", buf, 1), -ENAMETOOLONG);
}

static void test_is_normal(void **state)
{
	static const char *const bad[] = { "", "a", "/a/", "//", "//a", "/a//b", "/.", "/..", "/a/.",
		"/a/../b", "./a" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (path_is_normal(bad[i]))
			fail_msg("%s", bad[i]);
	assert_true(path_is_normal("/") && path_is_normal("/a") && path_is_normal("/a/...") &&
		    path_is_normal("/.a"));
}

static void test_within(void **state)
{
	assert_true(path_within("/a/b", "/a") && path_within("/a", "/a") && path_within("/a", "/"));
	assert_false(path_within("/ab", "/a") || path_within("/", "/a") || path_within("/a", "/a/b"));
}

static void test_absolute(void **state)
{
	_cleanup_free_ char *a = path_absolute("/x/../y"), *b = path_absolute("x"), *cwd = getcwd(NULL, 0);

	assert_string_equal(a, "/x/../y");
	assert_true(str_starts(b, cwd) && str_ends(b, "/x"));
}

/* From here on openat2(2) answers ENOSYS to this process. */
static int without_openat2(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(insns), .filter = insns };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return -errno;
	return syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno == ENOSYS ? 0 : -EIO;
}

#define IN_ROOT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ROOT(test_open),
		IN_ROOT(test_stays_inside),
		IN_ROOT(test_symlinks),
		IN_ROOT(test_mount_points),
		IN_ROOT(test_create),
		IN_ROOT(test_mkdirs),
		IN_ROOT(test_touch),
		IN_ROOT(test_parent),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_is_normal),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_absolute),
	};
	int failed = cmocka_run_group_tests_name("openat2", tests, NULL, NULL), status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (without_openat2() < 0) {
			fprintf(stderr, "no seccomp here: the walk is not tested\n");
			_exit(0);
		}
		failed = cmocka_run_group_tests_name("walk", tests, NULL, NULL);
		fflush(NULL);
		_exit(failed ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 1;
	return failed || !WIFEXITED(status) || WEXITSTATUS(status) ? 1 : 0;
}
