/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources, controller by controller: which property asks for which controller, and who writes it.
 *
 * Theory of operation: a mixed host has each controller either in v1 or in v2, and only the host knows which.
 * So there is no v1 and no v2 mode in here, just a row a controller with a writer for either. A controller
 * that the config asks for and the host lacks is an error that names both; one that the config only gives
 * neutral values (-1, 0) may be missing.
 */
#include "cgroups/internal.h"

#include <stdio.h>

#include "base/str.h"

static bool set(const struct spec_i64 *v)
{
	return v->has && v->v != 0;
}

static bool limited(const struct spec_i64 *v)
{
	return v->has && v->v > 0;
}

static bool uset(const struct spec_u64 *v)
{
	return v->has && v->v != 0;
}

static const char *memory_wanted(const struct spec_resources *r)
{
	return limited(&r->mem_limit)				    ? "memory.limit"
	       : limited(&r->mem_reservation)			    ? "memory.reservation"
	       : limited(&r->mem_swap)				    ? "memory.swap"
	       : limited(&r->mem_kernel)			    ? "memory.kernel"
	       : limited(&r->mem_kernel_tcp)			    ? "memory.kernelTCP"
	       : r->mem_swappiness.has && r->mem_swappiness.v >= 0  ? "memory.swappiness"
	       : r->has_disable_oom_killer && r->disable_oom_killer ? "memory.disableOOMKiller"
	       : r->has_use_hierarchy && !r->use_hierarchy	    ? "memory.useHierarchy=false"
								    : NULL;
}

static const char *cpu_wanted(const struct spec_resources *r)
{
	return uset(&r->cpu_shares)	 ? "cpu.shares"
	       : limited(&r->cpu_quota)	 ? "cpu.quota"
	       : uset(&r->cpu_period)	 ? "cpu.period"
	       : uset(&r->cpu_burst)	 ? "cpu.burst"
	       : set(&r->cpu_rt_runtime) ? "cpu.realtimeRuntime"
	       : uset(&r->cpu_rt_period) ? "cpu.realtimePeriod"
	       : set(&r->cpu_idle)	 ? "cpu.idle"
					 : NULL;
}

static const char *cpuset_wanted(const struct spec_resources *r)
{
	return r->cpus && *r->cpus ? "cpu.cpus" : r->mems && *r->mems ? "cpu.mems" : NULL;
}

static const char *pids_wanted(const struct spec_resources *r)
{
	return r->pids_limit.has && r->pids_limit.v >= 0 ? "pids.limit" : NULL;
}

static const char *io_wanted(const struct spec_resources *r)
{
	if (uset(&r->block_weight))
		return "blockIO.weight";
	if (uset(&r->block_leaf_weight))
		return "blockIO.leafWeight";
	if (r->n_block_weights > 0)
		return "blockIO.weightDevice";
	for (int t = 0; t < SPEC_BLOCK_THROTTLES; t++)
		if (r->n_block_rates[t] > 0)
			return "blockIO.throttle*Device";
	return NULL;
}

static const char *hugetlb_wanted(const struct spec_resources *r)
{
	return r->n_hugepages > 0 ? "hugepageLimits" : NULL;
}

static const char *net_cls_wanted(const struct spec_resources *r)
{
	return r->has_class_id && r->class_id != 0 ? "network.classID" : NULL;
}

static const char *net_prio_wanted(const struct spec_resources *r)
{
	return r->n_priorities > 0 ? "network.priorities" : NULL;
}

static const char *rdma_wanted(const struct spec_resources *r)
{
	return r->n_rdma > 0 ? "rdma" : NULL;
}

static const struct row {
	const char *v1_name, *v2_name; /* v2_name NULL: v1 only */
	const char *(*wanted)(const struct spec_resources *r);
	cg_writer v1, v2;
} rows[] = {
	/* cpuset first: nothing can join before it is filled. */
	{ "cpuset", "cpuset", cpuset_wanted, cg_v1_cpuset, cg_v2_cpuset },
	{ "memory", "memory", memory_wanted, cg_v1_memory, cg_v2_memory },
	{ "cpu", "cpu", cpu_wanted, cg_v1_cpu, cg_v2_cpu },
	{ "pids", "pids", pids_wanted, cg_pids, cg_pids },
	{ "blkio", "io", io_wanted, cg_v1_blkio, cg_v2_io },
	{ "hugetlb", "hugetlb", hugetlb_wanted, cg_v1_hugetlb, cg_v2_hugetlb },
	{ "net_cls", NULL, net_cls_wanted, cg_v1_net_cls, NULL },
	{ "net_prio", NULL, net_prio_wanted, cg_v1_net_prio, NULL },
	{ "rdma", "rdma", rdma_wanted, cg_rdma, cg_rdma },
};

const char *cg_wanted_v1(const char *controllers, const struct spec_resources *r)
{
	for (size_t i = 0; r && i < ARRAY_SIZE(rows); i++) {
		const char *property = cg_list_has(controllers, rows[i].v1_name) ? rows[i].wanted(r) : NULL;

		if (property)
			return property;
	}
	return NULL;
}

int cg_write_v1(const struct cg_node *n, const struct spec_resources *r, struct err *e)
{
	int q = 0;

	for (size_t i = 0; q == 0 && i < ARRAY_SIZE(rows); i++)
		if (cg_list_has(n->controllers, rows[i].v1_name)) {
			q = rows[i].v1(n, r, true, e);
			if (q < 0)
				err_wrap(e, "linux.resources (%s)", rows[i].v1_name);
		}
	return q;
}

static bool host_has_v1(const struct cgrp_host *h, const char *controller)
{
	for (size_t i = 0; i < h->n; i++)
		if (!h->list[i].v2 && cg_list_has(h->list[i].controllers, controller))
			return true;
	return false;
}

const char *cg_needs_v2(const struct cgrp_host *h, const struct spec_resources *r)
{
	if (!r)
		return NULL;
	if (r->n_unified > 0)
		return "unified";
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *property = rows[i].wanted(r);

		if (property && !host_has_v1(h, rows[i].v1_name))
			return property;
	}
	return NULL;
}

bool cg_any_limit(const struct spec_resources *r)
{
	if (!r)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].wanted(r))
			return true;
	return r->n_unified > 0;
}

void cg_v2_needed(const struct cgrp *c, const struct spec_resources *r, char *buf, size_t size)
{
	size_t used = 0;

	*buf = '\0';
	for (size_t i = 0; r && i < ARRAY_SIZE(rows); i++)
		if (rows[i].v2_name && rows[i].wanted(r) && !cg_v1(c, rows[i].v1_name))
			used += (size_t)snprintf(
				buf + used, size - used, "%s%s", used ? " " : "", rows[i].v2_name);
	for (size_t i = 0; r && i < r->n_unified; i++) {
		const char *file = r->unified[i].file, *dot = strchr(file, '.');
		char word[32];

		/* "cgroup.max.depth" and its like are there without any controller. */
		if (!dot || dot == file || dot - file >= (ptrdiff_t)sizeof(word) ||
			str_starts(file, "cgroup."))
			continue;
		snprintf(word, sizeof(word), "%.*s", (int)(dot - file), file);
		if (!strchr(word, '/') && !cg_list_has(buf, word) && used + strlen(word) + 2 < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? " " : "", word);
	}
}

static int not_mounted(const struct cgrp *c, const struct row *row, const char *property, struct err *e)
{
	struct cgrp_host *h;

	if (c->n > 0 && cg_host_full(&h, NULL) == 0 && host_has_v1(h, row->v1_name))
		return err_text(e, ENODEV,
			"linux.resources.%s needs the %s controller, in which this partition was given no "
			"cgroup when it was created",
			property, row->v1_name);
	return err_text(e, ENODEV,
		"linux.resources.%s needs the %s controller, which is not mounted on this host%s", property,
		row->v1_name, row->v2_name ? "" : " (it exists in cgroup v1 only)");
}

/* True if the partition's v2 cgroup has the controller. `list` caches cgroup.controllers. */
static bool v2_has(const struct cg_node *v2, const char *controller, char *list, size_t size)
{
	if (!v2 || !controller)
		return false;
	if (!*list && cg_get(v2, "cgroup.controllers", list, size) < 0)
		return false;
	return cg_list_has(list, controller);
}

int cg_write_resources(const struct cgrp *c, const struct spec_resources *r, bool fresh, struct err *e)
{
	const struct cg_node *v2 = cg_v2(c), *n;
	char list[256] = "";
	int q = 0;

	if (!r)
		return 0;
	for (size_t i = 0; q == 0 && i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		const char *property;

		n = cg_v1(c, row->v1_name);
		if (n) {
			q = row->v1(n, r, fresh, e);
			if (q < 0)
				err_wrap(e, "linux.resources (%s)", row->v1_name);
			continue;
		}
		property = row->wanted(r);
		/* Neutral values: an old cgroup may hold a limit that they lift, a new one cannot. */
		if (!property && (fresh || !v2 || !row->v2))
			continue;
		if (v2_has(v2, row->v2_name, list, sizeof(list))) {
			q = row->v2(v2, r, fresh, e);
			if (q < 0)
				err_wrap(e, "linux.resources (%s)", row->v2_name);
		} else if (property) {
			q = not_mounted(c, row, property, e);
		}
	}
	if (q < 0 || r->n_unified == 0)
		return q;
	if (!v2)
		return err_text(e, ENODEV,
			"linux.resources.unified needs cgroup v2, which is not mounted on this host");
	return cg_v2_unified(v2, r, e);
}
