/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: the grammar, and hashing (see digest.h). The only file that knows libcrypto. */
#include "images/digest.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/str.h"

static const struct algorithm {
	const char *name;
	size_t digits;
	const EVP_MD *(*md)(void);
} algorithms[] = {
	{ "sha256", 64, EVP_sha256 },
	{ "sha512", 128, EVP_sha512 },
};

/* --- grammar ------------------------------------------------------------------------------------ */

static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char encoded[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=_-";

/* algorithm ::= component (separator component)*, component ::= [a-z0-9]+, separator ::= [+._-]. */
static bool is_algorithm(const char *s, size_t len)
{
	for (size_t i = 0;;) {
		size_t n = strspn(s + i, lower);

		if (n == 0)
			return false;
		i += n;
		if (i >= len)
			return i == len;
		if (!strchr("+._-", s[i]))
			return false;
		i++;
	}
}

static const struct algorithm *algorithm_of(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
		if (strlen(algorithms[i].name) == len && memcmp(algorithms[i].name, name, len) == 0)
			return &algorithms[i];
	return NULL;
}

/* Only as much of a stranger's text as is useful in an error, and nothing that a terminal would obey. */
static const char *shown(const char *text, char buf[80])
{
	size_t n = 0;

	for (; text[n] && n < 70; n++)
		buf[n] = (text[n] >= ' ' && text[n] < 127) ? text[n] : '?';
	snprintf(buf + n, 80 - n, "%s", text[n] ? "…" : "");
	return buf;
}

int img_digest_parse(const char *text, struct img_digest *out, struct err *e)
{
	const struct algorithm *a;
	const char *hex = strchr(text, ':');
	char buf[80];
	size_t len;

	if (!hex || !is_algorithm(text, (size_t)(hex - text)))
		return err_text(e, EINVAL, "digest \"%s\" does not begin with an algorithm (\"sha256:\")",
			shown(text, buf));
	a = algorithm_of(text, (size_t)(hex - text));
	hex++;
	len = strlen(hex);
	if (len == 0 || strspn(hex, encoded) != len)
		return err_text(
			e, EINVAL, "digest \"%s\" has characters that no digest has", shown(text, buf));
	if (!a)
		return err_text(e, EOPNOTSUPP, "digest \"%s\": only sha256 and sha512 can be verified",
			shown(text, buf));
	if (len != a->digits || strspn(hex, "0123456789abcdef") != len)
		return err_text(e, EINVAL, "digest \"%s\": %s has %zu digits of 0-9a-f", shown(text, buf),
			a->name, a->digits);
	snprintf(out->text, sizeof(out->text), "%s", text);
	return 0;
}

bool img_digest_eq(const struct img_digest *a, const struct img_digest *b)
{
	return a->text[0] && str_eq(a->text, b->text);
}

const char *img_digest_algorithm(const struct img_digest *d)
{
	return d->text[3] == '5' ? "sha512" : "sha256";
}

const char *img_digest_hex(const struct img_digest *d)
{
	return d->text + strlen("sha256:");
}

/* --- hashing ------------------------------------------------------------------------------------ */

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
