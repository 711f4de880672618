/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NOTIFY_SOCKET (sd_notify(3)): a service manager that starts ringfence wants to hear when the payload is
 * ready. The payload gets a socket of its own, bind mounted at /run/notify, and only readiness is passed on:
 * the rest of what a stranger's program may say (file descriptors, MAINPID of its choosing, watchdog tricks)
 * stays here.
 */
#ifndef RUNTIME_NOTIFY_H
#define RUNTIME_NOTIFY_H

#include <stdbool.h>

#include "base/err.h"
#include "runtime/partition.h"
#include "spec/spec.h"

struct notify {
	int sock;	  /* ours; -1: not asked for */
	const char *host; /* the manager's address */
};

/* Whether NOTIFY_SOCKET is set. */
bool notify_wanted(void);

/*
 * If NOTIFY_SOCKET is set: makes <state>/notify/notify.sock and adds the mount and
 * NOTIFY_SOCKET=/run/notify/notify.sock to the spec. For create.
 */
int notify_prepare(struct rt_partition *p, struct err *e);

/* If NOTIFY_SOCKET is set: opens that socket for listening. For start, before the payload is let go. */
int notify_open(struct rt_partition *p, struct notify *n, struct err *e);

/*
 * Passes READY=1 and MAINPID on. Returns when that is done, or the payload has ended; with -ECANCELED when
 * stop_fd (0: none) became readable.
 */
int notify_forward(const struct notify *n, struct rt_partition *p, int stop_fd, struct err *e);

#endif
