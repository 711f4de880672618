/* SPDX-License-Identifier: Apache-2.0 */
/* The partitions in the guest: mostly one; several, where a pod shares the machine (guest.h, plan.h). */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "runtime/seccomp_cache.h"
#include "sandbox/guest/guest.h"

void guest_bundle(uint32_t number, const char *file, char path[GUEST_PATH_MAX])
{
	snprintf(path, GUEST_PATH_MAX, GUEST_BUNDLE "/%u%s%s", number, *file ? "/" : "", file);
}

void guest_state(uint32_t number, char path[GUEST_PATH_MAX])
{
	snprintf(path, GUEST_PATH_MAX, GUEST_STATE "/%u", number);
}

struct guest_partition *guest_partition_new(struct guest *g, uint32_t id)
{
	struct guest_partition *p = calloc(1, sizeof(*p));
	char path[GUEST_PATH_MAX];

	guest_bundle(id, "", path);
	if (!p)
		return NULL;
	if (mkdir(path, 0700) < 0) {
		int code = errno;

		free(p);
		errno = code;
		return NULL;
	}
	*p = (struct guest_partition){ .id = id, .oom = -EBADF, .oom_polled = -1 };
	p->next = g->partitions;
	g->partitions = p;
	return p;
}

struct guest_partition *guest_partition_find(const struct guest *g, uint32_t id)
{
	struct guest_partition *p = g->partitions;

	while (p && p->id != id)
		p = p->next;
	return p;
}

void guest_partition_remove(struct guest *g, struct guest_partition *p)
{
	const struct proto_msg none = { .id = p->id };

	p->under_way = guest_work(g, WORK_DELETE, &none, NULL) == 0;
}

void guest_partition_undo(struct guest *g, struct guest_partition *p, const struct guest_worker *w)
{
	p->late = malloc(sizeof(*p->late));
	if (p->late) {
		*p->late = (struct guest_late){
			.serial = w->serial, .exec_failed = w->a.exec_failed, .error = w->a.error
		};
		guest_partition_remove(g, p);
	} else {
		guest_refuse(g, w->id, w->serial, &w->a.error, w->a.exec_failed);
	}
	if (!p->under_way)
		guest_partition_free(g, p);
}

/* The filters that the runtime has compiled: nobody will ask for them again. */
static void forget_filters(uint32_t number)
{
	char path[GUEST_PATH_MAX];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), GUEST_STATE "/%u/" RT_SECCOMP_CACHE, number);
	dir = opendir(path);
	while (dir && (d = readdir(dir)))
		unlinkat(dirfd(dir), d->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(path);
}

void guest_partition_free(struct guest *g, struct guest_partition *p)
{
	static const char *const files[] = { "config.json", "plan.json", NULL };
	struct guest_partition **at = &g->partitions;
	char path[GUEST_PATH_MAX];

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	fd_close(p->oom);
	for (int i = 0; files[i]; i++) {
		guest_bundle(p->id, files[i], path);
		unlink(path);
	}
	guest_bundle(p->id, "", path);
	rmdir(path);
	forget_filters(p->id);
	guest_state(p->id, path);
	rmdir(path);
	if (p->late)
		guest_refuse(g, p->id, p->late->serial, &p->late->error, p->late->exec_failed);
	free(p->late);
	free(p);
}

/* --- what CREATE says
 * ------------------------------------------------------------------------------------------------ */

/* A member of a document, as text, in a file; without it, where `but` is its name. */
static int keep(uint32_t number, const char *file, const struct json *j, const char *but, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	char path[GUEST_PATH_MAX];
	const struct json *v;
	const char *text;
	size_t len = 0;

	if (!w)
		return err_set(e, ENOMEM, "keep what is to be created");
	json_open_object(w, NULL);
	json_each (v, j)
		if (!but || !str_eq(v->key, but))
			json_put_json(w, v->key, v);
	json_close_object(w);
	text = json_writer_text(w, &len);
	if (!text)
		return err_set(e, ENOMEM, "keep what is to be created");
	guest_bundle(number, file, path);
	unlink(path);
	return guest_put_file(path, text, len, e);
}

int guest_plan_keep(const struct proto_msg *create, struct arena *a, struct err *e)
{
	const struct json *j, *config;
	int r = json_parse(a, (const char *)create->data, create->len, "CREATE", &j, e);

	if (r < 0)
		return r;
	config = json_get(j, "config");
	if (config)
		r = keep(create->id, "config.json", config, NULL, e);
	return r < 0 ? r : keep(create->id, "plan.json", j, "config", e);
}

int guest_plan_read(
	const struct guest *g, uint32_t number, struct arena *a, struct guest_plan *out, struct err *e)
{
	const struct guest_process *first = guest_process_find(g, 0);
	_cleanup_free_ char *text = NULL;
	char path[GUEST_PATH_MAX];
	size_t len;
	int r;

	guest_bundle(number, "plan.json", path);
	r = fd_read_at(AT_FDCWD, path, PROTO_MESSAGE_MAX, &text, &len);
	if (r == -ENOENT)
		return err_text(e, ESRCH, "there is no partition yet");
	if (r < 0)
		return err_set(e, -r, "read %s", path);
	r = guest_plan_parse(g, text, len, a, out, e);
	out->number = number;
	out->first = first ? first->pid : 0;
	return r;
}

/* --- memory
 * ---------------------------------------------------------------------------------------------------- */

/* v2 counts, in a file that changes for other reasons, too; v1's eventfd is each time. */
static bool new_oom(struct guest_partition *p)
{
	char text[512];
	const char *at;
	uint64_t n = 0;
	ssize_t len;

	if (p->oom_how & POLLIN)
		return read(p->oom, &n, sizeof(n)) == sizeof(n) && n > 0;
	len = pread(p->oom, text, sizeof(text) - 1, 0);
	if (len < 0)
		return false;
	text[len] = '\0';
	at = strstr(text, "oom_kill ");
	n = at ? strtoull(at + strlen("oom_kill "), NULL, 10) : 0;
	if (n == p->oom_seen)
		return false;
	p->oom_seen = n;
	return true;
}

void guest_look_for_oom(struct guest *g, struct guest_partition *p)
{
	if (p->oom >= 0 && new_oom(p))
		guest_say(g, PROTO_OOM, 0, p->id, 0, NULL, 0);
}

void guest_partitions_poll(struct guest *g)
{
	for (struct guest_partition *p = g->partitions; p; p = p->next)
		p->oom_polled = guest_poll_add(g, p->oom, p->oom_how);
}

void guest_partitions_serve(struct guest *g)
{
	for (struct guest_partition *p = g->partitions; p; p = p->next) {
		short got = guest_polled(g, p->oom_polled);

		p->oom_polled = -1;
		if (got)
			guest_look_for_oom(g, p);
		/* A cgroup that is gone would wake us for ever; v2 says POLLERR with every change. */
		if ((got & POLLHUP) || (got && (p->oom_how & POLLIN) && !(got & POLLIN)))
			p->oom = fd_close(p->oom);
	}
}
