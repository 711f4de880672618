/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: which entry counts, in which file, from which helper; login and logout. */
#include "tests/unit/images_fixture.h"

#include <time.h>

#include "images/auth.h"
#include "images/base64.h"

/* printf user:secret | base64 */
#define USER_SECRET "dXNlcjpzZWNyZXQ="
#define AUTH(user)  "{\"auth\":\"" user "\"}"
/* one:1, two:2, three:3, four:4 */
#define ONE   AUTH("b25lOjE=")
#define TWO   AUTH("dHdvOjI=")
#define THREE AUTH("dGhyZWU6Mw==")
#define FOUR  AUTH("Zm91cjo0")

static const char *show(int r, const struct img_credentials *c, const struct err *e)
{
	if (r < 0)
		return arena_printf(arena, "error %d: %s", e->code, e->text);
	if (!c->user)
		return "none";
	return arena_printf(arena, "%s%s/%s", c->is_token ? "token " : "", c->user, c->password);
}

static const char *find_in(const char *file, const char *host, const char *path)
{
	struct img_credentials c = { 0 };
	struct err e = ERR_INIT;
	int r = img_auth_find(arena, file, NULL, host, path, &c, &e);

	return show(r, &c, &e);
}

static const char *find(const char *text, const char *host, const char *path)
{
	const char *file = in_scratch("auth.json");

	write_file(file, text);
	return find_in(file, host, path);
}

static int make_home(void **state)
{
	if (make_scratch(state) < 0)
		return -1;
	setenv("HOME", in_scratch("home"), 1);
	setenv("XDG_RUNTIME_DIR", in_scratch("run"), 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("DOCKER_CONFIG");
	unsetenv("REGISTRY_AUTH_FILE");
	return mkdir(in_scratch("home"), 0700);
}

/* --- entries ------------------------------------------------------------------------------------ */

static void namespaces(void **state)
{
	static const char text[] = "{\"auths\":{\"r.example\":" ONE ",\"r.example/a/b\":" TWO
				   ",\"r.example/a/b/app\":" THREE ",\"r.example:5000\":" FOUR "}}";

	assert_string_equal(find(text, "r.example", "x"), "one/1");
	assert_string_equal(find(text, "r.example", ""), "one/1");
	assert_string_equal(find(text, "r.example", "a"), "one/1");
	assert_string_equal(find(text, "r.example", "a/bc"), "one/1");
	assert_string_equal(find(text, "r.example", "a/b"), "two/2");
	assert_string_equal(find(text, "r.example", "a/b/other"), "two/2");
	assert_string_equal(find(text, "r.example", "a/b/app"), "three/3");
	assert_string_equal(find(text, "r.example", "a/b/app/more"), "three/3");
	assert_string_equal(find(text, "r.example:5000", "a/b"), "four/4");
	assert_string_equal(find(text, "r.example:5001", "a/b"), "none");
	assert_string_equal(find(text, "example", "a/b"), "none");
	assert_string_equal(find(text, "evil-r.example", "a/b"), "none");
}

static void spellings(void **state)
{
	static const char *const keys[] = { "r.example", "https://r.example", "http://r.example/",
		"r.example/v1/", "https://r.example/v2/", "https://r.example/v1" };
	static const char *const hub[] = { "docker.io", "index.docker.io", "https://index.docker.io/v1/",
		"registry-1.docker.io" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_string_equal(
			find(arena_printf(arena, "{\"auths\":{\"%s\":" ONE "}}", keys[i]), "r.example", "x"),
			"one/1");
	for (size_t i = 0; i < ARRAY_SIZE(hub); i++)
		for (size_t k = 0; k < 2; k++)
			assert_string_equal(
				find(arena_printf(arena, "{\"auths\":{\"%s\":" ONE "}}", hub[i]),
					k ? "docker.io" : "registry-1.docker.io", "library/debian"),
				"one/1");
	assert_string_equal(find("{\"auths\":{\"docker.io/library\":" ONE ",\"docker.io\":" TWO "}}",
				    "docker.io", "library/debian"),
		"one/1");
}

static void kinds(void **state)
{
	assert_string_equal(
		find("{\"auths\":{\"r\":{\"auth\":\"" USER_SECRET "\"}}}", "r", ""), "user/secret");
	/* printf 'user:a:b\0\0' | base64 */
	assert_string_equal(find("{\"auths\":{\"r\":{\"auth\":\"dXNlcjphOmIAAA==\"}}}", "r", ""), "user/a:b");
	assert_string_equal(
		find("{\"auths\":{\"r\":{\"username\":\"u\",\"password\":\"p\"}}}", "r", ""), "u/p");
	assert_string_equal(
		find("{\"auths\":{\"r\":{\"auth\":\"" USER_SECRET "\",\"identitytoken\":\"tok\"}}}", "r", ""),
		"token /tok");
	assert_string_equal(find("{\"auths\":{\"r\":{}}}", "r", ""), "none");
	assert_string_equal(find("{\"auths\":{\"r\":null}}", "r", ""), "none");
	assert_string_equal(find("{\"auths\":null}", "r", ""), "none");
	assert_string_equal(find("{}", "r", ""), "none");
	assert_string_equal(find("", "r", ""), "none");
	assert_string_equal(find(" \n", "r", ""), "none");
}

static void faulty(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "[]", "must be an object" },
		{ "{", "auth.json" },
		{ "{\"auths\":{\"r\":1}}", "\"r\" must be an object" },
		{ "{\"auths\":{\"r\":{\"auth\":1}}}", "auth" },
		{ "{\"auths\":{\"r\":{\"auth\":\"&&\"}}}", "is not base64" },
		{ "{\"auths\":{\"r\":{\"auth\":\"dXNlcg==\"}}}", "is not base64 of USER:PASSWORD" },
		{ "{\"credHelpers\":{\"r\":1}}", "r" },
		{ "{\"credsStore\":1}", "credsStore" },
		{ "{\"credHelpers\":{\"r\":\"../evil\"}}", "no name for a credential helper" },
		{ "{\"credHelpers\":{\"r\":\"\"}}", "no name for a credential helper" },
		{ "{\"credHelpers\":{\"r\":\"a b\"}}", "no name for a credential helper" },
		{ "{\"credHelpers\":{\"r\":\"is-not-there\"}}", "docker-credential-is-not-there" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = find(cases[i].text, "r", "");

		if (!str_starts(got, "error ") || !strstr(got, cases[i].why))
			fail_msg("%s\ninstead of %s\nin: %s", got, cases[i].why, cases[i].text);
	}
	/* Somebody else's entry does no harm. */
	assert_string_equal(find("{\"auths\":{\"q\":{\"auth\":\"&&\"},\"r\":" ONE "}}", "r", ""), "one/1");
}

static void base64(void **state)
{
	static const struct {
		const char *text, *data;
	} cases[] = { { "", "" }, { "Zg==", "f" }, { "Zm8=", "fo" }, { "Zm9v", "foo" },
		{ "Zm9vYg==", "foob" }, { "Zm9vYmE=", "fooba" }, { "Zm9vYmFy", "foobar" },
		{ "/+7d", "\xff\xee\xdd" } };
	static const char *const bad[] = { "Z", "Zm9vY", "Zm9v=Yg=", "Zm 9v", "Zm9v\n", "Zg===", "Zm9-" };
	char buf[BASE64_ROOM(16)];
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(base64_decode(cases[i].text, strlen(cases[i].text), buf, &len), 0);
		assert_int_equal(len, strlen(cases[i].data));
		assert_memory_equal(buf, cases[i].data, len);
		assert_string_equal(
			base64_encode(arena, cases[i].data, strlen(cases[i].data)), cases[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(base64_decode(bad[i], strlen(bad[i]), buf, &len), -EINVAL);
}

/* --- files -------------------------------------------------------------------------------------- */

static void make(const char *name, const char *text)
{
	char *path = arena_strdup(arena, in_scratch(name));

	for (char *p = strchr(path + strlen(scratch) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	write_file(path, text);
}

static void order_of_files(void **state)
{
	assert_string_equal(find_in(NULL, "r", ""), "none");
	make("home/.dockercfg", "{\"r\":" FOUR "}");
	assert_string_equal(find_in(NULL, "r", ""), "four/4");
	make("home/.docker/config.json", "{\"auths\":{\"r\":" THREE "}}");
	assert_string_equal(find_in(NULL, "r", ""), "three/3");
	make("home/.config/containers/auth.json", "{\"auths\":{\"r\":" TWO "}}");
	assert_string_equal(find_in(NULL, "r", ""), "two/2");
	make("run/containers/auth.json", "{\"auths\":{\"r\":" ONE "}}");
	assert_string_equal(find_in(NULL, "r", ""), "one/1");
	/* One without the entry is passed over. */
	make("run/containers/auth.json", "{\"auths\":{\"other\":" ONE "}}");
	assert_string_equal(find_in(NULL, "r", ""), "two/2");
	make("given.json", "{\"auths\":{\"r\":{\"username\":\"given\",\"password\":\"\"}}}");
	assert_string_equal(find_in(in_scratch("given.json"), "r", ""), "given/");
	setenv("REGISTRY_AUTH_FILE", in_scratch("given.json"), 1);
	assert_string_equal(find_in(NULL, "r", ""), "given/");
	/* One that was named must be there. */
	setenv("REGISTRY_AUTH_FILE", in_scratch("missing.json"), 1);
	assert_true(str_starts(find_in(NULL, "r", ""), "error 2: read auth file "));
	unsetenv("REGISTRY_AUTH_FILE");
	make("docker/config.json", "{\"auths\":{\"s\":" THREE "}}");
	setenv("DOCKER_CONFIG", in_scratch("docker"), 1);
	assert_string_equal(find_in(NULL, "s", ""), "three/3");
	unsetenv("DOCKER_CONFIG");
	setenv("HOME", in_scratch("empty"), 1);
	setenv("XDG_RUNTIME_DIR", in_scratch("empty"), 1);
}

/* --- helpers ------------------------------------------------------------------------------------ */

/* A helper in a directory of ours, which is all that PATH has beside the usual. */
static void make_helper(const char *name, const char *script)
{
	char *file = arena_printf(arena, "bin/docker-credential-%s", name);

	make(file, arena_printf(arena, "#!/bin/sh\n%s\n", script));
	assert_int_equal(chmod(in_scratch(file), 0700), 0);
	setenv("PATH", arena_printf(arena, "%s:/usr/bin:/bin", in_scratch("bin")), 1);
}

static void asked(void **state)
{
	make_helper("good", "[ $# = 1 ] && [ \"$1\" = get ] || exit 9\n"
			    "read -r server || [ \"$server\" ]\n"
			    "echo "
			    "\"{\\\"ServerURL\\\":\\\"$server\\\",\\\"Username\\\":\\\"at-$server\\\","
			    "\\\"Secret\\\":\\\"s\\\"}\"");
	make_helper("token", "cat >/dev/null; echo '{\"Username\":\"<token>\",\"Secret\":\"tok\"}'");
	make_helper("none", "cat >/dev/null; echo 'credentials not found in native keychain'; exit 1");
	make_helper("broken", "cat >/dev/null; printf 'no \\033[31mkeyring\\nmore'; exit 3");
	make_helper("endless", "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done");
	make_helper("nonsense", "echo 'the secret is hunter2'");
	make_helper("deaf", "exec <&-; echo '{\"Username\":\"u\",\"Secret\":\"p\"}'");

	assert_string_equal(find("{\"credHelpers\":{\"r\":\"good\"}}", "r", "a/b"), "at-r/s");
	assert_string_equal(find("{\"credsStore\":\"good\"}", "r", "a/b"), "at-r/s");
	assert_string_equal(find("{\"credsStore\":\"good\"}", "docker.io", "a/b"),
		"at-https://index.docker.io/v1/"
		"/s");
	assert_string_equal(
		find("{\"credsStore\":\"token\",\"auths\":{\"r\":{}}}", "r", ""), "token <token>/tok");
	/* An entry comes before a store for all, a helper for the registry before its entry. */
	assert_string_equal(find("{\"credsStore\":\"good\",\"auths\":{\"r\":" ONE "}}", "r", ""), "one/1");
	assert_string_equal(
		find("{\"credHelpers\":{\"r\":\"good\"},\"auths\":{\"r\":" ONE "}}", "r", ""), "at-r/s");
	assert_string_equal(
		find("{\"credHelpers\":{\"r\":\"none\"},\"auths\":{\"r\":" ONE "}}", "r", ""), "none");
	assert_string_equal(
		find("{\"credHelpers\":{\"q\":\"broken\"},\"auths\":{\"r\":" ONE "}}", "r", ""), "one/1");
	assert_string_equal(find("{\"credsStore\":\"none\"}", "r", ""), "none");
	assert_string_equal(find("{\"credsStore\":\"deaf\"}", "r", ""), "u/p");
	assert_string_equal(find("{\"credsStore\":\"broken\"}", "r", ""),
		"error 5: docker-credential-broken get failed with status 3: no ?[31mkeyring");
	assert_true(str_starts(
		find("{\"credsStore\":\"endless\"}", "r", ""), "error 27: run docker-credential-endless"));
	/* What may be a secret is not quoted. */
	assert_string_equal(find("{\"credsStore\":\"nonsense\"}", "r", ""),
		"error 22: docker-credential-nonsense get: the reply is not what it should be");
}

/* What the helper leaves behind may hold its pipe: we do not wait for that. */
static void left_behind(void **state)
{
	time_t before = time(NULL);

	make_helper("daemon", "sleep 20 & echo '{\"Username\":\"u\",\"Secret\":\"p\"}'");
	assert_string_equal(find("{\"credsStore\":\"daemon\"}", "r", ""), "u/p");
	assert_in_range(time(NULL) - before, 0, 15);
}

/* A file that others can write to names no programs. */
static void not_from_others(void **state)
{
	const char *file = in_scratch("open.json");

	make_helper("good", "echo '{\"Username\":\"u\",\"Secret\":\"p\"}'");
	write_file(file, "{\"credHelpers\":{\"r\":\"good\"},\"credsStore\":\"good\"}");
	assert_string_equal(find_in(file, "r", ""), "u/p");
	assert_int_equal(chmod(file, 0666), 0);
	assert_true(str_starts(find_in(file, "r", ""), "error 1: auth file "));
	assert_true(str_starts(find_in(file, "other", ""), "error 1: auth file "));
	assert_int_equal(chmod(file, 0600), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(file, 65534, 65534), 0);
		assert_true(str_starts(find_in(file, "r", ""), "error 1: auth file "));
	}
}

static void from_registries_conf(void **state)
{
	char *const list[] = { (char *)"none", (char *)"containers-auth.json", (char *)"good", NULL };
	const char *file = in_scratch("auth.json");
	struct img_credentials c;
	struct err e = ERR_INIT;

	make_helper("none", "echo 'credentials not found in native keychain'; exit 1");
	make_helper("good", "echo '{\"Username\":\"u\",\"Secret\":\"p\"}'");
	write_file(file, "{\"auths\":{\"r\":" ONE "}}");
	assert_int_equal(img_auth_find(arena, file, list, "r", "", &c, &e), 0);
	assert_string_equal(c.user, "one");
	assert_int_equal(img_auth_find(arena, file, list, "q", "", &c, &e), 0);
	assert_string_equal(c.user, "u");
	assert_int_equal(img_auth_find(arena, file, list + 2, "r", "", &c, &e), 0);
	assert_string_equal(c.user, "u");
}

/* --- login -------------------------------------------------------------------------------------- */

static const char *content(const char *file)
{
	_cleanup_free_ char *text = calloc(1, 65536);
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && text && read(fd, text, 65535) >= 0);
	return arena_strdup(arena, text);
}

static void login(void **state)
{
	const char *file = in_scratch("new/dir/auth.json");
	struct err e = ERR_INIT;
	struct stat st;

	assert_int_equal(img_auth_remove(file, "r.example", &e), -ENOENT);
	assert_string_equal(e.text, "not logged in to r.example");
	assert_int_equal(access(in_scratch("new"), F_OK), -1);
	assert_int_equal(img_auth_store(file, "https://r.example/", "user", "a:\"b\"\xc3\xa9", &e), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(in_scratch("new/dir"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_string_equal(find_in(file, "r.example", "x"), "user/a:\"b\"\xc3\xa9");
	assert_int_equal(img_auth_store(file, "docker.io", "hub", "h", &e), 0);
	assert_int_equal(img_auth_store(file, "r.example/ns", "other", "o", &e), 0);
	assert_int_equal(img_auth_store(file, "r.example", "user", "new", &e), 0);
	assert_string_equal(find_in(file, "r.example", "x"), "user/new");
	assert_string_equal(find_in(file, "r.example", "ns/x"), "other/o");
	assert_string_equal(find_in(file, "docker.io", "x"), "hub/h");
	assert_int_equal(img_auth_remove(file, "index.docker.io", &e), 0);
	assert_string_equal(find_in(file, "docker.io", "x"), "none");
	assert_string_equal(find_in(file, "r.example", "x"), "user/new");
	assert_int_equal(img_auth_remove(file, NULL, &e), 0);
	assert_string_equal(find_in(file, "r.example", "ns"), "none");
	assert_int_equal(img_auth_remove(file, NULL, &e), -ENOENT);
	assert_int_equal(img_auth_store(file, "r", "", "x", &e), -EINVAL);
	assert_int_equal(img_auth_store(file, "r", "a:b", "x", &e), -EINVAL);
	assert_int_equal(count_dir(in_scratch("new/dir")), 1);
}

/* What else the file has stays: docker keeps much in it. A damaged one is not replaced. */
static void login_keeps(void **state)
{
	const char *file = in_scratch("config.json");
	struct err e = ERR_INIT;

	write_file(file, "{\"HttpHeaders\":{\"a\":[1,null]},\"auths\":{\"q\":{\"auth\":\"b25lOjE=\","
			 "\"email\":\"x\"}}}");
	assert_int_equal(img_auth_store(file, "r", "u", "p", &e), 0);
	assert_non_null(strstr(content(file), "\"HttpHeaders\""));
	assert_non_null(strstr(content(file), "\"email\": \"x\""));
	assert_string_equal(find_in(file, "q", ""), "one/1");
	write_file(file, "{\"auths\":");
	assert_int_equal(img_auth_store(file, "r", "u", "p", &e), -EINVAL);
	assert_string_equal(content(file), "{\"auths\":");
}

static void login_by_helper(void **state)
{
	const char *file = in_scratch("helped.json");
	struct err e = ERR_INIT;

	make_helper("keep", "f=$0.kept; case $1 in store) cat >\"$f\" ;; erase) rm \"$f\" ;; esac");
	write_file(file, "{\"credHelpers\":{\"r\":\"keep\"}}");
	assert_int_equal(img_auth_store(file, "r", "u", "p", &e), 0);
	assert_string_equal(content(in_scratch("bin/docker-credential-keep.kept")),
		"{\"ServerURL\":\"r\",\"Username\":\"u\",\"Secret\":\"p\"}");
	assert_string_equal(content(file), "{\"credHelpers\":{\"r\":\"keep\"}}");
	assert_int_equal(img_auth_remove(file, "r", &e), 0);
	assert_int_equal(access(in_scratch("bin/docker-credential-keep.kept"), F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(namespaces),
		cmocka_unit_test(spellings),
		cmocka_unit_test(kinds),
		cmocka_unit_test(faulty),
		cmocka_unit_test(base64),
		cmocka_unit_test(order_of_files),
		cmocka_unit_test(asked),
		cmocka_unit_test(left_behind),
		cmocka_unit_test(not_from_others),
		cmocka_unit_test(from_registries_conf),
		cmocka_unit_test(login),
		cmocka_unit_test(login_keeps),
		cmocka_unit_test(login_by_helper),
	};

	return cmocka_run_group_tests(tests, make_home, remove_scratch);
}
