/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources as files of the v2 controllers. 0 means "leave it alone", as in v1.c. */
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

static int not_in_v2(struct err *e, const char *property)
{
	return err_text(e, EOPNOTSUPP, "linux.resources.%s does not exist in cgroup v2", property);
}

static int put_max(const struct cg_node *n, const char *file, int64_t v, struct err *e)
{
	return v < 0 ? cg_put(n, file, "max", e) : cg_put_i64(n, file, v, e);
}

/* --- memory ---------------------------------------------------------------------------------- */

/* memory.max below present use is no error to the kernel: it reclaims, and kills. checkBeforeUpdate asks us
 * to refuse instead. */
static int check_usage(
	const struct cg_node *n, const struct spec_resources *r, int64_t limit, int64_t swap, struct err *e)
{
	uint64_t used;

	if (!r->check_before_update)
		return 0;
	if (limit > 0 && cg_get_u64(n, "memory.current", &used) == 0 && (uint64_t)limit < used)
		return err_text(e, EBUSY,
			"linux.resources.memory.limit %" PRId64 " is less than the %" PRIu64
			" bytes in use (memory.checkBeforeUpdate)",
			limit, used);
	if (swap >= 0 && cg_get_u64(n, "memory.swap.current", &used) == 0 && (uint64_t)swap < used)
		return err_text(e, EBUSY,
			"linux.resources.memory.swap leaves %" PRId64 " bytes of swap, less than the %" PRIu64
			" in use (memory.checkBeforeUpdate)",
			swap, used);
	return 0;
}

static int memory_unsupported(const struct spec_resources *r, struct err *e)
{
	if (r->mem_kernel.has && r->mem_kernel.v > 0)
		return not_in_v2(e, "memory.kernel");
	if (r->mem_kernel_tcp.has && r->mem_kernel_tcp.v > 0)
		return not_in_v2(e, "memory.kernelTCP");
	if (r->mem_swappiness.has && r->mem_swappiness.v >= 0)
		return not_in_v2(e, "memory.swappiness");
	if (r->has_disable_oom_killer && r->disable_oom_killer)
		return not_in_v2(e, "memory.disableOOMKiller");
	if (r->has_use_hierarchy && !r->use_hierarchy)
		return not_in_v2(e, "memory.useHierarchy=false");
	return 0;
}

static bool unlimited(const struct spec_resources *r)
{
	return r->mem_limit.has && r->mem_limit.v == -1;
}

/* Refuses what cannot be; else *swap is what memory.swap.max is to be, if *swaps. */
static int memory_plan(const struct cg_node *n, const struct spec_resources *r, bool fresh, bool *swaps,
	int64_t *swap, struct err *e)
{
	int64_t limit = r->mem_limit.has ? r->mem_limit.v : 0;
	uint64_t now;
	int q = memory_unsupported(r, e);

	if (q < 0)
		return q;
	*swap = -1;
	*swaps = set(&r->mem_swap) || (unlimited(r) && !fresh);
	if (*swaps) {
		/* v1's pair is "memory", "memory and swap"; an update of the second alone needs the first as
		 * it is now. */
		if (limit == 0 && r->mem_swap.v > 0 && cg_get_u64(n, "memory.max", &now) == 0 &&
			now <= INT64_MAX)
			limit = (int64_t)now;
		q = cgrp_swap_max(limit, set(&r->mem_swap) ? r->mem_swap.v : 0, swap, e);
		if (q < 0)
			return q;
		if (fresh && *swap < 0)
			*swaps = false;
	}
	return check_usage(n, r, r->mem_limit.has ? r->mem_limit.v : 0, *swaps ? *swap : -1, e);
}

int cg_v2_memory_check(const struct cg_node *n, const struct spec_resources *r, struct err *e)
{
	int64_t swap;
	bool swaps;

	return memory_plan(n, r, false, &swaps, &swap, e);
}

int cg_v2_memory(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	int64_t swap;
	bool swaps;
	int q = memory_plan(n, r, fresh, &swaps, &swap, e);

	if (q < 0)
		return q;
	if (swaps) {
		q = put_max(n, "memory.swap.max", swap, e);
		/* No swap in this kernel: "unlimited" and "none" are both what there is. */
		if (q == -ENOENT && swap <= 0)
			q = 0;
		if (q < 0)
			return q;
	}
	if (set(&r->mem_limit) && !(fresh && unlimited(r))) {
		q = put_max(n, "memory.max", r->mem_limit.v, e);
		if (q < 0)
			return q;
	}
	if (set(&r->mem_reservation) && !(fresh && r->mem_reservation.v < 0))
		return put_max(n, "memory.low", r->mem_reservation.v, e);
	return 0;
}

/* --- cpu ------------------------------------------------------------------------------------- */

static int cpu_max(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	bool quota = set(&r->cpu_quota), period = uset(&r->cpu_period);
	char text[64], now[64] = "max";

	if (!quota && !period)
		return 0;
	if (fresh && !period && r->cpu_quota.v < 0)
		return 0;
	if (quota && r->cpu_quota.v > 0)
		snprintf(now, sizeof(now), "%" PRId64, r->cpu_quota.v);
	else if (!quota && !fresh && cg_get(n, "cpu.max", now, sizeof(now)) > 0)
		now[strcspn(now, " ")] = '\0'; /* the quota stays */
	if (period)
		snprintf(text, sizeof(text), "%.24s %" PRIu64, now, r->cpu_period.v);
	else
		snprintf(text, sizeof(text), "%.24s", now);
	return cg_put(n, "cpu.max", text, e);
}

int cg_v2_cpu(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	bool burst = r->cpu_burst.has && !(fresh && r->cpu_burst.v == 0);
	int q = 0;

	if (uset(&r->cpu_rt_period))
		return not_in_v2(e, "cpu.realtimePeriod");
	if (set(&r->cpu_rt_runtime))
		return not_in_v2(e, "cpu.realtimeRuntime");
	/* An idle group takes no weight, so idle goes off before and on after it. */
	if (r->cpu_idle.has && r->cpu_idle.v == 0 && !fresh)
		q = cg_put(n, "cpu.idle", "0", e);
	if (q == 0 && uset(&r->cpu_shares) && !(r->cpu_idle.has && r->cpu_idle.v == 1))
		q = cg_put_u64(n, "cpu.weight", cgrp_shares_to_weight(r->cpu_shares.v), e);
	if (q == -EINVAL && !fresh)
		return err_hint(e, "shares cannot be set while cpu.idle is 1");
	/* burst <= quota at every moment: before a quota that falls, after one that rises. */
	if (q == 0 && burst) {
		q = cg_put_u64(n, "cpu.max.burst", r->cpu_burst.v, e);
		if (q == 0)
			burst = false;
		else if (q == -EINVAL)
			q = 0;
	}
	if (q == 0)
		q = cpu_max(n, r, fresh, e);
	if (q == 0 && burst)
		q = cg_put_u64(n, "cpu.max.burst", r->cpu_burst.v, e);
	if (q == 0 && r->cpu_idle.has && r->cpu_idle.v != 0)
		q = cg_put_i64(n, "cpu.idle", r->cpu_idle.v, e);
	return q;
}

int cg_v2_cpuset(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	return cg_v1_cpuset(n, r, fresh, e);
}

/* --- io -------------------------------------------------------------------------------------- */

/* bfq's weights have v1's range; io.weight (the cost model's) has its own. `device` is "MAJOR:MINOR " or "".
 */
static int io_weight(const struct cg_node *n, const char *device, uint64_t weight, struct err *e)
{
	char text[64];
	int r;

	snprintf(text, sizeof(text), "%s%" PRIu64, device, weight);
	r = cg_try_put(n, "io.bfq.weight", text);
	if (r == 0)
		return 0;
	if (r != -ENOENT && r != -EINVAL && r != -EOPNOTSUPP)
		return err_set(e, -r, "write '%s' to io.bfq.weight of cgroup %s", text, n->path);
	snprintf(text, sizeof(text), "%s%" PRIu64, device, cgrp_blkio_to_io_weight(weight));
	r = cg_put(n, "io.weight", text, e);
	if (r == -ENOENT)
		return err_text(e, EOPNOTSUPP,
			"linux.resources.blockIO weights need the bfq scheduler or the iocost controller: "
			"neither io.bfq.weight nor "
			"io.weight is there");
	return r;
}

int cg_v2_io(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	static const char *const keys[SPEC_BLOCK_THROTTLES] = {
		[SPEC_BLOCK_READ_BPS] = "rbps",
		[SPEC_BLOCK_WRITE_BPS] = "wbps",
		[SPEC_BLOCK_READ_IOPS] = "riops",
		[SPEC_BLOCK_WRITE_IOPS] = "wiops",
	};
	char text[96];
	int q = 0;

	if (uset(&r->block_leaf_weight))
		return not_in_v2(e, "blockIO.leafWeight");
	if (uset(&r->block_weight))
		q = io_weight(n, "", r->block_weight.v, e);
	for (size_t i = 0; q == 0 && i < r->n_block_weights; i++) {
		const struct spec_block_weight *w = &r->block_weights[i];

		if (uset(&w->leaf_weight))
			return not_in_v2(e, "blockIO.weightDevice[].leafWeight");
		snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " ", w->major, w->minor);
		if (uset(&w->weight))
			q = io_weight(n, text, w->weight.v, e);
	}
	for (int t = 0; t < SPEC_BLOCK_THROTTLES; t++)
		for (size_t i = 0; q == 0 && i < r->n_block_rates[t]; i++) {
			const struct spec_block_rate *b = &r->block_rates[t][i];

			/* v1's 0 lifts the limit. */
			if (b->rate == 0)
				snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %s=max", b->major,
					b->minor, keys[t]);
			else
				snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %s=%" PRIu64, b->major,
					b->minor, keys[t], b->rate);
			q = cg_put(n, "io.max", text, e);
		}
	return q;
}

int cg_v2_hugetlb(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e)
{
	char file[64];
	int q;

	for (size_t i = 0; i < r->n_hugepages; i++) {
		const struct spec_hugepage *h = &r->hugepages[i];

		if (!cg_page_size_ok(h->page_size))
			return err_text(e, EINVAL,
				"linux.resources.hugepageLimits: '%.40s' is no page size such as 2MB",
				h->page_size);
		snprintf(file, sizeof(file), "hugetlb.%.20s.max", h->page_size);
		q = cg_put_u64(n, file, h->limit, e);
		if (q == -ENOENT)
			return err_text(e, EINVAL,
				"linux.resources.hugepageLimits: this host has no huge pages of %.20s",
				h->page_size);
		if (q < 0)
			return q;
		/* Reservations too (since 5.7): else mmap() succeeds and the first touch is killed. */
		snprintf(file, sizeof(file), "hugetlb.%.20s.rsvd.max", h->page_size);
		q = cg_put_u64(n, file, h->limit, e);
		if (q < 0 && q != -ENOENT)
			return q;
	}
	return 0;
}

/* --- unified: the user's own words ----------------------------------------------------------- */

int cg_v2_unified(const struct cg_node *n, const struct spec_resources *r, struct err *e)
{
	char available[512];
	bool have = false;

	for (size_t i = 0; i < r->n_unified; i++) {
		const char *file = r->unified[i].file, *dot = strchr(file, '.');
		char controller[64];
		int q;

		if (!*file || strchr(file, '/') || str_eq(file, ".") || str_eq(file, ".."))
			return err_text(e, EINVAL,
				"linux.resources.unified: '%.100s' is no name of a cgroup file", file);
		q = cg_put(n, file, r->unified[i].value, e);
		if (q == 0)
			continue;
		/* Say which controller is missing rather than which file. */
		snprintf(controller, sizeof(controller), "%.*s",
			dot && dot - file < 60 ? (int)(dot - file) : 60, file);
		if (q == -ENOENT && !have)
			have = cg_get(n, "cgroup.controllers", available, sizeof(available)) >= 0;
		if (q == -ENOENT && have && !str_eq(controller, "cgroup") &&
			!cg_list_has(available, controller))
			return err_text(e, ENOENT,
				"linux.resources.unified: '%.100s' needs the %s controller, which cgroup v2 "
				"does not offer here (available: %s)",
				file, controller, *available ? available : "none");
		return err_wrap(e, "linux.resources.unified");
	}
	return 0;
}
