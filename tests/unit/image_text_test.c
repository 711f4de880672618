/* SPDX-License-Identifier: Apache-2.0 */
/* What ringfence-image shows: sizes, ages, tables, strangers' text, bars; and what its filters take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/image/catalog.h"
#include "cli/image/progress.h"

static void sizes(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} cases[] = { { 0, "0 B" }, { 999, "999 B" }, { 1000, "1 kB" }, { 1234, "1.23 kB" },
		{ 12345678, "12.3 MB" }, { 999499, "999 kB" }, { 999500, "1 MB" }, { 129000000, "129 MB" },
		{ INT64_MAX, "9.22 EB" } };
	char text[TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		text_size(cases[i].bytes, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void ages(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = { { -5, "Less than a second ago" }, { 0, "Less than a second ago" },
		{ 1, "1 second ago" }, { 59, "59 seconds ago" }, { 60, "About a minute ago" },
		{ 120, "2 minutes ago" }, { 3599, "59 minutes ago" }, { 3600, "About an hour ago" },
		{ 7200, "2 hours ago" }, { 47 * 3600, "47 hours ago" }, { 48 * 3600, "2 days ago" },
		{ 13 * 86400, "13 days ago" }, { 14 * 86400, "2 weeks ago" }, { 60 * 86400, "2 months ago" },
		{ 729 * 86400, "24 months ago" }, { 730 * 86400, "2 years ago" } };
	char text[TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		text_age(cases[i].seconds, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void times(void **state)
{
	static const char *const none[] = { NULL, "", "2024", "2024-01-02", "2024-01-02T03:04:05",
		"2024-13-02T03:04:05Z", "2024-01-02T03:04:05Zx", "2024-01-02T03:04:05+2:00",
		"-024-01-02T03:04:05Z", "2024-01-02T25:04:05Z" };

	assert_int_equal(text_time("1970-01-01T00:00:00Z"), 0);
	assert_int_equal(text_time("2024-01-02T03:04:05Z"), 1704164645);
	assert_int_equal(text_time("2024-01-02T03:04:05.123456789Z"), 1704164645);
	assert_int_equal(text_time("2024-01-02T05:04:05+02:00"), 1704164645);
	assert_int_equal(text_time("2024-01-01T22:34:05-04:30"), 1704164645);
	assert_int_equal(text_time("0001-01-01T00:00:00Z"), -62135596800);
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_int_equal(text_time(none[i]), TEXT_NO_TIME);
}

static void strangers_text(void **state)
{
	static const struct {
		const char *in, *out, *json;
	} cases[] = {
		{ "plain \xc3\xa4 \xe2\x82\xac", "plain \xc3\xa4 \xe2\x82\xac",
			"plain \xc3\xa4 \xe2\x82\xac" },
		{ "a\nb\tc", "a\\nb\\tc", "a\nb\tc" }, /* in JSON only between members */
		{ "\x1b[31m\x07", "\\x1b[31m\\x07", "\x1b[31m\x07" },
		{ "\x7f", "\\x7f", "\\u007f" },
		{ "\xc2\x9b"
		  "2J",
			"\\u009b2J", "\\u009b2J" },
		{ "\xe2\x80\xae"
		  "x\xe2\x81\xa6",
			"\\u202ex\\u2066", "\\u202ex\\u2066" },
		{ "\xf3\xa0\x81\x81", "\\ue0041", "\\udb40\\udc41" },
		{ "\xff\x9b", "\\xff\\x9b", "\\u00ff\\u009b" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ struct strbuf a = { 0 }, b = { 0 };

		text_safe(&a, cases[i].in);
		assert_string_equal(a.s, cases[i].out);
		text_safe_json(&b, cases[i].in);
		assert_string_equal(b.s, cases[i].json);
	}
	assert_int_equal(text_width("\xc3\xa4"
				    "b"),
		2);
}

static void tables(void **state)
{
	static const char *const heads[] = { "NAME", "B", "LAST", NULL };
	static const char *const cells[] = { "a", "\xc3\xa4", "x", "longer", "", "", "esc\x1b", "b", NULL };
	_cleanup_strbuf_ struct strbuf with = { 0 }, without = { 0 };
	struct table t = { .heads = heads }, empty = { .heads = heads };

	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		table_add(&t, cells[i]);
	table_write(&t, true, &with);
	assert_string_equal(with.s, "NAME     B  LAST\n"
				    "a        \xc3\xa4  x\n"
				    "longer\n"
				    "esc\\x1b  b\n");
	table_write(&t, false, &without);
	assert_string_equal(without.s, strchr(with.s, '\n') + 1);
	table_free(&t);
	table_write(&empty, false, &without);
	assert_string_equal(without.s, strchr(with.s, '\n') + 1);
	table_free(&empty);
}

static void references(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} cases[] = {
		{ "debian", "docker.io/library/debian:12", true },
		{ "debian:12", "docker.io/library/debian:12", true },
		{ "library/debian", "docker.io/library/debian:12", true },
		{ "docker.io/library/debian", "docker.io/library/debian:12", true },
		{ "docker.io/library/debian:12", "docker.io/library/debian:12", true },
		{ "deb*", "docker.io/library/debian:12", true },
		{ "*:12", "docker.io/library/debian:12", true },
		{ "*/debian", "docker.io/library/debian:12", true },
		{ "debian", "localhost:5000/debian:12", true },
		{ "localhost:5000/debian", "localhost:5000/debian:12", true },
		{ "a", "quay.io/b/a@sha256:0000", true },
		{ "debian:11", "docker.io/library/debian:12", false },
		{ "ebian", "docker.io/library/debian:12", false },
		{ "docker.io", "docker.io/library/debian:12", false },
		{ "docker.io/*", "docker.io/library/debian:12", false },
		{ "localhost", "localhost:5000/debian:12", false },
		{ "12", "docker.io/library/debian:12", false },
		{ "", "docker.io/library/debian:12", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (filter_reference(cases[i].pattern, cases[i].name) != cases[i].matches)
			fail_msg("\"%s\" and %s", cases[i].pattern, cases[i].name);
}

static void labels(void **state)
{
	char *const have[] = { "a", "1", "b", "", "c", "x=y", NULL };

	assert_true(filter_label("a", have));
	assert_true(filter_label("a=1", have));
	assert_true(filter_label("b", have));
	assert_true(filter_label("b=", have));
	assert_true(filter_label("c=x=y", have));
	assert_false(filter_label("a=2", have));
	assert_false(filter_label("1", have));
	assert_false(filter_label("d", have));
	assert_false(filter_label("a", NULL));
}

static void filters(void **state)
{
	char *const bad[][2] = { { "dangling=perhaps", NULL }, { "reference", NULL }, { "since=x", NULL },
		{ "", NULL } };
	char *list[4] = { "reference=nothing", "reference=debian", NULL, NULL };
	struct catalog_image named = { .entry.name = "docker.io/library/debian:12" }, nameless = { 0 };
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(filter_check(bad[i], &e), -EINVAL);
	assert_int_equal(filter_check(list, &e), 0);
	assert_true(filter_matches(list, &named));
	assert_false(filter_matches(list, &nameless));
	assert_true(filter_matches(NULL, &nameless));
	list[2] = "dangling=false";
	assert_true(filter_matches(list, &named));
	list[2] = "dangling=true";
	assert_false(filter_matches(list, &named));
	list[0] = "dangling=true";
	list[1] = NULL;
	assert_true(filter_matches(list, &nameless));
	assert_false(filter_matches(list, &named));
	list[0] = "label=a";
	assert_false(filter_matches(list, &named));
}

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void bars(void **state)
{
	static const struct {
		int64_t now, total;
		double speed;
		int width;
		const char *text;
	} cases[] = {
		{ 50, 100, 0, 55, "layer 0123456789ab [==========>         ] 50 B / 100 B" },
		{ 100, 100, 2e6, 53, "layer 0123456789ab 100 B / 100 B  2 MB/s" },
		{ 100, 100, 2e6, 54, "layer 0123456789ab [==========] 100 B / 100 B  2 MB/s" },
		{ 5000, -1, 0, 55, "layer 0123456789ab 5 kB" },
		{ 0, 0, 0, 55, "layer 0123456789ab 0 B / 0 B" },
		{ 50, 100, 0, 12, "layer 01234" },
		{ 50, 100, 0, 1, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ struct strbuf b = { 0 };

		progress_bar(
			&b, "layer " DIGEST, cases[i].now, cases[i].total, cases[i].speed, cases[i].width);
		assert_string_equal(b.s ? b.s : "", cases[i].text);
		assert_true(b.len < (size_t)cases[i].width);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(ages),
		cmocka_unit_test(times),
		cmocka_unit_test(strangers_text),
		cmocka_unit_test(tables),
		cmocka_unit_test(references),
		cmocka_unit_test(labels),
		cmocka_unit_test(filters),
		cmocka_unit_test(bars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
