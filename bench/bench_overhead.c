/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `overhead`: what a design takes from those who run in it. The payload says its mark, does a fixed piece of
 * work and says that it is done; the start is not in it. In turns, as starts are, and against the same work
 * on the bare host.
 *
 * On the host's kernel the payload's own clock counts. A guest's may tick every 10 ms only, so of a machine
 * the time is that between the mark and the answer, at the other end of its output: the way of a line out of
 * the machine is in it, and we may be late to see the mark, which is why each work takes some milliseconds.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"

static const struct {
	const char *kind, *metric;
} works[] = {
	{ "cpu", "computing: 20 million steps of a random number generator" },
	{ "memory", "memory: 256 MiB written and read" },
	{ "faults", "memory: 8,192 first touches of a page" },
	{ "syscalls", "system calls: 200,000 of the shortest" },
	{ "files", "files: 8 MiB written to a tmpfs and read" },
	{ "open", "files: 2,000 opened in the root file system" },
	{ "network", "network: 500 connections over loopback" },
};

/* In ms; NAN if what came is no number. */
static double work_time(struct life *l)
{
	uint64_t ns;

	l->said[l->n_said] = '\0';
	/* A console ends lines with \r\n. */
	l->said[strcspn(l->said, "\r\n")] = '\0';
	if (str_to_u64(l->said, &ns) < 0)
		return NAN;
	return l->design->kind->machine ? l->answered - l->first : (double)ns / 1e6;
}

static int work_once(struct bench *b, struct design *d, size_t work, bool warm, uint64_t round,
	unsigned int *failed, struct err *e)
{
	const char *const payload[] = { "work", works[work].kind, NULL };
	struct err why = ERR_INIT;
	struct result_row *row;
	struct life l;
	double ms = NAN;
	char id[96];
	int r;

	design_new_id(d, id, sizeof(id));
	r = life_begin(&l, d, DESIGN_RUN, id, payload, NULL, &why);
	if (r == 0)
		r = life_until(&l, true, true);
	if (r == 0 || r == -ETIME)
		r = life_verdict(&l, &why);
	if (r == 0) {
		ms = work_time(&l);
		if (isnan(ms))
			r = err_text(
				&why, EPROTO, "%s: the payload did not say that its work was done", d->name);
	}
	life_drop(&l);
	if (r < 0)
		design_stop(d, id, 0, NULL);
	if (r == -EINTR)
		return err_text(e, EINTR, "interrupted");
	*failed = r < 0 ? *failed + 1 : 0;
	if (warm)
		return 0;
	row = bench_row(b, d, "overhead", "inside", works[work].metric, "ms", e);
	if (!row)
		return -ENOMEM;
	if (r < 0)
		row_fail(b->result, row, why.text);
	return row_add(row, (double)round, ms) < 0 ? err_set(e, ENOMEM, "keep results") : 0;
}

int bench_overhead(struct bench *b, struct err *e)
{
	uint64_t rounds = bench_count(b, 10);
	_cleanup_free_ unsigned int *failed = calloc(b->designs.n * ARRAY_SIZE(works), sizeof(*failed));
	int r = failed ? 0 : err_set(e, ENOMEM, "measure overhead");

	b->with_host = true;
	progress_begin(b, "overhead", (rounds + 1) * b->designs.n * ARRAY_SIZE(works));
	for (uint64_t i = 0; i <= rounds && r == 0; i++)
		for (size_t w = 0; w < ARRAY_SIZE(works) && r == 0; w++) {
			struct design *d;

			for (size_t k = 0; r == 0 && (d = bench_turn(b, i, k)); k++) {
				unsigned int *f =
					&failed[(size_t)(d - b->designs.at) * ARRAY_SIZE(works) + w];

				if (*f < BENCH_PATIENCE)
					r = work_once(b, d, w, i == 0, i, f, e);
				progress_step(b, d);
			}
		}
	progress_end(b);
	b->with_host = false;
	return r;
}
