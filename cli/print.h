/* SPDX-License-Identifier: Apache-2.0 */
/* What verbs print with, in ringfence and in ringfence-image. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

/* Writes to standard output, whole. */
int cli_print(const char *text, size_t len, struct err *e);
/* The document, and a newline. */
int cli_print_json(struct json_writer *w, struct err *e);

/* --format text/json style options: 0, or 1 for json; -EINVAL for anything but `plain` and "json". */
int cli_format_is_json(const char *format, const char *plain, struct err *e);

#endif
