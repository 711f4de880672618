/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory tree as a layer: a tar (pax where ustar has no room), compressed, into the store. The order is
 * that of sorted names, directories before what is in them, so the same tree is the same diff_id.
 *
 * Kept: owners by number, modes, mtimes to the nanosecond, hard links, symlinks, devices, fifos, holes of
 * sparse files, and of the extended attributes user.*, trusted.*, security.capability and POSIX ACLs. Left
 * out: sockets, atimes, labels of this host's security modules, and what overlayfs keeps for itself.
 *
 * The tree may change while it is read, and its names may be anybody's: everything is opened from its
 * directory's descriptor, without following symlinks, and looked at again when it is open.
 */
#ifndef IMAGES_PACK_H
#define IMAGES_PACK_H

#include "images/archive.h"

struct img_pack_opts {
	enum img_compression compression; /* IMG_ZSTD, IMG_GZIP or IMG_NONE */
	/*
	 * Shell patterns of paths below the root. With a '/' in it, or at its beginning, one is for whole
	 * paths; else for names in any directory. NULL: none.
	 */
	char *const *excludes;
	/* What is mounted below the root is left out, and its mount points are empty, but for these
	 * ("/home"). */
	char *const *mounts;
	/*
	 * The tree is an overlayfs upper directory: its whiteouts and opaque directories become those of
	 * image-spec, and the root itself is left out. An upper directory that needs what is below it for its
	 * content (redirect_dir, metacopy) is refused.
	 */
	bool overlay;
	/* Of that: overlayfs' attributes are trusted.* only. Those under user.* are then the partition's own
	 * doing, and are left out. */
	bool trusted;
	/* What the tree's owner ids are more than the image's: those of a user namespace. Smaller ones, and
	 * of more than shift_count (0: all), are refused. */
	uint32_t uid_shift, gid_shift, shift_count;
	/* What vanishes or changes is only warned of (log_warn). Else it is an error (-ESTALE). */
	bool hot;
	struct img_progress *progress; /* item 0; may be NULL */
};

struct img_packed {
	struct img_digest digest, diff_id;
	int64_t size;		/* of the blob */
	int64_t entries, bytes; /* bytes: of files, holes included */
	int64_t changed;	/* files that were not what they were while they were read */
};

/* `dir`: O_RDONLY. The blob is in the store then, and nothing leads to it yet. */
int img_pack_tree(
	struct img_store *s, int dir, const struct img_pack_opts *o, struct img_packed *out, struct err *e);

/* A tar from `fd`, also compressed, as a layer: its bytes as they are, or, with excludes, its other entries.
 */
int img_pack_tar(
	struct img_store *s, int fd, const struct img_pack_opts *o, struct img_packed *out, struct err *e);

/* Does a pattern of `excludes` match the path ("etc/passwd")? */
bool img_pack_is_excluded(char *const *excludes, const char *path);

#endif
