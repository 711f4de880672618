/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox/disk.c: what config.json says of disks; what is no disk is not opened. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "sandbox/disk.h"
#include "sandbox/root.h"
#include "sandbox/share.h"

#define R SPEC_DEV_READ
#define W SPEC_DEV_WRITE
#define M SPEC_DEV_MKNOD

static void test_types(void **state)
{
	(void)state;
	assert_true(vm_disk_is_type("ext4"));
	assert_true(vm_disk_is_type("erofs"));
	assert_false(vm_disk_is_type("tmpfs"));
	assert_false(vm_disk_is_type("overlay"));
	assert_false(vm_disk_is_type("bind"));
	assert_false(vm_disk_is_type("9p"));
	assert_false(vm_disk_is_type(NULL));
}

static void test_access(void **state)
{
	/* In the order of a usual config: nothing, then some. */
	const struct spec_dev_rule rules[] = {
		{ .allow = false, .type = 'a', .major = -1, .minor = -1, .access = R | W | M },
		{ .allow = true, .type = 'c', .major = 7, .minor = -1, .access = R | W | M },
		{ .allow = true, .type = 'b', .major = 7, .minor = -1, .access = R },
		{ .allow = true, .type = 'b', .major = 7, .minor = 1, .access = W },
		{ .allow = false, .type = 'b', .major = 7, .minor = 2 },
	};
	const size_t n = ARRAY_SIZE(rules);

	(void)state;
	assert_int_equal(vm_disk_access(NULL, 0, makedev(7, 0)), R | W | M);
	assert_int_equal(vm_disk_access(rules, n, makedev(7, 0)), R);
	assert_int_equal(vm_disk_access(rules, n, makedev(7, 1)), R | W);
	assert_int_equal(vm_disk_access(rules, n, makedev(7, 2)), 0);
	assert_int_equal(vm_disk_access(rules, n, makedev(8, 0)), 0);
	assert_int_equal(vm_disk_access(rules, 1, makedev(8, 0)), 0);
	assert_int_equal(vm_disk_access(rules + 1, n - 1, makedev(8, 0)), R | W | M);
}

/* A pod's machine is there already. */
static void test_member(void **state)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	char *bind[] = { (char *)"bind", NULL }, *none[] = { NULL };
	struct spec_mount mounts[] = { { .destination = "/proc", .type = "proc", .options = none },
		{ .destination = "/bound", .type = "ext4", .source = "/srv", .options = bind },
		{ .destination = "/data", .type = "ext4", .source = "/image", .options = none } };
	const struct vm_share node[] = { { .mount = 1, .kind = VM_SHARE_DISK } };
	struct spec_device devices[] = { { .path = "/dev/null", .type = 'c' },
		{ .path = "/dev/x", .type = 'b' } };
	struct spec s = { .mounts = mounts, .n_mounts = 2, .devices = devices, .n_devices = 1 };
	struct rt_partition p = { .spec = &s, .arena = a };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(vm_disks_none(&p, NULL, 0, &e), 0);
	assert_int_equal(vm_disks_none(&p, node, 1, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "/bound"));
	s.n_mounts = 3;
	assert_int_equal(vm_disks_none(&p, NULL, 0, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "/data"));
	s.n_mounts = 2;
	s.n_devices = 2;
	assert_int_equal(vm_disks_none(&p, NULL, 0, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "/dev/x"));
}

/* --- opened ----------------------------------------------------------------------------------------------
 */

static char dir[] = "/tmp/disk-test.XXXXXX";

static int open_disks(
	const char *source, const char *option, struct vm_disk_ask **list, size_t *n, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	static struct vm_disk_ask copy[VM_DISKS_MAX];
	char path[200];
	char *options[] = { (char *)option, NULL };
	struct spec_mount mounts[] = { { .destination = "/proc", .type = "proc", .source = "proc" },
		{ .destination = "/data", .type = "ext4", .source = path, .options = options } };
	struct spec s = { .mounts = mounts, .n_mounts = 2 };
	struct rt_partition p = { .spec = &s, .arena = a };
	struct vm_root root = { .scratch = -EBADF };
	int r;

	*e = (struct err)ERR_INIT;
	snprintf(path, sizeof(path), "%s%s%s", *source == '/' ? "" : dir, *source == '/' ? "" : "/", source);
	r = vm_disks_open(&p, &root, NULL, 0, list, n, e);
	if (r == 0) {
		memcpy(copy, *list, *n * sizeof(**list));
		*list = copy;
	}
	return r;
}

static void make(const char *name, size_t size)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static void test_images(void **state)
{
	struct vm_disk_ask *list, *other, first;
	struct err e;
	size_t n;

	(void)state;
	make("image", 4096);
	assert_int_equal(open_disks("image", "ro", &list, &n, &e), 0);
	assert_int_equal(n, 1);
	first = list[0];
	assert_true(first.readonly && first.volume);
	assert_int_equal(first.mount, 1);
	assert_int_equal(first.device, -1);
	assert_int_equal(fcntl(first.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	/* Readers share it; a writer does not. */
	assert_int_equal(open_disks("image", "rw", &other, &n, &e), -EBUSY);
	assert_int_equal(open_disks("image", "ro", &other, &n, &e), 0);
	vm_disks_close(other, n);
	close(first.fd);
	assert_int_equal(open_disks("image", "rw", &list, &n, &e), 0);
	first = list[0];
	assert_int_equal(fcntl(first.fd, F_GETFL) & O_ACCMODE, O_RDWR);
	assert_int_equal(open_disks("image", "ro", &other, &n, &e), -EBUSY);
	assert_int_equal(open_disks("image", "rw", &other, &n, &e), -EBUSY);
	close(first.fd);
}

static void test_no_images(void **state)
{
	static const struct {
		const char *name, *says;
		int code;
	} bad[] = { { "link", "symlink", -ELOOP }, { "fifo", "FIFO", -EINVAL },
		{ "short", "511 bytes", -EINVAL }, { ".", "directory", -EINVAL },
		{ "none", "No such file", -ENOENT }, { "/dev/null", "another kind", -EINVAL } };
	struct vm_disk_ask *list;
	char path[200];
	struct err e;
	size_t n;
	int next;

	(void)state;
	make("short", 511);
	snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(symlink("image", path), 0);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	next = dup(0);
	close(next);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(open_disks(bad[i].name, "rw", &list, &n, &e), bad[i].code);
		assert_non_null(strstr(e.text, bad[i].says));
		assert_non_null(strstr(e.text, "/data"));
	}
	/* Nothing has stayed open. */
	assert_int_equal(dup(0), next);
	close(next);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "image", "short", "link", "fifo" };
	char path[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_member),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_no_images),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
