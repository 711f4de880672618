/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an image may come from, and with whose name: registries.conf (version 2 of
 * containers-registries.conf(5): unqualified-search-registries, short-name aliases, [[registry]] with prefix,
 * location, insecure, blocked, mirrors) with its drop-ins, and the auth files of containers-auth.json(5) and
 * docker's config.json. Credential helpers are programs: run only if the user's own file names them.
 */
#ifndef IMAGES_REGISTRIES_H
#define IMAGES_REGISTRIES_H

#include <stdbool.h>

#include "images/ref.h"

struct img_endpoint {
	const char *host; /* "registry-1.docker.io", "localhost:5000" */
	const char *path; /* of the repository there */
	bool insecure;	  /* http, or TLS that is not verified, is allowed */
};

struct img_candidate {
	struct img_ref ref; /* qualified: how the image is named in the store */
	struct img_endpoint
		*endpoints; /* in the order they are to be tried: mirrors, then the place itself */
	size_t n_endpoints;
};

/* `conf` NULL: /etc/containers/registries.conf and its .d, or the user's ($XDG_CONFIG_HOME). All candidates
 * of a short name; one of a full one. */
int img_registries_resolve(struct arena *a, const char *conf, const struct img_ref *r,
	struct img_candidate **out, size_t *n, struct err *e);

/* User and password (or identity token, with user "<token>") for a registry or the longest matching
 * namespace; *user NULL: none known. */
int img_auth_find(struct arena *a, const char *authfile, const char *host, const char *path,
	const char **user, const char **password, struct err *e);

#endif
