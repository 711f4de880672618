/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What living instances hold of the host, as the kernel counts it.
 *
 * Two kinds of figures. Those of the run's own processes (their proportional set sizes, from smaps_rollup)
 * and cgroups are exact, and nobody else's work is in them. Those of the kernel (/proc/meminfo: slab, page
 * tables, per-cpu memory, stacks) and of the host as a whole exist for the whole host only: they have other
 * people's work in them, which is why costs are slopes over many readings and have a noise floor.
 *
 * "host memory" is what is neither free nor page cache nor the anonymous memory of processes that are not the
 * run's: it also has what the kernel allocated under no name, and is the figure to believe where it is known
 * well enough; "accounted" is the sum of what has a name.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum measure {
	MEASURE_HOST,	   /* MemTotal - MemFree - Buffers - Cached + Shmem, and without free pages of per-cpu
			      lists */
	MEASURE_ACCOUNTED, /* PSS and kernel */
	MEASURE_PSS,
	MEASURE_GUEST,	/* the part of PSS that is a guest's memory; 0 where there is no machine */
	MEASURE_KERNEL, /* the following four */
	MEASURE_SLAB,
	MEASURE_TABLES, /* page tables, also a guest's second level */
	MEASURE_PERCPU,
	MEASURE_STACKS,
	MEASURE_CGROUP, /* of that, what the run's memory cgroups were charged with */
	MEASURE_CACHE,	/* page cache */
	MEASURE_PROCESSES,
	MEASURE_THREADS,
	MEASURE_COUNT
};

/* By so many bytes the kernel may give a process' PSS too low, when it shares pages: it gives whole KiB. */
#define MEASURE_PSS_CUT 1024.0

struct reading {
	double v[MEASURE_COUNT]; /* bytes, or numbers */
};

/* How a row is called, its unit, and whether the whole host's noise is in it. */
struct measure_name {
	const char *metric, *unit;
	bool of_host;
	bool minor; /* a part of another one */
};
extern const struct measure_name measure_names[MEASURE_COUNT];

/*
 * Reads them all, of the processes with the mark of `run`. guest_memory: bytes of a machine's memory, for
 * those that are machines, by which its mapping is known; 0: none. Processes that end meanwhile count as
 * nothing.
 */
int measure_read(const char *run, uint64_t guest_memory, struct reading *out, struct err *e);

/*
 * Only what is the whole host's. MEASURE_HOST: MemTotal - MemFree - Buffers - Cached + Shmem - AnonPages, and
 * without the free pages of per-cpu lists.
 */
void measure_host(struct reading *out);

/* How many cgroups of the run there are, in all hierarchies. */
unsigned int measure_cgroups(const char *run);

#endif
