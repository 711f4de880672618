/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroups of this very host: made, joined, limited, chosen for exec, removed. */
#include "tests/unit/cgroups_live.h"

static void value(const struct cgrp *c, const char *controller, const char *file, const char *want)
{
	const struct cg_node *n = cg_v1(c, controller);
	char text[4096];

	if (!n)
		return;
	assert_true(cg_get(n, file, text, sizeof(text)) >= 0);
	assert_string_equal(text, want);
}

static void test_join(void **state)
{
	const struct cgrp_host *h;
	struct cgrp *c;
	pid_t pid, *pids;
	size_t n;

	NEED_CGROUPS();
	params.visible = true;
	c = create();
	ok(cgrp_host(&h, &e));
	assert_int_equal(c->n, h->n);
	pid = spawn_sleeper(c);
	for (size_t i = 0; i < h->n; i++) {
		char path[CG_PATH_MAX];

		ok(cgrp_path_of(pid, &h->list[i], path, sizeof(path), &e));
		assert_string_equal(path, cgrp_path(c, h->list[i].v2 ? "" : h->list[i].controllers));
	}
	ok(cgrp_pids(c, &pids, &n, &e));
	assert_int_equal(n, 1);
	assert_int_equal(pids[0], pid);
	free(pids);
	ok(cgrp_kill(c, SIGKILL, &e));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	destroy(c);
}

static void test_join_by_hand(void **state)
{
	struct cgrp *c;
	pid_t pid;

	NEED_CGROUPS();
	params.visible = true;
	c = create();
	cgrp_no_clone(c);
	assert_int_equal(cgrp_clone_fd(c), -1);
	pid = spawn_sleeper(c);
	ok(cgrp_kill(c, SIGTERM, &e));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	destroy(c);
}

static void test_limits(void **state)
{
	struct spec_resources change = { .mem_limit = { true, 256 << 20 },
		.mem_swap = { true, 512 << 20 },
		.cpu_quota = { true, 50000 },
		.cpu_burst = { true, 40000 },
		.pids_limit = { true, -1 } };
	struct cgrp *c;

	NEED_CGROUPS();
	limits.mem_limit = (struct spec_i64){ true, 64 << 20 };
	limits.mem_swap = (struct spec_i64){ true, 128 << 20 };
	limits.mem_reservation = (struct spec_i64){ true, 32 << 20 };
	limits.cpu_shares = (struct spec_u64){ true, 512 };
	limits.cpu_quota = (struct spec_i64){ true, 20000 };
	limits.cpu_burst = (struct spec_u64){ true, 1000 };
	limits.pids_limit = (struct spec_i64){ true, 17 };
	limits.cpus = "0";
	c = create();
	value(c, "memory", "memory.limit_in_bytes", "67108864");
	value(c, "memory", "memory.memsw.limit_in_bytes", "134217728");
	value(c, "cpu", "cpu.shares", "512");
	value(c, "cpu", "cpu.cfs_quota_us", "20000");
	value(c, "cpu", "cpu.cfs_burst_us", "1000");
	value(c, "pids", "pids.max", "17");
	value(c, "cpuset", "cpuset.cpus", "0");
	/* Upwards, where memsw must go first and the burst last. */
	ok(cgrp_update(c, &change, &e));
	value(c, "memory", "memory.limit_in_bytes", "268435456");
	value(c, "memory", "memory.memsw.limit_in_bytes", "536870912");
	value(c, "cpu", "cpu.cfs_quota_us", "50000");
	value(c, "cpu", "cpu.cfs_burst_us", "40000");
	value(c, "pids", "pids.max", "max");
	/* Downwards, where it is the other way round. */
	ok(cgrp_update(c, &limits, &e));
	value(c, "memory", "memory.memsw.limit_in_bytes", "134217728");
	value(c, "cpu", "cpu.cfs_quota_us", "20000");
	/* Zeroes leave everything alone; "no limit" lifts both. */
	change = (struct spec_resources){
		.mem_limit = { true, 0 }, .mem_swap = { true, 0 }, .cpu_quota = { true, 0 }
	};
	ok(cgrp_update(c, &change, &e));
	value(c, "memory", "memory.limit_in_bytes", "67108864");
	change = (struct spec_resources){ .mem_limit = { true, -1 } };
	ok(cgrp_update(c, &change, &e));
	value(c, "memory", "memory.limit_in_bytes", "9223372036854771712");
	change = (struct spec_resources){ .cpu_idle = { true, 1 } };
	ok(cgrp_update(c, &change, &e));
	value(c, "cpu", "cpu.idle", "1");
	change = (struct spec_resources){ .cpu_idle = { true, 0 }, .cpu_shares = { true, 300 } };
	ok(cgrp_update(c, &change, &e));
	value(c, "cpu", "cpu.shares", "300");
	/* More than the memory and swap together that are left. */
	change = (struct spec_resources){ .mem_swap = { true, 64 << 20 }, .mem_limit = { true, 128 << 20 } };
	assert_true(cgrp_update(c, &change, &e) < 0 || !cg_v1(c, "memory"));
	destroy(c);
}

/* A limit of which another controller's hierarchy knows nothing, on a mixed host. */
static void test_unified(void **state)
{
	struct spec_unified u = { "cgroup.max.depth", "3" }, bad = { "memory.high", "1000000" };
	const struct cgrp_host *h;
	struct cgrp *c = NULL;
	bool v1_memory = false;
	char text[64];

	NEED_CGROUPS();
	ok(cgrp_host(&h, &e));
	if (h->mode != CGRP_MODE_MIXED)
		skip();
	limits.unified = &u;
	limits.n_unified = 1;
	c = create();
	assert_non_null(cg_v2(c));
	assert_true(cg_get(cg_v2(c), "cgroup.max.depth", text, sizeof(text)) > 0);
	assert_string_equal(text, "3");
	destroy(c);
	for (size_t i = 0; i < h->n; i++)
		v1_memory |= cg_list_has(h->list[i].controllers, "memory");
	if (!v1_memory)
		skip();
	/* The memory controller is v1's here: refused, and nothing is left. */
	limits.unified = &bad;
	assert_true(cgrp_create(&params, &c, &e) < 0);
	assert_non_null(strstr(e.text, "memory"));
	for (size_t i = 0; i < h->n; i++) {
		char dir[CG_FILE_MAX];

		snprintf(dir, sizeof(dir), "%s/ringfence-%.40s", h->list[i].mount_point, id);
		assert_int_equal(access(dir, F_OK), -1);
	}
}

static int open_as(struct cgrp *c, const char *path, int flags)
{
	int status;
	pid_t pid = spawn(c);

	if (pid == 0) {
		int fd = open(path, flags);

		_exit(fd < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void devices(bool v2_only)
{
	struct spec_dev_rule allow[] = { deny_all, { true, 'c', 1, 11, SPEC_DEV_READ } };
	struct spec_resources change = { .devices = allow, .n_devices = 2 };
	static const char kmsg[] = "/dev/kmsg";
	struct cgrp *c;

	if (access(kmsg, R_OK) < 0)
		skip();
	if (v2_only)
		params.visible = true;
	c = create();
	if (v2_only) {
		/* The program instead of v1's list: as on a host without the devices controller. */
		struct spec_dev_rule *rules;
		size_t n;

		ok(cg_dev_rules(c->arena,
			&(struct spec_resources){
				.devices = &(struct spec_dev_rule){ true, 'a', -1, -1, 7 }, .n_devices = 1 },
			&rules, &n, &e));
		ok(cg_dev_v1(cg_v1(c, "devices"), rules, n, false, &e));
		assert_int_equal(open_as(c, kmsg, O_RDONLY), 0);
		ok(cg_dev_rules(c->arena, &limits, &rules, &n, &e));
		ok(cg_dev_bpf(cg_v2(c), rules, n, true, &e));
	}
	assert_int_equal(open_as(c, "/dev/null", O_RDWR), 0);
	assert_int_equal(open_as(c, kmsg, O_RDONLY), EPERM);
	if (v2_only) {
		struct spec_dev_rule *rules;
		size_t n;

		ok(cg_dev_rules(c->arena, &change, &rules, &n, &e));
		ok(cg_dev_bpf(cg_v2(c), rules, n, false, &e));
		assert_int_equal(open_as(c, kmsg, O_RDONLY), 0);
		ok(cg_dev_rules(c->arena, &limits, &rules, &n, &e));
		ok(cg_dev_bpf(cg_v2(c), rules, n, false, &e));
	} else {
		ok(cgrp_update(c, &change, &e));
		assert_int_equal(open_as(c, kmsg, O_RDONLY), 0);
		assert_int_equal(open_as(c, kmsg, O_RDWR), EPERM);
		ok(cgrp_update(c, &limits, &e));
	}
	assert_int_equal(open_as(c, "/dev/null", O_RDWR), 0);
	assert_int_equal(open_as(c, kmsg, O_RDONLY), EPERM);
	destroy(c);
}

static void test_devices(void **state)
{
	NEED_CGROUPS();
	devices(false);
	/* No rules at all: the defaults. */
	limits.n_devices = 0;
	params.resources = NULL;
	struct cgrp *c = create();

	assert_int_equal(open_as(c, "/dev/null", O_RDWR), 0);
	assert_int_equal(open_as(c, "/dev/kmsg", O_RDONLY), EPERM);
	destroy(c);
}

static void test_devices_bpf(void **state)
{
	const struct cgrp_host *h;

	NEED_CGROUPS();
	ok(cgrp_host(&h, &e));
	if (h->mode != CGRP_MODE_MIXED)
		skip();
	devices(true);
}

/* What a create that was killed has left. */
static void test_find(void **state)
{
	struct cgrp *c, *d = NULL;
	size_t n;

	NEED_CGROUPS();
	ok(cgrp_find(&params, &d, &e));
	assert_int_equal(d->n, 0);
	ok(cgrp_destroy(d, &e));
	cgrp_free(d);
	c = create();
	n = c->n;
	cgrp_free(c);
	ok(cgrp_find(&params, &d, &e));
	assert_int_equal(d->n, n);
	destroy(d);
}

static void test_used(void **state)
{
	struct cgrp *c, *d = NULL;
	char pid_text[32];
	pid_t pid;

	NEED_CGROUPS();
	c = create();
	/* An empty one may be taken over, … */
	ok(cgrp_create(&params, &d, &e));
	cgrp_free(d);
	/* … one with processes not. */
	pid = spawn_sleeper(c);
	assert_int_equal(cgrp_create(&params, &d, &e), -EBUSY);
	snprintf(pid_text, sizeof(pid_text), "pid %d", (int)pid);
	assert_non_null(strstr(e.text, pid_text));
	assert_non_null(strstr(e.text, "another partition uses it"));
	ok(cgrp_kill(c, SIGKILL, &e));
	waitpid(pid, NULL, 0);
	destroy(c);
}

static bool exists(const char *path)
{
	const struct cgrp_host *h;

	ok(cgrp_host(&h, &e));
	for (size_t i = 0; i < h->n; i++) {
		char dir[CG_FILE_MAX];

		snprintf(dir, sizeof(dir), "%s%s", h->list[i].mount_point, path);
		if (access(dir, F_OK) == 0)
			return true;
	}
	return false;
}

/* Parents come with the first and go with the last partition; those that were there stay. */
static void test_parents(void **state)
{
	char one[100], two[100], parent[64], inner[80], dir[CG_FILE_MAX];
	struct cgrp *c, *d;

	NEED_CGROUPS();
	snprintf(parent, sizeof(parent), "/livetest%d", (int)getpid());
	snprintf(inner, sizeof(inner), "%s/inner", parent);
	snprintf(one, sizeof(one), "%s/one", inner);
	snprintf(two, sizeof(two), "%s/two", inner);
	params.cgroups_path = one;
	c = create();
	params.cgroups_path = two;
	d = create();
	ok(cgrp_destroy(c, &e));
	cgrp_free(c);
	assert_false(exists(one));
	assert_true(exists(inner));
	ok(cgrp_destroy(d, &e));
	assert_false(exists(parent));
	/* An engine's own directory. */
	snprintf(dir, sizeof(dir), "%s%s", cg_main(d)->mount, parent);
	cgrp_free(d);
	assert_int_equal(mkdir(dir, 0755), 0);
	c = create();
	ok(cgrp_destroy(c, &e));
	cgrp_free(c);
	assert_int_equal(rmdir(dir), 0);
	assert_false(exists(parent));
}

static void test_race(void **state)
{
	pid_t pids[4];
	char path[100];

	NEED_CGROUPS();
	/* Each one's last step takes away the parent that another is about to use. */
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			snprintf(path, sizeof(path), "/liverace%d/%d", (int)getppid(), i);
			params.cgroups_path = path;
			for (int k = 0; k < 50; k++) {
				struct cgrp *c;

				if (cgrp_create(&params, &c, &e) < 0 || cgrp_destroy(c, &e) < 0) {
					fprintf(stderr, "%s\n", e.text);
					_exit(1);
				}
				cgrp_free(c);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	snprintf(path, sizeof(path), "/liverace%d", (int)getpid());
	assert_false(exists(path));
}

static void test_select(void **state)
{
	char *up[] = { (char *)"../x", NULL }, *sub[] = { (char *)"sub", NULL },
	     *one[] = { (char *)"freezer:sub", NULL }, *gone[] = { (char *)"nothing", NULL },
	     *bad[] = { (char *)"nonsense:sub", NULL };
	const struct cgrp_host *h;
	char dir[CG_FILE_MAX], want[CG_PATH_MAX];
	struct cgrp *c;
	pid_t pid;

	NEED_CGROUPS();
	c = create();
	ok(cgrp_host(&h, &e));
	assert_int_equal(cgrp_select(c, up, 0, &e), -EINVAL);
	assert_int_equal(cgrp_select(c, gone, 0, &e), -ENOENT);
	assert_int_equal(cgrp_select(c, bad, 0, &e), -EINVAL);
	for (size_t i = 0; i < c->n; i++) {
		snprintf(dir, sizeof(dir), "%s%s/sub", c->node[i].mount, c->node[i].path);
		assert_int_equal(mkdir(dir, 0755), 0);
		/* A new v1 cpuset cannot be joined. */
		if (cg_list_has(c->node[i].controllers, "cpuset")) {
			struct cg_node n = c->node[i];

			n.path = dir + strlen(n.mount);
			ok(cg_put(&n, "cpuset.cpus", "0", &e));
			ok(cg_put(&n, "cpuset.mems", "0", &e));
		}
	}
	if (!cg_v1(c, "freezer"))
		one[0] = sub[0];
	for (int all = 0; all < 2; all++) {
		struct cgrp *again;
		struct json_writer *w = json_writer_new(false);
		struct arena *a = arena_new();
		const struct json *j;
		const char *text;
		size_t len;

		/* As exec does: another process with the saved handle. */
		json_open_object(w, NULL);
		cgrp_save(c, w);
		json_close_object(w);
		text = json_writer_text(w, &len);
		ok(json_parse(a, text, len, "state", &j, &e));
		ok(cgrp_load(j, &again, &e));
		ok(cgrp_select(again, all ? sub : one, 0, &e));
		pid = spawn_sleeper(again);
		for (size_t i = 0; i < h->n; i++) {
			const struct cg_node *n = h->list[i].v2 ? cg_v2(c) : cg_v1(c, h->list[i].controllers);
			char path[CG_PATH_MAX];

			if (!n)
				continue;
			ok(cgrp_path_of(pid, &h->list[i], path, sizeof(path), &e));
			snprintf(want, sizeof(want), "%s%s", n->path,
				all || n->v2 || cg_list_has(n->controllers, "freezer") ? "/sub" : "");
			assert_string_equal(path, want);
		}
		ok(cgrp_kill(again, SIGKILL, &e));
		waitpid(pid, NULL, 0);
		cgrp_free(again);
		json_writer_free(w);
		arena_free(a);
	}
	destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_join, setup),
		cmocka_unit_test_setup(test_join_by_hand, setup),
		cmocka_unit_test_setup(test_limits, setup),
		cmocka_unit_test_setup(test_unified, setup),
		cmocka_unit_test_setup(test_devices, setup),
		cmocka_unit_test_setup(test_devices_bpf, setup),
		cmocka_unit_test_setup(test_find, setup),
		cmocka_unit_test_setup(test_used, setup),
		cmocka_unit_test_setup(test_parents, setup),
		cmocka_unit_test_setup(test_race, setup),
		cmocka_unit_test_setup(test_select, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
