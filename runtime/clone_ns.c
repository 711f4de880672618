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
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/spawn.h"
#include "runtime/attach.h"
#include "runtime/sync.h"

static pid_t clone_into(uint64_t flags, int cgroup_fd, pid_t *number)
{
	struct clone_args args = { .flags = flags, .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD };

	if (number) {
		args.flags |= CLONE_PARENT_SETTID;
		args.parent_tid = (uintptr_t)number;
	}

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

	if (init_join(&m->in, &e) < 0)
		init_fail(m->in.sync, &e);
	if (m->in.ns[SPEC_NS_USER] >= 0) {
		if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) {
			err_set(&e, errno, "become root of the joined user namespace");
			init_fail(m->in.sync, &e);
		}
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	}
	sync_birth_hide(m->birth);
	/* Our pid namespace is still the parent's: the number is right for it. */
	pid = clone_into(birth_flags(m->s) | CLONE_PARENT, -1, m->birth);
	if (pid < 0) {
		err_set(&e, errno, "clone into new namespaces");
		init_fail(m->in.sync, &e);
	}
	if (pid == 0)
		run_child(m);
	_exit(0);
}

/*
 * CLONE_INTO_CGROUP is of Linux 5.7. Before that its field lies beyond the structure that the kernel knows
 * (E2BIG), or its flag is none (EINVAL): then the child joins by itself.
 */
static bool cannot_be_born_there(struct make *m, int code)
{
	if ((code != E2BIG && code != EINVAL) || !m->p->cgroup || cgrp_clone_fd(m->p->cgroup) < 0)
		return false;
	cgrp_no_clone(m->p->cgroup);
	return true;
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

/* Why a child that said nothing is gone. */
int ns_child_gone(struct make *m, struct err *e)
{
	int status = 0;

	if (m->p->pid > 0 && waitpid(m->p->pid, &status, 0) == m->p->pid) {
		m->p->pid = 0;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			return err_text(e, ECANCELED,
				"the container's first process was killed while it was being set up; if "
				"nobody did it, its memory "
				"limit is too small");
		if (WIFSIGNALED(status))
			return err_text(e, ECANCELED,
				"the container's first process died of signal %d while it was being set up",
				WTERMSIG(status));
	}
	return err_text(e, ECANCELED, "the container's first process ended while it was being set up");
}

static int clone_failed(int code, struct err *e)
{
	const char *hint = explain_clone(code);

	err_set(e, code, "clone the first process");
	return hint ? err_hint(e, "%s", hint) : -code;
}

int ns_launch_child(struct make *m, struct err *e)
{
	struct rt_partition *p = m->p;
	int cgroup_fd = p->cgroup ? cgrp_clone_fd(p->cgroup) : -1;
	bool joiner = needs_joiner(m);
	pid_t pid;

	/* Also when born in it: that covers cgroup2 only, and a mixed host has v1 hierarchies as well. */
	m->in.join_cgroup = p->cgroup != NULL;
	if (joiner) {
		m->birth = sync_birth_page(e);
		if (!m->birth)
			return -e->code;
	}
	pid = clone_into(joiner ? 0 : birth_flags(m->s), cgroup_fd, NULL);
	if (pid < 0 && cannot_be_born_there(m, errno))
		pid = clone_into(joiner ? 0 : birth_flags(m->s), -1, NULL);
	if (pid < 0)
		return clone_failed(errno, e);
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

/* --- at once
 * ----------------------------------------------------------------------------------------------------------------------------
 */

/* Less than a partition takes to be set up, with room to spare: see spawn_borrowing() about memory that runs
 * out. */
#define ROOMY (64LL * 1024 * 1024)

static bool tight_memory(const struct spec_resources *r)
{
	if (r->mem_limit.has && r->mem_limit.v > 0 && r->mem_limit.v < ROOMY)
		return true;
	/* "memory.max" among others, in words that are the kernel's to read. */
	return r->n_unified > 0;
}

static bool has_child_hooks(const struct spec *s)
{
	return s->hooks.n[SPEC_HOOK_CREATE_CONTAINER] || s->hooks.n[SPEC_HOOK_START_CONTAINER];
}

bool ns_can_borrow(const struct make *m)
{
	const struct spec *s = m->s;

	if (!m->l->at_once || !spawn_can_borrow())
		return false;
	/* Whatever wants an answer, or passes a descriptor. */
	if (m->in.ask_parent || m->in.has_hooks || has_child_hooks(s) || s->process.terminal ||
		s->seccomp.listener_path)
		return false;
	/* Else the caller has to become the reaper of what the payload leaves behind first. */
	if (!m->p->own_pid_ns)
		return false;
	if (m->p->cgroup && cgrp_needs_delegated(m->p->cgroup))
		return false;
	if (needs_joiner(m) || (ns_new_flags(s) & CLONE_NEWTIME))
		return false;
	return !tight_memory(&s->resources);
}

/*
 * It records itself, when it is no longer half a partition: exec takes no lock, and goes into whatever is
 * recorded (init.c, "record"). What is killed before that leaves the snapshot, by which its cgroup is found;
 * what is killed later is known, and lives on without its runtime, as it would a moment later.
 */
static void run_borrower(void *arg)
{
	struct make *m = arg;
	struct init in = m->in;
	struct err e = ERR_INIT;
	char state;
	/* While the host's /proc is there to be asked. */
	int r = rt_proc_stat(m->p->pid, &m->p->start_time, &state);

	if (r < 0)
		err_set(&e, -r, "read /proc/%d/stat", (int)m->p->pid);
	if (r == 0)
		r = mnt_unshare_state(&in.mnt, &e);
	if (r < 0) {
		m->report.failed = true;
		m->report.err = e;
		_exit(1);
	}
	in.record = m->p;
	init_main(&in);
}

int ns_launch_at_once(struct make *m, struct err *e)
{
	struct rt_partition *p = m->p;
	int cgroup_fd = p->cgroup ? cgrp_clone_fd(p->cgroup) : -1;
	struct clone_args args = {
		.flags = birth_flags(m->s) | CLONE_PARENT_SETTID | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
		.parent_tid = (uint64_t)(uintptr_t)&p->pid,
		.cgroup = cgroup_fd >= 0 ? (uint64_t)cgroup_fd : 0,
	};
	pid_t pid;

	m->in.join_cgroup = p->cgroup != NULL;
	m->in.report = &m->report;
	/* Before there is a payload that a signal could miss; the child takes its own mask back. */
	if (m->l->attached)
		attach_begin();
	pid = spawn_borrowing(&args, run_borrower, m);
	if (pid < 0 && cannot_be_born_there(m, -pid)) {
		args.flags &= ~(uint64_t)CLONE_INTO_CGROUP;
		args.cgroup = 0;
		pid = spawn_borrowing(&args, run_borrower, m);
	}
	if (pid < 0) {
		p->pid = 0;
		return clone_failed(-pid, e);
	}
	if (m->report.failed) {
		waitpid(pid, NULL, 0);
		p->pid = 0;
		m->l->exec_failed = m->report.exec_failed;
		return err_text(e, m->report.err.code, "%s", m->report.err.text);
	}
	if (!m->report.executing)
		return ns_child_gone(m, e);
	m->l->started = true;
	return 0;
}
