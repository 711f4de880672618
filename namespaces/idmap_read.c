/* SPDX-License-Identifier: Apache-2.0 */
/* Id maps of a user namespace that is there already: read, and compared with what a config says (see ns.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "namespaces/ns.h"

/* 340 lines of three numbers, padded to ten digits by the kernel. */
#define MAP_FILE_MAX (16U * 1024U)

/* "         0     100000      65536\n…" */
static int parse_map(struct arena *a, char *text, struct spec_id_map **out, size_t *n_out)
{
	struct spec_id_map *list;
	size_t n = 0, lines = 1;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	list = arena_calloc(a, lines, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (char *line = text, *next; *line; line = next) {
		uint32_t *const parts[] = { &list[n].container_id, &list[n].host_id, &list[n].size };
		char *word;
		size_t i = 0;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		else
			next = line + strlen(line);
		while ((word = strsep(&line, " "))) {
			if (!*word)
				continue;
			if (i == ARRAY_SIZE(parts) || str_to_u32(word, parts[i++]) < 0)
				return -EBADMSG;
		}
		if (i != ARRAY_SIZE(parts))
			return -EBADMSG;
		n++;
	}
	*out = list;
	*n_out = n;
	return 0;
}

static int read_map(
	pid_t pid, const char *file, struct arena *a, struct spec_id_map **out, size_t *n, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	char path[48];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	r = fd_read_at(AT_FDCWD, path, MAP_FILE_MAX, &text, NULL);
	if (r == 0)
		r = parse_map(a, text, out, n);
	return r < 0 ? err_set(e, -r, "read %s of the user namespace", path) : 0;
}

/*
 * In the forked child: says how it went, then lives until its parent has seen enough. Not dumpable: root of
 * that namespace, where it can see the process, could otherwise get at our descriptors (CVE-2016-9962).
 */
static void stay_inside(int userns_fd, int say, int wait)
{
	int code;
	char byte;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	code = setns(userns_fd, CLONE_NEWUSER) < 0 ? errno : 0;

	if (write(say, &code, sizeof(code)) == sizeof(code))
		(void)!read(wait, &byte, 1);
	_exit(0);
}

static int end(pid_t pid, int r)
{
	int status;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return r;
}

int ns_read_maps(int userns_fd, struct arena *a, struct ns_maps *out, struct err *e)
{
	_cleanup_close_ int hear = -EBADF, say = -EBADF, wait = -EBADF, let_go = -EBADF;
	struct ns_maps m = { 0 };
	int up[2], down[2], code = 0, r;
	pid_t pid = getpid();

	/* A map belongs to a namespace, but the kernel shows it for a process only. */
	if (userns_fd >= 0) {
		if (pipe2(up, O_CLOEXEC) < 0)
			return err_set(e, errno, "read the maps of a user namespace");
		hear = up[0];
		say = up[1];
		if (pipe2(down, O_CLOEXEC) < 0)
			return err_set(e, errno, "read the maps of a user namespace");
		wait = down[0];
		let_go = down[1];
		pid = fork();
		if (pid < 0)
			return err_set(e, errno, "fork, to read the maps of a user namespace");
		if (pid == 0) {
			fd_close(let_go);
			stay_inside(userns_fd, say, wait);
		}
		say = fd_close(say);
		if (read(hear, &code, sizeof(code)) != sizeof(code))
			code = ECANCELED;
		if (code) {
			let_go = fd_close(let_go);
			return end(pid, err_set(e, code, "enter the user namespace to read its maps"));
		}
	}
	r = read_map(pid, "uid_map", a, &m.uid, &m.n_uid, e);
	if (r == 0)
		r = read_map(pid, "gid_map", a, &m.gid, &m.n_gid, e);
	let_go = fd_close(let_go);
	if (userns_fd >= 0)
		end(pid, 0);
	if (r == 0)
		*out = m;
	return r;
}

static int by_container_id(const void *a, const void *b)
{
	const struct spec_id_map *x = a, *y = b;

	return x->container_id < y->container_id ? -1 : x->container_id > y->container_id;
}

/* Sorted, and with neighbours that continue each other made one. Returns how many are left. */
static size_t normalise(struct spec_id_map *list, size_t n)
{
	size_t kept = 0;

	qsort(list, n, sizeof(*list), by_container_id);
	for (size_t i = 0; i < n; i++) {
		struct spec_id_map *last = kept ? &list[kept - 1] : NULL;

		if (last && list[i].container_id - last->container_id == last->size &&
			list[i].host_id - last->host_id == last->size)
			last->size += list[i].size;
		else
			list[kept++] = list[i];
	}
	return kept;
}

bool ns_same_map(
	const struct spec_id_map *a, size_t n_a, const struct spec_id_map *b, size_t n_b, struct arena *arena)
{
	struct spec_id_map *x = arena_calloc(arena, n_a + n_b + 1, sizeof(*x)), *y = x + n_a;

	if (!x)
		return false;
	if (n_a)
		memcpy(x, a, n_a * sizeof(*a));
	if (n_b)
		memcpy(y, b, n_b * sizeof(*b));
	n_a = normalise(x, n_a);
	n_b = normalise(y, n_b);
	return n_a == n_b && memcmp(x, y, n_a * sizeof(*x)) == 0;
}

/* "0 100000 65536, 65536 …" for a message; cut where it gets long. */
static const char *show(struct arena *a, const struct spec_id_map *list, size_t n)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	for (size_t i = 0; i < n && i < 4; i++)
		strbuf_printf(&b, "%s%" PRIu32 " %" PRIu32 " %" PRIu32, i ? ", " : "", list[i].container_id,
			list[i].host_id, list[i].size);
	if (n > 4)
		strbuf_printf(&b, ", …");
	return b.s && !b.failed ? arena_strdup(a, b.s) : "nothing";
}

static int compare(const char *name, const struct spec_id_map *wanted, size_t n_wanted,
	const struct spec_id_map *there, size_t n_there, const char *path, struct arena *a, struct err *e)
{
	const char *has;

	if (n_wanted == 0 || ns_same_map(wanted, n_wanted, there, n_there, a))
		return 0;
	has = show(a, there, n_there);
	return err_text(e, EINVAL,
		"linux.%s (%s) is not what the user namespace %.200s has (%s): a namespace that is joined "
		"keeps its own; leave the property out, or say the same",
		name, show(a, wanted, n_wanted), path, has ? has : "?");
}

int ns_check_maps(const struct spec *s, const struct ns_maps *there, struct arena *a, struct err *e)
{
	const char *path = s->ns[SPEC_NS_USER].path;
	int r = compare("uidMappings", s->uid_map, s->n_uid_map, there->uid, there->n_uid, path, a, e);

	return r < 0 ? r
		     : compare("gidMappings", s->gid_map, s->n_gid_map, there->gid, there->n_gid, path, a, e);
}
