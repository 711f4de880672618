/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of bench/stats.h: known answers, and intervals that hold the truth as often as they say. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "bench/stats.h"

#define assert_near(a, b, within) assert_true(fabs((a) - (b)) <= (within))

/* Not the generator that the bootstrap draws with. */
static double uniform(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (double)(*state >> 8) / (double)(1u << 24);
}

static double normal(uint32_t *state)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += uniform(state);
	return sum;
}

static void quantiles(void **state)
{
	double v[] = { 4, 1, 3, 2 };

	stats_sort(v, 4);
	assert_near(stats_quantile(v, 4, 0), 1, 0);
	assert_near(stats_quantile(v, 4, 1), 4, 0);
	assert_near(stats_quantile(v, 4, 0.5), 2.5, 1e-12);
	assert_near(stats_quantile(v, 4, 0.25), 1.75, 1e-12);
	assert_near(stats_quantile(v, 1, 0.99), 1, 0);
}

static void median_keeps_the_order(void **state)
{
	const double v[] = { 9, 1, 5 };
	struct estimate m;

	assert_int_equal(stats_median(v, 3, &m), 0);
	assert_near(m.value, 5, 0);
	assert_true(m.low >= 1 && m.low <= 5 && m.high >= 5 && m.high <= 9);
	assert_near(v[0], 9, 0);
}

static void nothing_is_refused(void **state)
{
	struct estimate m = { 7, 7, 7 };
	const double one = 1, zero = 0, x[] = { 1, 1, 1 }, y[] = { 1, 2, 3 };

	assert_int_equal(stats_median(&one, 0, &m), -EINVAL);
	assert_int_equal(stats_paired_ratio(&one, &zero, 1, &m), -EINVAL);
	assert_int_equal(stats_slope(x, y, 2, 0, &m, NULL), -EINVAL);
	assert_int_equal(stats_slope(x, y, 3, 0, &m, NULL), -EINVAL);
	assert_int_equal(stats_noise(y, 3, &m), -EINVAL);
	assert_near(m.value, 7, 0);
}

/* Of skewed samples, as times are: the interval holds the true median about 95 times of 100. */
static void median_interval_covers(void **state)
{
	uint32_t seed = 1;
	int held = 0;

	for (int trial = 0; trial < 200; trial++) {
		double v[41];
		struct estimate m;

		for (size_t i = 0; i < ARRAY_SIZE(v); i++)
			v[i] = 10 + -log(1 - uniform(&seed));
		assert_int_equal(stats_median(v, ARRAY_SIZE(v), &m), 0);
		held += m.low <= 10 + log(2) && 10 + log(2) <= m.high;
	}
	assert_in_range(held, 178, 200);
}

/* The machine's speed drifts by three, and the ratio does not. */
static void paired_ratio_ignores_drift(void **state)
{
	uint32_t seed = 2;
	double a[60], b[60];
	struct estimate m;

	for (int i = 0; i < 60; i++) {
		double speed = 1 + 2 * (i / 59.0);

		a[i] = speed * (10 + 0.1 * uniform(&seed));
		b[i] = speed * (13 + 0.1 * uniform(&seed));
	}
	assert_int_equal(stats_paired_ratio(b, a, 60, &m), 0);
	assert_near(m.value, 1.3, 0.01);
	assert_true(m.low <= 1.3 && 1.3 <= m.high && m.high - m.low < 0.01);
}

static void ratio_of_two_runs(void **state)
{
	uint32_t seed = 3;
	double a[50], b[30];
	struct estimate m;

	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = 100 + normal(&seed);
	for (size_t i = 0; i < ARRAY_SIZE(b); i++)
		b[i] = 120 + normal(&seed);
	assert_int_equal(stats_ratio(a, ARRAY_SIZE(a), b, ARRAY_SIZE(b), &m), 0);
	assert_true(m.low <= 1.2 && 1.2 <= m.high && m.high - m.low < 0.03);
	assert_int_equal(stats_ratio(a, ARRAY_SIZE(a), a, ARRAY_SIZE(a), &m), 0);
	assert_near(m.value, 1, 0);
	assert_true(m.low < 1 && m.high > 1);
}

/* Cost 1 MiB, readings off by 3 MiB: in the interval at least 9 times of 10, which says something of it. */
static void slope_interval_covers(void **state)
{
	const double cost = 1048576;
	uint32_t seed = 4;
	int held = 0;

	for (int trial = 0; trial < 100; trial++) {
		double x[24], y[24];
		struct estimate s;

		for (size_t i = 0; i < ARRAY_SIZE(x); i++) {
			x[i] = 4.0 * (double)i;
			y[i] = 5e8 + cost * x[i] + 3e6 * normal(&seed);
		}
		assert_int_equal(stats_slope(x, y, ARRAY_SIZE(x), 4096, &s, NULL), 0);
		held += s.low <= cost && cost <= s.high;
		assert_true(s.high - s.low < cost / 5);
	}
	assert_in_range(held, 88, 100);
}

/* Four wild readings of twenty do not move it. */
static void slope_resists_outliers(void **state)
{
	double x[20], y[20], intercept;
	struct estimate s;

	for (size_t i = 0; i < ARRAY_SIZE(x); i++) {
		x[i] = (double)i;
		y[i] = 100 + 7 * x[i] + (i % 5 == 4 ? 1000 : 0);
	}
	assert_int_equal(stats_slope(x, y, ARRAY_SIZE(x), 0, &s, &intercept), 0);
	assert_near(s.value, 7, 1);
	assert_near(intercept, 100, 10);
}

/* Points on a line are known to the resolution, and no better. */
static void slope_has_a_resolution(void **state)
{
	const double x[] = { 0, 5, 10 }, y[] = { 0, 50, 100 };
	struct estimate s;

	assert_int_equal(stats_slope(x, y, 3, 5, &s, NULL), 0);
	assert_near(s.value, 10, 1e-9);
	assert_near(s.low, 9.5, 1e-9);
	assert_near(s.high, 10.5, 1e-9);
}

/* More points than are looked at in pairs. */
static void slope_of_many(void **state)
{
	static double x[3000], y[3000];
	uint32_t seed = 5;
	struct estimate s;

	for (size_t i = 0; i < ARRAY_SIZE(x); i++) {
		x[i] = (double)i;
		y[i] = 3 * x[i] + 10 * normal(&seed);
	}
	assert_int_equal(stats_slope(x, y, ARRAY_SIZE(x), 0, &s, NULL), 0);
	assert_near(s.value, 3, 0.01);
	assert_true(s.low <= 3 && 3 <= s.high);
}

static void noise_is_around_one(void **state)
{
	uint32_t seed = 6;
	double v[40];
	struct estimate m;

	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		v[i] = 10 + normal(&seed);
	assert_int_equal(stats_noise(v, ARRAY_SIZE(v), &m), 0);
	assert_true(m.low < 1 && m.high > 1 && m.high < 1.3 && m.low > 0.7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles),
		cmocka_unit_test(median_keeps_the_order),
		cmocka_unit_test(nothing_is_refused),
		cmocka_unit_test(median_interval_covers),
		cmocka_unit_test(paired_ratio_ignores_drift),
		cmocka_unit_test(ratio_of_two_runs),
		cmocka_unit_test(slope_interval_covers),
		cmocka_unit_test(slope_resists_outliers),
		cmocka_unit_test(slope_has_a_resolution),
		cmocka_unit_test(slope_of_many),
		cmocka_unit_test(noise_is_around_one),
	};

	return cmocka_run_group_tests_name("bench/stats", tests, NULL, NULL);
}
