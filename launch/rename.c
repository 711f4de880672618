/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rename: a partition that does not run gets another name.
 *
 * The new name is taken by an empty, locked directory, as a new partition would take it; what must outlive a
 * crash on both sides of the change (the image's pin) is made for it beforehand and taken from the old one
 * afterwards. rename(2) of the old directory over the empty one is the moment at which it happens.
 * config.json and then launch.json follow: of one that was cut short there, the directory says what it is
 * called, and whoever is about to run it or to look into it goes on with it first (launch_rename_finish()).
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/roots.h"
#include "launch/host.h"
#include "launch/ids.h"
#include "launch/network.h"
#include "launch/record.h"

#define CONFIG "config.json"

/* --- config.json: paths below the partition's directory ------------------------------------------------ */

struct paths {
	const char *from, *to; /* with a slash at the end */
	/* As the overlay's options have them: ':', ',' and '\' with a '\' before. */
	const char *escaped_from, *escaped_to;
};

static const char *with_slash(struct arena *a, const char *path, bool escape)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	for (; *path; path++) {
		if (escape && strchr(":,\\", *path))
			strbuf_puts(&b, "\\");
		strbuf_add(&b, path, 1);
	}
	strbuf_puts(&b, "/");
	return b.failed ? NULL : arena_strdup(a, b.s);
}

static const char *replace(struct arena *a, const char *s, const char *from, const char *to)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	const char *at;

	if (!s || !strstr(s, from))
		return s;
	while ((at = strstr(s, from))) {
		strbuf_add(&b, s, (size_t)(at - s));
		strbuf_puts(&b, to);
		s = at + strlen(from);
	}
	strbuf_puts(&b, s);
	return b.failed ? NULL : arena_strdup(a, b.s);
}

/* False: no memory. */
static bool copy(
	struct json_writer *w, const char *name, const struct json *j, const struct paths *p, struct arena *a)
{
	const struct json *child;
	const char *text;
	bool ok = true;

	switch (j->type) {
	case JSON_OBJECT:
		json_open_object(w, name);
		json_each (child, j)
			ok = ok && copy(w, child->key, child, p, a);
		json_close_object(w);
		return ok;
	case JSON_ARRAY:
		json_open_array(w, name);
		json_each (child, j)
			ok = ok && copy(w, NULL, child, p, a);
		json_close_array(w);
		return ok;
	case JSON_STRING:
		text = replace(a, j->text, p->from, p->to);
		if (text && !str_eq(p->from, p->escaped_from))
			text = replace(a, text, p->escaped_from, p->escaped_to);
		if (text)
			json_put_string(w, name, text);
		return text != NULL;
	default:
		json_put_json(w, name, j);
		return true;
	}
}

/* The text of config.json as it is to be under the new name. */
static int rewrite_config(const struct launch_dir *old, const struct launch_dir *new, struct arena *a,
	const char **text, size_t *len, struct err *e)
{
	_cleanup_free_ char *before = NULL;
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const struct paths p = {
		.from = with_slash(a, old->path, false),
		.to = with_slash(a, new->path, false),
		.escaped_from = with_slash(a, old->path, true),
		.escaped_to = with_slash(a, new->path, true),
	};
	const struct json *j;
	const char *after;
	size_t n;
	int r = fd_read_at(old->fd, CONFIG, SPEC_FILE_MAX, &before, &n);

	if (r < 0)
		return err_set(e, -r, "read %s/%s", old->path, CONFIG);
	r = json_parse(a, before, n, CONFIG, &j, e);
	if (r < 0)
		return err_wrap(e, "partition \"%s\"", old->record.name);
	if (!w || !p.from || !p.to || !p.escaped_from || !p.escaped_to || !copy(w, NULL, j, &p, a))
		return err_set(e, ENOMEM, "rewrite %s/%s", old->path, CONFIG);
	after = json_writer_text(w, len);
	*text = after ? arena_printf(a, "%s\n", after) : NULL;
	*len += 1;
	return *text ? 0 : err_set(e, ENOMEM, "rewrite %s/%s", old->path, CONFIG);
}

/* --- the rest --------------------------------------------------------------------------------------------
 */

static int check_ended(
	const struct launch_ctx *ctx, const struct launch_dir *d, struct arena *a, struct err *e)
{
	const char *name = d->record.name;
	struct rt_ctx rt = launch_rt(ctx, &d->record);
	struct launch_state s;
	struct rt_info info;
	struct err ignored = ERR_INIT;
	bool runs;
	int r;

	if (d->damaged)
		return err_text(e, EINVAL,
			"partition \"%s\": launch.json is damaged; remove it with \"ringfence rm --force\"",
			name);
	r = launch_state_read(d, a, &s, e);
	if (r < 0)
		return r;
	runs = launch_supervised(&s);
	r = rt_info(&rt, name, &info, &ignored);
	if (r == 0) {
		runs = runs || info.status != RT_STOPPED;
		rt_info_free(&info);
	}
	if (runs)
		return err_text(e, EBUSY,
			"partition \"%s\" runs, and its processes, cgroup and network have its name; stop it "
			"first",
			name);
	/* What is left of a run that nobody saw end has the old name, too. */
	if (r == 0)
		r = rt_delete(&rt, name, true, e);
	else
		r = 0;
	return r < 0 ? r : launch_network_down(ctx, name, e);
}

static int pin(const struct launch_ctx *ctx, const struct launch_record *record, const char *name,
	struct arena *a, struct err *e)
{
	struct img_root root = { 0 };
	const char *store;
	int r;

	if (!record->target)
		return 0;
	r = launch_store_path(ctx, a, &store, e);
	if (r == 0) {
		r = img_root_find_target(store, record->target, NULL, name, a, &root, e);
		img_root_close(&root);
	}
	return r;
}

static void unpin(
	const struct launch_ctx *ctx, const struct launch_record *record, const char *name, struct arena *a)
{
	struct err ignored = ERR_INIT;
	const char *store;

	if (record->target && launch_store_path(ctx, a, &store, &ignored) == 0)
		img_root_unpin(store, name, &ignored);
}

int launch_rename_finish(const struct launch_ctx *ctx, struct launch_dir *d, struct arena *a, struct err *e)
{
	struct launch_dir before = *d;
	struct stat st;
	const char *text;
	size_t len;
	int r;

	if (!d->was)
		return 0;
	before.record.name = d->was;
	before.path =
		arena_printf(a, "%.*s%s", (int)(strlen(d->path) - strlen(d->record.name)), d->path, d->was);
	r = before.path ? rewrite_config(&before, d, a, &text, &len, e) : err_set(e, ENOMEM, "rename");
	if (r == 0)
		r = fd_replace_at(d->fd, CONFIG, 0600, text, len, e);
	if (r == 0 && d->record.ids >= 0)
		r = launch_ids_rename(ctx, d->was, d->record.name, d->record.ids, e);
	/* The name may be another's by now. */
	if (r == 0 && fstatat(d->partitions, d->was, &st, AT_SYMLINK_NOFOLLOW) < 0)
		unpin(ctx, &d->record, d->was, a);
	/* Last: it says that all of it is done. */
	if (r == 0)
		r = launch_record_write(d, &d->record, e);
	if (r == 0)
		d->was = NULL;
	return r;
}

/* Both directories are locked. */
static int rename_locked(const struct launch_ctx *ctx, struct launch_dir *old, struct launch_dir *new,
	struct arena *a, struct err *e)
{
	const char *from = old->record.name, *to = new->record.name, *text;
	_cleanup_close_ int held = -EBADF;
	struct launch_record record = old->record;
	size_t len;
	/* It is done when it has happened; that it can be is seen before. */
	int r = rewrite_config(old, new, a, &text, &len, e);

	if (r == 0)
		r = pin(ctx, &record, to, a, e);
	if (r < 0)
		return r;
	/* Who looks for what partitions use must not look past this one. */
	held = launch_host_hold(ctx, a, e);
	if (held < 0 && held != -ENOENT) {
		unpin(ctx, &record, to, a);
		return held;
	}
	err_clear(e);
	if (renameat(old->partitions, from, old->partitions, to) < 0) {
		r = err_set(e, errno, "rename %s to %s", old->path, new->path);
		unpin(ctx, &record, to, a);
		return r;
	}
	record.name = to;
	old->record = record;
	old->path = new->path;
	old->was = from;
	r = launch_rename_finish(ctx, old, a, e);
	return r < 0 ? err_wrap(e, "partition \"%s\", which was \"%s\"", to, from) : 0;
}

int launch_rename(const struct launch_ctx *ctx, const char *old, const char *name, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_dir from = LAUNCH_DIR_INIT, to = LAUNCH_DIR_INIT;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "rename \"%s\"", old);
	if (str_eq(old, name))
		return err_text(e, EINVAL, "partition \"%s\" has that name already", old);
	r = launch_dir_open(ctx, old, true, a, &from, e);
	if (r < 0)
		return r;
	r = check_ended(ctx, &from, a, e);
	if (r == 0)
		r = launch_rename_finish(ctx, &from, a, e);
	if (r == 0)
		r = launch_dir_new(ctx, name, a, &to, e);
	if (r == 0) {
		r = rename_locked(ctx, &from, &to, a, e);
		/* Still the empty one, if it has not come to that. */
		if (r < 0 && launch_dir_there(&to))
			unlinkat(to.partitions, name, AT_REMOVEDIR);
	}
	launch_dir_close(&to);
	launch_dir_close(&from);
	return r;
}
