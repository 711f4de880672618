/* SPDX-License-Identifier: Apache-2.0 */
/* Images: from what people write to documents that have been read and checked (see store.h). */
#include <stdio.h>

#include "base/str.h"
#include "images/ref.h"
#include "images/store_internal.h"

#define NESTED_MAX 4 /* indexes in indexes */
#define DIGITS_MIN 4

/* --- documents ---------------------------------------------------------------------------------- */

/* The first entry whose document is there: what is left where only one platform's image was pulled. */
static const struct img_descriptor *any_present(struct img_store *s, const struct img_index *x)
{
	for (size_t i = 0; i < x->n_manifests; i++) {
		const struct img_descriptor *d = &x->manifests[i];

		if (d->has_platform && d->platform.os && str_eq(d->platform.os, "unknown"))
			continue; /* an attestation */
		if ((d->media == IMG_MEDIA_MANIFEST || d->media == IMG_MEDIA_INDEX) &&
			img_blob_has(s, &d->digest, d->size))
			return d;
	}
	return NULL;
}

static int no_platform(const struct img_platform *p, const char *what, struct err *e)
{
	return err_text(e, ENOENT, "%s has no image for platform %s/%s%s%s", what, p->os, p->architecture,
		p->variant ? "/" : "", p->variant ? p->variant : "");
}

/* From a target down to a manifest. */
static int find_manifest(struct img_store *s, struct arena *a, const struct img_descriptor *target,
	const struct img_platform *p, const char *what, struct img_image *out, struct err *e)
{
	struct img_descriptor at = *target;
	struct img_platform host;

	img_platform_host(&host);
	for (int depth = 0; depth <= NESTED_MAX; depth++) {
		const struct img_descriptor *next;
		struct img_index x;
		const char *text;
		size_t len;
		int r = img_blob_read(s, &at, what, a, &text, &len, e);

		if (r < 0)
			return r;
		if (at.media != IMG_MEDIA_INDEX && at.media != IMG_MEDIA_MANIFEST)
			at.media = img_document_kind(text, len);
		if (at.media == IMG_MEDIA_MANIFEST) {
			out->manifest_desc = at;
			out->manifest_text = text;
			out->manifest_len = len;
			return img_manifest_parse(a, text, len, what, &out->manifest, e);
		}
		if (at.media != IMG_MEDIA_INDEX)
			return err_text(e, EINVAL, "%s is neither a manifest nor an index", what);
		r = img_index_parse(a, text, len, what, &x, e);
		if (r < 0)
			return r;
		next = img_index_choose(&x, p ? p : &host);
		if (!p && (!next || !img_blob_has(s, &next->digest, next->size)))
			next = any_present(s, &x) ? any_present(s, &x) : next;
		if (!next)
			return no_platform(p ? p : &host, what, e);
		at = *next;
	}
	return err_text(e, EINVAL, "%s: indexes are nested more than %d deep", what, NESTED_MAX);
}

int img_image_load(struct img_store *s, struct arena *a, const struct img_name *n,
	const struct img_platform *p, struct img_image *out, struct err *e)
{
	struct img_image image = { .name = n->name, .target = n->target };
	const char *what = n->name ? n->name : n->target.digest.text, *label;
	int r;

	if (p && !p->os && !p->architecture)
		p = NULL;
	r = find_manifest(s, a, &n->target, p, what, &image, e);
	if (r == 0)
		r = img_manifest_check(&image.manifest, what, e);
	if (r < 0)
		return r;
	label = arena_printf(a, "config of %s", what);
	if (!label)
		return err_set(e, ENOMEM, "%s", what);
	r = img_blob_read(s, &image.manifest.config, label, a, &image.config_text, &image.config_len, e);
	if (r == 0)
		r = img_config_parse(a, image.config_text, image.config_len, label, &image.config, e);
	if (r == 0)
		r = img_image_check(&image.manifest, &image.config, what, e);
	if (r < 0)
		return r;
	image.id = image.manifest.config.digest;
	*out = image;
	return 0;
}

/* --- what people write -------------------------------------------------------------------------- */

/* A list of matches, of which there should be one. Two names of one image are one match. */
struct matches {
	const struct img_name *first;
	size_t n;
	char list[400];
};

static const char *shown_name(const struct img_name *n)
{
	return n->name ? img_ref_familiar(n->name) : n->target.digest.text;
}

static void add_match(struct matches *m, const struct img_name *n)
{
	size_t used = strlen(m->list);

	if (m->first && img_digest_eq(&m->first->target.digest, &n->target.digest))
		return;
	if (!m->first)
		m->first = n;
	m->n++;
	if (used + 8 < sizeof(m->list))
		snprintf(m->list + used, sizeof(m->list) - used, "%s%.150s", used ? ", " : "", shown_name(n));
}

static int ambiguous(const struct matches *m, const char *what, struct err *e)
{
	return err_text(e, EEXIST, "\"%.100s\" may be any of %zu images: %s", what, m->n, m->list);
}

/* "quay.io/a/debian:12" for "debian:12": whole components from the end. */
static bool ends_name(const struct img_ref *have, const struct img_ref *want)
{
	size_t h = strlen(have->path), w = strlen(want->path);

	return h > w && have->path[h - w - 1] == '/' && str_eq(have->path + h - w, want->path);
}

static bool same_version(
	const struct img_ref *have, const struct img_descriptor *target, const struct img_ref *want)
{
	if (want->digest.text[0])
		return img_digest_eq(&target->digest, &want->digest) ||
		       img_digest_eq(&have->digest, &want->digest);
	return str_eq(have->tag ? have->tag : "", want->tag ? want->tag : "latest");
}

enum how { AS_WRITTEN, LOCALHOST, DOCKER_IO, ANY_END, N_HOW };

static bool matches_name(
	enum how how, const struct img_ref *have, const struct img_ref *want, struct arena *a)
{
	struct img_ref q;

	if (how == ANY_END)
		return ends_name(have, want) || str_eq(have->path, want->path);
	if (how == AS_WRITTEN && !want->registry)
		return false;
	if (img_ref_qualify(a, want, how == LOCALHOST ? "localhost" : "docker.io", &q, NULL) < 0)
		return false;
	return str_eq(have->registry ? have->registry : "", q.registry) && str_eq(have->path, q.path);
}

/* By name, the ways in order: the first that finds any ends the search. */
static int find_by_name(
	struct arena *a, const struct img_name *names, size_t n, const char *what, struct matches *m)
{
	struct img_ref want, have;
	int r;

	for (size_t i = 0; i < n; i++)
		if (names[i].name && str_eq(names[i].name, what))
			add_match(m, &names[i]);
	r = img_ref_parse(a, what, &want, NULL);
	if (r < 0)
		return r;
	for (int how = AS_WRITTEN; how < N_HOW && !m->n; how++) {
		if (want.registry && how > AS_WRITTEN)
			break;
		for (size_t i = 0; i < n; i++) {
			if (!names[i].name || img_ref_parse(a, names[i].name, &have, NULL) < 0)
				continue;
			if (matches_name((enum how)how, &have, &want, a) &&
				same_version(&have, &names[i].target, &want))
				add_match(m, &names[i]);
		}
	}
	return 0;
}

/* The digits of a digest, or the beginning of one; NULL: `what` is none. */
static const char *as_digits(const char *what)
{
	const char *hex =
		str_starts(what, "sha256:") || str_starts(what, "sha512:") ? what + strlen("sha256:") : what;
	size_t len = strlen(hex);

	return len >= DIGITS_MIN && strspn(hex, "0123456789abcdef") == len ? hex : NULL;
}

static bool begins(const struct img_digest *d, const char *digits)
{
	return d->text[0] && str_starts(img_digest_hex(d), digits);
}

/* All digits of a digest: two entries that lead to the same image by its id are one match. */
static bool is_whole(const char *digits)
{
	size_t len = strlen(digits);

	return len == 64 || len == 128;
}

static void find_by_digits(struct img_store *s, const struct img_name *names, size_t n, const char *digits,
	const struct img_platform *p, struct matches *m)
{
	for (size_t i = 0; i < n && !(m->n && is_whole(digits)); i++) {
		_cleanup_(arena_freep) struct arena *a = NULL;
		struct img_image image;

		if (begins(&names[i].target.digest, digits)) {
			add_match(m, &names[i]);
			continue;
		}
		/* Its documents are forgotten at once: there may be many names, and large ones. */
		if (i > 0 && img_digest_eq(&names[i].target.digest, &names[i - 1].target.digest))
			continue;
		a = arena_new();
		if (a && img_image_load(s, a, &names[i], p, &image, NULL) == 0 &&
			(begins(&image.id, digits) || begins(&image.manifest_desc.digest, digits)))
			add_match(m, &names[i]);
	}
}

int img_name_find(struct img_store *s, struct arena *a, const char *what, const struct img_platform *p,
	struct img_name *out, bool *by_digest, struct err *e)
{
	struct matches m = { 0 };
	const char *digits = as_digits(what);
	struct img_name *names;
	size_t n;
	int r = img_names(s, a, &names, &n, e), named;

	if (r < 0)
		return r;
	named = find_by_name(a, names, n, what, &m);
	*by_digest = !m.n;
	if (!m.n && digits)
		find_by_digits(s, names, n, digits, p, &m);
	if (m.n > 1)
		return ambiguous(&m, what, e);
	if (m.n == 1) {
		*out = *m.first;
		return 0;
	}
	if (named < 0 && !digits) {
		struct img_ref ref;

		return img_ref_parse(a, what, &ref, e); /* says what is wrong with it */
	}
	return err_text(e, ENOENT, "there is no image \"%.200s\" in image store %s", what, s->path);
}

int img_image_find(struct img_store *s, struct arena *a, const char *what, const struct img_platform *p,
	struct img_image *out, struct err *e)
{
	struct img_name name;
	bool by_digest;
	int r = img_name_find(s, a, what, p, &name, &by_digest, e);

	return r < 0 ? r : img_image_load(s, a, &name, p, out, e);
}
