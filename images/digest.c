/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: the grammar (see digest.h; digest_hash.c has the hashing). */
#include "images/digest.h"

#include <stdio.h>

#include "base/str.h"

static const struct algorithm {
	const char *name;
	size_t digits;
} algorithms[] = {
	{ "sha256", 64 },
	{ "sha512", 128 },
};

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
