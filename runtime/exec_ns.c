/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine "partition": a further process in a living one.
 *
 * Theory of operation
 *   The partition's processes can see the new one from the moment it is in their pid namespace; one with
 * CAP_SYS_PTRACE there may look through its descriptors, its root and its working directory (CVE-2016-9962).
 * So it is not we who clone it, nor does it join anything by itself: a joiner, born in the cgroup where the
 * kernel can do that, joins the cgroup, sets limits and scheduling while it has the host's rights, enters all
 * namespaces (the pid namespace acts on its children only; those that the host's rights are needed for first,
 * the user namespace last, since what it gives and takes away is for good), opens the terminal, becomes the
 * payload's user with the payload's capabilities and filter, closes what is the host's, and only then clones
 * the process, with CLONE_PARENT so that it is our child. What the partition can see of that one is a socket
 * to us, and can have by tracing it is no more than its own.
 *
 *   A filter that forbids what is left to be done after it (clone(2), setsid(2), execve(2) …), or has an
 * agent that the listener must be handed to, is installed by the process itself. Then one without
 * no_new_privs has CAP_SYS_ADMIN up to that moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "namespaces/console.h"
#include "namespaces/ns.h"
#include "namespaces/rootfs.h"
#include "runtime/attach.h"
#include "runtime/engine_ns.h"
#include "runtime/files.h"
#include "runtime/init.h"
#include "runtime/payload.h"
#include "runtime/seccomp_cache.h"
#include "runtime/sync.h"
#include "security/lsm.h"
#include "security/proc_attrs.h"

struct exec {
	struct rt_partition *p;
	const struct spec_process *proc;
	struct payload payload;
	int sync[2];
	int pidfd; /* of the partition's first process */
	int slave; /* the terminal's inner end, or -1 */
	int console_socket;
	int stop_fd; /* readable when we are to give up, or -1 */
	int rootfd, host_ptmx;
	pid_t *birth; /* sync_birth_page() */
	bool by_file; /* namespaces are joined by these */
	int ns[SPEC_NS_KINDS];
};

/* CLONE_NEW* of the namespaces that are not ours already: to join one's own user namespace is EINVAL. */
static uint64_t namespaces_of(const struct exec *j)
{
	const struct spec *s = j->p->spec;
	uint64_t flags = 0;

	for (int i = 0; i < SPEC_NS_KINDS; i++)
		if (s->ns[i].present)
			flags |= spec_ns_flags[i];
	if (s->ns[SPEC_NS_USER].path && ns_is_of(j->p->pid, SPEC_NS_USER))
		flags &= ~(uint64_t)CLONE_NEWUSER;
	return flags;
}

/*
 * Before 5.8, which cannot join by pidfd: each by its own file. All are opened before the first is joined,
 * after which /proc may be the partition's; and only then is it certain that the number was that very
 * process's all along.
 */
static int open_files(struct exec *j, uint64_t flags, struct err *e)
{
	for (int i = 0; i < SPEC_NS_KINDS; i++) {
		char path[48];

		if (!(flags & spec_ns_flags[i]))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)j->p->pid, spec_ns_proc_names[i]);
		j->ns[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (j->ns[i] < 0)
			return err_set(e, errno, "open %s of container \"%s\"", path, j->p->id);
	}
	if (syscall(SYS_pidfd_send_signal, j->pidfd, 0, NULL, 0) < 0)
		return err_text(e, ESRCH,
			"cannot exec in a stopped container: the first process of \"%s\" has ended",
			j->p->id);
	return 0;
}

/* The namespaces of `flags`; before the first call with the host's /proc still there. */
static int enter(struct exec *j, uint64_t flags, struct err *e)
{
	int r = 0;

	if (!flags || (!j->by_file && setns(j->pidfd, (int)flags) == 0))
		return 0;
	if (!j->by_file) {
		if (errno != EINVAL)
			return err_set(e, errno, "enter the namespaces of container \"%s\"", j->p->id);
		j->by_file = true;
		r = open_files(j, namespaces_of(j), e);
	}
	for (int i = 0; i < SPEC_NS_KINDS && r == 0; i++)
		if (flags & spec_ns_flags[i])
			r = ns_join(j->ns[i], (enum spec_ns)i, e);
	return r < 0 ? err_wrap(e, "container \"%s\"", j->p->id) : 0;
}

/* --- the joiner: with the host's rights
 * -------------------------------------------------------------------------------------------- */

static int prepare(struct exec *j, struct err *e)
{
	sigset_t none;
	int r = 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (j->p->cgroup)
		r = cgrp_join_self(j->p->cgroup, e);
	if (r == 0 && payload_needs_procfs(&j->payload)) {
		j->payload.procfd = mnt_procfs(e);
		r = j->payload.procfd < 0 ? j->payload.procfd : 0;
	}
	if (r == 0 && j->proc->terminal)
		j->host_ptmx = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	/* All of it is inherited by what we clone. */
	if (r == 0)
		r = payload_attributes(&j->payload, false, e);
	/* NULL: all that the cgroup has. */
	if (r == 0)
		r = sec_set_affinity(0, j->proc->cpu_affinity_final, e);
	return r;
}

static int join(struct exec *j, struct err *e)
{
	uint64_t flags = namespaces_of(j), user = flags & CLONE_NEWUSER;
	bool user_first = j->p->rootless && geteuid() != 0; /* then all our rights come from it */
	int r = 0;

	if (user_first)
		r = enter(j, user, e);
	if (r == 0)
		r = enter(j, flags & ~user, e);
	if (r == 0 && !user_first)
		r = enter(j, user, e);
	if (r < 0 || !user)
		return r;
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_set(e, errno, "become root of the user namespace of container \"%s\"", j->p->id);
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_set(e, errno, "drop supplementary groups");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return 0;
}

static int open_terminal(struct exec *j, struct err *e)
{
	_cleanup_close_ int master = -EBADF;
	int r;

	if (!j->proc->terminal)
		return 0;
	r = console_open(j->rootfd, j->host_ptmx, j->proc, &master, &j->slave, e);
	if (r < 0)
		return r;
	if (j->console_socket >= 0) {
		static const char name[] = "/dev/pts";

		r = fd_send(j->console_socket, name, strlen(name), &master, 1);
	} else {
		r = sync_send(j->sync[1], SYNC_MASTER, 0, NULL, master);
	}
	return r < 0 ? err_set(e, -r, "hand out the terminal") : 0;
}

/* All but the two that the process goes on with (and what the payload is to get). */
static void close_hosts(const struct exec *j)
{
	int keep[] = { j->sync[1], j->slave };
	unsigned int from = 3U + (unsigned int)j->payload.keep_fds;

	for (;;) {
		unsigned int next = ~0U;

		for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
			if (keep[i] >= 0 && (unsigned int)keep[i] >= from && (unsigned int)keep[i] < next)
				next = (unsigned int)keep[i];
		if (next > from)
			fd_close_range(from, next == ~0U ? ~0U : next - 1);
		if (next == ~0U)
			return;
		from = next + 1;
	}
}

/* --- the process itself
 * -----------------------------------------------------------------------------------------------------------------
 */

static int take_terminal(struct exec *j, struct err *e)
{
	if (setsid() < 0)
		return err_set(e, errno, "start a session");
	if (j->slave < 0)
		return 0;
	if (ioctl(j->slave, TIOCSCTTY, 0) < 0)
		return err_set(e, errno, "make the terminal the controlling one");
	for (int fd = 0; fd < 3; fd++)
		if (dup3(j->slave, fd, 0) < 0)
			return err_set(e, errno, "put the terminal on descriptor %d", fd);
	return 0;
}

static void run_process(struct exec *j, bool restricted)
{
	struct err e = ERR_INIT;

	if (take_terminal(j, &e) < 0 || payload_limit_processes(&j->payload, &e) < 0)
		init_fail(j->sync[1], &e);
	if (!restricted && payload_restrict(&j->payload, sync_hand_over, &j->sync[1], &e) < 0)
		init_fail(j->sync[1], &e);
	payload_exec(&j->payload, &e);
	sync_send_err(j->sync[1], SYNC_EXEC_ERROR, &e);
	_exit(255);
}

/* The mount namespace has the partition's root as its own; without one, the first process has it by
 * chroot(2), and so must we. */
static int enter_root(struct exec *j, struct err *e)
{
	bool own = j->p->spec->ns[SPEC_NS_MOUNT].present;
	const char *root = own ? "/" : j->p->rootfs;

	j->rootfd = root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -EBADF;
	if (j->rootfd < 0)
		return err_set(
			e, root ? errno : ENODATA, "open the root directory of container \"%s\"", j->p->id);
	if (!own && (fchdir(j->rootfd) < 0 || chroot(".") < 0))
		return err_set(e, errno, "chroot into %s", root);
	return 0;
}

static int set_up(struct exec *j, struct err *e)
{
	const struct spec *s = j->p->spec;
	int r = prepare(j, e);

	if (r == 0 && !j->p->no_new_keyring)
		r = init_keyring(j->p->rootless, e);
	if (r == 0)
		r = join(j, e);
	if (r < 0)
		return r;
	r = enter_root(j, e);
	if (r == 0)
		r = open_terminal(j, e);
	if (r == 0)
		r = sec_set_memory_policy(&s->memory_policy, e);
	if (r == 0 && s->has_personality)
		r = sec_set_personality(s->personality, e);
	/* Of the next exec, and inherited by the process that does it. */
	return r == 0 ? payload_label(&j->payload, e) : r;
}

/* Up to here it was the runtime's affair, from here on what fails is the payload's own. */
static void become(struct exec *j)
{
	struct err e = ERR_INIT;

	if (payload_chdir(&j->payload, j->rootfd, false, &e) < 0 || payload_user(&j->payload, &e) < 0 ||
		payload_find(&j->payload, &e) < 0) {
		sync_send_err(j->sync[1], SYNC_EXEC_ERROR, &e);
		_exit(255);
	}
}

#define BIRTH_FLAGS (CLONE_PARENT | CLONE_PARENT_SETTID)

static bool lets_through(const struct exec *j, int nr, uint64_t arg0, uint64_t arg1)
{
	const uint64_t args[6] = { arg0, arg1 };
	uint32_t verdict = seccomp_verdict(&j->payload.seccomp, nr, args);

	return verdict == SECCOMP_RET_ALLOW || verdict == SECCOMP_RET_LOG;
}

/* Does the filter, once it is on, let through what is still to be done? */
static bool may_restrict_early(const struct exec *j)
{
	uint64_t sync = (uint64_t)j->sync[1], slave = (uint64_t)j->slave;
	bool yes = !j->payload.seccomp.has_notify && lets_through(j, SYS_clone, BIRTH_FLAGS, 0) &&
		   lets_through(j, SYS_write, sync, 0) && lets_through(j, SYS_exit_group, 0, 0) &&
		   lets_through(j, SYS_setsid, 0, 0) && lets_through(j, SYS_execve, 0, 0);

	if (yes && payload_limits_processes(&j->payload))
		yes = lets_through(j, SYS_prlimit64, 0, RLIMIT_NPROC);
	if (yes && j->slave >= 0)
		yes = lets_through(j, SYS_ioctl, slave, TIOCSCTTY) && lets_through(j, SYS_dup3, slave, 0) &&
		      lets_through(j, SYS_dup3, slave, 1) && lets_through(j, SYS_dup3, slave, 2);
	return yes;
}

static void clone_failed(const struct exec *j, int code)
{
	struct err e = ERR_INIT;

	/* ENOMEM is what the kernel answers when the pid namespace's first process has gone
	 * (pid_namespaces(7)). */
	if (code == ENOMEM)
		err_text(&e, ESRCH,
			"cannot exec in a stopped container: the first process of \"%s\" has ended",
			j->p->id);
	else
		err_set(&e, code, "clone a process into container \"%s\"", j->p->id);
	if (code == EAGAIN)
		err_hint(&e, "a limit on processes was reached, perhaps linux.resources.pids.limit");
	init_fail(j->sync[1], &e);
}

static void run_joiner(struct exec *j)
{
	struct err e = ERR_INIT;
	bool restricted;
	pid_t pid;

	if (set_up(j, &e) < 0)
		init_fail(j->sync[1], &e);
	become(j);
	restricted = may_restrict_early(j);
	close_hosts(j);
	sync_birth_hide(j->birth);
	if (restricted && payload_restrict(&j->payload, NULL, NULL, &e) < 0)
		init_fail(j->sync[1], &e);
	/* The old call, which profiles allow that have never heard of clone3(2). */
	pid = (pid_t)syscall(SYS_clone, BIRTH_FLAGS, 0, j->birth, 0, 0);
	if (pid == 0)
		run_process(j, restricted);
	if (pid < 0)
		clone_failed(j, errno);
	_exit(0);
}

/* --- the parent
 * ------------------------------------------------------------------------------------------------------------------------------
 */

static pid_t clone_joiner(struct exec *j, struct err *e)
{
	int cgroup_fd = j->p->cgroup ? cgrp_clone_fd(j->p->cgroup) : -1;
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid;

	if (cgroup_fd >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	/* As in clone_ns.c: before Linux 5.7 the joiner joins the cgroup by itself, too. */
	if (pid < 0 && cgroup_fd >= 0 && (errno == E2BIG || errno == EINVAL)) {
		cgrp_no_clone(j->p->cgroup);
		args.flags = args.cgroup = 0;
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	}
	if (pid == 0)
		run_joiner(j);
	if (pid < 0 && errno == EAGAIN) {
		err_set(e, EAGAIN, "clone a process into container \"%s\"", j->p->id);
		return err_hint(e, "a limit on processes was reached, perhaps linux.resources.pids.limit");
	}
	return pid < 0 ? err_set(e, errno, "clone a process into container \"%s\"", j->p->id) : pid;
}

/* Until one of them says something. In a paused partition that may take for ever, or until we are told to
 * end. */
static int wait_for(const struct exec *j, struct err *e)
{
	struct pollfd p[2] = { { .fd = j->sync[0], .events = POLLIN },
		{ .fd = j->stop_fd, .events = POLLIN } };

	while (j->stop_fd >= 0) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_set(e, errno, "wait for the new process");
		if (p[0].revents)
			break;
		if (p[1].revents)
			return err_text(e, ECANCELED,
				"interrupted by a signal before the command was executed in container \"%s\"",
				j->p->id);
	}
	return 0;
}

/* Serves joiner and process until the payload is executed. *pid gets the process's, as soon as there is one.
 */
static int serve(struct exec *j, pid_t *pid, int *master, bool *exec_failed, struct err *e)
{
	struct sync_frame f;
	int fd, r;

	for (;;) {
		int msg;

		r = wait_for(j, e);
		if (r < 0)
			return r;
		msg = sync_recv(j->sync[0], &f, &fd);
		/* Set by the clone, before whoever came of it could say anything. */
		*pid = *j->birth;
		switch (msg) {
		case SYNC_CLOSED:
			return *pid ? 0
				    : err_text(e, ECANCELED,
					      "the process that was to join container \"%s\" was killed",
					      j->p->id);
		case SYNC_MASTER:
			fd_close(*master);
			*master = fd;
			break;
		case SYNC_LISTENER:
			r = ns_fetch_listener(j->p, *pid, f.number, rt_status_names[RT_RUNNING], e);
			if (r < 0)
				return r;
			r = sync_send(j->sync[0], SYNC_GO, 0, NULL, -1);
			if (r < 0)
				return err_set(e, -r, "talk to the new process");
			break;
		case SYNC_EXEC_ERROR:
			*exec_failed = true;
			return sync_err(&f, e);
		case SYNC_ERROR:
			return sync_err(&f, e);
		default:
			return err_set(e, msg < 0 ? -msg : EPROTO, "talk to the new process");
		}
	}
}

static int launch(struct exec *j, const struct rt_exec_opts *o, pid_t *pid, int *master, bool *exec_failed,
	struct err *e)
{
	pid_t joiner;
	int r;

	j->birth = sync_birth_page(e);
	if (!j->birth)
		return -e->code;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, j->sync) < 0)
		return err_set(e, errno, "make a socket pair");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (j->proc->cpu_affinity_initial) {
		r = sec_set_affinity(0, j->proc->cpu_affinity_initial, e);
		if (r < 0)
			return r;
	}
	if (!o->detach) {
		attach_begin();
		if (o->ignore_paused) {
			j->stop_fd = attach_stop_fd(e);
			if (j->stop_fd < 0)
				return j->stop_fd;
		}
	}
	joiner = clone_joiner(j, e);
	if (joiner < 0)
		return joiner;
	j->sync[1] = fd_close(j->sync[1]);
	r = serve(j, pid, master, exec_failed, e);
	if (r < 0)
		kill(joiner, SIGKILL);
	/* It has ended, or does so right after the clone. What is frozen dies when it is thawed; nobody waits
	 * for that. */
	waitpid(joiner, NULL, r < 0 && j->stop_fd >= 0 ? WNOHANG : 0);
	*pid = *j->birth;
	if (r < 0 && *pid) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, j->stop_fd >= 0 ? WNOHANG : 0);
	}
	/* From here on these signals are the process's. */
	j->stop_fd = fd_close(j->stop_fd);
	return r;
}

int ns_exec(struct rt_partition *p, const struct rt_exec_opts *o, const struct spec_process *proc,
	int *status, bool *exec_failed, struct err *e)
{
	struct exec j = { .p = p,
		.proc = proc,
		.sync = { -EBADF, -EBADF },
		.pidfd = -EBADF,
		.console_socket = -EBADF,
		.stop_fd = -EBADF,
		.rootfd = -EBADF,
		.host_ptmx = -EBADF,
		.slave = -EBADF,
		.ns = { [0 ... SPEC_NS_KINDS - 1] = -EBADF } };
	_cleanup_close_ int cache = p->spec->seccomp.present ? seccomp_cache_open(p->rootfd) : -EBADF;
	struct payload_opts po = {
		.seccomp_cache = cache, .preserve_fds = o->preserve_fds, .rootless = p->rootless
	};
	int master = -EBADF, r;
	pid_t pid = 0;

	r = files_console(o->console_socket, proc->terminal, o->detach, &j.console_socket, e);
	po.own_user_ns = namespaces_of(&j) & CLONE_NEWUSER;
	if (r == 0)
		r = payload_prepare(&j.payload, p->arena, p->spec, proc, &po, e);
	if (r == 0 && po.own_user_ns)
		payload_own_stdio(p->spec, &proc->user);
	/* The host's root is not counted. */
	j.payload.nproc_later = proc->user.uid != 0 || po.own_user_ns;
	if (r == 0) {
		j.pidfd = rt_pidfd(p);
		if (j.pidfd < 0)
			r = err_text(e, ESRCH,
				"cannot exec in a stopped container: the first process of \"%s\" has ended",
				p->id);
	}
	if (r == 0 && p->cgroup)
		r = cgrp_select(p->cgroup, o->cgroups, p->pid, e);
	else if (r == 0 && o->cgroups)
		r = err_text(e, EOPNOTSUPP, "--cgroup: container \"%s\" was created without a cgroup", p->id);
	if (r == 0)
		r = launch(&j, o, &pid, &master, exec_failed, e);
	/* Only now: the pid file's absence tells engines that the process never came to be. */
	if (r == 0)
		r = files_write_pid(o->pid_file, pid, e);
	if (r == 0)
		r = files_send_pidfd(o->pidfd_socket, pid, e);
	if (r == 0 && !o->detach) {
		if (master >= 0 && !proc->has_console_size)
			attach_copy_size(master);
		r = attach_wait(pid, TAKE_FD(master), false, NULL, status, e);
	}
	sync_birth_free(j.birth);
	fd_close(master);
	fd_close(j.sync[0]);
	fd_close(j.sync[1]);
	fd_close(j.pidfd);
	fd_close(j.console_socket);
	payload_free(&j.payload);
	return r;
}
