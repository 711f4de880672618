/* SPDX-License-Identifier: Apache-2.0 */
/* A partition's cgroup: made, found, changed. See cgroup.h for the theory of operation. */
#include "cgroups/internal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

struct cgrp *cg_new(struct err *e)
{
	struct arena *a = arena_new();
	struct cgrp *c = a ? arena_alloc(a, sizeof(*c)) : NULL;

	if (!c) {
		err_set(e, ENOMEM, "cgroup");
		if (a)
			arena_free(a);
		return NULL;
	}
	c->arena = a;
	for (size_t i = 0; i < CG_NODES_MAX; i++)
		c->node[i].fd = -EBADF;
	return c;
}

/*
 * They lead to the host's cgroups: nothing for a process that waits for `start` inside a partition. Opened
 * one after the other, most stand in a row, and a row is one call.
 */
void cg_close_fds(const struct cgrp *c)
{
	for (size_t i = 0, next; i < c->n; i = next) {
		int first = c->node[i].fd, last = first;

		for (next = i + 1; next < c->n && first >= 0 && c->node[next].fd == last + 1; next++)
			last++;
		if (first < 0 ||
			(last > first && close_range((unsigned int)first, (unsigned int)last, 0) == 0))
			continue;
		for (int fd = first; fd <= last; fd++)
			close(fd);
	}
	/* The handle is const to say that it stays usable in the parent: this is the child's copy of it. */
	for (size_t i = 0; i < c->n; i++)
		((struct cg_node *)&c->node[i])->fd = -EBADF;
}

void cgrp_free(struct cgrp *c)
{
	if (!c)
		return;
	cg_close_fds(c);
	arena_free(c->arena);
}

int cg_add_node(struct cgrp *c, const struct cgrp_hierarchy *h, const char *path, struct err *e)
{
	struct cg_node *n = &c->node[c->n];

	if (c->n == CG_NODES_MAX || strlen(h->mount_point) + strlen(path) + 64 > CG_FILE_MAX)
		return err_text(e, ENAMETOOLONG, "cgroup %.200s… is too long for %s", path, h->mount_point);
	*n = (struct cg_node){ .v2 = h->v2, .fd = -EBADF };
	n->mount = arena_strdup(c->arena, h->mount_point);
	n->controllers = arena_strdup(c->arena, h->controllers);
	n->path = c->path && str_eq(c->path, path) ? c->path : arena_strdup(c->arena, path);
	n->join = n->path;
	if (!n->mount || !n->controllers || !n->path)
		return err_set(e, ENOMEM, "cgroup");
	c->n++;
	return 0;
}

const char *cg_annotation(const struct cgrp_params *p, const char *key)
{
	for (size_t i = 0; i < p->n_annotations; i++)
		if (str_eq(p->annotations[i].key, key))
			return p->annotations[i].value;
	return NULL;
}

/* --- making ---------------------------------------------------------------------------------- */

static bool refused(int r)
{
	return r == -EACCES || r == -EPERM || r == -EROFS;
}

static void undo(struct cgrp *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->node[i].made)
			cg_remove(&c->node[i], cg_now() + 100000000, NULL);
		c->node[i].fd = fd_close(c->node[i].fd);
	}
	cg_remove_parents(c);
	c->n = 0;
}

static bool listed(const struct cgrp_host *h, const char *controller)
{
	for (size_t i = 0; i < h->n; i++)
		if (!h->list[i].v2 && cg_list_has(h->list[i].controllers, controller))
			return true;
	return false;
}

/*
 * v1 hierarchies that a partition can do without. Directly below the root a cgroup is only made there when a
 * limit asks for it, at create or by a later update; below a parent of somebody else's, that one's limits
 * must hold.
 *
 * A cpuset always: it has to be filled before anybody can join it, some twenty system calls, to say what its
 * parent says already.
 *
 * The others where the config says so (annotation io.ringfence.cgroups=lean, as `launch` does). A memory
 * cgroup keeps an entry for every superblock there has ever been on the host (mm/shrinker.c), 8 bytes each:
 * with 10,000 partitions it is the most expensive thing that a partition has. They only count there, which
 * the processes' own figures do nearly as well.
 */
static const char *const spared[] = { "memory", "blkio", "hugetlb", "net_cls", "net_prio", "perf_event",
	"rdma", "misc", "cpuset" };

static bool can_spare(const char *controllers, bool lean)
{
	char word[64];

	if (!lean)
		return str_eq(controllers, "cpuset");
	for (const char *p = controllers; *p; p += *p == ',') {
		size_t len = strcspn(p, ","), i = 0;

		snprintf(word, sizeof(word), "%.*s", (int)len, p);
		while (i < ARRAY_SIZE(spared) && !str_eq(spared[i], word))
			i++;
		if (i == ARRAY_SIZE(spared))
			return false;
		p += len;
	}
	return true;
}

static int is_lean(const struct cgrp_params *p, bool *lean, struct err *e)
{
	const char *said = cg_annotation(p, CGRP_ANNOTATION);

	*lean = said && str_eq(said, "lean");
	if (!said || *lean || str_eq(said, "all"))
		return 0;
	return err_text(e, EINVAL, "annotation " CGRP_ANNOTATION ": must be lean or all, not '%.100s'", said);
}

/* Hierarchies without limits cost a mkdir and a join as well, and serve only those who look at them. */
static bool wants(const struct cgrp_host *h, size_t i, const struct cgrp_params *p, const char *path,
	bool lean, bool needs_v2)
{
	const char *controllers = h->list[i].controllers;

	if (h->list[i].v2)
		return h->mode == CGRP_MODE_V2 || needs_v2 || p->visible || !listed(h, "devices") ||
		       !listed(h, "freezer");
	if (can_spare(controllers, lean) && !p->visible && !strchr(path + 1, '/') &&
		!cg_wanted_v1(controllers, p->resources))
		return false;
	if (!str_starts(controllers, "name="))
		return true;
	/* A process left in a service's cgroup would be killed with that service. */
	return p->visible || access("/run/systemd/system", F_OK) == 0;
}

static int make_nodes(
	struct cgrp *c, const struct cgrp_host *h, const struct cgrp_params *p, bool *bogus, struct err *e)
{
	bool needs_v2 = cg_needs_v2(h, p->resources) != NULL, lean;
	int r = is_lean(p, &lean, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < h->n; i++) {
		if (!wants(h, i, p, c->path, lean, needs_v2))
			continue;
		r = cg_add_node(c, &h->list[i], c->path, e);
		if (r == 0)
			r = cg_make(c, &c->node[c->n - 1], p->resources, bogus, e);
		if (r < 0 && c->rootless && refused(r) && !*bogus) {
			/* Not ours to write to. Without a limit to enforce there is no harm in that. */
			if (cg_any_limit(p->resources))
				return err_hint(e, "linux.resources needs cgroups that this user may write "
						   "to; with systemd and cgroup v2, as root: "
						   "systemctl edit user@.service, [Service] Delegate=cpu "
						   "cpuset io memory pids, and use the systemd "
						   "cgroup manager");
			log_debug("no cgroup there: %s", e ? e->text : "");
			err_clear(e);
			c->node[c->n - 1].fd = fd_close(c->node[c->n - 1].fd);
			c->n--;
			continue;
		}
		if (r < 0)
			return r;
		cg_host_checked(i);
	}
	return 0;
}

/* Rootless on v2, the root is out of reach: the parent of our own cgroup is what systemd delegated to the
 * user. */
static int own_parent(
	const struct cgrp_host *h, const struct cgrp_params *p, char *buf, size_t size, struct err *e)
{
	int r;

	*buf = '\0';
	if (!p->rootless || h->mode != CGRP_MODE_V2 || (p->cgroups_path && *p->cgroups_path == '/'))
		return 0;
	r = cgrp_path_of(0, &h->list[0], buf, size, e);
	if (r < 0)
		return r;
	*strrchr(buf, '/') = '\0';
	return 0;
}

static int add_delegated(struct cgrp *c, const struct cgrp_params *p, struct err *e)
{
	const char *name = cg_annotation(p, "run.oci.delegate-cgroup");
	const struct cg_node *n = cg_v2(c);
	char dir[CG_FILE_MAX];

	if (!name || !*name)
		return 0;
	if (c->n != 1 || !n)
		return err_text(e, EOPNOTSUPP,
			"annotation run.oci.delegate-cgroup needs a pure cgroup v2 host: v1 cgroups cannot "
			"be delegated safely");
	if (strchr(name, '/') || str_eq(name, ".") || str_eq(name, "..") || strlen(name) > NAME_MAX)
		return err_text(e, EINVAL,
			"annotation run.oci.delegate-cgroup: '%.100s' is no name of a cgroup", name);
	c->delegated = arena_strdup(c->arena, name);
	if (!c->delegated)
		return err_set(e, ENOMEM, "cgroup");
	snprintf(dir, sizeof(dir), "%s%s/%.255s", n->mount, n->join, name);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, "create cgroup %s", dir);
	if (p->delegate) {
		struct cg_node sub = *n;

		sub.join = dir + strlen(n->mount);
		return cg_v2_delegate(&sub, p->delegate_uid, p->delegate_gid, e);
	}
	return 0;
}

int cg_configure(struct cgrp *c, const struct cgrp_params *p, struct err *e)
{
	const struct cg_node *v2 = cg_v2(c);
	char needed[256];
	bool fresh = true;
	int r = 0;

	for (size_t i = 0; i < c->n; i++)
		fresh &= c->node[i].made;
	if (v2) {
		cg_v2_needed(c, p->resources, needed, sizeof(needed));
		r = cg_v2_enable(c, v2, needed, e);
	}
	if (r == 0)
		r = cg_write_resources(c, p->resources, fresh, e);
	if (r == 0)
		r = cg_write_devices(c, p->resources, true, e);
	if (r == 0 && v2 && p->delegate) {
		r = cg_v2_delegate(v2, p->delegate_uid, p->delegate_gid, e);
		/* Rootless, only to oneself: else the partition does without cgroups of its own making. */
		if (r == -EPERM && c->rootless) {
			err_clear(e);
			r = 0;
		}
	}
	return r < 0 ? r : add_delegated(c, p, e);
}

static int create_fs(struct cgrp *c, const struct cgrp_params *p, struct err *e)
{
	char own[CG_PATH_MAX], path[CG_PATH_MAX];
	struct cgrp_host *h;
	bool bogus = false;
	int r = cg_host_quick(&h, e);

	/* The quick look sees only the usual places. */
	if (r == 0 && h->mode == CGRP_MODE_V1 && cg_needs_v2(h, p->resources))
		r = cg_host_full(&h, e);
	if (r == 0)
		r = own_parent(h, p, own, sizeof(own), e);
	if (r == 0)
		r = cg_fs_path(p, own, path, sizeof(path), e);
	if (r < 0)
		return r;
	c->path = arena_strdup(c->arena, path);
	if (!c->path)
		return err_set(e, ENOMEM, "cgroup");
	c->keep = strlen(path);
	r = make_nodes(c, h, p, &bogus, e);
	if (r < 0 && bogus) {
		/* A directory below /sys/fs/cgroup that is no mount, or /sys/fs/cgroup is not what it seemed.
		 */
		undo(c);
		err_clear(e);
		r = cg_host_full(&h, e);
		if (r == 0)
			r = make_nodes(c, h, p, &bogus, e);
	}
	if (r == 0)
		r = cg_configure(c, p, e);
	if (r < 0)
		undo(c);
	return r;
}

int cgrp_create(const struct cgrp_params *p, struct cgrp **out, struct err *e)
{
	_cleanup_(cgrp_freep) struct cgrp *c = cg_new(e);
	int r = 0;

	if (!c)
		return -ENOMEM;
	c->manager = p->manager;
	c->rootless = p->rootless;
	c->path = "";
	switch (p->manager) {
	case CGRP_CGROUPFS:
		r = create_fs(c, p, e);
		break;
	case CGRP_SYSTEMD:
		r = cg_systemd_prepare(c, p, e);
		break;
	case CGRP_DISABLED:
		if (cg_any_limit(p->resources))
			log_warn("the cgroup manager is disabled: linux.resources has no effect");
		break;
	}
	if (r < 0)
		return r;
	*out = TAKE_PTR(c);
	return 0;
}

static int find_nodes(struct cgrp *c, const struct cgrp_host *h, const char *path, struct err *e)
{
	char dir[CG_FILE_MAX + CG_PATH_MAX];

	c->path = arena_strdup(c->arena, path);
	if (!c->path)
		return err_set(e, ENOMEM, "cgroup");
	c->keep = strlen(path);
	for (size_t i = 0; i < h->n; i++) {
		int r;

		snprintf(dir, sizeof(dir), "%s%s", h->list[i].mount_point, path);
		if (access(dir, F_OK) < 0)
			continue;
		r = cg_add_node(c, &h->list[i], path, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int cgrp_find(const struct cgrp_params *p, struct cgrp **out, struct err *e)
{
	_cleanup_(cgrp_freep) struct cgrp *c = cg_new(e);
	char own[CG_PATH_MAX], path[2 * CG_PATH_MAX] = "";
	const struct cgrp_host *h;
	int r;

	if (!c)
		return -ENOMEM;
	c->manager = p->manager;
	c->rootless = p->rootless;
	c->path = "";
	r = cgrp_host(&h, e);
	if (r == 0 && p->manager == CGRP_SYSTEMD) {
		r = cg_systemd_prepare(c, p, e);
		c->params = NULL;
		if (r == 0)
			r = cg_slice_path(c->slice, own, sizeof(own), e);
		/* A user's slices lie below the user's manager: there the scope alone must do. */
		if (r == 0 && !p->rootless)
			snprintf(path, sizeof(path), "%s/%s", own, c->unit);
	} else if (r == 0 && p->manager == CGRP_CGROUPFS) {
		r = own_parent(h, p, own, sizeof(own), e);
		if (r == 0)
			r = cg_fs_path(p, own, path, CG_PATH_MAX, e);
	}
	if (r == 0 && *path)
		r = find_nodes(c, h, path, e);
	if (r < 0)
		return r;
	c->started = p->manager == CGRP_SYSTEMD && (c->n > 0 || p->rootless);
	*out = TAKE_PTR(c);
	return 0;
}

/* --- changing -------------------------------------------------------------------------------- */

/* Until a round finds nobody who was not moved before: a process may fork while it is. */
static int move_members(const struct cgrp *c, const struct cg_node *to, struct err *e)
{
	size_t before = SIZE_MAX;

	for (int round = 0; round < 20; round++) {
		_cleanup_free_ pid_t *pids = NULL;
		size_t n;
		int r = cg_pids_below(cg_main(c), &pids, &n, e);

		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++) {
			char text[16];

			snprintf(text, sizeof(text), "%d", (int)pids[i]);
			r = cg_try_put(to, "cgroup.procs", text);
			if (r < 0 && r != -ESRCH)
				return err_set(
					e, -r, "move process %s to cgroup %s%s", text, to->mount, to->path);
		}
		if (n == before)
			return 0;
		before = n;
	}
	return 0;
}

/* The v1 cgroup that create left out (see spared): part of the handle from now on. */
static int late_node(
	struct cgrp *c, const struct cgrp_hierarchy *h, const struct spec_resources *r, struct err *e)
{
	struct cg_node *n = &c->node[c->n];
	int q = cg_add_node(c, h, c->path, e);

	if (q < 0)
		return q;
	q = cg_make_member(c, n, r, e);
	/* Its limits before its members, or they would run without for a moment. */
	if (q == 0)
		q = cg_write_v1(n, r, e);
	if (q == 0)
		return move_members(c, n, e);
	/* As if it had not been tried: nobody could join an empty cpuset, so no exec would work. */
	if (n->made)
		cg_remove(n, cg_now() + 100000000, NULL);
	c->n--;
	return q;
}

static int late_nodes(struct cgrp *c, const struct spec_resources *r, struct err *e)
{
	struct cgrp_host *h;
	char first[64];
	int q;

	/* Rootless ones have what they were allowed to have. */
	if (c->manager != CGRP_CGROUPFS || c->rootless || !cg_any_limit(r))
		return 0;
	q = cg_host_full(&h, e);
	for (size_t i = 0; q == 0 && i < h->n; i++) {
		const char *controllers = h->list[i].controllers;

		if (h->list[i].v2 || !cg_wanted_v1(controllers, r))
			continue;
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(controllers, ","), controllers);
		if (!cg_v1(c, first))
			q = late_node(c, &h->list[i], r, e);
	}
	return q;
}

int cgrp_update(struct cgrp *c, const struct spec_resources *r, struct err *e)
{
	const struct cg_node *v2 = cg_v2(c);
	char needed[256];
	int q = 0;

	if (c->manager == CGRP_DISABLED && (cg_any_limit(r) || r->n_devices > 0))
		return err_text(e, EOPNOTSUPP,
			"the partition was made without a cgroup (--cgroup-manager disabled): nothing to "
			"update");
	q = late_nodes(c, r, e);
	if (q == 0 && v2) {
		cg_v2_needed(c, r, needed, sizeof(needed));
		if (*needed)
			q = cg_v2_enable(c, v2, needed, e);
	}
	/* systemd writes at once what it is told, and asks nobody. */
	if (q == 0 && c->manager == CGRP_SYSTEMD && v2 && !cg_v1(c, "memory"))
		q = cg_v2_memory_check(v2, r, e);
	if (q == 0 && c->manager == CGRP_SYSTEMD)
		q = cg_systemd_update(c, r, e);
	if (q == 0)
		q = cg_write_resources(c, r, false, e);
	return q < 0 ? q : cg_write_devices(c, r, false, e);
}

/* --- asking ---------------------------------------------------------------------------------- */

const char *cgrp_path(const struct cgrp *c, const char *controller)
{
	const struct cg_node *n;
	char first[64];

	if (!controller || !*controller) {
		n = cg_v2(c);
	} else {
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(controller, ","), controller);
		n = cg_v1(c, first);
	}
	return n ? n->join : "";
}

const char *cgrp_scope(const struct cgrp *c)
{
	return c->manager == CGRP_SYSTEMD ? c->unit : NULL;
}
