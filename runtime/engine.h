/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam between the life of a partition and what it is made of: namespaces on the host's kernel (engine
 * "partition", runtime/engine_ns.c), or a virtual machine (engine "sandbox"). Nothing outside an engine asks
 * which one it is: the verbs of runtime.h handle ids, locks, state, host-side hooks and preconditions, and
 * call through here for everything else.
 *
 * Engines are handed to the runtime by cli/main.c (rt_register_engine()), so that runtime/ does not depend on
 * any but its own.
 */
#ifndef RUNTIME_ENGINE_H
#define RUNTIME_ENGINE_H

#include "runtime/partition.h"
#include "runtime/runtime.h"

struct rt_launch; /* launch.h */

struct rt_engine {
	const char *name; /* as in state.json */
	bool apart;	  /* its processes are another kernel's: nothing of theirs is in the host's /proc */
	/* True if this config or invocation asks for this engine (an annotation, the program's name). The
	 * first match wins. */
	bool (*wants)(const struct spec *s);

	/*
	 * Brings the partition up to "created": the payload's process exists, everything is set up, and it
	 * waits for start. p->pid is set. May run hooks through rt_hooks_run() at the stages that the spec
	 * names. o->oom, if it is asked for, has its descriptors before the payload can run. On failure
	 * nothing that it made is left, but for those.
	 */
	int (*create)(
		struct rt_partition *p, const struct rt_create_opts *o, struct rt_launch *l, struct err *e);
	/* The state is saved, and start will come from another process: from now on it lives without its
	 * creator. */
	int (*commit)(struct rt_partition *p, struct rt_launch *l, struct err *e);
	/* Lets it go on: in the creator's own process (launch handle) or in a later one (l is NULL). Returns
	 * when the payload has been executed. */
	int (*start)(struct rt_partition *p, struct rt_launch *l, struct err *e);
	int (*exec)(struct rt_partition *p, const struct rt_exec_opts *o, const struct spec_process *proc,
		int *status, bool *exec_failed, struct err *e);
	int (*kill)(struct rt_partition *p, int sig, bool all, struct err *e);
	int (*pause)(struct rt_partition *p, struct err *e);
	int (*resume)(struct rt_partition *p, struct err *e);
	int (*update)(struct rt_partition *p, const struct spec_resources *r, struct err *e);
	int (*pids)(struct rt_partition *p, pid_t **pids, size_t *n, struct err *e);
	/* Is it alive, and is it paused? Not asked while p is being created. */
	int (*status)(const struct rt_partition *p, enum rt_status *out, struct err *e);
	int (*stats)(struct rt_partition *p, struct json_writer *w, struct err *e);
	/* The few figures of it that a table shows. */
	int (*usage)(struct rt_partition *p, struct rt_usage *out, struct err *e);
	/*
	 * May be NULL: those of its cgroup. Where kills for want of memory are counted elsewhere: a
	 * descriptor that is readable (of inotify(7)) when the count may have changed, and the count.
	 */
	int (*oom_watch)(const struct rt_partition *p, struct err *e);
	int (*oom_count)(const struct rt_partition *p, uint64_t *n, struct err *e);
	/* May be NULL. Why it has ended, if that was not the payload's end: p's, or NULL. */
	const char *(*failure)(const struct rt_partition *p);
	/* Ends everything (force) and gives back everything but the state directory. Also from any wreck. */
	int (*destroy)(struct rt_partition *p, bool force, struct err *e);
};

extern const struct rt_engine rt_engine_ns;

/* Puts an engine in front of the built-in one. */
void rt_register_engine(const struct rt_engine *engine);
const struct rt_engine *rt_engine_for(const struct spec *s);
const struct rt_engine *rt_engine_by_name(const char *name);

#endif
