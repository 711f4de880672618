/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: strict numbers, growing buffers, NULL-terminated vectors. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

static inline bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static inline bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix);

/*
 * Whole decimal numbers and nothing else: no sign for the unsigned ones, no blanks, no "0x", no trailing
 * text. 0, -EINVAL, or -ERANGE; outputs are untouched on failure.
 */
int str_to_u64(const char *s, uint64_t *out);
int str_to_i64(const char *s, int64_t *out);
int str_to_u32(const char *s, uint32_t *out);
int str_to_int(const char *s, int *out);

/* A size with an optional binary suffix: 100, 64k, 32M, 1g, 1GiB, 512KB (1024 each). "-1" and "max" give -1.
 */
int str_to_size(const char *s, int64_t *out);

/* A growing text; zero-initialise. After an out-of-memory `failed` stays set and further calls do nothing. */
struct strbuf {
	char *s; /* NUL-terminated, or NULL while empty */
	size_t len, room;
	bool failed;
};

void strbuf_add(struct strbuf *b, const char *s, size_t len);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void strbuf_reset(struct strbuf *b); /* frees */

static inline void strbuf_resetp(struct strbuf *b)
{
	strbuf_reset(b);
}
#define _cleanup_strbuf_ _cleanup_(strbuf_resetp)

#define strv_each(s, v) \
	for (char *const *strv_i_ = (char *const *)(v); strv_i_ && ((s) = *strv_i_); strv_i_++)

size_t strv_len(char *const *v);
bool strv_has(char *const *v, const char *s);

/* The value of NAME in an environment of "NAME=value" strings, the last one counts; NULL if absent. */
const char *strv_env(char *const *env, const char *name);

/* How long the well-formed UTF-8 sequence at s is, of which `left` bytes are there (Unicode table 3-7); 0 if
 * there is none. */
size_t str_utf8_len(const unsigned char *s, size_t left);
/*
 * The same, into *c (may be NULL) the code point, but 0 also for what a terminal acts upon or does not show:
 * controls (C0, C1), marks and overrides of the direction of writing, separators of lines, joiners, tags. A
 * text that strangers wrote must not be printed with these in it.
 */
size_t str_shown_len(const unsigned char *s, size_t left, unsigned int *c);

#endif
