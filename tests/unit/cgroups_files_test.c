/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written to which file: the v1 and v2 writers, and v2's controller chain, on directories of ordinary
 * files that stand for a cgroup; and handles in the state file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/internal.h"

static char root[] = "/tmp/ringfence-cgroups-XXXXXX";
static struct cgrp *c;
static struct err e;

static int erase(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	snprintf(root, sizeof(root), "/tmp/ringfence-cgroups-XXXXXX");
	e = (struct err)ERR_INIT;
	c = cg_new(&e);
	return c && mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	cgrp_free(c);
	return nftw(root, erase, 16, FTW_DEPTH | FTW_PHYS);
}

/* A hierarchy below the root, with the partition's cgroup /p. */
static struct cg_node *node(const char *name, const char *controllers, bool v2)
{
	struct cgrp_hierarchy h = { .v2 = v2 };
	char dir[CG_FILE_MAX];

	snprintf(h.mount_point, sizeof(h.mount_point), "%s/%s", root, name);
	snprintf(h.controllers, sizeof(h.controllers), "%s", controllers);
	mkdir(h.mount_point, 0755);
	snprintf(dir, sizeof(dir), "%s/p", h.mount_point);
	mkdir(dir, 0755);
	c->path = "/p";
	c->keep = 2;
	assert_int_equal(cg_add_node(c, &h, "/p", &e), 0);
	return &c->node[c->n - 1];
}

static void file(const struct cg_node *n, const char *name, const char *text)
{
	char path[CG_FILE_MAX];
	_cleanup_close_ int fd = open(cg_file(path, n, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/* The kernel takes each write as a whole; an ordinary file keeps the longer tail of an older one, so files
 * start empty. */
static void has(const struct cg_node *n, const char *name, const char *want)
{
	char text[256] = "?";

	assert_true(cg_get(n, name, text, sizeof(text)) >= 0);
	assert_string_equal(text, want);
}

static void empty(const struct cg_node *n, const char *const *names)
{
	for (; *names; names++)
		file(n, *names, "");
}

static void test_v1(void **state)
{
	struct spec_block_rate rate = { 8, 0, 1000 };
	struct spec_block_weight weight = { 8, 16, { true, 300 }, { 0 } };
	struct spec_hugepage page = { "2MB", 4096 };
	struct spec_ifprio prio = { "eth0", 5 };
	struct spec_rdma rdma = { "mlx", { true, 3 }, { false, 0 } };
	struct spec_resources r = {
		.mem_limit = { true, 100 },
		.mem_reservation = { true, 50 },
		.mem_swap = { true, 200 },
		.mem_swappiness = { true, 0 },
		.has_disable_oom_killer = true,
		.disable_oom_killer = true,
		.cpu_shares = { true, 512 },
		.cpu_quota = { true, 5000 },
		.cpu_period = { true, 10000 },
		.cpu_burst = { true, 100 },
		.pids_limit = { true, 0 },
		.cpus = "0",
		.mems = "0",
		.block_weight = { true, 100 },
		.block_weights = &weight,
		.n_block_weights = 1,
		.hugepages = &page,
		.n_hugepages = 1,
		.has_class_id = true,
		.class_id = 0x100001,
		.priorities = &prio,
		.n_priorities = 1,
		.rdma = &rdma,
		.n_rdma = 1,
	};
	struct cg_node *memory = node("memory", "memory", false),
		       *cpu = node("cpu,cpuacct", "cpu,cpuacct", false),
		       *cpuset = node("cpuset", "cpuset", false), *pids = node("pids", "pids", false),
		       *blkio = node("blkio", "blkio", false), *huge = node("hugetlb", "hugetlb", false),
		       *net = node("net_cls,net_prio", "net_cls,net_prio", false),
		       *rdmas = node("rdma", "rdma", false);

	r.block_rates[SPEC_BLOCK_WRITE_IOPS] = &rate;
	r.n_block_rates[SPEC_BLOCK_WRITE_IOPS] = 1;
	empty(memory,
		(const char *[]){ "memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
			"memory.soft_limit_in_bytes", "memory.swappiness", "memory.oom_control", NULL });
	empty(cpu, (const char *[]){
			   "cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us", NULL });
	empty(cpuset, (const char *[]){ "cpuset.cpus", "cpuset.mems", NULL });
	empty(pids, (const char *[]){ "pids.max", NULL });
	empty(blkio, (const char *[]){ "blkio.bfq.weight", "blkio.weight_device",
			     "blkio.throttle.write_iops_device", NULL });
	empty(huge, (const char *[]){ "hugetlb.2MB.limit_in_bytes", NULL });
	empty(net, (const char *[]){ "net_cls.classid", "net_prio.ifpriomap", NULL });
	empty(rdmas, (const char *[]){ "rdma.max", NULL });
	assert_int_equal(cg_write_resources(c, &r, true, &e), 0);
	has(memory, "memory.limit_in_bytes", "100");
	has(memory, "memory.memsw.limit_in_bytes", "200");
	has(memory, "memory.soft_limit_in_bytes", "50");
	has(memory, "memory.swappiness", "0");
	has(memory, "memory.oom_control", "1");
	has(cpu, "cpu.shares", "512");
	has(cpu, "cpu.cfs_quota_us", "5000");
	has(cpu, "cpu.cfs_period_us", "10000");
	has(cpu, "cpu.cfs_burst_us", "100");
	has(cpuset, "cpuset.cpus", "0");
	has(pids, "pids.max", "0");
	has(blkio, "blkio.bfq.weight", "100");
	has(blkio, "blkio.weight_device", "8:16 300");
	has(blkio, "blkio.throttle.write_iops_device", "8:0 1000");
	has(huge, "hugetlb.2MB.limit_in_bytes", "4096");
	has(net, "net_cls.classid", "1048577");
	has(net, "net_prio.ifpriomap", "eth0 5");
	has(rdmas, "rdma.max", "mlx hca_handle=3");
}

/* Zeroes, as `docker update` sends them, and "unlimited" for a new cgroup touch nothing: the files do not
 * even exist here. */
static void test_neutral(void **state)
{
	struct spec_resources r = {
		.mem_limit = { true, 0 },
		.mem_swap = { true, 0 },
		.mem_reservation = { true, 0 },
		.mem_kernel = { true, 0 },
		.cpu_shares = { true, 0 },
		.cpu_quota = { true, 0 },
		.cpu_period = { true, 0 },
		.cpu_rt_runtime = { true, 0 },
		.block_weight = { true, 0 },
		.cpus = "",
		.mems = "",
	};

	node("memory", "memory", false);
	node("cpu", "cpu", false);
	node("cpuset", "cpuset", false);
	node("blkio", "blkio", false);
	node("unified", "", true);
	assert_int_equal(cg_write_resources(c, &r, false, &e), 0);
	r = (struct spec_resources){ .mem_limit = { true, -1 },
		.mem_swap = { true, -1 },
		.cpu_quota = { true, -1 },
		.pids_limit = { true, -1 } };
	assert_int_equal(cg_write_resources(c, &r, true, &e), 0);
}

static void test_missing(void **state)
{
	struct spec_hugepage page = { "2MB", 4096 }, odd = { "../x", 1 };
	struct spec_unified u = { "memory.high", "1" };
	struct spec_resources r = { .pids_limit = { true, 5 } };

	node("cpu", "cpu", false);
	assert_int_equal(cg_write_resources(c, &r, true, &e), -ENODEV);
	assert_non_null(strstr(e.text, "linux.resources.pids.limit"));
	assert_non_null(strstr(e.text, "pids controller"));
	r = (struct spec_resources){ .has_class_id = true, .class_id = 1 };
	assert_int_equal(cg_write_resources(c, &r, true, &e), -ENODEV);
	assert_non_null(strstr(e.text, "net_cls"));
	r = (struct spec_resources){ .hugepages = &page, .n_hugepages = 1 };
	assert_int_equal(cg_write_resources(c, &r, true, &e), -ENODEV);
	r = (struct spec_resources){ .unified = &u, .n_unified = 1 };
	assert_int_equal(cg_write_resources(c, &r, true, &e), -ENODEV);
	assert_non_null(strstr(e.text, "linux.resources.unified"));
	node("hugetlb", "hugetlb", false);
	r = (struct spec_resources){ .hugepages = &odd, .n_hugepages = 1 };
	assert_int_equal(cg_write_resources(c, &r, true, &e), -EINVAL);
}

static void test_v2(void **state)
{
	struct spec_block_rate rate = { 8, 0, 1000 };
	struct spec_hugepage page = { "1GB", 4096 };
	struct spec_unified u = { "memory.high", "1G" };
	struct spec_resources r = {
		.mem_limit = { true, 100 },
		.mem_reservation = { true, 50 },
		.mem_swap = { true, 250 },
		.cpu_shares = { true, 1024 },
		.cpu_quota = { true, 5000 },
		.cpu_period = { true, 10000 },
		.pids_limit = { true, 7 },
		.cpus = "0-1",
		.block_weight = { true, 1000 },
		.hugepages = &page,
		.n_hugepages = 1,
		.unified = &u,
		.n_unified = 1,
	};
	struct cg_node *n = node("v2", "", true);

	r.block_rates[SPEC_BLOCK_READ_BPS] = &rate;
	r.n_block_rates[SPEC_BLOCK_READ_BPS] = 1;
	file(n, "cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
	empty(n, (const char *[]){ "memory.max", "memory.low", "memory.swap.max", "memory.high", "cpu.weight",
			 "cpu.max", "pids.max", "cpuset.cpus", "io.weight", "io.max", "hugetlb.1GB.max",
			 "hugetlb.1GB.rsvd.max", NULL });
	assert_int_equal(cg_write_resources(c, &r, true, &e), 0);
	has(n, "memory.max", "100");
	has(n, "memory.low", "50");
	has(n, "memory.swap.max", "150");
	has(n, "memory.high", "1G");
	has(n, "cpu.weight", "100");
	has(n, "cpu.max", "5000 10000");
	has(n, "pids.max", "7");
	has(n, "cpuset.cpus", "0-1");
	has(n, "io.weight", "10000"); /* no bfq here */
	has(n, "io.max", "8:0 rbps=1000");
	has(n, "hugetlb.1GB.rsvd.max", "4096");
}

static void test_v2_update(void **state)
{
	struct spec_resources r = { .mem_limit = { true, 60 }, .check_before_update = true };
	struct cg_node *n = node("v2", "", true);

	file(n, "cgroup.controllers", "cpu memory\n");
	file(n, "memory.current", "61\n");
	file(n, "memory.max", "");
	assert_int_equal(cg_write_resources(c, &r, false, &e), -EBUSY);
	assert_non_null(strstr(e.text, "checkBeforeUpdate"));
	r.check_before_update = false;
	assert_int_equal(cg_write_resources(c, &r, false, &e), 0);
	has(n, "memory.max", "60");
	/* The second of v1's pair alone: the first is as it was. */
	r = (struct spec_resources){ .mem_swap = { true, 100 } };
	file(n, "memory.swap.max", "");
	assert_int_equal(cg_write_resources(c, &r, false, &e), 0);
	has(n, "memory.swap.max", "40");
	/* A new period keeps the quota. */
	r = (struct spec_resources){ .cpu_period = { true, 20000 } };
	file(n, "cpu.max", "3000 9\n");
	assert_int_equal(cg_write_resources(c, &r, false, &e), 0);
	has(n, "cpu.max", "3000 20000");
}

static void test_v2_refused(void **state)
{
	struct spec_unified slash = { "../x", "1" }, gone = { "misc.max", "1" };
	struct spec_resources r = { .mem_swappiness = { true, 60 } };
	struct cg_node *n = node("v2", "", true);

	file(n, "cgroup.controllers", "cpu memory\n");
	assert_int_equal(cg_write_resources(c, &r, true, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "memory.swappiness"));
	r = (struct spec_resources){ .has_disable_oom_killer = true, .disable_oom_killer = true };
	assert_int_equal(cg_write_resources(c, &r, true, &e), -EOPNOTSUPP);
	r = (struct spec_resources){ .cpu_rt_runtime = { true, 5 } };
	assert_int_equal(cg_write_resources(c, &r, true, &e), -EOPNOTSUPP);
	r = (struct spec_resources){ .unified = &slash, .n_unified = 1 };
	assert_int_equal(cg_write_resources(c, &r, true, &e), -EINVAL);
	r = (struct spec_resources){ .unified = &gone, .n_unified = 1 };
	assert_int_equal(cg_write_resources(c, &r, true, &e), -ENOENT);
	assert_non_null(strstr(e.text, "misc controller"));
}

/* /a/b with everything at the root, nothing handed down yet. */
static struct cg_node *chain(const char *at_root)
{
	struct cg_node *n = node("v2", "", true);
	static const char *const dirs[] = { "", "/a", "/a/b" };
	char path[CG_FILE_MAX];

	for (size_t i = 0; i < 3; i++) {
		struct cg_node level = *n;

		snprintf(path, sizeof(path), "%s%s", n->mount, dirs[i]);
		mkdir(path, 0755);
		level.path = dirs[i];
		file(&level, "cgroup.controllers", i == 0 ? at_root : "");
		file(&level, "cgroup.subtree_control", "");
	}
	n->path = n->join = "/a/b";
	return n;
}

static void test_enable(void **state)
{
	struct cg_node *n = chain("cpuset cpu io memory hugetlb pids rdma\n"), top;

	top = *n;
	top.path = "";
	/* The files below do not follow as the kernel's would, so the second level has nothing to offer. */
	assert_int_equal(cg_v2_enable(c, n, "rdma", &e), -ENOENT);
	has(&top, "cgroup.subtree_control", "+rdma +cpu +memory +pids +io +cpuset +hugetlb");
	assert_int_equal(cg_v2_enable(c, n, "misc", &e), -ENOENT);
	assert_non_null(strstr(e.text, "misc"));
}

static void test_enable_nothing(void **state)
{
	struct cg_node *n = chain("cpu io memory pids\n");

	/* All there already: nothing is written, one file is read. */
	file(n, "cgroup.controllers", "cpu io memory pids\n");
	n->path = "/a/b";
	assert_int_equal(cg_v2_enable(c, n, "memory", &e), 0);
	has(n, "cgroup.subtree_control", "");
}

static void test_enable_rootless(void **state)
{
	struct cg_node *n = chain("pids\n"), level;

	c->rootless = true;
	level = *n;
	level.path = "/a";
	file(&level, "cgroup.controllers", "pids\n");
	file(n, "cgroup.controllers", "");
	assert_true(cg_v2_enable(c, n, "memory", &e) < 0);
	assert_non_null(strstr(e.text, "memory controller"));
}

static void test_state(void **state)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_(cgrp_freep) struct cgrp *d = NULL;
	const struct json *j;
	const char *text;
	size_t len;

	node("memory", "memory", false);
	node("unified", "", true)->join = "/p/sub";
	c->keep = 0;
	c->manager = CGRP_SYSTEMD;
	c->slice = "s.slice";
	c->unit = "u.scope";
	c->rootless = c->user_bus = true;
	json_open_object(w, NULL);
	cgrp_save(c, w);
	json_close_object(w);
	text = json_writer_text(w, &len);
	assert_int_equal(json_parse(a, text, len, "state", &j, &e), 0);
	assert_int_equal(cgrp_load(j, &d, &e), 0);
	assert_int_equal(d->n, 2);
	assert_int_equal(d->keep, 0);
	assert_true(d->rootless && d->user_bus && d->started);
	assert_string_equal(cgrp_scope(d), "u.scope");
	assert_string_equal(cgrp_path(d, "memory"), "/p");
	assert_string_equal(cgrp_path(d, ""), "/p/sub");
	assert_string_equal(cgrp_path(d, "pids"), "");
	assert_true(d->node[1].v2);
	assert_string_equal(d->node[0].mount, c->node[0].mount);
}

static void test_state_bad(void **state)
{
	static const char *const bad[] = {
		"{}", "{\"manager\":\"x\"}", "{\"manager\":\"systemd\"}", "{\"manager\":5}",
		"{\"manager\":\"cgroupfs\",\"hierarchies\":[{}]}",
		"{\"manager\":\"cgroupfs\",\"path\":\"x\",\"hierarchies\":[{\"mount\":\"/m\",\"v2\":\"\"}]}"
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(arena_freep) struct arena *a = arena_new();
		struct cgrp *d = NULL;
		const struct json *j;

		assert_int_equal(json_parse(a, bad[i], strlen(bad[i]), "state", &j, &e), 0);
		assert_true(cgrp_load(j, &d, &e) < 0);
		assert_null(d);
	}
}

static void test_disabled(void **state)
{
	struct cgrp_params p = { .manager = CGRP_DISABLED, .id = "x", .root_tag = "" };
	struct spec_resources r = { .pids_limit = { true, 5 } };
	_cleanup_(cgrp_freep) struct cgrp *d = NULL;
	pid_t *pids;
	size_t n = 5;

	assert_int_equal(cgrp_create(&p, &d, &e), 0);
	assert_int_equal(cgrp_clone_fd(d), -1);
	assert_int_equal(cgrp_join_self(d, &e), 0);
	assert_int_equal(cgrp_pids(d, &pids, &n, &e), 0);
	assert_int_equal(n, 0);
	free(pids);
	assert_int_equal(cgrp_freeze(d, &e), -EOPNOTSUPP);
	assert_int_equal(cgrp_update(d, &r, &e), -EOPNOTSUPP);
	assert_int_equal(cgrp_kill(d, 9, &e), 0);
	assert_int_equal(cgrp_destroy(d, &e), 0);
}

/* The file is opened at one time and read at another, also more than once; what else is in it has no say. */
static void test_oom(void **state)
{
	_cleanup_close_ int v1 = -EBADF, v2 = -EBADF;
	const struct cg_node *n = node("unified", "memory", true);
	char path[CG_FILE_MAX];
	uint64_t count = 7;

	assert_int_equal(cgrp_oom_open(c, &e), -ENOENT);
	assert_non_null(strstr(e.text, "memory.events"));
	file(n, "memory.events", "low 0\nhigh 0\nmax 31\noom 2\noom_kill 0\noom_group_kill 5\n");
	v2 = cgrp_oom_open(c, &e);
	assert_true(v2 >= 0 && (fcntl(v2, F_GETFD) & FD_CLOEXEC));
	assert_int_equal(cgrp_oom_read(v2, &count), 0);
	assert_int_equal(count, 0);
	file(n, "memory.events", "low 0\nhigh 0\nmax 31\noom 2\noom_kill 3\noom_group_kill 5\n");
	assert_int_equal(cgrp_oom_read(v2, &count), 0);
	assert_int_equal(count, 3);
	file(n, "memory.events", "low 0\noom_kill_not 4\noom_kill\n");
	assert_int_equal(cgrp_oom_read(v2, &count), -ENODATA);
	file(n, "memory.events", "oom_kill many\n");
	assert_true(cgrp_oom_read(v2, &count) < 0);
	file(n, "memory.events", "");
	assert_int_equal(cgrp_oom_count(c, &count, &e), -ENODATA);
	assert_int_equal(cgrp_oom_read(-EBADF, &count), -EBADF);
	assert_int_equal(count, 3);

	/* v1's controller is the one that counts, where there is one. */
	n = node("memory", "memory", false);
	file(n, "memory.oom_control", "oom_kill_disable 1\nunder_oom 1\noom_kill 9");
	v1 = cgrp_oom_open(c, &e);
	assert_true(v1 >= 0);
	assert_int_equal(cgrp_oom_read(v1, &count), 0);
	assert_int_equal(count, 9);
	assert_int_equal(cgrp_oom_count(c, &count, &e), 0);
	cg_file(path, n, "memory.oom_control");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/proc/self/status", path), 0);
	assert_int_equal(cgrp_oom_open(c, &e), -ELOOP);
}

/* Only what systemd will remove is watched. */
static void test_empty(void **state)
{
	_cleanup_close_ int fd = -EBADF;
	const struct cg_node *n = node("unified", "memory", true);

	file(n, "cgroup.events", "populated 1\nfrozen 0\n");
	assert_int_equal(cgrp_empty_fd(c, &e), -EOPNOTSUPP);
	c->unit = "p.scope";
	fd = cgrp_empty_fd(c, &e);
	assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	file(n, "cgroup.events", "populated 1\nfrozen 1\n");
	assert_false(cgrp_empty_seen(fd));
	file(n, "cgroup.events", "populated 0\nfrozen 0\n");
	assert_true(cgrp_empty_seen(fd));
	assert_int_equal(cgrp_empty_fd(c, &e), -ESRCH);
	assert_true(cgrp_empty_seen(-EBADF));
}

static void test_oom_without_cgroup(void **state)
{
	uint64_t count = 7;

	node("cpu", "cpu", false);
	assert_int_equal(cgrp_oom_open(c, &e), -EOPNOTSUPP);
	assert_int_equal(cgrp_oom_count(c, &count, &e), -EOPNOTSUPP);
	assert_int_equal(count, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_v1, setup, teardown),
		cmocka_unit_test_setup_teardown(test_neutral, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_v2, setup, teardown),
		cmocka_unit_test_setup_teardown(test_v2_update, setup, teardown),
		cmocka_unit_test_setup_teardown(test_v2_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_enable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_enable_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_enable_rootless, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disabled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_oom, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_oom_without_cgroup, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
