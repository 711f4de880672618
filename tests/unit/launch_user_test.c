/* SPDX-License-Identifier: Apache-2.0 */
/* USER[:GROUP] by an image's own files, and what a hostile image puts there. */
#include "tests/unit/launch_test.h"

static int resolve(const char *text, const struct files *f, struct spec_user *u, const char **home,
	struct arena *a, struct err *e)
{
	struct launch_image i = { .name = "x", .open_file = open_text, .arg = f };

	return launch_user(text, &i, a, u, home, e);
}

static void test_good(void **state)
{
	static const struct {
		const char *text;
		uint32_t uid, gid;
		size_t n;
		const char *home;
	} good[] = {
		{ NULL, 0, 0, 0, "/root" },
		{ "", 0, 0, 0, "/root" },
		{ "0", 0, 0, 0, "/root" },
		{ "root", 0, 0, 0, "/root" },
		{ "web", 33, 34, 1, "/var/www" },
		{ "33", 33, 34, 0, "/var/www" },
		{ "web:adm", 33, 5, 0, "/var/www" },
		{ "web:99", 33, 99, 0, "/var/www" },
		{ "33:www", 33, 34, 0, "/var/www" },
		{ "1000", 1000, 0, 0, "/" },
		{ "1000:1000", 1000, 1000, 0, "/" },
		{ "2147483647:2147483647", 2147483647, 2147483647, 0, "/" },
	};

	for (size_t k = 0; k < ARRAY_SIZE(good); k++) {
		_cleanup_(arena_freep) struct arena *a = arena_new();
		struct spec_user u = { .uid = 77 };
		struct err e = ERR_INIT;
		const char *home;

		if (resolve(good[k].text, &usual_files, &u, &home, a, &e) < 0)
			fail_msg("%s: %s", good[k].text, e.text);
		assert_int_equal(u.uid, good[k].uid);
		assert_int_equal(u.gid, good[k].gid);
		assert_int_equal(u.n_additional_gids, good[k].n);
		assert_string_equal(home, good[k].home);
	}
}

/* CVE-2024-40635, CVE-2026-46680, CVE-2026-30892: never root because a number was none. */
static void test_bad(void **state)
{
	static const char *const bad[] = { "2147483648", "4294967295", "4294967296", "18446744073709551616",
		"-1", "0x0", "01", "00", "1x", " 1", "1 ", "+1", ":", ":1", "1:", "1:1:1", "65536:4294967296",
		"nosuch", "web:nosuch", "0:-1", "web:", "99999999999999999999999999999999999999" };

	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		_cleanup_(arena_freep) struct arena *a = arena_new();
		struct spec_user u = { .uid = 77, .gid = 77 };
		struct err e = ERR_INIT;
		const char *home = "untouched";

		if (resolve(bad[k], &usual_files, &u, &home, a, &e) != -EINVAL)
			fail_msg("%s is taken as %u:%u", bad[k], u.uid, u.gid);
		assert_int_equal(u.uid, 77);
		assert_string_equal(home, "untouched");
	}
}

static void check(const struct files *f, const char *text, int want, uint32_t uid)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct spec_user u = { .uid = 77 };
	struct err e = ERR_INIT;
	const char *home = NULL;
	int r = resolve(text, f, &u, &home, a, &e);

	if (r != want)
		fail_msg("%s: %d (%s)", text, r, e.text);
	if (r < 0) {
		for (const char *p = e.text; *p; p++)
			assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
		return;
	}
	assert_int_equal(u.uid, uid);
	assert_int_equal(*home, '/');
	for (const char *p = home; *p; p++)
		assert_true((unsigned char)*p >= ' ');
}

#define TEXT(s) .passwd = s, .passwd_len = sizeof(s) - 1

static void test_hostile(void **state)
{
	/* CVE-2016-3697: a number is a number, whatever passwd calls it. */
	check(&(struct files){ TEXT("1000:x:0:0::/:/bin/sh\n") }, "1000", 0, 1000);
	check(&(struct files){ TEXT("a:x:5:5::/home/a:/bin/sh") }, "a", 0, 5);
	check(&(struct files){ TEXT("a:x:5:5\n") }, "a", 0, 5);
	check(&(struct files){ TEXT("a:x:5\n") }, "a", -EINVAL, 0);
	check(&(struct files){ TEXT("a\n::::\n\n#a:x:1:1:::\na:x:6:6:::\n") }, "a", 0, 6);
	check(&(struct files){ TEXT("a:x:7:7:::\na:x:0:0:::\n") }, "a", 0, 7);
	check(&(struct files){ TEXT("a:x:-1:0:::\na:x:0:0:::\n") }, "a", -EINVAL, 0);
	check(&(struct files){ TEXT("a:x:4294967296:0:::\n") }, "a", -EINVAL, 0);
	check(&(struct files){ TEXT("a:x:1:-0:::\n") }, "a", -EINVAL, 0);
	check(&(struct files){ TEXT("a:x::0:::\n") }, "a", -EINVAL, 0);
	check(&(struct files){ TEXT("a:x: 0:0:::\n") }, "a", -EINVAL, 0);
	check(&(struct files){ TEXT("a\0b:x:0:0:::\na:x:8:8:::\n") }, "a", 0, 8);
	check(&(struct files){ TEXT("a:x:9:9::/h\x1b[2J:/bin/sh\n") }, "a", 0, 9);
	check(&(struct files){ TEXT("a:x:9:9::relative:/bin/sh\n") }, "a", 0, 9);
	check(&(struct files){ TEXT("a\x1b[2J:x:x:9:::\n") }, "a\x1b[2J", -EINVAL, 0);
	check(&(struct files){ .passwd = NULL }, "root", -EINVAL, 0);
	check(&(struct files){ .passwd = NULL }, "5:6", 0, 5);
}

static void test_large(void **state)
{
	size_t len = (2U << 20);
	_cleanup_free_ char *text = malloc(len + 1);
	struct files f = { .passwd = text };

	assert_non_null(text);
	memset(text, 'a', len);
	text[len] = '\0';
	f.passwd_len = len;
	check(&f, "root", -EFBIG, 0);
	/* A line of nearly the limit is no line of anybody. */
	f.passwd_len = (1U << 20) - 1;
	check(&f, "root", -EINVAL, 0);
	/* More groups than anybody is in. */
	for (unsigned int k = 0; k < 2000; k++) {
		char line[24];

		assert_int_equal(snprintf(line, sizeof(line), "g::%05u:a\n", 10000 + k), 11);
		memcpy(text + (size_t)k * 11, line, 11);
	}
	f.group = text;
	f.group_len = 2000 * 11;
	f.passwd = "a:x:1:1:::\n";
	f.passwd_len = 0;
	check(&f, "a", -EINVAL, 0);
}

static int refuse_all(const struct launch_image *i, const char *path, struct err *e)
{
	return err_text(e, EACCES, "%s: a symlink out", path);
}

static void test_unreadable(void **state)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_image i = { .open_file = refuse_all };
	struct spec_user u;
	struct err e = ERR_INIT;
	const char *home;

	assert_int_equal(launch_user("0", &i, a, &u, &home, &e), -EACCES);
}

static void test_zone(void **state)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_image i = { .host = true };
	struct spec_user u;
	struct err e = ERR_INIT;
	const char *home;

	assert_int_equal(launch_user(NULL, &i, a, &u, &home, &e), 0);
	assert_string_equal(home, "/root");
	assert_int_equal(launch_user("daemon", &i, a, &u, &home, &e), 0);
	assert_int_equal(u.uid, 1);
	assert_int_equal(launch_user("daemon:tty", &i, a, &u, &home, &e), 0);
	assert_int_equal(u.gid, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
