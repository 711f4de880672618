/* SPDX-License-Identifier: Apache-2.0 */
/* Which place a text names, and where a source goes: the rules of `docker cp` and `podman cp`. */
#include "launch/cp_internal.h"

/* Its last component, slashes at the end left out. */
static const char *last(const char *path, size_t *len)
{
	size_t end = strlen(path), start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	start = end;
	while (start > 0 && path[start - 1] != '/')
		start--;
	*len = end - start;
	return path + start;
}

static bool is_dots(const char *s, size_t len)
{
	return (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.');
}

int cp_parse_place(const char *text, struct arena *a, struct cp_place *out, struct err *e)
{
	const char *colon = strchr(text, ':'), *base;
	struct cp_place p = { .kind = CP_HOST, .path = text };
	size_t len;

	if (!*text)
		return err_text(e, EINVAL, "an empty path: give a path of the host, NAME:PATH, or -");
	if (str_eq(text, "-")) {
		*out = (struct cp_place){ .kind = CP_STREAM, .path = text };
		return 0;
	}
	if (colon && text[0] != '/' && text[0] != '.') {
		if (colon == text)
			return err_text(
				e, EINVAL, "\"%s\": the name of a partition is missing before ':'", text);
		p.kind = CP_INSIDE;
		p.name = arena_strndup(a, text, (size_t)(colon - text));
		/* Relative paths are relative to "/": a partition has no working directory to speak of. */
		p.path = arena_printf(a, "%s%s", colon[1] == '/' ? "" : "/", colon + 1);
		if (!p.name || !p.path)
			return err_set(e, ENOMEM, "cp");
		if (!colon[1])
			return err_text(e, EINVAL, "\"%s\": the path is missing after ':'", text);
	}
	base = last(p.path, &len);
	p.slash = p.path[strlen(p.path) - 1] == '/';
	p.contents = len == 0 || is_dots(base, len);
	*out = p;
	return 0;
}

const char *cp_base(struct arena *a, const char *path)
{
	size_t len;
	const char *s = last(path, &len);

	return is_dots(s, len) ? "" : arena_strndup(a, s, len);
}

char *cp_join_link(struct arena *a, const char *path, const char *target)
{
	size_t len;
	const char *base = last(path, &len);

	if (target[0] == '/')
		return arena_strdup(a, target);
	return arena_printf(a, "%.*s%s", (int)(base - path), path, target);
}

int cp_decide(const struct cp_place *to, enum cp_found found, bool source_is_dir, bool contents,
	bool overwrite, enum cp_target *out, struct err *e)
{
	char shown[CP_SHOWN];
	const char *path = cp_show(to->path, shown);

	if (found == CP_DIR) {
		*out = source_is_dir && contents ? CP_INTO : CP_BELOW;
		return 0;
	}
	if (found == CP_FILE) {
		if (to->slash || to->contents)
			return err_text(e, ENOTDIR, "%s is not a directory", path);
		if (source_is_dir && !overwrite)
			return err_text(e, ENOTDIR,
				"%s is not a directory, and a directory cannot be copied onto it; use "
				"--overwrite to put it in its place",
				path);
		*out = CP_AS_NAMED;
		return 0;
	}
	if (!source_is_dir && (to->slash || to->contents))
		return err_text(e, ENOENT,
			"directory %s does not exist; make it first, or leave the slash at the end out",
			path);
	*out = CP_AS_NAMED;
	return 0;
}

/* --- texts ------------------------------------------------------------------------------------ */

const char *cp_show(const char *path, char buf[static CP_SHOWN])
{
	size_t n = 0;

	for (const unsigned char *s = (const unsigned char *)path; *s && n < CP_SHOWN - 8;) {
		size_t len = *s >= 0x80 ? str_utf8_len(s, strlen((const char *)s)) : 1;

		/* C1 controls are two bytes of UTF-8, from C2 80 to C2 9F. */
		if (len == 0 || *s < 0x20 || *s == 0x7f || (len == 2 && s[0] == 0xc2 && s[1] < 0xa0)) {
			n += (size_t)snprintf(buf + n, CP_SHOWN - n, "\\x%02x", *s);
			s++;
			continue;
		}
		memcpy(buf + n, s, len);
		n += len;
		s += len;
		if (n >= CP_SHOWN - 8 && *s)
			n += (size_t)snprintf(buf + n, CP_SHOWN - n, "...");
	}
	buf[n] = '\0';
	return buf;
}

void cp_skip(struct launch_cp_report *r, const char *path, const char *why)
{
	char shown[CP_SHOWN];

	if (r->skipped++ == 0)
		snprintf(r->first, sizeof(r->first), "%s: %s", cp_show(*path ? path : ".", shown), why);
}
