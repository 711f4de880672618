/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes of what is packed: which of them go into an image, and as what (see pack.h). */
#include <endian.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "base/str.h"
#include "images/pack_internal.h"

#define NAMES_MAX  65536
#define VALUES_MAX 262144

/* --- reading ------------------------------------------------------------------------------------ */

struct node {
	int fd;
	char path[64 + NAME_MAX];
};

static ssize_t list_names(const struct node *n, char *buf, size_t size)
{
	return n->fd >= 0 ? flistxattr(n->fd, buf, size) : llistxattr(n->path, buf, size);
}

static ssize_t get_value(const struct node *n, const char *name, void *buf, size_t size)
{
	return n->fd >= 0 ? fgetxattr(n->fd, name, buf, size) : lgetxattr(n->path, name, buf, size);
}

/* --- what is taken ------------------------------------------------------------------------------ */

/* overlayfs' own, under either prefix: the rest of the name. */
static const char *overlay_name(const char *name)
{
	static const char *const prefixes[] = { "trusted.overlay.", "user.overlay." };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_starts(name, prefixes[i]))
			return name + strlen(prefixes[i]);
	return NULL;
}

static bool is_acl(const char *name)
{
	return str_eq(name, "system.posix_acl_access") || str_eq(name, "system.posix_acl_default");
}

/* Labels are this host's own, and what ima and evm have signed is no more valid elsewhere. */
static bool is_taken(const char *name)
{
	return str_eq(name, "security.capability") || is_acl(name) || str_starts(name, "user.") ||
	       str_starts(name, "trusted.");
}

static void note_overlay(struct pack_attrs *a, const struct img_pack_opts *o, const char *name,
	const char *rest, const char *value, size_t len)
{
	if (o->trusted && str_starts(name, "user."))
		return;
	if (str_eq(rest, "opaque"))
		a->opaque = a->opaque || (len == 1 && *value == 'y');
	else if (str_eq(rest, "whiteout"))
		a->whiteout = true;
	else if (str_eq(rest, "redirect") || str_eq(rest, "metacopy"))
		a->needs_lower = name;
}

/* --- shifting ids ------------------------------------------------------------------------------- */

/* struct posix_acl_xattr_header and _entry of linux/posix_acl_xattr.h, little-endian. */
static void shift_acl(char *value, size_t len, const struct img_pack_opts *o)
{
	enum { HEADER = 4, ENTRY = 8, USER = 0x02, GROUP = 0x08 };

	for (size_t at = HEADER; at + ENTRY <= len; at += ENTRY) {
		uint16_t tag;
		uint32_t id, shift;

		memcpy(&tag, value + at, sizeof(tag));
		memcpy(&id, value + at + 4, sizeof(id));
		tag = le16toh(tag);
		if (tag != USER && tag != GROUP)
			continue;
		shift = tag == USER ? o->uid_shift : o->gid_shift;
		id = le32toh(id);
		id = htole32(id >= shift ? id - shift : id);
		memcpy(value + at + 4, &id, sizeof(id));
	}
}

/*
 * Capabilities that root of a user namespace gave are for that namespace only (revision 3, with its root's
 * id): those of the image are for whoever runs it. The length.
 */
static size_t shift_capability(char *value, size_t len, const struct img_pack_opts *o)
{
	uint32_t magic, root;

	if (!o->uid_shift || len != XATTR_CAPS_SZ_3)
		return len;
	memcpy(&magic, value, sizeof(magic));
	memcpy(&root, value + XATTR_CAPS_SZ_2, sizeof(root));
	magic = le32toh(magic);
	if ((magic & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_3 || le32toh(root) != o->uid_shift)
		return len;
	magic = htole32((magic & ~(uint32_t)VFS_CAP_REVISION_MASK) | VFS_CAP_REVISION_2);
	memcpy(value, &magic, sizeof(magic));
	return XATTR_CAPS_SZ_2;
}

/* --- all of them -------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct layer_xattr *)a)->name, ((const struct layer_xattr *)b)->name);
}

static int take(const struct node *n, const char *name, size_t *used, const struct img_pack_opts *o,
	struct pack_attrs *a, struct err *e)
{
	const char *rest = overlay_name(name);
	char *value = a->values + *used;
	ssize_t len;

	if (!rest && !is_taken(name))
		return 0;
	len = get_value(n, name, value, VALUES_MAX - *used);
	if (len < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
		return 0; /* it has gone */
	if (len < 0)
		return err_set(e, errno, "read attribute %s", name);
	if (rest) {
		note_overlay(a, o, name, rest, value, (size_t)len);
		return 0;
	}
	if (a->n == PACK_XATTRS_MAX)
		return err_text(e, E2BIG, "it has more than %d extended attributes", PACK_XATTRS_MAX);
	if (is_acl(name))
		shift_acl(value, (size_t)len, o);
	if (str_eq(name, "security.capability"))
		len = (ssize_t)shift_capability(value, (size_t)len, o);
	a->list[a->n++] = (struct layer_xattr){ .name = name, .value = value, .size = (size_t)len };
	*used += (size_t)len;
	return 0;
}

int pack_attrs_read(int fd, int dir, const char *name, const struct img_pack_opts *o, struct pack_attrs *out,
	struct err *e)
{
	struct node n = { .fd = fd };
	size_t used = 0;
	ssize_t len;
	int r = 0;

	out->n = 0;
	out->names = out->values = NULL;
	out->opaque = out->whiteout = false;
	out->needs_lower = NULL;
	if (fd < 0)
		snprintf(n.path, sizeof(n.path), "/proc/self/fd/%d/%s", dir, name);
	len = list_names(&n, NULL, 0);
	/* ENOENT: without /proc. What has no descriptor is a symlink or device, which hardly ever has any. */
	if (len == 0 || (len < 0 && (errno == EOPNOTSUPP || (fd < 0 && errno == ENOENT))))
		return 0;
	out->names = malloc(NAMES_MAX);
	out->values = malloc(VALUES_MAX);
	if (!out->names || !out->values)
		r = err_set(e, ENOMEM, "read attributes");
	if (r == 0)
		len = list_names(&n, out->names, NAMES_MAX);
	if (r == 0 && len < 0)
		r = err_set(e, errno, "read attributes");
	for (const char *at = out->names; r == 0 && at < out->names + len; at += strlen(at) + 1)
		r = take(&n, at, &used, o, out, e);
	if (r == 0)
		qsort(out->list, out->n, sizeof(*out->list), by_name);
	else
		pack_attrs_free(out);
	return r;
}

void pack_attrs_free(struct pack_attrs *a)
{
	free(a->names);
	free(a->values);
	a->names = a->values = NULL;
}
