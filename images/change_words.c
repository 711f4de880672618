/* SPDX-License-Identifier: Apache-2.0 */
/* Words with quotes, backslashes and variables (see change_internal.h). */
#include "images/change_internal.h"

#include <ctype.h>

struct lexer {
	const char *s;
	char *const *env;
	struct strbuf word;
	struct err *err;
};

static size_t name_len(const char *s)
{
	size_t n = 0;

	while (s[n] == '_' || isalpha((unsigned char)s[n]) || (n && isdigit((unsigned char)s[n])))
		n++;
	return n;
}

/* Behind the '$'. */
static int variable(struct lexer *l)
{
	bool braces = *l->s == '{';
	size_t n = name_len(l->s + braces);
	const char *value;
	char name[256];

	if (n == 0 && !braces) {
		strbuf_puts(&l->word, "$");
		return 0;
	}
	if (n == 0 || n >= sizeof(name) || (braces && l->s[1 + n] != '}'))
		return err_text(l->err, EINVAL, "\"$%.40s\" is no ${NAME}", l->s);
	memcpy(name, l->s + braces, n);
	name[n] = '\0';
	value = strv_env(l->env, name);
	strbuf_puts(&l->word, value ? value : "");
	l->s += n + 2 * (size_t)braces;
	return 0;
}

static int quoted(struct lexer *l)
{
	char quote = *l->s++;
	int r = 0;

	while (*l->s && *l->s != quote && r == 0) {
		if (quote == '"' && *l->s == '\\' && l->s[1] && strchr("\"\\$", l->s[1])) {
			strbuf_add(&l->word, l->s + 1, 1);
			l->s += 2;
		} else if (quote == '"' && *l->s == '$') {
			l->s++;
			r = variable(l);
		} else {
			strbuf_add(&l->word, l->s++, 1);
		}
	}
	if (r == 0 && *l->s != quote)
		return err_text(l->err, EINVAL, "a quote (%c) is not closed", quote);
	l->s++;
	return r;
}

/* Up to one of `ends`, or the end. */
static int lex(struct lexer *l, const char *ends)
{
	int r = 0;

	while (r == 0 && *l->s && !strchr(ends, *l->s)) {
		if (*l->s == '"' || *l->s == '\'') {
			r = quoted(l);
		} else if (*l->s == '\\' && l->s[1]) {
			strbuf_add(&l->word, l->s + 1, 1);
			l->s += 2;
		} else if (*l->s == '$') {
			l->s++;
			r = variable(l);
		} else {
			strbuf_add(&l->word, l->s++, 1);
		}
	}
	if (r == 0 && l->word.failed)
		r = err_set(l->err, ENOMEM, "words");
	return r;
}

static char *take(struct lexer *l, struct arena *a)
{
	char *copy = arena_strdup(a, l->word.s ? l->word.s : "");

	strbuf_reset(&l->word);
	return copy;
}

int change_words(struct arena *a, const char *text, char *const *env, char ***out, struct err *e)
{
	struct lexer l = { .s = text, .env = env, .err = e };
	/* A word is at least one character and a blank. */
	char **list = arena_calloc(a, strlen(text) / 2 + 2, sizeof(*list));
	size_t n = 0;
	int r = list ? 0 : err_set(e, ENOMEM, "words");

	for (l.s += strspn(l.s, " \t\n"); r == 0 && *l.s; l.s += strspn(l.s, " \t\n")) {
		r = lex(&l, " \t\n");
		if (r == 0) {
			list[n] = take(&l, a);
			r = list[n++] ? 0 : err_set(e, ENOMEM, "words");
		}
	}
	strbuf_reset(&l.word);
	if (r == 0)
		*out = list;
	return r;
}

int change_expand(struct arena *a, const char *text, char *const *env, const char **out, struct err *e)
{
	struct lexer l = { .s = text, .env = env, .err = e };
	int r = lex(&l, "");

	if (r == 0) {
		*out = take(&l, a);
		r = *out ? 0 : err_set(e, ENOMEM, "words");
	}
	strbuf_reset(&l.word);
	return r;
}
