/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a result, and what they say (result.h). */
#include "bench/result.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct result *result_new(void)
{
	struct result *r = calloc(1, sizeof(*r));

	if (r && !(r->arena = arena_new())) {
		free(r);
		return NULL;
	}
	return r;
}

void result_free(struct result *r)
{
	for (size_t i = 0; i < r->n_rows; i++) {
		free(r->rows[i]->x);
		free(r->rows[i]->y);
		free(r->rows[i]->notes);
	}
	free(r->rows);
	free(r->designs);
	free(r->machine.at);
	free(r->settings.at);
	arena_free(r->arena);
	free(r);
}

const char *result_strdup(struct result *r, const char *s)
{
	return s ? arena_strdup(r->arena, s) : NULL;
}

int pairs_add(struct result *r, struct pairs *p, const char *name, const char *fmt, ...)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	va_list ap;

	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 16;
		struct pair *at = realloc(p->at, room * sizeof(*at));

		if (!at)
			return -ENOMEM;
		p->at = at;
		p->room = room;
	}
	va_start(ap, fmt);
	strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	p->at[p->n].name = result_strdup(r, name);
	p->at[p->n].value = result_strdup(r, text.s ? text.s : "");
	if (text.failed || !p->at[p->n].name || !p->at[p->n].value)
		return -ENOMEM;
	p->n++;
	return 0;
}

const char *pairs_get(const struct pairs *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->at[i].name, name))
			return p->at[i].value;
	return NULL;
}

struct result_design *result_add_design(struct result *r, const char *name)
{
	struct result_design *at = realloc(r->designs, (r->n_designs + 1) * sizeof(*at));

	if (!at)
		return NULL;
	r->designs = at;
	at += r->n_designs;
	*at = (struct result_design){ .name = result_strdup(r, name) };
	if (!at->name)
		return NULL;
	r->n_designs++;
	return at;
}

static bool same_group(const struct result_row *a, const char *bench, const char *variant, const char *metric)
{
	return str_eq(a->bench, bench) && str_eq(a->variant, variant) && str_eq(a->metric, metric);
}

const struct result_row *result_find(const struct result *r, const char *bench, const char *variant,
	const char *metric, const char *design)
{
	for (size_t i = 0; i < r->n_rows; i++)
		if (same_group(r->rows[i], bench, variant, metric) && str_eq(r->rows[i]->design, design))
			return r->rows[i];
	return NULL;
}

struct result_row *result_row(struct result *r, const char *bench, const char *variant, const char *metric,
	const char *design, const char *unit)
{
	struct result_row *row = (struct result_row *)result_find(r, bench, variant, metric, design);

	if (row)
		return row;
	if (r->n_rows == r->rows_room) {
		size_t room = r->rows_room ? 2 * r->rows_room : 32;
		struct result_row **rows = realloc(r->rows, room * sizeof(struct result_row *));

		if (!rows)
			return NULL;
		r->rows = rows;
		r->rows_room = room;
	}
	row = arena_alloc(r->arena, sizeof(*row));
	if (!row)
		return NULL;
	*row = (struct result_row){
		.bench = result_strdup(r, bench),
		.variant = result_strdup(r, variant),
		.metric = result_strdup(r, metric),
		.design = result_strdup(r, design),
		.unit = result_strdup(r, unit),
	};
	if (!row->bench || !row->variant || !row->metric || !row->design || !row->unit)
		return NULL;
	r->rows[r->n_rows++] = row;
	return row;
}

int row_add(struct result_row *row, double x, double y)
{
	if (row->n == row->room) {
		size_t room = row->room ? 2 * row->room : 64;
		double *xs = realloc(row->x, room * sizeof(*xs)), *ys;

		if (!xs)
			return -ENOMEM;
		row->x = xs;
		ys = realloc(row->y, room * sizeof(*ys));
		if (!ys)
			return -ENOMEM;
		row->y = ys;
		row->room = room;
	}
	row->x[row->n] = x;
	row->y[row->n++] = y;
	row->failures += isnan(y) != 0;
	return 0;
}

void row_fail(struct result *r, struct result_row *row, const char *reason)
{
	/* Of a thousand failures the first tells most; the others' texts are not kept. */
	if (!row->reason)
		row->reason = result_strdup(r, reason);
}

void row_note(struct result *r, struct result_row *row, const char *fmt, ...)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	size_t n = strv_len(row->notes);
	char **notes;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	if (text.failed || !text.s || strv_has(row->notes, text.s))
		return;
	notes = realloc(row->notes, (n + 2) * sizeof(*notes));
	if (!notes)
		return;
	row->notes = notes;
	notes[n] = (char *)result_strdup(r, text.s);
	notes[n + 1] = NULL;
}

/* --- summaries ---------------------------------------------------------------------------------------- */

/* The rounds that did not fail. */
static size_t successes(const struct result_row *row, double *x, double *y)
{
	size_t n = 0;

	for (size_t i = 0; i < row->n; i++)
		if (!isnan(row->y[i])) {
			x[n] = row->x[i];
			y[n++] = row->y[i];
		}
	return n;
}

static int summarise_samples(struct result_row *row, double *y, size_t n)
{
	int r = stats_median(y, n, &row->value);

	if (r < 0)
		return r;
	row->has_noise = stats_noise(y, n, &row->noise) == 0;
	stats_sort(y, n);
	row->min = y[0];
	row->p5 = stats_quantile(y, n, 0.05);
	row->p25 = stats_quantile(y, n, 0.25);
	row->p75 = stats_quantile(y, n, 0.75);
	row->p95 = stats_quantile(y, n, 0.95);
	row->p99 = stats_quantile(y, n, 0.99);
	row->max = y[n - 1];
	return 0;
}

static int summarise_row(struct result_row *row)
{
	_cleanup_free_ double *x = malloc((row->n + 1) * sizeof(*x)), *y = malloc((row->n + 1) * sizeof(*y));
	size_t n;
	int r;

	row->known = row->has_ratio = row->has_noise = false;
	row->base = NULL;
	if (!x || !y)
		return -ENOMEM;
	n = successes(row, x, y);
	if (row->slope)
		r = stats_slope(x, y, n, row->resolution, &row->value, &row->intercept);
	else
		r = summarise_samples(row, y, n);
	row->known = r == 0;
	return r == -ENOMEM ? r : 0;
}

/* Of two slopes: how far either end of one is from the other, in proportion. */
static bool slope_ratio(const struct result_row *row, const struct result_row *base, struct estimate *out)
{
	double up, down;

	if (!(base->value.value > 0) || !(row->value.value > 0))
		return false;
	out->value = row->value.value / base->value.value;
	up = hypot((row->value.high - row->value.value) / row->value.value,
		(base->value.value - base->value.low) / base->value.value);
	down = hypot((row->value.value - row->value.low) / row->value.value,
		(base->value.high - base->value.value) / base->value.value);
	out->low = out->value * (1 - fmin(down, 1));
	out->high = out->value * (1 + up);
	return true;
}

static int unpaired_ratio(const struct result_row *row, const struct result_row *base, struct estimate *out)
{
	_cleanup_free_ double *x = malloc((row->n + base->n + 1) * sizeof(*x)),
			      *y = malloc((row->n + 1) * sizeof(*y)),
			      *under = malloc((base->n + 1) * sizeof(*under));
	size_t n, m;

	if (!x || !y || !under)
		return -ENOMEM;
	n = successes(row, x, y);
	m = successes(base, x, under);
	return stats_ratio(under, m, y, n, out);
}

static int compare_with_base(struct result_row *row, const struct result_row *base)
{
	size_t n = row->n < base->n ? row->n : base->n;
	int r;

	row->base = base->design;
	if (row->slope) {
		row->has_ratio = slope_ratio(row, base, &row->ratio);
		return 0;
	}
	r = row->unpaired ? unpaired_ratio(row, base, &row->ratio)
			  : stats_paired_ratio(row->y, base->y, n, &row->ratio);
	row->has_ratio = r == 0;
	return r == -ENOMEM ? r : 0;
}

static size_t place_of(const struct result *r, const char *design)
{
	size_t i = 0;

	while (i < r->n_designs && !str_eq(r->designs[i].name, design))
		i++;
	return i;
}

/* Behind those of [from, n) whose designs come before, or are its own. Groups are small. */
static void insert(
	const struct result *r, struct result_row **sorted, size_t from, size_t n, struct result_row *row)
{
	size_t place = place_of(r, row->design);

	for (; n > from && place_of(r, sorted[n - 1]->design) > place; n--)
		sorted[n] = sorted[n - 1];
	sorted[n] = row;
}

int result_sort(struct result *r)
{
	_cleanup_free_ struct result_row **sorted = malloc((r->n_rows + 1) * sizeof(struct result_row *));
	size_t n = 0;

	if (!sorted)
		return -ENOMEM;
	while (n < r->n_rows) {
		const struct result_row *group = NULL;
		size_t from = n;

		for (size_t i = 0; i < r->n_rows; i++) {
			struct result_row *row = r->rows[i];

			if (!row || (group && !same_group(row, group->bench, group->variant, group->metric)))
				continue;
			group = group ? group : row;
			r->rows[i] = NULL;
			insert(r, sorted, from, n++, row);
		}
	}
	if (n)
		memcpy(r->rows, sorted, n * sizeof(struct result_row *));
	return 0;
}

int result_summarise(struct result *r)
{
	int e = 0;

	for (size_t i = 0; i < r->n_rows && e == 0; i++)
		e = summarise_row(r->rows[i]);
	for (size_t i = 0; i < r->n_rows && e == 0; i++) {
		struct result_row *row = r->rows[i];

		for (size_t k = 0; k < i && row->known; k++) {
			const struct result_row *base = r->rows[k];

			if (!base->known || !same_group(base, row->bench, row->variant, row->metric))
				continue;
			e = compare_with_base(row, base);
			break;
		}
	}
	return e;
}
