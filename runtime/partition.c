/* SPDX-License-Identifier: Apache-2.0 */
/* A partition's state directory: made, locked, written, read, removed (see partition.h). */
#include "runtime/partition.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/engine.h"

#define STATE_MAX (16U * 1024U * 1024U)

struct rt_partition *rt_partition_free(struct rt_partition *p)
{
	if (!p)
		return NULL;
	cgrp_free(p->cgroup);
	spec_free(p->spec);
	fd_close(p->dirfd);
	fd_close(p->rootfd);
	arena_free(p->arena);
	return NULL;
}

static struct rt_partition *partition_alloc(void)
{
	struct arena *a = arena_new();
	struct rt_partition *p = a ? arena_alloc(a, sizeof(*p)) : NULL;

	if (!p) {
		arena_free(a);
		return NULL;
	}
	p->arena = a;
	p->rootfd = p->dirfd = -EBADF;
	return p;
}

/* --- the root directory
 * -------------------------------------------------------------------------------------------------------- */

char *rt_default_root(struct err *e)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	char *path = NULL;

	if (geteuid() == 0) {
		path = strdup("/run/ringfence");
	} else if (run && *run == '/') {
		if (asprintf(&path, "%s/ringfence", run) < 0)
			path = NULL;
	} else {
		err_text(e, EINVAL,
			"no place for the state of partitions: XDG_RUNTIME_DIR is not set; set it, or give "
			"--root DIR");
		return NULL;
	}
	if (!path)
		err_set(e, ENOMEM, "choose the state directory");
	return path;
}

static int mkdir_parents(const char *path, struct err *e)
{
	char dir[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(dir))
		return err_set(e, ENAMETOOLONG, "make directory %s", path);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(dir, path, i);
		dir[i] = '\0';
		if (mkdir(dir, i == len ? 0700 : 0755) < 0 && errno != EEXIST)
			return err_set(e, errno, "make directory %s for the state of partitions", dir);
	}
	return 0;
}

int rt_root_open(const struct rt_ctx *ctx, bool create, struct err *e)
{
	_cleanup_free_ char *chosen = NULL;
	const char *root = ctx->root;
	int fd, r;

	if (!root) {
		root = chosen = rt_default_root(e);
		if (!root)
			return -(e && e->code ? e->code : EINVAL);
	}
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && create) {
		r = mkdir_parents(root, e);
		if (r < 0)
			return r;
		fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return err_set(e, errno, "open the state directory %s", root);
	return fd;
}

char *rt_root_tag(const struct rt_ctx *ctx)
{
	_cleanup_free_ char *fallback = NULL, *absolute = NULL;
	char clean[PATH_MAX], *tag = NULL;

	if (!ctx->root)
		return strdup("");
	absolute = path_absolute(ctx->root);
	fallback = rt_default_root(NULL);
	if (!absolute || path_clean(absolute, clean, sizeof(clean)) < 0)
		return NULL;
	if (fallback && str_eq(clean, fallback))
		return strdup("");
	if (asprintf(&tag, "%08x", (unsigned int)XXH3_64bits(clean, strlen(clean))) < 0)
		return NULL;
	return tag;
}

int rt_check_id(const char *id, struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
	size_t n = strlen(id);

	if (n == 0)
		return err_text(e, EINVAL, "container id is empty");
	if (n > 255 || strspn(id, allowed) != n || id[0] == '.')
		return err_text(e, EINVAL,
			"invalid container id \"%.64s\": use up to 255 letters, digits, '_', '+', '-' and "
			"'.', not "
			"starting with '.'",
			id);
	return 0;
}

/* --- making, opening, locking
 * ------------------------------------------------------------------------------------------------------ */

/* flock(2) with a limit: a verb that hangs (a hook without a timeout) must not make every other verb hang
 * with it. */
static int lock_dir(int fd, const char *id, bool *waited, struct err *e)
{
	struct timespec pause = { .tv_nsec = 200 * 1000 };
	int64_t waited_ns = 0;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return err_set(e, errno, "lock the state of container \"%s\"", id);
		*waited = true;
		if (waited_ns > (int64_t)RT_LOCK_SECONDS * 1000000000)
			return err_text(e, EBUSY,
				"container \"%s\" is busy: another command has held its lock for %d seconds",
				id, RT_LOCK_SECONDS);
		nanosleep(&pause, NULL);
		waited_ns += pause.tv_nsec;
		if (pause.tv_nsec < 20 * 1000 * 1000)
			pause.tv_nsec *= 2;
	}
	return 0;
}

/* Is the directory that we hold still the one of that name? A `delete --force` may have been quicker than our
 * lock. */
static bool still_there(const struct rt_partition *p)
{
	struct stat mine, now;

	return fstat(p->dirfd, &mine) == 0 && fstatat(p->rootfd, p->id, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mine.st_ino == now.st_ino && mine.st_dev == now.st_dev;
}

int rt_partition_new(const struct rt_ctx *ctx, const char *id, struct rt_partition **out, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	int r = rt_check_id(id, e);
	bool waited = false;

	if (r < 0)
		return r;
	p = partition_alloc();
	if (!p)
		return err_set(e, ENOMEM, "create container \"%s\"", id);
	p->id = arena_strdup(p->arena, id);
	if (!p->id)
		return err_set(e, ENOMEM, "create container \"%s\"", id);
	p->rootfd = rt_root_open(ctx, true, e);
	if (p->rootfd < 0)
		return p->rootfd;
	if (mkdirat(p->rootfd, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_text(e, EEXIST,
				"container with id exists: \"%s\"; delete it first, or choose another id",
				id);
		return err_set(e, errno, "make the state directory of container \"%s\"", id);
	}
	p->dirfd = openat(p->rootfd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (p->dirfd < 0)
		return err_set(e, errno, "open the state directory of container \"%s\"", id);
	/* A `state` that looks at just this moment may hold it for an instant, a `delete --force` for longer.
	 */
	r = lock_dir(p->dirfd, id, &waited, e);
	if (r < 0)
		return r;
	if (waited && !still_there(p))
		return err_text(e, EBUSY, "container \"%s\" was deleted while it was being created", id);
	p->locked = true;
	p->creating = true;
	p->owner = geteuid();
	*out = TAKE_PTR(p);
	return 0;
}

static const char *member(struct rt_partition *p, const struct json *j, const char *name)
{
	const char *s = NULL;

	j = json_get(j, name);
	if (j)
		json_as_string(j, name, &s, NULL);
	return s;
}

static int read_snapshot_head(struct rt_partition *p);

static int read_annotations(struct rt_partition *p, const struct json *j)
{
	const struct json *m;
	size_t n = 0;

	if (!j || j->type != JSON_OBJECT || j->count == 0)
		return 0;
	p->annotations = arena_calloc(p->arena, j->count, sizeof(*p->annotations));
	if (!p->annotations)
		return -ENOMEM;
	json_each (m, j)
		if (m->type == JSON_STRING)
			p->annotations[n++] = (struct spec_annotation){ .key = m->key, .value = m->text };
	p->n_annotations = n;
	return 0;
}

static int read_state(struct rt_partition *p, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	const struct json *j, *c;
	int64_t number;
	bool flag;
	size_t len;
	int r;

	r = fd_read_at(p->dirfd, RT_STATE_FILE, STATE_MAX, &text, &len);
	if (r < 0)
		return err_set(e, -r, "read the state of container \"%s\"", p->id);
	r = json_parse(p->arena, text, len, RT_STATE_FILE, &j, e);
	if (r < 0)
		return r;
	p->bundle = member(p, j, "bundle");
	p->rootfs = member(p, j, "rootfs");
	p->created = member(p, j, "created");
	p->oci_version = member(p, j, "ociVersion");
	p->intel_rdt = member(p, j, "intelRdt");
	p->engine = rt_engine_by_name(member(p, j, "engine"));
	if (json_get(j, "owner") && json_as_i64(json_get(j, "owner"), "owner", &number, NULL) == 0)
		p->owner = (uid_t)number;
	if (json_get(j, "pid") && json_as_i64(json_get(j, "pid"), "pid", &number, NULL) == 0)
		p->pid = (pid_t)number;
	if (json_get(j, "startTime"))
		json_as_u64(json_get(j, "startTime"), "startTime", &p->start_time, NULL);
	if (json_get(j, "ownPidNamespace") &&
		json_as_bool(json_get(j, "ownPidNamespace"), "", &flag, NULL) == 0)
		p->own_pid_ns = flag;
	if (json_get(j, "noNewKeyring") && json_as_bool(json_get(j, "noNewKeyring"), "", &flag, NULL) == 0)
		p->no_new_keyring = flag;
	if (json_get(j, "rootless") && json_as_bool(json_get(j, "rootless"), "", &flag, NULL) == 0)
		p->rootless = flag;
	if (json_get(j, "creating") && json_as_bool(json_get(j, "creating"), "", &flag, NULL) == 0)
		p->creating = flag;
	r = read_annotations(p, json_get(j, "annotations"));
	if (r < 0)
		return err_set(e, -r, "read the state of container \"%s\"", p->id);
	c = json_get(j, "cgroup");
	if (c) {
		r = cgrp_load(c, &p->cgroup, e);
		if (r < 0)
			return r;
	}
	if (!p->bundle || !p->engine)
		return err_text(e, EINVAL, "the state of container \"%s\" is incomplete", p->id);
	return 0;
}

int rt_partition_open(
	const struct rt_ctx *ctx, const char *id, enum rt_lock lock, struct rt_partition **out, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	int r = rt_check_id(id, e);
	bool waited;

	if (r < 0)
		return r;
	p = partition_alloc();
	if (!p || !(p->id = arena_strdup(p->arena, id)))
		return err_set(e, ENOMEM, "open container \"%s\"", id);
	p->rootfd = rt_root_open(ctx, false, e);
	if (p->rootfd == -ENOENT)
		return err_text(e, ENOENT, "container \"%s\" does not exist", id);
	if (p->rootfd < 0)
		return p->rootfd;
	p->dirfd = openat(p->rootfd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (p->dirfd < 0) {
		if (errno == ENOENT)
			return err_text(e, ENOENT, "container \"%s\" does not exist", id);
		return err_set(e, errno, "open the state directory of container \"%s\"", id);
	}
	if (lock == RT_LOCKED) {
		r = lock_dir(p->dirfd, id, &waited, e);
		if (r < 0)
			return r;
		p->locked = true;
		if (!still_there(p))
			return err_text(e, ENOENT, "container \"%s\" does not exist", id);
	}
	r = read_state(p, NULL);
	if (r == -ENOMEM)
		return err_set(e, ENOMEM, "open container \"%s\"", id);
	if (r < 0) {
		p->damaged = read_snapshot_head(p) < 0;
		if (!p->engine)
			p->engine = &rt_engine_ns;
	}
	*out = TAKE_PTR(p);
	return 0;
}

void rt_partition_unlock(struct rt_partition *p)
{
	if (p->locked)
		flock(p->dirfd, LOCK_UN);
	p->locked = false;
}

int rt_partition_relock(struct rt_partition *p)
{
	bool waited;
	int r = lock_dir(p->dirfd, p->id, &waited, NULL);

	if (r < 0)
		return r;
	p->locked = true;
	return still_there(p) ? 0 : -ENOENT;
}

/* --- state.json
 * ----------------------------------------------------------------------------------------------------------------------
 */

static int create_state(const struct rt_partition *p, const char *text, size_t len)
{
	_cleanup_close_ int fd =
		openat(p->dirfd, RT_STATE_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : fd_write_all(fd, text, len);
}

int rt_partition_save(struct rt_partition *p, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text;
	size_t len;
	int r;

	if (!w)
		return err_set(e, ENOMEM, "write the state of container \"%s\"", p->id);
	json_open_object(w, NULL);
	json_put_string(w, "ociVersion", p->oci_version);
	json_put_string(w, "id", p->id);
	json_put_string(w, "engine", p->engine->name);
	json_put_i64(w, "pid", p->pid);
	if (p->creating)
		json_put_bool(w, "creating", true);
	json_put_u64(w, "startTime", p->start_time);
	json_put_bool(w, "ownPidNamespace", p->own_pid_ns);
	json_put_bool(w, "rootless", p->rootless);
	json_put_bool(w, "noNewKeyring", p->no_new_keyring);
	json_put_string(w, "bundle", p->bundle);
	json_put_string(w, "rootfs", p->rootfs);
	json_put_string(w, "created", p->created);
	json_put_u64(w, "owner", p->owner);
	if (p->intel_rdt)
		json_put_string(w, "intelRdt", p->intel_rdt);
	if (p->n_annotations) {
		json_open_object(w, "annotations");
		for (size_t i = 0; i < p->n_annotations; i++)
			json_put_string(w, p->annotations[i].key, p->annotations[i].value);
		json_close_object(w);
	}
	if (p->cgroup) {
		json_open_object(w, "cgroup");
		cgrp_save(p->cgroup, w);
		json_close_object(w);
	}
	json_close_object(w);
	text = json_writer_text(w, &len);
	if (!text)
		return err_set(e, ENOMEM, "write the state of container \"%s\"", p->id);
	/* The first one replaces nothing: half of it, after a crash, is the wreck that no file at all would
	 * be. */
	r = p->saved ? -EEXIST : create_state(p, text, len);
	if (r == -EEXIST)
		r = fd_replace_at(p->dirfd, RT_STATE_FILE, 0600, text, len, e);
	else if (r < 0)
		err_set(e, -r, "create " RT_STATE_FILE);
	p->saved = true;
	return r < 0 ? err_wrap(e, "save the state of container \"%s\"", p->id) : 0;
}

/* --- the snapshot
 * ------------------------------------------------------------------------------------------------------------------------
 */

/*
 * One line of JSON with what cannot be had from the config, then the config as it was read. Written once,
 * before anything is made outside the directory: it is what a wreck is cleared away by.
 */
int rt_partition_snapshot(const struct rt_partition *p, const char *text, size_t len, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	_cleanup_close_ int fd = -EBADF;
	struct iovec parts[3];
	const char *head;
	size_t head_len;

	if (!w)
		return err_set(e, ENOMEM, "save the config of container \"%s\"", p->id);
	json_open_object(w, NULL);
	json_put_string(w, "engine", p->engine->name);
	json_put_string(w, "bundle", p->bundle);
	json_put_i64(w, "manager", p->manager);
	json_put_bool(w, "rootless", p->rootless);
	json_put_u64(w, "owner", p->owner);
	json_close_object(w);
	head = json_writer_text(w, &head_len);
	fd = openat(p->dirfd, RT_SNAPSHOT_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (!head || fd < 0)
		return err_set(e, head ? errno : ENOMEM, "save the config of container \"%s\"", p->id);
	parts[0] = (struct iovec){ (void *)head, head_len };
	parts[1] = (struct iovec){ (void *)"\n", 1 };
	parts[2] = (struct iovec){ (void *)text, len };
	if (writev(fd, parts, 3) != (ssize_t)(head_len + 1 + len))
		return err_set(e, errno ? errno : ENOSPC, "save the config of container \"%s\"", p->id);
	return 0;
}

/* Both parts; *config points into *text. */
static int read_snapshot(const struct rt_partition *p, char **text, size_t *head_len, const char **config,
	size_t *config_len, struct err *e)
{
	size_t len;
	char *end;
	int r = fd_read_at(p->dirfd, RT_SNAPSHOT_FILE, SPEC_FILE_MAX + 65536U, text, &len);

	if (r < 0)
		return err_set(e, -r, "read the saved config of container \"%s\"", p->id);
	end = memchr(*text, '\n', len);
	if (!end)
		return err_text(e, EINVAL, "the saved config of container \"%s\" is incomplete", p->id);
	*head_len = (size_t)(end - *text);
	*config = end + 1;
	*config_len = len - *head_len - 1;
	return 0;
}

/* Of a partition whose creator has not come to write its state: what is known all the same. */
static int read_snapshot_head(struct rt_partition *p)
{
	_cleanup_free_ char *text = NULL;
	const struct json *j;
	size_t head_len, config_len;
	const char *config;
	int64_t number;
	bool flag;

	if (read_snapshot(p, &text, &head_len, &config, &config_len, NULL) < 0 ||
		json_parse(p->arena, text, head_len, RT_SNAPSHOT_FILE, &j, NULL) < 0)
		return -EINVAL;
	p->engine = rt_engine_by_name(member(p, j, "engine"));
	p->bundle = member(p, j, "bundle");
	if (json_as_i64(json_get(j, "manager"), "", &number, NULL) == 0)
		p->manager = (enum cgrp_manager)number;
	if (json_as_bool(json_get(j, "rootless"), "", &flag, NULL) == 0)
		p->rootless = flag;
	if (json_as_i64(json_get(j, "owner"), "", &number, NULL) == 0)
		p->owner = (uid_t)number;
	p->creating = true;
	return p->engine && p->bundle ? 0 : -EINVAL;
}

/*
 * A user without a user namespace in the config can make none of the others: one is added, in which its own
 * ids are root's (crun does the same). What needs more ids than one says so in its maps.
 */
static int add_user_ns(struct spec *s, struct err *e)
{
	struct spec_id_map *maps;

	if (geteuid() == 0 || s->ns[SPEC_NS_USER].present)
		return 0;
	maps = arena_calloc(s->arena, 2, sizeof(*maps));
	if (!maps)
		return err_set(e, ENOMEM, "add a user namespace");
	maps[0] = (struct spec_id_map){ .host_id = geteuid(), .size = 1 };
	maps[1] = (struct spec_id_map){ .host_id = getegid(), .size = 1 };
	s->ns[SPEC_NS_USER].present = true;
	s->uid_map = &maps[0];
	s->gid_map = &maps[1];
	s->n_uid_map = s->n_gid_map = 1;
	return 0;
}

int rt_adapt_spec(struct spec *s, struct err *e)
{
	if (!s->seccomp.listener_path)
		s->seccomp.listener_path = spec_annotation(s, "run.oci.seccomp.receiver");
	return add_user_ns(s, e);
}

int rt_partition_spec(struct rt_partition *p, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t head_len, config_len;
	const char *config;
	int r;

	if (p->spec)
		return 0;
	r = read_snapshot(p, &text, &head_len, &config, &config_len, e);
	if (r < 0)
		return r;
	r = spec_parse(config, config_len, &p->spec, e);
	if (r == 0)
		r = rt_adapt_spec(p->spec, e);
	return r < 0 ? err_wrap(e, "the saved config of container \"%s\"", p->id) : 0;
}

void rt_partition_guess_cgroup(struct rt_partition *p, const struct rt_ctx *ctx)
{
	_cleanup_free_ char *tag = rt_root_tag(ctx);
	struct cgrp_params params = {
		.manager = p->manager, .id = p->id, .root_tag = tag, .rootless = p->rootless
	};

	if (!tag || p->cgroup || p->manager == CGRP_DISABLED)
		return;
	if (rt_partition_spec(p, NULL) == 0) {
		params.cgroups_path = p->spec->cgroups_path;
		params.resources = &p->spec->resources;
		params.annotations = p->spec->annotations;
		params.n_annotations = p->spec->n_annotations;
	}
	/* The default path has our id and root in it: nobody else's. One from a config may be shared. */
	if (cgrp_find(&params, &p->cgroup, NULL) == 0)
		p->cgroup_guessed = params.cgroups_path != NULL;
}

char *rt_partition_state_json(const struct rt_partition *p, const char *status, pid_t pid)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text;

	if (!w)
		return NULL;
	json_open_object(w, NULL);
	json_put_string(w, "ociVersion", p->oci_version);
	json_put_string(w, "id", p->id);
	json_put_string(w, "status", status);
	if (pid > 0)
		json_put_i64(w, "pid", pid);
	json_put_string(w, "bundle", p->bundle);
	json_put_string(w, "root", p->rootfs);
	if (p->n_annotations) {
		json_open_object(w, "annotations");
		for (size_t i = 0; i < p->n_annotations; i++)
			json_put_string(w, p->annotations[i].key, p->annotations[i].value);
		json_close_object(w);
	}
	json_close_object(w);
	text = json_writer_text(w, NULL);
	return text ? strdup(text) : NULL;
}

/* --- removal
 * ---------------------------------------------------------------------------------------------------------------------------
 */

/* Ours alone (0700) and flat but for the notify directory: no recursion that anybody could lead astray. */
static int empty_dir(int fd, int depth)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (copy < 0)
		return -errno;
	d = fdopendir(copy);
	if (!d) {
		fd_close(copy);
		return -ENOMEM;
	}
	while ((de = readdir(d))) {
		if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		if (unlinkat(fd, de->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if ((errno == EISDIR || errno == EPERM) && depth < 2) {
			_cleanup_close_ int sub =
				openat(fd, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

			if (sub >= 0)
				empty_dir(sub, depth + 1);
			if (unlinkat(fd, de->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
				continue;
		}
		return -errno;
	}
	return 0;
}

int rt_partition_remove(struct rt_partition *p, struct err *e)
{
	int r;

	/* The usual content by name first: no directory listing on the way of every short-lived partition. */
	unlinkat(p->dirfd, RT_SNAPSHOT_FILE, 0);
	unlinkat(p->dirfd, RT_STATE_FILE, 0);
	if (unlinkat(p->rootfd, p->id, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_set(e, errno, "remove the state directory of container \"%s\"", p->id);
	r = empty_dir(p->dirfd, 0);
	if (r < 0)
		return err_set(e, -r, "empty the state directory of container \"%s\"", p->id);
	if (unlinkat(p->rootfd, p->id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(e, errno, "remove the state directory of container \"%s\"", p->id);
	return 0;
}

/* --- status
 * ------------------------------------------------------------------------------------------------------------------------------
 */

const char *const rt_status_names[] = {
	[RT_CREATING] = "creating",
	[RT_CREATED] = "created",
	[RT_RUNNING] = "running",
	[RT_PAUSED] = "paused",
	[RT_STOPPED] = "stopped",
};

int rt_partition_status(const struct rt_partition *p, enum rt_status *out, struct err *e)
{
	if (p->damaged || p->creating) {
		/* While its creator lives, it holds the lock; we may be the creator ourselves. */
		if (p->locked) {
			*out = p->damaged ? RT_STOPPED : RT_CREATING;
		} else if (flock(p->dirfd, LOCK_SH | LOCK_NB) < 0) {
			*out = RT_CREATING;
		} else {
			flock(p->dirfd, LOCK_UN);
			*out = RT_STOPPED;
		}
		return 0;
	}
	return p->engine->status(p, out, e);
}

int rt_proc_stat(pid_t pid, uint64_t *start_time, char *state)
{
	char path[32], text[1024], *p;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	n = fd_get_at(AT_FDCWD, path, text, sizeof(text));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	/* The command name may hold blanks and parentheses: the last ')' ends it (proc(5)). */
	p = strrchr(text, ')');
	if (!p || p[1] != ' ')
		return -ESRCH;
	*state = p[2];
	/* p + 2 is field 3; field 22 is the start time. */
	p += 2;
	for (int field = 3; field < 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -ESRCH;
		p++;
	}
	p[strcspn(p, " ")] = '\0';
	return str_to_u64(p, start_time) < 0 ? -ESRCH : 0;
}

bool rt_alive(const struct rt_partition *p)
{
	uint64_t start;
	char state;

	return p->pid > 0 && rt_proc_stat(p->pid, &start, &state) == 0 && start == p->start_time &&
	       state != 'Z' && state != 'X';
}

int rt_pidfd(const struct rt_partition *p)
{
	int fd;

	if (p->pid <= 0)
		return -ESRCH;
	fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (fd < 0)
		return -errno;
	/* The pidfd is held: if the process is ours now, it cannot be replaced by another behind our back. */
	if (!rt_alive(p)) {
		fd_close(fd);
		return -ESRCH;
	}
	return fd;
}
