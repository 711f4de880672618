/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read archives share; private to archive.c and archive_read.c. */
#ifndef IMAGES_ARCHIVE_INTERNAL_H
#define IMAGES_ARCHIVE_INTERNAL_H

#include <limits.h>
#include <search.h>

#include "images/archive.h"
#include "images/store_internal.h"

#define AR_BUFFER	(256 * 1024)
#define AR_WRITE_BEHIND (8 * 1024 * 1024) /* as the store's writer has it */

struct ar_member {
	struct img_source_file file;
	const char *name;    /* clean: no leading '/', no "." or ".." */
	char *target;	     /* of a link; NULL: none */
	bool hard;	     /* the target is a member's name, not relative to where the link is */
	bool present;	     /* `file` is valid: spooled, or a blob of the store */
	bool spooled;	     /* there is a file in the spool of our number */
	unsigned int number; /* whatever the name is */
	char text[];
};

struct img_source {
	struct img_store *s;
	int dir, spool; /* dir: what comes in is a directory; else -EBADF */
	bool made;
	char name[ST_TMP_NAME_MAX]; /* the spool's, in tmp/ */
	void *members;		    /* tsearch(3) */
	unsigned int numbers;
	int64_t bytes; /* of all members */
};

/* Into buf; NULL: one that no member can have that is looked for. */
const char *ar_clean_name(const char *name, char buf[PATH_MAX]);
struct ar_member *ar_lookup(struct img_source *ar, const char *name);
/* A new one, or the one of that name made empty. NULL: no memory. */
struct ar_member *ar_add(struct img_source *ar, const char *name);
void ar_drop(struct img_source *ar, struct ar_member *m);
const char *ar_number(const struct ar_member *m, char buf[16]);
bool ar_blob_name(const char *name, struct img_digest *out);
int ar_too_much(struct err *e);

/* A file that is being written to the spool. To be closed in every case. */
struct ar_spool {
	int fd;
	struct img_hash *hash;
	int64_t size, started;
};
int ar_spool_begin(struct img_source *ar, struct ar_member *m, struct ar_spool *out, struct err *e);
int ar_spool_add(struct img_source *ar, struct ar_spool *sp, const void *data, size_t len, struct err *e);
int ar_spool_end(struct ar_member *m, struct ar_spool *sp, struct err *e);
void ar_spool_close(struct ar_spool *sp);

/* --- archive_read.c */

/* All members of the tar. `size` of the file for the progress, -1: not known. */
int ar_read_tar(struct img_source *ar, int fd, int64_t size, struct img_progress *p, struct err *e);

#endif
