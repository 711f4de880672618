/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine "partition": namespaces and cgroups on the host's own kernel. This file is its create: the
 * parent half.
 *
 * Theory of operation
 *   Everything that can be refused is refused before anything is made. Then: cgroup, sources that only the
 * parent can open, and one clone3(2) into all new namespaces at once. A child that must enter namespaces
 * given by path with rights it would lose by being born in a new user namespace (or whose pid namespace is
 * such a path, which only acts on children) is cloned by a joiner instead: a process that enters them, clones
 *   the child with CLONE_PARENT, so that it is ours all the same, and goes. The child reports at named stages
 * (sync.h).
 *   A `run` whose child needs nothing from us while it is set up goes a shorter way (ns_launch_at_once()):
 * the child borrows our memory instead of getting a copy, writes the record by itself, waits for nobody and
 * goes on to the payload, and we stand still until then. That saves the copy, most of the page faults, and
 * four changes from one process to the other.
 */
#include "runtime/engine_ns.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/steps.h"
#include "namespaces/net.h"
#include "namespaces/template.h"
#include "runtime/create_ns.h"
#include "runtime/hooks.h"
#include "runtime/rdt.h"
#include "runtime/sync.h"
#include "security/proc_attrs.h"

/* --- the parent's part
 * ----------------------------------------------------------------------------------------------------------------------
 */

/* Limits that the child may no longer raise once it is in a user namespace of its own. */
static int outside_limits(struct make *m, struct err *e)
{
	const struct spec_process *proc = &m->s->process;
	_cleanup_close_ int procfd = -EBADF;
	char path[48], value[16];
	int r;

	if (!m->s->has_process || !m->in.own_user_ns)
		return 0;
	r = sec_set_rlimits(m->p->pid, proc->rlimits, proc->n_rlimits, e);
	if (r < 0 || !proc->has_oom_score_adj)
		return r;
	procfd = mnt_procfs(e);
	if (procfd < 0)
		return procfd;
	snprintf(path, sizeof(path), "%d/oom_score_adj", (int)m->p->pid);
	snprintf(value, sizeof(value), "%d", proc->oom_score_adj);
	r = fd_put_at(procfd, path, value);
	/* Without privilege one may not go below where one is: then it stays there, as runc does for rootless
	 * containers. */
	if (r < 0 && !(m->p->rootless && (r == -EACCES || r == -EPERM)))
		return err_set(e, -r, "process.oomScoreAdj: write %s to /proc/%s", value, path);
	return 0;
}

static int open_ns(pid_t pid, const char *name, struct err *e)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "open %s", path) : fd;
}

static int parents_part(struct make *m, struct err *e)
{
	const struct spec *s = m->s;
	const struct spec_ns_entry *user = &s->ns[SPEC_NS_USER];
	struct rt_partition *p = m->p;
	int r = 0;

	if (p->cgroup)
		r = cgrp_attach(p->cgroup, p->pid, e);
	if (r == 0 && user->present && m->in.ns[SPEC_NS_USER] < 0 && !user->path)
		r = ns_write_maps(
			p->pid, s->uid_map, s->n_uid_map, s->gid_map, s->n_gid_map, s->maps_added, e);
	if (r == 0 && m->in.own_user_ns)
		payload_own_stdio(s, &s->process.user);
	if (r == 0)
		r = outside_limits(m, e);
	if (r == 0 && mnt_needs_userns(&m->in.mnt)) {
		_cleanup_close_ int fd = open_ns(p->pid, "user", e);

		r = fd < 0 ? fd : mnt_idmap_sources(&m->in.mnt, fd, e);
	}
	if (r == 0 && s->n_net_devices) {
		_cleanup_close_ int fd = open_ns(p->pid, "net", e);

		r = fd < 0 ? fd : net_move_devices(s, fd, &m->net_moved, e);
	}
	if (r == 0)
		r = rdt_apply(s, p, e);
	return r;
}

/* Whatever goes wrong: it can do without. */
static void offer_template(struct make *m)
{
	_cleanup_close_ int user = -EBADF, sysfs = -EBADF, ns = -EBADF;
	struct err why = ERR_INIT;

	if (!m->mnt_template)
		return;
	user = open_ns(m->p->pid, "user", &why);
	if (user >= 0)
		ns = mnt_template_copy(m->mnt_template, user, &sysfs, &why);
	if (user < 0 || ns < 0) {
		log_debug("%s", why.text);
		return;
	}
	sync_send(m->sync[0], SYNC_TEMPLATE, 0, NULL, ns);
	sync_send(m->sync[0], SYNC_TEMPLATE, 1, NULL, sysfs);
}

static bool parent_has_work(const struct make *m)
{
	const struct spec *s = m->s;

	return m->in.own_user_ns || (m->p->cgroup && cgrp_needs_attach(m->p->cgroup)) ||
	       mnt_needs_userns(&m->in.mnt) || s->n_net_devices || s->intel_rdt.present;
}

static int runtime_hooks(struct make *m, struct err *e)
{
	_cleanup_free_ char *state = rt_partition_state_json(m->p, rt_status_names[RT_CREATING], m->p->pid);
	struct hooks_env env = {
		.state = state,
		.cwd = m->p->bundle,
		.out_path = spec_annotation(m->s, "run.oci.hooks.stdout"),
		.err_path = spec_annotation(m->s, "run.oci.hooks.stderr"),
		.stop_fd = m->sync[0],
		.stop_why = "the container's first process has ended",
	};
	int r;

	if (!state)
		return err_set(e, ENOMEM, "write the state for hooks");
	r = hooks_run(&m->s->hooks, SPEC_HOOK_PRESTART, &env, false, e);
	return r < 0 ? r : hooks_run(&m->s->hooks, SPEC_HOOK_CREATE_RUNTIME, &env, false, e);
}

/* The child of a joiner, as soon as there is one. The joiner has nothing to do after that. */
static void adopt(struct make *m)
{
	if (m->joiner == 0 || *m->birth == 0)
		return;
	m->p->pid = *m->birth;
	waitpid(m->joiner, NULL, 0);
	m->joiner = 0;
}

/* A message that could not be sent to a child that lives must not make us wait for its end. */
static int go_on(struct make *m, struct err *e)
{
	int r = sync_send(m->sync[0], SYNC_GO, 0, NULL, -1);

	if (r == -EPIPE || r == -ECONNRESET)
		return ns_child_gone(m, e);
	return r < 0 ? err_set(e, -r, "talk to the container's first process") : 0;
}

/* By what the process is known from now on, beside its pid. */
static int know(struct make *m, struct err *e)
{
	char state;
	int r = m->p->start_time ? 0 : rt_proc_stat(m->p->pid, &m->p->start_time, &state);

	if (r == -ESRCH)
		return ns_child_gone(m, e);
	return r < 0 ? err_set(e, -r, "read /proc/%d/stat", (int)m->p->pid) : 0;
}

/* Serves the child until it says that it is created. */
static int serve(struct make *m, struct err *e)
{
	struct sync_frame f;
	int fd, r;

	for (;;) {
		int msg = sync_recv(m->sync[0], &f, &fd);

		adopt(m);
		r = 0;
		switch (msg) {
		case SYNC_CREATED:
			/* Only now: the cgroup namespace's root is the cgroup above that one. */
			return m->p->cgroup && cgrp_needs_delegated(m->p->cgroup)
				       ? cgrp_attach_delegated(m->p->cgroup, m->p->pid, e)
				       : 0;
		case SYNC_NEED_MAPS:
			r = parents_part(m, e);
			if (r == 0)
				offer_template(m);
			if (r == 0)
				r = go_on(m, e);
			break;
		case SYNC_HOOKS:
			/* They may ask for the state: it must name the process by now. And one that hangs is
			 * ended by `delete --force`, which ends that process. */
			r = know(m, e);
			if (r == 0)
				r = rt_partition_save(m->p, e);
			if (r == 0)
				r = runtime_hooks(m, e);
			if (r == 0)
				r = go_on(m, e);
			break;
		case SYNC_MASTER:
			fd_close(m->l->master);
			m->l->master = TAKE_FD(fd);
			break;
		case SYNC_WARN:
			log_warn("%s", f.text);
			break;
		case SYNC_ERROR:
			return sync_err(&f, e);
		case SYNC_CLOSED:
			return ns_child_gone(m, e);
		default:
			return err_set(e, msg < 0 ? -msg : EPROTO, "talk to the container's first process");
		}
		if (r < 0)
			return r;
	}
}

/* --- create
 * --------------------------------------------------------------------------------------------------------------------------------
 */

/* The socket on which a later `start` finds the child. Its path may be longer than sun_path: bound through
 * the directory's fd. */
static int start_socket(struct rt_partition *p, struct err *e)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return err_set(e, errno, "make the start socket");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" RT_START_SOCKET, p->dirfd);
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(sock, 8) < 0)
		return err_set(e, errno, "make the start socket of container \"%s\"", p->id);
	return TAKE_FD(sock);
}

static void undo(struct make *m)
{
	struct rt_partition *p = m->p;
	struct err ignored;

	net_return_devices(m->net_moved);
	m->sync[0] = fd_close(m->sync[0]);
	m->sync[1] = fd_close(m->sync[1]);
	if (m->joiner > 0) {
		kill(m->joiner, SIGKILL);
		waitpid(m->joiner, NULL, 0);
		if (*m->birth)
			p->pid = *m->birth;
	}
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		if (p->cgroup)
			cgrp_thaw(p->cgroup, &ignored);
		waitpid(p->pid, NULL, 0);
		p->pid = 0;
	}
	unlinkat(p->dirfd, RT_START_SOCKET, 0);
	rdt_remove(p, NULL);
	if (p->cgroup) {
		struct err e = ERR_INIT;

		cgrp_kill(p->cgroup, SIGKILL, &ignored);
		if (cgrp_destroy(p->cgroup, &e) < 0)
			log_warn("%s", e.text);
	}
}

/* Once the cgroup is there, and before the payload runs. No reason to fail: it only tells how it ended. */
static void watch_memory(const struct make *m, const struct rt_create_opts *o)
{
	const struct spec_i64 *limit = &m->s->resources.mem_limit;
	struct rt_oom *oom = o->oom;
	struct err ignored;
	uint64_t n;

	if (!oom || !m->p->cgroup)
		return;
	oom->fd = cgrp_oom_open(m->p->cgroup, &ignored);
	/* Without a limit it is rare, and watching costs a second descriptor and 8 KiB of the kernel's. */
	if (oom->fd >= 0 && limit->has && limit->v > 0)
		oom->empty = cgrp_empty_fd(m->p->cgroup, &ignored);
	/* Else poll(2) would return at once (cgrp_oom_fd()). */
	if (oom->empty >= 0)
		cgrp_oom_read(oom->fd, &n);
	rt_oom_hand_over(oom);
}

static int build(struct make *m, const struct rt_create_opts *o, struct err *e)
{
	struct rt_partition *p = m->p;
	int r;

	step_done("checks");
	r = ns_make_cgroup(m, e);
	step_done("cgroup made");
	if (r == 0)
		r = ns_fill_hierarchies(m, e);
	if (r == 0)
		r = mnt_open_sources(&m->in.mnt, m->in.ns[SPEC_NS_USER], e);
	if (r < 0)
		return r;
	step_done("sources");
	if (m->l->later) {
		m->in.start_listener = start_socket(p, e);
		if (m->in.start_listener < 0)
			return m->in.start_listener;
	}
	m->in.ask_parent = parent_has_work(m);
	/* Not without privilege: what is not dumpable has a /proc/PID/uid_map that is root's to write. The
	 * child sees to it once it has its maps. */
	if (rt_caller() == 0)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (ns_can_borrow(m)) {
		watch_memory(m, o);
		return ns_launch_at_once(m, e);
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, m->sync) < 0)
		return err_set(e, errno, "make a socket pair");
	if (ns_new_flags(m->s) & CLONE_NEWTIME) {
		r = ns_time_prepare(m->s, &m->time_ns, e);
		if (r < 0)
			return r;
	}
	r = ns_launch_child(m, e);
	if (m->time_ns >= 0 && r == 0)
		r = ns_time_restore(m->time_ns, e);
	if (r == 0)
		r = serve(m, e);
	/* Only now: systemd makes the cgroup around the process. */
	if (r == 0)
		watch_memory(m, o);
	return r;
}

static int ns_create(
	struct rt_partition *p, const struct rt_create_opts *o, struct rt_launch *l, struct err *e)
{
	struct make m = { .p = p, .s = p->spec, .l = l, .sync = { -EBADF, -EBADF }, .time_ns = -EBADF };
	int r;

	l->sync = l->master = -EBADF;
	p->own_pid_ns = p->spec->ns[SPEC_NS_PID].present && !p->spec->ns[SPEC_NS_PID].path;
	r = ns_prepare(&m, o, e);
	if (r == 0) {
		r = build(&m, o, e);
		if (r == 0 && !l->started)
			r = know(&m, e);
		if (r < 0)
			undo(&m);
	}
	net_moved_free(m.net_moved);
	sync_birth_free(m.birth);
	fd_close(m.time_ns);
	fd_close(m.in.start_listener);
	ns_close(m.in.ns);
	payload_free(&m.in.payload);
	mnt_free(&m.in.mnt);
	if (r < 0) {
		l->master = fd_close(l->master);
		return r;
	}
	l->sync = m.sync[0];
	return 0;
}

static int ns_commit(struct rt_partition *p, struct rt_launch *l, struct err *e)
{
	int r = sync_send(l->sync, SYNC_GO, 0, NULL, -1);

	l->sync = fd_close(l->sync);
	return r < 0 ? err_text(e, ESRCH,
			       "the first process of container \"%s\" ended before it could be recorded",
			       p->id)
		     : 0;
}

const struct rt_engine rt_engine_ns = {
	.name = "partition",
	.create = ns_create,
	.commit = ns_commit,
	.start = ns_start,
	.exec = ns_exec,
	.kill = ns_kill,
	.pause = ns_pause,
	.resume = ns_resume,
	.update = ns_update,
	.pids = ns_pids,
	.status = ns_status,
	.stats = ns_stats,
	.usage = ns_usage,
	.destroy = ns_destroy,
};
