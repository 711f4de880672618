/* SPDX-License-Identifier: Apache-2.0 */
/* What takes more than one section of config.json to see: properties that need a namespace, and pairs that
 * exclude each other. */
#include "spec/parse.h"

#include "base/str.h"

static const struct sp_at linux_at = { .name = "linux" };

static bool is_new(const struct spec *s, enum spec_ns kind)
{
	return s->ns[kind].present && !s->ns[kind].path;
}

/* Without a UTS namespace of its own the partition would rename the host. */
static int check_names(struct sp *p, const struct spec *s)
{
	static const struct sp_at hostname = { .name = "hostname" }, domainname = { .name = "domainname" };
	const struct sp_at sysctl = { .up = &linux_at, .name = "sysctl" };

	if (s->hostname && !s->ns[SPEC_NS_UTS].present)
		return sp_refuse(p, &hostname, " needs a uts namespace in linux.namespaces");
	if (s->domainname && !s->ns[SPEC_NS_UTS].present)
		return sp_refuse(p, &domainname, " needs a uts namespace in linux.namespaces");
	for (size_t i = 0; i < s->n_sysctl; i++) {
		const char *key = s->sysctl[i].key;
		const struct sp_at here = { .up = &sysctl, .name = key, .is_key = true };

		if (s->hostname && (str_eq(key, "kernel.hostname") || str_eq(key, "kernel/hostname")))
			return sp_refuse(p, &here, " is set by the property hostname already");
		if (s->domainname && (str_eq(key, "kernel.domainname") || str_eq(key, "kernel/domainname")))
			return sp_refuse(p, &here, " is set by the property domainname already");
	}
	return 0;
}

/*
 * Both maps or neither: without any, whoever knows who the caller is decides (rt_adapt_spec()). Those that
 * come with the path of a namespace are compared with what it has, once it can be looked at.
 */
static int check_user(struct sp *p, const struct spec *s)
{
	const struct sp_at uids = { .up = &linux_at, .name = "uidMappings" };
	const struct sp_at gids = { .up = &linux_at, .name = "gidMappings" };

	if (!s->n_uid_map && !s->n_gid_map)
		return 0;
	if (!s->ns[SPEC_NS_USER].present)
		return sp_refuse(
			p, s->n_uid_map ? &uids : &gids, " needs a user namespace in linux.namespaces");
	if (!is_new(s, SPEC_NS_USER))
		return 0;
	if (!s->n_uid_map)
		return sp_refuse(p, &uids, " must have an entry: linux.namespaces has a new user namespace");
	if (!s->n_gid_map)
		return sp_refuse(p, &gids, " must have an entry: linux.namespaces has a new user namespace");
	return 0;
}

static int check_time(struct sp *p, const struct spec *s)
{
	const struct sp_at offsets = { .up = &linux_at, .name = "timeOffsets" };

	if (!s->time_monotonic.present && !s->time_boottime.present)
		return 0;
	if (!s->ns[SPEC_NS_TIME].present)
		return sp_refuse(p, &offsets, " needs a time namespace in linux.namespaces");
	if (s->ns[SPEC_NS_TIME].path)
		return sp_refuse(p, &offsets,
			" cannot be given for the time namespace %.200s: its clocks run already",
			s->ns[SPEC_NS_TIME].path);
	return 0;
}

int sp_check(struct sp *p, const struct spec *s)
{
	const struct sp_at net_devices = { .up = &linux_at, .name = "netDevices" };
	int r = check_names(p, s);

	if (r == 0)
		r = check_user(p, s);
	if (r == 0)
		r = check_time(p, s);
	if (r == 0 && s->n_net_devices && !s->ns[SPEC_NS_NETWORK].present)
		r = sp_refuse(p, &net_devices, " needs a network namespace in linux.namespaces");
	return r;
}
