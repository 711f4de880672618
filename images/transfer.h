/* SPDX-License-Identifier: Apache-2.0 */
/* Whole images in and out of the store: from registries, archives, directories and the host itself. Each
 * leaves the store as it was if it fails. */
#ifndef IMAGES_TRANSFER_H
#define IMAGES_TRANSFER_H

#include "images/registry.h"
#include "images/store.h"

/*
 * What is going on, for bars on a terminal or lines elsewhere. Calls may come from several threads, one at a
 * time. An item that has ended may begin again: a layer is received, and later unpacked.
 */
struct img_progress {
	void (*begin)(
		struct img_progress *p, int item, const char *what, int64_t total); /* total -1: not known */
	void (*at)(struct img_progress *p, int item, int64_t now);
	void (*end)(struct img_progress *p, int item,
		const char *how); /* "done", "already there", "unpacked", "failed" */
};

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

/* An OCI layout directory, oci-archive or docker-archive (found out by looking; also compressed); `path` "-":
 * standard input. Names all images in it, or the one image `name`. out: what came in. */
int img_load(struct img_store *s, const char *path, const char *name, struct img_progress *p, struct arena *a,
	struct img_name **out, size_t *n, struct err *e);

enum img_archive { IMG_OCI_ARCHIVE, IMG_OCI_DIR, IMG_DOCKER_ARCHIVE };
int img_save(struct img_store *s, char *const *names, enum img_archive format, const char *path,
	struct img_progress *p, struct err *e);

struct img_import_opts {
	const char *name, *message;
	char **changes; /* Dockerfile-like: "CMD …", "ENV A=b", "ENTRYPOINT …", "USER", "WORKDIR", "LABEL",
			   "EXPOSE", "VOLUME", "STOPSIGNAL" */
	char **excludes; /* shell patterns of paths below the root */
	bool from_host;	 /* the running host's own "/" (one file system and those named by `include_mounts`),
			    as a single layer */
	char **include_mounts;
};
/* A root file system (tar, also compressed, or directory; NULL with from_host) as an image of one layer. */
int img_import(struct img_store *s, const char *path, const struct img_import_opts *o, struct img_progress *p,
	struct arena *a, struct img_name *out, struct err *e);

#endif
