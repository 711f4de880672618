/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the documents and names of an image. The first byte says which: index, manifest, config, name,
 * digest, platform.
 *
 * Beside what the sanitizers see: a refusal has an errno and a text, and what is taken keeps what the headers
 * promise.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "images/document.h"
#include "images/ref.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(int r, const struct err *e)
{
	MUST(r < 0 && e->code == -r);
	MUST(e->text[0] && memchr(e->text, '\0', sizeof(e->text)));
}

/* Safe as a part of a path: that is what the grammar is for. */
static void check_digest(const struct img_digest *d)
{
	struct img_digest again;

	MUST(!strchr(d->text, '/') && !strchr(d->text, '.'));
	MUST(img_digest_parse(d->text, &again, NULL) == 0 && img_digest_eq(d, &again));
	MUST(strlen(img_digest_hex(d)) == (str_eq(img_digest_algorithm(d), "sha256") ? 64 : 128));
}

static void check_descriptor(struct arena *a, const struct img_descriptor *d, bool entry)
{
	const char *content;
	size_t len;
	int r;

	MUST(d->media_type && d->size >= 0);
	if (!entry || d->digest.text[0])
		check_digest(&d->digest);
	else
		MUST(d->media == IMG_MEDIA_OTHER);
	r = img_descriptor_data(a, d, "data", &content, &len, NULL);
	MUST(r != 0 || (int64_t)len == d->size);
}

static void fuzz_index(struct arena *a, const char *text, size_t size, struct err *e)
{
	struct img_index x;
	struct img_platform p;
	const struct img_descriptor *d;
	int r = img_index_parse(a, text, size, "index", &x, e);

	if (r < 0) {
		check_error(r, e);
		return;
	}
	MUST(x.n_manifests <= IMG_INDEX_MAX);
	for (size_t i = 0; i < x.n_manifests; i++)
		check_descriptor(a, &x.manifests[i], true);
	img_platform_host(&p);
	d = img_index_choose(&x, &p);
	MUST(!d || (d >= x.manifests && d < x.manifests + x.n_manifests && d->digest.text[0]));
}

static void fuzz_manifest(struct arena *a, const char *text, size_t size, struct err *e)
{
	struct img_manifest m;
	int r = img_manifest_parse(a, text, size, "manifest", &m, e);

	if (r < 0) {
		check_error(r, e);
		return;
	}
	/* Never two kinds at once. */
	MUST(img_document_kind(text, size) == IMG_MEDIA_MANIFEST);
	MUST(img_index_parse(a, text, size, "index", &(struct img_index){ 0 }, NULL) < 0);
	MUST(m.n_layers <= IMG_LAYERS_MAX);
	check_descriptor(a, &m.config, false);
	for (size_t i = 0; i < m.n_layers; i++)
		check_descriptor(a, &m.layers[i], false);
	r = img_manifest_check(&m, "manifest", e);
	if (r < 0)
		check_error(r, e);
}

static void fuzz_config(struct arena *a, const char *text, size_t size, struct err *e)
{
	struct img_config c;
	struct img_digest chain;
	int r = img_config_parse(a, text, size, "config", &c, e);

	if (r < 0) {
		check_error(r, e);
		return;
	}
	MUST(c.n_diff_ids <= IMG_LAYERS_MAX);
	for (size_t i = 0; i < c.n_diff_ids; i++)
		check_digest(&c.diff_ids[i]);
	if (c.n_diff_ids) {
		img_chain_id(c.diff_ids, c.n_diff_ids - 1, &chain);
		check_digest(&chain);
	}
	MUST(!c.labels || strv_len(c.labels) % 2 == 0);
}

static void fuzz_name(struct arena *a, const char *text, struct err *e)
{
	struct img_ref ref, again, q;
	const char *full;
	int r = img_ref_parse(a, text, &ref, e);

	if (r < 0) {
		check_error(r, e);
		return;
	}
	r = img_ref_qualify(a, &ref, "docker.io", &q, e);
	if (r < 0) {
		check_error(r, e);
		return;
	}
	full = img_ref_text(a, &q);
	MUST(full && img_ref_parse(a, full, &again, e) == 0 && str_eq(img_ref_text(a, &again), full));
	/* What people are shown leads back. */
	MUST(img_ref_parse(a, img_ref_familiar(full), &again, e) == 0);
	MUST(img_ref_qualify(a, &again, "docker.io", &q, e) == 0 && str_eq(img_ref_text(a, &q), full));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_free_ char *text = malloc(size + 1);
	struct img_platform p;
	struct img_digest d;
	struct err e = ERR_INIT;
	int r;

	MUST(a && text);
	if (size == 0)
		return 0;
	/* Exactly as long as it is for the documents, so that a read past the end is seen; with a NUL for
	 * what takes strings. */
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 6) {
	case 0:
		fuzz_index(a, (const char *)data + 1, size - 1, &e);
		break;
	case 1:
		fuzz_manifest(a, (const char *)data + 1, size - 1, &e);
		break;
	case 2:
		fuzz_config(a, (const char *)data + 1, size - 1, &e);
		break;
	case 3:
		fuzz_name(a, text, &e);
		break;
	case 4:
		r = img_digest_parse(text, &d, &e);
		if (r < 0)
			check_error(r, &e);
		else
			check_digest(&d);
		break;
	default:
		r = img_platform_parse(a, text, &p, &e);
		if (r < 0)
			check_error(r, &e);
		else
			MUST(p.os && p.architecture);
	}
	return 0;
}
