/* SPDX-License-Identifier: Apache-2.0 */
/* Going into a partition's cgroup: its first process, and where exec's may go. */
#include "cgroups/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* --- entering -------------------------------------------------------------------------------- */

int cgrp_clone_fd(const struct cgrp *c)
{
	const struct cg_node *n = cg_v2(c);

	return n && n->fd >= 0 && !c->no_clone ? n->fd : -1;
}

void cgrp_no_clone(struct cgrp *c)
{
	c->no_clone = true;
}

static int join(const struct cg_node *n, struct err *e)
{
	const char *file = n->v2 ? "cgroup.procs" : "tasks";
	_cleanup_close_ int own = -EBADF;
	char path[CG_FILE_MAX];
	int fd = n->v2 ? -EBADF : n->fd, r;

	if (fd < 0) {
		snprintf(path, sizeof(path), "%s%s/%s", n->mount, n->join, file);
		fd = own = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			return err_set(e, errno, "open %s", path);
	}
	r = fd_write_once(fd, "0", 1);
	if (r == 0)
		return 0;
	err_set(e, -r, "join cgroup %s%s", n->mount, n->join);
	if (r == -ENOSPC)
		err_hint(e, "its cpuset has no cpus or memory nodes");
	return r;
}

int cgrp_join_self(const struct cgrp *c, struct err *e)
{
	bool cloned = cgrp_clone_fd(c) >= 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n; i++)
		if (!(c->node[i].v2 && cloned))
			r = join(&c->node[i], e);
	cg_close_fds(c);
	return r;
}

bool cgrp_needs_attach(const struct cgrp *c)
{
	return c->manager == CGRP_SYSTEMD && c->params;
}

int cgrp_attach(struct cgrp *c, pid_t pid, struct err *e)
{
	return cgrp_needs_attach(c) ? cg_systemd_attach(c, pid, e) : 0;
}

bool cgrp_needs_delegated(const struct cgrp *c)
{
	return c->delegated != NULL;
}

int cgrp_attach_delegated(struct cgrp *c, pid_t pid, struct err *e)
{
	const struct cg_node *n = cg_v2(c);
	char path[CG_FILE_MAX], text[16];
	int r;

	if (!c->delegated || !n)
		return 0;
	snprintf(path, sizeof(path), "%s%s/%s/cgroup.procs", n->mount, n->join, c->delegated);
	snprintf(text, sizeof(text), "%d", (int)pid);
	r = fd_put_at(AT_FDCWD, path, text);
	return r < 0 ? err_set(e, -r, "write '%s' to %s", text, path) : 0;
}

/* --- choosing, for exec ---------------------------------------------------------------------- */

static int select_node(struct cgrp *c, struct cg_node *n, const char *sub, struct err *e)
{
	char clean[CG_PATH_MAX], dir[CG_FILE_MAX + CG_PATH_MAX];
	int r;

	if (sub[strspn(sub, "/.")] == '\0' && !strstr(sub, "..")) {
		n->join = n->path;
		return 0;
	}
	r = cg_clean(sub, clean, sizeof(clean), e);
	if (r < 0)
		return r;
	if (strlen(n->path) + strlen(clean) >= CG_PATH_MAX)
		return err_set(e, ENAMETOOLONG, "cgroup %.200s", sub);
	snprintf(dir, sizeof(dir), "%s%s%s", n->mount, n->path, clean);
	if (access(dir, F_OK) < 0)
		return err_set(e, errno, "cgroup %s of the partition (%s)", sub, dir);
	n->join = arena_printf(c->arena, "%s%s", n->path, clean);
	return n->join ? 0 : err_set(e, ENOMEM, "cgroup");
}

/* "PATH" for all hierarchies, "CONTROLLER[,CONTROLLER]:PATH" for those of v1. */
static int select_one(struct cgrp *c, const char *text, struct err *e)
{
	const char *colon = strchr(text, ':');
	bool found = false;
	char list[256];

	if (!colon || strcspn(text, "/") < (size_t)(colon - text)) {
		for (size_t i = 0; i < c->n; i++) {
			int r = select_node(c, &c->node[i], text, e);

			if (r < 0)
				return r;
		}
		return 0;
	}
	snprintf(list, sizeof(list), "%.*s", (int)(colon - text), text);
	for (size_t i = 0; i < c->n; i++) {
		struct cg_node *n = &c->node[i];
		char first[64];
		bool mine = false;
		int r;

		for (const char *p = list; *p && !n->v2 && !mine; p += strcspn(p, ","), p += *p == ',') {
			snprintf(first, sizeof(first), "%.*s", (int)strcspn(p, ","), p);
			mine = cg_list_has(n->controllers, first);
		}
		if (!mine)
			continue;
		found = true;
		r = select_node(c, n, colon + 1, e);
		if (r < 0)
			return r;
	}
	if (!found)
		return err_text(e, EINVAL, "cgroup '%s': the partition has no v1 cgroup of %s", text, list);
	return 0;
}

/*
 * On v2 a cgroup that hands controllers to its children holds no processes itself: a partition with an init
 * system of its own makes such a one of its root. Then exec goes where the init is.
 */
static void follow_init(struct cgrp *c, struct cg_node *n, pid_t init_pid)
{
	char list[256], path[CG_PATH_MAX];
	struct cgrp_hierarchy h = { .v2 = true };

	if (init_pid <= 0 || (!c->delegated && cg_get(n, "cgroup.subtree_control", list, sizeof(list)) <= 0))
		return;
	snprintf(h.mount_point, sizeof(h.mount_point), "%s", n->mount);
	if (cgrp_path_of(init_pid, &h, path, sizeof(path), NULL) < 0)
		return;
	/* Only within the partition: wherever else somebody moved the init, a new process has no business. */
	if (str_starts(path, n->path) && (path[strlen(n->path)] == '/' || !path[strlen(n->path)])) {
		const char *join_path = arena_strdup(c->arena, path);

		if (join_path)
			n->join = join_path;
	}
}

int cgrp_select(struct cgrp *c, char *const *subs, pid_t init_pid, struct err *e)
{
	const char *text;
	char dir[CG_FILE_MAX];

	strv_each (text, subs) {
		int r = select_one(c, text, e);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < c->n; i++) {
		struct cg_node *n = &c->node[i];

		if (!n->v2)
			continue;
		if (strv_len(subs) == 0)
			follow_init(c, n, init_pid);
		fd_close(n->fd);
		snprintf(dir, sizeof(dir), "%s%s", n->mount, n->join);
		n->fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (n->fd < 0)
			return err_set(e, errno, "open cgroup %s", dir);
	}
	return 0;
}
