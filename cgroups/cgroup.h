/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One partition's cgroup, on any host: pure v1, pure v2, or mixed (v1 controllers, cgroup2 on .../unified or
 * elsewhere, with or without controllers of its own), made by ringfence itself (cgroupfs) or by systemd (a
 * transient scope).
 *
 * Theory of operation
 *   The start path writes files directly and does as little as it can: one mkdir a hierarchy, the limits that
 * the config really has, and the join. It never writes another process's pid on v1: that takes
 * cgroup_threadgroup_rwsem and waits for an RCU grace period of about 8 ms, where a single-threaded process
 * that writes "0" to its own `tasks` does not. On v2 the child is born in its cgroup (CLONE_INTO_CGROUP,
 * cgrp_clone_fd()). libcgroup serves what is off that path: the statistics of v1 controllers. What walks
 * below a partition's cgroup (pids, kill, destroy) goes by descriptors instead of by path: names, depth and
 * number of sub-cgroups are in the hands of the partition's root.
 *
 *   A handle is made by cgrp_create() or, in a later process, by cgrp_load() from the JSON that cgrp_save()
 * wrote into the partition's state. Every path in it is relative to a hierarchy's root and was cleaned;
 * nothing of it is ever taken from inside the partition.
 *
 * One controller may be v1 and the next v2 (mixed hosts): resources.c has a table with a v1 and a v2 writer
 * for each controller (v1.c, v2.c) and takes the one that the host offers; systemd.c works on top of either.
 * Nobody outside this folder asks which one it is.
 */
#ifndef CGROUPS_CGROUP_H
#define CGROUPS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/json.h"
#include "spec/spec.h"

struct cgrp;

enum cgrp_manager { CGRP_CGROUPFS, CGRP_SYSTEMD, CGRP_DISABLED };

/*
 * "lean": on cgroup v1 no cgroup in a hierarchy that only limits what the config does not limit (memory,
 * blkio, …), unless the path has a parent, or the config mounts the tree for the payload to work with. A
 * later cgrp_update() makes what it needs; what was charged before stays where it was. "all", or none: a
 * cgroup in each but a cpuset. Without effect for systemd's scopes and on cgroup v2, where there is one for
 * all.
 */
#define CGRP_ANNOTATION "io.ringfence.cgroups"

struct cgrp_params {
	enum cgrp_manager manager;
	const char *id;		  /* the partition's */
	const char *cgroups_path; /* linux.cgroupsPath or NULL */
	/*
	 * Keeps two runtimes, or two --root directories, apart when the config names no path: the default
	 * path is /ringfence-<id>, or /ringfence-<id>@<tag>, never the bare /<id> that crun and runc share.
	 * Flat on purpose: one mkdir a hierarchy, no parent to race for or to leave behind, no level more for
	 * the scheduler and the memory charges.
	 * "" for the default root; else letters, digits and "_.+-".
	 */
	const char *root_tag;
	const struct spec_resources *resources;
	const struct spec_annotation *annotations; /* org.systemd.property.*, run.oci.systemd.subgroup,
						      run.oci.delegate-cgroup, … */
	size_t n_annotations;
	bool rootless; /* not real root: missing delegation is explained, and is no error where no limit was
			  asked for */
	/*
	 * The config mounts a cgroup file system: then the partition also gets a cgroup of its own in the
	 * hierarchies that hold no limits (v1 name=…, cgroup2 of a mixed host), or it would see the host's.
	 * About 0.14 ms, which others need not pay.
	 */
	bool visible;
	bool delegate; /* v2 + new cgroup namespace + writable cgroup mount: chown the delegatable files */
	uid_t delegate_uid; /* host ids of the partition's process */
	gid_t delegate_gid;
};

/*
 * Makes the cgroup, its missing parents, and writes the resources that need no member process. Refuses a
 * cgroup that holds processes or is frozen: another partition's. For the systemd manager the scope is made by
 * cgrp_attach(), since a scope needs a process; what the members of `p` point to must live until then. On
 * failure nothing that it made is left. A partition that has no device rules is allowed the standard devices
 * only (null, zero, full, random, urandom, tty, ptmx, pts, and mknod), as with runc.
 */
int cgrp_create(const struct cgrp_params *p, struct cgrp **out, struct err *e);

/*
 * The cgroup that cgrp_create() would make, as far as it exists: for the remains of a `create` that was
 * killed before it saved its handle. Makes nothing, checks nothing; the caller knows that nobody else's
 * partition has that path. No directory at all is a handle without hierarchies, and no error.
 */
int cgrp_find(const struct cgrp_params *p, struct cgrp **out, struct err *e);

/* An O_PATH|O_DIRECTORY fd for clone_args.cgroup on v2 with the cgroupfs manager; -1 where the child must
 * join by itself. Ours. */
int cgrp_clone_fd(const struct cgrp *c);

/*
 * The caller's clone3() could not use that fd (before Linux 5.7): from now on cgrp_clone_fd() is -1 and
 * cgrp_join_self() joins by hand, which costs an RCU grace period. Before the clone that follows.
 */
void cgrp_no_clone(struct cgrp *c);

/*
 * In the child, single-threaded, before it enters any namespace (it needs the host's /sys/fs/cgroup or fds
 * opened by cgrp_create()): puts itself in. Does nothing where cgrp_clone_fd() already did it.
 */
int cgrp_join_self(const struct cgrp *c, struct err *e);

/*
 * In the parent, after the child exists and before it goes on: what only works from outside or with a member
 * (systemd's StartTransientUnit, v1 memory limits below present use, …). `pid` as seen here. A no-op for
 * cgroupfs unless something is left.
 */
int cgrp_attach(struct cgrp *c, pid_t pid, struct err *e);

/* True if cgrp_attach() must be called and finished before the child may go on to unshare its cgroup
 * namespace. */
bool cgrp_needs_attach(const struct cgrp *c);

/*
 * In the parent, after the child has unshared its cgroup namespace: moves it into the sub-cgroup that the
 * annotation run.oci.delegate-cgroup names (v2 only), so that the namespace's root stays empty and may get
 * controllers. True if needed.
 */
bool cgrp_needs_delegated(const struct cgrp *c);
int cgrp_attach_delegated(struct cgrp *c, pid_t pid, struct err *e);

/*
 * For exec: where the new process goes: `sub` is NULL or what --cgroup says ("PATH" or "CONTROLLER:PATH",
 * relative to the partition's cgroup, ".." refused), may be given several times. Then
 * cgrp_clone_fd()/cgrp_join_self() of the handle act on it. On v2 a cgroup that got inner nodes (EBUSY on
 * join) falls back to the cgroup in which `init_pid` lives now.
 */
int cgrp_select(struct cgrp *c, char *const *subs, pid_t init_pid, struct err *e);

/* Applies a change of resources to a living cgroup (the handle may grow by it: save it afterwards): all
 * fields with `has`, in an order that the kernel accepts. */
int cgrp_update(struct cgrp *c, const struct spec_resources *r, struct err *e);

/* freezer: 0, or -EOPNOTSUPP where the host has none. Both return once the state is reached (a bounded wait).
 */
int cgrp_freeze(struct cgrp *c, struct err *e);
int cgrp_thaw(struct cgrp *c, struct err *e);
int cgrp_frozen(const struct cgrp *c, bool *frozen, struct err *e);

/* All processes, sub-cgroups included. *pids is malloc()ed. A cgroup that is gone has none. */
int cgrp_pids(const struct cgrp *c, pid_t **pids, size_t *n, struct err *e);

/*
 * Signals every process, sub-cgroups included. SIGKILL goes by cgroup.kill where there is one, else freeze +
 * kill rounds; a frozen v1 cgroup is thawed for it, since a process FROZEN there cannot die. Returns when the
 * signals are sent.
 */
int cgrp_kill(struct cgrp *c, int sig, struct err *e);

/*
 * Removes the cgroup with all below it, and the parents that cgrp_create() made and that are now empty; stops
 * the scope. Waits a bounded time for dying processes; still busy is -EBUSY, with the pids in the text. Gone
 * already is success.
 */
int cgrp_destroy(struct cgrp *c, struct err *e);

/* Members of the object "cgroup" in state.json. */
void cgrp_save(const struct cgrp *c, struct json_writer *w);
int cgrp_load(const struct json *j, struct cgrp **out, struct err *e);
void cgrp_free(struct cgrp *c);
DEFINE_CLEANUP(struct cgrp *, cgrp_free);

/* The path of the partition below a v1 controller's or the v2 root ("" if there is none): for mounts,
 * messages, `state`. */
const char *cgrp_path(const struct cgrp *c, const char *controller);
/* The scope's name with the systemd manager, else NULL. */
const char *cgrp_scope(const struct cgrp *c);

/* Can the systemd manager be asked (the user's, or the system's)? Connects to it and hangs up. */
int cgrp_systemd(bool user, struct err *e);

/* --- the host's hierarchies, as the cgroup mount inside a partition needs them --------------- */

enum cgrp_mode { CGRP_MODE_NONE, CGRP_MODE_V1, CGRP_MODE_V2, CGRP_MODE_MIXED };

struct cgrp_hierarchy {
	char mount_point[256]; /* on the host: "/sys/fs/cgroup/cpu,cpuacct" */
	char name[128];	       /* last component to mount it under: "cpu,cpuacct", "systemd", "unified" */
	char controllers[256]; /* comma list as in mountinfo: "cpu,cpuacct"; "name=systemd"; "" for cgroup2 */
	bool v2;
};

struct cgrp_host {
	enum cgrp_mode mode;
	struct cgrp_hierarchy *list; /* v1 ones in mount order, then cgroup2 */
	size_t n;
};

/* Cached for the life of the process; the result is not to be freed. */
int cgrp_host(const struct cgrp_host **out, struct err *e);

/*
 * The same without a look at each: an entry in which the partition at hand has no cgroup may turn out to be a
 * plain directory. For those who only want the names.
 */
int cgrp_host_names(const struct cgrp_host **out, struct err *e);

/*
 * The path, below that hierarchy's root, of the cgroup that a process is in (as in /proc/PID/cgroup), for
 * bind mounts of v1 hierarchies without a cgroup namespace. Into buf. 0 or -errno.
 */
int cgrp_path_of(pid_t pid, const struct cgrp_hierarchy *h, char *buf, size_t size, struct err *e);

/* --- statistics ------------------------------------------------------------------------------ */

/*
 * Reads everything the host offers and writes the members of the "data" object of an `events` line (runc's
 * layout: cpu, cpuset, memory, pids, blkio, hugetlb, psi, …) into an open object of w. A file that is missing
 * leaves its member out.
 */
int cgrp_stats(const struct cgrp *c, struct json_writer *w, struct err *e);

/*
 * The figures that a table shows, in bytes, ns and counts; UINT64_MAX: not known, or no limit. A file or two
 * each, so that thousands of partitions can be looked at every second.
 */
struct cgrp_usage {
	uint64_t cpu_ns, memory, memory_limit, pids, pids_limit;
	uint64_t io_read, io_write;
	/* Pressure (Documentation/accounting/psi.rst): in how much of the last 10 s some task waited for it,
	 * in hundredths of a percent; -1: the kernel or cgroup v1 does not tell. */
	int pressure_cpu, pressure_memory, pressure_io;
};
int cgrp_usage(const struct cgrp *c, struct cgrp_usage *u, struct err *e);

/*
 * An fd that becomes readable (POLLIN: v1 eventfd; POLLPRI: v2 memory.events, a file to be re-read) when an
 * OOM happens; *events is what to poll for. The caller closes it.
 */
int cgrp_oom_fd(const struct cgrp *c, short *events, struct err *e);
/* After it woke us: reads it, so that it does not do so again. False if the cgroup is gone, and the fd of no
 * more use. */
bool cgrp_oom_seen(int fd, short events);

/*
 * How many processes of the cgroup the kernel has killed for want of memory, whosever limit it was. A cgroup
 * that may be gone by the time that one asks (systemd removes a scope's with its last process) is opened
 * while it is surely there, and read later: -ENODEV, if that was too late. Nothing is read when it is opened,
 * so that the kernel keeps no buffer for it. The caller closes the fd.
 */
int cgrp_oom_open(const struct cgrp *c, struct err *e);
int cgrp_oom_read(int fd, uint64_t *n); /* 0 or -errno */
int cgrp_oom_count(const struct cgrp *c, uint64_t *n, struct err *e);
/*
 * The moment for that, where systemd is to remove the cgroup: an fd to poll(2) for POLLPRI. Pollers of
 * cgroup.events are woken while the last process still ends, systemd's inotify some time later, and its
 * SIGCHLD mostly after both. -EOPNOTSUPP where nobody but us removes it, or there is no cgroup v2. The
 * kernel keeps 4 KiB for what must be read of it first. The caller closes it.
 */
int cgrp_empty_fd(const struct cgrp *c, struct err *e);
/* After it woke us: whether the last process has left. Also if the cgroup is gone. */
bool cgrp_empty_seen(int fd);

/* --- arithmetic, pure ------------------------------------------------------------------------ */

/* cpu.shares 2..262144 to cpu.weight 1..10000 by the formula of runc 1.3.2 and crun 1.23:
 * ceil(10^((l^2+125l)/612 - 7/34)), l = log2. */
uint64_t cgrp_shares_to_weight(uint64_t shares);
/* blkio.weight 10..1000 to io.weight 1..10000. */
uint64_t cgrp_blkio_to_io_weight(uint64_t weight);
/* memory+swap and memory to memory.swap.max: -1 for max; -EINVAL if swap < limit. */
int cgrp_swap_max(int64_t limit, int64_t swap, int64_t *out, struct err *e);

#endif
