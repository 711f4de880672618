/* SPDX-License-Identifier: Apache-2.0 */
/* JSON, over yajl: the writer (see json.h). */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <yajl/yajl_gen.h>

struct json_writer {
	yajl_gen gen;
	bool failed;
};

struct json_writer *json_writer_new(bool pretty)
{
	struct json_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->gen = yajl_gen_alloc(NULL);
	if (!w->gen) {
		free(w);
		return NULL;
	}
	if (pretty) {
		yajl_gen_config(w->gen, yajl_gen_beautify, 1);
		yajl_gen_config(w->gen, yajl_gen_indent_string, "  ");
	}
	return w;
}

void json_writer_free(struct json_writer *w)
{
	if (!w)
		return;
	yajl_gen_free(w->gen);
	free(w);
}

static void check(struct json_writer *w, yajl_gen_status s)
{
	if (s != yajl_gen_status_ok)
		w->failed = true;
}

static void put_text(struct json_writer *w, const char *text)
{
	_cleanup_strbuf_ struct strbuf fixed = { 0 };
	const unsigned char *s = (const unsigned char *)text;
	size_t len = strlen(text), start = 0, i = 0;

	while (i < len) {
		size_t n = str_utf8_len(s + i, len - i);

		if (n == 0) {
			strbuf_add(&fixed, text + start, i - start);
			strbuf_puts(&fixed, "\xef\xbf\xbd");
			start = ++i;
		} else {
			i += n;
		}
	}
	if (start == 0) {
		check(w, yajl_gen_string(w->gen, s, len));
		return;
	}
	strbuf_add(&fixed, text + start, len - start);
	if (fixed.failed)
		w->failed = true;
	else
		check(w, yajl_gen_string(w->gen, (unsigned char *)fixed.s, fixed.len));
}

static void put_name(struct json_writer *w, const char *name)
{
	if (name)
		put_text(w, name);
}

void json_open_object(struct json_writer *w, const char *name)
{
	put_name(w, name);
	check(w, yajl_gen_map_open(w->gen));
}

void json_close_object(struct json_writer *w)
{
	check(w, yajl_gen_map_close(w->gen));
}

void json_open_array(struct json_writer *w, const char *name)
{
	put_name(w, name);
	check(w, yajl_gen_array_open(w->gen));
}

void json_close_array(struct json_writer *w)
{
	check(w, yajl_gen_array_close(w->gen));
}

void json_put_string(struct json_writer *w, const char *name, const char *value)
{
	put_name(w, name);
	if (value)
		put_text(w, value);
	else
		check(w, yajl_gen_null(w->gen));
}

void json_put_bool(struct json_writer *w, const char *name, bool value)
{
	put_name(w, name);
	check(w, yajl_gen_bool(w->gen, value));
}

static void put_number(struct json_writer *w, const char *text)
{
	check(w, yajl_gen_number(w->gen, text, strlen(text)));
}

void json_put_i64(struct json_writer *w, const char *name, int64_t value)
{
	char text[24];

	put_name(w, name);
	snprintf(text, sizeof(text), "%" PRId64, value);
	put_number(w, text);
}

void json_put_u64(struct json_writer *w, const char *name, uint64_t value)
{
	char text[24];

	put_name(w, name);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	put_number(w, text);
}

void json_put_double(struct json_writer *w, const char *name, double value)
{
	char text[40];

	put_name(w, name);
	if (!isfinite(value)) {
		check(w, yajl_gen_null(w->gen));
		return;
	}
	snprintf(text, sizeof(text), "%.15g", value);
	put_number(w, text);
}

void json_put_null(struct json_writer *w, const char *name)
{
	put_name(w, name);
	check(w, yajl_gen_null(w->gen));
}

void json_put_strv(struct json_writer *w, const char *name, char *const *values)
{
	const char *s;

	json_open_array(w, name);
	strv_each (s, values)
		json_put_string(w, NULL, s);
	json_close_array(w);
}

void json_put_json(struct json_writer *w, const char *name, const struct json *j)
{
	const struct json *m;

	switch (j->type) {
	case JSON_NULL:
		json_put_null(w, name);
		break;
	case JSON_BOOL:
		json_put_bool(w, name, j->boolean);
		break;
	case JSON_NUMBER:
		put_name(w, name);
		put_number(w, j->text);
		break;
	case JSON_STRING:
		json_put_string(w, name, j->text);
		break;
	case JSON_ARRAY:
		json_open_array(w, name);
		json_each (m, j)
			json_put_json(w, NULL, m);
		json_close_array(w);
		break;
	case JSON_OBJECT:
		json_open_object(w, name);
		json_each (m, j)
			json_put_json(w, m->key, m);
		json_close_object(w);
		break;
	}
}

const char *json_writer_text(struct json_writer *w, size_t *len)
{
	const unsigned char *s;
	size_t n;

	if (w->failed || yajl_gen_get_buf(w->gen, &s, &n) != yajl_gen_status_ok)
		return NULL;
	/* yajl ends a beautified document with a newline. */
	while (n > 0 && s[n - 1] == '\n')
		n--;
	((unsigned char *)s)[n] = '\0';
	if (len)
		*len = n;
	return (const char *)s;
}
