/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: what there is, made, removed (see volume.h). */
#include "launch/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "launch/record.h"
#include "launch/tree.h"

#define ABOUT	  "volume.json"
#define ABOUT_MAX 65536
#define DATA	  "_data"

/* --- who uses what ---------------------------------------------------------------------------- */

struct use {
	const char *volume, *partition;
};

struct uses {
	struct arena *a;
	const char *except; /* a partition that is not asked, or NULL */
	struct use *list;
	size_t n, room;
};

static int add_use(struct uses *u, const char *volume, const char *partition)
{
	if (u->n == u->room) {
		size_t room = u->room ? u->room * 2 : 64;
		struct use *more = realloc(u->list, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		u->list = more;
		u->room = room;
	}
	u->list[u->n++] = (struct use){ volume, partition };
	return 0;
}

static int add_partition(const struct launch_ctx *ctx, const char *name, struct uses *u, struct err *e)
{
	_cleanup_(launch_dir_closep) struct launch_dir *close_it = NULL;
	struct launch_dir d = LAUNCH_DIR_INIT;
	const char *volume;
	int r = launch_dir_open(ctx, name, false, u->a, &d, e);

	close_it = &d;
	/* Gone since the directory was read. */
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	/* Without a record it is a wreck that has no volumes yet; an unreadable one may have any. */
	if (d.damaged && faccessat(d.fd, "launch.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_text(e, EINVAL,
			"which volumes partition \"%s\" uses cannot be told, for its launch.json is damaged; "
			"`ringfence rm --force %s` removes it",
			name, name);
	if (d.damaged)
		return 0;
	strv_each (volume, d.record.volumes) {
		r = add_use(u, volume, d.record.name);
		if (r < 0)
			return err_set(e, -r, "volumes");
	}
	return 0;
}

static int find_uses(const struct launch_ctx *ctx, struct uses *u, struct err *e)
{
	int fd = launch_data_open(ctx, "partitions", false, u->a, NULL, e);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *x;
	struct err ignored;
	int r = 0;

	if (fd == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (!d)
		return fd < 0 ? fd : err_set(e, errno, "read the directory of partitions");
	while (r == 0 && (x = readdir(d)))
		if (x->d_name[0] != '.' && launch_check_name("partition", x->d_name, &ignored) == 0 &&
			!(u->except && str_eq(u->except, x->d_name)))
			r = add_partition(ctx, x->d_name, u, e);
	return r;
}

static char **users_of(const struct uses *u, const char *volume)
{
	char **v;
	size_t n = 0;

	for (size_t i = 0; i < u->n; i++)
		n += str_eq(u->list[i].volume, volume);
	v = arena_calloc(u->a, n + 1, sizeof(*v));
	for (size_t i = 0, k = 0; v && i < u->n; i++)
		if (str_eq(u->list[i].volume, volume))
			v[k++] = (char *)u->list[i].partition;
	return v;
}

/* --- what there is ---------------------------------------------------------------------------- */

bool launch_volume_made_up(const char *name)
{
	return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

static const char *time_text(const struct statx *x, struct arena *a)
{
	const struct statx_timestamp *t = x->stx_mask & STATX_BTIME ? &x->stx_btime : &x->stx_mtime;
	const struct timespec when = { t->tv_sec, t->tv_nsec };
	char text[LOG_TIME_MAX];

	log_time(&when, text);
	return arena_strdup(a, text);
}

/* volume.json: {"labels": {…}}. One that is not there, or not right, has no labels. */
static char *const *read_labels(int dir, struct arena *a)
{
	_cleanup_free_ char *text = NULL;
	const struct json *j, *labels, *x;
	size_t len, n = 0;
	char **v;

	if (fd_read_at(dir, ABOUT, ABOUT_MAX, &text, &len) < 0 ||
		json_parse(a, text, len, ABOUT, &j, NULL) < 0)
		return NULL;
	labels = json_get(j, "labels");
	if (!labels || labels->type != JSON_OBJECT)
		return NULL;
	v = arena_calloc(a, labels->count + 1, sizeof(*v));
	json_each (x, labels)
		if (v && x->type == JSON_STRING && (v[n] = arena_printf(a, "%s=%s", x->key, x->text)))
			n++;
	return v;
}

/* -ENOENT: none of that name, or what is there is no volume. */
static int look_at(int volumes, const char *path, const char *name, const struct uses *u, struct arena *a,
	struct launch_volume *out, struct err *e)
{
	_cleanup_close_ int dir = openat(volumes, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statx x;

	if (dir < 0 || statx(dir, "", AT_EMPTY_PATH, STATX_MTIME | STATX_BTIME, &x) < 0)
		return -ENOENT;
	if (faccessat(dir, DATA, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return -ENOENT;
	*out = (struct launch_volume){
		.name = arena_strdup(a, name),
		.path = arena_printf(a, "%s/%s/" DATA, path, name),
		.created = time_text(&x, a),
		.labels = read_labels(dir, a),
		.used_by = users_of(u, name),
		.anonymous = launch_volume_made_up(name),
	};
	return out->name && out->path && out->created && out->used_by ? 0 : err_set(e, ENOMEM, "volume");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct launch_volume *)a)->name, ((const struct launch_volume *)b)->name);
}

static int read_all(int fd, const char *path, const struct uses *u, struct arena *a,
	struct launch_volume **out, size_t *n, struct err *e)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct launch_volume *list;
	const struct dirent *x;
	struct err ignored;
	size_t room = 0, count = 0;

	if (!d) {
		fd_close(copy);
		return err_set(e, errno, "read %s", path);
	}
	while (readdir(d))
		room++;
	rewinddir(d);
	list = arena_calloc(a, room + 1, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "volumes");
	while (count < room && (x = readdir(d))) {
		int r;

		if (x->d_name[0] == '.' || launch_check_name("volume", x->d_name, &ignored) < 0)
			continue;
		r = look_at(fd, path, x->d_name, u, a, &list[count], e);
		if (r < 0 && r != -ENOENT)
			return r;
		count += r == 0;
	}
	if (count)
		qsort(list, count, sizeof(*list), by_name);
	*out = list;
	*n = count;
	return 0;
}

int launch_volume_list(
	const struct launch_ctx *ctx, struct arena *a, struct launch_volume **out, size_t *n, struct err *e)
{
	struct uses u = { .a = a };
	_cleanup_close_ int fd = -EBADF;
	const char *path;
	int r;

	*out = NULL;
	*n = 0;
	fd = launch_data_open(ctx, "volumes", false, a, &path, e);
	if (fd == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (fd < 0)
		return TAKE_FD(fd);
	r = find_uses(ctx, &u, e);
	if (r == 0)
		r = read_all(fd, path, &u, a, out, n, e);
	free(u.list);
	return r;
}

static int none(const char *name, struct err *e)
{
	return err_text(
		e, ENOENT, "there is no volume \"%s\"; `ringfence volume ls` tells which there are", name);
}

int launch_volume_find(const struct launch_ctx *ctx, const char *name, struct arena *a,
	struct launch_volume *out, struct err *e)
{
	struct uses u = { .a = a };
	_cleanup_close_ int fd = -EBADF;
	const char *path;
	int r = launch_check_name("volume", name, e);

	if (r < 0)
		return r;
	fd = launch_data_open(ctx, "volumes", false, a, &path, e);
	if (fd == -ENOENT)
		err_clear(e);
	if (fd < 0)
		return fd == -ENOENT ? none(name, e) : TAKE_FD(fd);
	r = find_uses(ctx, &u, e);
	if (r == 0)
		r = look_at(fd, path, name, &u, a, out, e);
	free(u.list);
	return r == -ENOENT ? none(name, e) : r;
}

/* --- making ----------------------------------------------------------------------------------- */

static const char *make_up(struct arena *a)
{
	unsigned char bytes[32];
	char name[65];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return NULL;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(name + 2 * i, 3, "%02x", bytes[i]);
	return arena_strdup(a, name);
}

static int write_labels(int dir, const char *name, char *const *labels, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *label, *text;
	size_t len;

	if (!w)
		return err_set(e, ENOMEM, "volume \"%s\"", name);
	json_open_object(w, NULL);
	json_open_object(w, "labels");
	strv_each (label, labels) {
		_cleanup_free_ char *key = strndup(label, strcspn(label, "="));
		const char *eq = strchr(label, '=');

		if (!key || !*key)
			return err_text(e, EINVAL, "option --label: \"%s\" is not KEY=VALUE", label);
		json_put_string(w, key, eq ? eq + 1 : "");
	}
	json_close_object(w);
	json_close_object(w);
	text = json_writer_text(w, &len);
	if (!text)
		return err_set(e, ENOMEM, "volume \"%s\"", name);
	return fd_replace_at(dir, ABOUT, 0600, text, len, e);
}

int launch_volume_create(const struct launch_ctx *ctx, const char *name, char *const *labels, struct arena *a,
	const char **made, struct err *e)
{
	_cleanup_close_ int fd = -EBADF, dir = -EBADF;
	bool is_new;
	int r;

	if (!name)
		name = make_up(a);
	if (!name)
		return err_set(e, ENOMEM, "make up the name of a volume");
	r = launch_check_name("volume", name, e);
	if (r < 0)
		return r;
	fd = launch_data_open(ctx, "volumes", true, a, NULL, e);
	if (fd < 0)
		return TAKE_FD(fd);
	is_new = mkdirat(fd, name, 0700) == 0;
	if (!is_new && errno != EEXIST)
		return err_set(e, errno, "make volume \"%s\"", name);
	dir = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, errno, "open volume \"%s\"", name);
	/* Labels first: what has its _data is complete. */
	if (labels && labels[0] && faccessat(dir, DATA, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		r = write_labels(dir, name, labels, e);
	/* 0755, whatever the umask: others come to it through a mount, if at all. */
	if (r == 0 && mkdirat(dir, DATA, 0755) < 0) {
		if (errno != EEXIST)
			r = err_set(e, errno, "make volume \"%s\"", name);
	} else if (r == 0 && fchmodat(dir, DATA, 0755, 0) < 0) {
		r = err_set(e, errno, "make volume \"%s\"", name);
	}
	if (r < 0 && is_new) {
		unlinkat(dir, ABOUT, 0);
		unlinkat(fd, name, AT_REMOVEDIR);
	}
	if (r == 0)
		*made = name;
	return r;
}

/* --- removing --------------------------------------------------------------------------------- */

static int in_use(const char *name, char *const *users, struct err *e)
{
	return err_text(e, EBUSY,
		"volume \"%s\" is in use by partition \"%s\"%s; `ringfence rm %s` removes that", name,
		users[0], users[1] ? " and others" : "", users[0]);
}

/*
 * Out of the way under a name that is no volume's, then the question again: who has recorded its use before
 * that finds its volume back, who comes later makes a new one.
 */
static int take_away(const struct launch_ctx *ctx, int volumes, const char *name, const char *except,
	struct arena *a, struct err *e)
{
	struct uses u = { .a = a, .except = except };
	char hidden[300];
	char **users;
	int r;

	snprintf(hidden, sizeof(hidden), ".rm-%s", name);
	/* What an earlier one was killed over. */
	r = launch_tree_remove(volumes, hidden, -1);
	if (r < 0 && r != -ENOENT)
		return err_set(e, -r, "remove what is left of volume \"%s\"", name);
	if (renameat2(volumes, name, volumes, hidden, RENAME_NOREPLACE) < 0)
		return errno == ENOENT ? none(name, e) : err_set(e, errno, "remove volume \"%s\"", name);
	r = find_uses(ctx, &u, e);
	users = users_of(&u, name);
	free(u.list);
	if (r == 0 && !users)
		r = err_set(e, ENOMEM, "remove volume \"%s\"", name);
	if (r == 0 && users[0])
		r = in_use(name, users, e);
	if (r < 0) {
		if (renameat2(volumes, hidden, volumes, name, RENAME_NOREPLACE) < 0)
			err_hint(e, "it stays behind as %s", hidden);
		return r;
	}
	r = launch_tree_remove(volumes, hidden, -1);
	return r < 0 && r != -ENOENT ? err_set(e, -r, "remove volume \"%s\"", name) : 0;
}

int launch_volume_rm(const struct launch_ctx *ctx, const char *name, bool force, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_close_ int fd = -EBADF;
	struct launch_volume v;
	int r = a ? launch_volume_find(ctx, name, a, &v, e) : err_set(e, ENOMEM, "volume");

	if (r == -ENOENT && force) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	if (v.used_by[0])
		return in_use(name, v.used_by, e);
	fd = launch_data_open(ctx, "volumes", false, a, NULL, e);
	return fd < 0 ? TAKE_FD(fd) : take_away(ctx, fd, name, NULL, a, e);
}

int launch_volume_rm_with(
	const struct launch_ctx *ctx, const char *name, const char *partition, struct arena *a, struct err *e)
{
	struct uses u = { .a = a, .except = partition };
	_cleanup_close_ int fd = launch_data_open(ctx, "volumes", false, a, NULL, e);
	char **users = NULL;
	int r;

	if (fd < 0)
		return TAKE_FD(fd);
	/* Before it is out of the way for a moment: who uses it needs it all the time. */
	r = find_uses(ctx, &u, e);
	if (r == 0)
		users = users_of(&u, name);
	free(u.list);
	if (r == 0 && !users)
		r = err_set(e, ENOMEM, "remove volume \"%s\"", name);
	if (r == 0 && users[0])
		r = in_use(name, users, e);
	return r < 0 ? r : take_away(ctx, fd, name, partition, a, e);
}

int launch_volume_prune(const struct launch_ctx *ctx, bool all, void (*removed)(const char *name, void *arg),
	void *arg, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_close_ int fd = -EBADF;
	struct launch_volume *list;
	size_t n;
	int r = a ? launch_volume_list(ctx, a, &list, &n, e) : err_set(e, ENOMEM, "volume");

	if (r < 0 || n == 0)
		return r;
	fd = launch_data_open(ctx, "volumes", false, a, NULL, e);
	if (fd < 0)
		return TAKE_FD(fd);
	for (size_t i = 0; i < n; i++) {
		if (list[i].used_by[0] || (!all && !list[i].anonymous))
			continue;
		r = take_away(ctx, fd, list[i].name, NULL, a, e);
		if (r == 0)
			removed(list[i].name, arg);
		else if (r != -EBUSY && r != -ENOENT)
			return r;
		else
			err_clear(e);
	}
	return 0;
}
