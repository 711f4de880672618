/* SPDX-License-Identifier: Apache-2.0 */
/* launch/tree.c: trees of hostile depth and names go, what is outside of them stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "launch/tree.h"

static char top[] = "/tmp/launch_tree_test.XXXXXX";
static int dir;

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	unlinkat(dir, ".gone", AT_REMOVEDIR);
	close(dir);
	return rmdir(top);
}

static void put(int at, const char *name)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0400);

	assert_true(fd >= 0);
	close(fd);
}

static bool there(const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_deep(void **state)
{
	int fd, next;

	(void)state;
	assert_int_equal(mkdirat(dir, "deep", 0700), 0);
	fd = openat(dir, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Far beyond PATH_MAX and the limit on descriptors; files and names like those it hands up under. */
	for (int i = 0; i < 3000; i++) {
		put(fd, "0");
		put(fd, "\xff\n");
		assert_int_equal(mkdirat(fd, "1", 0700), 0);
		next = openat(fd, "1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(launch_tree_remove(dir, "deep", -1), 0);
	assert_false(there("deep"));
}

static void test_links(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(mkdirat(dir, "outside", 0700), 0);
	assert_int_equal(mkdirat(dir, "t", 0700), 0);
	fd = openat(dir, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(fd, "precious");
	close(fd);
	fd = openat(dir, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(symlinkat("../outside", fd, "link"), 0);
	assert_int_equal(symlinkat("/", fd, "root"), 0);
	assert_int_equal(mkdirat(fd, "closed", 0000), 0);
	assert_int_equal(mkfifoat(fd, "pipe", 0600), 0);
	close(fd);
	assert_int_equal(launch_tree_remove(dir, "t", -1), 0);
	assert_false(there("t"));
	assert_true(there("outside/precious"));
	/* The name itself is a link: nothing is done. */
	assert_int_equal(symlinkat("outside", dir, "link"), 0);
	assert_true(launch_tree_remove(dir, "link", -1) < 0);
	assert_true(there("outside/precious"));
	assert_int_equal(unlinkat(dir, "link", 0), 0);
	assert_int_equal(launch_tree_remove(dir, "outside", -1), 0);
	assert_int_equal(launch_tree_remove(dir, "outside", -1), -ENOENT);
}

/* What a killed one left goes with the next, unless somebody is still at it. */
static void test_sweep(void **state)
{
	int fd;

	(void)state;
	assert_true(mkdirat(dir, ".gone", 0700) == 0 || errno == EEXIST);
	assert_int_equal(mkdirat(dir, ".gone/left", 0700), 0);
	assert_int_equal(mkdirat(dir, ".gone/busy", 0700), 0);
	assert_int_equal(mkdirat(dir, ".gone/left/x", 0700), 0);
	fd = openat(dir, ".gone/busy", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(mkdirat(dir, "t", 0700), 0);
	assert_int_equal(launch_tree_remove(dir, "t", -1), 0);
	assert_false(there(".gone/left"));
	assert_true(there(".gone/busy"));
	close(fd);
	assert_int_equal(mkdirat(dir, "t", 0700), 0);
	assert_int_equal(launch_tree_remove(dir, "t", -1), 0);
	assert_false(there(".gone/busy"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_sweep),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
