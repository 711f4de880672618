/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ringfence-bench: what the parts of the program share.
 *
 * Layers, from below: stats; proc, marked, site (processes and places of this host); design*, bundle, life
 * (how a design is called); measure (what the kernel counts); result* (what came out); the benchmarks, each a
 * file, a loop over designs that adds rows to the result; report, compare, plan (what a result means); main.
 *
 * All designs that can run here are measured in one run and in turns: in every round each design once, and
 * each round begins with another one. A machine whose speed drifts drifts for all alike, and what is compared
 * are the samples of the same round.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/design.h"
#include "bench/life.h"
#include "bench/result.h"

struct options {
	const char *designs, *out, *work, *pin, *runtime, *kernel, *payload;
	uint64_t count;	       /* 0: each benchmark's own */
	uint64_t warmup;       /* rounds */
	uint64_t concurrency;  /* of start; 0: none */
	uint64_t memory_limit; /* bytes that density and scale may take; 0: none */
	uint64_t reserve;      /* bytes that they leave to others; 0: an eighth of the machine's */
	uint64_t guest_memory; /* bytes */
	uint64_t settle;       /* ms from a start to a reading: what RCU frees later is gone then */
	uint64_t timeout;      /* s for a start */
	bool quiet;
	/* of compare and plan */
	uint64_t threshold; /* % */
	uint64_t instances, memory;
	bool relative;
};

struct progress {
	bool on;
	double begun, shown;
	const char *what;
	uint64_t done, all;
};

struct bench {
	const struct options *o;
	struct site site;
	struct design_env env;
	struct designs designs;
	struct result *result;
	struct progress progress;
	bool with_host; /* the design that only overhead is compared with takes its turn */
};

/*
 * The benchmarks. 0 also when designs fail, which their rows tell; -EINTR: stopped, and what is in the result
 * stands; else an error of the harness itself.
 */
int bench_start(struct bench *b, struct err *e);
/* A part of bench_start(), for designs that tell their own steps (bench_steps.c). */
int bench_own_steps(struct bench *b, struct design *d, uint64_t rounds, struct err *e);
int bench_exec(struct bench *b, struct err *e);
int bench_density(struct bench *b, struct err *e);
int bench_scale(struct bench *b, struct err *e);
int bench_overhead(struct bench *b, struct err *e);

/* --- for the benchmarks */

/* How many rounds: --count, or `usual`. */
uint64_t bench_count(const struct bench *b, uint64_t usual);

/* Can it be measured, and is it its turn? */
bool bench_measures(const struct bench *b, const struct design *d);

/* The i-th design of a round, of those that can be measured: each round begins with another. NULL: no more.
 */
struct design *bench_turn(struct bench *b, uint64_t round, size_t i);

/* A design that fails so often in a row is given up. */
#define BENCH_PATIENCE 3

/* The row of a design, or NULL for want of memory, which is then in e. */
struct result_row *bench_row(struct bench *b, const struct design *d, const char *bench, const char *variant,
	const char *metric, const char *unit, struct err *e);

/* --- progress.c: on a terminal, a line that is written over; else nothing */
void progress_begin(struct bench *b, const char *what, uint64_t steps);
void progress_step(struct bench *b, const struct design *d);
void progress_end(struct bench *b);

/* --- machine.c */

/* Host, kernel, processors, mitigations, limits: into the result. */
int machine_describe(struct result *r, struct err *e);

/* Sets the processors of this process, which its children inherit. list: "0,2-3"; NULL: as they are. *text:
 * which they are, malloc()ed. */
int machine_pin(const char *list, char **text, struct err *e);

/* The numbers behind "NAME:" in /proc/meminfo, in bytes, of one reading; 0 for one that is not there. */
void machine_meminfos(const char *const *names, double *values, size_t n);
uint64_t machine_meminfo(const char *name);

#endif
