/* SPDX-License-Identifier: Apache-2.0 */
/* config.json out of an image and options: the process, annotations, the record, hooks. One test a rule. */
#include "tests/unit/launch_test.h"

#include "cgroups/cgroup.h"

static const char *env(const struct made *m, const char *name)
{
	return strv_env(m->s->process.env, name);
}

static void assert_args(const struct made *m, char *const *want)
{
	size_t n = strv_len(want);

	assert_int_equal(strv_len(m->s->process.args), n);
	for (size_t k = 0; k < n; k++)
		assert_string_equal(m->s->process.args[k], want[k]);
	assert_int_equal(strv_len(m->r.command), n);
}

static void test_plain(void **state)
{
	struct setting s = usual();
	struct made m = made(&s);

	assert_args(&m, STRV("sh"));
	assert_string_equal(m.s->process.cwd, "/");
	assert_string_equal(m.s->hostname, "web-1");
	assert_string_equal(m.s->root_path, "root");
	assert_false(m.s->root_readonly);
	assert_false(m.s->process.terminal);
	assert_true(m.s->process.no_new_privileges);
	assert_int_equal(m.s->process.user.uid, 0);
	assert_string_equal(env(&m, "PATH"), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	assert_string_equal(env(&m, "LANG"), "C");
	assert_string_equal(env(&m, "HOME"), "/root");
	assert_string_equal(env(&m, "HOSTNAME"), "web-1");
	assert_null(env(&m, "TERM"));
	assert_null(env(&m, "container"));
	assert_string_equal(m.r.stop_signal, "SIGTERM");
	assert_int_equal(m.r.stop_timeout, 10);
	assert_int_equal(m.s->hooks.n[SPEC_HOOK_CREATE_RUNTIME], 0);
	unmake(&m);
}

static void test_command(void **state)
{
	struct setting s = usual();
	struct made m;

	s.i.entrypoint = STRV("/entry", "-x");
	m = made(&s);
	assert_args(&m, STRV("/entry", "-x", "sh"));
	unmake(&m);
	s.o.command = STRV("a", "b");
	m = made(&s);
	assert_args(&m, STRV("/entry", "-x", "a", "b"));
	unmake(&m);
	s.o.entrypoint = "/other";
	m = made(&s);
	assert_args(&m, STRV("/other", "a", "b"));
	unmake(&m);
	s.o.entrypoint = "[\"/json\", \"two words\"]";
	s.o.command = NULL;
	m = made(&s);
	assert_args(&m, STRV("/json", "two words"));
	unmake(&m);
	s.o.entrypoint = "[1]";
	refused(&s, "--entrypoint must be a string");
	s.o.entrypoint = "";
	refused(&s, "image docker.io/library/debian:12 has no command: say what to run, after \"--\"");
	s.o.entrypoint = NULL;
	s.i.entrypoint = s.i.cmd = NULL;
	refused(&s, "has no command");
	s.o.command = STRV("");
	refused(&s, "empty word");
}

static void test_env(void **state)
{
	struct setting s = usual();
	char path[] = "/tmp/launch-env-XXXXXX";
	static const char text[] = "# a comment\n\n A=file\r\nB=file\nRF_TEST_OURS\nRF_TEST_NONE\n";
	int fd = mkstemp(path);
	struct made m;

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
	setenv("RF_TEST_OURS", "x=y", 1);
	unsetenv("RF_TEST_NONE");
	s.i.env = STRV("PATH=/image", "A=image", "HOME=/h", "TERM=vt52", "=bad", "bad", "");
	s.o.env_files = STRV(path);
	s.o.env = STRV("B=option", "RF_TEST_NONE", "EMPTY=");
	s.o.tty = true;
	m = made(&s);
	assert_string_equal(env(&m, "PATH"), "/image");
	assert_string_equal(env(&m, "A"), "file");
	assert_string_equal(env(&m, "B"), "option");
	assert_string_equal(env(&m, "HOME"), "/h");
	assert_string_equal(env(&m, "TERM"), "vt52");
	assert_string_equal(env(&m, "RF_TEST_OURS"), "x=y");
	assert_string_equal(env(&m, "EMPTY"), "");
	assert_null(env(&m, "RF_TEST_NONE"));
	/* PATH A HOME TERM, B OURS EMPTY, HOSTNAME: each once. */
	assert_int_equal(strv_len(m.s->process.env), 8);
	unmake(&m);
	s.i.env = NULL;
	m = made(&s);
	assert_string_equal(env(&m, "TERM"), "xterm");
	unmake(&m);
	s.o.env = STRV("=x");
	refused(&s, "--env: \"=x\" has no name");
	s.o.env = NULL;
	s.o.env_files = STRV("/nonexistent/env");
	refused(&s, "read --env-file /nonexistent/env: No such file");
	unlink(path);
}

static void test_user_and_capabilities(void **state)
{
	struct setting s = usual();
	uint64_t net_admin = UINT64_C(1) << 12;
	struct made m;

	s.i.user = "web";
	m = made(&s);
	assert_int_equal(m.s->process.user.uid, 33);
	assert_int_equal(m.s->process.user.gid, 34);
	assert_int_equal(m.s->process.user.n_additional_gids, 1);
	assert_string_equal(env(&m, "HOME"), "/var/www");
	assert_true(m.s->process.caps.bounding != 0);
	assert_int_equal(m.s->process.caps.effective, 0);
	assert_int_equal(m.s->process.caps.permitted, 0);
	assert_int_equal(m.s->process.caps.ambient, 0);
	unmake(&m);
	s.o.cap_add = STRV("net_admin");
	m = made(&s);
	assert_int_equal(m.s->process.caps.ambient, net_admin);
	assert_int_equal(m.s->process.caps.effective, net_admin);
	unmake(&m);
	s.o.user = "0";
	m = made(&s);
	assert_int_equal(m.s->process.caps.ambient, 0);
	assert_int_equal(m.s->process.caps.inheritable, 0);
	assert_true(m.s->process.caps.effective & net_admin);
	assert_true(m.s->process.caps.effective == m.s->process.caps.bounding);
	unmake(&m);
	s.o.user = "";
	refused(&s, "--user must not be empty");
	s.o.user = "nosuch";
	refused(&s, "--user: nosuch: no such user in /etc/passwd of the image");
	s.o.user = NULL;
	s.i.user = "4294967296";
	refused(&s, "the image's User: 4294967296: an id must be a decimal number");
	s.i.user = "70000";
	s.r.ids = 524288;
	s.r.n_ids = 65536;
	refused(&s, "beyond the 65536 ids");
}

static void test_workdir_and_hostname(void **state)
{
	struct setting s = usual();
	struct made m;

	s.i.working_dir = "srv//app/.";
	m = made(&s);
	assert_string_equal(m.s->process.cwd, "/srv/app");
	unmake(&m);
	s.o.workdir = "/w";
	s.o.hostname = "Box.example-1";
	m = made(&s);
	assert_string_equal(m.s->process.cwd, "/w");
	assert_string_equal(m.s->hostname, "Box.example-1");
	assert_string_equal(env(&m, "HOSTNAME"), "Box.example-1");
	unmake(&m);
	s.o.workdir = "w";
	refused(&s, "--workdir w: must be an absolute path");
	s.o.workdir = NULL;
	s.o.hostname = "a b";
	refused(&s, "--hostname: must be made of");
	s.o.hostname = "";
	refused(&s, "--hostname");
}

static void test_ulimits(void **state)
{
	static const char *const bad[] = { "nofile", "nofile=", "nofile=2:1", "nofile=a", "foo=1",
		"nofile=1:2:3", "nofile=-2", "=1" };
	struct setting s = usual();
	struct made m;

	s.o.ulimits = STRV("nofile=1024:2048", "RLIMIT_CORE=unlimited", "nofile=5");
	m = made(&s);
	assert_int_equal(m.s->process.n_rlimits, 2);
	assert_int_equal(m.s->process.rlimits[0].soft, 5);
	assert_int_equal(m.s->process.rlimits[0].hard, 5);
	assert_true(m.s->process.rlimits[1].hard == UINT64_MAX);
	unmake(&m);
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		s.o.ulimits = STRV((char *)bad[k]);
		refused(&s, "--ulimit");
	}
}

static void test_annotations(void **state)
{
	struct setting s = usual();
	struct made m;

	s.i.author = "me";
	s.i.exposed_ports = STRV("80/tcp", "53/udp");
	s.i.labels = STRV("a", "1", "org.opencontainers.image.author", "label", "run.oci.hooks.stdout",
		"/etc/x", "org.systemd.property.ExecStartPre", "x", "krun.cpus", "9", "org.criu.config", "/x",
		"run.oci.handler", "wasm", "ringfence.isolation", "host", "bundle", "/x",
		"io.kubernetes.cri.container-type", "sandbox", "io.ringfence.isolation", "partition",
		"io.ringfence.sandbox.kernel", "/x");
	s.o.labels = STRV("b=2", "flag", "run.oci.seccomp.receiver=/x");
	m = made(&s);
	assert_string_equal(spec_annotation(m.s, "a"), "1");
	assert_string_equal(spec_annotation(m.s, "b"), "2");
	assert_string_equal(spec_annotation(m.s, "flag"), "");
	assert_string_equal(spec_annotation(m.s, "org.opencontainers.image.author"), "label");
	assert_string_equal(spec_annotation(m.s, "org.opencontainers.image.exposedPorts"), "80/tcp,53/udp");
	assert_string_equal(spec_annotation(m.s, "org.opencontainers.image.os"), "linux");
	for (size_t k = 0; k < m.s->n_annotations; k++) {
		static const char *const never[] = { "run.oci.", "org.systemd.", "krun.", "org.criu.",
			"ringfence.", "io.ringfence.", "bundle", "io.kubernetes." };

		/* launch's own. */
		if (str_eq(m.s->annotations[k].key, CGRP_ANNOTATION)) {
			assert_string_equal(m.s->annotations[k].value, "lean");
			continue;
		}
		for (size_t n = 0; n < ARRAY_SIZE(never); n++)
			assert_false(str_starts(m.s->annotations[k].key, never[n]));
	}
	/* All of them are still what `inspect` shows. */
	assert_true(strv_has(m.r.labels, "krun.cpus=9"));
	assert_true(strv_has(m.r.labels, "b=2"));
	unmake(&m);
	s.o.annotations = STRV("run.oci.hooks.stdout=/var/log/x");
	m = made(&s);
	assert_string_equal(spec_annotation(m.s, "run.oci.hooks.stdout"), "/var/log/x");
	unmake(&m);
	s.o.annotations = STRV("x");
	refused(&s, "--annotation x: must be KEY=VALUE");
	s.o.annotations = NULL;
	s.o.labels = STRV("=x");
	refused(&s, "--label =x");
}

static void test_stop(void **state)
{
	struct setting s = usual();
	struct made m;

	s.i.stop_signal = "SIGQUIT";
	m = made(&s);
	assert_string_equal(m.r.stop_signal, "SIGQUIT");
	unmake(&m);
	s.o.stop_signal = "9";
	s.o.stop_timeout = 0;
	m = made(&s);
	assert_string_equal(m.r.stop_signal, "9");
	assert_int_equal(m.r.stop_timeout, 0);
	unmake(&m);
	s.o.stop_signal = "SIGNO";
	refused(&s, "--stop-signal");
	s.o.stop_signal = NULL;
	s.i.stop_signal = "$(reboot)";
	refused(&s, "the image's StopSignal");
}

static void test_restart(void **state)
{
	static const struct {
		const char *text;
		int want, max;
	} list[] = { { NULL, LAUNCH_RESTART_NO, 0 }, { "no", LAUNCH_RESTART_NO, 0 },
		{ "on-failure", LAUNCH_RESTART_ON_FAILURE, 0 },
		{ "on-failure:3", LAUNCH_RESTART_ON_FAILURE, 3 }, { "always", LAUNCH_RESTART_ALWAYS, 0 },
		{ "unless-stopped", LAUNCH_RESTART_UNLESS_STOPPED, 0 }, { "", -1, 0 },
		{ "on-failure:", -1, 0 }, { "on-failure:-1", -1, 0 }, { "on-failure:0", -1, 0 },
		{ "always:1", -1, 0 }, { "Always", -1, 0 } };
	struct setting s = usual();

	for (size_t k = 0; k < ARRAY_SIZE(list); k++) {
		enum launch_restart out = LAUNCH_RESTART_NO;
		struct err e = ERR_INIT;
		int max = -1, r = launch_restart_parse(list[k].text, &out, &max, &e);

		if (list[k].want < 0) {
			assert_int_equal(r, -EINVAL);
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(out, list[k].want);
		assert_int_equal(max, list[k].max);
	}
	s.o.rm = true;
	s.o.restart = "always";
	refused(&s, "--rm and --restart always contradict");
}

static void test_hooks(void **state)
{
	struct setting s = usual();
	struct made m;
	const struct spec_hook *up;

	s.net.hooks = true;
	s.net.hook_env = STRV("PATH=/x");
	m = made(&s);
	assert_int_equal(m.s->hooks.n[SPEC_HOOK_CREATE_RUNTIME], 1);
	assert_int_equal(m.s->hooks.n[SPEC_HOOK_POSTSTOP], 1);
	up = &m.s->hooks.list[SPEC_HOOK_CREATE_RUNTIME][0];
	assert_string_equal(up->path, "/usr/bin/ringfence");
	assert_int_equal(strv_len(up->args), 5);
	assert_string_equal(up->args[1], "--data");
	assert_string_equal(up->args[3], "network-hook");
	assert_string_equal(up->args[4], "up");
	assert_string_equal(up->env[0], "PATH=/x");
	assert_int_equal(up->timeout, LAUNCH_NETWORK_HOOK_SECONDS);
	unmake(&m);
}

static void test_boot(void **state)
{
	struct setting s = usual();
	struct made m;

	s.o.boot = true;
	s.i.entrypoint = STRV("/entry");
	m = made(&s);
	assert_args(&m, STRV("/sbin/init"));
	assert_string_equal(env(&m, "container"), "ringfence");
	assert_string_equal(m.r.stop_signal, "SIGRTMIN+3");
	assert_true(m.s->ns[SPEC_NS_CGROUP].present);
	assert_false(has_option(mount_on(&m, "/sys/fs/cgroup"), "ro"));
	assert_string_equal(mount_on(&m, "/run")->type, "tmpfs");
	assert_non_null(mount_on(&m, "/run/lock"));
	assert_non_null(mount_on(&m, "/var/log/journal"));
	unmake(&m);
	s.o.command = STRV("/lib/systemd/systemd", "--test");
	m = made(&s);
	assert_args(&m, STRV("/lib/systemd/systemd", "--test"));
	unmake(&m);
	s.o.init = true;
	refused(&s, "--boot and --init contradict");
}

static void test_refused_as_a_whole(void **state)
{
	struct setting s = usual();

	s.o.privileged = true;
	refused(&s, "--privileged is not supported");
	s = usual();
	s.o.isolation = "vm";
	refused(&s, "--isolation vm: must be");
	s.o.isolation = "partition";
	s.o.accel = "kvm";
	refused(&s, "--accel is about a sandbox's machine");
	s.o.isolation = "sandbox";
	s.o.accel = "fast";
	refused(&s, "--accel fast: must be");
	s = usual();
	s.o.log_max = (struct spec_i64){ true, -2 };
	refused(&s, "--log-max");
}

static void test_record_untouched_on_failure(void **state)
{
	struct setting s = usual();
	struct made m;

	s.o.volumes = STRV("data:/data");
	s.o.stop_signal = "SIGNO";
	m = make(&s);
	assert_true(m.result < 0);
	assert_memory_equal(&m.r, &s.r, sizeof(s.r));
	unmake(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_user_and_capabilities),
		cmocka_unit_test(test_workdir_and_hostname),
		cmocka_unit_test(test_ulimits),
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_boot),
		cmocka_unit_test(test_refused_as_a_whole),
		cmocka_unit_test(test_record_untouched_on_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
