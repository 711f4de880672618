/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's tar stream into a directory, under the rules of image-spec layer.md. Tars are read by libarchive
 * (which only unpack_stream.c and unpack.c know), which also undoes gzip, zstd, xz and bzip2, in this
 * process: no program of the host or the image is run (CVE-2026-41567).
 *
 * The stream is hostile, and so is what it has made so far. Every path is cleaned, split, and walked from the
 * directory's descriptor with RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV for all but the last component, and that
 * is only ever acted on by *at() calls that do not follow it. So an entry "a/b" where "a" is a symlink
 * replaces nothing outside: a symlink in the way of a directory is removed, as the spec has it.
 *
 * Target format: what overlayfs takes as a lower directory. A whiteout becomes a character device 0:0
 * (Linux 5.8 lets everybody make that), an opaque directory gets trusted.overlay.opaque (user.… where the
 * store is not root's). A directory that the layer does not list but needs gets the attributes that it has in
 * the layers below, so that it does not hide those. A base layer has nothing to hide: its whiteouts are left
 * out.
 */
#ifndef IMAGES_UNPACK_H
#define IMAGES_UNPACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "images/digest.h"

struct img_unpack_limits {
	int64_t max_bytes;   /* of all files together; 0: 64 GiB */
	int64_t max_entries; /* 0: 4,000,000 */
	int64_t max_ratio;   /* unpacked to packed bytes, from 64 MiB on; 0: 400 */
	int64_t max_xattrs;  /* bytes an entry; 0: 64 KiB */
};

struct img_unpack {
	/* Reads the packed stream: bytes, 0 at its end, -errno. Called from a thread of its own. */
	ssize_t (*read)(void *arg, void *buf, size_t size);
	void *arg;
	int dir;	   /* an empty directory, O_RDONLY */
	const int *lowers; /* unpacked layers below, nearest first: for directories that are not listed, and
			      links to files in them */
	size_t n_lowers;
	struct img_digest diff_id; /* to be verified; text "": not known, out->diff_id tells */
	const char *what;	   /* what errors call the stream; NULL: "layer" */
	bool unhashed;		   /* nobody asks for its digest */
	bool rootless;	/* user.overlay.*; devices, trusted.* and, where they cannot be, capabilities are left
			   out and counted */
	bool no_owners; /* no chown: all is ours. Else an owner that this user namespace does not map is left
			   out and counted */
	struct img_unpack_limits limits;
	/* Called now and then with the packed bytes read so far; true: stop (-EINTR). May be NULL. */
	bool (*tick)(void *arg, int64_t packed);
	void *tick_arg;
};

/* What is below a directory: names, and the bytes of files (one with several names counts once). */
struct img_tree {
	int64_t entries, bytes;
};

struct img_unpacked {
	struct img_digest diff_id;
	struct img_tree tree;
	int64_t left_out; /* devices, attributes and owners that were not made, see `rootless` */
};

/*
 * -EBADMSG: not what its digest says, or no tar; -E2BIG: over a limit; -EINVAL: an entry that is refused. On
 * failure what was made is left for the caller to remove: it is in the caller's tmp/. Nothing is synced: that
 * is best done once, by the caller, before the layer gets its name.
 */
int img_unpack(const struct img_unpack *u, struct img_unpacked *out, struct err *e);
/*
 * Only uncompresses and hashes: of `u` all but `dir`, `lowers` and the limits of a tree counts. `write` (may
 * be NULL) gets the bytes, and what it refuses ends it. `bytes` (may be NULL): how many there are. -EBADMSG,
 * -E2BIG.
 */
int img_unpack_bytes(const struct img_unpack *u,
	int (*write)(void *arg, const void *data, size_t len, struct err *e), void *write_arg,
	struct img_digest *diff_id, int64_t *bytes, struct err *e);

/* Removes parent/name and what is below it, also directories whose modes keep us out; never leaves the file
 * system. -ENOENT is no error. */
int img_tree_remove(int parent, const char *name, struct err *e);
int img_tree_count(int dir, struct img_tree *out, struct err *e);

#endif
