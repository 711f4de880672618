/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a start of ringfence spends its time on, by what it tells itself (base/steps.h): a round is one life
 * with RINGFENCE_STEP_TIMES set. Each step is a row; its time is what went by since the step before,
 * whichever of the processes that was in, since they take turns. A step that a round has twice counts once,
 * with both times.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "bench/bench.h"

#define VARIABLE "RINGFENCE_STEP_TIMES"
#define STEPS	 64 /* different ones in a round */

struct steps {
	struct {
		char name[48];
		double ms;
	} at[STEPS];
	size_t n;
};

/* False if there is no room. */
static bool add(struct steps *s, const char *name, double ms)
{
	size_t i = 0;

	while (i < s->n && !str_eq(s->at[i].name, name))
		i++;
	if (i == STEPS)
		return false;
	if (i == s->n) {
		snprintf(s->at[i].name, sizeof(s->at[i].name), "%s", name);
		s->at[s->n++].ms = 0;
	}
	s->at[i].ms += ms;
	return true;
}

/* The lines of a life that was begun then (ms). */
static int parse(char *text, double begun, struct steps *s, struct err *e)
{
	double last = begun;

	for (char *line = text, *next; *line; line = next) {
		unsigned long long ns;
		char name[48];

		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (sscanf(line, "%*d %llu %47[^\n]", &ns, name) != 2 || (double)ns / 1e6 < last)
			return err_text(e, EPROTO, "step times are not understood: \"%s\"", line);
		if (!add(s, name, (double)ns / 1e6 - last))
			return err_text(e, E2BIG, "more than %d steps", STEPS);
		last = (double)ns / 1e6;
	}
	return s->n ? 0 : err_text(e, ENODATA, "it has not told its steps");
}

static int read_steps(const struct bench *b, const char *name, double begun, struct steps *s, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = fd_read_at(b->site.dir, name, 1 << 20, &text, &len);

	return r < 0 ? err_set(e, -r, "read step times") : parse(text, begun, s, e);
}

static int keep(struct bench *b, const struct design *d, const struct steps *s, uint64_t round, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		struct result_row *row = bench_row(b, d, "start", "by its own steps", s->at[i].name, "ms", e);

		if (!row)
			return -ENOMEM;
		row->minor = true;
		if (row_add(row, (double)round, s->at[i].ms) < 0)
			return err_set(e, ENOMEM, "keep results");
	}
	return 0;
}

/* *why: of a life that failed; then there is nothing to keep of it. */
static int live(
	struct bench *b, struct design *d, char *variable, const char *name, struct steps *s, struct err *why)
{
	struct life l;
	char id[96];
	int r;

	unlinkat(b->site.dir, name, 0);
	design_new_id(d, id, sizeof(id));
	proc_tell(variable);
	r = life_begin(&l, d, DESIGN_RUN, id, life_first, NULL, why);
	proc_tell(NULL);
	if (r == 0)
		r = life_until(&l, true, true);
	if (r == 0 || r == -ETIME)
		r = life_verdict(&l, why);
	life_drop(&l);
	if (r < 0)
		design_stop(d, id, 0, NULL);
	return r < 0 ? r : read_steps(b, name, l.begun, s, why);
}

int bench_own_steps(struct bench *b, struct design *d, uint64_t rounds, struct err *e)
{
	static const char name[] = "steps";
	_cleanup_free_ char *path = site_path(&b->site, name), *variable = NULL;
	int r = path && asprintf(&variable, VARIABLE "=%s", path) > 0 ? 0
								      : err_set(e, ENOMEM, "measure steps");

	for (uint64_t i = 0; i < rounds + b->o->warmup && r == 0; i++) {
		struct steps s = { .n = 0 };
		struct err why = ERR_INIT;

		r = live(b, d, variable, name, &s, &why);
		if (r == -EINTR)
			return err_text(e, EINTR, "interrupted");
		if (r < 0) {
			struct result_row *row =
				bench_row(b, d, "start", "by its own steps", "program", "ms", e);

			if (row)
				row_fail(b->result, row, why.text);
			return row ? 0 : -ENOMEM;
		}
		if (i >= b->o->warmup)
			r = keep(b, d, &s, i - b->o->warmup, e);
		progress_step(b, d);
	}
	unlinkat(b->site.dir, name, 0);
	return r;
}
