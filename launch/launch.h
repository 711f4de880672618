/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Living with partitions: what `ringfence launch` makes of an image and what the verbs beside it do with it.
 * One call for each verb; cli/ parses options, calls one of these, prints.
 *
 * Theory of operation
 *   A launched partition is a bundle of the OCI runtime below it, kept on disk: <data>/partitions/NAME holds
 * its config.json, what was asked for (launch.json), how it is (state.json), its overlay's upper directory
 * and its log (record.h). NAME is also the id that the runtime knows it by, so `exec`, `ps`, `pause`,
 * `update` and their kin work on it as on any other. The runtime's own state is in /run and gone after a
 * boot; the bundle stays until `rm`, and `restart` runs it again.
 *
 *   In the foreground the command itself stays with the payload. A detached one has a supervisor
 * (supervise.h), which is nothing but its parent: it keeps the log, the exit status and the restart policy.
 * What either of them had no time to write down because it was killed, or because the host went down, is
 * found out by whoever looks (launch_info()): a state that says "running" is believed only as far as the
 * runtime's state, the processes' start times and the boot id bear it out.
 *
 *   What a partition was launched with is kept in two forms, and neither is read where the other says it:
 * config.json is what runs; launch.json is what was asked for, for `inspect`, `restart`, `rename`, `rm`, the
 * network hooks and the supervisor.
 *
 *   Network: config.json has hooks (createRuntime, poststop) that call ringfence itself (network.h), so that
 * it is taken down whoever ends the partition, `delete --force` included.
 */
#ifndef LAUNCH_LAUNCH_H
#define LAUNCH_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "runtime/runtime.h"
#include "spec/spec.h"

/* What all of these need to know. All borrowed. */
struct launch_ctx {
	const struct rt_ctx *rt;
	/* --data, $RINGFENCE_DATA; NULL: /var/lib/ringfence, or $XDG_DATA_HOME/ringfence (~/.local/share) */
	const char *data;
	const char *store; /* --store; NULL: as in images/store.h */
};

/* --- launch ------------------------------------------------------------------------------------- */

enum launch_restart {
	LAUNCH_RESTART_NO,
	LAUNCH_RESTART_ON_FAILURE,
	LAUNCH_RESTART_ALWAYS,
	LAUNCH_RESTART_UNLESS_STOPPED
};
extern const char *const launch_restart_names[]; /* "no", "on-failure", "always", "unless-stopped" */

/*
 * As given on the command line; lists are NULL-terminated or NULL, strings NULL where nothing was said. Texts
 * are parsed, and refused by name, by launch_config() and launch_network_parse().
 */
struct launch_opts {
	const char *image;	/* a name, a digest, or "host": the sparse-root zone of this host */
	const char *name;	/* NULL: one is made up */
	char *const *command;	/* in the place of the image's Cmd */
	const char *entrypoint; /* in the place of the image's; "": none */
	bool detach, interactive, tty, rm, init, read_only, boot, privileged;
	char *const *env;	/* "NAME=value"; "NAME": ours */
	char *const *env_files; /* a line each, as --env */
	const char *workdir, *user, *hostname;
	char *const *volumes; /* [SOURCE:]DESTINATION[:OPTIONS] */
	char *const *mounts;  /* type=bind|volume|tmpfs,source=…,destination=…,… */
	char *const *tmpfs;   /* DESTINATION[:OPTIONS] */
	char *const *publish; /* [[IP:]HOST:]PORT[/tcp|/udp], ranges too */
	const char *network;  /* none, host, bridge[:NAME], pasta, container:NAME; NULL: see network.h */
	struct spec_i64 memory, memory_swap; /* bytes; -1: no limit */
	const char *cpus;		     /* "1.5" */
	const char *cpuset;
	struct spec_i64 pids;
	char *const *devices;			/* HOST[:INSIDE[:rwm]] */
	char *const *cap_add, *const *cap_drop; /* "ALL" too */
	char *const *security_opt; /* seccomp=FILE|unconfined, no-new-privileges[=false], apparmor=, label=,
				      mask=, unmask= */
	const char *userns;	   /* auto, host, UID:SIZE; NULL: auto where the host allows it, else host */
	char *const *ulimits;	   /* NAME=SOFT[:HARD] */
	char *const *sysctls;	   /* NAME=VALUE */
	char *const *labels, *const *annotations; /* KEY=VALUE */
	const char *restart;			  /* no, on-failure[:N], always, unless-stopped */
	struct spec_i64 log_max;		  /* bytes of a log file before it is rotated */
	const char *stop_signal;
	int stop_timeout;      /* seconds; -1: not said (10) */
	const char *isolation; /* partition or sandbox */
	const char *accel;     /* of a sandbox: auto, kvm, tcg or qemu */
	const char *pull;      /* missing, always, never */
	const char *shm_size;
	const char *pid_file, *cidfile;
	char *const *dns, *const *add_hosts;
};

/*
 * Makes it and runs it. *status as rt_run(): the payload's in the foreground, 0 when detached; then `name`
 * (in the arena) is what to print. On failure nothing of it is left, but for images that were pulled.
 */
int launch_run(const struct launch_ctx *ctx, const struct launch_opts *o, struct arena *a, const char **name,
	int *status, struct err *e);

/* --- what there is ------------------------------------------------------------------------------ */

enum launch_status {
	LAUNCH_CREATED, /* made, never ran (its creator was killed) */
	LAUNCH_RUNNING,
	LAUNCH_PAUSED,
	LAUNCH_RESTARTING, /* its supervisor waits before the next try */
	LAUNCH_EXITED,	   /* `exit_code` says how */
	LAUNCH_LOST, /* it does not run, and nobody saw it end: killed with its supervisor, or the host went
			down */
};
extern const char *const launch_status_names[];

/* Everything lives in the arena that it was read into. */
struct launch_info {
	const struct launch_record *record; /* record.h */
	enum launch_status status;
	int exit_code; /* of LAUNCH_EXITED */
	bool oom_killed;
	const char *started, *finished; /* RFC 3339, NULL: never */
	const char *error;		/* why it did not start, or NULL */
	pid_t pid;			/* of the payload, 0 if there is none */
	pid_t supervisor;		/* 0: none */
	int restarts;
};

/* -ENOENT: no partition "NAME", with a hint if the runtime has one that was not launched. */
int launch_info(const struct launch_ctx *ctx, const char *name, struct arena *a, struct launch_info *out,
	struct err *e);
/* All of them, by name. One that vanishes meanwhile is left out; a damaged one is listed as lost. */
int launch_list(
	const struct launch_ctx *ctx, struct arena *a, struct launch_info **out, size_t *n, struct err *e);

/* What ringfence(8) says of `ls --format json`: members into an open object. */
void launch_info_write(const struct launch_info *i, struct json_writer *w);
/* The object of `inspect`: the same, with addresses, bundle and config. */
int launch_inspect(const struct launch_ctx *ctx, const char *name, struct arena *a, struct json_writer *w,
	struct err *e);

/* --- the other verbs ---------------------------------------------------------------------------- */

/* Tells it to end: its stop signal, then after `timeout` seconds (-1: its own) SIGKILL. Its restart policy is
 * not asked. One that does not run is success. */
int launch_stop(const struct launch_ctx *ctx, const char *name, int timeout, struct err *e);
/* Ends it if it runs and runs it again, detached or not as it was launched; a foreground one is run detached.
 */
int launch_restart(const struct launch_ctx *ctx, const char *name, int timeout, struct err *e);
/* `force`: also one that runs (SIGKILL), also a wreck. `volumes`: its anonymous volumes too. */
int launch_rm(const struct launch_ctx *ctx, const char *name, bool force, bool volumes, struct err *e);
/* Waits until it has ended for good; its exit code. */
int launch_wait(const struct launch_ctx *ctx, const char *name, int *code, struct err *e);
int launch_rename(const struct launch_ctx *ctx, const char *old, const char *name, struct err *e);

#endif
