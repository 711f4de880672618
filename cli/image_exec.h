/* SPDX-License-Identifier: Apache-2.0 */
/* `ringfence pull` and its kin: ringfence-image, which is run in our place. */
#ifndef CLI_IMAGE_EXEC_H
#define CLI_IMAGE_EXEC_H

#include "cli/verb.h"

/* Is it a verb of ringfence-image? */
bool image_exec_knows(const char *verb);

/* The verbs' lines of the help text. */
void image_exec_list(struct strbuf *out);

/*
 * Executes ringfence-image with these global options (`data`: --data, for the store in it) and `args`, the
 * verb first. It is looked for where it is installed if that is where we are from, and else beside us; never
 * in $PATH. Returns only with an error.
 */
int image_exec(
	const struct log_options *log, const char *data, const char *store, char *const *args, struct err *e);

#endif
