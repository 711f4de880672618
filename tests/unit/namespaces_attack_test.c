/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks on the set-up of a root file system: hostile images, and a process that exchanges mount points for
 * symlinks while we work. In every case nothing of the host may change. RINGFENCE_RACE_ROUNDS sets how long
 * the races run (default 200 each).
 */
#include <linux/magic.h>
#include <sys/statvfs.h>

#include "namespaces_fixture.h"

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static void replace_by_link(struct fixture *f, const char *name, const char *target)
{
	char path[128];

	path_in(f, path, name);
	if (unlink(path) < 0)
		rmdir(path);
	assert_int_equal(symlink(target, path), 0);
}

/* --- images --------------------------------------------------------------------------------------------- */

/* CVE-2026-41579, CVE-2026-47766: no /dev mount, and /dev of the image leads to the host. */
static void test_dev_is_symlink(void **state)
{
	struct fixture *f = *state;

	replace_by_link(f, "dev", f->host);
	assert_refused(f, "symlink");
	drop_mount(f, "/dev");
	drop_mount(f, "/dev/pts");
	drop_mount(f, "/dev/shm");
	drop_mount(f, "/dev/mqueue");
	f->spec.root_readonly = false;
	assert_refused(f, "symlink");
	f->terminal = true;
	assert_refused(f, "symlink");
	assert_host_untouched(f);
	/* Even one that stays inside. */
	replace_by_link(f, "dev", "tmp");
	assert_refused(f, "symlink");
}

/* CVE-2019-19921, CVE-2023-27561, CVE-2025-54867: /proc and /sys as symlinks to a volume. */
static void test_proc_is_symlink(void **state)
{
	struct fixture *f = *state;

	replace_by_link(f, "proc", "/tmp");
	assert_refused(f, "/proc must be a real directory");
}

static void test_sys_is_symlink(void **state)
{
	struct fixture *f = *state;

	replace_by_link(f, "sys", f->host);
	assert_refused(f, "/sys must be a real directory");
	assert_host_untouched(f);
}

static void test_proc_is_file(void **state)
{
	struct fixture *f = *state;
	char path[128];

	path_in(f, path, "proc");
	rmdir(path);
	put_file(path, "x");
	assert_refused(f, "/proc must be a real directory");
}

static void no_dev_mount(struct fixture *f)
{
	drop_mount(f, "/dev");
	drop_mount(f, "/dev/pts");
	drop_mount(f, "/dev/shm");
	drop_mount(f, "/dev/mqueue");
	f->spec.root_readonly = false;
}

/* CVE-2026-88264, CVE-2026-88265: symlinks in the image's own /dev. */
static void test_console_is_symlink(void **state)
{
	struct fixture *f = *state;
	char target[128];

	no_dev_mount(f);
	f->terminal = true;
	snprintf(target, sizeof(target), "%s/new", f->host);
	replace_by_link(f, "dev/console", target);
	assert_refused(f, "/dev/console");
	snprintf(target, sizeof(target), "%s/secret", f->host);
	replace_by_link(f, "dev/console", target);
	assert_refused(f, "/dev/console");
	assert_host_untouched(f);
}

static void test_null_is_symlink(void **state)
{
	struct spec_device d = {
		.path = "/dev/null", .type = 'c', .major = 1, .minor = 3, .has_uid = true, .uid = 1000
	};
	struct fixture *f = *state;
	char target[128];

	no_dev_mount(f);
	f->spec.devices = &d;
	f->spec.n_devices = 1;
	snprintf(target, sizeof(target), "%s/secret", f->host);
	replace_by_link(f, "dev/null", target);
	assert_refused(f, "/dev/null");
	f->user_ns = true;
	assert_refused(f, "/dev/null");
	assert_host_untouched(f);
}

static void test_null_is_something_else(void **state)
{
	struct fixture *f = *state;
	char path[128];

	no_dev_mount(f);
	path_in(f, path, "dev/null");
	put_file(path, "x");
	assert_refused(f, "something else");
	unlink(path);
	assert_int_equal(mknod(path, S_IFCHR | 0666, makedev(1, 5)), 0);
	assert_refused(f, "something else");
	unlink(path);
	assert_int_equal(mknod(path, S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_inside(f, NULL);
}

static const char *check_ptmx_kept(struct fixture *f)
{
	struct stat st;

	CHECK(lstat("/dev/ptmx", &st) == 0 && S_ISREG(st.st_mode));
	return NULL;
}

/* Nothing of the image's is removed to make room. */
static void test_ptmx_is_kept(void **state)
{
	struct fixture *f = *state;
	char path[128];

	no_dev_mount(f);
	path_in(f, path, "dev/ptmx");
	put_file(path, "x");
	assert_inside(f, check_ptmx_kept);
}

static const char *check_masked_by_null(struct fixture *f)
{
	struct stat st;

	CHECK(stat("/etc/hidden", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	return NULL;
}

/* CVE-2025-31133: the image's /dev/null is bait; masks come from the host's. */
static void test_mask_with_bait(void **state)
{
	struct fixture *f = *state;
	char path[128];

	path_in(f, path, "etc/hidden");
	put_file(path, "x");
	no_dev_mount(f);
	path_in(f, path, "dev/null");
	assert_int_equal(mknod(path, S_IFCHR | 0666, makedev(1, 3)), 0);
	f->spec.masked_paths = WORDS("/etc/hidden");
	assert_inside(f, check_masked_by_null);
}

/* CVE-2019-16884. */
static void test_mounts_over_proc(void **state)
{
	static const char *const below[] = { "/proc/self", "/proc/self/attr", "/proc/sys", "/proc/1",
		"/proc/sysrq-trigger", "/proc/net" };
	struct fixture *f = *state;

	add_mount(f, "tmpfs", "t", "/proc", NULL);
	assert_refused(f, "only a proc file system");
	f->mounts[f->spec.n_mounts - 1] =
		(struct spec_mount){ .destination = "/proc", .source = f->host, .type = "bind" };
	assert_refused(f, "only a proc file system");
	f->mounts[f->spec.n_mounts - 1] =
		(struct spec_mount){ .destination = "/proc", .source = "/proc/self", .type = "bind" };
	assert_refused(f, "only a proc file system");
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		f->mounts[f->spec.n_mounts - 1] =
			(struct spec_mount){ .destination = below[i], .source = f->host, .type = "bind" };
		assert_refused(f, "inside /proc");
		f->mounts[f->spec.n_mounts - 1] =
			(struct spec_mount){ .destination = below[i], .source = "t", .type = "tmpfs" };
		assert_refused(f, "inside /proc");
	}
	f->mounts[f->spec.n_mounts - 1] =
		(struct spec_mount){ .destination = "/", .source = f->host, .type = "bind" };
	assert_refused(f, "destination \"/\"");
}

static const char *check_meminfo(struct fixture *f)
{
	struct stat st;

	CHECK(stat("/proc/meminfo", &st) == 0 && st.st_size == 6);
	return NULL;
}

static void test_mounts_that_proc_may_have(void **state)
{
	struct fixture *f = *state;
	char secret[128];

	snprintf(secret, sizeof(secret), "%s/secret", f->host);
	add_mount(f, "bind", secret, "/proc/meminfo", WORDS("ro"));
	assert_inside(f, check_meminfo);
	f->spec.n_mounts--;
	f->mounts[0] =
		(struct spec_mount){ .destination = "/proc", .source = "/proc", .options = WORDS("rbind") };
	f->spec.ns[SPEC_NS_PID].present = false;
	assert_inside(f, NULL);
}

/* Destinations that become something else through the image's symlinks. */
static void test_destination_symlinks(void **state)
{
	struct fixture *f = *state;

	f->spec.root_readonly = false;
	replace_by_link(f, "to-root", "/");
	replace_by_link(f, "to-proc", "proc");
	replace_by_link(f, "up", "../../../../../../..");
	replace_by_link(f, "to-host", f->host);
	add_mount(f, "tmpfs", "t", "/to-root", NULL);
	assert_refused(f, "root itself");
	f->mounts[f->spec.n_mounts - 1].destination = "/up";
	assert_refused(f, "root itself");
	f->mounts[f->spec.n_mounts - 1].destination = "/to-proc";
	assert_refused(f, "into /proc");
	f->mounts[f->spec.n_mounts - 1].destination = "/to-proc/self/attr";
	assert_refused(f, "into /proc");
	f->mounts[f->spec.n_mounts - 1].destination = "/up/proc/sys";
	assert_refused(f, "into /proc");
	replace_by_link(f, "loop", "/loop");
	f->mounts[f->spec.n_mounts - 1].destination = "/loop/x";
	assert_refused(f, "/loop/x");
	assert_host_untouched(f);
}

static const char *check_inside_only(struct fixture *f)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/new/er/secret", f->host);
	CHECK(access(path, F_OK) == 0);
	return NULL;
}

/* An absolute symlink means the path in the image. */
static void test_destination_symlink_stays_inside(void **state)
{
	struct fixture *f = *state;
	char path[300];

	f->spec.root_readonly = false;
	replace_by_link(f, "to-host", f->host);
	add_mount(f, "bind", f->host, "/to-host/new/er", NULL);
	/* Where it does not exist it is made, inside. */
	assert_inside(f, check_inside_only);
	assert_host_untouched(f);
	snprintf(path, sizeof(path), "%s%s/new", f->rootfs, f->host);
	assert_int_equal(access(path, F_OK), 0);
	/* And where it does it is used. */
	assert_inside(f, check_inside_only);
	assert_host_untouched(f);
}

/* CVE-2025-52565: what is called /dev/pts/ptmx is a FIFO or a plain file. */
static void test_fake_devpts(void **state)
{
	struct fixture *f = *state;
	char path[128];

	f->terminal = true;
	drop_mount(f, "/dev/pts");
	snprintf(path, sizeof(path), "%s/pts", f->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	add_mount(f, "bind", "pts", "/dev/pts", NULL);
	assert_refused(f, "/dev/pts/ptmx");
	snprintf(path, sizeof(path), "%s/pts/ptmx", f->dir);
	assert_int_equal(mkfifo(path, 0666), 0);
	assert_refused(f, "no terminal multiplexer");
	unlink(path);
	assert_int_equal(mknod(path, S_IFCHR | 0666, makedev(5, 2)), 0);
	assert_refused(f, "no terminal multiplexer");
	unlink(path);
	assert_int_equal(symlink("/dev/ptmx", path), 0);
	assert_refused(f, "/dev/pts/ptmx");
}

/* --- races ---------------------------------------------------------------------------------------------- */

static int rounds(void)
{
	const char *text = getenv("RINGFENCE_RACE_ROUNDS");
	int n = text ? (int)strtol(text, NULL, 10) : 0;

	return n > 0 ? n : 200;
}

/* Exchanges two names without end. */
static pid_t start_racer(const char *a, const char *b)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		for (;;)
			syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
	}
	assert_true(pid > 0);
	return pid;
}

static void stop_racer(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/*
 * In a mount namespace where everything is shared, so that a mount that went astray would show: the host's
 * table of mounts must be the same before and after. Both outcomes of a round are fine, success inside and
 * refusal.
 */
static char *mount_table(void)
{
	char *text = NULL;

	assert_int_equal(fd_read_at(AT_FDCWD, "/proc/self/mountinfo", 1 << 24, &text, NULL), 0);
	return text;
}

static void race(struct fixture *f, const char *name, const char *target)
{
	_cleanup_free_ char *before = NULL, *after = NULL;
	int fine = 0, refused = 0;
	char a[128], b[128];
	pid_t racer;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL) < 0)
		skip();
	path_in(f, a, name);
	path_in(f, b, "racing-link");
	assert_int_equal(symlink(target, b), 0);
	before = mount_table();
	racer = start_racer(a, b);
	for (int i = 0; i < rounds(); i++) {
		int r = run_inside(f, NULL);

		fine += r == 0;
		refused += r != 0;
	}
	stop_racer(racer);
	after = mount_table();
	assert_string_equal(before, after);
	assert_host_untouched(f);
	print_message("             %d set up, %d refused\n", fine, refused);
}

/* CVE-2021-30465, CVE-2024-45310: the parent of a mount's destination. */
static void race_destination(struct fixture *f)
{
	char path[128];
	static char secret[128];

	snprintf(secret, sizeof(secret), "%s/secret", f->host);
	path_in(f, path, "vol");
	assert_int_equal(mkdir(path, 0755), 0);
	f->spec.root_readonly = false;
	add_mount(f, "bind", "/etc", "/vol/new/dir", NULL);
	add_mount(f, "bind", secret, "/vol/file", NULL);
	add_mount(f, "tmpfs", "t", "/vol/tmp", NULL);
	race(f, "vol", f->host);
}

static void test_race_destination(void **state)
{
	race_destination(*state);
}

static void test_race_destination_shared(void **state)
{
	struct fixture *f = *state;

	f->spec.rootfs_propagation = SPEC_PROPAGATION_SHARED;
	race_destination(f);
}

static void test_race_destination_relative(void **state)
{
	struct fixture *f = *state;
	char path[128];

	path_in(f, path, "vol");
	assert_int_equal(mkdir(path, 0755), 0);
	f->spec.root_readonly = false;
	add_mount(f, "tmpfs", "t", "/vol/tmp/a/b", NULL);
	race(f, "vol", "../host");
}

static void test_race_proc(void **state)
{
	race(*state, "proc", "/tmp");
}

static void test_race_dev(void **state)
{
	struct fixture *f = *state;

	f->terminal = true;
	race(f, "dev", f->host);
}

/* Without a mount there the directory is used for long. */
static void test_race_dev_of_image(void **state)
{
	struct fixture *f = *state;

	no_dev_mount(f);
	f->terminal = true;
	race(f, "dev", f->host);
}

static void test_race_console(void **state)
{
	static char target[128];
	struct fixture *f = *state;
	char path[128];

	no_dev_mount(f);
	f->terminal = true;
	path_in(f, path, "dev/console");
	put_file(path, "");
	snprintf(target, sizeof(target), "%s/secret", f->host);
	race(f, "dev/console", target);
}

static void test_race_masked(void **state)
{
	struct fixture *f = *state;
	char path[128];

	path_in(f, path, "vol");
	mkdir(path, 0755);
	path_in(f, path, "vol/secret");
	put_file(path, "x");
	f->spec.masked_paths = WORDS("/vol/secret");
	f->spec.readonly_paths = WORDS("/vol");
	race(f, "vol", f->host);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_dev_is_symlink),
		TEST(test_proc_is_symlink),
		TEST(test_sys_is_symlink),
		TEST(test_proc_is_file),
		TEST(test_console_is_symlink),
		TEST(test_null_is_symlink),
		TEST(test_null_is_something_else),
		TEST(test_ptmx_is_kept),
		TEST(test_mask_with_bait),
		TEST(test_mounts_over_proc),
		TEST(test_mounts_that_proc_may_have),
		TEST(test_destination_symlinks),
		TEST(test_destination_symlink_stays_inside),
		TEST(test_fake_devpts),
		TEST(test_race_destination),
		TEST(test_race_destination_shared),
		TEST(test_race_destination_relative),
		TEST(test_race_proc),
		TEST(test_race_dev),
		TEST(test_race_dev_of_image),
		TEST(test_race_console),
		TEST(test_race_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
