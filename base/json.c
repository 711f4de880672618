/* SPDX-License-Identifier: Apache-2.0 */
/* JSON, over yajl: the tree to read from (see json.h). Only json*.c include yajl's headers. */
#include "base/json.h"

#include <math.h>
#include <yajl/yajl_parse.h>

/* --- reading
 * ------------------------------------------------------------------------------------------------------ */

struct level {
	struct json *node;
	struct json *last;
};

struct parse {
	yajl_handle handle;
	struct arena *arena;
	struct level stack[JSON_DEPTH_MAX];
	size_t depth;
	const char *key;
	struct json *root;
	const char *problem;
};

static int refuse(struct parse *p, const char *problem)
{
	p->problem = problem;
	return 0;
}

static struct json *add(struct parse *p, enum json_type type)
{
	struct json *j = arena_alloc(p->arena, sizeof(*j));

	if (!j) {
		refuse(p, "out of memory");
		return NULL;
	}
	j->type = type;
	j->key = TAKE_PTR(p->key);
	if (p->depth == 0) {
		p->root = j;
	} else {
		struct level *l = &p->stack[p->depth - 1];

		if (l->last)
			l->last->next = j;
		else
			l->node->first = j;
		l->last = j;
		l->node->count++;
	}
	return j;
}

/* yajl's own check lets overlong forms and surrogates through. */
static bool is_utf8(const unsigned char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n;

		if (s[i] < 0x80) {
			i++;
			continue;
		}
		n = str_utf8_len(s + i, len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

static char *copy(struct parse *p, const unsigned char *s, size_t len)
{
	char *t;

	if (memchr(s, '\0', len)) {
		refuse(p, "a string contains the character U+0000");
		return NULL;
	}
	if (!is_utf8(s, len)) {
		refuse(p, "a string is not valid UTF-8");
		return NULL;
	}
	t = arena_strndup(p->arena, (const char *)s, len);
	if (!t)
		refuse(p, "out of memory");
	return t;
}

static int on_null(void *ctx)
{
	return add(ctx, JSON_NULL) != NULL;
}

static int on_bool(void *ctx, int value)
{
	struct json *j = add(ctx, JSON_BOOL);

	if (j)
		j->boolean = value != 0;
	return j != NULL;
}

static int on_number(void *ctx, const char *s, size_t len)
{
	struct json *j = add(ctx, JSON_NUMBER);

	if (!j)
		return 0;
	j->text = copy(ctx, (const unsigned char *)s, len);
	return j->text != NULL;
}

static int on_string(void *ctx, const unsigned char *s, size_t len)
{
	struct json *j = add(ctx, JSON_STRING);

	if (!j)
		return 0;
	j->text = copy(ctx, s, len);
	return j->text != NULL;
}

static int on_key(void *ctx, const unsigned char *s, size_t len)
{
	struct parse *p = ctx;

	p->key = copy(p, s, len);
	return p->key != NULL;
}

static int on_open(struct parse *p, enum json_type type)
{
	struct json *j;

	if (p->depth == JSON_DEPTH_MAX)
		return refuse(p, "nested too deeply");
	j = add(p, type);
	if (!j)
		return 0;
	/* yajl has just gone past the opening bracket. */
	j->start = yajl_get_bytes_consumed(p->handle) - 1;
	p->stack[p->depth++] = (struct level){ .node = j };
	return 1;
}

static int on_open_object(void *ctx)
{
	return on_open(ctx, JSON_OBJECT);
}

static int on_open_array(void *ctx)
{
	return on_open(ctx, JSON_ARRAY);
}

static int on_close(void *ctx)
{
	struct parse *p = ctx;

	p->stack[--p->depth].node->end = yajl_get_bytes_consumed(p->handle);
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_open_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_close,
	.yajl_start_array = on_open_array,
	.yajl_end_array = on_close,
};

static void where(const char *text, size_t at, int *line, int *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < at; i++) {
		if (text[i] == '\n') {
			++*line;
			*column = 1;
		} else {
			++*column;
		}
	}
}

/* The one line that matters out of yajl's message ("parse error: trailing garbage\n  <excerpt>\n ^\n"). */
static int syntax_error(
	yajl_handle h, const struct parse *p, const char *text, size_t len, const char *what, struct err *e)
{
	unsigned char *msg = yajl_get_error(h, 0, (const unsigned char *)text, len);
	size_t at = yajl_get_bytes_consumed(h);
	const char *why = p->problem;
	int line, column, r;

	/* What some editors put there, and nobody sees. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		why = "it starts with a byte order mark: save it as UTF-8 without one";
	if (!why && msg)
		why = str_starts((char *)msg, "parse error: ") ? (char *)msg + 13 : (char *)msg;
	where(text, at < len ? at : len, &line, &column);
	r = err_text(e, EINVAL, "parse %s: line %d, column %d: %.*s", what, line, column,
		why ? (int)strcspn(why, "\n") : 13, why ? why : "syntax error");
	if (msg)
		yajl_free_error(h, msg);
	return r;
}

static bool is_blank(const char *text, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) && text[len - 1])
		len--;
	return len == 0;
}

int json_parse(struct arena *a, const char *text, size_t len, const char *what, const struct json **out,
	struct err *e)
{
	struct parse p = { .arena = a };
	yajl_handle h = yajl_alloc(&callbacks, NULL, &p);
	yajl_status s;
	int r = 0;

	if (!h)
		return err_set(e, ENOMEM, "parse %s", what);
	if (is_blank(text, len)) {
		yajl_free(h);
		return err_text(e, EINVAL, "parse %s: it is empty", what);
	}
	p.handle = h;
	s = yajl_parse(h, (const unsigned char *)text, len);
	if (s == yajl_status_ok)
		s = yajl_complete_parse(h);
	if (s != yajl_status_ok)
		r = syntax_error(h, &p, text, len, what, e);
	else if (!p.root)
		r = err_text(e, EINVAL, "parse %s: it is empty", what);
	yajl_free(h);
	if (r == 0)
		*out = p.root;
	return r;
}

const struct json *json_get(const struct json *obj, const char *name)
{
	const struct json *m, *found = NULL;

	if (!obj || obj->type != JSON_OBJECT)
		return NULL;
	json_each (m, obj)
		if (str_eq(m->key, name))
			found = m;
	return found && found->type != JSON_NULL ? found : NULL;
}

static const char *const type_names[] = {
	[JSON_NULL] = "null",
	[JSON_BOOL] = "a boolean",
	[JSON_NUMBER] = "a number",
	[JSON_STRING] = "a string",
	[JSON_ARRAY] = "an array",
	[JSON_OBJECT] = "an object",
};

static int mistyped(const struct json *j, const char *what, const char *wanted, struct err *e)
{
	return err_text(e, EINVAL, "%s must be %s, not %s", what, wanted, j ? type_names[j->type] : "absent");
}

int json_as_string(const struct json *j, const char *what, const char **out, struct err *e)
{
	if (!j || j->type != JSON_STRING)
		return mistyped(j, what, "a string", e);
	*out = j->text;
	return 0;
}

int json_as_bool(const struct json *j, const char *what, bool *out, struct err *e)
{
	if (!j || j->type != JSON_BOOL)
		return mistyped(j, what, "a boolean", e);
	*out = j->boolean;
	return 0;
}

int json_as_i64(const struct json *j, const char *what, int64_t *out, struct err *e)
{
	int r;

	if (!j || j->type != JSON_NUMBER)
		return mistyped(j, what, "an integer", e);
	r = str_to_i64(j->text, out);
	if (r == -EINVAL) {
		double d = strtod(j->text, NULL);

		/* 2^63 is the first double that does not fit. */
		if (d == trunc(d) && d >= -0x1p63 && d < 0x1p63) {
			*out = (int64_t)d;
			return 0;
		}
	}
	if (r < 0)
		return err_text(e, EINVAL, "%s must be a 64-bit integer, not %s", what, j->text);
	return 0;
}

int json_as_u64(const struct json *j, const char *what, uint64_t *out, struct err *e)
{
	int r;

	if (!j || j->type != JSON_NUMBER)
		return mistyped(j, what, "an integer", e);
	r = str_to_u64(j->text, out);
	if (r == -EINVAL && j->text[0] != '-') {
		double d = strtod(j->text, NULL);

		if (d == trunc(d) && d >= 0 && d < 0x1p64) {
			*out = (uint64_t)d;
			return 0;
		}
	}
	if (r < 0)
		return err_text(e, EINVAL, "%s must be an unsigned 64-bit integer, not %s", what, j->text);
	return 0;
}
