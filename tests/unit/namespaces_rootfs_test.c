/* SPDX-License-Identifier: Apache-2.0 */
/* The root file system as the payload finds it: mounts, flags, devices, terminal. Needs root. */
#include <linux/magic.h>
#include <sys/ioctl.h>

#include "namespaces_fixture.h"

static bool is_device(const char *path, unsigned int major, unsigned int minor, mode_t mode)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(major, minor) &&
	       (st.st_mode & 07777) == mode;
}

static bool is_link(const char *path, const char *target)
{
	char buf[256];
	ssize_t n = readlink(path, buf, sizeof(buf) - 1);

	buf[n < 0 ? 0 : n] = '\0';
	return n > 0 && strcmp(buf, target) == 0;
}

/* --- the default set
 * -------------------------------------------------------------------------------------------------------- */

static const char *check_default(struct fixture *f)
{
	struct stat st, root;

	CHECK(fs_type("/proc") == PROC_SUPER_MAGIC);
	CHECK(fs_type("/sys") == SYSFS_MAGIC && (flags_of("/sys") & ST_RDONLY));
	CHECK(fs_type("/dev") == TMPFS_MAGIC && stat("/dev", &st) == 0 && (st.st_mode & 07777) == 0755);
	CHECK(fs_type("/dev/pts") == DEVPTS_SUPER_MAGIC);
	CHECK(stat("/dev/shm", &st) == 0 && (st.st_mode & 07777) == 01777 &&
		(flags_of("/dev/shm") & ST_NOEXEC));
	CHECK(fs_type("/dev/mqueue") == 0x19800202);
	CHECK(is_device("/dev/null", 1, 3, 0666) && is_device("/dev/zero", 1, 5, 0666) &&
		is_device("/dev/full", 1, 7, 0666));
	CHECK(is_device("/dev/tty", 5, 0, 0666) && is_device("/dev/random", 1, 8, 0666) &&
		is_device("/dev/urandom", 1, 9, 0666));
	CHECK(is_link("/dev/fd", "/proc/self/fd") && is_link("/dev/stdin", "/proc/self/fd/0") &&
		is_link("/dev/ptmx", "pts/ptmx"));
	CHECK(is_link("/dev/stdout", "/proc/self/fd/1") && is_link("/dev/stderr", "/proc/self/fd/2") &&
		is_link("/dev/core", "/proc/kcore"));
	CHECK(mkdir("/new", 0755) < 0 && errno == EROFS);
	CHECK(stat("/", &st) == 0 && stat("/..", &root) == 0 && st.st_ino == root.st_ino);
	CHECK(access(f->dir, F_OK) < 0);
	CHECK(umask(0) == 022);
	return NULL;
}

static void test_default(void **state)
{
	assert_inside(*state, check_default);
	assert_host_untouched(*state);
}

static const char *check_user(struct fixture *f)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat st;

	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	CHECK(stat("/dev/zero", &st) == 0 && st.st_rdev == makedev(1, 5) && mount_line("/dev/zero"));
	CHECK(fs_type("/proc") == PROC_SUPER_MAGIC && fs_type("/sys") == SYSFS_MAGIC);
	CHECK(flags_of("/") & ST_RDONLY);
	return NULL;
}

static void test_user_namespace(void **state)
{
	struct fixture *f = *state;

	f->user_ns = true;
	assert_inside(f, check_user);
}

/* The partition's root has no way to it, so the parent's tree is attached elsewhere. */
static void test_unreachable_rootfs(void **state)
{
	struct fixture *f = *state;

	f->user_ns = true;
	assert_int_equal(chmod(f->dir, 0700), 0);
	assert_inside(f, check_user);
}

static const char *check_shared_net(struct fixture *f)
{
	CHECK(fs_type("/sys") == SYSFS_MAGIC && (flags_of("/sys") & ST_RDONLY));
	CHECK(access("/sys/fs", F_OK) == 0);
	CHECK(mkdir("/sys/fs/cgroup/x", 0755) < 0);
	return NULL;
}

static void test_sysfs_without_network_namespace(void **state)
{
	struct fixture *f = *state;

	f->user_ns = true;
	f->spec.ns[SPEC_NS_NETWORK].present = false;
	assert_inside(f, check_shared_net);
}

/* --- single mounts -------------------------------------------------------------------------------------- */

static const char *check_binds(struct fixture *f)
{
	CHECK(access("/a/secret", R_OK) == 0 && (flags_of("/a") & ST_RDONLY) && (flags_of("/a") & ST_NOSUID));
	CHECK(access("/etc/secret", R_OK) == 0 && !(flags_of("/etc/secret") & ST_RDONLY) &&
		(flags_of("/etc/secret") & ST_NODEV));
	CHECK(access("/deep/er/est/secret", R_OK) == 0);
	CHECK(flags_of("/r") & ST_RDONLY && flags_of("/r/sub") & ST_RDONLY);
	CHECK(strstr(mount_line("/r"), "shared:"));
	CHECK(mount_line("/r/sub"));
	return NULL;
}

static void test_binds(void **state)
{
	struct fixture *f = *state;
	char secret[128], sub[128];

	f->spec.root_readonly = false;
	snprintf(secret, sizeof(secret), "%s/secret", f->host);
	snprintf(sub, sizeof(sub), "%s/vol", f->dir);
	mkdir(sub, 0755);
	snprintf(sub, sizeof(sub), "%s/vol/sub", f->dir);
	mkdir(sub, 0755);
	add_mount(f, NULL, f->host, "/a", WORDS("bind", "ro", "nosuid", "private"));
	add_mount(f, "none", secret, "/etc/secret", WORDS("rbind", "ro", "rw", "nodev", "rprivate"));
	/* Relative to the bundle. */
	add_mount(f, "bind", "host", "/deep/er/est", NULL);
	add_mount(f, "bind", "vol", "/r", WORDS("rbind"));
	add_mount(f, "tmpfs", "t", "/r/sub", NULL);
	add_mount(f, "bind", "vol", "/r", WORDS("rbind", "rprivate", "shared", "rro"));
	add_mount(f, "bind", "host", "/r/sub", WORDS("bind", "ro"));
	assert_inside(f, check_binds);
	assert_host_untouched(f);
}

static const char *check_dangling(struct fixture *f)
{
	struct stat st;

	CHECK(stat("/run/stub/resolv.conf", &st) == 0 && st.st_size == 6 &&
		mount_line("/run/stub/resolv.conf"));
	CHECK(access("/etc/resolv.conf", R_OK) == 0);
	CHECK(access("/var/lib/d/secret", R_OK) == 0 && is_link("/data", "/var/lib/d"));
	return NULL;
}

/* Images have /etc/resolv.conf point to where there is nothing yet. */
static void test_dangling_destinations(void **state)
{
	struct fixture *f = *state;
	char secret[128], path[128];

	f->spec.root_readonly = false;
	snprintf(secret, sizeof(secret), "%s/secret", f->host);
	path_in(f, path, "etc/resolv.conf");
	symlink("../../run/./stub/resolv.conf", path);
	path_in(f, path, "data");
	symlink("/var/lib/d", path);
	path_in(f, path, "var");
	symlink("variable", path);
	add_mount(f, "bind", secret, "/etc/resolv.conf", WORDS("ro"));
	add_mount(f, "bind", f->host, "/data", NULL);
	assert_inside(f, check_dangling);
	assert_host_untouched(f);
}

static const char *check_tmpfs(struct fixture *f)
{
	struct stat st;

	CHECK(stat("/kept", &st) == 0 && (st.st_mode & 07777) == 01731);
	CHECK(stat("/fresh", &st) == 0 && (st.st_mode & 07777) == 01777);
	CHECK(stat("/said", &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(access("/kept/file", F_OK) < 0);
	CHECK(stat("/up/d", &st) == 0 && (st.st_mode & 07777) == 02750 && st.st_mtim.tv_sec == 1000000000);
	CHECK(stat("/up/d/f", &st) == 0 && st.st_uid == 3 && st.st_gid == 4 && st.st_size == 5 &&
		(st.st_mode & 07777) == 04711);
	CHECK(is_link("/up/l", "d/f") && stat("/up/p", &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK((flags_of("/up") & ST_RDONLY) && fs_type("/up") == TMPFS_MAGIC);
	return NULL;
}

static void test_tmpfs(void **state)
{
	const struct timespec times[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	struct fixture *f = *state;
	char path[128];

	f->spec.root_readonly = false;
	path_in(f, path, "kept");
	mkdir(path, 0755);
	path_in(f, path, "kept/file");
	put_file(path, "x");
	path_in(f, path, "kept");
	chmod(path, 01731);
	path_in(f, path, "up");
	mkdir(path, 0755);
	path_in(f, path, "up/d");
	mkdir(path, 0755);
	path_in(f, path, "up/d/f");
	put_file(path, "hello");
	chown(path, 3, 4);
	chmod(path, 04711);
	path_in(f, path, "up/d");
	chmod(path, 02750);
	utimensat(AT_FDCWD, path, times, 0);
	path_in(f, path, "up/l");
	symlink("d/f", path);
	path_in(f, path, "up/p");
	mkfifo(path, 0600);
	add_mount(f, "tmpfs", "t", "/kept", WORDS("nosuid"));
	add_mount(f, "tmpfs", "t", "/fresh", NULL);
	add_mount(f, "tmpfs", "t", "/said", WORDS("mode=700"));
	add_mount(f, "tmpfs", "t", "/up", WORDS("tmpcopyup", "ro"));
	assert_inside(f, check_tmpfs);
}

static const char *check_readonly_dev(struct fixture *f)
{
	CHECK(flags_of("/dev") & ST_RDONLY);
	CHECK(is_device("/dev/null", 1, 3, 0666) && is_link("/dev/fd", "/proc/self/fd"));
	return NULL;
}

static void test_readonly_dev(void **state)
{
	struct fixture *f = *state;

	f->mounts[1].options = WORDS("nosuid", "mode=755", "ro");
	assert_inside(f, check_readonly_dev);
}

static const char *check_remount(struct fixture *f)
{
	CHECK(flags_of("/dev/shm") & ST_RDONLY);
	CHECK((flags_of("/a") & ST_RDONLY) && (flags_of("/a") & ST_NOEXEC));
	return NULL;
}

static void test_remount(void **state)
{
	struct fixture *f = *state;

	f->spec.root_readonly = false;
	add_mount(f, "tmpfs", "shm", "/dev/shm", WORDS("remount", "ro"));
	add_mount(f, "bind", "host", "/a", WORDS("bind", "noexec"));
	add_mount(f, NULL, NULL, "/a", WORDS("remount", "bind", "ro"));
	assert_inside(f, check_remount);
}

/* An image's symlink in the place of what was mounted: not remounted through it. */
static void test_remount_elsewhere(void **state)
{
	struct fixture *f = *state;
	char path[128];

	path_in(f, path, "to-proc");
	assert_int_equal(symlink("/proc", path), 0);
	add_mount(f, NULL, NULL, "/to-proc", WORDS("remount", "bind", "suid", "exec"));
	assert_refused(f, "into /proc");
	path_in(f, path, "to-root");
	assert_int_equal(symlink("/", path), 0);
	f->mounts[f->spec.n_mounts - 1].destination = "/to-root";
	assert_refused(f, "root itself");
}

static const char *check_crun_words(struct fixture *f)
{
	struct stat st;

	CHECK(is_link("/copied", "/nowhere"));
	CHECK(lstat("/on-link", &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 6);
	CHECK(lstat("/etc/pointed-to", &st) == 0 && st.st_size == 1);
	CHECK(lstat("/as-link", &st) == 0 && S_ISLNK(st.st_mode));
	return NULL;
}

static void test_crun_words(void **state)
{
	struct fixture *f = *state;
	char link[128], secret[128], path[128];

	f->spec.root_readonly = false;
	snprintf(link, sizeof(link), "%s/link", f->dir);
	symlink("/nowhere", link);
	snprintf(secret, sizeof(secret), "%s/secret", f->host);
	path_in(f, path, "etc/pointed-to");
	put_file(path, "x");
	path_in(f, path, "on-link");
	symlink("/etc/pointed-to", path);
	add_mount(f, "bind", link, "/copied", WORDS("copy-symlink"));
	add_mount(f, "bind", secret, "/on-link", WORDS("dest-nofollow"));
	add_mount(f, "bind", link, "/as-link", WORDS("src-nofollow"));
	assert_inside(f, check_crun_words);
}

/* --- idmaps --------------------------------------------------------------------------------------------- */

static const char *check_idmap(struct fixture *f)
{
	struct stat st;

	CHECK(stat("/a/secret", &st) == 0 && st.st_uid == 1000 && st.st_gid == 2000);
	CHECK(stat("/b/secret", &st) == 0 && st.st_uid == 1000);
	CHECK(stat("/c/secret", &st) == 0 && st.st_uid == 7 && st.st_gid == 8);
	return NULL;
}

static void test_idmap(void **state)
{
	struct fixture *f = *state;
	struct spec_id_map uid[] = { { 0, 1000, 1 } }, gid[] = { { 0, 2000, 1 } };
	char **words = WORDS("rbind", "ridmap", "ro");

	f->spec.root_readonly = false;
	for (int i = 0; i < 2; i++) {
		struct spec_mount *m = add_mount(f, "bind", f->host, i ? "/b" : "/a", words);

		m->uid_map = uid;
		m->gid_map = gid;
		m->n_uid_map = m->n_gid_map = 1;
	}
	add_mount(f, "bind", f->host, "/c", WORDS("idmap=uids=0-7-1;gids=0-8-1"));
	if (run_inside(f, check_idmap) != 0) {
		if (strstr(f->said, "cannot be idmapped"))
			skip();
		fail_msg("%s", f->said);
	}
}

static const char *check_own_idmap(struct fixture *f)
{
	struct stat st;

	CHECK(stat("/etc/a/secret", &st) == 0 && st.st_uid == 0 && st.st_gid == 0);
	CHECK(stat("/etc/b/secret", &st) == 0 && st.st_uid == 9 && st.st_gid == 10);
	CHECK(stat("/etc/c/secret", &st) == 0 && st.st_uid == 65534);
	return NULL;
}

static void test_idmap_by_own_user_namespace(void **state)
{
	static const char *const dirs[] = { "etc/a", "etc/b", "etc/c" };
	struct fixture *f = *state;
	char path[128];

	for (int i = 0; i < 3; i++) {
		path_in(f, path, dirs[i]);
		mkdir(path, 0755);
	}
	f->user_ns = true;
	add_mount(f, "bind", f->host, "/etc/a", WORDS("idmap"));
	add_mount(f, "bind", f->host, "/etc/b", WORDS("idmap=uids=@0-9-1;gids=@0-10-1"));
	add_mount(f, "bind", f->host, "/etc/c", NULL);
	if (run_inside(f, check_own_idmap) != 0) {
		if (strstr(f->said, "cannot be idmapped"))
			skip();
		fail_msg("%s", f->said);
	}
}

static void test_idmap_refused(void **state)
{
	struct fixture *f = *state;

	add_mount(f, "bind", f->host, "/a", WORDS("idmap"));
	assert_refused(f, "no user namespace to take them from");
	f->spec.n_mounts--;
	add_mount(f, "bind", "/proc", "/a", WORDS("idmap=uids=0-7-1;gids=0-8-1"));
	assert_refused(f, "type proc");
}

/* --- devices and terminal ------------------------------------------------------------------------------- */

static const char *check_devices(struct fixture *f)
{
	struct stat st;

	CHECK(is_device("/dev/net/tun", 10, 200, 0640) && stat("/dev/net/tun", &st) == 0 && st.st_uid == 12 &&
		st.st_gid == 34);
	CHECK(is_device("/opt/null", 1, 3, 0666));
	CHECK(is_device("/dev/null", 1, 3, 0600));
	CHECK(stat("/dev/pipe", &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK(lstat("/dev/disk", &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == makedev(7, 300));
	return NULL;
}

static void test_devices(void **state)
{
	struct fixture *f = *state;
	struct spec_device list[] = {
		{ .path = "/dev/net/tun",
			.type = 'c',
			.major = 10,
			.minor = 200,
			.has_mode = true,
			.mode = 0640,
			.has_uid = true,
			.uid = 12,
			.has_gid = true,
			.gid = 34 },
		{ .path = "/opt/null", .type = 'c', .major = 1, .minor = 3 },
		{ .path = "/dev/null", .type = 'c', .major = 1, .minor = 3, .has_mode = true, .mode = 0600 },
		{ .path = "/dev/pipe", .type = 'p' },
		{ .path = "/dev/disk", .type = 'b', .major = 7, .minor = 300 },
	};

	f->spec.devices = list;
	f->spec.n_devices = 5;
	assert_inside(f, check_devices);
}

static const char *check_terminal(struct fixture *f)
{
	struct winsize size;
	struct stat st, in;
	int fd;

	CHECK(stat("/dev/console", &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == 136 &&
		st.st_uid == 1000);
	CHECK(fstat(0, &in) == 0 && in.st_rdev == st.st_rdev && in.st_dev == st.st_dev);
	CHECK(ioctl(0, TIOCGWINSZ, &size) == 0 && size.ws_row == 33 && size.ws_col == 99);
	fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(fd >= 0 && isatty(fd));
	return NULL;
}

static void test_terminal(void **state)
{
	struct fixture *f = *state;

	f->terminal = true;
	assert_inside(f, check_terminal);
	f->user_ns = true;
	assert_inside(f, check_terminal);
}

static void test_terminal_without_devpts(void **state)
{
	struct fixture *f = *state;

	f->terminal = true;
	drop_mount(f, "/dev/pts");
	assert_inside(f, check_terminal);
}

/* --- the rest ------------------------------------------------------------------------------------------- */

static const char *check_root_propagation(struct fixture *f)
{
	const char *line = mount_line("/");

	switch (f->spec.rootfs_propagation) {
	case SPEC_PROPAGATION_SHARED:
		CHECK(strstr(line, "shared:"));
		break;
	case SPEC_PROPAGATION_UNBINDABLE:
		CHECK(strstr(line, "unbindable"));
		break;
	default:
		CHECK(!strstr(line, "shared:"));
	}
	return NULL;
}

static void test_propagation(void **state)
{
	struct fixture *f = *state;

	for (int p = SPEC_PROPAGATION_UNSET; p <= SPEC_PROPAGATION_UNBINDABLE; p++) {
		f->spec.rootfs_propagation = (enum spec_propagation)p;
		assert_inside(f, check_root_propagation);
	}
}

static const char *check_no_pivot(struct fixture *f)
{
	CHECK(access("/etc", F_OK) == 0 && access(f->dir, F_OK) < 0);
	CHECK(fs_type("/proc") == PROC_SUPER_MAGIC);
	return NULL;
}

static void test_no_pivot(void **state)
{
	struct fixture *f = *state;

	f->ctx.no_pivot = true;
	assert_inside(f, check_no_pivot);
	f->spec.rootfs_propagation = SPEC_PROPAGATION_SHARED;
	assert_refused(f, "--no-pivot");
}

static const char *check_cgroup(struct fixture *f)
{
	CHECK(access("/sys/fs/cgroup/one", F_OK) == 0 && (flags_of("/sys/fs/cgroup/one") & ST_RDONLY));
	CHECK(is_link("/sys/fs/cgroup/cpu", "cpu,cpuacct") &&
		is_link("/sys/fs/cgroup/cpuacct", "cpu,cpuacct"));
	CHECK((flags_of("/sys/fs/cgroup") & ST_RDONLY) && fs_type("/sys/fs/cgroup") == TMPFS_MAGIC);
	CHECK(access("/sys/fs/cgroup/one/inner", F_OK) == 0 && access("/sys/fs/cgroup/one/below", F_OK) < 0);
	return NULL;
}

/* Any directory serves as a hierarchy that is bound. */
static void test_cgroup_binds(void **state)
{
	struct fixture *f = *state;
	char one[128], two[128], below[128], inner[160];
	struct mnt_hierarchy h[] = { { one, "one", "", "/below", false },
		{ two, "cpu,cpuacct", "", "", false } };

	snprintf(one, sizeof(one), "%s/one", f->dir);
	snprintf(two, sizeof(two), "%s/two", f->dir);
	snprintf(below, sizeof(below), "%s/one/below", f->dir);
	snprintf(inner, sizeof(inner), "%s/inner", below);
	mkdir(one, 0755);
	mkdir(two, 0755);
	mkdir(below, 0755);
	mkdir(inner, 0755);
	f->ctx.hierarchies = h;
	f->ctx.n_hierarchies = 2;
	add_mount(f, "cgroup", "cgroup", "/sys/fs/cgroup", WORDS("nosuid", "ro"));
	if (access("/sys/fs/cgroup", F_OK) < 0)
		skip();
	assert_inside(f, check_cgroup);
	h[0].path = "/gone";
	assert_refused(f, "mount source missing");
	f->ctx.n_hierarchies = 0;
	assert_refused(f, "no cgroup hierarchy");
}

static const char *check_live(struct fixture *f)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct spec_mount m = { .type = "tmpfs",
		.source = "t",
		.destination = "/live/a",
		.options = WORDS("nosuid", "size=64k") };
	struct spec_mount bind = { .destination = "/live/f", .options = WORDS("bind", "ro") };
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/etc/file", 1 | O_CLOEXEC);
	static struct err e;

	if (mnt_add(root, &m, -1, &e) < 0 || mnt_add(root, &bind, tree, &e) < 0)
		return e.text;
	CHECK(fs_type("/live/a") == TMPFS_MAGIC && (flags_of("/live/a") & ST_NOSUID));
	CHECK((flags_of("/live/f") & ST_RDONLY) && access("/live/f", R_OK) == 0);
	m.destination = "/proc/x";
	CHECK(mnt_add(root, &m, -1, &e) == -EPERM);
	m.destination = "/to-proc";
	CHECK(mnt_add(root, &m, -1, &e) == -EPERM);
	if (mnt_remove(root, "/live/a", &e) < 0 || mnt_remove(root, "/live/f", &e) < 0)
		return e.text;
	CHECK(!mount_line("/live/a") && !mount_line("/live/f"));
	CHECK(mnt_remove(root, "/live/a", &e) == -EINVAL);
	CHECK(mnt_remove(root, "/proc/sys", &e) == -EPERM && mnt_remove(root, "/", &e) < 0);
	CHECK(mnt_remove(root, "/to-proc/sys", &e) == -EPERM && strstr(e.text, "symlink into /proc"));
	return NULL;
}

static void test_live(void **state)
{
	struct fixture *f = *state;
	char path[128];

	path_in(f, path, "etc/file");
	put_file(path, "x");
	path_in(f, path, "to-proc");
	symlink("/proc", path);
	f->spec.root_readonly = false;
	assert_inside(f, check_live);
}

static void test_errors(void **state)
{
	struct fixture *f = *state;

	add_mount(f, "bind", "/nonexistent/source", "/a", NULL);
	assert_refused(f, "mount source missing: /nonexistent/source");
	/* Engines map these words to "program not found". */
	assert_null(strcasestr(f->said, "no such file or directory"));
	f->mounts[f->spec.n_mounts - 1] = (struct spec_mount){ .destination = "/a", .type = "nosuchfs" };
	assert_refused(f, "\"nosuchfs\"");
	f->mounts[f->spec.n_mounts - 1] = (struct spec_mount){ .destination = "/a" };
	assert_refused(f, "no type");
	f->mounts[f->spec.n_mounts - 1] = (struct spec_mount){
		.destination = "/a", .type = "tmpfs", .options = WORDS("size=x", "private")
	};
	assert_refused(f, "size");
	f->spec.ns[SPEC_NS_MOUNT].present = false;
	assert_refused(f, "mount namespace");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_default),
		TEST(test_user_namespace),
		TEST(test_unreachable_rootfs),
		TEST(test_sysfs_without_network_namespace),
		TEST(test_binds),
		TEST(test_dangling_destinations),
		TEST(test_tmpfs),
		TEST(test_readonly_dev),
		TEST(test_remount),
		TEST(test_remount_elsewhere),
		TEST(test_crun_words),
		TEST(test_idmap),
		TEST(test_idmap_by_own_user_namespace),
		TEST(test_idmap_refused),
		TEST(test_devices),
		TEST(test_terminal),
		TEST(test_terminal_without_devpts),
		TEST(test_propagation),
		TEST(test_no_pivot),
		TEST(test_cgroup_binds),
		TEST(test_live),
		TEST(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
