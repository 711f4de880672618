/* SPDX-License-Identifier: Apache-2.0 */
/* Upkeep: collecting what nothing leads to (see store.h). */
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "images/store_internal.h"
#include "images/unpack.h"

#define NESTED_MAX 8

/* --- what is reachable -------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

bool st_mark(struct st_marks *m, void **set, const char *text)
{
	char *copy;

	if (tfind(text, set, by_text))
		return true;
	copy = strdup(text);
	if (!copy || !tsearch(copy, set, by_text)) {
		free(copy);
		m->failed = true;
		return true;
	}
	return false;
}

bool st_is_marked(void *const *set, const char *text)
{
	return tfind(text, set, by_text);
}

void st_marks_free(struct st_marks *m)
{
	tdestroy(m->blobs, free);
	tdestroy(m->documents, free);
	tdestroy(m->layers, free);
}

/* Whatever a document is about, what it names by digest belongs to it: config, layers, subject, what a later
 * version adds. */
static void mark_strings(struct st_marks *m, const struct json *j)
{
	struct img_digest d;
	const struct json *child;

	if (j->type == JSON_STRING && img_digest_parse(j->text, &d, NULL) == 0)
		st_mark(m, &m->blobs, d.text);
	if (j->type == JSON_ARRAY || j->type == JSON_OBJECT)
		json_each (child, j)
			mark_strings(m, child);
}

static void mark_layers(
	struct img_store *s, struct st_marks *m, struct arena *a, const char *text, size_t len)
{
	struct img_manifest manifest;
	struct img_config config;
	struct img_digest chain;

	if (img_manifest_parse(a, text, len, "manifest", &manifest, NULL) < 0 ||
		manifest.config.media != IMG_MEDIA_CONFIG ||
		img_blob_read(s, &manifest.config, "config", a, &text, &len, NULL) < 0 ||
		img_config_parse(a, text, len, "config", &config, NULL) < 0)
		return;
	for (size_t i = 0; i < config.n_diff_ids; i++) {
		if (i == 0)
			chain = config.diff_ids[0];
		else
			img_chain_next(&chain, &config.diff_ids[i]);
		st_mark(m, &m->layers, img_digest_hex(&chain));
	}
}

/* Has the document been looked into from here already? What is this deep from one name may be less so from
 * another. */
static bool was_here(struct st_marks *m, const struct img_digest *d, int depth)
{
	char text[IMG_DIGEST_MAX + 16];

	snprintf(text, sizeof(text), "%d %s", depth, d->text);
	return st_mark(m, &m->documents, text);
}

/*
 * A document that is not there leads to nothing. One that is damaged might have led to anything: then nothing
 * may be collected. What an index says of a document (its size and type) may be a lie, which must not count
 * for those who lead to the same document and know better.
 */
static int mark_document(
	struct img_store *s, struct st_marks *m, const struct img_descriptor *d, int depth, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct img_descriptor any = *d;
	enum img_media kind;
	const struct json *j;
	struct img_index x;
	const char *text;
	size_t len;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "look for what is in use");
	if (!d->digest.text[0])
		return 0;
	st_mark(m, &m->blobs, d->digest.text);
	if (d->media != IMG_MEDIA_MANIFEST && d->media != IMG_MEDIA_INDEX && *d->media_type)
		return 0;
	if (depth > NESTED_MAX || was_here(m, &d->digest, depth) || !img_blob_has(s, &d->digest, -1))
		return 0;
	any.size = -1;
	r = img_blob_read(s, &any, d->digest.text, a, &text, &len, e);
	if (r < 0)
		return r;
	if (json_parse(a, text, len, "document", &j, NULL) < 0)
		return 0;
	mark_strings(m, j);
	kind = img_document_kind(text, len);
	if (kind == IMG_MEDIA_MANIFEST)
		mark_layers(s, m, a, text, len);
	if (kind != IMG_MEDIA_INDEX || img_index_parse(a, text, len, "index", &x, NULL) < 0)
		return 0;
	for (size_t i = 0; i < x.n_manifests; i++) {
		r = mark_document(s, m, &x.manifests[i], depth + 1, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool in_use(const struct img_use *uses, size_t n, const struct img_digest *d)
{
	for (size_t i = 0; i < n; i++)
		if (img_digest_eq(&uses[i].target, d))
			return true;
	return false;
}

/* Does an entry of the index stay? */
struct kept {
	const struct img_use *uses;
	size_t n;
	unsigned int how;
};

static bool is_kept(const struct img_descriptor *d, void *arg)
{
	const struct kept *k = arg;

	if (in_use(k->uses, k->n, &d->digest))
		return true;
	return st_entry_name(d) ? !(k->how & IMG_COLLECT_UNUSED) : k->how & IMG_COLLECT_KEEP_NAMELESS;
}

static int mark_all(struct img_store *s, unsigned int how, struct st_marks *m, struct arena *a,
	struct img_collected *c, struct err *e)
{
	struct kept kept = { .how = how };
	struct img_index x;
	struct img_use *uses;
	size_t n;
	int r = st_index_read(s, a, NULL, &x, e);

	if (r == 0)
		r = img_uses(s, a, &uses, &n, e);
	kept.uses = r == 0 ? uses : NULL;
	kept.n = r == 0 ? n : 0;
	for (size_t i = 0; r == 0 && i < x.n_manifests; i++) {
		const struct img_descriptor *d = &x.manifests[i];

		if (!is_kept(d, &kept)) {
			c->images++;
			continue;
		}
		r = mark_document(s, m, d, 0, e);
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct img_descriptor d = { .media_type = "", .digest = uses[i].target, .size = -1 };

		r = mark_document(s, m, &d, 0, e);
	}
	if (r == 0 && m->failed)
		return err_set(e, ENOMEM, "look for what is in use");
	return r;
}

/* --- sweeping ----------------------------------------------------------------------------------- */

int st_each_name(int dir, int (*each)(const char *name, void *arg, struct err *e), void *arg, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!d) {
		r = err_set(e, errno, "read a directory of the image store");
		fd_close(fd);
		return r;
	}
	while ((entry = readdir(d))) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		r = each(entry->d_name, arg, e);
		if (r < 0)
			return r;
	}
	return 0;
}

struct sweep {
	struct img_store *s;
	struct st_marks *m;
	struct img_collected *c;
	const char *algorithm;
	int dir;
	unsigned int how;
};

static int sweep_blob(const char *name, void *arg, struct err *e)
{
	struct sweep *w = arg;
	char text[NAME_MAX + 16];
	struct img_digest d;
	struct stat st;

	snprintf(text, sizeof(text), "%s:%s", w->algorithm, name);
	if (img_digest_parse(text, &d, NULL) < 0 || st_is_marked(&w->m->blobs, text) ||
		fstatat(w->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0; /* image-spec: extra files are ignored */
	if (!(w->how & IMG_COLLECT_DRY) && unlinkat(w->dir, name, 0) < 0)
		return err_set(e, errno, "remove %s from image store %s", text, w->s->path);
	w->c->blobs++;
	w->c->bytes += st.st_size;
	return 0;
}

/* Out of sight at once, so that it is never there in part; then away. */
int st_layer_remove(struct img_store *s, const char *name, struct err *e)
{
	char tmp[ST_TMP_NAME_MAX];

	st_tmp_name(s, "gone", tmp);
	if (renameat(s->layers, name, s->tmp, tmp) < 0)
		return errno == ENOENT
			       ? 0
			       : err_set(e, errno, "remove layer %s from image store %s", name, s->path);
	return img_tree_remove(s->tmp, tmp, e);
}

static int sweep_layer(const char *name, void *arg, struct err *e)
{
	struct sweep *w = arg;
	struct img_layer layer = { 0 };
	_cleanup_close_ int fd = -EBADF;

	if (st_is_marked(&w->m->layers, name))
		return 0;
	fd = openat(w->s->layers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		(void)st_layer_read(fd, name, &layer, NULL);
	w->c->layers++;
	w->c->bytes += layer.bytes + layer.erofs_bytes;
	return w->how & IMG_COLLECT_DRY ? 0 : st_layer_remove(w->s, name, e);
}

static int sweep_tmp(const char *name, void *arg, struct err *e)
{
	struct sweep *w = arg;
	struct stat st;

	if ((w->how & IMG_COLLECT_KEEP_PARTIAL) && str_starts(name, ST_PARTIAL))
		return 0;
	if (fstatat(w->s->tmp, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		w->c->bytes += st.st_size;
	return w->how & IMG_COLLECT_DRY ? 0 : img_tree_remove(w->s->tmp, name, e);
}

static int drop_entries(struct img_store *s, unsigned int how, struct arena *a, struct err *e)
{
	_cleanup_close_ int lock = st_lock(s, ST_INDEX_LOCK, LOCK_EX, e);
	struct img_use *uses;
	struct kept kept = { .how = how };
	int r;

	if (lock < 0)
		return lock;
	r = img_uses(s, a, &uses, &kept.n, e);
	if (r < 0)
		return r;
	kept.uses = uses;
	return st_index_filter(s, is_kept, &kept, e);
}

static int sweep_all(struct sweep *w, struct err *e)
{
	static const char *const algorithms[] = { "sha256", "sha512" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(algorithms); i++) {
		_cleanup_close_ int fd =
			openat(w->s->blobs, algorithms[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return err_set(
				e, errno, "read blobs/%s of image store %s", algorithms[i], w->s->path);
		w->algorithm = algorithms[i];
		w->dir = fd;
		r = st_each_name(fd, sweep_blob, w, e);
	}
	if (r == 0)
		r = st_each_name(w->s->layers, sweep_layer, w, e);
	if (r == 0)
		r = st_ready_sweep(w->s, &w->m->blobs, (w->how & IMG_COLLECT_DRY) != 0, e);
	if (r == 0)
		r = st_each_name(w->s->tmp, sweep_tmp, w, e);
	return r;
}

int img_store_collect(struct img_store *s, unsigned int how, struct img_collected *out, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_(st_marks_free) struct st_marks m = { 0 };
	struct img_collected c = { 0 };
	struct sweep w = { .s = s, .m = &m, .c = &c, .how = how };
	int r;

	if (!a)
		return err_set(e, ENOMEM, "collect");
	if (s->lock != IMG_EXCLUSIVE && !(how & IMG_COLLECT_DRY))
		return err_text(e, EINVAL, "collecting needs the image store's exclusive lock");
	r = mark_all(s, how, &m, a, &c, e);
	/* Names first: one that leads nowhere would be worse than content that nothing leads to. */
	if (r == 0 && !(how & IMG_COLLECT_DRY))
		r = drop_entries(s, how, a, e);
	if (r == 0)
		r = sweep_all(&w, e);
	if (r == 0)
		*out = c;
	return r;
}
