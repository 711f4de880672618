/* SPDX-License-Identifier: Apache-2.0 */
/* base64 (RFC 4648, section 4): what descriptors carry, and what auth files and HTTP have passwords in. */
#ifndef IMAGES_BASE64_H
#define IMAGES_BASE64_H

#include <stddef.h>

#include "base/arena.h"

/* How many bytes `len` characters can become. */
#define BASE64_ROOM(len) ((len) / 4 * 3 + 4)

/* Into buf of BASE64_ROOM(len) bytes. 0 or -EINVAL; missing padding is accepted, anything else is not. */
int base64_decode(const char *text, size_t len, char *buf, size_t *out);
/* NULL without memory. */
char *base64_encode(struct arena *a, const void *data, size_t len);

#endif
