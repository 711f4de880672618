/* SPDX-License-Identifier: Apache-2.0 */
/* A cgroup handle in the partition's state file: what later processes (kill, exec, delete) need without
 * looking at the host again. */
#include "cgroups/internal.h"

#include <stdio.h>

#include "base/str.h"

static const char *const managers[] = { "cgroupfs", "systemd", "disabled" };

void cgrp_save(const struct cgrp *c, struct json_writer *w)
{
	json_put_string(w, "manager", managers[c->manager]);
	json_put_string(w, "path", c->path);
	if (c->keep < strlen(c->path))
		json_put_u64(w, "keep", c->keep);
	if (c->rootless)
		json_put_bool(w, "rootless", true);
	if (c->delegated)
		json_put_string(w, "delegated", c->delegated);
	if (c->unit) {
		json_put_string(w, "slice", c->slice);
		json_put_string(w, "unit", c->unit);
	}
	if (c->subgroup)
		json_put_string(w, "subgroup", c->subgroup);
	if (c->user_bus)
		json_put_bool(w, "userBus", true);
	json_open_array(w, "hierarchies");
	for (size_t i = 0; i < c->n; i++) {
		const struct cg_node *n = &c->node[i];

		json_open_object(w, NULL);
		json_put_string(w, "mount", n->mount);
		json_put_string(w, n->v2 ? "v2" : "controllers", n->controllers);
		if (!str_eq(n->path, c->path))
			json_put_string(w, "path", n->path);
		if (!str_eq(n->join, n->path))
			json_put_string(w, "join", n->join);
		json_close_object(w);
	}
	json_close_array(w);
}

/* An optional string, copied. */
static int get(struct cgrp *c, const struct json *j, const char *name, const char **out, struct err *e)
{
	const struct json *v = json_get(j, name);
	const char *s;
	int r;

	if (!v)
		return 0;
	r = json_as_string(v, name, &s, e);
	if (r < 0)
		return r;
	*out = arena_strdup(c->arena, s);
	return *out ? 0 : err_set(e, ENOMEM, "cgroup");
}

static int load_node(struct cgrp *c, const struct json *j, struct err *e)
{
	struct cg_node *n = &c->node[c->n];
	int r;

	if (c->n == CG_NODES_MAX)
		return err_text(e, EINVAL, "too many hierarchies");
	*n = (struct cg_node){ .v2 = json_get(j, "v2") != NULL, .path = c->path, .fd = -EBADF };
	r = get(c, j, "mount", &n->mount, e);
	if (r == 0)
		r = get(c, j, n->v2 ? "v2" : "controllers", &n->controllers, e);
	if (r == 0)
		r = get(c, j, "path", &n->path, e);
	n->join = n->path;
	if (r == 0)
		r = get(c, j, "join", &n->join, e);
	if (r < 0)
		return r;
	if (!n->mount || !n->controllers || n->path[0] != '/' ||
		strlen(n->mount) + strlen(n->path) + strlen(n->join) + 64 > CG_FILE_MAX)
		return err_text(e, EINVAL, "a hierarchy has no mount point, no controllers or no path");
	c->n++;
	return 0;
}

int cgrp_load(const struct json *j, struct cgrp **out, struct err *e)
{
	_cleanup_(cgrp_freep) struct cgrp *c = cg_new(e);
	const struct json *m;
	const char *manager = NULL;
	uint64_t keep;
	int r;

	if (!c)
		return -ENOMEM;
	c->path = "";
	r = get(c, j, "manager", &manager, e);
	if (r == 0)
		r = get(c, j, "path", &c->path, e);
	if (r == 0)
		r = get(c, j, "delegated", &c->delegated, e);
	if (r == 0)
		r = get(c, j, "slice", &c->slice, e);
	if (r == 0)
		r = get(c, j, "unit", &c->unit, e);
	if (r == 0)
		r = get(c, j, "subgroup", &c->subgroup, e);
	m = json_get(j, "rootless");
	if (r == 0 && m)
		r = json_as_bool(m, "rootless", &c->rootless, e);
	m = json_get(j, "userBus");
	if (r == 0 && m)
		r = json_as_bool(m, "userBus", &c->user_bus, e);
	c->keep = keep = strlen(c->path);
	m = json_get(j, "keep");
	if (r == 0 && m)
		r = json_as_u64(m, "keep", &keep, e);
	if (keep < c->keep)
		c->keep = (size_t)keep;
	json_each (m, json_get(j, "hierarchies")) {
		if (r == 0)
			r = load_node(c, m, e);
	}
	if (r < 0)
		return err_wrap(e, "cgroup in the partition's state");
	for (c->manager = 0; c->manager < ARRAY_SIZE(managers); c->manager++)
		if (manager && str_eq(manager, managers[c->manager]))
			break;
	if (c->manager == ARRAY_SIZE(managers) || (c->manager == CGRP_SYSTEMD && !c->unit))
		return err_text(e, EINVAL, "cgroup in the partition's state: no known manager, or no unit");
	/* Hierarchies are known only of a unit that was started. */
	c->started = c->manager == CGRP_SYSTEMD && c->n > 0;
	*out = TAKE_PTR(c);
	return 0;
}
