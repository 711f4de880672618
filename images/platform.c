/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms: this machine's, one that was asked for, and which entry of an index suits it (see document.h).
 */
#include <stdio.h>
#include <sys/utsname.h>

#include "base/str.h"
#include "images/document.h"

/* What uname(2) says, or people write, and Go's names for it. */
static const struct machine {
	const char *name, *architecture, *variant;
} machines[] = {
	{ "x86_64", "amd64", NULL },
	{ "x86-64", "amd64", NULL },
	{ "i386", "386", NULL },
	{ "i486", "386", NULL },
	{ "i586", "386", NULL },
	{ "i686", "386", NULL },
	{ "aarch64", "arm64", "v8" },
	{ "aarch64_be", "arm64be", NULL },
	{ "armv5tel", "arm", "v5" },
	{ "armv6l", "arm", "v6" },
	{ "armv7l", "arm", "v7" },
	{ "armv7hl", "arm", "v7" },
	{ "armv8l", "arm", "v8" },
	{ "armel", "arm", "v6" },
	{ "armhf", "arm", "v7" },
	{ "loongarch64", "loong64", NULL },
	{ "mips64", "mips64", NULL },
	{ "ppc64", "ppc64", NULL },
	{ "ppc64le", "ppc64le", NULL },
	{ "riscv64", "riscv64", NULL },
	{ "s390x", "s390x", NULL },
};

/* Go's own names, for what is asked for. */
static const char *const architectures[] = { "386", "amd64", "arm", "arm64", "arm64be", "loong64", "mips",
	"mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x", "wasm" };
static const char *const systems[] = { "linux", "windows", "freebsd", "darwin", "wasi", "wasip1" };

static const struct machine *find_machine(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (str_eq(machines[i].name, name))
			return &machines[i];
	return NULL;
}

void img_platform_host(struct img_platform *out)
{
	static struct utsname u; /* an unknown machine's own name is as good as any */
	const struct machine *m;

	*out = (struct img_platform){ .os = "linux", .architecture = "unknown" };
	if (uname(&u) < 0)
		return;
	m = find_machine(u.machine);
	out->architecture = m ? m->architecture : u.machine;
	out->variant = m ? m->variant : NULL;
#if defined(__mips__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	out->architecture = "mips64le";
#endif
}

static bool among(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(word, list[i]))
			return true;
	return false;
}

int img_platform_parse(struct arena *a, const char *text, struct img_platform *out, struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	struct img_platform p = { .os = "linux" }, host;
	const char *parts[3] = { NULL };
	const struct machine *m;
	char *copy = arena_strdup(a, text), *s = copy;
	size_t n = 0;

	if (!copy)
		return err_set(e, ENOMEM, "platform");
	for (bool more = true; more; n++) {
		size_t len = strspn(s, allowed);

		more = s[len] == '/';
		if (len == 0 || n == ARRAY_SIZE(parts) || (s[len] && !more))
			return err_text(e, EINVAL,
				"platform \"%.60s\" is not of the form OS/ARCHITECTURE[/VARIANT], as "
				"\"linux/arm64/v8\"",
				text);
		s[len] = '\0';
		parts[n] = s;
		s += len + 1;
	}
	if (n == 1 && among(parts[0], systems, ARRAY_SIZE(systems))) {
		img_platform_host(&host);
		p.os = parts[0];
		p.architecture = host.architecture;
		p.variant = host.variant;
		*out = p;
		return 0;
	}
	if (n == 1 && !find_machine(parts[0]) && !among(parts[0], architectures, ARRAY_SIZE(architectures)))
		return err_text(e, EINVAL,
			"platform \"%.60s\": unknown architecture, amd64 and arm64 are examples", text);
	if (n > 1)
		p.os = parts[0];
	p.architecture = parts[n > 1 ? 1 : 0];
	p.variant = parts[2];
	m = find_machine(p.architecture);
	if (m) {
		p.architecture = m->architecture;
		p.variant = p.variant ? p.variant : m->variant;
	}
	*out = p;
	return 0;
}

/* --- choosing ----------------------------------------------------------------------------------- */

/* "v8", "v8.2", "8": 800, 802, 800. Not of that kind: -1. Without one, what Go's tools take for it. */
static int variant_number(const char *architecture, const char *variant)
{
	int major = 0, minor = 0;
	const char *s = variant;

	if (!s || !*s)
		return str_eq(architecture, "arm") ? 700 : str_eq(architecture, "arm64") ? 800 : 100;
	if (*s == 'v')
		s++;
	for (; *s >= '0' && *s <= '9' && major < 1000; s++)
		major = major * 10 + *s - '0';
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9' && minor < 100; s++)
			minor = minor * 10 + *s - '0';
	return *s || major == 0 || major > 1000 || minor > 99 ? -1 : major * 100 + minor;
}

static bool is_numbered(const char *architecture)
{
	return str_eq(architecture, "arm") || str_eq(architecture, "arm64") || str_eq(architecture, "amd64");
}

/* How well an entry suits: 0 not at all. */
static int suits(const struct img_platform *have, const struct img_platform *want)
{
	const struct machine *hm, *wm;
	const char *have_arch = have->architecture, *want_arch = want->architecture, *have_variant,
		   *want_variant;
	int h, w;

	if (!have->os || !have_arch || !want->os || !want_arch || !str_eq(have->os, want->os))
		return 0;
	hm = find_machine(have_arch);
	wm = find_machine(want_arch);
	have_arch = hm ? hm->architecture : have_arch;
	want_arch = wm ? wm->architecture : want_arch;
	if (!str_eq(have_arch, want_arch))
		return 0;
	have_variant = have->variant ? have->variant : hm ? hm->variant : NULL;
	want_variant = want->variant ? want->variant : wm ? wm->variant : NULL;
	if (is_numbered(have_arch)) {
		h = variant_number(have_arch, have_variant);
		w = variant_number(want_arch, want_variant);
		if (h < 0 || w < 0)
			return have_variant && want_variant && str_eq(have_variant, want_variant);
		return h <= w ? h : 0;
	}
	if (!want_variant || !*want_variant)
		return have_variant && *have_variant ? 1 : 2;
	if (!have_variant || !*have_variant)
		return 1;
	return str_eq(have_variant, want_variant) ? 2 : 0;
}

const struct img_descriptor *img_index_choose(const struct img_index *x, const struct img_platform *p)
{
	const struct img_descriptor *best = NULL, *plain = NULL;
	size_t candidates = 0;
	int score = 0;

	for (size_t i = 0; i < x->n_manifests; i++) {
		const struct img_descriptor *d = &x->manifests[i];
		int s;

		if (!d->digest.text[0] ||
			(d->media != IMG_MEDIA_MANIFEST && d->media != IMG_MEDIA_INDEX && *d->media_type))
			continue;
		if (d->has_platform && d->platform.os && str_eq(d->platform.os, "unknown"))
			continue;
		candidates++;
		if (!d->has_platform || (!d->platform.os && !d->platform.architecture)) {
			plain = d;
			continue;
		}
		s = suits(&d->platform, p);
		if (s > score) {
			score = s;
			best = d;
		}
	}
	return best ? best : candidates == 1 ? plain : NULL;
}
