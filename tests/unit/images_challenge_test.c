/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate: what registries send, and what somebody could send instead of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "images/challenge.h"

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

/* "scheme realm=… service=…; scheme" */
static const char *show(const struct img_challenge *c, size_t n)
{
	const char *s = "";

	for (size_t i = 0; i < n; i++)
		s = arena_printf(arena, "%s%s%s%s%s%s%s%s%s%s%s", s, i ? "; " : "", c[i].scheme,
			c[i].realm ? " realm=" : "", c[i].realm ? c[i].realm : "",
			c[i].service ? " service=" : "", c[i].service ? c[i].service : "",
			c[i].scope ? " scope=" : "", c[i].scope ? c[i].scope : "",
			c[i].error ? " error=" : "", c[i].error ? c[i].error : "");
	return s;
}

static void understood(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ " , ,", "" },
		{ "Bearer "
		  "realm=\"https://auth.example.com/token\",service=\"reg\",scope=\"repository:a/b:pull\"",
			"bearer realm=https://auth.example.com/token service=reg scope=repository:a/b:pull" },
		{ "bearer  realm = \"x\" , service = y", "bearer realm=x service=y" },
		{ "BEARER REALM=\"x\"", "bearer realm=x" },
		{ "Basic realm=\"a \\\"quoted\\\" \\\\ one\"", "basic realm=a \"quoted\" \\ one" },
		{ "Basic", "basic" },
		{ "Basic, Bearer realm=x", "basic; bearer realm=x" },
		{ "Basic realm=\"a\", charset=\"UTF-8\", Bearer realm=\"b\", service=\"c\"",
			"basic realm=a; bearer realm=b service=c" },
		{ "Bearer realm=\"b\",error=\"invalid_token\",Basic realm=\"a\"",
			"bearer realm=b error=invalid_token; basic realm=a" },
		/* token68 */
		{ "Negotiate", "negotiate" },
		{ "Negotiate YWJj/+==, Basic realm=x", "negotiate; basic realm=x" },
		{ "Negotiate abc=", "negotiate" },
		{ "NTLM TlRMTVNTUAAC, Bearer realm=\"x\"", "ntlm; bearer realm=x" },
		/* Unquoted, as it should not be */
		{ "Bearer realm=https://a.example/t?x=y,service=reg.example:5000",
			"bearer realm=https://a.example/t?x=y service=reg.example:5000" },
		{ "Bearer realm=\"\"", "bearer realm=" },
		{ "Bearer scope=\"a,b c\",realm=x", "bearer realm=x scope=a,b c" },
		{ "Bearer realm=\"x\" service=\"y\"", "bearer realm=x service=y" },
		{ "Bearer realm=\"x\",x-foo=\"realm=evil\"", "bearer realm=x" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct img_challenge *c = NULL;
		struct err e = ERR_INIT;
		size_t n = 0;

		if (img_challenge_parse(arena, cases[i].text, &c, &n, &e) < 0)
			fail_msg("%s\nin: %s", e.text, cases[i].text);
		assert_string_equal(show(c, n), cases[i].want);
	}
}

static void hostile(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "Bearer realm=\"x", "without an end" },
		{ "Bearer realm=\"x\\", "without an end" },
		{ "Bearer realm=\"x\\\"", "without an end" },
		{ "realm=\"x\"", "a parameter without a scheme" },
		{ "=", "neither" },
		{ "\"x\"", "neither" },
		{ "Bearer realm=\"x\";service=\"y\"", "neither" },
		{ "Bearer realm=\"a\",realm=\"b\"", "twice" },
		{ "Bearer realm=\"a\",Realm=b", "twice" },
		{ "Bearer realm=\"a\r\nX: y\"", "control" },
		{ "Bearer realm=\"a\x01\"", "control" },
		{ "Bearer realm=\"a\x7f\"", "control" },
		{ "a,b,c,d,e,f,g,h,i", "too many" },
		{ "Bearer\"x\"", "neither" },
		{ "Bearer (comment)", "neither" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct img_challenge *c = NULL;
		struct err e = ERR_INIT;
		size_t n = 0;

		if (img_challenge_parse(arena, cases[i].text, &c, &n, &e) != -EBADMSG)
			fail_msg("accepted: %s", cases[i].text);
		assert_null(c);
		if (!strstr(e.text, cases[i].why))
			fail_msg("%s\ninstead of %s\nin: %s", e.text, cases[i].why, cases[i].text);
	}
}

/* Every beginning of a good one, and every byte of it exchanged: no read beyond the end (for the sanitizer).
 */
static void pieces(void **state)
{
	static const char text[] =
		"Basic realm=\"a\\\"b\", Negotiate YWJj==, Bearer realm=\"x\" , scope=y,service=\"z\"";

	for (size_t i = 0; i < sizeof(text); i++) {
		for (int c = 0; c < 128; c++) {
			_cleanup_free_ char *copy = strndup(text, i + 1);
			struct img_challenge *list;
			size_t n;

			assert_non_null(copy);
			if (i < strlen(copy))
				copy[i] = (char)c;
			(void)img_challenge_parse(arena, copy, &list, &n, NULL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understood),
		cmocka_unit_test(hostile),
		cmocka_unit_test(pieces),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
