/* SPDX-License-Identifier: Apache-2.0 */
/* The few figures of a table, with as few reads as they take. */
#include <stdio.h>

#include "base/str.h"
#include "cgroups/stats.h"

/* A line a device; hosts with hundreds of them have less than this. */
#define IO_MAX 65536

/* --- block I/O -------------------------------------------------------------------------------- */

static void add(uint64_t *sum, const char *text)
{
	uint64_t v;

	if (str_to_u64(text, &v) == 0)
		*sum = *sum == UINT64_MAX ? v : *sum + v;
}

/* "8:0 Read 4096" */
static void line_v1(char *line, struct cgrp_usage *u)
{
	char *save = line, *op;

	strsep(&save, " ");
	op = strsep(&save, " ");
	if (!op || !save)
		return;
	if (str_eq(op, "Read"))
		add(&u->io_read, save);
	else if (str_eq(op, "Write"))
		add(&u->io_write, save);
}

/* "8:0 rbytes=4096 wbytes=0 rios=1 …" */
static void line_v2(char *line, struct cgrp_usage *u)
{
	char *save = line, *word;

	while ((word = strsep(&save, " "))) {
		if (str_starts(word, "rbytes="))
			add(&u->io_read, word + strlen("rbytes="));
		else if (str_starts(word, "wbytes="))
			add(&u->io_write, word + strlen("wbytes="));
	}
}

static void io(const struct cg_node *n, struct cgrp_usage *u)
{
	_cleanup_free_ char *buf = malloc(IO_MAX);
	const char *file = n->v2 ? "io.stat" : "blkio.throttle.io_service_bytes_recursive";

	if (!buf || cg_get(n, file, buf, IO_MAX) < 0)
		return;
	/* The file is there, and has no line until something was read or written. */
	u->io_read = u->io_write = 0;
	for (char *save = buf, *line; (line = strsep(&save, "\n"));)
		(n->v2 ? line_v2 : line_v1)(line, u);
}

/* --- pressure --------------------------------------------------------------------------------- */

/* "some avg10=0.12 avg60=…" to 12. */
static int pressure(const struct cg_node *v2, const char *file)
{
	char text[256];
	unsigned int whole, hundredths;

	if (cg_get(v2, file, text, sizeof(text)) < 0 ||
		sscanf(text, "some avg10=%3u.%2u", &whole, &hundredths) != 2)
		return -1;
	return (int)(whole * 100 + hundredths);
}

/* --- all -------------------------------------------------------------------------------------- */

int cgrp_usage(const struct cgrp *c, struct cgrp_usage *u, struct err *e)
{
	const struct cg_node *v2 = cg_v2(c), *n;
	struct cgrp_usage x = { .cpu_ns = UINT64_MAX,
		.memory = UINT64_MAX,
		.memory_limit = UINT64_MAX,
		.pids = UINT64_MAX,
		.pids_limit = UINT64_MAX,
		.io_read = UINT64_MAX,
		.io_write = UINT64_MAX,
		.pressure_cpu = -1,
		.pressure_memory = -1,
		.pressure_io = -1 };

	n = cg_v1(c, "cpuacct");
	if (n)
		cg_get_u64(n, "cpuacct.usage", &x.cpu_ns);
	else if (v2 && cg_get_key(v2, "cpu.stat", "usage_usec", &x.cpu_ns) == 0)
		x.cpu_ns *= 1000;
	n = cg_v1(c, "memory");
	if (n) {
		cg_get_u64(n, "memory.usage_in_bytes", &x.memory);
		/* v1 writes "no limit" as the largest multiple of a page. */
		if (cg_get_u64(n, "memory.limit_in_bytes", &x.memory_limit) == 0 &&
			x.memory_limit > (uint64_t)INT64_MAX - 65536)
			x.memory_limit = UINT64_MAX;
	} else if (v2) {
		cg_get_u64(v2, "memory.current", &x.memory);
		cg_get_u64(v2, "memory.max", &x.memory_limit);
	}
	n = cg_v1(c, "pids");
	if (!n)
		n = v2;
	if (n) {
		cg_get_u64(n, "pids.current", &x.pids);
		cg_get_u64(n, "pids.max", &x.pids_limit);
	}
	n = cg_v1(c, "blkio");
	if (!n)
		n = v2;
	if (n)
		io(n, &x);
	if (v2) {
		x.pressure_cpu = pressure(v2, "cpu.pressure");
		x.pressure_memory = pressure(v2, "memory.pressure");
		x.pressure_io = pressure(v2, "io.pressure");
	}
	*u = x;
	return 0;
}
