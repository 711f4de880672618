/* SPDX-License-Identifier: Apache-2.0 */
/* The CNI client where it needs no network: configurations, results, leases, free addresses, plugins that
 * misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "launch/cni.h"

static struct arena *arena;
static struct err err;
static char dir[] = "/tmp/launch_cni_test.XXXXXX";

static void said(const char *text)
{
	if (!strstr(err.text, text))
		fail_msg("no \"%s\" in: %s", text, err.text);
}

static const struct json *parse(const char *text)
{
	const struct json *j = NULL;

	err_clear(&err);
	assert_int_equal(json_parse(arena, text, strlen(text), "test", &j, &err), 0);
	return j;
}

static const char *put(const char *name, mode_t mode, const char *text)
{
	const char *path = arena_printf(arena, "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

/* --- results ---------------------------------------------------------------------------------- */

static void results(void **state)
{
	char **list;

	(void)state;
	assert_int_equal(cni_result_addresses(
				 parse("{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.89.0.5/16\"},"
				       "{\"address\":\"fd00::5/64\",\"interface\":2}]}"),
				 arena, &list, &err),
		0);
	assert_string_equal(list[0], "10.89.0.5/16");
	assert_string_equal(list[1], "fd00::5/64");
	assert_null(list[2]);
	assert_int_equal(cni_result_addresses(parse("{\"cniVersion\":\"1.0.0\"}"), arena, &list, &err), 0);
	assert_null(list[0]);
}

static void bad_results(void **state)
{
	static const char *const t[][2] = {
		{ "[]", "no object" },
		{ "\"x\"", "no object" },
		{ "{}", "no cniVersion" },
		{ "{\"cniVersion\":1}", "no cniVersion" },
		{ "{\"cniVersion\":\"1.0.0\",\"ips\":{}}", "no list" },
		{ "{\"cniVersion\":\"1.0.0\",\"ips\":[1]}", "ADDRESS/PREFIX" },
		{ "{\"cniVersion\":\"1.0.0\",\"ips\":[{}]}", "ADDRESS/PREFIX" },
		{ "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":1}]}", "ADDRESS/PREFIX" },
		{ "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.0.0.1\"}]}", "ADDRESS/PREFIX" },
		{ "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.0.0.1/33\"}]}", "ADDRESS/PREFIX" },
		{ "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.0.0.1/-1\"}]}", "ADDRESS/PREFIX" },
		{ "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"::1/129\"}]}", "ADDRESS/PREFIX" },
		{ "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.0.0.1/8\\nx\"}]}", "ADDRESS/PREFIX" },
		{ "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"/8\"}]}", "ADDRESS/PREFIX" },
	};
	char *untouched = NULL, **list = &untouched;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(cni_result_addresses(parse(t[i][0]), arena, &list, &err), -EINVAL);
		assert_ptr_equal(list, &untouched);
		said(t[i][1]);
	}
}

static void leases(void **state)
{
	const struct json *list = parse(arena_printf(arena,
		"{\"name\":\"n\",\"plugins\":[{\"type\":\"bridge\",\"ipam\":{\"type\":\"host-local\","
		"\"dataDir\":\"%s\"}}]}",
		dir));

	(void)state;
	mkdir(arena_printf(arena, "%s/n", dir), 0700);
	put("n/10.89.0.4", 0600, "rf-web-12\r\neth0");
	put("n/10.89.0.5", 0600, "rf-web-1\r\neth0");
	put("n/last_reserved_ip.0", 0600, "rf-web-1\r\n");
	put("n/fd00::7", 0600, "rf-six\neth0");
	assert_string_equal(cni_leased(list, "rf-web-1", arena), "10.89.0.5/32");
	assert_string_equal(cni_leased(list, "rf-six", arena), "fd00::7/128");
	assert_null(cni_leased(list, "rf-web", arena));
	assert_null(cni_leased(parse("{\"name\":\"n\",\"plugins\":[]}"), "rf-web-1", arena));
}

/* --- addresses -------------------------------------------------------------------------------- */

static void subnets(void **state)
{
	static const char head[] =
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
	static const struct {
		const char *lines;
		uint32_t subnet;
	} t[] = {
		{ "", 0x0a590000 },
		/* The default route. */
		{ "eth0\t00000000\t0200000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", 0x0a590000 },
		/* 10.89.3.0/24: inside the first; 10.90.0.0/15: two at once. */
		{ "eth0\t0003590A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", 0x0a5a0000 },
		{ "eth0\t0000590A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
		  "eth0\t00005A0A\t00000000\t0001\t0\t0\t0\t0000FEFF\t0\t0\t0\n",
			0x0a5c0000 },
		/* The bridge's own. */
		{ "rf0\t0000590A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n", 0x0a590000 },
		{ "garbage\n\n", 0x0a590000 },
	};
	uint32_t subnet = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		const char *text = arena_printf(arena, "%s%s", head, t[i].lines);

		assert_int_equal(cni_free_subnet(text, "rf0", &subnet), 0);
		assert_int_equal(subnet, t[i].subnet);
	}
	/* 10.0.0.0/8 */
	assert_int_equal(cni_free_subnet("eth0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n",
				 "rf0", &subnet),
		-EADDRNOTAVAIL);
}

/* --- configurations --------------------------------------------------------------------------- */

static void configurations(void **state)
{
	const struct json *list;
	bool own;

	(void)state;
	put("20-b.conflist", 0600,
		"{\"cniVersion\":\"1.0.0\",\"name\":\"b\",\"plugins\":[{\"type\":\"second\"}]}");
	put("10-b.conflist", 0600,
		"{\"cniVersion\":\"1.0.0\",\"name\":\"b\",\"plugins\":[{\"type\":\"first\"}]}");
	put("30-c.conf", 0600, "{\"cniVersion\":\"0.4.0\",\"name\":\"c\",\"type\":\"third\",\"x\":1}");
	put("40-bad.conf", 0600, "{");
	put("50-no-name.conf", 0600, "{\"type\":\"x\"}");
	put("60-evil.conflist", 0600, "{\"cniVersion\":\"1.0.0\",\"name\":\"../evil\",\"plugins\":[]}");
	put("c.txt", 0600, "{\"name\":\"txt\",\"type\":\"x\"}");
	setenv("NETCONFPATH", dir, 1);
	assert_int_equal(cni_conf_find("b", arena, &list, &own, &err), 0);
	assert_string_equal(json_get(json_get(list, "plugins")->first, "type")->text, "first");
	assert_int_equal(cni_conf_find("c", arena, &list, &own, &err), 0);
	assert_string_equal(json_get(list, "cniVersion")->text, "0.4.0");
	assert_string_equal(json_get(json_get(list, "plugins")->first, "x")->text, "1");
	assert_int_equal(cni_conf_find("txt", arena, &list, &own, &err), -ENOENT);
	said(", b, c");
	assert_int_equal(cni_conf_find("../evil", arena, &list, &own, &err), -ENOENT);
	/* In the place of our own. */
	put("70-own.conflist", 0600,
		"{\"cniVersion\":\"1.0.0\",\"name\":\"ringfence\",\"plugins\":[{\"type\":\"mine\"}]}");
	assert_int_equal(cni_conf_find(NULL, arena, &list, &own, &err), 0);
	assert_string_equal(json_get(json_get(list, "plugins")->first, "type")->text, "mine");
	assert_false(own);
	unsetenv("NETCONFPATH");
}

static void checked(void **state)
{
	static const struct {
		const char *text;
		bool ports;
		const char *said; /* NULL: fine */
	} t[] = {
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"plugin\"}]}", false,
			NULL },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"plugin\","
		  "\"capabilities\":{\"portMappings\":true}}]}",
			true, NULL },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"plugin\","
		  "\"capabilities\":{\"portMappings\":false}}]}",
			true, "publishes no ports" },
		{ "{\"cniVersion\":\"0.2.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"plugin\"}]}", false,
			"cniVersion" },
		{ "{\"name\":\"n\",\"plugins\":[{\"type\":\"plugin\"}]}", false, "cniVersion" },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"../n\",\"plugins\":[{\"type\":\"plugin\"}]}", false,
			"name" },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[]}", false, "plugins" },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":{}}", false, "plugins" },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[1]}", false, "no type" },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"../plugin\"}]}", false,
			"no name" },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"absent\"}]}", false,
			"containernetworking-plugins" },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"plugin\","
		  "\"ipam\":{\"type\":\"absent\"}}]}",
			false, "absent" },
	};

	(void)state;
	put("plugin", 0700, "#!/bin/sh\n");
	put("absent", 0600, "#!/bin/sh\n"); /* not executable */
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		int r = cni_conf_check(parse(t[i].text), dir, t[i].ports, arena, &err);

		assert_int_equal(r < 0, t[i].said != NULL);
		if (t[i].said)
			said(t[i].said);
	}
}

/* --- plugins ---------------------------------------------------------------------------------- */

static int run(const char *script, int seconds, char **out, size_t *len)
{
	struct cni_call c = {
		.program = put("script", 0700, arena_printf(arena, "#!/bin/sh\n%s\n", script)),
		.type = "script",
		.command = "ADD",
		.container = "id",
		.path = "/a:/b",
		.netns = "/ns",
		.input = "{\"in\":1}",
		.input_len = 8,
		.seconds = seconds,
	};

	err_clear(&err);
	return cni_exec(&c, out, len, &err);
}

static void plugins(void **state)
{
	char *out = NULL;
	size_t len;

	(void)state;
	assert_int_equal(run("cat; echo \"$CNI_COMMAND $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_PATH\"",
				 20, &out, &len),
		0);
	assert_string_equal(out, "{\"in\":1}ADD id /ns eth0 /a:/b\n");
	free(out);
	assert_int_equal(run("exit 0", 20, &out, &len), 0);
	assert_int_equal(len, 0);
	free(out);
	assert_int_equal(run("head -c 1048576 /dev/zero", 20, &out, &len), 0);
	assert_int_equal(len, 1048576);
	free(out);
}

static void bad_plugins(void **state)
{
	static const struct {
		const char *script;
		int code;
		const char *said;
	} t[] = {
		{ "head -c 1048577 /dev/zero", -EFBIG, "more than" },
		{ "yes >&2", -ETIMEDOUT, "longer than 1 s" },
		{ "sleep 60", -ETIMEDOUT, "longer than 1 s" },
		{ "echo '{\"code\":11,\"msg\":\"busy\",\"details\":\"later\"}'; exit 1", -EIO,
			"failed: busy: later" },
		{ "echo '{\"code\":11}'; echo why >&2; exit 2", -EIO, "exit status 2" },
		{ "echo why >&2; exit 2", -EIO, "why" },
		{ "printf 'a\\033[2Jb' >&2; exit 2", -EIO, "a [2Jb" },
		{ "kill -11 $$", -EIO, "signal 11" },
		{ "sleep 60 & exit 1", -EIO, "exit status 1" },
	};
	char *out = NULL;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		time_t began = time(NULL);

		assert_int_equal(run(t[i].script, t[i].code == -ETIMEDOUT ? 1 : 20, &out, &len), t[i].code);
		said(t[i].said);
		assert_null(out);
		assert_true(time(NULL) - began < 15);
	}
}

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return !arena || !mkdtemp(dir);
}

static int teardown(void **state)
{
	static const char *const files[] = { "20-b.conflist", "10-b.conflist", "30-c.conf", "40-bad.conf",
		"50-no-name.conf", "60-evil.conflist", "70-own.conflist", "c.txt", "plugin", "absent",
		"script", "n/10.89.0.4", "n/10.89.0.5", "n/last_reserved_ip.0", "n/fd00::7" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlink(arena_printf(arena, "%s/%s", dir, files[i]));
	rmdir(arena_printf(arena, "%s/n", dir));
	arena_free(arena);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results),
		cmocka_unit_test(bad_results),
		cmocka_unit_test(leases),
		cmocka_unit_test(subnets),
		cmocka_unit_test(configurations),
		cmocka_unit_test(checked),
		cmocka_unit_test(plugins),
		cmocka_unit_test(bad_plugins),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
