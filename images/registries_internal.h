/* SPDX-License-Identifier: Apache-2.0 */
/* registries.conf as structs; private to registries*.c. */
#ifndef IMAGES_REGISTRIES_INTERNAL_H
#define IMAGES_REGISTRIES_INTERNAL_H

#include "images/registries.h"

enum rs_pull { RS_PULL_ALL, RS_PULL_DIGEST, RS_PULL_TAG };

struct rs_mirror {
	const char *location;
	bool insecure;
	enum rs_pull pull;
	struct rs_mirror *next;
};

struct rs_registry {
	const char *prefix;   /* "*.example.com", "example.com:5000/a/b:tag" */
	const char *location; /* "": as written; only with a wildcard */
	bool insecure, blocked, mirrors_by_digest;
	struct rs_mirror *mirrors; /* in the order of the file */
	const char *file;	   /* where it was read */
	struct rs_registry *next;
};

/* The value of a later file stands before that of an earlier one. */
struct rs_alias {
	const char *name, *value; /* "": erased */
	struct rs_alias *next;
};

struct img_registries {
	char **search;	/* NULL: not set */
	char **helpers; /* NULL: not set */
	bool enforcing;
	struct rs_registry *registries;
	struct rs_alias *aliases;
};

static inline bool rs_is_wildcard(const char *prefix)
{
	return prefix[0] == '*';
}

#endif
