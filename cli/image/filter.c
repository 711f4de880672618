/* SPDX-License-Identifier: Apache-2.0 */
/* --filter of the lists (see catalog.h). */
#include <fnmatch.h>

#include "cli/image/catalog.h"

static bool is(const char *text, const char *key, const char **value)
{
	size_t n = strlen(key);

	if (strncmp(text, key, n) != 0 || text[n] != '=')
		return false;
	*value = text + n + 1;
	return true;
}

int filter_check(char *const *texts, struct err *e)
{
	const char *text, *value;
	bool on;

	strv_each (text, texts) {
		if (is(text, "dangling", &value) && options_parse_bool(value, &on) < 0)
			return err_text(
				e, EINVAL, "filter dangling must be true or false, not \"%.80s\"", value);
		if (!is(text, "dangling", &value) && !is(text, "reference", &value) &&
			!is(text, "label", &value))
			return err_text(e, EINVAL,
				"option --filter must be dangling=BOOL, reference=PATTERN or "
				"label=KEY[=VALUE], not \"%.80s\"",
				text);
	}
	return 0;
}

/* From a component's beginning on: all of the name, with its tag and without. */
bool filter_reference(const char *pattern, const char *name)
{
	const char *slash = strrchr(name, '/'), *end = strchr(name, '@');

	if (!end)
		end = strchr(slash ? slash : name, ':');
	for (const char *at = name;; at = slash + 1) {
		_cleanup_free_ char *bare = end && end > at ? strndup(at, (size_t)(end - at)) : NULL;

		if (fnmatch(pattern, at, FNM_PATHNAME) == 0 ||
			(bare && fnmatch(pattern, bare, FNM_PATHNAME) == 0))
			return true;
		slash = strchr(at, '/');
		if (!slash || (end && slash > end))
			return false;
	}
}

bool filter_label(const char *want, char *const *labels)
{
	const char *equals = strchr(want, '='), *value;
	_cleanup_free_ char *key = equals ? strndup(want, (size_t)(equals - want)) : strdup(want);

	value = key ? catalog_label(labels, key) : NULL;
	return value && (!equals || str_eq(value, equals + 1));
}

bool filter_matches(char *const *texts, const struct catalog_image *i)
{
	bool asked = false, found = false, on;
	const char *text, *value;

	strv_each (text, texts) {
		if (is(text, "dangling", &value)) {
			if (options_parse_bool(value, &on) < 0 || on != !i->entry.name)
				return false;
		} else if (is(text, "label", &value)) {
			if (i->broken || !filter_label(value, i->image.config.labels))
				return false;
		} else if (is(text, "reference", &value)) {
			asked = true;
			found = found || (i->entry.name && filter_reference(value, i->entry.name));
		}
	}
	return !asked || found;
}
