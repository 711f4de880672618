/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the server of directories, and its tests: messages, fids, nodes (see p9.h). */
#ifndef SANDBOX_P9_INTERNAL_H
#define SANDBOX_P9_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "sandbox/p9.h"

/* Numbers of the protocol: include/net/9p/9p.h of Linux. An answer is its request's number and one. */
enum p9_type {
	P9_RLERROR = 7,
	P9_TSTATFS = 8,
	P9_TLOPEN = 12,
	P9_TLCREATE = 14,
	P9_TSYMLINK = 16,
	P9_TMKNOD = 18,
	P9_TRENAME = 20,
	P9_TREADLINK = 22,
	P9_TGETATTR = 24,
	P9_TSETATTR = 26,
	P9_TXATTRWALK = 30,
	P9_TXATTRCREATE = 32,
	P9_TREADDIR = 40,
	P9_TFSYNC = 50,
	P9_TLOCK = 52,
	P9_TGETLOCK = 54,
	P9_TLINK = 70,
	P9_TMKDIR = 72,
	P9_TRENAMEAT = 74,
	P9_TUNLINKAT = 76,
	P9_TVERSION = 100,
	P9_TATTACH = 104,
	P9_TFLUSH = 108,
	P9_TWALK = 110,
	P9_TREAD = 116,
	P9_TWRITE = 118,
	P9_TCLUNK = 120,
	P9_TREMOVE = 122,
};

#define P9_HEADER    7U		   /* u32 size, u8 type, u16 tag */
#define P9_MSIZE_MIN 4096U	   /* Linux refuses less, too */
#define P9_MSIZE_MAX (512U * 1024) /* and of both buffers of a connection */
#define P9_FIRST     8192U	   /* of a message before the sizes have been agreed on */
#define P9_NOFID     0xffffffffU
#define P9_NOUID     0xffffffffU
#define P9_WALK_MAX  16U
#define P9_NODE_MAX  131072U	/* fids of all connections together */
#define P9_PATH_MAX  262144U	/* nodes: what fids stand for, and all their parents */
#define P9_XATTR_MAX (1U << 20) /* bytes of extended attributes that are under way, of all connections */

/* --- p9_codec.c: a message is read and written through these, and nowhere else ------------------ */

/* What is left of a request. Past the end everything is 0 and `bad` stays set. */
struct p9_in {
	const uint8_t *at;
	size_t left;
	bool bad;
};

/* An answer that grows. What does not fit sets `full`; nothing is written past `cap`. */
struct p9_out {
	uint8_t *buf;
	size_t len, cap;
	bool full;
};

uint8_t p9_get8(struct p9_in *in);
uint16_t p9_get16(struct p9_in *in);
uint32_t p9_get32(struct p9_in *in);
uint64_t p9_get64(struct p9_in *in);
/* len bytes in place, or NULL and bad. */
const uint8_t *p9_get_bytes(struct p9_in *in, size_t len);
/*
 * A string into buf, NUL-terminated. 0; -ENAMETOOLONG: it does not fit; -EINVAL: a NUL is in it, or the
 * request ends before it does.
 */
int p9_get_str(struct p9_in *in, char *buf, size_t size);
/*
 * One component of a path: not empty, no "/", no NUL, not ".", not "..", at most NAME_MAX bytes. 0 or
 * -errno. The only way by which a name of the guest's gets to a system call.
 */
int p9_get_name(struct p9_in *in, char name[NAME_MAX + 1]);
/* Whether the request was as long as it had to be: to be asked when everything has been read. */
bool p9_complete(const struct p9_in *in);

void p9_put8(struct p9_out *out, uint8_t v);
void p9_put16(struct p9_out *out, uint16_t v);
void p9_put32(struct p9_out *out, uint32_t v);
void p9_put64(struct p9_out *out, uint64_t v);
void p9_put_bytes(struct p9_out *out, const void *data, size_t len);
void p9_put_str(struct p9_out *out, const char *s, size_t len);

/* --- p9_fid.c: what the guest has names for ----------------------------------------------------- */

struct p9_lru {
	struct p9_lru *newer, *older;
};

/*
 * A file system object, held by an O_PATH descriptor: all copies of a fid share one. `parent` and `name` say
 * where it was found: for "..", for removing it by fid, and for finding it again when its descriptor was
 * given up (p9_held.c).
 */
struct p9_node {
	struct p9_server *server;
	unsigned refs;
	int fd;	     /* or -1: to be had by p9_node_fd(), which everybody calls */
	mode_t type; /* S_IFMT bits: they never change */
	dev_t dev;
	ino_t ino;
	uint32_t version; /* of the qid: differs when the inode number is used again */
	struct p9_node *parent;
	char *name;

	/* p9_held.c */
	struct p9_lru lru; /* NULL pointers: it is not in it */
	struct p9_node *next;
	uint32_t hash;
	bool named;
};

/* An extended attribute (or the list of them) that is being read, or written until the clunk. */
struct p9_xattr {
	size_t len, have;
	int flags; /* of setxattr(2); -1: it is read */
	char name[256];
	uint8_t data[];
};

struct p9_fid {
	struct p9_fid *next;
	uint32_t id;
	uint32_t uid; /* who makes files by it, or P9_NOUID */
	struct p9_node *node;
	int fd; /* open for reading or writing, or -1 */
	bool can_read, can_write;
	int64_t at; /* a directory: the offset that fd is at, or -1 */
	struct p9_xattr *xattr;
};

struct p9_server;

struct p9_conn {
	struct p9_server *server;
	int sock; /* -1: it has ended */
	bool readonly;
	struct p9_node *root, *only;
	const char *only_name; /* or NULL */

	uint32_t msize;
	bool agreed; /* there was a Tversion */

	struct p9_fid **table;
	size_t table_size, n_fids; /* a power of two, or 0 */

	/* Mapped when needed, P9_MSIZE_MAX bytes each. */
	uint8_t *in, *out;
	size_t in_len, out_at, out_len;
	bool busy; /* since the last look at who is idle */
};

struct p9_server {
	struct p9_conn *conns;
	unsigned n;
	size_t n_fids, n_nodes, xattr_bytes; /* of all connections */
	dev_t devs[255];		     /* file systems met so far, for the qids */
	unsigned n_devs;

	/* p9_held.c */
	struct p9_lru lru; /* its `newer` is the oldest one */
	size_t held, held_max;
	struct p9_node **names;
	size_t names_size, n_names;
};

struct p9_fid *p9_fid_find(const struct p9_conn *c, uint32_t id);
/* A new one of that node, whose reference is taken over even on failure. NULL: *r is why. */
struct p9_fid *p9_fid_add(struct p9_conn *c, uint32_t id, uint32_t uid, struct p9_node *node, int *r);
void p9_fid_remove(struct p9_conn *c, struct p9_fid *f);
void p9_fid_remove_all(struct p9_conn *c);
/* Another node for it, whose reference is taken over. */
void p9_fid_renode(struct p9_fid *f, struct p9_node *node);

struct p9_node *p9_node_ref(struct p9_node *n);
void p9_node_unref(struct p9_node *n);
DEFINE_CLEANUP(struct p9_node *, p9_node_unref);
#define _cleanup_node_ _cleanup_(p9_node_unrefp)

/* --- p9_node.c: from names to objects, and to what can be done with one -------------------------- */

/* Takes over fd, an O_PATH one, even on failure. name may be NULL. NULL: *r is why. */
struct p9_node *p9_node_new(struct p9_server *s, int fd, struct p9_node *parent, const char *name, int *r);
/* Whether fd is the same object: 0, -ESTALE, or why that cannot be said. */
int p9_node_is(const struct p9_node *n, int fd);
/* The object of that name, without following it. NULL: *r is why. */
struct p9_node *p9_node_child(const struct p9_conn *c, struct p9_node *dir, const char *name, int *r);
/*
 * A descriptor of it that can be used. Regular files and directories only: whatever else is opened could
 * block, or be a device of the host.
 */
int p9_node_open(struct p9_node *n, int flags);
/*
 * "N" for the O_PATH descriptor N, to be resolved in the working directory, which is /proc/self/fd: a path
 * that leads to just this object. 0 or -errno.
 */
#define P9_SELF_MAX 16
int p9_node_self(struct p9_node *n, char buf[P9_SELF_MAX]);
/* Whether names may be made and removed in it: 0 or -errno. */
int p9_node_changes(const struct p9_conn *c, struct p9_node *dir, const char *name);
/*
 * What was just made as `name` with mode 0600 or 0700: gets its owner, its group and then the bits of `mode`,
 * or is removed. NULL: *r is why.
 */
struct p9_node *p9_node_adopt(struct p9_conn *c, struct p9_node *dir, const char *name, mode_t mode,
	uint32_t uid, uint32_t gid, int *r);

/* --- p9_held.c: few descriptors for many nodes ---------------------------------------------------- */

/* Raises the limit on descriptors and decides on how many are for nodes. */
void p9_held_init(struct p9_server *s);
/* The O_PATH descriptor, good until the end of the request; or -errno. */
int p9_node_fd(struct p9_node *n);
/* A new one, with a descriptor. */
void p9_held_add(struct p9_node *n);
/* It keeps what descriptor it has, to its end. */
void p9_held_pin(struct p9_node *n);
/* Closes some, after EMFILE. False: there are none to be closed. */
bool p9_make_room(struct p9_server *s);

/* All nodes of that name get their descriptors back, before it goes; */
void p9_names_hold(const struct p9_node *dir, const char *name);
/* it has gone; */
void p9_names_forget(const struct p9_node *dir, const char *name);
/* or is another one now. */
void p9_names_move(const struct p9_node *from, const char *name, struct p9_node *to, const char *new_name);

#define P9_QID_SIZE 13U
void p9_put_qid(struct p9_out *out, struct p9_server *s, const struct p9_node *n);
void p9_put_qid_of(
	struct p9_out *out, struct p9_server *s, mode_t type, uint32_t version, dev_t dev, ino_t ino);

/* --- requests: 0 and the answer's body in `out`, or -errno --------------------------------------- */

typedef int p9_request(struct p9_conn *c, struct p9_in *in, struct p9_out *out);

p9_request p9_version, p9_attach, p9_walk, p9_clunk, p9_flush;			   /* p9_walk.c */
p9_request p9_getattr, p9_setattr, p9_statfs, p9_readlink;			   /* p9_attr.c */
p9_request p9_lopen, p9_lcreate, p9_read, p9_write, p9_fsync, p9_lock, p9_getlock; /* p9_file.c */
p9_request p9_readdir, p9_mkdir, p9_symlink, p9_mknod, p9_link;			   /* p9_dir.c */
p9_request p9_rename, p9_renameat, p9_unlinkat, p9_remove;			   /* p9_rename.c */
p9_request p9_xattrwalk, p9_xattrcreate;					   /* p9_xattr.c */

/* Of a fid made by p9_xattrcreate: what Twrite and Tclunk do. */
int p9_xattr_write(struct p9_fid *f, uint64_t offset, const uint8_t *data, size_t len);
int p9_xattr_commit(const struct p9_fid *f);
void p9_xattr_free(struct p9_server *s, struct p9_xattr *x);

/* Answers one whole message of len bytes into c->out. -EPROTO: the connection must end. */
int p9_dispatch(struct p9_conn *c, const uint8_t *msg, size_t len);

/* --- p9_seccomp.c --------------------------------------------------------------------------------- */

/* No system calls from here on but those of the server. */
int p9_confine(struct err *e);

#endif
