/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Challenges out of a header (see challenge.h).
 *
 *   WWW-Authenticate := challenge ("," challenge)*
 *   challenge        := scheme [token68 | param ("," param)*]
 *   param            := token "=" (token | quoted-string)
 *
 * Commas separate both parameters and challenges: a word is a parameter's name if "=" and a value follow, and
 * else a scheme. Values of parameters that should have been quoted and are not, as some registries send them
 * (realm=https://…), are taken up to the next comma or blank.
 */
#include "images/challenge.h"

#include <ctype.h>
#include <strings.h>

#include "base/str.h"

#define CHALLENGES_MAX 8
#define TOKEN_CHARS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"

struct reader {
	struct arena *a;
	const char *at;
	struct img_challenge *list;
	size_t n;
	struct err *e;
};

static int fault(struct reader *t, const char *why)
{
	return err_text(t->e, EBADMSG, "WWW-Authenticate header cannot be understood: %s", why);
}

static int no_memory(struct reader *t)
{
	return err_set(t->e, ENOMEM, "WWW-Authenticate header");
}

static void skip_blanks(struct reader *t)
{
	t->at += strspn(t->at, " \t");
}

static void skip_commas(struct reader *t)
{
	t->at += strspn(t->at, " \t,");
}

/* "…", with backslashes before any character. */
static int read_quoted(struct reader *t, const char **out)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	for (t->at++; *t->at != '"'; t->at++) {
		if (*t->at == '\\')
			t->at++;
		if (!*t->at)
			return fault(t, "a quoted string without an end");
		strbuf_add(&b, t->at, 1);
	}
	t->at++;
	*out = b.failed ? NULL : arena_strdup(t->a, b.s ? b.s : "");
	return *out ? 0 : no_memory(t);
}

static int read_value(struct reader *t, const char **out)
{
	size_t n;

	if (*t->at == '"')
		return read_quoted(t, out);
	n = strcspn(t->at, ", \t");
	*out = arena_strndup(t->a, t->at, n);
	t->at += n;
	return *out ? 0 : no_memory(t);
}

static int read_param(struct reader *t, const char *name, size_t len)
{
	struct img_challenge *c = &t->list[t->n - 1];
	const struct {
		const char *name, **value;
	} known[] = { { "realm", &c->realm }, { "service", &c->service }, { "scope", &c->scope },
		{ "error", &c->error } };
	const char *value = NULL;
	int r = read_value(t, &value);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strlen(known[i].name) != len || strncasecmp(known[i].name, name, len) != 0)
			continue;
		if (*known[i].value)
			return fault(t, "a parameter is there twice");
		*known[i].value = value;
	}
	return 0;
}

/* Behind a scheme: a token68 instead of parameters, with nothing but '=' and the challenge's end behind it.
 */
static void skip_token68(struct reader *t)
{
	size_t n = strspn(t->at, TOKEN_CHARS "/"), pad = strspn(t->at + n, "=");
	const char *end = t->at + n + pad;

	if (n == 0 || *end == '"' || (pad == 1 && *end && !strchr(", \t", *end)))
		return;
	end += strspn(end, " \t");
	if (!*end || *end == ',')
		t->at = end;
}

static int read_scheme(struct reader *t, const char *name, size_t len)
{
	char *scheme = arena_strndup(t->a, name, len);

	if (!scheme)
		return no_memory(t);
	if (t->n == CHALLENGES_MAX)
		return fault(t, "too many challenges");
	for (char *p = scheme; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	t->list[t->n++].scheme = scheme;
	skip_blanks(t);
	skip_token68(t);
	return 0;
}

static int read_word(struct reader *t)
{
	const char *name = t->at;
	size_t n = strspn(name, TOKEN_CHARS);

	if (n == 0)
		return fault(t, "neither a scheme nor a parameter");
	t->at += n;
	skip_blanks(t);
	if (*t->at != '=')
		return t->at == name + n && *t->at && *t->at != ','
			       ? fault(t, "neither a scheme nor a parameter")
			       : read_scheme(t, name, n);
	if (t->n == 0)
		return fault(t, "a parameter without a scheme");
	t->at++;
	skip_blanks(t);
	return read_param(t, name, n);
}

int img_challenge_parse(
	struct arena *a, const char *value, struct img_challenge **out, size_t *n, struct err *e)
{
	struct reader t = { .a = a, .at = value, .e = e };
	int r;

	for (const char *p = value; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 127)
			return fault(&t, "control characters");
	t.list = arena_calloc(a, CHALLENGES_MAX, sizeof(*t.list));
	if (!t.list)
		return no_memory(&t);
	skip_commas(&t);
	while (*t.at) {
		r = read_word(&t);
		if (r < 0)
			return r;
		skip_blanks(&t);
		skip_commas(&t);
	}
	*out = t.list;
	*n = t.n;
	return 0;
}
