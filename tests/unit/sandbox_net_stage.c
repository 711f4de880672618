/* SPDX-License-Identifier: Apache-2.0 */
/* The stage for tests of the sandbox's network (see sandbox_net_stage.h). */
#include "tests/unit/sandbox_net_stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"

#define FRAME (12 + 14 + 65535)

struct err err;
int peer = -1, host = -1, guest = -1;
static pid_t carrier = -1;

int run(const char *script)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-ec", script, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int enter(int ns)
{
	return setns(ns, CLONE_NEWNET);
}

static int new_ns(void)
{
	return unshare(CLONE_NEWNET) < 0 ? -1 : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

int set_stage(void)
{
	if (geteuid() != 0 || access("/dev/net/tun", R_OK | W_OK) < 0 || run("command -v ip >/dev/null") != 0)
		return SKIPPED;
	guest = new_ns();
	peer = new_ns();
	host = new_ns();
	return peer < 0 || host < 0 || guest < 0 ? SKIPPED : 0;
}

int make_pair(const char *outside, const char *inside, const char *mac)
{
	char script[300];
	int r;

	snprintf(script, sizeof(script),
		"ip link add %s type veth peer name %s netns /proc/self/fd/%d address %s; ip link set %s up",
		outside, inside, host, mac, outside);
	fd_cloexec(host, false);
	r = enter(peer) < 0 ? -1 : run(script);
	fd_cloexec(host, true);
	return enter(host) < 0 ? -1 : r;
}

int make_veth(const char *mtu)
{
	char script[500];

	if (make_pair("p0", "eth0", "02:00:00:00:77:02") != 0 || enter(peer) < 0)
		return -1;
	snprintf(script, sizeof(script),
		"ip link set p0 mtu %s; ip addr add 10.77.0.1/24 dev p0; ip addr add fd77::1/64 dev p0 nodad",
		mtu);
	if (run(script) != 0 || enter(host) < 0)
		return -1;
	snprintf(script, sizeof(script),
		"ip link set lo up; ip link set eth0 mtu %s up; ip addr add 10.77.0.2/24 brd + dev eth0; "
		"ip addr add fd77::2/64 dev eth0 nodad; ip route add default via 10.77.0.1; "
		"ip -6 route add default via fd77::1 metric 7",
		mtu);
	return run(script);
}

/* --- the sandbox ----------------------------------------------------------------------------------- */

int net_connect(struct sandbox *b)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text;
	int r;

	memset(b, 0, sizeof(*b));
	err_clear(&err);
	json_open_object(w, NULL);
	r = vm_net_connect(b->nics, &b->n, w, &err);
	json_close_object(w);
	text = json_writer_text(w, NULL);
	b->json = r == 0 && text ? strdup(text) : NULL;
	return r < 0 || b->json ? r : -ENOMEM;
}

void net_close(struct sandbox *b)
{
	for (unsigned i = 0; i < b->n; i++)
		fd_close(b->nics[i].fd);
	free(b->json);
	memset(b, 0, sizeof(*b));
}

int apply(const char *json)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct json *network = NULL;
	int r = json ? json_parse(a, json, strlen(json), "network", &network, &err) : 0;

	return r < 0 ? r : vm_net_apply(network, &err);
}

int guest_tap(const char *name, const uint8_t mac[6])
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), len = 12;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &len) < 0)
		return -1;
	ifr.ifr_hwaddr.sa_family = 1; /* ARPHRD_ETHER */
	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	return ioctl(fd, SIOCSIFHWADDR, &ifr) < 0 ? -1 : fd;
}

static void carry(int a, int b)
{
	static unsigned char frame[FRAME];
	struct pollfd p[2] = { { .fd = a, .events = POLLIN }, { .fd = b, .events = POLLIN } };

	while (poll(p, 2, -1) > 0)
		for (int i = 0; i < 2; i++) {
			ssize_t n = p[i].revents ? read(p[i].fd, frame, sizeof(frame)) : -1;

			if (n > 0 && write(p[!i].fd, frame, (size_t)n) < 0 && errno != EAGAIN && errno != EIO)
				fprintf(stderr, "a frame of %zd bytes: %s\n", n, strerror(errno));
		}
	_exit(0);
}

int start_guest(struct sandbox *b, unsigned offloads)
{
	int tap;

	CHECK(net_connect(b) == 0);
	CHECK(b->n == 1);
	CHECK(enter(guest) == 0);
	tap = guest_tap("eth5", b->nics[0].mac);
	CHECK(tap >= 0);
	CHECK(ioctl(tap, TUNSETOFFLOAD, offloads) == 0 && ioctl(b->nics[0].fd, TUNSETOFFLOAD, offloads) == 0);
	carrier = fork();
	if (carrier == 0)
		carry(tap, b->nics[0].fd);
	close(tap);
	CHECK(carrier > 0);
	CHECK(apply(b->json) == 0);
	return 0;
}

/* The guest is gone, however that came: its descriptors are closed, and that is all. */
void stop_guest(struct sandbox *b)
{
	if (carrier > 0) {
		kill(carrier, SIGKILL);
		waitpid(carrier, NULL, 0);
	}
	carrier = -1;
	net_close(b);
}

/* --- traffic --------------------------------------------------------------------------------------- */

static socklen_t address(int family, const char *text, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
	struct sockaddr_in *four = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	out->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		four->sin_port = htons(PORT);
		inet_pton(family, text, &four->sin_addr);
		return sizeof(*four);
	}
	six->sin6_port = htons(PORT);
	inet_pton(family, text, &six->sin6_addr);
	return sizeof(*six);
}

static int new_socket(int family, int type)
{
	const struct timeval limit = { .tv_sec = 20 };
	int fd = socket(family, type | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return fd;
}

/* `total` bytes that both sides know, of which no four in a row are as others near them. */
static int pump(int fd, bool out, size_t total)
{
	static uint32_t buf[16384], wanted[16384];
	uint32_t state = 12345;

	while (total > 0) {
		size_t len = total < sizeof(buf) ? total : sizeof(buf), done = 0;

		for (size_t i = 0; i < sizeof(buf) / sizeof(buf[0]); i++)
			wanted[i] = state = state * 1664525 + 1013904223;
		if (out && fd_write_all(fd, wanted, len) < 0)
			return -1;
		while (!out && done < len) {
			ssize_t n = read(fd, (char *)buf + done, len - done);

			if (n <= 0)
				return -1;
			done += (size_t)n;
		}
		if (!out && memcmp(buf, wanted, len) != 0)
			return -2;
		total -= len;
	}
	return 0;
}

int exchange(int from, int to, int family, const char *text, size_t bytes)
{
	struct sockaddr_storage sa;
	socklen_t len = address(family, text, &sa);
	_cleanup_close_ int listener = -EBADF, fd = -EBADF;
	int r, status;
	pid_t pid;

	CHECK(enter(to) == 0);
	listener = new_socket(family, SOCK_STREAM);
	CHECK(bind(listener, (struct sockaddr *)&sa, len) == 0 && listen(listener, 1) == 0);
	pid = fork();
	if (pid == 0) {
		fd = accept(listener, NULL, NULL);
		_exit(fd < 0 ? 1 : pump(fd, false, bytes) < 0 ? 2 : pump(fd, true, bytes) < 0 ? 3 : 0);
	}
	CHECK(enter(from) == 0);
	fd = new_socket(family, SOCK_STREAM);
	r = connect(fd, (struct sockaddr *)&sa, len);
	if (r < 0)
		kill(pid, SIGKILL);
	else
		r = pump(fd, true, bytes) < 0 ? -2 : pump(fd, false, bytes);
	CHECK(waitpid(pid, &status, 0) == pid);
	if (r == 0 && status != 0)
		fprintf(stderr, "%s: the server ended with %#x\n", text, (unsigned)status);
	return r < 0 ? r : status;
}

int datagram(int from, int to, int family, const char *text)
{
	static char data[20000], back[20000];
	struct sockaddr_storage sa, other;
	socklen_t len = address(family, text, &sa), other_len = sizeof(other);
	_cleanup_close_ int server = -EBADF, fd = -EBADF;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7);
	CHECK(enter(to) == 0);
	server = new_socket(family, SOCK_DGRAM);
	CHECK(bind(server, (struct sockaddr *)&sa, len) == 0);
	CHECK(enter(from) == 0);
	fd = new_socket(family, SOCK_DGRAM);
	CHECK(connect(fd, (struct sockaddr *)&sa, len) == 0);
	CHECK(send(fd, data, sizeof(data), 0) == sizeof(data));
	CHECK(recvfrom(server, back, sizeof(back), 0, (struct sockaddr *)&other, &other_len) == sizeof(back));
	CHECK(memcmp(data, back, sizeof(data)) == 0);
	memset(back, 0, sizeof(back));
	CHECK(sendto(server, data, sizeof(data), 0, (struct sockaddr *)&other, other_len) == sizeof(data));
	CHECK(recv(fd, back, sizeof(back), 0) == sizeof(back));
	CHECK(memcmp(data, back, sizeof(data)) == 0);
	return 0;
}

void in_child(int (*check)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(120);
		_exit(check());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_int_equal(status, 0);
}
