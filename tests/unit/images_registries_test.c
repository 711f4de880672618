/* SPDX-License-Identifier: Apache-2.0 */
/* registries.conf: where names lead to, by the cases of containers-registries.conf(5), and which files count.
 */
#include "tests/unit/images_fixture.h"

#include "images/registries.h"

#define H64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIG "sha256:" H64

static const char *show(const struct img_candidate *c, size_t n)
{
	const char *s = "";

	for (size_t i = 0; i < n; i++) {
		s = arena_printf(arena, "%s%s%s:", s, i ? "\n" : "", img_ref_text(arena, &c[i].ref));
		for (size_t k = 0; k < c[i].n_endpoints; k++) {
			const struct img_endpoint *e = &c[i].endpoints[k];

			s = arena_printf(
				arena, "%s %s|%s|%s%s", s, e->host, e->path, e->what, e->insecure ? "!" : "");
		}
	}
	return s;
}

/* What a name leads to with this registries.conf; an error's text behind "error: ". */
static const char *lead(const char *conf, const char *name)
{
	const char *path = in_scratch("registries.conf");
	const struct img_registries *rs;
	struct img_candidate *c;
	struct img_ref ref;
	struct err e = ERR_INIT;
	size_t n;

	write_file(path, conf);
	if (img_ref_parse(arena, name, &ref, &e) < 0 || img_registries_load(arena, path, &rs, &e) < 0 ||
		img_registries_resolve(arena, rs, &ref, &c, &n, &e) < 0)
		return arena_printf(arena, "error %d: %s", e.code, e.text);
	return show(c, n);
}

static void check(const char *conf, const char *name, const char *want)
{
	const char *got = lead(conf, name);

	if (!str_eq(got, want))
		fail_msg("%s\nleads to\n%s\nnot to\n%s", name, got, want);
}

/* --- the manual's own cases --------------------------------------------------------------------- */

static void nothing(void **state)
{
	check("", "debian", "docker.io/library/debian:latest: docker.io|library/debian|latest");
	check("", "user/app:1", "docker.io/user/app:1: docker.io|user/app|1");
	check("", "localhost:5000/a", "localhost:5000/a:latest: localhost:5000|a|latest");
	check("", "a.b/c:1@" DIG, "a.b/c:1@" DIG ": a.b|c|" DIG);
}

static void manual_example(void **state)
{
	static const char conf[] = "unqualified-search-registries = [\"example.com\"]\n"
				   "\n"
				   "[[registry]]\n"
				   "prefix = \"example.com/foo\"\n"
				   "insecure = false\n"
				   "blocked = false\n"
				   "location = \"internal-registry-for-example.com/bar\"\n"
				   "\n"
				   "[[registry.mirror]]\n"
				   "location = \"example-mirror-0.local/mirror-for-foo\"\n"
				   "\n"
				   "[[registry.mirror]]\n"
				   "location = \"example-mirror-1.local/mirrors/foo\"\n"
				   "insecure = true\n"
				   "\n"
				   "[[registry]]\n"
				   "location = \"registry.com\"\n"
				   "\n"
				   "[[registry.mirror]]\n"
				   "location = \"mirror.registry.com\"\n";

	check(conf, "example.com/foo/image:latest",
		"example.com/foo/image:latest: example-mirror-0.local|mirror-for-foo/image|latest "
		"example-mirror-1.local|mirrors/foo/image|latest! "
		"internal-registry-for-example.com|bar/image|latest");
	check(conf, "registry.com/image:latest",
		"registry.com/image:latest: mirror.registry.com|image|latest registry.com|image|latest");
	check(conf, "foo/image",
		"example.com/foo/image:latest: example-mirror-0.local|mirror-for-foo/image|latest "
		"example-mirror-1.local|mirrors/foo/image|latest! "
		"internal-registry-for-example.com|bar/image|latest");
	check(conf, "example.com/foobar", "example.com/foobar:latest: example.com|foobar|latest");
	check(conf, "example.com/foo",
		"example.com/foo:latest: example-mirror-0.local|mirror-for-foo|latest "
		"example-mirror-1.local|mirrors/foo|latest! internal-registry-for-example.com|bar|latest");
}

static void mirrors_of_a_prefix(void **state)
{
	static const char conf[] =
		"[[registry]]\nprefix='docker.io/library'\nlocation='docker.io/library'\n"
		"mirror = [ {location='m.example/hub', insecure=true}, {location='n.example/lib/'} ]\n";

	check(conf, "debian:12",
		"docker.io/library/debian:12: m.example|hub/debian|12! n.example|lib/debian|12 "
		"docker.io|library/debian|12");
	check(conf, "docker.io/debian@" DIG,
		"docker.io/library/debian@" DIG ": m.example|hub/debian|" DIG "! n.example|lib/debian|" DIG
		" docker.io|library/debian|" DIG);
	check(conf, "user/app", "docker.io/user/app:latest: docker.io|user/app|latest");
}

/* --- which [[registry]] ------------------------------------------------------------------------- */

static void longest_prefix(void **state)
{
	static const char conf[] =
		"[[registry]]\nprefix='a.example'\nlocation='one.example'\n"
		"[[registry]]\nprefix='a.example/x/y'\nlocation='three.example/z'\n"
		"[[registry]]\nprefix='a.example/x'\nlocation='two.example/q/'\n"
		"[[registry]]\nprefix='a.example/x/y/app:v1'\nlocation='four.example/app:v9'\n"
		"[[registry]]\nprefix='a.example:5000'\nlocation='five.example'\n";

	check(conf, "a.example/app", "a.example/app:latest: one.example|app|latest");
	check(conf, "a.example/x/app", "a.example/x/app:latest: two.example|q/app|latest");
	check(conf, "a.example/xy", "a.example/xy:latest: one.example|xy|latest");
	check(conf, "a.example/x/y/app", "a.example/x/y/app:latest: three.example|z/app|latest");
	check(conf, "a.example/x/y/app:v1", "a.example/x/y/app:v1: four.example|app|v9");
	check(conf, "a.example/x/y/app:v11", "a.example/x/y/app:v11: three.example|z/app|v11");
	check(conf, "a.example/x:t", "a.example/x:t: two.example|q|t");
	check(conf, "a.example/x@" DIG, "a.example/x@" DIG ": two.example|q|" DIG);
	/* Another port is another registry. */
	check(conf, "a.example:5000/app", "a.example:5000/app:latest: five.example|app|latest");
	check(conf, "a.example:5001/app", "a.example:5001/app:latest: a.example:5001|app|latest");
}

static void wildcards(void **state)
{
	static const char conf[] = "[[registry]]\nprefix='*.example.com'\ninsecure=true\n"
				   "[[registry]]\nprefix='*.b.example.com'\nlocation='b.local/x'\n"
				   "[[registry.mirror]]\nlocation='m.local'\n"
				   "[[registry]]\nprefix='a.b.example.com'\nlocation='own.local'\n"
				   "[[registry]]\nprefix='*.blocked.example.com'\nblocked=true\n";

	check(conf, "x.example.com/a", "x.example.com/a:latest: x.example.com|a|latest!");
	check(conf, "y.x.example.com/a/b:1", "y.x.example.com/a/b:1: y.x.example.com|a/b|1!");
	check(conf, "x.example.com:5000/a", "x.example.com:5000/a:latest: x.example.com:5000|a|latest!");
	check(conf, "example.com/a", "example.com/a:latest: example.com|a|latest");
	check(conf, "xexample.com/a", "xexample.com/a:latest: xexample.com|a|latest");
	check(conf, "evil.com/x.example.com/a",
		"evil.com/x.example.com/a:latest: evil.com|x.example.com/a|latest");
	check(conf, "c.b.example.com/a", "c.b.example.com/a:latest: m.local|a|latest b.local|x/a|latest");
	check(conf, "a.b.example.com/a", "a.b.example.com/a:latest: own.local|a|latest");
	assert_true(str_starts(lead(conf, "x.blocked.example.com/a"), "error 1: "));
}

static void blocked(void **state)
{
	static const char conf[] = "unqualified-search-registries = ['bad.example', 'good.example']\n"
				   "[[registry]]\nlocation='bad.example'\nblocked=true\n";
	const char *got = lead(conf, "bad.example/a");

	assert_true(str_starts(got,
		"error 1: bad.example/a:latest: registries are blocked whose name begins with "
		"\"bad.example\" ("));
	assert_non_null(strstr(got, "registries.conf)"));
	check(conf, "a", "good.example/a:latest: good.example|a|latest");
	assert_true(str_starts(lead("unqualified-search-registries=['bad.example']\n[[registry]]\nlocation='"
				    "bad.example'\nblocked=true",
				       "a"),
		"error 1: "));
}

static void pull_from_mirror(void **state)
{
	static const char conf[] =
		"[[registry]]\nlocation='r.example'\n"
		"[[registry.mirror]]\nlocation='d.example'\npull-from-mirror='digest-only'\n"
		"[[registry.mirror]]\nlocation='t.example'\npull-from-mirror='tag-only'\n"
		"[[registry.mirror]]\nlocation='a.example'\npull-from-mirror='all'\n"
		"[[registry]]\nlocation='only.example'\nmirror-by-digest-only=true\n"
		"[[registry.mirror]]\nlocation='m.example'\n";

	check(conf, "r.example/a:1", "r.example/a:1: t.example|a|1 a.example|a|1 r.example|a|1");
	check(conf, "r.example/a@" DIG,
		"r.example/a@" DIG ": d.example|a|" DIG " a.example|a|" DIG " r.example|a|" DIG);
	check(conf, "only.example/a:1", "only.example/a:1: only.example|a|1");
	check(conf, "only.example/a@" DIG, "only.example/a@" DIG ": m.example|a|" DIG " only.example|a|" DIG);
}

/* --- short names -------------------------------------------------------------------------------- */

static void aliases(void **state)
{
	static const char conf[] = "unqualified-search-registries = ['s.example']\n"
				   "[aliases]\n"
				   "fedora = 'registry.fedoraproject.org/fedora'\n"
				   "'a/b' = 'quay.io/x/y'\n"
				   "debian = 'docker.io/debian'\n"
				   "gone = ''\n";

	check(conf, "fedora",
		"registry.fedoraproject.org/fedora:latest: registry.fedoraproject.org|fedora|latest");
	check(conf, "fedora:38",
		"registry.fedoraproject.org/fedora:38: registry.fedoraproject.org|fedora|38");
	check(conf, "fedora@" DIG,
		"registry.fedoraproject.org/fedora@" DIG ": registry.fedoraproject.org|fedora|" DIG);
	check(conf, "a/b:1", "quay.io/x/y:1: quay.io|x/y|1");
	check(conf, "b", "s.example/b:latest: s.example|b|latest");
	check(conf, "gone", "s.example/gone:latest: s.example|gone|latest");
	check(conf, "debian", "docker.io/library/debian:latest: docker.io|library/debian|latest");
	check(conf, "docker.io/fedora", "docker.io/library/fedora:latest: docker.io|library/fedora|latest");
}

static void searched(void **state)
{
	check("unqualified-search-registries = ['a.example', 'docker.io', 'localhost:5000']", "x",
		"a.example/x:latest: a.example|x|latest\n"
		"docker.io/library/x:latest: docker.io|library/x|latest\n"
		"localhost:5000/x:latest: localhost:5000|x|latest");
	check("unqualified-search-registries = []", "x",
		"docker.io/library/x:latest: docker.io|library/x|latest");
	check("short-name-mode='enforcing'\nunqualified-search-registries = ['a.example']", "x",
		"a.example/x:latest: a.example|x|latest");
	assert_true(str_starts(lead("short-name-mode='enforcing'\nunqualified-search-registries = "
				    "['a.example', 'b.example']",
				       "x"),
		"error 17: short name \"x\" may mean a.example/x or that of another of the 2 registries"));
	check("short-name-mode='permissive'\nunqualified-search-registries = ['a.example', 'b.example']", "x",
		"a.example/x:latest: a.example|x|latest\nb.example/x:latest: b.example|x|latest");
}

/* --- what is refused ---------------------------------------------------------------------------- */

static void faults(void **state)
{
	static const struct {
		const char *conf, *why;
	} cases[] = {
		{ "[registries.search]\nregistries = ['a']", "line 1: [registries] is version 1" },
		{ "a = 1.5", "line 1: a value that is neither" },
		{ "unqualified-search-registries = 'a'",
			"line 1: \"unqualified-search-registries\" must be an array" },
		{ "unqualified-search-registries = ['a', 1]", "must be an array of strings" },
		{ "unqualified-search-registries = ['']", "must be an array of strings that are not empty" },
		{ "unqualified-search-registries = ['a b']", "registry \"a b\" has" },
		{ "short-name-mode = 'strict'", "short-name-mode must be" },
		{ "registry = 1", "\"registry\" must be an array" },
		{ "registry = [1]", "registry must be an array of tables" },
		{ "[[registry]]\ninsecure = 'yes'\nlocation='a'",
			"line 2: \"insecure\" must be true or false" },
		{ "\n[[registry]]\ninsecure = true", "line 2: a registry needs a prefix or a location" },
		{ "[[registry]]\nprefix = 'a.example'", "needs a location, since its prefix is no wildcard" },
		{ "[[registry]]\nlocation = 'https://a.example'", "line 2: location must begin with a host" },
		{ "[[registry]]\nprefix='a.example'\nlocation = '*.example'", "must not be a wildcard" },
		{ "[[registry]]\nprefix = 'a.*.example'\nlocation='b.example'",
			"can only stand at its beginning" },
		{ "[[registry]]\nprefix = '*.example/foo'", "must have the form" },
		{ "[[registry]]\nprefix = '*.example:5000'", "must have the form" },
		{ "[[registry]]\nprefix = '*'", "must have the form" },
		{ "[[registry]]\nprefix = '*a.example'", "must have the form" },
		{ "[[registry]]\nlocation='a.example'\nmirror = [1]", "mirror must be an array of tables" },
		{ "[[registry]]\nlocation='a.example'\n[[registry.mirror]]",
			"line 3: a mirror needs a location" },
		{ "[[registry]]\nlocation='a.example'\n[[registry.mirror]]\nlocation='b.example'\n"
		  "pull-from-mirror='some'",
			"pull-from-mirror must be" },
		{ "[[registry]]\nlocation='a.example'\nmirror-by-digest-only=true\n[[registry.mirror]]\n"
		  "location='b.example'\npull-from-mirror='tag-only'",
			"cannot go with mirror-by-digest-only" },
		{ "[[registry]]\nlocation='a.example'\n[[registry]]\nlocation='a.example/'\nblocked=true",
			"line 3: prefix \"a.example\" is there twice" },
		{ "aliases = 1", "\"aliases\" must be a table" },
		{ "[aliases]\na = 1", "alias \"a\" must be a string" },
		{ "[aliases]\n'a:1' = 'b.example/a'", "\"a:1\" is no short name" },
		{ "[aliases]\n'c.example/a' = 'b.example/a'", "is no short name" },
		{ "[aliases]\nlocalhost = 'b.example/a'", "is no short name" },
		{ "[aliases]\na = 'b'", "\"b\" is no whole name" },
		{ "[aliases]\na = 'b.example/a:1'", "is no whole name" },
		{ "[aliases]\na = 'b.example/a@" DIG "'", "is no whole name" },
		{ "[aliases]\na = 'b.example/A'", "is no whole name" },
		{ "[aliases]\na='b.example/a'\na='b.example/b'", "line 3: \"a\" was there already" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = lead(cases[i].conf, "some");

		if (!str_starts(got, "error 22: ") || !strstr(got, cases[i].why))
			fail_msg("%s\ninstead of %s\nin: %s", got, cases[i].why, cases[i].conf);
	}
	/* Only where they are needed: the file may be good for all else. */
	check("[[registry]]\nprefix='a.example'\nlocation='nohost'", "b.example/x",
		"b.example/x:latest: b.example|x|latest");
	assert_non_null(strstr(lead("[[registry]]\nprefix='a.example'\nlocation='nohost'", "a.example/x"),
		"location \"nohost\""));
}

/* --- which files -------------------------------------------------------------------------------- */

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

static const char *lead_by_files(const char *name)
{
	const struct img_registries *rs;
	struct img_candidate *c;
	struct img_ref ref;
	struct err e = ERR_INIT;
	size_t n;

	if (img_ref_parse(arena, name, &ref, &e) < 0 || img_registries_load(arena, NULL, &rs, &e) < 0 ||
		img_registries_resolve(arena, rs, &ref, &c, &n, &e) < 0)
		return arena_printf(arena, "error %d: %s", e.code, e.text);
	return show(c, n);
}

static void files(void **state)
{
	make("home/.config/containers/registries.conf", "unqualified-search-registries=['main.example']\n["
							"aliases]\na='x.example/main'\nb='x.example/main'\n"
							"[[registry]]\nlocation='r.example'\ninsecure=true\n["
							"[registry]]\nlocation='q.example'\ninsecure=true");
	make("home/.config/containers/registries.conf.d/20-b.conf",
		"[aliases]\na='x.example/twenty'\nb=''\n[[registry]]\nlocation='r.example'\n");
	make("home/.config/containers/registries.conf.d/10-a.conf",
		"unqualified-search-registries=['ten.example']\n[aliases]\na='x.example/ten'");
	make("home/.config/containers/registries.conf.d/30-c.toml", "this is not read");
	make("home/.config/containers/registries.conf.d/.conf.d/x", "");
	setenv("HOME", in_scratch("home"), 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("CONTAINERS_REGISTRIES_CONF");
	assert_string_equal(lead_by_files("a"), "x.example/twenty:latest: x.example|twenty|latest");
	assert_string_equal(lead_by_files("b"), "ten.example/b:latest: ten.example|b|latest");
	assert_string_equal(lead_by_files("r.example/x"), "r.example/x:latest: r.example|x|latest");
	assert_string_equal(lead_by_files("q.example/x"), "q.example/x:latest: q.example|x|latest!");

	/* A faulty drop-in is named. */
	make("home/.config/containers/registries.conf.d/40.conf", "x");
	assert_non_null(strstr(lead_by_files("a"), "registries.conf.d/40.conf: line 1: "));

	setenv("XDG_CONFIG_HOME", in_scratch("xdg"), 1);
	make("xdg/containers/registries.conf", "[aliases]\na='x.example/xdg'");
	assert_string_equal(lead_by_files("a"), "x.example/xdg:latest: x.example|xdg|latest");

	make("env.conf", "[aliases]\na='x.example/env'");
	setenv("CONTAINERS_REGISTRIES_CONF", in_scratch("env.conf"), 1);
	assert_string_equal(lead_by_files("a"), "x.example/env:latest: x.example|env|latest");
	check("[aliases]\na='x.example/given'", "a", "x.example/given:latest: x.example|given|latest");
	setenv("CONTAINERS_REGISTRIES_CONF", in_scratch("missing.conf"), 1);
	assert_true(str_starts(lead_by_files("a"), "error 2: read "));
	setenv("CONTAINERS_REGISTRIES_CONF", scratch, 1);
	assert_true(str_starts(lead_by_files("a"), "error 22: read "));
	unsetenv("CONTAINERS_REGISTRIES_CONF");
}

static void helpers(void **state)
{
	const char *path = in_scratch("registries.conf");
	const struct img_registries *rs;
	struct err e = ERR_INIT;

	write_file(path, "credential-helpers = ['containers-auth.json', 'secretservice']");
	assert_int_equal(img_registries_load(arena, path, &rs, &e), 0);
	assert_int_equal(strv_len(img_registries_helpers(rs)), 2);
	assert_string_equal(img_registries_helpers(rs)[1], "secretservice");
	write_file(path, "");
	assert_int_equal(img_registries_load(arena, path, &rs, &e), 0);
	assert_null(img_registries_helpers(rs));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(manual_example),
		cmocka_unit_test(mirrors_of_a_prefix),
		cmocka_unit_test(longest_prefix),
		cmocka_unit_test(wildcards),
		cmocka_unit_test(blocked),
		cmocka_unit_test(pull_from_mirror),
		cmocka_unit_test(aliases),
		cmocka_unit_test(searched),
		cmocka_unit_test(faults),
		cmocka_unit_test(files),
		cmocka_unit_test(helpers),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
