/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the payload's program, and saying what is wrong with it in the words that engines look for. */
#ifndef RUNTIME_LOOKUP_H
#define RUNTIME_LOOKUP_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * The path to execute for args[0], from the partition's root and working directory: as it is if it holds a
 * '/', else the first match in PATH of env. Errors: "exec: \"x\": executable file not found in $PATH"
 * (ENOENT), "exec: \"/x\": stat /x: no such file or directory" (ENOENT), "exec: \"/x\": permission denied"
 * (EACCES, also for a directory).
 */
int lookup_program(struct arena *a, const char *name, char *const *env, const char **path, struct err *e);

/*
 * After execve(2) failed with `code`: looks into the file and explains: a missing interpreter of a script or
 * of an ELF file, a "\r" at the end of the first line, another architecture, a noexec mount. Returns -code.
 */
int lookup_explain(const char *name, const char *path, int code, struct err *e);

/* HOME of a user id in the partition's /etc/passwd (a regular file of at most 1 MiB, or it is not looked at);
 * "/" if there is none. */
const char *lookup_home(struct arena *a, int rootfd, unsigned int uid);

/* A user's name out of the host's /etc/passwd, the number where there is none. NULL: no memory. */
char *lookup_user(struct arena *a, uid_t uid);

#endif
