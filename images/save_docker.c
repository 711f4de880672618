/* SPDX-License-Identifier: Apache-2.0 */
/*
 * img_save() as `docker save` has it: manifest.json, configs, and layers as plain tars, which every docker
 * since 1.10 can load, whatever the layers were compressed with. A tar's header says a file's size, so each
 * compressed layer is uncompressed twice: once to know it, once to write it.
 */
#include <stdio.h>

#include "base/json.h"
#include "images/archive.h"
#include "images/ref.h"
#include "images/save_internal.h"
#include "images/unpack.h"

static void config_name(const struct img_image *image, char buf[IMG_DIGEST_MAX + 16])
{
	snprintf(buf, IMG_DIGEST_MAX + 16, "%s.json", img_digest_hex(&image->id));
}

static void layer_name(const struct img_digest *diff_id, char buf[IMG_DIGEST_MAX + 16])
{
	snprintf(buf, IMG_DIGEST_MAX + 16, "%s/layer.tar", img_digest_hex(diff_id));
}

/* --- manifest.json ------------------------------------------------------------------------------ */

/* An image once, with all names under which it was asked for. A name with a digest is none that docker takes.
 */
static void put_names(struct save *v, struct json_writer *w, const struct img_digest *id)
{
	bool any = false;

	for (size_t i = 0; i < v->n_images; i++) {
		const struct save_image *at = &v->images[i];

		if (!img_digest_eq(&at->image.id, id) || !at->name || strchr(at->name, '@'))
			continue;
		if (!any)
			json_open_array(w, "RepoTags");
		any = true;
		json_put_string(w, NULL, at->name);
	}
	if (any)
		json_close_array(w);
	else
		json_put_null(w, "RepoTags");
}

static bool is_first(const struct save *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (img_digest_eq(&v->images[i].image.id, &v->images[n].image.id))
			return false;
	return true;
}

static int put_manifest_json(struct save *v, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	char name[IMG_DIGEST_MAX + 16];
	const char *text;
	size_t len;

	if (!w)
		return err_set(e, ENOMEM, "save");
	json_open_array(w, NULL);
	for (size_t i = 0; i < v->n_images; i++) {
		const struct img_image *image = &v->images[i].image;

		if (!is_first(v, i))
			continue;
		json_open_object(w, NULL);
		config_name(image, name);
		json_put_string(w, "Config", name);
		put_names(v, w, &image->id);
		json_open_array(w, "Layers");
		for (size_t k = 0; k < image->config.n_diff_ids; k++) {
			layer_name(&image->config.diff_ids[k], name);
			json_put_string(w, NULL, name);
		}
		json_close_array(w);
		json_close_object(w);
	}
	json_close_array(w);
	text = json_writer_text(w, &len);
	return text ? save_text(v->sink, "manifest.json", text, len, e) : err_set(e, ENOMEM, "save");
}

/* --- layers ------------------------------------------------------------------------------------- */

static ssize_t read_fd(void *arg, void *buf, size_t size)
{
	ssize_t n;

	do {
		n = read(*(int *)arg, buf, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int put_unpacked(
	struct save *v, int fd, const struct img_digest *diff_id, const char *name, struct err *e)
{
	struct img_unpack u = { .read = read_fd, .arg = &fd, .diff_id = *diff_id };
	int64_t size;
	int r = img_unpack_bytes(&u, NULL, NULL, NULL, &size, e);

	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_set(e, errno, "read");
	r = save_file(v->sink, name, size, e);
	if (r == 0)
		r = img_unpack_bytes(&u, save_data, v->sink, NULL, NULL, e);
	return r == 0 ? save_file_end(v->sink, e) : r;
}

static int put_layer(struct save *v, const struct img_image *image, size_t n, struct err *e)
{
	const struct img_digest *diff_id = &image->config.diff_ids[n];
	const struct img_descriptor *d = &image->manifest.layers[n];
	_cleanup_close_ int fd = -EBADF;
	char name[IMG_DIGEST_MAX + 16];
	int item, r;

	layer_name(diff_id, name);
	if (img_digest_eq(&d->digest, diff_id))
		return save_blob(v, d, name, e);
	if (save_was_written(v, name, &r, e))
		return r;
	fd = img_blob_open(v->s, &d->digest, e);
	if (fd < 0)
		return fd;
	item = save_begin(v, d->digest.text, d->size);
	r = put_unpacked(v, fd, diff_id, name, e);
	save_end(v, item, r);
	return r < 0 ? err_wrap(e, "layer %zu (%s)", n, d->digest.text) : 0;
}

int save_docker(struct save *v, struct err *e)
{
	char name[IMG_DIGEST_MAX + 16];
	int r = put_manifest_json(v, e);

	for (size_t i = 0; i < v->n_images && r == 0; i++) {
		const struct img_image *image = &v->images[i].image;

		config_name(image, name);
		r = save_blob(v, &image->manifest.config, name, e);
		for (size_t k = 0; k < image->config.n_diff_ids && r == 0; k++)
			r = put_layer(v, image, k, e);
	}
	return r;
}
