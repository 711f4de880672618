/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroups of this very host, for tests: made, joined, removed. Needs root and writable hierarchies. */
#ifndef TESTS_UNIT_CGROUPS_LIVE_H
#define TESTS_UNIT_CGROUPS_LIVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/internal.h"

static struct spec_dev_rule deny_all = { false, 'a', -1, -1, 7 };
static struct cgrp_params params;
static struct spec_resources limits;
static char id[64];
static struct err e;

static inline int setup(void **state)
{
	static int count;

	snprintf(id, sizeof(id), "livetest%d-%d", (int)getpid(), count++);
	limits = (struct spec_resources){ .present = true, .devices = &deny_all, .n_devices = 1 };
	params = (struct cgrp_params){
		.manager = CGRP_CGROUPFS, .id = id, .root_tag = "", .resources = &limits
	};
	e = (struct err)ERR_INIT;
	return 0;
}

static inline bool usable(void)
{
	struct cgrp *c;
	bool ok = geteuid() == 0 && cgrp_create(&params, &c, &e) == 0;

	if (ok) {
		ok = c->n > 0;
		cgrp_destroy(c, &e);
		cgrp_free(c);
	}
	return ok;
}

#define NEED_CGROUPS()          \
	do {                    \
		if (!usable())  \
			skip(); \
	} while (0)

static inline struct cgrp *create(void)
{
	struct cgrp *c = NULL;

	if (cgrp_create(&params, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static inline void ok(int r)
{
	if (r < 0)
		fail_msg("%s", e.text);
}

/* A child in the cgroup, born there where that works. 0 in the child. */
static inline pid_t spawn(struct cgrp *c)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	int fd = cgrp_clone_fd(c), go[2];
	char byte;
	pid_t pid;

	if (fd >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)fd;
	}
	assert_int_equal(pipe(go), 0);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err why = ERR_INIT;

		if (cgrp_join_self(c, &why) < 0) {
			fprintf(stderr, "%s\n", why.text);
			_exit(99);
		}
		close(go[0]);
		(void)!write(go[1], "j", 1);
		close(go[1]);
		return 0;
	}
	close(go[1]);
	assert_int_equal(read(go[0], &byte, 1), 1);
	close(go[0]);
	return pid;
}

static inline pid_t spawn_sleeper(struct cgrp *c)
{
	pid_t pid = spawn(c);

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static inline void destroy(struct cgrp *c)
{
	for (size_t i = 0; i < c->n; i++) {
		char dir[CG_FILE_MAX];

		snprintf(dir, sizeof(dir), "%s%s", c->node[i].mount, c->node[i].path);
		assert_int_equal(access(dir, F_OK), 0);
	}
	ok(cgrp_destroy(c, &e));
	for (size_t i = 0; i < c->n; i++) {
		char dir[CG_FILE_MAX];

		snprintf(dir, sizeof(dir), "%s%s", c->node[i].mount, c->node[i].path);
		assert_int_equal(access(dir, F_OK), -1);
	}
	ok(cgrp_destroy(c, &e)); /* gone already is success */
	cgrp_free(c);
}

#endif
