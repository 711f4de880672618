/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent of a detached partition: a process that does nothing but to copy its output into the log and to
 * wait.
 *
 * Theory of operation
 *   launch_supervisor_start() executes our own program as `ringfence supervise NAME` in a session of its own
 * and waits for its report. The supervisor makes itself the subreaper, opens log and control socket, and has
 * a child create and start the partition (rt_run(), detached), so that the memory that this takes is given
 * back when that child ends. It then sleeps in poll(2) on the payload's pipes or terminal, a signalfd, and
 * the control socket. When the payload ends it has a child write state.json and delete the runtime's
 * partition (cgroup, poststop hooks), and starts it again if the policy says so: after 100 ms, doubled each
 * time up to a minute, from the beginning again after 10 s of life. With `rm` it removes all of it at the
 * end. Private memory is to stay under 300 KiB: no arena, no JSON tree, no stdio is kept while it sleeps; and
 * after a second without anything to do under 24 (doze.h).
 *
 *   Its end is that of the partition: while the recorded supervisor lives, something is still to come.
 * SIGTERM to it is `stop`; a second one is SIGKILL to the payload. SIGHUP is ignored. The payload outlives a
 * supervisor that is killed: its pipes break (EPIPE), which most programs do not survive; `ls` tells, `stop`
 * and `rm` work, `restart` gives it a new one.
 *
 *   Policies: `always` and `unless-stopped` are the same while the host is up, since nothing of ours runs
 * that would start a partition after a boot; `ringfence generate systemd` writes a unit for that.
 *
 * Control socket: AF_UNIX, SOCK_SEQPACKET, 0600 in a directory of 0700; control.h has what is said on it. A
 * client that does not take its output holds the payload up for a second at most; after that it gets a gap,
 * and is told how long it was (the log has all of it).
 */
#ifndef LAUNCH_SUPERVISE_H
#define LAUNCH_SUPERVISE_H

#include "launch/log.h"
#include "launch/record.h"

/*
 * Starts one for the partition, whose directory is complete and locked by the caller. Returns when the
 * payload runs (state.json says so), or why it does not; then nothing of it runs.
 */
int launch_supervisor_start(const struct launch_ctx *ctx, const struct launch_dir *d, struct err *e);
/*
 * The verb `supervise`: `report` is the fd that launch_supervisor_start() reads. -1: a service manager has
 * started us, which is told when the payload runs (NOTIFY_SOCKET), and we lock the directory ourselves until
 * then. Returns the exit status: the payload's, or 0 if its end was asked for. `may_doze`: the program's
 * entry point knows how (doze.h).
 */
int launch_supervise(
	const struct launch_ctx *ctx, const char *name, int report, bool may_doze, struct err *e);
/* Is this process a supervisor that has dozed, and which has not yet called launch_supervise() again? */
bool launch_supervise_woken(void);
/*
 * Tells it that the end is wanted: no restart. The caller signals the payload. `keep`: nor a removal (--rm).
 * 1: it knows; 0: none is there.
 */
int launch_supervisor_stop(const struct launch_dir *d, bool keep, struct err *e);

struct launch_attach_opts {
	bool no_stdin;
	bool no_sig_proxy;	 /* signals that come to us are about us */
	const char *detach_keys; /* "ctrl-p,ctrl-q"; NULL: that; "": none */
};
struct launch_attach_end {
	int status;    /* of the payload, or -1 if we only left */
	uint64_t lost; /* bytes of output that we were too slow for */
};
/*
 * Our terminal or stdin, stdout and stderr joined to it until it ends or the detach keys were typed. stdin's
 * end is passed on, unless stdin is a device (/dev/null).
 */
int launch_attach(const struct launch_ctx *ctx, const char *name, const struct launch_attach_opts *o,
	struct launch_attach_end *end, struct err *e);

/* The data directory that it is in, absolute, in the arena; NULL without memory. */
const char *launch_dir_data(const struct launch_dir *d, struct arena *a);

/* What it has said (log.h). `follow` until it ends; q->ended and q->arg are set here. */
int launch_logs(const struct launch_ctx *ctx, const char *name, struct launch_log_query *q, struct err *e);

#endif
