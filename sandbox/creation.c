/* SPDX-License-Identifier: Apache-2.0 */
/* How a sandbox comes to be, or a member of a pod that has one (see engine.c and pod.h). */
#include "sandbox/creation.h"

#include <errno.h>
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
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "namespaces/ns.h"
#include "runtime/files.h"
#include "runtime/hooks.h"
#include "runtime/launch.h"
#include "runtime/seccomp_cache.h"
#include "runtime/sync.h"
#include "sandbox/ask.h"
#include "sandbox/client.h"
#include "sandbox/confine.h"
#include "sandbox/engine.h"
#include "sandbox/fate.h"
#include "sandbox/monitor.h"
#include "sandbox/pod.h"
#include "sandbox/refuse.h"
#include "sandbox/share.h"
#include "sandbox/stand_in.h"
#include "sandbox/terminal.h"

struct creation {
	struct rt_partition *p;
	struct rt_launch *l;
	struct vm_ask ask; /* of a member: its shares only */
	struct monitor_birth birth;
	struct vm_filters filters;
	struct vm_pod pod; /* pod.p: it is a member of this one */
	char *create, *config;
	int sync[2], ns[SPEC_NS_KINDS];
};

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
	r = c->pod.p ? 0 : vm_host_resources(p, &c->ask, &resources, e);
	if (c->pod.p)
		vm_stand_in_resources(p, &resources);
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

/* For `state` and everybody who reads it, in place of what config.json may have by these keys. */
static int note(struct creation *c, const struct spec_annotation *list, size_t n_list, struct err *e)
{
	static const char *const ours[] = { VM_ACCEL_ANNOTATION, VM_POD_ANNOTATION, VM_INSTANCE_ANNOTATION,
		VM_NUMBER_ANNOTATION, NULL };
	struct rt_partition *p = c->p;
	struct spec_annotation *all = arena_calloc(p->arena, p->n_annotations + n_list + 1, sizeof(*all));
	size_t n = 0;

	if (!all)
		return err_set(e, ENOMEM, "annotations");
	for (size_t i = 0; i < p->n_annotations; i++)
		if (!strv_has((char *const *)ours, p->annotations[i].key))
			all[n++] = p->annotations[i];
	for (size_t i = 0; i < n_list; i++)
		all[n++] = list[i];
	p->annotations = all;
	p->n_annotations = n;
	return 0;
}

static int note_accel(struct creation *c, struct err *e)
{
	const struct spec_annotation accel = { VM_ACCEL_ANNOTATION, vm_accel_names[c->ask.accel] };

	if (c->ask.accel == VM_ACCEL_TCG)
		log_debug("sandbox \"%s\" runs under software emulation: %s", c->p->id, c->ask.why);
	return note(c, &accel, 1, e);
}

/* 0: not yet. */
static int note_member(struct creation *c, uint32_t number, struct err *e)
{
	const struct rt_partition *pod = c->pod.p;
	struct spec_annotation list[4] = { { VM_POD_ANNOTATION, arena_strdup(c->p->arena, pod->id) } };
	char text[16], instance[VM_INSTANCE_MAX];
	size_t n = 1;

	vm_pod_instance(pod->dirfd, instance);
	list[n++] = (struct spec_annotation){ VM_INSTANCE_ANNOTATION, arena_strdup(c->p->arena, instance) };
	for (size_t i = 0; i < pod->n_annotations; i++)
		if (str_eq(pod->annotations[i].key, VM_ACCEL_ANNOTATION))
			list[n++] = (struct spec_annotation){ VM_ACCEL_ANNOTATION,
				arena_strdup(c->p->arena, pod->annotations[i].value) };
	snprintf(text, sizeof(text), "%u", number);
	if (number)
		list[n++] = (struct spec_annotation){ VM_NUMBER_ANNOTATION, arena_strdup(c->p->arena, text) };
	for (size_t i = 0; i < n; i++)
		if (!list[i].value)
			return err_set(e, ENOMEM, "annotations");
	return note(c, list, n, e);
}

static pid_t clone_process(struct creation *c)
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
	bool asked = false;
	int fd, r;

	for (;;) {
		int msg = sync_recv(c->sync[0], &f, &fd);

		fd_close(fd);
		/* Hooks run as root and once, whatever the other side has become. */
		if (msg == SYNC_HOOKS && (asked || !c->birth.has_hooks))
			msg = -EPROTO;
		switch (msg) {
		case SYNC_HOOKS:
			asked = true;
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
			r = c->pod.p ? note_member(c, (uint32_t)f.number, e) : 0;
			return r < 0 ? r : know(c, e);
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
	if (!c->pod.p)
		vm_give_network_back(c->birth.netns);
	else if (vm_pod_detach(p, &e) < 0)
		log_warn("%s", e.text);
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
	int keep[8 + VM_DISKS_MAX] = { c->sync[1], c->birth.listener, c->birth.netns, c->birth.slave,
		c->birth.fate, ask->kvm, ask->kernel, ask->guest };
	size_t n = 0;

	/* Our cgroup's descriptors are needed until we have joined. */
	if (c->p->cgroup && cgrp_join_self(c->p->cgroup, NULL) < 0)
		_exit(1);
	for (size_t i = 0; i < ask->n_disks; i++)
		keep[8 + i] = ask->disks[i].fd;
	for (size_t i = 0; i < 8 + ask->n_disks; i++)
		if (keep[i] >= 0)
			keep[n++] = keep[i];
	confine_keep(keep, n, ask->shares, ask->n_shares);
	monitor_main(&c->birth);
}

/* --- a member of a pod -------------------------------------------------------------------------------------
 */

static void report(struct stand_in *s, const struct proto_msg *done, bool exec_failed, const struct err *e)
{
	(void)exec_failed;
	if (done)
		sync_send(s->sync, SYNC_CREATED, (int)proto_u32(done, 0), NULL, -1);
	else
		sync_send_err(s->sync, SYNC_ERROR, e);
}

_Noreturn static void be_member(struct creation *c)
{
	struct stand_in s = {
		.sync = c->sync[1], .fate = c->birth.fate, .tell = report, .patience = CLIENT_SECONDS * 1000
	};
	int keep[] = { c->sync[1], c->birth.slave, c->birth.fate, c->birth.netns, c->pod.p->dirfd };
	struct err e = ERR_INIT;
	size_t n = 0;
	int r;

	if (c->p->cgroup && cgrp_join_self(c->p->cgroup, NULL) < 0)
		_exit(1);
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		if (keep[i] >= 0)
			keep[n++] = keep[i];
	confine_keep(keep, n, NULL, 0);
	r = stand_in_begin(&s, "ringfence-pod", c->birth.slave, &e);
	/* For those who look for its network by its process. */
	if (r == 0 && setns(c->birth.netns, CLONE_NEWNET) < 0)
		r = err_set(&e, errno, "enter the pod's network namespace");
	fd_close(c->birth.netns);
	if (r == 0 && c->birth.has_hooks) {
		if (sync_send(s.sync, SYNC_HOOKS, 0, NULL, -1) < 0)
			_exit(1);
		sync_expect(s.sync, SYNC_GO);
	}
	if (r == 0)
		r = stand_in_ask(&s, c->pod.p->dirfd, PROTO_CREATE, c->create, &e);
	if (r < 0)
		stand_in_give_up(&s, &e);
	fd_close(c->pod.p->dirfd);
	stand_in_confine(&s);
	stand_in_follow(&s);
}

/* --- the whole ---------------------------------------------------------------------------------------------
 */

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
	if (c->pod.p) {
		r = vm_pod_attach(&c->pod, p->id, c->ask.shares, c->ask.n_shares, e);
		if (r < 0)
			return r;
	} else {
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	}
	p->pid = clone_process(c);
	if (p->pid == 0 && c->pod.p)
		be_member(c);
	if (p->pid == 0)
		be_monitor(c);
	if (p->pid < 0) {
		r = err_set(e, errno, "make the process of the sandbox");
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

static int prepare(struct creation *c, const struct rt_create_opts *o, struct err *e)
{
	struct rt_partition *p = c->p;
	int r;

	c->birth.p = p;
	if (c->pod.p) {
		vm_pod_take_namespaces(&c->pod, p->spec);
		r = vm_refuse(p, o, e);
		if (r == 0)
			r = vm_share_open(p, true, &c->ask.shares, &c->ask.n_shares, e);
		if (r == 0)
			r = vm_disks_none(p, c->ask.shares, c->ask.n_shares, e);
		if (r == 0)
			r = note_member(c, 0, e);
	} else {
		r = vm_ask(p, o, &c->ask, e);
		c->birth.ask = &c->ask;
		c->birth.filters = &c->filters;
		if (r == 0)
			r = note_accel(c, e);
		if (r == 0)
			r = read_config(c, e);
		if (r == 0)
			r = prepare_filters(c, e);
	}
	if (r < 0)
		return r;
	c->create = vm_create_document(p, &c->ask, c->pod.p, c->pod.join, e);
	c->birth.create = c->create;
	return c->create ? 0 : -e->code;
}

static int create(struct creation *c, const struct rt_create_opts *o, struct err *e)
{
	int r = ns_open_paths(c->p->spec, c->ns, e);

	c->birth.netns = c->ns[SPEC_NS_NETWORK];
	if (r == 0 && vm_pod_wanted(c->p->spec)) {
		r = vm_pod_open(c->p, c->birth.netns, &c->pod, e);
		/* It may have one of its own all the same, if it has a network that is free. */
		if (r == 0)
			c->p->engine = &vm_engine;
		r = r < 0 ? r : 0;
	}
	if (r == 0)
		r = prepare(c, o, e);
	if (r < 0)
		return r;
	r = build(c, e);
	if (r < 0)
		undo(c);
	else
		watch_memory(c->p, o->oom);
	return r;
}

int vm_create_partition(
	struct rt_partition *p, const struct rt_create_opts *o, struct rt_launch *l, struct err *e)
{
	struct creation c = { .p = p,
		.l = l,
		.ask = { .kvm = -EBADF, .kernel = -EBADF, .guest = -EBADF },
		.sync = { -EBADF, -EBADF },
		.birth = { .netns = -EBADF, .listener = -EBADF, .slave = -EBADF, .fate = -EBADF } };
	int r;

	l->sync = l->master = -EBADF;
	l->remote = true;
	for (int i = 0; i < SPEC_NS_KINDS; i++)
		c.ns[i] = -EBADF;
	r = create(&c, o, e);
	vm_ask_free(&c.ask);
	vm_filters_free(&c.filters);
	vm_pod_close(&c.pod);
	ns_close(c.ns);
	fd_close(c.sync[1]);
	fd_close(c.birth.listener);
	fd_close(c.birth.slave);
	fd_close(c.birth.fate);
	free(c.create);
	free(c.config);
	if (r < 0) {
		l->master = fd_close(l->master);
		fd_close(c.sync[0]);
		return r;
	}
	l->sync = c.sync[0];
	return 0;
}
