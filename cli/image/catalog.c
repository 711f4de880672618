/* SPDX-License-Identifier: Apache-2.0 */
/* The images of a store (see catalog.h). */
#include "cli/image/catalog.h"

#include "base/log.h"

#define TEXT_BYTES_MAX (16U << 20) /* of documents that indexes lead to, which are kept in memory */

int catalog_open(
	const struct image_ctx *ctx, enum img_lock lock, int wait, struct img_store **out, struct err *e)
{
	int r = img_store_open(ctx->store, false, lock, wait, out, e);

	if (r == -ENOENT && !ctx->store) {
		err_clear(e);
		*out = NULL;
		return 0;
	}
	return r;
}

static int64_t size_of(const struct img_image *image)
{
	int64_t size = (int64_t)image->manifest_len + (int64_t)image->config_len;

	for (size_t i = 0; i < image->manifest.n_layers; i++)
		if (__builtin_add_overflow(size, image->manifest.layers[i].size, &size))
			return -1;
	return size;
}

/* An earlier name of the same target: its documents are not read again, however many names there are. */
static const struct catalog_image *same_target(const struct catalog *c, const struct img_name *n)
{
	for (size_t i = 0; i + 1 < c->n; i++)
		if (!c->list[i].other && img_digest_eq(&c->list[i].entry.target.digest, &n->target.digest) &&
			c->list[i].entry.target.size == n->target.size &&
			c->list[i].entry.target.media == n->target.media)
			return &c->list[i];
	return NULL;
}

/* `manifest` NULL: what the name leads to; else one of its index's. */
static int load(
	struct catalog *c, struct catalog_image *i, const struct img_descriptor *manifest, struct err *e)
{
	const struct catalog_image *same = manifest ? NULL : same_target(c, &i->entry);
	struct img_name n = i->entry;
	struct err why = ERR_INIT;

	if (same) {
		i->broken = same->broken;
		i->image = same->image;
		i->image.name = n.name;
		i->created = same->created;
		i->size = same->size;
		return 0;
	}
	if (manifest)
		n.target = *manifest;
	if (img_image_load(c->s, c->a, &n, manifest ? &manifest->platform : NULL, &i->image, &why) < 0) {
		i->broken = arena_strdup(c->a, why.text);
		return i->broken ? 0 : err_set(e, ENOMEM, "list images");
	}
	i->image.target = i->entry.target;
	i->created = text_time(i->image.config.created);
	i->size = size_of(&i->image);
	return 0;
}

static int add(
	struct catalog *c, const struct img_name *n, const struct img_descriptor *manifest, struct err *e)
{
	struct catalog_image *i = &c->list[c->n++];

	*i = (struct catalog_image){
		.entry = *n, .other = manifest != NULL, .created = TEXT_NO_TIME, .size = -1
	};
	if (n->name && img_ref_parse(c->a, n->name, &i->ref, NULL) == 0) {
		struct img_ref bare = { .registry = i->ref.registry, .path = i->ref.path };

		i->repository = img_ref_text(c->a, &bare);
		if (!i->repository)
			return err_set(e, ENOMEM, "list images");
	} else if (n->name) {
		i->repository = n->name; /* some other tool's kind of name */
		i->ref = (struct img_ref){ 0 };
	}
	return load(c, i, manifest, e);
}

/* Room for `more` entries. */
static int reserve(struct catalog *c, size_t *room, size_t more, struct err *e)
{
	struct catalog_image *list;

	if (c->n + more <= *room)
		return 0;
	*room = (c->n + more) * 2;
	list = arena_calloc(c->a, *room, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "list images");
	if (c->n)
		memcpy(list, c->list, c->n * sizeof(*list));
	c->list = list;
	return 0;
}

/* Is the manifest one that is listed already, since `first`? */
static bool is_listed(const struct catalog *c, size_t first, const struct img_digest *d)
{
	for (size_t k = first; k < c->n; k++)
		if (!c->list[k].broken && img_digest_eq(&c->list[k].image.manifest_desc.digest, d))
			return true;
	return false;
}

/* Those of list[from], which has another name for the same index, for the last entry. */
static int copy_others(struct catalog *c, size_t *room, size_t from, struct err *e)
{
	size_t to = c->n - 1;

	for (size_t k = from + 1; k < to && c->list[k].other; k++) {
		int r = reserve(c, room, 1, e);

		if (r < 0)
			return r;
		c->list[c->n] = c->list[k];
		c->list[c->n].entry = c->list[to].entry;
		c->list[c->n].ref = c->list[to].ref;
		c->list[c->n].repository = c->list[to].repository;
		c->list[c->n++].image.name = c->list[to].entry.name;
	}
	return 0;
}

/* The images of an index that are in the store, one for each platform, the host's first. */
static int add_others(struct catalog *c, size_t *room, const struct img_name *n, struct err *e)
{
	const struct catalog_image *same = same_target(c, n);
	size_t first = c->n - 1, len;
	const char *text;
	struct img_index x;
	int r;

	if (same)
		return copy_others(c, room, (size_t)(same - c->list), e);
	if (img_blob_read(c->s, &n->target, "index", c->a, &text, &len, NULL) < 0 ||
		img_document_kind(text, len) != IMG_MEDIA_INDEX ||
		img_index_parse(c->a, text, len, "index", &x, NULL) < 0)
		return 0;
	for (size_t i = 0; i < x.n_manifests; i++) {
		const struct img_descriptor *d = &x.manifests[i];
		bool known = false;

		if (!d->has_platform || !d->platform.os || str_eq(d->platform.os, "unknown") ||
			is_listed(c, first, &d->digest) || !img_blob_has(c->s, &d->digest, d->size))
			continue;
		if (c->text_bytes > TEXT_BYTES_MAX) {
			log_warn("%s: its index lists more than can be shown",
				n->name ? n->name : n->target.digest.text);
			break;
		}
		r = reserve(c, room, 1, e);
		if (r == 0)
			r = add(c, n, d, e);
		if (r < 0)
			return r;
		c->text_bytes +=
			c->list[c->n - 1].image.manifest_len + c->list[c->n - 1].image.config_len + 1024;
		for (size_t k = first; k + 1 < c->n; k++)
			known = known || catalog_same(&c->list[k], &c->list[c->n - 1]);
		if (known || c->list[c->n - 1].broken)
			c->n--;
	}
	return 0;
}

int catalog_load(struct img_store *s, struct arena *a, bool all, struct catalog *out, struct err *e)
{
	struct catalog c = { .s = s, .a = a };
	struct img_name *names;
	size_t n, room = 0;
	int r = 0;

	if (s)
		r = img_names(s, a, &names, &n, e);
	if (s && r == 0)
		r = img_uses(s, a, &c.uses, &c.n_uses, e);
	for (size_t i = 0; s && r == 0 && i < n; i++) {
		r = reserve(&c, &room, 1, e);
		if (r == 0)
			r = add(&c, &names[i], NULL, e);
		if (r == 0 && all)
			r = add_others(&c, &room, &names[i], e);
	}
	if (r == 0)
		*out = c;
	return r;
}

bool catalog_same(const struct catalog_image *x, const struct catalog_image *y)
{
	if (x->broken || y->broken)
		return x->broken && y->broken &&
		       img_digest_eq(&x->entry.target.digest, &y->entry.target.digest);
	return img_digest_eq(&x->image.id, &y->image.id);
}

const char *catalog_id(const struct catalog_image *i)
{
	return img_digest_hex(i->broken ? &i->entry.target.digest : &i->image.id);
}

const char *catalog_user(const struct catalog *c, const struct img_digest *target, size_t *at)
{
	for (; *at < c->n_uses; ++*at)
		if (img_digest_eq(&c->uses[*at].target, target))
			return c->uses[(*at)++].user;
	return NULL;
}

const char *catalog_label(char *const *labels, const char *key)
{
	for (size_t i = 0; labels && labels[i] && labels[i + 1]; i += 2)
		if (str_eq(labels[i], key))
			return labels[i + 1];
	return NULL;
}

/* NULL: it has none, or there is no memory. */
static const char *name_of(const struct catalog *c, const struct catalog_image *i, bool digest)
{
	if (!digest || !i->repository)
		return i->entry.name;
	return arena_printf(c->a, "%s@%s", i->repository, i->entry.target.digest.text);
}

void catalog_put_names(struct json_writer *w, const char *key, bool digests, const struct catalog *c,
	const struct catalog_image *i)
{
	const char **put = arena_calloc(c->a, c->n + 1, sizeof(*put));
	size_t n = 0;

	json_open_array(w, key);
	for (size_t k = 0; put && k < c->n; k++) {
		const char *name = catalog_same(&c->list[k], i) ? name_of(c, &c->list[k], digests) : NULL;

		/* Two tags of one repository are one name with a digest. */
		if (!name || strv_has((char *const *)put, name))
			continue;
		put[n++] = name;
		json_put_string(w, NULL, name);
	}
	json_close_array(w);
}

void catalog_put_labels(struct json_writer *w, char *const *labels)
{
	json_open_object(w, "Labels");
	for (size_t i = 0; labels && labels[i] && labels[i + 1]; i += 2)
		json_put_string(w, labels[i], labels[i + 1]);
	json_close_object(w);
}

int catalog_print_json(struct json_writer *w, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	const char *text = json_writer_text(w, NULL);

	if (text) {
		text_safe_json(&b, text);
		strbuf_puts(&b, "\n");
	}
	if (!text || b.failed)
		return err_set(e, ENOMEM, "write JSON");
	return cli_print(b.s, b.len, e);
}
