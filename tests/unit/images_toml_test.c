/* SPDX-License-Identifier: Apache-2.0 */
/* TOML: what the grammar has, what it forbids, and on which line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "images/toml.h"

static struct arena *arena;

static int set_up(void **state)
{
	arena = arena_new();
	return arena ? 0 : -1;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

/* A tree as one line: "a=1 b=[x y] t={k=true}". */
static void show(struct strbuf *b, const struct toml *v, bool outer)
{
	const struct toml *m;
	bool first = true;

	switch (v->type) {
	case TOML_STRING:
		strbuf_printf(b, "<%s>", v->text);
		break;
	case TOML_INTEGER:
		strbuf_printf(b, "%lld", (long long)v->integer);
		break;
	case TOML_BOOL:
		strbuf_puts(b, v->boolean ? "true" : "false");
		break;
	default:
		if (!outer)
			strbuf_puts(b, v->type == TOML_ARRAY ? "[" : "{");
		toml_each (m, v) {
			strbuf_puts(b, first ? "" : " ");
			first = false;
			if (m->key)
				strbuf_printf(b, "%s=", m->key);
			show(b, m, false);
		}
		if (!outer)
			strbuf_puts(b, v->type == TOML_ARRAY ? "]" : "}");
	}
}

static const struct {
	const char *text, *tree;
} good[] = {
	{ "", "" },
	{ "\n\r\n  # only a comment\n\t", "" },
	{ "\xef\xbb\xbf"
	  "a = 1",
		"a=1" },
	/* Keys */
	{ "a=1\nb-c_D9 = 2\r\n1234 = 3", "a=1 b-c_D9=2 1234=3" },
	{ "\"a b\"=1\n'c\"d'=2\n\"\" = 3\n\"\\u0041\"=4", "a b=1 c\"d=2 =3 A=4" },
	{ "a.b.c = 1\na.b.d = 2\na . 'e.f' = 3", "a={b={c=1 d=2} e.f=3}" },
	/* Strings */
	{ "s = \"\\b\\t\\n\\f\\r\\\"\\\\|\"", "s=<\b\t\n\f\r\"\\|>" },
	{ "s = \"\\u00e9\\u20ac\\U0001F600\"", "s=<\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80>" },
	{ "s = 'C:\\dir\\n'", "s=<C:\\dir\\n>" },
	{ "s = \"\"\nt = ''", "s=<> t=<>" },
	{ "s = \"\"\"\nfirst\nsecond\"\"\"", "s=<first\nsecond>" },
	{ "s = \"\"\"a \\\n  \n\t b\"\"\"\nt = 1", "s=<a b> t=1" },
	{ "s = \"\"\"a\"b\"\"c\"\"\"", "s=<a\"b\"\"c>" },
	{ "s = \"\"\"two at the end\"\"\"\"\"", "s=<two at the end\"\">" },
	{ "s = '''\n'a' ''b\\'''", "s=<'a' ''b\\>" },
	{ "s = \"\"\"\"\"\"\nt=''''''", "s=<> t=<>" },
	{ "s = \"# no comment\" # a comment", "s=<# no comment>" },
	/* Integers and booleans */
	{ "a = +12\nb = -7\nc = 0\nd = -0\ne = 1_000_000", "a=12 b=-7 c=0 d=0 e=1000000" },
	{ "a = 9223372036854775807\nb = -9223372036854775808",
		"a=9223372036854775807 b=-9223372036854775808" },
	{ "t = true\nf = false", "t=true f=false" },
	/* Arrays */
	{ "a = []\nb = [ 1, 'x', [true] , ]", "a=[] b=[1 <x> [true]]" },
	{ "a = [ # one\n 1, # two\n\n 2\n # three\n]", "a=[1 2]" },
	/* Inline tables */
	{ "t = {}\nu = { a = 1, b.c = 'x', \"d\" = [ { e = 2 } ] }", "t={} u={a=1 b={c=<x>} d=[{e=2}]}" },
	/* Tables */
	{ "[a]\nx=1\n[b.c]\ny=2\n[ b . d ]\n[b]\nz=3", "a={x=1} b={c={y=2} d={} z=3}" },
	{ "[a] # comment\n[\"b.c\".'d e']\nx=1", "a={} b.c={d e={x=1}}" },
	{ "[[r]]\nn=1\n[[r.m]]\nl='a'\n[[r.m]]\nl='b'\n[[r]]\n[[r.m]]\nl='c'\n[r.t]\nx=1",
		"r=[{n=1 m=[{l=<a>} {l=<b>}]} {m=[{l=<c>}] t={x=1}}]" },
	{ "[fruit]\napple.color = 1\n[fruit.apple.taste]\nsweet = true",
		"fruit={apple={color=1 taste={sweet=true}}}" },
};

static void grammar(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_strbuf_ struct strbuf b = { 0 };
		const struct toml *t;
		struct err e = ERR_INIT;

		if (toml_parse(arena, good[i].text, strlen(good[i].text), "x.conf", &t, &e) < 0)
			fail_msg("%s\nin: %s", e.text, good[i].text);
		show(&b, t, true);
		assert_string_equal(b.s ? b.s : "", good[i].tree);
	}
}

static const struct {
	const char *text;
	int line;
	const char *why;
} bad[] = {
	{ "a", 1, "\"=\" is missing" },
	{ "a 1", 1, "\"=\" is missing" },
	{ "\n\n= 1", 3, "a key is missing" },
	{ "a.=1", 1, "a key is missing" },
	{ "a = ", 1, "a value is missing" },
	{ "a = 1 b = 2", 1, "where the line should end" },
	{ "a = 1\n\na = 2", 3, "\"a\" was there already (line 1)" },
	{ "a = 1\n\"a\" = 2", 2, "\"a\" was there already" },
	{ "\"\"\"a\"\"\" = 1", 1, "multi-line" },
	{ "\xc3\xa9 = 1", 1, "a key is missing" },
	{ "a = \"x", 1, "without an end" },
	{ "a = \"x\n\"", 1, "without an end" },
	{ "a = 'x\n'", 1, "without an end" },
	{ "a = \"\"\"x\n\n\"\"", 3, "without an end" },
	{ "a = \"\\x\"", 1, "an escape" },
	{ "a = \"\\", 1, "an escape" },
	{ "a = \"\\u12\"", 1, "hexadecimal" },
	{ "a = \"\\ud800\"", 1, "no character" },
	{ "a = \"\\U00110000\"", 1, "no character" },
	{ "a = \"\\u0000\"", 1, "no character" },
	{ "a = \"\x01\"", 1, "control character" },
	{ "a = '\x7f'", 1, "control character" },
	{ "# \x01\n", 1, "control character" },
	{ "a = \"\xff\"", 1, "no UTF-8" },
	{ "a = '\xc3'", 1, "no UTF-8" },
	{ "a = 012", 1, "decimal integer" },
	{ "a = 1__0", 1, "decimal integer" },
	{ "a = _1", 1, "decimal integer" },
	{ "a = 1_", 1, "decimal integer" },
	{ "a = +-1", 1, "decimal integer" },
	{ "a = --1", 1, "decimal integer" },
	{ "a = 0x1f", 1, "decimal integer" },
	{ "a = 1.5", 1, "decimal integer" },
	{ "a = 1979-05-27", 1, "decimal integer" },
	{ "a = inf", 1, "decimal integer" },
	{ "a = True", 1, "decimal integer" },
	{ "a = 9223372036854775808", 1, "decimal integer" },
	{ "a = 11111111111111111111111111111111111111111111111111111111111111111111111111111", 1, "neither" },
	{ "a = [1 2]", 1, "\",\" or \"]\"" },
	{ "a = [1,", 1, "a value is missing" },
	{ "a = [,1]", 1, "a value is missing" },
	{ "a = {b=1,}", 1, "a key is missing" },
	{ "a = {b=1 c=2}", 1, "\",\" or \"}\"" },
	{ "a = {b=1\n}", 1, "\",\" or \"}\"" },
	{ "a = {b=1, b=2}", 1, "\"b\" was there already" },
	{ "a = {b=1}\na.c = 2", 2, "\"a\" was there already" },
	{ "a = {b.c=1}\n[a.b]", 2, "is a value already" },
	{ "a = [1]\n[[a]]", 2, "\"a\" was there already" },
	{ "a = 1\n[a]", 2, "\"a\" was there already" },
	{ "a = 1\n[a.b]", 2, "is a value already" },
	{ "[a]\nb=1\n[a]", 3, "\"a\" was there already" },
	{ "[a]\nb.c=1\n[a.b]", 3, "\"b\" was there already" },
	{ "[a.b]\n[a]\nb.c=1", 3, "\"b\" was there already" },
	{ "[[a]]\n[a]", 2, "\"a\" was there already" },
	{ "[a]\n[[a]]", 2, "\"a\" was there already" },
	{ "[a", 1, "\"]\" is missing" },
	{ "[]", 1, "a key is missing" },
	{ "[[a]", 1, "\"]]\" is missing" },
	{ "[a] b=1", 1, "where the line should end" },
	{ "a\r= 1", 1, "\"=\" is missing" },
	{ "a = 1\rb = 2", 1, "where the line should end" },
};

static void refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct toml *t = NULL;
		struct err e = ERR_INIT;
		char place[40];

		if (toml_parse(arena, bad[i].text, strlen(bad[i].text), "x.conf", &t, &e) != -EINVAL)
			fail_msg("accepted: %s", bad[i].text);
		assert_null(t);
		snprintf(place, sizeof(place), "x.conf: line %d: ", bad[i].line);
		if (!str_starts(e.text, place) || !strstr(e.text, bad[i].why))
			fail_msg("%s\ninstead of %s…%s\nin: %s", e.text, place, bad[i].why, bad[i].text);
	}
}

static void nul(void **state)
{
	const struct toml *t;
	struct err e = ERR_INIT;

	assert_int_equal(toml_parse(arena, "a = 1\nb = \"\0\"", 13, "x.conf", &t, &e), -EINVAL);
	assert_string_equal(e.text, "x.conf: line 2: a NUL character");
}

/* Neither stack nor time: a document's depth and size are bounded. */
static void bounded(void **state)
{
	static const char *const repeated[] = { "[", "{a=", "a.", "[a.", "a=[[", "\"", "'''",
		"[[a]]\n[[a.b]]\n" };

	for (size_t i = 0; i < ARRAY_SIZE(repeated); i++) {
		_cleanup_strbuf_ struct strbuf b = { 0 };
		struct err e = ERR_INIT;
		const struct toml *t;

		strbuf_puts(&b, i < 2 ? "a=" : "");
		for (int n = 0; n < 100000; n++)
			strbuf_puts(&b, repeated[i]);
		assert_int_equal(toml_parse(arena, b.s, b.len, "x.conf", &t, &e), -EINVAL);
	}
}

static void typed(void **state)
{
	static const char text[] = "s = 'x'\nb = true\nl = ['a']\n[t]\nn = 1";
	const char *s = "old";
	const struct toml *t, *list = NULL;
	struct err e = ERR_INIT;
	bool b = false;

	assert_int_equal(toml_parse(arena, text, strlen(text), "x.conf", &t, &e), 0);
	assert_int_equal(toml_get_string(t, "none", "x.conf", &s, &e), 0);
	assert_string_equal(s, "old");
	assert_int_equal(toml_get_string(t, "s", "x.conf", &s, &e), 0);
	assert_string_equal(s, "x");
	assert_int_equal(toml_get_bool(t, "b", "x.conf", &b, &e), 0);
	assert_true(b);
	assert_int_equal(toml_get_list(t, "l", "x.conf", TOML_ARRAY, &list, &e), 0);
	assert_string_equal(list->first->text, "a");
	assert_int_equal(toml_get_list(t, "l", "x.conf", TOML_TABLE, &list, &e), -EINVAL);
	assert_string_equal(e.text, "x.conf: line 3: \"l\" must be a table, not an array");
	assert_int_equal(toml_get_string(t, "b", "x.conf", &s, &e), -EINVAL);
	assert_string_equal(e.text, "x.conf: line 2: \"b\" must be a string, not true or false");
	assert_int_equal(toml_get_bool(toml_get(t, "t"), "n", "x.conf", &b, &e), -EINVAL);
	assert_string_equal(e.text, "x.conf: line 5: \"n\" must be true or false, not an integer");
	assert_null(toml_get(list, "x"));
	assert_null(toml_get(NULL, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar),
		cmocka_unit_test(refused),
		cmocka_unit_test(nul),
		cmocka_unit_test(bounded),
		cmocka_unit_test(typed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
