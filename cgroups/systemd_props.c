/* SPDX-License-Identifier: Apache-2.0 */
/* Unit properties of a partition's scope, from linux.resources. No bus in here. */
#include "cgroups/internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/str.h"

/* --- linux.resources ------------------------------------------------------------------------- */

int sd_cpu_mask(struct arena *a, const char *list, const uint8_t **bytes, size_t *n, struct err *e)
{
	uint8_t mask[1024] = { 0 }, *copy;
	size_t used = 0;

	for (const char *p = list; *p;) {
		size_t len = strcspn(p, ",");
		char part[32], *dash;
		uint32_t first, last;

		if (len >= sizeof(part))
			return err_text(e, EINVAL, "'%.100s' is no list of cpus or memory nodes", list);
		memcpy(part, p, len);
		part[len] = '\0';
		dash = strchr(part, '-');
		if (dash)
			*dash++ = '\0';
		if (str_to_u32(part, &first) < 0 || str_to_u32(dash ? dash : part, &last) < 0 ||
			first > last || last >= 8 * sizeof(mask))
			return err_text(e, EINVAL, "'%.100s' is no list of cpus or memory nodes", list);
		for (; first <= last; first++)
			mask[first / 8] |= (uint8_t)(1U << (first % 8));
		used = last / 8 + 1 > used ? last / 8 + 1 : used;
		p += len;
		p += *p == ',';
	}
	copy = arena_alloc(a, used ? used : 1);
	if (!copy)
		return err_set(e, ENOMEM, "list of cpus");
	memcpy(copy, mask, used);
	*bytes = copy;
	*n = used;
	return 0;
}

static int add_mask(struct sd_props *p, const char *name, const char *list, struct err *e)
{
	const uint8_t *bytes;
	struct sd_prop *x;
	size_t n;
	int r;

	if (!list || !*list)
		return 0;
	r = sd_cpu_mask(p->arena, list, &bytes, &n, e);
	if (r < 0)
		return r;
	x = sd_slot(p, name, e);
	if (!x)
		return -E2BIG;
	x->type = 'B';
	x->bytes = bytes;
	x->n = n;
	return 0;
}

static uint64_t or_infinity(int64_t v)
{
	return v < 0 ? UINT64_MAX : (uint64_t)v;
}

static int add_limit(struct sd_props *p, const char *name, const struct spec_i64 *v, struct err *e)
{
	return v->has && v->v != 0 ? sd_add(p, name, 't', NULL, or_infinity(v->v), e) : 0;
}

/* µs of CPU time a second, in whole percents, for systemd keeps no more. */
static uint64_t quota_per_second(int64_t quota, uint64_t period)
{
	uint64_t v;

	if (quota <= 0)
		return UINT64_MAX;
	if (period == 0)
		period = 100000;
	if (__builtin_mul_overflow((uint64_t)quota, (uint64_t)1000000, &v))
		return UINT64_MAX;
	v /= period;
	return (v + 9999) / 10000 * 10000;
}

static int cpu_limits(struct sd_props *p, const struct spec_resources *r, bool v2, struct err *e)
{
	int q = 0;

	if (r->cpu_idle.has && r->cpu_idle.v == 1 && v2)
		q = sd_add(p, "CPUWeight", 't', NULL, 0, e);
	else if (r->cpu_shares.has && r->cpu_shares.v != 0)
		q = sd_add(p, v2 ? "CPUWeight" : "CPUShares", 't', NULL,
			v2 ? cgrp_shares_to_weight(r->cpu_shares.v) : r->cpu_shares.v, e);
	if (q == 0 && r->cpu_period.has && r->cpu_period.v != 0)
		q = sd_add(p, "CPUQuotaPeriodUSec", 't', NULL, r->cpu_period.v, e);
	if (q == 0 && r->cpu_quota.has && r->cpu_quota.v != 0)
		q = sd_add(p, "CPUQuotaPerSecUSec", 't', NULL,
			quota_per_second(r->cpu_quota.v, r->cpu_period.has ? r->cpu_period.v : 0), e);
	if (q == 0 && v2)
		q = add_mask(p, "AllowedCPUs", r->cpus, e);
	if (q == 0 && v2)
		q = add_mask(p, "AllowedMemoryNodes", r->mems, e);
	return q;
}

/* Keys of `unified` that systemd manages too, and would set back to its own values at its next reload. */
static int unified_limit(struct sd_props *p, const struct spec_unified *u, struct err *e)
{
	static const struct {
		const char *file, *name;
	} map[] = {
		{ "memory.min", "MemoryMin" },
		{ "memory.low", "MemoryLow" },
		{ "memory.high", "MemoryHigh" },
		{ "memory.max", "MemoryMax" },
		{ "memory.swap.max", "MemorySwapMax" },
		{ "pids.max", "TasksMax" },
		{ "cpu.weight", "CPUWeight" },
	};
	char quota[24];
	uint64_t v, period = 100000;
	int64_t max = -1;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
		if (!str_eq(u->file, map[i].file))
			continue;
		if (str_eq(u->value, "max"))
			return sd_add(p, map[i].name, 't', NULL, UINT64_MAX, e);
		/* Forms that only the kernel knows ("1G") are left to it. */
		return str_to_u64(u->value, &v) < 0 ? 0 : sd_add(p, map[i].name, 't', NULL, v, e);
	}
	if (str_eq(u->file, "cpuset.cpus"))
		return add_mask(p, "AllowedCPUs", u->value, e);
	if (str_eq(u->file, "cpuset.mems"))
		return add_mask(p, "AllowedMemoryNodes", u->value, e);
	if (str_eq(u->file, "cpu.max")) {
		size_t len = strcspn(u->value, " ");

		snprintf(quota, sizeof(quota), "%.*s", (int)(len < 23 ? len : 23), u->value);
		if (!str_eq(quota, "max") && str_to_i64(quota, &max) < 0)
			return 0;
		if (u->value[len] && str_to_u64(u->value + len + 1, &period) < 0)
			return 0;
		return sd_add(p, "CPUQuotaPerSecUSec", 't', NULL, quota_per_second(max, period), e);
	}
	return 0;
}

int sd_limits(struct sd_props *p, const struct spec_resources *r, bool v2, bool fresh, struct err *e)
{
	int64_t swap;
	int q = 0;

	if (!r)
		return 0;
	q = add_limit(p, v2 ? "MemoryMax" : "MemoryLimit", &r->mem_limit, e);
	if (q == 0 && v2)
		q = add_limit(p, "MemoryLow", &r->mem_reservation, e);
	if (q == 0 && v2 && r->mem_swap.has && r->mem_swap.v != 0 &&
		(r->mem_swap.v < 0 || (r->mem_limit.has && r->mem_limit.v > 0))) {
		q = cgrp_swap_max(r->mem_limit.has ? r->mem_limit.v : 0, r->mem_swap.v, &swap, e);
		if (q == 0)
			q = sd_add(p, "MemorySwapMax", 't', NULL, or_infinity(swap), e);
	}
	if (q == 0)
		q = cpu_limits(p, r, v2, e);
	if (q == 0 && r->pids_limit.has && !(fresh && r->pids_limit.v < 0))
		q = sd_add(p, "TasksMax", 't', NULL, or_infinity(r->pids_limit.v), e);
	if (q == 0 && r->block_weight.has && r->block_weight.v != 0)
		q = sd_add(p, v2 ? "IOWeight" : "BlockIOWeight", 't', NULL,
			v2 ? cgrp_blkio_to_io_weight(r->block_weight.v) : r->block_weight.v, e);
	for (size_t i = 0; q == 0 && v2 && i < r->n_unified; i++)
		q = unified_limit(p, &r->unified[i], e);
	return q;
}

/* --- devices --------------------------------------------------------------------------------- */

/* "pts" for ('c', 136): systemd names all devices of a driver by what /proc/devices calls it. */
static bool driver_name(const char *devices, char type, int64_t major, char *buf, size_t size)
{
	const char *section = strstr(devices, type == 'b' ? "Block devices:" : "Character devices:");

	if (!section)
		return false;
	for (const char *line = strchr(section, '\n'); line && line[1] && line[1] != '\n';
		line = strchr(line + 1, '\n')) {
		const char *p = line + 1 + strspn(line + 1, " ");
		char number[16];
		size_t len = strcspn(p, " ");
		int64_t v;

		snprintf(number, sizeof(number), "%.*s", len < 15 ? (int)len : 15, p);
		if (str_to_i64(number, &v) < 0 || v != major)
			continue;
		p += len + 1;
		snprintf(buf, size, "%.*s", (int)strcspn(p, "\n"), p);
		return true;
	}
	return false;
}

static const char *device_text(struct arena *a, const struct spec_dev_rule *r, const char *devices)
{
	const char *kind = r->type == 'b' ? "block" : "char";
	char name[64];

	if (r->major < 0)
		return r->minor < 0 ? arena_printf(a, "%s-*", kind) : NULL;
	if (r->minor >= 0)
		return arena_printf(a, "/dev/%s/%" PRId64 ":%" PRId64, kind, r->major, r->minor);
	return driver_name(devices, r->type, r->major, name, sizeof(name))
		       ? arena_printf(a, "%s-%s", kind, name)
		       : NULL;
}

int sd_devices(struct sd_props *p, const struct spec_resources *r, struct err *e)
{
	_cleanup_free_ char *devices = NULL;
	struct spec_dev_rule *rules;
	struct sd_pair *pairs;
	struct sd_prop *x;
	size_t n, kept = 0;
	bool allow_all;
	int q = cg_dev_rules(p->arena, r, &rules, &n, e);

	if (q < 0)
		return q;
	/* What systemd's list cannot say, the program that we attach ourselves does. */
	if (cg_dev_flatten(rules, &n, &allow_all, NULL) < 0 || allow_all)
		return sd_add(p, "DevicePolicy", 's', "auto", 0, e);
	if (fd_read_at(AT_FDCWD, "/proc/devices", 1U << 20, &devices, NULL) < 0)
		devices = strdup("");
	pairs = arena_calloc(p->arena, n + 1, sizeof(*pairs));
	if (!pairs || !devices)
		return err_set(e, ENOMEM, "device rules");
	for (size_t i = 0; i < n; i++) {
		char text[64];
		const char *device = device_text(p->arena, &rules[i], devices);

		if (!device)
			continue;
		cg_dev_text(&rules[i], text, sizeof(text));
		pairs[kept].a = device;
		pairs[kept].b = arena_strdup(p->arena, strrchr(text, ' ') + 1);
		kept += pairs[kept].b != NULL;
	}
	q = sd_add(p, "DevicePolicy", 's', "strict", 0, e);
	x = q == 0 ? sd_slot(p, "DeviceAllow", e) : NULL;
	if (!x)
		return q < 0 ? q : -E2BIG;
	x->type = 'P';
	x->pairs = pairs;
	x->n = kept;
	return 0;
}

int sd_unit_props(struct sd_props *p, const struct cgrp *c, const struct cgrp_params *params, bool v2,
	pid_t pid, struct err *e)
{
	static const char prefix[] = "org.systemd.property.";
	const char *const accounting[] = { "MemoryAccounting", "CPUAccounting",
		v2 ? "IOAccounting" : "BlockIOAccounting", "TasksAccounting" };
	bool scope = str_ends(c->unit, ".scope");
	uint32_t *pids = arena_alloc(p->arena, sizeof(*pids));
	const char *description = arena_printf(p->arena, "ringfence partition %s", params->id);
	struct sd_prop *x;
	int r = pids && description ? 0 : err_set(e, ENOMEM, "systemd unit");

	if (r == 0)
		r = sd_add(p, "Description", 's', description, 0, e);
	if (r == 0 && scope)
		r = sd_add(p, "Slice", 's', c->slice, 0, e);
	if (r == 0 && scope)
		r = sd_add(p, "Delegate", 'b', NULL, 1, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(accounting); i++)
		r = sd_add(p, accounting[i], 'b', NULL, 1, e);
	if (r == 0)
		r = sd_add(p, "DefaultDependencies", 'b', NULL, 0, e);
	/* A scope that ends as "failed" would otherwise stay loaded and keep the name from the next partition
	 * of that id. */
	if (r == 0)
		r = sd_add(p, "CollectMode", 's', "inactive-or-failed", 0, e);
	if (r == 0)
		r = sd_devices(p, params->resources, e);
	if (r == 0)
		r = sd_limits(p, params->resources, v2, true, e);
	for (size_t i = 0; r == 0 && i < params->n_annotations; i++)
		if (str_starts(params->annotations[i].key, prefix))
			r = sd_annotation(p, params->annotations[i].key + sizeof(prefix) - 1,
				params->annotations[i].value, e);
	if (r < 0 || !scope)
		return r;
	x = sd_slot(p, "PIDs", e);
	if (!x)
		return -E2BIG;
	*pids = (uint32_t)pid;
	x->type = 'U';
	x->u32s = pids;
	x->n = 1;
	return 0;
}
