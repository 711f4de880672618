/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics: the "data" of an `events` line in the layout that engines know.
 * Devices and huge pages are in stats_io.c, the few figures of a table in usage.c. */
#include "cgroups/stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/str.h"

/* --- lines and numbers ----------------------------------------------------------------------- */

int cg_lines(const struct cg_node *n, const char *file, void (*fn)(char *line, void *arg), void *arg)
{
	_cleanup_free_ char *text = NULL;
	char path[CG_FILE_MAX];
	int r;

	if (!n)
		return -ENOENT;
	if (!n->v2)
		return cg_lines_v1(n, file, fn, arg);
	r = fd_read_at(AT_FDCWD, cg_file(path, n, file), 4U << 20, &text, NULL);
	if (r < 0)
		return r;
	for (char *line = text; *line;) {
		char *end = strchrnul(line, '\n');
		bool more = *end != '\0';

		*end = '\0';
		fn(line, arg);
		line = end + more;
	}
	return 0;
}

struct number {
	uint64_t v;
	bool have;
};

static void first_number(char *line, void *arg)
{
	struct number *n = arg;

	if (n->have)
		return;
	line[strcspn(line, " ")] = '\0';
	if (str_eq(line, "max")) {
		n->v = UINT64_MAX;
		n->have = true;
	} else {
		n->have = str_to_u64(line, &n->v) == 0;
	}
}

bool cg_stat_number(const struct cg_node *n, const char *file, uint64_t *v)
{
	struct number x = { 0 };

	cg_lines(n, file, first_number, &x);
	if (x.have)
		*v = x.v;
	return x.have;
}

void cg_stat_put_number(struct json_writer *w, const struct cg_node *n, const char *file, const char *name)
{
	uint64_t v;

	if (cg_stat_number(n, file, &v))
		json_put_u64(w, name, v);
}

void cg_stat_pick(char *line, void *arg)
{
	char *value = strchr(line, ' ');

	if (!value)
		return;
	*value++ = '\0';
	for (struct cg_pick *p = arg; p->key; p++)
		if (str_eq(line, p->key))
			p->have = str_to_u64(value, &p->v) == 0;
}

void cg_stat_put_picked(struct json_writer *w, const struct cg_pick *p, const char *name, uint64_t factor)
{
	if (p->have)
		json_put_u64(w, name, p->v * factor);
}

/* --- pressure (v2) --------------------------------------------------------------------------- */

struct pressure {
	struct json_writer *w;
	bool open;
};

static void pressure_line(char *line, void *arg)
{
	struct pressure *p = arg;
	char *save = line, *word = strsep(&save, " ");

	if (!p->open)
		json_open_object(p->w, "psi");
	p->open = true;
	json_open_object(p->w, word);
	while ((word = strsep(&save, " "))) {
		char *eq = strchr(word, '=');
		uint64_t v;

		if (!eq)
			continue;
		*eq++ = '\0';
		if (str_eq(word, "total") && str_to_u64(eq, &v) == 0)
			json_put_u64(p->w, word, v);
		else if (str_starts(word, "avg"))
			json_put_double(p->w, word, strtod(eq, NULL));
	}
	json_close_object(p->w);
}

void cg_stat_put_pressure(struct json_writer *w, const struct cg_node *v2, const char *file)
{
	struct pressure p = { .w = w };

	cg_lines(v2, file, pressure_line, &p);
	if (p.open)
		json_close_object(w);
}

/* --- cpu ------------------------------------------------------------------------------------- */

static void percpu_line(char *line, void *arg)
{
	struct json_writer *w = arg;
	char *save = line, *word;
	uint64_t v;

	while ((word = strsep(&save, " ")))
		if (*word && str_to_u64(word, &v) == 0)
			json_put_u64(w, NULL, v);
}

/* cpuacct.usage_all: "cpu user system", then a line a CPU. */
struct column {
	struct json_writer *w;
	int index;
};

static void column_line(char *line, void *arg)
{
	const struct column *col = arg;
	char *save = line, *word = NULL;
	uint64_t v;

	for (int i = 0; i <= col->index; i++)
		word = strsep(&save, " ");
	if (word && str_to_u64(word, &v) == 0)
		json_put_u64(col->w, NULL, v);
}

static void cpu_v1(struct json_writer *w, const struct cg_node *cpu, const struct cg_node *acct)
{
	struct cg_pick times[] = { { .key = "user" }, { .key = "system" }, { 0 } };
	struct cg_pick throttled[] = { { .key = "nr_periods" }, { .key = "nr_throttled" },
		{ .key = "throttled_time" }, { 0 } };
	/* cpuacct.stat counts in USER_HZ, which is 100 in the ABI of every architecture we build for. */
	const uint64_t tick_ns = 10000000;
	uint64_t v;

	json_open_object(w, "usage");
	cg_stat_put_number(w, acct, "cpuacct.usage", "total");
	if (cg_stat_number(acct, "cpuacct.usage_percpu", &v)) {
		json_open_array(w, "percpu");
		cg_lines(acct, "cpuacct.usage_percpu", percpu_line, w);
		json_close_array(w);
		json_open_array(w, "percpu_kernel");
		cg_lines(acct, "cpuacct.usage_all", column_line, &(struct column){ w, 2 });
		json_close_array(w);
		json_open_array(w, "percpu_user");
		cg_lines(acct, "cpuacct.usage_all", column_line, &(struct column){ w, 1 });
		json_close_array(w);
	}
	cg_lines(acct, "cpuacct.stat", cg_stat_pick, times);
	cg_stat_put_picked(w, &times[1], "kernel", tick_ns);
	cg_stat_put_picked(w, &times[0], "user", tick_ns);
	json_close_object(w);
	json_open_object(w, "throttling");
	cg_lines(cpu, "cpu.stat", cg_stat_pick, throttled);
	cg_stat_put_picked(w, &throttled[0], "periods", 1);
	cg_stat_put_picked(w, &throttled[1], "throttledPeriods", 1);
	cg_stat_put_picked(w, &throttled[2], "throttledTime", 1);
	json_close_object(w);
}

static void cpu_v2(struct json_writer *w, const struct cg_node *n)
{
	struct cg_pick p[] = { { .key = "usage_usec" }, { .key = "system_usec" }, { .key = "user_usec" },
		{ .key = "nr_periods" }, { .key = "nr_throttled" }, { .key = "throttled_usec" }, { 0 } };

	cg_lines(n, "cpu.stat", cg_stat_pick, p);
	json_open_object(w, "usage");
	cg_stat_put_picked(w, &p[0], "total", 1000);
	cg_stat_put_picked(w, &p[1], "kernel", 1000);
	cg_stat_put_picked(w, &p[2], "user", 1000);
	json_close_object(w);
	json_open_object(w, "throttling");
	cg_stat_put_picked(w, &p[3], "periods", 1);
	cg_stat_put_picked(w, &p[4], "throttledPeriods", 1);
	cg_stat_put_picked(w, &p[5], "throttledTime", 1000);
	json_close_object(w);
}

/* --- cpuset ---------------------------------------------------------------------------------- */

/* "0-3,7" as [0,1,2,3,7] */
static void list_line(char *line, void *arg)
{
	struct json_writer *w = arg;
	char *save = line, *word;

	while ((word = strsep(&save, ","))) {
		char *dash = strchr(word, '-');
		uint32_t first, last;

		if (dash)
			*dash++ = '\0';
		if (str_to_u32(word, &first) < 0 || str_to_u32(dash ? dash : word, &last) < 0 || last > 65535)
			continue;
		for (; first <= last; first++)
			json_put_u64(w, NULL, first);
	}
}

static void put_list(struct json_writer *w, const struct cg_node *n, const char *file, const char *name)
{
	json_open_array(w, name);
	cg_lines(n, file, list_line, w);
	json_close_array(w);
}

static void cpuset(struct json_writer *w, const struct cg_node *n)
{
	static const char *const v1_flags[] = { "cpu_exclusive", "mem_hardwall", "mem_exclusive",
		"memory_migrate", "memory_spread_page", "memory_spread_slab", "memory_pressure",
		"sched_load_balance" };
	char file[64];
	char level[32];
	int64_t v;

	if (!n)
		return;
	put_list(w, n, n->v2 ? "cpuset.cpus.effective" : "cpuset.cpus", "cpus");
	put_list(w, n, n->v2 ? "cpuset.mems.effective" : "cpuset.mems", "mems");
	for (size_t i = 0; !n->v2 && i < ARRAY_SIZE(v1_flags); i++) {
		snprintf(file, sizeof(file), "cpuset.%s", v1_flags[i]);
		cg_stat_put_number(w, n, file, v1_flags[i]);
	}
	if (!n->v2 && cg_get(n, "cpuset.sched_relax_domain_level", level, sizeof(level)) > 0 &&
		str_to_i64(level, &v) == 0)
		json_put_i64(w, "sched_relax_domain_level", v);
}

/* --- memory ---------------------------------------------------------------------------------- */

static void raw_line(char *line, void *arg)
{
	char *value = strchr(line, ' ');
	uint64_t v;

	if (!value)
		return;
	*value++ = '\0';
	if (str_to_u64(value, &v) == 0)
		json_put_u64(arg, line, v);
}

static void memory_v1_entry(
	struct json_writer *w, const struct cg_node *n, const char *prefix, const char *name)
{
	char file[64];
	uint64_t v;

	snprintf(file, sizeof(file), "memory.%susage_in_bytes", prefix);
	if (!cg_stat_number(n, file, &v))
		return;
	json_open_object(w, name);
	json_put_u64(w, "usage", v);
	snprintf(file, sizeof(file), "memory.%slimit_in_bytes", prefix);
	cg_stat_put_number(w, n, file, "limit");
	snprintf(file, sizeof(file), "memory.%smax_usage_in_bytes", prefix);
	cg_stat_put_number(w, n, file, "max");
	snprintf(file, sizeof(file), "memory.%sfailcnt", prefix);
	cg_stat_put_number(w, n, file, "failcnt");
	json_close_object(w);
}

/* Adds as the kernel's counters do: "max" stays "max". */
static uint64_t sum(uint64_t a, uint64_t b)
{
	uint64_t v;

	return __builtin_add_overflow(a, b, &v) ? UINT64_MAX : v;
}

static void memory_v2(struct json_writer *w, const struct cg_node *n)
{
	struct cg_pick events[] = { { .key = "max" }, { 0 } };
	uint64_t usage = 0, limit = UINT64_MAX, swap, swap_limit = UINT64_MAX;

	cg_lines(n, "memory.events", cg_stat_pick, events);
	json_open_object(w, "usage");
	if (cg_stat_number(n, "memory.current", &usage))
		json_put_u64(w, "usage", usage);
	if (cg_stat_number(n, "memory.max", &limit))
		json_put_u64(w, "limit", limit);
	cg_stat_put_number(w, n, "memory.peak", "max");
	cg_stat_put_picked(w, &events[0], "failcnt", 1);
	json_close_object(w);
	/* As v1 counted it: memory and swap together. */
	if (cg_stat_number(n, "memory.swap.current", &swap)) {
		json_open_object(w, "swap");
		json_put_u64(w, "usage", sum(usage, swap));
		if (cg_stat_number(n, "memory.swap.max", &swap_limit))
			json_put_u64(w, "limit", sum(limit, swap_limit));
		json_close_object(w);
	}
}

static void memory(struct json_writer *w, const struct cg_node *n, const struct cg_node *v2)
{
	struct cg_pick cache[] = { { .key = "cache" }, { .key = "file" }, { 0 } };

	if (!n)
		return;
	cg_lines(n, "memory.stat", cg_stat_pick, cache);
	cg_stat_put_picked(w, n->v2 ? &cache[1] : &cache[0], "cache", 1);
	if (n->v2) {
		memory_v2(w, n);
	} else {
		memory_v1_entry(w, n, "", "usage");
		memory_v1_entry(w, n, "memsw.", "swap");
		memory_v1_entry(w, n, "kmem.", "kernel");
		memory_v1_entry(w, n, "kmem.tcp.", "kernelTCP");
	}
	json_open_object(w, "raw");
	cg_lines(n, "memory.stat", raw_line, w);
	json_close_object(w);
	cg_stat_put_pressure(w, v2, "memory.pressure");
}

static void pids(struct json_writer *w, const struct cg_node *n)
{
	uint64_t limit;

	if (!n)
		return;
	cg_stat_put_number(w, n, "pids.current", "current");
	/* "max" is left out, as engines expect. */
	if (cg_stat_number(n, "pids.max", &limit) && limit != UINT64_MAX)
		json_put_u64(w, "limit", limit);
}

static void cpu(struct json_writer *w, const struct cgrp *c, const struct cg_node *v2)
{
	const struct cg_node *v1 = cg_v1(c, "cpu"), *acct = cg_v1(c, "cpuacct");

	/* v2 tells CPU time even without the controller. */
	if (v1 || acct)
		cpu_v1(w, v1, acct);
	else if (v2)
		cpu_v2(w, v2);
	cg_stat_put_pressure(w, v2, "cpu.pressure");
}

/* --- all ------------------------------------------------------------------------------------- */

/* The node of a controller, v1's or v2's; the v2 cgroup counts only if it has the controller. */
static const struct cg_node *node_of(const struct cgrp *c, const char *v1_name, const char *v2_name)
{
	const struct cg_node *n = cg_v1(c, v1_name), *v2 = cg_v2(c);
	char list[256];

	if (n)
		return n;
	return v2 && cg_get(v2, "cgroup.controllers", list, sizeof(list)) > 0 && cg_list_has(list, v2_name)
		       ? v2
		       : NULL;
}

int cgrp_stats(const struct cgrp *c, struct json_writer *w, struct err *e)
{
	const struct cg_node *v2 = cg_v2(c);

	/* Each member is always there, as runc has it: empty where the partition has no such cgroup. */
	json_open_object(w, "cpu");
	cpu(w, c, v2);
	json_close_object(w);
	json_open_object(w, "cpuset");
	cpuset(w, node_of(c, "cpuset", "cpuset"));
	json_close_object(w);
	json_open_object(w, "memory");
	memory(w, node_of(c, "memory", "memory"), v2);
	json_close_object(w);
	json_open_object(w, "pids");
	pids(w, node_of(c, "pids", "pids"));
	json_close_object(w);
	json_open_object(w, "blkio");
	cg_stat_blkio(w, node_of(c, "blkio", "io"), v2);
	json_close_object(w);
	json_open_object(w, "hugetlb");
	cg_stat_hugetlb(w, node_of(c, "hugetlb", "hugetlb"));
	json_close_object(w);
	return 0;
}
