/* SPDX-License-Identifier: Apache-2.0 */
/* A result as one HTML file that needs no network: tables, and plots as SVG by gnuplot. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/result.h"

/*
 * Writes dirfd/name. Without gnuplot in $PATH, or for a plot that it refuses, the report says so in the
 * plot's place. All text of the result is escaped: it may be a stranger's.
 */
int report_write(const struct result *r, int dirfd, const char *name, struct err *e);

/* The plot of a group of rows (that of r->rows[at]) as an SVG element, put into out. */
int plot_group(
	const struct result *r, size_t at, int dirfd, const char *gnuplot, struct strbuf *out, struct err *e);

#endif
