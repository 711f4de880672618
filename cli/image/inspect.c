/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence inspect: all about images, as JSON with the members that podman and docker give them. */
#include "cli/image/catalog.h"

struct inspect_options {
	const char *format, *platform;
};

#define AT(field) offsetof(struct inspect_options, field)
static const struct opt options[] = {
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "json, which is all there is" },
	{ "platform", 0, OPT_STRING, AT(platform), "OS/ARCH[/VARIANT]", "an index's image for this machine" },
	{ 0 },
};
#undef AT

static void put_layers(struct json_writer *w, const struct img_config *g)
{
	json_open_object(w, "RootFS");
	json_put_string(w, "Type", "layers");
	json_open_array(w, "Layers");
	for (size_t i = 0; i < g->n_diff_ids; i++)
		json_put_string(w, NULL, g->diff_ids[i].text);
	json_close_array(w);
	json_close_object(w);
}

static void put_history(struct json_writer *w, const struct img_config *g)
{
	json_open_array(w, "History");
	for (size_t i = 0; i < g->n_history; i++) {
		const struct img_history *h = &g->history[i];

		json_open_object(w, NULL);
		if (h->created)
			json_put_string(w, "created", h->created);
		if (h->created_by)
			json_put_string(w, "created_by", h->created_by);
		if (h->author)
			json_put_string(w, "author", h->author);
		if (h->comment)
			json_put_string(w, "comment", h->comment);
		if (h->empty_layer)
			json_put_bool(w, "empty_layer", true);
		json_close_object(w);
	}
	json_close_array(w);
}

/* What the documents have and the structs do not: the whole of "config", the manifest's annotations. */
static const struct json *member(struct arena *a, const char *text, size_t len, const char *name)
{
	const struct json *root;

	return json_parse(a, text, len, name, &root, NULL) == 0 ? json_get(root, name) : NULL;
}

static void put_users(struct json_writer *w, const struct catalog *c, const struct img_image *image)
{
	const char *user;
	size_t at = 0;

	json_open_array(w, "UsedBy");
	while ((user = catalog_user(c, &image->target.digest, &at)))
		json_put_string(w, NULL, user);
	json_close_array(w);
}

static void put_image(struct json_writer *w, const struct catalog *c, const struct img_image *image)
{
	const struct catalog_image same = { .image = *image };
	const struct img_config *g = &image->config;
	const struct json *config = member(c->a, image->config_text, image->config_len, "config"),
			  *annotations =
				  member(c->a, image->manifest_text, image->manifest_len, "annotations");
	int64_t size = (int64_t)image->manifest_len + (int64_t)image->config_len;

	for (size_t i = 0; i < image->manifest.n_layers; i++)
		if (__builtin_add_overflow(size, image->manifest.layers[i].size, &size))
			size = INT64_MAX;
	json_open_object(w, NULL);
	json_put_string(w, "Id", img_digest_hex(&image->id));
	json_put_string(w, "Digest", image->target.digest.text);
	catalog_put_names(w, "RepoTags", false, c, &same);
	catalog_put_names(w, "RepoDigests", true, c, &same);
	json_put_string(w, "Created", g->created);
	json_put_string(w, "Author", g->author ? g->author : "");
	if (config)
		json_put_json(w, "Config", config);
	else
		json_put_null(w, "Config");
	json_put_string(w, "Architecture", g->platform.architecture);
	if (g->platform.variant)
		json_put_string(w, "Variant", g->platform.variant);
	json_put_string(w, "Os", g->platform.os);
	if (g->platform.os_version)
		json_put_string(w, "OsVersion", g->platform.os_version);
	json_put_i64(w, "Size", size);
	put_layers(w, g);
	catalog_put_labels(w, g->labels);
	if (annotations)
		json_put_json(w, "Annotations", annotations);
	json_put_string(w, "ManifestType",
		*image->manifest_desc.media_type ? image->manifest_desc.media_type
						 : image->manifest.media_type);
	json_put_string(w, "ManifestDigest", image->manifest_desc.digest.text);
	json_put_string(w, "User", g->user ? g->user : "");
	put_history(w, g);
	put_users(w, c, image);
	json_close_object(w);
}

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct inspect_options *o = values;
	struct img_platform platform = { 0 };
	struct catalog c;
	int r = 0;

	if (!a || !w)
		return err_set(e, ENOMEM, "inspect");
	if (o->format && !str_eq(o->format, "json"))
		return err_text(e, EINVAL, "option --format must be json, not \"%s\"", o->format);
	if (o->platform)
		r = img_platform_parse(a, o->platform, &platform, e);
	if (r == 0)
		r = img_store_open(ctx->store, false, IMG_SHARED, -1, &s, e);
	if (r == 0)
		r = catalog_load(s, a, false, &c, e);
	json_open_array(w, NULL);
	for (size_t i = 0; r == 0 && args[i]; i++) {
		struct img_image image;

		r = img_image_find(s, a, args[i], o->platform ? &platform : NULL, &image, e);
		if (r == 0)
			put_image(w, &c, &image);
	}
	json_close_array(w);
	return r < 0 ? r : catalog_print_json(w, e);
}

const struct image_verb verb_inspect = {
	.name = "inspect",
	.args = "IMAGE...",
	.min_args = 1,
	.max_args = -1,
	.options = options,
	.size = sizeof(struct inspect_options),
	.run = run,
};
