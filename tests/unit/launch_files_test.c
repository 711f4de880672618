/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a bundle: /etc/hosts and its kin, the zone's root, volumes. */
#include "tests/unit/launch_test.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/arena.h"
#include "launch/host.h"
#include "launch/record_internal.h"

static char where[32];
static int dir;

static int setup(void **state)
{
	strncpy(where, "/tmp/launch-files-XXXXXX", sizeof(where) - 1);
	assert_non_null(mkdtemp(where));
	dir = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0;
}

static int teardown(void **state)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", where, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	close(dir);
	return 0;
}

static char *content(const char *path)
{
	char *text = NULL;

	if (fd_read_at(dir, path, 1 << 20, &text, NULL) < 0)
		fail_msg("%s cannot be read", path);
	return text;
}

static void test_etc(void **state)
{
	struct launch_opts o = { .add_hosts = STRV("db:10.0.0.5", "six:fe80::1", "brackets:[::2]") };
	struct launch_record r = { .name = "web", .network = "none", .dns = STRV("192.0.2.1") };
	struct err e = ERR_INIT;

	if (launch_etc_write(dir, &o, &r, NULL, &e) < 0)
		fail_msg("%s", e.text);
	{
		_cleanup_free_ char *hosts = content("etc/hosts"), *name = content("etc/hostname");
		_cleanup_free_ char *resolv = content("etc/resolv.conf");

		assert_true(str_starts(hosts, "127.0.0.1\tlocalhost\n"));
		assert_non_null(strstr(hosts, "\n10.0.0.5\tdb\n"));
		assert_non_null(strstr(hosts, "\nfe80::1\tsix\n"));
		assert_non_null(strstr(hosts, "\n::2\tbrackets\n"));
		assert_non_null(strstr(hosts, "\n127.0.1.1\tweb\n"));
		assert_string_equal(name, "web\n");
		assert_non_null(strstr(resolv, "nameserver 192.0.2.1\n"));
	}
	o.hostname = "box";
	assert_int_equal(launch_etc_write(dir, &o, &r, "10.89.0.7", &e), 0);
	{
		_cleanup_free_ char *hosts = content("etc/hosts"), *name = content("etc/hostname");

		assert_non_null(strstr(hosts, "\n10.89.0.7\tbox\n"));
		assert_null(strstr(hosts, "127.0.1.1"));
		assert_string_equal(name, "box\n");
	}
}

static void test_add_host_refused(void **state)
{
	static const char *const bad[] = { "x", ":1.2.3.4", "x:", "x:1.2.3", "x y:1.2.3.4",
		"x\n1.1.1.1 y:1.2.3.4", "x:1.2.3.4\n", "x:host-gateway", "x:[::1", "" };
	struct launch_record r = { .name = "web", .network = "none" };

	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		struct launch_opts o = { .add_hosts = STRV((char *)bad[k]) };
		struct err e = ERR_INIT;

		assert_int_equal(launch_etc_write(dir, &o, &r, NULL, &e), -EINVAL);
		assert_true(str_starts(e.text, "--add-host"));
	}
}

static void test_zone(void **state)
{
	struct err e = ERR_INIT;
	mode_t before = umask(077);
	struct stat st;
	int root, r;

	assert_int_equal(mkdirat(dir, "host", 0700), 0);
	root = openat(dir, "host", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = launch_host_write(root, &e);
	umask(before);
	if (r == -EOPNOTSUPP) {
		close(root);
		skip();
	}
	if (r < 0)
		fail_msg("%s", e.text);
	assert_int_equal(fstatat(dir, "host", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fstatat(dir, "host/tmp", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 01777);
	assert_int_equal(fstatat(dir, "host/root", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(dir, "host/bin", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(fstatat(dir, "host/etc/passwd", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	/* Nothing that is secret, or the host's identity. */
	assert_int_equal(fstatat(dir, "host/etc/shadow", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(dir, "host/etc/ssl/private", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(dir, "host/etc/machine-id", &st, AT_SYMLINK_NOFOLLOW), -1);
	/* Once more after a crash in the middle. */
	unlinkat(dir, "host/etc/passwd", 0);
	assert_int_equal(launch_host_write(root, &e), 0);
	close(root);
	assert_int_equal(fstatat(dir, "host/etc/passwd", &st, AT_SYMLINK_NOFOLLOW), 0);
}

/* A partition that is being made; its place in the data directory. */
static struct launch_dir new_dir(const char *name)
{
	struct launch_dir d = LAUNCH_DIR_INIT;
	char path[64];

	mkdirat(dir, "data", 0700);
	mkdirat(dir, "data/partitions", 0700);
	snprintf(path, sizeof(path), "data/partitions/%s", name);
	assert_int_equal(mkdirat(dir, path, 0700), 0);
	d.partitions = openat(dir, "data/partitions", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d.fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d.record.name = name;
	return d;
}

/* All zones have one lower directory, for as long as the host is the same; what nobody uses is removed. */
static void test_shared_zone(void **state)
{
	struct launch_dir a = new_dir("a"), b = new_dir("b"), old = new_dir("old");
	_cleanup_(arena_freep) struct arena *arena = arena_new();
	const char *first = NULL, *second = NULL;
	struct err e = ERR_INIT;
	struct launch_ctx ctx = { 0 };
	char data[48];
	int r;

	snprintf(data, sizeof(data), "%s/data", where);
	ctx.data = data;
	/* One of an older host, that is used; one that is not; one that was not finished. */
	assert_int_equal(mkdirat(dir, "data/host", 0700), 0);
	assert_int_equal(mkdirat(dir, "data/host/1111111111111111", 0700), 0);
	assert_int_equal(mkdirat(dir, "data/host/2222222222222222", 0700), 0);
	assert_int_equal(mkdirat(dir, "data/host/.new", 0700), 0);
	assert_int_equal(mkdirat(dir, "data/host/.new/etc", 0700), 0);
	assert_int_equal(symlinkat("../../host/1111111111111111", old.fd, "host"), 0);
	r = launch_host_take(&ctx, &a, arena, &first, &e);
	if (r == -EOPNOTSUPP) {
		launch_dir_close(&a);
		launch_dir_close(&b);
		launch_dir_close(&old);
		skip();
	}
	if (r < 0)
		fail_msg("%s", e.text);
	assert_true(str_starts(first, data));
	assert_true(access(first, F_OK) == 0);
	assert_int_equal(faccessat(a.fd, "host/etc/passwd", F_OK, 0), 0);
	assert_int_equal(faccessat(dir, "data/host/1111111111111111", F_OK, 0), 0);
	assert_int_equal(faccessat(dir, "data/host/2222222222222222", F_OK, 0), -1);
	assert_int_equal(faccessat(dir, "data/host/.new", F_OK, 0), -1);
	/* The next one makes nothing, and sweeps nothing. */
	assert_int_equal(mkdirat(dir, "data/host/3333333333333333", 0700), 0);
	assert_int_equal(launch_host_take(&ctx, &b, arena, &second, &e), 0);
	assert_string_equal(first, second);
	assert_int_equal(faccessat(dir, "data/host/3333333333333333", F_OK, 0), 0);
	/* It cannot be written down twice. */
	assert_int_equal(launch_host_take(&ctx, &b, arena, &second, &e), -EEXIST);
	launch_dir_close(&a);
	launch_dir_close(&b);
	launch_dir_close(&old);
}

static void test_volumes(void **state)
{
	struct launch_record r = { .volumes = STRV("a", "b") };
	struct err e = ERR_INIT;
	struct stat st;

	assert_int_equal(launch_volumes_make(dir, &r, &e), 0);
	assert_int_equal(launch_volumes_make(dir, &r, &e), 0);
	assert_int_equal(fstatat(dir, "b/_data", &st, 0), 0);
	assert_true(S_ISDIR(st.st_mode));
	/* A link in its place is not followed. */
	assert_int_equal(symlinkat("/tmp", dir, "evil"), 0);
	r.volumes = STRV("evil");
	assert_true(launch_volumes_make(dir, &r, &e) < 0);
	assert_true(str_starts(e.text, "volume evil: "));
	r.volumes = NULL;
	assert_int_equal(launch_volumes_make(dir, &r, &e), 0);
}

static void put_at(const char *path, const char *text, mode_t mode)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void assert_content(const char *path, const char *want)
{
	_cleanup_free_ char *text = content(path);

	assert_string_equal(text, want);
}

static bool there(const char *path)
{
	struct stat st;

	return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

#define MOUNT "{'destination':'/srv/db','type':'bind','source':'%s/volumes/v/_data','options':['bind'%s]}"

static int fill(const char *more, struct err *e)
{
	char lower[3][64], text[512], volumes[64], bundle[64];
	struct launch_image i = { .lower = STRV(lower[0], lower[1], lower[2]) };
	struct launch_places at = { .bundle = bundle, .volumes = volumes };
	struct launch_record r = { .volumes = STRV("v") };
	int fd, n;

	for (int k = 0; k < 3; k++)
		snprintf(lower[k], sizeof(lower[k]), "%s/l%d", where, 3 - k);
	snprintf(volumes, sizeof(volumes), "%s/volumes", where);
	snprintf(bundle, sizeof(bundle), "%s/b", where);
	mkdirat(dir, "volumes", 0700);
	fd = openat(dir, "volumes", O_RDONLY | O_DIRECTORY);
	assert_int_equal(launch_volumes_make(fd, &r, e), 0);
	close(fd);
	n = snprintf(text, sizeof(text), "{'ociVersion':'1.2.0','mounts':[" MOUNT "]}", where, more);
	for (char *p = text; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	return launch_volumes_fill(&at, &i, text, (size_t)n, e);
}

static void test_volumes_are_filled(void **state)
{
	static const char *const dirs[] = { "l1", "l2", "l3", "l1/srv", "l1/srv/db", "l1/srv/db/sub",
		"l1/srv/db/gone", "l1/srv/db/opaque", "l2/srv", "l2/srv/db", "l2/srv/db/sub",
		"l2/srv/db/opaque", "l3/other" };
	struct err e = ERR_INIT;
	struct stat st;

	if (geteuid() != 0)
		skip();
	for (size_t k = 0; k < ARRAY_SIZE(dirs); k++)
		assert_int_equal(mkdirat(dir, dirs[k], 0755), 0);
	assert_int_equal(fchownat(dir, "l2/srv/db", 999, 998, 0), 0);
	assert_int_equal(fchmodat(dir, "l2/srv/db", 02750, 0), 0);
	put_at("l1/srv/db/a", "lower", 0644);
	put_at("l2/srv/db/a", "upper", 0640);
	put_at("l1/srv/db/sub/b", "b", 04755);
	put_at("l2/srv/db/sub/c", "c", 0644);
	put_at("l1/srv/db/gone/x", "x", 0644);
	put_at("l1/srv/db/opaque/x", "x", 0644);
	put_at("l1/srv/db/deleted", "x", 0644);
	assert_int_equal(mknodat(dir, "l2/srv/db/gone", S_IFCHR, 0), 0);
	assert_int_equal(mknodat(dir, "l2/srv/db/deleted", S_IFCHR, 0), 0);
	assert_int_equal(mknodat(dir, "l1/srv/db/device", S_IFBLK | 0666, 0x0801), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir, "l1/srv/db/link"), 0);
	{
		char path[64];

		snprintf(path, sizeof(path), "%s/l2/srv/db/opaque", where);
		if (setxattr(path, "trusted.overlay.opaque", "y", 1, 0) < 0)
			skip();
	}
	assert_int_equal(fill(",'nocopy'", &e), 0);
	assert_false(there("volumes/v/_data/a"));
	if (fill("", &e) < 0)
		fail_msg("%s", e.text);
	assert_content("volumes/v/_data/a", "upper");
	assert_content("volumes/v/_data/sub/b", "b");
	assert_content("volumes/v/_data/sub/c", "c");
	assert_false(there("volumes/v/_data/gone"));
	assert_false(there("volumes/v/_data/deleted"));
	assert_false(there("volumes/v/_data/device"));
	assert_true(there("volumes/v/_data/opaque"));
	assert_false(there("volumes/v/_data/opaque/x"));
	assert_false(there("volumes/v/filling"));
	assert_int_equal(fstatat(dir, "volumes/v/_data", &st, 0), 0);
	assert_int_equal(st.st_uid, 999);
	assert_int_equal(st.st_gid, 998);
	assert_int_equal(st.st_mode & 07777, 02750);
	assert_int_equal(fstatat(dir, "volumes/v/_data/sub/b", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_int_equal(fstatat(dir, "volumes/v/_data/link", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	/* What somebody has put there stays, and nothing comes back. */
	assert_int_equal(unlinkat(dir, "volumes/v/_data/sub/b", 0), 0);
	assert_int_equal(fill("", &e), 0);
	assert_false(there("volumes/v/_data/sub/b"));
	/* After a crash in the middle the rest is made up for, and nothing replaced. */
	put_at("volumes/v/filling", "", 0600);
	assert_int_equal(unlinkat(dir, "volumes/v/_data/a", 0), 0);
	put_at("volumes/v/_data/a", "ours", 0600);
	assert_int_equal(fill("", &e), 0);
	assert_content("volumes/v/_data/a", "ours");
	assert_content("volumes/v/_data/sub/b", "b");
	assert_false(there("volumes/v/filling"));
}

/* An image whose directory is a symlink gets nothing of where that leads. */
static void test_volumes_and_links(void **state)
{
	struct err e = ERR_INIT;

	assert_int_equal(mkdirat(dir, "l1", 0755), 0);
	assert_int_equal(mkdirat(dir, "l2", 0755), 0);
	assert_int_equal(mkdirat(dir, "l3", 0755), 0);
	assert_int_equal(symlinkat("/etc", dir, "l1/srv"), 0);
	assert_int_equal(fill("", &e), 0);
	assert_false(there("volumes/v/filling"));
	assert_int_equal(unlinkat(dir, "volumes/v/_data", AT_REMOVEDIR), 0); /* it is empty */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_etc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_host_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared_zone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_volumes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_volumes_are_filled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_volumes_and_links, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
