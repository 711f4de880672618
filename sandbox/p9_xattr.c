/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: extended attributes (xattrwalk to read one or their list, xattrcreate to set one).
 *
 * What a guest may have of them: user.*, the access lists, and the capabilities of files, which are data
 * here, like set-user-ID bits. Others belong to the host: trusted.* (overlayfs believes them), security.* of
 * its security modules.
 */
#include "sandbox/p9_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/limits.h>
#include <sys/xattr.h>

#include "base/str.h"

#define LIST_MAX 65536U /* XATTR_LIST_MAX, and as large as one value is */

static bool allowed(const char *name)
{
	static const char *const whole[] = { "security.capability", "system.posix_acl_access",
		"system.posix_acl_default" };

	if (strncmp(name, "user.", 5) == 0)
		return name[5] != '\0';
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		if (str_eq(name, whole[i]))
			return true;
	return false;
}

void p9_xattr_free(struct p9_server *s, struct p9_xattr *x)
{
	if (x)
		s->xattr_bytes -= sizeof(*x) + x->len;
	free(x);
}

static struct p9_xattr *xattr_new(struct p9_server *s, size_t len)
{
	struct p9_xattr *x;

	if (sizeof(*x) + len > P9_XATTR_MAX - s->xattr_bytes)
		return NULL;
	x = calloc(1, sizeof(*x) + len);
	if (x) {
		x->len = len;
		s->xattr_bytes += sizeof(*x) + len;
	}
	return x;
}

/* Takes the names out of a list that are not for the guest. What is left of its length. */
static size_t filter(char *list, size_t len)
{
	size_t out = 0;

	for (size_t at = 0, n; at < len; at += n) {
		n = strnlen(list + at, len - at) + 1;
		if (at + n <= len && allowed(list + at)) {
			memmove(list + out, list + at, n);
			out += n;
		}
	}
	return out;
}

/* One value, or the list if name is empty, into buf of LIST_MAX bytes. Its length or -errno. */
static ssize_t get(struct p9_node *n, const char *name, char *buf)
{
	char self[P9_SELF_MAX];
	ssize_t len = p9_node_self(n, self);

	if (len < 0)
		return len;
	if (name[0]) {
		if (!allowed(name))
			return -EOPNOTSUPP;
		len = getxattr(self, name, buf, LIST_MAX);
		return len < 0 ? -errno : len;
	}
	len = listxattr(self, buf, LIST_MAX);
	return len < 0 ? -errno : (ssize_t)filter(buf, (size_t)len);
}

int p9_xattrwalk(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	uint32_t new_id = p9_get32(in);
	char name[256];
	_cleanup_free_ char *buf = NULL;
	struct p9_xattr *x;
	struct p9_fid *made;
	ssize_t len;
	int r = p9_get_str(in, name, sizeof(name));

	if (!p9_complete(in) || r == -EINVAL)
		return -EINVAL;
	if (r < 0)
		return -ERANGE;
	if (!f || f->xattr || p9_fid_find(c, new_id))
		return -EBADF;
	/* Of the directory around a single file nothing is told. */
	if (c->only_name && f->node == c->root)
		return -EOPNOTSUPP;
	buf = malloc(LIST_MAX);
	if (!buf)
		return -ENOMEM;
	len = get(f->node, name, buf);
	if (len < 0)
		return (int)len;
	x = xattr_new(c->server, (size_t)len);
	if (!x)
		return -ENOMEM;
	if (len > 0)
		memcpy(x->data, buf, (size_t)len);
	x->flags = -1;
	made = p9_fid_add(c, new_id, f->uid, p9_node_ref(f->node), &r);
	if (!made) {
		p9_xattr_free(c->server, x);
		return r;
	}
	made->xattr = x;
	p9_put64(out, (uint64_t)len);
	return 0;
}

int p9_xattrcreate(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	char name[256];
	int r = p9_get_str(in, name, sizeof(name));
	uint64_t size = p9_get64(in);
	uint32_t flags = p9_get32(in);
	struct p9_xattr *x;

	(void)out;
	if (!p9_complete(in) || r == -EINVAL || (flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE)))
		return -EINVAL;
	if (r < 0)
		return -ERANGE;
	if (!f || f->xattr || f->fd >= 0)
		return -EBADF;
	if (!allowed(name))
		return str_eq(name, "") ? -EINVAL : -EOPNOTSUPP;
	if (c->only_name && f->node == c->root)
		return -EPERM;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	x = xattr_new(c->server, (size_t)size);
	if (!x)
		return -ENOMEM;
	x->flags = (int)flags;
	memcpy(x->name, name, strlen(name) + 1);
	f->xattr = x;
	return 0;
}

int p9_xattr_write(struct p9_fid *f, uint64_t offset, const uint8_t *data, size_t len)
{
	struct p9_xattr *x = f->xattr;

	if (x->flags == -1)
		return -EBADF;
	/* In order and without holes, as the kernel does it. */
	if (offset != x->have || len > x->len - x->have)
		return -EINVAL;
	if (len > 0)
		memcpy(x->data + x->have, data, len);
	x->have += len;
	return (int)len;
}

int p9_xattr_commit(const struct p9_fid *f)
{
	const struct p9_xattr *x = f->xattr;
	char self[P9_SELF_MAX];
	int r;

	if (x->flags == -1)
		return 0;
	if (x->have != x->len)
		return -EINVAL;
	r = p9_node_self(f->node, self);
	if (r < 0)
		return r;
	/* removexattr(2) of the guest comes as this: there is no request of its own. */
	if (x->len == 0 && x->flags == XATTR_REPLACE)
		r = removexattr(self, x->name);
	else
		r = setxattr(self, x->name, x->data, x->len, x->flags);
	return r < 0 ? -errno : 0;
}
