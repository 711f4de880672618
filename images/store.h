/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store: an OCI image layout (oci-layout, index.json, blobs/) that other tools can read, and the
 * unpacked layers beside it.
 *
 *   oci-layout, index.json   names: a descriptor for each, annotation org.opencontainers.image.ref.name
 *   blobs/ALG/HEX            content; whole and verified, or not there
 *   layers/HEX/diff/         an unpacked layer, by the ChainID it ends: a lower directory for overlayfs
 *   layers/HEX/layer.json    its diff_id, parent, and how much there is in it
 *   layers/HEX/layer.erofs   the same as an EROFS image, if it was asked for; layer.erofs.digest: its digest
 *   layers/HEX/root.erofs    the same with all layers below it, for a sandbox; root.erofs.digest
 *   ready/ALG-HEX.json       what a start needs to know of an image that is unpacked (roots.h) uses/NAME
 * a target's digest: its image is needed as long as NAME is, named or not tmp/                     all that
 * is not whole yet; partial-ALG-HEX is a download that can be resumed lock, index.lock         see below
 *
 * Where: --store, RINGFENCE_STORE, "store" in RINGFENCE_DATA, /var/lib/ringfence/store, or
 * $XDG_DATA_HOME/ringfence/store
 * (~/.local/share). Mode 0700: unpacked images hold set-user-ID programs that no user of the host may reach
 * (CVE-2021-41091).
 *
 * Theory of operation
 *   Content is written to tmp/, verified, synced, and renamed to its name, which is its digest: a name is
 * never seen half-written, and two who bring the same content do not disturb each other. An image's name is
 * set last, in index.json, which is replaced as a whole. So a kill -9 or a power cut at any moment leaves a
 * valid store, and at most something in tmp/ or unreferenced. Whoever adds content holds a shared lock on
 * `lock` from before its first blob until the name is set; img_store_collect() takes the exclusive one, so it
 * never sees content that is about to be named. index.json is changed under a second lock (index.lock), held
 * for that moment only. Both are flock(2)s, which end with the process. A handle may be used by several
 * threads; each writer belongs to one.
 */
#ifndef IMAGES_STORE_H
#define IMAGES_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "images/document.h"

struct img_store;

/* IMG_SHARED: to read and to add. IMG_EXCLUSIVE: to collect and repair. */
enum img_lock { IMG_SHARED, IMG_EXCLUSIVE };

/*
 * `path` NULL: the default place. Made if it is missing and `create`; without, a missing one is -ENOENT. The
 * lock is waited for at most `wait` seconds (-1: without limit), then -EBUSY. A directory that is neither
 * empty nor a store is refused.
 */
int img_store_open(
	const char *path, bool create, enum img_lock lock, int wait, struct img_store **out, struct err *e);
void img_store_close(struct img_store *s);
DEFINE_CLEANUP(struct img_store *, img_store_close);
const char *img_store_path(const struct img_store *s);

/* --- blobs */

bool img_blob_has(struct img_store *s, const struct img_digest *d, int64_t size); /* size -1: any */
/* O_RDONLY; -ENOENT. */
int img_blob_open(struct img_store *s, const struct img_digest *d, struct err *e);
/*
 * A small document, checked against its size and digest again, into the arena (and a NUL behind it). What the
 * descriptor carries in itself is taken where the store has no such blob.
 */
int img_blob_read(struct img_store *s, const struct img_descriptor *d, const char *what, struct arena *a,
	const char **text, size_t *len, struct err *e);

/*
 * A blob on its way in. With `want` (whose size is want_size, -1: not known) what was received of it before
 * is kept, unless another process is receiving it just now, and `*have` says how much: go on from there.
 * `want` NULL: sha256, whatever comes.
 */
struct img_writer;
int img_writer_open(struct img_store *s, const struct img_digest *want, int64_t want_size,
	struct img_writer **out, int64_t *have, struct err *e);
/* More than want_size is refused at once (-EBADMSG). */
int img_writer_add(struct img_writer *w, const void *data, size_t len, struct err *e);
/* Forgets what there is: a server would not go on from the middle. */
int img_writer_restart(struct img_writer *w, struct err *e);
/* Size, then digest (-EBADMSG, and nothing is kept), then the name. `out` and `size` (may be NULL) say what
 * came. The writer is gone in every case. */
int img_writer_commit(struct img_writer *w, struct img_digest *out, int64_t *size, struct err *e);
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
/*
 * Lets `name` (qualified, see ref.h) lead to an image, whose content is all there and is made durable first.
 * What it led to before stays as an image without a name. `name` NULL: adds an image without one, if no entry
 * leads to it.
 */
int img_name_set(struct img_store *s, const char *name, const struct img_descriptor *target, struct err *e);
/* `name`, or a digest: then all entries that lead to it. -ENOENT. The content stays until
 * img_store_collect(). */
int img_name_remove(struct img_store *s, const char *name, struct err *e);

/* What is needed beside the names: `user` (a partition's name: [A-Za-z0-9_.-], not beginning with '.') needs
 * the image with this target. */
int img_use_set(struct img_store *s, const char *user, const struct img_digest *target, struct err *e);
int img_use_remove(
	struct img_store *s, const char *user, struct err *e); /* one that is not there is no error */
struct img_use {
	const char *user;
	struct img_digest target;
};
int img_uses(struct img_store *s, struct arena *a, struct img_use **out, size_t *n, struct err *e);

/* --- images */

struct img_image {
	const char *name;			     /* or NULL */
	struct img_descriptor target, manifest_desc; /* the same unless target is an index */
	struct img_manifest manifest;
	struct img_config config;
	struct img_digest id; /* of the config */
	const char *manifest_text, *config_text;
	size_t manifest_len, config_len;
};
/*
 * By name (as people write it: short names are looked for as localhost/NAME, then docker.io's, then as the
 * end of any name), by digest of target, manifest or config, or by an unambiguous beginning of at least 4
 * digits of one. `p` NULL: this machine's platform, or else what there is. -ENOENT; -EEXIST: ambiguous, the
 * text lists what it may be.
 */
int img_image_find(struct img_store *s, struct arena *a, const char *what, const struct img_platform *p,
	struct img_image *out, struct err *e);
/* The entry that img_image_find() would take, not read any further, so that a damaged image can be removed.
 * *by_digest: `what` was no name. */
int img_name_find(struct img_store *s, struct arena *a, const char *what, const struct img_platform *p,
	struct img_name *out, bool *by_digest, struct err *e);
/* The image that an entry of the index leads to. */
int img_image_load(struct img_store *s, struct arena *a, const struct img_name *n,
	const struct img_platform *p, struct img_image *out, struct err *e);

/* --- unpacked layers */

struct img_layer {
	struct img_digest diff_id, parent; /* parent: ChainID; "" for a base layer */
	int64_t bytes, entries;		   /* of files; of nodes below diff/ */
	int64_t erofs_bytes;		   /* of its EROFS images; 0: there is none */
	int64_t left_out;		   /* what could not be made without root's powers */
	bool rootless;			   /* user.overlay.* instead of trusted.overlay.* */
	bool no_owners; /* unpacked by a user who may not give files away: all of it is his */
};
/* Is it there? An O_PATH fd of its diff/ directory, or -ENOENT. `info` may be NULL. */
int img_layer_open(
	struct img_store *s, const struct img_digest *chain_id, struct img_layer *info, struct err *e);
/* Unpacks what is missing of an image's layers, base first (unpack.h does the work). `progress` may be NULL.
 */
struct img_progress;
int img_layers_unpack(
	struct img_store *s, const struct img_image *image, struct img_progress *progress, struct err *e);
/* One of them, for who unpacks while the next is still on its way: those below are there (-ENOENT), and so is
 * its blob. */
int img_layer_unpack(struct img_store *s, const struct img_image *image, size_t n,
	struct img_progress *progress, struct err *e);

/* Makes what is missing of EROFS images of the unpacked layers, by mkfs.erofs. -ENOENT: it is not installed,
 * or a layer is not there. `progress` may be NULL. */
int img_layers_erofs(
	struct img_store *s, const struct img_image *image, struct img_progress *progress, struct err *e);
/* Makes one of the whole root file system, all layers on top of each other, if there is none. -EPERM: without
 * root's powers, or they were unpacked without; else as above. */
int img_root_erofs(struct img_store *s, const struct img_image *image, struct err *e);

/*
 * Says that an image, whose layers are all unpacked (and have EROFS images, if `erofs`), is ready to be
 * started from (roots.h). `p` as it was found with. -ENOENT: a layer is missing. -EBADMSG: its layers do not
 * go together.
 */
int img_ready_set(struct img_store *s, const struct img_image *image, const struct img_platform *p,
	bool erofs, struct err *e);

/* --- upkeep */

struct img_collected {
	size_t images, blobs, layers;
	int64_t bytes;
};
/* How img_store_collect() goes about it; 0: removes what no name and no use leads to, images without a name
 * among it, and all of tmp/. */
enum {
	IMG_COLLECT_DRY = 1 << 0,	    /* only counts; IMG_SHARED will do for that */
	IMG_COLLECT_UNUSED = 1 << 1,	    /* also names that lead to an image without a use */
	IMG_COLLECT_KEEP_NAMELESS = 1 << 2, /* not the images without a name */
	IMG_COLLECT_KEEP_PARTIAL = 1 << 3,  /* not the downloads that can be resumed */
};
/* Needs IMG_EXCLUSIVE. */
int img_store_collect(struct img_store *s, unsigned int how, struct img_collected *out, struct err *e);
/*
 * Reads everything back: each blob against its digest, each name's documents and layers present, each
 * unpacked layer complete. Calls `found` with a sentence for each fault; `repair` removes what is damaged
 * (and the names that then lead nowhere). An index.json that cannot be read is made anew, with the images
 * that are there, without names. Returns the number of faults. Needs IMG_EXCLUSIVE.
 */
int img_store_check(struct img_store *s, bool repair, void (*found)(const char *text, void *arg), void *arg,
	struct err *e);

/* What there is; bytes are those of files. */
struct img_usage {
	size_t blobs, layers, partials; /* layers: unpacked; partials: downloads that can be resumed */
	int64_t blob_bytes, layer_bytes, partial_bytes, other_bytes; /* other: what killed processes left */
};
int img_store_usage(struct img_store *s, struct img_usage *out, struct err *e);

#endif
