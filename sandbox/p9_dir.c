/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: what is in a directory (readdir), and putting things into it (mkdir, symlink, mknod, link). */
#include "sandbox/p9_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"

/* What getdents64(2) fills: glibc has no struct of this name. */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
} __attribute__((packed));

#define ENTRY_SIZE (P9_QID_SIZE + 8 + 1 + 2)

/* Whether it fitted. */
static bool put_entry(struct p9_conn *c, struct p9_out *out, const struct p9_node *dir, uint64_t ino,
	int64_t off, uint8_t type, const char *name)
{
	size_t len = strlen(name);

	if (ENTRY_SIZE + len > out->cap - out->len)
		return false;
	/* A directory's version is not known without a look at it; Linux uses but the path of these. */
	p9_put_qid_of(out, c->server, DTTOIF(type), 0, dir->dev, (ino_t)ino);
	p9_put64(out, (uint64_t)off);
	p9_put8(out, type);
	p9_put_str(out, name, len);
	return true;
}

/* The directory of a single file: itself, itself, and the file. Offsets count. */
static int read_only_one(struct p9_conn *c, struct p9_out *out, uint64_t offset)
{
	const struct {
		const char *name;
		const struct p9_node *node;
	} all[] = { { ".", c->root }, { "..", c->root }, { c->only_name, c->only } };

	for (uint64_t i = offset; i < ARRAY_SIZE(all); i++)
		if (!put_entry(c, out, all[i].node, all[i].node->ino, (int64_t)i + 1,
			    IFTODT(all[i].node->type), all[i].name))
			return i == offset ? -EINVAL : 0;
	return 0;
}

/*
 * Offsets are those of the host's file system: they stay valid while entries come and go. What was read but
 * did not fit any more is read again, from the offset of the last one that did.
 */
static int read_entries(struct p9_conn *c, struct p9_fid *f, struct p9_out *out, uint64_t offset)
{
	char buf[16384] __attribute__((aligned(8)));
	size_t start = out->len;
	long n = 1;

	if (offset > INT64_MAX)
		return -EINVAL;
	if ((int64_t)offset != f->at && lseek(f->fd, (off_t)offset, SEEK_SET) < 0)
		return -errno;
	f->at = (int64_t)offset;
	while (n > 0) {
		n = syscall(SYS_getdents64, f->fd, buf, sizeof(buf));
		if (n < 0)
			return out->len > start ? 0 : -errno;
		for (long at = 0; at < n;) {
			const struct entry *d = (const void *)(buf + at);

			if (!put_entry(c, out, f->node, d->ino, d->off, d->type, d->name)) {
				/* The descriptor is further than the guest. */
				f->at = -1;
				/* No answer at all would be the end of the directory. */
				return out->len > start ? 0 : -EINVAL;
			}
			f->at = d->off;
			at += d->len;
		}
	}
	return 0;
}

int p9_readdir(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	uint64_t offset = p9_get64(in);
	uint32_t count = p9_get32(in);
	struct p9_out list = { 0 };
	size_t room;
	int r;

	if (!p9_complete(in))
		return -EINVAL;
	if (!f || f->fd < 0)
		return -EBADF;
	if (!S_ISDIR(f->node->type))
		return -ENOTDIR;
	room = out->cap - out->len - 4;
	list = (struct p9_out){ .buf = out->buf + out->len + 4, .cap = count < room ? count : room };
	if (c->only_name && f->node == c->root)
		r = read_only_one(c, &list, offset);
	else
		r = read_entries(c, f, &list, offset);
	if (r < 0)
		return r;
	p9_put32(out, (uint32_t)list.len);
	out->len += list.len;
	return 0;
}

/* The directory of a request that makes something in it: may it? */
static int to_make(const struct p9_conn *c, const struct p9_fid *f, const char *name)
{
	int r;

	if (!f || f->xattr)
		return -EBADF;
	/* What could not be given to the guest is not made. */
	if (c->server->n_nodes >= P9_PATH_MAX)
		return -ENFILE;
	r = p9_node_changes(c, f->node, name);
	return r == -EBUSY ? -EEXIST : r;
}

/* The new object's owner and bits, and its qid for the answer. */
static int made(struct p9_conn *c, const struct p9_fid *dir, const char *name, mode_t mode, uint32_t gid,
	struct p9_out *out)
{
	int r = 0;
	_cleanup_node_ struct p9_node *n = p9_node_adopt(c, dir->node, name, mode, dir->uid, gid, &r);

	if (!n)
		return r;
	p9_put_qid(out, c->server, n);
	return 0;
}

int p9_mkdir(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	char name[NAME_MAX + 1];
	int r = p9_get_name(in, name);
	uint32_t mode = p9_get32(in), gid = p9_get32(in);

	if (r < 0)
		return r;
	if (!p9_complete(in))
		return -EINVAL;
	r = to_make(c, f, name);
	if (r < 0)
		return r;
	if (mkdirat(p9_node_fd(f->node), name, 0700) < 0)
		return -errno;
	return made(c, f, name, S_IFDIR | (mode & 07777), gid, out);
}

int p9_symlink(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	char name[NAME_MAX + 1], target[PATH_MAX];
	int r = p9_get_name(in, name), r2 = r < 0 ? r : p9_get_str(in, target, sizeof(target));
	uint32_t gid = p9_get32(in);

	if (r2 < 0)
		return r2;
	if (!p9_complete(in))
		return -EINVAL;
	r = to_make(c, f, name);
	if (r < 0)
		return r;
	/* Where it leads to is nobody's business but the guest's: here no link is ever followed. */
	if (symlinkat(target, p9_node_fd(f->node), name) < 0)
		return -errno;
	return made(c, f, name, S_IFLNK, gid, out);
}

int p9_mknod(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	char name[NAME_MAX + 1];
	int r = p9_get_name(in, name);
	uint32_t mode = p9_get32(in), gid;

	p9_get32(in); /* major, */
	p9_get32(in); /* minor: of devices */
	gid = p9_get32(in);
	if (r < 0)
		return r;
	if (!p9_complete(in))
		return -EINVAL;
	if ((mode & S_IFMT) == 0)
		mode |= S_IFREG;
	/* A device that the guest makes would be one of the host, for whoever comes by. */
	if (S_ISCHR(mode) || S_ISBLK(mode))
		return -EPERM;
	if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode))
		return -EINVAL;
	r = to_make(c, f, name);
	if (r < 0)
		return r;
	if (mknodat(p9_node_fd(f->node), name, (mode & S_IFMT) | 0600, 0) < 0)
		return -errno;
	return made(c, f, name, mode & (S_IFMT | 07777), gid, out);
}

int p9_link(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *dir = p9_fid_find(c, p9_get32(in)), *f = p9_fid_find(c, p9_get32(in));
	char name[NAME_MAX + 1], self[P9_SELF_MAX];
	int r = p9_get_name(in, name);

	(void)out;
	if (r < 0)
		return r;
	if (!p9_complete(in))
		return -EINVAL;
	if (!f || f->xattr)
		return -EBADF;
	r = to_make(c, dir, name);
	if (r < 0)
		return r;
	if (S_ISDIR(f->node->type))
		return -EPERM;
	r = p9_node_self(f->node, self);
	if (r < 0)
		return r;
	/* What is followed is the entry in /proc/self/fd, not a link that it may be. */
	return linkat(AT_FDCWD, self, p9_node_fd(dir->node), name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}
