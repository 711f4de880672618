/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images: the grammar of distribution's reference package, by hand (see ref.h).
 *
 *   reference  := [domain "/"] path [":" tag] ["@" digest]
 *   domain     := host [":" port];  host := component ("." component)* | "[" IPv6 "]";  component := alnum |
 * alnum (alnum | "-")* alnum path       := component ("/" component)*, at most 255 characters;  component :=
 * [a-z0-9]+ (separator [a-z0-9]+)* separator  := "." | "_" | "__" | "-"+ tag        := [A-Za-z0-9_]
 * [A-Za-z0-9_.-]{0,127}
 */
#include "images/ref.h"

#include <ctype.h>
#include <stdio.h>

#include "base/str.h"

#define PATH_LEN_MAX   255
#define TAG_LEN_MAX    128
#define DOMAIN_LEN_MAX 255

#define DOCKER_IO      "docker.io"
#define DOCKER_PREFIX  DOCKER_IO "/"
#define LIBRARY	       "library/"

static const char lower_digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/* --- parts -------------------------------------------------------------------------------------- */

/* host, without its port. */
static const char *host_fault(const char *s, size_t len)
{
	size_t i = 0;

	if (len && s[0] == '[') {
		size_t n = strspn(s + 1, "0123456789abcdefABCDEF:");

		return n && n + 2 == len && s[n + 1] == ']' ? NULL : "is no IPv6 address in brackets";
	}
	while (i < len) {
		size_t n = strspn(s + i, alnum);

		while (n && s[i + n] == '-') {
			size_t dashes = strspn(s + i + n, "-"), more = strspn(s + i + n + dashes, alnum);

			if (!more)
				return "has a label that ends in \"-\"";
			n += dashes + more;
		}
		if (!n)
			return s[i] == '-'   ? "has a label that begins with \"-\""
			       : s[i] == '.' ? "has an empty label"
					     : "has characters that no host name has";
		i += n;
		if (i == len)
			return NULL;
		if (i > len || s[i] != '.')
			return "has characters that no host name has";
		i++;
	}
	return len ? "has an empty label" : "is empty";
}

static const char *port_fault(const char *s, size_t len)
{
	unsigned long port = 0;

	if (len == 0 || strspn(s, "0123456789") < len)
		return "has a port that is no number";
	for (size_t i = 0; i < len && port <= 65535; i++)
		port = port * 10 + (unsigned long)(s[i] - '0');
	return port == 0 || port > 65535 ? "has a port that is not 1 to 65535" : NULL;
}

/* What is wrong with s[0..len) as a registry; NULL: nothing. */
static const char *domain_fault(const char *s, size_t len)
{
	const char *end = s + len, *port = NULL, *why;

	if (len > DOMAIN_LEN_MAX)
		return "is longer than 255 characters";
	for (const char *p = end; p > s; p--) {
		if (p[-1] == ']')
			break;
		if (p[-1] == ':') {
			port = p;
			break;
		}
	}
	why = host_fault(s, port ? (size_t)(port - 1 - s) : len);
	if (!why && port)
		why = port_fault(port, (size_t)(end - port));
	return why;
}

/* What is wrong with s[0..len) as a component of a path. */
static const char *component_fault(const char *s, size_t len)
{
	if (len == 0)
		return "has an empty component";
	for (size_t i = 0;;) {
		size_t n = strspn(s + i, lower_digits);

		if (n == 0) {
			if (isupper((unsigned char)s[i]))
				return "must be in lower case";
			return i == 0 && strchr("._-", s[i]) ? "has a component that begins with a separator"
			       : strchr("._-", s[i])	     ? "has two separators in a row"
						     : "may only have a-z, 0-9, \".\", \"_\" and \"-\"";
		}
		i += n;
		if (i == len)
			return NULL;
		if (s[i] == '-')
			i += strspn(s + i, "-");
		else if (s[i] == '_')
			i += s[i + 1] == '_' ? 2 : 1;
		else if (s[i] == '.')
			i++;
		else
			return isupper((unsigned char)s[i])
				       ? "must be in lower case"
				       : "may only have a-z, 0-9, \".\", \"_\" and \"-\"";
		if (i == len)
			return "has a component that ends in a separator";
	}
}

static const char *path_fault(const char *s)
{
	const char *why = NULL;
	size_t n;

	if (!*s)
		return "is empty";
	if (strlen(s) > PATH_LEN_MAX)
		return "is longer than 255 characters";
	do {
		n = strcspn(s, "/");
		why = component_fault(s, n);
		s += n;
	} while (!why && *s++);
	return why;
}

static const char *tag_fault(const char *s)
{
	size_t n;

	if (!*s)
		return "is empty";
	if (strlen(s) > TAG_LEN_MAX)
		return "is longer than 128 characters";
	if (*s == '.' || *s == '-')
		return "begins with \".\" or \"-\"";
	for (n = strlen(s); n > 0; n--)
		if (!isascii((unsigned char)s[n - 1]) ||
			(!isalnum((unsigned char)s[n - 1]) && !strchr("_.-", s[n - 1])))
			return "may only have letters, digits, \"_\", \".\" and \"-\"";
	return NULL;
}

/* --- the whole ---------------------------------------------------------------------------------- */

/* Is the first component a registry? Capitals make it one, for no path has them (distribution agrees). */
static bool is_domain(const char *s, size_t len)
{
	if (len == strlen("localhost") && strncmp(s, "localhost", len) == 0)
		return true;
	for (size_t i = 0; i < len; i++)
		if (s[i] == '.' || s[i] == ':' || s[i] == '[' || isupper((unsigned char)s[i]))
			return true;
	return false;
}

static int refuse(const char *text, const char *part, const char *why, struct err *e)
{
	char shown[100];
	size_t n = 0;

	for (; text[n] && n < 80; n++)
		shown[n] = (text[n] >= ' ' && text[n] < 127) ? text[n] : '?';
	snprintf(shown + n, sizeof(shown) - n, "%s", text[n] ? "…" : "");
	return err_text(e, EINVAL, "image name \"%s\": the %s %s", shown, part, why);
}

/* 64 digits are an image's id: a repository of that name could never be asked for (distribution refuses it
 * too). */
static bool is_id(const char *s)
{
	return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

/* "docker.io" has a second name. */
static const char *canonical(const char *registry)
{
	return str_eq(registry, "index.docker.io") ? DOCKER_IO : registry;
}

int img_ref_parse(struct arena *a, const char *text, struct img_ref *out, struct err *e)
{
	struct img_ref ref = { 0 };
	char *s, *at, *colon, *slash;
	const char *why;
	int r;

	if (!*text)
		return refuse(text, "name", "is empty", e);
	if (strlen(text) > IMG_REF_MAX)
		return refuse(text, "name", "is too long", e);
	s = arena_strdup(a, text);
	if (!s)
		return err_set(e, ENOMEM, "image name");
	at = strchr(s, '@');
	if (at) {
		*at = '\0';
		r = img_digest_parse(at + 1, &ref.digest, e);
		if (r < 0) {
			err_wrap(e, "image name");
			return r;
		}
	}
	slash = strchr(s, '/');
	if (slash && is_domain(s, (size_t)(slash - s))) {
		*slash = '\0';
		why = domain_fault(s, strlen(s));
		if (why)
			return refuse(text, "registry", why, e);
		ref.registry = canonical(s);
		s = slash + 1;
	}
	colon = strrchr(s, ':');
	if (colon && !strchr(colon, '/')) {
		*colon = '\0';
		ref.tag = colon + 1;
		why = tag_fault(ref.tag);
		if (why)
			return refuse(text, "tag", why, e);
	}
	why = path_fault(s);
	if (!why && !ref.registry && !ref.tag && is_id(s))
		why = "is 64 digits, as only ids are";
	if (why)
		return refuse(text, ref.registry ? "path" : "name", why, e);
	ref.path = s;
	*out = ref;
	return 0;
}

int img_ref_qualify(
	struct arena *a, const struct img_ref *r, const char *registry, struct img_ref *out, struct err *e)
{
	struct img_ref ref = *r;
	const char *why;

	if (!ref.registry) {
		why = domain_fault(registry, strlen(registry));
		if (why)
			return err_text(e, EINVAL, "registry \"%.80s\" %s", registry, why);
		ref.registry = canonical(registry);
	}
	if (str_eq(ref.registry, DOCKER_IO) && !strchr(ref.path, '/')) {
		ref.path = arena_printf(a, LIBRARY "%s", ref.path);
		if (!ref.path)
			return err_set(e, ENOMEM, "image name");
		if (strlen(ref.path) > PATH_LEN_MAX)
			return refuse(ref.path, "path", "is longer than 255 characters", e);
	}
	if (!ref.tag && !ref.digest.text[0])
		ref.tag = "latest";
	*out = ref;
	return 0;
}

char *img_ref_text(struct arena *a, const struct img_ref *r)
{
	return arena_printf(a, "%s%s%s%s%s%s%s", r->registry ? r->registry : "", r->registry ? "/" : "",
		r->path, r->tag ? ":" : "", r->tag ? r->tag : "", r->digest.text[0] ? "@" : "",
		r->digest.text);
}

const char *img_ref_familiar(const char *text)
{
	const char *rest = text, *slash;
	size_t name;

	if (!str_starts(text, DOCKER_PREFIX))
		return text;
	rest += strlen(DOCKER_PREFIX);
	if (str_starts(rest, LIBRARY) && !strchr(rest + strlen(LIBRARY), '/'))
		rest += strlen(LIBRARY);
	/* What would be read as something else stays as it is: "docker.io/localhost/a", and 64 digits. */
	slash = strchr(rest, '/');
	if (slash && is_domain(rest, (size_t)(slash - rest)))
		return text;
	name = strcspn(rest, ":@");
	if (name == 64 && strspn(rest, "0123456789abcdef") == 64)
		return text;
	return rest;
}
