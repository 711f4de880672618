/* SPDX-License-Identifier: Apache-2.0 */
/* User names and passwords from the command line, the terminal and standard input. Strings live in the arena.
 */
#ifndef CLI_IMAGE_CREDS_H
#define CLI_IMAGE_CREDS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

/* "USER:PASSWORD"; for "USER" the terminal is asked, if there is one (-EINVAL). */
int creds_parse(struct arena *a, const char *text, const char **user, const char **password, struct err *e);

/* A line from the terminal that standard input is; without an echo. -EINVAL: it is none; -EINTR: ended by the
 * user. */
int creds_ask(struct arena *a, const char *prompt, bool echo, const char **out, struct err *e);

/* All of standard input, without the newline at its end; not empty. */
int creds_read(struct arena *a, const char **out, struct err *e);

#endif
