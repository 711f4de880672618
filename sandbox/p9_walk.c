/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: sessions (version, attach, flush) and the way to a file and back (walk, clunk). */
#include "sandbox/p9_internal.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

int p9_version(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	char version[32];
	uint32_t msize = p9_get32(in);
	int r = p9_get_str(in, version, sizeof(version));
	bool known = r == 0 && str_eq(version, "9P2000.L");

	if (!p9_complete(in))
		return -EINVAL;
	if (msize < P9_MSIZE_MIN)
		return -EMSGSIZE;
	if (msize > P9_MSIZE_MAX)
		msize = P9_MSIZE_MAX;
	/* A new session: nothing of the one before is left. */
	p9_fid_remove_all(c);
	c->agreed = known;
	if (known)
		c->msize = msize;
	p9_put32(out, msize);
	if (known)
		p9_put_str(out, "9P2000.L", 8);
	else
		p9_put_str(out, "unknown", 7);
	return 0;
}

int p9_attach(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	uint32_t id = p9_get32(in), afid = p9_get32(in), uid;
	int r = 0;

	/* Which user, and which tree: there is but one tree, and users are numbers here. */
	for (int i = 0; i < 2; i++)
		p9_get_bytes(in, p9_get16(in));
	uid = p9_get32(in);
	if (!p9_complete(in))
		return -EINVAL;
	if (afid != P9_NOFID)
		return -EOPNOTSUPP;
	if (!p9_fid_add(c, id, uid, p9_node_ref(c->root), &r))
		return r;
	p9_put_qid(out, c->server, c->root);
	return 0;
}

/*
 * ".." goes back the way that was come: never above the root. What has been moved elsewhere since is still
 * left by its old door, which is one of the export, too.
 */
static struct p9_node *step(struct p9_conn *c, struct p9_node *from, const char *name, int *r)
{
	if (!S_ISDIR(from->type)) {
		*r = -ENOTDIR;
		return NULL;
	}
	if (str_eq(name, "."))
		return p9_node_ref(from);
	if (str_eq(name, ".."))
		return p9_node_ref(from->parent ? from->parent : from);
	return p9_node_child(c, from, name, r);
}

/* A name of a walk: the two that p9_get_name() does not take are harmless here, see step(). */
static int walk_name(struct p9_in *in, char name[NAME_MAX + 1])
{
	struct p9_in ahead = *in;
	int r = p9_get_str(&ahead, name, NAME_MAX + 1);

	if (r == 0 && (str_eq(name, ".") || str_eq(name, ".."))) {
		*in = ahead;
		return 0;
	}
	return p9_get_name(in, name);
}

int p9_walk(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	uint32_t id = p9_get32(in), new_id = p9_get32(in);
	unsigned n = p9_get16(in), done = 0;
	struct p9_fid *f = p9_fid_find(c, id);
	_cleanup_node_ struct p9_node *at = NULL;
	size_t count_at = out->len;
	int r = 0;

	if (in->bad || n > P9_WALK_MAX)
		return -EINVAL;
	if (!f || f->xattr || (new_id != id && p9_fid_find(c, new_id)))
		return -EBADF;
	/* A fid that is open cannot become another one. */
	if (new_id == id && n > 0 && f->fd >= 0)
		return -EBADF;
	at = p9_node_ref(f->node);
	p9_put16(out, 0);
	for (; done < n; done++) {
		char name[NAME_MAX + 1];
		struct p9_node *next;

		r = walk_name(in, name);
		next = r == 0 ? step(c, at, name, &r) : NULL;
		if (!next)
			break;
		p9_node_unref(at);
		at = next;
		p9_put_qid(out, c->server, at);
	}
	/* That it got so far is an answer, unless it got nowhere. */
	if (done < n && done == 0)
		return r;
	if (done == n) {
		if (!p9_complete(in))
			return -EINVAL;
		if (new_id == id)
			p9_fid_renode(f, TAKE_PTR(at));
		else if (!p9_fid_add(c, new_id, f->uid, TAKE_PTR(at), &r))
			return r;
	}
	out->buf[count_at] = (uint8_t)done;
	return 0;
}

int p9_clunk(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	int r = 0;

	(void)out;
	if (!p9_complete(in))
		return -EINVAL;
	if (!f)
		return -EBADF;
	if (f->xattr)
		r = p9_xattr_commit(f);
	p9_fid_remove(c, f);
	return r;
}

/* Requests are answered in their order: what is to be flushed has been answered before this was read. */
int p9_flush(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	(void)c;
	(void)out;
	p9_get16(in);
	return p9_complete(in) ? 0 : -EINVAL;
}
