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
 */
#include "runtime/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "namespaces/net.h"
#include "namespaces/sysctl.h"
#include "runtime/engine_ns.h"
#include "runtime/hooks.h"
#include "runtime/init.h"
#include "runtime/launch.h"
#include "runtime/rdt.h"
#include "runtime/sync.h"
#include "security/proc_attrs.h"

struct make {
	struct rt_partition *p;
	const struct spec *s;
	struct rt_launch *l;
	struct init in;
	int sync[2];
	int time_ns; /* to go back to, or -1 */
	pid_t joiner;
	struct mnt_hierarchy *hierarchies;
};

/* --- before anything is made
 * ------------------------------------------------------------------------------------------------------------
 */

static bool is_cgroup_mount(const struct spec_mount *m)
{
	return m->type && (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"));
}

/*
 * Whether the payload is to work with cgroups and not just look at its own limits: a writable cgroup mount,
 * cgroup2 by name, or something mounted into that tree (as podman does for a systemd inside). Then it gets a
 * cgroup in hierarchies without limits, too.
 */
static bool wants_all_hierarchies(const struct spec *s)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];

		if (str_starts(m->destination, "/sys/fs/cgroup/"))
			return true;
		if (is_cgroup_mount(m) && (str_eq(m->type, "cgroup2") || !strv_has(m->options, "ro")))
			return true;
	}
	return false;
}

/* config-linux.md, "Cgroup ownership": with a namespace of its own and a mount that can be written. */
static bool wants_delegation(const struct spec *s)
{
	const struct spec_ns_entry *ns = &s->ns[SPEC_NS_CGROUP];

	for (size_t i = 0; ns->present && !ns->path && i < s->n_mounts; i++)
		if (is_cgroup_mount(&s->mounts[i]) && !strv_has(s->mounts[i].options, "ro"))
			return true;
	return false;
}

static const char *own_path(
	const struct cgrp *c, const struct cgrp_host *host, const struct cgrp_hierarchy *h)
{
	const char *path = c ? cgrp_path(c, h->controllers) : "";

	/* A host with a single hierarchy shows it even to a partition without a cgroup of its own: the caller
	 * asked for the mount. */
	return *path || host->n == 1 ? path : NULL;
}

static int fill_hierarchies(struct make *m, struct err *e)
{
	const struct cgrp_host *host;
	bool any = false;
	int r;

	for (size_t i = 0; i < m->s->n_mounts; i++)
		any = any || is_cgroup_mount(&m->s->mounts[i]);
	if (!any)
		return 0;
	r = cgrp_host_names(&host, e);
	if (r < 0)
		return r;
	m->hierarchies = arena_calloc(m->p->arena, host->n + 1, sizeof(*m->hierarchies));
	if (!m->hierarchies)
		return err_set(e, ENOMEM, "prepare the cgroup mount");
	for (size_t h = 0; h < host->n; h++)
		m->hierarchies[h] = (struct mnt_hierarchy){
			.mount_point = host->list[h].mount_point,
			.name = host->list[h].name,
			.controllers = host->list[h].controllers,
			.path = own_path(m->p->cgroup, host, &host->list[h]),
			.v2 = host->list[h].v2,
		};
	m->in.mnt.hierarchies = m->hierarchies;
	m->in.mnt.n_hierarchies = host->n;
	return 0;
}

static int prepare(struct make *m, const struct rt_create_opts *o, struct err *e)
{
	const struct spec *s = m->s;
	struct rt_partition *p = m->p;
	struct payload_opts po = {
		.seccomp_cache = m->l->seccomp_cache,
		.preserve_fds = o->preserve_fds,
		.rootless = p->rootless,
		.listen_fds = true,
	};
	int r;

	m->in = (struct init){
		.p = p,
		.spec = s,
		.sync = -EBADF,
		.start_listener = -EBADF,
		.console_socket = m->l->console_socket,
		.own_user_ns = ns_has_user(s),
		.has_hooks = s->hooks.n[SPEC_HOOK_PRESTART] || s->hooks.n[SPEC_HOOK_CREATE_RUNTIME],
		.no_new_keyring = o->no_new_keyring,
		.mnt = {
			.spec = s,
			.bundle = p->bundle,
			.rootfs = p->rootfs,
			.no_pivot = o->no_pivot,
			.user_ns = ns_has_user(s),
			.rootless = p->rootless,
			.new_cgroup_ns = s->ns[SPEC_NS_CGROUP].present,
			.mount_context_type = spec_annotation(s, "run.oci.mount_context_type"),
		},
	};
	m->in.payload.procfd = -EBADF;
	for (int i = 0; i < SPEC_NS_KINDS; i++)
		m->in.ns[i] = -EBADF;
	r = sysctl_check(s, e);
	if (r == 0)
		r = ns_open_paths(s, m->in.ns, e);
	if (r == 0)
		r = mnt_init(&m->in.mnt, e);
	if (r == 0 && s->has_process)
		r = payload_prepare(&m->in.payload, p->arena, s, &s->process, &po, e);
	if (r == 0)
		r = rdt_check(s, e);
	return r;
}

/* --- the clone
 * ----------------------------------------------------------------------------------------------------------------------------
 */

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

static int launch_child(struct make *m, struct err *e)
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
		r = ns_write_maps(p->pid, s->uid_map, s->n_uid_map, s->gid_map, s->n_gid_map, e);
	if (r == 0)
		r = outside_limits(m, e);
	if (r == 0 && mnt_needs_userns(&m->in.mnt)) {
		_cleanup_close_ int fd = open_ns(p->pid, "user", e);

		r = fd < 0 ? fd : mnt_idmap_sources(&m->in.mnt, fd, e);
	}
	if (r == 0 && s->n_net_devices) {
		_cleanup_close_ int fd = open_ns(p->pid, "net", e);

		r = fd < 0 ? fd : net_move_devices(s, fd, e);
	}
	if (r == 0)
		r = rdt_apply(s, p, e);
	return r;
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
	};
	int r;

	if (!state)
		return err_set(e, ENOMEM, "write the state for hooks");
	r = hooks_run(&m->s->hooks, SPEC_HOOK_PRESTART, &env, false, e);
	return r < 0 ? r : hooks_run(&m->s->hooks, SPEC_HOOK_CREATE_RUNTIME, &env, false, e);
}

/* Why a child that said nothing is gone. */
static int gone(struct make *m, struct err *e)
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

/* Serves the child until it says that it is created. */
static int serve(struct make *m, struct err *e)
{
	struct sync_frame f;
	int fd, r;

	for (;;) {
		int msg = sync_recv(m->sync[0], &f, &fd);

		r = 0;
		switch (msg) {
		case SYNC_CREATED:
			/* Only now: the cgroup namespace's root is the cgroup above that one. */
			return m->p->cgroup && cgrp_needs_delegated(m->p->cgroup)
				       ? cgrp_attach_delegated(m->p->cgroup, m->p->pid, e)
				       : 0;
		case SYNC_PID:
			m->p->pid = f.number;
			waitpid(m->joiner, NULL, 0);
			m->joiner = 0;
			break;
		case SYNC_NEED_MAPS:
			r = parents_part(m, e);
			if (r == 0)
				r = sync_send(m->sync[0], SYNC_GO, 0, NULL, -1) < 0 ? gone(m, e) : 0;
			break;
		case SYNC_HOOKS:
			/* They may ask for the state: it must name the process by now. */
			r = rt_partition_save(m->p, e);
			if (r == 0)
				r = runtime_hooks(m, e);
			if (r == 0)
				r = sync_send(m->sync[0], SYNC_GO, 0, NULL, -1) < 0 ? gone(m, e) : 0;
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
			return gone(m, e);
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

static int make_cgroup(struct make *m, struct err *e)
{
	struct rt_partition *p = m->p;
	const struct spec *s = m->s;
	struct cgrp_params cp = {
		.manager = p->manager,
		.id = p->id,
		.cgroups_path = s->cgroups_path,
		.root_tag = m->l->cgroup_tag,
		.resources = &s->resources,
		.annotations = s->annotations,
		.n_annotations = s->n_annotations,
		.rootless = p->rootless,
		.visible = wants_all_hierarchies(s),
		.delegate = wants_delegation(s) && ns_has_user(s),
	};
	int64_t uid = ns_map_to_host(s->uid_map, s->n_uid_map, 0),
		gid = ns_map_to_host(s->gid_map, s->n_gid_map, 0);

	if (p->manager == CGRP_DISABLED)
		return 0;
	cp.delegate = cp.delegate && uid >= 0 && gid >= 0;
	cp.delegate_uid = (uid_t)uid;
	cp.delegate_gid = (gid_t)gid;
	return cgrp_create(&cp, &p->cgroup, e);
}

static void undo(struct make *m)
{
	struct rt_partition *p = m->p;
	struct err ignored;

	m->sync[0] = fd_close(m->sync[0]);
	m->sync[1] = fd_close(m->sync[1]);
	if (m->joiner > 0) {
		kill(m->joiner, SIGKILL);
		waitpid(m->joiner, NULL, 0);
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

static int build(struct make *m, const struct rt_create_opts *o, struct err *e)
{
	struct rt_partition *p = m->p;
	int r;

	r = make_cgroup(m, e);
	if (r == 0)
		r = fill_hierarchies(m, e);
	if (r == 0)
		r = mnt_open_sources(&m->in.mnt, m->in.ns[SPEC_NS_USER], e);
	if (r < 0)
		return r;
	if (m->l->later) {
		m->in.start_listener = start_socket(p, e);
		if (m->in.start_listener < 0)
			return m->in.start_listener;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, m->sync) < 0)
		return err_set(e, errno, "make a socket pair");
	m->in.ask_parent = parent_has_work(m);
	/* Not without privilege: what is not dumpable has a /proc/PID/uid_map that is root's to write. The
	 * child sees to it once it has its maps. */
	if (geteuid() == 0)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (ns_new_flags(m->s) & CLONE_NEWTIME) {
		r = ns_time_prepare(m->s, &m->time_ns, e);
		if (r < 0)
			return r;
	}
	r = launch_child(m, e);
	if (m->time_ns >= 0 && r == 0)
		r = ns_time_restore(m->time_ns, e);
	return r < 0 ? r : serve(m, e);
}

static int ns_create(
	struct rt_partition *p, const struct rt_create_opts *o, struct rt_launch *l, struct err *e)
{
	struct make m = { .p = p, .s = p->spec, .l = l, .sync = { -EBADF, -EBADF }, .time_ns = -EBADF };
	char state;
	int r;

	l->sync = l->master = -EBADF;
	p->own_pid_ns = p->spec->ns[SPEC_NS_PID].present && !p->spec->ns[SPEC_NS_PID].path;
	r = prepare(&m, o, e);
	if (r == 0) {
		r = build(&m, o, e);
		if (r == 0 && rt_proc_stat(p->pid, &p->start_time, &state) < 0)
			r = gone(&m, e);
		if (r < 0)
			undo(&m);
	}
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

/* --- start
 * -----------------------------------------------------------------------------------------------------------------------------------
 */

static int send_listener(
	const struct rt_partition *p, pid_t pid, const char *status, int listener, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	_cleanup_free_ char *state = rt_partition_state_json(p, status, p->pid);
	const struct spec_seccomp *s = &p->spec->seccomp;
	const struct json *tree;
	int r;

	if (!w || !state)
		return err_set(e, ENOMEM, "write the container process state");
	r = json_parse(p->arena, state, strlen(state), "state", &tree, e);
	if (r < 0)
		return r;
	json_open_object(w, NULL);
	json_put_string(w, "ociVersion", p->oci_version);
	json_open_array(w, "fds");
	json_put_string(w, NULL, "seccompFd");
	json_close_array(w);
	json_put_i64(w, "pid", pid);
	if (s->listener_metadata)
		json_put_string(w, "metadata", s->listener_metadata);
	json_put_json(w, "state", tree);
	json_close_object(w);
	return seccomp_send_listener(s->listener_path, json_writer_text(w, NULL), listener, e);
}

int ns_fetch_listener(const struct rt_partition *p, pid_t pid, int number, const char *status, struct err *e)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), listener = -EBADF;

	/* The process cannot send it: its filter may already stop sendmsg(2), waiting for the very agent that
	 * is to get this. */
	if (pidfd >= 0)
		listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (listener < 0)
		return err_set(e, errno, "take over the seccomp listener of process %d", (int)pid);
	return send_listener(p, pid, status, listener, e);
}

static int ns_start(struct rt_partition *p, struct rt_launch *l, struct err *e)
{
	_cleanup_close_ int sock = -EBADF;
	struct sync_frame f;
	int r, fd;

	if (l->later) {
		sock = fd_connect_unix(p->dirfd, RT_START_SOCKET, SOCK_SEQPACKET);
		if (sock < 0)
			return err_set(e, -sock, "reach the container's first process");
	} else {
		sock = TAKE_FD(l->sync);
	}
	if (sync_send(sock, SYNC_START, 0, NULL, -1) < 0)
		return err_text(e, ESRCH,
			"container not running: no such process: its first process ended before it was "
			"started");
	for (;;) {
		int msg = sync_recv(sock, &f, &fd);

		switch (msg) {
		case SYNC_CLOSED:
			/* It closed by the exec, or because the process died: that shows in its status, as
			 * for any payload. */
			return 0;
		case SYNC_LISTENER:
			r = ns_fetch_listener(p, p->pid, f.number, rt_status_names[RT_CREATED], e);
			if (r < 0)
				return r;
			sync_send(sock, SYNC_GO, 0, NULL, -1);
			break;
		case SYNC_EXEC_ERROR:
			l->exec_failed = true;
			return sync_err(&f, e);
		case SYNC_ERROR:
			return sync_err(&f, e);
		default:
			return err_set(e, msg < 0 ? -msg : EPROTO, "talk to the container's first process");
		}
	}
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
	.destroy = ns_destroy,
};
