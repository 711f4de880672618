/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes: from a name to an object that is held, and from the object to what can be done with it.
 *
 * Theory of operation
 *   A name is looked up with O_PATH|O_NOFOLLOW, as one component below a directory that is held. That opens
 * nothing: no device is woken up, no FIFO blocks. Everything else is done to the object by this descriptor;
 * the name is not looked at a second time, so it does not matter what it means by then.
 *   Most system calls do not take O_PATH descriptors, though. What all of them take is a path, and there is
 * one that leads to just the object: the descriptor's entry in /proc/self/fd. The server has that directory
 * as its working directory, since its root is empty. (The other way, opening the name again and comparing
 * inode numbers, was not taken: it would open what is not to be opened if the name has changed its meaning,
 * it does not work for what has no name any more, and Linux before 6.6 cannot chmod a socket that way.)
 */
#include "sandbox/p9_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* Our own limit is to look like the one of the system to the guest: EMFILE would blame its process. */
static int no_descriptor(int error)
{
	return error == EMFILE ? -ENFILE : -error;
}

/* From the time of its birth: a number that a cache may take for the object's, also when inodes are reused.
 */
static uint32_t version_of(const struct statx *st)
{
	uint32_t v = 0;

	if (st->stx_mask & STATX_BTIME)
		v = (uint32_t)st->stx_btime.tv_sec * 2654435769U ^ st->stx_btime.tv_nsec;
	/* 0 tells newer kernels not to cache. */
	return v ? v : 1;
}

static dev_t dev_of(const struct statx *st)
{
	return ((dev_t)st->stx_dev_major << 32) | st->stx_dev_minor;
}

int p9_node_is(const struct p9_node *n, int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO | STATX_BTIME, &st) < 0)
		return -errno;
	return (st.stx_mode & S_IFMT) == n->type && st.stx_ino == n->ino && dev_of(&st) == n->dev &&
			       version_of(&st) == n->version
		       ? 0
		       : -ESTALE;
}

struct p9_node *p9_node_new(struct p9_server *s, int fd, struct p9_node *parent, const char *name, int *r)
{
	struct p9_node *n = NULL;
	struct statx st;

	/* A fid holds all its parents: the number of fids alone would let a guest that walks deep have any
	 * number of these. */
	*r = -ENFILE;
	if (s->n_nodes >= P9_PATH_MAX)
		goto fail;
	*r = -ENOMEM;
	n = calloc(1, sizeof(*n));
	if (!n)
		goto fail;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO | STATX_BTIME, &st) < 0) {
		*r = -errno;
		goto fail;
	}
	n->name = name ? strdup(name) : NULL;
	if (name && !n->name)
		goto fail;
	n->refs = 1;
	n->fd = fd;
	n->type = st.stx_mode & S_IFMT;
	n->dev = dev_of(&st);
	n->ino = st.stx_ino;
	n->version = version_of(&st);
	n->parent = p9_node_ref(parent);
	n->server = s;
	s->n_nodes++;
	p9_held_add(n);
	return n;
fail:
	free(n);
	fd_close(fd);
	return NULL;
}

struct p9_node *p9_node_child(const struct p9_conn *c, struct p9_node *dir, const char *name, int *r)
{
	int dirfd, fd;

	*r = -ENOTDIR;
	if (!S_ISDIR(dir->type))
		return NULL;
	*r = -ENOENT;
	if (c->only_name)
		return str_eq(name, c->only_name) ? p9_node_ref(c->only) : NULL;
	dirfd = p9_node_fd(dir);
	if (dirfd < 0) {
		*r = dirfd;
		return NULL;
	}
	do
		fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	while (fd < 0 && errno == EMFILE && p9_make_room(c->server));
	if (fd < 0) {
		*r = no_descriptor(errno);
		return NULL;
	}
	return p9_node_new(c->server, fd, dir, name, r);
}

int p9_node_self(struct p9_node *n, char buf[P9_SELF_MAX])
{
	int fd = p9_node_fd(n);

	if (fd < 0)
		return fd;
	snprintf(buf, P9_SELF_MAX, "%d", fd);
	return 0;
}

int p9_node_open(struct p9_node *n, int flags)
{
	char self[P9_SELF_MAX];
	int fd, r;

	if (S_ISLNK(n->type))
		return -ELOOP;
	if (!S_ISREG(n->type) && !S_ISDIR(n->type))
		return -EOPNOTSUPP;
	r = p9_node_self(n, self);
	if (r < 0)
		return r;
	/* O_NONBLOCK: a lease that someone holds must not hold up everybody else. */
	do
		fd = open(self, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	while (fd < 0 && errno == EMFILE && p9_make_room(n->server));
	return fd < 0 ? no_descriptor(errno) : fd;
}

int p9_node_changes(const struct p9_conn *c, struct p9_node *dir, const char *name)
{
	int fd;

	if (!S_ISDIR(dir->type))
		return -ENOTDIR;
	if (!c->only_name) {
		fd = p9_node_fd(dir);
		return fd < 0 ? fd : 0;
	}
	return str_eq(name, c->only_name) ? -EBUSY : -EPERM;
}

/* Nothing but what this process has just made looks like this. */
static bool is_ours(const struct p9_node *n, mode_t mode)
{
	struct stat st;

	if (fstat(n->fd, &st) < 0 || (st.st_mode & S_IFMT) != (mode & S_IFMT) || st.st_uid != geteuid())
		return false;
	if (S_ISDIR(mode))
		return (st.st_mode & 0777) == 0700;
	return st.st_nlink == 1 && (S_ISLNK(mode) || (st.st_mode & 0777) == 0600);
}

/*
 * chown before chmod: nobody sees an object with the guest's bits (set-user-ID among them) that belongs to
 * the server's user, and chown would clear these bits.
 */
static int dress(struct p9_node *n, mode_t mode, uint32_t uid, uint32_t gid)
{
	char self[P9_SELF_MAX];
	int r;

	if (fchownat(n->fd, "", uid == P9_NOUID ? (uid_t)-1 : uid, gid, AT_EMPTY_PATH) < 0)
		return -errno;
	if (S_ISLNK(mode))
		return 0;
	r = p9_node_self(n, self);
	return r < 0 ? r : fchmodat(AT_FDCWD, self, mode & 07777, 0) < 0 ? -errno : 0;
}

struct p9_node *p9_node_adopt(struct p9_conn *c, struct p9_node *dir, const char *name, mode_t mode,
	uint32_t uid, uint32_t gid, int *r)
{
	_cleanup_node_ struct p9_node *n = p9_node_child(c, dir, name, r);

	if (!n)
		return NULL;
	/*
	 * In a directory that others can write to, the name may be something else by now: that is not to be
	 * given away. It is left to whom it belongs to.
	 */
	if (!is_ours(n, mode)) {
		*r = -ESTALE;
		return NULL;
	}
	*r = dress(n, mode, uid, gid);
	if (*r < 0) {
		unlinkat(p9_node_fd(dir), name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
		return NULL;
	}
	return TAKE_PTR(n);
}

/*
 * The path of a qid is what Linux takes for the inode number, and inodes are told apart by it. An export can
 * have file systems mounted in it: their number goes into the upper bits, 0 for the first one.
 */
static uint64_t qid_path(struct p9_server *s, dev_t dev, ino_t ino)
{
	unsigned i = 0;

	while (i < s->n_devs && s->devs[i] != dev)
		i++;
	if (i == s->n_devs && s->n_devs < ARRAY_SIZE(s->devs))
		s->devs[s->n_devs++] = dev;
	return (uint64_t)ino ^ (uint64_t)i << 56;
}

void p9_put_qid_of(
	struct p9_out *out, struct p9_server *s, mode_t type, uint32_t version, dev_t dev, ino_t ino)
{
	p9_put8(out, S_ISDIR(type) ? 0x80 : S_ISLNK(type) ? 0x02 : 0);
	p9_put32(out, version);
	p9_put64(out, qid_path(s, dev, ino));
}

void p9_put_qid(struct p9_out *out, struct p9_server *s, const struct p9_node *n)
{
	p9_put_qid_of(out, s, n->type, n->version, n->dev, n->ino);
}
