/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files below a procfs descriptor, opened so that nothing mounted over them is mistaken for them. Inside of
 * security/.
 */
#ifndef SECURITY_PROCFS_H
#define SECURITY_PROCFS_H

#include "base/err.h"

/*
 * Opens procfd/path (open(2) `flags`, O_CLOEXEC added). A mount on the way, a magic link, and a file that is
 * not procfs's are refused
 * (-EXDEV, -ELOOP): in a mount namespace that others prepared, /proc/self/attr/exec may be anything
 * (CVE-2019-16884, CVE-2025-52881). Plain symlinks such as thread-self are followed. Returns the fd, the
 * caller's, or -errno.
 */
int sec_procfs_open(int procfd, const char *path, int flags, struct err *e);

#endif
