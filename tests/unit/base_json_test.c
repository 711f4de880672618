/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what is taken, what is refused, numbers to the last digit, and the writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/json.h"
#include "base/str.h"

static int make_arena(void **state)
{
	*state = arena_new();
	return *state ? 0 : -1;
}

static int free_arena(void **state)
{
	arena_free(*state);
	return 0;
}

static const struct json *parse(void **state, const char *text)
{
	const struct json *j = NULL;
	struct err e = ERR_INIT;

	if (json_parse(*state, text, strlen(text), "doc", &j, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return j;
}

static void test_tree(void **state)
{
	const struct json *j = parse(state, "{\"a\":[1,\"x\",null,true,{}],\"b\":-1.5e3,\"c\":{\"d\":[]}}"),
			  *a, *m;
	size_t n = 0;

	assert_int_equal(j->type, JSON_OBJECT);
	assert_int_equal(j->count, 3);
	a = json_get(j, "a");
	assert_int_equal(a->count, 5);
	json_each (m, a) {
		assert_null(m->key);
		n++;
	}
	assert_int_equal(n, 5);
	assert_string_equal(a->first->next->text, "x");
	assert_string_equal(json_get(j, "b")->text, "-1.5e3");
	assert_int_equal(json_get(json_get(j, "c"), "d")->count, 0);
	a = NULL;
	json_each (m, a)
		fail();
}

/* Each array and object knows the bytes that it was made of. */
static void test_offsets(void **state)
{
	static const char text[] = "  { \"a\\u00e9\" : [ 1 , [] ] , \"b\":\"]\", \"c\" : {\"d\":{ }}\n}  ";
	const struct json *j = parse(state, text), *a = j->first, *c = json_get(j, "c");

	assert_int_equal(j->start, 2);
	assert_int_equal(j->end, strlen(text) - 2);
	assert_int_equal(a->end - a->start, strlen("[ 1 , [] ]"));
	assert_memory_equal(text + a->start, "[ 1 , [] ]", a->end - a->start);
	assert_memory_equal(text + a->first->next->start, "[]", 2);
	assert_int_equal(a->first->next->end - a->first->next->start, 2);
	assert_memory_equal(text + c->start, "{\"d\":{ }}", c->end - c->start);
	assert_int_equal(a->first->end, 0);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = { { "", 0 }, { " ", 1 }, { "{", 1 }, { "[1,]", 4 }, { "{\"a\":1,}", 8 }, { "{} {}", 5 },
		{ "nul", 3 }, { "01", 2 }, { "1.", 2 }, { "+1", 2 }, { "'a'", 3 }, { "\"\x01\"", 3 },
		{ "\"\xff\"", 3 }, { "\"\xc0\x80\"", 4 }, { "\"\xed\xa0\x80\"", 5 }, { "\"\\udc00\"", 8 },
		{ "{\"\xc1\xbf\":1}", 8 }, { "\"a\\u0000b\"", 10 }, { "{\"\\u0000\":1}", 12 },
		{ "// c\n1", 6 }, { "[1\0]", 4 }, { "\"\\x\"", 4 }, { "{\"a\" 1}", 7 }, { "{1:2}", 5 },
		{ "[1 2]", 5 }, { "\"abc", 4 }, { "NaN", 3 } };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct json *untouched = (const struct json *)&bad, *j = untouched;
		struct err e = ERR_INIT;

		if (json_parse(*state, bad[i].text, bad[i].len, "doc", &j, &e) != -EINVAL)
			fail_msg("case %zu is taken: %s", i, bad[i].text);
		assert_ptr_equal(j, untouched);
		assert_true(str_starts(e.text, "parse doc: "));
		assert_null(strchr(e.text, '\n'));
	}
}

static void test_error_reason(void **state)
{
	static const struct {
		const char *text, *want;
	} bad[] = { { "", "parse doc: it is empty" }, { " \n\t\r\n", "parse doc: it is empty" },
		{ "\xef\xbb\xbf{}", "parse doc: line 1, column 2: it starts with a byte order mark: save it "
				    "as UTF-8 without one" } };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct json *j;
		struct err e = ERR_INIT;

		assert_int_equal(
			json_parse(*state, bad[i].text, strlen(bad[i].text), "doc", &j, &e), -EINVAL);
		assert_string_equal(e.text, bad[i].want);
	}
}

static void test_error_position(void **state)
{
	const struct json *j;
	struct err e = ERR_INIT;
	static const char text[] = "{\n  \"a\": 1,\n  \"b\": x\n}";

	assert_int_equal(json_parse(*state, text, strlen(text), "c.json", &j, &e), -EINVAL);
	assert_true(str_starts(e.text, "parse c.json: line 3, column "));
}

static void test_depth(void **state)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	char text[4 * JSON_DEPTH_MAX];
	const struct json *j;
	struct err e = ERR_INIT;

	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_int_equal(json_parse(*state, text, 2 * JSON_DEPTH_MAX, "doc", &j, &e), 0);
	json_put_json(w, NULL, j);
	assert_non_null(json_writer_text(w, NULL));
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_int_equal(json_parse(*state, text, 2 * JSON_DEPTH_MAX + 2, "doc", &j, &e), -EINVAL);
	assert_non_null(strstr(e.text, "nested too deeply"));
}

static void test_get(void **state)
{
	const struct json *j = parse(state, "{\"a\":1,\"b\":2,\"a\":3,\"n\":null,\"b\":null,\"\":4}");

	assert_string_equal(json_get(j, "a")->text, "3");
	assert_null(json_get(j, "n"));
	assert_null(json_get(j, "b"));
	assert_null(json_get(j, "none"));
	assert_string_equal(json_get(j, "")->text, "4");
	assert_null(json_get(NULL, "a"));
	assert_null(json_get(json_get(j, "a"), "a"));
}

static void test_i64(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} good[] = { { "0", 0 }, { "-0", 0 }, { "9223372036854775807", INT64_MAX },
		{ "-9223372036854775808", INT64_MIN }, { "9007199254740993", INT64_C(9007199254740993) },
		{ "1e3", 1000 }, { "1.0", 1 }, { "-2.50e1", -25 }, { "1e+06", 1000000 } };
	static const char *const bad[] = { "9223372036854775808", "-9223372036854775809", "1.5", "1e-1",
		"1e30", "1e999", "9223372036854775808.0", "\"1\"", "true", "null", "[]" };
	int64_t v = 77;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(json_as_i64(parse(state, good[i].text), "n", &v, NULL), 0);
		assert_true(v == good[i].value);
	}
	v = 77;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(json_as_i64(parse(state, bad[i]), "a.b", &v, &e), -EINVAL);
		assert_true(str_starts(e.text, "a.b must be "));
		assert_true(v == 77);
	}
	assert_int_equal(json_as_i64(NULL, "x", &v, NULL), -EINVAL);
}

static void test_u64(void **state)
{
	static const char *const bad[] = { "-1", "-0", "18446744073709551616", "1.5", "-1.0", "2e19", "{}" };
	uint64_t v = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(json_as_u64(parse(state, bad[i]), "n", &v, NULL), -EINVAL);
	assert_int_equal(v, 77);
	assert_int_equal(json_as_u64(parse(state, "18446744073709551615"), "n", &v, NULL), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(json_as_u64(parse(state, "1.8e19"), "n", &v, NULL), 0);
	assert_true(v == UINT64_C(18000000000000000000));
}

static void test_string_and_bool(void **state)
{
	struct err e = ERR_INIT;
	const char *s = NULL;
	bool b = false;

	assert_int_equal(json_as_string(parse(state, "\"\\u00e9\\n\\/\\ud83d\\ude00\""), "s", &s, &e), 0);
	assert_string_equal(s, "\xc3\xa9\n/\xf0\x9f\x98\x80");
	assert_int_equal(json_as_string(parse(state, "1"), "s", &s, &e), -EINVAL);
	assert_string_equal(e.text, "s must be a string, not a number");
	assert_int_equal(json_as_bool(parse(state, "true"), "b", &b, &e), 0);
	assert_true(b);
	assert_int_equal(json_as_bool(NULL, "b", &b, &e), -EINVAL);
	assert_string_equal(e.text, "b must be a boolean, not absent");
}

/* --- writing -------------------------------------------------------------------------------------------- */

static void put_everything(struct json_writer *w)
{
	char *list[] = { "x", "/y", NULL };

	json_open_object(w, NULL);
	json_put_string(w, "s", "a\"\\/\n\x01\xc3\xa9");
	json_put_string(w, "none", NULL);
	json_put_bool(w, "b", true);
	json_put_i64(w, "i", INT64_MIN);
	json_put_u64(w, "u", UINT64_MAX);
	json_put_double(w, "d", 0.25);
	json_put_double(w, "inf", INFINITY);
	json_put_null(w, "n");
	json_put_strv(w, "l", list);
	json_put_strv(w, "l0", NULL);
	json_open_array(w, "o");
	json_open_object(w, NULL);
	json_close_object(w);
	json_put_i64(w, NULL, 1);
	json_close_array(w);
	json_close_object(w);
}

static void test_writer(void **state)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text;
	size_t len = 0;

	put_everything(w);
	text = json_writer_text(w, &len);
	assert_string_equal(text,
		"{\"s\":\"a\\\"\\\\/\\n\\u0001\xc3\xa9\",\"none\":null,\"b\":true,\"i\":-9223372036854775808,"
		"\"u\":18446744073709551615,\"d\":0.25,\"inf\":null,\"n\":null,\"l\":[\"x\",\"/y\"],"
		"\"l0\":[],\"o\":[{},1]}");
	assert_int_equal(len, strlen(text));
}

static void test_writer_pretty(void **state)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);

	json_open_object(w, NULL);
	json_open_array(w, "a");
	json_put_i64(w, NULL, 1);
	json_close_array(w);
	json_close_object(w);
	assert_string_equal(json_writer_text(w, NULL), "{\n  \"a\": [\n    1\n  ]\n}");
}

static void test_writer_repairs_utf8(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = { { "\xff", "\"\xef\xbf\xbd\"" }, { "a\xc3", "\"a\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", NULL }, { "\xf4\x90\x80\x80", NULL }, { "\xc0\xaf", NULL },
		{ "\xe2\x82", NULL }, { "ok\xf0\x9f\x98\x80", "\"ok\xf0\x9f\x98\x80\"" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
		const char *text;

		json_put_string(w, NULL, cases[i].in);
		text = json_writer_text(w, NULL);
		assert_non_null(text);
		if (cases[i].out)
			assert_string_equal(text, cases[i].out);
		/* Whatever it was, our own reader takes it. */
		parse(state, text);
	}
}

static void test_writer_errors_stick(void **state)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);

	json_open_object(w, NULL);
	json_put_i64(w, NULL, 1); /* a value where a name must be */
	json_close_object(w);
	assert_null(json_writer_text(w, NULL));
}

static void test_round_trip(void **state)
{
	static const char text[] = "{\"a\":[1,2.50,-3e2,\"\\u0001/\",null,true,{\"b\":{}}],\"a\":[]}";
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);

	json_put_json(w, NULL, parse(state, text));
	assert_string_equal(json_writer_text(w, NULL), text);
}

#define WITH_ARENA(f) cmocka_unit_test_setup_teardown(f, make_arena, free_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ARENA(test_tree),
		WITH_ARENA(test_offsets),
		WITH_ARENA(test_refused),
		WITH_ARENA(test_error_reason),
		WITH_ARENA(test_error_position),
		WITH_ARENA(test_depth),
		WITH_ARENA(test_get),
		WITH_ARENA(test_i64),
		WITH_ARENA(test_u64),
		WITH_ARENA(test_string_and_bool),
		WITH_ARENA(test_writer_repairs_utf8),
		WITH_ARENA(test_round_trip),
		cmocka_unit_test(test_writer),
		cmocka_unit_test(test_writer_pretty),
		cmocka_unit_test(test_writer_errors_stick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
