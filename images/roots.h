/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root file systems out of the image store, for who starts partitions: what `ringfence` itself links of
 * images/. No libcurl, libarchive or libcrypto, and few system calls.
 *
 * Theory of operation
 *   `ringfence-image prepare` unpacks an image's layers and leaves a ready record in the store, which holds
 * all that a start needs (store_ready.c writes it): ready/ALG-HEX.json, by the digest of the target that a
 * name leads to; with "@OS-ARCHITECTURE[-VARIANT]" before ".json" where that is not this machine's platform.
 * Beside it ALG-HEX.pin has the text of a pin, whole and durable already: to pin is to link it as uses/USER,
 * which needs no fsync(2).
 *   A start takes the store's shared lock, looks its name up in index.json, reads the record, opens the
 * layers and pins the image, and lets the lock go: from then on img_store_collect() knows of it. What is
 * missing is -ENOENT, whatever it is: run `ringfence-image prepare`, then try again.
 */
#ifndef IMAGES_ROOTS_H
#define IMAGES_ROOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"
#include "images/document.h"

struct img_root_layer {
	const char *chain_id; /* "sha256:…" */
	int fd;		      /* O_PATH, of its diff/ directory */
};

/* Strings are never NULL unless that is said, and live in the arena that was given. */
struct img_root {
	const char *store;			/* absolute path */
	const char *name;			/* "docker.io/library/debian:12"; NULL: asked for by digest */
	const char *target, *manifest, *config; /* digests; the config's is the image's id */
	struct img_platform platform;		/* of the config: os, architecture, variant (NULL: none) */
	bool rootless;				/* user.overlay.* attributes: mount with userxattr */
	bool no_owners;		       /* unpacked by a user who may not give files away: all is his */
	bool erofs;		       /* the layers are to be mounted from their EROFS images */
	struct img_root_layer *layers; /* base first */
	size_t n_layers;
	/* Of the config. NULL: absent. */
	const char *user, *working_dir, *stop_signal, *created, *author;
	char **env, **entrypoint, **cmd, **exposed_ports, **volumes; /* NULL-terminated */
	char **labels;						     /* "key", "value", …, NULL */
};

/*
 * `store` NULL: the default place (store.h). `name`: as people write it, of which this knows whole names and
 * docker's short ones (localhost/NAME, then docker.io's), or the whole digest of a target. `user` (a
 * partition's name, as in img_use_set()): pins the image; NULL: nothing keeps the layers in place once this
 * has returned.
 * -ENOENT: not known, or not prepared, or in part. The caller's to img_root_close().
 */
int img_root_find(const char *store, const char *name, const char *user, struct arena *a,
	struct img_root *out, struct err *e);
/* By a target's digest; `p` NULL: as prepared without --platform. For restarts, and after `prepare`. */
int img_root_find_target(const char *store, const char *target, const struct img_platform *p,
	const char *user, struct arena *a, struct img_root *out, struct err *e);
void img_root_close(struct img_root *r);

/* What overlayfs is to have of layer i: the path of its diff/ directory, or of its EROFS image. NULL without
 * memory. */
char *img_root_layer_path(struct arena *a, const struct img_root *r, size_t i);

/* The EROFS image of the whole root file system (`ringfence-image prepare --root-image`). NULL: there is
 * none, or no memory. */
char *img_root_image_path(struct arena *a, const struct img_root *r);

/* No image is pinned for `user` any more; that none was is no error. */
int img_root_unpin(const char *store, const char *user, struct err *e);

/*
 * A regular file of the image as the mounted overlay would show it, O_RDONLY, for /etc/passwd and
 * /etc/group. Whiteouts and opaque directories are honoured; symlinks are followed inside the image, at most
 * 40 of them. -ENOENT; -EINVAL: it is no regular file (CVE-2024-9676).
 */
int img_root_open_file(const struct img_root *r, const char *path, struct err *e);
/* The same way to a directory: its owner and mode. -ENOENT, -ENOTDIR, -EINVAL. */
int img_root_stat_dir(const struct img_root *r, const char *path, struct stat *st, struct err *e);

/* --- shared with the store ------------------------------------------------------------------------------ */

#define IMG_LAYER_EROFS	   "layer.erofs"
#define IMG_ROOT_EROFS	   "root.erofs"
#define IMG_READY_VERSION  1
#define IMG_READY_NAME_MAX 256

/* The record's file name for a target; `p` NULL: this machine's platform. */
void img_ready_name(
	const struct img_digest *target, const struct img_platform *p, char buf[IMG_READY_NAME_MAX]);
/* "ALG-HEX.pin". */
void img_ready_pin_name(const struct img_digest *target, char buf[IMG_READY_NAME_MAX]);
/* The target that a name in ready/ is about. False: it is none of ours. */
bool img_ready_target(const char *file, struct img_digest *out);
/* A record's text. out->store, name and the layers' fds are left alone. -EBADMSG: damaged, or of another
 * version. */
int img_ready_parse(struct arena *a, const char *text, size_t len, struct img_root *out, struct err *e);

/* Where the store is if nobody says; malloc()ed; NULL with errno, ENOENT: HOME is not set. */
char *img_store_default(void);
/* -EINVAL: no name for a user of an image. */
int img_user_check(const char *user, struct err *e);

#endif
