/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: what a file is (getattr, statfs, readlink), and changing that (setattr). */
#include "sandbox/p9_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"

#define GETATTR_BASIC 0x7ffU
#define GETATTR_BTIME 0x800U

enum {
	SET_MODE = 0x1,
	SET_UID = 0x2,
	SET_GID = 0x4,
	SET_SIZE = 0x8,
	SET_ATIME = 0x10,
	SET_MTIME = 0x20,
	SET_ATIME_TO = 0x80, /* without: to now */
	SET_MTIME_TO = 0x100,
};

/* What programs take for the best size of a read: a message carries it, with its header. */
#define BLOCK_MAX 65536U
#define IO_HEADER 24U

static void put_time(struct p9_out *out, const struct statx_timestamp *t)
{
	p9_put64(out, (uint64_t)t->tv_sec);
	p9_put64(out, t->tv_nsec);
}

static uint32_t block_size(const struct p9_conn *c, uint32_t native)
{
	uint32_t size = BLOCK_MAX;

	while (size > 4096 && size > c->msize - IO_HEADER)
		size /= 2;
	return size > native ? size : native;
}

int p9_getattr(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	bool btime;
	int fd;
	struct statx st;

	p9_get64(in);
	if (!p9_complete(in))
		return -EINVAL;
	if (!f || f->xattr)
		return -EBADF;
	fd = p9_node_fd(f->node);
	if (fd < 0)
		return fd;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return -errno;
	btime = st.stx_mask & STATX_BTIME;
	p9_put64(out, GETATTR_BASIC | (btime ? GETATTR_BTIME : 0));
	p9_put_qid(out, c->server, f->node);
	p9_put32(out, st.stx_mode);
	p9_put32(out, st.stx_uid);
	p9_put32(out, st.stx_gid);
	p9_put64(out, st.stx_nlink);
	p9_put64(out, makedev(st.stx_rdev_major, st.stx_rdev_minor));
	p9_put64(out, st.stx_size);
	p9_put64(out, block_size(c, st.stx_blksize));
	p9_put64(out, st.stx_blocks);
	put_time(out, &st.stx_atime);
	put_time(out, &st.stx_mtime);
	put_time(out, &st.stx_ctime);
	put_time(out, btime ? &st.stx_btime : &(struct statx_timestamp){ 0 });
	p9_put64(out, 0); /* generation */
	p9_put64(out, 0); /* version of the data */
	return 0;
}

static int truncate_node(const struct p9_fid *f, uint64_t size)
{
	_cleanup_close_ int fd = -EBADF;

	if (size > INT64_MAX)
		return -EINVAL;
	if (S_ISDIR(f->node->type))
		return -EISDIR;
	if (!S_ISREG(f->node->type))
		return -EINVAL;
	if (f->fd >= 0 && f->can_write)
		return ftruncate(f->fd, (off_t)size) < 0 ? -errno : 0;
	fd = p9_node_open(f->node, O_WRONLY);
	if (fd < 0)
		return fd;
	return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

struct times {
	uint64_t sec[2], nsec[2];
};

static int set_times(int fd, uint32_t valid, const struct times *t)
{
	static const uint32_t set[2] = { SET_ATIME, SET_MTIME }, to[2] = { SET_ATIME_TO, SET_MTIME_TO };
	struct timespec ts[2];

	for (int i = 0; i < 2; i++) {
		ts[i] = (struct timespec){ .tv_nsec = UTIME_OMIT };
		if ((valid & set[i]) && !(valid & to[i]))
			ts[i].tv_nsec = UTIME_NOW;
		if ((valid & set[i]) && (valid & to[i])) {
			/* Larger ones have a meaning of their own: UTIME_NOW. */
			if (t->nsec[i] > 999999999)
				return -EINVAL;
			ts[i].tv_sec = (time_t)t->sec[i];
			ts[i].tv_nsec = (long)t->nsec[i];
		}
	}
	return utimensat(fd, "", ts, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int p9_setattr(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	uint32_t valid = p9_get32(in), mode = p9_get32(in), uid = p9_get32(in), gid = p9_get32(in);
	uint64_t size = p9_get64(in);
	struct times t;
	char self[P9_SELF_MAX];
	int r = 0, fd;

	(void)out;
	for (int i = 0; i < 2; i++) {
		t.sec[i] = p9_get64(in);
		t.nsec[i] = p9_get64(in);
	}
	if (!p9_complete(in))
		return -EINVAL;
	if (!f || f->xattr)
		return -EBADF;
	/* The directory around a single file is not what was exported. */
	if (c->only_name && f->node == c->root)
		return -EPERM;
	fd = p9_node_fd(f->node);
	if (fd < 0)
		return fd;
	/* chown clears set-user-ID bits, so chmod comes after it: the guest has thought about what is left.
	 */
	if (valid & (SET_UID | SET_GID)) {
		uid_t u = valid & SET_UID ? uid : (uid_t)-1;
		gid_t g = valid & SET_GID ? gid : (gid_t)-1;

		if (fchownat(fd, "", u, g, AT_EMPTY_PATH) < 0)
			return -errno;
	}
	if (valid & SET_MODE) {
		if (S_ISLNK(f->node->type))
			return -EOPNOTSUPP;
		r = p9_node_self(f->node, self);
		if (r < 0)
			return r;
		if (fchmodat(AT_FDCWD, self, mode & 07777, 0) < 0)
			return -errno;
	}
	if (valid & SET_SIZE)
		r = truncate_node(f, size);
	if (r == 0 && (valid & (SET_ATIME | SET_MTIME)))
		r = set_times(fd, valid, &t);
	return r;
}

int p9_statfs(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	struct statfs st;
	int fd;

	if (!p9_complete(in))
		return -EINVAL;
	if (!f)
		return -EBADF;
	fd = p9_node_fd(f->node);
	if (fd < 0)
		return fd;
	if (fstatfs(fd, &st) < 0)
		return -errno;
	p9_put32(out,
		0x01021997); /* V9FS_MAGIC: what the host has below is not what the guest has to do with */
	p9_put32(out, (uint32_t)st.f_bsize);
	p9_put64(out, st.f_blocks);
	p9_put64(out, st.f_bfree);
	p9_put64(out, st.f_bavail);
	p9_put64(out, st.f_files);
	p9_put64(out, st.f_ffree);
	p9_put64(out, 0); /* of the host's file system; Linux makes one from its own device number */
	p9_put32(out, (uint32_t)st.f_namelen);
	return 0;
}

int p9_readlink(struct p9_conn *c, struct p9_in *in, struct p9_out *out)
{
	const struct p9_fid *f = p9_fid_find(c, p9_get32(in));
	char target[PATH_MAX];
	ssize_t n;
	int fd;

	if (!p9_complete(in))
		return -EINVAL;
	if (!f)
		return -EBADF;
	if (!S_ISLNK(f->node->type))
		return -EINVAL;
	fd = p9_node_fd(f->node);
	if (fd < 0)
		return fd;
	n = readlinkat(fd, "", target, sizeof(target));
	if (n < 0)
		return -errno;
	p9_put_str(out, target, (size_t)n);
	return 0;
}
