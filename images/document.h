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

/* distribution-spec: manifests of 4 MiB must be accepted; configs alike. */
#define IMG_DOCUMENT_MAX (4U * 1024 * 1024)
#define IMG_LAYERS_MAX	 4096
#define IMG_INDEX_MAX	 65536 /* entries of an index */

enum img_media {
	IMG_MEDIA_OTHER,    /* unknown: no error in an index, never interpreted */
	IMG_MEDIA_INDEX,    /* OCI index, docker manifest list */
	IMG_MEDIA_MANIFEST, /* OCI, docker schema 2 */
	IMG_MEDIA_CONFIG,   /* OCI, docker */
	IMG_MEDIA_LAYER,    /* tar, gzip or zstd, docker's or non-distributable: what compression it is, its
			       first bytes tell */
	IMG_MEDIA_EMPTY,
};
/* Parameters behind a ';', as HTTP has them, do not count. */
enum img_media img_media_of(const char *type);

struct img_platform {
	const char *os, *architecture, *variant, *os_version; /* Go's names; NULL: not said */
};

/* This machine's, static strings: os "linux", GOARCH, variant (armv7 and the like; amd64 levels from cpuid
 * are not asked for by images and left out). */
void img_platform_host(struct img_platform *out);
/* "linux/arm64/v8", "arm64", "linux/amd64". */
int img_platform_parse(struct arena *a, const char *text, struct img_platform *out, struct err *e);

struct img_descriptor {
	const char *media_type; /* as written; "" if absent */
	enum img_media media;
	struct img_digest digest;
	int64_t size;	      /* >= 0 */
	const char *ref_name; /* annotation org.opencontainers.image.ref.name: a whole name, or only a tag */
	const char *containerd_name; /* annotation io.containerd.image.name: a whole name, where ref_name is a
					tag */
	char **urls;		     /* NULL-terminated; NULL: none */
	const char *data;	     /* base64, see img_descriptor_data(); NULL: none */
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

/*
 * Which kind a document is whose media type nobody told; IMG_MEDIA_OTHER: none of them, or more than one. No
 * arena, since what is parsed for it is not kept.
 */
enum img_media img_document_kind(const char *text, size_t len);

/* What a descriptor carries in itself: 0, with content whose size and digest are right; -ENOENT, it carries
 * none; -EBADMSG. */
int img_descriptor_data(struct arena *a, const struct img_descriptor *d, const char *what, const char **data,
	size_t *len, struct err *e);

/*
 * The entry for a platform: of those with its os and architecture the one whose variant is nearest and not
 * newer, the first of equals; NULL if there is none. An entry without a platform counts only if it is alone
 * (attestations, of platform unknown/unknown, aside). What is chosen may be an index again.
 */
const struct img_descriptor *img_index_choose(const struct img_index *x, const struct img_platform *p);

/*
 * A manifest that is an image: its config is one, its layers are tars; else it is somebody's artifact.
 * img_image_check() also wants as many layers as the config has diff_ids.
 */
int img_manifest_check(const struct img_manifest *m, const char *what, struct err *e);
int img_image_check(
	const struct img_manifest *m, const struct img_config *c, const char *what, struct err *e);

/* ChainID of the first n + 1 diff_ids (image-spec config.md, "Layer ChainID"). */
void img_chain_id(const struct img_digest *diff_ids, size_t n, struct img_digest *out);
/* From the ChainID of n layers to that of n + 1. */
void img_chain_next(struct img_digest *chain, const struct img_digest *diff_id);

#endif
