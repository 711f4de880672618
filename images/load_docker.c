/* SPDX-License-Identifier: Apache-2.0 */
/*
 * img_load() of what `docker save` writes: manifest.json is a list of images, each with its config, its names
 * and its layers as members of the archive. Also of skopeo's "dir:", whose manifest.json is one image's
 * manifest.
 */
#include "base/json.h"
#include "images/load_internal.h"
#include "images/ref.h"

struct docker_image {
	const char *config;
	const struct json *tags, *layers; /* arrays, or NULL */
};

/* --- manifest.json ------------------------------------------------------------------------------ */

static int get_array(
	const struct json *j, const char *name, size_t max, const struct json **out, struct err *e)
{
	*out = json_get(j, name);
	if (*out && (*out)->type != JSON_ARRAY)
		return err_text(e, EINVAL, "manifest.json: %s must be an array", name);
	if (*out && (*out)->count > max)
		return err_text(e, E2BIG, "manifest.json: %zu %s, more than %zu", (*out)->count, name, max);
	return 0;
}

static int read_image(const struct json *j, struct docker_image *out, struct err *e)
{
	int r;

	if (j->type != JSON_OBJECT)
		return err_text(e, EINVAL, "manifest.json is no list of images");
	if (!json_get(j, "Config"))
		return err_text(e, EINVAL, "manifest.json: Config is missing");
	r = json_as_string(json_get(j, "Config"), "Config", &out->config, e);
	if (r == 0)
		r = get_array(j, "RepoTags", LOAD_NAMES_MAX, &out->tags, e);
	if (r == 0)
		r = get_array(j, "Layers", IMG_LAYERS_MAX, &out->layers, e);
	return r;
}

static int find_member(struct load *l, const char *name, const struct img_source_file **out, struct err *e)
{
	int r = img_source_find(l->ar, name, out, e);

	return r == -ENOENT ? err_text(e, ENOENT, "\"%.200s\" is not in the archive", name) : r;
}

/* A name that ends in a whole digest, "HEX.json" or "blobs/sha256/HEX", promises that content. */
static int check_promise(const char *name, const struct img_digest *got, struct err *e)
{
	const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	size_t n = strspn(base, "0123456789abcdef");

	if (n != 64 || (base[n] && !str_eq(base + n, ".json")) || !str_starts(got->text, "sha256:") ||
		strncmp(img_digest_hex(got), base, n) == 0)
		return 0;
	return err_text(e, EBADMSG, "\"%.200s\" is %s: the archive is damaged, or forged", name, got->text);
}

/* --- from that to a manifest -------------------------------------------------------------------- */

static void put_descriptor(
	struct json_writer *w, const char *name, const char *type, const struct img_source_file *f)
{
	json_open_object(w, name);
	json_put_string(w, "mediaType", type);
	json_put_string(w, "digest", f->digest.text);
	json_put_i64(w, "size", f->size);
	json_close_object(w);
}

static int compression_of(struct load *l, const struct img_source_file *f, const char **type, struct err *e)
{
	_cleanup_close_ int fd = img_source_fd(l->ar, f, e);
	char start[16];
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, start, sizeof(start), 0);
	if (n < 0)
		return err_set(e, errno, "read layer");
	*type = img_layer_type(img_compression_of(start, (size_t)n));
	if (!*type)
		return err_text(e, EOPNOTSUPP,
			"it is compressed in a way for which image-spec has no type; gzip and zstd are "
			"known");
	return 0;
}

static int add_layer(struct load *l, struct json_writer *w, const char *name, size_t n,
	const struct img_digest *diff_id, struct err *e)
{
	const struct img_source_file *f;
	const char *type;
	int r = find_member(l, name, &f, e), blob;

	if (r == 0 && str_starts(name, "blobs/"))
		r = check_promise(name, &f->digest, e);
	if (r == 0)
		r = compression_of(l, f, &type, e);
	if (r < 0)
		return err_wrap(e, "layer %zu", n);
	blob = load_add_file(l, f, e);
	r = blob < 0 ? blob : load_verify_layer(l, blob, n, diff_id, e);
	if (r == 0)
		put_descriptor(w, NULL, type, f);
	return r;
}

static int make_manifest(struct load *l, const struct docker_image *d, const struct img_source_file *config,
	const struct img_config *c, struct img_descriptor *out, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	size_t n = d->layers ? d->layers->count : 0, i = 0, len;
	const char *text, *name;
	const struct json *j;
	int r = 0;

	if (!w)
		return err_set(e, ENOMEM, "manifest");
	if (n != c->n_diff_ids)
		return err_text(e, EINVAL, "manifest.json has %zu layers and %s has %zu diff_ids", n,
			d->config, c->n_diff_ids);
	json_open_object(w, NULL);
	json_put_i64(w, "schemaVersion", 2);
	json_put_string(w, "mediaType", "application/vnd.oci.image.manifest.v1+json");
	put_descriptor(w, "config", "application/vnd.oci.image.config.v1+json", config);
	json_open_array(w, "layers");
	json_each (j, d->layers) {
		r = json_as_string(j, "Layers", &name, e);
		if (r == 0)
			r = add_layer(l, w, name, i, &c->diff_ids[i], e);
		if (r < 0)
			return r;
		i++;
	}
	json_close_array(w);
	json_close_object(w);
	text = json_writer_text(w, &len);
	text = text ? arena_strndup(l->a, text, len) : NULL;
	if (!text)
		return err_set(e, ENOMEM, "manifest");
	if (len > IMG_DOCUMENT_MAX)
		return err_text(e, E2BIG, "its manifest is larger than %u bytes", IMG_DOCUMENT_MAX);
	r = load_add_file(l, config, e);
	if (r >= 0)
		r = load_add_text(l, text, len, &out->digest, e);
	out->size = (int64_t)len;
	out->media = IMG_MEDIA_MANIFEST;
	out->media_type = "application/vnd.oci.image.manifest.v1+json";
	return r < 0 ? r : 0;
}

/* --- images ------------------------------------------------------------------------------------- */

/* RepoTags are as docker's users write them: "busybox:1" is docker.io's. */
static int add_names(
	struct load *l, const struct docker_image *d, const struct img_descriptor *target, struct err *e)
{
	const struct json *j;
	struct img_ref ref;
	int r = 0;

	if (!d->tags || !d->tags->count || l->name)
		return load_image(l, target, NULL, e);
	json_each (j, d->tags) {
		const char *text;

		r = json_as_string(j, "RepoTags", &text, e);
		if (r == 0)
			r = img_ref_parse(l->a, text, &ref, e);
		if (r == 0)
			r = img_ref_qualify(l->a, &ref, "docker.io", &ref, e);
		if (r < 0)
			return r;
		text = img_ref_text(l->a, &ref);
		r = text ? load_image(l, target, text, e) : err_set(e, ENOMEM, "load image");
		if (r < 0)
			return r;
	}
	return 0;
}

static int load_one(struct load *l, const struct json *j, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct img_source_file *config;
	struct img_descriptor target = { 0 };
	struct docker_image d = { 0 };
	struct img_config c;
	const char *text;
	size_t len;
	int r = a ? read_image(j, &d, e) : err_set(e, ENOMEM, "load image");

	if (r == 0)
		r = find_member(l, d.config, &config, e);
	if (r == 0)
		r = check_promise(d.config, &config->digest, e);
	if (r == 0)
		r = img_source_read(l->ar, config, "config", a, &text, &len, e);
	if (r == 0)
		r = img_config_parse(a, text, len, "config", &c, e);
	if (r == 0)
		r = make_manifest(l, &d, config, &c, &target, e);
	return r < 0 ? r : add_names(l, &d, &target, e);
}

/* skopeo's "dir:": a manifest, and blobs by their digits. */
static int load_skopeo_dir(
	struct load *l, const struct img_source_file *f, const char *text, size_t len, struct err *e)
{
	struct img_descriptor d = { .digest = f->digest, .size = f->size };
	struct img_manifest m;
	struct img_config c;
	const char *config;
	size_t config_len;
	int r = img_manifest_parse(l->a, text, len, "manifest.json", &m, e), blob;

	if (r == 0)
		r = load_document(l, l->a, &m.config, "config", &config, &config_len, e);
	if (r >= 0)
		r = img_config_parse(l->a, config, config_len, "config", &c, e);
	if (r == 0)
		r = img_image_check(&m, &c, "manifest.json", e);
	for (size_t i = 0; r == 0 && i < m.n_layers; i++) {
		blob = load_need(l, &m.layers[i], "layer", e);
		r = blob < 0 ? blob : load_verify_layer(l, blob, i, &c.diff_ids[i], e);
	}
	blob = r < 0 ? r : load_add_file(l, f, e);
	if (blob < 0)
		return blob;
	d.media = IMG_MEDIA_MANIFEST;
	d.media_type = m.media_type ? m.media_type : "application/vnd.oci.image.manifest.v1+json";
	return load_image(l, &d, NULL, e);
}

int load_docker(struct load *l, struct err *e)
{
	const struct img_source_file *f;
	const struct json *j, *image;
	const char *text;
	size_t len;
	int r = img_source_find(l->ar, "manifest.json", &f, e);

	if (r == 0)
		r = img_source_read(l->ar, f, "manifest.json", l->a, &text, &len, e);
	if (r == 0)
		r = json_parse(l->a, text, len, "manifest.json", &j, e);
	if (r < 0)
		return r;
	if (j->type == JSON_OBJECT && json_get(j, "schemaVersion"))
		return load_skopeo_dir(l, f, text, len, e);
	if (j->type != JSON_ARRAY)
		return err_text(e, EINVAL, "manifest.json is no list of images");
	if (j->count == 0)
		return err_text(e, EINVAL, "there is no image in it");
	if (j->count > LOAD_IMAGES_MAX)
		return err_text(
			e, E2BIG, "manifest.json has %zu images, more than %d", j->count, LOAD_IMAGES_MAX);
	json_each (image, j) {
		r = load_one(l, image, e);
		if (r < 0)
			return r;
	}
	return 0;
}
