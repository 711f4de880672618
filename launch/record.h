/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A launched partition on disk:
 *
 *   <data>/partitions/NAME/       0700, the bundle
 *     config.json                 what runs (config.h)
 *     launch.json                 what was asked for: struct launch_record
 *     state.json                  how it is: struct launch_state; written by whoever stays with the payload
 *     root/                       where the root file system is attached: empty
 *     upper/ work/                the overlay's; files have the image's ids, whatever the user namespace
 *     log, log.1                  what it said (log.h)
 *     host                        of the zone "host": a symlink to the <data>/host/KEY that it uses
 *     control                     the supervisor's socket (supervise.h), 0600
 *   <data>/partitions/.gone/      what is being removed; what a killed `rm` left goes with the next
 *   <data>/host/KEY/              the lower directory of zones "host" (host_root.c)
 *   <data>/volumes/NAME/_data     named and anonymous volumes
 *   <data>/ids/FIRST              a symlink to the NAME that has the range of user ids from FIRST on (ids.h)
 *   <data>/template               who holds the template of mount namespaces (template.c)
 *   <data>/network/               what CNI plugins keep (network.h)
 *
 * Crash safety: as runtime/partition.h. mkdir decides who owns a name; the directory is flock()ed by verbs
 * that change something, and by a supervisor never (it only writes state.json, which is replaced as a whole,
 * and the log). launch.json is written before config.json, so that a directory with a config can be removed
 * with all that belongs to it; one without launch.json is a wreck that `rm --force` (and the next launch
 * under its name) removes. `rm` goes the other way: the runtime's partition, the network, the use of the
 * image, the ids, then the directory, renamed away first so that a kill -9 in the middle leaves no half of it
 * under its name.
 */
#ifndef LAUNCH_RECORD_H
#define LAUNCH_RECORD_H

#include "launch/launch.h"

struct launch_port {
	const char *host_ip; /* "0.0.0.0" */
	uint16_t host_port, port;
	const char *protocol; /* "tcp", "udp" */
};

struct launch_record {
	const char *name;
	const char *image;	/* as it was given */
	const char *image_name; /* as the store has it; NULL: by digest, or "host" */
	const char *target;	/* digest of what is pinned in the store; NULL: "host" */
	const char *image_id;	/* digest of the image's config, or NULL */
	const char *created;	/* RFC 3339 with nanoseconds, UTC */
	const char *rt_root;	/* of the runtime; NULL: the default */
	int manager;		/* enum cgrp_manager */
	char *const *command;	/* what runs: entrypoint and command */
	bool detach, interactive, tty, rm, boot;
	enum launch_restart restart;
	int restart_max;	 /* of on-failure; 0: no limit */
	int64_t log_max;	 /* bytes; 0: no limit */
	const char *stop_signal; /* "SIGTERM" */
	int stop_timeout;	 /* seconds */
	const char *network;	 /* as launch_opts, never NULL */
	struct launch_port *ports;
	size_t n_ports;
	char *const *dns;
	int64_t ids; /* the first host id of its user namespace; -1: none of its own */
	uint32_t n_ids;
	char *const *volumes;		/* names of those below <data>/volumes that it uses */
	char *const *anonymous_volumes; /* those of them that go with it */
	char *const *labels;		/* "KEY=VALUE" */
};

enum launch_phase {
	LAUNCH_PHASE_STARTING,
	LAUNCH_PHASE_UP,
	LAUNCH_PHASE_WAITING /* to restart */,
	LAUNCH_PHASE_ENDED
};

struct launch_state {
	enum launch_phase phase;
	const char
		*boot_id; /* of /proc/sys/kernel/random/boot_id: what is said of processes is of that boot */
	pid_t pid, supervisor;	   /* 0: none. A foreground command is its own supervisor. */
	uint64_t supervisor_start; /* clock ticks since boot: field 22 of /proc/PID/stat */
	const char *started, *finished;
	int exit_code;
	bool oom_killed, stopped_by_user;
	int restarts;
	const char *error;
};

struct launch_dir {
	int partitions;	  /* fd of <data>/partitions */
	int fd;		  /* of the partition's directory */
	const char *path; /* absolute, in the arena */
	struct launch_record record;
	bool damaged;	 /* launch.json is missing or unreadable */
	const char *was; /* another name that launch.json still has: a rename was cut short; or NULL */
};
#define LAUNCH_DIR_INIT                            \
	{                                          \
		.partitions = -EBADF, .fd = -EBADF \
	}

/* fd of <data>/SUB, made (0700) if `create`; -ENOENT. *path (may be NULL): absolute, in the arena. */
int launch_data_open(const struct launch_ctx *ctx, const char *sub, bool create, struct arena *a,
	const char **path, struct err *e);
/* Where the image store is: --store, $RINGFENCE_STORE, or "store" in the data directory; in the arena. */
int launch_store_path(const struct launch_ctx *ctx, struct arena *a, const char **out, struct err *e);

/* What rt_check_id() and img_use_set() agree on: letters, digits, '_', '-', '.', beginning with none of the
 * last two. `kind` is for the error: "partition", "volume". -EINVAL. */
int launch_check_name(const char *kind, const char *name, struct err *e);
/* "brave_otter"; from the second attempt on with digits behind. NULL without memory. */
const char *launch_make_name(struct arena *a, int attempt);

/* A new, locked directory; a wreck of the name is removed first. -EEXIST: the name is taken, also by a
 * partition that only the runtime knows. */
int launch_dir_new(const struct launch_ctx *ctx, const char *name, struct arena *a, struct launch_dir *out,
	struct err *e);
/* `lock`: waits at most RT_LOCK_SECONDS for its turn. -ENOENT, -EBUSY. */
int launch_dir_open(const struct launch_ctx *ctx, const char *name, bool lock, struct arena *a,
	struct launch_dir *out, struct err *e);
/* Is what the partition has written to its root file system in its directory? -EOPNOTSUPP: a sandbox had it
 * on a disk that ends with it. */
int launch_dir_check_written(const struct launch_dir *d, struct err *e);
void launch_dir_unlock(struct launch_dir *d);
void launch_dir_close(struct launch_dir *d); /* unlocks */
DEFINE_CLEANUP(struct launch_dir *, launch_dir_close);

/* Goes on with a rename that was cut short (d->was), before anything in the locked directory is used by what
 * config.json says: its paths may be those of another partition by now. Else nothing. */
int launch_rename_finish(const struct launch_ctx *ctx, struct launch_dir *d, struct arena *a, struct err *e);

/* Is the directory that we hold still the one of that name? */
bool launch_dir_there(const struct launch_dir *d);

int launch_record_write(const struct launch_dir *d, const struct launch_record *r, struct err *e);
/* A missing state.json is one of LAUNCH_PHASE_STARTING without processes. */
int launch_state_read(const struct launch_dir *d, struct arena *a, struct launch_state *out, struct err *e);
int launch_state_write(const struct launch_dir *d, const struct launch_state *s, struct err *e);

/* The runtime that this record's partition lives under: ctx->rt with what the record says of it. */
struct rt_ctx launch_rt(const struct launch_ctx *ctx, const struct launch_record *r);
/* Is that process still the one of this boot? */
bool launch_supervised(const struct launch_state *s);

#endif
