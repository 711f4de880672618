/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: strict numbers, growing buffers, NULL-terminated vectors (see str.h). */
#include "base/str.h"

#include <ctype.h>
#include <limits.h>
#include <strings.h>

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

int str_to_u64(const char *s, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	}
	*out = v;
	return 0;
}

int str_to_i64(const char *s, int64_t *out)
{
	bool negative = *s == '-';
	uint64_t v;
	int r = str_to_u64(s + negative, &v);

	if (r < 0)
		return r;
	if (v > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int str_to_u32(const char *s, uint32_t *out)
{
	uint64_t v;
	int r = str_to_u64(s, &v);

	if (r < 0)
		return r;
	if (v > UINT32_MAX)
		return -ERANGE;
	*out = (uint32_t)v;
	return 0;
}

int str_to_int(const char *s, int *out)
{
	int64_t v;
	int r = str_to_i64(s, &v);

	if (r < 0)
		return r;
	if (v > INT_MAX || v < INT_MIN)
		return -ERANGE;
	*out = (int)v;
	return 0;
}

int str_to_size(const char *s, int64_t *out)
{
	static const char units[] = "kmgtpe";
	char digits[24];
	size_t n = strspn(s, "0123456789");
	const char *u, *rest = s + n;
	uint64_t v;
	int r;

	if (str_eq(s, "-1") || str_eq(s, "max")) {
		*out = -1;
		return 0;
	}
	if (n == 0)
		return -EINVAL;
	if (n >= sizeof(digits))
		return -ERANGE;
	memcpy(digits, s, n);
	digits[n] = '\0';
	r = str_to_u64(digits, &v);
	if (r < 0)
		return r;
	if (*rest && strcasecmp(rest, "b") != 0) {
		u = strchr(units, tolower((unsigned char)*rest));
		if (!u || (rest[1] && strcasecmp(rest + 1, "b") != 0 && strcasecmp(rest + 1, "ib") != 0))
			return -EINVAL;
		for (long i = 0; i <= u - units; i++)
			if (__builtin_mul_overflow(v, (uint64_t)1024, &v))
				return -ERANGE;
	}
	if (v > INT64_MAX)
		return -ERANGE;
	*out = (int64_t)v;
	return 0;
}

static bool strbuf_room(struct strbuf *b, size_t more)
{
	size_t need, room;
	char *s;

	/* Half of the address space: nobody has it, and doubling cannot overflow below it. */
	if (b->failed || __builtin_add_overflow(b->len, more, &need) || need >= SIZE_MAX / 2) {
		b->failed = true;
		return false;
	}
	need++;
	if (need <= b->room)
		return true;
	room = b->room ? b->room : 256;
	while (room < need)
		room *= 2;
	s = realloc(b->s, room);
	if (!s) {
		b->failed = true;
		return false;
	}
	b->s = s;
	b->room = room;
	return true;
}

void strbuf_add(struct strbuf *b, const char *s, size_t len)
{
	if (!strbuf_room(b, len))
		return;
	memcpy(b->s + b->len, s, len);
	b->len += len;
	b->s[b->len] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || !strbuf_room(b, (size_t)n)) {
		b->failed = true;
		return;
	}
	vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(b, fmt, ap);
	va_end(ap);
}

void strbuf_reset(struct strbuf *b)
{
	free(b->s);
	*b = (struct strbuf){ 0 };
}

size_t strv_len(char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

bool strv_has(char *const *v, const char *s)
{
	const char *x;

	strv_each (x, v)
		if (str_eq(x, s))
			return true;
	return false;
}

const char *strv_env(char *const *env, const char *name)
{
	size_t n = strlen(name);
	const char *x, *found = NULL;

	strv_each (x, env)
		if (strncmp(x, name, n) == 0 && x[n] == '=')
			found = x + n + 1;
	return found;
}

size_t str_utf8_len(const unsigned char *s, size_t left)
{
	size_t n;
	unsigned char lo = 0x80, hi = 0xbf;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (n > left)
		return 0;
	if (s[0] == 0xe0)
		lo = 0xa0;
	else if (s[0] == 0xed)
		hi = 0x9f;
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;
	if (s[1] < lo || s[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return n;
}

static unsigned int code_point(const unsigned char *s, size_t len)
{
	static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	unsigned int c = s[0] & masks[len];

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (s[i] & 0x3f);
	return c;
}

size_t str_shown_len(const unsigned char *s, size_t left, unsigned int *out)
{
	size_t len = str_utf8_len(s, left);
	unsigned int c = len ? code_point(s, len) : *s;

	if (out)
		*out = c;
	if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c || c == 0x180e ||
		(c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
		(c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
		(c >= 0xe0000 && c <= 0xe007f))
		return 0;
	return len;
}
