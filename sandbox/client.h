/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs' side of the monitor's socket, <state>/<id>/start.sock until the partition has been started, and
 * <state>/<id>/control.sock from then on: which of the two there is tells "created" from "running".
 */
#ifndef SANDBOX_CLIENT_H
#define SANDBOX_CLIENT_H

#include "base/err.h"
#include "runtime/partition.h"
#include "runtime/runtime.h"
#include "sandbox/proto.h"

#define CLIENT_SOCKET "control.sock"

/*
 * Where the monitor's sockets are: its own state directory, or its pod's (pod.h); a descriptor of the
 * caller's, -errno.
 */
int client_dir(const struct rt_partition *p);
/* By which number the monitor knows it (proto.h). */
uint32_t client_number(const struct rt_partition *p);

/* Makes the socket that the monitor listens on. */
int client_listen(struct rt_partition *p, struct err *e);

/*
 * Asks the monitor something and waits for the answer; `stop_fd` (0: none): gives up when it is readable
 * (-ECANCELED). -ETIMEDOUT after CLIENT_SECONDS, but for what runs programs of the partition's, which take
 * as long as they like (START). *exec_failed (may be NULL) as for rt_exec().
 */
#define CLIENT_SECONDS	    60
#define CLIENT_KILL_SECONDS 2  /* SIGKILL */
#define CLIENT_SYNC_SECONDS 10 /* SYNC */
int client_ask(struct rt_partition *p, enum proto_type what, const void *data, size_t len, int stop_fd,
	bool *exec_failed, struct err *e);

/* The same for what is answered with a document, which is hostile; it is the partition's. */
int client_fetch(struct rt_partition *p, enum proto_type what, const struct json **answer, struct err *e);

/* Leaves it in the monitor's socket, for one that is paused and will read it when it goes on. */
int client_tell(struct rt_partition *p, enum proto_type what, const void *data, size_t len, struct err *e);

/*
 * exec.c: a process in the guest. On the host it is a process of its own, which holds the connection, hands
 * signals and sizes on, and ends with the guest's process's status: what engines wait for and what they
 * signal.
 */
int client_exec(struct rt_partition *p, const struct rt_exec_opts *o, const struct spec_process *proc,
	int *status, bool *exec_failed, struct err *e);

#endif
