/* SPDX-License-Identifier: Apache-2.0 */
/* What passes between an engine's create and its start in one process, and how a launch is reported to the
 * caller. */
#ifndef RUNTIME_LAUNCH_H
#define RUNTIME_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

struct rt_launch {
	/* Filled in by the caller. */
	bool later;		/* start comes from another process: wait for it on RT_START_SOCKET */
	bool at_once;		/* create may record and start it too, if that spares work; see `started` */
	bool attached;		/* the caller stays: create that starts calls attach_begin() first */
	int console_socket;	/* connected, or -1 */
	int seccomp_cache;	/* directory fd or -1 */
	const char *cgroup_tag; /* rt_root_tag() */
	int stop_fd;		/* start: readable when it is to give up; 0: none (stdin never is) */

	/* Filled in by create. */
	int sync;	  /* the parent's end; -1 when later */
	int master;	  /* the terminal, for an attached run; -1: none */
	bool remote;	  /* … and the payload's own is another one behind it */
	bool started;	  /* create: it is recorded and started already */
	bool told;	  /* start: the first process has been let go, for better or worse */
	bool exec_failed; /* create that starts, start: the payload could not be executed */
};

#endif
