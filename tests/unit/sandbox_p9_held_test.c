/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox/p9_held.c: with far more fids than descriptors each stands for what it stood for, or for nothing.
 */
#include "sandbox_p9_client.h"

#include <stdio.h>

#define N     500U
#define FIRST 1000U /* the fid of f0; those of FIRST + i are f<i> */
#define D     2U

static const char *name_of(const char *letter, unsigned i)
{
	static char name[4][16];
	static unsigned at;

	at = (at + 1) % 4;
	snprintf(name[at], sizeof(name[at]), "%s%u", letter, i);
	return name[at];
}

/* 128 nodes may have a descriptor; d has N files, each with its own name in it, and each has a fid. */
static int setup_many(void **state)
{
	if (setup(state) < 0)
		return -1;
	stop();
	files_max = 256;
	start(false, NULL);
	hello();
	assert_int_equal(mkdirat(dir, "d", 0755), 0);
	assert_int_equal(walk(ROOT, D, "d"), 0);
	for (unsigned i = 0; i < N; i++) {
		char path[32];

		snprintf(path, sizeof(path), "d/f%u", i);
		put_file(dir, path, name_of("f", i));
		assert_int_equal(walk(D, FIRST + i, name_of("f", i)), 0);
	}
	return 0;
}

/* What is in the file of a fid, or the error's name. */
static const char *content(uint32_t fid)
{
	static char copy[128];
	int r = walk(fid, 3, "");

	assert_int_equal(r, 0);
	r = lopen(3, O_RDONLY);
	snprintf(copy, sizeof(copy), "%.100s", r < 0 ? strerrorname_np(-r) : read_at(3, 0, 100));
	assert_int_equal(clunk(3), 0);
	return copy;
}

static void test_all(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < N; i++)
			assert_string_equal(content(FIRST + (i * 37) % N), name_of("f", (i * 37) % N));
}

static void test_renamed(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(call(P9_TMKDIR, "dsdd", ROOT, "other", 0755U, getegid()), 0);
	assert_int_equal(walk(ROOT, 4, "other"), 0);
	/* Both fids of it: one node each. */
	assert_int_equal(walk(D, 10, "f0"), 0);
	assert_int_equal(call(P9_TRENAMEAT, "dsds", D, "f0", 4U, "g0"), 0);
	assert_int_equal(call(P9_TRENAME, "dds", FIRST + 1, 4U, "g1"), 0);
	/* Over another one, which lives on by its fid. */
	assert_int_equal(call(P9_TRENAMEAT, "dsds", D, "f3", D, "f2"), 0);
	/* A directory of all of them. */
	assert_int_equal(call(P9_TRENAMEAT, "dsds", ROOT, "d", 4U, "e"), 0);
	test_all(state);
	assert_string_equal(content(10), "f0");
	assert_int_equal(fstatat(dir, "other/e/f3", &st, 0), -1);
	assert_int_equal(fstatat(dir, "other/g1", &st, 0), 0);
}

static void test_removed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(call(P9_TUNLINKAT, "dsd", D, name_of("f", i), 0U), 0);
	/* The same name again is another file. */
	put_file(dir, "d/f7", "new");
	assert_int_equal(walk(D, 10, "f7"), 0);
	test_all(state);
	assert_string_equal(content(10), "new");
}

/* What is done behind the server's back: nothing else is taken for the file. */
static void test_host(void **state)
{
	(void)state;
	assert_int_equal(renameat(dir, "d/f0", dir, "d/h0"), 0);
	assert_int_equal(renameat(dir, "d/f2", dir, "d/f1"), 0);
	assert_int_equal(unlinkat(dir, "d/f3", 0), 0);
	assert_int_equal(symlinkat("../../secret", dir, "d/f3"), 0);
	assert_int_equal(unlinkat(dir, "d/f4", 0), 0);
	assert_int_equal(linkat(outside, "secret", dir, "d/f4", 0), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_string_equal(content(FIRST + i), "ESTALE");
	assert_string_equal(content(FIRST + 5), "f5");
	assert_int_equal(call(P9_TREMOVE, "d", FIRST + 4), -ESTALE);
	assert_int_equal(unlinkat(dir, "d/f4", 0), 0);
}

/* Parents without a descriptor, one below the other: up to some depth. */
static void test_deep(void **state)
{
	uint32_t at = ROOT;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(call(P9_TMKDIR, "dsdd", at, "x", 0755U, getegid()), 0);
		assert_int_equal(walk(at, 100 + i, "x"), 0);
		at = 100 + i;
	}
	test_all(state);
	assert_int_equal(call(P9_TGETATTR, "dq", at, (uint64_t)0), -ESTALE);
	for (uint32_t i = 0; i < 100; i += 20)
		assert_int_equal(call(P9_TGETATTR, "dq", 100 + i, (uint64_t)0), 0);
	assert_int_equal(call(P9_TGETATTR, "dq", at, (uint64_t)0), 0);
}

#define HELD_CASE(f) cmocka_unit_test_setup_teardown(f, setup_many, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD_CASE(test_all),
		HELD_CASE(test_renamed),
		HELD_CASE(test_removed),
		HELD_CASE(test_host),
		HELD_CASE(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
