/* SPDX-License-Identifier: Apache-2.0 */
/* img_load() of an OCI image layout (image-spec image-layout.md). */
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "images/load_internal.h"
#include "images/ref.h"

#define NESTED_MAX 4 /* indexes in indexes, as the store has it */

/* --- documents ---------------------------------------------------------------------------------- */

static int read_top(struct load *l, const char *name, const char **text, size_t *len, struct err *e)
{
	const struct img_source_file *f;
	int r = img_source_find(l->ar, name, &f, e);

	return r < 0 ? r : img_source_read(l->ar, f, name, l->a, text, len, e);
}

static int check_version(struct load *l, struct err *e)
{
	const char *text, *version = "";
	const struct json *j;
	size_t len;
	int r = read_top(l, "oci-layout", &text, &len, e);

	if (r == 0)
		r = json_parse(l->a, text, len, "oci-layout", &j, e);
	if (r == 0 && json_get(j, "imageLayoutVersion"))
		r = json_as_string(json_get(j, "imageLayoutVersion"), "imageLayoutVersion", &version, e);
	if (r == 0 && !str_starts(version, "1."))
		return err_text(e, ENOTSUP, "its oci-layout has version \"%.40s\"; 1.0.0 is known", version);
	return r;
}

/* --- from a descriptor to all that it needs ----------------------------------------------------- */

static int walk(struct load *l, const struct img_descriptor *d, int depth, struct err *e);

static int walk_layers(
	struct load *l, struct arena *a, const struct img_manifest *m, const char *what, struct err *e)
{
	struct img_config c = { 0 };
	bool image = img_manifest_check(m, what, NULL) == 0;
	const char *text, *label = arena_printf(a, "config of %s", what);
	size_t len;
	int r, blob;

	if (!label)
		return err_set(e, ENOMEM, "%s", what);
	if (image) {
		r = load_document(l, a, &m->config, label, &text, &len, e);
		if (r >= 0)
			r = img_config_parse(a, text, len, label, &c, e);
		if (r == 0)
			r = img_image_check(m, &c, what, e);
	} else {
		r = load_need(l, &m->config, label, e);
	}
	/* All there before any is uncompressed, which takes time. */
	for (size_t i = 0; i < m->n_layers && r >= 0; i++) {
		label = arena_printf(a, "layer %zu of %s", i, what);
		r = label ? load_need(l, &m->layers[i], label, e) : err_set(e, ENOMEM, "%s", what);
	}
	for (size_t i = 0; i < m->n_layers && r >= 0 && image; i++) {
		blob = load_need(l, &m->layers[i], what, e);
		r = blob < 0 ? blob : load_verify_layer(l, blob, i, &c.diff_ids[i], e);
	}
	return r < 0 ? r : 0;
}

/*
 * Those of its images that are there: `docker save` and `ctr export` of one platform keep the whole list. At
 * least one.
 */
static int walk_children(
	struct load *l, const struct img_index *x, const char *what, int depth, struct err *e)
{
	struct err missing = ERR_INIT;
	size_t found = 0;

	for (size_t i = 0; i < x->n_manifests; i++) {
		const struct img_descriptor *d = &x->manifests[i];
		size_t before = l->n_blobs;
		struct err why = ERR_INIT;
		int r;

		if (!d->digest.text[0])
			continue;
		r = walk(l, d, depth + 1, &why);
		if (r == -ENOENT) {
			log_debug("%s: %s", what, why.text);
			l->n_blobs = before;
			missing = missing.code ? missing : why;
		} else if (r < 0) {
			return err_text(e, -r, "%s", why.text);
		} else {
			found++;
		}
	}
	if (found == 0 && x->n_manifests)
		return missing.code ? err_text(e, missing.code, "%s", missing.text)
				    : err_text(e, EOPNOTSUPP, "%s: no digest in it can be verified", what);
	return 0;
}

static int walk_document(
	struct load *l, struct arena *a, const struct img_descriptor *d, int depth, struct err *e)
{
	const char *what = d->digest.text, *text;
	enum img_media media = d->media;
	struct img_manifest m;
	struct img_index x;
	size_t len;
	int place = load_document(l, a, d, what, &text, &len, e), r;

	if (place < 0 || l->blobs[place].walked)
		return place < 0 ? place : 0;
	if (media != IMG_MEDIA_INDEX && media != IMG_MEDIA_MANIFEST)
		media = img_document_kind(text, len);
	if (media == IMG_MEDIA_INDEX) {
		r = img_index_parse(a, text, len, what, &x, e);
		if (r == 0)
			r = walk_children(l, &x, what, depth, e);
	} else if (media == IMG_MEDIA_MANIFEST) {
		r = img_manifest_parse(a, text, len, what, &m, e);
		if (r == 0)
			r = walk_layers(l, a, &m, what, e);
	} else {
		return err_text(e, EINVAL, "%s is neither a manifest nor an index, but \"%.80s\"", what,
			d->media_type);
	}
	if (r == 0)
		l->blobs[place].walked = true;
	return r;
}

/* Documents are as large as whoever made them likes, and many: each is forgotten when it has been looked at.
 */
static int walk(struct load *l, const struct img_descriptor *d, int depth, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();

	if (!a)
		return err_set(e, ENOMEM, "%s", d->digest.text);
	if (depth > NESTED_MAX)
		return err_text(e, EINVAL, "indexes are nested more than %d deep", NESTED_MAX);
	if (++l->walks > LOAD_WALKS_MAX)
		return err_text(e, E2BIG, "its indexes list more than %d images", LOAD_WALKS_MAX);
	return walk_document(l, a, d, depth, e);
}

/* --- names -------------------------------------------------------------------------------------- */

/* "/tmp/alpine-3.18.tar.gz": "alpine-3.18", where that can be a component of a name. */
static const char *name_of_file(struct load *l)
{
	static const char *const ends[] = { ".gz", ".zst", ".xz", ".bz2", ".tgz", ".tar", ".oci" };
	size_t len = strlen(l->path);
	char *base;
	struct img_ref ref;

	while (len > 1 && l->path[len - 1] == '/')
		len--;
	base = arena_strndup(l->a, l->path, len);
	if (!base)
		return NULL;
	base = strrchr(base, '/') ? strrchr(base, '/') + 1 : base;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (str_ends(base, ends[i]) && strlen(base) > strlen(ends[i]))
			base[strlen(base) - strlen(ends[i])] = '\0';
	return img_ref_parse(l->a, base, &ref, NULL) == 0 && !ref.tag && !ref.registry ? base : NULL;
}

/*
 * What an entry is called: containerd's annotation is always a whole name; image-spec's is one with buildah,
 * podman and skopeo, and only a tag with docker, containerd and umoci. A tag goes to the file's own name.
 */
static int name_of(struct load *l, const struct img_descriptor *d, const char **out, struct err *e)
{
	const char *text = d->containerd_name ? d->containerd_name : d->ref_name, *file;
	struct img_ref ref;
	int r;

	*out = NULL;
	if (!text || !*text || l->name)
		return 0;
	if (!d->containerd_name && !strpbrk(text, "/:@")) {
		file = str_eq(l->path, "-") ? NULL : name_of_file(l);
		if (!file)
			return 0;
		text = arena_printf(l->a, "localhost/%s:%s", file, text);
		if (!text)
			return err_set(e, ENOMEM, "load image");
	}
	r = img_ref_parse(l->a, text, &ref, e);
	if (r == 0)
		r = img_ref_qualify(l->a, &ref, d->containerd_name ? "docker.io" : "localhost", &ref, e);
	if (r < 0)
		return r;
	*out = img_ref_text(l->a, &ref);
	return *out ? 0 : err_set(e, ENOMEM, "load image");
}

int load_oci(struct load *l, struct err *e)
{
	const char *text, *name;
	struct img_index x;
	size_t len;
	int r = check_version(l, e);

	if (r == 0)
		r = read_top(l, "index.json", &text, &len, e);
	if (r == 0)
		r = img_index_parse(l->a, text, len, "index.json", &x, e);
	if (r < 0)
		return r;
	if (x.n_manifests == 0)
		return err_text(e, EINVAL, "there is no image in it");
	if (x.n_manifests > LOAD_IMAGES_MAX)
		return err_text(
			e, E2BIG, "index.json has %zu images, more than %d", x.n_manifests, LOAD_IMAGES_MAX);
	for (size_t i = 0; i < x.n_manifests && r == 0; i++) {
		struct img_descriptor d = x.manifests[i];

		r = walk(l, &d, 0, e);
		if (r == 0)
			r = name_of(l, &d, &name, e);
		if (r == 0)
			r = load_image(l, &d, name, e);
	}
	return r;
}
