/* SPDX-License-Identifier: Apache-2.0 */
/* The images of a store, read as far as there is something to read: what the verbs list, filter and count. */
#ifndef CLI_IMAGE_CATALOG_H
#define CLI_IMAGE_CATALOG_H

#include "cli/image/image.h"
#include "cli/image/text.h"
#include "images/ref.h"
#include "images/store.h"

/* An entry of the store's index, or with `all` one of an index's images for other machines. */
struct catalog_image {
	struct img_name entry;
	struct img_image image; /* unless `broken` */
	struct img_ref ref;	/* of entry.name; empty without */
	const char *repository; /* "docker.io/library/debian"; NULL: no name */
	bool other;		/* of an index, and not the one that its name leads to */
	const char *broken;	/* why it cannot be read; NULL: it could be */
	int64_t created;	/* seconds since 1970, or TEXT_NO_TIME */
	int64_t size;		/* of its documents and its packed layers; -1: not known */
};

struct catalog {
	struct img_store *s;
	struct arena *a;
	struct catalog_image *list;
	size_t n;
	struct img_use *uses;
	size_t n_uses;
	size_t text_bytes; /* of the documents of others */
};

/*
 * Opens the store to look at it. That the default one is not there yet is no error: *out is NULL then; that
 * the one of --store is not there is.
 */
int catalog_open(
	const struct image_ctx *ctx, enum img_lock lock, int wait, struct img_store **out, struct err *e);

/* All of the store, in the index's order; nothing with `s` NULL. In the arena. `all`: see above. */
int catalog_load(struct img_store *s, struct arena *a, bool all, struct catalog *out, struct err *e);

/* Do both lead to the same image? */
bool catalog_same(const struct catalog_image *x, const struct catalog_image *y);
/* Digits that people know it by: the id's, or the target's where it cannot be read. */
const char *catalog_id(const struct catalog_image *i);
/* The user of an image's target; NULL: none from *at on, which is moved behind. */
const char *catalog_user(const struct catalog *c, const struct img_digest *target, size_t *at);
/* "key" of labels "key", "value", …; NULL: there is none. */
const char *catalog_label(char *const *labels, const char *key);

/* A member `key`: all names of the store that lead to the same image; `digests`: as REPOSITORY@DIGEST. */
void catalog_put_names(struct json_writer *w, const char *key, bool digests, const struct catalog *c,
	const struct catalog_image *i);
/* A member "Labels". */
void catalog_put_labels(struct json_writer *w, char *const *labels);
/* JSON on standard output, without what a terminal could take as a command. */
int catalog_print_json(struct json_writer *w, struct err *e);

/* --- filter.c */

/*
 * Of --filter: dangling=BOOL, reference=PATTERN, label=KEY[=VALUE]. All that are given must hold, but of
 * several references one. -EINVAL: one is none of these.
 */
int filter_check(char *const *texts, struct err *e);
bool filter_matches(char *const *texts, const struct catalog_image *i);
/*
 * Does a name ("docker.io/library/debian:12") match what people write: "debian", "debian:12", "library/deb*",
 * "*:12"? A '*' does not go beyond a '/'. Without a tag in the pattern every tag does.
 */
bool filter_reference(const char *pattern, const char *name);
/* "KEY" or "KEY=VALUE". */
bool filter_label(const char *want, char *const *labels);

#endif
