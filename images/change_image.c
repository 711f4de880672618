/* SPDX-License-Identifier: Apache-2.0 */
/* New images: their documents, and their names (see change.h). */
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/str.h"
#include "images/change.h"
#include "images/ref.h"

#define CONFIG_TYPE   "application/vnd.oci.image.config.v1+json"
#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"

/* --- config ------------------------------------------------------------------------------------- */

/* What we write ourselves; and what docker has in its configs about the container that it made them of. */
static const char *const top_names[] = { "created", "author", "architecture", "os", "variant", "os.version",
	"config", "rootfs", "history", "container", "container_config", "id", "parent", NULL };
static const char *const run_names[] = { "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes",
	"WorkingDir", "Labels", "StopSignal", NULL };

static void put_rest(struct json_writer *w, const struct json *old, const char *const *but)
{
	const struct json *m;

	if (!old || old->type != JSON_OBJECT)
		return;
	json_each (m, old)
		if (!strv_has((char *const *)but, m->key))
			json_put_json(w, m->key, m);
}

static void put_text(struct json_writer *w, const char *name, const char *value)
{
	if (value && *value)
		json_put_string(w, name, value);
}

/* Go's map[string]struct{}. */
static void put_set(struct json_writer *w, const char *name, char *const *set)
{
	const char *item;

	if (!set || !*set)
		return;
	json_open_object(w, name);
	strv_each (item, set) {
		json_open_object(w, item);
		json_close_object(w);
	}
	json_close_object(w);
}

static void put_run(struct json_writer *w, const struct img_config *c, const struct json *old)
{
	json_open_object(w, "config");
	put_text(w, "User", c->user);
	put_set(w, "ExposedPorts", c->exposed_ports);
	if (c->env)
		json_put_strv(w, "Env", c->env);
	if (c->entrypoint)
		json_put_strv(w, "Entrypoint", c->entrypoint);
	if (c->cmd)
		json_put_strv(w, "Cmd", c->cmd);
	put_set(w, "Volumes", c->volumes);
	put_text(w, "WorkingDir", c->working_dir);
	if (c->labels && *c->labels) {
		json_open_object(w, "Labels");
		for (size_t i = 0; c->labels[i]; i += 2)
			json_put_string(w, c->labels[i], c->labels[i + 1]);
		json_close_object(w);
	}
	put_text(w, "StopSignal", c->stop_signal);
	put_rest(w, old, run_names);
	json_close_object(w);
}

static void put_history(struct json_writer *w, const struct img_config *c, const struct json *old)
{
	const struct json *m;
	size_t n = 0;

	json_open_array(w, "history");
	json_each (m, old) {
		json_put_json(w, NULL, m);
		n++;
	}
	for (; n < c->n_history; n++) {
		const struct img_history *h = &c->history[n];

		json_open_object(w, NULL);
		put_text(w, "created", h->created);
		put_text(w, "created_by", h->created_by);
		put_text(w, "author", h->author);
		put_text(w, "comment", h->comment);
		if (h->empty_layer)
			json_put_bool(w, "empty_layer", true);
		json_close_object(w);
	}
	json_close_array(w);
}

int img_config_text(struct arena *a, const struct img_config *c, const struct json *base, const char **text,
	size_t *len, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *s;

	if (!w)
		return err_set(e, ENOMEM, "image config");
	json_open_object(w, NULL);
	put_text(w, "created", c->created);
	put_text(w, "author", c->author);
	json_put_string(w, "architecture", c->platform.architecture ? c->platform.architecture : "");
	put_text(w, "variant", c->platform.variant);
	json_put_string(w, "os", c->platform.os ? c->platform.os : "linux");
	put_text(w, "os.version", c->platform.os_version);
	put_run(w, c, json_get(base, "config"));
	json_open_object(w, "rootfs");
	json_put_string(w, "type", "layers");
	json_open_array(w, "diff_ids");
	for (size_t i = 0; i < c->n_diff_ids; i++)
		json_put_string(w, NULL, c->diff_ids[i].text);
	json_close_array(w);
	json_close_object(w);
	put_history(w, c, json_get(base, "history"));
	put_rest(w, base, top_names);
	json_close_object(w);
	s = json_writer_text(w, len);
	*text = s ? arena_strndup(a, s, *len) : NULL;
	if (!*text)
		return err_set(e, ENOMEM, "image config");
	if (*len > IMG_DOCUMENT_MAX)
		return err_text(e, E2BIG, "the image's config would have %zu bytes, more than %u", *len,
			IMG_DOCUMENT_MAX);
	return 0;
}

/* --- manifest ----------------------------------------------------------------------------------- */

/* docker's types have no place in an OCI manifest. */
static const char *layer_type(const char *type)
{
	static const struct {
		const char *docker, *oci;
	} table[] = {
		{ "application/vnd.docker.image.rootfs.diff.tar", "application/vnd.oci.image.layer.v1.tar" },
		{ "application/vnd.docker.image.rootfs.diff.tar.gzip",
			"application/vnd.oci.image.layer.v1.tar+gzip" },
		{ "application/vnd.docker.image.rootfs.diff.tar.zstd",
			"application/vnd.oci.image.layer.v1.tar+zstd" },
		{ "application/vnd.docker.image.rootfs.foreign.diff.tar",
			"application/vnd.oci.image.layer.nondistributable.v1.tar" },
		{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
			"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (str_eq(table[i].docker, type))
			return table[i].oci;
	return type;
}

static void put_descriptor(struct json_writer *w, const char *name, const char *type,
	const struct img_digest *digest, int64_t size, char *const *urls)
{
	json_open_object(w, name);
	json_put_string(w, "mediaType", type);
	json_put_string(w, "digest", digest->text);
	json_put_i64(w, "size", size);
	if (urls)
		json_put_strv(w, "urls", urls);
	json_close_object(w);
}

int img_image_make(struct img_store *s, struct arena *a, const struct img_config *c, const struct json *base,
	const struct img_descriptor *layers, size_t n_layers, const char *name, struct img_name *out,
	struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	struct img_name n = { .name = name };
	struct img_digest digest;
	const char *text;
	size_t len;
	int r;

	if (!w)
		return err_set(e, ENOMEM, "image manifest");
	r = img_config_text(a, c, base, &text, &len, e);
	if (r == 0)
		r = img_blob_put(s, text, len, &digest, e);
	if (r < 0)
		return r;
	json_open_object(w, NULL);
	json_put_i64(w, "schemaVersion", 2);
	json_put_string(w, "mediaType", MANIFEST_TYPE);
	put_descriptor(w, "config", CONFIG_TYPE, &digest, (int64_t)len, NULL);
	json_open_array(w, "layers");
	for (size_t i = 0; i < n_layers; i++)
		put_descriptor(w, NULL, layer_type(layers[i].media_type), &layers[i].digest, layers[i].size,
			layers[i].urls);
	json_close_array(w);
	json_close_object(w);
	text = json_writer_text(w, &len);
	if (!text)
		return err_set(e, ENOMEM, "image manifest");
	r = img_blob_put(s, text, len, &n.target.digest, e);
	n.target.media_type = MANIFEST_TYPE;
	n.target.media = IMG_MEDIA_MANIFEST;
	n.target.size = (int64_t)len;
	if (r == 0)
		r = img_name_set(s, name, &n.target, e);
	if (r == 0)
		*out = n;
	return r;
}

/* --- small things ------------------------------------------------------------------------------- */

const char *img_now(struct arena *a)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	char buf[LOG_TIME_MAX];
	struct timespec t;
	int64_t seconds;

	clock_gettime(CLOCK_REALTIME, &t);
	if (epoch && str_to_i64(epoch, &seconds) == 0 && seconds >= 0 && seconds < INT64_C(253402300800))
		t = (struct timespec){ .tv_sec = seconds };
	log_time(&t, buf);
	return arena_strdup(a, buf);
}

int img_name_local(struct arena *a, const char *text, const char **out, struct err *e)
{
	struct img_ref ref;
	int r = img_ref_parse(a, text, &ref, e);

	if (r == 0 && ref.digest.text[0])
		return err_text(
			e, EINVAL, "image name \"%s\" has a digest, which is only known afterwards", text);
	if (r == 0)
		r = img_ref_qualify(a, &ref, "localhost", &ref, e);
	if (r < 0)
		return r;
	*out = img_ref_text(a, &ref);
	return *out ? 0 : err_set(e, ENOMEM, "image name");
}
