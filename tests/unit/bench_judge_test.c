/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of bench/judge.h: what is better, worse or the same, and how many fit. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "bench/judge.h"

#define GIB (1024.0 * 1024 * 1024)

static double uniform(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (double)(*state >> 8) / (double)(1u << 24);
}

/* A base and another design, with 30 samples around these times. */
static struct result *run(double base, double other, uint32_t seed)
{
	struct result *r = result_new();
	struct result_row *a, *b;

	assert_non_null(r);
	result_add_design(r, "base");
	result_add_design(r, "other");
	a = result_row(r, "start", "one at a time", "first byte", "base", "ms");
	b = result_row(r, "start", "one at a time", "first byte", "other", "ms");
	for (int i = 0; i < 30; i++) {
		assert_int_equal(row_add(a, i, base * (0.95 + 0.1 * uniform(&seed))), 0);
		assert_int_equal(row_add(b, i, other * (0.95 + 0.1 * uniform(&seed))), 0);
	}
	assert_int_equal(result_summarise(r), 0);
	return r;
}

static enum verdict compared(struct result *a, struct result *b, bool relative)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e = ERR_INIT;
	enum verdict v;

	assert_int_equal(compare_results(a, b, 0.05, relative, &out, &v, &e), 0);
	result_free(a);
	result_free(b);
	return v;
}

static void worse_better_same(void **state)
{
	assert_int_equal(compared(run(10, 20, 1), run(10, 20, 2), false), VERDICT_SAME);
	assert_int_equal(compared(run(10, 20, 1), run(10, 26, 2), false), VERDICT_WORSE);
	assert_int_equal(compared(run(10, 20, 1), run(10, 15, 2), false), VERDICT_BETTER);
	/* Three per cent are less than the threshold, however sure. */
	assert_int_equal(compared(run(10, 20, 1), run(10, 20.6, 2), false), VERDICT_SAME);
}

/* A machine that is half as fast: all is worse, and nothing is by comparison with the base. */
static void relative(void **state)
{
	assert_int_equal(compared(run(10, 20, 1), run(20, 40, 2), false), VERDICT_WORSE);
	assert_int_equal(compared(run(10, 20, 1), run(20, 40, 2), true), VERDICT_SAME);
	assert_int_equal(compared(run(10, 20, 1), run(20, 60, 2), true), VERDICT_WORSE);
}

static void rates_are_better_when_higher(void **state)
{
	struct result *a = run(10, 20, 1), *b = run(10, 30, 2);

	a->rows[1]->more_is_better = b->rows[1]->more_is_better = true;
	assert_int_equal(compared(a, b, false), VERDICT_BETTER);
}

static void failures_are_worse(void **state)
{
	struct result *a = run(10, 20, 1), *b = run(10, 20, 2);

	row_add(b->rows[1], 30, NAN);
	assert_int_equal(result_summarise(b), 0);
	assert_int_equal(compared(a, b, false), VERDICT_WORSE);
}

static void nothing_in_common(void **state)
{
	_cleanup_(result_freep) struct result *a = run(10, 20, 1), *b = result_new();
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e = ERR_INIT;
	enum verdict v;

	assert_int_equal(compare_results(a, b, 0.05, false, &out, &v, &e), -EINVAL);
	assert_non_null(strstr(e.text, "no figure in common"));
}

/* --- plan --------------------------------------------------------------------------------------------- */

static void add_line(struct result *r, const char *design, const char *metric, const char *unit, double slope)
{
	struct result_row *row = result_row(r, "density", "idle", metric, design, unit);

	assert_non_null(row);
	row->slope = true;
	for (int i = 1; i <= 20; i++)
		assert_int_equal(row_add(row, i, slope * i), 0);
}

/* A machine of 16 GiB with 2 in use: 12 GiB are for instances, with an eighth left free. */
static struct result *measured(void)
{
	struct result *r = result_new();

	assert_non_null(r);
	pairs_add(r, &r->machine, "memory bytes", "%.0f", 16 * GIB);
	pairs_add(r, &r->machine, "available bytes", "%.0f", 14 * GIB);
	pairs_add(r, &r->machine, "pid_max", "%d", 32768);
	add_line(r, "small", "host memory", "bytes", 1048576);
	add_line(r, "small", "threads", "count", 1);
	add_line(r, "large", "host memory", "bytes", 64 * 1048576.0);
	add_line(r, "many threads", "host memory", "bytes", 1048576);
	add_line(r, "many threads", "threads", "count", 16);
	assert_int_equal(result_summarise(r), 0);
	return r;
}

static void plan_finds_the_first_limit(void **state)
{
	_cleanup_(result_freep) struct result *r = measured();
	const struct plan p = { 0 };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e = ERR_INIT;
	bool fits;

	assert_int_equal(plan_result(r, &p, &out, &fits, &e), 0);
	assert_non_null(strstr(out.s, "has 12.0 GiB for instances"));
	assert_non_null(strstr(out.s,
		"| small | idle | 1.00 MiB (1.00 MiB to 1.00 MiB), host memory | 12288 | 12288 | memory |"));
	assert_non_null(strstr(out.s,
		"| large | idle | 64.0 MiB (64.0 MiB to 64.0 MiB), host memory | 192 | 192 | memory |"));
	assert_non_null(strstr(out.s, "| 1985 | 1985 | pid_max |"));
	/* 12288 of 20 measured ones is far; 192 is not. */
	assert_non_null(strstr(out.s, "measured up to 20 only"));
}

static void plan_answers(void **state)
{
	_cleanup_(result_freep) struct result *r = measured();
	struct plan p = { .instances = 12000 };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e = ERR_INIT;
	bool fits;

	assert_int_equal(plan_result(r, &p, &out, &fits, &e), 0);
	assert_true(fits);
	p.memory = (uint64_t)(4 * GIB);
	assert_int_equal(plan_result(r, &p, &out, &fits, &e), 0);
	assert_false(fits);
	assert_non_null(strstr(out.s, "| does not fit"));
}

static void plan_needs_density(void **state)
{
	_cleanup_(result_freep) struct result *r = run(1, 2, 3);
	const struct plan p = { .memory = 1 << 30 };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e = ERR_INIT;
	bool fits;

	assert_int_equal(plan_result(r, &p, &out, &fits, &e), -EINVAL);
	assert_non_null(strstr(e.text, "no density"));
}

/* Readings of the whole host that say nothing: the cost is then what has a name. */
static void plan_takes_what_is_known(void **state)
{
	_cleanup_(result_freep) struct result *r = result_new();
	const struct plan p = { .memory = UINT64_C(9) << 30, .reserve = 1 << 30 };
	struct result_row *row;
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e = ERR_INIT;
	bool fits;

	pairs_add(r, &r->machine, "memory bytes", "1");
	pairs_add(r, &r->machine, "available bytes", "1");
	row = result_row(r, "density", "idle", "host memory", "d", "bytes");
	row->slope = true;
	row->resolution = 1e9;
	for (int i = 1; i <= 20; i++)
		row_add(row, i, i * 1e6);
	add_line(r, "d", "accounted memory", "bytes", 8 * 1048576.0);
	assert_int_equal(result_summarise(r), 0);
	assert_int_equal(plan_result(r, &p, &out, &fits, &e), 0);
	assert_non_null(strstr(out.s, "accounted memory | 1024 | 1024 | memory |"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worse_better_same),
		cmocka_unit_test(relative),
		cmocka_unit_test(rates_are_better_when_higher),
		cmocka_unit_test(failures_are_worse),
		cmocka_unit_test(nothing_in_common),
		cmocka_unit_test(plan_finds_the_first_limit),
		cmocka_unit_test(plan_answers),
		cmocka_unit_test(plan_needs_density),
		cmocka_unit_test(plan_takes_what_is_known),
	};

	return cmocka_run_group_tests_name("bench/judge", tests, NULL, NULL);
}
