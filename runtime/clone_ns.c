/* SPDX-License-Identifier: Apache-2.0 */
/* Create: the clone, and the joiner that does it where the child must enter namespaces first (see
 * engine_ns.c). */
#include "runtime/create_ns.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/sync.h"

static pid_t clone_into(uint64_t flags, int cgroup_fd)
{
	struct clone_args args = { .flags = flags, .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD };

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Cgroup namespaces are made by the child, after it has joined; time namespaces by ns_time_prepare(). */
static uint64_t birth_flags(const struct spec *s)
{
	return ns_new_flags(s) & ~(uint64_t)(CLONE_NEWCGROUP | CLONE_NEWTIME);
}

static bool needs_joiner(const struct make *m)
{
	bool any = false;

	for (int i = 0; i < SPEC_NS_KINDS; i++)
		any = any || m->in.ns[i] >= 0;
	return any && (m->in.own_user_ns || m->in.ns[SPEC_NS_PID] >= 0 || m->in.ns[SPEC_NS_TIME] >= 0);
}

static void run_child(struct make *m)
{
	/* The parent's end and its lock: while we hold them, its death would go unnoticed and its verbs would
	 * block. */
	fd_close(m->sync[0]);
	fd_close(m->p->dirfd);
	init_main(&m->in);
}

static void run_joiner(struct make *m)
{
	struct err e = ERR_INIT;
	pid_t pid;
	int r = 0;

	if (m->in.join_cgroup)
		r = cgrp_join_self(m->p->cgroup, &e);
	if (r == 0)
		r = ns_join_all(m->in.ns, &e);
	if (r < 0)
		init_fail(m->in.sync, &e);
	if (m->in.ns[SPEC_NS_USER] >= 0) {
		if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) {
			err_set(&e, errno, "become root of the joined user namespace");
			init_fail(m->in.sync, &e);
		}
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	}
	m->in.joined = true;
	pid = clone_into(birth_flags(m->s) | CLONE_PARENT, -1);
	if (pid < 0) {
		err_set(&e, errno, "clone into new namespaces");
		init_fail(m->in.sync, &e);
	}
	if (pid == 0)
		run_child(m);
	/* Our pid namespace is still the parent's: the number is right for it. */
	sync_send(m->in.sync, SYNC_PID, pid, NULL, -1);
	_exit(0);
}

static const char *explain_clone(int code)
{
	switch (code) {
	case EPERM:
		return "not allowed; run as root, or with a user namespace in linux.namespaces";
	case ENOSPC:
	case EUSERS:
		return "a limit on namespaces was reached; see /proc/sys/user/max_*_namespaces";
	case EAGAIN:
		return "a limit on processes was reached; see pids.max of the cgroup, RLIMIT_NPROC and "
		       "kernel.pid_max";
	case EINVAL:
		return "this kernel lacks one of the namespaces in linux.namespaces";
	default:
		return NULL;
	}
}

int ns_launch_child(struct make *m, struct err *e)
{
	struct rt_partition *p = m->p;
	int cgroup_fd = p->cgroup ? cgrp_clone_fd(p->cgroup) : -1;
	bool joiner = needs_joiner(m);
	const char *hint;
	pid_t pid;

	/* Also when born in it: that covers cgroup2 only, and a mixed host has v1 hierarchies as well. */
	m->in.join_cgroup = p->cgroup != NULL;
	pid = clone_into(joiner ? 0 : birth_flags(m->s), cgroup_fd);
	if (pid < 0) {
		int code = errno;

		hint = explain_clone(code);
		err_set(e, code, "clone the first process");
		return hint ? err_hint(e, "%s", hint) : -code;
	}
	if (pid == 0) {
		m->in.sync = m->sync[1];
		if (joiner)
			run_joiner(m);
		run_child(m);
	}
	m->sync[1] = fd_close(m->sync[1]);
	if (joiner)
		m->joiner = pid;
	else
		p->pid = pid;
	return 0;
}
