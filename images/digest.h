/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests (image-spec descriptor.md, "Digests"): "sha256:" or "sha512:" and lower-case hex. Only
 * digest_hash.c knows libcrypto, so that what needs the grammar alone does not link it.
 *
 * A digest is input until it has passed img_digest_parse(): afterwards it is safe as a part of a path, for
 * then it has no '/', no '.', and exactly the length of its algorithm (CVE-2024-3727).
 */
#ifndef IMAGES_DIGEST_H
#define IMAGES_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

#define IMG_DIGEST_MAX 136 /* "sha512:" and 128 digits, NUL included */

struct img_digest {
	char text[IMG_DIGEST_MAX]; /* "sha256:0a…"; "" : none */
};

/*
 * 0; -EINVAL for what the grammar does not allow; -EOPNOTSUPP for an algorithm that is well-formed but that
 * we cannot verify (blake3): such content is refused, never taken on trust.
 */
int img_digest_parse(const char *text, struct img_digest *out, struct err *e);
bool img_digest_eq(const struct img_digest *a, const struct img_digest *b);
/* "sha256" or "sha512", and the digits, of a parsed one. */
const char *img_digest_algorithm(const struct img_digest *d);
const char *img_digest_hex(const struct img_digest *d);

/* Hashing as bytes come by. */
struct img_hash;

/* `like`: hash with its algorithm; NULL: sha256. NULL without memory. */
struct img_hash *img_hash_new(const struct img_digest *like);
void img_hash_free(struct img_hash *h);
DEFINE_CLEANUP(struct img_hash *, img_hash_free);
void img_hash_add(struct img_hash *h, const void *data, size_t len);
/* Ends it; the handle can only be freed then. */
void img_hash_end(struct img_hash *h, struct img_digest *out);

/* sha256 of a buffer; and the same check that all reads of a document go through: size first, then digest
 * (image-spec: verify size before hashing). */
void img_digest_of(const void *data, size_t len, struct img_digest *out);
int img_digest_check(const void *data, size_t len, const struct img_digest *want, int64_t want_size,
	const char *what, struct err *e);

#endif
