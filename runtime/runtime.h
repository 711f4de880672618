/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a partition: one call for each verb of the command line. cli/ parses options, calls one of
 * these, prints.
 *
 * State lives in <root>/<id>/ (0700): snapshot (the config as it was at create), state.json (written whole),
 * start.sock while the partition is created but not started. The verbs that change something hold flock(2) on
 * that directory, so verbs on one id line up; `state` and `list` take no lock and read whole files. A process
 * is known by pid and start time, so a recycled pid is never mistaken for it.
 *
 * Errors that engines look for by text are made here, once (REQUIREMENTS of the engines: docs/engines.md):
 *   unknown id            -ENOENT  container "ID" does not exist
 *   not running (kill)    -ESRCH   container not running: no such process
 */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/json.h"
#include "cgroups/cgroup.h"
#include "spec/spec.h"

/* Global options, the same for every verb. */
struct rt_ctx {
	const char *root;	   /* --root; NULL: the default (rt_default_root()) */
	enum cgrp_manager manager; /* --systemd-cgroup, --cgroup-manager */
	int rootless;		   /* --rootless: 1, 0, or -1 for auto */
	bool debug;
	/* Not the runtime's own: for launch/ and images/, and handed through. */
	const char *data;  /* --data */
	const char *store; /* --store */
	const char *log, *log_format, *log_level;
};

/* /run/ringfence for root, $XDG_RUNTIME_DIR/ringfence otherwise. malloc()ed. */
char *rt_default_root(struct err *e);

/*
 * [A-Za-z0-9_+-.]+, not starting with '.' (runc and crun agree on it), and so long at most that
 * "ringfence-ID@TAG", the default cgroup, can still be the name of a directory (NAME_MAX).
 */
#define RT_ID_MAX 236
int rt_check_id(const char *id, struct err *e);

/* --- create, start, run
 * ---------------------------------------------------------------------------------------------------- */

/*
 * Whether the kernel has killed something of a partition for want of memory. The cgroup counts it, and the
 * count is read at the payload's end. But systemd removes a cgroup that is empty, mostly before that end is
 * told: there, with a limit on memory, one has to watch. A change of memory.events comes before the victim's
 * death, but up to 10 ms late; a change of cgroup.events as the last process leaves, when systemd has still
 * some way to go. What cannot be read any more, or never could, is told as false.
 */
struct rt_oom {
	int fd;	   /* the count; -EBADF: not known (any more) */
	int empty; /* cgroup.events; -EBADF: there is no need to watch */
	int to;	   /* send both there (a message of one byte), and keep none; -EBADF: they are ours */
	int looks; /* in vain */
	bool killed;
};
#define RT_OOM_INIT                              \
	{                                        \
		-EBADF, -EBADF, -EBADF, 0, false \
	}
/* What to poll(2) for, also without an `oom`; and what to do at once after it. */
#define RT_OOM_POLLS 2
struct pollfd;
void rt_oom_poll(const struct rt_oom *oom, struct pollfd *p);
void rt_oom_look(struct rt_oom *oom, const struct pollfd *p);
/* For engines: sends both to `to`, and keeps none, if there is somebody. */
void rt_oom_hand_over(struct rt_oom *oom);
/* At the end. Reads it, if that was not done, and closes all. */
void rt_oom_read(struct rt_oom *oom);

struct rt_create_opts {
	const char *id;
	const char *bundle;	    /* NULL: the working directory */
	const char *config;	    /* -f/--config: file name, relative to the bundle; NULL: config.json */
	const char *console_socket; /* paths, NULL if not given */
	const char *pidfd_socket;
	const char *pid_file;
	bool no_pivot, no_new_keyring, no_subreaper;
	int preserve_fds; /* N: fds 3 .. 3+N-1 reach the payload (LISTEN_FDS are added by the runtime) */
	const char *isolation,
		*accel;	   /* which engine, and how it is to work; for cli/, which tells the engine */
	bool detach, keep; /* run only */
	/*
	 * Of mnt_template_new(), or 0: the partition's mount namespace is made of it, where its config allows
	 * that. Its sysfs shows a loopback device and nothing else, and whoever gives one knows that no other
	 * will come. Borrowed.
	 */
	int mnt_template;
	/* run only: NULL, or (RT_OOM_INIT, and `to`) to be told. Not worth its system calls to everybody. */
	struct rt_oom *oom;
};

int rt_create(const struct rt_ctx *ctx, const struct rt_create_opts *o, struct err *e);
int rt_start(const struct rt_ctx *ctx, const char *id, struct err *e);
/*
 * create + start; attached: waits, forwards signals and the terminal, cleans up unless keep. *status gets
 * what the command should exit with (the payload's, or 128 + signal; 0 when detached). An error is a failure
 * of the runtime.
 */
int rt_run(const struct rt_ctx *ctx, const struct rt_create_opts *o, int *status, struct err *e);

/* --- exec
 * -------------------------------------------------------------------------------------------------------------------
 */

struct rt_exec_opts {
	const char *id;
	const char
		*process_file; /* --process: a process.json; then args and the fields below must be unset */
	char *const *args;     /* the command, if no process_file */
	const char *cwd;       /* NULL: the config's */
	char *const *env;      /* --env, on top of the config's; may be NULL */
	int tty;	       /* 1, 0, or -1 for not given */
	const char *user;      /* "UID[:GID]", strictly decimal; NULL: the config's */
	char *const *additional_gids; /* decimal strings; may be NULL */
	char *const *caps;	      /* --cap, on top of the config's; may be NULL */
	char *const *cgroups;	      /* --cgroup [CONTROLLER:]PATH; may be NULL */
	const char *console_socket, *pidfd_socket, *pid_file;
	const char *process_label, *apparmor;
	bool no_new_privs, no_new_privs_given;
	bool detach, ignore_paused;
	int preserve_fds;
};

/*
 * As rt_run: *status is the payload's. *exec_failed is set when the error came from the payload's own exec
 * (not found, not executable, bad cwd, …) and not from a missing, stopped or paused partition.
 */
int rt_exec(const struct rt_ctx *ctx, const struct rt_exec_opts *o, int *status, bool *exec_failed,
	struct err *e);

/* --- the other verbs
 * ------------------------------------------------------------------------------------------------------- */

/* all: every process of the cgroup; a partition that is not running is then no error. */
int rt_kill(const struct rt_ctx *ctx, const char *id, int sig, bool all, struct err *e);
/* force: kills what runs, removes any wreck, and an unknown id is success. */
int rt_delete(const struct rt_ctx *ctx, const char *id, bool force, struct err *e);
int rt_pause(const struct rt_ctx *ctx, const char *id, struct err *e);
int rt_resume(const struct rt_ctx *ctx, const char *id, struct err *e);
int rt_update(const struct rt_ctx *ctx, const char *id, const struct spec_resources *r, const char *l3_schema,
	const char *mb_schema, struct err *e);
/* Host pids, sub-cgroups included. *pids is malloc()ed. */
int rt_pids(const struct rt_ctx *ctx, const char *id, pid_t **pids, size_t *n, struct err *e);

/* "KILL", "SIGKILL", "sigkill", "9", "RTMIN+3": the number, or -EINVAL. */
int rt_signal_parse(const char *s, struct err *e);

/* --- what there is
 * ------------------------------------------------------------------------------------------------------------
 */

enum rt_status { RT_CREATING, RT_CREATED, RT_RUNNING, RT_PAUSED, RT_STOPPED };
extern const char *const rt_status_names[];

/* In the state of one that has ended by itself, not by its payload: why (engine.h). */
#define RT_FAILURE_ANNOTATION "io.ringfence.failure"

struct rt_info {
	char *id, *bundle, *rootfs, *created /* RFC 3339, ns */, *owner, *oci_version, *engine;
	enum rt_status status;
	pid_t pid;   /* 0 when stopped */
	bool apart;  /* the pid is not one of its own processes (engine.h) */
	char *scope; /* systemd scope or NULL */
	const struct spec_annotation *annotations;
	size_t n_annotations;
	struct arena *arena; /* all of the above live here */
};
void rt_info_free(struct rt_info *i);

int rt_info(const struct rt_ctx *ctx, const char *id, struct rt_info *out, struct err *e);
/*
 * All partitions below the root, by id. *list is malloc()ed, each entry to be freed with rt_info_free(). A
 * missing default root is an empty list, a missing explicit one -ENOENT. One that vanishes meanwhile is left
 * out; a damaged one is listed as stopped.
 */
int rt_list(const struct rt_ctx *ctx, struct rt_info **list, size_t *n, struct err *e);
/* The `state` document (runc's layout) into an open object. */
void rt_info_write(const struct rt_info *i, struct json_writer *w);

/* --- usage
 * -------------------------------------------------------------------------------------------------------------------
 */

struct rt_usage {
	struct cgrp_usage cgroup;
	uint64_t net_rx, net_tx; /* bytes, of a network namespace of its own; else UINT64_MAX */
};

/*
 * For looking at a partition again and again: its state is read once, and no descriptor is held. -ENOENT, or
 * -ESRCH when it does not run, also when it has ended since.
 */
struct rt_meter;
int rt_meter_open(const struct rt_ctx *ctx, const char *id, struct rt_meter **out, struct err *e);
int rt_meter_read(struct rt_meter *m, struct rt_usage *out, struct err *e);
void rt_meter_free(struct rt_meter *m);
DEFINE_CLEANUP(struct rt_meter *, rt_meter_free);

/* --- events
 * -------------------------------------------------------------------------------------------------------------------
 */

/* One {"type":"stats","id":…,"data":{…}} line, without newline. malloc()ed. */
int rt_stats(const struct rt_ctx *ctx, const char *id, char **line, struct err *e);
/*
 * Calls line() for a stats event every interval_ms and for each OOM as it happens, until the partition ends
 * (0) or line() returns non-zero (that value).
 */
int rt_events(const struct rt_ctx *ctx, const char *id, int interval_ms,
	int (*line)(const char *text, void *arg), void *arg, struct err *e);

#endif
