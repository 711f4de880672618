/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas: what comes out is zeroed, aligned, apart, and sizes that overflow are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void test_zeroed_aligned_apart(void **state)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();

	for (size_t size = 0; size < 3000; size += 7) {
		unsigned char *p = arena_alloc(a, size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		/* Written over in full: a later one that is not zero overlaps. */
		memset(p, 0xff, size);
	}
}

static void test_big_blocks(void **state)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	char *small = arena_strdup(a, "before"), *big = arena_alloc(a, 1 << 20);

	memset(big, 1, 1 << 20);
	assert_string_equal(small, "before");
	assert_string_equal(arena_strdup(a, "after"), "after");
	assert_int_equal(big[(1 << 20) - 1], 1);
}

static void test_overflow(void **state)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();

	assert_null(arena_alloc(a, SIZE_MAX));
	assert_null(arena_alloc(a, SIZE_MAX - 8));
	assert_null(arena_calloc(a, SIZE_MAX / 2, 3));
	assert_null(arena_calloc(a, 3, SIZE_MAX / 2));
	assert_null(arena_strndup(a, "x", SIZE_MAX));
	assert_non_null(arena_alloc(a, 1));
	assert_non_null(arena_calloc(a, 0, 8));
}

static void test_strings(void **state)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	char *s = arena_strndup(a, "hello world", 5);

	assert_string_equal(s, "hello");
	assert_string_equal(arena_strdup(a, ""), "");
	assert_string_equal(arena_printf(a, "%s-%d", s, 7), "hello-7");
	assert_string_equal(arena_printf(a, "%s", ""), "");
	arena_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed_aligned_apart),
		cmocka_unit_test(test_big_blocks),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
