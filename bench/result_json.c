/* SPDX-License-Identifier: Apache-2.0 */
/* A result as JSON, there and back (result.h, ringfence-bench(8)). */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/json.h"
#include "bench/result.h"

/* More samples in one row than any run takes: a hostile file's array must not become gigabytes of doubles. */
#define SAMPLES_MAX 10000000

/* --- writing ------------------------------------------------------------------------------------------ */

/* JSON has neither NAN nor infinity. */
static void put_number(struct json_writer *w, const char *name, double v)
{
	if (isfinite(v))
		json_put_double(w, name, v);
	else
		json_put_null(w, name);
}

static void put_numbers(struct json_writer *w, const char *name, const double *v, size_t n)
{
	json_open_array(w, name);
	for (size_t i = 0; i < n; i++)
		put_number(w, NULL, v[i]);
	json_close_array(w);
}

static void put_pairs(struct json_writer *w, const char *name, const struct pairs *p)
{
	json_open_object(w, name);
	for (size_t i = 0; i < p->n; i++)
		json_put_string(w, p->at[i].name, p->at[i].value);
	json_close_object(w);
}

static void put_estimate(struct json_writer *w, const char *name, const struct estimate *v)
{
	json_open_object(w, name);
	put_number(w, "value", v->value);
	put_number(w, "low", v->low);
	put_number(w, "high", v->high);
	json_close_object(w);
}

static void put_summary(struct json_writer *w, const struct result_row *row)
{
	const struct {
		const char *name;
		double value;
	} quantiles[] = {
		{ "min", row->min },
		{ "p5", row->p5 },
		{ "p25", row->p25 },
		{ "p75", row->p75 },
		{ "p95", row->p95 },
		{ "p99", row->p99 },
		{ "max", row->max },
	};

	put_estimate(w, row->slope ? "slope" : "median", &row->value);
	if (row->slope)
		put_number(w, "intercept", row->intercept);
	for (size_t i = 0; i < ARRAY_SIZE(quantiles) && !row->slope; i++)
		put_number(w, quantiles[i].name, quantiles[i].value);
	if (row->has_ratio) {
		json_put_string(w, "base", row->base);
		put_estimate(w, "ratio", &row->ratio);
	}
	if (row->has_noise)
		put_estimate(w, "noise", &row->noise);
}

static const char *detail_of(const struct result *r, const char *design)
{
	for (size_t i = 0; i < r->n_designs; i++)
		if (str_eq(r->designs[i].name, design))
			return r->designs[i].detail;
	return NULL;
}

static void put_row(struct json_writer *w, const struct result *r, const struct result_row *row)
{
	json_open_object(w, NULL);
	json_put_string(w, "bench", row->bench);
	json_put_string(w, "variant", row->variant);
	json_put_string(w, "metric", row->metric);
	json_put_string(w, "design", row->design);
	if (detail_of(r, row->design))
		json_put_string(w, "detail", detail_of(r, row->design));
	json_put_string(w, "unit", row->unit);
	json_put_string(w, "better", row->more_is_better ? "more" : "less");
	json_put_string(w, "kind", row->slope ? "slope" : "samples");
	if (row->minor)
		json_put_bool(w, "minor", true);
	if (row->unpaired)
		json_put_bool(w, "paired", false);
	if (row->slope)
		put_number(w, "resolution", row->resolution);
	if (row->known)
		put_summary(w, row);
	json_put_u64(w, "failures", row->failures);
	if (row->reason)
		json_put_string(w, "reason", row->reason);
	if (row->notes)
		json_put_strv(w, "notes", row->notes);
	if (row->slope)
		put_numbers(w, "x", row->x, row->n);
	put_numbers(w, row->slope ? "y" : "samples", row->y, row->n);
	json_close_object(w);
}

static void put_designs(struct json_writer *w, const struct result *r)
{
	json_open_array(w, "designs");
	for (size_t i = 0; i < r->n_designs; i++) {
		const struct result_design *d = &r->designs[i];

		json_open_object(w, NULL);
		json_put_string(w, "name", d->name);
		json_put_string(w, "title", d->title);
		if (d->version)
			json_put_string(w, "version", d->version);
		if (d->detail)
			json_put_string(w, "detail", d->detail);
		if (d->reason)
			json_put_string(w, "reason", d->reason);
		json_close_object(w);
	}
	json_close_array(w);
}

int result_write_json(struct result *r, int dirfd, const char *name, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	const char *text;
	size_t len;

	if (!w)
		return err_set(e, ENOMEM, "write %s", name);
	json_open_object(w, NULL);
	json_put_string(w, "schema", RESULT_SCHEMA);
	json_put_string(w, "started", r->started);
	json_put_string(w, "ended", r->ended);
	json_put_bool(w, "interrupted", r->interrupted);
	put_pairs(w, "machine", &r->machine);
	put_pairs(w, "settings", &r->settings);
	put_designs(w, r);
	json_open_array(w, "rows");
	for (size_t i = 0; i < r->n_rows; i++)
		put_row(w, r, r->rows[i]);
	json_close_array(w);
	json_close_object(w);
	text = json_writer_text(w, &len);
	if (!text)
		return err_set(e, ENOMEM, "write %s", name);
	return fd_replace_at(dirfd, name, 0644, text, len, e);
}

/* --- reading ------------------------------------------------------------------------------------------ */

/* A string that must be there, or (`optional`) may. */
static int get_string(struct result *r, const struct json *j, const char *name, bool optional,
	const char **out, struct err *e)
{
	const struct json *m = json_get(j, name);
	const char *s;
	int v;

	if (!m)
		return optional ? 0 : err_text(e, EINVAL, "\"%s\" is missing", name);
	v = json_as_string(m, name, &s, e);
	if (v < 0)
		return v;
	*out = result_strdup(r, s);
	return *out ? 0 : err_set(e, ENOMEM, "read \"%s\"", name);
}

static int get_number(const struct json *j, const char *what, double *out, struct err *e)
{
	char *end;
	double v;

	if (j->type == JSON_NULL) {
		*out = NAN;
		return 0;
	}
	if (j->type != JSON_NUMBER)
		return err_text(e, EINVAL, "%s must be a number", what);
	v = strtod(j->text, &end);
	if (*end || !isfinite(v))
		return err_text(e, EINVAL, "%s: \"%s\" is no number that fits", what, j->text);
	*out = v;
	return 0;
}

static int get_pairs(
	struct result *r, const struct json *j, const char *name, struct pairs *out, struct err *e)
{
	const struct json *m;

	json_each (m, json_get(j, name)) {
		const char *s;
		int v = m->key ? json_as_string(m, m->key, &s, e)
			       : err_text(e, EINVAL, "\"%s\" must be an object", name);

		if (v < 0)
			return v;
		if (pairs_add(r, out, m->key, "%s", s) < 0)
			return err_set(e, ENOMEM, "read \"%s\"", name);
	}
	return 0;
}

static int get_samples(const struct json *j, struct result_row *row, struct err *e)
{
	const struct json *y = json_get(j, row->slope ? "y" : "samples"), *x = json_get(j, "x"), *cx, *cy;
	int r = 0;

	if (!y || y->type != JSON_ARRAY || (row->slope && (!x || x->type != JSON_ARRAY)))
		return err_text(e, EINVAL, "a row has no array of samples");
	if (y->count > SAMPLES_MAX || (row->slope && x->count != y->count))
		return err_text(e, EINVAL, "a row's arrays are too long, or not of one length");
	cx = row->slope ? x->first : NULL;
	json_each (cy, y) {
		double vx = (double)row->n, vy = NAN;

		r = get_number(cy, "a sample", &vy, e);
		if (r == 0 && cx)
			r = get_number(cx, "a sample's x", &vx, e);
		if (r < 0)
			return r;
		if (isnan(vx))
			return err_text(e, EINVAL, "a sample's x must be a number");
		if (row_add(row, vx, vy) < 0)
			return err_set(e, ENOMEM, "read samples");
		cx = cx ? cx->next : NULL;
	}
	return 0;
}

static int get_row(struct result *r, const struct json *j, struct err *e)
{
	const char *bench, *variant, *metric, *design, *unit, *better, *kind;
	const struct json *m;
	struct result_row *row;
	const struct {
		const char *name, **out;
	} names[] = { { "bench", &bench }, { "variant", &variant }, { "metric", &metric },
		{ "design", &design }, { "unit", &unit }, { "better", &better }, { "kind", &kind } };
	int v = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && v == 0; i++)
		v = get_string(r, j, names[i].name, false, names[i].out, e);
	if (v < 0)
		return v;
	if (result_find(r, bench, variant, metric, design))
		return err_text(e, EINVAL, "%s, %s, %s of %s is there twice", bench, variant, metric, design);
	row = result_row(r, bench, variant, metric, design, unit);
	if (!row)
		return err_set(e, ENOMEM, "read rows");
	row->more_is_better = str_eq(better, "more");
	row->slope = str_eq(kind, "slope");
	m = json_get(j, "minor");
	if (m)
		v = json_as_bool(m, "\"minor\"", &row->minor, e);
	m = v < 0 ? NULL : json_get(j, "paired");
	if (m) {
		v = json_as_bool(m, "\"paired\"", &row->unpaired, e);
		row->unpaired = !row->unpaired;
	}
	if (v < 0)
		return v;
	m = json_get(j, "resolution");
	if (m)
		v = get_number(m, "\"resolution\"", &row->resolution, e);
	if (v == 0)
		v = get_string(r, j, "reason", true, &row->reason, e);
	if (v == 0)
		v = get_samples(j, row, e);
	json_each (m, json_get(j, "notes")) {
		const char *s;

		if (v == 0)
			v = json_as_string(m, "a note", &s, e);
		if (v == 0)
			row_note(r, row, "%s", s);
	}
	return v;
}

static int get_design(struct result *r, const struct json *j, struct err *e)
{
	const char *name = NULL;
	struct result_design *d;
	int v = get_string(r, j, "name", false, &name, e);

	if (v < 0)
		return v;
	d = result_add_design(r, name);
	if (!d)
		return err_set(e, ENOMEM, "read designs");
	v = get_string(r, j, "title", false, &d->title, e);
	if (v == 0)
		v = get_string(r, j, "version", true, &d->version, e);
	if (v == 0)
		v = get_string(r, j, "detail", true, &d->detail, e);
	return v < 0 ? v : get_string(r, j, "reason", true, &d->reason, e);
}

static int get_result(struct result *r, const struct json *j, struct err *e)
{
	const struct json *m;
	const char *schema = NULL;
	int v = get_string(r, j, "schema", false, &schema, e);

	if (v == 0 && !str_eq(schema, RESULT_SCHEMA))
		return err_text(e, EINVAL,
			"its schema is \"%s\", and only \"" RESULT_SCHEMA "\" is understood", schema);
	if (v == 0)
		v = get_string(r, j, "started", false, &r->started, e);
	if (v == 0)
		v = get_string(r, j, "ended", false, &r->ended, e);
	if (v == 0)
		v = get_pairs(r, j, "machine", &r->machine, e);
	if (v == 0)
		v = get_pairs(r, j, "settings", &r->settings, e);
	m = json_get(j, "interrupted");
	if (v == 0 && m)
		v = json_as_bool(m, "\"interrupted\"", &r->interrupted, e);
	json_each (m, json_get(j, "designs")) {
		if (v == 0)
			v = get_design(r, m, e);
	}
	m = json_get(j, "rows");
	if (v == 0 && (!m || m->type != JSON_ARRAY))
		return err_text(e, EINVAL, "it has no array \"rows\"");
	json_each (m, m) {
		if (v == 0)
			v = get_row(r, m, e);
	}
	return v;
}

int result_parse(const char *text, size_t len, const char *what, struct result **out, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_(result_freep) struct result *r = result_new();
	const struct json *j;
	int v;

	if (!a || !r)
		return err_set(e, ENOMEM, "read %s", what);
	v = json_parse(a, text, len, what, &j, e);
	if (v < 0)
		return v;
	v = get_result(r, j, e);
	if (v < 0)
		return err_wrap(e, "%s is no result of ringfence-bench", what);
	if (result_summarise(r) < 0)
		return err_set(e, ENOMEM, "read %s", what);
	*out = TAKE_PTR(r);
	return 0;
}

int result_read(const char *path, struct result **out, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len;
	int r = fd < 0 ? -errno : fd_read_all(fd, RESULT_BYTES_MAX, &text, &len);

	return r < 0 ? err_set(e, -r, "read %s", path) : result_parse(text, len, path, out, e);
}
