/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence logs: what a detached partition has said. */
#include "cli/launched.h"

#include <time.h>

#include "launch/supervise.h"

struct logs_options {
	bool follow, timestamps;
	const char *tail, *since, *until, *format;
};

#define AT(field) offsetof(struct logs_options, field)
static const struct opt options[] = {
	{ "follow", 'f', OPT_BOOL, AT(follow), NULL, "go on until the partition ends" },
	{ "tail", 'n', OPT_STRING, AT(tail), "LINES", "only the last lines; all (default) or a number" },
	{ "since", 0, OPT_STRING, AT(since), "TIME",
		"lines from then on: RFC 3339 (UTC where no zone is said), seconds of the epoch, or 10m "
		"ago" },
	{ "until", 0, OPT_STRING, AT(until), "TIME", "lines up to then" },
	{ "timestamps", 't', OPT_BOOL, AT(timestamps), NULL, "with the time before each line" },
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "text (default), or json: an object a line" },
	{ 0 },
};
#undef AT

#define NS INT64_C(1000000000)

/* `width` digits at *s, which moves on. */
static bool number(const char **s, int width, int least, int most, int *out)
{
	int v = 0;

	for (int i = 0; i < width; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		v = v * 10 + (**s - '0');
	}
	*out = v;
	return v >= least && v <= most;
}

static bool sep(const char **s, const char *any)
{
	if (!**s || !strchr(any, **s))
		return false;
	(*s)++;
	return true;
}

/* ".123" up to nanoseconds, if it is there. */
static bool fraction(const char **s, int64_t *ns)
{
	int64_t unit = NS / 10;

	if (**s != '.')
		return true;
	(*s)++;
	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
		*ns += (**s - '0') * unit;
	return true;
}

/* "Z", "+01:00", or nothing. */
static bool zone(const char **s, int64_t *ns)
{
	int hours, minutes, sign;

	if (!**s || sep(s, "Zz"))
		return true;
	sign = **s == '-' ? -1 : 1;
	if (!sep(s, "+-") || !number(s, 2, 0, 23, &hours) || !sep(s, ":") || !number(s, 2, 0, 59, &minutes))
		return false;
	*ns -= sign * (hours * INT64_C(3600) + minutes * INT64_C(60)) * NS;
	return true;
}

/* RFC 3339; the time of day, its seconds and the zone may be left out, as docker lets one. */
static bool parse_rfc3339(const char *s, int64_t *ns)
{
	struct tm tm = { 0 };
	int64_t part = 0;

	if (!number(&s, 4, 1970, 2261, &tm.tm_year) || !sep(&s, "-") || !number(&s, 2, 1, 12, &tm.tm_mon) ||
		!sep(&s, "-") || !number(&s, 2, 1, 31, &tm.tm_mday))
		return false;
	if (*s && (!sep(&s, "Tt ") || !number(&s, 2, 0, 23, &tm.tm_hour) || !sep(&s, ":") ||
			  !number(&s, 2, 0, 59, &tm.tm_min)))
		return false;
	if (*s == ':' && (!sep(&s, ":") || !number(&s, 2, 0, 60, &tm.tm_sec) || !fraction(&s, &part)))
		return false;
	if (!zone(&s, &part) || *s)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*ns = (int64_t)timegm(&tm) * NS + part;
	return true;
}

static bool parse_epoch(const char *s, int64_t *ns)
{
	int64_t sec = 0, part = 0;

	for (; *s >= '0' && *s <= '9'; s++) {
		sec = sec * 10 + (*s - '0');
		if (sec > INT64_MAX / NS - 1)
			return false;
	}
	if (!fraction(&s, &part) || *s)
		return false;
	*ns = sec * NS + part;
	return true;
}

static int parse_time(const char *option, const char *text, int64_t *ns, struct err *e)
{
	struct timespec now;
	int64_t ago;

	if (!text)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	if (*text && (parse_epoch(text, ns) || parse_rfc3339(text, ns)))
		; /* as it stands */
	else if (options_parse_duration(text, &ago) == 0)
		*ns = (int64_t)now.tv_sec * NS + now.tv_nsec - ago;
	else
		return err_text(e, EINVAL,
			"option --%s must be a time (2026-11-25T10:00:00Z), seconds of the epoch, or how "
			"long ago "
			"(1h30m), not \"%s\"",
			option, text);
	/* 0 is no bound. */
	*ns = *ns > 0 ? *ns : 1;
	return 0;
}

static int parse_tail(const char *text, int64_t *tail, struct err *e)
{
	uint64_t n;

	*tail = -1;
	if (!text || str_eq(text, "all") || str_eq(text, "-1"))
		return 0;
	if (str_to_u64(text, &n) < 0 || n > INT64_MAX)
		return err_text(
			e, EINVAL, "option --tail must be a number of lines or all, not \"%s\"", text);
	*tail = (int64_t)n;
	return 0;
}

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	const struct logs_options *o = values;
	struct launch_ctx ctx = cli_launch_ctx(rt);
	struct launch_log_query q = { .follow = o->follow, .timestamps = o->timestamps };
	int json = cli_format_is_json(o->format, "text", e), r = json;

	q.json = json == 1;
	if (r >= 0)
		r = parse_tail(o->tail, &q.tail, e);
	if (r == 0)
		r = parse_time("since", o->since, &q.since_ns, e);
	if (r == 0)
		r = parse_time("until", o->until, &q.until_ns, e);
	return r < 0 ? r : launch_logs(&ctx, args[0], &q, e);
}

const struct cli_verb verb_logs = {
	.name = "logs",
	.args = "NAME",
	.min_args = 1,
	.max_args = 1,
	.summary = "Print what a launched partition has said",
	.options = options,
	.size = sizeof(struct logs_options),
	.run = run,
};
