/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine "partition": a further process in a living one.
 *
 * Theory of operation
 *   We put our children (not ourselves) into the partition's pid and time namespaces and clone one, born in the cgroup where the
 *   kernel can do that. While it still has the host's rights and paths the child joins the cgroup, opens the host's procfs for labels, and sets limits. Then it
 *   enters the other namespaces, those of the host's user namespace first and the partition's user namespace last, since what it gives (and takes away) is for
 *   good. From the moment it is in the pid namespace the partition's processes can see it: so it is not dumpable, and holds no
 *   descriptor of the host that matters (CVE-2016-9962).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "namespaces/console.h"
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

struct joiner {
	struct rt_partition *p;
	const struct spec_process *proc;
	struct payload payload;
	int sync[2];
	int pidfd; /* of the partition's first process */
	int console_socket;
	int rootfd, host_ptmx;
};

/* CLONE_NEW* of the namespaces that are not ours already. */
static uint64_t namespaces_of(const struct spec *s)
{
	uint64_t flags = 0;

	for (int i = 0; i < SPEC_NS_KINDS; i++)
		if (s->ns[i].present)
			flags |= spec_ns_flags[i];
	return flags;
}

/* setns(2) by pidfd does them at once; before 5.8 each by its own file. */
static int enter(const struct joiner *j, uint64_t flags, struct err *e)
{
	if (!flags || setns(j->pidfd, (int)flags) == 0)
		return 0;
	if (errno != EINVAL)
		return err_set(e, errno, "enter the namespaces of container \"%s\"", j->p->id);
	for (int i = 0; i < SPEC_NS_KINDS; i++) {
		_cleanup_close_ int fd = -EBADF;
		char path[48];

		if (!(flags & spec_ns_flags[i]))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)j->p->pid, spec_ns_proc_names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || setns(fd, (int)spec_ns_flags[i]) < 0)
			return err_set(e, errno, "enter the %s namespace of container \"%s\"", spec_ns_names[i], j->p->id);
	}
	return 0;
}

/* --- the child ------------------------------------------------------------------------------------------------------------------------------ */

static int join(struct joiner *j, struct err *e)
{
	const struct spec *s = j->p->spec;
	uint64_t flags = namespaces_of(s) & ~(uint64_t)(CLONE_NEWPID | CLONE_NEWTIME);
	sigset_t none;
	int r = 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (setsid() < 0)
		return err_set(e, errno, "start a session");
	if (j->p->cgroup)
		r = cgrp_join_self(j->p->cgroup, e);
	if (r == 0 && payload_needs_procfs(&j->payload)) {
		j->payload.procfd = mnt_procfs(e);
		r = j->payload.procfd < 0 ? j->payload.procfd : 0;
	}
	if (r == 0 && j->proc->terminal)
		j->host_ptmx = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (r == 0)
		r = payload_attributes(&j->payload, false, e);
	if (r == 0 && j->proc->cpu_affinity_final)
		r = sec_set_affinity(0, j->proc->cpu_affinity_final, e);
	/* Rootless, we have no rights at all before we are in the user namespace. */
	if (r == 0 && j->p->rootless && geteuid() != 0)
		r = enter(j, flags, e);
	else if (r == 0)
		r = enter(j, flags & ~(uint64_t)CLONE_NEWUSER, e);
	if (r == 0 && !(j->p->rootless && geteuid() != 0))
		r = enter(j, flags & CLONE_NEWUSER, e);
	if (r < 0 || !(flags & CLONE_NEWUSER))
		return r;
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_set(e, errno, "become root of the user namespace of container \"%s\"", j->p->id);
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_set(e, errno, "drop supplementary groups");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return 0;
}

static int keyring(struct joiner *j, struct err *e)
{
	char name[300];

	if (j->p->no_new_keyring)
		return 0;
	/* By name: the one that the first process made, if its permissions let us; a new one otherwise. Never the host's. */
	snprintf(name, sizeof(name), "_ses.%s", j->p->id);
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 && errno != ENOSYS && errno != EDQUOT && errno != EPERM)
		return err_set(e, errno, "join a session keyring");
	return 0;
}

static int terminal(struct joiner *j, struct err *e)
{
	_cleanup_close_ int master = -EBADF, slave = -EBADF;
	int r;

	if (!j->proc->terminal)
		return 0;
	r = console_open(j->rootfd, j->host_ptmx, j->proc, &master, &slave, e);
	if (r < 0)
		return r;
	if (j->console_socket >= 0) {
		static const char name[] = "/dev/pts";

		r = fd_send(j->console_socket, name, strlen(name), &master, 1);
	} else {
		r = sync_send(j->sync[1], SYNC_MASTER, 0, NULL, master);
	}
	if (r < 0)
		return err_set(e, -r, "hand out the terminal");
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return err_set(e, errno, "make the terminal the controlling one");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			return err_set(e, errno, "put the terminal on descriptor %d", fd);
	return 0;
}

static int set_up(struct joiner *j, struct err *e)
{
	const struct spec *s = j->p->spec;
	int r = join(j, e);

	if (r == 0)
		r = keyring(j, e);
	if (r < 0)
		return r;
	j->rootfd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (j->rootfd < 0)
		return err_set(e, errno, "open the root directory");
	r = terminal(j, e);
	if (r == 0 && s->has_personality)
		r = sec_set_personality(s->personality, e);
	return r == 0 ? payload_label(&j->payload, e) : r;
}

static void child(struct joiner *j)
{
	struct err e = ERR_INIT;
	int listener;

	fd_close(j->sync[0]);
	fd_close(j->p->dirfd);
	fd_close(j->p->rootfd);
	if (set_up(j, &e) < 0)
		init_fail(j->sync[1], &e);
	/* From here on it is the payload's own affair. */
	if (payload_chdir(&j->payload, j->rootfd, false, &e) < 0 || payload_user(&j->payload, &e) < 0 || payload_find(&j->payload, &e) < 0) {
		sync_send_err(j->sync[1], SYNC_EXEC_ERROR, &e);
		_exit(255);
	}
	if (payload_restrict(&j->payload, &listener, &e) < 0)
		init_fail(j->sync[1], &e);
	if (listener >= 0) {
		if (sync_send(j->sync[1], SYNC_LISTENER, 0, NULL, listener) < 0)
			_exit(1);
		fd_close(listener);
		sync_expect(j->sync[1], SYNC_GO);
	}
	payload_exec(&j->payload, &e);
	sync_send_err(j->sync[1], SYNC_EXEC_ERROR, &e);
	_exit(255);
}

/* --- the parent ------------------------------------------------------------------------------------------------------------------------------ */

static pid_t clone_child(struct joiner *j, struct err *e)
{
	int cgroup_fd = j->p->cgroup ? cgrp_clone_fd(j->p->cgroup) : -1;
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid;

	if (cgroup_fd >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child(j);
	if (pid < 0 && errno == EAGAIN) {
		err_set(e, EAGAIN, "clone a process into container \"%s\"", j->p->id);
		return err_hint(e, "a limit on processes was reached, perhaps linux.resources.pids.limit");
	}
	if (pid < 0 && errno == ENOMEM)
		/* What the kernel answers when the pid namespace's first process has gone (pid_namespaces(7)). */
		return err_text(e, ESRCH, "cannot exec in a stopped container: the first process of \"%s\" has ended", j->p->id);
	return pid < 0 ? err_set(e, errno, "clone a process into container \"%s\"", j->p->id) : pid;
}

static int serve(struct joiner *j, int *master, bool *exec_failed, struct err *e)
{
	struct sync_frame f;
	int fd, r;

	for (;;) {
		int msg = sync_recv(j->sync[0], &f, &fd);

		switch (msg) {
		case SYNC_CLOSED:
			return 0;
		case SYNC_MASTER:
			fd_close(*master);
			*master = fd;
			break;
		case SYNC_LISTENER:
			r = ns_send_listener(j->p, fd, e);
			fd_close(fd);
			if (r < 0)
				return r;
			sync_send(j->sync[0], SYNC_GO, 0, NULL, -1);
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

static int launch(struct joiner *j, const struct rt_exec_opts *o, pid_t *pid, int *master, bool *exec_failed, struct err *e)
{
	uint64_t for_children = namespaces_of(j->p->spec) & (CLONE_NEWPID | CLONE_NEWTIME);
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, j->sync) < 0)
		return err_set(e, errno, "make a socket pair");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (j->proc->cpu_affinity_initial) {
		r = sec_set_affinity(0, j->proc->cpu_affinity_initial, e);
		if (r < 0)
			return r;
	}
	if (!o->detach)
		attach_begin();
	/* Rootless: our rights over the pid namespace come from its user namespace, which then is ours for good. */
	if (j->p->rootless && geteuid() != 0)
		for_children |= namespaces_of(j->p->spec) & CLONE_NEWUSER;
	r = enter(j, for_children, e);
	if (r < 0)
		return r;
	*pid = clone_child(j, e);
	if (*pid < 0)
		return *pid;
	j->sync[1] = fd_close(j->sync[1]);
	r = serve(j, master, exec_failed, e);
	if (r < 0) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
	}
	return r;
}

int ns_exec(struct rt_partition *p, const struct rt_exec_opts *o, const struct spec_process *proc, int *status, bool *exec_failed,
	struct err *e)
{
	struct joiner j = { .p = p, .proc = proc, .sync = { -EBADF, -EBADF }, .pidfd = -EBADF, .console_socket = -EBADF, .rootfd = -EBADF, .host_ptmx = -EBADF };
	_cleanup_close_ int cache = p->spec->seccomp.present ? seccomp_cache_open(p->rootfd) : -EBADF;
	struct payload_opts po = { .seccomp_cache = cache, .preserve_fds = o->preserve_fds, .rootless = p->rootless };
	int master = -EBADF, r;
	pid_t pid = 0;

	r = files_console(o->console_socket, proc->terminal, o->detach, &j.console_socket, e);
	if (r == 0)
		r = payload_prepare(&j.payload, p->arena, p->spec, proc, &po, e);
	if (r == 0) {
		j.pidfd = rt_pidfd(p);
		if (j.pidfd < 0)
			r = err_text(e, ESRCH, "cannot exec in a stopped container: the first process of \"%s\" has ended", p->id);
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
		r = attach_wait(pid, TAKE_FD(master), status, e);
	}
	fd_close(master);
	fd_close(j.sync[0]);
	fd_close(j.sync[1]);
	fd_close(j.pidfd);
	fd_close(j.console_socket);
	payload_free(&j.payload);
	return r;
}
