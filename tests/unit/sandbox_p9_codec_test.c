/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox/p9_codec.c: nothing is read or written out of bounds, and names are what they must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "sandbox/p9_internal.h"

static void test_numbers(void **state)
{
	uint8_t buf[15];
	struct p9_out out = { .buf = buf, .cap = sizeof(buf) };
	struct p9_in in = { .at = buf, .left = sizeof(buf) };

	(void)state;
	p9_put8(&out, 0x81);
	p9_put16(&out, 0x8283);
	p9_put32(&out, 0x84858687);
	p9_put64(&out, 0x88898a8b8c8d8e8f);
	assert_int_equal(out.len, 15);
	assert_false(out.full);
	assert_int_equal(buf[1], 0x83);
	assert_int_equal(p9_get8(&in), 0x81);
	assert_int_equal(p9_get16(&in), 0x8283);
	assert_int_equal(p9_get32(&in), 0x84858687);
	assert_true(p9_get64(&in) == 0x88898a8b8c8d8e8f);
	assert_true(p9_complete(&in));
}

static void test_short(void **state)
{
	const uint8_t three[3] = { 1, 2, 3 };
	struct p9_in in = { .at = three, .left = 3 };

	(void)state;
	assert_int_equal(p9_get32(&in), 0);
	assert_true(in.bad);
	/* Nothing is to be had after that, not even what is there. */
	assert_int_equal(p9_get8(&in), 0);
	assert_null(p9_get_bytes(&in, 0));
	assert_false(p9_complete(&in));
	in = (struct p9_in){ .at = three, .left = 3 };
	assert_null(p9_get_bytes(&in, SIZE_MAX));
	in = (struct p9_in){ .at = three, .left = 3 };
	assert_int_equal(p9_get16(&in), 0x0201);
	assert_false(p9_complete(&in));
}

static void test_full(void **state)
{
	uint8_t buf[8] = { 0 };
	struct p9_out out = { .buf = buf, .len = 1, .cap = 4 };

	(void)state;
	p9_put32(&out, 0xffffffff);
	assert_true(out.full);
	p9_put8(&out, 0xff);
	p9_put_bytes(&out, "x", SIZE_MAX);
	assert_int_equal(out.len, 1);
	assert_memory_equal(buf, "\0\0\0\0\0\0\0\0", 8);
	out = (struct p9_out){ .buf = buf, .cap = 8 };
	p9_put_str(&out, "x", 65536);
	assert_true(out.full);
	assert_int_equal(out.len, 0);
}

static int name_of(const char *s, size_t len)
{
	uint8_t buf[600];
	char name[NAME_MAX + 1];
	struct p9_in in = { .at = buf, .left = len + 2 };

	buf[0] = (uint8_t)len;
	buf[1] = (uint8_t)(len >> 8);
	memcpy(buf + 2, s, len);
	return p9_get_name(&in, name);
}

static void test_names(void **state)
{
	char x[300];
	struct p9_in in = { .at = (const uint8_t *)"\xff\xff"
						   "ab",
		.left = 4 };

	(void)state;
	memset(x, 'x', sizeof(x));
	assert_int_equal(name_of("a", 1), 0);
	assert_int_equal(name_of("...", 3), 0);
	assert_int_equal(name_of("\xff\n", 2), 0);
	assert_int_equal(name_of(x, NAME_MAX), 0);
	assert_int_equal(name_of(x, NAME_MAX + 1), -ENAMETOOLONG);
	assert_int_equal(name_of("", 0), -ENOENT);
	assert_int_equal(name_of(".", 1), -EINVAL);
	assert_int_equal(name_of("..", 2), -EINVAL);
	assert_int_equal(name_of("/", 1), -EINVAL);
	assert_int_equal(name_of("a/b", 3), -EINVAL);
	assert_int_equal(name_of("../a", 4), -EINVAL);
	assert_int_equal(name_of("a\0b", 3), -EINVAL);
	assert_int_equal(name_of("..\0", 3), -EINVAL);
	/* Longer than the message. */
	assert_int_equal(p9_get_name(&in, x), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
