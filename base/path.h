/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths inside a root that somebody else can write to.
 *
 * Everything below `rootfd` is hostile: any component may be a symlink, and may become one between two calls.
 * So a path is resolved once, by openat2(2) with RESOLVE_IN_ROOT (absolute symlinks and ".." stay inside) and
 * RESOLVE_NO_MAGICLINKS, and is used by descriptor from then on. On kernels before 5.6 the same is done by
 * walking the components with O_NOFOLLOW, holding a descriptor of every parent, so that ".." never asks the
 * file system.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Resolve flags for path_open(). */
enum {
	PATH_NO_SYMLINKS = 1 << 0, /* a symlink anywhere in the path is -ELOOP */
	PATH_NO_XDEV = 1 << 1,	   /* crossing a mount point is -EXDEV */
};

/*
 * Opens `path` inside rootfd with open(2) flags (O_CLOEXEC is added; O_CREAT is allowed, with `mode`). A
 * leading "/" means rootfd. Returns the fd or -errno.
 */
int path_open(int rootfd, const char *path, int flags, mode_t mode, int resolve);

/*
 * mkdir -p inside rootfd; existing symlinks are followed inside the root, new components get `mode` (umask
 * applies). Returns an O_PATH|O_DIRECTORY fd of the last one, or -errno (-ENOTDIR: a component is no
 * directory).
 */
int path_mkdirs(int rootfd, const char *path, mode_t mode);

/*
 * Makes sure that a file (an empty regular one if there was nothing) stands at `path` inside rootfd, parents
 * included (0755). An existing node of any type but a directory is left as it is. Returns an O_PATH fd of it
 * or -errno (-EISDIR).
 */
int path_touch(int rootfd, const char *path, mode_t mode);

/*
 * Opens the parent directory of `path` inside rootfd (O_PATH), made with path_mkdirs() if `create`, and
 * points *name into `path` at the last component. -EINVAL when the last component is empty, "." or "..".
 * Trailing slashes are not accepted.
 */
int path_open_parent(int rootfd, const char *path, bool create, const char **name);

/* True for "/a/b" and false for "", "a", and anything with a "." or ".." or empty component. */
bool path_is_normal(const char *path);

/*
 * Lexical clean-up into buf: "//", "/./", "/a/.." and a trailing "/" go. Never leaves the root: "/../a" is
 * "/a"; "a" becomes "/a". 0 or -ENAMETOOLONG.
 */
int path_clean(const char *path, char *buf, size_t size);

/* True when `path` is `dir` or lies below it; both cleaned. */
bool path_within(const char *path, const char *dir);

/* Makes `path` absolute against the working directory, without resolving symlinks. malloc()ed, or NULL with
 * errno. */
char *path_absolute(const char *path);

/* mkdir -p of a path of the host, symlinks followed: for directories whose owner is trusted with them. What
 * is there already stays as it is, whatever it is. */
int path_make(const char *path, mode_t mode, struct err *e);

#endif
