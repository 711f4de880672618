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
#include "cli/options.h"
#include "cli/print.h"

struct image_ctx {
	const char *store; /* --store; NULL: the default place */
};

struct image_verb {
	const char *name;
	const char *args;	/* the positional arguments, for the usage line; NULL: none */
	int min_args, max_args; /* max -1: any number */
	bool in_order;		/* the first positional argument ends the options */
	const char *summary;	/* a line for the help text */
	const struct opt *options;
	const void *defaults; /* of the struct behind the options; NULL: all zero */
	size_t size;	      /* of that struct */
	/* `args` is NULL-terminated. The exit status (>= 0), or a negative errno, which becomes 1. */
	int (*run)(const struct image_ctx *ctx, const void *options, char *const *args, struct err *e);
};

extern const struct image_verb verb_pull;

#endif
