/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller asked to be told by file or socket: the pid file, the pidfd socket, the console socket. */
#ifndef RUNTIME_FILES_H
#define RUNTIME_FILES_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* Decimal, no newline, written beside and renamed, so that nobody reads half of it. NULL path: nothing to do.
 */
int files_write_pid(const char *path, pid_t pid, struct err *e);

/* Sends a pidfd of the process, as its only descriptor. NULL path: nothing to do. */
int files_send_pidfd(const char *path, pid_t pid, struct err *e);

/*
 * The rules that runc and crun share: a terminal that nobody stays with must go to a console socket, and only
 * then may one be given. *fd: the connected socket, or -1.
 */
int files_console(const char *path, bool terminal, bool detached, int *fd, struct err *e);

/*
 * In the workdir of a root file system of layers: an engine has put what is written to it elsewhere, so that
 * the upper directory has nothing of it (sandbox/root.h).
 */
#define RT_WRITTEN_ELSEWHERE "ringfence-disk"

#endif
