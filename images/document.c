/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Index, manifest and config of an image, as tables of properties (see document.h). The tables' reader is
 * that of config.json (spec/parse.h): unknown members are skipped, null is absent, of equal names the last
 * counts, errors name the property.
 */
#include "images/document.h"

#include <stdio.h>

#include "base/json.h"
#include "base/str.h"
#include "images/base64.h"
#include "spec/parse.h"

/* --- media types -------------------------------------------------------------------------------- */

static const struct {
	const char *type;
	enum img_media media;
} media_types[] = {
	{ "application/vnd.oci.image.index.v1+json", IMG_MEDIA_INDEX },
	{ "application/vnd.docker.distribution.manifest.list.v2+json", IMG_MEDIA_INDEX },
	{ "application/vnd.oci.image.manifest.v1+json", IMG_MEDIA_MANIFEST },
	{ "application/vnd.docker.distribution.manifest.v2+json", IMG_MEDIA_MANIFEST },
	{ "application/vnd.oci.image.config.v1+json", IMG_MEDIA_CONFIG },
	{ "application/vnd.docker.container.image.v1+json", IMG_MEDIA_CONFIG },
	{ "application/vnd.oci.image.layer.v1.tar", IMG_MEDIA_LAYER },
	{ "application/vnd.oci.image.layer.v1.tar+gzip", IMG_MEDIA_LAYER },
	{ "application/vnd.oci.image.layer.v1.tar+zstd", IMG_MEDIA_LAYER },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar", IMG_MEDIA_LAYER },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", IMG_MEDIA_LAYER },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", IMG_MEDIA_LAYER },
	{ "application/vnd.docker.image.rootfs.diff.tar", IMG_MEDIA_LAYER },
	{ "application/vnd.docker.image.rootfs.diff.tar.gzip", IMG_MEDIA_LAYER },
	{ "application/vnd.docker.image.rootfs.diff.tar.zstd", IMG_MEDIA_LAYER },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar", IMG_MEDIA_LAYER },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", IMG_MEDIA_LAYER },
	{ "application/vnd.oci.empty.v1+json", IMG_MEDIA_EMPTY },
};

enum img_media img_media_of(const char *type)
{
	size_t len = strcspn(type, "; \t");

	for (size_t i = 0; i < ARRAY_SIZE(media_types); i++)
		if (strlen(media_types[i].type) == len && strncmp(media_types[i].type, type, len) == 0)
			return media_types[i].media;
	return IMG_MEDIA_OTHER;
}

/* --- values ------------------------------------------------------------------------------------- */

static int read_size(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return sp_get_i64(p, at, j, 0, INT64_MAX, out);
}

static int read_media_type(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct img_descriptor *d = out;
	int r = sp_get_string(p, at, j, &d->media_type);

	if (r == 0)
		d->media = img_media_of(d->media_type);
	return r;
}

static int read_digest(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct err why = ERR_INIT;
	const char *text;
	int r = sp_get_string(p, at, j, &text);

	if (r == 0 && img_digest_parse(text, out, &why) < 0)
		return sp_refuse(p, at, ": %s", why.text);
	return r;
}

/* The digest of an index's entry: one that cannot be verified makes that entry useless, and no other. */
static int read_entry_digest(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char *text;
	int r = sp_get_string(p, at, j, &text);

	if (r == 0 && img_digest_parse(text, out, NULL) == -EOPNOTSUPP)
		return 0;
	return r < 0 ? r : read_digest(p, at, j, out, arg);
}

static int read_annotations(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	static const struct sp_field fields[] = {
		SP_MAY("org.opencontainers.image.ref.name", sp_text,
			offsetof(struct img_descriptor, ref_name), NULL),
		SP_MAY("io.containerd.image.name", sp_text, offsetof(struct img_descriptor, containerd_name),
			NULL),
		SP_END,
	};

	return sp_object(p, at, j, fields, out);
}

#define AT(field) offsetof(struct img_platform, field)
static const struct sp_field platform_fields[] = {
	SP_MAY("architecture", sp_text, AT(architecture), NULL),
	SP_MAY("os", sp_text, AT(os), NULL),
	SP_MAY("variant", sp_text, AT(variant), NULL),
	SP_MAY("os.version", sp_text, AT(os_version), NULL),
	SP_END,
};
#undef AT

static int read_platform(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct img_descriptor *d = out;

	d->has_platform = true;
	return sp_object(p, at, j, platform_fields, &d->platform);
}

#define AT(field) offsetof(struct img_descriptor, field)
#define DESCRIPTOR(digest_reader)                                                                            \
	SP_MAY("mediaType", read_media_type, 0, NULL), SP_MUST("digest", digest_reader, AT(digest), NULL),   \
		SP_MUST("size", read_size, AT(size), NULL), SP_MAY("urls", sp_strv_or_null, AT(urls), NULL), \
		SP_MAY("annotations", read_annotations, 0, NULL), SP_MAY("data", sp_string, AT(data), NULL), \
		SP_MAY("platform", read_platform, 0, NULL), SP_END

static int read_descriptor(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	static const struct sp_field fields[] = { DESCRIPTOR(read_digest) };
	struct img_descriptor *d = out;

	d->media_type = "";
	return sp_object(p, at, j, fields, d);
}

static int read_entry(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	static const struct sp_field fields[] = { DESCRIPTOR(read_entry_digest) };
	struct img_descriptor *d = out;
	int r;

	d->media_type = "";
	r = sp_object(p, at, j, fields, d);
	if (!d->digest.text[0])
		d->media = IMG_MEDIA_OTHER;
	return r;
}
#undef AT

/* The members' names of an object, as a vector: Go's map[string]struct{}. */
static int read_names(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const struct json **members;
	char **list, ***v = out;
	size_t n;
	int r = sp_members(p, at, j, &members, &n);

	if (r < 0)
		return r;
	list = arena_calloc(p->arena, n + 1, sizeof(*list));
	if (!list)
		return sp_no_memory(p);
	for (size_t i = 0; i < n; i++)
		list[i] = (char *)members[i]->key;
	*v = list;
	return 0;
}

struct pairs {
	const char **list;
	size_t n;
};

static int read_pairs(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	static const struct sp_map map = { offsetof(struct pairs, list), offsetof(struct pairs, n), NULL };
	struct pairs pairs = { NULL, 0 };
	char **list, ***v = out;
	int r = sp_string_map(p, at, j, &pairs, &map);

	if (r < 0)
		return r;
	list = arena_calloc(p->arena, 2 * pairs.n + 1, sizeof(*list));
	if (!list)
		return sp_no_memory(p);
	for (size_t i = 0; i < 2 * pairs.n; i++)
		list[i] = (char *)pairs.list[i];
	*v = list;
	return 0;
}

/* --- documents ---------------------------------------------------------------------------------- */

/* What tells documents apart, and what of a descriptor says which content is meant. */
static const char *const telling[] = { "schemaVersion", "mediaType", "manifests", "config", "layers", NULL };
static const char *const descriptor_names[] = { "mediaType", "digest", "size", "urls", "data", "platform",
	NULL };

/* Are they the same to Go's encoding/json? It ignores case, also that of U+017F, which is an 's' to it. */
static bool folds_to(const char *key, const char *name)
{
	for (; *name; name++) {
		char c = *name | 0x20;

		if (c == 's' && str_starts(key, "\xc5\xbf"))
			key += 2;
		else if ((*key | 0x20) == c && *key)
			key++;
		else
			return false;
	}
	return !*key;
}

/*
 * A document in which one reader finds layers and another one manifests, or other layers, may pass for
 * harmless with the one that scans it and not with the one that runs it (CVE-2021-41190). So no name may come
 * in two spellings that Go's tools take for one.
 */
static int check_names(const struct json *j, const char *const *names, const char *what, struct err *e)
{
	const struct json *m;

	if (!j || j->type != JSON_OBJECT)
		return 0;
	json_each (m, j)
		for (size_t i = 0; names[i]; i++)
			if (folds_to(m->key, names[i]) && !str_eq(m->key, names[i]))
				return err_text(
					e, EINVAL, "%s: \"%s\" is spelled \"%.40s\"", what, names[i], m->key);
	return 0;
}

static int check_spelling(const struct json *j, const char *what, struct err *e)
{
	static const char *const lists[] = { "manifests", "layers" };
	const struct json *m;
	int r = check_names(j, telling, what, e);

	if (r == 0)
		r = check_names(json_get(j, "config"), descriptor_names, what, e);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		json_each (m, json_get(j, lists[i]))
			if (r == 0)
				r = check_names(m, descriptor_names, what, e);
	return r;
}

/* Before memory is taken for that many. */
static int check_count(const struct json *j, const char *name, size_t max, const char *what, struct err *e)
{
	const struct json *list = json_get(j, name);

	if (list && list->count > max)
		return err_text(e, EINVAL, "%s has %zu %s, more than %zu", what, list->count, name, max);
	return 0;
}

static int check_kind(const struct json *j, enum img_media kind, const char *what, struct err *e)
{
	const struct json *version = json_get(j, "schemaVersion"), *type = json_get(j, "mediaType");
	bool manifest = json_get(j, "config") || json_get(j, "layers"), index = json_get(j, "manifests");
	const char *text = "";
	int64_t v = 0;
	int r;

	if (j->type != JSON_OBJECT)
		return err_text(e, EINVAL, "%s is no JSON object", what);
	r = check_spelling(j, what, e);
	if (r == 0 && version)
		r = json_as_i64(version, "schemaVersion", &v, e);
	if (r == 0 && type)
		r = json_as_string(type, "mediaType", &text, e);
	if (r < 0)
		return r;
	if (v == 1)
		return err_text(e, EINVAL,
			"%s is a manifest of docker's schema 1, which is no longer used; "
			"the image must be pushed again by a tool of this decade",
			what);
	if (v != 2)
		return err_text(e, EINVAL, "%s: schemaVersion must be 2", what);
	if (manifest && index)
		return err_text(e, EINVAL, "%s is both a manifest and an index", what);
	if (kind == IMG_MEDIA_INDEX ? manifest : index)
		return err_text(e, EINVAL, "%s is %s", what,
			kind == IMG_MEDIA_INDEX ? "a manifest, not an index" : "an index, not a manifest");
	if (*text && img_media_of(text) != kind)
		return err_text(e, EINVAL, "%s calls itself %.100s, and is %s", what, text,
			kind == IMG_MEDIA_INDEX ? "an index" : "a manifest");
	return 0;
}

/* Errors of properties get the document's name, those that have it do not. */
static int finish(int r, const char *what, struct err *e)
{
	if (r < 0 && e && !str_starts(e->text, what))
		err_wrap(e, "%s", what);
	return r;
}

static int open_document(struct arena *a, const char *text, size_t len, const char *what,
	const struct json **out, struct err *e)
{
	if (len > IMG_DOCUMENT_MAX)
		return err_text(e, EINVAL, "%s is larger than %u bytes", what, IMG_DOCUMENT_MAX);
	return json_parse(a, text, len, what, out, e);
}

#define AT(field) offsetof(struct img_index, field)
static const struct sp_field index_fields[] = {
	SP_MAY("mediaType", sp_text, AT(media_type), NULL),
	SP_MAY("manifests", sp_list, 0,
		SP_LIST(AT(manifests), AT(n_manifests), sizeof(struct img_descriptor), read_entry, NULL)),
	SP_END,
};
#undef AT

int img_index_parse(
	struct arena *a, const char *text, size_t len, const char *what, struct img_index *out, struct err *e)
{
	struct sp p = { .arena = a, .err = e, .what = what };
	struct img_index x = { 0 };
	const struct json *j;
	int r = open_document(a, text, len, what, &j, e);

	if (r == 0)
		r = check_kind(j, IMG_MEDIA_INDEX, what, e);
	if (r == 0)
		r = check_count(j, "manifests", IMG_INDEX_MAX, what, e);
	if (r == 0)
		r = sp_object(&p, NULL, j, index_fields, &x);
	if (r < 0)
		return finish(r, what, e);
	*out = x;
	return 0;
}

#define AT(field) offsetof(struct img_manifest, field)
static const struct sp_field manifest_fields[] = {
	SP_MAY("mediaType", sp_text, AT(media_type), NULL),
	SP_MUST("config", read_descriptor, AT(config), NULL),
	SP_MAY("layers", sp_list, 0,
		SP_LIST(AT(layers), AT(n_layers), sizeof(struct img_descriptor), read_descriptor, NULL)),
	SP_END,
};
#undef AT

int img_manifest_parse(struct arena *a, const char *text, size_t len, const char *what,
	struct img_manifest *out, struct err *e)
{
	struct sp p = { .arena = a, .err = e, .what = what };
	struct img_manifest m = { 0 };
	const struct json *j;
	int r = open_document(a, text, len, what, &j, e);

	if (r == 0)
		r = check_kind(j, IMG_MEDIA_MANIFEST, what, e);
	if (r == 0)
		r = check_count(j, "layers", IMG_LAYERS_MAX, what, e);
	if (r == 0)
		r = sp_object(&p, NULL, j, manifest_fields, &m);
	if (r < 0)
		return finish(r, what, e);
	*out = m;
	return 0;
}

/* --- config ------------------------------------------------------------------------------------- */

static int read_history(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	static const struct sp_field fields[] = {
		SP_MAY("created", sp_text, offsetof(struct img_history, created), NULL),
		SP_MAY("created_by", sp_text, offsetof(struct img_history, created_by), NULL),
		SP_MAY("author", sp_text, offsetof(struct img_history, author), NULL),
		SP_MAY("comment", sp_text, offsetof(struct img_history, comment), NULL),
		SP_MAY("empty_layer", sp_bool, offsetof(struct img_history, empty_layer), NULL),
		SP_END,
	};

	return sp_object(p, at, j, fields, out);
}

static int read_rootfs_type(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char *type;
	int r = sp_get_string(p, at, j, &type);

	if (r == 0 && !str_eq(type, "layers"))
		return sp_refuse(p, at, " must be \"layers\", not \"%.40s\"", type);
	return r;
}

#define AT(field) offsetof(struct img_config, field)
static const struct sp_field rootfs_fields[] = {
	SP_MUST("type", read_rootfs_type, 0, NULL),
	SP_MAY("diff_ids", sp_list, 0,
		SP_LIST(AT(diff_ids), AT(n_diff_ids), sizeof(struct img_digest), read_digest, NULL)),
	SP_END,
};

static const struct sp_field run_fields[] = {
	SP_MAY("User", sp_text, AT(user), NULL),
	SP_MAY("ExposedPorts", read_names, AT(exposed_ports), NULL),
	SP_MAY("Env", sp_strv, AT(env), NULL),
	SP_MAY("Entrypoint", sp_strv, AT(entrypoint), NULL),
	SP_MAY("Cmd", sp_strv, AT(cmd), NULL),
	SP_MAY("Volumes", read_names, AT(volumes), NULL),
	SP_MAY("WorkingDir", sp_text, AT(working_dir), NULL),
	SP_MAY("Labels", read_pairs, AT(labels), NULL),
	SP_MAY("StopSignal", sp_text, AT(stop_signal), NULL),
	SP_END,
};

static const struct sp_field config_fields[] = {
	SP_MAY("created", sp_text, AT(created), NULL),
	SP_MAY("author", sp_text, AT(author), NULL),
	SP_MAY("architecture", sp_text, AT(platform.architecture), NULL),
	SP_MAY("os", sp_text, AT(platform.os), NULL),
	SP_MAY("variant", sp_text, AT(platform.variant), NULL),
	SP_MAY("os.version", sp_text, AT(platform.os_version), NULL),
	SP_MAY("config", sp_section, 0, run_fields),
	SP_MUST("rootfs", sp_section, 0, rootfs_fields),
	SP_MAY("history", sp_list, 0,
		SP_LIST(AT(history), AT(n_history), sizeof(struct img_history), read_history, NULL)),
	SP_END,
};
#undef AT

int img_config_parse(struct arena *a, const char *text, size_t len, const char *what, struct img_config *out,
	struct err *e)
{
	struct sp p = { .arena = a, .err = e, .what = what };
	struct img_config c = { 0 };
	const struct json *j;
	int r = open_document(a, text, len, what, &j, e);

	if (r == 0)
		r = check_count(json_get(j, "rootfs"), "diff_ids", IMG_LAYERS_MAX, what, e);
	if (r == 0)
		r = check_count(j, "history", IMG_INDEX_MAX, what, e);
	if (r == 0)
		r = sp_object(&p, NULL, j, config_fields, &c);
	if (r < 0)
		return finish(r, what, e);
	*out = c;
	return 0;
}

enum img_media img_document_kind(const char *text, size_t len)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct json *j;

	if (!a || open_document(a, text, len, "document", &j, NULL) < 0)
		return IMG_MEDIA_OTHER;
	if (check_kind(j, IMG_MEDIA_INDEX, "document", NULL) == 0 && json_get(j, "manifests"))
		return IMG_MEDIA_INDEX;
	if (check_kind(j, IMG_MEDIA_MANIFEST, "document", NULL) == 0 && json_get(j, "config"))
		return IMG_MEDIA_MANIFEST;
	return json_get(j, "rootfs") && !json_get(j, "schemaVersion") ? IMG_MEDIA_CONFIG : IMG_MEDIA_OTHER;
}

/* --- what belongs together ---------------------------------------------------------------------- */

int img_manifest_check(const struct img_manifest *m, const char *what, struct err *e)
{
	if (m->config.media != IMG_MEDIA_CONFIG)
		return err_text(e, EINVAL, "%s is no image that can be run: its config is of type \"%.100s\"",
			what, m->config.media_type);
	for (size_t i = 0; i < m->n_layers; i++)
		if (m->layers[i].media != IMG_MEDIA_LAYER)
			return err_text(e, EINVAL,
				"%s: layer %zu is of type \"%.100s\", which is not known to be a tar", what,
				i, m->layers[i].media_type);
	return 0;
}

int img_image_check(const struct img_manifest *m, const struct img_config *c, const char *what, struct err *e)
{
	int r = img_manifest_check(m, what, e);

	if (r == 0 && m->n_layers != c->n_diff_ids)
		return err_text(e, EINVAL, "%s: the manifest has %zu layers and the config has %zu diff_ids",
			what, m->n_layers, c->n_diff_ids);
	return r;
}

void img_chain_next(struct img_digest *chain, const struct img_digest *diff_id)
{
	char text[2 * IMG_DIGEST_MAX];
	int len = snprintf(text, sizeof(text), "%s %s", chain->text, diff_id->text);

	img_digest_of(text, (size_t)len, chain);
}

void img_chain_id(const struct img_digest *diff_ids, size_t n, struct img_digest *out)
{
	struct img_digest chain = diff_ids[0];

	for (size_t i = 1; i <= n; i++)
		img_chain_next(&chain, &diff_ids[i]);
	*out = chain;
}

/* --- embedded content --------------------------------------------------------------------------- */

int img_descriptor_data(struct arena *a, const struct img_descriptor *d, const char *what, const char **data,
	size_t *len, struct err *e)
{
	size_t n, used;
	char *buf;
	int r;

	if (!d->data)
		return -ENOENT;
	n = strlen(d->data);
	buf = arena_alloc(a, BASE64_ROOM(n));
	if (!buf)
		return err_set(e, ENOMEM, "%s", what);
	if (base64_decode(d->data, n, buf, &used) < 0)
		return err_text(e, EBADMSG, "%s: the data in its descriptor is not base64", what);
	r = img_digest_check(buf, used, &d->digest, d->size, what, e);
	if (r < 0)
		return r;
	buf[used] = '\0';
	*data = buf;
	*len = used;
	return 0;
}
