/* SPDX-License-Identifier: Apache-2.0 */
/* The user's subordinate ids, for a user namespace that the config leaves to the runtime (see subids.h). */
#include "runtime/subids.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "namespaces/ns.h"
#include "runtime/lookup.h"

/* A large site's file; more is no list of grants. */
#define FILE_MAX (4U << 20)
/* The kernel takes 340 lines, in a page of text; one is the user's own. */
#define RANGES_MAX 64

static bool is_users(const char *name, const char *user, uint32_t id)
{
	uint32_t number;

	return str_eq(name, user) || (str_to_u32(name, &number) == 0 && number == id);
}

size_t subids_parse(
	char *text, const char *user, uint32_t id, uint32_t *next, struct spec_id_map *out, size_t room)
{
	size_t n = 0;
	char *line;

	/* USER:FIRST:COUNT */
	while (n < room && (line = strsep(&text, "\n"))) {
		const char *name = strsep(&line, ":"), *first = strsep(&line, ":"), *count = line;
		struct spec_id_map m = { .container_id = *next };

		if (!first || !count || !is_users(name, user, id) || str_to_u32(first, &m.host_id) < 0 ||
			str_to_u32(count, &m.size) < 0 || m.size == 0)
			continue;
		/* The last id is no id (see sp_id_map()). */
		if ((uint64_t)m.host_id + m.size > UINT32_MAX || (uint64_t)*next + m.size > UINT32_MAX)
			continue;
		*next += m.size;
		out[n++] = m;
	}
	return n;
}

static int extend(struct spec *s, const char *file, const char *user, uint32_t id, struct spec_id_map **map,
	size_t *n, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	struct spec_id_map *list;
	uint32_t next = 1;

	if (fd_read_at(AT_FDCWD, file, FILE_MAX, &text, NULL) < 0)
		return 0; /* no grants */
	list = arena_calloc(s->arena, RANGES_MAX + 1, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "read %s", file);
	list[0] = **map;
	*n = 1 + subids_parse(text, user, id, &next, list + 1, RANGES_MAX);
	*map = list;
	return 0;
}

int subids_extend(struct spec *s, struct err *e)
{
	const char *user;
	int r;

	if (!s->maps_added || !ns_has_map_helpers())
		return 0;
	user = lookup_user(s->arena, getuid());
	if (!user)
		return err_set(e, ENOMEM, "look up user %u", (unsigned int)getuid());
	r = extend(s, "/etc/subuid", user, getuid(), &s->uid_map, &s->n_uid_map, e);
	/* Group ranges are granted to users as well (subgid(5)). */
	return r < 0 ? r : extend(s, "/etc/subgid", user, getuid(), &s->gid_map, &s->n_gid_map, e);
}
