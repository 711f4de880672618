/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between the parent and the child half (see sync.h). */
#include "runtime/sync.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
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
	struct sync_frame f = { .msg = msg, .number = e->code };
	size_t len = strnlen(e->text, sizeof(f.text) - 1);

	memcpy(f.text, e->text, len);
	/* write(2), since our filter may be on. A SIGPIPE would end what ends now anyway. */
	(void)!write(sock, &f, offsetof(struct sync_frame, text) + len + 1);
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
}

pid_t *sync_birth_page(struct err *e)
{
	void *page = mmap(NULL, sizeof(pid_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED)
		return page;
	err_set(e, errno, "share memory with the process that is to join");
	return NULL;
}

void sync_birth_hide(pid_t *page)
{
	madvise(page, sizeof(*page), MADV_DONTFORK);
}

void sync_birth_free(pid_t *page)
{
	if (page)
		munmap(page, sizeof(*page));
}
