/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an image may come from: registries.conf, version 2 of containers-registries.conf(5), as podman and
 * buildah read it: unqualified-search-registries, short-name aliases, [[registry]] with prefix, location,
 * insecure, blocked and mirrors, and its drop-ins. Version 1 is refused by name.
 */
#ifndef IMAGES_REGISTRIES_H
#define IMAGES_REGISTRIES_H

#include <stdbool.h>
#include <stddef.h>

#include "images/ref.h"

struct img_endpoint {
	const char *host; /* as names have it: "docker.io", "localhost:5000" */
	const char *path; /* of the repository there */
	const char *what; /* the tag or digest to ask for there */
	bool insecure;	  /* http, or TLS that is not verified, is allowed */
};

struct img_candidate {
	struct img_ref ref; /* qualified: how the image is named in the store */
	/* In the order they are to be tried: mirrors, then the place itself. */
	struct img_endpoint *endpoints;
	size_t n_endpoints;
};

struct img_registries;

/*
 * `conf`: this file alone (also $CONTAINERS_REGISTRIES_CONF). NULL: the user's
 * $XDG_CONFIG_HOME/containers/registries.conf with registries.conf.d beside it, or if there is none
 * /etc/containers/registries.conf with its registries.conf.d, then the user's; and the short names that
 * podman has learnt. What is not there is no error, but for `conf`. Lives in the arena.
 */
int img_registries_load(struct arena *a, const char *conf, const struct img_registries **out, struct err *e);

/*
 * All candidates of a short name; one of a full one. -EPERM: blocked; -EEXIST: short-name-mode is "enforcing"
 * and there is more than one.
 */
int img_registries_resolve(struct arena *a, const struct img_registries *rs, const struct img_ref *r,
	struct img_candidate **out, size_t *n, struct err *e);

/* credential-helpers: NULL-terminated, or NULL where the file has none (auth.h). */
char *const *img_registries_helpers(const struct img_registries *rs);

#endif
