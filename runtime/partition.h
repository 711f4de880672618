/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A partition as it is kept on disk: its state directory, its lock, its state.json. Internal to runtime/ and
 * to engines.
 *
 * Crash safety
 *   The directory <root>/<id> is made first (mkdir decides who owns an id), then locked; then the snapshot is
 * written, with all that is needed to take a wreck away: the config, from which the cgroup's path follows,
 * its manager, the engine. Only then is anything made outside. state.json, with the process's pid, is written
 * before that is let go, and a process whose creator died sees its socket close and ends by itself. So at
 * every moment a kill -9 leaves something that rt_delete(force) can remove, and nothing that runs unrecorded.
 */
#ifndef RUNTIME_PARTITION_H
#define RUNTIME_PARTITION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/types.h>

#include "base/err.h"
#include "cgroups/cgroup.h"
#include "runtime/runtime.h"
#include "spec/spec.h"

struct rt_engine;

#define RT_STATE_FILE	 "state.json"
#define RT_SNAPSHOT_FILE "snapshot"
#define RT_START_SOCKET	 "start.sock"
/* The same, renamed by a start that is about to use it: whether the payload was let go, only the socket
 * itself can tell from then on. */
#define RT_STARTING_SOCKET "starting.sock"
#define RT_NOTIFY_DIR	   "notify"

struct rt_partition {
	struct arena *arena;
	int rootfd, dirfd; /* the root directory and ours below it; O_CLOEXEC */
	bool locked;
	bool saved;   /* state.json is there */
	bool damaged; /* state.json is missing or unreadable: a wreck */

	const char *id, *bundle, *rootfs, *created, *oci_version;
	uid_t owner;
	const struct rt_engine *engine;
	bool creating; /* its creator has not said that it is created */
	pid_t pid;
	uint64_t start_time; /* of the process, in clock ticks since boot: field 22 of /proc/PID/stat */
	bool own_pid_ns;     /* its pid 1 takes all others with it */
	bool rootless;
	bool no_new_keyring;
	enum cgrp_manager manager;
	struct cgrp *cgroup;   /* NULL: none (yet) */
	bool cgroup_guessed;   /* found by what the config says: what lives in it may be somebody else's */
	const char *intel_rdt; /* resctrl group to remove at delete, or NULL */
	struct spec_annotation *annotations;
	size_t n_annotations;
	struct spec *spec; /* from the snapshot; loaded by rt_partition_spec() */
};

struct rt_partition *rt_partition_free(struct rt_partition *p); /* unlocks; returns NULL */
static inline void rt_partition_freep(struct rt_partition **p)
{
	rt_partition_free(*p);
}

/* The effective user id that we were executed with: told by the kernel in the auxiliary vector, so no system
 * call. */
static inline uid_t rt_caller(void)
{
	return (uid_t)getauxval(AT_EUID);
}

/* Opens ctx->root; makes it (0700, parents 0755) if `create`. A missing one is -ENOENT. */
int rt_root_open(const struct rt_ctx *ctx, bool create, struct err *e);

/* A short text that differs between root directories ("" for the default one): keeps their default cgroups
 * apart. */
char *rt_root_tag(const struct rt_ctx *ctx, struct err *e);

/* A new, locked partition directory. -EEXIST if the id is taken. */
int rt_partition_new(const struct rt_ctx *ctx, const char *id, struct rt_partition **out, struct err *e);

enum rt_lock { RT_UNLOCKED, RT_LOCKED_SOON, RT_LOCKED };

/*
 * Opens an existing one. RT_LOCKED waits for its turn (at most RT_LOCK_SECONDS; RT_LOCKED_SOON: a tenth of
 * that) and then reads the state, so that it is the newest; -EBUSY if it does not come. Unknown ids give
 * -ENOENT and the text that engines look for. A damaged one is opened all the same, with `damaged` set.
 */
#define RT_LOCK_SECONDS 10
int rt_partition_open(const struct rt_ctx *ctx, const char *id, enum rt_lock lock, struct rt_partition **out,
	struct err *e);

/* While the caller waits for something long. Relocking gives -ENOENT if it was deleted meanwhile. */
void rt_partition_unlock(struct rt_partition *p);
int rt_partition_relock(struct rt_partition *p, struct err *e);

/* Whether the directory that we hold is still the one of that id. */
bool rt_partition_there(const struct rt_partition *p);

/* True if a process other than us holds the lock. */
bool rt_partition_busy(const struct rt_partition *p);

/*
 * For a wreck whose state does not tell: the cgroup that its config would have got, as far as it exists. Sets
 * p->cgroup and p->cgroup_guessed.
 */
void rt_partition_guess_cgroup(struct rt_partition *p, const struct rt_ctx *ctx);

/* Reads state.json into p; what there is of it even if that fails. */
int rt_state_read(struct rt_partition *p, struct err *e);

/* Of a partition whose creator has not come to write its state: what is known all the same. */
int rt_snapshot_head_read(struct rt_partition *p);

/* Writes state.json. */
int rt_partition_save(struct rt_partition *p, struct err *e);

/* Writes the snapshot: the config as it was read, and what else a wreck is cleared away by. */
int rt_partition_snapshot(const struct rt_partition *p, const char *text, size_t len, struct err *e);

/* What a config leaves to the runtime, or says by annotation; the same at create and whenever the snapshot is
 * read. */
int rt_adapt_spec(struct spec *s, struct err *e);

/*
 * For a program that runs partitions under circumstances which their configs do not know (the agent in a
 * sandbox's guest): `adapt` has the last word in rt_adapt_spec(), so the snapshot stays what the caller
 * wrote. What it puts into `s` lives in s->arena or as long as the process. NULL: none, as it is at first.
 */
void rt_set_adapter(int (*adapt)(struct spec *s, void *arg, struct err *e), void *arg);

/* Loads the config out of the snapshot into p->spec, once. */
int rt_partition_spec(struct rt_partition *p, struct err *e);

/* Removes the directory and everything in it. What is gone already is no error. */
int rt_partition_remove(struct rt_partition *p, struct err *e);

/* What the engine says, or what follows from a wreck. */
int rt_partition_status(const struct rt_partition *p, enum rt_status *out, struct err *e);

/* The OCI state document, as hooks and agents get it; pid 0 leaves it out. malloc()ed, or NULL without
 * memory. */
char *rt_partition_state_json(const struct rt_partition *p, const char *status, pid_t pid);

/* --- processes
 * ---------------------------------------------------------------------------------------------------------------
 */

/* Start time of a process; *state gets its state letter ('Z' a zombie). -ESRCH if there is none. */
int rt_proc_stat(pid_t pid, uint64_t *start_time, char *state);

/* True if the partition's recorded process lives (a zombie does not). */
bool rt_alive(const struct rt_partition *p);

/* A pidfd of that very process, or -ESRCH. */
int rt_pidfd(const struct rt_partition *p);

#endif
