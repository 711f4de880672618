/* SPDX-License-Identifier: Apache-2.0 */
/* Bind mounts: a detached copy of the source gets its flags, then its place (see mount_state.h). */
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>

#include "base/path.h"
#include "base/str.h"
#include "namespaces/mount_state.h"

/* The root directory of every procfs (PROC_ROOT_INO in include/linux/proc_ns.h). */
#define PROC_ROOT_INO 1

unsigned int mnt_bind_flags(const struct mnt_entry *m)
{
	return (m->o.recursive_bind ? AT_RECURSIVE : 0) | (m->o.src_nofollow ? AT_SYMLINK_NOFOLLOW : 0);
}

int mnt_bind_source(const struct mnt_entry *m, struct err *e)
{
	int fd = sys_clone_tree(AT_FDCWD, m->source, mnt_bind_flags(m));

	/* Without strerror()'s words for ENOENT: engines take those for a missing program (exit status 127).
	 */
	if (fd == -ENOENT)
		return err_text(e, ENOENT, "mount source missing: %s, for %s", m->source, m->m->destination);
	if (fd == -EINVAL)
		return err_set(e, EINVAL,
			"bind %s: its mount is unbindable, or has locked mounts below it (try rbind)",
			m->source);
	return fd < 0 ? err_set(e, -fd, "open mount source %s", m->source) : fd;
}

/*
 * crun's copy-symlink: a source that is a symlink is not followed; the destination becomes the same symlink.
 * 1 if it was one.
 */
static int copy_symlink(struct mnt_ctx *c, const struct mnt_entry *m, struct err *e)
{
	_cleanup_close_ int parent = -EBADF;
	char target[4096], present[4096];
	const char *name;
	ssize_t n = readlink(m->source, target, sizeof(target) - 1), len;

	if (n < 0)
		return errno == EINVAL || errno == ENOENT
			       ? 0
			       : err_set(e, errno, "read the symlink %s", m->source);
	target[n] = '\0';
	parent = path_open_parent(c->state->root, m->m->destination, true, &name);
	if (parent < 0)
		return err_set(e, -parent, "create the directory of %s", m->m->destination);
	if (symlinkat(target, parent, name) == 0)
		return 1;
	len = errno == EEXIST ? readlinkat(parent, name, present, sizeof(present)) : -1;
	if (len == n && memcmp(present, target, (size_t)n) == 0)
		return 1;
	return err_set(e, EEXIST, "copy the symlink %s to %s", m->source, m->m->destination);
}

/* Over /proc itself only the root of another procfs, as for a partition without a pid namespace of its own.
 */
static int check_procfs(int tree, const struct mnt_entry *m, struct err *e)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(tree, &fs) < 0 || fstat(tree, &st) < 0)
		return err_set(e, errno, "look at mount source %s", m->source);
	if (fs.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INO)
		return err_text(e, EPERM, "mounts: only a proc file system may be mounted on /proc, not %s",
			m->source);
	return 0;
}

static int find_place(struct mnt_ctx *c, size_t i, int tree, struct mnt_place *p, struct err *e)
{
	struct stat st;
	int r = mnt_place_find(c, i, MNT_WANT_ANY, p, e);

	if (r != -ENOENT)
		return r;
	if (fstat(tree, &st) < 0)
		return err_set(e, errno, "look at mount source %s", c->state->entries[i].source);
	return mnt_place_find(c, i, S_ISDIR(st.st_mode) ? MNT_WANT_DIR : MNT_WANT_FILE, p, e);
}

static int explain(int code, int tree, const struct mnt_place *p, const struct mnt_entry *m, struct err *e)
{
	struct stat a, b;

	if (fstat(tree, &a) == 0 &&
		fstatat(p->dir, p->name, &b, AT_SYMLINK_NOFOLLOW | (*p->name ? 0 : AT_EMPTY_PATH)) == 0 &&
		S_ISDIR(a.st_mode) != S_ISDIR(b.st_mode))
		return err_text(e, ENOTDIR, "bind %s on %s: one is a directory and the other is not",
			m->source, m->m->destination);
	return err_set(e, code, "bind %s on %s", m->source, m->m->destination);
}

int mnt_bind(struct mnt_ctx *c, size_t i, struct err *e)
{
	struct mnt_entry *m = &c->state->entries[i];
	_cleanup_place_ struct mnt_place p = MNT_PLACE_INIT;
	_cleanup_close_ int tree = TAKE_FD(m->tree);
	bool options = m->o.set || m->o.n_propagation || m->o.rec_set || m->o.rec_clear, early;
	int r;

	if (m->o.copy_symlink) {
		r = copy_symlink(c, m, e);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	if (tree < 0)
		tree = mnt_bind_source(m, e);
	if (tree < 0)
		return tree;
	if (str_eq(m->m->destination, "/proc")) {
		r = check_procfs(tree, m, e);
		if (r < 0)
			return r;
	}
	r = find_place(c, i, tree, &p, e);
	if (r < 0)
		return r;
	early = options && mnt_attr_detached();
	r = early ? mnt_attr_options(tree, &m->o, m->m->destination, e) : 0;
	if (r < 0)
		return r;
	r = sys_attach(tree, p.dir, p.name);
	if (r < 0)
		return explain(-r, tree, &p, m, e);
	if (c->state->slave_later || (!mnt_entry_propagation(c->spec) && !m->o.n_propagation)) {
		/* With rootfsPropagation shared only those volumes are the host's peers that ask for it. */
		r = mnt_attr(tree, "", AT_RECURSIVE, 0, 0, mnt_tree_propagation(c->spec));
		if (r < 0)
			return err_set(e, -r, "cut %s off from the host's mounts", m->m->destination);
	}
	if (options && !early)
		r = mnt_attr_options(tree, &m->o, m->m->destination, e);
	if (r == 0 && str_eq(m->m->destination, "/proc"))
		mnt_base_hold(c->state, "/proc", TAKE_FD(tree), false, i);
	return r;
}
