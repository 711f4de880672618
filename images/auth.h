/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials for registries: containers-auth.json(5) and docker's config.json, and programs named
 * docker-credential-NAME, which are run only where the user's own files name them.
 *
 * Files, in this order: the one that is given or $REGISTRY_AUTH_FILE, else
 * $XDG_RUNTIME_DIR/containers/auth.json (/run/containers/UID/auth.json); then
 * $XDG_CONFIG_HOME/containers/auth.json, $DOCKER_CONFIG/config.json (~/.docker/config.json), ~/.dockercfg.
 */
#ifndef IMAGES_AUTH_H
#define IMAGES_AUTH_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

struct img_credentials {
	const char *user;     /* NULL: none are known */
	const char *password; /* or, with `is_token`, an identity token (OAuth2's refresh token) */
	bool is_token;
};

/*
 * For a repository of a registry ("docker.io", "library/debian"): the entry for its longest namespace.
 * `helpers`: credential-helpers of registries.conf, may be NULL. No credentials are no error. Strings live in
 * the arena.
 */
int img_auth_find(struct arena *a, const char *authfile, char *const *helpers, const char *host,
	const char *path, struct img_credentials *out, struct err *e);

/* Into the first of the files (0600), or the helper that it names for this registry. `host` may be a
 * namespace.
 */
int img_auth_store(
	const char *authfile, const char *host, const char *user, const char *password, struct err *e);
/* `host` NULL: all of that file. -ENOENT: there were none. */
int img_auth_remove(const char *authfile, const char *host, struct err *e);

#endif
