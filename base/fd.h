/* SPDX-License-Identifier: Apache-2.0 */
/* File descriptors: whole reads and writes, atomic files, descriptors over sockets. Every fd made here is
 * O_CLOEXEC. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

/* Closes fd if it is >= 0, keeps errno, returns -EBADF: `fd = fd_close(fd);` */
int fd_close(int fd);

/* Writes all of buf, through EINTR and short writes. 0 or -errno; no text, the caller knows what it was
 * writing. */
int fd_write_all(int fd, const void *buf, size_t len);

/*
 * One write(2) of a whole value, as kernel files (cgroupfs, procfs) want it: a short write is an error
 * (-EIO). 0 or -errno.
 */
int fd_write_once(int fd, const void *buf, size_t len);

/*
 * Opens dirfd/path O_WRONLY|O_NOFOLLOW (never created, never truncated) and writes the value at once. 0 or
 * -errno.
 */
int fd_put_at(int dirfd, const char *path, const char *value);

/*
 * Reads until end of file. *text is malloc()ed, NUL-terminated and the caller's; *len (may be NULL) leaves
 * the NUL out. More than `max` bytes is -EFBIG. 0 or -errno; outputs are untouched on failure.
 */
int fd_read_all(int fd, size_t max, char **text, size_t *len);

/*
 * The same for a regular file, as long as fstat(2) says it is: one read(2) where that is enough. Anything but
 * a regular file is -EINVAL.
 */
int fd_read_regular(int fd, size_t max, char **text, size_t *len);

/* Opens dirfd/path O_RDONLY|O_NOFOLLOW and reads it as above. */
int fd_read_at(int dirfd, const char *path, size_t max, char **text, size_t *len);

/*
 * Reads a small kernel file of one record (a value, /proc/PID/stat or status; not a list like mountinfo) into
 * buf, NUL-terminated, trailing newlines cut. Returns the length or -errno; a file that does not fit is
 * -EFBIG.
 */
ssize_t fd_get_at(int dirfd, const char *path, char *buf, size_t size);

/*
 * Replaces dirfd/name by the given bytes so that a reader sees the old or the new content, whole (a temporary
 * file in the same directory, then rename(2)). Not fsync()ed: state directories live on tmpfs.
 */
int fd_replace_at(int dirfd, const char *name, mode_t mode, const void *buf, size_t len, struct err *e);

/* Sets or clears FD_CLOEXEC. 0 or -errno. */
int fd_cloexec(int fd, bool on);

/*
 * Closes, or marks O_CLOEXEC, every descriptor from `first` to `last`, which may be ~0U. Without
 * close_range(2) (Linux 5.9, its flag 5.11) the kernel is asked about each number below a million: not
 * /proc/self/fd, which inside a partition may be anybody's.
 */
void fd_close_range(unsigned int first, unsigned int last);
void fd_cloexec_from(unsigned int first);

/*
 * Sends `len` > 0 bytes and `n` (0 to FD_SEND_MAX) descriptors in one message. 0 or -errno. SIGPIPE is not
 * raised.
 */
#define FD_SEND_MAX 8
int fd_send(int sock, const void *buf, size_t len, const int *fds, size_t n);

/*
 * Receives one message: its length (0: the peer has gone) or -errno. At most *n descriptors are stored and *n
 * is set to their number; all are O_CLOEXEC. Surplus descriptors are closed by the kernel and the message is
 * refused with -EBADMSG.
 */
ssize_t fd_recv(int sock, void *buf, size_t size, int *fds, size_t *n);

/*
 * connect(2) of a new SOCK_CLOEXEC AF_UNIX socket of `type` to dirfd/path (dirfd may be AT_FDCWD), also where
 * the path is longer than sun_path's 108 bytes. Returns the fd or -errno.
 */
int fd_connect_unix(int dirfd, const char *path, int type);

/* "/proc/self/fd/N" in buf, which is at least FD_PATH_MAX bytes; returns buf. */
#define FD_PATH_MAX 32
const char *fd_path(char *buf, int fd);

#endif
