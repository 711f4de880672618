/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run of ringfence-bench found: in memory, as JSON, CSV and Markdown.
 *
 * A result is a list of rows. A row is one quantity of one design under one load: its samples, in the order
 * in which they were taken, and what result_summarise() made of them. A design that could not be measured is
 * a row with a reason. Rows of one group (bench, variant, metric) compare with each other: sample i of each
 * was taken in the same round.
 *
 * The JSON (schema "ringfence-bench/1"; ringfence-bench(8) documents it) has all of it, so that a report,
 * `compare` and `plan` can be made from the file alone. Strings live in the result's arena.
 */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "bench/stats.h"

#define RESULT_SCHEMA "ringfence-bench/1"
/* More than any honest file has: what compare and plan read may come from elsewhere. */
#define RESULT_BYTES_MAX (256u << 20)

struct pair {
	const char *name, *value;
};

struct pairs {
	struct pair *at;
	size_t n, room;
};

/* A design of the run. `reason`: why it is not measured; NULL: it is. */
struct result_design {
	const char *name, *title, *version, *detail, *reason;
};

struct result_row {
	const char *bench, *variant, *metric, *design;
	const char *unit; /* "ms", "bytes", "1/s", "ns", "count" */
	bool more_is_better;
	/* A quantity per instance: y over x instances, of which the slope counts. Else x is not used. */
	bool slope;
	/* Sample i was not taken beside the others' sample i. */
	bool unpaired;
	/* How fine y is (see stats_slope()). */
	double resolution;
	double *x, *y; /* NAN: that round failed */
	size_t n, room;
	bool minor; /* for those who look closer: not in result_describe() */
	unsigned int failures;
	const char *reason; /* of the last failure, or why there is nothing */
	char **notes;	    /* NULL-terminated */

	/* Made by result_summarise(). */
	bool known; /* there is a value */
	struct estimate value;
	double min, p5, p25, p75, p95, p99, max; /* of samples; not of slopes */
	double intercept;			 /* of slopes */
	bool has_ratio;				 /* to `base` */
	struct estimate ratio;
	bool has_noise; /* two halves of the same samples differ by this */
	struct estimate noise;
	const char *base;
};

struct result {
	struct arena *arena;
	const char *started, *ended; /* RFC 3339 */
	bool interrupted;
	struct pairs machine, settings;
	struct result_design *designs;
	size_t n_designs;
	struct result_row **rows;
	size_t n_rows, rows_room;
};

struct result *result_new(void);
void result_free(struct result *r);
DEFINE_CLEANUP(struct result *, result_free);

/* All return what they made, or NULL for want of memory. Strings are copied. */
const char *result_strdup(struct result *r, const char *s);
int pairs_add(struct result *r, struct pairs *p, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* NULL if it is not there. */
const char *pairs_get(const struct pairs *p, const char *name);
struct result_design *result_add_design(struct result *r, const char *name);

/* The row of these names, made if it is not there. */
struct result_row *result_row(struct result *r, const char *bench, const char *variant, const char *metric,
	const char *design, const char *unit);
const struct result_row *result_find(const struct result *r, const char *bench, const char *variant,
	const char *metric, const char *design);
/* 0 or -ENOMEM. A NAN counts as a failure. */
int row_add(struct result_row *row, double x, double y);
void row_fail(struct result *r, struct result_row *row, const char *reason);
void row_note(struct result *r, struct result_row *row, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Groups in the order in which they began, in each the designs in theirs: the first one is the base. */
int result_sort(struct result *r);

/* Values, intervals, and ratios to the first design of each group that has a value. 0 or -ENOMEM. */
int result_summarise(struct result *r);

/* --- as text ------------------------------------------------------------------------------------------ */

/* Writes dirfd/name whole or not at all. */
int result_write_json(struct result *r, int dirfd, const char *name, struct err *e);
int result_write_csv(const struct result *r, int dirfd, const char *name, struct err *e);
/* Of a file's text; refuses what is no result, and names what is wrong with it. *out is summarised. */
int result_parse(const char *text, size_t len, const char *what, struct result **out, struct err *e);
int result_read(const char *path, struct result **out, struct err *e);

/* Markdown: the machine, then a table for each group, ratios first. */
void result_describe(const struct result *r, struct strbuf *out);

/* "12.3", "4.56 KiB": a number of that unit, as a person reads it. */
void result_quantity(double v, const char *unit, struct strbuf *out);

#endif
