/* SPDX-License-Identifier: Apache-2.0 */
/* The child half: from birth in new namespaces to the payload's execve(2). */
#ifndef RUNTIME_INIT_H
#define RUNTIME_INIT_H

#include <stdbool.h>

#include "cgroups/cgroup.h"
#include "namespaces/ns.h"
#include "namespaces/rootfs.h"
#include "runtime/partition.h"
#include "runtime/payload.h"

/*
 * How a child that borrows the parent's memory says what became of it: there. It is not served, and waits for
 * nothing.
 */
struct init_report {
	bool failed;	  /* `err` says why */
	bool exec_failed; /* … and it is the payload that could not be executed */
	bool executing;	  /* all is set up */
	struct err err;
};

struct init {
	const struct rt_partition *p;
	const struct spec *spec;
	struct mnt_ctx mnt;
	struct payload payload;
	int ns[SPEC_NS_KINDS];	     /* to join, or -1 */
	int sync;		     /* to the parent */
	struct init_report *report;  /* in the place of `sync`; else NULL */
	struct rt_partition *record; /* to be saved by us, once it may be entered; else NULL */
	int start_listener;	     /* listening socket of `create`; -1: start comes over sync */
	int console_socket; /* connected, for the terminal's master; -1: the master goes to the parent */
	bool joined;	    /* by init_join() */
	bool join_cgroup;   /* there is one */
	bool ask_parent;    /* maps, attach, devices, limits: the parent has something to do once we exist */
	bool own_user_ns;   /* a user namespace other than the runtime's */
	bool has_hooks;	    /* before the pivot: the parent records the process, and runs its hooks */
	bool no_new_keyring;
};

/* Never returns: becomes the payload, or tells the parent why not and exits. */
void init_main(struct init *in) __attribute__((noreturn));

/* In a joiner: the steps that lead into namespaces given by path. The child goes on from there. */
int init_join(struct init *in, struct err *e);

/* A new session keyring, while we are still in the host's user namespace; also for exec. */
int init_keyring(bool rootless, struct err *e);

/* Sends what went wrong and ends the process. */
void init_fail(int sync, const struct err *e) __attribute__((noreturn));

#endif
