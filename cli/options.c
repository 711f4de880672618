/* SPDX-License-Identifier: Apache-2.0 */
/* Command line options as tables, over getopt_long(3) (see options.h). */
#include "cli/options.h"

#include <getopt.h>
#include <limits.h>
#include <strings.h>

#include "spec/spec.h"

/* getopt's value for table entry n; below are the characters of short options. */
#define FIRST_LONG 256
#define HELP	   (FIRST_LONG + OPTIONS_MAX)

static bool takes_value(const struct opt *o)
{
	return o->kind != OPT_BOOL && o->kind != OPT_TRI;
}

/* --- values ----------------------------------------------------------------------------------- */

int options_parse_bool(const char *s, bool *out)
{
	static const char *const words[] = { "false", "true", "f", "t", "0", "1" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcasecmp(s, words[i]) == 0) {
			*out = i % 2;
			return 0;
		}
	}
	return -EINVAL;
}

static const struct unit {
	const char *name;
	int64_t ns;
} units[] = {
	/* A name comes before the shorter ones that it starts with. */
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xc2\xb5s", 1000 }, /* U+00B5, the micro sign */
	{ "\xce\xbcs", 1000 }, /* U+03BC, the Greek letter */
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", 60 * INT64_C(1000000000) },
	{ "h", 3600 * INT64_C(1000000000) },
};

/* One "1.5s" at *s, which is moved behind it. */
static int duration_part(const char **s, int64_t *ns)
{
	size_t n = strspn(*s, "0123456789"), frac = 0;
	const struct unit *u = NULL;
	int64_t value = 0, scale;

	for (size_t i = 0; i < n; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (*s)[i] - '0', &value))
			return -ERANGE;
	if ((*s)[n] == '.')
		frac = strspn(*s + n + 1, "0123456789");
	if (n + frac == 0)
		return -EINVAL;
	const char *digits = *s + n + 1;

	*s += n + ((*s)[n] == '.' ? frac + 1 : 0);
	for (size_t i = 0; i < ARRAY_SIZE(units) && !u; i++)
		if (str_starts(*s, units[i].name))
			u = &units[i];
	if (!u)
		return -EINVAL;
	*s += strlen(u->name);
	if (__builtin_mul_overflow(value, u->ns, &value))
		return -ERANGE;
	scale = u->ns;
	for (size_t i = 0; i < frac && scale > 0; i++) {
		scale /= 10;
		if (__builtin_add_overflow(value, (digits[i] - '0') * scale, &value))
			return -ERANGE;
	}
	*ns = value;
	return 0;
}

int options_parse_duration(const char *s, int64_t *ns)
{
	int64_t total = 0;

	if (str_eq(s, "0")) {
		*ns = 0;
		return 0;
	}
	if (!*s)
		return -EINVAL;
	while (*s) {
		int64_t part;
		int r = duration_part(&s, &part);

		if (r < 0)
			return r;
		if (__builtin_add_overflow(total, part, &total))
			return -ERANGE;
	}
	*ns = total;
	return 0;
}

static int add_to_list(char ***list, const char *value, struct err *e)
{
	size_t n = strv_len(*list);
	char **v = reallocarray(*list, n + 2, sizeof(*v));

	if (!v)
		return err_set(e, ENOMEM, "option list");
	v[n] = (char *)value;
	v[n + 1] = NULL;
	*list = v;
	return 0;
}

static int parse_ms(const char *value, int *ms)
{
	int64_t ns;
	int r = options_parse_duration(value, &ns);

	if (r < 0)
		return r;
	/* Rounded up: a short interval must not become none. */
	ns = ns / 1000000 + (ns % 1000000 != 0);
	if (ns > INT_MAX)
		return -ERANGE;
	*ms = (int)ns;
	return 0;
}

static int parse_i64(const char *value, int (*parse)(const char *, int64_t *), struct spec_i64 *out)
{
	int r = parse(value, &out->v);

	if (r == 0)
		out->has = true;
	return r;
}

static int parse_u64(const char *value, struct spec_u64 *out)
{
	int r = str_to_u64(value, &out->v);

	if (r == 0)
		out->has = true;
	return r;
}

static const char *const wanted[] = {
	[OPT_BOOL] = "true or false",
	[OPT_TRI] = "true or false",
	[OPT_COUNT] = "a number of 0 or more",
	[OPT_DURATION] = "a duration such as 5s or 500ms",
	[OPT_I64] = "an integer",
	[OPT_U64] = "a number of 0 or more",
	[OPT_SIZE] = "a number of bytes such as 1048576 or 64M, or -1 for no limit",
};

static int store(const struct opt *o, void *into, const char *value, struct err *e)
{
	void *p = (char *)into + o->offset;
	bool on = true;
	int r = 0, n;

	switch (o->kind) {
	case OPT_BOOL:
		r = value ? options_parse_bool(value, p) : 0;
		if (!value)
			*(bool *)p = true;
		break;
	case OPT_TRI:
		r = value ? options_parse_bool(value, &on) : 0;
		if (r == 0)
			*(int *)p = on;
		break;
	case OPT_STRING:
		*(const char **)p = value;
		break;
	case OPT_LIST:
		return add_to_list(p, value, e);
	case OPT_COUNT:
		r = str_to_int(value, &n);
		if (r == 0 && n < 0)
			r = -EINVAL;
		if (r == 0)
			*(int *)p = n;
		break;
	case OPT_DURATION:
		r = parse_ms(value, p);
		break;
	case OPT_I64:
		r = parse_i64(value, str_to_i64, p);
		break;
	case OPT_U64:
		r = parse_u64(value, p);
		break;
	case OPT_SIZE:
		r = parse_i64(value, str_to_size, p);
		break;
	}
	if (r == -ERANGE)
		return err_text(e, EINVAL, "option --%s: %s is too large", o->name, value);
	if (r < 0)
		return err_text(
			e, EINVAL, "option --%s must be %s, not \"%s\"", o->name, wanted[o->kind], value);
	return 0;
}

/* --- parsing ---------------------------------------------------------------------------------- */

struct getopt_tables {
	struct option options[OPTIONS_MAX + 2];
	char shorts[2 * OPTIONS_MAX + 8];
};

/* docker's -h is --hostname. */
static bool claims_h(const struct opt *table)
{
	for (const struct opt *o = table; o->name; o++)
		if (o->short_name == 'h')
			return true;
	return false;
}

static void build(const struct opt *table, bool permute, struct getopt_tables *g)
{
	size_t n = 0, s = 0;

	/* '+': stop at the first positional argument. ':': tell a missing value from an unknown option. */
	if (!permute)
		g->shorts[s++] = '+';
	g->shorts[s++] = ':';
	if (!claims_h(table))
		g->shorts[s++] = 'h';
	for (const struct opt *o = table; o->name && n < OPTIONS_MAX; o++, n++) {
		g->options[n] = (struct option){ .name = o->name, .val = FIRST_LONG + (int)n };
		g->options[n].has_arg = takes_value(o) ? required_argument : optional_argument;
		if (o->short_name) {
			g->shorts[s++] = o->short_name;
			if (takes_value(o))
				g->shorts[s++] = ':';
		}
	}
	g->options[n++] = (struct option){ .name = "help", .val = HELP };
	g->options[n] = (struct option){ 0 };
	g->shorts[s] = '\0';
}

static const struct opt *find(const struct opt *table, int c)
{
	if (c >= FIRST_LONG && c < HELP)
		return &table[c - FIRST_LONG];
	for (const struct opt *o = table; o->name; o++)
		if (o->short_name && o->short_name == c)
			return o;
	return NULL;
}

/* The argument that getopt just took apart: before it lies the option's value if that was an argument of its
 * own. */
static const char *element(char *const *argv)
{
	return argv[optarg && optarg == argv[optind - 1] ? optind - 2 : optind - 1];
}

/* getopt accepts any unambiguous beginning of a name. */
static bool is_whole_name(const char *arg, const char *name)
{
	size_t n;

	arg += strspn(arg, "-");
	n = strcspn(arg, "=");
	return n == strlen(name) && memcmp(arg, name, n) == 0;
}

static int unknown(const char *arg, struct err *e)
{
	return err_text(e, EINVAL, "unknown option %.*s", (int)strcspn(arg, "="), arg);
}

/* Engines find out what an option needs by leaving its value out; two wordings are looked for. */
static int valueless(const struct opt *o, struct err *e)
{
	return err_text(e, EINVAL, "option --%s requires an argument (flag needs an argument: --%s)", o->name,
		o->name);
}

int options_parse(
	const struct opt *table, bool permute, void *into, int argc, char **argv, int *first, struct err *e)
{
	struct getopt_tables g;

	build(table, permute, &g);
	optind = 0; /* glibc: forget an earlier parse */
	opterr = 0;
	for (;;) {
		int index = -1, r;
		/* _only: containerd writes `-no-subreaper`. */
		int c = getopt_long_only(argc, argv, g.shorts, g.options, &index);
		const struct opt *o;

		if (c == -1)
			break;
		if (c == ':') {
			o = find(table, optopt);
			return o ? valueless(o, e) : unknown(argv[optind - 1], e);
		}
		if (c == '?' || (index >= 0 && !is_whole_name(element(argv), g.options[index].name)))
			return unknown(element(argv), e);
		if (c == HELP || (c == 'h' && !claims_h(table)))
			return OPTIONS_HELP;
		o = find(table, c);
		r = store(o, into, optarg, e);
		if (r < 0)
			return r;
	}
	*first = optind;
	return 0;
}

void options_free(const struct opt *table, void *into)
{
	for (const struct opt *o = table; o->name; o++) {
		if (o->kind == OPT_LIST) {
			char ***list = (char ***)((char *)into + o->offset);

			free(*list);
			*list = NULL;
		}
	}
}

/* --- help
 * ----------------------------------------------------------------------------------------------------------
 */

static void describe(struct strbuf *out, char short_name, const char *name, const char *arg, const char *help)
{
	char head[64];
	int n = 0;

	if (short_name)
		n = snprintf(head, sizeof(head), "  -%c, --%s", short_name, name);
	else
		n = snprintf(head, sizeof(head), "      --%s", name);
	if (arg && n > 0 && (size_t)n < sizeof(head))
		snprintf(head + n, sizeof(head) - (size_t)n, " %s", arg);
	if (strlen(head) > 30)
		strbuf_printf(out, "%s\n%32s%s\n", head, "", help);
	else
		strbuf_printf(out, "%-32s%s\n", head, help);
}

void options_describe(const struct opt *table, struct strbuf *out)
{
	for (const struct opt *o = table; o->name; o++)
		if (o->help)
			describe(out, o->short_name, o->name, o->arg, o->help);
	describe(out, claims_h(table) ? '\0' : 'h', "help", NULL, "show this help");
}
