/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The systemd cgroup manager: a transient scope for the partition, on top of v1, v2 or mixed.
 *
 * Theory of operation: a scope is made around a process, so nothing happens before cgrp_attach() has one.
 * systemd makes the scope's cgroup, moves the process and sets what it knows of the limits; it would set
 * those back at its next reload if we only wrote files. Then we write all limits to the files as well: for
 * what systemd does not know (cpu.max.burst, hugetlb, unified keys) and for the exact values of what it
 * rounds. v1 controllers that systemd does not manage (freezer, cpuset, …) get the same path, made by us.
 * exec and stats go to the cgroup directly and never to the bus: a pid 1 busy with hundreds of probes is what
 * stops nodes (runc issue 4853).
 */
#include "cgroups/internal.h"

#include <limits.h>
#include <stdio.h>

#ifdef HAVE_SYSTEMD

#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

int cg_systemd_prepare(struct cgrp *c, const struct cgrp_params *p, struct err *e)
{
	const char *sub = cg_annotation(p, "run.oci.systemd.subgroup");
	char slice[CG_PATH_MAX], unit[CG_PATH_MAX];
	struct cgrp_params *params;
	int r = cg_unit_name(p, slice, unit, sizeof(unit), e);

	if (r < 0)
		return r;
	if (sub && (strchr(sub, '/') || str_eq(sub, ".") || str_eq(sub, "..") || strlen(sub) > NAME_MAX))
		return err_text(e, EINVAL,
			"annotation run.oci.systemd.subgroup: '%.100s' is no name of a cgroup", sub);
	c->slice = arena_strdup(c->arena, slice);
	c->unit = arena_strdup(c->arena, unit);
	if (sub && *sub)
		c->subgroup = arena_strdup(c->arena, sub);
	if (!c->slice || !c->unit || (sub && *sub && !c->subgroup))
		return err_set(e, ENOMEM, "cgroup");
	c->user_bus = p->rootless;
	/* A copy: the caller may well have had it on its stack. */
	params = arena_alloc(c->arena, sizeof(*params));
	if (!params)
		return err_set(e, ENOMEM, "cgroup");
	*params = *p;
	c->params = params;
	return 0;
}

/* The hierarchy that systemd itself works in. */
static const struct cgrp_hierarchy *own_hierarchy(const struct cgrp_host *h)
{
	for (size_t i = 0; i < h->n; i++)
		if (str_eq(h->list[i].controllers, "name=systemd"))
			return &h->list[i];
	for (size_t i = 0; i < h->n; i++)
		if (h->list[i].v2)
			return &h->list[i];
	return NULL;
}

static int move(const struct cg_node *n, pid_t pid, struct err *e)
{
	char path[CG_FILE_MAX], text[16];
	int r;

	snprintf(path, sizeof(path), "%s%s/cgroup.procs", n->mount, n->join);
	snprintf(text, sizeof(text), "%d", (int)pid);
	r = fd_put_at(AT_FDCWD, path, text);
	return r < 0 ? err_set(e, -r, "write '%s' to %s", text, path) : 0;
}

static int enter_node(struct cgrp *c, struct cg_node *n, pid_t pid, struct err *e)
{
	struct cgrp_hierarchy h = { .v2 = n->v2 };
	char now[CG_PATH_MAX];
	int r;

	if (c->subgroup && (n->v2 || !str_starts(n->controllers, "name="))) {
		struct cg_node sub = *n;

		sub.path = sub.join = arena_printf(c->arena, "%s/%s", n->path, c->subgroup);
		if (!sub.path)
			return err_set(e, ENOMEM, "cgroup");
		r = cg_make_member(c, &sub, NULL, e);
		if (r < 0)
			return r;
		n->join = sub.path;
	}
	/* Moving costs an RCU grace period: only where systemd has not done it. */
	snprintf(h.mount_point, sizeof(h.mount_point), "%s", n->mount);
	snprintf(h.controllers, sizeof(h.controllers), "%s", n->controllers);
	if (cgrp_path_of(pid, &h, now, sizeof(now), NULL) == 0 && str_eq(now, n->join))
		return 0;
	return move(n, pid, e);
}

/*
 * The limits come before the process: a v1 cpuset must be filled, and cannot be narrowed once a sub-cgroup
 * has copied its cpus.
 */
static int enter_all(struct cgrp *c, const struct cgrp_host *h, pid_t pid, struct err *e)
{
	const struct cgrp_hierarchy *own = own_hierarchy(h);
	int r = 0;

	for (size_t i = 0; r == 0 && i < h->n; i++) {
		r = cg_add_node(c, &h->list[i], c->path, e);
		if (r == 0)
			r = cg_make_member(c, &c->node[c->n - 1], NULL, e);
		if (c->rootless && &h->list[i] != own && (r == -EACCES || r == -EPERM || r == -EROFS)) {
			err_clear(e);
			c->n--;
			r = 0;
		}
	}
	if (r == 0)
		r = cg_configure(c, c->params, e);
	for (size_t i = 0; r == 0 && i < c->n; i++)
		r = enter_node(c, &c->node[i], pid, e);
	/* Parents in systemd's hierarchies are slices and systemd's to remove; ours in the others carry the
	 * label. */
	c->keep = strlen(c->path);
	return r;
}

int cg_systemd_attach(struct cgrp *c, pid_t pid, struct err *e)
{
	_cleanup_(sd_closep) struct sd_bus_conn *b = NULL;
	struct sd_props props = { .arena = c->arena };
	const struct cgrp_host *h;
	const struct cgrp_hierarchy *own;
	char path[CG_PATH_MAX];
	int r = cgrp_host(&h, e);

	if (r < 0)
		return r;
	own = own_hierarchy(h);
	if (!own)
		return err_text(e, ENODEV,
			"the systemd cgroup manager needs systemd's cgroup hierarchy (name=systemd or cgroup "
			"v2), and neither is mounted");
	r = sd_unit_props(&props, c, c->params, h->mode == CGRP_MODE_V2, pid, e);
	if (r == 0)
		r = sd_open(c->user_bus, &b, e);
	if (r == 0)
		r = sd_start_transient(b, c->unit, &props, e);
	if (r < 0)
		return r;
	c->started = true;
	r = str_ends(c->unit, ".scope") ? cgrp_path_of(pid, own, path, sizeof(path), e)
					: sd_control_group(b, c->unit, path, sizeof(path), e);
	if (r < 0)
		return r;
	if (!str_ends(path, c->unit))
		return err_text(e, EREMOTEIO, "systemd made %s, but process %d is in cgroup %s", c->unit,
			(int)pid, path);
	c->path = arena_strdup(c->arena, path);
	if (!c->path)
		return err_set(e, ENOMEM, "cgroup");
	c->keep = strlen(path);
	r = enter_all(c, h, pid, e);
	c->params = NULL;
	return r;
}

int cg_systemd_update(const struct cgrp *c, const struct spec_resources *r, struct err *e)
{
	_cleanup_(sd_closep) struct sd_bus_conn *b = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct sd_props props = { .arena = a };
	const struct cg_node *v2 = cg_v2(c);
	int q;

	if (!a)
		return err_set(e, ENOMEM, "systemd unit");
	q = sd_limits(&props, r, v2 && c->n == 1, false, e);
	/* Its own filter stands beside ours and must let through what ours will. What it is told is added to
	 * its list; that the list may allow too much does no harm. */
	if (q == 0 && r->n_devices > 0)
		q = sd_devices(&props, r, e);
	if (q < 0 || props.n == 0)
		return q;
	q = sd_open(c->user_bus, &b, e);
	return q < 0 ? q : sd_set_properties(b, c->unit, &props, e);
}

int cg_systemd_stop(const struct cgrp *c, struct err *e)
{
	_cleanup_(sd_closep) struct sd_bus_conn *b = NULL;
	int r = sd_open(c->user_bus, &b, e);

	return r < 0 ? r : sd_stop_unit(b, c->unit, e);
}

int cgrp_systemd(bool user, struct err *e)
{
	_cleanup_(sd_closep) struct sd_bus_conn *b = NULL;

	return sd_open(user, &b, e);
}

#else

static int not_built(struct err *e)
{
	return err_text(e, EOPNOTSUPP,
		"this ringfence was built without the systemd cgroup manager (--disable-systemd); use "
		"--cgroup-manager cgroupfs");
}

int cg_systemd_prepare(struct cgrp *c, const struct cgrp_params *p, struct err *e)
{
	return not_built(e);
}

int cg_systemd_attach(struct cgrp *c, pid_t pid, struct err *e)
{
	return not_built(e);
}

int cg_systemd_update(const struct cgrp *c, const struct spec_resources *r, struct err *e)
{
	return not_built(e);
}

int cg_systemd_stop(const struct cgrp *c, struct err *e)
{
	return not_built(e);
}

int cgrp_systemd(bool user, struct err *e)
{
	return not_built(e);
}

#endif
