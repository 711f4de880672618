/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of img_save() share; private to save*.c and archive_write.c. */
#ifndef IMAGES_SAVE_INTERNAL_H
#define IMAGES_SAVE_INTERNAL_H

#include "images/transfer.h"

/* --- archive_write.c: files, into a tar or a directory */

struct save_sink;

/* A tar on `fd`, or below the directory `dir`; the other one is -EBADF. Neither is taken. */
int save_sink_open(int fd, int dir, struct save_sink **out, struct err *e);
/* One after another, with all of their bytes. Times, owners and modes are always the same. */
int save_file(struct save_sink *k, const char *name, int64_t size, struct err *e);
int save_data(void *sink, const void *data, size_t len, struct err *e);
int save_file_end(struct save_sink *k, struct err *e);
int save_text(struct save_sink *k, const char *name, const char *text, size_t len, struct err *e);
/* What is still to be written; the sink stays to be closed. */
int save_finish(struct save_sink *k, struct err *e);
void save_sink_close(struct save_sink *k);
DEFINE_CLEANUP(struct save_sink *, save_sink_close);

/* --- what is saved */

struct save_image {
	struct img_image image;
	const char *name; /* NULL: asked for by a digest */
};

struct save {
	struct img_store *s;
	struct arena *a;
	struct save_sink *sink;
	struct img_progress *progress;
	int item;
	struct save_image *images;
	size_t n_images;
	void *written; /* tsearch(3) of names of files */
};

bool save_has_written(const struct save *v, const char *name);
/* Notes it. True: it was written already, or there is no memory for knowing (*r). */
bool save_was_written(struct save *v, const char *name, int *r, struct err *e);
/* A blob of the store as the file `name`, verified. */
int save_blob(struct save *v, const struct img_descriptor *d, const char *name, struct err *e);
/* Begins and ends an item of the progress; documents (-1) are none. */
int save_begin(struct save *v, const char *what, int64_t total);
void save_end(struct save *v, int item, int r);

int save_oci(struct save *v, struct err *e);
int save_docker(struct save *v, struct err *e);

#endif
