/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking below a partition's cgroup: its processes, and its removal.
 *
 * The partition's root may have made sub-cgroups there, of any name, depth and number, and may go on while we
 * look. So the walk goes by descriptor and name, up again by "..", holds one descriptor whatever the depth,
 * does not recurse, and starts again when the ground moves.
 */
#include "cgroups/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"

uint64_t cg_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

void cg_sleep_us(unsigned int us)
{
	struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000 };

	nanosleep(&t, NULL);
}

struct level {
	struct strbuf names; /* of the sub-directories, each with its NUL */
	size_t pos;	     /* of the one that we are in, or go to next */
};

struct walk {
	int fd;
	struct level *levels;
	size_t depth, room;
	int (*visit)(int dir, void *arg); /* may be NULL */
	void *arg;
	bool remove;
};

static int enter(struct walk *w)
{
	char buf[8192] __attribute__((aligned(__alignof__(struct dirent64))));
	struct level *l;
	ssize_t n;

	if (w->depth == w->room) {
		size_t room = w->room ? 2 * w->room : 16;
		struct level *more = reallocarray(w->levels, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		w->levels = more;
		w->room = room;
	}
	l = &w->levels[w->depth++];
	*l = (struct level){ 0 };
	while ((n = getdents64(w->fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n;) {
			struct dirent64 *d = (struct dirent64 *)(void *)(buf + i);

			i += d->d_reclen;
			if (d->d_type == DT_DIR && !str_eq(d->d_name, ".") && !str_eq(d->d_name, ".."))
				strbuf_add(&l->names, d->d_name, strlen(d->d_name) + 1);
		}
	if (n < 0 && errno != ENOENT)
		return -errno;
	if (l->names.failed)
		return -ENOMEM;
	return w->visit ? w->visit(w->fd, w->arg) : 0;
}

static int step(struct walk *w)
{
	struct level *l = &w->levels[w->depth - 1];
	const char *name;
	int fd;

	if (l->pos < l->names.len) {
		fd = openat(w->fd, l->names.s + l->pos, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0) {
			if (errno != ENOENT)
				return -errno;
			l->pos += strlen(l->names.s + l->pos) + 1;
			return 0;
		}
		fd_close(w->fd);
		w->fd = fd;
		return enter(w);
	}
	strbuf_reset(&l->names);
	w->depth--;
	if (w->depth == 0)
		return 0;
	fd = openat(w->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	fd_close(w->fd);
	w->fd = fd;
	l = &w->levels[w->depth - 1];
	name = l->names.s + l->pos;
	if (w->remove)
		unlinkat(w->fd, name, AT_REMOVEDIR);
	l->pos += strlen(name) + 1;
	return 0;
}

/* 0, -ENOENT if the cgroup is gone, or -errno. */
static int walk_once(const struct cg_node *n, struct walk *w)
{
	char path[CG_FILE_MAX];
	int r;

	snprintf(path, sizeof(path), "%s%s", n->mount, n->path);
	w->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (w->fd < 0)
		return -errno;
	r = enter(w);
	while (r == 0 && w->depth > 0)
		r = step(w);
	while (w->depth > 0)
		strbuf_reset(&w->levels[--w->depth].names);
	free(w->levels);
	w->levels = NULL;
	w->room = 0;
	w->fd = fd_close(w->fd);
	return r;
}

/* --- processes ------------------------------------------------------------------------------- */

struct pid_list {
	pid_t *v;
	size_t n, room;
};

static int add_pids(int dir, void *arg)
{
	struct pid_list *l = arg;
	_cleanup_free_ char *text = NULL;
	int r = fd_read_at(dir, "cgroup.procs", 64U << 20, &text, NULL);

	/* Gone meanwhile; or a threaded v2 cgroup, whose processes the domain above it lists. */
	if (r == -ENOENT || r == -ENODEV || r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return r;
	for (char *line = text; *line;) {
		char *end = strchrnul(line, '\n');
		bool more = *end != '\0';
		int pid;

		*end = '\0';
		/* 0 is a process that our pid namespace cannot see. To kill(2) it would mean ourselves. */
		if (str_to_int(line, &pid) == 0 && pid > 0) {
			if (l->n == l->room) {
				size_t room = l->room ? 2 * l->room : 64;
				pid_t *v = reallocarray(l->v, room, sizeof(*v));

				if (!v)
					return -ENOMEM;
				l->v = v;
				l->room = room;
			}
			l->v[l->n++] = pid;
		}
		line = end + more;
	}
	return 0;
}

static int by_value(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int cg_pids_below(const struct cg_node *n, pid_t **pids, size_t *count, struct err *e)
{
	struct pid_list l = { 0 };
	size_t kept = 0;
	int r = 0;

	for (int tries = 0; tries < 10; tries++) {
		struct walk w = { .visit = add_pids, .arg = &l };

		l.n = 0;
		r = walk_once(n, &w);
		if (r != -ENODEV && r != -ENOENT)
			break;
		if (r == -ENOENT && tries > 0) {
			l.n = 0;
			r = 0;
			break;
		}
	}
	if (r < 0) {
		free(l.v);
		return err_set(e, -r, "list the processes of cgroup %s%s", n->mount, n->path);
	}
	/* v1 promises neither order nor that a process is listed once; one with threads in two cgroups is in
	 * both. */
	if (l.n > 1)
		qsort(l.v, l.n, sizeof(*l.v), by_value);
	for (size_t i = 0; i < l.n; i++)
		if (i == 0 || l.v[i] != l.v[i - 1])
			l.v[kept++] = l.v[i];
	*pids = l.v;
	*count = kept;
	return 0;
}

static int thaw_one(int dir, void *arg)
{
	fd_put_at(dir, "freezer.state", "THAWED");
	return 0;
}

void cg_thaw_below(const struct cg_node *n)
{
	struct walk w = { .visit = thaw_one };

	walk_once(n, &w);
}

/* --- removal --------------------------------------------------------------------------------- */

static int still_busy(const struct cg_node *n, int reason, struct err *e)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t count = 0, used = 0;
	char list[128] = "";

	if (reason == EBUSY && cg_pids_below(n, &pids, &count, e) < 0)
		count = 0;
	for (size_t i = 0; i < count && i < 8; i++)
		used += (size_t)snprintf(
			list + used, sizeof(list) - used, "%s%d", i ? ", " : "", (int)pids[i]);
	if (count > 0)
		return err_text(e, EBUSY,
			"cgroup %s%s cannot be removed: still in it: %zu process(es), pid %s%s", n->mount,
			n->path, count, list, count > 8 ? ", …" : "");
	return err_set(e, reason, "remove cgroup %s%s", n->mount, n->path);
}

int cg_remove(const struct cg_node *n, uint64_t deadline, struct err *e)
{
	char path[CG_FILE_MAX];
	unsigned int us = 50;

	snprintf(path, sizeof(path), "%s%s", n->mount, n->path);
	for (unsigned int tries = 0;; tries++) {
		int reason;

		if (rmdir(path) == 0 || errno == ENOENT)
			return 0;
		reason = errno;
		if (reason != EBUSY && reason != ENOTEMPTY)
			return still_busy(n, reason, e);
		if (cg_now() >= deadline)
			return still_busy(n, EBUSY, e);
		/* The first time it is most likely a process that has not quite gone. */
		if (tries > 0) {
			struct walk w = { .remove = true };

			if (walk_once(n, &w) == 0 && (rmdir(path) == 0 || errno == ENOENT))
				return 0;
		}
		cg_sleep_us(us);
		if (us < 20000)
			us += us / 2;
	}
}
