/* SPDX-License-Identifier: Apache-2.0 */
/* From the name of an image to what launch needs of it. Private to launch/. */
#ifndef LAUNCH_IMAGE_H
#define LAUNCH_IMAGE_H

#include "images/roots.h"
#include "launch/config.h"

/*
 * Finds and pins the image for the partition `name`; what is not there is fetched and unpacked by
 * ringfence-image, as `pull` ("missing", "always", "never"; NULL: missing) allows. `stop_fd` (or -1) is
 * readable once a signal asks us to end: then -EINTR. *root, which *out borrows, is the caller's to
 * img_root_close() in every case; it must be zeroed. Strings live in the arena. "host" needs no store.
 */
int launch_image_find(const struct launch_ctx *ctx, const char *image, const char *pull, const char *name,
	int stop_fd, struct arena *a, struct img_root *root, struct launch_image *out, struct err *e);

/*
 * For a sandbox of which nothing has to be kept, or that writes nothing: out->root_image, the EROFS image of
 * the whole root file system; ringfence-image makes it where there is none. Without one the sandbox has its
 * files as directories, and a debug line says why.
 */
void launch_image_add_root(const struct launch_ctx *ctx, const char *image, int stop_fd, struct arena *a,
	const struct img_root *root, struct launch_image *out);

/* No image is pinned for that partition any more; that none was is no error. */
int launch_image_unpin(const struct launch_ctx *ctx, const char *name, struct arena *a, struct err *e);

#endif
