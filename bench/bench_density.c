/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `density`: what one more living instance costs. `scale`: how long its start takes when so many live
 * already.
 *
 * A series starts instances of one design, one after another, until the number that was asked for, a limit of
 * memory, or a start that fails. Between starts everything is counted (measure.h), and a line is laid through
 * the readings: its slope is the cost of an instance, with all that only the first one pays left out, since
 * the reading of an empty host is not among the points. Before the first start the host is read a few times
 * while nothing happens: by so much its counters vary by themselves, which is the resolution of the slope.
 *
 * Series are one after another and not in turns: what the kernel keeps for one more instance depends on all
 * that are there (each memory cgroup has an array as long as the largest number of shrinkers ever alive, for
 * one), so that designs that live beside each other would pay for each other. That array is also why the
 * order of designs matters, and why a figure to be believed comes from a fresh boot with one design at a
 * time.
 *
 * After a series all is stopped, and what is still there is told: processes and cgroups are a leak, and a
 * blemish; kernel memory that was not given back is a figure, since caches keep some.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/measure.h"

#define READINGS      32 /* in a series */
#define IDLE_READINGS 6
/* What a start may have left unfinished when nothing is running any more. */
#define STOP_SETTLE 200
/* How many times as long as it takes to settle the kernel is given to give memory back. */
#define GIVE_BACK 30

struct series {
	struct bench *b;
	struct design *d;
	const char *bench, *variant;
	const char *const *payload;
	struct held *held;
	uint64_t n, all;
	uint64_t available; /* before the first, bytes */
	size_t processes;   /* of the run, before the first: an engine's own */
	unsigned int cgroups;
	struct reading empty, spread; /* before the first; how far idle readings were apart */
	bool count_memory;	      /* density; scale only times */
	int pipe[2];
};

static int add(struct series *s, const char *metric, const char *unit, bool minor, double resolution,
	double x, double y, struct err *e)
{
	struct result_row *row = bench_row(s->b, s->d, s->bench, s->variant, metric, unit, e);

	if (!row)
		return -ENOMEM;
	row->slope = true;
	row->minor = minor;
	row->resolution = resolution;
	return row_add(row, x, y) < 0 ? err_set(e, ENOMEM, "keep results") : 0;
}

static uint64_t guest_memory(const struct series *s)
{
	return s->d->kind->machine ? s->b->o->guest_memory : 0;
}

static int wait_ms(int ms, struct err *e)
{
	double end = proc_now() + ms, left;
	struct life *none = NULL;

	/* Ends of children interrupt it. */
	while ((left = end - proc_now()) > 0)
		if (life_pump(&none, 0, (int)left + 1) == -EINTR)
			return err_text(e, EINTR, "interrupted");
	return 0;
}

/* The empty host, several times. */
static int read_idle(struct series *s, struct err *e)
{
	struct reading low = { 0 }, high = { 0 }, now;

	for (int i = 0; i < IDLE_READINGS; i++) {
		int r = wait_ms((int)s->b->o->settle, e);

		if (r == 0)
			r = measure_read(s->b->site.id, guest_memory(s), &now, e);
		if (r < 0)
			return r;
		for (int m = 0; m < MEASURE_COUNT; m++) {
			low.v[m] = i == 0 ? now.v[m] : fmin(low.v[m], now.v[m]);
			high.v[m] = i == 0 ? now.v[m] : fmax(high.v[m], now.v[m]);
		}
	}
	s->empty = now;
	s->processes = proc_count_marked(s->b->site.id);
	s->cgroups = measure_cgroups(s->b->site.id);
	s->available = machine_meminfo("MemAvailable");
	for (int m = 0; m < MEASURE_COUNT; m++)
		s->spread.v[m] = high.v[m] - low.v[m];
	return 0;
}

static int read_now(struct series *s, struct err *e)
{
	struct reading now;
	int r = wait_ms((int)s->b->o->settle, e);

	if (r == 0)
		r = measure_read(s->b->site.id, guest_memory(s), &now, e);
	for (int m = 0; m < MEASURE_COUNT && r == 0; m++) {
		const struct measure_name *name = &measure_names[m];
		/* Memory comes in pages, and a PSS cut off. */
		double fine = str_eq(name->unit, "bytes") ? 4096 : 0;

		if (m == MEASURE_GUEST && !s->d->kind->machine)
			continue;
		if (m == MEASURE_PSS || m == MEASURE_ACCOUNTED)
			fine += MEASURE_PSS_CUT * now.v[MEASURE_PROCESSES];
		r = add(s, name->metric, name->unit, name->minor,
			name->of_host ? fmax(s->spread.v[m], fine) : fine, (double)s->n,
			now.v[m] - (name->of_host ? s->empty.v[m] : 0), e);
	}
	return r;
}

/* A note on the headline row that the series did not get to its end. */
static void stopped_at(struct series *s, bool blemish, const char *why)
{
	const char *metric = s->count_memory ? measure_names[MEASURE_HOST].metric : "start";
	struct result_row *row = result_row(
		s->b->result, s->bench, s->variant, metric, s->d->name, s->count_memory ? "bytes" : "ms");
	_cleanup_strbuf_ struct strbuf text = { 0 };

	if (!row)
		return;
	row->slope = true;
	strbuf_printf(&text, "stopped at %llu of %llu: %s", (unsigned long long)s->n,
		(unsigned long long)s->all, why);
	if (blemish)
		row->failures++;
	if (text.s)
		row_fail(s->b->result, row, text.s);
}

/* NULL: go on. */
static const char *limit_reached(const struct series *s, char *buf, size_t size)
{
	uint64_t available = machine_meminfo("MemAvailable");
	uint64_t reserve = s->b->o->reserve ? s->b->o->reserve : machine_meminfo("MemTotal") / 8;
	double taken = (double)s->available - (double)available;

	if (available < reserve) {
		snprintf(buf, size, "%llu MiB of memory are left, which is the reserve",
			(unsigned long long)(available >> 20));
		return buf;
	}
	if (!s->b->o->memory_limit)
		return NULL;
	if (taken < (double)s->b->o->memory_limit)
		return NULL;
	snprintf(
		buf, size, "the memory limit of %llu MiB", (unsigned long long)(s->b->o->memory_limit >> 20));
	return buf;
}

/* Is the i-th of `all` one to read at? The first three always are, so that there is a line. */
static bool is_reading(uint64_t i, uint64_t all)
{
	return all <= READINGS || i <= 3 || i * READINGS / all != (i - 1) * READINGS / all;
}

static int grow(struct series *s, struct err *e)
{
	int r = 0;

	while (s->n < s->all && r == 0) {
		struct err why = ERR_INIT;
		char text[128];
		const char *limit = limit_reached(s, text, sizeof(text));
		double start;

		if (limit) {
			stopped_at(s, false, limit);
			break;
		}
		r = held_start(&s->held[s->n], s->d, s->payload, s->pipe, &start, &why);
		if (r == -EINTR)
			return err_text(e, EINTR, "interrupted");
		if (r < 0) {
			stopped_at(s, true, why.text);
			r = 0;
			break;
		}
		s->n++;
		if (!s->count_memory)
			r = add(s, "start", "ms", false, 0, (double)s->n - 1, start, e);
		else if (is_reading(s->n, s->all))
			r = read_now(s, e);
		progress_step(s->b, s->d);
	}
	return r;
}

/* --- the end of a series ------------------------------------------------------------------------------ */

/* Every `step`-th from the i-th on. How many were not stopped; `row`: where the reason is noted, or NULL. */
static unsigned int stop_some(struct series *s, uint64_t i, uint64_t step, struct result_row *row)
{
	unsigned int failed = 0;

	for (; i < s->n; i += step) {
		/* The youngest first. */
		struct held *h = &s->held[s->n - 1 - i];
		struct err why = ERR_INIT;

		if (design_stop(s->d, h->id, h->pid, &why) == 0)
			continue;
		failed++;
		if (row)
			row_note(s->b->result, row, "an instance was not stopped: %s", why.text);
	}
	return failed;
}

/* Those that are our own children only we can wait for. */
static unsigned int stoppers(const struct series *s)
{
	const long n = sysconf(_SC_NPROCESSORS_ONLN);

	return s->count_memory || s->d->kind->attached || n < 2 ? 1 : n < 64 ? (unsigned int)n : 64;
}

/*
 * All of them. With several processes: what their commands wait for is then overlapped as by a user's
 * `xargs -P`. A helper says a byte for each that it could not stop, and its end closes the pipe: it may be
 * anybody who reaps it.
 */
static void stop_all(struct series *s, struct result_row *row)
{
	const unsigned int n = stoppers(s);
	unsigned int failed = 0, helpers = 0;
	int p[2] = { -1, -1 };
	char text[64];
	ssize_t got;

	for (unsigned int i = 1; i < n && (helpers || pipe2(p, O_CLOEXEC) == 0); i++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		helpers++;
		if (pid > 0)
			continue;
		for (failed = stop_some(s, i, n, NULL); failed > 0; failed--)
			(void)!write(p[1], "", 1);
		_exit(0);
	}
	close(p[1]);
	stop_some(s, 0, n, row);
	while (helpers && ((got = read(p[0], text, sizeof(text))) > 0 || (got < 0 && errno == EINTR)))
		failed += got > 0 ? (unsigned int)got : 0;
	close(p[0]);
	/* Could not be had, or died: what it has not done. */
	for (unsigned int i = 1 + helpers; i < n; i++)
		stop_some(s, i, n, row);
	if (failed && row)
		row_note(s->b->result, row, "%u more instances were not stopped", failed);
	s->n = 0;
}

static void tell_leaks(struct series *s, struct result_row *row)
{
	size_t processes = 0;
	unsigned int cgroups = 0;

	/* An end may be under way. */
	for (int i = 0; i < 20; i++) {
		processes = proc_count_marked(s->b->site.id);
		cgroups = measure_cgroups(s->b->site.id);
		if (processes <= s->processes && cgroups <= s->cgroups)
			return;
		usleep(STOP_SETTLE * 1000 / 4);
	}
	if (processes > s->processes)
		row_note(s->b->result, row, "leak: %zu processes are left after all were stopped",
			processes - s->processes);
	if (cgroups > s->cgroups)
		row_note(s->b->result, row, "leak: %u cgroups are left after all were stopped",
			cgroups - s->cgroups);
	/* They must not be counted with the next series. */
	proc_kill_marked(s->b->site.id, 10000);
}

/* What the kernel still has of it, a while after the end, an instance. */
static int tell_kept(struct series *s, uint64_t n, struct err *e)
{
	struct result_row *row;
	struct reading now = { 0 };
	double kept = 0;

	for (int waited = 0; waited <= GIVE_BACK; waited += 5) {
		if (measure_read(s->b->site.id, 0, &now, e) < 0)
			return -e->code;
		kept = now.v[MEASURE_HOST] - s->empty.v[MEASURE_HOST];
		if (kept <= s->spread.v[MEASURE_HOST] || proc_stop)
			break;
		usleep((useconds_t)s->b->o->settle * 5000);
	}
	row = bench_row(
		s->b, s->d, s->bench, s->variant, "host memory kept after the end, an instance", "bytes", e);
	if (!row)
		return -ENOMEM;
	row->minor = true;
	return row_add(row, 0, fmax(kept, 0) / (double)n) < 0 ? err_set(e, ENOMEM, "keep results") : 0;
}

/* scale: what they hold together, and how long it takes to end them; for one. */
static int add_whole(
	struct series *s, uint64_t n, const char *metric, const char *unit, double value, struct err *e)
{
	struct result_row *row;
	char variant[48];

	snprintf(variant, sizeof(variant), "all %llu", (unsigned long long)n);
	row = bench_row(s->b, s->d, s->bench, variant, metric, unit, e);
	if (!row)
		return -ENOMEM;
	row->unpaired = true;
	return row_add(row, 0, value / (double)n) < 0 ? err_set(e, ENOMEM, "keep results") : 0;
}

static int read_whole(struct series *s, struct err *e)
{
	struct reading now;
	/* Supervisors take a moment to fall asleep. */
	int r = wait_ms((int)s->b->o->settle * 20, e);

	if (r == 0)
		r = measure_read(s->b->site.id, guest_memory(s), &now, e);
	if (r == 0)
		r = add_whole(s, s->n, measure_names[MEASURE_HOST].metric, "bytes",
			now.v[MEASURE_HOST] - s->empty.v[MEASURE_HOST], e);
	if (r == 0)
		r = add_whole(s, s->n, measure_names[MEASURE_PSS].metric, "bytes", now.v[MEASURE_PSS], e);
	return r;
}

static int run_series(struct series *s, struct err *e)
{
	double began;
	const char *metric = s->count_memory ? measure_names[MEASURE_HOST].metric : "start";
	struct result_row *row;
	uint64_t n;
	int r = read_idle(s, e);

	if (r == 0)
		r = held_pipe(s->pipe, e);
	if (r < 0)
		return r;
	r = grow(s, e);
	n = s->n;
	row = n ? result_row(s->b->result, s->bench, s->variant, metric, s->d->name,
			  s->count_memory ? "bytes" : "ms")
		: NULL;
	if (r == 0 && n && !s->count_memory)
		r = read_whole(s, e);
	began = proc_now();
	stop_all(s, row);
	if (r == 0 && n && !s->count_memory && !proc_stop)
		r = add_whole(s, n, "end", "ms", proc_now() - began, e);
	held_pipe_close(s->pipe);
	if (row)
		tell_leaks(s, row);
	if (r == 0 && n && s->count_memory)
		r = tell_kept(s, n, e);
	return r;
}

static int all_series(struct bench *b, const char *bench, const char *variant, const char *payload,
	uint64_t all, bool count_memory, struct err *e)
{
	const char *const words[] = { payload, NULL };
	_cleanup_free_ struct held *held = calloc(all, sizeof(*held));
	int r = held ? 0 : err_set(e, ENOMEM, "start %llu instances", (unsigned long long)all);
	char what[64];

	snprintf(what, sizeof(what), "%s, %s", bench, variant);
	progress_begin(b, what, all * b->designs.n);
	for (size_t i = 0; i < b->designs.n && r == 0; i++) {
		struct series s = { .b = b,
			.d = &b->designs.at[i],
			.bench = bench,
			.variant = variant,
			.payload = words,
			.held = held,
			.all = all,
			.count_memory = count_memory };

		if (bench_measures(b, s.d))
			r = run_series(&s, e);
	}
	progress_end(b);
	return r;
}

static bool wants(const struct bench *b, const char *payload)
{
	return str_eq(b->o->payload, "both") || str_eq(b->o->payload, payload);
}

int bench_density(struct bench *b, struct err *e)
{
	uint64_t all = bench_count(b, 100);
	int r = 0;

	if (wants(b, "idle"))
		r = all_series(b, "density", "idle", "idle", all, true, e);
	if (r == 0 && wants(b, "web"))
		r = all_series(b, "density", "web server", "web", all, true, e);
	return r;
}

/* --- scale -------------------------------------------------------------------------------------------- */

/* Windows of starts: the first ones, those around each quarter, the last ones. */
#define WINDOWS	   5
#define WINDOW_MAX 50

static int add_windows(struct bench *b, const struct design *d, uint64_t all, struct err *e)
{
	const struct result_row *row = result_find(b->result, "scale", "idle", "start", d->name);
	uint64_t width = all / 20 < 3 ? 3 : all / 20 > WINDOW_MAX ? WINDOW_MAX : all / 20;

	/* Fewer would be in two windows. */
	if (all < WINDOWS * width)
		return 0;
	for (uint64_t w = 0; row && w < WINDOWS; w++) {
		uint64_t middle = w * (all - 1) / (WINDOWS - 1);
		uint64_t from = middle < width / 2 ? 0 : middle - width / 2;
		char variant[48];
		struct result_row *to;

		if (from + width > all)
			from = all > width ? all - width : 0;
		snprintf(variant, sizeof(variant), "beside %llu that live",
			(unsigned long long)(w ? middle : 0));
		to = from < row->n ? bench_row(b, d, "scale", variant, "start", "ms", e) : NULL;
		if (!to)
			continue;
		to->unpaired = true;
		for (uint64_t i = from; i < from + width && i < row->n; i++)
			if (row_add(to, (double)i, row->y[i]) < 0)
				return err_set(e, ENOMEM, "keep results");
	}
	return 0;
}

int bench_scale(struct bench *b, struct err *e)
{
	uint64_t all = bench_count(b, 1000);
	int r = all_series(b, "scale", "idle", "idle", all, false, e), one;

	for (size_t i = 0; i < b->designs.n; i++) {
		one = add_windows(b, &b->designs.at[i], all, e);
		r = one < 0 ? one : r;
	}
	return r;
}
