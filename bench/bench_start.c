/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `start`: from the call of a design's program to the payload's first instruction, and the whole life, one at
 * a time and many at once. `exec`: the same into an instance that lives.
 *
 * One at a time a round is a life of each design, in turns. At once, a round keeps `concurrency` lives of one
 * design going until four times as many have been, then those of the next one: its rate is one sample.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"

#define MIN_LIVES_OF_EACH 4

/* --- one at a time ------------------------------------------------------------------------------------ */

/* One life's rows: the same for start and exec. */
static int keep(struct bench *b, const struct design *d, const char *bench, const char *variant,
	uint64_t round, const struct life *l, bool good, const char *why, struct err *e)
{
	const struct {
		const char *metric, *unit;
		double value;
	} kept[] = {
		{ "first byte", "ms", l->first - l->begun },
		{ "whole life", "ms", l->ended - l->begun },
		{ "processor time", "ms", l->cpu },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		struct result_row *row = bench_row(b, d, bench, variant, kept[i].metric, kept[i].unit, e);

		if (!row)
			return -ENOMEM;
		if (row_add(row, (double)round, good ? kept[i].value : NAN) < 0)
			return err_set(e, ENOMEM, "keep results");
		if (!good)
			row_fail(b->result, row, why);
	}
	return 0;
}

/* A life of `d`, and its rows; warm-up rounds leave none. `failed` counts failures in a row. */
static int live_once(struct bench *b, struct design *d, const char *bench, enum design_verb verb,
	const char *held, bool warm, uint64_t round, unsigned int *failed, struct err *e)
{
	struct err why = ERR_INIT;
	struct life l;
	char id[96];
	int r;

	if (!held)
		design_new_id(d, id, sizeof(id));
	r = life_begin(&l, d, verb, held ? held : id, life_first, NULL, &why);
	if (r == 0)
		r = life_until(&l, true, true);
	if (r == -EINTR) {
		life_drop(&l);
		if (!held)
			design_stop(d, id, 0, NULL);
		return err_text(e, EINTR, "interrupted");
	}
	if (r == 0 || r == -ETIME)
		r = life_verdict(&l, &why);
	life_drop(&l);
	*failed = r < 0 ? *failed + 1 : 0;
	if (r < 0 && !held)
		design_stop(d, id, 0, NULL);
	return warm ? 0 : keep(b, d, bench, "one at a time", round, &l, r == 0, why.text, e);
}

/* Failures in a row, by design. */
struct patience {
	unsigned int *failed;
};

static unsigned int *failed_of(struct bench *b, const struct patience *p, const struct design *d)
{
	return &p->failed[d - b->designs.at];
}

static int one_at_a_time(struct bench *b, uint64_t rounds, const struct patience *p, struct err *e)
{
	int r = 0;

	progress_begin(b, "start, one at a time", (rounds + b->o->warmup) * b->designs.n);
	for (uint64_t i = 0; i < rounds + b->o->warmup && r == 0; i++) {
		bool warm = i < b->o->warmup;
		struct design *d;

		for (size_t k = 0; r == 0 && (d = bench_turn(b, i, k)); k++) {
			if (*failed_of(b, p, d) < BENCH_PATIENCE)
				r = live_once(b, d, "start", DESIGN_RUN, NULL, warm, i - b->o->warmup,
					failed_of(b, p, d), e);
			progress_step(b, d);
		}
	}
	progress_end(b);
	return r;
}

/* --- at once ------------------------------------------------------------------------------------------ */

struct crowd {
	struct life *lives, **at; /* `at`: those that live, first */
	size_t n, living;
	uint64_t begun, ended, failures;
	struct err why;
};

static void crowd_begin_one(struct crowd *c, struct design *d)
{
	struct life *l = c->at[c->living];
	char id[96];
	int r;

	design_new_id(d, id, sizeof(id));
	r = life_begin(l, d, DESIGN_RUN, id, life_first, NULL, &c->why);
	c->begun++;
	if (r == 0) {
		c->living++;
		return;
	}
	life_drop(l);
	c->failures++;
	c->ended++;
}

/* Takes those that are over (or late) out of the living; their first bytes are samples. */
static int crowd_collect(
	struct bench *b, struct crowd *c, struct result_row *first, bool warm, uint64_t round, struct err *e)
{
	for (size_t i = 0; i < c->living;) {
		struct life *l = c->at[i];
		bool late = proc_now() - l->begun > l->design->env->timeout;
		int r;

		if (!late && (!l->over || (!l->marked && l->out >= 0 && l->status == 0))) {
			i++;
			continue;
		}
		r = life_verdict(l, &c->why);
		c->failures += r < 0;
		life_drop(l);
		if (r < 0)
			design_stop(l->design, l->id, 0, NULL);
		if (!warm && r == 0 && row_add(first, (double)round, l->first - l->begun) < 0)
			return err_set(e, ENOMEM, "keep results");
		c->ended++;
		c->at[i] = c->at[--c->living];
		c->at[c->living] = l;
	}
	return 0;
}

static void crowd_end(struct crowd *c)
{
	for (size_t i = 0; i < c->living; i++) {
		life_drop(c->at[i]);
		design_stop(c->at[i]->design, c->at[i]->id, 0, NULL);
	}
	c->living = 0;
}

/* One round of one design. */
static int crowd_round(
	struct bench *b, struct crowd *c, struct design *d, bool warm, uint64_t round, struct err *e)
{
	char variant[48];
	uint64_t all = c->n * MIN_LIVES_OF_EACH;
	struct result_row *first, *rate;
	double began = proc_now(), ms;
	int r = 0;

	snprintf(variant, sizeof(variant), "%zu at once", c->n);
	first = bench_row(b, d, "start", variant, "first byte", "ms", e);
	rate = bench_row(b, d, "start", variant, "starts a second", "1/s", e);
	if (!first || !rate)
		return -ENOMEM;
	rate->more_is_better = true;
	first->unpaired = true;
	c->begun = c->ended = c->failures = 0;
	while (c->ended < all && r == 0) {
		while (c->living < c->n && c->begun < all)
			crowd_begin_one(c, d);
		r = life_pump(c->at, c->living, 1000);
		if (r == 0)
			r = crowd_collect(b, c, first, warm, round, e);
		else
			err_text(e, -r, "interrupted");
	}
	ms = proc_now() - began;
	if (r < 0)
		crowd_end(c);
	if (r < 0 || warm)
		return r;
	if (c->failures) {
		row_fail(b->result, first, c->why.text);
		row_fail(b->result, rate, c->why.text);
		first->failures += (unsigned int)c->failures;
	}
	if (row_add(rate, (double)round, c->failures ? NAN : (double)all / ms * 1e3) < 0)
		return err_set(e, ENOMEM, "keep results");
	return 0;
}

static int crowd_make(struct crowd *c, size_t n, struct err *e)
{
	*c = (struct crowd){ .n = n };
	c->lives = calloc(n, sizeof(*c->lives));
	c->at = calloc(n, sizeof(struct life *));
	if (!c->lives || !c->at)
		return err_set(e, ENOMEM, "start %zu at once", n);
	for (size_t i = 0; i < n; i++)
		c->at[i] = &c->lives[i];
	return 0;
}

static int at_once(struct bench *b, uint64_t rounds, const struct patience *p, struct err *e)
{
	struct crowd c;
	int r = crowd_make(&c, b->o->concurrency, e);

	progress_begin(b, "start, many at once", (rounds + 1) * b->designs.n);
	for (uint64_t i = 0; i <= rounds && r == 0; i++) {
		struct design *d;

		for (size_t k = 0; r == 0 && (d = bench_turn(b, i, k)); k++) {
			if (*failed_of(b, p, d) < BENCH_PATIENCE) {
				r = crowd_round(b, &c, d, i == 0, i, e);
				*failed_of(b, p, d) = c.failures ? *failed_of(b, p, d) + 1 : 0;
			}
			progress_step(b, d);
		}
	}
	progress_end(b);
	free(c.lives);
	free(c.at);
	return r;
}

/* --- step by step ------------------------------------------------------------------------------------- */

static int keep_step(struct bench *b, const struct design *d, const char *metric, uint64_t round, double ms,
	const char *why, struct err *e)
{
	struct result_row *row = bench_row(b, d, "start", "step by step", metric, "ms", e);

	if (!row)
		return -ENOMEM;
	if (isnan(ms))
		row_fail(b->result, row, why);
	return row_add(row, (double)round, ms) < 0 ? err_set(e, ENOMEM, "keep results") : 0;
}

/* One command of the steps: to its end, and to the payload's mark if it is to bring it. */
static int one_step(struct life *l, struct design *d, enum design_verb verb, const char *id, const int *pipe,
	bool mark, struct err *why)
{
	int r = life_begin(l, d, verb, id, life_first, pipe, why);

	if (r == 0)
		r = life_until(l, mark, true);
	/* Nobody asks for a mark where none is to come. */
	l->marked |= !mark;
	if (r == 0 || r == -ETIME)
		r = life_verdict(l, why);
	life_drop(l);
	return r;
}

/* create, start and delete by themselves, as engines call them. */
static int steps_once(struct bench *b, struct design *d, const int *pipe, bool warm, uint64_t round,
	unsigned int *failed, struct err *e)
{
	double create = NAN, start = NAN, end = NAN, began;
	struct err why = ERR_INIT;
	struct life l;
	char id[96];
	int r;

	design_new_id(d, id, sizeof(id));
	r = one_step(&l, d, DESIGN_CREATE, id, pipe, false, &why);
	if (r == 0) {
		create = l.ended - l.begun;
		r = one_step(&l, d, DESIGN_START, id, pipe, true, &why);
	}
	if (r == 0)
		start = l.first - l.begun;
	began = proc_now();
	if (design_stop(d, id, 0, r == 0 ? &why : NULL) == 0 && r == 0)
		end = proc_now() - began;
	if (r == -EINTR)
		return err_text(e, EINTR, "interrupted");
	*failed = r < 0 ? *failed + 1 : 0;
	if (warm)
		return 0;
	r = keep_step(b, d, "create", round, create, why.text, e);
	if (r == 0)
		r = keep_step(b, d, "start, to the first byte", round, start, why.text, e);
	return r < 0 ? r : keep_step(b, d, "delete", round, end, why.text, e);
}

static int step_by_step(struct bench *b, uint64_t rounds, const struct patience *p, struct err *e)
{
	int pipe[2], r = held_pipe(pipe, e);

	if (r < 0)
		return r;
	progress_begin(b, "start, step by step", (rounds + b->o->warmup) * b->designs.n);
	for (uint64_t i = 0; i < rounds + b->o->warmup && r == 0; i++) {
		struct design *d;

		for (size_t k = 0; r == 0 && (d = bench_turn(b, i, k)); k++) {
			if (d->kind->steps && *failed_of(b, p, d) < BENCH_PATIENCE)
				r = steps_once(b, d, pipe, i < b->o->warmup, i - b->o->warmup,
					failed_of(b, p, d), e);
			progress_step(b, d);
		}
	}
	progress_end(b);
	held_pipe_close(pipe);
	return r;
}

static int own_steps(struct bench *b, uint64_t rounds, const struct patience *p, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < b->designs.n && r == 0; i++) {
		struct design *d = &b->designs.at[i];

		if (!d->kind->own_steps || !bench_measures(b, d) || *failed_of(b, p, d) >= BENCH_PATIENCE)
			continue;
		progress_begin(b, "start, by its own steps", rounds + b->o->warmup);
		r = bench_own_steps(b, d, rounds, e);
		progress_end(b);
	}
	return r;
}

int bench_start(struct bench *b, struct err *e)
{
	_cleanup_free_ unsigned int *failed = calloc(b->designs.n, sizeof(*failed));
	const struct patience p = { failed };
	uint64_t rounds = bench_count(b, 40);
	int r;

	if (!failed)
		return err_set(e, ENOMEM, "measure starts");
	r = one_at_a_time(b, rounds, &p, e);
	if (r == 0)
		r = step_by_step(b, rounds, &p, e);
	if (r == 0)
		r = own_steps(b, rounds, &p, e);
	if (r == 0 && b->o->concurrency)
		r = at_once(b, (rounds + 3) / 4, &p, e);
	return r;
}

/* --- exec --------------------------------------------------------------------------------------------- */

static const char *const idle[] = { "idle", NULL };

/* The designs of which an instance lives; the others have a row that says why not. */
static int hold_all(
	struct bench *b, struct held *held, const struct patience *p, const int *pipe, struct err *e)
{
	for (size_t i = 0; i < b->designs.n; i++) {
		struct design *d = &b->designs.at[i];
		struct err why = ERR_INIT;
		struct result_row *row;
		double start;
		int r;

		held[i].id[0] = '\0';
		if (!bench_measures(b, d))
			continue;
		if (d->kind->attached)
			r = err_text(&why, ENOTSUP, "there is no way into a living one");
		else
			r = held_start(&held[i], d, idle, pipe, &start, &why);
		if (r == 0)
			continue;
		if (r == -EINTR)
			return err_text(e, EINTR, "interrupted");
		held[i].id[0] = '\0';
		*failed_of(b, p, d) = BENCH_PATIENCE;
		row = bench_row(b, d, "exec", "one at a time", "first byte", "ms", e);
		if (!row)
			return -ENOMEM;
		row_fail(b->result, row, why.text);
	}
	return 0;
}

static int exec_rounds(struct bench *b, const struct held *held, const struct patience *p, struct err *e)
{
	uint64_t rounds = bench_count(b, 40);
	int r = 0;

	progress_begin(b, "exec", (rounds + b->o->warmup) * b->designs.n);
	for (uint64_t i = 0; i < rounds + b->o->warmup && r == 0; i++) {
		struct design *d;

		for (size_t k = 0; r == 0 && (d = bench_turn(b, i, k)); k++) {
			if (*failed_of(b, p, d) < BENCH_PATIENCE)
				r = live_once(b, d, "exec", DESIGN_EXEC, held[d - b->designs.at].id,
					i < b->o->warmup, i - b->o->warmup, failed_of(b, p, d), e);
			progress_step(b, d);
		}
	}
	progress_end(b);
	return r;
}

int bench_exec(struct bench *b, struct err *e)
{
	_cleanup_free_ unsigned int *failed = calloc(b->designs.n, sizeof(*failed));
	_cleanup_free_ struct held *held = calloc(b->designs.n, sizeof(*held));
	const struct patience p = { failed };
	int pipe[2], r;

	if (!failed || !held)
		return err_set(e, ENOMEM, "measure exec");
	if (held_pipe(pipe, e) < 0)
		return -e->code;
	r = hold_all(b, held, &p, pipe, e);
	if (r == 0)
		r = exec_rounds(b, held, &p, e);
	for (size_t i = 0; i < b->designs.n; i++)
		if (held[i].id[0])
			design_stop(&b->designs.at[i], held[i].id, held[i].pid, NULL);
	held_pipe_close(pipe);
	return r;
}
