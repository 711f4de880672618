/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the option tables: spellings, kinds, where options end, error texts, help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/options.h"
#include "spec/spec.h"

struct values {
	bool force, all;
	int tty, count, interval;
	const char *file, *file_format;
	char **env;
	struct spec_i64 quota, memory;
	struct spec_u64 shares;
};

#define AT(field) offsetof(struct values, field)
static const struct opt table[] = {
	{ "force", 'f', OPT_BOOL, AT(force), NULL, "do it anyway" },
	{ "all", 'a', OPT_BOOL, AT(all), NULL, "all of them" },
	{ "tty", 't', OPT_TRI, AT(tty), NULL, "a terminal" },
	{ "preserve-fds", 0, OPT_COUNT, AT(count), "N", "descriptors" },
	{ "interval", 'i', OPT_DURATION, AT(interval), "DURATION", "how long" },
	{ "file", 'p', OPT_STRING, AT(file), "FILE", "which file" },
	{ "file-format", 0, OPT_STRING, AT(file_format), "FORMAT", "its format" },
	{ "env", 'e', OPT_LIST, AT(env), "NAME=VALUE", "environment" },
	{ "quota", 0, OPT_I64, AT(quota), "USEC", "quota" },
	{ "memory", 'm', OPT_SIZE, AT(memory), "BYTES", "memory" },
	{ "shares", 0, OPT_U64, AT(shares), "N", "shares" },
	{ "shares", 's', OPT_U64, AT(shares), "N", NULL },
	{ 0 },
};

struct result {
	struct values v;
	struct err e;
	int r, first, argc;
	char *argv[16];
};

/* Parses the words, NULL-terminated; argv[0] is put before them. */
static void parse(struct result *x, int permute, ...)
{
	va_list ap;
	char *word;

	*x = (struct result){ .v = { .tty = -1 }, .first = -1 };
	x->argv[x->argc++] = (char *)"verb";
	va_start(ap, permute);
	while ((word = va_arg(ap, char *)))
		x->argv[x->argc++] = word;
	va_end(ap);
	x->r = options_parse(table, permute, &x->v, x->argc, x->argv, &x->first, &x->e);
}

#define PARSE(x, ...)	parse(x, false, __VA_ARGS__, (char *)NULL)
#define PERMUTE(x, ...) parse(x, true, __VA_ARGS__, (char *)NULL)

static void refused(struct result *x, const char *text)
{
	assert_int_equal(x->r, -EINVAL);
	assert_int_equal(x->e.code, EINVAL);
	assert_string_equal(x->e.text, text);
	options_free(table, &x->v);
}

static void test_spellings(void **state)
{
	struct result x;

	PARSE(&x, "--file", "a", "--force", "id");
	assert_int_equal(x.r, 0);
	assert_string_equal(x.v.file, "a");
	assert_true(x.v.force);
	assert_false(x.v.all);
	assert_int_equal(x.first, 4);

	PARSE(&x, "--file=b", "--force=true", "--all=false", "id");
	assert_int_equal(x.r, 0);
	assert_string_equal(x.v.file, "b");
	assert_true(x.v.force);
	assert_false(x.v.all);

	PARSE(&x, "-fp", "c", "-pd");
	assert_int_equal(x.r, 0);
	assert_true(x.v.force);
	assert_string_equal(x.v.file, "d");
	assert_int_equal(x.first, 4);

	/* Go's single dash, as containerd writes it. */
	PARSE(&x, "-file", "e", "-force", "-file-format=json");
	assert_int_equal(x.r, 0);
	assert_string_equal(x.v.file, "e");
	assert_string_equal(x.v.file_format, "json");
	assert_true(x.v.force);

	PARSE(&x, "--file=", "-");
	assert_int_equal(x.r, 0);
	assert_string_equal(x.v.file, "");
	assert_int_equal(x.first, 2);

	PARSE(&x, "-s", "5");
	assert_int_equal(x.r, 0);
	assert_true(x.v.shares.has);
	assert_int_equal(x.v.shares.v, 5);
}

static void test_where_options_end(void **state)
{
	struct result x;

	PARSE(&x, "--force", "id", "--all", "--nope");
	assert_int_equal(x.r, 0);
	assert_true(x.v.force);
	assert_false(x.v.all);
	assert_int_equal(x.first, 2);
	assert_string_equal(x.argv[2], "id");
	assert_string_equal(x.argv[4], "--nope");

	PARSE(&x, "--", "--force");
	assert_int_equal(x.r, 0);
	assert_false(x.v.force);
	assert_int_equal(x.first, 2);

	PERMUTE(&x, "id", "--all", "9", "-f");
	assert_int_equal(x.r, 0);
	assert_true(x.v.all);
	assert_true(x.v.force);
	assert_string_equal(x.argv[x.first], "id");
	assert_string_equal(x.argv[x.first + 1], "9");
	assert_int_equal(x.argc - x.first, 2);

	parse(&x, false, (char *)NULL);
	assert_int_equal(x.r, 0);
	assert_int_equal(x.first, 1);
}

static void test_values(void **state)
{
	struct result x;

	PARSE(&x, "-e", "A=1", "--env=B=2=3", "-eC", "--quota", "-1", "--memory=64M", "--shares",
		"18446744073709551615");
	assert_int_equal(x.r, 0);
	assert_int_equal(strv_len(x.v.env), 3);
	assert_string_equal(x.v.env[0], "A=1");
	assert_string_equal(x.v.env[1], "B=2=3");
	assert_string_equal(x.v.env[2], "C");
	assert_true(x.v.quota.has);
	assert_int_equal(x.v.quota.v, -1);
	assert_true(x.v.memory.has);
	assert_int_equal(x.v.memory.v, 64 << 20);
	assert_true(x.v.shares.v == UINT64_MAX);
	options_free(table, &x.v);
	assert_null(x.v.env);

	PARSE(&x, "--preserve-fds", "3", "-i", "1m30s", "-t");
	assert_int_equal(x.r, 0);
	assert_int_equal(x.v.count, 3);
	assert_int_equal(x.v.interval, 90000);
	assert_int_equal(x.v.tty, 1);
	assert_false(x.v.quota.has);

	PARSE(&x, "--tty=false", "-i1ns");
	assert_int_equal(x.r, 0);
	assert_int_equal(x.v.tty, 0);
	assert_int_equal(x.v.interval, 1);

	parse(&x, false, (char *)NULL);
	assert_int_equal(x.v.tty, -1);
}

static void test_refused(void **state)
{
	struct result x;

	PARSE(&x, "--nope=secret", "id");
	refused(&x, "unknown option --nope");
	PARSE(&x, "-x", "id");
	refused(&x, "unknown option -x");
	PARSE(&x, "-xyz");
	refused(&x, "unknown option -xyz");
	/* An abbreviation would change its meaning with the next option that is added. */
	PARSE(&x, "--forc");
	refused(&x, "unknown option --forc");
	PARSE(&x, "--intervall=5s");
	refused(&x, "unknown option --intervall");
	PARSE(&x, "--inter", "5s");
	refused(&x, "unknown option --inter");
	PARSE(&x, "--file");
	refused(&x, "option --file requires an argument (flag needs an argument: --file)");
	PARSE(&x, "-p");
	refused(&x, "option --file requires an argument (flag needs an argument: --file)");
	PARSE(&x, "--force=maybe");
	refused(&x, "option --force must be true or false, not \"maybe\"");
	PARSE(&x, "--tty=2");
	refused(&x, "option --tty must be true or false, not \"2\"");
	PARSE(&x, "--preserve-fds=-1");
	refused(&x, "option --preserve-fds must be a number of 0 or more, not \"-1\"");
	PARSE(&x, "--preserve-fds", "4294967296");
	refused(&x, "option --preserve-fds: 4294967296 is too large");
	PARSE(&x, "--shares", "-1");
	refused(&x, "option --shares must be a number of 0 or more, not \"-1\"");
	PARSE(&x, "--quota", "1x");
	refused(&x, "option --quota must be an integer, not \"1x\"");
	PARSE(&x, "-i", "5");
	refused(&x, "option --interval must be a duration such as 5s or 500ms, not \"5\"");
	PARSE(&x, "-m", "1Q");
	refused(&x, "option --memory must be a number of bytes such as 1048576 or 64M, or -1 for no limit, "
		    "not \"1Q\"");
	/* What came before the mistake was allocated, and is freed by the caller. */
	PARSE(&x, "-e", "A=1", "--nope");
	refused(&x, "unknown option --nope");
}

static void test_failed_value_is_not_set(void **state)
{
	struct result x;

	PARSE(&x, "--quota=5", "--quota=x");
	assert_int_equal(x.r, -EINVAL);
	assert_int_equal(x.v.quota.v, 5);
	PARSE(&x, "--shares=x");
	assert_false(x.v.shares.has);
}

static void test_help(void **state)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	struct result x;

	PARSE(&x, "--help", "--nope");
	assert_int_equal(x.r, OPTIONS_HELP);
	PARSE(&x, "-fh");
	assert_int_equal(x.r, OPTIONS_HELP);
	PARSE(&x, "id", "--help");
	assert_int_equal(x.r, 0);

	options_describe(table, &b);
	assert_non_null(strstr(b.s, "  -f, --force                   do it anyway\n"));
	assert_non_null(strstr(b.s, "      --preserve-fds N          descriptors\n"));
	assert_non_null(strstr(b.s, "  -e, --env NAME=VALUE          environment\n"));
	assert_non_null(strstr(b.s, "  -h, --help                    show this help\n"));
	/* A second spelling is not shown. */
	assert_null(strstr(b.s, "-s, --shares"));
}

static void test_bool(void **state)
{
	bool b = false;

	assert_int_equal(options_parse_bool("TRUE", &b), 0);
	assert_true(b);
	assert_int_equal(options_parse_bool("0", &b), 0);
	assert_false(b);
	assert_int_equal(options_parse_bool("t", &b), 0);
	assert_true(b);
	assert_int_equal(options_parse_bool("", &b), -EINVAL);
	assert_int_equal(options_parse_bool("yes", &b), -EINVAL);
	assert_true(b);
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "5s", INT64_C(5000000000) },
		{ "500ms", 500000000 },
		{ "1m30s", INT64_C(90000000000) },
		{ "1.5s", 1500000000 },
		{ ".5s", 500000000 },
		{ "1.s", 1000000000 },
		{ "2h45m", INT64_C(9900000000000) },
		{ "100us", 100000 },
		{ "100\xc2\xb5s", 100000 },
		{ "100\xce\xbcs", 100000 },
		{ "7ns", 7 },
		{ "1.9ns", 1 },
		{ "0.000000001s", 1 },
		{ "2562047h", INT64_C(9223369200000000000) },
	};
	static const char *const bad[] = { "", "5", "s", "5x", "-5s", "+5s", " 5s", "5 s", "5s ", ".s",
		"1..5s", "5S", "5ss" };
	int64_t ns;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		ns = -7;
		assert_int_equal(options_parse_duration(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ns = -7;
		assert_int_equal(options_parse_duration(bad[i], &ns), -EINVAL);
		assert_int_equal(ns, -7);
	}
	assert_int_equal(options_parse_duration("2562048h", &ns), -ERANGE);
	assert_int_equal(options_parse_duration("99999999999999999999s", &ns), -ERANGE);
	assert_int_equal(options_parse_duration("2562047h2562047h", &ns), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_where_options_end),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_failed_value_is_not_set),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_bool),
		cmocka_unit_test(test_duration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
