/* SPDX-License-Identifier: Apache-2.0 */
/* The last mile to execve(2) (see payload.h). */
#include "runtime/payload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/ns.h"
#include "runtime/lookup.h"
#include "security/lsm.h"
#include "security/proc_attrs.h"

/* --- in the parent
 * ------------------------------------------------------------------------------------------------------------------
 */

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n + 1) == 0 && a[n] == '=';
}

/* The config's environment, the last of equal names, with room for HOME and what socket activation adds. */
static int build_env(struct payload *pl, int listen_fds)
{
	size_t n = strv_len(pl->proc->env), used = 0;
	const char *s, *names = getenv("LISTEN_FDNAMES");

	pl->env = arena_calloc(pl->arena, n + 5, sizeof(char *));
	if (!pl->env)
		return -ENOMEM;
	strv_each (s, pl->proc->env) {
		size_t i;

		for (i = 0; i < used; i++)
			if (same_name(pl->env[i], s))
				break;
		pl->env[i] = (char *)s;
		used += i == used;
	}
	if (listen_fds > 0) {
		pl->env[used++] = arena_printf(pl->arena, "LISTEN_FDS=%d", listen_fds);
		/* The payload is pid 1 of its pid namespace; sd_listen_fds(3) compares. */
		pl->env[used++] = arena_strdup(pl->arena, "LISTEN_PID=1");
		if (names)
			pl->env[used++] = arena_printf(pl->arena, "LISTEN_FDNAMES=%s", names);
		for (size_t i = 0; i < used; i++)
			if (!pl->env[i])
				return -ENOMEM;
	}
	return 0;
}

/* sd_listen_fds(3): meant for us only if LISTEN_PID says so. */
static int listen_fds(void)
{
	const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	uint32_t n, p;

	if (!count || str_to_u32(count, &n) < 0 || n > 1024)
		return 0;
	if (pid && (str_to_u32(pid, &p) < 0 || (pid_t)p != getpid()))
		return 0;
	return (int)n;
}

/* A number that no descriptor stands behind would be taken by one of ours, and leak it (as in
 * CVE-2024-21626). */
static int check_preserved(int n, struct err *e)
{
	for (int fd = 3; fd < 3 + n; fd++) {
		int flags = fcntl(fd, F_GETFD);

		/* What closes at exec was not passed to us: it is one of our own. */
		if (flags < 0 || (flags & FD_CLOEXEC))
			return err_text(e, EBADF, "--preserve-fds: descriptor %d of %d is not open", fd, n);
	}
	return 0;
}

static int check_affinity(const char *list, const char *name, struct err *e)
{
	_cleanup_free_ unsigned char *mask = NULL;
	size_t bytes;
	int r = list ? sec_parse_list(list, &mask, &bytes, e) : 0;

	return r < 0 ? err_wrap(e, "process.execCPUAffinity.%s", name) : 0;
}

int payload_check_affinity(const struct spec_process *proc, struct err *e)
{
	int r = check_affinity(proc->cpu_affinity_initial, "initial", e);

	return r < 0 ? r : check_affinity(proc->cpu_affinity_final, "final", e);
}

static void warn_caps(const struct spec_caps *wanted, uint64_t dropped)
{
	const char *s;

	strv_each (s, wanted->unknown)
		log_warn("capability %s is not known and was left out", s);
	for (int c = 0; c < 64; c++)
		if (dropped & (1ULL << c))
			log_warn("capability %s cannot be granted here and was left out",
				spec_cap_name(c) ? spec_cap_name(c) : "?");
}

int payload_prepare(struct payload *pl, struct arena *a, const struct spec *s,
	const struct spec_process *proc, const struct payload_opts *o, struct err *e)
{
	const char *fail_unknown = spec_annotation(s, "run.oci.seccomp_fail_unknown_syscall");
	struct seccomp_options so = { .cache_dirfd = o->seccomp_cache };
	int inherited = o->listen_fds ? listen_fds() : 0, r;
	const char *unknown;
	uint64_t dropped = 0;

	*pl = (struct payload){
		.proc = proc, .spec = s, .arena = a, .procfd = -EBADF, .rootless = o->rootless
	};
	pl->keep_groups = spec_annotation(s, "run.oci.keep_original_groups") != NULL;
	pl->keep_fds = o->preserve_fds + inherited;
	r = check_preserved(pl->keep_fds, e);
	if (r == 0)
		r = payload_check_affinity(proc, e);
	if (r < 0)
		return r;
	r = build_env(pl, inherited);
	if (r < 0)
		return err_set(e, -r, "prepare the environment");
	if (proc->apparmor_profile && !lsm_apparmor_enabled())
		return err_text(e, EOPNOTSUPP,
			"process.apparmorProfile is \"%s\", but AppArmor is not enabled on this host",
			proc->apparmor_profile);
	if (proc->selinux_label && !lsm_selinux_enabled())
		return err_text(e, EOPNOTSUPP,
			"process.selinuxLabel is \"%s\", but SELinux is not enabled on this host",
			proc->selinux_label);
	r = caps_host(&pl->caps_host, e);
	if (r < 0)
		return r;
	if (o->own_user_ns)
		pl->caps_host.grantable = pl->caps_host.known;
	caps_clip(&proc->caps, &pl->caps_host, &pl->caps, &dropped);
	if (dropped || proc->caps.unknown)
		warn_caps(&proc->caps, dropped);
	if (!s->seccomp.present)
		return 0;
	so.fail_unknown = fail_unknown && !str_eq(fail_unknown, "0");
	r = seccomp_prepare(&s->seccomp, &so, &pl->seccomp, e);
	if (r < 0)
		return r;
	strv_each (unknown, pl->seccomp.unknown)
		log_debug("seccomp: system call %s is not known here and was left out", unknown);
	return pl->seccomp.has_notify ? seccomp_probe_agent(s->seccomp.listener_path, e) : 0;
}

void payload_free(struct payload *pl)
{
	seccomp_prog_free(&pl->seccomp);
	pl->procfd = fd_close(pl->procfd);
}

/* --- in the child
 * -------------------------------------------------------------------------------------------------------------------
 */

bool payload_needs_procfs(const struct payload *pl)
{
	return pl->proc &&
	       (pl->proc->has_oom_score_adj || pl->proc->apparmor_profile || pl->proc->selinux_label);
}

static const struct spec_rlimit *nproc_of(const struct payload *pl)
{
	const struct spec_process *p = pl->proc;

	for (size_t i = 0; pl->nproc_later && i < p->n_rlimits; i++)
		if (p->rlimits[i].resource == RLIMIT_NPROC && p->rlimits[i].hard < RLIM64_INFINITY)
			return &p->rlimits[i];
	return NULL;
}

/* One process more than asked for, if that can be had. The limit itself comes later, and needs the hard one
 * to be no lower. */
static void leave_room(const struct spec_rlimit *l)
{
	uint64_t room = l->soft < RLIM64_INFINITY ? l->soft + 1 : l->soft,
		 hard = l->hard > room ? l->hard : room;
	struct rlimit64 now, want;

	if (prlimit64(0, RLIMIT_NPROC, NULL, &now) < 0)
		return;
	want = (struct rlimit64){ room, hard > now.rlim_max ? hard : now.rlim_max };
	if (prlimit64(0, RLIMIT_NPROC, &want, NULL) == 0)
		return;
	now.rlim_cur = room < now.rlim_max ? room : now.rlim_max;
	prlimit64(0, RLIMIT_NPROC, &now, NULL);
}

static int set_limits(const struct payload *pl, struct err *e)
{
	const struct spec_rlimit *nproc = nproc_of(pl), *all = pl->proc->rlimits;
	size_t n = pl->proc->n_rlimits, i = nproc ? (size_t)(nproc - all) : n;
	int r = sec_set_rlimits(0, all, i, e);

	if (r < 0 || !nproc)
		return r;
	leave_room(nproc);
	return sec_set_rlimits(0, nproc + 1, n - i - 1, e);
}

bool payload_limits_processes(const struct payload *pl)
{
	return nproc_of(pl) != NULL;
}

int payload_limit_processes(const struct payload *pl, struct err *e)
{
	const struct spec_rlimit *nproc = nproc_of(pl);

	return nproc ? sec_set_rlimits(0, nproc, 1, e) : 0;
}

int payload_attributes(struct payload *pl, bool own_user_ns, struct err *e)
{
	const struct spec_process *p = pl->proc;
	int r = 0;

	if (!own_user_ns) {
		r = set_limits(pl, e);
		if (r == 0 && p->has_oom_score_adj)
			r = sec_set_oom_score_adj(pl->procfd, p->oom_score_adj, pl->rootless, e);
	}
	if (r == 0)
		r = sec_set_scheduler(&p->scheduler, e);
	if (r == 0)
		r = sec_set_io_priority(&p->io_priority, e);
	return r;
}

int payload_label(struct payload *pl, struct err *e)
{
	const struct spec_process *p = pl->proc;
	int r = 0;

	if (p->apparmor_profile)
		r = lsm_set_apparmor(pl->procfd, p->apparmor_profile, e);
	if (r == 0 && p->selinux_label)
		r = lsm_set_selinux(pl->procfd, p->selinux_label, e);
	return r;
}

/* After a change of directory: the kernel says "(unreachable)" of a place that is not below our root. */
static int check_cwd(const char *cwd, struct err *e)
{
	char now[PATH_MAX];

	if (syscall(SYS_getcwd, now, sizeof(now)) < 0)
		return err_set(e, errno, "process.cwd %s: find out where it is", cwd);
	if (now[0] != '/')
		return err_text(e, EPERM, "process.cwd %s leads out of the root file system", cwd);
	return 0;
}

static int enter(int rootfd, const char *cwd)
{
	/* In-root and without magic links: /proc/self/fd/N as a working directory is an attack, never a need.
	 */
	_cleanup_close_ int fd = path_open(rootfd, cwd, O_PATH | O_DIRECTORY, 0, 0);

	if (fd < 0)
		return fd;
	return fchdir(fd) < 0 ? -errno : 0;
}

int payload_chdir(struct payload *pl, int rootfd, bool create, struct err *e)
{
	const char *cwd = pl->proc->cwd;
	int r;

	if (!strv_env(pl->env, "HOME")) {
		const char *home = lookup_home(pl->arena, rootfd, pl->proc->user.uid);
		char *entry = arena_printf(pl->arena, "HOME=%s", home);

		if (!entry)
			return err_set(e, ENOMEM, "prepare the environment");
		pl->env[strv_len(pl->env)] = entry;
	}
	if (str_eq(cwd, "/")) /* where the pivot, or setns(2), left us */
		return 0;
	r = enter(rootfd, cwd);
	if (r == -ENOENT && create) {
		r = path_mkdirs(rootfd, cwd, 0755);
		if (r >= 0) {
			fd_close(r);
			r = enter(rootfd, cwd);
		}
	}
	if (r == -EACCES || r == -EPERM) {
		pl->chdir_later = true;
		return 0;
	}
	if (r == -ENOENT)
		return err_text(e, ENOENT, "process.cwd %s: chdir: no such file or directory", cwd);
	if (r < 0)
		return err_set(e, -r, "process.cwd %s: chdir", cwd);
	return check_cwd(cwd, e);
}

/*
 * A pipe that the engine made belongs to root: a user who opens /dev/stdout, which leads to it, needs to own
 * it. Only pipes: a terminal, a file or a device of the host is not given away (CVE-2026-88265).
 */
static void own_stdio(const struct spec_user *u)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && st.st_uid != u->uid)
			(void)!fchown(fd, u->uid, (gid_t)-1);
}

void payload_own_stdio(const struct spec *s, const struct spec_user *u)
{
	int64_t uid = ns_map_to_host(s->uid_map, s->n_uid_map, u->uid);
	struct stat st;

	for (int fd = 0; s->n_uid_map && uid >= 0 && fd < 3; fd++)
		if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && st.st_uid != (uid_t)uid)
			(void)!fchown(fd, (uid_t)uid, (gid_t)-1);
}

/* Without no_new_privs, to install a filter takes CAP_SYS_ADMIN. */
static bool filter_first(const struct payload *pl)
{
	return pl->seccomp.n > 0 && !pl->proc->no_new_privileges;
}

static int give_up_caps(struct payload *pl, struct err *e)
{
	uint64_t admin = 1ULL << CAP_SYS_ADMIN;

	pl->caps_complete = !filter_first(pl);
	return pl->caps_complete ? caps_apply(&pl->caps, e)
				 : caps_narrow(&pl->caps, admin & pl->caps_host.grantable, e);
}

int payload_user(struct payload *pl, struct err *e)
{
	const struct spec_user *u = &pl->proc->user;
	int r;

	if (u->uid != 0)
		own_stdio(u);
	r = caps_bound(&pl->caps, &pl->caps_host, e);
	if (r == 0 && u->uid != 0)
		r = caps_keep(e);
	if (r < 0)
		return r;
	r = sec_set_user(u, pl->keep_groups, e);
	if (r < 0)
		return r;
	/* A change of ids made us "dumpable" as fs.suid_dumpable says; until the exec nobody inside may look
	 * into us (CVE-2016-9962). */
	if (u->uid != 0 || u->gid != 0)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (pl->chdir_later) {
		if (chdir(pl->proc->cwd) < 0)
			return err_set(e, errno, "process.cwd %s: chdir", pl->proc->cwd);
		r = check_cwd(pl->proc->cwd, e);
	}
	return r < 0 ? r : give_up_caps(pl, e);
}

int payload_find(struct payload *pl, struct err *e)
{
	return lookup_program(pl->arena, pl->proc->args[0], pl->env, &pl->path, e);
}

static int no_new_privs(const struct payload *pl, struct err *e)
{
	if (pl->proc->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "set no_new_privs");
	return 0;
}

static int install(struct payload *pl, void (*hand_over)(int listener, void *arg), void *arg, struct err *e)
{
	int listener = -EBADF, r = seccomp_install(&pl->seccomp, &listener, e);

	if (r == 0 && listener >= 0)
		hand_over(listener, arg);
	return r;
}

int payload_restrict(struct payload *pl, void (*hand_over)(int listener, void *arg), void *arg, struct err *e)
{
	bool early = filter_first(pl);
	int r;

	/* Before the filter, which may forbid it. Whatever is open by mistake, ours or inherited, closes at
	 * the exec. */
	fd_cloexec_from(3U + (unsigned int)pl->keep_fds);
	r = no_new_privs(pl, e);
	if (r == 0 && early)
		r = install(pl, hand_over, arg, e);
	if (r == 0 && !pl->caps_complete)
		r = caps_apply(&pl->caps, e);
	if (r == 0 && !early)
		r = install(pl, hand_over, arg, e);
	return r;
}

int payload_exec(struct payload *pl, struct err *e)
{
	execve(pl->path, pl->proc->args, pl->env);
	return lookup_explain(pl->proc->args[0], pl->path, errno, e);
}

int payload_confine_hook(void *payload)
{
	struct payload *pl = payload;
	/* No agent waits for this listener: without one, what it would be asked about is ENOSYS. */
	struct seccomp_prog unheard = pl->seccomp, heard = pl->seccomp;
	struct err e = ERR_INIT;
	int r;

	unheard.has_notify = false;
	unheard.flags &= ~(unsigned int)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	pl->seccomp = unheard;
	r = payload_restrict(pl, NULL, NULL, &e);
	pl->seccomp = heard;
	return r;
}
