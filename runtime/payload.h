/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last mile, the same for a partition's first process and for one that `exec` adds: attributes, working
 * directory, user, capabilities, seccomp, and execve(2) itself.
 *
 * Theory of operation
 *   payload_prepare() runs in the parent and does all that needs memory, the host's files or time. The rest
 * runs in the child, in this order: attributes while there is privilege; the working directory as root (it is
 * opened in-root, never through a magic link, and getcwd(2) must then find it inside: CVE-2024-21626); the
 * user, and with it every capability that the payload will not have; the look-up of the program with that
 * user's rights, so that `create` reports what is missing. Then comes the wait for start. Then
 * payload_restrict(): without no_new_privs the filter needs CAP_SYS_ADMIN, which is kept until then and for
 * nothing else; with it the filter is the very last thing, so that it need not allow our own calls.
 *
 *   Why not at create, as runc does it: whatever a process does between its filter and its execve(2), the
 * profile has to allow. At create that would be the wait for start (a socket; runc's is a FIFO) and the work
 * of forking the startContainer hooks, and an agent would be asked about all of it. One that is part of the
 * engine, and gets to its listener when `create` has returned, would never let `create` return. So the filter
 * is loaded when there is nothing left to do but to hand the listener over (a write and a read) and to
 * execute the program, and the agent reads "created" in the state that comes with it. What the specification
 * wants of create, an error for a config that cannot be applied, it has: the profile is compiled there, and
 * an agent that is not there is found out without its noticing (seccomp_probe_agent()).
 *
 *   Who shares a pid namespace with us and has CAP_SYS_PTRACE there may become our tracer at any moment
 * (CVE-2016-9962). So what he could gain by it is given up as early as it can be, and `exec` does all of this
 * before the process is born where he sees it (exec_ns.c).
 */
#ifndef RUNTIME_PAYLOAD_H
#define RUNTIME_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "security/caps.h"
#include "security/seccomp.h"
#include "spec/spec.h"

struct payload {
	const struct spec_process *proc;
	const struct spec *spec;
	struct arena *arena;
	struct caps_host caps_host;
	struct spec_caps caps; /* clipped to what can be granted */
	struct seccomp_prog seccomp;
	char **env;	  /* the payload's; HOME may still be added by the child */
	const char *path; /* found by payload_find() */
	int procfd;	  /* of the host, opened by the child where something is to be written; -1 */
	int keep_fds;	  /* fds 3 .. 3+keep_fds-1 reach the payload */
	bool rootless, keep_groups;
	bool chdir_later;   /* the working directory is not root's to enter: the user tries again */
	bool nproc_later;   /* RLIMIT_NPROC is left to payload_limit_processes() */
	bool caps_complete; /* payload_user() left nothing for payload_restrict() to take away */
};

struct payload_opts {
	int seccomp_cache; /* directory fd or -1 */
	int preserve_fds;
	bool rootless;
	bool own_user_ns; /* it will have all capabilities there, whatever we have here */
	bool listen_fds;  /* pass LISTEN_FDS on (the first process only) */
};

/* process.execCPUAffinity is only used by a later exec, but told to who wrote it. -EINVAL. */
int payload_check_affinity(const struct spec_process *proc, struct err *e);
int payload_prepare(struct payload *pl, struct arena *a, const struct spec *s,
	const struct spec_process *proc, const struct payload_opts *o, struct err *e);
void payload_free(struct payload *pl);

/* --- in the child
 * ----------------------------------------------------------------------------------------------------------------
 */

/* Needs `procfd`: a label, an OOM score or a sysctl is to be written. */
bool payload_needs_procfs(const struct payload *pl);

/* own_user_ns: limits and the OOM score were already set by the parent, which has the privilege. */
int payload_attributes(struct payload *pl, bool own_user_ns, struct err *e);
int payload_label(struct payload *pl, struct err *e);
/*
 * The number of processes that the user may have, where nproc_later asked payload_attributes() to leave room
 * for one more than that: the one that the payload is born from. Lowers it only, which needs no privilege.
 */
int payload_limit_processes(const struct payload *pl, struct err *e);
bool payload_limits_processes(const struct payload *pl);
/* create: make it if it is missing. */
int payload_chdir(struct payload *pl, int rootfd, bool create, struct err *e);
int payload_user(struct payload *pl, struct err *e);
/*
 * In the parent: what payload_user() does for pipes on 0, 1 and 2 of users other than root, for all users of
 * a user namespace. From within it nobody can, since who made the pipe has no id there; and a server whose
 * log is /dev/stdout would not start. Without a map, or the privilege, nothing happens.
 */
void payload_own_stdio(const struct spec *s, const struct spec_user *u);
int payload_find(struct payload *pl, struct err *e);
/*
 * no_new_privs, filter, capabilities. hand_over() is called with the seccomp notify fd, if there is one,
 * right after the filter is on: from then on any system call may be waiting for the agent that is to get it.
 */
int payload_restrict(
	struct payload *pl, void (*hand_over)(int listener, void *arg), void *arg, struct err *e);
/* Only returns with an error, worded as engines expect it. */
int payload_exec(struct payload *pl, struct err *e);

/* The confinement of a hook whose program the partition may have made: all that the payload has. For struct
 * hooks_env. */
int payload_confine_hook(void *payload);

#endif
