/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader for TOML 1.0 as far as registries.conf needs it: tables, arrays of tables, inline tables, strings
 * of all four kinds, arrays, booleans, decimal integers, comments, dotted and quoted keys. Floats, dates, and
 * integers in other bases are refused, with their line, as is whatever the grammar does not allow.
 */
#ifndef IMAGES_TOML_H
#define IMAGES_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum toml_type { TOML_STRING, TOML_INTEGER, TOML_BOOL, TOML_ARRAY, TOML_TABLE };

struct toml {
	enum toml_type type;
	const char *key; /* as a member of a table */
	const char *text;
	int64_t integer;
	bool boolean;
	int line;	    /* where it begins */
	size_t count;	    /* elements or members */
	struct toml *first; /* of an array or table, in the order of the document */
	struct toml *last, *next;
	bool tables; /* an array made by [[…]] */
	bool headed; /* a table that had its [header] */
	bool dotted; /* a table made by a dotted key */
	bool closed; /* an inline table: nothing can be added */
};

#define toml_each(child, parent) \
	for ((child) = (parent) ? (parent)->first : NULL; (child); (child) = (child)->next)

/* Strings live in the arena. `what` names the document in errors, which also tell the line. -EINVAL. */
int toml_parse(struct arena *a, const char *text, size_t len, const char *what, const struct toml **out,
	struct err *e);

/* NULL: no such member. */
const struct toml *toml_get(const struct toml *table, const char *key);

/* Typed members of a table. 0; outputs are untouched where there is no such member; -EINVAL for another type.
 */
int toml_get_string(
	const struct toml *table, const char *key, const char *what, const char **out, struct err *e);
int toml_get_bool(const struct toml *table, const char *key, const char *what, bool *out, struct err *e);
/* An array or table, else -EINVAL. */
int toml_get_list(const struct toml *table, const char *key, const char *what, enum toml_type type,
	const struct toml **out, struct err *e);

#endif
