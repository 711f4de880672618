/* SPDX-License-Identifier: Apache-2.0 */
/* state and list: what there is. Takes no lock; state files are replaced whole. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/engine.h"
#include "runtime/lookup.h"

void rt_info_free(struct rt_info *i)
{
	arena_free(i->arena);
	*i = (struct rt_info){ 0 };
}

static char *copy(struct arena *a, const char *s)
{
	return arena_strdup(a, s ? s : "");
}

static int fill(struct rt_partition *p, struct rt_info *out, struct err *e)
{
	struct arena *a = arena_new();
	struct spec_annotation *list = NULL;
	enum rt_status status;
	const char *why;
	size_t n;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "tell the state of container \"%s\"", p->id);
	r = rt_partition_status(p, &status, e);
	if (r < 0) {
		arena_free(a);
		return r;
	}
	*out = (struct rt_info){
		.arena = a,
		.id = copy(a, p->id),
		.bundle = copy(a, p->bundle),
		.rootfs = copy(a, p->rootfs),
		.created = copy(a, p->created),
		.owner = lookup_user(a, p->owner),
		.oci_version = copy(a, p->oci_version ? p->oci_version : "1.0.0"),
		.engine = copy(a, p->engine->name),
		.status = status,
		.pid = status == RT_STOPPED ? 0 : p->pid,
		.apart = p->engine->apart,
		.scope = p->cgroup && cgrp_scope(p->cgroup) ? copy(a, cgrp_scope(p->cgroup)) : NULL,
	};
	why = status == RT_STOPPED && p->engine->failure ? p->engine->failure(p) : NULL;
	n = p->n_annotations + (why != NULL);
	if (n)
		list = arena_calloc(a, n, sizeof(*list));
	for (size_t i = 0; list && i < p->n_annotations; i++)
		list[i] = (struct spec_annotation){ .key = copy(a, p->annotations[i].key),
			.value = copy(a, p->annotations[i].value) };
	if (list && why)
		list[n - 1] = (struct spec_annotation){ RT_FAILURE_ANNOTATION, copy(a, why) };
	out->annotations = list;
	out->n_annotations = list ? n : 0;
	return 0;
}

int rt_info(const struct rt_ctx *ctx, const char *id, struct rt_info *out, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	int r = rt_partition_open(ctx, id, RT_UNLOCKED, &p, e);

	return r < 0 ? r : fill(p, out, e);
}

static int by_id(const void *a, const void *b)
{
	const struct rt_info *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static int append(struct rt_info **list, size_t *n, size_t *room, const struct rt_info *i)
{
	if (*n == *room) {
		size_t more = *room ? *room * 2 : 64;
		struct rt_info *bigger = reallocarray(*list, more, sizeof(**list));

		if (!bigger)
			return -ENOMEM;
		*list = bigger;
		*room = more;
	}
	(*list)[(*n)++] = *i;
	return 0;
}

int rt_list(const struct rt_ctx *ctx, struct rt_info **list, size_t *n, struct err *e)
{
	_cleanup_closedir_ DIR *d = NULL;
	_cleanup_close_ int rootfd = rt_root_open(ctx, false, e);
	struct dirent *de;
	size_t room = 0;
	int fd;

	*list = NULL;
	*n = 0;
	if (rootfd == -ENOENT && !ctx->root) {
		err_clear(e);
		return 0;
	}
	if (rootfd < 0)
		return rootfd;
	fd = openat(rootfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return err_set(e, errno, "list the state directory");
	}
	while ((de = readdir(d))) {
		struct rt_info info;

		/* Dot files are ours (".seccomp") or nobody's; an id that vanished while we looked is not
		 * listed. */
		if (de->d_name[0] == '.' || rt_check_id(de->d_name, NULL) < 0 ||
			rt_info(ctx, de->d_name, &info, NULL) < 0)
			continue;
		if (append(list, n, &room, &info) < 0) {
			rt_info_free(&info);
			return err_set(e, ENOMEM, "list containers");
		}
	}
	if (*n)
		qsort(*list, *n, sizeof(**list), by_id);
	return 0;
}

void rt_info_write(const struct rt_info *i, struct json_writer *w)
{
	json_put_string(w, "ociVersion", i->oci_version);
	json_put_string(w, "id", i->id);
	json_put_i64(w, "pid", i->pid);
	json_put_string(w, "status", rt_status_names[i->status]);
	json_put_string(w, "bundle", i->bundle);
	json_put_string(w, "rootfs", i->rootfs);
	json_put_string(w, "created", i->created);
	if (i->scope)
		json_put_string(w, "systemd-scope", i->scope);
	if (i->n_annotations) {
		json_open_object(w, "annotations");
		for (size_t k = 0; k < i->n_annotations; k++)
			json_put_string(w, i->annotations[k].key, i->annotations[k].value);
		json_close_object(w);
	}
	json_put_string(w, "owner", i->owner);
}
