/* SPDX-License-Identifier: Apache-2.0 */
/* What a partition's directory keeps: state.json and the snapshot, written and read (see partition.h). */
#include "runtime/partition.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/engine.h"

#define STATE_MAX (16U * 1024U * 1024U)

/* --- state.json
 * ----------------------------------------------------------------------------------------------------------------------
 */

static const char *member(struct rt_partition *p, const struct json *j, const char *name)
{
	const char *s = NULL;

	j = json_get(j, name);
	if (j)
		json_as_string(j, name, &s, NULL);
	return s;
}

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

int rt_state_read(struct rt_partition *p, struct err *e)
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

int rt_snapshot_head_read(struct rt_partition *p)
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
 * ids are root's (crun does the same), and so are they in one that comes without maps. What more ids there
 * are to have is added by subids_extend().
 *
 * For root, crun maps the host's root then, and nobody else: a partition that was to be kept from being the
 * host's root is just that. runc refuses, and so do we.
 */
static int add_user_ns(struct spec *s, struct err *e)
{
	const struct spec_ns_entry *user = &s->ns[SPEC_NS_USER];
	struct spec_id_map *maps;

	if (user->present ? user->path || s->n_uid_map : rt_caller() == 0)
		return 0;
	if (rt_caller() == 0) {
		err_text(e, EINVAL,
			"linux.uidMappings and linux.gidMappings must have entries: linux.namespaces has a "
			"new user namespace");
		return err_hint(e, "for example {\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}");
	}
	maps = arena_calloc(s->arena, 2, sizeof(*maps));
	if (!maps)
		return err_set(e, ENOMEM, "add a user namespace");
	maps[0] = (struct spec_id_map){ .host_id = rt_caller(), .size = 1 };
	maps[1] = (struct spec_id_map){ .host_id = getegid(), .size = 1 };
	s->ns[SPEC_NS_USER].present = true;
	s->uid_map = &maps[0];
	s->gid_map = &maps[1];
	s->n_uid_map = s->n_gid_map = 1;
	s->maps_added = true;
	return 0;
}

static struct {
	int (*adapt)(struct spec *s, void *arg, struct err *e);
	void *arg;
} adapter;

void rt_set_adapter(int (*adapt)(struct spec *s, void *arg, struct err *e), void *arg)
{
	adapter.adapt = adapt;
	adapter.arg = arg;
}

int rt_adapt_spec(struct spec *s, struct err *e)
{
	int r;

	if (!s->seccomp.listener_path)
		s->seccomp.listener_path = spec_annotation(s, "run.oci.seccomp.receiver");
	r = add_user_ns(s, e);
	return r == 0 && adapter.adapt ? adapter.adapt(s, adapter.arg, e) : r;
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
	_cleanup_free_ char *tag = rt_root_tag(ctx, NULL);
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
