/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images, as docker and podman users write them: [REGISTRY[:PORT]/]PATH[:TAG][@DIGEST] (the grammar
 * of distribution's reference package).
 *
 * The first component is a registry if it has a '.' or ':' in it, or is "localhost". Else the name is short:
 * "debian:12". Short names are looked up first in the store ("localhost/debian", then what was pulled under
 * that last name), then in registries.conf (aliases, unqualified-search-registries); without either,
 * docker.io, where "debian" means "docker.io/library/debian".
 */
#ifndef IMAGES_REF_H
#define IMAGES_REF_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "images/digest.h"

#define IMG_REF_MAX 1024 /* registry and path at most 255 characters each, tag 128, digest 135 */

struct img_ref {
	const char *registry;	  /* "docker.io", "localhost:5000"; NULL: short */
	const char *path;	  /* "library/debian"; for a short name as written */
	const char *tag;	  /* NULL: none said */
	struct img_digest digest; /* text "": none said */
};

/* Strings live in the arena. -EINVAL with a text that says which part is wrong, and why. */
int img_ref_parse(struct arena *a, const char *text, struct img_ref *out, struct err *e);

/* With a registry, docker.io's "library/" and, where neither tag nor digest is said, tag "latest". */
int img_ref_qualify(
	struct arena *a, const struct img_ref *r, const char *registry, struct img_ref *out, struct err *e);

/* "docker.io/library/debian:12": how images are named in the store. NULL without memory. */
char *img_ref_text(struct arena *a, const struct img_ref *r);
/* How people read it: without "docker.io/library/" or "docker.io/". */
const char *img_ref_familiar(const char *text);

#endif
