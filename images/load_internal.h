/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of img_load() share; private to load*.c. */
#ifndef IMAGES_LOAD_INTERNAL_H
#define IMAGES_LOAD_INTERNAL_H

#include "images/archive.h"
#include "images/transfer.h"

#define LOAD_IMAGES_MAX 4096
#define LOAD_NAMES_MAX	65536	    /* of all images together */
#define LOAD_WALKS_MAX	16384	    /* documents that are looked into: an index may list one often */
#define LOAD_TEXT_MAX	(64U << 20) /* of documents that are kept in memory */

/* Content that an image needs. */
struct load_blob {
	struct img_digest digest;
	const struct img_source_file *file; /* NULL: the store has it, or it was made here */
	const char *text;		    /* made here; NULL: it was not */
	size_t len;
	struct img_digest diff_id; /* what it was verified to uncompress to; "": not yet */
	bool walked;		   /* what this document leads to is noted already */
};

struct load {
	struct img_store *s;
	struct img_source *ar;
	struct arena *a; /* the caller's: for names and what is made here. Documents are read into others. */
	struct img_progress *progress;
	const char *path; /* as the user said it */
	const char *name; /* the one that he wants; NULL: those in the archive */
	int item;	  /* the next of the progress */
	unsigned int walks;
	size_t text_bytes;
	struct load_blob *blobs;
	size_t n_blobs, blobs_room;
	struct img_name *images;
	size_t n_images, images_room; /* an entry for each name */
	size_t n_targets;	      /* different images */
};

/*
 * The blob that a descriptor means, from the store or the archive: right in size and digest, and noted as
 * needed. Its place in l->blobs, or -ENOENT: nobody has it.
 */
int load_need(struct load *l, const struct img_descriptor *d, const char *what, struct err *e);
/* A document that such a descriptor means; its place. */
int load_document(struct load *l, struct arena *a, const struct img_descriptor *d, const char *what,
	const char **text, size_t *len, struct err *e);
/* One that the archive has under another name, or that was made here. Its place. */
int load_add_file(struct load *l, const struct img_source_file *f, struct err *e);
int load_add_text(struct load *l, const char *text, size_t len, struct img_digest *digest, struct err *e);
/* Does the n-th layer uncompress to what the config says? */
int load_verify_layer(struct load *l, int blob, size_t n, const struct img_digest *diff_id, struct err *e);

/* Notes an image, under `name`, which is qualified; NULL: without one. */
int load_image(struct load *l, const struct img_descriptor *target, const char *name, struct err *e);

/* --- the two kinds */

int load_oci(struct load *l, struct err *e);
int load_docker(struct load *l, struct err *e);

#endif
