/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for people: sizes, ages and tables, as podman and docker show them. What images say of themselves
 * (names, labels, histories) is a stranger's: here it becomes text that cannot drive a terminal.
 */
#ifndef CLI_IMAGE_TEXT_H
#define CLI_IMAGE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define TEXT_MAX 48 /* room for what these write */

/* Three digits and a decimal unit: "999 B", "12.3 MB". */
void text_size(int64_t bytes, char buf[TEXT_MAX]);
/* How long ago, from seconds: "3 days ago". */
void text_age(int64_t seconds, char buf[TEXT_MAX]);

/* Seconds since 1970 of an RFC 3339 time; TEXT_NO_TIME if it is none. */
#define TEXT_NO_TIME INT64_MIN
int64_t text_time(const char *rfc3339);

/* Adds `s` with control characters (C0, C1, those that change the direction of writing or are invisible) and
 * what is no UTF-8 shown as escapes. */
void text_safe(struct strbuf *out, const char *s);
/* Adds a JSON text with such characters in it, which are within strings, as JSON's own escapes. */
void text_safe_json(struct strbuf *out, const char *json);
/* Code points. */
size_t text_width(const char *s);

/* A table: as many cells a row as there are heads; zero-initialise, set `heads` (NULL-terminated). */
struct table {
	const char *const *heads;
	char **cells;
	size_t n, room;
	bool failed;
};
/* The next cell, row by row; NULL: empty. Made safe. */
void table_add(struct table *t, const char *text);
/* Columns as wide as their contents, two blanks between; `heading`: with a line of the heads. */
void table_write(const struct table *t, bool heading, struct strbuf *out);
void table_free(struct table *t);

static inline void table_freep(struct table *t)
{
	table_free(t);
}

#endif
