/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: an errno and the sentence that goes with it, in a fixed buffer.
 *
 * Every fallible function returns 0 (or a value >= 0) or a negative errno and takes `struct err *e` last. The
 * text says what was tried, on what, why it failed and, where that is known, what the user can do; it has no
 * trailing full stop and no newline. Nothing here allocates, so an error survives ENOMEM and can cross a
 * socket as one frame. Libraries never print: only cli/ does, and only cli/ chooses exit codes.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

#define ERR_TEXT_MAX 1024

struct err {
	int code; /* errno, positive; 0: no error */
	char text[ERR_TEXT_MAX];
};

#define ERR_INIT      \
	{             \
		0, "" \
	}

/*
 * Records errno CODE (positive; a negative one is taken as its absolute value) with the formatted text,
 * followed by
 * ": strerror(code)". Returns -CODE, so that a caller can `return err_set(e, errno, "open %s", path);`.
 * `e` may be NULL: then only the code is returned. CODE 0 is a bug and becomes EINVAL.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same without the ": strerror(code)" part, for texts that say it themselves. */
int err_text(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "formatted text: " before the present text. Returns -e->code. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds "; formatted text" after the present text: a hint on what to do. Returns -e->code. */
int err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void err_clear(struct err *e);

#endif
