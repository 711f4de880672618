/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: strict numbers, growing buffers, vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <limits.h>

#include "base/str.h"

static void test_u64(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x10", "1a", "a", "1.0", "1e3", "\n",
		"1\n" };
	uint64_t v = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(str_to_u64(bad[i], &v), -EINVAL);
	assert_int_equal(str_to_u64("18446744073709551616", &v), -ERANGE);
	assert_int_equal(str_to_u64("99999999999999999999999999", &v), -ERANGE);
	assert_int_equal(v, 77);
	assert_int_equal(str_to_u64("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(str_to_u64("007", &v), 0);
	assert_int_equal(v, 7);
}

static void test_i64(void **state)
{
	int64_t v = 77;

	assert_int_equal(str_to_i64("-9223372036854775808", &v), 0);
	assert_true(v == INT64_MIN);
	assert_int_equal(str_to_i64("9223372036854775807", &v), 0);
	assert_true(v == INT64_MAX);
	assert_int_equal(str_to_i64("-0", &v), 0);
	assert_true(v == 0);
	assert_int_equal(str_to_i64("9223372036854775808", &v), -ERANGE);
	assert_int_equal(str_to_i64("-9223372036854775809", &v), -ERANGE);
	assert_int_equal(str_to_i64("--1", &v), -EINVAL);
	assert_int_equal(str_to_i64("-", &v), -EINVAL);
}

static void test_narrow(void **state)
{
	uint32_t u = 7;
	int i = 7;

	assert_int_equal(str_to_u32("4294967296", &u), -ERANGE);
	assert_int_equal(str_to_u32("-1", &u), -EINVAL);
	assert_int_equal(u, 7);
	assert_int_equal(str_to_u32("4294967295", &u), 0);
	assert_true(u == UINT32_MAX);
	assert_int_equal(str_to_int("2147483648", &i), -ERANGE);
	assert_int_equal(str_to_int("-2147483649", &i), -ERANGE);
	assert_int_equal(i, 7);
	assert_int_equal(str_to_int("-2147483648", &i), 0);
	assert_true(i == INT_MIN);
}

static void test_size(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} good[] = { { "0", 0 }, { "100", 100 }, { "64k", 65536 }, { "64K", 65536 }, { "32M", 32 << 20 },
		{ "1g", 1 << 30 }, { "1GiB", 1 << 30 }, { "512KB", 512 << 10 }, { "7b", 7 }, { "-1", -1 },
		{ "max", -1 }, { "7E", INT64_C(7) << 60 }, { "2tib", INT64_C(2) << 40 } };
	static const char *const bad[] = { "", "k", "-2", "1.5g", "1x", "1kk", "1 k", "1ki", "1kbb", "MAX",
		"0x1" };
	static const char *const far[] = { "8E", "16384P", "9223372036854775808",
		"99999999999999999999999999" };
	int64_t v = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(str_to_size(bad[i], &v), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(far); i++)
		assert_int_equal(str_to_size(far[i], &v), -ERANGE);
	assert_true(v == 77);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(str_to_size(good[i].text, &v), 0);
		assert_true(v == good[i].value);
	}
}

static void test_affixes(void **state)
{
	assert_true(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("ab", "abc"));
	assert_true(str_ends("abc", "bc") && str_ends("abc", "") && str_ends("", ""));
	assert_false(str_ends("bc", "abc") || str_ends("abc", "ab"));
}

static void test_strbuf(void **state)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	strbuf_puts(&b, "");
	assert_string_equal(b.s, "");
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&b, "%03d,", i);
	strbuf_add(&b, "end-not-this", 3);
	assert_int_equal(b.len, 4003);
	assert_int_equal(strlen(b.s), 4003);
	assert_true(str_starts(b.s, "000,001,") && str_ends(b.s, "999,end"));
	assert_false(b.failed);
	/* After a failure nothing more is added. */
	strbuf_add(&b, "x", SIZE_MAX);
	assert_true(b.failed);
	strbuf_puts(&b, "more");
	assert_int_equal(b.len, 4003);
	strbuf_reset(&b);
	assert_null(b.s);
	assert_false(b.failed);
}

static void test_vectors(void **state)
{
	char *v[] = { "a=1", "b", "aa=2", "a=3", NULL }, *none[] = { NULL };
	size_t n = 0;
	const char *s;

	assert_int_equal(strv_len(v), 4);
	assert_int_equal(strv_len(NULL), 0);
	assert_true(strv_has(v, "b"));
	assert_false(strv_has(v, "a") || strv_has(NULL, "a") || strv_has(none, ""));
	assert_string_equal(strv_env(v, "a"), "3");
	assert_string_equal(strv_env(v, "aa"), "2");
	assert_null(strv_env(v, "b"));
	assert_null(strv_env(NULL, "a"));
	strv_each (s, v)
		n += strlen(s);
	assert_int_equal(n, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_i64),
		cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_affixes),
		cmocka_unit_test(test_strbuf),
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
