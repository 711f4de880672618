/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: errno plus text in a fixed buffer (see err.h). */
#include "base/err.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static int fill(
	struct err *e, int code, bool with_reason, const char *fmt, va_list ap)
{
	int n;

	if (code < 0)
		code = -code;
	if (code == 0)
		code = EINVAL;
	if (!e)
		return -code;
	e->code = code;
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	if (with_reason && n >= 0 && (size_t)n < sizeof(e->text))
		snprintf(e->text + n, sizeof(e->text) - (size_t)n, ": %s", strerror(code));
	return -code;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fill(e, code, true, fmt, ap);
	va_end(ap);
	return r;
}

int err_text(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fill(e, code, false, fmt, ap);
	va_end(ap);
	return r;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char head[ERR_TEXT_MAX], tail[ERR_TEXT_MAX];
	va_list ap;

	if (!e)
		return -EINVAL;
	va_start(ap, fmt);
	vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	memcpy(tail, e->text, sizeof(tail));
	tail[sizeof(tail) - 1] = '\0';
	/* A context so long that it would push out the cause is cut, not the cause. */
	snprintf(e->text, sizeof(e->text), "%.*s: %.*s", 500, head, 520, tail);
	return -(e->code ? e->code : EINVAL);
}

int err_hint(struct err *e, const char *fmt, ...)
{
	size_t n;
	va_list ap;

	if (!e)
		return -EINVAL;
	n = strlen(e->text);
	if (n + 3 < sizeof(e->text)) {
		memcpy(e->text + n, "; ", 3);
		va_start(ap, fmt);
		vsnprintf(e->text + n + 2, sizeof(e->text) - n - 2, fmt, ap);
		va_end(ap);
	}
	return -(e->code ? e->code : EINVAL);
}

void err_clear(struct err *e)
{
	if (e) {
		e->code = 0;
		e->text[0] = '\0';
	}
}
