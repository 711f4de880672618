/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config-linux.md#control-groups: limits.
 *
 * A 0 means "leave it alone" for most limits, as in runc: engines written in Go (Docker's update among them)
 * send the zero value of what nobody set. Where 0 is a real value (pids, swappiness, idle, burst, rates,
 * hugepages) it stays one.
 */
#include "spec/parse.h"

#include "base/str.h"

#define AT(member) offsetof(struct spec_resources, member)
#define LIST(member, type, reader, table) \
	SP_LIST(AT(member), AT(n_##member), sizeof(struct type), reader, table)

/* Devices' numbers are 32 bits in the kernel's rules and files; -1 stands for any where `any` is allowed. */
static int read_number(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return sp_get_i64(p, at, j, 0, UINT32_MAX, out);
}

static int read_number_or_any(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return sp_get_i64(p, at, j, -1, UINT32_MAX, out);
}

/* --- device rules --------------------------------------------------------------------------------------- */

static int read_rule_type(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	char *type = out;
	const char *s;
	int r = sp_get_string(p, at, j, &s);

	if (r < 0)
		return r;
	if (str_eq(s, "") || str_eq(s, "a"))
		*type = 'a';
	else if (str_eq(s, "c") || str_eq(s, "u"))
		*type = 'c';
	else if (str_eq(s, "b"))
		*type = 'b';
	else
		return sp_refuse(p, at, " must be one of a, b and c, not \"%.100s\"", s);
	return 0;
}

static int read_access(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	uint8_t *access = out, bits = 0;
	const char *s;
	int r = sp_get_string(p, at, j, &s);

	if (r < 0)
		return r;
	for (const char *c = s; *c; c++) {
		if (*c == 'r')
			bits |= SPEC_DEV_READ;
		else if (*c == 'w')
			bits |= SPEC_DEV_WRITE;
		else if (*c == 'm')
			bits |= SPEC_DEV_MKNOD;
		else
			bits = UINT8_MAX;
		if (bits == UINT8_MAX)
			break;
	}
	/* Nothing at all is refused: the v1 files have no way to say it, and it must not be taken for
	 * everything. */
	if (bits == 0 || bits == UINT8_MAX)
		return sp_refuse(p, at, " must be made of the letters r, w and m, not \"%.100s\"", s);
	*access = bits;
	return 0;
}

static const struct sp_field dev_rule_fields[] = {
	SP_MUST("allow", sp_bool, offsetof(struct spec_dev_rule, allow), NULL),
	SP_MAY("type", read_rule_type, offsetof(struct spec_dev_rule, type), NULL),
	SP_MAY("major", read_number_or_any, offsetof(struct spec_dev_rule, major), NULL),
	SP_MAY("minor", read_number_or_any, offsetof(struct spec_dev_rule, minor), NULL),
	SP_MAY("access", read_access, offsetof(struct spec_dev_rule, access), NULL),
	SP_END,
};

static int read_dev_rule(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_dev_rule *rule = out;

	*rule = (struct spec_dev_rule){
		.type = 'a',
		.major = -1,
		.minor = -1,
		.access = SPEC_DEV_READ | SPEC_DEV_WRITE | SPEC_DEV_MKNOD,
	};
	return sp_object(p, at, j, dev_rule_fields, rule);
}

/* --- memory, cpu, pids ---------------------------------------------------------------------------------- */

static const struct sp_range bytes = { -1, INT64_MAX }, zero_or_one = { 0, 1 };

/* -1 is "leave it alone", and so is the same number out of an engine that keeps it unsigned. */
static int read_swappiness(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_i64 *o = out;
	uint64_t all_ones;
	int r;

	if (json_as_u64(j, "", &all_ones, NULL) == 0 && all_ones == UINT64_MAX)
		return 0;
	r = sp_get_i64(p, at, j, -1, 100, &o->v);
	if (r == 0)
		o->has = o->v >= 0;
	return r;
}

static int read_oom_killer(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_resources *res = out;

	res->has_disable_oom_killer = true;
	return sp_bool(p, at, j, &res->disable_oom_killer, NULL);
}

static int read_hierarchy(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_resources *res = out;

	res->has_use_hierarchy = true;
	return sp_bool(p, at, j, &res->use_hierarchy, NULL);
}

static const struct sp_field memory_fields[] = {
	SP_MAY("limit", sp_opt_i64_not_0, AT(mem_limit), &bytes),
	SP_MAY("reservation", sp_opt_i64_not_0, AT(mem_reservation), &bytes),
	SP_MAY("swap", sp_opt_i64_not_0, AT(mem_swap), &bytes),
	SP_MAY("kernel", sp_opt_i64_not_0, AT(mem_kernel), &bytes),
	SP_MAY("kernelTCP", sp_opt_i64_not_0, AT(mem_kernel_tcp), &bytes),
	SP_MAY("swappiness", read_swappiness, AT(mem_swappiness), NULL),
	SP_MAY("disableOOMKiller", read_oom_killer, 0, NULL),
	SP_MAY("useHierarchy", read_hierarchy, 0, NULL),
	SP_MAY("checkBeforeUpdate", sp_bool, AT(check_before_update), NULL),
	SP_END,
};

static const struct sp_field cpu_fields[] = {
	SP_MAY("shares", sp_opt_u64_not_0, AT(cpu_shares), NULL),
	SP_MAY("quota", sp_opt_i64_not_0, AT(cpu_quota), &bytes),
	SP_MAY("burst", sp_opt_u64, AT(cpu_burst), NULL),
	SP_MAY("period", sp_opt_u64_not_0, AT(cpu_period), NULL),
	SP_MAY("realtimeRuntime", sp_opt_i64_not_0, AT(cpu_rt_runtime), &bytes),
	SP_MAY("realtimePeriod", sp_opt_u64_not_0, AT(cpu_rt_period), NULL),
	SP_MAY("cpus", sp_text, AT(cpus), NULL),
	SP_MAY("mems", sp_text, AT(mems), NULL),
	SP_MAY("idle", sp_opt_i64, AT(cpu_idle), &zero_or_one),
	SP_END,
};

static int read_cpu(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_resources *res = out;
	struct sp_at burst = { .up = at, .name = "burst" };
	int r = sp_object(p, at, j, cpu_fields, res);

	if (r < 0)
		return r;
	if (res->cpu_burst.has && res->cpu_quota.has && res->cpu_quota.v > 0 &&
		res->cpu_burst.v > (uint64_t)res->cpu_quota.v)
		return sp_refuse(p, &burst, " (%llu) must not exceed the quota (%lld)",
			(unsigned long long)res->cpu_burst.v, (long long)res->cpu_quota.v);
	return 0;
}

static const struct sp_field pids_fields[] = {
	SP_MAY("limit", sp_opt_i64, AT(pids_limit), &bytes),
	SP_END,
};

/* --- block I/O ------------------------------------------------------------------------------------------ */

static int read_weight(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_u64 *w = out;
	int r = sp_opt_u64_not_0(p, at, j, w, NULL);

	if (r == 0 && w->has && (w->v < 10 || w->v > 1000))
		return sp_refuse(p, at, " must be from 10 to 1000, not %llu", (unsigned long long)w->v);
	return r;
}

static const struct sp_field block_weight_fields[] = {
	SP_MUST("major", read_number, offsetof(struct spec_block_weight, major), NULL),
	SP_MUST("minor", read_number, offsetof(struct spec_block_weight, minor), NULL),
	SP_MAY("weight", read_weight, offsetof(struct spec_block_weight, weight), NULL),
	SP_MAY("leafWeight", read_weight, offsetof(struct spec_block_weight, leaf_weight), NULL),
	SP_END,
};

static int read_block_weight(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_block_weight *w = out;
	int r = sp_object(p, at, j, block_weight_fields, w);

	if (r == 0 && !w->weight.has && !w->leaf_weight.has)
		return sp_refuse(p, at, " must have a weight or a leafWeight");
	return r;
}

static const struct sp_field block_rate_fields[] = {
	SP_MUST("major", read_number, offsetof(struct spec_block_rate, major), NULL),
	SP_MUST("minor", read_number, offsetof(struct spec_block_rate, minor), NULL),
	SP_MUST("rate", sp_u64, offsetof(struct spec_block_rate, rate), NULL),
	SP_END,
};

#define RATES(kind)                                                                                         \
	SP_LIST(AT(block_rates[kind]), AT(n_block_rates[kind]), sizeof(struct spec_block_rate), sp_section, \
		block_rate_fields)

static const struct sp_field block_io_fields[] = {
	SP_MAY("weight", read_weight, AT(block_weight), NULL),
	SP_MAY("leafWeight", read_weight, AT(block_leaf_weight), NULL),
	SP_MAY("weightDevice", sp_list, 0, LIST(block_weights, spec_block_weight, read_block_weight, NULL)),
	SP_MAY("throttleReadBpsDevice", sp_list, 0, RATES(SPEC_BLOCK_READ_BPS)),
	SP_MAY("throttleWriteBpsDevice", sp_list, 0, RATES(SPEC_BLOCK_WRITE_BPS)),
	SP_MAY("throttleReadIOPSDevice", sp_list, 0, RATES(SPEC_BLOCK_READ_IOPS)),
	SP_MAY("throttleWriteIOPSDevice", sp_list, 0, RATES(SPEC_BLOCK_WRITE_IOPS)),
	SP_END,
};

/* --- hugepages, network, rdma, unified ------------------------------------------------------------------ */

/* It becomes part of a file name, "hugetlb.2MB.max": digits, one of K, M, G, and a B. */
static int read_page_size(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **size = out;
	int r = sp_get_string(p, at, j, size);
	size_t n;

	if (r < 0)
		return r;
	n = strspn(*size, "0123456789");
	if (n == 0 || n > 9 || **size == '0' || !strchr("KMG", (*size)[n]) ||
		!str_eq(*size + n + !!(*size)[n], "B"))
		return sp_refuse(p, at, " must be a size such as 64KB, 2MB or 1GB, not \"%.100s\"", *size);
	return 0;
}

static const struct sp_field hugepage_fields[] = {
	SP_MUST("pageSize", read_page_size, offsetof(struct spec_hugepage, page_size), NULL),
	SP_MUST("limit", sp_u64, offsetof(struct spec_hugepage, limit), NULL),
	SP_END,
};

static int read_class_id(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_resources *res = out;

	res->has_class_id = true;
	return sp_u32(p, at, j, &res->class_id, NULL);
}

/* Names that are written into a cgroup file beside their value: a blank in one would make two fields of it.
 */
static int check_field(struct sp *p, const struct sp_at *at, const char *name)
{
	if (!*name || name[strcspn(name, " \t\n\v\f\r")])
		return sp_refuse(
			p, at, ": a name must have neither blanks nor newlines, and must not be empty");
	return 0;
}

static int read_if_name(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **name = out;
	int r = sp_get_string(p, at, j, name);

	return r < 0 ? r : check_field(p, at, *name);
}

static const struct sp_field ifprio_fields[] = {
	SP_MUST("name", read_if_name, offsetof(struct spec_ifprio, name), NULL),
	SP_MUST("priority", sp_u32, offsetof(struct spec_ifprio, priority), NULL),
	SP_END,
};

static const struct sp_field network_fields[] = {
	SP_MAY("classID", read_class_id, 0, NULL),
	SP_MAY("priorities", sp_list, 0, LIST(priorities, spec_ifprio, sp_section, ifprio_fields)),
	SP_END,
};

static int read_rdma_count(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_u64 *o = out;
	int r = sp_get_u64(p, at, j, UINT32_MAX, &o->v);

	o->has = r == 0;
	return r;
}

static const struct sp_field rdma_fields[] = {
	SP_MAY("hcaHandles", read_rdma_count, offsetof(struct spec_rdma, hca_handles), NULL),
	SP_MAY("hcaObjects", read_rdma_count, offsetof(struct spec_rdma, hca_objects), NULL),
	SP_END,
};

static int read_rdma(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_resources *res = out;
	const struct json **members;
	struct spec_rdma *list;
	size_t n;
	int r = sp_members(p, at, j, &members, &n);

	if (r < 0 || n == 0)
		return r;
	list = arena_calloc(p->arena, n, sizeof(*list));
	if (!list)
		return sp_no_memory(p);
	for (size_t i = 0; i < n; i++) {
		struct sp_at here = { .up = at, .name = members[i]->key, .is_key = true };

		r = check_field(p, &here, here.name);
		if (r == 0)
			r = sp_object(p, &here, members[i], rdma_fields, &list[i]);
		if (r < 0)
			return r;
		if (!list[i].hca_handles.has && !list[i].hca_objects.has)
			return sp_refuse(p, &here, " must have hcaHandles or hcaObjects");
		list[i].device = here.name;
	}
	res->rdma = list;
	res->n_rdma = n;
	return 0;
}

/* A file of the partition's own cgroup, and no way out of it. */
static int check_unified(struct sp *p, const struct sp_at *at, const char *key)
{
	if (!*key || *key == '.' || strchr(key, '/'))
		return sp_refuse(p, at,
			": the name of a cgroup file has no '/', does not begin with '.', and is not empty");
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------------------ */

static const struct sp_field resources_fields[] = {
	SP_MAY("devices", sp_list, 0, LIST(devices, spec_dev_rule, read_dev_rule, NULL)),
	SP_MAY("memory", sp_section, 0, memory_fields),
	SP_MAY("cpu", read_cpu, 0, NULL),
	SP_MAY("pids", sp_section, 0, pids_fields),
	SP_MAY("blockIO", sp_section, 0, block_io_fields),
	SP_MAY("hugepageLimits", sp_list, 0, LIST(hugepages, spec_hugepage, sp_section, hugepage_fields)),
	SP_MAY("network", sp_section, 0, network_fields),
	SP_MAY("rdma", read_rdma, 0, NULL),
	SP_MAY("unified", sp_string_map, 0, SP_MAP(AT(unified), AT(n_unified), check_unified)),
	SP_END,
};

int sp_resources(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_resources *res = out;
	int r = sp_object(p, at, j, resources_fields, res);

	res->present = r == 0;
	return r;
}
