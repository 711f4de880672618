/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files that make a partition's root file system share; private to this folder.
 *
 * Held file systems. A mount fd that came from fsmount(2) is the mount itself, from before it was visible
 * anywhere: there is no moment at which its path had to be looked up again. So /proc, /sys, /dev and the
 * cgroup tmpfs are made that way and kept as `bases`, and what goes on or into them is named relative to that
 * fd. Two kinds of file system may be walked by name like this, because nobody else can put a symlink into
 * them: the kernel's own (procfs, sysfs), and a fresh tmpfs while we are its only user. Everywhere else a
 * destination is opened with openat2(2) and used by descriptor.
 */
#ifndef NAMESPACES_MOUNT_STATE_H
#define NAMESPACES_MOUNT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "namespaces/mount_calls.h"
#include "namespaces/mount_options.h"
#include "namespaces/overlay.h"
#include "namespaces/rootfs.h"

enum mnt_kind { MNT_FS, MNT_BIND, MNT_CGROUP, MNT_ROOT };

struct mnt_entry {
	const struct spec_mount *m;
	struct mnt_options o;
	enum mnt_kind kind;
	const char *source; /* of a bind: absolute */
	int tree;	    /* of a bind, opened by the parent; -EBADF: the child does it */
	bool needs_userns;  /* idmapped by the partition's own new user namespace, which is not there yet */
};

struct mnt_base {
	const char *destination;
	int fd;
	bool ours; /* a fresh tmpfs: names must be made, and are ours. Else the kernel's: names are there or
		      not */
	size_t entry; /* index of the mount */
};

struct mnt_device {
	const char *path;
	char type;
	int64_t major, minor;
	mode_t mode;
	bool chown;
	uint32_t uid, gid;
	int tree; /* the host's node, where we may not make one; -EBADF: none */
};

enum mnt_dev {
	MNT_DEV_FRESH,	/* a tmpfs of our own */
	MNT_DEV_ROOTFS, /* no mount: the root file system's own directory */
	MNT_DEV_OTHER,	/* some other file system that was mounted there */
	MNT_DEV_HOST,	/* a bind mount: what is in it is not ours to change */
};

#define MNT_BASES_MAX 8

struct mnt_state {
	struct arena *arena;
	struct mnt_entry *entries;
	size_t n_entries;
	struct mnt_device *devices;
	size_t n_devices;
	struct mnt_base bases[MNT_BASES_MAX];
	size_t n_bases;
	int root;		     /* the partition's root; -EBADF before mnt_enter() */
	int root_tree;		     /* the same as a detached tree from the parent */
	struct mnt_overlay *overlay; /* what it is made of; NULL: a bind of root.path */
	bool unprivileged; /* the parent could not open trees: the child does all it can by itself */
	bool slave_later;  /* before Linux 5.12: the child has to cut the parent's trees off from the host's
			      mounts */
	enum mnt_dev dev_kind;
	bool dev_readonly; /* the config wants /dev read-only: once all is in it */
	int dev;	   /* /dev of the partition: a base's fd or our own */
	bool own_dev;	   /* … ours to close */
	int here;	   /* what is the working directory now, if known; else -EBADF */
	mode_t umask;
};

/* --- mount_attr.c: flags of mounts, by descriptor
 * -------------------------------------------------------------------------- */

/*
 * Adds and clears attributes of the mount at dirfd/name ("": dirfd itself), and sets its propagation if not
 * 0; `flags` may be AT_RECURSIVE. Before Linux 5.12 by mount(2) with the flags that are there kept; a
 * recursive change is then -ENOSYS. In a user namespace an atime flag that is locked stays as it is. No text:
 * the caller knows what it was for.
 */
int mnt_attr(
	int dirfd, const char *name, unsigned int flags, uint64_t set, uint64_t clr, uint64_t propagation);

/* The same for the root of a partition after the pivot, where no /proc is to be trusted. */
int mnt_attr_root_readonly(int root);

/* What options ask of a bind mount, applied to its tree. Before Linux 5.12 the tree must be attached already.
 */
int mnt_attr_options(int tree, const struct mnt_options *o, const char *destination, struct err *e);
/* True when that can be done before the tree is attached, so that nobody ever sees it without its flags. */
bool mnt_attr_detached(void);

/*
 * The propagation that the whole tree gets on entry, with MS_REC; 0: left as it is (rootfsPropagation
 * shared).
 */
unsigned long mnt_entry_propagation(const struct spec *s);
/* What a tree that is still a peer of the host's mounts gets, recursively: MS_SLAVE or MS_PRIVATE. */
unsigned long mnt_tree_propagation(const struct spec *s);

/* --- place.c: where a mount goes
 * --------------------------------------------------------------------------------------------- */

struct mnt_place {
	int dir;	  /* never closed by users of a place: see `own` */
	const char *name; /* relative to dir; "": dir itself */
	int own;	  /* what mnt_place_free() closes */
	bool existed;	  /* was there before us */
};

enum mnt_want { MNT_WANT_ANY, MNT_WANT_DIR, MNT_WANT_FILE };

/*
 * Finds the destination of entry i, makes it as `want` says if it is missing. MNT_WANT_ANY makes nothing and
 * answers -ENOENT without a text. Refuses the root itself, and what turns out to lie in a procfs.
 */
int mnt_place_find(struct mnt_ctx *c, size_t i, enum mnt_want want, struct mnt_place *p, struct err *e);
void mnt_place_free(struct mnt_place *p);
#define _cleanup_place_ _cleanup_(mnt_place_free)
#define MNT_PLACE_INIT                                   \
	{                                                \
		.dir = -EBADF, .name = "", .own = -EBADF \
	}

/* The same for a destination in a living partition: nothing is held there, and no /proc can be trusted. */
int mnt_place_open(int rootfd, const char *destination, enum mnt_want want, bool nofollow, bool no_symlinks,
	struct mnt_place *p, struct err *e);

/* A path for mount(2), through /proc/self/fd. */
#define MNT_PLACE_PATH 300
const char *mnt_place_path(const struct mnt_place *p, char buf[MNT_PLACE_PATH]);

/*
 * The same as a name in the working directory, which it makes the place's own: the kernel walks to that in
 * half the time. For the child half, before the pivot, and for calls that have no other relative path in
 * them.
 */
const char *mnt_place_here(struct mnt_ctx *c, const struct mnt_place *p, char buf[MNT_PLACE_PATH]);

/*
 * The base that `path` can be reached through by name, and the rest of the path below it; NULL if there is
 * none. `before`: only mounts up to it count.
 */
const struct mnt_base *mnt_base_for(
	const struct mnt_state *st, const char *path, size_t before, const char **rest);
void mnt_base_hold(struct mnt_state *st, const char *destination, int fd, bool ours, size_t entry);
/* A new mount at `destination` hides what was held at or below it. */
void mnt_base_drop(struct mnt_state *st, const char *destination);

/* May this be mounted at its destination at all, as far as the words tell? (CVE-2019-16884) */
int mnt_check_destination(const struct mnt_entry *m, struct err *e);

/* --- the kinds of mounts
 * ------------------------------------------------------------------------------------------------------ */

/*
 * A new file system as a detached mount: the fd or a negative errno. `data` as for mount(2). attr:
 * MOUNT_ATTR_*. The kernel's own words are in the error.
 */
int mnt_fs_new(const char *type, const char *source, const char *data, unsigned long flags, uint64_t attr,
	const char *context, struct err *e);
/* What the kernel said on a file system context ("overlay: …"), in buf; NULL: nothing. */
const char *mnt_fs_said(int fs, char *buf, size_t size);
/* "context=LABEL" for file systems that take one, or NULL. */
const char *mnt_label_of(struct mnt_ctx *c, const char *type);
int mnt_fs(struct mnt_ctx *c, size_t i, struct err *e);
int mnt_bind(struct mnt_ctx *c, size_t i, struct err *e);
/* An O_PATH tree of a bind's source; a missing one is worded as engines expect it. */
int mnt_bind_source(const struct mnt_entry *m, struct err *e);
/* As for open_tree(2). */
unsigned int mnt_bind_flags(const struct mnt_entry *m);
int mnt_cgroup(struct mnt_ctx *c, size_t i, struct err *e);
/* Copies what is in directory `from` (hostile) into `to`, for tmpcopyup. */
int mnt_copy_up(int from, int to, const char *destination, struct err *e);

/* --- sources.c */

/* "ext4"; "unknown". */
const char *mnt_fs_name(int fd, char *buf, size_t size);

/* --- devices.c, protect.c
 * ------------------------------------------------------------------------------------------------------ */

int mnt_devices_init(struct mnt_ctx *c, struct err *e);
/* In the parent: the host's nodes for a partition that may not make its own. */
int mnt_devices_open(struct mnt_ctx *c, struct err *e);
/* O_PATH fd of the partition's /dev, never through a symlink. Held in the state. */
int mnt_dev_open(struct mnt_ctx *c, struct err *e);
/* True if the fd is that device node. */
bool mnt_is_device(int fd, mode_t type, unsigned int major, unsigned int minor);
/* Masked and read-only paths; before the pivot, while the host's /proc/self/fd can be used. */
int mnt_mask(struct mnt_ctx *c, struct err *e);

#endif
