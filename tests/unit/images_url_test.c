/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: where a redirect may lead, who gets the credentials, what is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "images/http.h"

static void resolved(void **state)
{
	static const char base[] = "https://r.example:5000/v2/a/blobs/x?y=z";
	static const struct {
		const char *reference, *want; /* NULL: refused */
	} cases[] = {
		{ "/b/c", "https://r.example:5000/b/c" },
		{ "c", "https://r.example:5000/v2/a/blobs/c" },
		{ "../c?d=e", "https://r.example:5000/v2/a/c?d=e" },
		{ "//other.example/b", "https://other.example/b" },
		{ "http://other.example", "http://other.example/" },
		{ "HTTPS://other.example/%2e%2E/x#frag", "https://other.example/%2e%2E/x" },
		{ "https://[::1]:5/x", "https://[::1]:5/x" },
		{ "https://other.example/a b", "https://other.example/a%20b" },
		{ "ftp://other.example/", NULL },
		{ "file:///etc/passwd", NULL },
		{ "gopher://127.0.0.1:25/x", NULL },
		{ "javascript:alert(1)", NULL },
		{ "https://u@other.example/", NULL },
		{ "https://u:p@other.example/", NULL },
		{ "https://:p@other.example/", NULL },
		{ "https://", NULL },
		{ "https://[::1", NULL },
		{ "https://a:99999/", NULL },
		{ "https://a\r\nX: y/", NULL },
		{ "https://other.example@r.example/", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *url = NULL;
		struct err e = ERR_INIT;
		int r = img_url_resolve(base, cases[i].reference, &url, &e);

		if (cases[i].want && r < 0)
			fail_msg("%s: %s", cases[i].reference, e.text);
		if (!cases[i].want && r != -EINVAL)
			fail_msg("%s was taken for %s", cases[i].reference, url);
		if (cases[i].want)
			assert_string_equal(url, cases[i].want);
		else
			assert_null(url);
	}
}

static void origins(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{ "https://r.example/x", "https://r.example", true },
		{ "https://r.example:443/x", "https://r.example/y?z", true },
		{ "http://r.example:80/x", "http://R.Example/", true },
		{ "https://[::1]:5000/", "https://[::1]:5000/x", true },
		{ "https://r.example/", "http://r.example/", false },
		{ "https://r.example/", "https://r.example:444/", false },
		{ "https://r.example/", "https://r.example.evil/", false },
		{ "https://r.example/", "https://evil.example/r.example/", false },
		{ "https://r.example/", "https://evil.example?r.example", false },
		{ "http://r.example:443/", "https://r.example/", false },
		{ "nonsense://", "nonsense://", false },
		{ "", "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (img_url_same_origin(cases[i].a, cases[i].b) != cases[i].same)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
	assert_true(img_url_is_https("HTTPS://a"));
	assert_false(img_url_is_https("http://https://"));
}

static void queries(void **state)
{
	_cleanup_free_ char *a = img_url_add_query("https://r.example/token", "service", "a b&c=d\r\n#/:"),
			    *b = a ? img_url_add_query(a, "scope", "repository:x/y:pull") : NULL,
			    *encoded = img_url_encode("a b/+%\n");

	assert_string_equal(a, "https://r.example/token?service=a%20b%26c%3dd%0d%0a%23%2f%3a");
	assert_string_equal(b, "https://r.example/"
			       "token?service=a%20b%26c%3dd%0d%0a%23%2f%3a&scope=repository%3ax%2fy%3apull");
	assert_string_equal(encoded, "a%20b%2F%2B%25%0A");
}

static void shown(void **state)
{
	static char longest[1000];
	char buf[IMG_URL_SHOWN];

	img_url_shown("https://r.example/x\x1b[31m y\xff?signature=secret", buf, sizeof(buf));
	assert_string_equal(buf, "https://r.example/x?[31m?y?");
	img_url_shown("https://r.example/x#secret", buf, sizeof(buf));
	assert_string_equal(buf, "https://r.example/x");
	img_url_shown("https://u:p@q@r.example/@x", buf, sizeof(buf));
	assert_string_equal(buf, "https://r.example/@x");
	memset(longest, 'a', sizeof(longest) - 1);
	img_url_shown(longest, buf, sizeof(buf));
	assert_int_equal(strlen(buf), 280);
}

/* No server is needed to see what is refused before anything is sent. */
static void not_sent(void **state)
{
	static const char *const urls[] = { "file:///etc/passwd", "ftp://127.0.0.1/",
		"https://u:p@127.0.0.1/", "" };
	struct img_http_opts o = { .verify = true, .timeout = 5 };
	static struct img_http_reply reply;
	struct img_http *h = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(img_http_open(&o, &h, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		struct img_http_request q = { .url = urls[i], .max = 100 };

		assert_true(img_http_do(h, &q, &reply, &e) < 0);
		assert_int_equal(reply.fault, HTTP_REFUSED);
		assert_null(strstr(e.text, "u:p@"));
	}
	img_http_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolved),
		cmocka_unit_test(origins),
		cmocka_unit_test(queries),
		cmocka_unit_test(shown),
		cmocka_unit_test(not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
