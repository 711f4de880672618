/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system of a partition: mounts, devices, masks, pivot.
 *
 * Theory of operation
 *   The bundle's root file system is hostile: an image or another container that shares a volume may turn any component into a symlink
 *   at any moment. So nothing below it is used by name. A destination is opened once with path_open()/path_mkdirs() (openat2
 *   RESOLVE_IN_ROOT), and mounted on through the descriptor: /proc/self/fd/N for mount(2), or open_tree(2)/move_mount(2). Targets of proc and sysfs
 *   must be real directories with no symlink on the way (CVE-2019-19921, CVE-2023-27561); nothing but proc may be mounted on /proc
 *   itself, and only an allow-list of files inside it (CVE-2019-16884).
 *   The parent opens what the child could no longer reach or may not make: with a user namespace, bind sources and the root file system
 *   as detached trees, idmapped trees, host device nodes.
 *   The child goes: mnt_enter() → mnt_mounts() → mnt_devices() → [console] → [createContainer hooks] → mnt_pivot() → mnt_protect().
 *   Few system calls, few superblocks: all masked directories share one empty read-only tmpfs; masked files bind the host's /dev/null, checked
 *   to be character device 1:3 (CVE-2025-31133).
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
	const char *path;	 /* of the partition's cgroup below the hierarchy's root */
	bool v2;
};

struct mnt_ctx {
	/* Filled in by the caller; all borrowed. */
	const struct spec *spec;
	const char *bundle;	/* absolute */
	const char *rootfs;	/* absolute, resolved */
	bool no_pivot;		/* MS_MOVE + chroot: for a rootfs on an initramfs */
	bool user_ns;		/* a user namespace other than the runtime's: no mknod, locked flags, sources from the parent */
	bool rootless;
	bool new_cgroup_ns;
	bool no_dev;		/* no /dev mount in the config: never touch the rootfs's own /dev but through a held fd */
	const struct mnt_hierarchy *hierarchies;
	size_t n_hierarchies;
	const char *mount_context_type; /* annotation run.oci.mount_context_type: "context" (default), "rootcontext", … */

	/* Private to the module; zero-initialise through mnt_init(). */
	struct mnt_state *state;
};

/* Parses every mount's options and checks what needs no privilege. In the parent. */
int mnt_init(struct mnt_ctx *c, struct err *e);
void mnt_free(struct mnt_ctx *c);

/*
 * In the parent, before the clone: opens what the child needs from outside (see above). maps are the container's own, for idmap options without maps. Does
 * as good as nothing when neither a user namespace nor an idmap is there. `userns_fd` is the joined user namespace or -1.
 */
int mnt_open_sources(struct mnt_ctx *c, int userns_fd, struct err *e);
/* In the parent, after the child has its maps: idmaps by the container's own new user namespace need its fd. True if needed. */
bool mnt_needs_userns(const struct mnt_ctx *c);
int mnt_idmap_sources(struct mnt_ctx *c, int userns_fd, struct err *e);

/* --- in the child, in its mount namespace ------------------------------------------------------------------------------- */

/* Propagation of the host's tree, root file system bound and held. */
int mnt_enter(struct mnt_ctx *c, struct err *e);
int mnt_mounts(struct mnt_ctx *c, struct err *e);
/* Default and configured devices, /dev symlinks (fd, stdin, stdout, stderr, core, ptmx). */
int mnt_devices(struct mnt_ctx *c, struct err *e);
/*
 * A new pty from the partition's own devpts: *master is the caller's; *slave too. Set to uid/gid. Binds the slave on /dev/console, by fd
 * (CVE-2025-52565, CVE-2026-88264).
 */
int mnt_console(struct mnt_ctx *c, const struct spec_process *p, int *master, int *slave, struct err *e);
/* An fd of the partition's root, valid from mnt_enter() on; for in-root look-ups (cwd, passwd). Not the caller's. */
int mnt_root_fd(const struct mnt_ctx *c);
int mnt_pivot(struct mnt_ctx *c, struct err *e);
/* Masked paths, read-only paths, root read-only, rootfs propagation: the last word on the tree. */
int mnt_protect(struct mnt_ctx *c, struct err *e);

/*
 * A descriptor of a real procfs for writes that must not be faked (labels, sysctl, oom_score_adj, timens_offsets): the host's /proc or
 * one made with fsopen(2) and never attached; checked by PROC_SUPER_MAGIC. Returns the fd or a negative errno.
 */
int mnt_procfs(struct err *e);

/* mount/umount of a bind in a living partition's mount namespace (`mounts add/remove`): for a process already inside. */
int mnt_add(int rootfd, const struct spec_mount *m, int source_tree, struct err *e);
int mnt_remove(int rootfd, const char *destination, struct err *e);

#endif
