/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A terminal for a process that joins a living partition (`exec`): console.c makes it for the first process
 * too.
 */
#ifndef NAMESPACES_CONSOLE_H
#define NAMESPACES_CONSOLE_H

#include "base/err.h"
#include "spec/spec.h"

/*
 * In the partition's mount namespace: a new pty from the devpts on its /dev/pts, sized and owned as `p` says.
 * The partition is running and hostile: what is opened is checked after it was opened, and nothing goes
 * through its /proc. `host_ptmx` is an open /dev/ptmx of the host to fall back on where the partition has no
 * devpts, or -1. *master and *slave are the caller's.
 */
int console_open(
	int rootfd, int host_ptmx, const struct spec_process *p, int *master, int *slave, struct err *e);

#endif
