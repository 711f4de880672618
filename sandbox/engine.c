/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine "sandbox" (see runtime/engine.h): what verbs do to a partition that is a virtual machine.
 *
 * Theory of operation
 *   The partition's recorded process is the monitor (monitor.h), a member of the partition's cgroup: whatever
 * acts on processes and cgroups on the host, its death, pausing, statistics, limits, is what the engine of
 * namespaces does, and is called there. What concerns processes inside goes through the monitor's socket
 * (client.h).
 *
 *   create: everything is opened and refused first (ask.h), then the cgroup, then the monitor is forked. It
 * reports at named stages (runtime/sync.h): the network namespace is there and hooks may run, the partition
 * inside is created, or why not. Until the state is saved the monitor lives no longer than we do.
 */
#include "sandbox/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "namespaces/ns.h"
#include "runtime/engine_ns.h"
#include "runtime/files.h"
#include "runtime/hooks.h"
#include "runtime/launch.h"
#include "runtime/seccomp_cache.h"
#include "runtime/sync.h"
#include "sandbox/ask.h"
#include "sandbox/client.h"
#include "sandbox/confine.h"
#include "sandbox/fate.h"
#include "sandbox/monitor.h"
#include "sandbox/net.h"
#include "sandbox/terminal.h"

struct creation {
	struct rt_partition *p;
	struct rt_launch *l;
	struct vm_ask ask;
	struct monitor_birth birth;
	struct vm_filters filters;
	char *create, *config;
	int sync[2], ns[SPEC_NS_KINDS];
};

/* --- the network's end
 * ------------------------------------------------------------------------------------------- */

/* A namespace given by path may outlive the sandbox, whose interfaces would receive nothing any more. Best
 * effort: it may be gone already, which is as well. */
static void give_network_back(int netns)
{
	pid_t pid = netns >= 0 ? fork() : -1;

	if (pid == 0) {
		struct err e = ERR_INIT;

		_exit(setns(netns, CLONE_NEWNET) < 0 || vm_net_disconnect(&e) < 0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* --- create
 * ------------------------------------------------------------------------------------------------------ */

static int make_cgroup(struct creation *c, struct err *e)
{
	struct rt_partition *p = c->p;
	struct spec_resources resources;
	struct cgrp_params cp = {
		.manager = p->manager,
		.id = p->id,
		.cgroups_path = p->spec->cgroups_path,
		.root_tag = c->l->cgroup_tag,
		.resources = &resources,
		.annotations = p->spec->annotations,
		.n_annotations = p->spec->n_annotations,
	};
	int r;

	if (p->manager == CGRP_DISABLED)
		return 0;
	r = vm_host_resources(p, &c->ask, &resources, e);
	return r < 0 ? r : cgrp_create(&cp, &p->cgroup, e);
}

static int read_config(struct creation *c, struct err *e)
{
	/* What `create` has written: state.c. */
	const struct json *j = c->p->spec->json;
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text;
	size_t len = 0;

	if (!w)
		return err_set(e, ENOMEM, "copy config.json");
	json_put_json(w, NULL, j);
	text = json_writer_text(w, &len);
	c->config = text ? strdup(text) : NULL;
	c->birth.config = c->config;
	c->birth.config_len = len;
	return c->config ? 0 : err_set(e, ENOMEM, "copy config.json");
}

/* Kept compiled, as those of partitions are. */
static int prepare_filters(struct creation *c, struct err *e)
{
	_cleanup_close_ int cache = seccomp_cache_open(c->p->rootfd);

	return vm_filters_prepare(&c->filters, c->ask.accel == VM_ACCEL_KVM, cache, e);
}

/* Which it is, for `state` and everybody who reads it. */
static int note_accel(struct creation *c, struct err *e)
{
	struct rt_partition *p = c->p;
	struct spec_annotation *all = arena_calloc(p->arena, p->n_annotations + 2, sizeof(*all));
	size_t n = 0;

	if (!all)
		return err_set(e, ENOMEM, "annotations");
	for (size_t i = 0; i < p->n_annotations; i++)
		if (!str_eq(p->annotations[i].key, VM_ANNOTATION "accel"))
			all[n++] = p->annotations[i];
	all[n++] = (struct spec_annotation){ VM_ANNOTATION "accel", vm_accel_names[c->ask.accel] };
	p->annotations = all;
	p->n_annotations = n;
	if (c->ask.accel == VM_ACCEL_TCG)
		log_debug("sandbox \"%s\" runs under software emulation: %s", p->id, c->ask.why);
	return 0;
}

static pid_t clone_monitor(struct creation *c)
{
	struct cgrp *cgroup = c->p->cgroup;
	int fd = cgroup ? cgrp_clone_fd(cgroup) : -1;
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid;

	if (fd >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)fd;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	/* As in runtime/clone_ns.c: before Linux 5.7 it joins by itself. */
	if (pid < 0 && fd >= 0 && (errno == E2BIG || errno == EINVAL)) {
		cgrp_no_clone(cgroup);
		args.flags = args.cgroup = 0;
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	}
	return pid;
}

static int gone(struct creation *c, struct err *e)
{
	int status = 0;

	if (c->p->pid > 0 && waitpid(c->p->pid, &status, 0) == c->p->pid)
		c->p->pid = 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return err_text(
			e, ECANCELED, "the sandbox's monitor made a system call that it may not make");
	if (WIFSIGNALED(status))
		return err_text(e, ECANCELED,
			"the sandbox's monitor died of signal %d while it was being set up; if nobody "
			"killed it, its memory limit is too small",
			WTERMSIG(status));
	return err_text(e, ECANCELED, "the sandbox's monitor ended while it was being set up");
}

static int know(struct creation *c, struct err *e)
{
	char state;
	int r = c->p->start_time ? 0 : rt_proc_stat(c->p->pid, &c->p->start_time, &state);

	if (r == -ESRCH)
		return gone(c, e);
	return r < 0 ? err_set(e, -r, "read /proc/%d/stat", (int)c->p->pid) : 0;
}

static int run_hooks(struct creation *c, struct err *e)
{
	struct rt_partition *p = c->p;
	_cleanup_free_ char *state = rt_partition_state_json(p, rt_status_names[RT_CREATING], p->pid);
	struct hooks_env env = {
		.state = state,
		.cwd = p->bundle,
		.out_path = spec_annotation(p->spec, "run.oci.hooks.stdout"),
		.err_path = spec_annotation(p->spec, "run.oci.hooks.stderr"),
		.stop_fd = c->sync[0],
		.stop_why = "the sandbox's monitor has ended",
	};
	int r;

	if (!state)
		return err_set(e, ENOMEM, "write the state for hooks");
	r = hooks_run(&p->spec->hooks, SPEC_HOOK_PRESTART, &env, false, e);
	return r < 0 ? r : hooks_run(&p->spec->hooks, SPEC_HOOK_CREATE_RUNTIME, &env, false, e);
}

/* Serves the monitor until the partition in its guest is created. */
static int serve(struct creation *c, struct err *e)
{
	struct sync_frame f;
	int fd, r;

	for (;;) {
		int msg = sync_recv(c->sync[0], &f, &fd);

		fd_close(fd);
		switch (msg) {
		case SYNC_HOOKS:
			r = know(c, e);
			if (r == 0)
				r = rt_partition_save(c->p, e);
			if (r == 0)
				r = run_hooks(c, e);
			if (r == 0 && sync_send(c->sync[0], SYNC_GO, 0, NULL, -1) < 0)
				r = gone(c, e);
			if (r < 0)
				return r;
			break;
		case SYNC_CREATED:
			return know(c, e);
		case SYNC_WARN:
			log_warn("%s", f.text);
			break;
		case SYNC_ERROR:
			return sync_err(&f, e);
		case SYNC_CLOSED:
			return gone(c, e);
		default:
			return err_set(e, msg < 0 ? -msg : EPROTO, "talk to the sandbox's monitor");
		}
	}
}

static void undo(struct creation *c)
{
	struct rt_partition *p = c->p;
	struct err ignored, e = ERR_INIT;

	c->sync[0] = fd_close(c->sync[0]);
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
		p->pid = 0;
	}
	unlinkat(p->dirfd, RT_START_SOCKET, 0);
	unlinkat(p->dirfd, VM_FATE_FILE, 0);
	if (p->cgroup) {
		cgrp_kill(p->cgroup, SIGKILL, &ignored);
		if (cgrp_destroy(p->cgroup, &e) < 0)
			log_warn("%s", e.text);
	}
	give_network_back(c->birth.netns);
}

static int terminal(struct creation *c, struct err *e)
{
	const struct spec *s = c->p->spec;

	c->birth.slave = -EBADF;
	if (!s->has_process || !s->process.terminal)
		return 0;
	return terminal_open(&s->process, c->l->console_socket, &c->l->master, &c->birth.slave, e);
}

static void be_monitor(struct creation *c)
{
	const struct vm_ask *ask = &c->ask;
	int keep[] = { c->sync[1], c->birth.listener, c->birth.netns, c->birth.slave, c->birth.fate, ask->kvm,
		ask->kernel, ask->guest };
	size_t n = 0;

	/* Our cgroup's descriptors are needed until we have joined. */
	if (c->p->cgroup && cgrp_join_self(c->p->cgroup, NULL) < 0)
		_exit(1);
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		if (keep[i] >= 0)
			keep[n++] = keep[i];
	confine_keep(keep, n, ask->shares, ask->n_shares);
	monitor_main(&c->birth);
}

static int build(struct creation *c, struct err *e)
{
	struct rt_partition *p = c->p;
	const struct spec *s = p->spec;
	int r = make_cgroup(c, e);

	if (r == 0)
		r = terminal(c, e);
	if (r < 0)
		return r;
	c->birth.fate = vm_fate_make(p, e);
	if (c->birth.fate < 0)
		return c->birth.fate;
	c->birth.listener = client_listen(p, e);
	if (c->birth.listener < 0)
		return c->birth.listener;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c->sync) < 0)
		return err_set(e, errno, "make a socket pair");
	c->birth.sync = c->sync[1];
	c->birth.has_hooks = s->hooks.n[SPEC_HOOK_PRESTART] || s->hooks.n[SPEC_HOOK_CREATE_RUNTIME];
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	p->pid = clone_monitor(c);
	if (p->pid == 0)
		be_monitor(c);
	if (p->pid < 0) {
		r = err_set(e, errno, "make the sandbox's monitor");
		p->pid = 0;
		return r;
	}
	c->sync[1] = fd_close(c->sync[1]);
	if (p->cgroup)
		r = cgrp_attach(p->cgroup, p->pid, e);
	return r < 0 ? r : serve(c, e);
}

/* The count is the guest's kernel's. It stays readable: there is no need to watch. */
static void watch_memory(const struct rt_partition *p, struct rt_oom *oom)
{
	struct err ignored;

	if (!oom)
		return;
	oom->fd = vm_fate_open(p, &ignored);
	rt_oom_hand_over(oom);
}

static int create_sandbox(
	struct rt_partition *p, const struct rt_create_opts *o, struct rt_launch *l, struct err *e)
{
	struct creation c = { .p = p,
		.l = l,
		.sync = { -EBADF, -EBADF },
		.birth = { .listener = -EBADF, .slave = -EBADF, .fate = -EBADF } };
	int r;

	l->sync = l->master = -EBADF;
	l->remote = true;
	for (int i = 0; i < SPEC_NS_KINDS; i++)
		c.ns[i] = -EBADF;
	r = vm_ask(p, o, &c.ask, e);
	if (r < 0)
		return r;
	c.birth.p = p;
	c.birth.ask = &c.ask;
	c.birth.filters = &c.filters;
	r = ns_open_paths(p->spec, c.ns, e);
	c.birth.netns = c.ns[SPEC_NS_NETWORK];
	if (r == 0)
		r = note_accel(&c, e);
	if (r == 0)
		r = read_config(&c, e);
	if (r == 0)
		r = prepare_filters(&c, e);
	if (r == 0) {
		c.create = vm_create_document(p, &c.ask, e);
		c.birth.create = c.create;
		r = c.create ? 0 : -e->code;
	}
	if (r == 0) {
		r = build(&c, e);
		if (r < 0)
			undo(&c);
		else
			watch_memory(p, o->oom);
	}
	vm_ask_free(&c.ask);
	vm_filters_free(&c.filters);
	ns_close(c.ns);
	fd_close(c.sync[1]);
	fd_close(c.birth.listener);
	fd_close(c.birth.slave);
	fd_close(c.birth.fate);
	free(c.create);
	free(c.config);
	if (r < 0) {
		l->master = fd_close(l->master);
		return r;
	}
	l->sync = c.sync[0];
	return 0;
}

static int vm_commit(struct rt_partition *p, struct rt_launch *l, struct err *e)
{
	int r = sync_send(l->sync, SYNC_GO, 0, NULL, -1);

	l->sync = fd_close(l->sync);
	return r < 0 ? err_text(e, ESRCH, "the monitor of container \"%s\" ended before it could be recorded",
			       p->id)
		     : 0;
}

static int start_sandbox(struct rt_partition *p, struct rt_launch *l, struct err *e)
{
	int r = client_ask(p, PROTO_START, NULL, 0, l->stop_fd, &l->exec_failed, e);

	/* Whatever the answer was: it has been told, unless it was not reached. */
	l->told = r != -ESRCH;
	if (r == 0 && renameat(p->dirfd, RT_START_SOCKET, p->dirfd, CLIENT_SOCKET) < 0)
		r = err_set(e, errno, "rename the socket of container \"%s\"", p->id);
	if (r == 0 && l->sync >= 0) {
		/* Recorded already, or it lives only as long as we do. */
		sync_send(l->sync, SYNC_GO, 0, NULL, -1);
		l->sync = fd_close(l->sync);
	}
	return r;
}

/* --- a living one
 * ---------------------------------------------------------------------------------------------------- */

static bool is_stopped(const struct rt_partition *p)
{
	uint64_t start;
	char state;

	return rt_proc_stat(p->pid, &start, &state) == 0 && start == p->start_time && state == 'T';
}

/* SIGKILL ends the machine, which nothing inside can hold up. Others the monitor hands on. */
static int vm_kill(struct rt_partition *p, int sig, bool all, struct err *e)
{
	uint8_t data[8];

	/* Those two would stop the monitor, which is pausing, and let a paused one go on. */
	if (sig == SIGKILL || (!all && sig != SIGSTOP && sig != SIGCONT))
		return ns_kill(p, sig, all, e);
	if (!rt_alive(p))
		return all ? 0 : ns_kill(p, sig, all, e);
	proto_put_u32(data, (uint32_t)sig);
	proto_put_u32(data + 4, all ? PROTO_ALL : 0);
	/* As to what is frozen: they arrive when it goes on. */
	if (is_stopped(p))
		return sig == 0 ? 0 : client_tell(p, PROTO_SIGNAL, data, sizeof(data), e);
	return client_ask(p, PROTO_SIGNAL, data, sizeof(data), 0, NULL, e);
}

/*
 * Pausing is stopping our processes, not freezing their cgroup: since Linux 5.1 and until 6.13 a machine's
 * worker threads of the kernel are members of its creator's cgroup and, as kernel threads, never freeze, so
 * that cgroup v2 never reports the cgroup as frozen (virt/kvm/kvm_main.c, kvm_vm_create_worker_thread()).
 */
static int signal_all(const struct rt_partition *p, int sig, struct err *e)
{
	_cleanup_close_ int pidfd = rt_pidfd(p);
	char path[64], text[1024], *at = text, *end;
	ssize_t n;

	if (pidfd < 0 || syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0)
		return err_text(e, ESRCH, "container not running: no such process");
	/* Its children live no longer than it does, and it makes no new ones. */
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)p->pid, (int)p->pid);
	n = fd_get_at(AT_FDCWD, path, text, sizeof(text));
	if (n < 0)
		return err_set(e, (int)-n, "read %s", path);
	for (;;) {
		long pid = strtol(at, &end, 10);

		if (end == at || pid <= 1)
			return 0;
		kill((pid_t)pid, sig);
		at = end;
	}
}

static int vm_pause(struct rt_partition *p, struct err *e)
{
	int r = signal_all(p, SIGSTOP, e);

	/* A vCPU leaves its guest at once; what is in a system call that cannot be interrupted takes its
	 * time. */
	for (int i = 0; r == 0 && !is_stopped(p); i++) {
		const struct timespec t = { .tv_nsec = 5000000 };

		if (i == 2000) {
			signal_all(p, SIGCONT, NULL);
			return err_text(e, EBUSY,
				"container \"%s\" does not stop: its monitor is stuck in the kernel", p->id);
		}
		nanosleep(&t, NULL);
	}
	return r;
}

static int vm_resume(struct rt_partition *p, struct err *e)
{
	return signal_all(p, SIGCONT, e);
}

static int vm_status(const struct rt_partition *p, enum rt_status *out, struct err *e)
{
	int r = ns_status(p, out, e);

	if (r == 0 && (*out == RT_RUNNING || *out == RT_CREATED) && is_stopped(p))
		*out = RT_PAUSED;
	return r;
}

/* Engines send all limits with every change. */
static bool is_new(const struct spec_i64 *limit, const struct spec_i64 *had)
{
	return limit->has && limit->v != 0 && !(had && had->has && had->v == limit->v);
}

/* In the guest first, where the partition's own limits are; the host's have room above them. */
static int vm_update(struct rt_partition *p, const struct spec_resources *r, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const struct spec_resources *had;
	struct spec_resources in = *r;
	const char *text;
	int err;

	if (!w)
		return err_set(e, ENOMEM, "update container \"%s\"", p->id);
	err = rt_partition_spec(p, e);
	if (err < 0)
		return err;
	had = &p->spec->resources;
	if (is_new(&r->mem_limit, &had->mem_limit) || is_new(&r->mem_swap, &had->mem_swap) ||
		is_new(&r->mem_kernel, NULL) || is_new(&r->mem_kernel_tcp, NULL))
		return err_text(e, EOPNOTSUPP,
			"the memory of a sandbox is fixed when it is made: it cannot be updated; create it "
			"again with another limit");
	if (is_stopped(p))
		return err_text(e, EBUSY,
			"container \"%s\" is paused: limits of a sandbox are changed by its own kernel, "
			"which stands still; resume it first",
			p->id);
	in.mem_limit.has = in.mem_swap.has = in.mem_kernel.has = in.mem_kernel_tcp.has = false;
	spec_write_resources(w, NULL, &in);
	text = json_writer_text(w, NULL);
	if (!text)
		return err_set(e, ENOMEM, "update container \"%s\"", p->id);
	err = client_ask(p, PROTO_UPDATE, text, strlen(text), 0, NULL, e);
	if (err < 0 || !p->cgroup)
		return err;
	/* The host's has room for the machine's own. */
	in.pids_limit.has = false;
	return cgrp_update(p->cgroup, &in, e);
}

/* When nobody is left in the cgroup, nobody holds a tap. */
static int vm_destroy(struct rt_partition *p, bool force, struct err *e)
{
	int ns[SPEC_NS_KINDS], r = ns_destroy(p, force, e);
	struct spec network = { 0 };

	if (r < 0 || !p->spec || !p->spec->ns[SPEC_NS_NETWORK].path)
		return r;
	network.ns[SPEC_NS_NETWORK] = p->spec->ns[SPEC_NS_NETWORK];
	if (ns_open_paths(&network, ns, NULL) < 0)
		return 0;
	give_network_back(ns[SPEC_NS_NETWORK]);
	ns_close(ns);
	return 0;
}

const struct rt_engine vm_engine = {
	.name = "sandbox",
	.apart = true,
	.wants = vm_wanted,
	.create = create_sandbox,
	.commit = vm_commit,
	.start = start_sandbox,
	.exec = client_exec,
	.kill = vm_kill,
	.pause = vm_pause,
	.resume = vm_resume,
	.update = vm_update,
	.pids = ns_pids,
	.status = vm_status,
	.stats = ns_stats,
	.usage = ns_usage,
	.oom_watch = vm_fate_watch,
	.oom_count = vm_fate_oom_count,
	.failure = vm_fate_failure,
	.destroy = vm_destroy,
};
