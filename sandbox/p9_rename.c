/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: other names, and none (rename, renameat, unlinkat, remove). */
#include "sandbox/p9_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define UNLINK_DIR 0x200U /* AT_REMOVEDIR, as the protocol has it */

static int move(
	struct p9_conn *c, struct p9_node *from, const char *name, struct p9_node *to, const char *new_name)
{
	int r, r2;

	/* What the new name stands for now may be about to lose it. */
	p9_names_hold(to, new_name);
	r = p9_node_changes(c, from, name);
	r2 = p9_node_changes(c, to, new_name);
	if (r < 0 || r2 < 0)
		return r < 0 ? r : r2;
	/* Both directories are of this export; that one does not lie in the other is looked at by the kernel.
	 */
	if (renameat(p9_node_fd(from), name, p9_node_fd(to), new_name) < 0)
		return -errno;
	p9_names_forget(to, new_name);
	p9_names_move(from, name, to, new_name);
	return 0;
}

static int drop(struct p9_conn *c, struct p9_node *dir, const char *name, int flags)
{
	int r;

	p9_names_hold(dir, name);
	r = p9_node_changes(c, dir, name);
	if (r < 0)
		return r;
	if (unlinkat(p9_node_fd(dir), name, flags) < 0)
		return -errno;
	p9_names_forget(dir, name);
	return 0;
}

int p9_renameat(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *from = p9_fid_find(c, p9_get32(in)), *to;
	char name[NAME_MAX + 1], new_name[NAME_MAX + 1];
	int r = p9_get_name(in, name), r2;

	(void)out;
	if (r < 0)
		return r;
	to = p9_fid_find(c, p9_get32(in));
	r2 = p9_get_name(in, new_name);
	if (r2 < 0)
		return r2;
	if (!p9_complete(in))
		return -EINVAL;
	if (!from || !to || from->xattr || to->xattr)
		return -EBADF;
	return move(c, from->node, name, to->node, new_name);
}

/* Whether the object still has the name by which it was found. */
static int still_there(struct p9_conn *c, const struct p9_node *n)
{
	int r = 0;
	_cleanup_node_ struct p9_node *now = NULL;

	if (!n->parent || !n->name)
		return -EBUSY;
	now = p9_node_child(c, n->parent, n->name, &r);
	if (!now)
		return r;
	return now->dev == n->dev && now->ino == n->ino ? 0 : -ESTALE;
}

int p9_rename(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in)), *to = p9_fid_find(c, p9_get32(in));
	_cleanup_node_ struct p9_node *from = NULL;
	_cleanup_free_ char *old_name = NULL;
	char name[NAME_MAX + 1];
	int r = p9_get_name(in, name);

	(void)out;
	if (r < 0)
		return r;
	if (!p9_complete(in))
		return -EINVAL;
	if (!f || !to || f->xattr || to->xattr)
		return -EBADF;
	r = still_there(c, f->node);
	if (r < 0)
		return r;
	/* The node is one of those that are told: what it has now may be gone by then. */
	from = p9_node_ref(f->node->parent);
	old_name = strdup(f->node->name);
	return old_name ? move(c, from, old_name, to->node, name) : -ENOMEM;
}

int p9_unlinkat(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *dir = p9_fid_find(c, p9_get32(in));
	char name[NAME_MAX + 1];
	int r = p9_get_name(in, name);
	uint32_t flags = p9_get32(in);

	(void)out;
	if (r < 0)
		return r;
	if (!p9_complete(in) || (flags & ~UNLINK_DIR))
		return -EINVAL;
	if (!dir || dir->xattr)
		return -EBADF;
	r = drop(c, dir->node, name, flags ? AT_REMOVEDIR : 0);
	return c->only_name && r == -EPERM ? -ENOENT : r;
}

int p9_remove(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	const struct p9_node *n;
	int r;

	(void)out;
	if (!p9_complete(in))
		return -EINVAL;
	if (!f)
		return -EBADF;
	n = f->node;
	r = c->readonly ? -EROFS : f->xattr ? -EBADF : still_there(c, n);
	if (r == 0)
		r = drop(c, n->parent, n->name, S_ISDIR(n->type) ? AT_REMOVEDIR : 0);
	/* The fid is gone whether or not the file is. */
	p9_fid_remove(c, f);
	return r;
}
