/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bundle in a temporary directory, and its root file system set up for real: for tests that need root and
 * mount namespaces.
 */
#ifndef TESTS_UNIT_NAMESPACES_FIXTURE_H
#define TESTS_UNIT_NAMESPACES_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "namespaces/ns.h"
#include "namespaces/rootfs.h"

#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })

struct fixture {
	char dir[32], rootfs[64], host[64]; /* host: a directory that no partition may ever change */
	struct spec spec;
	struct spec_mount mounts[24];
	struct spec_id_map map[1];
	struct mnt_ctx ctx;
	bool user_ns, terminal, terminal_size;
	char said[2048]; /* what the child found wrong */
};

/* What a check inside answers: NULL for fine, else what is wrong. */
typedef const char *check_fn(struct fixture *f);

static inline void path_in(const struct fixture *f, char buf[128], const char *rest)
{
	snprintf(buf, 128, "%s/%s", f->rootfs, rest);
}

static inline void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline struct spec_mount *add_mount(
	struct fixture *f, const char *type, const char *source, const char *destination, char **options)
{
	struct spec_mount *m = &f->mounts[f->spec.n_mounts++];

	*m = (struct spec_mount){
		.type = type, .source = source, .destination = destination, .options = options
	};
	return m;
}

static inline void drop_mount(struct fixture *f, const char *destination)
{
	size_t n = 0;

	for (size_t i = 0; i < f->spec.n_mounts; i++)
		if (strcmp(f->mounts[i].destination, destination) != 0)
			f->mounts[n++] = f->mounts[i];
	f->spec.n_mounts = n;
}

/* The mounts, masks and read-only paths of a default config.json. */
static inline void default_spec(struct fixture *f)
{
	static char *dev[] = { "nosuid", "strictatime", "mode=755", "size=65536k", NULL };
	static char *pts[] = { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5",
		NULL };
	static char *shm[] = { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k", NULL };
	static char *plain[] = { "nosuid", "noexec", "nodev", NULL };
	static char *readonly[] = { "nosuid", "noexec", "nodev", "ro", NULL };
	static char *masked[] = { "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
		"/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
		NULL };
	static char *readonly_paths[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
		"/proc/sysrq-trigger", NULL };
	struct spec *s = &f->spec;

	s->mounts = f->mounts;
	add_mount(f, "proc", "proc", "/proc", NULL);
	add_mount(f, "tmpfs", "tmpfs", "/dev", dev);
	add_mount(f, "devpts", "devpts", "/dev/pts", pts);
	add_mount(f, "tmpfs", "shm", "/dev/shm", shm);
	add_mount(f, "mqueue", "mqueue", "/dev/mqueue", plain);
	add_mount(f, "sysfs", "sysfs", "/sys", readonly);
	s->masked_paths = masked;
	s->readonly_paths = readonly_paths;
	s->root_readonly = true;
	for (int k = 0; k < SPEC_NS_KINDS; k++)
		s->ns[k].present = k == SPEC_NS_MOUNT || k == SPEC_NS_PID || k == SPEC_NS_IPC ||
				   k == SPEC_NS_UTS || k == SPEC_NS_NETWORK;
}

static inline long fs_type(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) < 0 ? -1 : fs.f_type;
}

static inline unsigned long flags_of(const char *path)
{
	struct statvfs v;

	return statvfs(path, &v) < 0 ? 0 : v.f_flag;
}

static inline int fixture_setup(void **state)
{
	static const char *const dirs[] = { "", "/proc", "/sys", "/dev", "/etc", "/tmp" };
	struct fixture *f = calloc(1, sizeof(*f));
	char path[128];

	if (!f)
		return -1;
	umask(022);
	snprintf(f->dir, sizeof(f->dir), "/tmp/ns-test-XXXXXX");
	if (!mkdtemp(f->dir) || chmod(f->dir, 0755) < 0)
		return -1;
	snprintf(f->rootfs, sizeof(f->rootfs), "%s/rootfs", f->dir);
	snprintf(f->host, sizeof(f->host), "%s/host", f->dir);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", f->rootfs, dirs[i]);
		if (mkdir(path, 0755) < 0)
			return -1;
	}
	if (mkdir(f->host, 0755) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/secret", f->host);
	put_file(path, "secret");
	default_spec(f);
	*state = f;
	return 0;
}

static inline int fixture_remove(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	nftw(f->dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	free(f);
	return 0;
}

/* Nothing may have come to the host's directory. */
static inline void assert_host_untouched(const struct fixture *f)
{
	_cleanup_closedir_ DIR *d = opendir(f->host);
	struct dirent *ent;
	struct stat st;
	char path[400];

	assert_non_null(d);
	while ((ent = readdir(d))) {
		if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0)
			continue;
		if (strcmp(ent->d_name, "secret") != 0)
			fail_msg("%s appeared on the host", ent->d_name);
		snprintf(path, sizeof(path), "%s/%s", f->host, ent->d_name);
		assert_int_equal(lstat(path, &st), 0);
		assert_true(S_ISREG(st.st_mode));
		assert_int_equal(st.st_size, 6);
		assert_int_equal(st.st_uid, 0);
	}
}

static inline void say(int fd, const char *text)
{
	(void)!write(fd, text, strlen(text));
	_exit(1);
}

static inline void fixture_child(struct fixture *f, int go, int out, check_fn *check)
{
	struct spec_process p = { .terminal = f->terminal,
		.user = { .uid = 1000 },
		.has_console_size = true,
		.console_height = 33,
		.console_width = 99 };
	int master = -1, slave = -1;
	struct err e = ERR_INIT;
	const char *wrong;
	char c;

	alarm(60);
	if (read(go, &c, 1) != 1)
		_exit(1);
	if (f->user_ns && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		say(out, "setresuid");
	if (mnt_enter(&f->ctx, &e) < 0 || mnt_mounts(&f->ctx, &e) < 0 || mnt_devices(&f->ctx, &e) < 0)
		say(out, e.text);
	if (f->terminal && mnt_console(&f->ctx, &p, &master, &slave, &e) < 0)
		say(out, e.text);
	if (mnt_pivot(&f->ctx, &e) < 0 || mnt_protect(&f->ctx, &e) < 0)
		say(out, e.text);
	if (slave >= 0 && dup2(slave, 0) < 0)
		say(out, "dup2");
	wrong = check ? check(f) : NULL;
	if (wrong)
		say(out, wrong);
	_exit(0);
}

/*
 * Sets the partition up and runs the check inside. 0, or a negative errno of a step in the parent, or 1:
 * f->said tells what the child did not like. Skips the test where namespaces are not to be had.
 */
static inline int run_inside(struct fixture *f, check_fn *check)
{
	unsigned long flags = ns_new_flags(&f->spec) | (f->user_ns ? CLONE_NEWUSER : 0);
	int go[2], out[2], status, r;
	struct err e = ERR_INIT;
	ssize_t n;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	f->said[0] = '\0';
	f->ctx.spec = &f->spec;
	f->ctx.bundle = f->dir;
	f->ctx.rootfs = f->rootfs;
	f->ctx.user_ns = f->user_ns;
	if (f->user_ns) {
		f->map[0] = (struct spec_id_map){ 0, 100000, 65536 };
		f->spec.uid_map = f->spec.gid_map = f->map;
		f->spec.n_uid_map = f->spec.n_gid_map = 1;
		f->spec.ns[SPEC_NS_USER].present = true;
	}
	r = mnt_init(&f->ctx, &e);
	if (r == 0) {
		r = mnt_open_sources(&f->ctx, -1, &e);
		if (r < 0)
			mnt_free(&f->ctx);
	}
	if (r < 0) {
		snprintf(f->said, sizeof(f->said), "%s", e.text);
		return r;
	}
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		close(go[1]);
		fixture_child(f, go[0], out[1], check);
	}
	close(go[0]);
	close(out[1]);
	if (pid < 0) {
		mnt_free(&f->ctx);
		skip();
	}
	if (f->user_ns)
		assert_int_equal(ns_write_maps(pid, f->map, 1, f->map, 1, false, &e), 0);
	if (mnt_needs_userns(&f->ctx)) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		r = mnt_idmap_sources(&f->ctx, fd, &e);
		close(fd);
	}
	if (r == 0)
		(void)!write(go[1], "x", 1);
	else
		snprintf(f->said, sizeof(f->said), "%s", e.text);
	close(go[1]);
	n = read(out[0], f->said, sizeof(f->said) - 1);
	if (n > 0)
		f->said[n] = '\0';
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	mnt_free(&f->ctx);
	if (r < 0)
		return r;
	if (!WIFEXITED(status))
		fail_msg("the child was killed by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static inline void assert_inside(struct fixture *f, check_fn *check)
{
	if (run_inside(f, check) != 0)
		fail_msg("%s", f->said[0] ? f->said : "the child failed without a word");
}

/* The set-up must fail, and say so. */
static inline void assert_refused(struct fixture *f, const char *text)
{
	if (run_inside(f, NULL) == 0)
		fail_msg("it was not refused");
	if (!strstr(f->said, text))
		fail_msg("refused, but with \"%s\"", f->said);
}

/* For checks: the mountinfo line of a mount point, or NULL. In a static buffer. */
static inline const char *mount_line(const char *at)
{
	static char line[1024];
	FILE *fp = fopen("/proc/self/mountinfo", "re");
	char field[512], found[1024] = "";

	if (!fp)
		return NULL;
	while (fgets(line, sizeof(line), fp))
		if (sscanf(line, "%*s %*s %*s %*s %511s", field) == 1 && strcmp(field, at) == 0)
			memcpy(found, line, sizeof(line));
	fclose(fp);
	memcpy(line, found, sizeof(line));
	return found[0] ? line : NULL;
}

#define CHECK(expr)                                       \
	do {                                              \
		if (!(expr))                              \
			return "not true inside: " #expr; \
	} while (0)

#endif
