/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What main.c and the verbs of ringfence-image share. The same habits as cli/cli.h: a verb is a file with a
 * table of options and one function, which calls images/ and prints.
 */
#ifndef CLI_IMAGE_IMAGE_H
#define CLI_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cli/image/verbs.h"
#include "cli/print.h"
#include "cli/verb.h"

struct image_ctx {
	const char *store; /* --store; NULL: the default place */
};

struct image_verb {
	VERB_BASE; /* `summary` is in verbs.h */
	/* `args` is NULL-terminated. The exit status (>= 0), or a negative errno, which becomes 1. */
	int (*run)(const struct image_ctx *ctx, const void *options, char *const *args, struct err *e);
};

#define X(name, summary) extern const struct image_verb verb_##name;
IMAGE_VERBS(X)
#undef X
/* What ringfence runs for its own `commit`; in no list. */
extern const struct image_verb verb_commit_layer;

#endif
