/* SPDX-License-Identifier: Apache-2.0 */
/* img_pull(): from a name to an image in the store (see transfer.h; transfer_fetch.c has the threads). */
#include "base/log.h"
#include "base/str.h"
#include "images/transfer_internal.h"

#define NESTED_MAX 4 /* indexes in indexes, as the store has it */
/* What a whole index may make us fetch and keep in memory. */
#define WALKS_MAX 16384
#define TEXT_MAX  (64U << 20)
#define ITEMS_MAX 65536

/* --- progress ----------------------------------------------------------------------------------- */

static struct pull_progress *locked(struct img_progress *base)
{
	struct pull_progress *p = (struct pull_progress *)base; /* its first member */

	pthread_mutex_lock(&p->lock);
	return p;
}

static void progress_begin(struct img_progress *base, int item, const char *what, int64_t total)
{
	struct pull_progress *p = locked(base);

	if (p->to)
		p->to->begin(p->to, item, what, total);
	pthread_mutex_unlock(&p->lock);
}

static void progress_at(struct img_progress *base, int item, int64_t now)
{
	struct pull_progress *p = locked(base);

	if (p->to)
		p->to->at(p->to, item, now);
	pthread_mutex_unlock(&p->lock);
}

static void progress_end(struct img_progress *base, int item, const char *how)
{
	struct pull_progress *p = locked(base);

	if (p->to)
		p->to->end(p->to, item, how);
	pthread_mutex_unlock(&p->lock);
}

/* A layer's unpacking, which knows it by its place in the image, under the number of its item. */
struct renumbered {
	struct img_progress base;
	struct img_progress *to;
	int item;
};

static void renumbered_begin(struct img_progress *base, int item, const char *what, int64_t total)
{
	struct renumbered *p = (struct renumbered *)base;

	p->to->begin(p->to, p->item, what, total);
}

static void renumbered_at(struct img_progress *base, int item, int64_t now)
{
	struct renumbered *p = (struct renumbered *)base;

	p->to->at(p->to, p->item, now);
}

static void renumbered_end(struct img_progress *base, int item, const char *how)
{
	struct renumbered *p = (struct renumbered *)base;

	p->to->end(p->to, p->item, how);
}

/* --- documents ---------------------------------------------------------------------------------- */

static const struct img_platform *platform(const struct pull *p)
{
	return p->o->platform.os || p->o->platform.architecture ? &p->o->platform : NULL;
}

static int put_document(
	struct pull *p, const struct img_digest *digest, const char *text, size_t len, struct err *e)
{
	struct img_writer *w;
	int64_t have;
	int r;

	if (img_blob_has(p->s, digest, (int64_t)len))
		return 0;
	r = img_writer_open(p->s, digest, (int64_t)len, &w, &have, e);
	if (r < 0)
		return r;
	r = img_writer_restart(w, e);
	if (r == 0)
		r = img_writer_add(w, text, len, e);
	if (r == 0)
		return img_writer_commit(w, NULL, NULL, e);
	img_writer_abort(w, false);
	return r;
}

/* A manifest that an index leads to: from the store, from its descriptor, or from a registry. */
static int get_document(
	struct pull *p, const struct img_descriptor *d, const char **text, size_t *len, struct err *e)
{
	struct err why = ERR_INIT;
	int r;

	if (!d->digest.text[0])
		return err_text(e, EOPNOTSUPP, "the index has an entry whose digest cannot be verified here");
	if (d->size > IMG_DOCUMENT_MAX)
		return err_text(e, EMSGSIZE, "%s: %lld bytes is too large for a manifest", d->digest.text,
			(long long)d->size);
	if ((img_blob_has(p->s, &d->digest, d->size) || d->data) &&
		img_blob_read(p->s, d, d->digest.text, p->a, text, len, NULL) == 0)
		return 0;
	for (size_t i = 0; i < p->place->n_endpoints; i++) {
		_cleanup_free_ char *buf = NULL, *type = NULL;
		struct img_registry *g;
		struct img_digest digest;
		char *copy;

		err_clear(&why);
		r = pull_connect(p, pull_endpoint(p, i), &g, &why);
		if (r == 0)
			r = img_registry_manifest(g, d->digest.text, &buf, len, &type, &digest, &why);
		if (r == 0)
			r = img_digest_check(buf, *len, &d->digest, d->size, d->digest.text, &why);
		if (r == 0) {
			copy = arena_strndup(p->a, buf, *len);
			*text = copy;
			return copy ? 0 : err_set(e, ENOMEM, "%s", d->digest.text);
		}
		if (i == 0)
			err_text(e, -r, "%s", why.text);
		if (r == -EINTR)
			break;
	}
	return -e->code;
}

static int walk(struct pull *p, const struct img_descriptor *d, const char *text, size_t len, int depth,
	struct err *e);

static int walk_to(struct pull *p, const struct img_descriptor *d, int depth, struct err *e)
{
	struct img_descriptor at = *d;
	const char *text;
	size_t len;
	int r;

	if (depth > NESTED_MAX)
		return err_text(e, EINVAL, "indexes are nested more than %d deep", NESTED_MAX);
	if (++p->walks > WALKS_MAX)
		return err_text(e, E2BIG, "its indexes list more than %d images", WALKS_MAX);
	r = get_document(p, d, &text, &len, e);
	if (r < 0)
		return r;
	p->text_bytes += len;
	if (p->text_bytes > TEXT_MAX)
		return err_text(e, E2BIG, "it has more than %u MiB of documents", TEXT_MAX >> 20);
	if (at.media != IMG_MEDIA_INDEX && at.media != IMG_MEDIA_MANIFEST)
		at.media = img_document_kind(text, len);
	return walk(p, &at, text, len, depth, e);
}

static int walk_index(
	struct pull *p, const char *what, const char *text, size_t len, int depth, struct err *e)
{
	const struct img_descriptor *next;
	struct img_platform host;
	const struct img_platform *want = platform(p);
	struct img_index x;
	int r = img_index_parse(p->a, text, len, what, &x, e);

	if (r < 0)
		return r;
	if (p->o->all_platforms) {
		for (size_t i = 0; i < x.n_manifests && r == 0; i++)
			r = walk_to(p, &x.manifests[i], depth + 1, e);
		return r;
	}
	if (!want) {
		img_platform_host(&host);
		want = &host;
	}
	next = img_index_choose(&x, want);
	if (!next)
		return err_text(e, ENOENT, "there is no image for platform %s/%s%s%s among the %zu of it",
			want->os, want->architecture, want->variant ? "/" : "",
			want->variant ? want->variant : "", x.n_manifests);
	return walk_to(p, next, depth + 1, e);
}

/* Layers first, so that their numbers are those of the progress. */
static int walk_manifest(struct pull *p, const char *what, const char *text, size_t len, struct err *e)
{
	struct img_manifest m;
	int r = img_manifest_parse(p->a, text, len, what, &m, e);

	/* Of a whole index some are signatures and the like. */
	if (r == 0 && !p->o->all_platforms)
		r = img_manifest_check(&m, what, e);
	if (r < 0)
		return r;
	if (m.config.size > IMG_DOCUMENT_MAX)
		return err_text(e, EMSGSIZE, "%s: %lld bytes is too large for a config", what,
			(long long)m.config.size);
	if (p->n_items + m.n_layers >= ITEMS_MAX)
		return err_text(e, E2BIG, "its images have more than %d layers", ITEMS_MAX);
	for (size_t i = 0; i < m.n_layers; i++)
		if (pull_add(p, &m.layers[i], false) < 0)
			return err_set(e, ENOMEM, "%s", what);
	return pull_add(p, &m.config, true) < 0 ? err_set(e, ENOMEM, "%s", what) : 0;
}

static int walk(struct pull *p, const struct img_descriptor *d, const char *text, size_t len, int depth,
	struct err *e)
{
	int r;

	if (d->media == IMG_MEDIA_INDEX)
		r = walk_index(p, d->digest.text, text, len, depth, e);
	else if (d->media == IMG_MEDIA_MANIFEST)
		r = walk_manifest(p, d->digest.text, text, len, e);
	else
		return err_text(e, EINVAL, "%s is neither a manifest nor an index, but \"%.80s\"",
			d->digest.text, d->media_type);
	return r < 0 ? r : put_document(p, &d->digest, text, len, e);
}

/* --- finding it --------------------------------------------------------------------------------- */

struct document {
	struct img_descriptor d;
	const char *text;
	size_t len;
};

static void drop_connections(struct pull *p)
{
	for (size_t i = 0; p->connections && i < p->place->n_endpoints; i++)
		img_registry_close(p->connections[i]);
	free(p->connections);
	p->connections = NULL;
}

static int ask_endpoint(struct pull *p, size_t i, struct document *out, struct err *e)
{
	const struct img_endpoint *at = &p->place->endpoints[i];
	_cleanup_free_ char *text = NULL, *type = NULL;
	struct img_descriptor d = { 0 };
	struct img_registry *g;
	size_t len;
	int r = pull_connect(p, i, &g, e);

	if (r == 0)
		r = img_registry_manifest(g, at->what, &text, &len, &type, &d.digest, e);
	if (r < 0)
		return r;
	d.size = (int64_t)len;
	d.media = img_media_of(type);
	d.media_type = arena_strdup(p->a, type);
	if (d.media != IMG_MEDIA_INDEX && d.media != IMG_MEDIA_MANIFEST) {
		/* What servers call a document that they do not know. */
		d.media = img_document_kind(text, len);
		if (d.media == IMG_MEDIA_INDEX)
			d.media_type = "application/vnd.oci.image.index.v1+json";
		else if (d.media == IMG_MEDIA_MANIFEST)
			d.media_type = "application/vnd.oci.image.manifest.v1+json";
	}
	out->text = arena_strndup(p->a, text, len);
	if (!out->text || !d.media_type)
		return err_set(e, ENOMEM, "manifest");
	out->len = len;
	out->d = d;
	return 0;
}

/* One name at all its places. Their errors are gathered. */
static int ask_candidate(struct pull *p, const struct img_candidate *c, struct document *out,
	struct strbuf *errors, struct err *why)
{
	int r = 0;

	p->place = c;
	p->connections = calloc(c->n_endpoints, sizeof(struct img_registry *));
	if (!p->connections)
		return err_set(why, ENOMEM, "pull");
	for (size_t i = 0; i < c->n_endpoints; i++) {
		err_clear(why);
		r = ask_endpoint(p, i, out, why);
		if (r == 0) {
			p->chosen = i;
			return 0;
		}
		strbuf_printf(errors, "%s%s", errors->len ? "; " : "", why->text);
		if (r == -EINTR)
			break;
	}
	drop_connections(p);
	return r;
}

static int find_image(struct pull *p, const char *name, struct document *out, struct err *e)
{
	_cleanup_strbuf_ struct strbuf errors = { 0 };
	const struct img_registries *rs;
	struct img_candidate *list;
	struct err why = ERR_INIT;
	struct img_ref ref;
	size_t n, places = 0;
	int r = img_ref_parse(p->a, name, &ref, e);

	if (r == 0)
		r = img_registries_load(p->a, p->o->registries_conf, &rs, e);
	if (r == 0)
		r = img_registries_resolve(p->a, rs, &ref, &list, &n, e);
	if (r < 0)
		return r;
	p->ro.helpers = img_registries_helpers(rs);
	for (size_t i = 0; i < n; i++) {
		places += list[i].n_endpoints;
		r = ask_candidate(p, &list[i], out, &errors, &why);
		if (r == 0 || r == -EINTR)
			break;
	}
	if (r < 0)
		return places == 1 || r == -EINTR ? err_text(e, -r, "%s", why.text)
						  : err_text(e, -r, "none of %zu places has it: %s", places,
							    errors.s ? errors.s : "");
	return 0;
}

/* --- bringing it in ----------------------------------------------------------------------------- */

/* As the image's own config has it, which for an image without an index nobody has looked at yet. */
static int check_platform(const struct pull *p, const struct img_image *image, struct err *e)
{
	const struct img_platform *have = &image->config.platform, *want = platform(p);
	struct img_descriptor d = { .has_platform = true, .media = IMG_MEDIA_MANIFEST, .media_type = "" };
	struct img_index one = { .manifests = &d, .n_manifests = 1 };
	struct img_platform host;

	if (!have->os || !have->architecture || !*have->os || !*have->architecture)
		return 0;
	d.digest = image->manifest_desc.digest;
	d.platform = *have;
	img_platform_host(&host);
	if (img_index_choose(&one, want ? want : &host))
		return 0;
	if (want)
		return err_text(e, ENOENT, "the image is for platform %s/%s, and there is none for %s/%s",
			have->os, have->architecture, want->os, want->architecture);
	log_warn("the image is for platform %s/%s, and this machine is %s/%s", have->os, have->architecture,
		host.os, host.architecture);
	return 0;
}

/* Each layer as soon as it is there and those below it are unpacked. */
static int unpack(struct pull *p, const struct img_image *image, struct err *e)
{
	struct renumbered progress = {
		.base = { renumbered_begin, renumbered_at, renumbered_end },
		.to = &p->progress.base,
	};

	for (size_t i = 0; i < image->manifest.n_layers; i++) {
		int item = pull_find(p, &image->manifest.layers[i].digest);
		int r = item < 0 ? err_text(e, EINVAL, "layer %zu is not of this image", i)
				 : pull_wait(p, (size_t)item, e);

		progress.item = item;
		if (r == 0)
			r = img_layer_unpack(p->s, image, i, &progress.base, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* While the threads fetch: what can be done with what they have fetched. */
static int look_at_image(struct pull *p, const struct img_descriptor *target, struct err *e)
{
	struct img_name n = { .target = *target };
	struct img_image image;
	int r = 0;

	/* All of them, since which one it is the store's own rules say. */
	for (size_t i = 0; i < p->n_items && r == 0; i++)
		if (p->items[i].is_config)
			r = pull_wait(p, i, e);
	if (r == 0)
		r = img_image_load(p->s, p->a, &n, platform(p), &image, e);
	if (r == 0)
		r = check_platform(p, &image, e);
	return r == 0 && p->o->unpack ? unpack(p, &image, e) : r;
}

static int bring_in(struct pull *p, struct document *doc, struct img_name *out, struct err *e)
{
	const char *name = img_ref_text(p->a, &p->place->ref);
	struct err why = ERR_INIT;
	int r, finished;

	if (!name)
		return err_set(e, ENOMEM, "image name");
	r = walk(p, &doc->d, doc->text, doc->len, 0, e);
	if (r == 0)
		r = pull_start(p, e);
	if (r < 0)
		return err_wrap(e, "%s", name);
	r = look_at_image(p, &doc->d, &why);
	/* A whole index need not have an image for this machine. */
	if (r == -ENOENT && p->o->all_platforms && !p->o->unpack && !platform(p))
		r = 0;
	finished = pull_finish(p, r < 0, e);
	if (r < 0 || finished < 0)
		return r < 0 ? err_text(e, -r, "%s: %s", name, why.text) : err_wrap(e, "%s", name);
	r = img_name_set(p->s, name, &doc->d, e);
	if (r < 0)
		return r;
	out->name = name;
	out->target = doc->d;
	return 0;
}

/* 1: the store has it, whole. */
static int is_there(struct pull *p, const char *name, struct img_name *out, struct err *e)
{
	struct img_image image;
	int r = img_image_find(p->s, p->a, name, platform(p), &image, NULL);

	if (r < 0)
		return 0;
	for (size_t i = 0; i < image.manifest.n_layers; i++)
		if (!img_blob_has(p->s, &image.manifest.layers[i].digest, image.manifest.layers[i].size))
			return 0;
	r = p->o->unpack ? img_layers_unpack(p->s, &image, &p->progress.base, e) : 0;
	if (r < 0)
		return r;
	out->name = image.name;
	out->target = image.target;
	return 1;
}

int img_pull(struct img_store *s, const char *name, const struct img_pull_opts *o,
	struct img_progress *progress, struct arena *a, struct img_name *out, struct err *e)
{
	struct pull p = {
		.s = s,
		.o = o,
		.ro = o->registry,
		.a = a,
		.progress = { .base = { progress_begin, progress_at, progress_end },
			.to = progress,
			.lock = PTHREAD_MUTEX_INITIALIZER },
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	struct err own = ERR_INIT;
	struct document doc;
	int r = 0;

	e = e ? e : &own;
	p.ro.stop = pull_is_stopped;
	p.ro.stop_arg = &p;
	if (o->only_if_missing)
		r = is_there(&p, name, out, e);
	if (r == 0) {
		r = find_image(&p, name, &doc, e);
		if (r == 0)
			r = bring_in(&p, &doc, out, e);
	}
	if (p.place)
		drop_connections(&p);
	free(p.items);
	free(p.threads);
	pthread_cond_destroy(&p.changed);
	pthread_mutex_destroy(&p.lock);
	pthread_mutex_destroy(&p.progress.lock);
	return r < 0 ? r : 0;
}
