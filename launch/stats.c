/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What partitions use (stats.h). Names come from one look into the directory of partitions; what is needed to
 * ask about one, the runtime's root and a meter, is found out once and kept until it ends. So a pass costs a
 * partition that runs some 30 system calls, and one that does not three.
 */
#include "launch/stats.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "base/fd.h"
#include "launch/record.h"

struct entry {
	char *name, *root; /* of the runtime; NULL: the default */
	int manager;
	struct rt_meter *meter;	 /* NULL: it does not run, as far as we know */
	uint64_t cpu_ns, io, at; /* at the pass before; `at` 0: none */
	bool seen;
};

struct launch_stats {
	struct launch_ctx ctx;
	bool all;
	int dir; /* of partitions, where all are wanted */
	struct entry *list;
	size_t n, room;
	struct launch_sample *samples;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* --- who there is ----------------------------------------------------------------------------- */

static void forget(struct entry *x)
{
	rt_meter_free(x->meter);
	free(x->name);
	free(x->root);
}

/* Where the runtime keeps it. One that was not launched is looked for where the command line says. */
static int describe(const struct launch_stats *s, const char *name, struct entry *x, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_dir d = LAUNCH_DIR_INIT;
	struct rt_info info;
	struct err ignored = ERR_INIT;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "stats");
	r = launch_dir_open(&s->ctx, name, false, a, &d, e);
	if (r == -ENOENT && !s->all && rt_info(s->ctx.rt, name, &info, &ignored) == 0) {
		err_clear(e);
		rt_info_free(&info);
		x->root = s->ctx.rt->root ? strdup(s->ctx.rt->root) : NULL;
		x->manager = s->ctx.rt->manager;
		r = 0;
	} else if (r == 0) {
		struct rt_ctx rt = d.damaged ? *s->ctx.rt : launch_rt(&s->ctx, &d.record);

		x->root = rt.root ? strdup(rt.root) : NULL;
		x->manager = rt.manager;
	}
	launch_dir_close(&d);
	if (r < 0)
		return r;
	x->name = strdup(name);
	return x->name ? 0 : err_set(e, ENOMEM, "stats");
}

static int add(struct launch_stats *s, const char *name, struct err *e)
{
	struct entry x = { .seen = true };
	int r;

	if (s->n == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		struct entry *more = realloc(s->list, room * sizeof(*more));

		if (!more)
			return err_set(e, ENOMEM, "stats");
		s->list = more;
		s->room = room;
	}
	r = describe(s, name, &x, e);
	if (r < 0)
		forget(&x);
	else
		s->list[s->n++] = x;
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static struct entry *find(const struct launch_stats *s, size_t n, const char *name)
{
	struct entry key = { .name = (char *)name };

	return n ? bsearch(&key, s->list, n, sizeof(key), by_name) : NULL;
}

/* Who came, and who went, since the last look. */
static int look(struct launch_stats *s, struct err *e)
{
	int copy = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *x;
	size_t known = s->n, kept = 0;
	struct err ignored = ERR_INIT;

	if (!d) {
		fd_close(copy);
		return err_set(e, errno, "read the directory of partitions");
	}
	for (size_t i = 0; i < s->n; i++)
		s->list[i].seen = false;
	while ((x = readdir(d))) {
		struct entry *old = x->d_name[0] == '.' ? NULL : find(s, known, x->d_name);

		if (old)
			old->seen = true;
		else if (launch_check_name("partition", x->d_name, &ignored) == 0)
			add(s, x->d_name, &ignored);
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].seen)
			s->list[kept++] = s->list[i];
		else
			forget(&s->list[i]);
	s->n = kept;
	if (s->n)
		qsort(s->list, s->n, sizeof(*s->list), by_name);
	return 0;
}

int launch_stats_new(
	const struct launch_ctx *ctx, char *const *names, struct launch_stats **out, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_(launch_stats_freep) struct launch_stats *s = calloc(1, sizeof(*s));
	const char *name;
	int r = 0;

	if (!a || !s)
		return err_set(e, ENOMEM, "stats");
	s->ctx = *ctx;
	s->dir = -EBADF;
	s->all = !names || !names[0];
	if (s->all) {
		s->dir = launch_data_open(ctx, "partitions", false, a, NULL, e);
		/* Nothing was ever launched. */
		if (s->dir == -ENOENT)
			err_clear(e);
		else if (s->dir < 0)
			return s->dir;
	}
	strv_each (name, s->all ? NULL : names) {
		for (size_t i = 0; i < s->n; i++)
			if (str_eq(s->list[i].name, name))
				return err_text(e, EINVAL, "partition \"%s\" is named twice", name);
		r = add(s, name, e);
		if (r < 0)
			return r;
	}
	*out = TAKE_PTR(s);
	return 0;
}

void launch_stats_free(struct launch_stats *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		forget(&s->list[i]);
	fd_close(s->dir);
	free(s->list);
	free(s->samples);
	free(s);
}

/* --- a pass ----------------------------------------------------------------------------------- */

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a == LAUNCH_UNKNOWN || b == LAUNCH_UNKNOWN ? 0 : a + b;
}

static void rates(struct entry *x, struct launch_sample *out)
{
	uint64_t at = now_ns(), io = sum(out->io_read, out->io_write);

	if (x->at && at > x->at) {
		double seconds = (double)(at - x->at) / 1e9;

		if (out->cpu_ns != LAUNCH_UNKNOWN && out->cpu_ns >= x->cpu_ns)
			out->cpu = (double)(out->cpu_ns - x->cpu_ns) / 1e7 / seconds;
		if (io >= x->io)
			out->io_rate = (uint64_t)((double)(io - x->io) / seconds);
	}
	x->at = out->cpu_ns == LAUNCH_UNKNOWN ? 0 : at;
	x->cpu_ns = out->cpu_ns;
	x->io = io;
}

static bool read_meter(const struct launch_stats *s, struct entry *x, struct rt_usage *u)
{
	struct err ignored = ERR_INIT;
	struct rt_ctx rt = *s->ctx.rt;

	if (x->meter && rt_meter_read(x->meter, u, &ignored) == 0)
		return true;
	/* It may have been started again. */
	rt_meter_free(x->meter);
	x->meter = NULL;
	x->at = 0;
	err_clear(&ignored);
	rt.root = x->root;
	rt.manager = (enum cgrp_manager)x->manager;
	return rt_meter_open(&rt, x->name, &x->meter, &ignored) == 0 &&
	       rt_meter_read(x->meter, u, &ignored) == 0;
}

static void sample(const struct launch_stats *s, struct entry *x, struct launch_sample *out)
{
	struct rt_usage u;

	*out = (struct launch_sample){ .name = x->name,
		.cpu_ns = LAUNCH_UNKNOWN,
		.memory = LAUNCH_UNKNOWN,
		.memory_limit = LAUNCH_UNKNOWN,
		.pids = LAUNCH_UNKNOWN,
		.pids_limit = LAUNCH_UNKNOWN,
		.net_rx = LAUNCH_UNKNOWN,
		.net_tx = LAUNCH_UNKNOWN,
		.io_read = LAUNCH_UNKNOWN,
		.io_write = LAUNCH_UNKNOWN,
		.pressure_cpu = -1,
		.pressure_memory = -1,
		.pressure_io = -1,
		.cpu = -1 };
	if (!read_meter(s, x, &u))
		return;
	out->running = true;
	out->cpu_ns = u.cgroup.cpu_ns;
	out->memory = u.cgroup.memory;
	out->memory_limit = u.cgroup.memory_limit;
	out->pids = u.cgroup.pids;
	out->pids_limit = u.cgroup.pids_limit;
	out->io_read = u.cgroup.io_read;
	out->io_write = u.cgroup.io_write;
	out->net_rx = u.net_rx;
	out->net_tx = u.net_tx;
	out->pressure_cpu = u.cgroup.pressure_cpu;
	out->pressure_memory = u.cgroup.pressure_memory;
	out->pressure_io = u.cgroup.pressure_io;
	rates(x, out);
}

int launch_stats_pass(struct launch_stats *s, const struct launch_sample **list, size_t *n, struct err *e)
{
	struct launch_sample *more;
	int r = s->all && s->dir >= 0 ? look(s, e) : 0;

	if (r < 0)
		return r;
	more = realloc(s->samples, (s->n + 1) * sizeof(*more));
	if (!more)
		return err_set(e, ENOMEM, "stats");
	s->samples = more;
	for (size_t i = 0; i < s->n; i++)
		sample(s, &s->list[i], &more[i]);
	*list = more;
	*n = s->n;
	return 0;
}
