/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: whole reads and writes, atomic files, descriptors over sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/str.h"

static char top[64];
static int dir = -EBADF;

static int set_up(void **state)
{
	snprintf(top, sizeof(top), "/tmp/base-fd-test-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	close(dir);
	return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make(const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void test_close(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	errno = ELOOP;
	assert_int_equal(fd_close(fd), -EBADF);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	errno = ELOOP;
	assert_int_equal(fd_close(-EBADF), -EBADF);
	assert_int_equal(errno, ELOOP);
}

static void test_read(void **state)
{
	char *text = NULL;
	size_t len = 0;

	make("f", "hello\n");
	assert_int_equal(fd_read_at(dir, "f", 100, &text, &len), 0);
	assert_int_equal(len, 6);
	assert_string_equal(text, "hello\n");
	free(text);
	assert_int_equal(fd_read_at(dir, "f", 6, &text, NULL), 0);
	assert_string_equal(text, "hello\n");
	free(text);
	text = (char *)"untouched";
	assert_int_equal(fd_read_at(dir, "f", 5, &text, &len), -EFBIG);
	assert_int_equal(fd_read_at(dir, "none", 5, &text, &len), -ENOENT);
	assert_int_equal(symlinkat("f", dir, "link"), 0);
	assert_int_equal(fd_read_at(dir, "link", 100, &text, &len), -ELOOP);
	assert_string_equal(text, "untouched");
	make("empty", "");
	assert_int_equal(fd_read_at(dir, "empty", 100, &text, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(text, "");
	free(text);
}

/* A procfs file has size 0, a pipe gives what it gives: both are read to their end. */
static void test_read_unsized(void **state)
{
	static char big[50000];
	char *text;
	size_t len;
	int p[2];

	memset(big, 'x', sizeof(big));
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(fd_write_all(p[1], big, sizeof(big)), 0);
	close(p[1]);
	assert_int_equal(fd_read_all(p[0], 1 << 20, &text, &len), 0);
	close(p[0]);
	assert_int_equal(len, sizeof(big));
	assert_memory_equal(text, big, len);
	free(text);
	if (access("/proc/self/maps", R_OK) < 0)
		skip();
	assert_int_equal(fd_read_at(AT_FDCWD, "/proc/self/maps", 1 << 20, &text, &len), 0);
	assert_true(len > 0 && text[len] == '\0');
	free(text);
	assert_int_equal(fd_read_at(AT_FDCWD, "/proc/self/maps", 10, &text, &len), -EFBIG);
}

static void test_get(void **state)
{
	char buf[8];

	make("f", "123\n\n");
	assert_int_equal(fd_get_at(dir, "f", buf, sizeof(buf)), 3);
	assert_string_equal(buf, "123");
	make("f", "1234567");
	assert_int_equal(fd_get_at(dir, "f", buf, sizeof(buf)), -EFBIG);
	assert_int_equal(fd_get_at(dir, "none", buf, sizeof(buf)), -ENOENT);
	make("f", "");
	assert_int_equal(fd_get_at(dir, "f", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
}

static void test_put(void **state)
{
	char buf[8];

	make("f", "old");
	assert_int_equal(symlinkat("f", dir, "link"), 0);
	assert_int_equal(fd_put_at(dir, "f", "new"), 0);
	assert_int_equal(fd_get_at(dir, "f", buf, sizeof(buf)), 3);
	assert_string_equal(buf, "new");
	assert_int_equal(fd_put_at(dir, "link", "x"), -ELOOP);
	assert_int_equal(fd_put_at(dir, "none", "x"), -ENOENT);
	assert_int_equal(faccessat(dir, "none", F_OK, 0), -1);
}

static void test_replace(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;
	char buf[16], tmp[64];

	assert_int_equal(fd_replace_at(dir, "f", 0640, "one", 3, &e), 0);
	assert_int_equal(fd_get_at(dir, "f", buf, sizeof(buf)), 3);
	assert_int_equal(fstatat(dir, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & ~022U, S_IFREG | 0640);
	/* What a crashed writer left behind is in nobody's way, and a symlink there is not followed. */
	make("victim", "safe");
	snprintf(tmp, sizeof(tmp), ".f.%d", (int)getpid());
	assert_int_equal(symlinkat("victim", dir, tmp), 0);
	assert_int_equal(fd_replace_at(dir, "f", 0640, "two", 3, &e), 0);
	assert_int_equal(fd_get_at(dir, "f", buf, sizeof(buf)), 3);
	assert_string_equal(buf, "two");
	assert_int_equal(fd_get_at(dir, "victim", buf, sizeof(buf)), 4);
	assert_string_equal(buf, "safe");
	assert_int_equal(faccessat(dir, tmp, F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fd_replace_at(-EBADF, "f", 0640, "x", 1, &e), -EBADF);
	assert_true(e.text[0] != '\0');
}

static void test_cloexec(void **state)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(fd_cloexec(fd, false), 0);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(fd_cloexec(fd, true), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fd_cloexec(-1, true), -EBADF);
}

static void test_write_once(void **state)
{
	_cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	if (full < 0)
		skip();
	assert_int_equal(fd_write_once(full, "x", 1), -ENOSPC);
	assert_int_equal(fd_write_all(full, "x", 1), -ENOSPC);
	assert_int_equal(fd_write_once(-1, "x", 1), -EBADF);
}

static size_t count_fds(void)
{
	size_t n = 0;

	for (int i = 0; i < 256; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

static void test_pass_descriptors(void **state)
{
	int pair[2], got[FD_SEND_MAX], one[1];
	size_t n = FD_SEND_MAX, before;
	struct stat a, b;
	char buf[16];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	make("f", "");
	one[0] = openat(dir, "f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fd_send(pair[0], "hi", 2, one, 1), 0);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), got, &n), 2);
	assert_int_equal(n, 1);
	assert_memory_equal(buf, "hi", 2);
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(one[0], &a), 0);
	assert_int_equal(fstat(got[0], &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	close(got[0]);

	/* More than wanted, or not wanted at all: refused, and nothing leaks. */
	before = count_fds();
	int two[2] = { one[0], one[0] };
	n = 1;
	assert_int_equal(fd_send(pair[0], "x", 1, two, 2), 0);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), got, &n), -EBADMSG);
	assert_int_equal(fd_send(pair[0], "x", 1, one, 1), 0);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), NULL, NULL), -EBADMSG);
	assert_int_equal(count_fds(), before);

	assert_int_equal(fd_send(pair[0], "", 0, NULL, 0), -EINVAL);
	assert_int_equal(fd_send(pair[0], "x", 1, one, FD_SEND_MAX + 1), -EINVAL);
	assert_int_equal(fd_send(pair[0], "plain", 5, NULL, 0), 0);
	n = 3;
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), got, &n), 5);
	assert_int_equal(n, 0);
	close(pair[0]);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), NULL, NULL), 0);
	/* A peer that has gone is an error, not a signal. */
	assert_int_equal(fd_send(pair[1], "x", 1, NULL, 0), -EPIPE);
	close(pair[1]);
	close(one[0]);
}

static void test_connect(void **state)
{
	_cleanup_close_ int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), direct = -EBADF,
			    far = -EBADF;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char name[200], path[400];

	/* A directory name that makes the path longer than sun_path. */
	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(mkdirat(dir, name, 0700), 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", top);
	assert_int_equal(bind(server, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(server, 4), 0);
	direct = fd_connect_unix(dir, "s", SOCK_STREAM);
	assert_true(direct >= 0);
	assert_true(fcntl(direct, F_GETFD) & FD_CLOEXEC);
	snprintf(path, sizeof(path), "%s/%s/../s", top, name);
	assert_true(strlen(path) > sizeof(addr.sun_path));
	far = fd_connect_unix(AT_FDCWD, path, SOCK_STREAM);
	assert_true(far >= 0);
	assert_int_equal(fd_connect_unix(dir, "none", SOCK_STREAM), -ENOENT);
	make("f", "");
	assert_int_equal(fd_connect_unix(dir, "f", SOCK_STREAM), -ECONNREFUSED);
}

static void test_path(void **state)
{
	char buf[FD_PATH_MAX];

	assert_ptr_equal(fd_path(buf, 2147483647), buf);
	assert_string_equal(buf, "/proc/self/fd/2147483647");
}

/* A kernel without close_range(2): in a child, whose filter says so. */
static void without_close_range(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0 ||
		syscall(SYS_close_range, 9999, 9999, 0) == 0)
		_exit(77);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool is_cloexec(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

/* 0, or the number of the line that is not true. */
#define MUST(x) ((x) ? (void)0 : _exit(__LINE__ % 70 + 1))

static void ranges_in_child(bool filter, bool tight)
{
	static const int some[] = { 10, 11, 255, 256, 300, 511, 512, 900 };
	struct rlimit few = { 16, 16 };

	for (size_t i = 0; i < ARRAY_SIZE(some); i++)
		MUST(dup2(0, some[i]) == some[i]);
	if (filter)
		without_close_range();
	/* They stay open beyond a limit that comes later. */
	if (tight)
		MUST(setrlimit(RLIMIT_NOFILE, &few) == 0);
	fd_cloexec_from(256);
	MUST(!is_cloexec(0) && !is_cloexec(10) && !is_cloexec(255));
	MUST(is_cloexec(256) && is_cloexec(300) && is_cloexec(511) && is_cloexec(512) && is_cloexec(900));
	fd_close_range(11, 300);
	MUST(is_open(0) && is_open(10) && !is_open(11) && !is_open(255) && !is_open(300));
	MUST(is_open(511) && is_open(512) && is_open(900));
	fd_close_range(512, ~0U);
	MUST(is_open(0) && is_open(10) && is_open(511) && !is_open(512) && !is_open(900));
	_exit(0);
}

static void test_ranges(void **state)
{
	for (int variant = 0; variant < 4; variant++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			ranges_in_child(variant & 1, variant & 2);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close),
		IN_DIR(test_read),
		IN_DIR(test_read_unsized),
		IN_DIR(test_get),
		IN_DIR(test_put),
		IN_DIR(test_replace),
		cmocka_unit_test(test_cloexec),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_write_once),
		IN_DIR(test_pass_descriptors),
		IN_DIR(test_connect),
		cmocka_unit_test(test_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
