/* SPDX-License-Identifier: Apache-2.0 */
/* A result for people (Markdown, ratios first) and for spreadsheets (CSV, a line a row). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/fd.h"
#include "bench/result.h"

/* Three digits that count. */
static void put_digits(double v, struct strbuf *out)
{
	double size = fabs(v);

	strbuf_printf(out, "%.*f", size >= 100 || size < 0.0005 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3, v);
}

void result_quantity(double v, const char *unit, struct strbuf *out)
{
	static const char *const sizes[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t i = 0;

	if (str_eq(unit, "bytes")) {
		for (; fabs(v) >= 1024 && i + 1 < ARRAY_SIZE(sizes); i++)
			v /= 1024;
		unit = sizes[i];
	}
	put_digits(v, out);
	if (!str_eq(unit, "count"))
		strbuf_printf(out, " %s", unit);
}

static void put_interval(const struct estimate *v, const char *unit, struct strbuf *out)
{
	result_quantity(v->value, unit, out);
	strbuf_puts(out, " (");
	result_quantity(v->low, unit, out);
	strbuf_puts(out, " to ");
	result_quantity(v->high, unit, out);
	strbuf_puts(out, ")");
}

/* A cell of a Markdown table: no bars, no line ends, nothing that a terminal acts upon. */
static void put_cell(const char *s, struct strbuf *out)
{
	while (*s) {
		size_t n = str_shown_len((const unsigned char *)s, strlen(s), NULL);

		if (n == 0 || *s == '|')
			strbuf_puts(out, *s == '|' ? "/" : " ");
		else
			strbuf_add(out, s, n);
		s += n ? n : 1;
	}
}

static void put_notes(const struct result_row *row, struct strbuf *out)
{
	const char *sep = "", *note;

	if (row->reason) {
		if (row->known)
			strbuf_printf(out, "%u failed: ", row->failures);
		put_cell(row->reason, out);
		sep = "; ";
	}
	strv_each (note, row->notes) {
		strbuf_puts(out, sep);
		put_cell(note, out);
		sep = "; ";
	}
}

static const struct result_design *design_of(const struct result *r, const char *name)
{
	for (size_t i = 0; i < r->n_designs; i++)
		if (str_eq(r->designs[i].name, name))
			return &r->designs[i];
	return NULL;
}

/* The name, and what it runs on where there is a choice. */
static void put_design(const struct result *r, const char *name, struct strbuf *out)
{
	const struct result_design *d = design_of(r, name);

	put_cell(name, out);
	if (d && d->detail)
		strbuf_printf(out, ", %s", d->detail);
}

static void put_row(const struct result *r, const struct result_row *row, struct strbuf *out)
{
	const struct result_design *d = design_of(r, row->design);

	strbuf_puts(out, "| ");
	put_design(r, row->design, out);
	strbuf_puts(out, " | ");
	if (row->has_ratio)
		put_interval(&row->ratio, "count", out);
	else if (row->known)
		/* Of the first one; others may have no figure above nothing, or nothing to divide by. */
		strbuf_puts(out, row->base ? "-" : "1");
	strbuf_puts(out, " | ");
	if (row->known)
		put_interval(&row->value, row->unit, out);
	strbuf_puts(out, " | ");
	if (row->known && !row->slope) {
		put_digits(row->min, out);
		strbuf_puts(out, " / ");
		put_digits(row->p95, out);
		strbuf_puts(out, " / ");
		put_digits(row->p99, out);
		strbuf_puts(out, " | ");
	}
	if (!row->known && !row->slope)
		strbuf_puts(out, "| ");
	if (d && d->reason)
		strbuf_puts(out, "not measured, see above");
	else
		put_notes(row, out);
	strbuf_puts(out, " |\n");
}

static bool in_group(const struct result_row *row, const struct result_row *first)
{
	return str_eq(row->bench, first->bench) && str_eq(row->variant, first->variant) &&
	       str_eq(row->metric, first->metric);
}

/* What two halves of the base's own samples differ by. */
static void put_noise(const struct result *r, const struct result_row *first, struct strbuf *out)
{
	for (size_t i = 0; i < r->n_rows; i++) {
		const struct result_row *row = r->rows[i];

		if (!in_group(row, first) || !row->known)
			continue;
		if (row->has_noise)
			strbuf_printf(out,
				"\nNoise floor: two halves of %s's own samples differ by a ratio of %.3f to "
				"%.3f.\n",
				row->design, row->noise.low, row->noise.high);
		return;
	}
}

static void put_group(const struct result *r, size_t at, struct strbuf *out)
{
	const struct result_row *first = r->rows[at];
	size_t n = 0;

	for (size_t i = 0; i < r->n_rows; i++)
		if (in_group(r->rows[i], first) && r->rows[i]->n > n)
			n = r->rows[i]->n;
	strbuf_printf(out, "\n**%s, %s: %s**%s, %zu %s\n\n", first->bench, first->variant, first->metric,
		first->slope ? " per instance" : "", n, first->slope ? "readings" : "samples");
	strbuf_printf(out, "| design | ratio to the first | %s (95 %%) |%s |\n|---|---|---|%s---|\n",
		first->slope ? "slope" : "median", first->slope ? "" : " min / p95 / p99 |",
		first->slope ? "" : "---|");
	for (size_t i = 0; i < r->n_rows; i++)
		if (in_group(r->rows[i], first))
			put_row(r, r->rows[i], out);
	put_noise(r, first, out);
}

static bool is_first_of_group(const struct result *r, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (in_group(r->rows[i], r->rows[at]))
			return false;
	return true;
}

static void put_designs(const struct result *r, struct strbuf *out)
{
	strbuf_puts(out, "\n| design | what it is | version |\n|---|---|---|\n");
	for (size_t i = 0; i < r->n_designs; i++) {
		const struct result_design *d = &r->designs[i];

		strbuf_puts(out, "| ");
		put_design(r, d->name, out);
		strbuf_puts(out, " | ");
		put_cell(d->title, out);
		strbuf_puts(out, " | ");
		if (d->reason)
			strbuf_puts(out, "not measured: ");
		put_cell(d->reason ? d->reason : d->version ? d->version : "", out);
		strbuf_puts(out, " |\n");
	}
}

void result_describe(const struct result *r, struct strbuf *out)
{
	static const char *const shown[] = { "kernel", "cpu", "cpus", "memory", "virtual", "load" };
	const char *sep = "";

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		const char *v = pairs_get(&r->machine, shown[i]);

		if (!v)
			continue;
		strbuf_printf(out, "%s%s ", sep, shown[i]);
		put_cell(v, out);
		sep = ", ";
	}
	strbuf_printf(out, "%s; %s\n", r->interrupted ? "; INTERRUPTED: what was measured until then" : "",
		r->started);
	put_designs(r, out);
	for (size_t i = 0; i < r->n_rows; i++)
		if (!r->rows[i]->minor && is_first_of_group(r, i))
			put_group(r, i, out);
}

/* --- CSV ---------------------------------------------------------------------------------------------- */

/* RFC 4180: quoted, quotes doubled. */
static void put_field(const char *s, struct strbuf *out)
{
	strbuf_puts(out, "\"");
	for (; s && *s; s++)
		strbuf_add(out, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
	strbuf_puts(out, "\"");
}

static void put_value(bool there, double v, struct strbuf *out)
{
	strbuf_puts(out, ",");
	if (there && isfinite(v))
		strbuf_printf(out, "%.9g", v);
}

static void put_csv_row(const struct result *r, const struct result_row *row, struct strbuf *out)
{
	const char *const names[] = { row->bench, row->variant, row->metric, row->design, row->unit,
		row->slope ? "slope" : "median" };
	const struct result_design *d = design_of(r, row->design);
	bool samples = row->known && !row->slope;
	_cleanup_strbuf_ struct strbuf notes = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		put_field(names[i], out);
		strbuf_puts(out, i + 1 < ARRAY_SIZE(names) ? "," : "");
	}
	put_value(row->known, row->value.value, out);
	put_value(row->known, row->value.low, out);
	put_value(row->known, row->value.high, out);
	put_value(row->has_ratio, row->ratio.value, out);
	put_value(row->has_ratio, row->ratio.low, out);
	put_value(row->has_ratio, row->ratio.high, out);
	put_value(samples, row->min, out);
	put_value(samples, row->p5, out);
	put_value(samples, row->p25, out);
	put_value(samples, row->p75, out);
	put_value(samples, row->p95, out);
	put_value(samples, row->p99, out);
	put_value(samples, row->max, out);
	strbuf_printf(out, ",%zu,%u,", row->n, row->failures);
	put_field(d ? d->detail : NULL, out);
	strbuf_puts(out, ",");
	put_notes(row, &notes);
	put_field(notes.s, out);
	strbuf_puts(out, "\r\n");
}

int result_write_csv(const struct result *r, int dirfd, const char *name, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	strbuf_puts(&out,
		"bench,variant,metric,design,unit,statistic,value,low,high,ratio,ratio_low,ratio_high,"
		"min,p5,p25,p75,p95,p99,max,samples,failures,detail,notes\r\n");
	for (size_t i = 0; i < r->n_rows; i++)
		put_csv_row(r, r->rows[i], &out);
	if (out.failed)
		return err_set(e, ENOMEM, "write %s", name);
	return fd_replace_at(dirfd, name, 0644, out.s, out.len, e);
}
