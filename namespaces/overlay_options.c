/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the root's overlay mount (see overlay.h); pure. */
#include "namespaces/overlay.h"

#include <string.h>

#include "base/str.h"
#include "namespaces/mount_options.h"
#include "namespaces/mount_state.h"

/* What any mount may have and makes sense for a root. */
static const char *const flag_words[] = { "ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec",
	"noatime", "atime", "nodiratime", "diratime", "relatime", "norelatime", "strictatime", "defaults",
	NULL };

bool mnt_is_root_overlay(const struct spec_mount *m)
{
	return m->type && str_eq(m->type, "overlay") && str_eq(m->destination, "/");
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "mounts: the overlay on /");
}

static const char *in_bundle(struct arena *a, const char *path, const char *bundle)
{
	return *path == '/' ? path : arena_printf(a, "%s/%s", bundle, path);
}

/*
 * The next path of a list, which *p is moved behind; backslashes before characters are taken out. NULL
 * without memory.
 */
static char *next_path(struct arena *a, const char **p, char end)
{
	char *out = arena_alloc(a, strlen(*p) + 1);
	size_t n = 0;

	if (!out)
		return NULL;
	for (; **p && **p != end; (*p)++) {
		if (**p == '\\' && (*p)[1])
			(*p)++;
		out[n++] = **p;
	}
	return out;
}

static size_t count_paths(const char *list)
{
	size_t n = 1;

	for (; *list; list++) {
		if (*list == '\\' && list[1])
			list++;
		else if (*list == ':')
			n++;
	}
	return n;
}

static int parse_lower(
	struct arena *a, const char *list, const char *bundle, struct mnt_overlay *o, struct err *e)
{
	size_t n = count_paths(list);

	if (n > MNT_LAYERS_MAX)
		return err_text(e, E2BIG,
			"mounts: lowerdir of / has %zu layers, and overlayfs takes no more than %d", n,
			MNT_LAYERS_MAX);
	o->lower = arena_calloc(a, n, sizeof(*o->lower));
	if (!o->lower)
		return no_memory(e);
	for (const char *p = list; o->n_lower < n; p += *p == ':') {
		char *path = next_path(a, &p, ':');

		if (!path)
			return no_memory(e);
		if (!*path)
			return err_text(e, EINVAL, "mounts: layer %zu in lowerdir of / is empty", o->n_lower);
		o->lower[o->n_lower] = in_bundle(a, path, bundle);
		if (!o->lower[o->n_lower++])
			return no_memory(e);
	}
	return 0;
}

static int parse_dir(struct arena *a, const char *text, const char *bundle, const char *what,
	const char **out, struct err *e)
{
	char *path = next_path(a, &text, '\0');

	if (path && !*path)
		return err_text(e, EINVAL, "mounts: %s of / is empty", what);
	*out = path ? in_bundle(a, path, bundle) : NULL;
	return *out ? 0 : no_memory(e);
}

static int parse_word(struct arena *a, const char *word, const char *bundle, struct mnt_overlay *o,
	bool *known, struct err *e)
{
	static const char *const once[] = { "lowerdir=", "upperdir=", "workdir=" };
	const bool given[] = { o->lower, o->upper, o->work };

	*known = true;
	for (size_t i = 0; i < ARRAY_SIZE(once); i++)
		if (str_starts(word, once[i]) && given[i])
			return err_text(e, EINVAL, "mounts: / has %s twice", once[i]);
	if (str_starts(word, once[0]))
		return parse_lower(a, word + strlen(once[0]), bundle, o, e);
	if (str_starts(word, once[1]))
		return parse_dir(a, word + strlen(once[1]), bundle, "upperdir", &o->upper, e);
	if (str_starts(word, once[2]))
		return parse_dir(a, word + strlen(once[2]), bundle, "workdir", &o->work, e);
	if (str_eq(word, "userxattr"))
		o->userxattr = true;
	else if (str_eq(word, "volatile"))
		o->is_volatile = true;
	else if (str_eq(word, "idmap"))
		o->idmap = true;
	else
		*known = false;
	return 0;
}

static int check(const struct spec_mount *m, const struct mnt_overlay *o, struct err *e)
{
	if (!o->n_lower)
		return err_text(e, EINVAL, "mounts: the overlay on / has no lowerdir");
	if (!o->upper != !o->work)
		return err_text(e, EINVAL, "mounts: / has %s without %s: they come together or not at all",
			o->upper ? "upperdir" : "workdir", o->upper ? "workdir" : "upperdir");
	if (o->is_volatile && !o->upper)
		return err_text(e, EINVAL,
			"mounts: option \"volatile\" of /: without upperdir there is nothing to be lost");
	if (m->n_uid_map || m->n_gid_map)
		return err_text(e, EINVAL,
			"mounts: / has mappings of its own; its layers take those of linux.uidMappings, by "
			"option \"idmap\"");
	return 0;
}

int mnt_overlay_parse(struct arena *a, const struct spec_mount *m, const char *bundle,
	struct mnt_overlay **out, struct err *e)
{
	char **flags = arena_calloc(a, strv_len(m->options) + 1, sizeof(*flags));
	struct spec_mount rest = { .destination = m->destination, .type = m->type, .options = flags };
	struct mnt_overlay *o = arena_alloc(a, sizeof(*o));
	struct mnt_options parsed;
	uint64_t clr;
	size_t n = 0;
	char *word;
	int r;

	if (!flags || !o)
		return no_memory(e);
	strv_each (word, m->options) {
		bool known;

		r = parse_word(a, word, bundle, o, &known, e);
		if (r < 0)
			return r;
		if (known)
			continue;
		if (!strv_has((char *const *)flag_words, word))
			return err_text(e, EINVAL,
				"mounts: option \"%.100s\" of / is not known for a root file system of "
				"layers",
				word);
		flags[n++] = word;
	}
	r = check(m, o, e);
	if (r == 0)
		r = mnt_options_parse(a, &rest, &parsed, e);
	if (r < 0)
		return r;
	o->readonly = parsed.set & MS_RDONLY;
	mnt_flags_to_attr(parsed.set & ~(unsigned long)MS_RDONLY, &o->attr, &clr);
	*out = o;
	return 0;
}
