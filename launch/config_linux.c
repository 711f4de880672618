/* SPDX-License-Identifier: Apache-2.0 */
/* The `linux` object of a launched partition: namespaces, id maps, sysctl, paths; what is in other files it
 * calls. */
#include "launch/config_internal.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "namespaces/sysctl.h"

/* --- sysctl ------------------------------------------------------------------------------------- */

static bool has_sysctl(const struct cfg *c, const char *key)
{
	for (size_t k = 0; k + 1 < c->sysctl.n; k += 2)
		if (str_eq(c->sysctl.v[k], key))
			return true;
	return false;
}

static void default_sysctl(struct cfg *c, const char *key, const char *value)
{
	if (has_sysctl(c, key))
		return;
	cfg_add(&c->sysctl, c->a, key);
	cfg_add(&c->sysctl, c->a, value);
}

/*
 * Whatever is not of a namespace that is the partition's own would change the host. By the runtime's own
 * table, here, where the option can still be named.
 */
static int check_sysctl(const struct cfg *c, const char *option, const struct spec_sysctl *one, struct err *e)
{
	struct spec s = { .sysctl = (struct spec_sysctl *)one, .n_sysctl = 1, .hostname = c->hostname };
	int r;

	s.ns[SPEC_NS_IPC].present = s.ns[SPEC_NS_UTS].present = true;
	s.ns[SPEC_NS_USER].present = c->userns;
	s.ns[SPEC_NS_NETWORK].present = c->net->own;
	r = sysctl_check(&s, e);
	return r < 0 ? err_wrap(e, "--sysctl %.200s", option) : 0;
}

static int sysctls(struct cfg *c, struct err *e)
{
	const char *s;

	strv_each (s, c->o->sysctls) {
		struct spec_sysctl one;
		int r;

		if (!cfg_pair(c->a, s, &one.key, &one.value) || !*one.key)
			return err_text(e, EINVAL, "--sysctl %.200s: must be NAME=VALUE", s);
		r = check_sysctl(c, s, &one, e);
		if (r < 0)
			return r;
		if (has_sysctl(c, one.key))
			return err_text(e, EINVAL, "--sysctl %.200s: %s is there twice", s, one.key);
		cfg_add(&c->sysctl, c->a, one.key);
		cfg_add(&c->sysctl, c->a, one.value);
	}
	/*
	 * Its ports are its own, so that a program needs no right for port 80; and ping(8) needs none for an
	 * echo. Only where there is somebody to talk to: on a loopback alone it would be for nothing.
	 */
	if (c->net->own && c->net->hooks) {
		/* The kernel takes no group that the user namespace does not have. Which ones that has that
		 * the runtime adds for a user who is not root is not known here: its root, at least. */
		const char *groups = c->userns ? arena_printf(c->a, "0 %u", c->r->n_ids ? c->r->n_ids - 1 : 0)
				     : c->at->rootless ? "0 0"
						       : "0 2147483647";

		default_sysctl(c, "net.ipv4.ip_unprivileged_port_start", "0");
		default_sysctl(c, "net.ipv4.ping_group_range", groups);
	}
	return c->sysctl.failed ? cfg_no_memory(e) : 0;
}

/* --- the whole ---------------------------------------------------------------------------------- */

int cfg_linux(struct cfg *c, struct err *e)
{
	struct statfs fs;

	/* Only cgroup2 delegates safely, and each v1 hierarchy would be one more superblock; but systemd
	 * wants to see the top of what it manages. */
	c->cgroup_ns = c->o->boot || (statfs("/sys/fs/cgroup", &fs) == 0 &&
					     (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC);
	c->lean = !c->cgroup_ns && !(c->o->isolation && str_eq(c->o->isolation, "sandbox"));
	return sysctls(c, e);
}

static void put_map(struct cfg *c, const char *name)
{
	json_open_array(c->w, name);
	json_open_object(c->w, NULL);
	json_put_u64(c->w, "containerID", 0);
	json_put_i64(c->w, "hostID", c->r->ids);
	json_put_u64(c->w, "size", c->r->n_ids);
	json_close_object(c->w);
	json_close_array(c->w);
}

static void put_namespace(struct cfg *c, enum spec_ns ns, const char *path)
{
	json_open_object(c->w, NULL);
	json_put_string(c->w, "type", spec_ns_names[ns]);
	if (path)
		json_put_string(c->w, "path", path);
	json_close_object(c->w);
}

static void put_namespaces(struct cfg *c)
{
	static const enum spec_ns always[] = { SPEC_NS_PID, SPEC_NS_IPC, SPEC_NS_UTS, SPEC_NS_MOUNT };

	json_open_array(c->w, "namespaces");
	if (c->userns)
		put_namespace(c, SPEC_NS_USER, NULL);
	for (size_t k = 0; k < ARRAY_SIZE(always); k++)
		put_namespace(c, always[k], NULL);
	if (c->cgroup_ns)
		put_namespace(c, SPEC_NS_CGROUP, NULL);
	if (c->net->own || c->net->join)
		put_namespace(c, SPEC_NS_NETWORK, c->net->join);
	json_close_array(c->w);
}

void cfg_put_linux(struct cfg *c)
{
	struct json_writer *w = c->w;

	if (c->userns) {
		put_map(c, "uidMappings");
		put_map(c, "gidMappings");
	}
	put_namespaces(c);
	cfg_put_devices(c);
	cfg_put_resources(c);
	if (c->sysctl.n) {
		json_open_object(w, "sysctl");
		for (size_t k = 0; k + 1 < c->sysctl.n; k += 2)
			json_put_string(w, c->sysctl.v[k], c->sysctl.v[k + 1]);
		json_close_object(w);
	}
	if (c->masked.n)
		json_put_strv(w, "maskedPaths", c->masked.v);
	if (c->readonly.n)
		json_put_strv(w, "readonlyPaths", c->readonly.v);
	if (c->label)
		json_put_string(w, "mountLabel", c->label);
}
