/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink messages stay in their bounds; loopback, moved devices and statistics for real. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
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
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/json.h"
#include "namespaces/net.h"
#include "namespaces/netlink.h"

#define SKIPPED 77

static struct err err;

static void test_build(void **state)
{
	struct ifinfomsg info = { .ifi_index = 7 };
	struct nl_request q;
	const void *p;
	size_t n;

	nl_begin(&q, RTM_NEWLINK, NLM_F_CREATE, &info, sizeof(info));
	nl_attr_string(&q, IFLA_IFNAME, "eth0");
	nl_attr_u32(&q, IFLA_MTU, 1500);
	assert_false(q.failed);
	assert_int_equal(q.len % 4, 0);
	p = nl_find(q.u.bytes + 32, q.len - 32, IFLA_IFNAME, &n);
	assert_int_equal(n, 5);
	assert_string_equal(p, "eth0");
	p = nl_find(q.u.bytes + 32, q.len - 32, IFLA_MTU, &n);
	assert_int_equal(n, 4);
	assert_null(nl_find(q.u.bytes + 32, q.len - 32, IFLA_ADDRESS, &n));
}

/*
 * runc's CVE-2021-43784: 65,536 and some bytes became a few in the length field, and the rest became
 * attributes of its own.
 */
static void test_too_long(void **state)
{
	static const size_t sizes[] = { 65532, 65533, 65535, 65536, 65540, 131072 };
	char *big = calloc(1, 131072);
	struct ifinfomsg info = { 0 };
	struct nl_request q;

	assert_non_null(big);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		nl_begin(&q, RTM_NEWLINK, 0, &info, sizeof(info));
		nl_attr(&q, IFLA_IFNAME, big, sizes[i]);
		assert_true(q.failed);
		assert_int_equal(nl_send(-1, &q, NULL, NULL), -EMSGSIZE);
	}
	free(big);
}

static void test_full(void **state)
{
	struct ifinfomsg info = { 0 };
	struct nl_request q;
	char data[100] = { 0 };
	int n = 0;

	nl_begin(&q, RTM_NEWLINK, 0, &info, sizeof(info));
	for (; n < 1000 && !q.failed; n++)
		nl_attr(&q, IFLA_IFNAME, data, sizeof(data));
	assert_true(q.failed);
	assert_true(q.len <= NL_REQUEST_MAX);
	assert_true(n > 10 && n < 30);
	/* It stays failed, even for what would fit. */
	nl_attr_u32(&q, IFLA_MTU, 1);
	assert_int_equal(nl_send(-1, &q, NULL, NULL), -EMSGSIZE);
}

static void test_nest(void **state)
{
	struct ifinfomsg info = { .ifi_index = 7 };
	char data[300] = { 0 };
	struct nl_request q;
	size_t outer, inner, n, m;
	const void *p;
	uint32_t v = 0;

	nl_begin(&q, RTM_NEWLINK, 0, &info, sizeof(info));
	outer = nl_nest(&q, IFLA_AF_SPEC);
	inner = nl_nest(&q, AF_INET6);
	nl_attr_u32(&q, 8, 42);
	nl_nest_end(&q, inner);
	nl_nest_end(&q, outer);
	nl_attr_u32(&q, IFLA_MTU, 1500);
	assert_false(q.failed);
	p = nl_find(q.u.bytes + 32, q.len - 32, IFLA_AF_SPEC, &n);
	assert_int_equal(n, 12);
	p = nl_find(p, n, AF_INET6, &m);
	assert_int_equal(m, 8);
	assert_true(nl_copy(p, m, 8, &v, sizeof(v)));
	assert_int_equal(v, 42);
	assert_false(nl_copy(p, m, 8, data, 5));
	assert_false(nl_copy(p, m, 9, data, 1));
	assert_true(nl_copy(q.u.bytes + 32, q.len - 32, IFLA_MTU, &v, sizeof(v)));
	assert_int_equal(v, 1500);
	/* What does not fit fails the request, and a nest that was never begun does, too. */
	outer = nl_nest(&q, IFLA_AF_SPEC);
	for (int i = 0; i < 10; i++)
		nl_attr(&q, 1, data, sizeof(data));
	nl_nest_end(&q, outer);
	assert_true(q.failed);
	nl_begin(&q, RTM_NEWLINK, 0, &info, sizeof(info));
	nl_nest_end(&q, q.len);
	assert_true(q.failed);
}

static void test_find_hostile(void **state)
{
	unsigned char buf[16] = { 0 };
	struct rtattr a = { .rta_len = 0, .rta_type = IFLA_MTU };
	static const uint16_t lengths[] = { 0, 1, 3, 17, 65535 };
	size_t n;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		a.rta_len = lengths[i];
		memcpy(buf, &a, sizeof(a));
		assert_null(nl_find(buf, sizeof(buf), IFLA_MTU, &n));
	}
	assert_null(nl_find(buf, 3, IFLA_MTU, &n));
	assert_null(nl_find(buf, 0, IFLA_MTU, &n));
	/* The last one may end at the end, unaligned. */
	a.rta_len = 7;
	memcpy(buf, &a, sizeof(a));
	assert_non_null(nl_find(buf, 7, IFLA_MTU, &n));
	assert_int_equal(n, 3);
}

static int flags_of(const char *name)
{
	_cleanup_close_ int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ioctl(sock, SIOCGIFFLAGS, &ifr) < 0 ? -errno : ifr.ifr_flags & 0xffff;
}

static int loopback_inside(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return SKIPPED;
	if (flags_of("lo") & IFF_UP)
		return 1;
	if (net_loopback_up(&err) < 0)
		return 2;
	return flags_of("lo") & IFF_UP ? 0 : 3;
}

static void in_child(int (*check)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(check());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_loopback(void **state)
{
	in_child(loopback_inside);
}

/* A device without hardware, of the first kind that this kernel has. */
static int make_device(const char *name)
{
	static const char *const kinds[] = { "dummy", "veth", "bridge", "ifb", NULL };
	_cleanup_close_ int sock = nl_open(&err);
	int r = -1;

	for (size_t i = 0; kinds[i] && r < 0; i++) {
		struct ifinfomsg info = { 0 };
		struct nl_request q;
		unsigned char nested[32] = { 0 };
		struct rtattr a = { .rta_type = IFLA_INFO_KIND,
			.rta_len = (unsigned short)(sizeof(a) + strlen(kinds[i])) };

		memcpy(nested, &a, sizeof(a));
		memcpy(nested + sizeof(a), kinds[i], strlen(kinds[i]));
		nl_begin(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
		nl_attr_string(&q, IFLA_IFNAME, name);
		nl_attr(&q, IFLA_LINKINFO, nested, a.rta_len);
		r = nl_send(sock, &q, NULL, NULL);
	}
	return r;
}

static int add_address(const char *name, const char *address)
{
	struct ifaddrmsg m = {
		.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = if_nametoindex(name)
	};
	_cleanup_close_ int sock = nl_open(&err);
	struct nl_request q;
	struct in_addr in;

	inet_pton(AF_INET, address, &in);
	nl_begin(&q, RTM_NEWADDR, NLM_F_CREATE, &m, sizeof(m));
	nl_attr(&q, IFA_LOCAL, &in, sizeof(in));
	nl_attr(&q, IFA_ADDRESS, &in, sizeof(in));
	return nl_send(sock, &q, NULL, NULL);
}

static int address_of(const char *name, char *buf, size_t size)
{
	_cleanup_close_ int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(sock, SIOCGIFADDR, &ifr) < 0)
		return -errno;
	return inet_ntop(AF_INET, &((struct sockaddr_in *)&ifr.ifr_addr)->sin_addr, buf, (socklen_t)size)
		       ? 0
		       : -EINVAL;
}

static int move_inside(void)
{
	struct spec_net_device list[] = { { "rfd0", NULL }, { "rfd1", "eth%d" }, { "rfd2", "eth%d" },
		{ "rfd3", "eth0" } };
	struct spec s = { .net_devices = list, .n_net_devices = 3 };
	_cleanup_close_ int here = -EBADF, there = -EBADF;
	struct net_moved *moved = NULL;
	char text[64];
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return SKIPPED;
	there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (unshare(CLONE_NEWNET) < 0)
		return SKIPPED;
	here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 4; i++)
		if (make_device(list[i].host_name) < 0)
			return SKIPPED;
	if (add_address("rfd0", "10.9.8.7") < 0)
		return 1;
	r = net_move_devices(&s, there, &moved, &err);
	if (r < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	if (if_nametoindex("rfd0") || !if_nametoindex("rfd3"))
		return 3;
	net_moved_free(moved);
	moved = NULL;
	/* The name is taken over there. */
	s.net_devices = &list[3];
	s.n_net_devices = 1;
	if (net_move_devices(&s, there, &moved, &err) != -EEXIST)
		return 4;
	list[3].host_name = "nosuch";
	if (net_move_devices(&s, there, &moved, &err) != -ENODEV || !strstr(err.text, "nosuch"))
		return 5;
	list[3].host_name = "rfd3";
	list[3].name = "a/b";
	if (net_move_devices(&s, there, &moved, &err) != -EINVAL)
		return 6;
	if (moved || !if_nametoindex("rfd3"))
		return 10;
	if (setns(there, CLONE_NEWNET) < 0)
		return 7;
	if (!(flags_of("rfd0") & IFF_UP) || !(flags_of("eth0") & IFF_UP) || !(flags_of("eth1") & IFF_UP))
		return 8;
	return address_of("rfd0", text, sizeof(text)) == 0 && strcmp(text, "10.9.8.7") == 0 ? 0 : 9;
}

/* There and back: on request, and when a later device cannot go. */
static int return_inside(void)
{
	struct spec_net_device list[] = { { "rfd0", "eth0" }, { "rfd1", "lan%d" }, { "rfd2", NULL } };
	struct spec s = { .net_devices = list, .n_net_devices = 2 };
	_cleanup_close_ int there = -EBADF;
	struct net_moved *moved = NULL;
	char text[64];

	if (unshare(CLONE_NEWNET) < 0)
		return SKIPPED;
	there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (unshare(CLONE_NEWNET) < 0 || make_device("rfd0") < 0 || make_device("rfd1") < 0)
		return SKIPPED;
	if (add_address("rfd0", "10.9.8.7") < 0)
		return 1;
	if (net_move_devices(&s, there, &moved, &err) < 0 || if_nametoindex("rfd0") || if_nametoindex("rfd1"))
		return 2;
	net_return_devices(moved);
	net_moved_free(moved);
	moved = NULL;
	if (!if_nametoindex("rfd0") || !if_nametoindex("rfd1"))
		return 3;
	if (address_of("rfd0", text, sizeof(text)) < 0 || strcmp(text, "10.9.8.7") != 0)
		return 4;
	/* As it was: down, and the other one too. */
	if ((flags_of("rfd0") & IFF_UP) || (flags_of("rfd1") & IFF_UP))
		return 5;
	/* What is missing is found out before anything moves: the address has not even been taken away. */
	s.n_net_devices = 3;
	if (net_move_devices(&s, there, &moved, &err) != -ENODEV || moved || !if_nametoindex("rfd0"))
		return 6;
	/* Twice the same device: the second time it is there no more. The first comes back. */
	list[2].host_name = "rfd1";
	list[2].name = "other";
	if (net_move_devices(&s, there, &moved, &err) != -ENODEV || moved)
		return 7;
	if (!if_nametoindex("rfd0") || !if_nametoindex("rfd1"))
		return 8;
	return address_of("rfd0", text, sizeof(text)) == 0 && strcmp(text, "10.9.8.7") == 0 ? 0 : 9;
}

static void test_return(void **state)
{
	in_child(return_inside);
}

static void test_move(void **state)
{
	in_child(move_inside);
}

static int stats_inside(void)
{
	struct json_writer *w = json_writer_new(false);
	const char *text;

	if (unshare(CLONE_NEWNET) < 0 || make_device("rfd0") < 0)
		return SKIPPED;
	json_open_object(w, NULL);
	if (net_stats(getpid(), w, &err) < 0)
		return 1;
	json_close_object(w);
	text = json_writer_text(w, NULL);
	if (!text || !strstr(text, "\"network_interfaces\":[{\"Name\":") || strstr(text, "\"lo\""))
		return 2;
	return strstr(text, "{\"Name\":\"rfd0\",\"RxBytes\":0,\"RxPackets\":0,\"RxErrors\":0,\"RxDropped\":0,"
			    "\"TxBytes\":")
		       ? 0
		       : 3;
}

static void test_stats(void **state)
{
	in_child(stats_inside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_nest),
		cmocka_unit_test(test_find_hostile),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_return),
		cmocka_unit_test(test_stats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
