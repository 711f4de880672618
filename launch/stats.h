/* SPDX-License-Identifier: Apache-2.0 */
/* What partitions use: one pass over all of them, again and again, with few system calls each. */
#ifndef LAUNCH_STATS_H
#define LAUNCH_STATS_H

#include "launch/launch.h"

#define LAUNCH_UNKNOWN UINT64_MAX

struct launch_sample {
	const char *name;
	bool running; /* else nothing of what follows is known */
	/* LAUNCH_UNKNOWN where the host does not tell; limits: where there is none. */
	uint64_t cpu_ns, memory, memory_limit, pids, pids_limit, net_rx, net_tx, io_read, io_write;
	int pressure_cpu, pressure_memory, pressure_io; /* hundredths of a percent, -1: not known */
	double cpu;	  /* percent of one CPU since the pass before; < 0: not known yet */
	uint64_t io_rate; /* bytes a second since the pass before */
};

struct launch_stats;

/* `names`: NULL-terminated; none: all launched ones. -ENOENT names one that is not there. */
int launch_stats_new(
	const struct launch_ctx *ctx, char *const *names, struct launch_stats **out, struct err *e);
/* One pass, by name. *list is valid until the next one. Partitions that come and go meanwhile are no error.
 */
int launch_stats_pass(struct launch_stats *s, const struct launch_sample **list, size_t *n, struct err *e);
void launch_stats_free(struct launch_stats *s);
DEFINE_CLEANUP(struct launch_stats *, launch_stats_free);

/* --- figures.c: pure ---------------------------------------------------------------------------- */

#define FIGURE_MAX 32
enum figure_sort { FIGURE_CPU, FIGURE_MEMORY, FIGURE_IO };

/* "512B", "1.5MiB", "12.3GiB"; decimal: "1.5MB"; LAUNCH_UNKNOWN: "--". Into buf, which is returned. */
const char *figure_bytes(uint64_t v, bool decimal, char buf[static FIGURE_MAX]);
/* "12.34%"; < 0: "--". */
const char *figure_percent(double v, char buf[static FIGURE_MAX]);
const char *figure_count(uint64_t v, char buf[static FIGURE_MAX]);
/* Of memory: its part of the limit, or of the host's memory where there is none, in percent; < 0: unknown. */
double figure_part(uint64_t v, uint64_t limit);
uint64_t figure_limit(uint64_t limit, uint64_t host);
/* The largest first, equal ones by name. The list is copied: an array of pointers, malloc()ed. */
const struct launch_sample **figure_sorted(const struct launch_sample *list, size_t n, enum figure_sort by);

/* The columns of `stats` and `top`: a heading and a row a sample. `host`: the host's memory. `rates`: I/O in
 * bytes a second. */
struct strbuf;
void figure_table(
	struct strbuf *out, const struct launch_sample *const *list, size_t n, uint64_t host, bool rates);
/* An array of objects, numbers as they are. */
void figure_json(struct json_writer *w, const struct launch_sample *list, size_t n, uint64_t host);
uint64_t figure_host_memory(void);

#endif
