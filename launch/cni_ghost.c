/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network namespace in the likeness of one that has gone.
 *
 * Plugins find out by looking into the namespace which addresses they have to undo rules for; the bridge
 * plugin does so for its masquerading, and does nothing where there is no namespace (plugins 1.1.1,
 * bridge.go, cmdDel). But a namespace goes with its last process, before anybody is told. To keep each alive
 * by a mount would leave mounts behind after a crash, in every mount namespace that they propagated to. So
 * when it comes to taking down, one is made that has a device of that name with these addresses, for as long
 * as we hold it.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "launch/cni.h"
#include "namespaces/netlink.h"

/* A pair of devices, of which the kernel names the second: every host that has bridges for us has these. */
static int make_device(int sock)
{
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC };
	struct nl_request q;
	unsigned char kind[8] = { 0 };
	struct rtattr head = { .rta_len = sizeof(head) + 4, .rta_type = IFLA_INFO_KIND };

	memcpy(kind, &head, sizeof(head));
	memcpy(kind + sizeof(head), "veth", 4);
	nl_begin(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &link, sizeof(link));
	nl_attr_string(&q, IFLA_IFNAME, CNI_IFNAME);
	nl_attr(&q, IFLA_LINKINFO, kind, sizeof(kind));
	return nl_send(sock, &q, NULL, NULL);
}

static int add_address(int sock, const char *text)
{
	struct ifaddrmsg at = { .ifa_index = if_nametoindex(CNI_IFNAME) };
	unsigned char binary[16];
	struct nl_request q;
	int family, prefix;

	if (cni_address_parse(text, &family, binary, &prefix) < 0)
		return -EINVAL;
	at.ifa_family = (unsigned char)family;
	at.ifa_prefixlen = (unsigned char)prefix;
	nl_begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &at, sizeof(at));
	nl_attr(&q, IFA_LOCAL, binary, family == AF_INET ? 4 : 16);
	nl_attr(&q, IFA_ADDRESS, binary, family == AF_INET ? 4 : 16);
	return nl_send(sock, &q, NULL, NULL);
}

/* In a child, so that we are never anywhere else than where we were. */
static int build(char *const *addresses, int back)
{
	_cleanup_close_ int sock = -EBADF, ns = -EBADF;
	struct err ignored = ERR_INIT;
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	sock = nl_open(&ignored);
	if (sock < 0)
		return sock;
	r = make_device(sock);
	for (; r == 0 && *addresses; addresses++)
		r = add_address(sock, *addresses);
	if (r < 0)
		return r;
	ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return ns < 0 ? -errno : fd_send(back, "", 1, &ns, 1);
}

int cni_ghost(char *const *addresses, struct err *e)
{
	int pair[2], fd = -EBADF, status = 0;
	size_t n = 1;
	char byte;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, errno, "make a socket pair");
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(-build(addresses, pair[1]));
	fd_close(pair[1]);
	if (pid < 0) {
		fd_close(pair[0]);
		return err_set(e, errno, "fork");
	}
	if (fd_recv(pair[0], &byte, 1, &fd, &n) <= 0 || n != 1)
		fd = -EBADF;
	fd_close(pair[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (fd < 0)
		return err_set(e, WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EIO,
			"make a network namespace in the likeness of the one that has gone");
	return fd;
}
