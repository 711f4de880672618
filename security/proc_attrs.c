/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, I/O priority, personality, OOM score (see proc_attrs.h). */
#include "security/proc_attrs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "security/procfs.h"

/* --- limits ----------------------------------------------------------------------------------- */

static const char *const rlimit_names[] = {
	[RLIMIT_AS] = "RLIMIT_AS",
	[RLIMIT_CORE] = "RLIMIT_CORE",
	[RLIMIT_CPU] = "RLIMIT_CPU",
	[RLIMIT_DATA] = "RLIMIT_DATA",
	[RLIMIT_FSIZE] = "RLIMIT_FSIZE",
	[RLIMIT_LOCKS] = "RLIMIT_LOCKS",
	[RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
	[RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
	[RLIMIT_NICE] = "RLIMIT_NICE",
	[RLIMIT_NOFILE] = "RLIMIT_NOFILE",
	[RLIMIT_NPROC] = "RLIMIT_NPROC",
	[RLIMIT_RSS] = "RLIMIT_RSS",
	[RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
	[RLIMIT_RTTIME] = "RLIMIT_RTTIME",
	[RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
	[RLIMIT_STACK] = "RLIMIT_STACK",
};

#define LIMIT_TEXT_MAX 24

static const char *limit_text(char *buf, uint64_t v)
{
	if (v == RLIM64_INFINITY)
		return "unlimited";
	snprintf(buf, LIMIT_TEXT_MAX, "%llu", (unsigned long long)v);
	return buf;
}

static int rlimit_failed(pid_t pid, const struct spec_rlimit *l, int code, struct err *e)
{
	char soft[LIMIT_TEXT_MAX], hard[LIMIT_TEXT_MAX], present[LIMIT_TEXT_MAX];
	const char *name = "a resource limit";
	struct rlimit64 now;

	if (l->resource >= 0 && (size_t)l->resource < ARRAY_SIZE(rlimit_names) && rlimit_names[l->resource])
		name = rlimit_names[l->resource];
	err_set(e, code, "set %s to soft %s, hard %s", name, limit_text(soft, l->soft),
		limit_text(hard, l->hard));
	if (code == EINVAL && l->soft > l->hard)
		err_hint(e, "the soft limit must not be above the hard one");
	if (code != EPERM || prlimit64(pid, (enum __rlimit_resource)l->resource, NULL, &now) < 0)
		return -code;
	if (l->hard <= now.rlim_max) {
		err_hint(e, "CAP_SYS_RESOURCE is needed for another user's process");
		return -code;
	}
	err_hint(e, "the present hard limit is %s and raising it needs CAP_SYS_RESOURCE",
		limit_text(present, now.rlim_max));
	/* This one has a ceiling even for those who have the capability. */
	if (l->resource == RLIMIT_NOFILE)
		err_hint(e, "at most /proc/sys/fs/nr_open");
	return -code;
}

int sec_set_rlimits(pid_t pid, const struct spec_rlimit *list, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct rlimit64 value = { .rlim_cur = list[i].soft, .rlim_max = list[i].hard };

		if (prlimit64(pid, (enum __rlimit_resource)list[i].resource, &value, NULL) < 0)
			return rlimit_failed(pid, &list[i], errno, e);
	}
	return 0;
}

/* --- I/O priority, personality ---------------------------------------------------------------- */

/* linux/ioprio.h: the class sits above 13 bits of data. */
#define IOPRIO_VALUE(class, data) ((class) << 13 | (data))
#define IOPRIO_WHO_PROCESS	  1

int sec_set_io_priority(const struct spec_io_priority *p, struct err *e)
{
	static const char *const classes[] = { "none", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE",
		"IOPRIO_CLASS_IDLE" };

	if (!p->present)
		return 0;
	if (p->class < 1 || p->class > 3 || p->priority < 0 || p->priority > 7)
		return err_text(e, EINVAL,
			"process.ioPriority: class %d with priority %d: the priority must be 0 to 7",
			p->class, p->priority);
	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_VALUE(p->class, p->priority)) < 0) {
		int code = errno;

		err_set(e, code, "process.ioPriority: set %s, priority %d", classes[p->class], p->priority);
		if (code == EPERM)
			err_hint(e, "the real-time class needs CAP_SYS_NICE or CAP_SYS_ADMIN on the host");
		return -code;
	}
	return 0;
}

int sec_set_personality(unsigned long persona, struct err *e)
{
	if (personality(persona) < 0)
		return err_set(e, errno, "linux.personality: set %#lx", persona);
	return 0;
}

/* --- OOM score -------------------------------------------------------------------------------- */

int sec_set_oom_score_adj(int procfd, int value, bool rootless, struct err *e)
{
	_cleanup_close_ int fd = sec_procfs_open(procfd, "self/oom_score_adj", O_WRONLY, e);
	char text[16];
	int r;

	if (fd < 0)
		return fd;
	snprintf(text, sizeof(text), "%d", value);
	r = fd_write_once(fd, text, strlen(text));
	if (r == 0)
		return 0;
	if (r != -EACCES && r != -EPERM)
		return err_set(e, -r, "process.oomScoreAdj: set %d", value);
	/* Refused is only a value below the lowest ever set: the present one is the nearest that can be had.
	 */
	if (rootless)
		return 0;
	err_set(e, -r, "process.oomScoreAdj: set %d", value);
	err_hint(e, "lowering it needs CAP_SYS_RESOURCE");
	return r;
}
