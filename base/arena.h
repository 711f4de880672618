/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena: memory that is given back all at once. What config.json turns into lives in one.
 *
 * Single-threaded. Everything handed out is zeroed and aligned for any type.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/cleanup.h"

struct arena;

/* Returns NULL when there is no memory. */
struct arena *arena_new(void);
void arena_free(struct arena *a);
DEFINE_CLEANUP(struct arena *, arena_free);

/* All return NULL when there is no memory or the size overflows; the arena stays usable. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_calloc(struct arena *a, size_t count, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
