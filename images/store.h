/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store: an OCI image layout (oci-layout, index.json, blobs/) that other tools can read, and the
 * unpacked layers beside it.
 *
 *   oci-layout, index.json   names: a descriptor for each, annotation org.opencontainers.image.ref.name
 *   blobs/ALG/HEX            content; whole and verified, or not there
 *   layers/HEX/diff/         an unpacked layer, by the ChainID it ends: what overlayfs takes as a lower
 * directory layers/HEX/layer.json    its diff_id, parent, size; written last: a layer without it is a wreck
 *   tmp/                     all that is not whole yet; partial-ALG-HEX is a download that can be resumed
 *   lock                     see below
 *
 * Where: --store, RINGFENCE_STORE, /var/lib/ringfence/store, or $XDG_DATA_HOME/ringfence/store
 * (~/.local/share). Mode 0700 all the way: unpacked images hold set-user-ID programs that no user of the host
 * may reach (CVE-2021-41091).
 *
 * Theory of operation
 *   Content is written to tmp/, verified, fsync()ed, and renamed to its name, which is its digest: a name is
 * never seen half-written, and two who bring the same content do not disturb each other. An image's name is
 * set last, in index.json, which is replaced as a whole. So a kill -9 or a power cut at any moment leaves a
 * valid store, and at most something in tmp/ or unreferenced. Whoever adds content holds a shared lock on
 * `lock` from before its first blob until the name is set; img_store_collect() takes the exclusive one, so it
 * never sees content that is about to be named. index.json is changed under a second lock (index.lock), held
 * for that moment only.
 */
#ifndef IMAGES_STORE_H
#define IMAGES_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "images/document.h"

struct img_store;

/* IMG_SHARED: to read and to add. IMG_EXCLUSIVE: to collect and repair; waits for those who add, at most
 * `wait` seconds, then -EBUSY. */
enum img_lock { IMG_SHARED, IMG_EXCLUSIVE };

/* `path` NULL: the default place. Made if it is missing and `create`. */
int img_store_open(
	const char *path, bool create, enum img_lock lock, int wait, struct img_store **out, struct err *e);
void img_store_close(struct img_store *s);
DEFINE_CLEANUP(struct img_store *, img_store_close);
const char *img_store_path(const struct img_store *s);

/* --- blobs */

bool img_blob_has(struct img_store *s, const struct img_digest *d, int64_t size); /* size -1: any */
/* O_RDONLY; -ENOENT. */
int img_blob_open(struct img_store *s, const struct img_digest *d, struct err *e);
/* A small document, checked against its digest again, into the arena. */
int img_blob_read(struct img_store *s, const struct img_descriptor *d, const char *what, struct arena *a,
	const char **text, size_t *len, struct err *e);

/* A blob on its way in. With `want`, what was received of it before is kept and `*have` says how much: go on
 * from there. */
struct img_writer;
int img_writer_open(struct img_store *s, const struct img_digest *want, int64_t want_size,
	struct img_writer **out, int64_t *have, struct err *e);
int img_writer_add(struct img_writer *w, const void *data, size_t len,
	struct err *e); /* more than want_size is refused at once */
/* Verifies and gives it its name. `out` (may be NULL) gets the digest. The writer is gone in every case. */
int img_writer_commit(struct img_writer *w, struct img_digest *out, struct err *e);
/* Ends it; `keep`: what there is can be resumed later. */
void img_writer_abort(struct img_writer *w, bool keep);
int img_blob_put(struct img_store *s, const void *data, size_t len, struct img_digest *out, struct err *e);

/* --- names */

struct img_name {
	const char *name;	      /* "docker.io/library/debian:12"; NULL: an image without one */
	struct img_descriptor target; /* manifest or index */
};
/* All of them, in the order of index.json. */
int img_names(struct img_store *s, struct arena *a, struct img_name **out, size_t *n, struct err *e);
int img_name_set(struct img_store *s, const char *name, const struct img_descriptor *target, struct err *e);
int img_name_remove(struct img_store *s, const char *name, struct err *e); /* -ENOENT */

/* --- images */

struct img_image {
	const char *name;			     /* or NULL */
	struct img_descriptor target, manifest_desc; /* the same unless target is an index */
	struct img_manifest manifest;
	struct img_config config;
	struct img_digest id; /* of the config */
	const char *config_text;
	size_t config_len;
};
/* By name, digest ("sha256:…"), or an unambiguous beginning of at least 4 digits of its id or digest.
 * -ENOENT, -EEXIST (ambiguous: the text lists them). */
int img_image_find(struct img_store *s, struct arena *a, const char *what, const struct img_platform *p,
	struct img_image *out, struct err *e);

/* --- unpacked layers */

/* Is layer n of the image there? An O_PATH fd of its diff/ directory, or -ENOENT. */
int img_layer_open(struct img_store *s, const struct img_digest *chain_id, struct err *e);
/* Unpacks what is missing of an image's layers, base first (unpack.h does the work). `progress` may be NULL.
 */
struct img_progress;
int img_layers_unpack(
	struct img_store *s, const struct img_image *image, struct img_progress *progress, struct err *e);

/* --- upkeep */

struct img_collected {
	size_t images, blobs, layers;
	int64_t bytes;
};
/* Removes what no name leads to, and all of tmp/. Needs IMG_EXCLUSIVE. `dry`: only counts. */
int img_store_collect(struct img_store *s, bool dry, struct img_collected *out, struct err *e);
/*
 * Reads everything back: each blob against its digest, each name's documents and layers present, each
 * unpacked layer complete. Calls `found` with a sentence for each fault; `repair` removes what is damaged
 * (and the names that then lead nowhere). Returns the number of faults. Needs IMG_EXCLUSIVE.
 */
int img_store_check(struct img_store *s, bool repair, void (*found)(const char *text, void *arg), void *arg,
	struct err *e);

#endif
