/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A root file system of layers: a mount of type "overlay" on "/" that is the first of config.json's mounts
 * (docs/engines.md); private to this folder. rootfs.h has the theory.
 */
#ifndef NAMESPACES_OVERLAY_H
#define NAMESPACES_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "namespaces/rootfs.h"

#define MNT_LAYERS_MAX 500 /* OVL_MAX_STACK of the kernel (fs/overlayfs/params.h) */

struct mnt_overlay {
	const char **lower; /* paths of directories or EROFS images, the uppermost first */
	size_t n_lower;
	const char *upper, *work; /* NULL: none, then it is read-only */
	bool userxattr, is_volatile, idmap, readonly;
	uint64_t attr; /* MOUNT_ATTR_* of the mount, but for read-only, which comes last */

	/* Unprivileged: the child makes it, in its user namespace. */
	bool by_child;
	struct mnt_layers *layers; /* … opened while the host's paths can be walked */
};

/* Is it the one that is the root file system? Entry 0 only. */
bool mnt_is_root_overlay(const struct spec_mount *m);

/* Pure. Paths that are not absolute are the bundle's. -EINVAL names the word. */
int mnt_overlay_parse(struct arena *a, const struct spec_mount *m, const char *bundle,
	struct mnt_overlay **out, struct err *e);

/* In the parent: root_tree, or `by_child` where we may not. `userns_fd`: as for mnt_open_sources(). */
int mnt_overlay_open(struct mnt_ctx *c, int userns_fd, struct err *e);
/* In the child: opens the layers, before its ids are taken on. */
int mnt_overlay_own(struct mnt_ctx *c, struct err *e);
/* In the child: the detached mount. */
int mnt_overlay_make(struct mnt_ctx *c, struct err *e);
void mnt_overlay_free(struct mnt_overlay *o);

/* overlay_erofs.c: an image file (O_RDONLY) as a detached mount; `path` is for errors. */
int mnt_erofs_new(int file, const char *path, struct err *e);

/* --- overlay_new.c: from open layers to a detached mount -------------------------------------------------
 */

struct mnt_layers {
	int *lower; /* O_PATH, the uppermost first */
	size_t n;   /* one more than n_lower where there must be two */
	int upper, work;
	int both; /* what they are of, if it is a mount of its own: it goes with this descriptor */
	/* Idmapped: who makes it must be somebody to these mounts. */
	bool as_root_inside;
	uid_t uid;
	gid_t gid;
};

enum mnt_overlay_way {
	MNT_OVERLAY_FD,	  /* layers by descriptor */
	MNT_OVERLAY_PATH, /* by paths in /proc/self/fd, one by one */
	MNT_OVERLAY_MOUNT /* mount(2), all layers in one page */
};

/* By descriptor, or else by paths. -ENOTSUP without a text: this kernel has neither. */
int mnt_overlay_new(
	const struct mnt_overlay *o, const struct mnt_layers *l, const char *context, struct err *e);
/*
 * By mount(2) on `target`, in a mount namespace of our own; it is taken off there again. Changes the working
 * directory.
 */
int mnt_overlay_new_at(const struct mnt_overlay *o, const struct mnt_layers *l, const char *context,
	const char *target, struct err *e);

#endif
