/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON documents of an image as plain structs: index (or docker manifest list), manifest, config. Parsing
 * has no side effects. All of it is input from strangers: sizes are bounded, unknown members ignored, null is
 * absent, known members of the wrong type are errors.
 */
#ifndef IMAGES_DOCUMENT_H
#define IMAGES_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "images/digest.h"

#define IMG_DOCUMENT_MAX \
	(4U * 1024 * 1024) /* distribution-spec: manifests of 4 MiB must be accepted; configs alike */
#define IMG_LAYERS_MAX 4096

enum img_media {
	IMG_MEDIA_OTHER,    /* unknown: no error in an index, never interpreted */
	IMG_MEDIA_INDEX,    /* OCI index, docker manifest list */
	IMG_MEDIA_MANIFEST, /* OCI, docker schema 2 */
	IMG_MEDIA_CONFIG,   /* OCI, docker */
	IMG_MEDIA_LAYER,    /* tar, gzip or zstd, docker's or non-distributable: what compression it is, its
			       first bytes tell */
	IMG_MEDIA_EMPTY,
};
enum img_media img_media_of(const char *type);

struct img_platform {
	const char *os, *architecture, *variant, *os_version; /* Go's names; NULL: not said */
};

/* This machine's: os "linux", GOARCH, variant (armv7 and the like; amd64 levels from cpuid are not asked for
 * by images and left out). */
void img_platform_host(struct img_platform *out);
/* "linux/arm64/v8", "arm64", "linux/amd64". */
int img_platform_parse(struct arena *a, const char *text, struct img_platform *out, struct err *e);

struct img_descriptor {
	const char *media_type; /* as written; "" if absent */
	enum img_media media;
	struct img_digest digest;
	int64_t size;	      /* >= 0 */
	const char *ref_name; /* annotation org.opencontainers.image.ref.name, or io.containerd.image.name */
	const char *const *urls;
	const char *data; /* base64, to be checked against size and digest; or NULL */
	bool has_platform;
	struct img_platform platform;
};

struct img_index {
	const char *media_type;
	struct img_descriptor *manifests;
	size_t n_manifests;
};

struct img_manifest {
	const char *media_type;
	struct img_descriptor config;
	struct img_descriptor *layers; /* base first */
	size_t n_layers;
};

struct img_history {
	const char *created, *created_by, *author, *comment;
	bool empty_layer;
};

struct img_config {
	struct img_platform platform;
	const char *created, *author;
	const char *user, *working_dir, *stop_signal;
	char **env, **entrypoint, **cmd, **exposed_ports, **volumes; /* NULL-terminated; NULL: absent */
	char **labels; /* "key", "value", "key", "value", …, NULL */
	struct img_digest *diff_ids;
	size_t n_diff_ids;
	struct img_history *history;
	size_t n_history;
};

/*
 * `what` names the document in errors. A document that is both a manifest and an index is refused
 * (CVE-2021-41190), so is a mediaType that contradicts what it was fetched as, schemaVersion other than 2, a
 * config whose rootfs.type is not "layers".
 */
int img_index_parse(struct arena *a, const char *text, size_t len, const char *what, struct img_index *out,
	struct err *e);
int img_manifest_parse(struct arena *a, const char *text, size_t len, const char *what,
	struct img_manifest *out, struct err *e);
int img_config_parse(struct arena *a, const char *text, size_t len, const char *what, struct img_config *out,
	struct err *e);

/* Which kind a document is whose media type nobody told; IMG_MEDIA_OTHER: none of them. */
enum img_media img_document_kind(const struct arena *a, const char *text, size_t len);

/*
 * The manifest for a platform: the first that matches exactly; else, for arm and arm64, the nearest older
 * variant; NULL if there is none. Entries without a platform match only if they are alone.
 */
const struct img_descriptor *img_index_choose(const struct img_index *x, const struct img_platform *p);

/* A manifest's layers and its config's diff_ids must be as many. */
int img_image_check(
	const struct img_manifest *m, const struct img_config *c, const char *what, struct err *e);

/* ChainID of the first n + 1 diff_ids (image-spec config.md, "Layer ChainID"). */
void img_chain_id(const struct img_digest *diff_ids, size_t n, struct img_digest *out);

#endif
