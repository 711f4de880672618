/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: hashing (see digest.h). The only file that knows libcrypto. */
#include <openssl/evp.h>
#include <stdio.h>

#include "base/str.h"
#include "images/digest.h"

static const struct algorithm {
	const char *name;
	size_t digits;
	const EVP_MD *(*md)(void);
} algorithms[] = {
	{ "sha256", 64, EVP_sha256 },
	{ "sha512", 128, EVP_sha512 },
};

struct img_hash {
	const struct algorithm *algorithm;
	EVP_MD_CTX *ctx;
	bool failed;
};

struct img_hash *img_hash_new(const struct img_digest *like)
{
	struct img_hash *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->algorithm = &algorithms[like && like->text[0] && str_starts(like->text, "sha512:") ? 1 : 0];
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || EVP_DigestInit_ex(h->ctx, h->algorithm->md(), NULL) != 1) {
		img_hash_free(h);
		return NULL;
	}
	return h;
}

void img_hash_free(struct img_hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void img_hash_add(struct img_hash *h, const void *data, size_t len)
{
	if (EVP_DigestUpdate(h->ctx, data, len) != 1)
		h->failed = true;
}

void img_hash_end(struct img_hash *h, struct img_digest *out)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	size_t at;

	out->text[0] = '\0'; /* equal to nothing */
	if (h->failed || EVP_DigestFinal_ex(h->ctx, md, &len) != 1 || len * 2 != h->algorithm->digits)
		return;
	at = (size_t)snprintf(out->text, sizeof(out->text), "%s:", h->algorithm->name);
	for (unsigned int i = 0; i < len; i++, at += 2)
		snprintf(out->text + at, sizeof(out->text) - at, "%02x", md[i]);
}

static int hash_of(const void *data, size_t len, const struct img_digest *like, struct img_digest *out)
{
	_cleanup_(img_hash_freep) struct img_hash *h = img_hash_new(like);

	out->text[0] = '\0';
	if (!h)
		return -ENOMEM;
	img_hash_add(h, data, len);
	img_hash_end(h, out);
	return out->text[0] ? 0 : -EIO;
}

void img_digest_of(const void *data, size_t len, struct img_digest *out)
{
	(void)hash_of(data, len, NULL, out);
}

int img_digest_check(const void *data, size_t len, const struct img_digest *want, int64_t want_size,
	const char *what, struct err *e)
{
	struct img_digest got;
	int r;

	if (want_size >= 0 && (uint64_t)want_size != len)
		return err_text(e, EBADMSG, "%s: %zu bytes instead of the %lld that its descriptor says",
			what, len, (long long)want_size);
	r = hash_of(data, len, want, &got);
	if (r < 0)
		return err_set(e, r, "hash %s", what);
	if (!img_digest_eq(&got, want))
		return err_text(e, EBADMSG, "%s: content is %s, not %s", what, got.text, want->text);
	return 0;
}
