/* SPDX-License-Identifier: Apache-2.0 */
/* NOTIFY_SOCKET: readiness of the payload, passed on (see notify.h). */
#include "runtime/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define INSIDE "/run/notify"
#define SOCKET "notify.sock"

/* The mount and the variable, appended to the spec's own. */
static int extend_spec(struct rt_partition *p)
{
	struct spec *s = p->spec;
	struct spec_mount *mounts = arena_calloc(s->arena, s->n_mounts + 1, sizeof(*mounts));
	static const char *const options[] = { "bind", "nosuid", "noexec", "nodev", "ro", NULL };
	size_t n = strv_len(s->process.env);
	char **env = arena_calloc(s->arena, n + 2, sizeof(char *));
	char via[FD_PATH_MAX], path[4096];
	ssize_t len;

	if (!mounts || !env)
		return -ENOMEM;
	len = readlink(fd_path(via, p->dirfd), path, sizeof(path) - 1);
	if (len < 0)
		return -errno;
	path[len] = '\0';
	if (s->n_mounts)
		memcpy(mounts, s->mounts, s->n_mounts * sizeof(*mounts));
	mounts[s->n_mounts] = (struct spec_mount){
		.destination = INSIDE,
		.type = "bind",
		.source = arena_printf(s->arena, "%s/" RT_NOTIFY_DIR, path),
		.options = (char **)options,
	};
	if (n)
		memcpy(env, s->process.env, n * sizeof(char *));
	env[n] = arena_strdup(s->arena, "NOTIFY_SOCKET=" INSIDE "/" SOCKET);
	if (!mounts[s->n_mounts].source || !env[n])
		return -ENOMEM;
	s->mounts = mounts;
	s->n_mounts++;
	s->process.env = env;
	return 0;
}

bool notify_wanted(void)
{
	const char *host = getenv("NOTIFY_SOCKET");

	return host && *host;
}

int notify_prepare(struct rt_partition *p, struct err *e)
{
	int r;

	if (!notify_wanted() || !p->spec->has_process)
		return 0;
	if (mkdirat(p->dirfd, RT_NOTIFY_DIR, 0755) < 0)
		return err_set(e, errno, "make the notify directory of container \"%s\"", p->id);
	r = extend_spec(p);
	return r < 0 ? err_set(e, -r, "prepare the notify socket") : 0;
}

int notify_open(struct rt_partition *p, struct notify *n, struct err *e)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int dir = -EBADF, sock = -EBADF;
	const char *host = getenv("NOTIFY_SOCKET");

	n->sock = -EBADF;
	if (!host || !*host)
		return 0;
	dir = openat(p->dirfd, RT_NOTIFY_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		/* Set for start, but not for create: there is nothing inside to listen to. */
		return errno == ENOENT
			       ? 0
			       : err_set(e, errno, "open the notify directory of container \"%s\"", p->id);
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return err_set(e, errno, "make the notify socket");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" SOCKET, dir);
	unlinkat(dir, SOCKET, 0);
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_set(e, errno, "bind the notify socket of container \"%s\"", p->id);
	/* Whoever the payload is inside may write to it; nobody else sees the directory. */
	if (fchmodat(dir, SOCKET, 0777, 0) < 0)
		return err_set(
			e, errno, "open the notify socket of container \"%s\" to its processes", p->id);
	n->sock = TAKE_FD(sock);
	n->host = host;
	return 0;
}

static void tell_host(const char *host, const char *text)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(host);
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0 || len >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, host, len);
	if (host[0] == '@') /* an abstract socket, as sd_notify(3) writes it */
		addr.sun_path[0] = '\0';
	sendto(sock, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&addr,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static bool says_ready(char *text)
{
	char *line;

	while ((line = strsep(&text, "\n")))
		if (str_eq(line, "READY=1"))
			return true;
	return false;
}

int notify_forward(const struct notify *n, struct rt_partition *p, int stop_fd, struct err *e)
{
	_cleanup_close_ int pidfd = -EBADF;
	char text[4096], said[64];

	if (n->sock < 0)
		return 0;
	pidfd = rt_pidfd(p);
	for (;;) {
		struct pollfd poll_for[3] = { { .fd = n->sock, .events = POLLIN },
			{ .fd = pidfd, .events = POLLIN },
			{ .fd = stop_fd ? stop_fd : -1, .events = POLLIN } };
		ssize_t len;

		if (poll(poll_for, 3, -1) < 0 && errno != EINTR)
			return err_set(e, errno, "wait for the payload to be ready");
		if (poll_for[2].revents)
			return err_text(e, ECANCELED, "interrupted by a signal before the payload was ready");
		if (poll_for[0].revents) {
			/* recv() and not recvmsg(): descriptors that come along are not taken. */
			len = recv(n->sock, text, sizeof(text) - 1, MSG_DONTWAIT);
			if (len > 0) {
				text[len] = '\0';
				if (says_ready(text))
					break;
			}
			continue;
		}
		if (pidfd < 0 || poll_for[1].revents)
			return 0;
	}
	tell_host(n->host, "READY=1");
	snprintf(said, sizeof(said), "MAINPID=%d", (int)p->pid);
	tell_host(n->host, said);
	return 0;
}
