/* SPDX-License-Identifier: Apache-2.0 */
/* The HTML report (report.h). */
#include "bench/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/fd.h"
#include "bench/proc.h"

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	"'unsafe-inline'\">\n"
	"<title>ringfence bench</title>\n<style>\n"
	"body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 "
	"1em;color:#222;background:#fff}\n"
	"table{border-collapse:collapse;margin:.5em 0 1em}td,th{border-bottom:1px solid #ddd;padding:.2em "
	".8em;text-align:left}\n"
	"td.n{text-align:right;font-variant-numeric:tabular-nums}.r{color:#a40}.i{color:#777}svg{max-width:"
	"100%;height:auto}\n"
	"h2{margin-top:2em;border-top:2px solid #ccc;padding-top:.5em}details{margin:.5em 0}\n"
	"</style></head><body>\n<h1>ringfence bench</h1>\n";

static void put_text(const char *s, struct strbuf *out)
{
	while (s && *s) {
		size_t n = str_shown_len((const unsigned char *)s, strlen(s), NULL);

		if (n == 0)
			strbuf_puts(out, " ");
		else if (*s == '<')
			strbuf_puts(out, "&lt;");
		else if (*s == '>')
			strbuf_puts(out, "&gt;");
		else if (*s == '&')
			strbuf_puts(out, "&amp;");
		else if (*s == '"')
			strbuf_puts(out, "&quot;");
		else
			strbuf_add(out, s, n);
		s += n ? n : 1;
	}
}

static void put_estimate(const struct estimate *v, const char *unit, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };

	result_quantity(v->value, unit, &text);
	strbuf_puts(&text, " (");
	result_quantity(v->low, unit, &text);
	strbuf_puts(&text, " to ");
	result_quantity(v->high, unit, &text);
	strbuf_puts(&text, ")");
	put_text(text.s, out);
}

static void put_pairs(const char *title, const struct pairs *p, struct strbuf *out)
{
	strbuf_printf(out, "<details><summary>%s</summary><table>\n", title);
	for (size_t i = 0; i < p->n; i++) {
		strbuf_puts(out, "<tr><td>");
		put_text(p->at[i].name, out);
		strbuf_puts(out, "</td><td>");
		put_text(p->at[i].value, out);
		strbuf_puts(out, "</td></tr>\n");
	}
	strbuf_puts(out, "</table></details>\n");
}

static void put_designs(const struct result *r, struct strbuf *out)
{
	strbuf_puts(
		out, "<table><tr><th>design</th><th>what it is</th><th>runs by</th><th>version</th></tr>\n");
	for (size_t i = 0; i < r->n_designs; i++) {
		const struct result_design *d = &r->designs[i];

		strbuf_puts(out, "<tr><td>");
		put_text(d->name, out);
		strbuf_puts(out, "</td><td>");
		put_text(d->title, out);
		strbuf_puts(out, "</td><td>");
		put_text(d->detail, out);
		strbuf_puts(out, "</td><td>");
		if (d->reason) {
			strbuf_puts(out, "<span class=\"r\">not measured: ");
			put_text(d->reason, out);
			strbuf_puts(out, "</span>");
		} else {
			put_text(d->version, out);
		}
		strbuf_puts(out, "</td></tr>\n");
	}
	strbuf_puts(out, "</table>\n");
}

static bool in_group(const struct result_row *row, const struct result_row *first)
{
	return str_eq(row->bench, first->bench) && str_eq(row->variant, first->variant) &&
	       str_eq(row->metric, first->metric);
}

static void put_quantiles(const struct result_row *row, struct strbuf *out)
{
	const double values[] = { row->min, row->p5, row->p95, row->p99, row->max };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		strbuf_puts(out, "<td class=\"n\">");
		if (row->known)
			result_quantity(values[i], row->unit, out);
		strbuf_puts(out, "</td>");
	}
}

static void put_row(const struct result *r, const struct result_row *row, struct strbuf *out)
{
	const char *note;

	strbuf_puts(out, "<tr><td>");
	put_text(row->design, out);
	for (size_t i = 0; i < r->n_designs; i++)
		if (r->designs[i].detail && str_eq(r->designs[i].name, row->design)) {
			strbuf_puts(out, ", ");
			put_text(r->designs[i].detail, out);
		}
	strbuf_puts(out, "</td><td class=\"n\">");
	if (row->has_ratio)
		put_estimate(&row->ratio, "count", out);
	strbuf_puts(out, "</td><td class=\"n\">");
	if (row->known)
		put_estimate(&row->value, row->unit, out);
	strbuf_puts(out, "</td>");
	if (!row->slope)
		put_quantiles(row, out);
	strbuf_puts(out, "<td class=\"r\">");
	if (row->reason && row->known)
		strbuf_printf(out, "%u failed: ", row->failures);
	put_text(row->reason, out);
	strv_each (note, row->notes) {
		strbuf_puts(out, " ");
		put_text(note, out);
	}
	strbuf_puts(out, "</td></tr>\n");
}

static void put_plot(const struct result *r, size_t at, int dir, const char *gnuplot, struct strbuf *out)
{
	struct err e = ERR_INIT;

	if (plot_group(r, at, dir, gnuplot, out, &e) == 0)
		return;
	strbuf_puts(out, "<p class=\"i\">No plot: ");
	put_text(e.text, out);
	strbuf_puts(out, "</p>\n");
}

static void put_group(const struct result *r, size_t at, int dir, const char *gnuplot, struct strbuf *out)
{
	const struct result_row *first = r->rows[at], *base = NULL;

	strbuf_puts(out, first->minor ? "<details><summary>" : "<h2>");
	put_text(first->bench, out);
	strbuf_puts(out, ", ");
	put_text(first->variant, out);
	strbuf_puts(out, ": ");
	put_text(first->metric, out);
	strbuf_puts(out, first->slope ? " per instance" : "");
	strbuf_puts(out, first->minor ? "</summary>\n" : "</h2>\n");
	strbuf_printf(out,
		"<table><tr><th>design</th><th>ratio to the first</th><th>%s (95 %%)</th>%s<th></th></tr>\n",
		first->slope ? "slope" : "median",
		first->slope ? "" : "<th>min</th><th>5 %</th><th>95 %</th><th>99 %</th><th>max</th>");
	for (size_t i = at; i < r->n_rows; i++)
		if (in_group(r->rows[i], first)) {
			put_row(r, r->rows[i], out);
			base = base ? base : r->rows[i]->known ? r->rows[i] : NULL;
		}
	strbuf_puts(out, "</table>\n");
	if (base && base->has_noise) {
		strbuf_puts(out, "<p class=\"i\">Noise floor: two halves of the samples of ");
		put_text(base->design, out);
		strbuf_printf(
			out, " differ by a ratio of %.3f to %.3f.</p>\n", base->noise.low, base->noise.high);
	}
	put_plot(r, at, dir, gnuplot, out);
	strbuf_puts(out, first->minor ? "</details>\n" : "");
}

int report_write(const struct result *r, int dirfd, const char *name, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	_cleanup_free_ char *gnuplot = proc_find("gnuplot");

	strbuf_puts(&out, head);
	strbuf_puts(&out, "<p>");
	put_text(r->started, &out);
	strbuf_puts(&out, " to ");
	put_text(r->ended, &out);
	strbuf_puts(
		&out, r->interrupted ? ". <strong>Interrupted</strong>: what was measured until then." : ".");
	strbuf_puts(&out, " Ratios are to the first design of each table; intervals hold the true value with "
			  "a confidence "
			  "of 95 %.</p>\n");
	put_designs(r, &out);
	put_pairs("Machine", &r->machine, &out);
	put_pairs("Settings", &r->settings, &out);
	for (size_t i = 0; i < r->n_rows; i++) {
		bool seen = false;

		for (size_t k = 0; k < i; k++)
			seen |= in_group(r->rows[k], r->rows[i]);
		if (!seen)
			put_group(r, i, dirfd, gnuplot, &out);
	}
	strbuf_puts(&out, "</body></html>\n");
	if (out.failed)
		return err_set(e, ENOMEM, "write %s", name);
	return fd_replace_at(dirfd, name, 0644, out.s, out.len, e);
}
