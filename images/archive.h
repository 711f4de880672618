/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes in as a tar or a directory: its files, to be asked for by name. Only archive*.c and unpack*.c
 * know libarchive.
 *
 * The members of a tar come in any order, perhaps from a pipe, and which of them an image needs is known when
 * all have been seen. So each is written to a directory of its own in the store's tmp/, under a number, and
 * hashed as it goes by; a blob that turns out to be needed is then renamed to its place, and written only
 * once. Of a directory the files are copied when they are asked for. What the store has already is not
 * written again.
 *
 * The contents are hostile. Names are only compared, and no path is ever made of one. Links lead to other
 * members, by their text. What is no regular file or link is not looked at.
 */
#ifndef IMAGES_ARCHIVE_H
#define IMAGES_ARCHIVE_H

#include "images/store.h"
#include "images/transfer.h"

/* Of one archive; what is more than that is -E2BIG. */
#define IMG_ARCHIVE_MEMBERS  65536
#define IMG_ARCHIVE_BYTES    (INT64_C(512) << 30)
#define IMG_ARCHIVE_NAME_MAX 255 /* members with longer names are left out: no image needs one */

struct img_source_file {
	int64_t size;
	struct img_digest digest; /* of what is there; sha512 for what lies in blobs/sha512/, else sha256 */
};

struct img_source;

/*
 * `path`: a directory, a file, or "-", which is standard input. Reads a file to its end, also if it is
 * compressed (once). The progress' item 0 is the reading. -EBADMSG: no archive, or a damaged one; -E2BIG.
 */
int img_source_open(struct img_store *s, const char *path, struct img_progress *p, struct img_source **out,
	struct err *e);
/* Removes what is left of it in tmp/. */
void img_source_close(struct img_source *ar);
DEFINE_CLEANUP(struct img_source *, img_source_close);

/* -ENOENT (no text): there is none. Else `out` is valid until the archive is closed. */
int img_source_find(
	struct img_source *ar, const char *name, const struct img_source_file **out, struct err *e);
/* To be read from the beginning. O_RDONLY. */
int img_source_fd(struct img_source *ar, const struct img_source_file *f, struct err *e);
/* The whole of a small one, into the arena, and a NUL behind it. */
int img_source_read(struct img_source *ar, const struct img_source_file *f, const char *what, struct arena *a,
	const char **text, size_t *len, struct err *e);
/* Lets it be a blob of the store, by its digest. It can still be read afterwards. */
int img_source_adopt(struct img_source *ar, const struct img_source_file *f, struct err *e);

/* By its first bytes. */
enum img_compression img_compression_of(const void *start, size_t len);
/* image-spec's media type of such a layer; NULL: there is none. */
const char *img_layer_type(enum img_compression c);

#endif
