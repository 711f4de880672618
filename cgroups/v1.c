/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources as files of the v1 controllers, and the two controllers whose files are the same in v1 and
 * v2 (pids, rdma).
 *
 * 0 means "leave it alone" wherever the kernel would take it for nonsense: engines send whole structs with
 * zeroes for what the user did not name, in `update` above all (a memory limit of 0 would be refused with
 * EBUSY). pids.limit is the exception: 0 is a limit.
 */
#include "cgroups/internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/str.h"

static bool set(const struct spec_i64 *v)
{
	return v->has && v->v != 0;
}

static bool uset(const struct spec_u64 *v)
{
	return v->has && v->v != 0;
}

/* Unlimited is what a new cgroup is: only an old one needs the write. */
static bool limits(const struct spec_i64 *v, bool fresh)
{
	return set(v) && !(fresh && v->v < 0);
}

/* --- memory ---------------------------------------------------------------------------------- */

static int memory_limit(const struct cg_node *n, int64_t v, struct err *e)
{
	uint64_t used;
	int r = cg_put_i64(n, "memory.limit_in_bytes", v, e);

	if (r == -EBUSY && cg_get_u64(n, "memory.usage_in_bytes", &used) == 0)
		return err_hint(e, "%" PRIu64 " bytes are in use and cannot be reclaimed", used);
	if (r == -EINVAL)
		return err_hint(e, "it must not be above the limit of memory and swap together "
				   "(linux.resources.memory.swap)");
	return r;
}

static int memsw_limit(const struct cg_node *n, int64_t v, struct err *e)
{
	int r = cg_put_i64(n, "memory.memsw.limit_in_bytes", v, e);

	if (r == -ENOENT)
		return err_text(e, EOPNOTSUPP,
			"linux.resources.memory.swap needs swap accounting, which is off on this host (boot "
			"with swapaccount=1)");
	if (r == -EINVAL)
		return err_hint(e, "memory and swap together must not be less than the memory limit");
	return r;
}

/*
 * The kernel keeps limit <= memsw at every moment, so the order depends on the direction: a pair that rises
 * starts with memsw, one that falls with the limit.
 */
static int memory_pair(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	bool limit = limits(&r->mem_limit, fresh), swap = limits(&r->mem_swap, fresh);
	struct spec_i64 none = { .has = r->mem_limit.has && r->mem_limit.v == -1 && !set(&r->mem_swap) };
	uint64_t now;
	int q = 0;

	/* "No memory limit" cannot hold while memory and swap together have one. */
	if (none.has && !fresh && cg_get_u64(n, "memory.memsw.limit_in_bytes", &now) == 0)
		q = memsw_limit(n, -1, e);
	if (q < 0 || (!limit && !swap))
		return q;
	if (!swap)
		return memory_limit(n, r->mem_limit.v, e);
	if (!limit) /* "-1" without swap accounting: what is anyway */
		return r->mem_swap.v < 0 && cg_get_u64(n, "memory.memsw.limit_in_bytes", &now) == -ENOENT
			       ? 0
			       : memsw_limit(n, r->mem_swap.v, e);
	if (!fresh && cg_get_u64(n, "memory.memsw.limit_in_bytes", &now) == 0 &&
		(r->mem_swap.v < 0 || (uint64_t)r->mem_swap.v > now)) {
		q = memsw_limit(n, r->mem_swap.v, e);
		return q < 0 ? q : memory_limit(n, r->mem_limit.v, e);
	}
	q = memory_limit(n, r->mem_limit.v, e);
	if (q < 0)
		return q;
	if (r->mem_swap.v < 0 && cg_get_u64(n, "memory.memsw.limit_in_bytes", &now) == -ENOENT)
		return 0;
	return memsw_limit(n, r->mem_swap.v, e);
}

int cg_v1_memory(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	int q;

	/* Before the limit: with sub-cgroups or members it is refused on old kernels; new ones are always
	 * hierarchical. */
	if (r->has_use_hierarchy &&
		!(r->use_hierarchy && cg_try_put(n, "memory.use_hierarchy", "1") == -ENOENT)) {
		q = cg_put(n, "memory.use_hierarchy", r->use_hierarchy ? "1" : "0", e);
		if (q < 0)
			return err_wrap(e, "linux.resources.memory.useHierarchy");
	}
	q = memory_pair(n, r, fresh, e);
	if (q == 0 && limits(&r->mem_reservation, fresh))
		q = cg_put_i64(n, "memory.soft_limit_in_bytes", r->mem_reservation.v, e);
	if (q == 0 && limits(&r->mem_kernel, fresh))
		q = cg_put_i64(n, "memory.kmem.limit_in_bytes", r->mem_kernel.v, e);
	if (q == 0 && limits(&r->mem_kernel_tcp, fresh))
		q = cg_put_i64(n, "memory.kmem.tcp.limit_in_bytes", r->mem_kernel_tcp.v, e);
	if (q == 0 && r->mem_swappiness.has && r->mem_swappiness.v >= 0)
		q = cg_put_i64(n, "memory.swappiness", r->mem_swappiness.v, e);
	if (q == 0 && r->has_disable_oom_killer && (r->disable_oom_killer || !fresh))
		q = cg_put(n, "memory.oom_control", r->disable_oom_killer ? "1" : "0", e);
	return q;
}

/* --- cpu ------------------------------------------------------------------------------------- */

/* The kernel's EINVAL is all of these. */
#define BANDWIDTH_HINT                                                                              \
	"the period must be from 1000 to 1000000 us, the quota at least 1000 us, and its share of " \
	"the period not above that of the cgroup above"

/* The period and the quota bound each other through the parent's: one that is refused is tried again after
 * the other. */
static int cpu_bandwidth(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	bool again = false;
	int q = 0;

	if (uset(&r->cpu_period)) {
		q = cg_put_u64(n, "cpu.cfs_period_us", r->cpu_period.v, e);
		again = q == -EINVAL && set(&r->cpu_quota);
		if (q == -EINVAL && !again)
			return err_hint(e, BANDWIDTH_HINT);
		if (q < 0 && !again)
			return q;
	}
	if (limits(&r->cpu_quota, fresh)) {
		q = cg_put_i64(n, "cpu.cfs_quota_us", r->cpu_quota.v < 0 ? -1 : r->cpu_quota.v, e);
		if (q == -EINVAL)
			return err_hint(e, BANDWIDTH_HINT);
		if (q < 0)
			return q;
	}
	if (again)
		q = cg_put_u64(n, "cpu.cfs_period_us", r->cpu_period.v, e);
	return q == -EINVAL ? err_hint(e, BANDWIDTH_HINT) : q;
}

int cg_v1_cpu(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	bool burst = r->cpu_burst.has && !(fresh && r->cpu_burst.v == 0);
	int q = 0;

	/* An idle group takes no shares, so idle goes off before and on after them. */
	if (r->cpu_idle.has && r->cpu_idle.v == 0 && !fresh)
		q = cg_put(n, "cpu.idle", "0", e);
	if (q == 0 && uset(&r->cpu_shares) && !(r->cpu_idle.has && r->cpu_idle.v == 1))
		q = cg_put_u64(n, "cpu.shares", r->cpu_shares.v, e);
	if (q == -EINVAL && !fresh)
		return err_hint(e, "shares cannot be set while cpu.idle is 1");
	/* burst <= quota at every moment: the old quota may be too small for the new burst, or the new one
	 * for the old burst. */
	if (q == 0 && burst) {
		q = cg_put_u64(n, "cpu.cfs_burst_us", r->cpu_burst.v, e);
		if (q == 0)
			burst = false;
		else if (q == -EINVAL)
			q = 0;
	}
	if (q == 0)
		q = cpu_bandwidth(n, r, fresh, e);
	if (q == 0 && burst)
		q = cg_put_u64(n, "cpu.cfs_burst_us", r->cpu_burst.v, e);
	if (q == 0 && uset(&r->cpu_rt_period))
		q = cg_put_u64(n, "cpu.rt_period_us", r->cpu_rt_period.v, e);
	if (q == 0 && set(&r->cpu_rt_runtime))
		q = cg_put_i64(n, "cpu.rt_runtime_us", r->cpu_rt_runtime.v, e);
	if (q == 0 && r->cpu_idle.has && r->cpu_idle.v != 0)
		q = cg_put_i64(n, "cpu.idle", r->cpu_idle.v, e);
	return q;
}

/* A refusal says what there is to choose from: the parent's. */
static int put_list(const struct cg_node *n, const char *file, const char *list, struct err *e)
{
	char path[CG_PATH_MAX], effective[32], have[CG_VALUE_MAX];
	struct cg_node parent = *n;
	const char *slash = strrchr(n->path, '/');
	int r = cg_put(n, file, list, e);

	if (r == 0 || !slash)
		return r;
	snprintf(path, sizeof(path), "%.*s", (int)(slash - n->path), n->path);
	snprintf(effective, sizeof(effective), "%s.effective", file);
	parent.path = path;
	if (cg_get(&parent, n->v2 ? effective : file, have, sizeof(have)) > 0)
		return err_hint(e, "the cgroup above has %.100s", have);
	return r;
}

int cg_v1_cpuset(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	int q = 0;

	if (r->cpus && *r->cpus)
		q = put_list(n, "cpuset.cpus", r->cpus, e);
	if (q == 0 && r->mems && *r->mems)
		q = put_list(n, "cpuset.mems", r->mems, e);
	return q;
}

/* --- blkio ----------------------------------------------------------------------------------- */

/* CFQ's names until 5.0, BFQ's since: whichever the running scheduler offers. */
static int blkio_weight(
	const struct cg_node *n, const char *old, const char *bfq, const char *value, struct err *e)
{
	int r = bfq ? cg_try_put(n, bfq, value) : -ENOENT;

	if (r == -ENOENT)
		r = cg_try_put(n, old, value);
	if (r == -ENOENT)
		return err_text(e, EOPNOTSUPP,
			"linux.resources.blockIO weights need an I/O scheduler that has them (bfq): neither "
			"%s nor %s is there",
			bfq ? bfq : "a bfq file", old);
	return r < 0 ? err_set(e, -r, "write '%s' to %s of cgroup %s", value, old, n->path) : 0;
}

int cg_v1_blkio(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	static const char *const throttle[SPEC_BLOCK_THROTTLES] = {
		[SPEC_BLOCK_READ_BPS] = "blkio.throttle.read_bps_device",
		[SPEC_BLOCK_WRITE_BPS] = "blkio.throttle.write_bps_device",
		[SPEC_BLOCK_READ_IOPS] = "blkio.throttle.read_iops_device",
		[SPEC_BLOCK_WRITE_IOPS] = "blkio.throttle.write_iops_device",
	};
	char text[80];
	int q = 0;

	if (uset(&r->block_weight)) {
		snprintf(text, sizeof(text), "%" PRIu64, r->block_weight.v);
		q = blkio_weight(n, "blkio.weight", "blkio.bfq.weight", text, e);
	}
	if (q == 0 && uset(&r->block_leaf_weight)) {
		snprintf(text, sizeof(text), "%" PRIu64, r->block_leaf_weight.v);
		q = blkio_weight(n, "blkio.leaf_weight", NULL, text, e);
	}
	for (size_t i = 0; q == 0 && i < r->n_block_weights; i++) {
		const struct spec_block_weight *w = &r->block_weights[i];

		if (uset(&w->weight)) {
			snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %" PRIu64, w->major, w->minor,
				w->weight.v);
			q = blkio_weight(n, "blkio.weight_device", "blkio.bfq.weight_device", text, e);
		}
		if (q == 0 && uset(&w->leaf_weight)) {
			snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %" PRIu64, w->major, w->minor,
				w->leaf_weight.v);
			q = blkio_weight(n, "blkio.leaf_weight_device", NULL, text, e);
		}
	}
	for (int t = 0; t < SPEC_BLOCK_THROTTLES; t++)
		for (size_t i = 0; q == 0 && i < r->n_block_rates[t]; i++) {
			const struct spec_block_rate *b = &r->block_rates[t][i];

			snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %" PRIu64, b->major, b->minor,
				b->rate);
			q = cg_put(n, throttle[t], text, e);
		}
	return q;
}

/* --- the small ones -------------------------------------------------------------------------- */

int cg_v1_hugetlb(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	char file[64];
	int q;

	for (size_t i = 0; i < r->n_hugepages; i++) {
		const struct spec_hugepage *h = &r->hugepages[i];

		if (!cg_page_size_ok(h->page_size))
			return err_text(e, EINVAL,
				"linux.resources.hugepageLimits: '%.40s' is no page size such as 2MB",
				h->page_size);
		snprintf(file, sizeof(file), "hugetlb.%.20s.limit_in_bytes", h->page_size);
		q = cg_put_u64(n, file, h->limit, e);
		if (q == -ENOENT)
			return err_text(e, EINVAL,
				"linux.resources.hugepageLimits: this host has no huge pages of %.20s",
				h->page_size);
		if (q < 0)
			return q;
		/* Reservations too (since 5.7): else mmap() succeeds and the first touch is killed. */
		snprintf(file, sizeof(file), "hugetlb.%.20s.rsvd.limit_in_bytes", h->page_size);
		q = cg_put_u64(n, file, h->limit, e);
		if (q < 0 && q != -ENOENT)
			return q;
	}
	return 0;
}

int cg_v1_net_cls(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	return r->has_class_id && !(fresh && r->class_id == 0)
		       ? cg_put_u64(n, "net_cls.classid", r->class_id, e)
		       : 0;
}

int cg_v1_net_prio(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	char text[64];
	int q = 0;

	for (size_t i = 0; q == 0 && i < r->n_priorities; i++) {
		snprintf(text, sizeof(text), "%.32s %" PRIu32, r->priorities[i].name,
			r->priorities[i].priority);
		q = cg_put(n, "net_prio.ifpriomap", text, e);
	}
	return q;
}

int cg_pids(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	if (!r->pids_limit.has || (fresh && r->pids_limit.v < 0))
		return 0;
	return r->pids_limit.v < 0 ? cg_put(n, "pids.max", "max", e)
				   : cg_put_i64(n, "pids.max", r->pids_limit.v, e);
}

int cg_rdma(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	char text[160];
	int q = 0;

	for (size_t i = 0; q == 0 && i < r->n_rdma; i++) {
		const struct spec_rdma *d = &r->rdma[i];
		size_t used = (size_t)snprintf(text, sizeof(text), "%.64s", d->device);

		if (d->hca_handles.has)
			used += (size_t)snprintf(
				text + used, sizeof(text) - used, " hca_handle=%" PRIu64, d->hca_handles.v);
		if (d->hca_objects.has)
			snprintf(text + used, sizeof(text) - used, " hca_object=%" PRIu64, d->hca_objects.v);
		q = cg_put(n, "rdma.max", text, e);
	}
	return q;
}
