/* SPDX-License-Identifier: Apache-2.0 */
/* `compare`: is the second of two runs better, worse or the same (judge.h)? */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bench/judge.h"

static const char *const words[] = { "same", "better", "worse" };

static size_t successes(const struct result_row *row, double *out)
{
	size_t n = 0;

	for (size_t i = 0; i < row->n; i++)
		if (!isnan(row->y[i]))
			out[n++] = row->y[i];
	return n;
}

static int ratio_of_samples(const struct result_row *a, const struct result_row *b, struct estimate *out)
{
	_cleanup_free_ double *x = malloc((a->n + 1) * sizeof(*x)), *y = malloc((b->n + 1) * sizeof(*y));

	if (!x || !y)
		return -ENOMEM;
	return stats_ratio(x, successes(a, x), y, successes(b, y), out);
}

/* Of two estimates that have nothing to do with each other: their relative errors add as squares. */
static int ratio_of_estimates(const struct estimate *a, const struct estimate *b, struct estimate *out)
{
	if (!(a->value > 0) || !(b->value > 0))
		return -EINVAL;
	out->value = b->value / a->value;
	out->high = out->value * (1 + hypot((b->high - b->value) / b->value, (a->value - a->low) / a->value));
	out->low = out->value *
		   (1 - fmin(hypot((b->value - b->low) / b->value, (a->high - a->value) / a->value), 1));
	return 0;
}

static int ratio_of(
	const struct result_row *a, const struct result_row *b, bool relative, struct estimate *out)
{
	if (relative)
		return a->has_ratio && b->has_ratio && str_eq(a->base, b->base)
			       ? ratio_of_estimates(&a->ratio, &b->ratio, out)
			       : -EINVAL;
	return a->slope ? ratio_of_estimates(&a->value, &b->value, out) : ratio_of_samples(a, b, out);
}

/* Does it differ by no more than two halves of one run do? */
static bool is_noise(const struct result_row *row, double ratio)
{
	return row->has_noise && row->noise.low <= ratio && ratio <= row->noise.high;
}

static enum verdict judge(const struct result_row *a, const struct result_row *b,
	const struct estimate *ratio, double threshold)
{
	bool noise = is_noise(a, ratio->value) || is_noise(b, ratio->value);
	bool more = !noise && ratio->low > 1 && ratio->value > 1 + threshold;
	bool less = !noise && ratio->high < 1 && ratio->value < 1 / (1 + threshold);

	if (b->failures > a->failures)
		return VERDICT_WORSE;
	if (!more && !less)
		return VERDICT_SAME;
	return more == b->more_is_better ? VERDICT_BETTER : VERDICT_WORSE;
}

static void put_row(const struct result_row *a, const struct result_row *b, const struct estimate *ratio,
	enum verdict v, struct strbuf *out)
{
	strbuf_printf(out, "| %s | %s, %s | %s | ", words[v], a->bench, a->variant, a->metric);
	strbuf_printf(out, "%s | %.3f (%.3f to %.3f) | ", a->design, ratio->value, ratio->low, ratio->high);
	result_quantity(a->value.value, a->unit, out);
	strbuf_puts(out, " | ");
	result_quantity(b->value.value, b->unit, out);
	if (b->failures > a->failures)
		strbuf_printf(out, " | %u failed, %u before", b->failures, a->failures);
	else
		strbuf_puts(out, " |");
	strbuf_puts(out, " |\n");
}

/* Runs of two machines compare two machines. */
static void warn_of_machines(const struct result *a, const struct result *b, struct strbuf *out)
{
	static const char *const same[] = { "kernel", "cpu", "cpus", "memory", "cgroups" };

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		const char *x = pairs_get(&a->machine, same[i]), *y = pairs_get(&b->machine, same[i]);

		if (x && y && !str_eq(x, y))
			strbuf_printf(
				out, "Not of one kind of machine: %s was %s, and is %s.\n", same[i], x, y);
	}
}

int compare_results(const struct result *a, const struct result *b, double threshold, bool relative,
	struct strbuf *out, enum verdict *whole, struct err *e)
{
	size_t counts[3] = { 0 }, alone = 0;
	_cleanup_strbuf_ struct strbuf rows = { 0 };

	for (size_t i = 0; i < b->n_rows; i++) {
		const struct result_row *to = b->rows[i], *from = result_find(a, to->bench, to->variant,
								  to->metric, to->design);
		struct estimate ratio;
		enum verdict v;
		int r;

		if (to->minor)
			continue;
		if (from && from->known && !to->known && to->failures) {
			strbuf_printf(&rows, "| worse | %s, %s | %s | %s | | | | it fails now |\n", to->bench,
				to->variant, to->metric, to->design);
			counts[VERDICT_WORSE]++;
			continue;
		}
		r = from && from->known && to->known ? ratio_of(from, to, relative, &ratio) : -EINVAL;
		if (r == -ENOMEM)
			return err_set(e, ENOMEM, "compare");
		if (r < 0) {
			alone++;
			continue;
		}
		v = judge(from, to, &ratio, threshold);
		counts[v]++;
		put_row(from, to, &ratio, v, &rows);
	}
	if (counts[VERDICT_SAME] + counts[VERDICT_BETTER] + counts[VERDICT_WORSE] == 0)
		return err_text(e, EINVAL, "the two have no figure in common%s",
			relative ? " that has a ratio to the same first design" : "");
	*whole = counts[VERDICT_WORSE]	  ? VERDICT_WORSE
		 : counts[VERDICT_BETTER] ? VERDICT_BETTER
					  : VERDICT_SAME;
	strbuf_printf(out,
		"B is %s%s: %zu better, %zu worse, %zu the same within %.0f %%, %zu not comparable (%s)\n",
		*whole == VERDICT_SAME ? "the " : "", words[*whole], counts[VERDICT_BETTER],
		counts[VERDICT_WORSE], counts[VERDICT_SAME], threshold * 100, alone,
		relative ? "ratios to the first design" : "absolute figures");
	warn_of_machines(a, b, out);
	strbuf_puts(out, "\n| verdict | benchmark | metric | design | B / A (95 %) | A | B | |\n"
			 "|---|---|---|---|---|---|---|---|\n");
	strbuf_puts(out, rows.s);
	return out->failed || rows.failed ? err_set(e, ENOMEM, "compare") : 0;
}
