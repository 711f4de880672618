/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child half: a partition's first process before it becomes the payload.
 *
 * Theory of operation: why this order
 *   cgroup first, while the host's paths still mean the host's, and before the cgroup namespace, which takes
 * the cgroup one is in as its root; a procfs of the host's, for all that must not be faked; a session
 * keyring, on the host's account, whose quota is the largest. Namespaces given by path next: all that follows
 * shall act on them. Then the parent is asked for what only it may do (id maps, limits); before the maps are
 * there we are nobody in the user namespace. Network, host name, sysctl need nothing but their namespaces;
 * sysctl goes through a procfs that nobody inside can have covered. Then the root file system: mounts,
 * devices, terminal, with the host's tree still in reach. The hooks that must see both trees run just before
 * the pivot. Masks and read-only paths come after everything that has to write. Labels, limits, the working
 * directory and the user follow, in falling order of privilege; then we wait to be started, then seccomp,
 * capabilities and exec (payload.h).
 *
 * We are never dumpable: a process of a shared pid namespace could otherwise open our descriptors, which are
 * the host's (CVE-2016-9962).
 */
#include "runtime/init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/steps.h"
#include "base/str.h"
#include "namespaces/net.h"
#include "namespaces/sysctl.h"
#include "runtime/hooks.h"
#include "runtime/sync.h"
#include "security/lsm.h"
#include "security/proc_attrs.h"

void init_fail(int sync, const struct err *e)
{
	sync_send_err(sync, SYNC_ERROR, e);
	_exit(1);
}

/* --- the steps
 * ------------------------------------------------------------------------------------------------------------------------
 */

static int step_begin(struct init *in, struct err *e)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (setsid() < 0)
		return err_set(e, errno, "start a session");
	return 0;
}

static int step_cgroup(struct init *in, struct err *e)
{
	int r = in->join_cgroup ? cgrp_join_self(in->p->cgroup, e) : 0;

	/* The CPUs of its cgroup, and not those that our caller happens to be bound to. */
	return r < 0 ? r : sec_set_affinity(0, NULL, e);
}

static int step_procfs(struct init *in, struct err *e)
{
	if (!in->spec->n_sysctl && !payload_needs_procfs(&in->payload))
		return 0;
	in->payload.procfd = mnt_procfs(e);
	return in->payload.procfd < 0 ? in->payload.procfd : 0;
}

/*
 * A session keyring of its own: the host's keys stay with the host. Without a name: one that somebody else
 * has made, and opened to all, would be joined by its name. Kernels without keyrings answer ENOSYS, and an
 * outer container's filter EPERM.
 */
int init_keyring(bool rootless, struct err *e)
{
	int r;

	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS || errno == EPERM)
		return 0;
	/* A user has room for 200 keys. It is his own keyring that his partitions have from then on. */
	if (errno == EDQUOT && rootless)
		return 0;
	r = err_set(e, errno, "join a new session keyring");
	return r == -EDQUOT ? err_hint(e, "raise kernel.keys.root_maxkeys and root_maxbytes, or use "
					  "--no-new-keyring, which leaves the partition the caller's")
			    : r;
}

static int step_keyring(struct init *in, struct err *e)
{
	if (in->no_new_keyring)
		return 0;
	if (in->payload.procfd >= 0 && in->payload.proc->selinux_label) {
		int r = lsm_set_keycreate(in->payload.procfd, in->payload.proc->selinux_label, e);

		if (r < 0)
			return r;
	}
	return init_keyring(in->p->rootless, e);
}

static int step_join(struct init *in, struct err *e)
{
	return ns_join_all(in->ns, e);
}

static int step_sources(struct init *in, struct err *e)
{
	return mnt_own_sources(&in->mnt, e);
}

static int step_parent(struct init *in, struct err *e)
{
	if (!in->ask_parent)
		return 0;
	if (sync_send(in->sync, SYNC_NEED_MAPS, 0, NULL, -1) < 0)
		_exit(1);
	for (;;) {
		struct sync_frame f;
		int fd = -EBADF, msg = sync_recv(in->sync, &f, &fd);

		if (msg == SYNC_GO)
			return 0;
		if (msg != SYNC_TEMPLATE || fd < 0)
			_exit(1);
		*(f.number ? &in->mnt.template_sysfs : &in->mnt.template_ns) = fd;
	}
}

/* Root of the user namespace, until payload_user() makes us who the config says. */
static int step_ids(struct init *in, struct err *e)
{
	if (!in->own_user_ns)
		return 0;
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_set(
			e, errno, "become root of the user namespace; the id maps must map container id 0");
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_set(e, errno, "drop supplementary groups");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return 0;
}

static int step_cgroup_ns(struct init *in, struct err *e)
{
	const struct spec_ns_entry *ns = &in->spec->ns[SPEC_NS_CGROUP];

	if (ns->present && !ns->path && unshare(CLONE_NEWCGROUP) < 0)
		return err_set(e, errno, "make a cgroup namespace");
	return 0;
}

static int step_network(struct init *in, struct err *e)
{
	const struct spec_ns_entry *ns = &in->spec->ns[SPEC_NS_NETWORK];

	return ns->present && !ns->path ? net_loopback_up(e) : 0;
}

static int step_hostname(struct init *in, struct err *e)
{
	const struct spec *s = in->spec;

	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return err_set(e, errno, "set hostname \"%s\"", s->hostname);
	if (s->domainname && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return err_set(e, errno, "set domainname \"%s\"", s->domainname);
	return 0;
}

static int step_sysctl(struct init *in, struct err *e)
{
	return in->spec->n_sysctl ? sysctl_apply(in->spec, in->payload.procfd, e) : 0;
}

static int step_rootfs(struct init *in, struct err *e)
{
	return mnt_enter(&in->mnt, e);
}

static int step_mounts(struct init *in, struct err *e)
{
	return mnt_mounts(&in->mnt, e);
}

static int step_devices(struct init *in, struct err *e)
{
	return mnt_devices(&in->mnt, e);
}

static int step_terminal(struct init *in, struct err *e)
{
	_cleanup_close_ int master = -EBADF, slave = -EBADF;
	int r;

	if (!in->payload.proc || !in->payload.proc->terminal)
		return 0;
	r = mnt_console(&in->mnt, in->payload.proc, &master, &slave, e);
	if (r < 0)
		return r;
	if (in->console_socket >= 0) {
		/* One descriptor with a payload that is not empty: engines take it for the terminal's name.
		 */
		static const char name[] = "/dev/console";

		r = fd_send(in->console_socket, name, strlen(name), &master, 1);
		in->console_socket = fd_close(in->console_socket);
	} else {
		r = sync_send(in->sync, SYNC_MASTER, 0, NULL, master);
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

/*
 * Hooks that set up networks open /proc/PID/ns. Without root's powers over the host's user namespace, to
 * which our memory belongs, they may do so only while we are "dumpable". That is safe where nobody can be
 * with us in the user namespace yet: who is in another one needs CAP_SYS_PTRACE in ours to look into us
 * (CVE-2016-9962).
 */
static void outside_hooks(struct init *in)
{
	const struct spec_ns_entry *user = &in->spec->ns[SPEC_NS_USER];
	bool alone = user->present && !user->path;

	if (alone)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (sync_send(in->sync, SYNC_HOOKS, 0, NULL, -1) < 0)
		_exit(1);
	sync_expect(in->sync, SYNC_GO);
	if (alone)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int step_hooks(struct init *in, struct err *e)
{
	_cleanup_free_ char *state = NULL;
	struct hooks_env env = { .cwd = in->p->bundle };

	if (in->has_hooks)
		outside_hooks(in);
	if (!in->spec->hooks.n[SPEC_HOOK_CREATE_CONTAINER])
		return 0;
	env.state = state = rt_partition_state_json(in->p, rt_status_names[RT_CREATING], getpid());
	if (!state)
		return err_set(e, ENOMEM, "write the state for hooks");
	return hooks_run(&in->spec->hooks, SPEC_HOOK_CREATE_CONTAINER, &env, false, e);
}

static int step_pivot(struct init *in, struct err *e)
{
	return mnt_pivot(&in->mnt, e);
}

static int step_protect(struct init *in, struct err *e)
{
	return mnt_protect(&in->mnt, e);
}

/*
 * Without a parent that does it. Not before the pivot and all masks, for whoever enters sees what is there;
 * not after the payload's user and limits, for which the state directory is no place.
 */
static int step_record(struct init *in, struct err *e)
{
	if (!in->record)
		return 0;
	in->record->creating = false;
	return rt_partition_save(in->record, e);
}

static int step_attributes(struct init *in, struct err *e)
{
	int r;

	r = payload_attributes(&in->payload, in->own_user_ns, e);
	if (r == 0)
		r = sec_set_memory_policy(&in->spec->memory_policy, e);
	if (r == 0 && in->spec->has_personality)
		r = sec_set_personality(in->spec->personality, e);
	if (r == 0)
		r = payload_label(&in->payload, e);
	return r;
}

static int step_cwd(struct init *in, struct err *e)
{
	return payload_chdir(&in->payload, mnt_root_fd(&in->mnt), true, e);
}

static int step_user(struct init *in, struct err *e)
{
	return payload_user(&in->payload, e);
}

static int step_find(struct init *in, struct err *e)
{
	return payload_find(&in->payload, e);
}

struct step {
	const char *name;
	int (*run)(struct init *in, struct err *e);
	bool with_process; /* only if the config has a process */
	bool by_joiner;	   /* if there is one, it has done this */
};

static const struct step steps[] = {
	{ "begin", step_begin, false, false },
	{ "cgroup", step_cgroup, false, true },
	{ "procfs", step_procfs, false, true },
	{ "keyring", step_keyring, false, true },
	{ "join namespaces", step_join, false, true },
	{ "mount sources", step_sources, false, false },
	{ "parent's part", step_parent, false, false },
	{ "ids", step_ids, false, false },
	{ "cgroup namespace", step_cgroup_ns, false, false },
	{ "network", step_network, false, false },
	{ "hostname", step_hostname, false, false },
	{ "sysctl", step_sysctl, false, false },
	{ "root file system", step_rootfs, false, false },
	{ "mounts", step_mounts, false, false },
	{ "devices", step_devices, false, false },
	{ "terminal", step_terminal, false, false },
	{ "hooks", step_hooks, false, false },
	{ "pivot", step_pivot, false, false },
	{ "protect", step_protect, false, false },
	{ "record", step_record, false, false },
	{ "attributes", step_attributes, true, false },
	{ "working directory", step_cwd, true, false },
	{ "user", step_user, true, false },
	{ "program", step_find, true, false },
};

int init_join(struct init *in, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
		if (steps[i].by_joiner)
			r = steps[i].run(in, e);
	in->joined = true;
	return r;
}

/* --- after creation
 * ----------------------------------------------------------------------------------------------------------------------
 */

static void close_others(const struct init *in)
{
	unsigned int first = 3U + (unsigned int)in->payload.keep_fds, kept = (unsigned int)in->start_listener;

	if (kept > first)
		fd_close_range(first, kept - 1);
	fd_close_range(kept + 1, ~0U);
}

/*
 * Waits for start, and returns the socket to report on: `sync` itself, or the connection of a later `start`,
 * which takes its place.
 */
static int wait_for_start(struct init *in)
{
	struct sync_frame f;
	int conn;

	if (in->start_listener < 0) {
		sync_expect(in->sync, SYNC_START);
		return in->sync;
	}
	/* Not before we are recorded: a creator that dies until then takes us along. */
	sync_expect(in->sync, SYNC_GO);
	/*
	 * The creator goes now; whoever can reach the socket (0700 directory) may start us. Meanwhile nothing
	 * of the host's is kept open but that socket, and what the payload is to get.
	 */
	in->sync = -EBADF;
	close_others(in);
	for (;;) {
		conn = accept4(in->start_listener, NULL, NULL, SOCK_CLOEXEC);
		if (conn < 0)
			continue;
		if (sync_recv(conn, &f, NULL) == SYNC_START)
			break;
		/* It died before it said so: somebody else may try again. */
		fd_close(conn);
	}
	in->start_listener = fd_close(in->start_listener);
	return conn;
}

static int start_hooks(struct init *in, struct err *e)
{
	_cleanup_free_ char *state = NULL;
	struct hooks_env env = { .cwd = "/", .confine = payload_confine_hook, .arg = &in->payload };

	if (!in->spec->hooks.n[SPEC_HOOK_START_CONTAINER])
		return 0;
	env.state = state = rt_partition_state_json(in->p, rt_status_names[RT_CREATED], getpid());
	if (!state)
		return err_set(e, ENOMEM, "write the state for hooks");
	return hooks_run(&in->spec->hooks, SPEC_HOOK_START_CONTAINER, &env, false, e);
}

/* Tells the parent, and ends the process. */
static void fail(const struct init *in, int sock, bool exec, const struct err *e) __attribute__((noreturn));
static void fail(const struct init *in, int sock, bool exec, const struct err *e)
{
	if (in->report) {
		in->report->failed = true;
		in->report->exec_failed = exec;
		in->report->err = *e;
	} else {
		sync_send_err(sock, exec ? SYNC_EXEC_ERROR : SYNC_ERROR, e);
	}
	_exit(exec ? 255 : 1);
}

void init_main(struct init *in)
{
	struct err e = ERR_INIT;
	int sock = -EBADF;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if ((steps[i].with_process && !in->payload.proc) || (steps[i].by_joiner && in->joined))
			continue;
		if (steps[i].run(in, &e) < 0)
			fail(in, in->sync, false, &e);
		step_done(steps[i].name);
	}
	if (!in->report) {
		if (sync_send(in->sync, SYNC_CREATED, 0, NULL, -1) < 0)
			_exit(1);
		sock = wait_for_start(in);
	}
	if (start_hooks(in, &e) < 0)
		fail(in, sock, false, &e);
	if (payload_restrict(&in->payload, sync_hand_over, &sock, &e) < 0)
		fail(in, sock, false, &e);
	step_done("restrictions");
	if (in->report)
		in->report->executing = true;
	payload_exec(&in->payload, &e);
	fail(in, sock, true, &e);
}
