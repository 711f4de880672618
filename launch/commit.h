/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ringfence commit`: what a partition has changed, as one more layer of a new image.
 *
 *   The upper directory of its overlay is handed to `ringfence-image commit-layer`, which knows archives and
 * the store. A running partition is paused meanwhile (unless that is not wanted) and goes on afterwards,
 * whatever happens: a guard, a child in a session of its own, waits for us to end, and lets the partition go
 * on if we have not said that we did. Only who kills both leaves it paused; `ringfence resume` helps then.
 * The partition's lock is held, so that nobody removes it or starts it again while its files are read.
 */
#ifndef LAUNCH_COMMIT_H
#define LAUNCH_COMMIT_H

#include "launch/launch.h"

struct launch_commit_opts {
	const char *image; /* the new name; NULL: localhost/NAME:latest, in lower case */
	const char *message, *author;
	char *const *changes; /* instructions of a Dockerfile */
	bool pause, quiet;    /* quiet: no progress on stderr */
};

/* *id (in the arena): the digest of the new image; *image: its name. */
int launch_commit(const struct launch_ctx *ctx, const char *name, const struct launch_commit_opts *o,
	struct arena *a, const char **id, const char **image, struct err *e);

#endif
