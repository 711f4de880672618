/* SPDX-License-Identifier: Apache-2.0 */
/* Masked and read-only paths as the payload finds them, on this kernel and on an old one. Needs root. */
#include <dirent.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>

#include "namespaces_fixture.h"

/* Nothing in it, nothing to be put into it: a directory of the partition's own sysfs, or a tmpfs on a kernel
 * that cannot reach that safely. */
static bool is_mask(const char *path)
{
	struct stat st, sys;
	bool empty = true;
	struct dirent *de;
	DIR *d = opendir(path);

	while (d && (de = readdir(d)))
		empty = empty && de->d_name[0] == '.';
	if (!d || closedir(d) < 0 || !empty)
		return false;
	return (flags_of(path) & ST_RDONLY) && stat(path, &st) == 0 && stat("/sys", &sys) == 0 &&
	       st.st_nlink == 2 && (st.st_dev == sys.st_dev || fs_type(path) == TMPFS_MAGIC);
}

static const char *check_masks(struct fixture *f)
{
	static const char *const files[] = { "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/timer_list", NULL };
	static const char *const dirs[] = { "/proc/acpi", "/proc/scsi", "/sys/firmware", NULL };
	static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
		"/proc/sysrq-trigger", NULL };
	struct stat st, first = { 0 };
	int masked = 0;

	for (int i = 0; files[i]; i++) {
		if (access(files[i], F_OK) < 0)
			continue;
		if (stat(files[i], &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
			return files[i];
		masked++;
	}
	for (int i = 0; dirs[i]; i++) {
		if (access(dirs[i], F_OK) < 0)
			continue;
		if (!is_mask(dirs[i]) || stat(dirs[i], &st) < 0)
			return dirs[i];
		/* One superblock for all of them. */
		if (first.st_dev && first.st_dev != st.st_dev)
			return "masked directories do not share a file system";
		first = st;
		masked++;
	}
	for (int i = 0; readonly[i]; i++)
		if (access(readonly[i], F_OK) == 0 && !(flags_of(readonly[i]) & ST_RDONLY))
			return readonly[i];
	CHECK(masked > 0);
	CHECK(!(flags_of("/proc") & ST_RDONLY));
	CHECK(open("/proc/sys/kernel/hostname", O_WRONLY | O_CLOEXEC) < 0 &&
		(errno == EROFS || errno == EACCES));
	return NULL;
}

static void test_masks(void **state)
{
	assert_inside(*state, check_masks);
}

static void test_masks_in_user_namespace(void **state)
{
	struct fixture *f = *state;

	f->user_ns = true;
	assert_inside(f, check_masks);
}

static const char *check_other_masks(struct fixture *f)
{
	struct stat st;

	CHECK(stat("/etc/hidden", &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(stat("/etc/dir/file", &st) < 0 && is_mask("/etc/dir"));
	CHECK(flags_of("/etc/ro") & ST_RDONLY);
	CHECK(mkdir("/etc/ro/x", 0755) < 0 && errno == EROFS);
	CHECK(mkdir("/etc/rw", 0755) == 0);
	return NULL;
}

/* Outside of /proc and /sys there is nothing held to go by. */
static void test_masks_elsewhere(void **state)
{
	struct fixture *f = *state;
	char path[128];

	path_in(f, path, "etc/hidden");
	put_file(path, "x");
	path_in(f, path, "etc/dir");
	mkdir(path, 0755);
	path_in(f, path, "etc/dir/file");
	put_file(path, "x");
	path_in(f, path, "etc/ro");
	mkdir(path, 0755);
	f->spec.root_readonly = false;
	f->spec.masked_paths = WORDS("/etc/hidden", "/etc/dir", "/etc/missing", "/etc/hidden/below");
	f->spec.readonly_paths = WORDS("/etc/ro", "/etc/missing");
	assert_inside(f, check_other_masks);
}

static const char *check_sysfs_links(struct fixture *f)
{
	CHECK(access("/sys/class/net/lo/address", F_OK) < 0 &&
		access("/sys/devices/virtual/net/lo/address", F_OK) < 0);
	CHECK(access("/sys/class/tty/console/dev", F_OK) < 0);
	CHECK(flags_of("/sys/devices/virtual/mem/null") & ST_RDONLY);
	return NULL;
}

/* Names that are symlinks in sysfs: what they lead to is meant, whether it is the first directory to be
 * masked or a later one. */
static void test_masks_by_symlink(void **state)
{
	struct fixture *f = *state;

	if (access("/sys/class/tty/console/dev", F_OK) < 0 || access("/sys/class/mem/null", F_OK) < 0)
		skip();
	f->spec.masked_paths = WORDS("/sys/class/net/lo", "/sys/class/tty/console");
	f->spec.readonly_paths = WORDS("/sys/class/mem/null");
	assert_inside(f, check_sysfs_links);
}

static const char *check_tmpfs_mask(struct fixture *f)
{
	CHECK(fs_type("/etc/dir") == TMPFS_MAGIC && (flags_of("/etc/dir") & ST_RDONLY));
	CHECK(access("/etc/dir/file", F_OK) < 0);
	return NULL;
}

/* A partition that has no sysfs gets a tmpfs for its masks. */
static void test_masks_without_sysfs(void **state)
{
	struct fixture *f = *state;
	char path[128];

	path_in(f, path, "etc/dir");
	mkdir(path, 0755);
	path_in(f, path, "etc/dir/file");
	put_file(path, "x");
	for (size_t i = 0; i < f->spec.n_mounts; i++)
		if (strcmp(f->spec.mounts[i].destination, "/sys") == 0)
			f->spec.n_mounts = i;
	f->spec.masked_paths = WORDS("/etc/dir");
	f->spec.readonly_paths = NULL;
	assert_inside(f, check_tmpfs_mask);
}

/* --- old kernels ------------------------------------------------------------------------------------------
 */

/* Linux 5.4 as far as we are concerned: neither openat2(2) nor mount_setattr(2). It cannot be taken back. */
static bool become_old(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount_setattr, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	struct sock_fprog prog = { .len = 5, .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

static const char *check_old(struct fixture *f)
{
	const char *wrong = check_masks(f);

	CHECK(flags_of("/") & ST_RDONLY);
	CHECK(flags_of("/etc/h") & ST_RDONLY);
	CHECK(flags_of("/etc/h") & ST_NOEXEC);
	return wrong;
}

static int on_old_kernel(struct fixture *f)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		int r = become_old() ? run_inside(f, check_old) : 77;

		if (r && r != 77)
			fprintf(stderr, "%s\n", f->said);
		_exit(r < 0 ? -r : r);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void test_old_kernel(void **state)
{
	struct fixture *f = *state;
	char path[128];
	int r;

	if (geteuid() != 0)
		skip();
	path_in(f, path, "etc/h");
	mkdir(path, 0755);
	add_mount(f, "bind", f->host, "/etc/h", WORDS("ro", "noexec", "private"));
	r = on_old_kernel(f);
	if (r == 77)
		skip();
	assert_int_equal(r, 0);
	f->user_ns = true;
	assert_int_equal(on_old_kernel(f), 0);
	/* What it cannot do it refuses by name. */
	f->mounts[f->spec.n_mounts - 1].options = WORDS("rbind", "rro");
	assert_int_not_equal(on_old_kernel(f), 0);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_masks),
		TEST(test_masks_in_user_namespace),
		TEST(test_masks_elsewhere),
		TEST(test_masks_without_sysfs),
		TEST(test_masks_by_symlink),
		TEST(test_old_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
