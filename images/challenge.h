/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate (RFC 9110, section 11): what a server wants to see before it answers. */
#ifndef IMAGES_CHALLENGE_H
#define IMAGES_CHALLENGE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

struct img_challenge {
	const char *scheme;			     /* in lower case: "bearer", "basic" */
	const char *realm, *service, *scope, *error; /* NULL: not said */
};

/*
 * All challenges of a header's value, which is input from strangers; parameters that are none of the four are
 * skipped, as is a token68. -EBADMSG: not of that grammar, or a parameter that is there twice.
 */
int img_challenge_parse(
	struct arena *a, const char *value, struct img_challenge **out, size_t *n, struct err *e);

#endif
