/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parent opens for the child: trees that a user namespace could not reach, and idmapped ones, which
 * only the owner of the file system may make (see rootfs.h).
 */
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/str.h"
#include "namespaces/mount_state.h"
#include "namespaces/ns.h"

/* User namespaces with the maps of idmapped mounts: one for each distinct map. */
struct map_userns {
	const struct spec_id_map *uid, *gid;
	size_t n_uid, n_gid;
	int fd;
};

static bool same_map(const struct spec_id_map *a, size_t n_a, const struct spec_id_map *b, size_t n_b)
{
	return n_a == n_b && memcmp(a, b, n_a * sizeof(*a)) == 0;
}

/* Borrowed from the list. */
static int userns_for(struct map_userns *list, size_t *n, const struct map_userns *want,
	const char *destination, struct err *e)
{
	int fd;

	for (size_t i = 0; i < *n; i++)
		if (same_map(list[i].uid, list[i].n_uid, want->uid, want->n_uid) &&
			same_map(list[i].gid, list[i].n_gid, want->gid, want->n_gid))
			return list[i].fd;
	fd = ns_map_userns(want->uid, want->n_uid, want->gid, want->n_gid, destination, e);
	if (fd >= 0) {
		list[*n] = *want;
		list[(*n)++].fd = fd;
	}
	return fd;
}

/* crun's "@": host ids that are the container's, each range within one line of the container's map. */
static int absolute_map(struct mnt_ctx *c, const struct spec_id_map **map, size_t n, bool relative,
	const struct spec_id_map *own, size_t n_own, const char *destination, struct err *e)
{
	struct spec_id_map *out;

	if (!relative)
		return 0;
	if (n_own == 0)
		return err_text(e, EINVAL,
			"idmap %s: \"@\" needs a user namespace with mappings in the config", destination);
	out = arena_calloc(c->state->arena, n, sizeof(*out));
	if (!out)
		return err_set(e, ENOMEM, "idmap %s", destination);
	for (size_t i = 0; i < n; i++) {
		uint32_t first = (*map)[i].host_id, size = (*map)[i].size;
		int64_t from = ns_map_to_host(own, n_own, first), to = -1;

		if (size <= UINT32_MAX - first)
			to = ns_map_to_host(own, n_own, first + (size - 1));
		if (from < 0 || to != from + (int64_t)size - 1)
			return err_text(e, EINVAL,
				"idmap %s: the ids %" PRIu32 " and %" PRIu32
				" more do not lie in one range of the container's mappings",
				destination, first, size - 1);
		out[i] = (struct spec_id_map){ (*map)[i].container_id, (uint32_t)from, size };
	}
	*map = out;
	return 0;
}

/* --- idmaps --------------------------------------------------------------------------------------------- */

const char *mnt_fs_name(int fd, char *buf, size_t size)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} names[] = {
		{ NFS_SUPER_MAGIC, "nfs" },
		{ FUSE_SUPER_MAGIC, "fuse" },
		{ OVERLAYFS_SUPER_MAGIC, "overlay" },
		{ V9FS_MAGIC, "9p" },
		{ PROC_SUPER_MAGIC, "proc" },
		{ SYSFS_MAGIC, "sysfs" },
		{ CGROUP_SUPER_MAGIC, "cgroup" },
		{ CGROUP2_SUPER_MAGIC, "cgroup2" },
		{ TMPFS_MAGIC, "tmpfs" },
		{ EXT4_SUPER_MAGIC, "ext4" },
		{ XFS_SUPER_MAGIC, "xfs" },
		{ BTRFS_SUPER_MAGIC, "btrfs" },
		{ DEVPTS_SUPER_MAGIC, "devpts" },
		{ SQUASHFS_MAGIC, "squashfs" },
		{ RAMFS_MAGIC, "ramfs" },
		{ CEPH_SUPER_MAGIC, "ceph" },
		{ 0xFF534D42, "cifs" },
		{ EROFS_SUPER_MAGIC_V1, "erofs" },
		{ 0x2FC12FC1, "zfs" },
		{ AFS_SUPER_MAGIC, "afs" },
		{ HUGETLBFS_MAGIC, "hugetlbfs" },
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return "unknown";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if ((uint32_t)fs.f_type == names[i].magic)
			return names[i].name;
	snprintf(buf, size, "0x%" PRIx32, (uint32_t)fs.f_type);
	return buf;
}

static int set_idmap(const struct mnt_entry *m, int userns, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };
	int r = sys_mount_setattr(m->tree, "", m->o.idmap == SPEC_RIDMAP ? AT_RECURSIVE : 0, &attr);
	char type[16];

	if (r == -ENOSYS)
		return err_text(e, ENOSYS, "mount option \"idmap\" of %s needs mount_setattr(2), Linux 5.12",
			m->m->destination);
	if (r == -EINVAL)
		return err_text(e, EINVAL,
			"idmap %s: the file system of %s (type %s) cannot be idmapped by this kernel, or is "
			"idmapped already",
			m->m->destination, m->source, mnt_fs_name(m->tree, type, sizeof(type)));
	if (r == -EPERM)
		return err_text(e, EPERM,
			"idmap %s: not permitted on %s (type %s): it takes CAP_SYS_ADMIN over the file "
			"system itself",
			m->m->destination, m->source, mnt_fs_name(m->tree, type, sizeof(type)));
	return r < 0 ? err_set(e, -r, "idmap %s", m->m->destination) : 0;
}

static int idmap_entry(struct mnt_ctx *c, struct mnt_entry *m, int userns_fd, struct map_userns *list,
	size_t *n, struct err *e)
{
	const struct spec *s = c->spec;
	struct map_userns want = { m->o.uid_map, m->o.gid_map, m->o.n_uid_map, m->o.n_gid_map, -EBADF };
	int fd, r;

	if (!want.uid) {
		if (userns_fd >= 0)
			return set_idmap(m, userns_fd, e);
		if (!s->ns[SPEC_NS_USER].present || s->ns[SPEC_NS_USER].path)
			return err_text(e, EINVAL,
				"idmap %s: it has no mappings, and there is no user namespace to take them "
				"from",
				m->m->destination);
		m->needs_userns = true;
		return 0;
	}
	r = absolute_map(c, &want.uid, want.n_uid, m->o.uid_map_relative, s->uid_map, s->n_uid_map,
		m->m->destination, e);
	if (r == 0)
		r = absolute_map(c, &want.gid, want.n_gid, m->o.gid_map_relative, s->gid_map, s->n_gid_map,
			m->m->destination, e);
	if (r < 0)
		return r;
	fd = userns_for(list, n, &want, m->m->destination, e);
	return fd < 0 ? fd : set_idmap(m, fd, e);
}

/* --- trees ---------------------------------------------------------------------------------------------- */

/*
 * A tree that was cloned out here is still a peer of the host's mounts, unlike one that is cloned in the
 * child after mnt_enter(): what is mounted into it would appear on the host. A user namespace never gets such
 * a peer, as the kernel has it for mount namespaces too; without one a volume may, if rootfsPropagation and
 * its own options say so.
 */
static int isolate(struct mnt_ctx *c, int tree, const struct mnt_options *o, struct err *e)
{
	struct mount_attr attr = { .propagation = mnt_tree_propagation(c->spec) };
	int r;

	if (!c->user_ns && !mnt_entry_propagation(c->spec) && o && o->n_propagation)
		return 0;
	r = sys_mount_setattr(tree, "", AT_RECURSIVE, &attr);
	if (r == -ENOSYS) {
		c->state->slave_later = true;
		return 0;
	}
	return r < 0 ? err_set(e, -r, "cut a mount source off from the host's mounts") : 0;
}

static int open_root(struct mnt_ctx *c, struct err *e)
{
	int fd = sys_clone_tree(AT_FDCWD, c->rootfs, AT_RECURSIVE), r;

	if (fd == -EPERM) {
		c->state->unprivileged = true;
		return 0;
	}
	if (fd < 0)
		return err_set(e, -fd, "open the root file system %s", c->rootfs);
	c->state->root_tree = fd;
	r = isolate(c, fd, NULL, e);
	return r;
}

static int open_entry(struct mnt_ctx *c, struct mnt_entry *m, struct err *e)
{
	char target[2];

	/* The symlink itself will be copied: there is nothing to open. */
	if (m->o.copy_symlink && readlink(m->source, target, sizeof(target)) >= 0)
		return 0;
	m->tree = mnt_bind_source(m, e);
	if (m->tree == -EPERM && m->o.idmap == SPEC_IDMAP_NONE) {
		m->tree = -EBADF;
		c->state->unprivileged = true;
		err_clear(e);
		return 0;
	}
	if (m->tree < 0) {
		int r = m->tree;

		m->tree = -EBADF;
		return r;
	}
	return isolate(c, m->tree, &m->o, e);
}

int mnt_open_sources(struct mnt_ctx *c, int userns_fd, struct err *e)
{
	struct mnt_state *st = c->state;
	_cleanup_free_ struct map_userns *list = NULL;
	size_t n = 0, idmaps = 0;
	int r = 0;

	for (size_t i = 0; i < st->n_entries; i++)
		idmaps += st->entries[i].o.idmap != SPEC_IDMAP_NONE && st->entries[i].kind == MNT_BIND;
	if (st->overlay)
		r = mnt_overlay_open(c, userns_fd, e);
	if (r < 0 || (!c->user_ns && idmaps == 0))
		return r;
	if (!c->spec->ns[SPEC_NS_MOUNT].present)
		return 0;
	list = calloc(idmaps + 1, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "open mount sources");
	if (c->user_ns && !st->overlay)
		r = open_root(c, e);
	for (size_t i = 0; i < st->n_entries && r == 0; i++) {
		struct mnt_entry *m = &st->entries[i];
		bool idmap = m->o.idmap != SPEC_IDMAP_NONE;

		if (m->kind != MNT_BIND || (!idmap && (!c->user_ns || st->unprivileged)))
			continue;
		r = open_entry(c, m, e);
		if (r == 0 && idmap && m->tree >= 0)
			r = idmap_entry(c, m, userns_fd, list, &n, e);
	}
	if (r == 0 && c->user_ns)
		r = mnt_devices_open(c, e);
	for (size_t i = 0; i < n; i++)
		fd_close(list[i].fd);
	return r;
}

/* --- in the child ----------------------------------------------------------------------------------------
 */

static bool same_object(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Where we may not go, the parent's stands. */
static void take_own(struct mnt_ctx *c, int *tree, const char *path, unsigned int flags)
{
	/* Copied for a user namespace, shared mounts are slaves already. */
	struct mount_attr attr = { .propagation = mnt_tree_propagation(c->spec) };
	_cleanup_close_ int own = *tree >= 0 ? sys_clone_tree(AT_FDCWD, path, flags) : -EBADF;

	if (own < 0 || !same_object(own, *tree))
		return;
	if (attr.propagation != MS_SLAVE && sys_mount_setattr(own, "", AT_RECURSIVE, &attr) < 0)
		return;
	fd_close(*tree);
	*tree = TAKE_FD(own);
}

int mnt_own_sources(struct mnt_ctx *c, struct err *e)
{
	struct mnt_state *st = c->state;
	int r;

	if (!c->user_ns)
		return 0;
	if (st->overlay) {
		r = mnt_overlay_own(c, e);
		if (r < 0)
			return r;
	} else {
		take_own(c, &st->root_tree, c->rootfs, AT_RECURSIVE);
	}
	for (size_t i = 0; i < st->n_entries; i++) {
		struct mnt_entry *m = &st->entries[i];

		if (m->kind == MNT_BIND && m->o.idmap == SPEC_IDMAP_NONE)
			take_own(c, &m->tree, m->source, mnt_bind_flags(m));
	}
	return 0;
}

/* --- idmaps of the new user namespace --------------------------------------------------------------------
 */

bool mnt_needs_userns(const struct mnt_ctx *c)
{
	for (size_t i = 0; i < c->state->n_entries; i++)
		if (c->state->entries[i].needs_userns)
			return true;
	return false;
}

int mnt_idmap_sources(struct mnt_ctx *c, int userns_fd, struct err *e)
{
	for (size_t i = 0; i < c->state->n_entries; i++) {
		struct mnt_entry *m = &c->state->entries[i];
		int r = m->needs_userns ? set_idmap(m, userns_fd, e) : 0;

		if (r < 0)
			return r;
		m->needs_userns = false;
	}
	return 0;
}
