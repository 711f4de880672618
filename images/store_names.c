/* SPDX-License-Identifier: Apache-2.0 */
/* Names: index.json, always written as a whole; and uses (see store.h). */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "images/ref.h"
#include "images/roots.h"
#include "images/store_internal.h"

#define INDEX_JSON  "index.json"
#define INDEX_TYPE  "application/vnd.oci.image.index.v1+json"
#define REF_NAME    "org.opencontainers.image.ref.name"
#define REPAIR_HINT "\"ringfence store check --repair\" makes it anew from the images that are there"

/* --- reading ------------------------------------------------------------------------------------ */

int st_index_read(
	struct img_store *s, struct arena *a, const struct json **json, struct img_index *out, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = fd_read_at(s->dir, INDEX_JSON, IMG_DOCUMENT_MAX, &text, &len);

	if (r < 0) {
		r = err_set(e, r, "read %s/" INDEX_JSON, s->path);
		err_hint(e, REPAIR_HINT);
		return r;
	}
	r = img_index_parse(a, text, len, INDEX_JSON, out, e);
	if (r == 0 && json)
		r = json_parse(a, text, len, INDEX_JSON, json, e);
	if (r == 0 || r == -ENOMEM)
		return r;
	err_wrap(e, "image store %s", s->path);
	err_hint(e, REPAIR_HINT);
	return -EBADMSG;
}

const char *st_entry_name(const struct img_descriptor *d)
{
	return d->ref_name ? d->ref_name : d->containerd_name;
}

int img_names(struct img_store *s, struct arena *a, struct img_name **out, size_t *n, struct err *e)
{
	struct img_index x;
	struct img_name *list;
	size_t kept = 0;
	int r = st_index_read(s, a, NULL, &x, e);

	if (r < 0)
		return r;
	list = arena_calloc(a, x.n_manifests + 1, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "list images");
	for (size_t i = 0; i < x.n_manifests; i++) {
		if (!x.manifests[i].digest.text[0])
			continue; /* another tool's, which we cannot verify */
		list[kept].name = st_entry_name(&x.manifests[i]);
		list[kept++].target = x.manifests[i];
	}
	*out = list;
	*n = kept;
	return 0;
}

/* --- writing ------------------------------------------------------------------------------------ */

static void put_entry(struct json_writer *w, const struct img_descriptor *d, const char *name)
{
	json_open_object(w, NULL);
	json_put_string(w, "mediaType", d->media_type);
	json_put_string(w, "digest", d->digest.text);
	json_put_i64(w, "size", d->size);
	if (d->has_platform) {
		const struct img_platform *p = &d->platform;

		json_open_object(w, "platform");
		json_put_string(w, "architecture", p->architecture ? p->architecture : "");
		json_put_string(w, "os", p->os ? p->os : "");
		if (p->os_version)
			json_put_string(w, "os.version", p->os_version);
		if (p->variant)
			json_put_string(w, "variant", p->variant);
		json_close_object(w);
	}
	if (name) {
		json_open_object(w, "annotations");
		json_put_string(w, REF_NAME, name);
		json_close_object(w);
	}
	json_close_object(w);
}

static int write_index(struct img_store *s, struct json_writer *w, struct err *e)
{
	size_t len;
	const char *text = json_writer_text(w, &len);

	if (!text)
		return err_set(e, ENOMEM, "write " INDEX_JSON);
	if (len > IMG_DOCUMENT_MAX)
		return err_text(e, E2BIG,
			"image store %s has too many names (%zu bytes of " INDEX_JSON "); remove some",
			s->path, len);
	return st_put(s, s->dir, INDEX_JSON, text, len, false, e);
}

/* All but the entries, as it was. */
static void begin_index(struct json_writer *w, const struct json *old)
{
	const struct json *m;

	json_open_object(w, NULL);
	if (old) {
		json_each (m, old)
			if (!str_eq(m->key, "manifests"))
				json_put_json(w, m->key, m);
	} else {
		json_put_i64(w, "schemaVersion", 2);
		json_put_string(w, "mediaType", INDEX_TYPE);
	}
	json_open_array(w, "manifests");
}

static void end_index(struct json_writer *w)
{
	json_close_array(w);
	json_close_object(w);
}

static bool names_it(const struct img_descriptor *d, const char *name)
{
	const char *have = st_entry_name(d);

	return name && have && str_eq(have, name);
}

/* Does an entry other than those of `name` lead to the same as x->manifests[at]? */
static bool led_to_otherwise(
	const struct img_index *x, size_t at, const char *name, const struct img_descriptor *target)
{
	if (img_digest_eq(&x->manifests[at].digest, &target->digest))
		return true;
	for (size_t i = 0; i < x->n_manifests; i++)
		if (i != at && (i < at || !names_it(&x->manifests[i], name)) &&
			img_digest_eq(&x->manifests[i].digest, &x->manifests[at].digest))
			return true;
	return false;
}

/*
 * The entries with `name` leading to `target`: in the place where it was, and once. What it led to stays,
 * without a name, if nothing else leads there; an entry without a name that leads to `target` has got one.
 */
static void put_entries(struct json_writer *w, const struct json *list, const struct img_index *x,
	const char *name, const struct img_descriptor *target)
{
	const struct json *m = list ? list->first : NULL;
	bool done = false;

	for (size_t i = 0; i < x->n_manifests; i++, m = m->next) {
		const struct img_descriptor *d = &x->manifests[i];

		if (names_it(d, name)) {
			if (!done)
				put_entry(w, target, name);
			done = true;
			if (!led_to_otherwise(x, i, name, target))
				put_entry(w, d, NULL);
		} else if (img_digest_eq(&d->digest, &target->digest) && (!name || !st_entry_name(d))) {
			/* The image is listed already; under `name` from now on. */
			if (!name)
				json_put_json(w, NULL, m);
			done = done || !name;
		} else {
			json_put_json(w, NULL, m);
		}
	}
	if (!done)
		put_entry(w, target, name);
}

/* Content first: a name never leads to what a power cut may still undo. */
static int make_durable(struct img_store *s, struct err *e)
{
	static const char *const dirs[] = { "sha256", "sha512" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_close_ int fd =
			openat(s->blobs, dirs[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0 || fsync(fd) < 0)
			return err_set(e, errno, "sync blobs/%s of image store %s", dirs[i], s->path);
	}
	if (fsync(s->layers) < 0)
		return err_set(e, errno, "sync layers of image store %s", s->path);
	return 0;
}

static int check_name(const char *name, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct img_ref ref;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "image name");
	r = img_ref_parse(a, name, &ref, e);
	if (r == 0 && (!ref.registry || (!ref.tag && !ref.digest.text[0])))
		return err_text(e, EINVAL, "image name \"%s\" is not a whole one (REGISTRY/PATH:TAG)", name);
	return r;
}

int img_name_set(struct img_store *s, const char *name, const struct img_descriptor *target, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_close_ int lock = -EBADF;
	const struct json *old;
	struct img_index x;
	int r = name ? check_name(name, e) : 0;

	if (r < 0)
		return r;
	if (!a || !w)
		return err_set(e, ENOMEM, "name image");
	if (!img_blob_has(s, &target->digest, target->size))
		return err_text(e, ENOENT, "cannot name %s: it is not in image store %s", target->digest.text,
			s->path);
	r = make_durable(s, e);
	if (r < 0)
		return r;
	lock = st_lock(s, ST_INDEX_LOCK, LOCK_EX, e);
	if (lock < 0)
		return lock;
	r = st_index_read(s, a, &old, &x, e);
	if (r < 0)
		return r;
	begin_index(w, old);
	put_entries(w, json_get(old, "manifests"), &x, name, target);
	end_index(w);
	return write_index(s, w, e);
}

int st_index_filter(struct img_store *s, bool (*keep)(const struct img_descriptor *d, void *arg), void *arg,
	struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct json *old, *m;
	struct img_index x;
	size_t gone = 0;
	int r;

	if (!a || !w)
		return err_set(e, ENOMEM, "write " INDEX_JSON);
	r = st_index_read(s, a, &old, &x, e);
	if (r < 0)
		return r;
	begin_index(w, old);
	m = json_get(old, "manifests") ? json_get(old, "manifests")->first : NULL;
	for (size_t i = 0; i < x.n_manifests; i++, m = m->next) {
		if (keep(&x.manifests[i], arg))
			json_put_json(w, NULL, m);
		else
			gone++;
	}
	end_index(w);
	return gone ? write_index(s, w, e) : 0;
}

int st_index_replace(struct img_store *s, const struct img_descriptor *entries, size_t n, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);

	if (!w)
		return err_set(e, ENOMEM, "write " INDEX_JSON);
	begin_index(w, NULL);
	for (size_t i = 0; i < n; i++)
		put_entry(w, &entries[i], NULL);
	end_index(w);
	return write_index(s, w, e);
}

struct removal {
	const char *name;
	bool by_digest;
	size_t found;
};

static bool stays(const struct img_descriptor *d, void *arg)
{
	struct removal *r = arg;
	bool is_it = r->by_digest ? str_eq(d->digest.text, r->name) : names_it(d, r->name);

	r->found += is_it;
	return !is_it;
}

int img_name_remove(struct img_store *s, const char *name, struct err *e)
{
	struct removal removal = { .name = name };
	struct img_digest digest;
	_cleanup_close_ int lock = st_lock(s, ST_INDEX_LOCK, LOCK_EX, e);
	int r;

	if (lock < 0)
		return lock;
	removal.by_digest = img_digest_parse(name, &digest, NULL) == 0;
	r = st_index_filter(s, stays, &removal, e);
	if (r == 0 && removal.found == 0)
		return err_text(e, ENOENT, "there is no image \"%s\" in image store %s", name, s->path);
	return r;
}

/* --- uses --------------------------------------------------------------------------------------- */

int img_use_set(struct img_store *s, const char *user, const struct img_digest *target, struct err *e)
{
	int r = img_user_check(user, e);

	if (r < 0)
		return r;
	if (!img_blob_has(s, target, -1))
		return err_text(e, ENOENT, "%s is not in image store %s", target->text, s->path);
	return st_put(s, s->uses, user, target->text, strlen(target->text), false, e);
}

int img_use_remove(struct img_store *s, const char *user, struct err *e)
{
	int r = img_user_check(user, e);

	if (r == 0 && unlinkat(s->uses, user, 0) < 0 && errno != ENOENT)
		return err_set(e, errno, "remove %s/uses/%s", s->path, user);
	return r;
}

int img_uses(struct img_store *s, struct arena *a, struct img_use **out, size_t *n, struct err *e)
{
	int fd = openat(s->uses, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	_cleanup_free_ struct img_use *list = NULL;
	const struct dirent *entry;
	struct img_use *copy;
	size_t count = 0, room = 0;

	if (!d) {
		int r = err_set(e, errno, "read %s/uses", s->path);

		fd_close(fd);
		return r;
	}
	while ((entry = readdir(d))) {
		struct img_use use = { 0 };
		_cleanup_free_ char *text = NULL;

		if (entry->d_name[0] == '.')
			continue;
		/* One that cannot be read must not look as if it were none: its image would be collected. */
		if (fd_read_at(s->uses, entry->d_name, IMG_DIGEST_MAX, &text, NULL) < 0 ||
			img_digest_parse(text, &use.target, NULL) < 0)
			return err_text(e, EBADMSG,
				"%s/uses/%s cannot be read; remove it if nothing of that name is left",
				s->path, entry->d_name);
		use.user = arena_strdup(a, entry->d_name);
		if (count == room) {
			struct img_use *more = realloc(list, (room = room ? room * 2 : 16) * sizeof(*list));

			if (!more)
				return err_set(e, ENOMEM, "read %s/uses", s->path);
			list = more;
		}
		list[count++] = use;
	}
	copy = arena_calloc(a, count + 1, sizeof(*copy));
	if (!copy)
		return err_set(e, ENOMEM, "read %s/uses", s->path);
	if (count)
		memcpy(copy, list, count * sizeof(*copy));
	*out = copy;
	*n = count;
	return 0;
}
