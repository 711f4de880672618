/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of auth*.c share; private to them. */
#ifndef IMAGES_AUTH_INTERNAL_H
#define IMAGES_AUTH_INTERNAL_H

#include "base/json.h"
#include "images/auth.h"

struct au_file {
	const char *path;
	bool legacy;		 /* ~/.dockercfg: the entries without "auths" around them */
	bool trusted;		 /* ours or root's: may name programs to run */
	const struct json *root; /* NULL: it is not there, or empty */
};

/* `must`: a file that is not there is an error. */
int au_load(struct arena *a, struct au_file *f, bool must, struct err *e);
/* The first of the files, which is also written; *given: somebody has named it. NULL without memory. */
char *au_primary(struct arena *a, const char *authfile, bool *given);
/* An object of the file; NULL: there is none. */
const struct json *au_section(const struct au_file *f, const char *name);

/*
 * Of the many ways in which tools write a registry, one: without scheme, without the API's version, without
 * trailing '/', and Docker Hub by its name. NULL without memory.
 */
const char *au_key(struct arena *a, const char *key);
bool au_is_key(struct arena *a, const char *key, const char *want);

/* The helper that a file names for a registry, which may be run; NULL: none. */
int au_helper_for(
	struct arena *a, const struct au_file *f, const char *host, const char **out, struct err *e);
/* What helpers call a registry. */
const char *au_server(const char *host);

/*
 * Runs docker-credential-NAME. `verb`: "get", "store", "erase". *reply (may be NULL) is malloc()ed, at most
 * 64 KiB. -ENOENT, without a text: the program says that there are no such credentials.
 */
int au_helper(const char *name, const char *verb, const char *input, char **reply, struct err *e);

#endif
