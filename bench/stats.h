/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of measured times and of costs per instance, in doubles of whatever unit the caller has.
 *
 * Theory: times of starts are skewed and have outliers that are other people's work, so that means and
 * standard deviations say little: the figure is a median, and its interval comes from a bootstrap, which
 * supposes no distribution. Costs per instance are the slope of a line through (instances, bytes), found by
 * Theil and Sen's median of the slopes of all pairs, which a third of bad readings does not move. What is
 * left over between readings and line is not independent from one reading to the next (a cache that fills, a
 * neighbour's work), so the slope's interval is bootstrapped from blocks of neighbouring residuals.
 *
 * Everything is deterministic: the random numbers begin with a fixed seed, so the same samples have the same
 * interval, and a report can be made again. Nothing fails but for want of memory (-ENOMEM) or of samples
 * (-EINVAL); outputs are untouched then.
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>

/* An estimate, and the interval that holds the true value with a confidence of 95 %. low <= value <= high. */
struct estimate {
	double value, low, high;
};

/* The q-quantile (0 <= q <= 1) of n >= 1 ascending values, interpolated linearly (R's type 7). */
double stats_quantile(const double *sorted, size_t n, double q);

/* Sorts in place. */
void stats_sort(double *v, size_t n);

/* The median of n >= 1 values, which are left in their order. -ENOMEM, -EINVAL, or 0. */
int stats_median(const double *v, size_t n, struct estimate *out);

/* Any quantile likewise: of few samples a high one's interval is no more than the samples' own range. */
int stats_quantile_of(const double *v, size_t n, double q, struct estimate *out);

/*
 * The median of this[i] / base[i]: rounds that were measured side by side. Pairs of which either is no
 * positive number are left out; none left is -EINVAL.
 */
int stats_paired_ratio(const double *this, const double *base, size_t n, struct estimate *out);

/* median(b) / median(a) of two runs that have nothing to do with each other. All values > 0. */
int stats_ratio(const double *a, size_t na, const double *b, size_t nb, struct estimate *out);

/*
 * The slope of y over x; n >= 3 points, of which two differ in x. `resolution` >= 0 is how fine y is (a page,
 * for memory): a slope is not known better than that over the range of x, however well the points agree.
 * *intercept may be NULL.
 */
int stats_slope(const double *x, const double *y, size_t n, double resolution, struct estimate *out,
	double *intercept);

/*
 * What two measurements of the same thing differ by here: the ratio of the medians of the odd and the even
 * samples, and its interval. A ratio between two designs that lies inside it says nothing. n >= 4.
 */
int stats_noise(const double *v, size_t n, struct estimate *out);

#endif
