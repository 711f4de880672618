/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms: how they are asked for, and which entry of an index suits one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "images/document.h"

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

static void asked_for(void **state)
{
	static const struct {
		const char *text, *os, *architecture, *variant; /* os NULL: refused */
	} cases[] = {
		{ "linux/amd64", "linux", "amd64", NULL },
		{ "linux/arm64/v8", "linux", "arm64", "v8" },
		{ "arm64", "linux", "arm64", NULL },
		{ "amd64", "linux", "amd64", NULL },
		{ "x86_64", "linux", "amd64", NULL },
		{ "aarch64", "linux", "arm64", "v8" },
		{ "linux/armhf", "linux", "arm", "v7" },
		{ "linux/arm/v6", "linux", "arm", "v6" },
		{ "windows/amd64", "windows", "amd64", NULL },
		{ "linux/new-thing", "linux", "new-thing", NULL },
		{ "", NULL, NULL, NULL },
		{ "/", NULL, NULL, NULL },
		{ "linux/", NULL, NULL, NULL },
		{ "/amd64", NULL, NULL, NULL },
		{ "linux//v8", NULL, NULL, NULL },
		{ "linux/arm64/v8/x", NULL, NULL, NULL },
		{ "linux/arm64/", NULL, NULL, NULL },
		{ "Linux/amd64", NULL, NULL, NULL },
		{ "linux/amd 64", NULL, NULL, NULL },
		{ "new-thing", NULL, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct img_platform p = { 0 };
		struct err e = ERR_INIT;
		int r = img_platform_parse(arena, cases[i].text, &p, &e);

		if (r != (cases[i].os ? 0 : -EINVAL))
			fail_msg("\"%s\": %d %s", cases[i].text, r, e.text);
		if (r < 0)
			continue;
		assert_string_equal(p.os, cases[i].os);
		assert_string_equal(p.architecture, cases[i].architecture);
		assert_string_equal(p.variant ? p.variant : "", cases[i].variant ? cases[i].variant : "");
	}
}

static void of_this_machine(void **state)
{
	struct img_platform host, p;

	img_platform_host(&host);
	assert_string_equal(host.os, "linux");
#if defined(__x86_64__)
	assert_string_equal(host.architecture, "amd64");
#elif defined(__aarch64__)
	assert_string_equal(host.architecture, "arm64");
#endif
	assert_int_equal(img_platform_parse(arena, "linux", &p, NULL), 0);
	assert_string_equal(p.architecture, host.architecture);
}

/* Entries as "os/arch/variant"; "-": without a platform; "x": of an unknown type; "i": an index without a
 * platform. */
static size_t choose(const char *const *entries, const char *wanted)
{
	struct img_descriptor d[12] = { 0 };
	struct img_index x = { .manifests = d };
	const struct img_descriptor *got;
	struct img_platform p;

	for (; entries[x.n_manifests]; x.n_manifests++) {
		const char *s = entries[x.n_manifests];
		struct img_descriptor *m = &d[x.n_manifests];

		img_digest_of("a", 1, &m->digest);
		m->media = *s == 'x'		? IMG_MEDIA_OTHER
			   : *s == 'i' && !s[1] ? IMG_MEDIA_INDEX
						: IMG_MEDIA_MANIFEST;
		m->media_type = "type";
		if (s[1]) {
			char *copy = arena_strdup(arena, s), *slash = strchr(copy, '/');

			m->has_platform = true;
			m->platform.os = copy;
			*slash = '\0';
			m->platform.architecture = slash + 1;
			slash = strchr(slash + 1, '/');
			if (slash) {
				*slash = '\0';
				m->platform.variant = slash + 1;
			}
		}
	}
	assert_int_equal(img_platform_parse(arena, wanted, &p, NULL), 0);
	got = img_index_choose(&x, &p);
	return got ? (size_t)(got - d) : 99;
}

static void chosen(void **state)
{
	static const struct {
		const char *const entries[8];
		const char *wanted;
		size_t want;
	} cases[] = {
		{ { "linux/arm64/v8", "linux/amd64", "linux/386" }, "linux/amd64", 1 },
		{ { "linux/arm64/v8", "linux/amd64", "linux/amd64" }, "linux/amd64", 1 }, /* the first */
		{ { "linux/arm64/v8" }, "linux/amd64", 99 },
		{ { "windows/amd64", "linux/amd64" }, "linux/amd64", 1 },
		{ { "windows/amd64" }, "linux/amd64", 99 },
		{ { NULL }, "linux/amd64", 99 },
		/* Variants: the nearest that is not newer. */
		{ { "linux/arm/v5", "linux/arm/v7", "linux/arm/v6" }, "linux/arm/v7", 1 },
		{ { "linux/arm/v5", "linux/arm/v6" }, "linux/arm/v7", 1 },
		{ { "linux/arm/v6", "linux/arm/v5" }, "linux/arm/v5", 1 },
		{ { "linux/arm/v7" }, "linux/arm/v6", 99 },
		{ { "linux/arm" }, "linux/arm/v7", 0 }, /* v7 is what is not said */
		{ { "linux/arm" }, "linux/arm/v6", 99 },
		{ { "linux/arm64" }, "linux/arm64/v8", 0 },
		{ { "linux/arm64/v8" }, "linux/arm64", 0 },
		{ { "linux/arm64/v9", "linux/arm64/v8" }, "linux/arm64", 1 },
		{ { "linux/arm64/v8", "linux/arm64/v8.2", "linux/arm64/v9" }, "linux/arm64/v8.5", 1 },
		{ { "linux/amd64/v3", "linux/amd64" }, "linux/amd64", 1 },
		{ { "linux/amd64", "linux/amd64/v2", "linux/amd64/v3" }, "linux/amd64/v2", 1 },
		{ { "linux/amd64/v3" }, "linux/amd64", 99 },
		{ { "linux/arm/weird" }, "linux/arm/v7", 99 },
		{ { "linux/ppc64le/power9", "linux/ppc64le/power8" }, "linux/ppc64le/power8", 1 },
		{ { "linux/ppc64le" }, "linux/ppc64le/power8", 0 },
		{ { "linux/ppc64le/power8", "linux/ppc64le" }, "linux/ppc64le", 1 },
		{ { "linux/ppc64le/power10" }, "linux/ppc64le/power8", 99 },
		/* Names of other kinds of tools. */
		{ { "linux/x86_64" }, "linux/amd64", 0 },
		{ { "linux/aarch64" }, "linux/arm64", 0 },
		/* Without a platform: only alone. */
		{ { "-" }, "linux/amd64", 0 },
		{ { "i" }, "linux/amd64", 0 },
		{ { "-", "-" }, "linux/amd64", 99 },
		{ { "-", "linux/arm64" }, "linux/amd64", 99 },
		{ { "-", "linux/amd64" }, "linux/amd64", 1 },
		{ { "-", "unknown/unknown" }, "linux/amd64", 0 },
		{ { "x", "-" }, "linux/amd64", 1 },
		{ { "x" }, "linux/amd64", 99 },
		{ { "unknown/unknown" }, "linux/amd64", 99 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t got = choose(cases[i].entries, cases[i].wanted);

		if (got != cases[i].want)
			fail_msg("case %zu (%s of %s …): %zu instead of %zu", i, cases[i].wanted,
				cases[i].entries[0] ? cases[i].entries[0] : "none", got, cases[i].want);
	}
}

/* What cannot be verified is no choice, and what came without a media type is one. */
static void oddities(void **state)
{
	struct img_descriptor d[2] = { { .media_type = "", .media = IMG_MEDIA_OTHER }, { .media_type = "" } };
	struct img_index x = { .manifests = d, .n_manifests = 2 };
	struct img_platform p;

	img_platform_host(&p);
	assert_null(img_index_choose(&x, &p));
	img_digest_of("a", 1, &d[1].digest);
	assert_ptr_equal(img_index_choose(&x, &p), &d[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked_for),
		cmocka_unit_test(of_this_machine),
		cmocka_unit_test(chosen),
		cmocka_unit_test(oddities),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
