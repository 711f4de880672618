/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the OCI distribution API, over libcurl (only registry.c and http.c know it): manifests by tag
 * or digest, blobs with resume, bearer and basic authentication.
 *
 * Credentials go to the host they are for, over TLS or to a registry that was declared insecure, and never
 * along with a redirect to another host. A token service named by a challenge must be https, unless the
 * registry itself is insecure.
 */
#ifndef IMAGES_REGISTRY_H
#define IMAGES_REGISTRY_H

#include "images/document.h"
#include "images/ref.h"
#include "images/registries.h"

struct img_registry;

struct img_registry_opts {
	const char *user, *password; /* given on the command line; NULL: looked for in auth files */
	const char *authfile;	     /* NULL: the usual ones (registries.h) */
	const char *cert_dir;	     /* ca.crt, client.cert, client.key; NULL: /etc/containers/certs.d/HOST,
					/etc/docker/certs.d/HOST */
	int tls_verify;		     /* -1: as registries.conf says */
	int timeout;		     /* seconds without a byte; 0: 60 */
	int retries; /* of what may be tried again (5xx, 429 with Retry-After, a cut connection); -1: 5 */
};

/* A connection to where `r` is to be had, mirrors first (registries.h). One for each thread. */
int img_registry_open(const struct img_endpoint *at, const struct img_registry_opts *o,
	struct img_registry **out, struct err *e);
void img_registry_close(struct img_registry *g);
DEFINE_CLEANUP(struct img_registry *, img_registry_close);

/* `what`: a tag or a digest. The text is malloc()ed, at most IMG_DOCUMENT_MAX; checked against
 * Docker-Content-Digest and against a digest that was asked for. */
int img_registry_manifest(struct img_registry *g, const char *path, const char *what, char **text,
	size_t *len, char **media_type, struct img_digest *digest, struct err *e);

/* Hands a blob to `sink` as it comes, from byte `from` on. -ERANGE: the server would not resume; begin anew.
 */
int img_registry_blob(struct img_registry *g, const char *path, const struct img_digest *d, int64_t from,
	int (*sink)(void *arg, const void *data, size_t len, struct err *e), void *arg, struct err *e);

#endif
