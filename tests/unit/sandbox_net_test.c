/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox's network between real network namespaces (sandbox_net_stage.h tells which). */
#include "tests/unit/sandbox_net_stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
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
#include "namespaces/netlink.h"
#include "sandbox/net_int.h"

/* --- traffic --------------------------------------------------------------------------------------- */

static int traffic(const char *mtu, unsigned offloads, size_t bytes)
{
	struct sandbox b;
	int r = set_stage();

	if (r != 0)
		return r;
	CHECK(make_veth(mtu) == 0);
	r = start_guest(&b, offloads);
	if (r != 0)
		return r;
	CHECK(exchange(guest, peer, AF_INET, "10.77.0.1", bytes) == 0);
	CHECK(exchange(peer, guest, AF_INET, "10.77.0.2", bytes) == 0);
	CHECK(exchange(guest, peer, AF_INET6, "fd77::1", bytes) == 0);
	CHECK(exchange(peer, guest, AF_INET6, "fd77::2", bytes) == 0);
	CHECK(datagram(guest, peer, AF_INET, "10.77.0.1") == 0);
	CHECK(datagram(peer, guest, AF_INET, "10.77.0.2") == 0);
	CHECK(datagram(peer, guest, AF_INET6, "fd77::2") == 0);
	stop_guest(&b);
	return 0;
}

static int traffic_1500(void)
{
	return traffic("1500", OFFLOADS, 10 << 20);
}

/* Without offloads: the kernel finishes checksums and cuts what is too long before the tap. */
static int traffic_plain(void)
{
	return traffic("1500", 0, 3 << 20);
}

static int traffic_9000(void)
{
	return traffic("9000", OFFLOADS, 10 << 20);
}

/* As pasta sets it up. */
static int traffic_huge(void)
{
	return traffic("65520", OFFLOADS, 3 << 20);
}

/*
 * A frame that is a header only, and one with a byte more: classifiers that want to read the payload let them
 * pass to the host's own stack.
 */
static int tiny(void)
{
	unsigned char frame[12 + 14 + 1] = { 0 }, got[128];
	const struct timeval limit = { .tv_sec = 5 };
	_cleanup_close_ int seen = -EBADF;
	struct sandbox b;
	int r = set_stage();

	if (r != 0)
		return r;
	CHECK(make_veth("1500") == 0);
	CHECK(net_connect(&b) == 0);
	CHECK(enter(peer) == 0);
	seen = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x1234));
	if (seen < 0)
		return SKIPPED;
	setsockopt(seen, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	memset(frame + 12, 0xff, 6);
	memcpy(frame + 18, "\x02\0\0\0\x77\x02\x12\x34", 8);
	for (size_t len = sizeof(frame) - 1; len <= sizeof(frame); len++) {
		CHECK(write(b.nics[0].fd, frame, len) == (ssize_t)len);
		CHECK(recv(seen, got, sizeof(got), 0) >= 14);
		CHECK(memcmp(got, frame + 12, 14) == 0);
	}
	return 0;
}

/* The tap says nothing by itself (router solicitations, multicast reports): its MAC is nobody's business. */
static int silent(void)
{
	struct ifreq ifr = { .ifr_name = "rf-tap0" };
	unsigned char frame[2048];
	struct sandbox b;
	int r = set_stage(), sock;

	if (r != 0)
		return r;
	CHECK(make_veth("1500") == 0);
	CHECK(net_connect(&b) == 0);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(ioctl(sock, SIOCGIFHWADDR, &ifr) == 0);
	for (int i = 0; i < 8; i++) {
		while (read(b.nics[0].fd, frame, sizeof(frame)) >= 12 + 14)
			CHECK(memcmp(frame + 12 + 6, ifr.ifr_hwaddr.sa_data, 6) != 0);
		usleep(250000);
	}
	return 0;
}

/* --- the same on both sides ------------------------------------------------------------------------ */

static char *read_namespace(void)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	_cleanup_close_ int sock = nl_open(&err);
	struct net_links links;
	const char *text = NULL;

	json_open_object(w, NULL);
	if (net_read_links(sock, &links, &err) == 0 && net_read(sock, &links, w, &err) == 0) {
		json_close_object(w);
		text = json_writer_text(w, NULL);
	}
	return text ? strdup(text) : NULL;
}

static int same(void)
{
	static const char more[] =
		"ip link set eth1 mtu 1400 up; "
		"echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_ra; "
		"echo 1 > /proc/sys/net/ipv6/conf/eth1/disable_ipv6; "
		"ip addr add 10.88.0.2 peer 10.88.0.1/32 dev eth1; ip addr add 169.254.3.4/16 scope link dev "
		"eth1; "
		"ip addr add 10.255.0.1/32 dev lo; "
		"ip addr add fd99::9/128 dev eth0 nodad preferred_lft 0; "
		"ip addr add 10.77.5.5/24 dev eth0 noprefixroute; "
		"ip route add 192.0.2.0/24 via 192.0.2.1 dev eth1 onlink metric 50 mtu 1300 advmss 1200; "
		"ip route add 198.51.100.0/24 dev eth0 scope link src 10.77.5.5 proto static; "
		"ip route add 203.0.113.0/24 via inet6 fd77::1 dev eth0; "
		"ip route add blackhole 10.99.0.0/16; ip -6 route add unreachable fd99:1::/48 metric 9; "
		"ip neigh add 10.77.0.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent; "
		"ip neigh add fd77::9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent";
	_cleanup_free_ char *there = NULL;
	struct sandbox b;
	int r = set_stage(), taps[2];

	if (r != 0)
		return r;
	CHECK(make_veth("1500") == 0);
	CHECK(make_pair("p1", "eth1", "02:00:00:00:77:03") == 0);
	CHECK(run(more) == 0);
	CHECK(net_connect(&b) == 0);
	CHECK(b.n == 2 && b.nics[0].fd >= 0 && b.nics[1].fd >= 0);
	CHECK(b.nics[0].mtu == 1500 || b.nics[1].mtu == 1500);
	CHECK(enter(guest) == 0);
	/* The guest's kernel has named them the other way round. */
	taps[0] = guest_tap("eth1", (const uint8_t *)"\x02\0\0\0\x77\x02");
	taps[1] = guest_tap("eth0", (const uint8_t *)"\x02\0\0\0\x77\x03");
	CHECK(taps[0] >= 0 && taps[1] >= 0);
	CHECK(apply(b.json) == 0);
	there = read_namespace();
	CHECK(there);
	if (strcmp(b.json, there) != 0)
		fprintf(stderr, "host:  %s\nguest: %s\n", b.json, there);
	return strcmp(b.json, there) == 0 ? 0 : 2;
}

/* Without a carrier there is no link-local address yet: the guest's kernel makes its own. IPv6 off stays off.
 */
static int link_local(void)
{
	static const char exists[] = "ip -6 addr show dev eth0 | grep -q fe80::ff:fe00:7702/64";
	struct sandbox b;
	int r = set_stage(), tap;

	if (r != 0)
		return r;
	CHECK(make_pair("p0", "eth0", "02:00:00:00:77:02") == 0);
	CHECK(enter(peer) == 0 && run("ip link set p0 down") == 0 && enter(host) == 0);
	CHECK(run("ip link set eth0 up") == 0 && run(exists) != 0);
	CHECK(net_connect(&b) == 0 && strstr(b.json, "\"ownLinkLocal\":true"));
	CHECK(enter(guest) == 0);
	tap = guest_tap("eth0", b.nics[0].mac);
	CHECK(tap >= 0 && apply(b.json) == 0);
	CHECK(run(exists) == 0);
	close(tap);
	net_close(&b);
	CHECK(enter(host) == 0 && run("echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6") == 0);
	CHECK(net_connect(&b) == 0 && strstr(b.json, "\"ownLinkLocal\":false"));
	CHECK(enter(guest) == 0);
	tap = guest_tap("eth0", b.nics[0].mac);
	CHECK(tap >= 0 && apply(b.json) == 0);
	CHECK(run(exists) != 0);
	return 0;
}

/* --- what stays, and what is somebody else's -------------------------------------------------------- */

static enum net_redirect redirect(const char *name, bool *foreign)
{
	_cleanup_close_ int sock = nl_open(&err);
	enum net_redirect r = NET_REDIRECT_NONE;

	return net_redirect_find(sock, (int)if_nametoindex(name), &r, foreign) < 0 ? (enum net_redirect) - 1
										   : r;
}

static int life(void)
{
	struct sandbox a, b;
	bool foreign;
	int r = set_stage();
	pid_t pid;

	if (r != 0)
		return r;
	CHECK(vm_net_disconnect(&err) == 0);
	CHECK(make_veth("1500") == 0);
	CHECK(vm_net_disconnect(&err) == 0);
	CHECK(net_connect(&a) == 0);
	CHECK(redirect("eth0", &foreign) == NET_REDIRECT_LIVE && !foreign);
	CHECK(if_nametoindex("rf-tap0") != 0);
	/* Two sandboxes cannot have the same namespace; the first one's network is left alone. */
	CHECK(net_connect(&b) == -EBUSY && strstr(err.text, "another sandbox"));
	CHECK(vm_net_disconnect(&err) == 0);
	CHECK(redirect("eth0", &foreign) == NET_REDIRECT_LIVE);
	/* Gone: nothing comes in before somebody tidies up. */
	net_close(&a);
	CHECK(if_nametoindex("rf-tap0") == 0);
	CHECK(redirect("eth0", &foreign) == NET_REDIRECT_DEAD && !foreign);
	CHECK(vm_net_disconnect(&err) == 0);
	CHECK(redirect("eth0", &foreign) == NET_REDIRECT_NONE && !foreign);
	CHECK(exchange(host, peer, AF_INET, "10.77.0.1", 100000) == 0);
	CHECK(enter(host) == 0);
	/* Killed in the middle, and the next one comes without tidying up. */
	pid = fork();
	if (pid == 0)
		_exit(net_connect(&a) == 0 ? 0 : 1);
	CHECK(waitpid(pid, &r, 0) == pid && r == 0);
	CHECK(redirect("eth0", &foreign) == NET_REDIRECT_DEAD);
	CHECK(start_guest(&b, OFFLOADS) == 0);
	CHECK(exchange(peer, guest, AF_INET, "10.77.0.2", 100000) == 0);
	stop_guest(&b);
	return 0;
}

static int others(void)
{
	static const char filter[] = "tc filter add dev eth0 ingress protocol ip pref 9 u32 match u32 0 0 "
				     "action mirred egress redirect dev lo";
	struct sandbox a;
	bool foreign;
	int r = set_stage();

	if (r != 0)
		return r;
	CHECK(make_veth("1500") == 0);
	if (run("tc qdisc add dev eth0 clsact") != 0)
		return SKIPPED;
	CHECK(net_connect(&a) == 0);
	net_close(&a);
	CHECK(vm_net_disconnect(&err) == 0);
	CHECK(redirect("eth0", &foreign) == NET_REDIRECT_NONE && !foreign);
	CHECK(run("tc qdisc show dev eth0 | grep -q clsact") == 0);
	if (run(filter) != 0)
		return SKIPPED;
	CHECK(net_connect(&a) == -EBUSY && strstr(err.text, "eth0 has filters"));
	CHECK(if_nametoindex("rf-tap0") == 0);
	CHECK(vm_net_disconnect(&err) == 0);
	CHECK(redirect("eth0", &foreign) == NET_REDIRECT_NONE && foreign);
	return 0;
}

/* The second tap cannot be made: the first interface is given back. */
static int half(void)
{
	struct rlimit limit;
	struct sandbox a;
	bool foreign;
	int r = set_stage(), fd;

	if (r != 0)
		return r;
	CHECK(make_veth("1500") == 0);
	CHECK(make_pair("p1", "eth1", "02:00:00:00:77:03") == 0 && run("ip link set eth1 up") == 0);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(fd);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)fd + 2; /* the netlink socket, a tap */
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(net_connect(&a) == -EMFILE && strstr(err.text, "/dev/net/tun"));
	CHECK(redirect("eth0", &foreign) == NET_REDIRECT_NONE);
	CHECK(redirect("eth1", &foreign) == NET_REDIRECT_NONE);
	CHECK(if_nametoindex("rf-tap0") == 0);
	limit.rlim_cur++;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(net_connect(&a) == 0 && a.n == 2);
	return 0;
}

/* --- refusals -------------------------------------------------------------------------------------- */

static const struct refusal {
	const char *script, *text;
} refusals[] = {
	{ "ip link add br0 type bridge; ip link set eth0 master br0; ip link set br0 up",
		"eth0 is a part of" },
	{ "ip link add link eth0 name m0 type macvlan; ip link set m0 up", "m0 lies on top of" },
	{ "ip tuntap add dev tn0 mode tun; ip link set tn0 up", "tn0 is no Ethernet" },
	{ "for i in 0 1 2 3; do ip link add a$i type veth peer name b$i; ip link set a$i up; done",
		"one too many" },
	{ "ip link add a0 address 02:00:00:00:77:02 type veth peer name b0; ip link set a0 up", "same MAC" },
	{ "ip link set eth0 mtu 65535", "an MTU of 65535" },
	{ "ip rule add from 10.77.0.2 table 100", "policy routing" },
	{ "ip -6 rule add from fd77::2 table 100", "policy routing" },
	{ "ip route add 10.1.0.0/16 nexthop via 10.77.0.1 nexthop via 10.77.0.3", "10.1.0.0/16 has several" },
	{ "ip -6 route add fd01::/64 nexthop via fd77::1 nexthop via fd77::3", "fd01::/64 has several" },
	{ "n=$(printf 'e\\303\\244'); ip link set eth0 down; ip link set eth0 name $n; ip link set $n up",
		"name of interface number" },
	{ "for i in $(seq 1 300); do echo addr add 10.77.1.$((i % 250))/$((i / 250 + 30)) dev eth0; done | "
	  "ip -batch -",
		"more than 256 addresses" },
	{ "for i in $(seq 0 4200); do echo route add 10.$((i / 250)).$((i % 250)).0/24 via 10.77.0.1; done | "
	  "ip -batch -",
		"more than 4096 routes" },
};

static const struct refusal *refusal;

static int refused(void)
{
	struct sandbox a;
	bool foreign;
	int r = set_stage();

	if (r != 0)
		return r;
	CHECK(make_veth("1500") == 0);
	if (run(refusal->script) != 0) {
		fprintf(stderr, "this kernel cannot: %s\n", refusal->script);
		return 0;
	}
	r = net_connect(&a);
	if (r != -EOPNOTSUPP || !strstr(err.text, refusal->text))
		fprintf(stderr, "%s: %d %s\n", refusal->script, r, err.text);
	CHECK(r == -EOPNOTSUPP && strstr(err.text, refusal->text));
	CHECK(if_nametoindex("rf-tap0") == 0);
	CHECK(redirect("eth0", &foreign) <= NET_REDIRECT_NONE);
	return 0;
}

/* Not our network: a guest that is told nonsense says what is wrong with it. */
static const char *const bad[] = {
	"[]",
	"{\"interfaces\":{}}",
	"{\"interfaces\":[{}]}",
	"{\"interfaces\":[{\"name\":\"eth0\"}]}",
	"{\"interfaces\":[{\"name\":\"a/b\",\"mac\":\"02:00:00:00:77:02\"}]}",
	"{\"interfaces\":[{\"name\":\"abcdefghijklmnop\",\"mac\":\"02:00:00:00:77:02\"}]}",
	"{\"interfaces\":[{\"name\":\"..\",\"mac\":\"02:00:00:00:77:02\"}]}",
	"{\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"02:00:00:00:77:0g\"}]}",
	"{\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"02:00:00:00:77:02:\"}]}",
	"{\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:00\"}]}",
	"{\"interfaces\":[1]}",
	"{\"interfaces\":[{\"name\":\"lo\"},{\"name\":\"lo\"}]}",
	"{\"interfaces\":[{\"name\":\"lo\"},{\"name\":\"a\"},{\"name\":\"b\"},{},{},{},{}]}",
#define ETH0(more) "{\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"02:00:00:00:77:02\"," more "}]}"
	ETH0("\"mtu\":65536"),
	ETH0("\"mtu\":-1"),
	ETH0("\"mtu\":\"1500\""),
	ETH0("\"addresses\":{}"),
	ETH0("\"addresses\":[\"10.0.0.1/8\"]"),
	ETH0("\"addresses\":[{\"address\":\"10.0.0.1\"}]"),
	ETH0("\"addresses\":[{\"address\":\"10.0.0.1/33\"}]"),
	ETH0("\"addresses\":[{\"address\":\"10.0.0.1/\"}]"),
	ETH0("\"addresses\":[{\"address\":\"10.0.0.1/8/8\"}]"),
	ETH0("\"addresses\":[{\"address\":\"fd00::1/129\"}]"),
	ETH0("\"addresses\":[{\"address\":\"10.0.0/8\"}]"),
	ETH0("\"addresses\":[{\"address\":\"10.0.0.1/8\",\"peer\":\"fd00::1/8\"}]"),
	ETH0("\"addresses\":[{\"address\":\"10.0.0.1/8\",\"scope\":256}]"),
	ETH0("\"ipv6\":1"),
	ETH0("\"ipv6\":true,\"acceptRa\":3"),
#define ROUTE(text) "{\"interfaces\":[{\"name\":\"lo\"}],\"routes\":[" text "]}"
	ROUTE("1"),
	ROUTE("{\"to\":\"default\"}"),
	ROUTE("{\"to\":\"10.0.0.0/8\",\"dev\":\"eth7\"}"),
	ROUTE("{\"to\":\"10.0.0.0/8\",\"dev\":\"lo\",\"type\":\"nat\"}"),
	ROUTE("{\"to\":\"10.0.0.0/8\",\"dev\":\"lo\",\"via\":\"10.0.0.1/8\"}"),
	ROUTE("{\"to\":\"10.0.0.0/8\",\"dev\":\"lo\",\"metric\":4294967296}"),
	ROUTE("{\"to\":\"10.0.0.0/8\",\"dev\":\"lo\",\"metrics\":{\"mtu\":\"x\"}}"),
	"{\"routes\":{}}",
	"{\"neighbours\":7}",
#define NEIGHBOUR(text) "{\"interfaces\":[{\"name\":\"lo\"}],\"neighbours\":[" text "]}"
	NEIGHBOUR("{\"to\":\"10.0.0.1\",\"mac\":\"no\",\"dev\":\"lo\"}"),
};

static int nonsense(void)
{
	int r = set_stage(), tap;

	if (r != 0)
		return r;
	tap = guest_tap("eth0", (const uint8_t *)"\x02\0\0\0\x77\x02");
	CHECK(tap >= 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&err);
		r = apply(bad[i]);
		if (r >= 0 || r != -err.code || err.text[0] == '\0')
			fprintf(stderr, "%s: %d %s\n", bad[i], r, err.text);
		CHECK(r < 0 && r == -err.code && err.text[0] != '\0');
	}
	/* Without a network: lo only. */
	CHECK(apply(NULL) == 0 && apply("{}") == 0);
	CHECK(run("ip addr show dev lo | grep -q 127.0.0.1/8") == 0);
	return 0;
}

/* --- cases ----------------------------------------------------------------------------------------- */

static void test_traffic_1500(void **state)
{
	in_child(traffic_1500);
}

static void test_tiny(void **state)
{
	in_child(tiny);
}

static void test_silent(void **state)
{
	in_child(silent);
}

static void test_traffic_plain(void **state)
{
	in_child(traffic_plain);
}

static void test_traffic_9000(void **state)
{
	in_child(traffic_9000);
}

static void test_traffic_huge(void **state)
{
	in_child(traffic_huge);
}

static void test_same(void **state)
{
	in_child(same);
}

static void test_link_local(void **state)
{
	in_child(link_local);
}

static void test_life(void **state)
{
	in_child(life);
}

static void test_others(void **state)
{
	in_child(others);
}

static void test_half(void **state)
{
	in_child(half);
}

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		refusal = &refusals[i];
		print_message("%s\n", refusal->text);
		in_child(refused);
	}
}

static void test_nonsense(void **state)
{
	in_child(nonsense);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_link_local),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_half),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_tiny),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_traffic_1500),
		cmocka_unit_test(test_traffic_plain),
		cmocka_unit_test(test_traffic_9000),
		cmocka_unit_test(test_traffic_huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
