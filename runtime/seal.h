/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own program file, out of reach of what we run (CVE-2019-5736).
 *
 * A payload that is a script with "#!/proc/self/exe", or that opens /proc/PID/exe of ours, gets hold of the
 * file we were executed from and, as root without a user namespace, could write to the host's ringfence once
 * we are gone. So before a verb that executes anything inside, we execute ourselves again out of a detached,
 * read-only clone of the mount that our file is on: a write through it is EROFS, and no copy is made. Where
 * that is not allowed (rootless) and the file is ours to write, a sealed memfd takes its place.
 *
 * In the static build this happens in the ELF entry point (cli/entry.c), before libc has initialised itself:
 * that second initialisation is most of what an execve(2) of a static program costs.
 */
#ifndef RUNTIME_SEAL_H
#define RUNTIME_SEAL_H

#include <stdbool.h>

#include "base/err.h"

/* Is our file out of reach: on a read-only mount, a sealed memfd, or not writable for us at all? */
bool seal_done(void);

/* Executes us again out of reach if need be. Returns 0 if nothing is left to do, a negative errno if it
 * cannot be done. */
int seal_self(char **argv, struct err *e);

#endif
