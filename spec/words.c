/* SPDX-License-Identifier: Apache-2.0 */
/* The words of config.json and what they stand for (see features.h). */
#include "spec/features.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <stdio.h>
#include <strings.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include "base/str.h"
#include "spec/spec.h"

const char *const spec_hook_names[SPEC_HOOK_KINDS] = {
	[SPEC_HOOK_PRESTART] = "prestart",
	[SPEC_HOOK_CREATE_RUNTIME] = "createRuntime",
	[SPEC_HOOK_CREATE_CONTAINER] = "createContainer",
	[SPEC_HOOK_START_CONTAINER] = "startContainer",
	[SPEC_HOOK_POSTSTART] = "poststart",
	[SPEC_HOOK_POSTSTOP] = "poststop",
};

const char *const spec_ns_names[SPEC_NS_KINDS] = {
	[SPEC_NS_USER] = "user",
	[SPEC_NS_MOUNT] = "mount",
	[SPEC_NS_PID] = "pid",
	[SPEC_NS_NETWORK] = "network",
	[SPEC_NS_IPC] = "ipc",
	[SPEC_NS_UTS] = "uts",
	[SPEC_NS_CGROUP] = "cgroup",
	[SPEC_NS_TIME] = "time",
};

const char *const spec_ns_proc_names[SPEC_NS_KINDS] = {
	[SPEC_NS_USER] = "user",
	[SPEC_NS_MOUNT] = "mnt",
	[SPEC_NS_PID] = "pid",
	[SPEC_NS_NETWORK] = "net",
	[SPEC_NS_IPC] = "ipc",
	[SPEC_NS_UTS] = "uts",
	[SPEC_NS_CGROUP] = "cgroup",
	[SPEC_NS_TIME] = "time",
};

const uint64_t spec_ns_flags[SPEC_NS_KINDS] = {
	[SPEC_NS_USER] = CLONE_NEWUSER,
	[SPEC_NS_MOUNT] = CLONE_NEWNS,
	[SPEC_NS_PID] = CLONE_NEWPID,
	[SPEC_NS_NETWORK] = CLONE_NEWNET,
	[SPEC_NS_IPC] = CLONE_NEWIPC,
	[SPEC_NS_UTS] = CLONE_NEWUTS,
	[SPEC_NS_CGROUP] = CLONE_NEWCGROUP,
	[SPEC_NS_TIME] = CLONE_NEWTIME,
};

const struct spec_word spec_rlimit_words[] = {
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_STACK", RLIMIT_STACK },
	{ NULL, 0 },
};

/* SCHED_ISO is in the runtime-spec and reserved in the kernel's header, which has no such policy;
 * sched_setattr(2) says so. */
const struct spec_word spec_sched_policy_words[] = {
	{ "SCHED_OTHER", SCHED_NORMAL },
	{ "SCHED_FIFO", SCHED_FIFO },
	{ "SCHED_RR", SCHED_RR },
	{ "SCHED_BATCH", SCHED_BATCH },
	{ "SCHED_ISO", 4 },
	{ "SCHED_IDLE", SCHED_IDLE },
	{ "SCHED_DEADLINE", SCHED_DEADLINE },
	{ NULL, 0 },
};

const struct spec_word spec_sched_flag_words[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK },
	{ "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
	{ "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN },
	{ "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
	{ "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
	{ NULL, 0 },
};

const struct spec_word spec_io_class_words[] = {
	{ "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT },
	{ "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
	{ "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE },
	{ NULL, 0 },
};

/* Numbers of linux/mempolicy.h: they are ABI, and the header of an older kernel lacks the newest mode. */
const struct spec_word spec_memory_mode_words[] = {
	{ "MPOL_DEFAULT", 0 },
	{ "MPOL_PREFERRED", 1 },
	{ "MPOL_BIND", 2 },
	{ "MPOL_INTERLEAVE", 3 },
	{ "MPOL_LOCAL", 4 },
	{ "MPOL_PREFERRED_MANY", 5 },
	{ "MPOL_WEIGHTED_INTERLEAVE", 6 },
	{ NULL, 0 },
};

const struct spec_word spec_memory_flag_words[] = {
	{ "MPOL_F_NUMA_BALANCING", 1 << 13 },
	{ "MPOL_F_RELATIVE_NODES", 1 << 14 },
	{ "MPOL_F_STATIC_NODES", 1 << 15 },
	{ NULL, 0 },
};

/* The spec has the first four; crun and runc take the recursive forms as well, and engines write them. */
const struct spec_word spec_propagation_words[] = {
	{ "shared", SPEC_PROPAGATION_SHARED },
	{ "slave", SPEC_PROPAGATION_SLAVE },
	{ "private", SPEC_PROPAGATION_PRIVATE },
	{ "unbindable", SPEC_PROPAGATION_UNBINDABLE },
	{ "rshared", SPEC_PROPAGATION_SHARED | SPEC_PROPAGATION_RECURSIVE },
	{ "rslave", SPEC_PROPAGATION_SLAVE | SPEC_PROPAGATION_RECURSIVE },
	{ "rprivate", SPEC_PROPAGATION_PRIVATE | SPEC_PROPAGATION_RECURSIVE },
	{ "runbindable", SPEC_PROPAGATION_UNBINDABLE | SPEC_PROPAGATION_RECURSIVE },
	{ NULL, 0 },
};

const struct spec_word spec_personality_words[] = {
	{ "LINUX", PER_LINUX },
	{ "LINUX32", PER_LINUX32 },
	{ NULL, 0 },
};

/* By number: linux/capability.h. */
static const char *const cap_names[SPEC_CAP_LAST + 1] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

const struct spec_word *spec_word_find(const struct spec_word *words, const char *name)
{
	for (; words->name; words++)
		if (str_eq(words->name, name))
			return words;
	return NULL;
}

int spec_cap_from_name(const char *name)
{
	size_t len;

	if (strncasecmp(name, "CAP_", 4) == 0)
		name += 4;
	len = strlen(name);
	if (len == 0)
		return -EINVAL;
	/* A container with every capability names 41 of them five times: look at one byte before comparing.
	 */
	for (int i = 0; i <= SPEC_CAP_LAST; i++) {
		const char *known = cap_names[i] + 4;

		if (((known[0] ^ name[0]) & ~0x20) == 0 && strcasecmp(known, name) == 0)
			return i;
	}
	return -EINVAL;
}

const char *spec_cap_name(int cap)
{
	return cap >= 0 && cap <= SPEC_CAP_LAST ? cap_names[cap] : NULL;
}
