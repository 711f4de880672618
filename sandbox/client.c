/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a monitor (see client.h). */
#include "sandbox/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sandbox/engine.h"
#include "sandbox/pod.h"

int client_listen(struct rt_partition *p, struct err *e)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (sock < 0)
		return err_set(e, errno, "make the sandbox's socket");
	/* Its path may be longer than sun_path: bound through the directory's descriptor. */
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" RT_START_SOCKET, p->dirfd);
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(sock, 128) < 0)
		return err_set(e, errno, "make the socket of container \"%s\"", p->id);
	return TAKE_FD(sock);
}

static const char *annotation(const struct rt_partition *p, const char *key)
{
	for (size_t i = 0; i < p->n_annotations; i++)
		if (str_eq(p->annotations[i].key, key))
			return p->annotations[i].value;
	return NULL;
}

int client_dir(const struct rt_partition *p)
{
	const char *pod = p->engine == &vm_member_engine ? annotation(p, VM_POD_ANNOTATION) : NULL;
	const char *instance = pod ? annotation(p, VM_INSTANCE_ANNOTATION) : NULL;
	int fd = pod ? openat(p->rootfd, pod, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
		     : fcntl(p->dirfd, F_DUPFD_CLOEXEC, 3);
	char text[VM_INSTANCE_MAX];

	if (fd < 0)
		return -errno;
	if (!instance)
		return fd;
	vm_pod_instance(fd, text);
	/* The number would be somebody else's. */
	if (!str_eq(text, instance)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

uint32_t client_number(const struct rt_partition *p)
{
	const char *text = p->engine == &vm_member_engine ? annotation(p, VM_NUMBER_ANNOTATION) : NULL;
	uint64_t n;

	return text && str_to_u64(text, &n) == 0 ? (uint32_t)n : 0;
}

static int reach(struct rt_partition *p, struct err *e)
{
	_cleanup_close_ int dir = client_dir(p);
	int sock = dir < 0 ? dir : fd_connect_unix(dir, CLIENT_SOCKET, SOCK_STREAM);

	/* A pod may have been made again under its name, and know nobody of ours. */
	if (p->engine == &vm_member_engine && !rt_alive(p))
		sock = (fd_close(sock), -ENOENT);
	else if (dir >= 0 && sock == -ENOENT)
		sock = fd_connect_unix(dir, RT_START_SOCKET, SOCK_STREAM);
	if (sock == -ENOENT || sock == -ECONNREFUSED)
		return err_text(e, ESRCH,
			"container not running: no such process: the monitor of \"%s\" has ended", p->id);
	return sock < 0 ? err_set(e, -sock, "reach the monitor of container \"%s\"", p->id) : sock;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The next message, or somebody tells us to stop. `seconds` < 0: for ever. */
static int wait_for(struct proto *c, struct proto_msg *m, int stop_fd, int seconds, struct err *e)
{
	int64_t until = now_ms() + (int64_t)seconds * 1000;

	for (;;) {
		int64_t left = until - now_ms();
		struct pollfd at[2] = { { .fd = c->fd, .events = POLLIN },
			{ .fd = stop_fd ? stop_fd : -1, .events = POLLIN } };
		int r = proto_flush(c);

		if (r == 0 || r == -EPIPE)
			r = proto_next(c, m);
		if (r == -EPIPE || r == -ECONNRESET)
			return err_text(
				e, ESRCH, "container not running: no such process: the sandbox has ended");
		if (r != 0)
			return r < 0 ? err_set(e, -r, "talk to the monitor") : 0;
		if (proto_waits(c))
			at[0].events |= POLLOUT;
		if (seconds >= 0 && left <= 0)
			return err_text(e, ETIMEDOUT,
				"the sandbox's guest has not answered for %d s: it hangs, or does not want "
				"to; "
				"kill with signal KILL ends it in any case",
				seconds);
		if (poll(at, 2, seconds < 0 ? -1 : (int)left) < 0 && errno != EINTR)
			return err_set(e, errno, "wait for the monitor");
		if (at[1].revents)
			return err_text(e, ECANCELED, "interrupted by a signal before the sandbox answered");
	}
}

/* To be killed is the one thing that the monitor answers by itself; to write back is a favour. */
static int patience(enum proto_type what, const uint8_t *data)
{
	if (what == PROTO_START)
		return -1;
	if (what == PROTO_SYNC)
		return CLIENT_SYNC_SECONDS;
	return what == PROTO_SIGNAL && data && data[0] == SIGKILL ? CLIENT_KILL_SECONDS : CLIENT_SECONDS;
}

static int ask(struct rt_partition *p, enum proto_type what, const void *data, size_t len, int stop_fd,
	bool *exec_failed, const struct json **answer, struct err *e)
{
	struct proto c;
	struct proto_msg m;
	int sock = reach(p, e), r;

	if (sock < 0)
		return sock;
	proto_open(&c, sock);
	r = proto_send(&c, what, 0, client_number(p), 1, data, len);
	r = r < 0 ? err_set(e, -r, "talk to the monitor of container \"%s\"", p->id)
		  : wait_for(&c, &m, stop_fd, patience(what, data), e);
	if (r == 0 && m.type == PROTO_ERROR) {
		if (exec_failed)
			*exec_failed = proto_u32(&m, 4) & PROTO_EXEC_FAILED;
		r = proto_error(&m, e);
	} else if (r == 0 && m.type != PROTO_DONE) {
		r = err_set(e, EPROTO, "talk to the monitor of container \"%s\"", p->id);
	} else if (r == 0 && answer) {
		r = json_parse(p->arena, (const char *)m.data, m.len, "the guest's answer", answer, e);
	}
	proto_close(&c);
	return r;
}

int client_ask(struct rt_partition *p, enum proto_type what, const void *data, size_t len, int stop_fd,
	bool *exec_failed, struct err *e)
{
	return ask(p, what, data, len, stop_fd, exec_failed, NULL, e);
}

int client_fetch(struct rt_partition *p, enum proto_type what, const struct json **answer, struct err *e)
{
	return ask(p, what, NULL, 0, 0, NULL, answer, e);
}

int client_tell(struct rt_partition *p, enum proto_type what, const void *data, size_t len, struct err *e)
{
	struct proto c;
	int sock = reach(p, e), r;

	if (sock < 0)
		return sock;
	proto_open(&c, sock);
	r = proto_send(&c, what, 0, client_number(p), 1, data, len);
	proto_close(&c);
	return r < 0 ? err_set(e, -r, "talk to the monitor of container \"%s\"", p->id) : 0;
}
