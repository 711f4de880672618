/* SPDX-License-Identifier: Apache-2.0 */
/* Pause and resume: v1's freezer, v2's cgroup.freeze. */
#include "cgroups/internal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

enum { FREEZE_MS = 5000 };

static const struct cg_node *freezer(const struct cgrp *c)
{
	const struct cg_node *n = cg_v1(c, "freezer");

	return n ? n : cg_v2(c);
}

static int no_freezer(const struct cgrp *c, struct err *e)
{
	if (c->n == 0)
		return err_text(e, EOPNOTSUPP, "the partition has no cgroup, and so cannot be paused");
	return err_text(
		e, EOPNOTSUPP, "this host has no cgroup freezer: neither v1's controller nor cgroup v2");
}

static int v1_wait(const struct cg_node *n, const char *want, uint64_t deadline, struct err *e)
{
	unsigned int us = 50;

	for (unsigned int tries = 1;; tries++) {
		char state[32];
		ssize_t r = cg_get(n, "freezer.state", state, sizeof(state));

		if (r < 0)
			return err_set(e, (int)-r, "read freezer.state of cgroup %s", n->path);
		if (str_eq(state, want))
			return 0;
		if (cg_now() >= deadline)
			return err_text(e, ETIMEDOUT, "cgroup %s stays %s and does not become %s", n->path,
				state, want);
		/* A process that forked at the wrong moment can hold up FREEZING for good; asking again gets
		 * it. */
		if (tries % 20 == 0 && str_eq(want, "FROZEN")) {
			cg_try_put(n, "freezer.state", "THAWED");
			cg_sleep_us(us);
			cg_try_put(n, "freezer.state", "FROZEN");
		}
		cg_sleep_us(us);
		if (us < 5000)
			us *= 2;
	}
}

static int v2_wait(const struct cg_node *n, bool frozen, uint64_t deadline, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	char path[CG_FILE_MAX];

	fd = open(cg_file(path, n, "cgroup.events"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set(e, errno, "open %s", path);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLPRI };
		uint64_t now = cg_now();
		char text[256];
		ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

		if (len < 0)
			return err_set(e, errno, "read %s", path);
		text[len] = '\0';
		if (!strstr(text, "frozen "))
			return err_text(e, EOPNOTSUPP, "this kernel's cgroup v2 cannot freeze (since 5.2)");
		if (strstr(text, frozen ? "frozen 1" : "frozen 0"))
			return 0;
		if (now >= deadline)
			return err_text(e, ETIMEDOUT,
				"cgroup %s does not become %s: a process in it is stuck in the kernel, or a "
				"parent is frozen",
				n->path, frozen ? "frozen" : "thawed");
		/* Old kernels do not wake pollers for every change. */
		poll(&p, 1, (deadline - now) / 1000000 < 50 ? (int)((deadline - now) / 1000000) + 1 : 50);
	}
}

int cg_freeze_to(const struct cgrp *c, bool frozen, unsigned int ms, struct err *e)
{
	const struct cg_node *n = freezer(c);
	uint64_t deadline = cg_now() + ms * (uint64_t)1000000;
	int r;

	if (!n)
		return no_freezer(c, e);
	if (!n->v2) {
		r = cg_put(n, "freezer.state", frozen ? "FROZEN" : "THAWED", e);
		return r < 0 ? r : v1_wait(n, frozen ? "FROZEN" : "THAWED", deadline, e);
	}
	r = cg_put(n, "cgroup.freeze", frozen ? "1" : "0", e);
	if (r == -ENOENT)
		return err_text(e, EOPNOTSUPP, "this kernel's cgroup v2 cannot freeze (since 5.2)");
	return r < 0 ? r : v2_wait(n, frozen, deadline, e);
}

int cgrp_freeze(struct cgrp *c, struct err *e)
{
	int r = cg_freeze_to(c, true, FREEZE_MS, e);

	/* Half frozen is no state to leave a partition in. */
	if (r == -ETIMEDOUT)
		cg_freeze_to(c, false, FREEZE_MS, NULL);
	return r;
}

int cgrp_thaw(struct cgrp *c, struct err *e)
{
	return cg_freeze_to(c, false, FREEZE_MS, e);
}

int cgrp_frozen(const struct cgrp *c, bool *frozen, struct err *e)
{
	const struct cg_node *n = freezer(c);
	char state[32];
	uint64_t v;
	int r;

	if (!n)
		return no_freezer(c, e);
	if (n->v2) {
		r = cg_get_key(n, "cgroup.events", "frozen", &v);
		if (r < 0 && r != -ENOENT && r != -ENODATA)
			return err_set(e, -r, "read cgroup.events of cgroup %s", n->path);
		*frozen = r == 0 && v != 0;
		return 0;
	}
	r = (int)cg_get(n, "freezer.state", state, sizeof(state));
	if (r < 0 && r != -ENOENT && r != -ENODEV)
		return err_set(e, -r, "read freezer.state of cgroup %s", n->path);
	*frozen = r > 0 && !str_eq(state, "THAWED");
	return 0;
}
