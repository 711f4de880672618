/* SPDX-License-Identifier: Apache-2.0 */
/* The other ends of the runtime's sockets: console, pidfd, seccomp agent, sd_notify. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "rft.h"

/* Through /proc/self/fd, since sun_path ends at 108 bytes. */
static void address(const char *path, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (snprintf(a->sun_path, sizeof a->sun_path, "%s", path) >= (int)sizeof a->sun_path) {
		errno = ENAMETOOLONG;
		die("%s", path);
	}
}

static int bind_at(const char *path, int type)
{
	struct sockaddr_un a;
	char tmp[4096];
	int s = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	char *slash, dir[4096];

	snprintf(dir, sizeof dir, "%s", path);
	slash = strrchr(dir, '/');
	if (slash) {
		*slash = 0;
		if (chdir(dir))
			die("chdir %s", dir);
		path += slash - dir + 1;
	}
	snprintf(tmp, sizeof tmp, ".%s.%d", path, getpid());
	address(tmp, &a);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof a) || (type == SOCK_STREAM && listen(s, 8)) ||
		rename(tmp, path))
		die("socket %s", path);
	return s;
}

int accept_one(const char *path, int seconds)
{
	int s = bind_at(path, SOCK_STREAM), c;
	struct pollfd p = { .fd = s, .events = POLLIN };

	if (poll(&p, 1, seconds * 1000) != 1) {
		errno = ETIMEDOUT;
		die("nobody connected to %s", path);
	}
	c = accept4(s, NULL, NULL, SOCK_CLOEXEC);
	if (c < 0)
		die("accept");
	close(s);
	return c;
}

ssize_t receive(int sock, char *text, size_t size, int *fds, int max, int *n_fds)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int) * 32)];
	} control;
	struct iovec io = { text, size - 1 };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL;

	*n_fds = 0;
	if (n < 0)
		die("recvmsg");
	text[n] = 0;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		int count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)), all[32];

		memcpy(all, CMSG_DATA(c), sizeof(int) * (size_t)count);
		*n_fds = count;
		memcpy(fds, all, sizeof(int) * (size_t)(count < max ? count : max));
	}
	return n;
}

/*
 * rft console SOCKET [TEXT]: what conmon and a shim do: takes one message, says what was in it, types TEXT
 * and then its own stdin, and copies what the terminal says until it is hung up.
 */
int cmd_console(int argc, char **argv)
{
	char text[8192], link[256], proc[64];
	int conn = accept_one(argv[1], 60), fd = -1, n;
	struct stat st;
	ssize_t len = receive(conn, text, sizeof text, &fd, 1, &n);
	struct pollfd p[2];

	printf("fds=%d\npayload=%zd\n", n, len);
	if (n < 1)
		return 1;
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	link_of(proc, link, sizeof link);
	printf("master=%s\nisatty=%d\nname=%s\n", link, isatty(fd), text);
	if (fstat(fd, &st) == 0)
		printf("st_dev_fs=%llu\n", (unsigned long long)st.st_dev);
	fflush(stdout);
	if (argc > 2 && write(fd, argv[2], strlen(argv[2])) < 0)
		die("write");
	p[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = 0, .events = POLLIN };
	while (poll(p, 2, 60000) > 0) {
		ssize_t got;

		if (p[1].revents) {
			got = read(0, text, sizeof text);
			if (got <= 0 || write(fd, text, (size_t)got) < 0)
				p[1].fd = -1;
		}
		if (!p[0].revents)
			continue;
		got = read(fd, text, sizeof text);
		if (got <= 0)
			break; /* EIO: nobody has the other side open any more */
		if (write(1, text, (size_t)got) < 0)
			break;
	}
	return 0;
}

/* rft recv-pidfd SOCKET: says whose it is and waits for that process to end. */
int cmd_recv_pidfd(int argc, char **argv)
{
	char text[4096], line[256], path[64];
	int conn = accept_one(argv[1], 60), fd = -1, n;
	ssize_t len = receive(conn, text, sizeof text, &fd, 1, &n);
	struct pollfd p;
	FILE *f;

	(void)argc;
	printf("fds=%d\npayload=%zd\n", n, len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	link_of(path, line, sizeof line);
	printf("link=%s\n", line);
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, "Pid:", 4))
			printf("pid=%ld\n", strtol(line + 4, NULL, 10));
	if (f)
		fclose(f);
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	printf("%s\n", poll(&p, 1, 60000) == 1 ? "exited" : "still alive");
	return 0;
}

/* rft sink SOCKET: accepts, and hangs up at once without reading: an engine that died. */
int cmd_sink(int argc, char **argv)
{
	(void)argc;
	close(accept_one(argv[1], 60));
	return 0;
}

/*
 * rft agent SOCKET continue|errno=N|value=N: a seccomp agent. Prints the runtime's message, then a line for
 * each notification, which it answers in that way. Ends when no process has the filter any more.
 */
int cmd_agent(int argc, char **argv)
{
	static char text[65536];
	int conn = accept_one(argv[1], 60), fd = -1, n;
	ssize_t len = receive(conn, text, sizeof text, &fd, 1, &n);
	const char *how = argc > 2 ? argv[2] : "continue";
	struct pollfd p;

	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
	printf("fds=%d\nlength=%zd\nstate=%s\n", n, len, text);
	close(conn);
	for (;;) {
		struct seccomp_notif req = { 0 };
		struct seccomp_notif_resp resp = { 0 };

		p = (struct pollfd){ .fd = fd, .events = POLLIN };
		if (poll(&p, 1, 60000) <= 0 || !(p.revents & POLLIN))
			break;
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &req))
			continue;
		printf("call nr=%d pid=%u\n", req.data.nr, req.pid);
		resp.id = req.id;
		if (!strncmp(how, "errno=", 6))
			resp.error = (int)-number(how + 6);
		else if (!strncmp(how, "value=", 6))
			resp.val = number(how + 6);
		else
			resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &resp);
	}
	printf("end\n");
	return 0;
}

/* rft sd-notify TEXT…: each as one datagram to $NOTIFY_SOCKET. */
int cmd_sd_notify(int argc, char **argv)
{
	const char *to = getenv("NOTIFY_SOCKET");
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;

	address(to ? to : "", &a);
	for (int i = 1; i < argc; i++)
		if (sendto(s, argv[i], strlen(argv[i]), 0, (struct sockaddr *)&a, sizeof a) < 0)
			die("sendto %s", to ? to : "(no NOTIFY_SOCKET)");
	printf("sent to %s\n", to);
	return 0;
}

/* rft sd-recv SOCKET SECONDS [UNTIL]: prints datagrams, a line each, until one contains UNTIL or the time is
 * over. */
int cmd_sd_recv(int argc, char **argv)
{
	int s = bind_at(argv[1], SOCK_DGRAM);
	struct pollfd p = { .fd = s, .events = POLLIN };
	char text[4096];

	while (poll(&p, 1, (int)number(argv[2]) * 1000) == 1) {
		ssize_t n = recv(s, text, sizeof text - 1, 0);

		text[n < 0 ? 0 : n] = 0;
		for (char *c = text; *c; c++)
			if (*c == '\n')
				*c = ' ';
		printf("%s\n", text);
		if (argc > 3 && strstr(text, argv[3]))
			return 0;
	}
	return 1;
}

/*
 * resolver ADDRESS IPV4: a DNS server on UDP port 53 of that address: names that begin with "p" have that
 * address, others do not exist (RFC 1035, 4.1). Says "ready" when it is.
 */
int cmd_resolver(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53) }, from;
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t m[512 + 64], ip[4];

	if (argc != 3 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1 ||
		inet_pton(AF_INET, argv[2], ip) != 1)
		die("resolver ADDRESS IPV4");
	if (s < 0 || bind(s, (struct sockaddr *)&at, sizeof at))
		die("bind %s", argv[1]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		socklen_t size = sizeof from;
		ssize_t n = recvfrom(s, m, 512, 0, (struct sockaddr *)&from, &size);
		size_t end = 12;
		int is_a;

		if (n < 0)
			die("recvfrom");
		while (end < (size_t)n && m[end])
			end += 1U + m[end];
		end += 5;
		if (end > (size_t)n)
			continue;
		is_a = m[13] == 'p' && m[end - 4] == 0 && m[end - 3] == 1;
		m[2] = 0x84; /* an answer, with authority */
		m[3] = m[13] == 'p' ? 0 : 3;
		memset(m + 6, 0, 6);
		m[7] = (uint8_t)is_a;
		if (is_a) {
			/* The name of the question, A, IN, a minute, four bytes. */
			memcpy(m + end, (const uint8_t[]){ 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4 }, 12);
			memcpy(m + end + 12, ip, 4);
			end += 16;
		}
		sendto(s, m, end, 0, (struct sockaddr *)&from, size);
	}
}
