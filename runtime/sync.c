/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between the parent and the child half (see sync.h). */
#include "runtime/sync.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

int sync_send(int sock, enum sync_msg msg, int number, const char *text, int fd)
{
	struct sync_frame f = { .msg = msg, .number = number };
	size_t len = 0;

	if (text) {
		len = strnlen(text, sizeof(f.text) - 1);
		memcpy(f.text, text, len);
		len++;
	}
	return fd_send(sock, &f, offsetof(struct sync_frame, text) + len, &fd, fd >= 0 ? 1 : 0);
}

int sync_recv(int sock, struct sync_frame *f, int *fd)
{
	int got = -1;
	size_t n = fd ? 1 : 0;
	ssize_t len = fd_recv(sock, f, sizeof(*f), &got, &n);

	if (len == 0 || len == -ECONNRESET)
		return SYNC_CLOSED;
	if (len < 0)
		return (int)len;
	if ((size_t)len < offsetof(struct sync_frame, text)) {
		fd_close(n ? got : -EBADF);
		return -EBADMSG;
	}
	f->text[(size_t)len > offsetof(struct sync_frame, text)
			? (size_t)len - offsetof(struct sync_frame, text) - 1
			: 0] = '\0';
	if (fd)
		*fd = n ? got : -1;
	return (int)f->msg;
}

void sync_send_err(int sock, enum sync_msg msg, const struct err *e)
{
	sync_send(sock, msg, e->code, e->text, -1);
}

int sync_err(const struct sync_frame *f, struct err *e)
{
	return err_text(e, f->number, "%s", f->text);
}

void sync_expect(int sock, enum sync_msg wanted)
{
	struct sync_frame f;

	if (sync_recv(sock, &f, NULL) != (int)wanted)
		_exit(1);
}

void sync_hand_over(int listener, void *sock)
{
	struct sync_frame f = { .msg = SYNC_LISTENER, .number = listener };
	const int fd = *(int *)sock;

	if (write(fd, &f, offsetof(struct sync_frame, text)) < 0 || read(fd, &f, sizeof(f)) <= 0 ||
		f.msg != SYNC_GO)
		_exit(1);
	close(listener);
}
