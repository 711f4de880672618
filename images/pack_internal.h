/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that make layers share; private to pack*.c and archive_layer.c. */
#ifndef IMAGES_PACK_INTERNAL_H
#define IMAGES_PACK_INTERNAL_H

#include <sys/types.h>
#include <time.h>

#include "images/pack.h"

/* --- archive_layer.c: entries to a tar, hashed, compressed, hashed again, into the store */

struct layer_xattr {
	const char *name;
	const void *value;
	size_t size;
};

struct layer_extent {
	int64_t at, len;
};

struct layer_entry {
	const char *path;
	mode_t mode; /* type and permissions */
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
	dev_t rdev;
	int64_t size;	  /* of a file; 0 for all else */
	const char *link; /* a symlink's target, or a hard link's path, if `hard` */
	bool hard;
	const struct layer_xattr *xattrs;
	size_t n_xattrs;
	const struct layer_extent *extents; /* of a sparse file: where there is data */
	size_t n_extents;
	bool sparse;
};

struct layer_writer;
int layer_open(struct img_store *s, enum img_compression c, struct layer_writer **out, struct err *e);
/* Then, for a file, exactly `size` bytes by layer_data(), with zeros for the holes. */
int layer_entry(struct layer_writer *w, const struct layer_entry *x, struct err *e);
int layer_data(struct layer_writer *w, const void *data, size_t len, struct err *e);
/* Bytes of a tar that is one already; not together with entries. */
int layer_bytes(struct layer_writer *w, const void *data, size_t len, struct err *e);
/* A tar without entries. */
int layer_empty(struct layer_writer *w, struct err *e);
/* The writer's use is over; it is still to be closed. digest, diff_id and size of `out` are filled in. */
int layer_finish(struct layer_writer *w, struct img_packed *out, struct err *e);
void layer_close(struct layer_writer *w);
DEFINE_CLEANUP(struct layer_writer *, layer_close);

/* --- pack_attrs.c: extended attributes of what is packed */

#define PACK_XATTRS_MAX 256

struct pack_attrs {
	struct layer_xattr list[PACK_XATTRS_MAX];
	size_t n;
	char *names, *values;	 /* what the list points into */
	bool opaque, whiteout;	 /* overlayfs' own */
	const char *needs_lower; /* the attribute that says so; NULL: none */
};
/* Of `fd`; -EBADF: of dir/name itself, through /proc. To be freed. */
int pack_attrs_read(int fd, int dir, const char *name, const struct img_pack_opts *o, struct pack_attrs *out,
	struct err *e);
void pack_attrs_free(struct pack_attrs *a);

#endif
