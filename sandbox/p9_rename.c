/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: other names, and none (rename, renameat, unlinkat, remove). */
#include "sandbox/p9_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNLINK_DIR 0x200U /* AT_REMOVEDIR, as the protocol has it */

static int move(struct p9_conn *c, const struct p9_node *from, const char *name, const struct p9_node *to,
	const char *new_name)
{
	int r = p9_node_changes(c, from, name), r2 = p9_node_changes(c, to, new_name);

	if (r < 0 || r2 < 0)
		return r < 0 ? r : r2;
	/*
	 * Both directories are of this export. That one lies in the other is something that the kernel looks
	 * at.
	 */
	return renameat(from->fd, name, to->fd, new_name) < 0 ? -errno : 0;
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
static int still_there(const struct p9_conn *c, const struct p9_node *n)
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

/*
 * Where it is to be found from now on; name is taken over. What is recorded may be old: the new directory may
 * have been moved out of the node and still have it among its parents. A node below itself would keep itself
 * for ever; it is not found then.
 */
static void renamed(const struct p9_conn *c, struct p9_node *n, struct p9_node *dir, char *name)
{
	struct p9_node *old = n->parent;
	bool loop = false;

	for (const struct p9_node *up = dir; up; up = up->parent)
		loop |= up == n;
	n->parent = p9_node_ref(loop ? c->root : dir);
	p9_node_unref(old);
	free(n->name);
	n->name = name;
}

int p9_rename(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	struct p9_fid *f = p9_fid_find(c, p9_get32(in)), *to = p9_fid_find(c, p9_get32(in));
	char name[NAME_MAX + 1], *copy;
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
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	r = move(c, f->node->parent, f->node->name, to->node, name);
	if (r == 0) {
		renamed(c, f->node, to->node, copy);
	} else {
		free(copy);
	}
	return r;
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
	r = p9_node_changes(c, dir->node, name);
	if (r < 0)
		return c->only_name && r == -EPERM ? -ENOENT : r;
	return unlinkat(dir->node->fd, name, flags ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
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
		r = p9_node_changes(c, n->parent, n->name);
	if (r == 0 && unlinkat(n->parent->fd, n->name, S_ISDIR(n->type) ? AT_REMOVEDIR : 0) < 0)
		r = -errno;
	/* The fid is gone whether or not the file is. */
	p9_fid_remove(c, f);
	return r;
}
