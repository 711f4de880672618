/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process carries besides its identity: limits, scheduling, I/O priority, affinity, memory policy, OOM
 * score, personality.
 */
#ifndef SECURITY_PROC_ATTRS_H
#define SECURITY_PROC_ATTRS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "spec/spec.h"

/* prlimit(2) on pid (0: the caller). An EPERM names the limit, its hard value and CAP_SYS_RESOURCE. */
int sec_set_rlimits(pid_t pid, const struct spec_rlimit *list, size_t n, struct err *e);

/* sched_setattr(2), ioprio_set(2), set_mempolicy(2), personality(2) on the caller. Absent ones do nothing. */
int sec_set_scheduler(const struct spec_scheduler *s, struct err *e);
int sec_set_io_priority(const struct spec_io_priority *p, struct err *e);
int sec_set_memory_policy(const struct spec_memory_policy *p, struct err *e);
int sec_set_personality(unsigned long persona, struct err *e);

/*
 * Writes oom_score_adj through a checked procfs fd. `rootless`: a value the kernel refuses (EACCES/EPERM) is
 * clamped to the present one.
 */
int sec_set_oom_score_adj(int procfd, int value, bool rootless, struct err *e);

/*
 * A cpu or node list ("0-3,7", blanks tolerated as runc does) to a bit mask of `bytes` bytes, grown as needed
 * (more than 1024 CPUs are fine). *mask is malloc()ed. -EINVAL on anything else.
 */
int sec_parse_list(const char *list, unsigned char **mask, size_t *bytes, struct err *e);

/*
 * sched_setaffinity(2) of pid (0: the caller) to such a list; NULL resets to all CPUs (the kernel clips it to
 * the cpuset).
 */
int sec_set_affinity(pid_t pid, const char *list, struct err *e);

/*
 * setgroups, setresgid, setresuid, umask. Groups that the user namespace forbids (/proc/self/setgroups is
 * "deny") are an error only if some were asked for. `keep_groups` (annotation run.oci.keep_original_groups)
 * leaves supplementary groups alone.
 */
int sec_set_user(const struct spec_user *u, bool keep_groups, struct err *e);

#endif
