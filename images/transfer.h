/* SPDX-License-Identifier: Apache-2.0 */
/* Whole images in and out of the store: from registries, archives, directories and the host itself. Each
 * leaves the store as it was if it fails. */
#ifndef IMAGES_TRANSFER_H
#define IMAGES_TRANSFER_H

#include "images/registry.h"
#include "images/store.h"

/*
 * What is going on, for bars on a terminal or lines elsewhere. Calls may come from several threads, one at a
 * time. An item that has ended may begin again: a layer is received, and later unpacked. `what`: "layer
 * DIGEST", "config DIGEST", or what else it is.
 */
struct img_progress {
	void (*begin)(
		struct img_progress *p, int item, const char *what, int64_t total); /* total -1: not known */
	void (*at)(struct img_progress *p, int item, int64_t now);
	void (*end)(struct img_progress *p, int item,
		const char *how); /* "done", "already there", "unpacked", "failed" */
};

/* How a layer is compressed. */
enum img_compression { IMG_NONE, IMG_GZIP, IMG_ZSTD, IMG_XZ, IMG_BZIP2 };
/*
 * Of those the ones that layers are made with: "zstd", which NULL means too since it is the fastest and OCI
 * has a type for it, "gzip" and "none".
 */
int img_compression_parse(const char *text, enum img_compression *out, struct err *e);

struct img_pull_opts {
	struct img_registry_opts registry; /* `helpers` is taken from registries.conf */
	const char *registries_conf;
	struct img_platform platform; /* all NULL: the host's */
	bool all_platforms;	      /* the whole index */
	int parallel;		      /* at once; 0: 3 */
	bool unpack;		      /* also unpack, as layers arrive; of an index the platform's image */
	bool only_if_missing;	      /* by the rules of img_image_find() */
};
/*
 * From the first of the places that registries.conf has for the name. What the store has is not fetched
 * again, and what was received of a blob before is gone on with. Items of the progress are the layers, base
 * first (of each platform, one after another), and the configs behind them. -ENOENT, -EACCES, -EBADMSG
 * (content is not what its digest says), -EINTR (registry.stop). On failure no name has changed; what was
 * received whole stays for the next try until img_store_collect().
 */
int img_pull(struct img_store *s, const char *name, const struct img_pull_opts *o, struct img_progress *p,
	struct arena *a, struct img_name *out, struct err *e);

/*
 * An OCI layout directory, oci-archive or docker-archive (found out by looking; also compressed); `path` "-":
 * standard input. Names all images in it, or the one image `name`. out: what came in, an entry for each name.
 * Item 0 of the progress is the reading, those behind are layers. -EBADMSG: damaged, or not what digests say;
 * -E2BIG; -EINVAL; -ENOENT: something is missing.
 */
int img_load(struct img_store *s, const char *path, const char *name, struct img_progress *p, struct arena *a,
	struct img_name **out, size_t *n, struct err *e);

enum img_archive { IMG_OCI_ARCHIVE, IMG_OCI_DIR, IMG_DOCKER_ARCHIVE };
/*
 * Images by the rules of img_image_find() to a file (which gets its name when it is whole), a directory (new
 * or empty), or, `path` NULL or "-", standard output. OCI formats have all platforms that the store has of an
 * image, docker's has this machine's. Items of the progress are blobs.
 */
int img_save(struct img_store *s, char *const *names, enum img_archive format, const char *path,
	struct img_progress *p, struct err *e);

struct img_import_opts {
	const char *name, *message, *author;
	char **changes;	 /* of the config, see change.h; NULL: none */
	char **excludes; /* shell patterns, see pack.h */
	bool from_host;	 /* the running host's own "/", without what is mounted below it, what only lives as
			    long as the host runs (/proc, /sys, /dev, /run, /tmp, /var/tmp, swap files) and
			    /var/lib/ringfence */
	char **include_mounts;		  /* but with these mounts ("/home") */
	enum img_compression compression; /* of the layer: IMG_ZSTD, IMG_GZIP or IMG_NONE */
};
/*
 * A root file system (tar, also compressed, "-" for standard input, or directory; NULL with from_host) as an
 * image of one layer, with this host's platform. `changed` (may be NULL): how many files were not what they
 * were while a running host's were read, which is no error. -ESTALE: a directory's were. Unless the disk is
 * full at the very end, nothing is left in the store of what fails.
 */
int img_import(struct img_store *s, const char *path, const struct img_import_opts *o, struct img_progress *p,
	struct arena *a, struct img_name *out, int64_t *changed, struct err *e);

struct img_commit_opts {
	const char *name, *message, *author;
	char **changes;
	uint32_t uid_shift, gid_shift, shift_count; /* of the upper directory's owners, see pack.h */
	enum img_compression compression;
};
/*
 * The image `base` with an overlayfs upper directory (O_RDONLY) as one more layer. What `base` has in its
 * config is kept but for the changes. The directory must not be written to meanwhile (-ESTALE).
 */
int img_commit(struct img_store *s, const char *base, int upper, const struct img_commit_opts *o,
	struct img_progress *p, struct arena *a, struct img_name *out, struct err *e);

#endif
