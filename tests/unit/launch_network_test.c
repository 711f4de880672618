/* SPDX-License-Identifier: Apache-2.0 */
/* --network and --publish: what is understood, what is refused and how, which ports are chosen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/str.h"
#include "launch/network_internal.h"

static struct arena *arena;
static struct rt_ctx rt;
static struct launch_ctx ctx = { .rt = &rt };
static char data[] = "/tmp/launch_network_test.XXXXXX";
static struct err err;

static int parse_with(const char *network, bool rootless, struct launch_record *r, char *const *publish)
{
	struct launch_opts o = { .network = network, .publish = publish };

	err_clear(&err);
	*r = (struct launch_record){ .name = "n" };
	return launch_network_parse(&ctx, &o, rootless, r, arena, &err);
}
#define PARSE(network, rootless, r, ...) parse_with(network, rootless, r, (char *[]){ __VA_ARGS__, NULL })

static void said(const char *text)
{
	if (!strstr(err.text, text))
		fail_msg("no \"%s\" in: %s", text, err.text);
}

static void check_port(const struct launch_port *p, const char *ip, int host, int port, const char *protocol)
{
	assert_string_equal(p->host_ip, ip);
	assert_int_equal(p->host_port, host);
	assert_int_equal(p->port, port);
	assert_string_equal(p->protocol, protocol);
}

static void networks(void **state)
{
	struct launch_record r;

	(void)state;
	assert_int_equal(PARSE(NULL, false, &r, NULL), 0);
	assert_string_equal(r.network, "none");
	assert_int_equal(PARSE(NULL, false, &r, "28081:80"), 0);
	assert_string_equal(r.network, "bridge");
	assert_int_equal(PARSE(NULL, true, &r, "28081:80"), 0);
	assert_string_equal(r.network, "pasta");
	assert_int_equal(PARSE("bridge:my-net", false, &r, NULL), 0);
	assert_string_equal(r.network, "bridge:my-net");
	assert_int_equal(PARSE("container:web", false, &r, NULL), 0);
	setenv("RINGFENCE_NETWORK", "host", 1);
	assert_int_equal(PARSE(NULL, false, &r, NULL), 0);
	assert_string_equal(r.network, "host");
	assert_int_equal(PARSE("none", false, &r, NULL), 0);
	assert_string_equal(r.network, "none");
	assert_int_equal(PARSE(NULL, false, &r, "28081:80"), -EINVAL);
	said("RINGFENCE_NETWORK");
	unsetenv("RINGFENCE_NETWORK");
}

static void refused_networks(void **state)
{
	static const struct {
		const char *network;
		bool rootless;
		const char *publish, *text;
	} t[] = {
		{ "slirp4netns", false, NULL, "no network \"slirp4netns\"" },
		{ "", false, NULL, "no network" },
		{ "Bridge", false, NULL, "no network" },
		{ "none:x", false, NULL, "stands alone" },
		{ "pasta:x", true, NULL, "stands alone" },
		{ "container", false, NULL, "whose" },
		{ "container:", false, NULL, "whose" },
		{ "container:../x", false, NULL, "container:../x" },
		{ "bridge:", false, NULL, "which" },
		{ "bridge", true, NULL, "needs root" },
		{ "container:x", true, NULL, "needs root" },
		{ "none", false, "80", "cannot be reached" },
		{ "host", false, "80", "the host's already" },
		{ "container:x", false, "80", "by that partition" },
		{ "bridge", false, "[::1]:28081:80", "IPv4 only" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct launch_record r;

		assert_true(PARSE(t[i].network, t[i].rootless, &r, (char *)t[i].publish) < 0);
		assert_null(r.network);
		said(t[i].text);
	}
}

static void ports(void **state)
{
	struct launch_record r;

	(void)state;
	assert_int_equal(PARSE(NULL, false, &r, "28081:80", "127.0.0.1:28082:80/udp", "28083-28085:1-3"), 0);
	assert_int_equal(r.n_ports, 5);
	check_port(&r.ports[0], "0.0.0.0", 28081, 80, "tcp");
	check_port(&r.ports[1], "127.0.0.1", 28082, 80, "udp");
	check_port(&r.ports[4], "0.0.0.0", 28085, 3, "tcp");
	assert_int_equal(PARSE("pasta", false, &r, "[::1]:28081:80", "[0:0::1]:28082:80/tcp"), 0);
	check_port(&r.ports[0], "::1", 28081, 80, "tcp");
	check_port(&r.ports[1], "::1", 28082, 80, "tcp");
	/* The same port of the other protocol, or of another address, is another port. */
	assert_int_equal(PARSE(NULL, false, &r, "28081:80", "28081:80/udp"), 0);
	assert_int_equal(PARSE(NULL, false, &r, "127.0.0.1:28081:80", "127.0.0.2:28081:80"), 0);
}

static void chosen_ports(void **state)
{
	static char *const forms[] = { "80", "0:80", ":80", "127.0.0.1::80", "127.0.0.1:0:80" };
	struct launch_record r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		assert_int_equal(PARSE("bridge", false, &r, forms[i]), 0);
		assert_int_equal(r.n_ports, 1);
		assert_int_equal(r.ports[0].port, 80);
		assert_true(r.ports[0].host_port > 0);
	}
	assert_int_equal(PARSE(NULL, false, &r, "1-200"), 0);
	assert_int_equal(r.n_ports, 200);
	for (size_t i = 0; i < 200; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(r.ports[i].host_port, r.ports[j].host_port);
	/* One of a range; what another entry asks for by number is left to it. */
	assert_int_equal(PARSE(NULL, false, &r, "28081-28083:80", "28081:81", "28082:82"), 0);
	assert_int_equal(r.n_ports, 3);
	check_port(&r.ports[2], "0.0.0.0", 28083, 80, "tcp");
}

static void refused_ports(void **state)
{
	static const struct {
		const char *publish, *text;
	} t[] = {
		{ "", "no port" },
		{ "0", "no port" },
		{ "65536", "no port" },
		{ "-1", "no port" },
		{ "+1", "no port" },
		{ " 80", "no port" },
		{ "80x", "no port" },
		{ "0x50", "no port" },
		{ "90-80", "no port" },
		{ "80-", "no port" },
		{ "http", "no port" },
		{ "80/sctp", "sctp" },
		{ "80/", "protocol" },
		{ "80/TCP", "TCP" },
		{ "70000:80", "of the host" },
		{ "0-5:80-85", "of the host" },
		{ "28081:", "no port" },
		{ "28081-28082:1-3", "differ in length" },
		{ "28081:1-3", "differ in length" },
		{ "127.0.0.1:80", "two colons" },
		{ "localhost:28081:80", "no IP address" },
		{ "127.1:28081:80", "no IP address" },
		{ "::1:28081:80", "too many colons" },
		{ "1:2:3:4", "too many colons" },
		{ "[::1]28081:80", "after \"[\"" },
		{ "[::1:28081:80", "after \"[\"" },
		{ "[::1]:80", "[::1]::80" },
		{ "[fe80::1%lo]:28081:80", "no IP address" },
		{ "198.51.100.77:28081:80", "no address 198.51.100.77" },
		{ "1-65535", "more than" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct launch_record r;

		if (PARSE("pasta", false, &r, (char *)t[i].publish) >= 0)
			fail_msg("\"%s\" was accepted", t[i].publish);
		assert_null(r.ports);
		said(t[i].text);
		said("--publish");
	}
}

static void clashes(void **state)
{
	struct launch_record r;

	(void)state;
	assert_int_equal(PARSE(NULL, false, &r, "28081:80", "28081:81"), -EINVAL);
	said("twice");
	assert_int_equal(PARSE(NULL, false, &r, "28081:80", "127.0.0.1:28081:81"), -EINVAL);
	assert_int_equal(PARSE(NULL, false, &r, "28080-28082:80-82", "28081:81"), -EINVAL);
}

static void ports_in_use(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	struct launch_record r;
	char text[32];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	snprintf(text, sizeof(text), "%d:80", ntohs(at.sin_port));
	assert_int_equal(PARSE(NULL, false, &r, text), -EADDRINUSE);
	said("in use by a program");
	snprintf(text, sizeof(text), "%d:80/udp", ntohs(at.sin_port));
	assert_int_equal(PARSE(NULL, false, &r, text), 0);
	close(fd);
}

/* A partition that has a network, as a file says. */
static void ports_of_others(void **state)
{
	struct launch_port p = { "0.0.0.0", 28081, 80, "tcp" };
	struct net_file f = { .name = "web",
		.container = "c",
		.kind = NET_PASTA,
		.boot_id = "b",
		.ports = &p,
		.n_ports = 1 },
			back;
	int dir = net_dir_open(&ctx, true, arena, &err);
	struct launch_record r;

	(void)state;
	assert_true(dir >= 0);
	assert_int_equal(net_file_write(dir, &f, &err), 0);
	assert_int_equal(net_file_read(dir, "web", arena, &back, &err), 0);
	check_port(&back.ports[0], "0.0.0.0", 28081, 80, "tcp");
	assert_int_equal(PARSE(NULL, false, &r, "28081:80"), -EADDRINUSE);
	said("\"web\"");
	assert_int_equal(PARSE(NULL, false, &r, "28081-28082:80"), 0);
	assert_int_equal(r.ports[0].host_port, 28082);
	/* Garbage beside it is nobody's. */
	assert_int_equal(symlinkat("/dev/zero", dir, "x.json"), 0);
	assert_int_equal(PARSE(NULL, false, &r, "28081:80"), -EADDRINUSE);
	assert_int_equal(net_file_remove(dir, "web", &err), 0);
	assert_int_equal(net_file_remove(dir, "web", &err), 0);
	assert_int_equal(PARSE(NULL, false, &r, "28081:80"), 0);
	unlinkat(dir, "x.json", 0);
	close(dir);
}

static void plans(void **state)
{
	static const struct {
		const char *network;
		bool own, hooks, join;
	} t[] = {
		{ "none", true, false, false },
		{ "host", false, false, false },
		{ "bridge", true, true, false },
		{ "pasta", true, true, false },
		{ "container:x", false, false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct launch_record r = { .name = "n", .network = t[i].network };
		struct launch_network_plan p;

		assert_int_equal(launch_network_plan(&ctx, &r, arena, &p, &err), 0);
		assert_int_equal(p.own, t[i].own);
		assert_int_equal(p.hooks, t[i].hooks);
		assert_int_equal(p.join != NULL, t[i].join);
		assert_int_equal(p.hook_env != NULL, t[i].hooks);
	}
}

static void name_servers(void **state)
{
	struct launch_opts o = { .dns = (char *[]){ "192.0.2.53", "2001:db8::53", NULL } };
	struct launch_record r = { .name = "n" };
	const char *text;

	(void)state;
	assert_int_equal(launch_network_parse(&ctx, &o, false, &r, arena, &err), 0);
	assert_int_equal(launch_network_resolv_conf(&r, arena, &text, &err), 0);
	assert_non_null(strstr(text, "nameserver 192.0.2.53\nnameserver 2001:db8::53\n"));
	r = (struct launch_record){ .name = "n", .network = "pasta" };
	assert_int_equal(launch_network_resolv_conf(&r, arena, &text, &err), 0);
	assert_non_null(strstr(text, "nameserver " NET_PASTA_DNS "\n"));
	o.dns = (char *[]){ "dns.example", NULL };
	assert_int_equal(launch_network_parse(&ctx, &o, false, &r, arena, &err), -EINVAL);
	said("dns.example");
}

static void explained(void **state)
{
	(void)state;
	err_text(&err, EIO,
		"createRuntime hook 0 (/usr/bin/ringfence) failed: exit status 1; it said: ringfence: port "
		"taken ");
	launch_network_explain(&err);
	assert_string_equal(err.text, "port taken");
	assert_int_equal(err.code, EIO);
	err_text(&err, EIO, "createRuntime hook 0 (/bin/x) failed: exit status 1; it said: no ");
	launch_network_explain(&err);
	said("createRuntime");
	err_clear(&err);
	launch_network_explain(&err);
}

static int setup(void **state)
{
	(void)state;
	unsetenv("RINGFENCE_NETWORK");
	arena = arena_new();
	ctx.data = mkdtemp(data);
	return !arena || !ctx.data;
}

static int teardown(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/network", data);
	rmdir(path);
	rmdir(data);
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks),
		cmocka_unit_test(refused_networks),
		cmocka_unit_test(ports),
		cmocka_unit_test(chosen_ports),
		cmocka_unit_test(refused_ports),
		cmocka_unit_test(clashes),
		cmocka_unit_test(ports_in_use),
		cmocka_unit_test(ports_of_others),
		cmocka_unit_test(plans),
		cmocka_unit_test(name_servers),
		cmocka_unit_test(explained),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
