/* SPDX-License-Identifier: Apache-2.0 */
/* The engine "partition": what is done to a living or dead one. */
#include "runtime/engine_ns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "namespaces/net.h"
#include "namespaces/ns.h"
#include "runtime/rdt.h"

/* How long destroy waits for a killed process to be gone; one in uninterruptible sleep (a dead NFS server)
 * takes longer than anybody waits. */
#define DEATH_MS 10000

static bool is_there(const struct rt_partition *p, const char *name)
{
	return faccessat(p->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* True while the first process waits for start. */
static bool waits(const struct rt_partition *p)
{
	_cleanup_close_ int sock = -EBADF;

	if (is_there(p, RT_START_SOCKET))
		return true;
	if (!is_there(p, RT_STARTING_SOCKET))
		return false;
	/* A start is at it; or it died, and whether that was before or after it let the payload go shows in
	 * who listens. EAGAIN: others ask too. */
	if (rt_partition_busy(p))
		return true;
	sock = fd_connect_unix(p->dirfd, RT_STARTING_SOCKET, SOCK_SEQPACKET | SOCK_NONBLOCK);
	return sock >= 0 || sock == -EAGAIN;
}

int ns_status(const struct rt_partition *p, enum rt_status *out, struct err *e)
{
	struct err ignored;
	bool frozen = false;

	if (!rt_alive(p))
		*out = RT_STOPPED;
	else if (p->cgroup && cgrp_frozen(p->cgroup, &frozen, &ignored) == 0 && frozen)
		*out = RT_PAUSED;
	else
		*out = waits(p) ? RT_CREATED : RT_RUNNING;
	return 0;
}

static int send_signal(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int ns_kill(struct rt_partition *p, int sig, bool all, struct err *e)
{
	_cleanup_close_ int pidfd = rt_pidfd(p);
	struct err ignored;
	bool frozen = false;
	int r;

	/*
	 * With a pid namespace of its own, the death of its pid 1 takes all others along. Without one,
	 * nothing does: a kill that is meant to be final has to reach every process.
	 */
	if (all || (sig == SIGKILL && !p->own_pid_ns && p->cgroup)) {
		if (!p->cgroup && pidfd < 0)
			return 0;
		if (p->cgroup)
			return cgrp_kill(p->cgroup, sig, e);
	}
	if (pidfd < 0)
		return err_text(e, ESRCH, "container not running: no such process");
	r = send_signal(pidfd, sig);
	if (r == -ESRCH)
		return err_text(e, ESRCH, "container not running: no such process");
	if (r < 0)
		return err_set(e, -r, "send signal %d to container \"%s\"", sig, p->id);
	/* A process that is frozen on v1 dies when it is thawed, not before. */
	if (sig == SIGKILL && p->cgroup && cgrp_frozen(p->cgroup, &frozen, &ignored) == 0 && frozen)
		return cgrp_thaw(p->cgroup, e);
	return 0;
}

static int need_cgroup(const struct rt_partition *p, const char *what, struct err *e)
{
	if (p->cgroup)
		return 0;
	return err_text(e, EOPNOTSUPP,
		"cannot %s container \"%s\": it was created without a cgroup (--cgroup-manager disabled)",
		what, p->id);
}

int ns_pause(struct rt_partition *p, struct err *e)
{
	int r = need_cgroup(p, "pause", e);

	return r < 0 ? r : cgrp_freeze(p->cgroup, e);
}

int ns_resume(struct rt_partition *p, struct err *e)
{
	int r = need_cgroup(p, "resume", e);

	return r < 0 ? r : cgrp_thaw(p->cgroup, e);
}

int ns_update(struct rt_partition *p, const struct spec_resources *res, struct err *e)
{
	int r = need_cgroup(p, "update the resources of", e);

	return r < 0 ? r : cgrp_update(p->cgroup, res, e);
}

int ns_pids(struct rt_partition *p, pid_t **pids, size_t *n, struct err *e)
{
	if (p->cgroup)
		return cgrp_pids(p->cgroup, pids, n, e);
	*pids = malloc(sizeof(pid_t));
	if (!*pids)
		return err_set(e, ENOMEM, "list the processes of container \"%s\"", p->id);
	*n = rt_alive(p);
	**pids = p->pid;
	return 0;
}

int ns_stats(struct rt_partition *p, struct json_writer *w, struct err *e)
{
	struct err ignored;
	int r = need_cgroup(p, "tell statistics of", e);

	if (r < 0)
		return r;
	r = cgrp_stats(p->cgroup, w, e);
	if (r < 0)
		return r;
	json_open_object(w, "intel_rdt");
	json_close_object(w);
	/* Only a network of its own has figures that are the partition's. */
	if (rt_partition_spec(p, &ignored) < 0 || !p->spec->ns[SPEC_NS_NETWORK].present || !rt_alive(p) ||
		net_stats(p->pid, w, &ignored) < 0)
		json_put_strv(w, "network_interfaces", NULL);
	return 0;
}

int ns_usage(struct rt_partition *p, struct rt_usage *out, struct err *e)
{
	struct rt_usage u = { .net_rx = UINT64_MAX, .net_tx = UINT64_MAX };
	struct err ignored;
	int r = need_cgroup(p, "tell statistics of", e);

	if (r == 0)
		r = cgrp_usage(p->cgroup, &u.cgroup, e);
	if (r < 0)
		return r;
	ns_usage_by_processes(p, &u.cgroup);
	/* The host's own figures would be the host's. */
	if (!ns_is_of(p->pid, SPEC_NS_NETWORK))
		net_usage(p->pid, &u.net_rx, &u.net_tx, &ignored);
	*out = u;
	return 0;
}

/* Kills the recorded process, if it is still that one, and waits for it to be gone. */
static int end_process(struct rt_partition *p, struct err *e)
{
	_cleanup_close_ int pidfd = rt_pidfd(p);
	struct pollfd poll_for = { .fd = pidfd, .events = POLLIN };
	struct err ignored;

	if (pidfd < 0)
		return 0;
	send_signal(pidfd, SIGKILL);
	if (p->cgroup)
		cgrp_thaw(p->cgroup, &ignored);
	/* Readable once it is a zombie: reaping it is its parent's business. */
	if (poll(&poll_for, 1, DEATH_MS) == 0)
		return err_text(e, EBUSY,
			"process %d of container \"%s\" does not die although it was killed; it is stuck in "
			"the kernel (see "
			"/proc/%d/stack), try again later",
			(int)p->pid, p->id, (int)p->pid);
	return 0;
}

int ns_destroy(struct rt_partition *p, bool force, struct err *e)
{
	int r = 0;

	if (force)
		r = end_process(p, e);
	if (r == 0 && p->cgroup) {
		/* Without a pid namespace of its own, or after a crash, others may be left. */
		if ((force || !p->own_pid_ns) && !p->cgroup_guessed)
			r = cgrp_kill(p->cgroup, SIGKILL, e);
		if (r == 0)
			r = cgrp_destroy(p->cgroup, e);
		/* Still in use, and never ours: its owner will remove it. */
		if (r < 0 && p->cgroup_guessed) {
			err_clear(e);
			r = 0;
		}
	}
	rdt_remove(p, NULL);
	return r;
}
