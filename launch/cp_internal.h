/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `cp` share: paths, entries, sources and sinks (cp.h has the theory). */
#ifndef LAUNCH_CP_INTERNAL_H
#define LAUNCH_CP_INTERNAL_H

#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include "base/str.h"
#include "launch/cp.h"
#include "launch/record.h"

/* --- cp_rules.c: what needs no kernel --------------------------------------------------------- */

enum cp_kind { CP_HOST, CP_INSIDE, CP_STREAM };

struct cp_place {
	enum cp_kind kind;
	const char *name; /* of the partition */
	const char *path; /* as it was given; inside: beginning with '/' */
	bool slash;	  /* it ends in a slash: it has to be a directory */
	bool contents;	  /* its last component is "." or "..", or it is "/": what is in it is meant */
};

/* "NAME:PATH", a path, or "-". Texts live in the arena. */
int cp_parse_place(const char *text, struct arena *a, struct cp_place *out, struct err *e);
/* The last component without slashes, in the arena; "" where there is none ("/", "a/.", ".."). */
const char *cp_base(struct arena *a, const char *path);
/* What a symlink at `path` with that target leads to, joined lexically. In the arena, or NULL. */
char *cp_join_link(struct arena *a, const char *path, const char *target);

enum cp_found { CP_MISSING, CP_FILE, CP_DIR };
enum cp_target { CP_AS_NAMED, CP_BELOW, CP_INTO };
/*
 * Where a source goes, by the rules of docker and podman: to the name that was given, below that directory
 * under its own name, or, of a source's contents, into it.
 */
int cp_decide(const struct cp_place *to, enum cp_found found, bool source_is_dir, bool contents,
	bool overwrite, enum cp_target *out, struct err *e);

/* --- cp_root.c: the inside -------------------------------------------------------------------- */

struct cp_root {
	int fd; /* O_PATH, of the partition's root */
	pid_t pid;
	const struct spec_id_map *uid_map, *gid_map; /* none: ids are the host's */
	size_t n_uid, n_gid;
	struct launch_dir dir; /* locked, of one that does not run; else closed at once */
	bool have_dir;
};

/* The root's file systems as the partition sees them. To be closed in every case. */
int cp_root_open(
	const struct launch_ctx *ctx, const char *name, struct arena *a, struct cp_root *out, struct err *e);
void cp_root_close(struct cp_root *r);
DEFINE_CLEANUP(struct cp_root *, cp_root_close);

/* The container's id of a host's, and back: -1 if it has none. */
int64_t cp_id_inside(const struct spec_id_map *map, size_t n, uint32_t host);
int64_t cp_id_host(const struct spec_id_map *map, size_t n, uint32_t inside);
/* Files that we make from now on belong to these host ids; our powers stay. */
int cp_become_owner(uint32_t uid, uint32_t gid, struct err *e);

/* True if the file system behind fd is the kernel's own: nothing there is a file to copy. */
bool cp_is_kernel_fs(int fd, const char **name);

/* --- entries ---------------------------------------------------------------------------------- */

struct cp_xattr {
	char *name, *value;
	size_t len;
};

struct cp_entry {
	const char *path;  /* below the copy's top, "" for the top itself; never with ".." */
	mode_t mode;	   /* type and permissions */
	uint32_t uid, gid; /* the container's; of a tree of the host: the host's */
	dev_t device;
	int64_t size;
	struct timespec mtime;
	const char *link; /* of a symlink; or the path of the earlier entry that this is a hard link to */
	bool hard;
	const struct cp_xattr *xattrs;
	size_t n_xattrs;
	int fd; /* a tree's regular file, for reading; -1: by read() */
	/* A stream's regular file: fills the buffer whole. */
	int (*read)(void *arg, void *buf, size_t len, struct err *e);
	void *arg;
	/* Of a sparse one in a stream: the pieces that are in it; NULL: all is. */
	const struct cp_piece {
		int64_t offset, length;
	} * pieces;
	size_t n_pieces;
};

struct cp_sink;
struct cp_sink_ops {
	int (*put)(struct cp_sink *s, const struct cp_entry *entry, struct err *e);
	int (*end)(struct cp_sink *s, struct err *e);
};

struct cp_sink {
	const struct cp_sink_ops *ops;
	struct launch_cp_report *report;
};

/* Counts what is left out. */
void cp_skip(struct launch_cp_report *r, const char *path, const char *why);
/* `path` as it may be shown in an error: control characters escaped, cut. Into buf, which is returned. */
#define CP_SHOWN 200
const char *cp_show(const char *path, char buf[static CP_SHOWN]);

/* --- cp_data.c -------------------------------------------------------------------------------- */

/* At most `size` bytes from the start of `in`, its holes kept. `out` is new and empty. */
int cp_data(int in, int out, int64_t size);

/* --- cp_tree.c: a tree as a source ------------------------------------------------------------ */

struct cp_tree {
	bool inside;
	const struct cp_root *root; /* of `inside` */
	bool capabilities;	    /* read security.capability too */
	bool devices;		    /* the sink can tell of devices */
	/* A directory that is not to be entered: where it all goes. */
	dev_t not_dev;
	ino_t not_ino;
	bool have_not;
};

/* Everything from the O_PATH descriptor `top` down. `contents`: top itself is only a directory to be in. */
int cp_tree_walk(const struct cp_tree *t, int top, struct cp_sink *sink, struct err *e);

/* --- cp_write.c: a tree as a sink ------------------------------------------------------------- */

struct cp_tree_sink {
	struct cp_sink sink;
	bool inside, archive, overwrite, chown;
	const struct cp_root *root; /* of `inside` */
	int dir;		    /* below which everything goes; the caller's */
	const char *dir_path;	    /* of it, inside */
	const char *name;	    /* of the top in it; "": it is the top */
	struct cp_later *later;	    /* directories whose mode and time are set at the end */
	size_t n_later, later_room;
	int parent; /* the last parent, and its path */
	char *parent_path;
};
void cp_tree_sink_init(struct cp_tree_sink *s);
void cp_tree_sink_free(struct cp_tree_sink *s);

/* --- cp_tar_write.c, cp_tar_read.c ------------------------------------------------------------ */

struct cp_tar_sink {
	struct cp_sink sink;
	int fd;
	const char *name; /* of the top; "": "." */
	char *buffer;
	size_t used;
};
void cp_tar_sink_init(struct cp_tar_sink *s, int fd, const char *name);
void cp_tar_sink_free(struct cp_tar_sink *s);

/* Reads a stream to its end and gives its members to the sink. */
int cp_tar_read(int fd, bool capabilities, struct cp_sink *sink, struct err *e);

#endif
