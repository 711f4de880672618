/* SPDX-License-Identifier: Apache-2.0 */
/* img_save() as an OCI image layout, in a directory or a tar: blobs as the store has them. */
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "images/save_internal.h"

#define LAYOUT	   "{\"imageLayoutVersion\":\"1.0.0\"}"
#define NESTED_MAX 4

static void blob_name(const struct img_digest *d, char buf[IMG_DIGEST_MAX + 16])
{
	snprintf(buf, IMG_DIGEST_MAX + 16, "blobs/%s/%s", img_digest_algorithm(d), img_digest_hex(d));
}

static int put_blob(struct save *v, const struct img_descriptor *d, struct err *e)
{
	char name[IMG_DIGEST_MAX + 16];

	blob_name(&d->digest, name);
	return save_blob(v, d, name, e);
}

/* --- what a descriptor leads to ----------------------------------------------------------------- */

static int put_target(struct save *v, const struct img_descriptor *d, int depth, struct err *e);

static bool is_there(struct save *v, const struct img_descriptor *d)
{
	return img_blob_has(v->s, &d->digest, d->size);
}

static int put_manifest(
	struct save *v, const struct img_descriptor *d, const struct img_manifest *m, struct err *e)
{
	int r = is_there(v, &m->config) ? 0 : -ENOENT;

	for (size_t i = 0; i < m->n_layers && r == 0; i++)
		r = is_there(v, &m->layers[i]) ? 0 : -ENOENT;
	if (r < 0)
		return err_text(e, -r, "%s: not all of it is in the store; pull it again", d->digest.text);
	r = put_blob(v, d, e);
	if (r == 0)
		r = put_blob(v, &m->config, e);
	for (size_t i = 0; i < m->n_layers && r == 0; i++)
		r = put_blob(v, &m->layers[i], e);
	return r;
}

/* Of a list what is there: mostly this machine's image only. */
static int put_index(
	struct save *v, const struct img_descriptor *d, const struct img_index *x, int depth, struct err *e)
{
	int r = put_blob(v, d, e);

	for (size_t i = 0; i < x->n_manifests && r == 0; i++) {
		struct err why = ERR_INIT;

		if (!is_there(v, &x->manifests[i]))
			continue;
		r = put_target(v, &x->manifests[i], depth + 1, &why);
		if (r == -ENOENT) {
			log_debug("%s: %s", d->digest.text, why.text);
			r = 0;
		} else if (r < 0) {
			err_text(e, -r, "%s", why.text);
		}
	}
	return r;
}

static int put_target(struct save *v, const struct img_descriptor *d, int depth, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	enum img_media media = d->media;
	char name[IMG_DIGEST_MAX + 16];
	struct img_manifest m;
	struct img_index x;
	const char *text;
	size_t len;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "save");
	if (depth > NESTED_MAX)
		return err_text(
			e, EINVAL, "%s: indexes are nested more than %d deep", d->digest.text, NESTED_MAX);
	/* Documents are written before what they lead to, so this one is done. */
	blob_name(&d->digest, name);
	if (save_has_written(v, name))
		return 0;
	r = img_blob_read(v->s, d, d->digest.text, a, &text, &len, e);
	if (r < 0)
		return r;
	if (media != IMG_MEDIA_INDEX && media != IMG_MEDIA_MANIFEST)
		media = img_document_kind(text, len);
	if (media == IMG_MEDIA_INDEX) {
		r = img_index_parse(a, text, len, d->digest.text, &x, e);
		return r < 0 ? r : put_index(v, d, &x, depth, e);
	}
	r = img_manifest_parse(a, text, len, d->digest.text, &m, e);
	return r < 0 ? r : put_manifest(v, d, &m, e);
}

/* --- index.json --------------------------------------------------------------------------------- */

static const char *type_of(const struct img_descriptor *d)
{
	if (*d->media_type)
		return d->media_type;
	return d->media == IMG_MEDIA_INDEX ? "application/vnd.oci.image.index.v1+json"
					   : "application/vnd.oci.image.manifest.v1+json";
}

/* podman, buildah and skopeo read the one annotation, containerd and docker the other. */
static void put_entry(struct json_writer *w, const struct save_image *image)
{
	const struct img_descriptor *d = &image->image.target;

	json_open_object(w, NULL);
	json_put_string(w, "mediaType", type_of(d));
	json_put_string(w, "digest", d->digest.text);
	json_put_i64(w, "size", d->size);
	if (image->name) {
		json_open_object(w, "annotations");
		json_put_string(w, "io.containerd.image.name", image->name);
		json_put_string(w, "org.opencontainers.image.ref.name", image->name);
		json_close_object(w);
	}
	json_close_object(w);
}

static int put_index_json(struct save *v, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text;
	size_t len;

	if (!w)
		return err_set(e, ENOMEM, "save");
	json_open_object(w, NULL);
	json_put_i64(w, "schemaVersion", 2);
	json_put_string(w, "mediaType", "application/vnd.oci.image.index.v1+json");
	json_open_array(w, "manifests");
	for (size_t i = 0; i < v->n_images; i++)
		put_entry(w, &v->images[i]);
	json_close_array(w);
	json_close_object(w);
	text = json_writer_text(w, &len);
	return text ? save_text(v->sink, "index.json", text, len, e) : err_set(e, ENOMEM, "save");
}

int save_oci(struct save *v, struct err *e)
{
	int r = save_text(v->sink, "oci-layout", LAYOUT, strlen(LAYOUT), e);

	if (r == 0)
		r = put_index_json(v, e);
	for (size_t i = 0; i < v->n_images && r == 0; i++)
		r = put_target(v, &v->images[i].image.target, 0, e);
	return r;
}
