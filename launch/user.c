/* SPDX-License-Identifier: Apache-2.0 */
/*
 * USER[:GROUP] by the image's own passwd and group files (see config.h).
 *
 * The files are the image's, so they are anything: read as a whole up to a limit, as bytes and never as C
 * strings, and a line that is no line of passwd(5) is passed over. The first entry of a name counts, as for
 * getpwnam(3). An entry that is asked for and whose number is none is an error: to pass it over would be to
 * let the next one of that name decide.
 */
#include <limits.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/str.h"
#include "launch/config_internal.h"

#define FILE_MAX   (1U << 20)
#define ID_MAX	   INT32_MAX
#define GIDS_MAX   1024
#define FIELDS_MAX 7

/* The zone's /etc is made when it starts (host.c). */
const char launch_zone_passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
				  "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
				  "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const char launch_zone_group[] = "root:x:0:\ndaemon:x:1:\ntty:x:5:\nnogroup:x:65534:\n";

struct field {
	const char *s;
	size_t len;
};

struct table {
	const char *path;
	char *text;
	size_t len;
	bool there;
};

static void table_free(struct table *t)
{
	free(t->text);
}

static int table_read(struct table *t, const struct launch_image *i, const char *path, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	t->path = path;
	if (i->host || !i->open_file) {
		const char *text = !i->host			 ? ""
				   : str_eq(path, "/etc/passwd") ? launch_zone_passwd
								 : launch_zone_group;

		t->text = strdup(text);
		t->len = strlen(text);
		t->there = i->host;
		return t->text ? 0 : err_set(e, ENOMEM, "read %s", path);
	}
	fd = i->open_file(i, path, e);
	if (fd == -ENOENT || fd == -ENOTDIR) {
		err_clear(e);
		return 0;
	}
	if (fd < 0)
		return fd;
	r = fd_read_regular(fd, FILE_MAX, &t->text, &t->len);
	if (r == -EFBIG)
		return err_text(e, EFBIG, "%s of the image is larger than %u bytes", path, FILE_MAX);
	if (r < 0)
		return err_set(e, -r, "read %s of the image", path);
	t->there = true;
	return 0;
}

/* The next line's fields, at most `want` and each without a NUL; false at the end. Lines that do not have at
 * least `least` are passed over. */
static bool next_line(const struct table *t, size_t *at, struct field *f, size_t least, size_t want)
{
	while (*at < t->len) {
		const char *p = t->text + *at, *end = memchr(p, '\n', t->len - *at);
		size_t n = 0;

		if (!end)
			end = t->text + t->len;
		*at = (size_t)(end - t->text) + 1;
		if (p == end || *p == '#' || memchr(p, '\0', (size_t)(end - p)))
			continue;
		while (n < want) {
			const char *colon = memchr(p, ':', (size_t)(end - p));

			if (!colon)
				colon = end;
			f[n++] = (struct field){ p, (size_t)(colon - p) };
			if (colon == end)
				break;
			p = colon + 1;
		}
		if (n < least)
			continue;
		for (; n < want; n++)
			f[n] = (struct field){ "", 0 };
		return true;
	}
	return false;
}

static bool is(const struct field *f, const char *s, size_t len)
{
	return f->len == len && memcmp(f->s, s, len) == 0;
}

/* Digits only, no superfluous zero, up to 2^31-1. */
static int to_id(const char *s, size_t len, uint32_t *out)
{
	uint64_t n = 0;

	if (len == 0 || (len > 1 && *s == '0'))
		return -EINVAL;
	for (size_t k = 0; k < len; k++) {
		if (s[k] < '0' || s[k] > '9')
			return -EINVAL;
		n = n * 10 + (uint64_t)(s[k] - '0');
		if (n > ID_MAX)
			return -ERANGE;
	}
	*out = (uint32_t)n;
	return 0;
}

static bool all_digits(const char *s, size_t len)
{
	for (size_t k = 0; k < len; k++)
		if (s[k] < '0' || s[k] > '9')
			return false;
	return len > 0;
}

/* Names come from images: what is no plain letter is not shown. */
static int bad_id(const struct table *t, const char *what, const struct field *name, struct err *e)
{
	char shown[33];
	size_t n = name->len < sizeof(shown) - 1 ? name->len : sizeof(shown) - 1;

	for (size_t k = 0; k < n; k++)
		shown[k] = name->s[k] > ' ' && name->s[k] < 0x7f ? name->s[k] : '?';
	shown[n] = '\0';
	return err_text(e, EINVAL, "%s of the image: the %s of \"%s\" is not a number from 0 to 2147483647",
		t->path, what, shown);
}

struct entry {
	bool found;
	uint32_t uid, gid;
	struct field home;
};

/* By name, or by number if `name` is NULL. */
static int find_user(
	const struct table *t, const char *name, size_t len, uint32_t uid, struct entry *out, struct err *e)
{
	struct field f[FIELDS_MAX];
	size_t at = 0;
	uint32_t id;

	while (next_line(t, &at, f, 4, FIELDS_MAX)) {
		if (name ? !is(&f[0], name, len) : to_id(f[2].s, f[2].len, &id) < 0 || id != uid)
			continue;
		if (to_id(f[2].s, f[2].len, &out->uid) < 0)
			return bad_id(t, "user id", &f[0], e);
		if (to_id(f[3].s, f[3].len, &out->gid) < 0)
			return bad_id(t, "group id", &f[0], e);
		out->home = f[5];
		out->found = true;
		return 0;
	}
	return 0;
}

static int find_group(const struct table *t, const char *name, size_t len, uint32_t *gid, struct err *e)
{
	struct field f[4];
	size_t at = 0;

	while (next_line(t, &at, f, 3, ARRAY_SIZE(f)))
		if (is(&f[0], name, len))
			return to_id(f[2].s, f[2].len, gid) < 0 ? bad_id(t, "id", &f[0], e) : 1;
	return 0;
}

static bool is_member(const struct field *list, const char *name, size_t len)
{
	const char *p = list->s, *end = p + list->len;

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		struct field one = { p, (size_t)((comma ? comma : end) - p) };

		if (is(&one, name, len))
			return true;
		p += one.len + 1;
	}
	return false;
}

static int additional(const struct table *t, const char *name, size_t len, struct arena *a,
	struct spec_user *u, struct err *e)
{
	struct field f[4];
	size_t at = 0;
	uint32_t gid;

	while (next_line(t, &at, f, 4, ARRAY_SIZE(f))) {
		bool have = false;

		if (!is_member(&f[3], name, len))
			continue;
		if (to_id(f[2].s, f[2].len, &gid) < 0)
			return bad_id(t, "id", &f[0], e);
		have = gid == u->gid;
		for (size_t k = 0; k < u->n_additional_gids; k++)
			have |= u->additional_gids[k] == gid;
		if (have)
			continue;
		if (!u->additional_gids) {
			u->additional_gids = arena_calloc(a, GIDS_MAX, sizeof(gid));
			if (!u->additional_gids)
				return err_set(e, ENOMEM, "read %s of the image", t->path);
		}
		if (u->n_additional_gids == GIDS_MAX)
			return err_text(e, EINVAL, "%s of the image puts the user into more than %d groups",
				t->path, GIDS_MAX);
		u->additional_gids[u->n_additional_gids++] = gid;
	}
	return 0;
}

static int not_found(const struct table *t, const char *what, const char *text, struct err *e)
{
	return t->there ? err_text(e, EINVAL, "%.100s: no such %s in %s of the image", text, what, t->path)
			: err_text(e, EINVAL,
				  "%.100s: a %s's name needs %s, which the image does not have; "
				  "give its number",
				  text, what, t->path);
}

static int number(const char *text, const char *s, size_t len, uint32_t *out, struct err *e)
{
	return to_id(s, len, out) < 0
		       ? err_text(e, EINVAL, "%.100s: an id must be a decimal number from 0 to 2147483647",
				 text)
		       : 0;
}

/* `home` of a hostile file: an absolute path without control characters, or none. */
static const char *home_of(const struct entry *u, struct arena *a)
{
	if (!u->found || u->home.len == 0 || u->home.len >= PATH_MAX || *u->home.s != '/')
		return "/";
	for (size_t k = 0; k < u->home.len; k++)
		if ((unsigned char)u->home.s[k] < ' ' || u->home.s[k] == 0x7f)
			return "/";
	return arena_strndup(a, u->home.s, u->home.len);
}

static int group_part(
	const char *text, const char *group, const struct launch_image *i, struct spec_user *u, struct err *e)
{
	_cleanup_(table_free) struct table groups = { 0 };
	size_t len = strlen(group);
	int r;

	if (all_digits(group, len))
		return number(text, group, len, &u->gid, e);
	r = table_read(&groups, i, "/etc/group", e);
	if (r == 0)
		r = find_group(&groups, group, len, &u->gid, e);
	return r == 0 ? not_found(&groups, "group", text, e) : r < 0 ? r : 0;
}

int launch_user(const char *text, const struct launch_image *i, struct arena *a, struct spec_user *out,
	const char **home, struct err *e)
{
	_cleanup_(table_free) struct table passwd = { 0 }, groups = { 0 };
	const char *said = text && *text ? text : "0", *colon = strchr(said, ':');
	size_t len = colon ? (size_t)(colon - said) : strlen(said);
	bool numeric = all_digits(said, len);
	struct entry found = { 0 };
	struct spec_user u = { 0 };
	int r;

	if (len == 0 || (colon && (!colon[1] || strchr(colon + 1, ':'))))
		return err_text(e, EINVAL, "%.100s: must be USER or USER:GROUP, names or numbers", said);
	if (numeric) {
		r = number(said, said, len, &u.uid, e);
		if (r < 0)
			return r;
	}
	r = table_read(&passwd, i, "/etc/passwd", e);
	if (r == 0)
		r = find_user(&passwd, numeric ? NULL : said, len, u.uid, &found, e);
	if (r < 0)
		return r;
	if (!found.found && !numeric)
		return not_found(&passwd, "user", said, e);
	if (!numeric)
		u.uid = found.uid;
	u.gid = found.gid;
	if (colon) {
		r = group_part(said, colon + 1, i, &u, e);
	} else if (!numeric) {
		r = table_read(&groups, i, "/etc/group", e);
		if (r == 0)
			r = additional(&groups, said, len, a, &u, e);
	}
	if (r < 0)
		return r;
	*home = home_of(&found, a);
	if (!*home)
		return err_set(e, ENOMEM, "read /etc/passwd of the image");
	*out = u;
	return 0;
}
