/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: open files (lopen, lcreate, read, write, fsync) and their locks. */
#include "sandbox/p9_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* Flags of the protocol have the values of x86, on every machine. */
enum {
	L_ACCMODE = 03,
	L_WRONLY = 01,
	L_RDWR = 02,
	L_EXCL = 0200,
	L_TRUNC = 01000,
	L_APPEND = 02000,
	L_DSYNC = 010000,
	L_DIRECTORY = 0200000,
	L_SYNC = 04000000,
};

/* Of the answer to a read, what comes before the data. */
#define READ_HEADER (P9_HEADER + 4)

static bool writes(uint32_t flags)
{
	return (flags & L_ACCMODE) == L_WRONLY || (flags & L_ACCMODE) == L_RDWR;
}

/* What is not named here (O_DIRECT, O_NOATIME, O_PATH …) is the guest's affair, or nobody's. */
static int host_flags(uint32_t flags)
{
	int f = (flags & L_ACCMODE) == L_RDWR ? O_RDWR : writes(flags) ? O_WRONLY : O_RDONLY;

	f |= flags & L_TRUNC && writes(flags) ? O_TRUNC : 0;
	f |= flags & L_APPEND ? O_APPEND : 0;
	f |= flags & L_DSYNC ? O_DSYNC : 0;
	f |= (flags & L_SYNC) == L_SYNC ? O_SYNC : 0;
	return f;
}

static void opened(struct p9_fid *f, int fd, uint32_t flags)
{
	f->fd = fd;
	f->can_read = (flags & L_ACCMODE) != L_WRONLY;
	f->can_write = writes(flags);
	f->at = 0;
}

static void put_opened(struct p9_conn *c, const struct p9_fid *f, struct p9_out *out)
{
	p9_put_qid(out, c->server, f->node);
	p9_put32(out, 0); /* as much at a time as fits into a message */
}

int p9_lopen(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	uint32_t flags = p9_get32(in);
	int fd;

	if (!p9_complete(in))
		return -EINVAL;
	if (!f || f->fd >= 0 || f->xattr)
		return -EBADF;
	if (c->readonly && (writes(flags) || (flags & L_TRUNC)))
		return -EROFS;
	if (S_ISDIR(f->node->type) && writes(flags))
		return -EISDIR;
	if (!S_ISDIR(f->node->type) && (flags & L_DIRECTORY))
		return -ENOTDIR;
	fd = p9_node_open(f->node, S_ISDIR(f->node->type) ? O_RDONLY | O_DIRECTORY : host_flags(flags));
	if (fd < 0)
		return fd;
	opened(f, fd, flags);
	put_opened(c, f, out);
	return 0;
}

/* The file has come into being between the guest's look and its request, by someone else on the host. */
static int create_existing(struct p9_conn *c, struct p9_fid *f, const char *name, uint32_t flags, int *fd)
{
	_cleanup_node_ struct p9_node *n = NULL;
	int r = 0;

	if (flags & L_EXCL)
		return -EEXIST;
	n = p9_node_child(c, f->node, name, &r);
	if (!n)
		return r;
	if (S_ISDIR(n->type))
		return -EISDIR;
	*fd = p9_node_open(n, host_flags(flags));
	if (*fd < 0)
		return *fd;
	p9_fid_renode(f, TAKE_PTR(n));
	return 0;
}

/* See dress() of p9_node.c for the order; here the object is at hand without a second look at the name. */
static int create_new(struct p9_conn *c, struct p9_fid *f, const char *name, uint32_t flags, mode_t mode,
	uint32_t gid, int *out)
{
	const int how =
		(host_flags(flags) & ~O_TRUNC) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int at = p9_node_fd(f->node), r = 0;
	_cleanup_close_ int fd = -EBADF;
	_cleanup_node_ struct p9_node *n = NULL;

	if (at < 0)
		return at;
	do
		fd = openat(at, name, how, 0600);
	while (fd < 0 && errno == EMFILE && p9_make_room(c->server));
	if (fd < 0)
		return errno == EMFILE ? -ENFILE : -errno;
	if (fchown(fd, f->uid == P9_NOUID ? (uid_t)-1 : f->uid, gid) < 0 || fchmod(fd, mode & 07777) < 0) {
		r = -errno;
		unlinkat(at, name, 0);
		return r;
	}
	n = p9_node_child(c, f->node, name, &r);
	if (!n) {
		unlinkat(at, name, 0);
		return r;
	}
	/* Someone else's by now? */
	r = p9_node_is(n, fd);
	if (r < 0)
		return r;
	p9_fid_renode(f, TAKE_PTR(n));
	*out = TAKE_FD(fd);
	return 0;
}

int p9_lcreate(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	char name[NAME_MAX + 1];
	int r = p9_get_name(in, name), fd = -1;
	uint32_t flags = p9_get32(in), mode = p9_get32(in), gid = p9_get32(in);

	if (r < 0)
		return r;
	if (!p9_complete(in))
		return -EINVAL;
	if (!f || f->fd >= 0 || f->xattr)
		return -EBADF;
	r = p9_node_changes(c, f->node, name);
	if (r < 0 && r != -EBUSY)
		return r;
	/* What could not be given to the guest is not made. */
	if (r == 0 && c->server->n_nodes >= P9_PATH_MAX)
		return -ENFILE;
	r = r < 0 ? -EEXIST : create_new(c, f, name, flags, mode, gid, &fd);
	if (r == -EEXIST)
		r = create_existing(c, f, name, flags, &fd);
	if (r < 0)
		return r;
	opened(f, fd, flags);
	put_opened(c, f, out);
	return 0;
}

static int xattr_read(const struct p9_xattr *x, uint64_t offset, uint32_t count, struct p9_out *out)
{
	size_t n;

	if (x->flags != -1)
		return -EBADF;
	n = offset < x->len ? x->len - offset : 0;
	n = n < count ? n : count;
	p9_put32(out, (uint32_t)n);
	p9_put_bytes(out, x->data + (n ? offset : 0), n);
	return 0;
}

int p9_read(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	uint64_t offset = p9_get64(in);
	uint32_t count = p9_get32(in);
	size_t room = c->msize - READ_HEADER;
	ssize_t n;

	if (!p9_complete(in))
		return -EINVAL;
	if (!f)
		return -EBADF;
	if (count > room)
		count = (uint32_t)room;
	if (f->xattr)
		return xattr_read(f->xattr, offset, count, out);
	if (f->fd < 0 || !f->can_read)
		return -EBADF;
	if (S_ISDIR(f->node->type))
		return -EISDIR;
	if (offset > INT64_MAX)
		return -EINVAL;
	/* Straight to where it goes out: the room behind the count. */
	n = pread(f->fd, out->buf + out->len + 4, count, (off_t)offset);
	if (n < 0)
		return -errno;
	p9_put32(out, (uint32_t)n);
	out->len += (size_t)n;
	return 0;
}

int p9_write(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	uint64_t offset = p9_get64(in);
	uint32_t count = p9_get32(in);
	const uint8_t *data = p9_get_bytes(in, count);
	ssize_t n;

	if (!p9_complete(in))
		return -EINVAL;
	if (!f)
		return -EBADF;
	if (f->xattr) {
		n = p9_xattr_write(f, offset, data, count);
	} else {
		if (f->fd < 0 || !f->can_write)
			return -EBADF;
		if (offset > INT64_MAX)
			return -EINVAL;
		n = pwrite(f->fd, data, count, (off_t)offset);
		n = n < 0 ? -errno : n;
	}
	if (n < 0)
		return (int)n;
	p9_put32(out, (uint32_t)n);
	return 0;
}

int p9_fsync(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	/* Whether it may be fdatasync(2): older clients do not say. */
	bool data_only = in->left > 0 && p9_get32(in) != 0;

	(void)out;
	if (!p9_complete(in))
		return -EINVAL;
	if (!f || f->fd < 0)
		return -EBADF;
	if (c->readonly)
		return 0;
	return (data_only ? fdatasync(f->fd) : fsync(f->fd)) < 0 ? -errno : 0;
}

/*
 * Locks are granted. The guest's kernel asks when the lock is free among its own processes, and an export has
 * one guest. Between guests and processes of the host that share a directory there are no locks: a server
 * with one thread cannot wait for one, and one that did not wait would tell each that it has them all.
 */
int p9_lock(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	uint8_t type = p9_get8(in);

	p9_get32(in); /* flags */
	p9_get64(in); /* start */
	p9_get64(in); /* length */
	p9_get32(in); /* process */
	p9_get_bytes(in, p9_get16(in));
	if (!p9_complete(in) || type > 2)
		return -EINVAL;
	if (!f || f->fd < 0)
		return -EBADF;
	p9_put8(out, 0); /* P9_LOCK_SUCCESS */
	return 0;
}

int p9_getlock(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	uint8_t type = p9_get8(in);
	uint64_t start = p9_get64(in), length = p9_get64(in);
	uint32_t process = p9_get32(in);
	size_t len = p9_get16(in);
	const uint8_t *client = p9_get_bytes(in, len);

	if (!p9_complete(in) || type > 2)
		return -EINVAL;
	if (!f || f->fd < 0)
		return -EBADF;
	p9_put8(out, 2); /* F_UNLCK: nobody is in the way */
	p9_put64(out, start);
	p9_put64(out, length);
	p9_put32(out, process);
	p9_put_str(out, (const char *)client, len);
	return 0;
}
