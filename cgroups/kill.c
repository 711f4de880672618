/* SPDX-License-Identifier: Apache-2.0 */
/* Signals to all processes of a partition, and the end of its cgroup. */
#include "cgroups/internal.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

enum { ROUNDS_MAX = 200, FREEZE_MS = 200 };
#define DESTROY_NS (5 * (uint64_t)1000000000)

int cgrp_pids(const struct cgrp *c, pid_t **pids, size_t *n, struct err *e)
{
	const struct cg_node *node = cg_main(c);

	if (!node) {
		*pids = NULL;
		*n = 0;
		return 0;
	}
	return cg_pids_below(node, pids, n, e);
}

/* One pass over what is there now; *fresh counts processes that the pass before did not see. */
static int signal_all(
	const struct cg_node *n, int sig, pid_t **seen, size_t *n_seen, size_t *fresh, struct err *e)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t count, k = 0;
	int r = cg_pids_below(n, &pids, &count, e);

	*fresh = 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (pids[i] == getpid())
			continue;
		while (k < *n_seen && (*seen)[k] < pids[i])
			k++;
		if (k == *n_seen || (*seen)[k] != pids[i])
			(*fresh)++;
		if (kill(pids[i], sig) < 0 && errno != ESRCH && r == 0)
			r = err_set(
				e, errno, "signal %d to process %d of cgroup %s", sig, (int)pids[i], n->path);
	}
	free(*seen);
	*seen = TAKE_PTR(pids);
	*n_seen = count;
	return r;
}

/*
 * Frozen processes cannot fork away between the list and the signal; the kill stays pending, and thawed they
 * die at once. Where the freezer does not get there in time (a process stuck in the kernel), or is not there,
 * rounds go on until one finds nobody new.
 */
static int kill_rounds(const struct cgrp *c, const struct cg_node *n, struct err *e)
{
	const struct cg_node *freezer = cg_v1(c, "freezer");
	_cleanup_free_ pid_t *seen = NULL;
	size_t n_seen = 0, fresh;
	int r = signal_all(n, SIGKILL, &seen, &n_seen, &fresh, e);

	for (int i = 0; i < ROUNDS_MAX && r == 0 && n_seen > 0 && (i == 0 || fresh > 0); i++) {
		bool frozen = cg_freeze_to(c, true, FREEZE_MS, NULL) == 0;

		r = signal_all(n, SIGKILL, &seen, &n_seen, &fresh, e);
		cg_freeze_to(c, false, FREEZE_MS, NULL);
		if (frozen)
			break;
		cg_sleep_us(1000);
	}
	/* A process FROZEN by v1 does not die, and the partition may have frozen sub-cgroups of its own to
	 * that end. */
	if (freezer && n_seen > 0)
		cg_thaw_below(freezer);
	return r;
}

static int kill_hard(const struct cgrp *c, const struct cg_node *n, struct err *e)
{
	const struct cg_node *v2 = cg_v2(c);

	/* On a mixed host somebody may have been moved in by v1 files alone, or be frozen there: the rounds
	 * see to those. */
	if (v2 && cg_try_put(v2, "cgroup.kill", "1") == 0 && n->v2)
		return 0;
	return kill_rounds(c, n, e);
}

int cgrp_kill(struct cgrp *c, int sig, struct err *e)
{
	const struct cg_node *n = cg_main(c);
	_cleanup_free_ pid_t *seen = NULL;
	size_t n_seen = 0, fresh;

	if (!n)
		return 0;
	return sig == SIGKILL ? kill_hard(c, n, e) : signal_all(n, sig, &seen, &n_seen, &fresh, e);
}

/* An update that was killed may have made cgroups (see spared in cgroup.c) of which no state tells. */
static void adopt(struct cgrp *c)
{
	char dir[CG_FILE_MAX + CG_PATH_MAX];
	struct cgrp_host *h;

	/* A path that a config named may be somebody else's there. */
	if (c->manager != CGRP_CGROUPFS || c->n == 0 || !str_starts(c->path, "/ringfence-") ||
		cg_host_quick(&h, NULL) < 0)
		return;
	for (size_t i = 0; i < h->n; i++) {
		bool known = false;

		for (size_t k = 0; k < c->n; k++)
			known |= str_eq(c->node[k].mount, h->list[i].mount_point);
		snprintf(dir, sizeof(dir), "%s%s", h->list[i].mount_point, c->path);
		if (!known && !h->list[i].v2 && access(dir, F_OK) == 0)
			cg_add_node(c, &h->list[i], c->path, NULL);
	}
}

int cgrp_destroy(struct cgrp *c, struct err *e)
{
	uint64_t deadline = cg_now() + DESTROY_NS;
	struct err bus = ERR_INIT;
	int r = 0, stopped = 0;

	if (c->manager == CGRP_SYSTEMD && c->started)
		stopped = cg_systemd_stop(c, &bus);
	adopt(c);
	/* systemd removes what it made; what is left, and the hierarchies that it does not know, are ours. */
	for (size_t i = 0; i < c->n; i++) {
		int q = cg_remove(&c->node[i], deadline, r < 0 ? NULL : e);

		if (q < 0 && r == 0)
			r = q;
	}
	cg_remove_parents(c);
	/* Without a cgroup the scope is over, whatever the bus said. */
	if (stopped < 0 && r == 0)
		log_debug("%s", bus.text);
	else if (stopped < 0)
		err_hint(e, "%s", bus.text);
	return r;
}
