/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of bench/result.h: what is written comes back, what is no result is refused. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "bench/result.h"

#define assert_near(a, b, within) assert_true(fabs((a) - (b)) <= (within))

static char dir[] = "/tmp/bench_result_XXXXXX";
static int dirfd_ = -1;

static int make_dir(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd_ < 0 ? -1 : 0;
}

static int remove_dir(void **state)
{
	unlinkat(dirfd_, "r.json", 0);
	unlinkat(dirfd_, "r.csv", 0);
	close(dirfd_);
	return rmdir(dir);
}

/* Two designs that can be measured, the slower one first in its rows, and one that cannot. */
static struct result *example(void)
{
	static const char *const names[] = { "base", "slow", "absent" };
	struct result *r = result_new();
	struct result_row *slow, *base, *absent, *cost;

	assert_non_null(r);
	r->started = "2026-01-01T00:00:00Z";
	r->ended = "2026-01-01T00:01:00Z";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		result_add_design(r, names[i])->title = "a design";
	r->designs[2].reason = "there is no \"absent\", | nor\nanything";
	assert_int_equal(pairs_add(r, &r->machine, "kernel", "%s", "6.1"), 0);
	slow = result_row(r, "start", "one at a time", "first byte", "slow", "ms");
	base = result_row(r, "start", "one at a time", "first byte", "base", "ms");
	absent = result_row(r, "start", "one at a time", "first byte", "absent", "ms");
	row_fail(r, absent, r->designs[2].reason);
	for (int i = 0; i < 20; i++) {
		double speed = 1 + i % 3;

		assert_int_equal(row_add(base, i, 10 * speed), 0);
		assert_int_equal(row_add(slow, i, i == 7 ? NAN : 25 * speed), 0);
	}
	row_fail(r, slow, "it did not start");
	row_note(r, slow, "a note");
	row_note(r, slow, "a note");
	cost = result_row(r, "density", "idle", "memory", "base", "bytes");
	cost->slope = true;
	cost->resolution = 4096;
	for (int i = 0; i < 8; i++)
		row_add(cost, i, 1000 + 2048.0 * i);
	assert_int_equal(result_sort(r), 0);
	assert_int_equal(result_summarise(r), 0);
	return r;
}

static void check(const struct result *r)
{
	const struct result_row *slow = result_find(r, "start", "one at a time", "first byte", "slow"),
				*cost = result_find(r, "density", "idle", "memory", "base");

	assert_string_equal(r->rows[0]->design, "base");
	assert_string_equal(r->rows[1]->design, "slow");
	assert_string_equal(r->rows[2]->design, "absent");
	assert_true(slow->known && slow->has_ratio);
	assert_string_equal(slow->base, "base");
	assert_near(slow->ratio.value, 2.5, 1e-9);
	assert_near(slow->value.value, 50, 1e-9);
	assert_int_equal(slow->failures, 1);
	assert_int_equal(slow->n, 20);
	assert_true(isnan(slow->y[7]));
	assert_string_equal(slow->notes[0], "a note");
	assert_null(slow->notes[1]);
	assert_false(r->rows[2]->known);
	assert_true(cost->slope && cost->known);
	assert_near(cost->value.value, 2048, 1e-6);
	assert_near(cost->intercept, 1000, 1e-6);
	assert_near(cost->value.high - cost->value.value, 4096.0 / 7, 1);
}

static void round_trip(void **state)
{
	_cleanup_(result_freep) struct result *r = example(), *again = NULL;
	struct err e = ERR_INIT;
	char path[64];

	check(r);
	assert_int_equal(result_write_json(r, dirfd_, "r.json", &e), 0);
	snprintf(path, sizeof(path), "%s/r.json", dir);
	assert_int_equal(result_read(path, &again, &e), 0);
	check(again);
	assert_string_equal(pairs_get(&again->machine, "kernel"), "6.1");
	assert_int_equal(again->n_designs, 3);
	assert_string_equal(again->designs[2].reason, r->designs[2].reason);
}

static void csv_is_quoted(void **state)
{
	_cleanup_(result_freep) struct result *r = example();
	_cleanup_free_ char *text = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(result_write_csv(r, dirfd_, "r.csv", &e), 0);
	assert_int_equal(fd_read_at(dirfd_, "r.csv", 65536, &text, NULL), 0);
	/* A bar and a newline are a table's trouble, and gone; the quotes are doubled. */
	assert_non_null(strstr(text, "\"there is no \"\"absent\"\", / nor anything\"\r\n"));
	assert_non_null(
		strstr(text, "\"start\",\"one at a time\",\"first byte\",\"slow\",\"ms\",\"median\",50,"));
}

/* A group without pairs compares medians. */
static void unpaired(void **state)
{
	_cleanup_(result_freep) struct result *r = result_new();
	struct result_row *a = result_row(r, "b", "v", "m", "a", "ms"),
			  *b = result_row(r, "b", "v", "m", "b", "ms");

	b->unpaired = true;
	for (int i = 1; i <= 9; i++) {
		row_add(a, i, i);
		row_add(b, i, 10 - i);
	}
	assert_int_equal(result_summarise(r), 0);
	assert_near(b->ratio.value, 1, 1e-9);
}

static void refusals(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "[]", "\"schema\" is missing" },
		{ "{\"schema\":\"other/1\",\"rows\":[]}", "other/1" },
		{ "{\"schema\":\"" RESULT_SCHEMA "\",\"started\":\"\",\"ended\":\"\"}", "no array \"rows\"" },
		{ "{\"schema\":\"" RESULT_SCHEMA
		  "\",\"started\":\"\",\"ended\":\"\",\"rows\":[{\"bench\":\"x\"}]}",
			"\"variant\" is missing" },
		{ "{\"schema\":\"" RESULT_SCHEMA
		  "\",\"started\":\"\",\"ended\":\"\",\"rows\":[{\"bench\":\"x\","
		  "\"variant\":\"\",\"metric\":\"\",\"design\":\"\",\"unit\":\"\",\"better\":\"\",\"kind\":"
		  "\"slope\","
		  "\"x\":[1],\"y\":[]}]}",
			"not of one length" },
		{ "{\"schema\":\"" RESULT_SCHEMA
		  "\",\"started\":\"\",\"ended\":\"\",\"rows\":[{\"bench\":\"x\","
		  "\"variant\":\"\",\"metric\":\"\",\"design\":\"\",\"unit\":\"\",\"better\":\"\",\"kind\":"
		  "\"samples\","
		  "\"samples\":[\"1\"]}]}",
			"must be a number" },
		{ "{\"schema\":\"" RESULT_SCHEMA
		  "\",\"started\":\"\",\"ended\":\"\",\"machine\":[1],\"rows\":[]}",
			"machine" },
		{ "{", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;
		struct result *r = NULL;

		assert_true(result_parse(bad[i].text, strlen(bad[i].text), "x.json", &r, &e) < 0);
		assert_null(r);
		assert_non_null(strstr(e.text, bad[i].says));
		assert_non_null(strstr(e.text, "x.json"));
	}
}

static void described(void **state)
{
	_cleanup_(result_freep) struct result *r = example();
	_cleanup_strbuf_ struct strbuf out = { 0 };

	result_describe(r, &out);
	assert_non_null(strstr(out.s, "| slow | 2.50 (2.50 to 2.50) | 50.0 ms ("));
	assert_non_null(strstr(out.s, "1 failed: it did not start; a note"));
	assert_non_null(strstr(out.s, "| absent | a design | not measured: there is no"));
	assert_non_null(strstr(out.s, "| absent |  |  | | not measured, see above |"));
	assert_non_null(strstr(out.s, "2.00 KiB"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(csv_is_quoted),
		cmocka_unit_test(unpaired),
		cmocka_unit_test(refusals),
		cmocka_unit_test(described),
	};

	return cmocka_run_group_tests_name("bench/result", tests, make_dir, remove_dir);
}
