/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence update: other limits for a living partition. */
#include "cli/cli.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"

#define RESOURCES_MAX (1U << 20)

struct update_options {
	const char *file, *l3_cache_schema, *mem_bw_schema, *kernel_memory;
	struct spec_resources r;
};

#define AT(field) offsetof(struct update_options, field)
static const struct opt options[] = {
	{ "resources", 'r', OPT_STRING, AT(file), "FILE",
		"linux.resources as JSON; - is standard input; options below override it" },
	{ "blkio-weight", 0, OPT_U64, AT(r.block_weight), "N", "share of block I/O, 10 to 1000" },
	{ "cpu-period", 0, OPT_U64, AT(r.cpu_period), "USEC", "period of the CPU quota" },
	{ "cpu-quota", 0, OPT_I64, AT(r.cpu_quota), "USEC", "CPU time in a period; -1: no limit" },
	{ "cpu-burst", 0, OPT_U64, AT(r.cpu_burst), "USEC", "quota that may be saved up" },
	{ "cpu-share", 0, OPT_U64, AT(r.cpu_shares), "N", "share of CPU time, 2 to 262144" },
	{ "cpu-rt-period", 0, OPT_U64, AT(r.cpu_rt_period), "USEC", "period of the real-time quota" },
	{ "cpu-rt-runtime", 0, OPT_I64, AT(r.cpu_rt_runtime), "USEC", "real-time CPU time in a period" },
	{ "cpu-idle", 0, OPT_I64, AT(r.cpu_idle), "0|1", "1: run only when nobody else wants to" },
	{ "cpuset-cpus", 0, OPT_STRING, AT(r.cpus), "LIST", "CPUs that may be used, such as 0-3,7" },
	{ "cpuset-mems", 0, OPT_STRING, AT(r.mems), "LIST", "memory nodes that may be used" },
	{ "memory", 0, OPT_SIZE, AT(r.mem_limit), "BYTES", "limit of memory" },
	{ "memory-reservation", 0, OPT_SIZE, AT(r.mem_reservation), "BYTES",
		"memory that is spared under pressure" },
	{ "memory-swap", 0, OPT_SIZE, AT(r.mem_swap), "BYTES", "limit of memory and swap together" },
	{ "kernel-memory", 0, OPT_STRING, AT(kernel_memory), "BYTES",
		"accepted and ignored: kernels have no such limit any more" },
	{ "kernel-memory-tcp", 0, OPT_SIZE, AT(r.mem_kernel_tcp), "BYTES",
		"limit of TCP buffers (cgroup v1)" },
	{ "pids-limit", 0, OPT_I64, AT(r.pids_limit), "N", "number of processes and threads; -1: no limit" },
	{ "l3-cache-schema", 0, OPT_STRING, AT(l3_cache_schema), "SCHEMA", "Intel RDT: L3 cache" },
	{ "mem-bw-schema", 0, OPT_STRING, AT(mem_bw_schema), "SCHEMA", "Intel RDT: memory bandwidth" },
	{ 0 },
};
#undef AT

/* The file's text, malloc()ed. */
static int read_resources(const char *file, char **text, size_t *len, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	bool standard_input = str_eq(file, "-");
	const char *name = standard_input ? "standard input" : file;
	int r;

	if (!standard_input) {
		fd = open(file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_set(e, errno, "open %s", file);
	}
	r = fd_read_all(standard_input ? STDIN_FILENO : fd, RESOURCES_MAX, text, len);
	return r < 0 ? err_set(e, r, "read resources from %s", name) : 0;
}

/* What was said by an option goes over what the file says. */
static void override(struct update_options *base, const struct update_options *given)
{
	for (const struct opt *o = options; o->name; o++) {
		const char *from = (const char *)given + o->offset;
		char *to = (char *)base + o->offset;

		switch (o->kind) {
		case OPT_U64:
			if (((const struct spec_u64 *)from)->has)
				memcpy(to, from, sizeof(struct spec_u64));
			break;
		case OPT_I64:
		case OPT_SIZE:
			if (((const struct spec_i64 *)from)->has)
				memcpy(to, from, sizeof(struct spec_i64));
			break;
		default:
			if (*(const char *const *)from)
				*(const char **)to = *(const char *const *)from;
			break;
		}
	}
	base->r.present = true;
}

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct update_options *given = values;
	_cleanup_(arena_freep) struct arena *arena = NULL;
	_cleanup_free_ char *text = NULL;
	struct update_options o = { 0 };
	size_t len;
	int r;

	if (given->file) {
		arena = arena_new();
		if (!arena)
			return err_set(e, ENOMEM, "update");
		r = read_resources(given->file, &text, &len, e);
		if (r == 0)
			r = spec_parse_resources(arena, text, len, &o.r, e);
		if (r < 0)
			return r;
	}
	/* linux.resources.memory.kernel: gone since Linux 5.16, and dangerous before. */
	if (given->kernel_memory)
		log_debug("option --kernel-memory is ignored: kernels have no such limit any more");
	override(&o, given);
	return rt_update(ctx, args[0], &o.r, o.l3_cache_schema, o.mem_bw_schema, e);
}

const struct cli_verb verb_update = {
	.name = "update",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "Change the limits of a living partition",
	.options = options,
	.size = sizeof(struct update_options),
	.run = run,
};
