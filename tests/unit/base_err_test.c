/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: codes, texts, and that nothing of any length leaves the buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "base/err.h"

static void test_set(void **state)
{
	struct err e = ERR_INIT;

	assert_int_equal(err_set(&e, ENOENT, "open %s", "/x"), -ENOENT);
	assert_int_equal(e.code, ENOENT);
	assert_string_equal(e.text, "open /x: No such file or directory");
	/* A negative code means the same; 0 would be taken for success and becomes EINVAL. */
	assert_int_equal(err_set(&e, -EPERM, "a"), -EPERM);
	assert_int_equal(e.code, EPERM);
	assert_int_equal(err_set(&e, 0, "a"), -EINVAL);
	assert_int_equal(err_text(&e, EBUSY, "%d left", 3), -EBUSY);
	assert_string_equal(e.text, "3 left");
	err_clear(&e);
	assert_int_equal(e.code, 0);
	assert_string_equal(e.text, "");
	err_clear(NULL);
}

static void test_without_a_place(void **state)
{
	assert_int_equal(err_set(NULL, ENOENT, "x"), -ENOENT);
	assert_int_equal(err_text(NULL, -EBUSY, "x"), -EBUSY);
	assert_true(err_wrap(NULL, "x") < 0);
	assert_true(err_hint(NULL, "x") < 0);
}

static void test_wrap_and_hint(void **state)
{
	struct err e = ERR_INIT;

	err_text(&e, ESRCH, "no such process");
	assert_int_equal(err_wrap(&e, "kill %s", "web"), -ESRCH);
	assert_string_equal(e.text, "kill web: no such process");
	assert_int_equal(err_hint(&e, "see `%s`", "list"), -ESRCH);
	assert_string_equal(e.text, "kill web: no such process; see `list`");
	assert_int_equal(e.code, ESRCH);
}

/* Nothing of any length may leave the buffer, and the cause must survive a long context. */
static void test_long(void **state)
{
	static char big[3 * ERR_TEXT_MAX];
	struct {
		struct err e;
		char guard[16];
	} b = { .guard = "guard" };

	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(err_set(&b.e, EIO, "%s", big), -EIO);
	assert_int_equal(strlen(b.e.text), ERR_TEXT_MAX - 1);
	assert_int_equal(err_hint(&b.e, "%s", big), -EIO);
	assert_int_equal(strlen(b.e.text), ERR_TEXT_MAX - 1);
	err_text(&b.e, EIO, "the cause");
	assert_int_equal(err_wrap(&b.e, "%s", big), -EIO);
	assert_non_null(strstr(b.e.text, "the cause"));
	assert_true(strlen(b.e.text) < ERR_TEXT_MAX);
	err_hint(&b.e, "%s", big);
	assert_true(strlen(b.e.text) < ERR_TEXT_MAX);
	assert_string_equal(b.guard, "guard");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_without_a_place),
		cmocka_unit_test(test_wrap_and_hint),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
