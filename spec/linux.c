/* SPDX-License-Identifier: Apache-2.0 */
/* config-linux.md: namespaces, id maps, clocks, sysctls, and the rest of the `linux` section that has no file
 * of its own. */
#include "spec/parse.h"

#include "base/str.h"

/* --- namespaces ----------------------------------------------------------------------------------------- */

struct namespace
{
	enum spec_ns kind;
	const char *path;
};

static int read_kind(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	enum spec_ns *kind = out;
	const char *s;
	int r = sp_get_string(p, at, j, &s);

	if (r < 0)
		return r;
	for (int i = 0; i < SPEC_NS_KINDS; i++) {
		if (str_eq(s, spec_ns_names[i])) {
			*kind = (enum spec_ns)i;
			return 0;
		}
	}
	return sp_refuse(p, at,
		": unknown namespace %.100s; known are pid, network, mount, ipc, uts, user, cgroup, time", s);
}

static const struct sp_field namespace_fields[] = {
	SP_MUST("type", read_kind, offsetof(struct namespace, kind), NULL),
	SP_MAY("path", sp_path_or_empty, offsetof(struct namespace, path), NULL),
	SP_END,
};

static int read_namespaces(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec *s = out;
	struct sp_at here = { .up = at }, type = { .up = &here, .name = "type" };
	const struct json *m;
	int r = sp_want(p, at, j, JSON_ARRAY);

	if (r < 0)
		return r;
	/* A property that is there twice counts once: what an earlier list said is gone (sp_object() reads
	 * the last). */
	json_each (m, j) {
		struct namespace ns = { 0 };

		r = sp_object(p, &here, m, namespace_fields, &ns);
		if (r < 0)
			return r;
		if (s->ns[ns.kind].present)
			return sp_refuse(
				p, &type, ": the %s namespace is listed twice", spec_ns_names[ns.kind]);
		s->ns[ns.kind] = (struct spec_ns_entry){ .present = true, .path = ns.path };
		here.index++;
	}
	return 0;
}

static int read_uids(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec *s = out;

	return sp_id_map(p, at, j, &s->uid_map, &s->n_uid_map);
}

static int read_gids(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec *s = out;

	return sp_id_map(p, at, j, &s->gid_map, &s->n_gid_map);
}

/* --- clocks --------------------------------------------------------------------------------------------- */

static int read_secs(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return sp_get_i64(p, at, j, INT64_MIN, INT64_MAX, out);
}

static int read_nanosecs(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	uint32_t *ns = out;
	uint64_t v;
	int r = sp_get_u64(p, at, j, 999999999, &v);

	if (r == 0)
		*ns = (uint32_t)v;
	return r;
}

static const struct sp_field offset_fields[] = {
	SP_MAY("secs", read_secs, offsetof(struct spec_time_offset, secs), NULL),
	SP_MAY("nanosecs", read_nanosecs, offsetof(struct spec_time_offset, nanosecs), NULL),
	SP_END,
};

/* Keys are data here: a clock that the kernel cannot shift is refused, for its offset could not be given. */
static int read_offsets(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec *s = out;
	const struct json **members;
	size_t n;
	int r = sp_members(p, at, j, &members, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct sp_at here = { .up = at, .name = members[i]->key, .is_key = true };
		struct spec_time_offset *o = NULL;

		if (str_eq(here.name, "monotonic"))
			o = &s->time_monotonic;
		else if (str_eq(here.name, "boottime"))
			o = &s->time_boottime;
		else
			return sp_refuse(p, &here, ": unknown clock; known are monotonic and boottime");
		here.is_key = false;
		o->present = true;
		r = sp_object(p, &here, members[i], offset_fields, o);
	}
	return r;
}

/* --- strings with a grammar ----------------------------------------------------------------------------- */

static int read_paths(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	char ***v = out;
	struct sp_at here = { .up = at };
	const char *s;
	int r = sp_strv_or_null(p, at, j, v, NULL);

	if (r < 0)
		return r;
	strv_each (s, *v) {
		r = sp_check_path(p, &here, s);
		if (r < 0)
			return r;
		here.index++;
	}
	return 0;
}

static int read_propagation(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec *s = out;
	uint64_t v;
	int r = sp_want(p, at, j, JSON_STRING);

	if (r < 0 || !*j->text)
		return r;
	r = sp_get_word(p, at, j, spec_propagation_words, "propagation", &v);
	if (r < 0)
		return r;
	s->rootfs_propagation = (enum spec_propagation)(v & ~(uint64_t)SPEC_PROPAGATION_RECURSIVE);
	s->rootfs_propagation_recursive = v & SPEC_PROPAGATION_RECURSIVE;
	return 0;
}

static int check_sysctl(struct sp *p, const struct sp_at *at, const char *key)
{
	return *key ? 0 : sp_refuse(p, at, ": the name of a sysctl must not be empty");
}

/* --- personality, memory policy ------------------------------------------------------------------------- */

struct personality {
	uint64_t domain;
	char **flags;
};

static int read_domain(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return sp_get_word(p, at, j, spec_personality_words, "domain", out);
}

static const struct sp_field personality_fields[] = {
	SP_MUST("domain", read_domain, offsetof(struct personality, domain), NULL),
	SP_MAY("flags", sp_strv_or_null, offsetof(struct personality, flags), NULL),
	SP_END,
};

static int read_personality(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec *s = out;
	struct sp_at flags = { .up = at, .name = "flags" };
	struct personality v = { 0 };
	int r = sp_object(p, at, j, personality_fields, &v);

	if (r < 0)
		return r;
	if (v.flags)
		return sp_refuse(p, &flags, " must be empty: the runtime-spec defines no flag");
	s->has_personality = true;
	s->personality = (unsigned long)v.domain;
	return 0;
}

static int read_memory_mode(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	int *mode = out;
	uint64_t v;
	int r = sp_get_word(p, at, j, spec_memory_mode_words, "mode", &v);

	if (r == 0)
		*mode = (int)v;
	return r;
}

static int read_memory_flags(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	int *flags = out;
	uint64_t v;
	int r = sp_get_flags(p, at, j, spec_memory_flag_words, "flag", &v);

	if (r == 0)
		*flags = (int)v;
	return r;
}

static const struct sp_field memory_policy_fields[] = {
	SP_MUST("mode", read_memory_mode, offsetof(struct spec_memory_policy, mode), NULL),
	SP_MAY("flags", read_memory_flags, offsetof(struct spec_memory_policy, flags), NULL),
	SP_MAY("nodes", sp_string, offsetof(struct spec_memory_policy, nodes), NULL),
	SP_END,
};

static bool is_mode(const struct spec_memory_policy *m, const char *name)
{
	return m->mode == (int)spec_word_find(spec_memory_mode_words, name)->value;
}

static int read_memory_policy(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_memory_policy *m = out;
	struct sp_at nodes = { .up = at, .name = "nodes" }, flags = { .up = at, .name = "flags" };
	int both = (int)(spec_word_find(spec_memory_flag_words, "MPOL_F_STATIC_NODES")->value |
			 spec_word_find(spec_memory_flag_words, "MPOL_F_RELATIVE_NODES")->value);
	int r = sp_object(p, at, j, memory_policy_fields, m);

	if (r < 0)
		return r;
	if (!m->nodes)
		m->nodes = "";
	if (m->nodes[strspn(m->nodes, "0123456789, -")])
		return sp_refuse(
			p, &nodes, " must be a list of nodes such as \"0-1,3\", not \"%.100s\"", m->nodes);
	/* set_mempolicy(2) would answer a bare EINVAL to these. */
	if (*m->nodes && (is_mode(m, "MPOL_DEFAULT") || is_mode(m, "MPOL_LOCAL")))
		return sp_refuse(p, &nodes, " must be empty with MPOL_DEFAULT and MPOL_LOCAL");
	if ((m->flags & both) == both)
		return sp_refuse(
			p, &flags, ": MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
	m->present = true;
	return 0;
}

/* --- Intel RDT ------------------------------------------------------------------------------------------ */

/* A directory below resctrl's mount point, or "/" for its root. */
static int read_clos(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **id = out;
	int r = sp_text(p, at, j, id, NULL);

	if (r < 0 || !*id || str_eq(*id, "/"))
		return r;
	if (str_eq(*id, ".") || str_eq(*id, "..") || (*id)[strcspn(*id, "/\n")])
		return sp_refuse(p, at, " must be the name of one directory, or \"/\", not \"%.100s\"", *id);
	return 0;
}

static int read_mb_schema(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **schema = out;
	int r = sp_text(p, at, j, schema, NULL);

	if (r == 0 && *schema && (!str_starts(*schema, "MB:") || strchr(*schema, '\n')))
		return sp_refuse(p, at, " must be one line that begins with \"MB:\"");
	return r;
}

static int read_schemata(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	char ***lines = out;
	struct sp_at here = { .up = at };
	const char *s;
	int r = sp_strv_or_null(p, at, j, lines, NULL);

	if (r < 0)
		return r;
	strv_each (s, *lines) {
		if (!*s || strchr(s, '\n'))
			return sp_refuse(p, &here, " must be one line, and not empty");
		here.index++;
	}
	return 0;
}

#define RDT(member) offsetof(struct spec_intel_rdt, member)
static const struct sp_field rdt_fields[] = {
	SP_MAY("closID", read_clos, RDT(clos_id), NULL),
	SP_MAY("l3CacheSchema", sp_text, RDT(l3_cache_schema), NULL),
	SP_MAY("memBwSchema", read_mb_schema, RDT(mem_bw_schema), NULL),
	SP_MAY("schemata", read_schemata, RDT(schemata), NULL),
	SP_MAY("enableMonitoring", sp_bool, RDT(enable_monitoring), NULL),
	SP_END,
};

static int read_rdt(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_intel_rdt *rdt = out;
	int r = sp_object(p, at, j, rdt_fields, rdt);

	rdt->present = r == 0;
	return r;
}

/* --- the whole ------------------------------------------------------------------------------------------ */

#define AT(member) offsetof(struct spec, member)
static const struct sp_field linux_fields[] = {
	SP_MAY("namespaces", read_namespaces, 0, NULL),
	SP_MAY("uidMappings", read_uids, 0, NULL),
	SP_MAY("gidMappings", read_gids, 0, NULL),
	SP_MAY("timeOffsets", read_offsets, 0, NULL),
	SP_MAY("devices", sp_devices, 0, NULL),
	SP_MAY("netDevices", sp_net_devices, 0, NULL),
	SP_MAY("cgroupsPath", sp_text, AT(cgroups_path), NULL),
	SP_MAY("resources", sp_resources, AT(resources), NULL),
	SP_MAY("rootfsPropagation", read_propagation, 0, NULL),
	SP_MAY("seccomp", sp_seccomp, AT(seccomp), NULL),
	SP_MAY("sysctl", sp_string_map, 0, SP_MAP(AT(sysctl), AT(n_sysctl), check_sysctl)),
	SP_MAY("maskedPaths", read_paths, AT(masked_paths), NULL),
	SP_MAY("readonlyPaths", read_paths, AT(readonly_paths), NULL),
	SP_MAY("mountLabel", sp_text, AT(mount_label), NULL),
	SP_MAY("intelRdt", read_rdt, AT(intel_rdt), NULL),
	SP_MAY("memoryPolicy", read_memory_policy, AT(memory_policy), NULL),
	SP_MAY("personality", read_personality, 0, NULL),
	SP_END,
};

int sp_linux(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return sp_object(p, at, j, linux_fields, out);
}
