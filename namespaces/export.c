/* SPDX-License-Identifier: Apache-2.0 */
/* What a config takes of the host's files, for who mounts it elsewhere (see mnt_export() in rootfs.h). */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/mount_state.h"

/* Cut off from the host's mounts, without what nobody behind a server of files may do, and as read-only as
 * asked. */
static int finish(const struct mnt_ctx *c, int tree, const struct mnt_options *o, bool readonly,
	const char *what, struct err *e)
{
	/* What is mounted there later on the host may follow, unless it is not to; what is mounted by us must
	 * not get out. */
	int r = mnt_attr(tree, "", AT_RECURSIVE, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, MS_SLAVE);

	for (int k = 0; o && k < o->n_propagation && r == 0; k++)
		if (o->propagation[k] & (MS_PRIVATE | MS_UNBINDABLE))
			r = mnt_attr(
				tree, "", o->propagation[k] & MS_REC ? AT_RECURSIVE : 0, 0, 0, MS_PRIVATE);
	if (r == 0 && (readonly || (o && o->set & MS_RDONLY)))
		r = mnt_attr(tree, "", 0, MOUNT_ATTR_RDONLY, 0, 0);
	if (r == 0 && o && (o->rec_set || o->rec_clear))
		r = mnt_attr(
			tree, "", AT_RECURSIVE, o->rec_set, o->rec_clear & ~(uint64_t)MOUNT_ATTR_NODEV, 0);
	return r < 0 ? err_set(e, -r, "prepare %s for the sandbox", what) : 0;
}

static int add(const struct mnt_ctx *c, struct mnt_export *out, size_t *n, int tree, int mount, bool readonly,
	const struct mnt_options *o, const char *what, struct err *e)
{
	_cleanup_close_ int fd = tree;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "look at %s", what);
	r = finish(c, fd, o, readonly, what, e);
	if (r < 0)
		return r;
	out[(*n)++] =
		(struct mnt_export){ .tree = TAKE_FD(fd), .is_dir = S_ISDIR(st.st_mode), .mount = mount };
	return 0;
}

static int root_tree(struct mnt_ctx *c, struct err *e)
{
	struct mnt_state *st = c->state;
	int tree;

	if (st->overlay) {
		int r = mnt_overlay_open(c, -1, e);

		if (r < 0)
			return r;
		tree = TAKE_FD(st->root_tree);
		return tree >= 0 ? tree
				 : err_text(e, EPERM,
					   "mounts: the root file system of layers takes root's powers");
	}
	tree = sys_clone_tree(AT_FDCWD, c->rootfs, AT_RECURSIVE);
	return tree < 0 ? err_set(e, -tree, "open the root file system %s", c->rootfs) : tree;
}

/* Is the destination of entry i below that of an earlier one? Then it is no place in the root file system. */
static bool is_covered(const struct mnt_state *st, size_t i)
{
	const char *at = st->entries[i].m->destination;

	for (size_t k = 0; k < i; k++) {
		const char *above = st->entries[k].m->destination;
		size_t len = strlen(above);

		if (len > 1 && strncmp(at, above, len) == 0 && (at[len] == '/' || at[len] == '\0'))
			return true;
	}
	return false;
}

/*
 * Whoever mounts on a root file system that is read-only to him cannot make destinations that are not there.
 * A failure is his to tell, if he needs it.
 */
static void make_place(const struct mnt_state *st, int root, size_t i, bool is_dir)
{
	const char *at = st->entries[i].m->destination;
	_cleanup_close_ int fd = is_covered(st, i) ? -EBADF : path_open(root, at, O_PATH, 0, 0);

	if (fd == -ENOENT)
		fd = is_dir ? path_mkdirs(root, at, 0755) : path_touch(root, at, 0644);
}

int mnt_export(struct mnt_ctx *c, bool with_root, struct mnt_export *out, size_t *n, struct err *e)
{
	struct mnt_state *st = c->state;
	bool readonly = c->spec->root_readonly || (st->overlay && st->overlay->readonly);
	_cleanup_close_ int root = with_root ? root_tree(c, e) : -EBADF;
	int r = with_root && root < 0 ? root : 0;

	for (size_t i = 0; i < st->n_entries && r == 0; i++) {
		struct mnt_entry *m = &st->entries[i];
		bool is_dir = true;

		if (m->kind == MNT_BIND) {
			r = mnt_bind_source(m, e);
			if (r >= 0)
				r = add(c, out, n, r, (int)i, false, &m->o, m->source, e);
			if (r < 0)
				return r;
			is_dir = out[*n - 1].is_dir;
		}
		if (readonly && with_root)
			make_place(st, root, i, is_dir);
	}
	return r < 0 || !with_root
		       ? r
		       : add(c, out, n, TAKE_FD(root), -1, readonly, NULL, "the root file system", e);
}

int mnt_root_layers(
	struct arena *a, const struct spec *s, const char *bundle, struct mnt_root_layers *out, struct err *e)
{
	struct mnt_overlay *o;
	int r;

	*out = (struct mnt_root_layers){ 0 };
	if (!s->n_mounts || !mnt_is_root_overlay(&s->mounts[0]))
		return 0;
	r = mnt_overlay_parse(a, &s->mounts[0], bundle, &o, e);
	if (r == 0)
		*out = (struct mnt_root_layers){ .lower = o->lower,
			.n = o->n_lower,
			.upper = o->upper,
			.work = o->work,
			.readonly = o->readonly,
			.plain = !o->userxattr && !o->idmap };
	return r;
}

bool mnt_has_root_overlay(const struct mnt_ctx *c)
{
	return c->state->overlay != NULL;
}
