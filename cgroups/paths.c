/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of linux.cgroupsPath: absolute, relative, slice:prefix:name; and systemd's slice names as
 * paths. No side effects. */
#include "cgroups/internal.h"

#include <limits.h>
#include <stdio.h>

#include "base/str.h"

static int check_text(const char *path, struct err *e)
{
	for (const char *p = path; *p; p++)
		/* A newline in a path would forge lines of /proc/PID/cgroup, an escape the terminal of
		 * whoever lists them. */
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_text(e, EINVAL, "linux.cgroupsPath contains a control character (0x%02x)",
				(unsigned char)*p);
	return 0;
}

int cg_clean(const char *path, char *buf, size_t size, struct err *e)
{
	size_t used = 0;
	int r = check_text(path, e);

	if (r < 0)
		return r;
	for (const char *p = path; *p;) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len == 0 || (len == 1 && *p == '.')) {
			p += len;
			continue;
		}
		if (len == 2 && p[0] == '.' && p[1] == '.')
			return err_text(e, EINVAL, "linux.cgroupsPath '%.200s' contains '..'", path);
		if (len > NAME_MAX || used + len + 2 > size)
			return err_text(e, ENAMETOOLONG, "linux.cgroupsPath '%.200s…' is too long", path);
		buf[used++] = '/';
		memcpy(buf + used, p, len);
		used += len;
		p += len;
	}
	if (used == 0)
		return err_text(e, EINVAL,
			"linux.cgroupsPath '%s' is the root of the hierarchy, which no partition can own",
			path);
	buf[used] = '\0';
	return 0;
}

static int check_tag(const char *tag, struct err *e)
{
	for (const char *p = tag; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-", *p))
			return err_text(e, EINVAL, "tag '%s' of the state root is no cgroup name", tag);
	return 0;
}

int cg_fs_path(const struct cgrp_params *p, const char *own, char *buf, size_t size, struct err *e)
{
	const char *path = p->cgroups_path, *tag = p->root_tag ? p->root_tag : "";
	char text[CG_PATH_MAX];
	int n, r = check_tag(tag, e);

	if (r < 0)
		return r;
	/* '@' is in no id, so that no id can end in what looks like another root's tag. */
	if (!path || !*path)
		n = snprintf(text, sizeof(text), "%s/ringfence-%s%s%s", own, p->id, *tag ? "@" : "", tag);
	else if (*path != '/')
		n = snprintf(text, sizeof(text), "%s/ringfence%s%s/%s", own, *tag ? "/" : "", tag, path);
	else
		return cg_clean(path, buf, size, e);
	if (n >= (int)sizeof(text))
		return err_text(
			e, ENAMETOOLONG, "linux.cgroupsPath '%.200s…' is too long", path ? path : p->id);
	return cg_clean(text, buf, size, e);
}

int cg_slice_path(const char *slice, char *buf, size_t size, struct err *e)
{
	size_t len = strlen(slice), used = 0;

	if (str_eq(slice, "-.slice")) {
		buf[0] = '\0';
		return 0;
	}
	if (len <= 6 || !str_ends(slice, ".slice") || strchr(slice, '/') || slice[0] == '-' ||
		strstr(slice, "--") || slice[len - 7] == '-')
		return err_text(e, EINVAL,
			"'%.200s' is no name of a systemd slice (NAME.slice, dashes between non-empty parts)",
			slice);
	/* Every dash opens a level: "a-b.slice" lies in "a.slice". */
	for (size_t i = 1; i <= len - 6; i++) {
		if (slice[i] != '-' && i != len - 6)
			continue;
		if (used + i + 8 > size)
			return err_text(e, ENAMETOOLONG, "slice '%.200s…' is too long", slice);
		used += (size_t)snprintf(buf + used, size - used, "/%.*s.slice", (int)i, slice);
	}
	return 0;
}

/* What systemd allows in a unit's name; the rest would have to be escaped. */
static int check_unit(const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (len == 0 || len > 255)
		return err_text(e, EINVAL,
			"'%.200s' cannot be the name of a systemd unit: 1 to 255 characters are wanted",
			name);
	for (const char *p = name; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@", *p))
			return err_text(e, EINVAL,
				"'%s' cannot be the name of a systemd unit: it contains '%c'", name, *p);
	return 0;
}

int cg_unit_name(const struct cgrp_params *p, char *slice, char *unit, size_t size, struct err *e)
{
	const char *def = p->rootless ? "user.slice" : "system.slice", *path = p->cgroups_path, *c1,
		   *c2 = NULL;
	char parts[CG_PATH_MAX], ignored[CG_PATH_MAX];
	const char *prefix = "ringfence", *name = p->id;
	int n, r;

	snprintf(slice, size, "%s", def);
	if (path && *path) {
		r = check_text(path, e);
		if (r < 0)
			return r;
		c1 = strchr(path, ':');
		c2 = c1 ? strchr(c1 + 1, ':') : NULL;
		if (!c2 || strchr(c2 + 1, ':'))
			return err_text(e, EINVAL,
				"expected linux.cgroupsPath to be of format \"slice:prefix:name\" for "
				"systemd cgroups, got \"%.200s\" "
				"instead",
				path);
		if (c1 > path) {
			if ((size_t)(c1 - path) >= size)
				return err_text(e, ENAMETOOLONG, "slice in linux.cgroupsPath is too long");
			snprintf(slice, size, "%.*s", (int)(c1 - path), path);
		}
		snprintf(parts, sizeof(parts), "%.*s", (int)(c2 - c1 - 1), c1 + 1);
		prefix = parts;
		name = c2 + 1;
	}
	r = cg_slice_path(slice, ignored, sizeof(ignored), e);
	if (r < 0)
		return err_wrap(e, "linux.cgroupsPath");
	if (str_ends(name, ".slice"))
		n = snprintf(unit, size, "%s", name);
	else
		n = snprintf(unit, size, "%s%s%s.scope", prefix, *prefix ? "-" : "", name);
	if (n >= (int)size)
		return err_text(e, ENAMETOOLONG, "linux.cgroupsPath '%.200s…' is too long", path);
	r = check_unit(unit, e);
	return r < 0 ? err_wrap(e, "linux.cgroupsPath") : 0;
}
