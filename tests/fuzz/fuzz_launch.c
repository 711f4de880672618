/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: users and groups of an image, and what subuid(5) grants. The input is texts with 0xff between
 * them: what is asked for, passwd, group; or, if the first is empty, subuid and subgid.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "launch/config.h"
#include "launch/ids_internal.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	const uint8_t *s;
	size_t len;
};

static int open_text(const struct launch_image *i, const char *path, struct err *e)
{
	const struct text *t = (const struct text *)i->arg + (str_eq(path, "/etc/passwd") ? 1 : 2);
	int fd = memfd_create("file", MFD_CLOEXEC);

	MUST(fd >= 0 && fd_write_all(fd, t->s, t->len) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static char *terminated(struct arena *a, const struct text *t)
{
	return arena_strndup(a, (const char *)t->s, strnlen((const char *)t->s, t->len));
}

/* An error says something that a terminal can be shown; an id is one, and root only where that was said. */
static void users(struct arena *a, const struct text *parts)
{
	struct launch_image i = { .open_file = open_text, .arg = parts };
	const char *asked = terminated(a, &parts[0]), *home = NULL;
	struct spec_user u = { 0 };
	struct err e = ERR_INIT;
	int r = launch_user(asked, &i, a, &u, &home, &e);

	if (r < 0) {
		MUST(e.code == -r && e.text[0]);
		return;
	}
	MUST(u.uid <= INT32_MAX && u.gid <= INT32_MAX && *home == '/' && !strpbrk(home, "\n\x1b"));
	for (size_t k = 0; k < u.n_additional_gids; k++)
		MUST(u.additional_gids[k] <= INT32_MAX && u.additional_gids[k] != u.gid);
	if (*asked >= '1' && *asked <= '9' && strspn(asked, "0123456789") == strlen(asked))
		MUST(u.uid != 0);
}

static void grants(struct arena *a, const struct text *parts)
{
	struct ids_grants g;
	struct err e = ERR_INIT;

	if (ids_grants_parse(terminated(a, &parts[1]), terminated(a, &parts[2]), a, &g, &e) < 0)
		return;
	MUST(g.n_allowed > 0);
	for (size_t k = 0; k < g.n_allowed; k++)
		MUST(g.allowed[k].size >= LAUNCH_IDS && g.allowed[k].first + g.allowed[k].size <= INT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct text parts[3] = { { data, 0 }, { data, 0 }, { data, 0 } };
	size_t at = 0;

	for (size_t k = 0; k < ARRAY_SIZE(parts) && at <= size && size > 0; k++) {
		const uint8_t *end = at < size ? memchr(data + at, 0xff, size - at) : NULL;

		parts[k].s = at < size ? data + at : data;
		parts[k].len = at < size ? (end ? (size_t)(end - data) : size) - at : 0;
		at += parts[k].len + 1;
	}
	if (parts[0].len)
		users(a, parts);
	else
		grants(a, parts);
	return 0;
}
