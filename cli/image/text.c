/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes, ages, tables, and strangers' text made harmless (see text.h). */
#include "cli/image/text.h"

#include <time.h>

/* --- numbers ------------------------------------------------------------------------------------ */

void text_size(int64_t bytes, char buf[TEXT_MAX])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double n = (double)bytes;
	size_t unit = 0;

	/* 999.5 would be written as 1e+03. */
	while (n >= 999.5 && unit + 1 < ARRAY_SIZE(units)) {
		n /= 1000;
		unit++;
	}
	snprintf(buf, TEXT_MAX, "%.3g %s", n, units[unit]);
}

static void plural(int64_t n, const char *unit, char buf[TEXT_MAX])
{
	snprintf(buf, TEXT_MAX, "%lld %s%s ago", (long long)n, unit, n == 1 ? "" : "s");
}

void text_age(int64_t seconds, char buf[TEXT_MAX])
{
	int64_t minutes = seconds / 60, hours = (minutes + 30) / 60, days = hours / 24;

	if (seconds < 1)
		snprintf(buf, TEXT_MAX, "Less than a second ago");
	else if (seconds < 60)
		plural(seconds, "second", buf);
	else if (minutes == 1)
		snprintf(buf, TEXT_MAX, "About a minute ago");
	else if (minutes < 60)
		plural(minutes, "minute", buf);
	else if (hours == 1)
		snprintf(buf, TEXT_MAX, "About an hour ago");
	else if (hours < 48)
		plural(hours, "hour", buf);
	else if (days < 14)
		plural(days, "day", buf);
	else if (days < 60)
		plural(days / 7, "week", buf);
	else if (days < 730)
		plural(days / 30, "month", buf);
	else
		plural(days / 365, "year", buf);
}

/* `n` digits at *s, which is moved behind them and, if it is there, behind `end`. */
static bool digits(const char **s, int n, const char *ends, int *out)
{
	*out = 0;
	for (int i = 0; i < n; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		*out = *out * 10 + (**s - '0');
	}
	if (!ends)
		return true;
	if (!**s || !strchr(ends, **s))
		return false;
	(*s)++;
	return true;
}

int64_t text_time(const char *s)
{
	struct tm tm = { 0 };
	int year, month, hour = 0, minute = 0, sign = 0;

	if (!s || !digits(&s, 4, "-", &year) || !digits(&s, 2, "-", &month) ||
		!digits(&s, 2, "Tt ", &tm.tm_mday) || !digits(&s, 2, ":", &tm.tm_hour) ||
		!digits(&s, 2, ":", &tm.tm_min) || !digits(&s, 2, NULL, &tm.tm_sec))
		return TEXT_NO_TIME;
	if (*s == '.')
		s += 1 + strspn(s + 1, "0123456789");
	if (*s == '+' || *s == '-') {
		sign = *s++ == '+' ? -1 : 1;
		if (!digits(&s, 2, ":", &hour) || !digits(&s, 2, NULL, &minute))
			return TEXT_NO_TIME;
	} else if (*s == 'Z' || *s == 'z') {
		s++;
	} else {
		return TEXT_NO_TIME;
	}
	if (*s || month < 1 || month > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
		tm.tm_min > 59 || tm.tm_sec > 60 || hour > 23 || minute > 59)
		return TEXT_NO_TIME;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	return (int64_t)timegm(&tm) + sign * (hour * 3600 + minute * 60);
}

/* --- strangers' text ---------------------------------------------------------------------------- */

void text_safe(struct strbuf *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strlen(text), len;

	for (; left; s += len, left -= len) {
		unsigned int c;

		len = str_shown_len(s, left, &c);
		if (len) {
			strbuf_add(out, (const char *)s, len);
			continue;
		}
		len = str_utf8_len(s, left);
		if (c == '\n')
			strbuf_puts(out, "\\n");
		else if (c == '\t')
			strbuf_puts(out, "\\t");
		else
			strbuf_printf(out, len > 1 ? "\\u%04x" : "\\x%02x", c);
		len = len ? len : 1;
	}
}

void text_safe_json(struct strbuf *out, const char *json)
{
	const unsigned char *s = (const unsigned char *)json;
	size_t left = strlen(json), len;

	for (; left; s += len, left -= len) {
		unsigned int c;

		len = str_shown_len(s, left, &c);
		if (len || c < 0x7f) {
			/* The newlines between members. */
			len = len ? len : 1;
			strbuf_add(out, (const char *)s, len);
			continue;
		}
		len = str_utf8_len(s, left);
		len = len ? len : 1;
		if (c < 0x10000)
			strbuf_printf(out, "\\u%04x", c);
		else
			strbuf_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
				0xdc00 + ((c - 0x10000) & 0x3ff));
	}
}

size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* --- tables ------------------------------------------------------------------------------------- */

static size_t columns(const struct table *t)
{
	return strv_len((char *const *)t->heads);
}

void table_add(struct table *t, const char *text)
{
	struct strbuf b = { 0 };

	if (t->n == t->room) {
		size_t room = t->room ? t->room * 2 : 64;
		char **more = reallocarray(t->cells, room, sizeof(*more));

		if (!more) {
			t->failed = true;
			return;
		}
		t->cells = more;
		t->room = room;
	}
	text_safe(&b, text ? text : "");
	t->failed = t->failed || b.failed;
	t->cells[t->n++] = b.s;
}

static const char *cell(const struct table *t, size_t i)
{
	return t->cells[i] ? t->cells[i] : "";
}

static void add_row(const struct table *t, const char *const *row, const size_t *width, struct strbuf *out)
{
	size_t n = columns(t), last = n;

	/* No blanks at the end of a line. */
	while (last && !*row[last - 1])
		last--;
	for (size_t c = 0; c < last; c++) {
		size_t pad = c + 1 < last ? width[c] - text_width(row[c]) + 2 : 0;

		strbuf_printf(out, "%s%*s", row[c], (int)pad, "");
	}
	strbuf_puts(out, "\n");
}

void table_write(const struct table *t, bool heading, struct strbuf *out)
{
	size_t n = columns(t), *width = calloc(n + 1, sizeof(*width));
	const char **row = calloc(n + 1, sizeof(*row));

	out->failed = out->failed || t->failed || !width || !row;
	if (!out->failed && n) {
		for (size_t c = 0; heading && c < n; c++)
			width[c] = strlen(t->heads[c]);
		for (size_t i = 0; i < t->n; i++) {
			size_t w = text_width(cell(t, i));

			width[i % n] = w > width[i % n] ? w : width[i % n];
		}
		if (heading)
			add_row(t, t->heads, width, out);
		for (size_t i = 0; i + n <= t->n; i += n) {
			for (size_t c = 0; c < n; c++)
				row[c] = cell(t, i + c);
			add_row(t, row, width, out);
		}
	}
	free(width);
	free(row);
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->n = t->room = 0;
}
