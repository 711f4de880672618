/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the hierarchies of pure v1, pure v2 and mixed hosts out of their mount tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cgroups/internal.h"

static struct cgrp_hierarchy list[CG_NODES_MAX];

static struct cgrp_host parse(const char *text)
{
	struct cgrp_host h = { .list = list };
	struct err e = ERR_INIT;

	memset(list, 0, sizeof(list));
	assert_int_equal(cg_host_parse(text, &h, &e), 0);
	return h;
}

static void check(const struct cgrp_host *h, size_t i, const char *mount, const char *name,
	const char *controllers, bool v2)
{
	assert_true(i < h->n);
	assert_string_equal(h->list[i].mount_point, mount);
	assert_string_equal(h->list[i].name, name);
	assert_string_equal(h->list[i].controllers, controllers);
	assert_int_equal(h->list[i].v2, v2);
}

static void test_v2(void **state)
{
	struct cgrp_host h = parse(
		"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
		"30 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");

	assert_int_equal(h.mode, CGRP_MODE_V2);
	assert_int_equal(h.n, 1);
	check(&h, 0, "/sys/fs/cgroup", "cgroup", "", true);
}

static void test_v1(void **state)
{
	struct cgrp_host h = parse("30 22 0:26 / /sys/fs/cgroup ro shared:8 - tmpfs tmpfs ro,mode=755\n"
				   "31 30 0:27 / /sys/fs/cgroup/systemd rw shared:9 - cgroup cgroup "
				   "rw,xattr,release_agent=/lib/x,name=systemd\n"
				   "32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 master:1 - cgroup "
				   "cgroup rw,cpu,cpuacct\n"
				   "33 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
				   "34 30 0:29 / /some\\040where/memory rw - cgroup cgroup rw,memory\n");

	assert_int_equal(h.mode, CGRP_MODE_V1);
	assert_int_equal(h.n, 3);
	check(&h, 0, "/sys/fs/cgroup/systemd", "systemd", "name=systemd", false);
	check(&h, 1, "/sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct", "cpu,cpuacct", false);
	check(&h, 2, "/sys/fs/cgroup/memory", "memory", "memory", false);
}

static void test_mixed(void **state)
{
	/* cgroup2 comes last whatever the order; odd mount points are taken as they are. */
	struct cgrp_host h = parse("41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
				   "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
				   "33 31 0:30 / /odd\\040place/blk\\134io rw - cgroup cgroup rw,blkio\n");

	assert_int_equal(h.mode, CGRP_MODE_MIXED);
	assert_int_equal(h.n, 3);
	check(&h, 0, "/sys/fs/cgroup/cpu", "cpu", "cpu", false);
	check(&h, 1, "/odd place/blk\\io", "blk\\io", "blkio", false);
	check(&h, 2, "/sys/fs/cgroup/unified", "unified", "", true);
}

static void test_nothing(void **state)
{
	struct cgrp_host h = parse("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");

	assert_int_equal(h.mode, CGRP_MODE_NONE);
	assert_int_equal(h.n, 0);
	/* Broken lines are no reason to crash. */
	h = parse("x\n - cgroup\n1 2 - cgroup cgroup rw,cpu\n - cgroup2 a b\n\n");
	assert_int_equal(h.n, 0);
	h = parse("");
	assert_int_equal(h.mode, CGRP_MODE_NONE);
}

static void test_dirs(void **state)
{
	struct cgrp_host h = { .list = list };

	memset(list, 0, sizeof(list));
	assert_true(cg_host_add_dir(&h, "/sys/fs/cgroup", "unified"));
	assert_true(cg_host_add_dir(&h, "/sys/fs/cgroup", "net_cls,net_prio"));
	assert_true(cg_host_add_dir(&h, "/sys/fs/cgroup", "systemd"));
	assert_false(cg_host_add_dir(&h, "/sys/fs/cgroup", "something"));
	assert_false(cg_host_add_dir(&h, "/sys/fs/cgroup", "cpu,something"));
	assert_false(cg_host_add_dir(&h, "/sys/fs/cgroup", "cpu,"));
	assert_int_equal(h.n, 3);
	check(&h, 0, "/sys/fs/cgroup/net_cls,net_prio", "net_cls,net_prio", "net_cls,net_prio", false);
	check(&h, 1, "/sys/fs/cgroup/systemd", "systemd", "name=systemd", false);
	check(&h, 2, "/sys/fs/cgroup/unified", "unified", "", true);
}

static void test_path_in(void **state)
{
	static const char text[] = "12:cpuacct,cpu:/a\n"
				   "11:name=systemd:/s/x:y\n"
				   "2:memory:/m\n"
				   "0::/u/v\n";
	struct cgrp_hierarchy h = { .controllers = "cpu,cpuacct" };
	char buf[64], tiny[3];

	assert_int_equal(cg_path_in(text, &h, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "/a");
	snprintf(h.controllers, sizeof(h.controllers), "%s", "name=systemd");
	assert_int_equal(cg_path_in(text, &h, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "/s/x:y");
	snprintf(h.controllers, sizeof(h.controllers), "%s", "pids");
	assert_int_equal(cg_path_in(text, &h, buf, sizeof(buf)), -ENOENT);
	h = (struct cgrp_hierarchy){ .v2 = true };
	assert_int_equal(cg_path_in(text, &h, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "/u/v");
	assert_int_equal(cg_path_in(text, &h, tiny, sizeof(tiny)), -ENAMETOOLONG);
	assert_int_equal(cg_path_in("", &h, buf, sizeof(buf)), -ENOENT);
}

static void test_self(void **state)
{
	const struct cgrp_host *h;
	struct err e = ERR_INIT;
	char path[CG_PATH_MAX];

	assert_int_equal(cgrp_host(&h, &e), 0);
	for (size_t i = 0; i < h->n; i++)
		if (cgrp_path_of(0, &h->list[i], path, sizeof(path), &e) == 0)
			assert_int_equal(path[0], '/');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_v1),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_dirs),
		cmocka_unit_test(test_path_in),
		cmocka_unit_test(test_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
