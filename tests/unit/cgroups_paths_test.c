/* SPDX-License-Identifier: Apache-2.0 */
/* linux.cgroupsPath, slices and units, and the arithmetic between v1 and v2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cgroups/internal.h"

static char buf[CG_PATH_MAX];

static void clean(const char *in, const char *want)
{
	struct err e = ERR_INIT;
	int r = cg_clean(in, buf, sizeof(buf), &e);

	if (!want) {
		assert_true(r < 0);
		assert_non_null(strstr(e.text, "linux.cgroupsPath"));
		return;
	}
	assert_int_equal(r, 0);
	assert_string_equal(buf, want);
}

static void test_clean(void **state)
{
	char long_name[600], long_path[4 * CG_PATH_MAX];

	clean("/a/b", "/a/b");
	clean("//a/./b/", "/a/b");
	clean("a", "/a");
	clean("/a..b/..c", "/a..b/..c");
	clean("/system.slice:docker:abc", "/system.slice:docker:abc");
	clean("/", NULL);
	clean("", NULL);
	clean("/./", NULL);
	clean("/a/../b", NULL);
	clean("..", NULL);
	clean("/a\nb", NULL);
	clean("/a\033[2J", NULL);
	clean("/a\177", NULL);
	memset(long_name, 'x', sizeof(long_name));
	long_name[0] = '/';
	long_name[sizeof(long_name) - 1] = '\0';
	clean(long_name, NULL);
	long_name[256] = '\0';
	clean(long_name, long_name);
	for (size_t i = 0; i + 3 < sizeof(long_path); i += 2)
		memcpy(long_path + i, "/a", 3);
	clean(long_path, NULL);
}

static void fs_path(const char *id, const char *path, const char *tag, const char *own, const char *want)
{
	struct cgrp_params p = { .id = id, .cgroups_path = path, .root_tag = tag };
	struct err e = ERR_INIT;
	int r = cg_fs_path(&p, own, buf, sizeof(buf), &e);

	if (!want) {
		assert_true(r < 0);
		return;
	}
	assert_int_equal(r, 0);
	assert_string_equal(buf, want);
}

static void test_fs_path(void **state)
{
	fs_path("x", NULL, "", "", "/ringfence-x");
	fs_path("x", "", NULL, "", "/ringfence-x");
	fs_path("x", NULL, "1a2b", "", "/ringfence-x@1a2b");
	fs_path("x", "/docker/abc", "1a2b", "/own", "/docker/abc");
	fs_path("x", "rel/abc", "", "", "/ringfence/rel/abc");
	fs_path("x", "rel/abc", "t", "", "/ringfence/t/rel/abc");
	fs_path("x", NULL, "", "/user.slice/a", "/user.slice/a/ringfence-x");
	fs_path("x", NULL, "../../etc", "", NULL);
	fs_path("x", "../x", "", "", NULL);
	/* No id of one root can be an id of another: '@' is in none. */
	fs_path("a-b", NULL, "", "", "/ringfence-a-b");
	fs_path("a", NULL, "b", "", "/ringfence-a@b");
}

static void slice(const char *in, const char *want)
{
	struct err e = ERR_INIT;
	int r = cg_slice_path(in, buf, sizeof(buf), &e);

	if (!want) {
		assert_int_equal(r, -EINVAL);
		return;
	}
	assert_int_equal(r, 0);
	assert_string_equal(buf, want);
}

static void test_slice(void **state)
{
	slice("system.slice", "/system.slice");
	slice("a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice");
	slice("kubepods-besteffort-pod1_2.slice",
		"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice");
	slice("-.slice", "");
	slice(".slice", NULL);
	slice("a", NULL);
	slice("a.service", NULL);
	slice("a--b.slice", NULL);
	slice("-a.slice", NULL);
	slice("a-.slice", NULL);
	slice("a/b.slice", NULL);
	slice("", NULL);
}

static void unit(const char *path, bool rootless, const char *want_slice, const char *want_unit)
{
	struct cgrp_params p = { .id = "c1", .cgroups_path = path, .rootless = rootless };
	char s[CG_PATH_MAX], u[CG_PATH_MAX];
	struct err e = ERR_INIT;
	int r = cg_unit_name(&p, s, u, sizeof(s), &e);

	if (!want_slice) {
		assert_true(r < 0);
		assert_true(e.text[0]);
		return;
	}
	assert_int_equal(r, 0);
	assert_string_equal(s, want_slice);
	assert_string_equal(u, want_unit);
}

static void test_unit(void **state)
{
	unit(NULL, false, "system.slice", "ringfence-c1.scope");
	unit(NULL, true, "user.slice", "ringfence-c1.scope");
	unit("machine.slice:libpod:abc", false, "machine.slice", "libpod-abc.scope");
	unit(":docker:abc", false, "system.slice", "docker-abc.scope");
	unit("a-b.slice::abc", false, "a-b.slice", "abc.scope");
	unit("system.slice:x:my.slice", false, "system.slice", "my.slice");
	unit("/docker/abc", false, NULL, NULL);
	unit("a:b", false, NULL, NULL);
	unit("a:b:c:d", false, NULL, NULL);
	unit("a:b:c", false, NULL, NULL);
	unit("system.slice:x:a/b", false, NULL, NULL);
	unit("system.slice:x:a b", false, NULL, NULL);
	unit("system.slice:x:a\n", false, NULL, NULL);
}

static void test_weights(void **state)
{
	static const struct {
		uint64_t shares, weight;
	} known[] = { { 0, 0 }, { 1, 1 }, { 2, 1 }, { 1024, 100 }, { 262144, 10000 }, { 1000000, 10000 } };
	uint64_t last = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		assert_int_equal(cgrp_shares_to_weight(known[i].shares), known[i].weight);
	for (uint64_t s = 2; s <= 262144; s += 7) {
		uint64_t w = cgrp_shares_to_weight(s);

		assert_in_range(w, 1, 10000);
		assert_true(w >= last);
		last = w;
	}
	assert_int_equal(cgrp_blkio_to_io_weight(0), 0);
	assert_int_equal(cgrp_blkio_to_io_weight(10), 1);
	assert_int_equal(cgrp_blkio_to_io_weight(500), 4950);
	assert_int_equal(cgrp_blkio_to_io_weight(1000), 10000);
}

static void swap(int64_t limit, int64_t total, int want, int64_t value)
{
	struct err e = ERR_INIT;
	int64_t out = 77;

	assert_int_equal(cgrp_swap_max(limit, total, &out, &e), want);
	assert_int_equal(out, want < 0 ? 77 : value);
	assert_int_equal(want < 0, e.code != 0);
}

static void test_swap(void **state)
{
	swap(100, 300, 0, 200);
	swap(100, 100, 0, 0);
	swap(100, -1, 0, -1);
	swap(-1, -1, 0, -1);
	swap(-1, 0, 0, -1);
	swap(0, -1, 0, -1);
	swap(100, 99, -EINVAL, 0);
	swap(0, 100, -EINVAL, 0);
	swap(-1, 100, -EINVAL, 0);
	swap(100, -2, -EINVAL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_fs_path),
		cmocka_unit_test(test_slice),
		cmocka_unit_test(test_unit),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_swap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
