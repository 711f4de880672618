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
#include "sandbox/creation.h"
#include "sandbox/confine.h"
#include "sandbox/fate.h"
#include "sandbox/monitor.h"
#include "sandbox/net.h"
#include "sandbox/pod.h"
#include "sandbox/terminal.h"

/* --- the network's end
 * ------------------------------------------------------------------------------------------- */

void vm_give_network_back(int netns)
{
	pid_t pid = netns >= 0 ? fork() : -1;

	if (pid == 0) {
		struct err e = ERR_INIT;

		_exit(setns(netns, CLONE_NEWNET) < 0 || vm_net_disconnect(&e) < 0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
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

/*
 * SIGKILL ends the machine, which nothing inside can hold up; but what it has written is to be there
 * afterwards, as it is of a process that is killed, so the guest has a moment (MONITOR_KILL_MS) to kill what
 * runs and to write back. A monitor that does not hear is killed itself. Other signals it hands on.
 */
static int vm_kill(struct rt_partition *p, int sig, bool all, struct err *e)
{
	uint8_t data[8];

	if (sig == SIGKILL && p->engine == &vm_engine && rt_alive(p) && !is_stopped(p)) {
		proto_put_u32(data, SIGKILL);
		proto_put_u32(data + 4, PROTO_ALL);
		if (client_ask(p, PROTO_SIGNAL, data, sizeof(data), 0, NULL, &(struct err)ERR_INIT) == 0)
			return 0;
	}
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

	/* Its children live no longer than it does, and it makes no new ones. Read first: nothing has been
	 * done when that fails; and once more, for by then it cannot have reaped one whose number is
	 * another's. */
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)p->pid, (int)p->pid);
	n = fd_get_at(AT_FDCWD, path, text, sizeof(text));
	if (n < 0 && rt_alive(p))
		return err_set(e, (int)-n, "read %s", path);
	if (n < 0 || pidfd < 0 || syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0)
		return err_text(e, ESRCH, "container not running: no such process");
	n = fd_get_at(AT_FDCWD, path, text, sizeof(text));
	if (n < 0)
		return 0;
	for (;;) {
		long pid = strtol(at, &end, 10);

		if (end == at || pid <= 1)
			return 0;
		kill((pid_t)pid, sig);
		at = end;
	}
}

static int stop(struct rt_partition *p, struct err *e)
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

/* Whoever pauses it to look at its files (docker commit) is to see what it has written. */
static void write_back(struct rt_partition *p)
{
	struct err e = ERR_INIT;

	if (client_ask(p, PROTO_SYNC, NULL, 0, 0, NULL, &e) < 0)
		log_debug("sandbox \"%s\" has not written back before it is paused: %s", p->id, e.text);
}

static int vm_pause(struct rt_partition *p, struct err *e)
{
	write_back(p);
	return stop(p, e);
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
	vm_give_network_back(ns[SPEC_NS_NETWORK]);
	ns_close(ns);
	return 0;
}

/* --- a member of a pod: the machine is its pod's, and so is the kernel that acts on it
 * ---------------------------------------------------------- */

/* Where there is no such pod, the other engine's create takes over. */
static bool member_wanted(const struct spec *s)
{
	return vm_wanted(s) && vm_pod_wanted(s);
}

/* In the guest; the process that stands for it is stopped to show it. */
static int member_pause(struct rt_partition *p, struct err *e)
{
	int r = client_ask(p, PROTO_PAUSE, NULL, 0, 0, NULL, e);

	if (r < 0)
		return r;
	write_back(p);
	r = stop(p, e);
	if (r < 0)
		client_ask(p, PROTO_RESUME, NULL, 0, 0, NULL, &(struct err)ERR_INIT);
	return r;
}

static int member_resume(struct rt_partition *p, struct err *e)
{
	int r = client_ask(p, PROTO_RESUME, NULL, 0, 0, NULL, e);

	return r < 0 ? r : vm_resume(p, e);
}

static int member_update(struct rt_partition *p, const struct spec_resources *r, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	struct spec_resources in = *r;
	const char *text;
	int err;

	if (!w)
		return err_set(e, ENOMEM, "update container \"%s\"", p->id);
	spec_write_resources(w, NULL, &in);
	text = json_writer_text(w, NULL);
	if (!text)
		return err_set(e, ENOMEM, "update container \"%s\"", p->id);
	err = client_ask(p, PROTO_UPDATE, text, strlen(text), 0, NULL, e);
	/* What stands for it on the host needs a process or two of its own. */
	in.pids_limit.has = false;
	return err < 0 || !p->cgroup ? err : cgrp_update(p->cgroup, &in, e);
}

/* What the guest's kernel has counted; the host's cgroup holds nothing but a process that stands for it. */
static int member_stats(struct rt_partition *p, struct json_writer *w, struct err *e)
{
	const struct json *data, *v;
	int r = client_fetch(p, PROTO_STATS, &data, e);

	if (r < 0)
		return r;
	if (data->type != JSON_OBJECT)
		return err_text(e, EPROTO, "the sandbox's guest tells no statistics");
	json_each (v, data)
		json_put_json(w, v->key, v);
	return 0;
}

/* A figure of it; none where it is missing or no number. */
static uint64_t figure(const struct json *j, const char *a, const char *b, const char *c, uint64_t none)
{
	const char *const names[] = { a, b, c };
	uint64_t n;

	for (size_t i = 0; i < ARRAY_SIZE(names) && names[i]; i++)
		j = json_get(j, names[i]);
	return j && json_as_u64(j, "figure", &n, &(struct err)ERR_INIT) == 0 ? n : none;
}

static int member_usage(struct rt_partition *p, struct rt_usage *out, struct err *e)
{
	const struct json *j;
	uint64_t limit;
	int r = client_fetch(p, PROTO_STATS, &j, e);

	if (r < 0)
		return r;
	limit = figure(j, "memory", "usage", "limit", UINT64_MAX);
	*out = (struct rt_usage){ .cgroup = { .cpu_ns = figure(j, "cpu", "usage", "total", 0),
					  .memory = figure(j, "memory", "usage", "usage", 0),
					  /* None is a number, too. */
					  .memory_limit = limit > INT64_MAX / 2 ? UINT64_MAX : limit,
					  .pids = figure(j, "pids", "current", NULL, 0),
					  .pids_limit = figure(j, "pids", "limit", NULL, UINT64_MAX),
					  .pressure_cpu = -1,
					  .pressure_memory = -1,
					  .pressure_io = -1 },
		/* The pod's. */
		.net_rx = UINT64_MAX,
		.net_tx = UINT64_MAX };
	return 0;
}

static int member_destroy(struct rt_partition *p, bool force, struct err *e)
{
	int r = ns_destroy(p, force, e);

	return r < 0 ? r : vm_pod_detach(p, e);
}

const struct rt_engine vm_member_engine = {
	.name = "sandbox-member",
	.apart = true,
	.wants = member_wanted,
	.create = vm_create_partition,
	.commit = vm_commit,
	.start = start_sandbox,
	.exec = client_exec,
	.kill = vm_kill,
	.pause = member_pause,
	.resume = member_resume,
	.update = member_update,
	.pids = ns_pids,
	.status = vm_status,
	.stats = member_stats,
	.usage = member_usage,
	.oom_watch = vm_fate_watch,
	.oom_count = vm_fate_oom_count,
	.failure = vm_fate_failure,
	.destroy = member_destroy,
};

const struct rt_engine vm_engine = {
	.name = "sandbox",
	.apart = true,
	.wants = vm_wanted,
	.create = vm_create_partition,
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
