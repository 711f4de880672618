/* SPDX-License-Identifier: Apache-2.0 */
/* Whole trees: counting and removing what an image may have made of them. */
#include "tests/unit/images_fixture.h"

#include <grp.h>
#include <sys/wait.h>

static int scratch_fd(void)
{
	int fd = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void touch(int dir, const char *name, size_t size)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
}

/* One below the other: more than there are descriptors, and than a path can name. */
static void make_deep(int dir, int depth)
{
	int at = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < depth; i++) {
		int next;

		assert_int_equal(mkdirat(at, "deeper", 0700), 0);
		touch(at, "file", 1);
		next = openat(at, "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
}

static void counted(void **state)
{
	_cleanup_close_ int top = scratch_fd(), dir = -EBADF;
	struct img_tree t;

	assert_int_equal(mkdirat(top, "count", 0700), 0);
	dir = openat(top, "count", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(img_tree_count(dir, &t, NULL), 0);
	assert_int_equal(t.entries, 0);
	touch(dir, "a", 1000);
	assert_int_equal(linkat(dir, "a", dir, "a2", 0), 0);
	touch(dir, "b", 1);
	assert_int_equal(symlinkat("a", dir, "l"), 0);
	assert_int_equal(mkdirat(dir, "d", 0700), 0);
	assert_int_equal(linkat(dir, "a", dir, "d/a3", 0), 0);
	assert_int_equal(mkfifoat(dir, "d/p", 0600), 0);
	assert_int_equal(img_tree_count(dir, &t, NULL), 0);
	assert_int_equal(t.entries, 7);
	assert_int_equal(t.bytes, 1001);
	assert_int_equal(img_tree_remove(top, "count", NULL), 0);
	assert_int_equal(faccessat(top, "count", F_OK, 0), -1);
}

static void removed_however_deep_and_wide(void **state)
{
	_cleanup_close_ int top = scratch_fd(), dir = -EBADF;

	assert_int_equal(mkdirat(top, "deep", 0700), 0);
	dir = openat(top, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_deep(dir, 3000);
	for (int i = 0; i < 300; i++) {
		const char *name = arena_printf(arena, "wide%d", i);

		assert_int_equal(mkdirat(dir, name, 0700), 0);
		assert_int_equal(mkdirat(dir, arena_printf(arena, "%s/sub", name), 0700), 0);
		touch(dir, arena_printf(arena, "%s/sub/file", name), 0);
	}
	/* A wreck of a removal that was killed. */
	assert_int_equal(mkdirat(dir, ".wh..wh..going-0", 0700), 0);
	touch(dir, ".wh..wh..going-0/file", 0);
	touch(dir, ".wh..wh..going-1", 0);
	assert_int_equal(img_tree_remove(top, "deep", NULL), 0);
	assert_int_equal(faccessat(top, "deep", F_OK, 0), -1);
}

static void links_are_not_followed(void **state)
{
	_cleanup_close_ int top = scratch_fd();

	assert_int_equal(mkdirat(top, "kept", 0700), 0);
	touch(top, "kept/file", 0);
	assert_int_equal(mkdirat(top, "gone", 0700), 0);
	assert_int_equal(symlinkat("../kept", top, "gone/link"), 0);
	assert_int_equal(symlinkat("kept", top, "link"), 0);
	assert_int_equal(img_tree_remove(top, "gone", NULL), 0);
	assert_int_equal(img_tree_remove(top, "link", NULL), 0);
	assert_int_equal(faccessat(top, "kept/file", F_OK, 0), 0);
	assert_int_equal(faccessat(top, "link", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(img_tree_remove(top, "kept/file", NULL), 0);
	assert_int_equal(img_tree_remove(top, "kept", NULL), 0);
	assert_int_equal(img_tree_remove(top, "kept", NULL), 0); /* nothing is no error */
}

/* Directories whose modes keep their owner out, removed by an owner who is not root. */
static void modes_are_no_hindrance(void **state)
{
	static const mode_t modes[] = { 0, 0100, 0200, 0400, 0500, 0300 };
	int status;
	pid_t pid;

	if (geteuid() == 0)
		assert_int_equal(chown(scratch, 65534, 65534), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int top, r;

		if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
			_exit(2);
		top = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (mkdirat(top, "modes", 0700) < 0)
			_exit(3);
		for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
			const char *name = arena_printf(arena, "modes/d%zu", i),
				   *sub = arena_printf(arena, "%s/sub", name);

			if (mkdirat(top, name, 0700) < 0 || mkdirat(top, sub, 0700) < 0 ||
				mkdirat(top, arena_printf(arena, "%s/sub", sub), 0700) < 0 ||
				mknodat(top, arena_printf(arena, "%s/sub/file", sub), S_IFREG, 0) < 0)
				_exit(4);
			(void)!fchmodat(top, arena_printf(arena, "%s/sub", sub), modes[i], 0);
			(void)!fchmodat(top, sub, modes[i], 0);
			(void)!fchmodat(top, name, modes[i], 0);
		}
		(void)!fchmodat(top, "modes", 0500, 0);
		r = img_tree_remove(top, "modes", &fixture_err);
		if (r < 0)
			fprintf(stderr, "%s\n", fixture_err.text);
		_exit(r < 0 || faccessat(top, "modes", F_OK, 0) == 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(counted),
		cmocka_unit_test(removed_however_deep_and_wide),
		cmocka_unit_test(links_are_not_followed),
		cmocka_unit_test(modes_are_no_hindrance),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
