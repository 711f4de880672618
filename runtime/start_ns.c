/* SPDX-License-Identifier: Apache-2.0 */
/* The start of the engine "partition", and the seccomp listener that may come up in it. */
#include "runtime/engine_ns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/launch.h"
#include "runtime/sync.h"
#include "security/seccomp.h"

static int send_listener(
	const struct rt_partition *p, pid_t pid, const char *status, int listener, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	_cleanup_free_ char *state = rt_partition_state_json(p, status, p->pid);
	const struct spec_seccomp *s = &p->spec->seccomp;
	const struct json *tree;
	int r;

	if (!w || !state)
		return err_set(e, ENOMEM, "write the container process state");
	r = json_parse(p->arena, state, strlen(state), "state", &tree, e);
	if (r < 0)
		return r;
	json_open_object(w, NULL);
	json_put_string(w, "ociVersion", p->oci_version);
	json_open_array(w, "fds");
	json_put_string(w, NULL, "seccompFd");
	json_close_array(w);
	json_put_i64(w, "pid", pid);
	if (s->listener_metadata)
		json_put_string(w, "metadata", s->listener_metadata);
	json_put_json(w, "state", tree);
	json_close_object(w);
	return seccomp_send_listener(s->listener_path, json_writer_text(w, NULL), listener, e);
}

int ns_fetch_listener(const struct rt_partition *p, pid_t pid, int number, const char *status, struct err *e)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), listener = -EBADF;

	/* The process cannot send it: its filter may already stop sendmsg(2), waiting for the very agent that
	 * is to get this. */
	if (pidfd >= 0)
		listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (listener < 0)
		return err_set(e, errno, "take over the seccomp listener of process %d", (int)pid);
	return send_listener(p, pid, status, listener, e);
}

/* Connected to the first process, and the socket renamed: should we die, ns_status() can still tell. */
static int take_socket(const struct rt_partition *p, struct err *e)
{
	int sock = fd_connect_unix(p->dirfd, RT_START_SOCKET, SOCK_SEQPACKET);

	if (sock == -ENOENT) /* a start before us died early */
		sock = fd_connect_unix(p->dirfd, RT_STARTING_SOCKET, SOCK_SEQPACKET);
	else if (sock >= 0 && renameat(p->dirfd, RT_START_SOCKET, p->dirfd, RT_STARTING_SOCKET) < 0) {
		err_set(e, errno, "rename the start socket of container \"%s\"", p->id);
		fd_close(sock);
		return -e->code;
	}
	return sock < 0 ? err_set(e, -sock, "reach the container's first process") : sock;
}

/* Until the process says something, or somebody tells us to stop. */
static int wait_for(int sock, const struct rt_launch *l, struct err *e)
{
	struct pollfd p[2] = { { .fd = sock, .events = POLLIN }, { .fd = l->stop_fd, .events = POLLIN } };

	while (l->stop_fd) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_set(e, errno, "wait for the container's first process");
		if (p[0].revents)
			break;
		if (p[1].revents)
			return err_text(e, ECANCELED,
				"interrupted by a signal before the container's program was executed");
	}
	return 0;
}

/* Serves the first process from the word to go on until it has become the payload. */
static int follow(struct rt_partition *p, struct rt_launch *l, int sock, struct err *e)
{
	struct sync_frame f;
	int r, fd;

	for (;;) {
		int msg;

		r = wait_for(sock, l, e);
		if (r < 0)
			return r;
		msg = sync_recv(sock, &f, &fd);
		switch (msg) {
		case SYNC_CLOSED:
			/* It closed by the exec, or because the process died: that shows in its status, as
			 * for any payload. */
			return 0;
		case SYNC_LISTENER:
			r = ns_fetch_listener(p, p->pid, f.number, rt_status_names[RT_CREATED], e);
			if (r < 0)
				return r;
			r = sync_send(sock, SYNC_GO, 0, NULL, -1);
			if (r < 0)
				return err_set(e, -r, "talk to the container's first process");
			break;
		case SYNC_EXEC_ERROR:
			l->exec_failed = true;
			return sync_err(&f, e);
		case SYNC_ERROR:
			return sync_err(&f, e);
		default:
			return err_set(e, msg < 0 ? -msg : EPROTO, "talk to the container's first process");
		}
	}
}

int ns_start(struct rt_partition *p, struct rt_launch *l, struct err *e)
{
	_cleanup_close_ int sock = l->later ? take_socket(p, e) : TAKE_FD(l->sync);
	int r;

	if (sock < 0)
		return sock;
	if (sync_send(sock, SYNC_START, 0, NULL, -1) < 0)
		return err_text(e, ESRCH,
			"container not running: no such process: its first process ended before it was "
			"started");
	l->told = true;
	r = follow(p, l, sock, e);
	/* It is what says "created" (ns_status()): poststart hooks that ask shall hear "running". */
	if (l->later)
		unlinkat(p->dirfd, RT_STARTING_SOCKET, 0);
	return r;
}
