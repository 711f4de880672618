/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of an image's config in the words of a Dockerfile, and new images out of a config and layers: what
 * import and commit share.
 *
 * CMD, ENTRYPOINT and VOLUME take a JSON array; the first two else a command for /bin/sh -c, VOLUME words.
 * ENV and LABEL take NAME=VALUE words, or one name and the rest of the line; EXPOSE words; USER, WORKDIR and
 * STOPSIGNAL one. Words have quotes, backslashes, $NAME and ${NAME} (of the image's environment) as in a
 * Dockerfile. ENTRYPOINT drops a CMD that was there before the changes, as docker has it.
 */
#ifndef IMAGES_CHANGE_H
#define IMAGES_CHANGE_H

#include "base/json.h"
#include "images/store.h"

/* Into `c`, whose strings and vectors live in the arena. `changes` NULL: none. -EINVAL. */
int img_config_change(struct arena *a, struct img_config *c, char *const *changes, struct err *e);

/* Now, or what SOURCE_DATE_EPOCH says: RFC 3339. NULL: no memory. */
const char *img_now(struct arena *a);

/*
 * The text of a config. `base`, which may be NULL, is the one that `c` was read from: what we do not know in
 * it is kept, and of the history as many entries as it has are taken from it as they are.
 */
int img_config_text(struct arena *a, const struct img_config *c, const struct json *base, const char **text,
	size_t *len, struct err *e);

/* Config and manifest into the store, and the name (qualified) on them. Layers are there. */
int img_image_make(struct img_store *s, struct arena *a, const struct img_config *c, const struct json *base,
	const struct img_descriptor *layers, size_t n_layers, const char *name, struct img_name *out,
	struct err *e);

/* "debian" as a name for an image made here: "localhost/debian:latest". -EINVAL */
int img_name_local(struct arena *a, const char *text, const char **out, struct err *e);

#endif
