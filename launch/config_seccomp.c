/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --security-opt seccomp=FILE: a linux.seccomp section as runtime-spec has it, or a profile as docker and
 * podman take it, whose rules have conditions ("includes", "excludes": capabilities, architectures, the
 * kernel's version) and whose architectures are a map.
 */
#include "launch/config_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "launch/seccomp_profile.h"

#define PROFILE_MAX (4U << 20)

/* Docker's names of what we were built for. */
static const char *const own_arches[] = {
#if defined(__x86_64__)
	"amd64",
	"x86_64",
#elif defined(__i386__)
	"x86",
	"386",
#elif defined(__aarch64__)
	"arm64",
	"aarch64",
#elif defined(__arm__)
	"arm",
#elif defined(__riscv)
	"riscv64",
#elif defined(__powerpc64__)
	"ppc64le",
#elif defined(__s390x__)
	"s390x",
#endif
	NULL,
};

static bool kernel_is_at_least(const char *text)
{
	unsigned int want[2] = { 0, 0 }, have[2] = { 0, 0 };
	struct utsname u;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &have[0], &have[1]) == 2 &&
	       sscanf(text, "%u.%u", &want[0], &want[1]) == 2 &&
	       (have[0] > want[0] || (have[0] == want[0] && have[1] >= want[1]));
}

static bool has_cap(const struct cfg *c, const char *name)
{
	int cap = spec_cap_from_name(name);

	return cap >= 0 && (c->caps & (UINT64_C(1) << cap));
}

/* `all`: whether each capability must be there (includes) or one is enough (excludes). */
static int matches(const struct cfg *c, const struct json *conditions, bool all, bool *out, struct err *e)
{
	const struct json *arches = json_get(conditions, "arches"), *caps = json_get(conditions, "caps");
	const struct json *kernel = json_get(conditions, "minKernel"), *item;
	const char *s;
	bool arch = false, cap = all, version = false;
	int r;

	json_each (item, arches) {
		r = json_as_string(item, "arches", &s, e);
		if (r < 0)
			return r;
		arch |= strv_has((char *const *)own_arches, s);
	}
	json_each (item, caps) {
		r = json_as_string(item, "caps", &s, e);
		if (r < 0)
			return r;
		cap = all ? cap && has_cap(c, s) : cap || has_cap(c, s);
	}
	if (kernel) {
		r = json_as_string(kernel, "minKernel", &s, e);
		if (r < 0)
			return r;
		version = kernel_is_at_least(s);
	}
	if (all)
		*out = (!arches || !arches->count || arch) && cap && (!kernel || version);
	else
		*out = arch || (caps && cap) || version;
	return 0;
}

static int applies(const struct cfg *c, const struct json *rule, bool *out, struct err *e)
{
	bool in = true, ex = false;
	int r = 0;

	if (json_get(rule, "includes"))
		r = matches(c, json_get(rule, "includes"), true, &in, e);
	if (r == 0 && json_get(rule, "excludes"))
		r = matches(c, json_get(rule, "excludes"), false, &ex, e);
	*out = in && !ex;
	return r;
}

static bool is_own_arch(const char *s)
{
	return seccomp_profile_archs[0] && str_eq(s, seccomp_profile_archs[0]);
}

/* archMap: [{ "architecture": …, "subArchitectures": […] }], of which ours counts. */
static int put_arch_map(struct cfg *c, const struct json *map, struct err *e)
{
	const struct json *entry, *sub;
	const char *s;

	json_open_array(c->w, "architectures");
	json_each (entry, map) {
		const struct json *arch = json_get(entry, "architecture");
		int r = arch ? json_as_string(arch, "archMap.architecture", &s, e) : -EINVAL;

		if (r < 0)
			return arch ? r : err_text(e, EINVAL, "archMap: an entry has no architecture");
		if (!is_own_arch(s))
			continue;
		json_put_string(c->w, NULL, s);
		json_each (sub, json_get(entry, "subArchitectures")) {
			r = json_as_string(sub, "archMap.subArchitectures", &s, e);
			if (r < 0)
				return r;
			json_put_string(c->w, NULL, s);
		}
	}
	json_close_array(c->w);
	return 0;
}

static int put_rule(struct cfg *c, const struct json *rule, struct err *e)
{
	static const char *const members[] = { "names", "action", "errnoRet", "args" };
	const struct json *name = json_get(rule, "name");
	bool wanted;
	int r = applies(c, rule, &wanted, e);

	if (r < 0 || !wanted)
		return r;
	json_open_object(c->w, NULL);
	/* Before Docker 17 there was one name a rule. */
	if (name && !json_get(rule, "names")) {
		json_open_array(c->w, "names");
		json_put_json(c->w, NULL, name);
		json_close_array(c->w);
	}
	for (size_t k = 0; k < ARRAY_SIZE(members); k++)
		if (json_get(rule, members[k]))
			json_put_json(c->w, members[k], json_get(rule, members[k]));
	json_close_object(c->w);
	return 0;
}

static int put_profile(struct cfg *c, const struct json *doc, struct err *e)
{
	static const char *const members[] = { "defaultAction", "defaultErrnoRet", "flags", "listenerPath",
		"listenerMetadata" };
	const struct json *rule;
	int r = 0;

	json_open_object(c->w, "seccomp");
	for (size_t k = 0; k < ARRAY_SIZE(members); k++)
		if (json_get(doc, members[k]))
			json_put_json(c->w, members[k], json_get(doc, members[k]));
	if (json_get(doc, "archMap"))
		r = put_arch_map(c, json_get(doc, "archMap"), e);
	else if (json_get(doc, "architectures"))
		json_put_json(c->w, "architectures", json_get(doc, "architectures"));
	if (r < 0)
		return r;
	json_open_array(c->w, "syscalls");
	json_each (rule, json_get(doc, "syscalls")) {
		r = put_rule(c, rule, e);
		if (r < 0)
			return r;
	}
	json_close_array(c->w);
	json_close_object(c->w);
	return 0;
}

int cfg_put_seccomp_file(struct cfg *c, const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	const struct json *doc;
	size_t len;
	int r;

	if (fd < 0)
		return err_set(e, errno, "open --security-opt seccomp=%s", path);
	r = fd_read_regular(fd, PROFILE_MAX, &text, &len);
	if (r < 0)
		return err_set(e, -r, "read --security-opt seccomp=%s", path);
	r = json_parse(c->a, text, len, path, &doc, e);
	if (r == 0 && (doc->type != JSON_OBJECT || !json_get(doc, "defaultAction")))
		r = err_text(e, EINVAL, "it has no defaultAction, so it is no seccomp profile");
	if (r == 0)
		r = put_profile(c, doc, e);
	return r < 0 ? err_wrap(e, "--security-opt seccomp=%s", path) : 0;
}
