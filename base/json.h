/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON, over yajl (json.c and json_write.c are the only files that know it): a tree to read from, a writer to
 * write with.
 *
 * Reading: strict RFC 8259 UTF-8, no comments, nothing after the value. Depth is limited (JSON_DEPTH_MAX), so
 * hostile input cannot exhaust the stack; a string with an embedded NUL is refused, for C would silently
 * shorten it. Of members with equal names the last one counts, as with Go's encoding/json, which the engines
 * use. Numbers keep their text: no digit of a 64-bit value is lost.
 *
 * `null` means absent everywhere in OCI documents that Go programs write, so json_get() and the typed getters
 * treat it so.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Half of what yajl's writer can do, so that whatever was read can be written, also as a part of something.
 */
#define JSON_DEPTH_MAX 64

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	bool boolean;
	const char *key;   /* as a member of an object */
	const char *text;  /* a string's value; a number as written */
	size_t count;	   /* elements or members */
	size_t start, end; /* of an array or object: its bytes in the text, [start, end), brackets included */
	const struct json *first; /* of an array or object, in document order */
	const struct json *next;  /* the sibling */
};

#define json_each(child, parent) \
	for ((child) = (parent) ? (parent)->first : NULL; (child); (child) = (child)->next)

/*
 * Parses text[0..len) into the arena; strings in the tree live there too. `what` names the document in errors
 * ("config.json"), which also tell line and column.
 */
int json_parse(struct arena *a, const char *text, size_t len, const char *what, const struct json **out,
	struct err *e);

/* The member `name` of an object; NULL if obj is NULL, no object, or the member is absent or null. */
const struct json *json_get(const struct json *obj, const char *name);

/*
 * Typed values of a node. 0, or -EINVAL with a text that says which type was wanted; `what` names the
 * property in it. Integers must be written as such (a fraction or exponent is accepted if the value is
 * integral, as Go writes 1e+06).
 */
int json_as_string(const struct json *j, const char *what, const char **out, struct err *e);
int json_as_bool(const struct json *j, const char *what, bool *out, struct err *e);
int json_as_i64(const struct json *j, const char *what, int64_t *out, struct err *e);
int json_as_u64(const struct json *j, const char *what, uint64_t *out, struct err *e);

/* --- writing
 * ------------------------------------------------------------------------------------------------------ */

struct json_writer;

/* `pretty`: two-space indentation and newlines. '/' is never escaped (hooks' readers choke on it). NULL: no
 * memory. */
struct json_writer *json_writer_new(bool pretty);
void json_writer_free(struct json_writer *w);
DEFINE_CLEANUP(struct json_writer *, json_writer_free);

/*
 * Inside an object every value is preceded by its name: the calls take `name`, NULL inside an array and at
 * the top. Errors are sticky and come out of json_writer_text(). Strings that are no valid UTF-8 have their
 * bad bytes replaced by U+FFFD.
 */
void json_open_object(struct json_writer *w, const char *name);
void json_close_object(struct json_writer *w);
void json_open_array(struct json_writer *w, const char *name);
void json_close_array(struct json_writer *w);
void json_put_string(struct json_writer *w, const char *name, const char *value); /* NULL value: null */
void json_put_bool(struct json_writer *w, const char *name, bool value);
void json_put_i64(struct json_writer *w, const char *name, int64_t value);
void json_put_u64(struct json_writer *w, const char *name, uint64_t value);
void json_put_double(struct json_writer *w, const char *name, double value);
void json_put_null(struct json_writer *w, const char *name);
void json_put_strv(struct json_writer *w, const char *name, char *const *values); /* NULL: [] */
/* A whole tree, as it was read. */
void json_put_json(struct json_writer *w, const char *name, const struct json *j);

/* The text so far, without a trailing newline; valid until the writer is changed or freed. NULL after an
 * error. */
const char *json_writer_text(struct json_writer *w, size_t *len);

#endif
