/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent of a detached partition: a process that does nothing but to copy its output into the log and to
 * wait.
 *
 * Theory of operation
 *   launch_supervisor_start() executes our own program as `ringfence supervise NAME` in a session of its own
 * and waits for its report. The supervisor makes itself the subreaper, opens log and control socket, and has
 * a child create and start the partition (rt_run(), detached), so that the memory that this takes is given
 * back when that child ends. It then sleeps in poll(2) on the payload's pipes or terminal, a pidfd, and the
 * control socket. When the payload ends it writes state.json, has a child delete the runtime's partition
 * (cgroup, poststop hooks), and starts it again if the policy says so: after 100 ms, doubled each time up to
 * a minute, from the beginning again after 10 s of life. With `rm` it removes all of it at the end. Private
 * memory is to stay under 300 KiB: no arena, no JSON tree, no stdio is kept while it sleeps. The payload
 * outlives a supervisor that is killed: its pipes break (EPIPE), which most programs do not survive; `ls`
 * tells, `stop` and `rm` work, `restart` gives it a new one.
 *
 * Control socket: AF_UNIX, SOCK_SEQPACKET, 0600 in a directory of 0700; peers are checked by SO_PEERCRED
 * (CVE-2020-15257). A client sends a message of one command byte: ATTACH, then INPUT, RESIZE, CLOSE_INPUT;
 * STOP (do not restart; the caller signals the payload itself). It gets OUTPUT with a stream number, and EXIT
 * with the status.
 */
#ifndef LAUNCH_SUPERVISE_H
#define LAUNCH_SUPERVISE_H

#include "launch/record.h"

/* Starts one for the partition, whose directory is complete. Returns when the payload runs, or why it does
 * not. */
int launch_supervisor_start(const struct launch_ctx *ctx, const struct launch_dir *d, struct err *e);
/* The verb `supervise`: `report` is the fd that launch_supervisor_start() reads. Returns the exit status. */
int launch_supervise(const struct launch_ctx *ctx, const char *name, int report, struct err *e);
/* Tells it that the end is wanted; one that is not there is no error. */
int launch_supervisor_stop(const struct launch_dir *d, struct err *e);
/* Our terminal or stdin and stdout joined to it until it ends or `detach_keys` ("ctrl-p,ctrl-q") were typed;
 * *status is the payload's, or -1 if we only left. */
int launch_attach(const struct launch_ctx *ctx, const char *name, bool no_stdin, const char *detach_keys,
	int *status, struct err *e);

#endif
