/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a Dockerfile's instruction; private to change*.c. */
#ifndef IMAGES_CHANGE_INTERNAL_H
#define IMAGES_CHANGE_INTERNAL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* NULL-terminated. `env` gives values to $NAME and ${NAME}; one that is not there is empty. */
int change_words(struct arena *a, const char *text, char *const *env, char ***out, struct err *e);
/* The whole text as one word: blanks stay. */
int change_expand(struct arena *a, const char *text, char *const *env, const char **out, struct err *e);

#endif
