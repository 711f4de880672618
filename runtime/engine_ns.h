/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of the engine "partition": its create is in engine_ns.c (steps of it in prepare_ns.c and
 * clone_ns.c), its start in start_ns.c, its exec in exec_ns.c, the rest in ops_ns.c. */
#ifndef RUNTIME_ENGINE_NS_H
#define RUNTIME_ENGINE_NS_H

#include "runtime/engine.h"

int ns_start(struct rt_partition *p, struct rt_launch *l, struct err *e);
int ns_exec(struct rt_partition *p, const struct rt_exec_opts *o, const struct spec_process *proc,
	int *status, bool *exec_failed, struct err *e);
int ns_kill(struct rt_partition *p, int sig, bool all, struct err *e);
int ns_pause(struct rt_partition *p, struct err *e);
int ns_resume(struct rt_partition *p, struct err *e);
int ns_update(struct rt_partition *p, const struct spec_resources *r, struct err *e);
int ns_pids(struct rt_partition *p, pid_t **pids, size_t *n, struct err *e);
int ns_status(const struct rt_partition *p, enum rt_status *out, struct err *e);
int ns_stats(struct rt_partition *p, struct json_writer *w, struct err *e);
int ns_usage(struct rt_partition *p, struct rt_usage *out, struct err *e);
/* Fills in memory and block I/O where they are not known. */
void ns_usage_by_processes(const struct rt_partition *p, struct cgrp_usage *u);
int ns_destroy(struct rt_partition *p, bool force, struct err *e);

/*
 * Takes descriptor `number` of process `pid`, its seccomp listener, and hands it to the agent that the config
 * names, with the container process state. `status`: the partition's, for that document.
 */
int ns_fetch_listener(const struct rt_partition *p, pid_t pid, int number, const char *status, struct err *e);

#endif
