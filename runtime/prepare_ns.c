/* SPDX-License-Identifier: Apache-2.0 */
/* Create, before anything is made: what can be refused is refused, and what the cgroup will be is worked out.
 */
#include "runtime/create_ns.h"

#include <errno.h>

#include "base/str.h"
#include "namespaces/sysctl.h"
#include "runtime/rdt.h"

static bool is_cgroup_mount(const struct spec_mount *m)
{
	return m->type && (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"));
}

/*
 * Whether the payload is to work with cgroups and not just look at its own limits: a writable cgroup mount,
 * cgroup2 by name, or something mounted into that tree (as podman does for a systemd inside). Then it gets a
 * cgroup in hierarchies without limits, too.
 */
static bool wants_all_hierarchies(const struct spec *s)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];

		if (str_starts(m->destination, "/sys/fs/cgroup/"))
			return true;
		if (is_cgroup_mount(m) && (str_eq(m->type, "cgroup2") || !strv_has(m->options, "ro")))
			return true;
	}
	return false;
}

/* config-linux.md, "Cgroup ownership": with a namespace of its own and the mount there, to be written to. */
static bool wants_delegation(const struct spec *s)
{
	const struct spec_ns_entry *ns = &s->ns[SPEC_NS_CGROUP];

	for (size_t i = 0; ns->present && !ns->path && i < s->n_mounts; i++)
		if (is_cgroup_mount(&s->mounts[i]) && str_eq(s->mounts[i].destination, "/sys/fs/cgroup") &&
			!strv_has(s->mounts[i].options, "ro"))
			return true;
	return false;
}

static const char *own_path(
	const struct cgrp *c, const struct cgrp_host *host, const struct cgrp_hierarchy *h)
{
	const char *path = c ? cgrp_path(c, h->controllers) : "";

	/* A host with a single hierarchy shows it even to a partition without a cgroup of its own: the caller
	 * asked for the mount. */
	return *path || host->n == 1 ? path : NULL;
}

int ns_fill_hierarchies(struct make *m, struct err *e)
{
	const struct cgrp_host *host;
	bool any = false;
	int r;

	for (size_t i = 0; i < m->s->n_mounts; i++)
		any = any || is_cgroup_mount(&m->s->mounts[i]);
	if (!any)
		return 0;
	r = cgrp_host_names(&host, e);
	if (r < 0)
		return r;
	m->hierarchies = arena_calloc(m->p->arena, host->n + 1, sizeof(*m->hierarchies));
	if (!m->hierarchies)
		return err_set(e, ENOMEM, "prepare the cgroup mount");
	for (size_t h = 0; h < host->n; h++)
		m->hierarchies[h] = (struct mnt_hierarchy){
			.mount_point = host->list[h].mount_point,
			.name = host->list[h].name,
			.controllers = host->list[h].controllers,
			.path = own_path(m->p->cgroup, host, &host->list[h]),
			.v2 = host->list[h].v2,
		};
	m->in.mnt.hierarchies = m->hierarchies;
	m->in.mnt.n_hierarchies = host->n;
	return 0;
}

/* Whoever is host id what in a user namespace that is joined: where the config says it too, it must agree. */
static int joined_maps(struct make *m, struct err *e)
{
	struct spec *s = m->p->spec;
	struct ns_maps maps;
	int r;

	if (!s->ns[SPEC_NS_USER].path)
		return 0;
	r = ns_read_maps(m->in.ns[SPEC_NS_USER], m->p->arena, &maps, e);
	if (r == 0)
		r = ns_check_maps(s, &maps, m->p->arena, e);
	/* Our own has no ids but ours. */
	if (r < 0 || m->in.ns[SPEC_NS_USER] < 0)
		return r;
	s->uid_map = maps.uid;
	s->n_uid_map = maps.n_uid;
	s->gid_map = maps.gid;
	s->n_gid_map = maps.n_gid;
	return 0;
}

/*
 * Of the few kinds of partition that there are thousands of: with what it may take of a template
 * (namespaces/template.h), and nobody who looks at its mounts before they are all there. Descriptors of files
 * in the namespace that it leaves would show as unreachable: a terminal's would.
 */
static bool fits_template(const struct make *m, const struct rt_create_opts *o)
{
	const struct spec *s = m->s;
	const struct spec_ns_entry *user = &s->ns[SPEC_NS_USER], *mount = &s->ns[SPEC_NS_MOUNT],
				   *net = &s->ns[SPEC_NS_NETWORK];

	return user->present && !user->path && mount->present && !mount->path && net->present && !net->path &&
	       !s->n_net_devices && !m->in.has_hooks && !s->hooks.n[SPEC_HOOK_START_CONTAINER] &&
	       !(s->has_process && s->process.terminal) && !o->no_pivot &&
	       (s->rootfs_propagation == SPEC_PROPAGATION_UNSET ||
		       s->rootfs_propagation == SPEC_PROPAGATION_PRIVATE);
}

int ns_prepare(struct make *m, const struct rt_create_opts *o, struct err *e)
{
	const struct spec *s = m->s;
	struct rt_partition *p = m->p;
	struct payload_opts po = {
		.seccomp_cache = m->l->seccomp_cache,
		.preserve_fds = o->preserve_fds,
		.rootless = p->rootless,
		.own_user_ns = ns_has_user(s),
		.listen_fds = true,
	};
	int r;

	m->in = (struct init){
		.p = p,
		.spec = s,
		.sync = -EBADF,
		.start_listener = -EBADF,
		.console_socket = m->l->console_socket,
		.own_user_ns = ns_has_user(s),
		.has_hooks = s->hooks.n[SPEC_HOOK_PRESTART] || s->hooks.n[SPEC_HOOK_CREATE_RUNTIME] ||
			     s->hooks.n[SPEC_HOOK_CREATE_CONTAINER],
		.no_new_keyring = o->no_new_keyring,
		.mnt = {
			.spec = s,
			.bundle = p->bundle,
			.rootfs = p->rootfs,
			.no_pivot = o->no_pivot,
			.user_ns = ns_has_user(s),
			.rootless = p->rootless,
			.new_cgroup_ns = s->ns[SPEC_NS_CGROUP].present,
			.mount_context_type = spec_annotation(s, "run.oci.mount_context_type"),
		},
	};
	m->in.payload.procfd = -EBADF;
	m->mnt_template = o->mnt_template > 0 && fits_template(m, o) ? o->mnt_template : 0;
	for (int i = 0; i < SPEC_NS_KINDS; i++)
		m->in.ns[i] = -EBADF;
	if (s->vm.present)
		return err_text(e, EOPNOTSUPP,
			"vm asks for a machine of its own, and this partition is made of namespaces: leave "
			"the section out");
	r = sysctl_check(s, e);
	if (r == 0)
		r = ns_check_ours(s, e);
	if (r == 0)
		r = ns_open_paths(s, m->in.ns, e);
	if (r == 0)
		r = joined_maps(m, e);
	if (r == 0)
		r = mnt_init(&m->in.mnt, e);
	if (r == 0 && s->has_process)
		r = payload_prepare(&m->in.payload, p->arena, s, &s->process, &po, e);
	if (r == 0)
		r = rdt_check(s, e);
	return r;
}

int ns_make_cgroup(struct make *m, struct err *e)
{
	struct rt_partition *p = m->p;
	const struct spec *s = m->s;
	struct cgrp_params cp = {
		.manager = p->manager,
		.id = p->id,
		.cgroups_path = s->cgroups_path,
		.root_tag = m->l->cgroup_tag,
		.resources = &s->resources,
		.annotations = s->annotations,
		.n_annotations = s->n_annotations,
		.rootless = p->rootless,
		.visible = wants_all_hierarchies(s),
	};
	/* To whom the process is on the host; what is root's is so already. */
	const struct spec_user *user = &s->process.user;
	int64_t uid = ns_map_to_host(s->uid_map, s->n_uid_map, user->uid),
		gid = ns_map_to_host(s->gid_map, s->n_gid_map, user->gid);

	if (p->manager == CGRP_DISABLED)
		return 0;
	cp.delegate = wants_delegation(s) && uid > 0 && gid >= 0;
	cp.delegate_uid = (uid_t)uid;
	cp.delegate_gid = (gid_t)gid;
	return cgrp_create(&cp, &p->cgroup, e);
}
