/* SPDX-License-Identifier: Apache-2.0 */
/* launch/record.c, data.c, dir.c, names.c: what is written comes back, and what is damaged is seen as that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "launch/record_internal.h"
#include "runtime/partition.h"

static char top[] = "/tmp/launch_record_test.XXXXXX";
static struct rt_ctx rt;
static struct launch_ctx ctx = { .rt = &rt };
static struct arena *arena;

/* In the place of rm.c, which would want cgroups and networks: a wreck is one empty directory here. */
int launch_remove(const struct launch_ctx *c, struct launch_dir *d, bool force, bool volumes, struct arena *a,
	struct err *e)
{
	(void)c, (void)force, (void)volumes, (void)a, (void)e;
	return unlinkat(d->partitions, d->record.name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

static int setup(void **state)
{
	static char data[64], root[64];

	(void)state;
	assert_non_null(mkdtemp(top));
	snprintf(data, sizeof(data), "%s/new/data", top);
	snprintf(root, sizeof(root), "%s/run", top);
	assert_int_equal(mkdir(root, 0700), 0);
	ctx.data = data;
	rt.root = root;
	arena = arena_new();
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make(const char *name, struct launch_dir *d)
{
	struct err e = ERR_INIT;

	if (launch_dir_new(&ctx, name, arena, d, &e) < 0)
		fail_msg("%s", e.text);
}

static void same_strings(char *const *x, char *const *y)
{
	assert_int_equal(strv_len(x), strv_len(y));
	for (size_t i = 0; x && x[i]; i++)
		assert_string_equal(x[i], y[i]);
}

static void test_record(void **state)
{
	struct launch_dir d = LAUNCH_DIR_INIT, again = LAUNCH_DIR_INIT;
	struct launch_port ports[] = { { "0.0.0.0", 8080, 80, "tcp" }, { "127.0.0.1", 53, 65535, "udp" } };
	char *command[] = { "sh", "-c", "echo \"\033[1m\n\"", "", NULL }, *volumes[] = { "a.b", "c_d", NULL };
	char *anonymous[] = { "c_d", NULL }, *labels[] = { "k=v", "empty=", NULL };
	char *dns[] = { "192.0.2.1", NULL };
	struct launch_record r = { .name = "web",
		.image = "debian",
		.image_name = "docker.io/library/debian:12",
		.target = "sha256:00",
		.image_id = "sha256:11",
		.created = "2026-01-01T00:00:00.000000001Z",
		.rt_root = "/run/x",
		.manager = CGRP_DISABLED,
		.command = command,
		.detach = true,
		.interactive = true,
		.tty = true,
		.rm = true,
		.boot = true,
		.restart = LAUNCH_RESTART_UNLESS_STOPPED,
		.restart_max = 3,
		.log_max = INT64_C(1) << 40,
		.stop_signal = "SIGQUIT",
		.stop_timeout = 7,
		.network = "bridge",
		.ports = ports,
		.n_ports = 2,
		.dns = dns,
		.ids = 524288,
		.n_ids = 65536,
		.volumes = volumes,
		.anonymous_volumes = anonymous,
		.labels = labels };
	const struct launch_record *b = &again.record;

	(void)state;
	make("web", &d);
	assert_int_equal(launch_record_write(&d, &r, NULL), 0);
	launch_dir_close(&d);
	assert_int_equal(launch_dir_open(&ctx, "web", true, arena, &again, NULL), 0);
	assert_false(again.damaged);
	assert_string_equal(b->name, r.name);
	assert_string_equal(b->image, r.image);
	assert_string_equal(b->image_name, r.image_name);
	assert_string_equal(b->target, r.target);
	assert_string_equal(b->image_id, r.image_id);
	assert_string_equal(b->created, r.created);
	assert_string_equal(b->rt_root, r.rt_root);
	assert_string_equal(b->stop_signal, r.stop_signal);
	assert_string_equal(b->network, r.network);
	assert_int_equal(b->manager, r.manager);
	assert_true(b->detach && b->interactive && b->tty && b->rm && b->boot);
	assert_int_equal(b->restart, r.restart);
	assert_int_equal(b->restart_max, 3);
	assert_true(b->log_max == r.log_max && b->ids == r.ids);
	assert_int_equal(b->stop_timeout, 7);
	assert_int_equal(b->n_ids, 65536);
	assert_int_equal(b->n_ports, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(b->ports[i].host_ip, ports[i].host_ip);
		assert_string_equal(b->ports[i].protocol, ports[i].protocol);
		assert_int_equal(b->ports[i].port, ports[i].port);
		assert_int_equal(b->ports[i].host_port, ports[i].host_port);
	}
	same_strings(b->command, command);
	same_strings(b->volumes, volumes);
	same_strings(b->anonymous_volumes, anonymous);
	same_strings(b->labels, labels);
	same_strings(b->dns, dns);
	launch_dir_close(&again);
}

static void test_state(void **state)
{
	struct launch_dir d = LAUNCH_DIR_INIT;
	struct launch_state s = { .phase = LAUNCH_PHASE_WAITING,
		.boot_id = "b",
		.pid = 4,
		.supervisor = 5,
		.supervisor_start = UINT64_C(1) << 60,
		.started = "t",
		.finished = "u",
		.exit_code = 137,
		.oom_killed = true,
		.stopped_by_user = true,
		.restarts = 2,
		.error = "no \"x\"" },
			    r = { 0 };

	(void)state;
	make("st", &d);
	assert_int_equal(launch_state_read(&d, arena, &r, NULL), 0);
	assert_int_equal(r.phase, LAUNCH_PHASE_STARTING);
	assert_int_equal(launch_state_write(&d, &s, NULL), 0);
	assert_int_equal(launch_state_read(&d, arena, &r, NULL), 0);
	assert_int_equal(r.phase, s.phase);
	assert_string_equal(r.boot_id, "b");
	assert_true(r.pid == 4 && r.supervisor == 5 && r.supervisor_start == s.supervisor_start);
	assert_string_equal(r.started, "t");
	assert_string_equal(r.finished, "u");
	assert_int_equal(r.exit_code, 137);
	assert_true(r.oom_killed && r.stopped_by_user && r.restarts == 2);
	assert_string_equal(r.error, s.error);
	/* Another boot's processes are nobody. */
	assert_false(launch_supervised(&r));
	r.boot_id = launch_boot_id();
	r.supervisor = getpid();
	r.supervisor_start = 1;
	assert_false(launch_supervised(&r));
	assert_int_equal(rt_proc_stat(getpid(), &r.supervisor_start, &(char){ 0 }), 0);
	assert_true(launch_supervised(&r));
	launch_dir_close(&d);
}

static void test_damaged(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "{}", "{\"name\":\"x\"}",
		"{\"name\":\"x\",\"image\":\"i\",\"created\":\"c\",\"cgroupManager\":\"cgroupfs\","
		"\"command\":[1],"
		"\"restart\":\"no\",\"stopSignal\":\"TERM\",\"stopTimeout\":1,\"network\":\"none\",\"ids\":-"
		"1,"
		"\"idCount\":0}",
		"{\"name\":\"x\",\"image\":\"i\",\"created\":\"c\",\"cgroupManager\":\"cgroupfs\","
		"\"command\":[],"
		"\"restart\":\"no\",\"stopSignal\":\"TERM\",\"stopTimeout\":1,\"network\":\"none\",\"ids\":-"
		"1,"
		"\"idCount\":0,\"volumes\":[\"../x\"]}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct launch_dir d = LAUNCH_DIR_INIT;
		char name[16];

		snprintf(name, sizeof(name), "bad%zu", i);
		make(name, &d);
		assert_int_equal(
			fd_replace_at(d.fd, "launch.json", 0600, texts[i], strlen(texts[i]), NULL), 0);
		launch_dir_close(&d);
		assert_int_equal(launch_dir_open(&ctx, name, false, arena, &d, NULL), 0);
		assert_true(d.damaged);
		launch_dir_close(&d);
	}
}

static void test_names(void **state)
{
	struct launch_dir d = LAUNCH_DIR_INIT, other = LAUNCH_DIR_INIT;
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(launch_check_name("partition", "a_b-C.9", NULL), 0);
	assert_int_equal(launch_check_name("partition", "a+b", NULL), -EINVAL);
	assert_int_equal(launch_check_name("partition", ".a", NULL), -EINVAL);
	assert_int_equal(launch_check_name("partition", "-a", NULL), -EINVAL);
	assert_int_equal(launch_check_name("partition", "a/b", NULL), -EINVAL);
	assert_int_equal(launch_check_name("partition", "", NULL), -EINVAL);
	for (int i = 0; i < 200; i++)
		assert_int_equal(launch_check_name("partition", launch_make_name(arena, i % 2), NULL), 0);

	/* A name that is being made is taken, as is one that is whole; a wreck is not. */
	make("n", &d);
	assert_int_equal(launch_dir_new(&ctx, "n", arena, &other, &e), -EEXIST);
	launch_dir_close(&d);
	make("n", &d);
	assert_int_equal(fd_replace_at(d.fd, "launch.json", 0600, "{}", 2, NULL), 0);
	launch_dir_close(&d);
	assert_int_equal(launch_dir_new(&ctx, "n", arena, &other, &e), -EEXIST);
	assert_int_equal(launch_dir_open(&ctx, "nobody", false, arena, &other, &e), -ENOENT);
	assert_non_null(strstr(e.text, "there is no launched partition \"nobody\""));
	assert_int_equal(stat(ctx.data, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* Who may write there could put anything in its place. */
	assert_int_equal(chmod(ctx.data, 0770), 0);
	assert_int_equal(launch_dir_open(&ctx, "n", false, arena, &other, NULL), -EPERM);
	assert_int_equal(chmod(ctx.data, 0700), 0);
}

static void test_places(void **state)
{
	struct launch_ctx c = { .rt = &rt };
	const char *path;

	(void)state;
	assert_int_equal(setenv("RINGFENCE_DATA", "/somewhere", 1), 0);
	unsetenv("RINGFENCE_STORE");
	assert_int_equal(launch_store_path(&c, arena, &path, NULL), 0);
	assert_string_equal(path, "/somewhere/store");
	c.data = "/else";
	assert_int_equal(launch_store_path(&c, arena, &path, NULL), 0);
	assert_string_equal(path, "/else/store");
	assert_int_equal(setenv("RINGFENCE_STORE", "/images", 1), 0);
	assert_int_equal(launch_store_path(&c, arena, &path, NULL), 0);
	assert_string_equal(path, "/images");
	c.store = "/mine";
	assert_int_equal(launch_store_path(&c, arena, &path, NULL), 0);
	assert_string_equal(path, "/mine");
	unsetenv("RINGFENCE_DATA");
	unsetenv("RINGFENCE_STORE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
