/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking and giving back ranges of user ids (see ids.h).
 *
 * Theory of operation
 *   A range is a symlink <data>/ids/FIRST that names its partition. Whoever takes, gives back or renames
 * holds flock(2) on the directory, which a kill -9 lets go of; symlink(2) itself makes one whole or not at
 * all. So the worst that a crash leaves is a link to a partition that is not there: it is taken over when one
 * looks at it. The search begins where the name's hash says, so that a partition made again under its name
 * finds the range that an earlier one left behind, and its own ids. Nobody gets a range that overlaps a taken
 * one, also when the grants have changed since.
 *   To see that, all that are taken have to be looked at, thousands of them. As long as the grants stay the
 * same there is no need to: all ranges begin at one of the places that these grants give, no two of which
 * overlap, and a link that is there already cannot be made. That it is so is what the symlink <data>/ids/grid
 * says, whose target is made of those places. It is made when all that is taken has been seen to fit, and
 * goes before anything is taken by other grants.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "launch/ids_internal.h"

#define FILE_MAX   (4U << 20)
#define AUTO_FIRST INT64_C(524288)
#define AUTO_LAST  INT64_C(1879048191)
#define NAME_LEN   24
#define RANGES_MAX 4096
/* How many taken ranges are asked for their partition before an untouched one is preferred. */
#define LOOK_CLOSER 4
#define GRID	    "grid"
#define GRID_LEN    24
#define GRID_RANGES 64 /* with more of them all is looked at */
#define GRID_TRIES  256

/* --- grants ------------------------------------------------------------------------------------- */

struct ranges {
	struct ids_range *list;
	size_t n;
};

/* Lines of "NAME:FIRST:SIZE" (subuid(5)); what makes no sense is passed over, as newuidmap(1) does. */
static int parse_file(char *text, struct arena *a, struct ranges *ours, struct ranges *others)
{
	char *line;

	ours->list = arena_calloc(a, RANGES_MAX, sizeof(*ours->list));
	others->list = arena_calloc(a, RANGES_MAX, sizeof(*others->list));
	if (!ours->list || !others->list)
		return -ENOMEM;
	while ((line = strsep(&text, "\n"))) {
		char *first = strchr(line, ':'), *size = first ? strchr(first + 1, ':') : NULL;
		struct ranges *to;
		uint32_t from, n;

		if (!size)
			continue;
		*first++ = '\0';
		*size++ = '\0';
		if (str_to_u32(first, &from) < 0 || str_to_u32(size, &n) < 0 || n == 0)
			continue;
		to = str_eq(line, "ringfence") || str_eq(line, "containers") ? ours : others;
		if (to->n < RANGES_MAX)
			to->list[to->n++] = (struct ids_range){ from, n };
	}
	return 0;
}

static void intersect(const struct ranges *a, const struct ranges *b, struct ids_grants *out)
{
	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n && out->n_allowed < RANGES_MAX; k++) {
			const struct ids_range *x = &a->list[i], *y = &b->list[k];
			int64_t first = x->first > y->first ? x->first : y->first;
			int64_t x_end = x->first + x->size, y_end = y->first + y->size;
			int64_t end = x_end < y_end ? x_end : y_end;

			/* Ids of users are of 31 bits, for programs that take them for numbers with a sign.
			 */
			if (end > INT32_MAX)
				end = INT32_MAX;
			if (end - first >= LAUNCH_IDS)
				out->allowed[out->n_allowed++] = (struct ids_range){ first, end - first };
		}
}

int ids_grants_parse(char *subuid, char *subgid, struct arena *a, struct ids_grants *out, struct err *e)
{
	struct ranges uids = { 0 }, gids = { 0 }, other_uids = { 0 }, other_gids = { 0 };
	struct ids_grants g = { 0 };

	g.allowed = arena_calloc(a, RANGES_MAX, sizeof(*g.allowed));
	g.others = arena_calloc(a, 2 * RANGES_MAX, sizeof(*g.others));
	if (!g.allowed || !g.others || parse_file(subuid, a, &uids, &other_uids) < 0 ||
		parse_file(subgid, a, &gids, &other_gids) < 0)
		return err_set(e, ENOMEM, "read /etc/subuid and /etc/subgid");
	g.granted = uids.n || gids.n;
	if (g.granted) {
		intersect(&uids, &gids, &g);
		if (!g.n_allowed)
			return err_text(e, ENOENT,
				"/etc/subuid and /etc/subgid grant \"ringfence\" or \"containers\" no %d ids "
				"that are in both; a "
				"line as ringfence:524288:1048576 in each is room for 16 partitions",
				LAUNCH_IDS);
	} else {
		g.allowed[g.n_allowed++] = (struct ids_range){ AUTO_FIRST, AUTO_LAST + 1 - AUTO_FIRST };
		for (size_t k = 0; k < other_uids.n; k++)
			g.others[g.n_others++] = other_uids.list[k];
		for (size_t k = 0; k < other_gids.n; k++)
			g.others[g.n_others++] = other_gids.list[k];
	}
	*out = g;
	return 0;
}

static int read_grants(const char *path, char **text, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(e, errno, "open %s", path);
	r = fd_read_regular(fd, FILE_MAX, text, NULL);
	fd_close(fd);
	return r < 0 ? err_set(e, -r, "read %s", path) : 0;
}

int ids_grants_read(
	const char *subuid, const char *subgid, struct arena *a, struct ids_grants *out, struct err *e)
{
	_cleanup_free_ char *uids = NULL, *gids = NULL;
	int r = read_grants(subuid, &uids, e);

	if (r == 0)
		r = read_grants(subgid, &gids, e);
	return r < 0 ? r : ids_grants_parse(uids, gids, a, out, e);
}

/* --- what is taken ------------------------------------------------------------------------------ */

struct taken {
	int64_t *first; /* sorted */
	size_t n, room;
};

static void taken_free(struct taken *t)
{
	free(t->first);
}

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int read_taken(int ids, struct taken *t)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *d;
	int fd = openat(ids, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int r = -errno;

		fd_close(fd);
		return r;
	}
	while ((d = readdir(dir))) {
		int64_t first;

		if (str_to_i64(d->d_name, &first) < 0 || first < 0)
			continue;
		if (t->n == t->room) {
			size_t room = t->room ? t->room * 2 : 64;
			int64_t *bigger = reallocarray(t->first, room, sizeof(*bigger));

			if (!bigger)
				return -ENOMEM;
			t->first = bigger;
			t->room = room;
		}
		t->first[t->n++] = first;
	}
	if (t->n)
		qsort(t->first, t->n, sizeof(*t->first), by_number);
	return 0;
}

/* The taken range that `first` is, or overlaps; NULL if it is free. */
static const int64_t *overlapped(const struct taken *t, int64_t first)
{
	size_t low = 0, high = t->n;

	/* The least one that ends behind it. */
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (t->first[middle] + LAUNCH_IDS <= first)
			low = middle + 1;
		else
			high = middle;
	}
	return low < t->n && t->first[low] < first + LAUNCH_IDS ? &t->first[low] : NULL;
}

static bool granted_to_others(const struct ids_grants *g, int64_t first)
{
	for (size_t k = 0; k < g->n_others; k++)
		if (first < g->others[k].first + g->others[k].size && g->others[k].first < first + LAUNCH_IDS)
			return true;
	return false;
}

/* --- taking ------------------------------------------------------------------------------------- */

static int64_t candidates(const struct ids_grants *g)
{
	int64_t n = 0;

	for (size_t k = 0; k < g->n_allowed; k++)
		n += g->allowed[k].size / LAUNCH_IDS;
	return n;
}

static int64_t candidate(const struct ids_grants *g, int64_t i)
{
	for (size_t k = 0; k < g->n_allowed; k++) {
		int64_t here = g->allowed[k].size / LAUNCH_IDS;

		if (i < here)
			return g->allowed[k].first + i * LAUNCH_IDS;
		i -= here;
	}
	return -1;
}

/* FNV-1a. */
static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261U;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619U;
	return h;
}

static void file_name(char buf[NAME_LEN], int64_t first)
{
	snprintf(buf, NAME_LEN, "%" PRId64, first);
}

/* Whose it is, "" if that cannot be told. */
static void owner(int ids, const char *file, char buf[NAME_MAX + 1])
{
	ssize_t n = readlinkat(ids, file, buf, NAME_MAX);

	buf[n < 0 ? 0 : n] = '\0';
}

static bool is_left(int ids, int partitions, const char *file, const char *name)
{
	char whose[NAME_MAX + 1];
	struct stat st;

	owner(ids, file, whose);
	/* Our own of an earlier life, which was killed before it gave it back. */
	if (str_eq(whose, name))
		return true;
	if (!*whose || strchr(whose, '/'))
		return false;
	return fstatat(partitions, whose, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static int put(int ids, const char *file, const char *name, struct err *e)
{
	if (unlinkat(ids, file, 0) < 0 && errno != ENOENT)
		return err_set(e, errno, "take over the range of user ids %s", file);
	if (symlinkat(name, ids, file) < 0)
		return err_set(e, errno, "take the range of user ids %s", file);
	return 0;
}

static int search(int ids, int partitions, const struct ids_grants *g, const struct taken *t,
	const char *name, bool thorough, int64_t *first, struct err *e)
{
	int64_t n = candidates(g);
	int looked = 0;

	for (int64_t i = 0; i < n; i++) {
		int64_t f = candidate(g, (hash(name) + i) % n);
		const int64_t *over = overlapped(t, f);
		char file[NAME_LEN];
		int r;

		file_name(file, f);
		if (granted_to_others(g, f))
			continue;
		if (over) {
			/* One that overlaps two would have to be two others' at once. */
			if (*over != f || overlapped(t, f + 1) != over ||
				(!thorough && looked++ >= LOOK_CLOSER) ||
				!is_left(ids, partitions, file, name))
				continue;
		}
		r = put(ids, file, name, e);
		if (r == 0)
			*first = f;
		return r < 0 ? r : 1;
	}
	return 0;
}

/* --- the same grants as always ------------------------------------------------------------------- */

/* What the grid of these grants is called; "": they have none. */
static void grid_name(const struct ids_grants *g, char buf[GRID_LEN])
{
	uint64_t h = UINT64_C(14695981039346656037);

	*buf = '\0';
	for (size_t i = 0; i < g->n_allowed; i++)
		for (size_t k = 0; k < i; k++)
			if (g->n_allowed > GRID_RANGES ||
				(g->allowed[i].first < g->allowed[k].first + g->allowed[k].size &&
					g->allowed[k].first < g->allowed[i].first + g->allowed[i].size))
				return;
	/* FNV-1a, of numbers. */
	for (size_t i = 0; i < g->n_allowed; i++) {
		h = (h ^ (uint64_t)g->allowed[i].first) * UINT64_C(1099511628211);
		h = (h ^ (uint64_t)g->allowed[i].size) * UINT64_C(1099511628211);
	}
	snprintf(buf, GRID_LEN, "%016" PRIx64, h);
}

static bool fits(const struct ids_grants *g, int64_t first)
{
	for (size_t k = 0; k < g->n_allowed; k++) {
		int64_t at = first - g->allowed[k].first;

		if (at >= 0 && at + LAUNCH_IDS <= g->allowed[k].size && at % LAUNCH_IDS == 0)
			return true;
	}
	return false;
}

/* Before anything is taken by grants with that grid. */
static int grid_set(
	int ids, const struct ids_grants *g, const struct taken *t, const char *grid, struct err *e)
{
	bool all = *grid != '\0';

	for (size_t i = 0; i < t->n && all; i++)
		all = fits(g, t->first[i]);
	if (unlinkat(ids, GRID, 0) < 0 && errno != ENOENT)
		return err_set(e, errno, "forget the grid of user ids");
	/* Without it there is only more to look at. */
	if (all)
		(void)!symlinkat(grid, ids, GRID);
	return 0;
}

/* As search(), by the grid. 0: none of those it tried. */
static int search_grid(
	int ids, int partitions, const struct ids_grants *g, const char *name, int64_t *first, struct err *e)
{
	int64_t n = candidates(g);
	int looked = 0;

	for (int64_t i = 0; i < n && i < GRID_TRIES; i++) {
		int64_t f = candidate(g, (hash(name) + i) % n);
		char file[NAME_LEN];
		int r = 0;

		if (granted_to_others(g, f))
			continue;
		file_name(file, f);
		if (symlinkat(name, ids, file) < 0) {
			if (errno != EEXIST)
				return err_set(e, errno, "take the range of user ids %s", file);
			if (looked++ >= LOOK_CLOSER || !is_left(ids, partitions, file, name))
				continue;
			r = put(ids, file, name, e);
		}
		if (r == 0)
			*first = f;
		return r < 0 ? r : 1;
	}
	return 0;
}

static int lock(int ids, struct err *e)
{
	/* Of an open file description of its own: a descriptor that was handed in may be shared. */
	int fd = openat(ids, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return err_set(e, errno, "open the directory of user ids");
	do
		r = flock(fd, LOCK_EX) < 0 ? -errno : 0;
	while (r == -EINTR);
	if (r < 0) {
		fd_close(fd);
		return err_set(e, -r, "lock the directory of user ids");
	}
	return fd;
}

int ids_take_at(
	int ids, int partitions, const struct ids_grants *g, const char *name, int64_t *first, struct err *e)
{
	_cleanup_(taken_free) struct taken t = { 0 };
	_cleanup_close_ int locked = lock(ids, e);
	char grid[GRID_LEN], there[NAME_MAX + 1];
	int r = 0;

	if (locked < 0)
		return locked;
	grid_name(g, grid);
	owner(locked, GRID, there);
	if (*grid && str_eq(grid, there))
		r = search_grid(locked, partitions, g, name, first, e);
	if (r != 0)
		return r < 0 ? r : 0;
	r = read_taken(locked, &t);
	if (r < 0)
		return err_set(e, -r, "read the directory of user ids");
	if (!*grid || !str_eq(grid, there))
		r = grid_set(locked, g, &t, grid, e);
	if (r < 0)
		return r;
	r = search(locked, partitions, g, &t, name, false, first, e);
	if (r == 0)
		r = search(locked, partitions, g, &t, name, true, first, e);
	if (r == 0)
		return err_text(e, EUSERS,
			"all %" PRId64
			" ranges of user ids are taken%s; --userns host goes without, \"ringfence ls --all\" "
			"tells what can be removed",
			candidates(g), g->granted ? ", of those that /etc/subuid and /etc/subgid grant" : "");
	return r < 0 ? r : 0;
}

int ids_give_back_at(int ids, const char *name, int64_t first, struct err *e)
{
	_cleanup_close_ int locked = lock(ids, e);
	char file[NAME_LEN], whose[NAME_MAX + 1];

	if (locked < 0)
		return locked;
	file_name(file, first);
	owner(locked, file, whose);
	/* Not there, or somebody else's by now: given back already. */
	if (!str_eq(whose, name))
		return 0;
	return unlinkat(locked, file, 0) < 0 && errno != ENOENT
		       ? err_set(e, errno, "give back the range of user ids %s", file)
		       : 0;
}

int ids_give_back_all_at(int ids, const char *name, struct err *e)
{
	_cleanup_(taken_free) struct taken t = { 0 };
	_cleanup_close_ int locked = lock(ids, e);
	int r;

	if (locked < 0)
		return TAKE_FD(locked);
	r = read_taken(locked, &t);
	if (r < 0)
		return err_set(e, -r, "read the directory of user ids");
	for (size_t i = 0; i < t.n; i++) {
		char file[NAME_LEN], whose[NAME_MAX + 1];

		file_name(file, t.first[i]);
		owner(locked, file, whose);
		if (str_eq(whose, name) && unlinkat(locked, file, 0) < 0 && errno != ENOENT)
			return err_set(e, errno, "give back the range of user ids %s", file);
	}
	return 0;
}

int ids_rename_at(int ids, const char *old, const char *name, int64_t first, struct err *e)
{
	_cleanup_close_ int locked = lock(ids, e);
	char file[NAME_LEN], next[NAME_LEN + 8], whose[NAME_MAX + 1];

	if (locked < 0)
		return locked;
	file_name(file, first);
	owner(locked, file, whose);
	if (!str_eq(whose, old))
		return 0;
	snprintf(next, sizeof(next), "%s.new", file);
	unlinkat(locked, next, 0);
	if (symlinkat(name, locked, next) < 0 || renameat(locked, next, locked, file) < 0)
		return err_set(e, errno, "rename the owner of the range of user ids %s", file);
	return 0;
}
