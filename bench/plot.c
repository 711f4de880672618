/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plots by gnuplot, as SVG: of samples how many are below a time (the distribution, so that no outlier is
 * hidden), of slopes the readings and the line. Names come from command lines and files: only harmless
 * characters of them reach gnuplot's script.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>

#include "base/fd.h"
#include "bench/proc.h"
#include "bench/report.h"

#define POINTS_MAX 400
#define SCRIPT	   ".ringfence-bench.gnuplot"

static void put_name(const char *s, struct strbuf *out)
{
	for (; *s; s++) {
		bool fine = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			    (*s >= '0' && *s <= '9') || strchr(" .,:/=+-()_%", *s);

		strbuf_add(out, fine ? s : "?", 1);
	}
}

static bool in_group(const struct result_row *row, const struct result_row *first)
{
	return row->known && str_eq(row->bench, first->bench) && str_eq(row->variant, first->variant) &&
	       str_eq(row->metric, first->metric);
}

static double scale_of(const struct result_row *row)
{
	return str_eq(row->unit, "bytes") ? 1 << 20 : 1;
}

static size_t put_readings(const struct result_row *row, struct strbuf *out)
{
	size_t step = row->n / POINTS_MAX + 1, n = 0;

	for (size_t i = 0; i < row->n; i += step) {
		if (isnan(row->y[i]))
			continue;
		strbuf_printf(out, "%.9g %.9g\n", row->x[i], row->y[i] / scale_of(row));
		n++;
	}
	return n;
}

/* Each sample at the share of samples that are not above it. */
static size_t put_distribution(const struct result_row *row, struct strbuf *out)
{
	_cleanup_free_ double *v = malloc((row->n + 1) * sizeof(*v));
	size_t n = 0, step;

	for (size_t i = 0; v && i < row->n; i++)
		if (!isnan(row->y[i]))
			v[n++] = row->y[i];
	if (n)
		stats_sort(v, n);
	step = n / POINTS_MAX + 1;
	for (size_t i = 0; i < n; i++)
		if (i % step == 0 || i + 1 == n)
			strbuf_printf(out, "%.9g %.6g\n", v[i] / scale_of(row),
				100.0 * (double)(i + 1) / (double)n);
	return n;
}

/* The data blocks $d0, $d1, …; returns how many. */
static size_t put_data(const struct result *r, const struct result_row *first, struct strbuf *out)
{
	size_t blocks = 0;

	for (size_t i = 0; i < r->n_rows; i++) {
		const struct result_row *row = r->rows[i];

		if (!in_group(row, first))
			continue;
		strbuf_printf(out, "$d%zu << EOD\n", blocks++);
		if (row->slope ? put_readings(row, out) == 0 : put_distribution(row, out) == 0)
			strbuf_puts(out, "0 0\n");
		strbuf_puts(out, "EOD\n");
	}
	return blocks;
}

static void put_curves(const struct result *r, const struct result_row *first, struct strbuf *out)
{
	size_t block = 0;
	const char *sep = "plot ";

	for (size_t i = 0; i < r->n_rows; i++) {
		const struct result_row *row = r->rows[i];

		if (!in_group(row, first))
			continue;
		strbuf_printf(out, "%s$d%zu using 1:2 with %s lc %zu title '", sep, block,
			row->slope ? "points pt 7 ps 0.4" : "steps lw 1.5", block + 1);
		put_name(row->design, out);
		strbuf_puts(out, "'");
		if (row->slope)
			strbuf_printf(out, ", %.9g + %.9g * x lc %zu notitle", row->intercept / scale_of(row),
				row->value.value / scale_of(row), block + 1);
		sep = ", ";
		block++;
	}
	strbuf_puts(out, "\n");
}

static void put_script(const struct result *r, const struct result_row *first, struct strbuf *out)
{
	const char *unit = str_eq(first->unit, "bytes") ? "MiB" : first->unit;

	strbuf_puts(out,
		"set terminal svg size 900,380 dynamic noenhanced font 'sans-serif,12'\n"
		"set grid lc rgb '#dddddd'\nset key outside right top\nset border 3\nset tics nomirror\n");
	if (first->slope) {
		strbuf_puts(out, "set yrange [0:*]\nset xlabel 'instances'\nset ylabel '");
	} else {
		strbuf_puts(out, "set ylabel '% of samples'\nset yrange [0:100]\nset xlabel '");
	}
	put_name(first->metric, out);
	strbuf_puts(out, ", ");
	put_name(unit, out);
	strbuf_puts(out, "'\n");
	/* Designs differ by factors of ten, and more. */
	if (!first->slope && first->min > 0)
		strbuf_puts(out, "set logscale x\n");
	put_data(r, first, out);
	put_curves(r, first, out);
}

/* The element alone, without what makes it a file. */
static int take_svg(const char *text, struct strbuf *out, struct err *e)
{
	const char *svg = text ? strstr(text, "<svg") : NULL;
	const char *end = svg ? strstr(svg, "</svg>") : NULL;

	if (!end)
		return err_text(e, EIO, "gnuplot made no SVG");
	strbuf_add(out, svg, (size_t)(end - svg) + strlen("</svg>"));
	strbuf_puts(out, "\n");
	return 0;
}

int plot_group(
	const struct result *r, size_t at, int dirfd, const char *gnuplot, struct strbuf *out, struct err *e)
{
	_cleanup_strbuf_ struct strbuf script = { 0 }, svg = { 0 }, said = { 0 }, last = { 0 };
	_cleanup_words_ struct words w = { 0 };
	const struct result_row *first = NULL;
	char path[FD_PATH_MAX];
	int v;

	for (size_t i = at; i < r->n_rows && !first; i++)
		if (in_group(r->rows[i], r->rows[at]))
			first = r->rows[i];
	if (!first)
		return err_text(e, ENODATA, "nothing was measured");
	if (!gnuplot)
		return err_text(e, ENOENT,
			"gnuplot is not there; with it (Debian: gnuplot-nox) \"ringfence bench report\" "
			"makes this report again");
	put_script(r, first, &script);
	if (script.failed)
		return err_set(e, ENOMEM, "plot");
	v = fd_replace_at(dirfd, SCRIPT, 0600, script.s, script.len, e);
	if (v < 0)
		return v;
	/* By our descriptor of the directory, which is wherever it is. */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), dirfd);
	words_add(&w, "%s", gnuplot);
	words_add(&w, "%s/" SCRIPT, path);
	v = proc_run(&w, 30000, &svg, &said, e);
	unlinkat(dirfd, SCRIPT, 0);
	if (v < 0)
		return v;
	proc_last_line(said.s, &last);
	if (v > 0)
		return err_text(e, EIO, "gnuplot ended with status %d: %s", v, last.s ? last.s : "");
	return take_svg(svg.s, out, e);
}
