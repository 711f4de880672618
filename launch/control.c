/* SPDX-License-Identifier: Apache-2.0 */
/* A supervisor's socket (see control.h). */
#include "launch/control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/str.h"

#define ANSWER_MS 10000

int control_listen(const char *name, int type)
{
	_cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	mode_t before;
	int r;

	if (fd < 0)
		return -errno;
	if (strlen(name) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	memcpy(at.sun_path, name, strlen(name) + 1);
	/* What a supervisor left that was killed. */
	if (unlink(name) < 0 && errno != ENOENT)
		return -errno;
	before = umask(0177);
	r = bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 16) < 0 ? -errno : 0;
	umask(before);
	return r < 0 ? r : TAKE_FD(fd);
}

int control_accept(int listener)
{
	_cleanup_close_ int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (peer.uid != 0 && peer.uid != geteuid())
		return -EPERM;
	return TAKE_FD(fd);
}

int control_connect(int dir)
{
	return fd_connect_unix(dir, CONTROL_SOCKET, SOCK_SEQPACKET);
}

int control_send(int sock, char command, const void *data, size_t len, int flags)
{
	struct iovec v[2] = { { &command, 1 }, { (void *)data, len } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = len ? 2 : 1 };
	ssize_t n;

	do {
		n = sendmsg(sock, &m, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

ssize_t control_receive(int sock, void *buf, size_t size, int ms)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	ssize_t n;
	int r;

	do {
		r = poll(&p, 1, ms);
	} while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	n = recv(sock, buf, size, MSG_DONTWAIT);
	if (n < 0 && errno == ECONNRESET)
		return 0;
	return n < 0 ? -errno : n;
}

int control_ask(int sock, char command, const void *data, size_t len, struct err *e)
{
	char answer[ERR_TEXT_MAX + 1];
	int r = control_send(sock, command, data, len, 0);
	ssize_t n;

	if (r == -EPIPE || r == -ECONNRESET)
		return err_set(e, ECONNRESET, "talk to the partition's supervisor");
	if (r < 0)
		return err_set(e, -r, "talk to the partition's supervisor");
	n = control_receive(sock, answer, sizeof(answer) - 1, ANSWER_MS);
	if (n <= 0)
		return err_set(e, n < 0 ? (int)-n : ECONNRESET, "talk to the partition's supervisor");
	answer[n] = '\0';
	if (answer[0] == CONTROL_REFUSED)
		return err_text(e, EBUSY, "%s", answer + 1);
	if (answer[0] != CONTROL_READY || n < 2)
		return err_text(
			e, EPROTO, "the partition's supervisor speaks another protocol: of another version?");
	return (unsigned char)answer[1];
}
