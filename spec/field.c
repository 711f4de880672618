/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of properties, readers of values, and errors that name the property (see parse.h). */
#include "spec/parse.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

/* --- where we are --------------------------------------------------------------------------------------- */

#define WHERE_MAX 400

/* Frames nest as deep as the document's known structure, so the recursion is short. Returns the length so
 * far. */
static size_t show(const struct sp_at *at, char *buf, size_t size)
{
	size_t n;
	int more;

	if (!at) {
		buf[0] = '\0';
		return 0;
	}
	n = show(at->up, buf, size);
	if (n >= size - 1)
		return n;
	if (!at->name)
		more = snprintf(buf + n, size - n, "[%zu]", at->index);
	else if (at->is_key)
		more = snprintf(buf + n, size - n, "[\"%.100s\"]", at->name);
	else
		more = snprintf(buf + n, size - n, "%s%s", n ? "." : "", at->name);
	if (more < 0)
		return n;
	n += (size_t)more;
	return n < size ? n : size - 1;
}

static const char *where(const struct sp *p, const struct sp_at *at, char buf[WHERE_MAX])
{
	return show(at, buf, WHERE_MAX) ? buf : p->what;
}

int sp_refuse(struct sp *p, const struct sp_at *at, const char *fmt, ...)
{
	char path[WHERE_MAX], text[ERR_TEXT_MAX - WHERE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_text(p->err, EINVAL, "%s%s", where(p, at, path), text);
}

int sp_no_memory(struct sp *p)
{
	return err_set(p->err, ENOMEM, "parse %s", p->what);
}

int sp_note(struct sp *p, const struct sp_at *at, const char *fmt, ...)
{
	char path[WHERE_MAX], text[ERR_TEXT_MAX - WHERE_MAX];
	struct sp_note *n;
	va_list ap;

	if (p->n_notes == SP_NOTES_MAX)
		return 0;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = arena_alloc(p->arena, sizeof(*n));
	if (!n)
		return sp_no_memory(p);
	n->text = arena_printf(p->arena, "%s%s", where(p, at, path), text);
	if (!n->text)
		return sp_no_memory(p);
	*p->notes_end = n;
	p->notes_end = &n->next;
	p->n_notes++;
	return 0;
}

/* --- objects, arrays, maps ------------------------------------------------------------------------------ */

int sp_object(
	struct sp *p, const struct sp_at *at, const struct json *j, const struct sp_field *fields, void *out)
{
	const struct json *found[SP_FIELDS_MAX] = { NULL };
	const struct json *m;
	int r = sp_want(p, at, j, JSON_OBJECT);

	if (r < 0)
		return r;
	json_each (m, j) {
		for (size_t i = 0; fields[i].name; i++) {
			if (fields[i].name[0] == m->key[0] && str_eq(fields[i].name, m->key)) {
				found[i] = m;
				break;
			}
		}
	}
	for (size_t i = 0; fields[i].name; i++) {
		const struct sp_field *f = &fields[i];
		struct sp_at here = { .up = at, .name = f->name };

		if (!found[i] || found[i]->type == JSON_NULL) {
			if (f->required)
				return sp_refuse(p, &here, " is required");
			continue;
		}
		r = f->read(p, &here, found[i], (char *)out + f->offset, f->arg);
		if (r < 0)
			return r;
	}
	return 0;
}

int sp_section(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return sp_object(p, at, j, arg, out);
}

int sp_list(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const struct sp_list *l = arg;
	struct sp_at here = { .up = at };
	const struct json *m;
	char *list = NULL;
	int r = sp_want(p, at, j, JSON_ARRAY);

	if (r < 0)
		return r;
	if (j->count > 0) {
		list = arena_calloc(p->arena, j->count, l->size);
		if (!list)
			return sp_no_memory(p);
	}
	json_each (m, j) {
		r = l->read(p, &here, m, list + here.index * l->size, l->arg);
		if (r < 0)
			return r;
		here.index++;
	}
	/* The field is a pointer of some other type: copied as bytes, which no rule on aliasing forbids. */
	memcpy((char *)out + l->list, &list, sizeof(list));
	memcpy((char *)out + l->count, &here.index, sizeof(here.index));
	return 0;
}

struct member {
	const struct json *j;
	size_t index;
	bool stale;
};

static int by_key(const void *a, const void *b)
{
	const struct member *const *x = a, *const *y = b;
	int c = strcmp((*x)->j->key, (*y)->j->key);

	if (c)
		return c;
	return (*x)->index < (*y)->index ? -1 : 1;
}

int sp_members(
	struct sp *p, const struct sp_at *at, const struct json *j, const struct json ***out, size_t *n)
{
	struct member *all, **sorted;
	const struct json *m, **list;
	size_t i = 0, kept = 0;
	int r = sp_want(p, at, j, JSON_OBJECT);

	if (r < 0)
		return r;
	all = arena_calloc(p->arena, j->count + 1, sizeof(*all));
	sorted = arena_calloc(p->arena, j->count + 1, sizeof(*sorted));
	list = arena_calloc(p->arena, j->count + 1, sizeof(const struct json *));
	if (!all || !sorted || !list)
		return sp_no_memory(p);
	json_each (m, j) {
		all[i] = (struct member){ .j = m, .index = i };
		sorted[i] = &all[i];
		i++;
	}
	qsort(sorted, j->count, sizeof(*sorted), by_key);
	for (i = 0; i + 1 < j->count; i++)
		if (str_eq(sorted[i]->j->key, sorted[i + 1]->j->key))
			sorted[i]->stale = true;
	for (i = 0; i < j->count; i++)
		if (!all[i].stale && all[i].j->type != JSON_NULL)
			list[kept++] = all[i].j;
	*out = list;
	*n = kept;
	return 0;
}

int sp_string_map(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const struct sp_map *map = arg;
	const struct json **members;
	const char **pairs = NULL;
	size_t n;
	int r = sp_members(p, at, j, &members, &n);

	if (r < 0)
		return r;
	if (n > 0) {
		pairs = arena_calloc(p->arena, n, 2 * sizeof(*pairs));
		if (!pairs)
			return sp_no_memory(p);
	}
	for (size_t i = 0; i < n; i++) {
		struct sp_at here = { .up = at, .name = members[i]->key, .is_key = true };

		if (map->check) {
			r = map->check(p, &here, here.name);
			if (r < 0)
				return r;
		}
		r = sp_get_string(p, &here, members[i], &pairs[2 * i + 1]);
		if (r < 0)
			return r;
		pairs[2 * i] = here.name;
	}
	memcpy((char *)out + map->list, &pairs, sizeof(pairs));
	memcpy((char *)out + map->count, &n, sizeof(n));
	return 0;
}

/* --- values --------------------------------------------------------------------------------------------- */

int sp_want(struct sp *p, const struct sp_at *at, const struct json *j, enum json_type type)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",
		[JSON_BOOL] = "a boolean",
		[JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};

	if (j->type == type)
		return 0;
	return sp_refuse(p, at, " must be %s, not %s", names[type], names[j->type]);
}

int sp_get_string(struct sp *p, const struct sp_at *at, const struct json *j, const char **out)
{
	int r = sp_want(p, at, j, JSON_STRING);

	if (r == 0)
		*out = j->text;
	return r;
}

int sp_get_i64(
	struct sp *p, const struct sp_at *at, const struct json *j, int64_t min, int64_t max, int64_t *out)
{
	char path[WHERE_MAX];
	int64_t v = 0;

	/* The path is only put together for a value that is then refused again, with text. */
	if (json_as_i64(j, "", &v, NULL) < 0)
		return json_as_i64(j, where(p, at, path), &v, p->err);
	if (v < min && max == INT64_MAX)
		return sp_refuse(p, at, " must be at least %lld, not %lld", (long long)min, (long long)v);
	if (v < min || v > max)
		return sp_refuse(p, at, " must be from %lld to %lld, not %lld", (long long)min,
			(long long)max, (long long)v);
	*out = v;
	return 0;
}

int sp_get_u64(struct sp *p, const struct sp_at *at, const struct json *j, uint64_t max, uint64_t *out)
{
	char path[WHERE_MAX];
	uint64_t v = 0;

	if (json_as_u64(j, "", &v, NULL) < 0)
		return json_as_u64(j, where(p, at, path), &v, p->err);
	if (v > max)
		return sp_refuse(p, at, " must be at most %llu, not %llu", (unsigned long long)max,
			(unsigned long long)v);
	*out = v;
	return 0;
}

static int unknown_word(struct sp *p, const struct sp_at *at, const struct spec_word *words, const char *kind,
	const char *text)
{
	char known[400] = "";
	size_t n = 0;

	for (; words->name && n < sizeof(known); words++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", words->name);
	return sp_refuse(p, at, ": unknown %s %.100s; known are %s", kind, text, known);
}

int sp_get_word(struct sp *p, const struct sp_at *at, const struct json *j, const struct spec_word *words,
	const char *kind, uint64_t *out)
{
	const struct spec_word *w;
	int r = sp_want(p, at, j, JSON_STRING);

	if (r < 0)
		return r;
	w = spec_word_find(words, j->text);
	if (!w)
		return unknown_word(p, at, words, kind, j->text);
	*out = w->value;
	return 0;
}

int sp_get_flags(struct sp *p, const struct sp_at *at, const struct json *j, const struct spec_word *words,
	const char *kind, uint64_t *out)
{
	struct sp_at here = { .up = at };
	const struct json *m;
	uint64_t all = 0, one = 0;
	int r = sp_want(p, at, j, JSON_ARRAY);

	if (r < 0)
		return r;
	json_each (m, j) {
		r = sp_get_word(p, &here, m, words, kind, &one);
		if (r < 0)
			return r;
		all |= one;
		here.index++;
	}
	*out = all;
	return 0;
}

int sp_check_path(struct sp *p, const struct sp_at *at, const char *path)
{
	if (*path != '/')
		return sp_refuse(p, at, " must be an absolute path, not \"%.100s\"", path);
	if (strlen(path) >= PATH_MAX)
		return sp_refuse(p, at, " is longer than a path can be (%d bytes)", PATH_MAX - 1);
	return 0;
}

/* --- readers -------------------------------------------------------------------------------------------- */

int sp_string(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return sp_get_string(p, at, j, out);
}

int sp_text(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **s = out;
	int r = sp_get_string(p, at, j, s);

	if (r == 0 && !**s)
		*s = NULL;
	return r;
}

int sp_nonempty(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **s = out;
	int r = sp_get_string(p, at, j, s);

	if (r == 0 && !**s)
		return sp_refuse(p, at, " must not be empty");
	return r;
}

int sp_path(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **s = out;
	int r = sp_get_string(p, at, j, s);

	return r < 0 ? r : sp_check_path(p, at, *s);
}

int sp_path_or_empty(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **s = out;
	int r = sp_text(p, at, j, s, NULL);

	return r < 0 || !*s ? r : sp_check_path(p, at, *s);
}

int sp_bool(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	bool *b = out;
	int r = sp_want(p, at, j, JSON_BOOL);

	if (r == 0)
		*b = j->boolean;
	return r;
}

int sp_u64(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return sp_get_u64(p, at, j, UINT64_MAX, out);
}

static int get_u32(struct sp *p, const struct sp_at *at, const struct json *j, uint32_t max, uint32_t *out)
{
	uint64_t v;
	int r = sp_get_u64(p, at, j, max, &v);

	if (r == 0)
		*out = (uint32_t)v;
	return r;
}

int sp_u32(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return get_u32(p, at, j, UINT32_MAX, out);
}

int sp_id(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return get_u32(p, at, j, UINT32_MAX - 1, out);
}

int sp_strv(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	char ***v = out, **list;
	struct sp_at here = { .up = at };
	const struct json *m;
	int r = sp_want(p, at, j, JSON_ARRAY);

	if (r < 0)
		return r;
	list = arena_calloc(p->arena, j->count + 1, sizeof(char *));
	if (!list)
		return sp_no_memory(p);
	json_each (m, j) {
		r = sp_want(p, &here, m, JSON_STRING);
		if (r < 0)
			return r;
		/* Not const in struct spec, since execve(2) takes its vectors so; nobody writes to the
		 * strings. */
		list[here.index++] = (char *)m->text;
	}
	*v = list;
	return 0;
}

int sp_strv_or_null(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	char ***v = out;
	int r = sp_strv(p, at, j, v, NULL);

	if (r == 0 && !**v)
		*v = NULL;
	return r;
}

int sp_opt_u64(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_u64 *o = out;
	int r = sp_get_u64(p, at, j, UINT64_MAX, &o->v);

	if (r == 0)
		o->has = true;
	return r;
}

int sp_opt_u64_not_0(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_u64 *o = out;
	int r = sp_get_u64(p, at, j, UINT64_MAX, &o->v);

	if (r == 0)
		o->has = o->v != 0;
	return r;
}

int sp_opt_i64(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const struct sp_range *range = arg;
	struct spec_i64 *o = out;
	int r = sp_get_i64(p, at, j, range ? range->min : INT64_MIN, range ? range->max : INT64_MAX, &o->v);

	if (r == 0)
		o->has = true;
	return r;
}

int sp_opt_i64_not_0(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_i64 *o = out;
	int r = sp_opt_i64(p, at, j, out, arg);

	if (r == 0)
		o->has = o->v != 0;
	return r;
}
