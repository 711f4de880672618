/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the OCI distribution API: manifests by tag or digest, blobs with resume, bearer and basic
 * authentication (http.h has the bytes, auth.h the credentials).
 *
 * Credentials go to the host they are for, over TLS or to a registry that was declared insecure, and never
 * along with a redirect to another host, nor to a token service that another host's answer names
 * (CVE-2020-15157). A token service must be https, unless the registry itself is insecure. Redirects do not
 * lead from https to http, with the same exception.
 */
#ifndef IMAGES_REGISTRY_H
#define IMAGES_REGISTRY_H

#include "images/document.h"
#include "images/registries.h"

struct img_registry;

/* Strings are copied. */
struct img_registry_opts {
	const char *user, *password; /* given on the command line; NULL: looked for (auth.h) */
	const char *authfile;	     /* NULL: the usual ones */
	char *const *helpers;	     /* credential-helpers of registries.conf, or NULL */
	const char *cert_dir; /* containers-certs.d(5): *.crt, NAME.cert, NAME.key; NULL: the first there
				 is of ~/.config/containers/certs.d/HOST, /etc/containers/certs.d/HOST,
				 /etc/docker/certs.d/HOST */
	bool tls_verify_set, tls_verify; /* else as registries.conf says */
	int timeout;			 /* seconds in which next to nothing comes; 0: 60 */
	int retries; /* of what may be tried again (5xx, 429, a cut connection) without getting on; 0: 5, -1:
		      * none
		      */
	bool (*stop)(
		void *arg); /* asked now and then, from any thread: true ends what is going on (-EINTR) */
	void *stop_arg;
};

/* A connection to a repository (path "": to none of them, for img_registry_ping()). No exchange yet. */
int img_registry_open(const struct img_endpoint *at, const struct img_registry_opts *o,
	struct img_registry **out, struct err *e);
/* Another connection to the same place, for another thread, which shares what was found out about it: tokens,
 * and whether it speaks TLS. */
int img_registry_again(struct img_registry *g, struct img_registry **out, struct err *e);
void img_registry_close(struct img_registry *g);
DEFINE_CLEANUP(struct img_registry *, img_registry_close);

/* Does it take our credentials? 0, -EACCES. */
int img_registry_ping(struct img_registry *g, struct err *e);

/*
 * `what`: a tag or a digest. The text is malloc()ed, at most IMG_DOCUMENT_MAX; checked against
 * Docker-Content-Digest and against a digest that was asked for. *media_type is malloc()ed, "" if the server
 * did not say. -ENOENT: it is not there; -EACCES; -EOPNOTSUPP: docker's schema 1.
 */
int img_registry_manifest(struct img_registry *g, const char *what, char **text, size_t *len,
	char **media_type, struct img_digest *digest, struct err *e);

typedef int img_sink(void *arg, const void *data, size_t len, struct err *e);
/*
 * Hands a blob to `sink` as it comes, from byte `from` on, exactly d->size - from bytes in all. A cut
 * connection is gone on with, and a server that does not know ranges is listened to from the beginning again.
 * Whether the bytes are the right ones only their digest tells, which is for the caller. Where the registry
 * does not have it, the descriptor's urls are tried, without credentials.
 */
int img_registry_blob(struct img_registry *g, const struct img_descriptor *d, int64_t from, img_sink *sink,
	void *arg, struct err *e);

#endif
