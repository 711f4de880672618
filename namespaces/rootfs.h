/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system of a partition: mounts, devices, masks, pivot.
 *
 * Theory of operation
 *   The bundle's root file system is hostile: an image, or another container that shares a volume, may turn
 *   any component into a symlink at any moment. So nothing below it is used by name. A destination is opened
 *   once (openat2 with RESOLVE_IN_ROOT) and mounted on through the descriptor. Targets of proc and sysfs
 *   must be real directories with no symlink on the way (CVE-2019-19921, CVE-2023-27561); nothing but proc
 *   may be mounted on /proc itself, and only an allow-list of files inside it (CVE-2019-16884).
 *
 *   The file systems that other things go into, /proc, /sys, /dev and the cgroup tmpfs, are made with
 *   fsmount(2) and held by that descriptor from before they are attached. In them a name is safe, and cheap:
 *   most mounts, devices and masks take one call each (mount_state.h).
 *
 *   The parent opens what the child could no longer reach or may not make: with a user namespace, bind
 *   sources and the root file system as detached trees, idmapped trees, host device nodes.
 *
 *   A root file system of layers (overlay.h) is a detached overlay mount from its first moment: the host's
 * list of mounts never has it. The parent makes it and the child attaches it, as it does with the tree of a
 * user namespace's root file system; without privilege over the host's file systems the child makes it, in
 * its own user namespace, of layers that it opened while it still was who the layers belong to. Each layer,
 * the upper and the work directory are opened once, as directories and no symlinks, and given to overlayfs by
 * descriptor. Kernels that want layers attached get that in a mount namespace which nobody sees. It is made
 * read-only last, as root.readonly is, for mount points are made in it before.
 *
 *   The child goes: mnt_enter(), mnt_mounts(), mnt_devices(), [console], [createContainer hooks],
 *   mnt_pivot(), mnt_protect(). Masks and read-only paths are made by mnt_pivot(), last before it pivots,
 *   while the host's /proc/self/fd can be trusted. Few system calls, few superblocks: all masked directories
 *   share one empty read-only tmpfs; masked files bind the host's /dev/null, checked to be character device
 *   1:3 (CVE-2025-31133).
 */
#ifndef NAMESPACES_ROOTFS_H
#define NAMESPACES_ROOTFS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "spec/spec.h"

/* A hierarchy for the cgroup mount; runtime/ fills it in from cgroups/ (siblings do not know each other). */
struct mnt_hierarchy {
	const char *mount_point; /* on the host */
	const char *name;	 /* directory below the destination: "cpu,cpuacct" */
	const char *controllers; /* data for mount(2), "" for cgroup2 */
	/* Of the partition's cgroup below the hierarchy's root; NULL: none of its own, then the root,
	 * read-only. */
	const char *path;
	bool v2;
};

struct mnt_ctx {
	/* Filled in by the caller; all borrowed. */
	const struct spec *spec;
	const char *bundle; /* absolute */
	const char *rootfs; /* absolute, resolved */
	bool no_pivot;	    /* MS_MOVE + chroot: for a rootfs on an initramfs */
	bool user_ns;	    /* not the runtime's own: no mknod, locked flags, sources from the parent */
	bool rootless;
	bool new_cgroup_ns;
	bool no_dev; /* set by mnt_init(): no mount on /dev, so it is the root file system's own */
	const struct mnt_hierarchy *hierarchies;
	size_t n_hierarchies;
	/* Annotation run.oci.mount_context_type: "context" (default), "rootcontext", … */
	const char *mount_context_type;

	/*
	 * Of mnt_template_copy(), child only, to be set before mnt_mounts(); 0: none. Ours. A root file
	 * system that is to be shared with the host cannot have one.
	 */
	int template_ns, template_sysfs;

	/* Private to the module; zero-initialise through mnt_init(). */
	struct mnt_state *state;
};

/* Parses every mount's options and checks what needs no privilege. In the parent. */
int mnt_init(struct mnt_ctx *c, struct err *e);
void mnt_free(struct mnt_ctx *c);

/*
 * For a child that borrows the parent's memory: gives `c`, a copy of the parent's structure, a state of its
 * own, so that what the child closes and takes is still there for the parent to close. Never freed.
 */
int mnt_unshare_state(struct mnt_ctx *c, struct err *e);

/*
 * In the parent, before the clone: opens what the child needs from outside (see above). Does nothing when
 * neither a user namespace nor an idmap is there. `userns_fd` is the joined user namespace or -1.
 */
int mnt_open_sources(struct mnt_ctx *c, int userns_fd, struct err *e);
/*
 * In the parent, after mnt_open_sources() and once the child has its maps: idmaps by the container's own new
 * user namespace need its fd. True if needed. The child must not go on before.
 */
bool mnt_needs_userns(const struct mnt_ctx *c);
int mnt_idmap_sources(struct mnt_ctx *c, int userns_fd, struct err *e);

/*
 * For an engine that mounts nothing here: what the config takes of the host's files, each as a detached
 * mount, cut off from the host's, nosuid and nodev, read-only where the config says so. Every bind mount by
 * its index in spec.mounts, then the root file system (mount -1), with a place for each mount if it is
 * read-only. After mnt_init(); `out` has room for one more than there are mounts. *n counts what is the
 * caller's to close, also after a failure.
 */
struct mnt_export {
	int tree;
	bool is_dir;
	int mount;
};
/* `root`: the root file system, too. */
int mnt_export(struct mnt_ctx *c, bool root, struct mnt_export *out, size_t *n, struct err *e);
/*
 * What the overlay on "/" is of, if mounts[0] is one; else n is 0. Pure; strings are the arena's or the
 * spec's. `plain`: neither userxattr nor idmap.
 */
struct mnt_root_layers {
	const char **lower; /* absolute, the uppermost first: directories or EROFS images */
	size_t n;
	const char *upper, *work; /* NULL: none, then it is read-only */
	bool readonly, plain;
};
int mnt_root_layers(struct arena *a, const struct spec *s, const char *bundle, struct mnt_root_layers *out,
	struct err *e);
/* Is mounts[0] the root file system itself, of layers? */
bool mnt_has_root_overlay(const struct mnt_ctx *c);

/* --- in the child, in its mount namespace --------------------------------------------------------------- */

/*
 * In a new user namespace, before its ids are taken on (we are still the host's root for whoever looks at the
 * owner of a directory): the trees that the parent opened are opened once more, out of our own mount
 * namespace. In that the kernel has locked what the host demands of a mount (read-only, nosuid, nodev) and
 * what covers what: a tree of the parent's is not locked, and a payload with CAP_SYS_ADMIN in its user
 * namespace could undo both. Where we may not go the parent's stays, and idmapped ones do. Layers that
 * the parent may not make an overlay of are opened.
 */
int mnt_own_sources(struct mnt_ctx *c, struct err *e);
/* Propagation of the host's tree, root file system bound and held. */
int mnt_enter(struct mnt_ctx *c, struct err *e);
/* Leaves the umask at 0; mnt_devices() puts it back. */
int mnt_mounts(struct mnt_ctx *c, struct err *e);
/* Default and configured devices, symlinks (fd, stdin, …, core, ptmx). A bound /dev stays as it is. */
int mnt_devices(struct mnt_ctx *c, struct err *e);
/*
 * A new pty from the partition's own devpts: *master and *slave are the caller's. The slave is the user's
 * (its group is devpts's), and is bound on /dev/console, by fd (CVE-2025-52565, CVE-2026-88264).
 */
int mnt_console(struct mnt_ctx *c, const struct spec_process *p, int *master, int *slave, struct err *e);
/* An fd of the partition's root, from mnt_enter() on; for in-root look-ups (cwd, passwd). Not the caller's.
 */
int mnt_root_fd(const struct mnt_ctx *c);
/* Masked paths, read-only paths, then the pivot (or chroot). The working directory is "/" afterwards. */
int mnt_pivot(struct mnt_ctx *c, struct err *e);
/* The root read-only, rootfs propagation: the last word on the tree. */
int mnt_protect(struct mnt_ctx *c, struct err *e);

/*
 * A descriptor of a real procfs for writes that must not be faked (labels, sysctl, oom_score_adj,
 * timens_offsets): the host's /proc, or one made with fsopen(2) and never attached; checked by
 * PROC_SUPER_MAGIC. Returns the fd or a negative errno. To be called before a partition's mount namespace is
 * joined.
 */
int mnt_procfs(struct err *e);

/*
 * Mounts in a living partition (`mounts add/remove`), for a process that is in its mount namespace; rootfd
 * is its root. source_tree is a detached tree of a bind's source (open_tree(2), from outside), or -1 for a
 * new file system of m->type. mnt_remove() changes the working directory.
 */
int mnt_add(int rootfd, const struct spec_mount *m, int source_tree, struct err *e);
int mnt_remove(int rootfd, const char *destination, struct err *e);

#endif
