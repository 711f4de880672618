/* SPDX-License-Identifier: Apache-2.0 */
/* Live progress on a terminal, with the time that is left, and what the benchmarks' loops share. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/bench.h"

/* ms between two writes: the terminal's own work must not be measured. */
#define EVERY 250

void progress_begin(struct bench *b, const char *what, uint64_t steps)
{
	b->progress = (struct progress){ .on = !b->o->quiet && isatty(STDERR_FILENO),
		.begun = proc_now(),
		.what = what,
		.all = steps ? steps : 1 };
}

static void put_time(double ms, char *out, size_t size)
{
	unsigned long s = (unsigned long)(ms / 1000);

	if (s >= 3600)
		snprintf(out, size, "%lu h %02lu min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(out, size, "%lu min %02lu s", s / 60, s % 60);
	else
		snprintf(out, size, "%lu s", s);
}

void progress_step(struct bench *b, const struct design *d)
{
	struct progress *p = &b->progress;
	double now = proc_now(), left;
	char text[48];

	p->done++;
	if (!p->on || now - p->shown < EVERY)
		return;
	p->shown = now;
	left = (now - p->begun) / (double)p->done * (double)(p->done < p->all ? p->all - p->done : 0);
	put_time(left, text, sizeof(text));
	fprintf(stderr, "\r\033[K%s: %3llu %%, %s left (%s)", p->what,
		(unsigned long long)(p->done * 100 / p->all), text, d ? d->name : "");
	fflush(stderr);
}

void progress_end(struct bench *b)
{
	if (b->progress.on)
		fputs("\r\033[K", stderr);
	b->progress.on = false;
}

uint64_t bench_count(const struct bench *b, uint64_t usual)
{
	return b->o->count ? b->o->count : usual;
}

bool bench_measures(const struct bench *b, const struct design *d)
{
	return !d->reason && (!d->only_overhead || b->with_host);
}

struct design *bench_turn(struct bench *b, uint64_t round, size_t i)
{
	size_t usable = 0, at;

	for (size_t k = 0; k < b->designs.n; k++)
		usable += bench_measures(b, &b->designs.at[k]);
	if (i >= usable)
		return NULL;
	at = (size_t)((round + i) % usable);
	for (size_t k = 0; k < b->designs.n; k++)
		if (bench_measures(b, &b->designs.at[k]) && at-- == 0)
			return &b->designs.at[k];
	return NULL;
}

struct result_row *bench_row(struct bench *b, const struct design *d, const char *bench, const char *variant,
	const char *metric, const char *unit, struct err *e)
{
	struct result_row *row = result_row(b->result, bench, variant, metric, d->name, unit);

	if (!row)
		err_set(e, ENOMEM, "keep results");
	return row;
}
