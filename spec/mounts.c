/* SPDX-License-Identifier: Apache-2.0 */
/* config.md#mounts, and the id maps that mounts and user namespaces share. */
#include "spec/parse.h"

#include <limits.h>
#include <stdlib.h>

#include "base/path.h"
#include "base/str.h"

/* --- id maps -------------------------------------------------------------------------------------------- */

/* The kernel takes no more extents (UID_GID_MAP_MAX_EXTENTS); 5 before Linux 4.15. */
#define EXTENTS_MAX 340

static const struct sp_field id_map_fields[] = {
	SP_MUST("containerID", sp_u32, offsetof(struct spec_id_map, container_id), NULL),
	SP_MUST("hostID", sp_u32, offsetof(struct spec_id_map, host_id), NULL),
	SP_MUST("size", sp_u32, offsetof(struct spec_id_map, size), NULL),
	SP_END,
};

/* The rules of map_write() in kernel/user_namespace.c, which only says EINVAL. */
static int read_extent(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_id_map *m = out;
	struct sp_at size = { .up = at, .name = "size" };
	int r = sp_object(p, at, j, id_map_fields, m);

	if (r < 0)
		return r;
	if (m->size == 0)
		return sp_refuse(p, &size, " must be more than 0");
	if ((uint64_t)m->container_id + m->size > UINT32_MAX || (uint64_t)m->host_id + m->size > UINT32_MAX)
		return sp_refuse(p, at, ": the range goes beyond the last id, 4294967294");
	return 0;
}

static bool overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return a < (uint64_t)b + b_size && b < (uint64_t)a + a_size;
}

struct id_maps {
	struct spec_id_map *list;
	size_t n;
};

int sp_id_map(struct sp *p, const struct sp_at *at, const struct json *j, struct spec_id_map **out, size_t *n)
{
	static const struct sp_list list = { .list = offsetof(struct id_maps, list),
		.count = offsetof(struct id_maps, n),
		.size = sizeof(struct spec_id_map),
		.read = read_extent };
	struct id_maps m;
	int r = sp_want(p, at, j, JSON_ARRAY);

	if (r < 0)
		return r;
	if (j->count > EXTENTS_MAX)
		return sp_refuse(
			p, at, " has %zu entries; the kernel takes at most %d", j->count, EXTENTS_MAX);
	r = sp_list(p, at, j, &m, &list);
	if (r < 0)
		return r;
	for (size_t i = 0; i < m.n; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct spec_id_map *a = &m.list[i], *b = &m.list[k];
			struct sp_at here = { .up = at, .index = i };

			if (overlap(a->container_id, a->size, b->container_id, b->size))
				return sp_refuse(
					p, &here, ": its container ids overlap those of entry %zu", k);
			if (overlap(a->host_id, a->size, b->host_id, b->size))
				return sp_refuse(p, &here, ": its host ids overlap those of entry %zu", k);
		}
	}
	*out = m.list;
	*n = m.n;
	return 0;
}

/* --- mounts --------------------------------------------------------------------------------------------- */

/*
 * Lexical only: ".." of a destination is resolved against the text, as all runtimes do; symlinks are the
 * mount code's business. Destinations that are clean already, which is nearly all, are not copied.
 */
static int read_destination(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_mount *m = out;
	char clean[PATH_MAX];
	const char *s = NULL;
	int r = sp_nonempty(p, at, j, &s, NULL);

	if (r < 0)
		return r;
	if (path_is_normal(s) && strlen(s) < PATH_MAX) {
		m->destination = s;
		return 0;
	}
	if (path_clean(s, clean, sizeof(clean)) < 0)
		return sp_refuse(p, at, " is longer than a path can be (%d bytes)", PATH_MAX - 1);
	m->destination = arena_strdup(p->arena, clean);
	if (!m->destination)
		return sp_no_memory(p);
	if (*s != '/')
		return sp_note(p, at, ": the relative path \"%.100s\" is taken as %.100s", s, clean);
	return 0;
}

static int read_uids(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_mount *m = out;

	return sp_id_map(p, at, j, &m->uid_map, &m->n_uid_map);
}

static int read_gids(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_mount *m = out;

	return sp_id_map(p, at, j, &m->gid_map, &m->n_gid_map);
}

static const struct sp_field mount_fields[] = {
	SP_MUST("destination", read_destination, 0, NULL),
	SP_MAY("type", sp_text, offsetof(struct spec_mount, type), NULL),
	SP_MAY("source", sp_text, offsetof(struct spec_mount, source), NULL),
	SP_MAY("options", sp_strv_or_null, offsetof(struct spec_mount, options), NULL),
	SP_MAY("uidMappings", read_uids, 0, NULL),
	SP_MAY("gidMappings", read_gids, 0, NULL),
	SP_END,
};

int sp_mount(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_mount *m = out;
	int r = sp_object(p, at, j, mount_fields, m);

	if (r < 0)
		return r;
	if (m->n_uid_map && !m->n_gid_map)
		return sp_refuse(p, at, " has uidMappings without gidMappings");
	if (m->n_gid_map && !m->n_uid_map)
		return sp_refuse(p, at, " has gidMappings without uidMappings");
	return 0;
}
