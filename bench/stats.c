/* SPDX-License-Identifier: Apache-2.0 */
/* Medians, ratios and slopes, and how well they are known (stats.h has the theory). */
#include "bench/stats.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Bootstrap rounds: of 2,000 the 50th and 1,951st are the interval's ends. Slopes cost more, and take fewer.
 */
#define ROUNDS	     2000
#define SLOPE_ROUNDS 600
#define LOW	     0.025
#define HIGH	     0.975
/* Points whose pairs are all looked at; more are thinned out, which costs no accuracy worth a name. */
#define POINTS_MAX 128

/* xorshift64*: good enough to draw samples, and the same everywhere. */
struct random {
	uint64_t state;
};

static size_t draw(struct random *r, size_t n)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return (size_t)((r->state * UINT64_C(2685821657736338717) >> 11) % n);
}

static struct random seeded(void)
{
	return (struct random){ UINT64_C(0x9e3779b97f4a7c15) };
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void stats_sort(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), ascending);
}

double stats_quantile(const double *sorted, size_t n, double q)
{
	double at = q * (double)(n - 1);
	size_t i = (size_t)at;

	if (i + 1 >= n)
		return sorted[n - 1];
	return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

static double *copy_of(const double *v, size_t n)
{
	double *c = n ? malloc(n * sizeof(*c)) : NULL;

	if (c)
		memcpy(c, v, n * sizeof(*c));
	return c;
}

/* The interval of `found`, which is sorted; never without the value itself. */
static void set_interval(double value, double *found, size_t n, struct estimate *out)
{
	double low, high;

	stats_sort(found, n);
	low = stats_quantile(found, n, LOW);
	high = stats_quantile(found, n, HIGH);
	out->value = value;
	out->low = low < value ? low : value;
	out->high = high > value ? high : value;
}

/* The quantile of n values drawn from v, with replacement. `room` has place for n. */
static double resampled(const double *v, size_t n, double q, struct random *r, double *room)
{
	for (size_t i = 0; i < n; i++)
		room[i] = v[draw(r, n)];
	stats_sort(room, n);
	return stats_quantile(room, n, q);
}

int stats_quantile_of(const double *v, size_t n, double q, struct estimate *out)
{
	struct random r = seeded();
	_cleanup_free_ double *sorted = copy_of(v, n), *room = malloc((n + 1) * sizeof(*room)),
			      *found = malloc(ROUNDS * sizeof(*found));

	if (n == 0)
		return -EINVAL;
	if (!sorted || !room || !found)
		return -ENOMEM;
	stats_sort(sorted, n);
	for (size_t i = 0; i < ROUNDS; i++)
		found[i] = resampled(sorted, n, q, &r, room);
	set_interval(stats_quantile(sorted, n, q), found, ROUNDS, out);
	return 0;
}

int stats_median(const double *v, size_t n, struct estimate *out)
{
	return stats_quantile_of(v, n, 0.5, out);
}

int stats_paired_ratio(const double *this, const double *base, size_t n, struct estimate *out)
{
	_cleanup_free_ double *ratios = malloc((n + 1) * sizeof(*ratios));
	size_t m = 0;

	if (!ratios)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (this[i] > 0 && base[i] > 0)
			ratios[m++] = this[i] / base[i];
	return stats_median(ratios, m, out);
}

int stats_ratio(const double *a, size_t na, const double *b, size_t nb, struct estimate *out)
{
	struct random r = seeded();
	struct estimate ma, mb;
	_cleanup_free_ double *room = malloc((na + nb + 1) * sizeof(*room)),
			      *found = malloc(ROUNDS * sizeof(*found));
	int e;

	if (!room || !found)
		return -ENOMEM;
	e = stats_median(a, na, &ma);
	if (e == 0)
		e = stats_median(b, nb, &mb);
	if (e == 0 && !(ma.value > 0))
		e = -EINVAL;
	if (e < 0)
		return e;
	for (size_t i = 0; i < ROUNDS; i++) {
		double under = resampled(a, na, 0.5, &r, room), over = resampled(b, nb, 0.5, &r, room);

		found[i] = under > 0 ? over / under : mb.value / ma.value;
	}
	set_interval(mb.value / ma.value, found, ROUNDS, out);
	return 0;
}

int stats_noise(const double *v, size_t n, struct estimate *out)
{
	_cleanup_free_ double *odd = malloc((n + 1) * sizeof(*odd)), *even = malloc((n + 1) * sizeof(*even));
	size_t no = 0, ne = 0;

	if (n < 4)
		return -EINVAL;
	if (!odd || !even)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (i % 2)
			odd[no++] = v[i];
		else
			even[ne++] = v[i];
	return stats_ratio(even, ne, odd, no, out);
}

/* --- slopes ------------------------------------------------------------------------------------------- */

/* The median of the slopes of all pairs that differ in x; NAN if there are none. `room`: n * (n - 1) / 2. */
static double theil_sen(const double *x, const double *y, size_t n, double *room)
{
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			if (x[k] != x[i])
				room[m++] = (y[k] - y[i]) / (x[k] - x[i]);
	if (m == 0)
		return NAN;
	stats_sort(room, m);
	return stats_quantile(room, m, 0.5);
}

/* The height of the line: the median of what is left over. `room`: n. */
static double height(const double *x, const double *y, size_t n, double slope, double *room)
{
	for (size_t i = 0; i < n; i++)
		room[i] = y[i] - slope * x[i];
	stats_sort(room, n);
	return stats_quantile(room, n, 0.5);
}

struct fit {
	double x[POINTS_MAX], y[POINTS_MAX], residual[POINTS_MAX], again[POINTS_MAX];
	double pairs[POINTS_MAX * (POINTS_MAX - 1) / 2], found[SLOPE_ROUNDS], room[POINTS_MAX];
	size_t n;
};

/* At most POINTS_MAX, evenly, with the first and the last. */
static void thin_out(struct fit *f, const double *x, const double *y, size_t n)
{
	f->n = n < POINTS_MAX ? n : POINTS_MAX;
	for (size_t i = 0; i < f->n; i++) {
		size_t from = f->n > 1 ? i * (n - 1) / (f->n - 1) : 0;

		f->x[i] = x[from];
		f->y[i] = y[from];
	}
}

/* The line again, with blocks of neighbouring residuals in other places. */
static double slope_again(struct fit *f, double slope, double intercept, size_t block, struct random *r)
{
	for (size_t i = 0; i < f->n;) {
		size_t from = draw(r, f->n - block + 1);

		for (size_t k = 0; k < block && i < f->n; k++, i++)
			f->again[i] = intercept + slope * f->x[i] + f->residual[from + k];
	}
	return theil_sen(f->x, f->again, f->n, f->pairs);
}

int stats_slope(const double *x, const double *y, size_t n, double resolution, struct estimate *out,
	double *intercept)
{
	struct random r = seeded();
	_cleanup_free_ struct fit *f = malloc(sizeof(*f));
	double slope, b, grow, finest;
	size_t block;

	if (n < 3)
		return -EINVAL;
	if (!f)
		return -ENOMEM;
	thin_out(f, x, y, n);
	slope = theil_sen(f->x, f->y, f->n, f->pairs);
	if (isnan(slope))
		return -EINVAL;
	b = height(f->x, f->y, f->n, slope, f->room);
	/* Residuals are smaller than the errors, since the line was laid through them; by much where points
	 * are few, and there what they show is made up for the wider tails of Student's distribution too. */
	grow = sqrt((double)f->n / (double)(f->n - 2)) * (1 + 2.5 / (double)f->n);
	for (size_t i = 0; i < f->n; i++)
		f->residual[i] = (f->y[i] - b - slope * f->x[i]) * grow;
	block = (size_t)lround(sqrt((double)f->n) / 2);
	block = block < 1 ? 1 : block;
	for (size_t i = 0; i < SLOPE_ROUNDS; i++)
		f->found[i] = slope_again(f, slope, b, block, &r);
	set_interval(slope, f->found, SLOPE_ROUNDS, out);
	finest = f->x[f->n - 1] != f->x[0] ? fabs(resolution / (f->x[f->n - 1] - f->x[0])) : 0;
	out->low = fmin(out->low, slope - finest);
	out->high = fmax(out->high, slope + finest);
	if (intercept)
		*intercept = b;
	return 0;
}
