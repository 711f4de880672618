/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of directories to a guest: 9P2000.L on a stream socket, one directory (or one single file) a
 * connection, in a process of its own.
 *
 * Trust: what comes is hostile. No name that it sends is ever resolved but as one component below a directory
 * that is held open (O_NOFOLLOW, no "..", no "/"), so neither a symlink nor a rename under way leads out of
 * the directory; the process is also in a mount namespace that has nothing else in it. Fids, tags, sizes,
 * numbers of requests are bounded. It makes no device nodes.
 *
 * Ownership: the guest's kernel is mounted with access=client, so it checks permissions itself; the server
 * acts with the rights of the sandbox's owner and gives new files the user of the fid (Tattach's n_uname) and
 * the group that the request names.
 */
#ifndef SANDBOX_P9_H
#define SANDBOX_P9_H

#include <stdbool.h>

#include "base/err.h"

struct p9_export {
	int fd;	  /* O_PATH, a directory; for a single file its directory is exported with that one name in it
		   */
	int sock; /* a stream socket; taken over */
	bool readonly;
	const char *only; /* the one name below fd that there is, or NULL: everything */
};

/*
 * Serves until all connections are closed. One thread; requests of one connection are answered in their
 * order. To be called in a process that has nothing to lose: confined by the caller but for seccomp, which it
 * sets up for itself when everything is ready (`confine`).
 *
 * `self_fd` is /proc/self/fd of the calling process itself (not of the one that has forked it), opened before
 * its root was made empty; -1 where /proc is still there. It becomes the working directory. The procfs had
 * better be one of the process's own with subset=pid, in a PID namespace of its own: a server that was taken
 * over could leave the directory upwards. Capabilities: CHOWN, DAC_OVERRIDE, FOWNER, FSETID; SETFCAP if the
 * guest is to set capabilities of files.
 */
int p9_serve(const struct p9_export *exports, unsigned n, int self_fd, bool confine, struct err *e);

#endif
