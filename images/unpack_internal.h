/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the unpacker share; private to unpack*.c, but for the stream, which archive*.c also read.
 */
#ifndef IMAGES_UNPACK_INTERNAL_H
#define IMAGES_UNPACK_INTERNAL_H

#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include "base/path.h"
#include "images/unpack.h"

/* --- unpack_stream.c: packed bytes to a tar's, hashed and counted */

struct up_stream;

/* Starts the thread that reads and inflates. The error that a call below reports stays with the stream. */
int up_stream_open(const struct img_unpack *u, struct up_stream **out, struct err *e);
/* The next bytes, valid until the next call: how many, 0 at the end, -errno. */
ssize_t up_stream_next(struct up_stream *s, const void **data);
/* Reads to the end, what is behind the tar included, and tells the digest of it all. */
int up_stream_finish(struct up_stream *s, struct img_digest *diff_id);
/* Why it failed; code 0: it did not. */
const struct err *up_stream_err(const struct up_stream *s);
void up_stream_close(struct up_stream *s);
DEFINE_CLEANUP(struct up_stream *, up_stream_close);

/* --- attributes */

struct up_xattr {
	const char *name;
	const void *value;
	size_t size;
};

struct up_attrs {
	mode_t mode; /* 07777 */
	uid_t uid;
	gid_t gid;
	struct timespec times[2]; /* atime, mtime */
	const struct up_xattr *xattrs;
	size_t n_xattrs;
};

/* --- the state of one layer */

/*
 * Where we are working: a directory of the layer, held open from entry to entry, since what a tar has in one
 * directory it usually has in a row. Working in a directory changes its mtime: it is read when we come and
 * put back when we leave, which needs no list of directories to be gone through at the end.
 */
struct up_place {
	int fd; /* -EBADF: nowhere */
	char path[PATH_MAX];
	struct timespec times[2];
	bool touched;
};

/*
 * A directory that its owner may not write to, and that gets its mode at the end: only without root's powers.
 * As a tree by paths, since of several entries for one directory the last one counts.
 */
struct up_late {
	mode_t mode;
	bool due;
	char path[];
};

/* A path that is there only because it was copied from a layer below. */
struct up_path {
	struct up_path *next;
	char path[];
};

struct up {
	const struct img_unpack *u;
	struct err *err; /* never NULL */
	struct up_place at;
	struct img_unpacked out;
	void *late; /* tsearch(3) of struct up_late */
	struct up_path *copied;
	size_t n_late;
	int64_t max_bytes, max_entries, max_xattrs, bytes, entries;
	bool root_opaque,
		default_acls; /* the latter: some directory has one, which what is made in it inherits */
	const char *opaque;   /* the xattr's name */
};

/* --- unpack_path.c: where entries go */

/*
 * An entry's path as components joined by '/', without "." and leading '/'; "" is the root. -EINVAL for one
 * that leads out of it or has a component that is reserved; -ENAMETOOLONG.
 */
int up_clean(struct up *p, const char *path, const char *what, char out[PATH_MAX]);
/* Splits a clean path that is not "": `dir` gets the part before the last component, which is returned. */
const char *up_split(const char *path, char dir[PATH_MAX]);
/* Goes to a directory of the layer, made if need be. */
int up_go(struct up *p, const char *path);
/* To the directory that `fd` is, which was just made or given attributes. Takes the fd. */
void up_stay(struct up *p, int fd, const char *path, const struct timespec times[2]);
/* Puts the times back of where we are. */
int up_leave(struct up *p);
/* Removes what stands at the place's `name`. */
int up_clear(struct up *p, const char *name);
/* Opens a directory of the layer; also -ENOTDIR or -ELOOP where something else is in the way. No error text.
 */
int up_open_dir(const struct up *p, const char *path);

/* --- unpack_lower.c: the layers below */

/*
 * What the layers below show at `path`: the fd (O_PATH | O_NOFOLLOW) and what it is, or -ENOENT (also where
 * it is whited out).
 */
int up_lower_find(struct up *p, const char *path, struct stat *st);
/* A directory that this layer does not list: attributes of the one below, or 0755 root. `hidden`: do not look
 * below. */
int up_imply(struct up *p, int fd, const char *path, bool hidden, struct timespec times[2]);
/* Copies a file that only a layer below has to the same path in this one. The place moves. */
int up_copy_up(struct up *p, const char *path);

/* --- unpack_hide.c: whiteouts */

#define UP_WHITEOUT ".wh."
#define UP_OPAQUE   ".wh..wh..opq"
#define UP_META	    ".wh..wh."

/* For a cleaned path whose last component begins with UP_WHITEOUT. */
int up_hide(struct up *p, const char *path);
bool up_is_whiteout(mode_t mode, dev_t rdev);
int up_set_opaque(struct up *p, int fd);
/* An opaque root, at the end: overlayfs merges roots whatever their attributes say. */
int up_hide_root(struct up *p);

/* --- unpack_node.c: making things */

int up_set_attrs(struct up *p, int fd, const char *what, const struct up_attrs *a, bool is_dir);
int up_make_dir(struct up *p, const char *path, const struct up_attrs *a);
int up_make_link(struct up *p, const char *path, const char *target);
int up_make_symlink(struct up *p, const char *path, const char *target, const struct up_attrs *a);
int up_make_node(struct up *p, const char *path, mode_t type, dev_t rdev, const struct up_attrs *a);
/* A file to write to. up_set_attrs() is the caller's, when it is written. */
int up_make_file(struct up *p, const char *path);
/* The delayed modes. */
int up_finish_modes(struct up *p);

/* --- unpack_tree.c */

/* Like img_tree_remove(), and says what has gone; `gone` is added to. */
int img_tree_remove_counted(int parent, const char *name, struct img_tree *gone, struct err *e);

#endif
