/* SPDX-License-Identifier: Apache-2.0 */
/* base64, both ways (see base64.h). */
#include "images/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_decode(const char *text, size_t len, char *buf, size_t *out)
{
	unsigned int bits = 0;
	size_t used = 0;

	for (int i = 0; i < 2 && len > 0 && text[len - 1] == '='; i++)
		len--;
	if (len % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		const char *p = text[i] ? strchr(digits, text[i]) : NULL;

		if (!p)
			return -EINVAL;
		bits = bits << 6 | (unsigned int)(p - digits);
		if (i % 4)
			buf[used++] = (char)(bits >> (6 - 2 * (i % 4)));
	}
	*out = used;
	return 0;
}

char *base64_encode(struct arena *a, const void *data, size_t len)
{
	const unsigned char *in = data;
	char *buf = arena_alloc(a, len / 3 * 4 + 5), *p = buf;

	if (!buf)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		unsigned int bits = (unsigned int)in[i] << 16;

		if (n > 1)
			bits |= (unsigned int)in[i + 1] << 8;
		if (n > 2)
			bits |= in[i + 2];
		*p++ = digits[bits >> 18];
		*p++ = digits[bits >> 12 & 63];
		*p++ = n > 1 ? digits[bits >> 6 & 63] : '=';
		*p++ = n > 2 ? digits[bits & 63] : '=';
	}
	*p = '\0';
	return buf;
}
