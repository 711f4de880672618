/* SPDX-License-Identifier: Apache-2.0 */
/* Names of images: the grammar, qualified names, and how people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "images/ref.h"

#define H64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIG  "sha256:" H64
#define A10  "aaaaaaaaaa"
#define A50  A10 A10 A10 A10 A10
#define A250 A50 A50 A50 A50 A50

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

static const struct good {
	const char *text, *registry, *path, *tag, *digest;
	const char *full;     /* qualified with docker.io */
	const char *familiar; /* NULL: as full */
} good[] = {
	/* Short names. */
	{ "debian", NULL, "debian", NULL, "", "docker.io/library/debian:latest", "debian:latest" },
	{ "debian:12", NULL, "debian", "12", "", "docker.io/library/debian:12", "debian:12" },
	{ "debian@" DIG, NULL, "debian", NULL, DIG, "docker.io/library/debian@" DIG, "debian@" DIG },
	{ "debian:12@" DIG, NULL, "debian", "12", DIG, "docker.io/library/debian:12@" DIG, "debian:12@" DIG },
	{ "library/debian", NULL, "library/debian", NULL, "", "docker.io/library/debian:latest",
		"debian:latest" },
	{ "library/a/b", NULL, "library/a/b", NULL, "", "docker.io/library/a/b:latest",
		"library/a/b:latest" },
	{ "user/app", NULL, "user/app", NULL, "", "docker.io/user/app:latest", "user/app:latest" },
	{ "a/b/c/d:x", NULL, "a/b/c/d", "x", "", "docker.io/a/b/c/d:x", "a/b/c/d:x" },
	{ "a", NULL, "a", NULL, "", "docker.io/library/a:latest", "a:latest" },
	{ "0", NULL, "0", NULL, "", "docker.io/library/0:latest", "0:latest" },
	{ "localhost", NULL, "localhost", NULL, "", "docker.io/library/localhost:latest",
		"localhost:latest" },
	/* Without a slash there is no registry: this is a tag. */
	{ "localhost:5000", NULL, "localhost", "5000", "", "docker.io/library/localhost:5000",
		"localhost:5000" },
	{ "foo.bar", NULL, "foo.bar", NULL, "", "docker.io/library/foo.bar:latest", "foo.bar:latest" },
	{ "foo.bar:80", NULL, "foo.bar", "80", "", "docker.io/library/foo.bar:80", "foo.bar:80" },
	{ "localhosts/a", NULL, "localhosts/a", NULL, "", "docker.io/localhosts/a:latest",
		"localhosts/a:latest" },
	/* Separators. */
	{ "a.b", NULL, "a.b", NULL, "", "docker.io/library/a.b:latest", "a.b:latest" },
	{ "a_b", NULL, "a_b", NULL, "", "docker.io/library/a_b:latest", "a_b:latest" },
	{ "a__b", NULL, "a__b", NULL, "", "docker.io/library/a__b:latest", "a__b:latest" },
	{ "a-b", NULL, "a-b", NULL, "", "docker.io/library/a-b:latest", "a-b:latest" },
	{ "a-----b", NULL, "a-----b", NULL, "", "docker.io/library/a-----b:latest", "a-----b:latest" },
	{ "x/a_b.c-d__e/f", NULL, "x/a_b.c-d__e/f", NULL, "", "docker.io/x/a_b.c-d__e/f:latest",
		"x/a_b.c-d__e/f:latest" },
	/* Tags. */
	{ "a:_", NULL, "a", "_", "", "docker.io/library/a:_", "a:_" },
	{ "a:V1.0-RC_2", NULL, "a", "V1.0-RC_2", "", "docker.io/library/a:V1.0-RC_2", "a:V1.0-RC_2" },
	{ "a:1..2--3", NULL, "a", "1..2--3", "", "docker.io/library/a:1..2--3", "a:1..2--3" },
	{ "a:" A50 A50 A10 A10 "12345678", NULL, "a", A50 A50 A10 A10 "12345678", "",
		"docker.io/library/a:" A50 A50 A10 A10 "12345678", "a:" A50 A50 A10 A10 "12345678" },
	/* Registries. */
	{ "docker.io/debian", "docker.io", "debian", NULL, "", "docker.io/library/debian:latest",
		"debian:latest" },
	{ "index.docker.io/debian:1", "docker.io", "debian", "1", "", "docker.io/library/debian:1",
		"debian:1" },
	{ "docker.io/u/debian", "docker.io", "u/debian", NULL, "", "docker.io/u/debian:latest",
		"u/debian:latest" },
	{ "localhost/a", "localhost", "a", NULL, "", "localhost/a:latest", NULL },
	{ "localhost:5000/a", "localhost:5000", "a", NULL, "", "localhost:5000/a:latest", NULL },
	{ "localhost:5000/a/b:t", "localhost:5000", "a/b", "t", "", "localhost:5000/a/b:t", NULL },
	{ "a:65535/b", "a:65535", "b", NULL, "", "a:65535/b:latest", NULL },
	{ "quay.io/podman/hello", "quay.io", "podman/hello", NULL, "", "quay.io/podman/hello:latest", NULL },
	{ "example.com/a@" DIG, "example.com", "a", NULL, DIG, "example.com/a@" DIG, NULL },
	{ "example.com:80/a:b@" DIG, "example.com:80", "a", "b", DIG, "example.com:80/a:b@" DIG, NULL },
	{ "xn--n3h.com/a", "xn--n3h.com", "a", NULL, "", "xn--n3h.com/a:latest", NULL },
	{ "Example.COM/a", "Example.COM", "a", NULL, "", "Example.COM/a:latest", NULL },
	{ "Host/a", "Host", "a", NULL, "", "Host/a:latest", NULL },
	{ "127.0.0.1/a", "127.0.0.1", "a", NULL, "", "127.0.0.1/a:latest", NULL },
	{ "127.0.0.1:5000/a:t", "127.0.0.1:5000", "a", "t", "", "127.0.0.1:5000/a:t", NULL },
	{ "[::1]/a", "[::1]", "a", NULL, "", "[::1]/a:latest", NULL },
	{ "[2001:DB8::1]:5000/a", "[2001:DB8::1]:5000", "a", NULL, "", "[2001:DB8::1]:5000/a:latest", NULL },
	{ "a-b.c-d.e/f", "a-b.c-d.e", "f", NULL, "", "a-b.c-d.e/f:latest", NULL },
	{ "a--b.c/f", "a--b.c", "f", NULL, "", "a--b.c/f:latest", NULL },
	/* What would read as something else without its prefix keeps it. */
	{ "docker.io/localhost/a", "docker.io", "localhost/a", NULL, "", "docker.io/localhost/a:latest",
		NULL },
	{ "docker.io/a.b/c", "docker.io", "a.b/c", NULL, "", "docker.io/a.b/c:latest", NULL },
	{ "docker.io/library/" H64, "docker.io", "library/" H64, NULL, "", "docker.io/library/" H64 ":latest",
		NULL },
	{ H64 ":t", NULL, H64, "t", "", "docker.io/library/" H64 ":t", NULL },
	/* One digit less, or a digest behind it, is no id. */
	{ "x" H64, NULL, "x" H64, NULL, "", "docker.io/library/x" H64 ":latest", "x" H64 ":latest" },
	/* Lengths: a path of 255. */
	{ "example.com/" A250 "/1234", "example.com", A250 "/1234", NULL, "",
		"example.com/" A250 "/1234:latest", NULL },
};

static void accepted(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		const struct good *g = &good[i];
		struct img_ref r, q;
		struct err e = ERR_INIT;
		const char *full;

		if (img_ref_parse(arena, g->text, &r, &e) < 0)
			fail_msg("\"%s\": %s", g->text, e.text);
		if (g->registry)
			assert_string_equal(r.registry, g->registry);
		else
			assert_null(r.registry);
		assert_string_equal(r.path, g->path);
		if (g->tag)
			assert_string_equal(r.tag, g->tag);
		else
			assert_null(r.tag);
		assert_string_equal(r.digest.text, g->digest);
		assert_int_equal(img_ref_qualify(arena, &r, "docker.io", &q, &e), 0);
		full = img_ref_text(arena, &q);
		assert_string_equal(full, g->full);
		assert_string_equal(img_ref_familiar(full), g->familiar ? g->familiar : g->full);
	}
}

/* What people are shown leads to the same image again. */
static void familiar_names_lead_back(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct img_ref r, q;

		assert_int_equal(img_ref_parse(arena, img_ref_familiar(good[i].full), &r, NULL), 0);
		assert_int_equal(img_ref_qualify(arena, &r, "docker.io", &q, NULL), 0);
		assert_string_equal(img_ref_text(arena, &q), good[i].full);
	}
}

static void refused(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "is empty" },
		{ ":", "tag is empty" },
		{ ":tag", "is empty" },
		{ "@" DIG, "is empty" },
		{ "/", "empty component" },
		{ "/a", "empty component" },
		{ "a/", "empty component" },
		{ "a//b", "empty component" },
		{ "a:", "tag is empty" },
		{ "a:b:c", "may only have" },
		{ "a:b/c:", "port that is no number" },
		{ "a/c:", "tag is empty" },
		{ "a_b.c/d", "no host name has" },
		{ "a:.b", "begins with" },
		{ "a:-b", "begins with" },
		{ "a:b c", "may only have" },
		{ "a:b+c", "may only have" },
		{ "a:\xc3\xa4", "may only have" },
		{ "a:" A50 A50 A10 A10 "123456789", "longer than 128" },
		{ "A", "lower case" },
		{ "aB", "lower case" },
		{ "a/B", "lower case" },
		{ "example.com/A", "lower case" },
		{ "a b", "may only have" },
		{ "\xc3\xa4", "may only have" },
		{ "a\n", "may only have" },
		{ "a\033[31m", "may only have" },
		{ "-a", "begins with a separator" },
		{ "a-", "ends in a separator" },
		{ "_a", "begins with a separator" },
		{ "a__", "ends in a separator" },
		{ ".a", "begins with a separator" },
		{ "a.", "ends in a separator" },
		{ "a..b", "two separators" },
		{ "a___b", "two separators" },
		{ "a-_b", "two separators" },
		{ "a.-b", "two separators" },
		{ "..", "begins with a separator" },
		{ "../a", "empty label" },
		{ "./a", "empty label" },
		{ "a/../b", "begins with a separator" },
		{ "example.com/../b", "begins with a separator" },
		{ "https://example.com/a", "port that is no number" },
		{ "docker://debian", "port that is no number" },
		{ "example..com/a", "empty label" },
		{ "example.com./a", "empty label" },
		{ "-example.com/a", "begins with" },
		{ "example-.com/a", "ends in" },
		{ "exa_mple.com/a", "no host name has" },
		{ "user@example.com/a", "does not begin with an algorithm" },
		{ "example.com:/a", "port that is no number" },
		{ "example.com:0/a", "not 1 to 65535" },
		{ "example.com:65536/a", "not 1 to 65535" },
		{ "example.com:99999999999999999999999/a", "not 1 to 65535" },
		{ "example.com:8o/a", "port that is no number" },
		{ "[::1/a", "brackets" },
		{ "[]/a", "brackets" },
		{ "[::g]/a", "brackets" },
		{ "[::1]x/a", "brackets" },
		{ "a@", "does not begin with an algorithm" },
		{ "a@sha256:abc", "64 digits" },
		{ "a@" DIG "@" DIG, "characters that no digest has" },
		{ "a@sha256:../../x", "characters that no digest has" },
		{ "a@" DIG ":tag", "characters that no digest has" },
		{ H64, "64 digits" },
		{ A250 "/12345", "longer than 255" },
		{ "example.com/" A250 "/12345", "longer than 255" },
		{ A250 "x.com12/a", "longer than 255" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct img_ref r = { .path = "untouched" };
		struct err e = ERR_INIT;

		if (img_ref_parse(arena, bad[i].text, &r, &e) != -EINVAL)
			fail_msg("\"%s\" is taken", bad[i].text);
		if (!strstr(e.text, bad[i].why))
			fail_msg("\"%s\": \"%s\" does not say \"%s\"", bad[i].text, e.text, bad[i].why);
		assert_string_equal(r.path, "untouched");
		for (const char *p = e.text; *p; p++)
			assert_true((unsigned char)*p >= ' ');
	}
}

static void an_algorithm_of_the_future(void **state)
{
	struct img_ref r;

	assert_int_equal(img_ref_parse(arena, "a@blake3:" H64, &r, NULL), -EOPNOTSUPP);
}

static void far_too_long(void **state)
{
	_cleanup_free_ char *text = malloc(1 << 20);
	struct img_ref r;
	struct err e = ERR_INIT;

	assert_non_null(text);
	memset(text, 'a', (1 << 20) - 1);
	text[(1 << 20) - 1] = '\0';
	assert_int_equal(img_ref_parse(arena, text, &r, &e), -EINVAL);
	assert_true(strlen(e.text) < 200);
}

static void qualify(void **state)
{
	struct img_ref r, q;
	struct err e = ERR_INIT;

	assert_int_equal(img_ref_parse(arena, "a", &r, &e), 0);
	assert_int_equal(img_ref_qualify(arena, &r, "localhost:5000", &q, &e), 0);
	assert_string_equal(img_ref_text(arena, &q), "localhost:5000/a:latest");
	assert_int_equal(img_ref_qualify(arena, &r, "index.docker.io", &q, &e), 0);
	assert_string_equal(img_ref_text(arena, &q), "docker.io/library/a:latest");
	/* A registry that is said stays. */
	assert_int_equal(img_ref_parse(arena, "quay.io/a", &r, &e), 0);
	assert_int_equal(img_ref_qualify(arena, &r, "docker.io", &q, &e), 0);
	assert_string_equal(img_ref_text(arena, &q), "quay.io/a:latest");

	assert_int_equal(img_ref_parse(arena, "a", &r, &e), 0);
	assert_int_equal(img_ref_qualify(arena, &r, "https://x", &q, &e), -EINVAL);
	assert_int_equal(img_ref_qualify(arena, &r, "", &q, &e), -EINVAL);
	/* "library/" makes it one too long. */
	assert_int_equal(img_ref_parse(arena, A250, &r, &e), 0);
	assert_int_equal(img_ref_qualify(arena, &r, "docker.io", &q, &e), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted),
		cmocka_unit_test(familiar_names_lead_back),
		cmocka_unit_test(refused),
		cmocka_unit_test(an_algorithm_of_the_future),
		cmocka_unit_test(far_too_long),
		cmocka_unit_test(qualify),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
