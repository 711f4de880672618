/* SPDX-License-Identifier: Apache-2.0 */
/* File descriptors: whole reads and writes, atomic files, descriptors over sockets (see fd.h). */
#include "base/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

int fd_close(int fd)
{
	cleanup_closep(&fd);
	return -EBADF;
}

int fd_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_write_once(int fd, const void *buf, size_t len)
{
	ssize_t n;

	do {
		n = write(fd, buf, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int fd_put_at(int dirfd, const char *path, const char *value)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	return fd_write_once(fd, value, strlen(value));
}

int fd_read_all(int fd, size_t max, char **text, size_t *len)
{
	_cleanup_free_ char *buf = NULL;
	size_t room = 0, used = 0;
	bool known = false;
	struct stat st;

	/* A regular file's size is a good first guess, so that most files take two reads; procfs files say 0.
	 */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && (uint64_t)st.st_size <= max)
		known = true;
	room = known ? (size_t)st.st_size + 2 : 4096;
	buf = malloc(room);
	if (!buf)
		return -ENOMEM;
	for (;;) {
		ssize_t n;

		if (room - used < 2) {
			char *more;

			if (used > max)
				return -EFBIG;
			room *= 2;
			more = realloc(buf, room);
			if (!more)
				return -ENOMEM;
			buf = more;
		}
		n = read(fd, buf + used, room - used - 1);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > max)
			return -EFBIG;
		/* As long as fstat(2) said: what somebody may be appending just now is no part of it. */
		if (known && used == (size_t)st.st_size)
			break;
	}
	buf[used] = '\0';
	*text = TAKE_PTR(buf);
	if (len)
		*len = used;
	return 0;
}

int fd_read_regular(int fd, size_t max, char **text, size_t *len)
{
	_cleanup_free_ char *buf = NULL;
	size_t used = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return -EFBIG;
	buf = malloc((size_t)st.st_size + 1);
	if (!buf)
		return -ENOMEM;
	while (used < (size_t)st.st_size) {
		ssize_t n = read(fd, buf + used, (size_t)st.st_size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	buf[used] = '\0';
	*text = TAKE_PTR(buf);
	if (len)
		*len = used;
	return 0;
}

int fd_read_at(int dirfd, const char *path, size_t max, char **text, size_t *len)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return fd_read_all(fd, max, text, len);
}

ssize_t fd_get_at(int dirfd, const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	size_t used = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n;

		if (used + 1 >= size)
			return -EFBIG;
		n = read(fd, buf + used, size - used - 1);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			break;
		used += (size_t)n;
		/* Such a file is one record: less than was asked for, with its newline, is all of it. */
		if (used + 1 < size && buf[used - 1] == '\n')
			break;
	}
	while (used > 0 && buf[used - 1] == '\n')
		used--;
	buf[used] = '\0';
	return (ssize_t)used;
}

int fd_replace_at(int dirfd, const char *name, mode_t mode, const void *buf, size_t len, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	char tmp[NAME_MAX + 1];
	int r;

	/* The pid keeps two writers apart; a leftover of a crashed one with our pid is simply replaced. */
	if (snprintf(tmp, sizeof(tmp), ".%s.%d", name, (int)getpid()) >= (int)sizeof(tmp))
		return err_set(e, ENAMETOOLONG, "write %s", name);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0 && errno == EEXIST) {
		unlinkat(dirfd, tmp, 0);
		fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	}
	if (fd < 0)
		return err_set(e, errno, "create %s", tmp);
	r = fd_write_all(fd, buf, len);
	if (r < 0) {
		unlinkat(dirfd, tmp, 0);
		return err_set(e, -r, "write %s", tmp);
	}
	if (renameat(dirfd, tmp, dirfd, name) < 0) {
		r = -errno;
		unlinkat(dirfd, tmp, 0);
		return err_set(e, -r, "rename %s to %s", tmp, name);
	}
	return 0;
}

int fd_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4U
#endif

/* The default of fs.nr_open: no process has a higher number unless the administrator wants it. */
#define NR_OPEN (1U << 20)

static void close_number(int fd)
{
	close(fd);
}

static void mark_number(int fd)
{
	fd_cloexec(fd, true);
}

static void each_open(unsigned int first, unsigned int last, void (*act)(int fd))
{
	enum { STEP = 256 };
	struct pollfd p[STEP];

	for (unsigned int at = first; at <= last && at < NR_OPEN; at += STEP) {
		unsigned int n = last - at < STEP - 1 ? last - at + 1 : STEP;
		int r;

		for (unsigned int i = 0; i < n; i++)
			p[i] = (struct pollfd){ .fd = (int)(at + i) };
		/* More than RLIMIT_NOFILE allows is refused: then all of them are tried. */
		r = poll(p, n, 0);
		for (unsigned int i = 0; i < n; i++)
			if (r < 0 || !(p[i].revents & POLLNVAL))
				act(p[i].fd);
	}
}

void fd_close_range(unsigned int first, unsigned int last)
{
	if (syscall(SYS_close_range, first, last, 0) < 0)
		each_open(first, last, close_number);
}

void fd_cloexec_from(unsigned int first)
{
	if (syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		each_open(first, ~0U, mark_number);
}

int fd_send(int sock, const void *buf, size_t len, const int *fds, size_t n)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * FD_SEND_MAX)];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (n > FD_SEND_MAX || len == 0)
		return -EINVAL;
	if (n > 0) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	do {
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	if ((size_t)sent < len)
		return fd_write_all(sock, (const char *)buf + sent, len - (size_t)sent);
	return 0;
}

ssize_t fd_recv(int sock, void *buf, size_t size, int *fds, size_t *n)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * FD_SEND_MAX)];
	} control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	int got[FD_SEND_MAX];
	size_t room = n ? *n : 0, count = 0;
	ssize_t len;

	do {
		len = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count < ARRAY_SIZE(got))
				got[count++] = fd;
			else
				close(fd);
		}
	}
	if (count > room || (msg.msg_flags & MSG_CTRUNC)) {
		for (size_t i = 0; i < count; i++)
			close(got[i]);
		return -EBADMSG;
	}
	if (n) {
		memcpy(fds, got, count * sizeof(int));
		*n = count;
	}
	return len;
}

int fd_connect_unix(int dirfd, const char *path, int type)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = -EBADF, file = -EBADF;
	char via[FD_PATH_MAX];

	if (dirfd != AT_FDCWD || strlen(path) >= sizeof(addr.sun_path)) {
		file = openat(dirfd, path, O_PATH | O_CLOEXEC);
		if (file < 0)
			return -errno;
		path = fd_path(via, file);
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return TAKE_FD(sock);
}

const char *fd_path(char *buf, int fd)
{
	snprintf(buf, FD_PATH_MAX, "/proc/self/fd/%d", fd);
	return buf;
}
