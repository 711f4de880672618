/* SPDX-License-Identifier: Apache-2.0 */
/* config-linux.md#devices and #network-devices: what of the host's is put into the partition. */
#include "spec/parse.h"

#include <limits.h>
#include <net/if.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/str.h"

/* --- device nodes --------------------------------------------------------------------------------------- */

/* The kernel's dev_t has 12 bits for the major and 20 for the minor; mknod(2) drops the others silently. */
#define MAJOR_MAX ((1 << 12) - 1)
#define MINOR_MAX ((1 << 20) - 1)

struct device {
	struct spec_device d;
	bool has_major, has_minor;
	int64_t full_mode; /* with the type's bits, if the document has them */
};

static int read_path(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **path = out, *s;
	char clean[PATH_MAX];
	int r = sp_path(p, at, j, &s, NULL);

	if (r < 0)
		return r;
	if (!path_is_normal(s)) {
		if (path_clean(s, clean, sizeof(clean)) < 0)
			return sp_refuse(p, at, " is longer than a path can be (%d bytes)", PATH_MAX - 1);
		s = arena_strdup(p->arena, clean);
		if (!s)
			return sp_no_memory(p);
	}
	if (s[1] == '\0')
		return sp_refuse(p, at, " must name a device, not the root directory");
	*path = s;
	return 0;
}

static int read_type(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	char *type = out;
	const char *s;
	int r = sp_get_string(p, at, j, &s);

	if (r < 0)
		return r;
	if (!*s || s[1] || !strchr("cbup", *s))
		return sp_refuse(p, at, " must be one of c, b, u and p, not \"%.100s\"", s);
	*type = *s == 'u' ? 'c' : *s;
	return 0;
}

static int read_major(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct device *d = out;

	d->has_major = true;
	return sp_get_i64(p, at, j, 0, MAJOR_MAX, &d->d.major);
}

static int read_minor(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct device *d = out;

	d->has_minor = true;
	return sp_get_i64(p, at, j, 0, MINOR_MAX, &d->d.minor);
}

static int read_mode(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct device *d = out;

	d->d.has_mode = true;
	return sp_get_i64(p, at, j, 0, S_IFMT | 07777, &d->full_mode);
}

static int read_uid(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct device *d = out;

	d->d.has_uid = true;
	return sp_id(p, at, j, &d->d.uid, NULL);
}

static int read_gid(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct device *d = out;

	d->d.has_gid = true;
	return sp_id(p, at, j, &d->d.gid, NULL);
}

static const struct sp_field device_fields[] = {
	SP_MUST("path", read_path, offsetof(struct device, d.path), NULL),
	SP_MUST("type", read_type, offsetof(struct device, d.type), NULL),
	SP_MAY("major", read_major, 0, NULL),
	SP_MAY("minor", read_minor, 0, NULL),
	SP_MAY("fileMode", read_mode, 0, NULL),
	SP_MAY("uid", read_uid, 0, NULL),
	SP_MAY("gid", read_gid, 0, NULL),
	SP_END,
};

static int read_device(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct sp_at major = { .up = at, .name = "major" }, minor = { .up = at, .name = "minor" };
	struct sp_at file_mode = { .up = at, .name = "fileMode" };
	struct spec_device *device = out;
	struct device d = { 0 };
	mode_t type;
	int r = sp_object(p, at, j, device_fields, &d);

	if (r < 0)
		return r;
	if (d.d.type != 'p' && !d.has_major)
		return sp_refuse(p, &major, " is required for a device of type %c", d.d.type);
	if (d.d.type != 'p' && !d.has_minor)
		return sp_refuse(p, &minor, " is required for a device of type %c", d.d.type);
	/* Some engines pass st_mode on as it is: the type's bits may be there, but not those of another type.
	 */
	type = (mode_t)d.full_mode & S_IFMT;
	if (type && type != (mode_t)(d.d.type == 'p' ? S_IFIFO : d.d.type == 'b' ? S_IFBLK : S_IFCHR))
		return sp_refuse(p, &file_mode,
			": %lld (octal %llo) has the file type bits of something else",
			(long long)d.full_mode, (unsigned long long)d.full_mode);
	d.d.mode = (mode_t)d.full_mode & 07777;
	*device = d.d;
	return 0;
}

int sp_devices(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	static const struct sp_list list = { .list = offsetof(struct spec, devices),
		.count = offsetof(struct spec, n_devices),
		.size = sizeof(struct spec_device),
		.read = read_device };

	return sp_list(p, at, j, out, &list);
}

/* --- network devices ------------------------------------------------------------------------------------ */

/* dev_valid_name() of net/core/dev.c: what it refuses would come back as a bare EINVAL from netlink. */
static int check_if_name(struct sp *p, const struct sp_at *at, const char *name)
{
	if (!*name || strlen(name) >= IFNAMSIZ || str_eq(name, ".") || str_eq(name, "..") ||
		name[strcspn(name, "/: \t\n\v\f\r")])
		return sp_refuse(p, at, ": \"%.100s\" cannot be the name of a network interface", name);
	return 0;
}

static int read_if_name(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **name = out;
	int r = sp_text(p, at, j, name, NULL);

	return r < 0 || !*name ? r : check_if_name(p, at, *name);
}

static const struct sp_field net_device_fields[] = {
	SP_MAY("name", read_if_name, offsetof(struct spec_net_device, name), NULL),
	SP_END,
};

static const char *name_inside(const struct spec_net_device *d)
{
	return d->name ? d->name : d->host_name;
}

static int by_name_inside(const void *a, const void *b)
{
	const struct spec_net_device *const *x = a, *const *y = b;

	return strcmp(name_inside(*x), name_inside(*y));
}

/* Two devices of one name would clash after the first has moved: better before. A pattern ("eth%d") may be
 * there twice. */
static int check_clash(struct sp *p, const struct sp_at *at, const struct spec_net_device *list, size_t n)
{
	const struct spec_net_device **sorted = arena_calloc(p->arena, n, sizeof(*sorted));

	if (!sorted)
		return sp_no_memory(p);
	for (size_t i = 0; i < n; i++)
		sorted[i] = &list[i];
	qsort(sorted, n, sizeof(*sorted), by_name_inside);
	for (size_t i = 0; i + 1 < n; i++) {
		struct sp_at here = { .up = at, .name = sorted[i + 1]->host_name, .is_key = true };
		const char *name = name_inside(sorted[i]);

		if (str_eq(name, name_inside(sorted[i + 1])) && !strchr(name, '%'))
			return sp_refuse(p, &here, " gets the name %s, which %s has already", name,
				sorted[i]->host_name);
	}
	return 0;
}

int sp_net_devices(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec *s = out;
	const struct json **members;
	struct spec_net_device *list;
	size_t n;
	int r = sp_members(p, at, j, &members, &n);

	if (r < 0 || n == 0)
		return r;
	list = arena_calloc(p->arena, n, sizeof(*list));
	if (!list)
		return sp_no_memory(p);
	for (size_t i = 0; i < n; i++) {
		struct sp_at here = { .up = at, .name = members[i]->key, .is_key = true };

		list[i].host_name = here.name;
		r = check_if_name(p, &here, here.name);
		if (r == 0)
			r = sp_object(p, &here, members[i], net_device_fields, &list[i]);
		if (r < 0)
			return r;
	}
	r = check_clash(p, at, list, n);
	if (r < 0)
		return r;
	s->net_devices = list;
	s->n_net_devices = n;
	return 0;
}
