/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdt.c on a tmpfs that plays resctrl: fstatfs(2) is made to say so, mkdirat(2) to fill a new group with its
 * files and unlinkat(2) to empty one first, as the kernel does; and each write of a value is noted.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/rdt.h"

#define TOP "/sys/fs/resctrl"
/* As Linux shows them: names padded in front, masks with zeros, percentages with blanks. */
#define FRESH "    L3:0=0fff;1=0fff\n    MB:0=100;1=100\n"

int __real_fstatfs(int fd, struct statfs *fs);
int __wrap_fstatfs(int fd, struct statfs *fs);
int __real_mkdirat(int dir, const char *name, mode_t mode);
int __wrap_mkdirat(int dir, const char *name, mode_t mode);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_fd_put_at(int dir, const char *path, const char *value);

static bool mounted;
static int refuse_mkdir;   /* an errno */
static const char *refuse; /* a value that the kernel does not take */
static char puts_[1024];   /* "FILE<VALUE|" for each write so far */

/* Where a group is, below the mount point. */
static const char *place(int dir, const char *name, char buf[512])
{
	char at[256], via[FD_PATH_MAX];
	ssize_t n = readlink(fd_path(via, dir), at, sizeof(at) - 1);

	if (n < (ssize_t)strlen(TOP))
		abort();
	at[n] = '\0';
	snprintf(buf, 512, "%s/%s", at, name);
	if (!str_starts(buf, TOP "/"))
		abort();
	return buf + strlen(TOP "/");
}

int __wrap_fd_put_at(int dir, const char *path, const char *value)
{
	char buf[512];
	size_t used = strlen(puts_);

	snprintf(puts_ + used, sizeof(puts_) - used, "%s<%s|", place(dir, path, buf), value);
	return refuse && strstr(value, refuse) ? -EINVAL : 0;
}

int __wrap_fstatfs(int fd, struct statfs *fs)
{
	int r = __real_fstatfs(fd, fs);

	if (r == 0 && mounted)
		fs->f_type = 0x7655821;
	return r;
}

static void file_at(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

int __wrap_mkdirat(int dir, const char *name, mode_t mode)
{
	int r, fd;

	if (refuse_mkdir) {
		errno = refuse_mkdir;
		return -1;
	}
	r = __real_mkdirat(dir, name, mode);
	if (r < 0)
		return r;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file_at(fd, "schemata", FRESH);
	file_at(fd, "tasks", "");
	__real_mkdirat(fd, "mon_groups", 0755);
	close(fd);
	return 0;
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
	char path[512];

	if (!(flags & AT_REMOVEDIR))
		return __real_unlinkat(dir, name, flags);
	if (faccessat(dir, name, F_OK, 0) < 0)
		return -1;
	place(dir, name, path);
	if (fork() == 0) {
		execl("/bin/rm", "rm", "-rf", path, NULL);
		_exit(1);
	}
	wait(NULL);
	return 0;
}

/* --- what there is ---------------------------------------------------------------------------------- */

static bool exists(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), TOP "/%s", name);
	return access(path, F_OK) == 0;
}

static void group(const char *name, const char *schemata, const char *tasks)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TOP "/%s", name);
	mkdir(path, 0755);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file_at(fd, "schemata", schemata);
	file_at(fd, "tasks", tasks);
	__real_mkdirat(fd, "mon_groups", 0755);
	close(fd);
}

static int setup(void **state)
{
	/* Once for the whole program: what it mounts is seen by nobody else. */
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", "/sys/fs", "tmpfs", 0, NULL) < 0 || mkdir(TOP, 0755) < 0 ||
		mkdir(TOP "/info", 0755) < 0)
		return 0;
	group(".", FRESH, "1\n");
	mounted = true;
	return 0;
}

/* One partition "c1" with process 4711, and a config's section. */
struct fixture {
	struct spec s;
	struct rt_partition p;
	struct err e;
};

static struct fixture *fresh(struct spec_intel_rdt rdt)
{
	static struct fixture f;

	if (!mounted)
		skip();
	arena_free(f.p.arena);
	f = (struct fixture){
		.s.intel_rdt = rdt, .p = { .arena = arena_new(), .id = "c1", .pid = 4711 }, .e = ERR_INIT
	};
	f.s.intel_rdt.present = true;
	f.p.spec = &f.s;
	puts_[0] = '\0';
	refuse = NULL;
	refuse_mkdir = 0;
	return &f;
}

static void applied(struct fixture *f)
{
	if (rdt_check(&f->s, &f->e) < 0 || rdt_apply(&f->s, &f->p, &f->e) < 0)
		fail_msg("%s", f->e.text);
}

static void refused(struct fixture *f, int code, const char *text)
{
	assert_int_equal(rdt_apply(&f->s, &f->p, &f->e), code);
	assert_string_equal(f->e.text, text);
	assert_null(f->p.intel_rdt);
}

/* --- tests ------------------------------------------------------------------------------------------ */

static void not_there(void **state)
{
	struct fixture *f = fresh((struct spec_intel_rdt){ .clos_id = "x" });

	mounted = false;
	assert_int_equal(rdt_check(&f->s, &f->e), -EOPNOTSUPP);
	assert_non_null(strstr(f->e.text, "linux.intelRdt: resctrl is not mounted on /sys/fs/resctrl"));
	f->s.intel_rdt.present = false;
	assert_int_equal(rdt_check(&f->s, &f->e), 0);
	assert_int_equal(rdt_apply(&f->s, &f->p, &f->e), 0);
	mounted = true;
}

static void a_group_of_its_own(void **state)
{
	struct fixture *f = fresh((struct spec_intel_rdt){ .l3_cache_schema = "L3:0=f;1=f0\nMB:0=5",
		.mem_bw_schema = "MB:0=20;1=70",
		.schemata = (char *[]){ "L2:0=3", "L3:0=1", NULL } });

	applied(f);
	/* The older fields at once, what the first says of bandwidth left out; schemata last; then the pid.
	 */
	assert_string_equal(puts_, "c1/schemata<L3:0=f;1=f0\nMB:0=20;1=70\n|"
				   "c1/schemata<L2:0=3\nL3:0=1\n|"
				   "c1/tasks<4711|");
	assert_string_equal(f->p.intel_rdt, "c1");
	assert_true(exists("c1"));
	rdt_remove(&f->p, &f->e);
	assert_false(exists("c1"));
	/* Gone already is no error. */
	rdt_remove(&f->p, &f->e);
	assert_int_equal(f->e.code, 0);
}

static void without_a_schema_nothing_is_written(void **state)
{
	struct fixture *f = fresh((struct spec_intel_rdt){ .enable_monitoring = true });

	applied(f);
	assert_string_equal(puts_, "c1/tasks<4711|c1/mon_groups/c1/tasks<4711|");
	assert_string_equal(f->p.intel_rdt, "c1");
	rdt_remove(&f->p, NULL);
	assert_false(exists("c1"));
}

static void left_over_or_in_use(void **state)
{
	struct fixture *f = fresh((struct spec_intel_rdt){ .mem_bw_schema = "MB:0=20" });

	/* Of a partition that crashed: taken over. */
	group("c1", FRESH, "");
	applied(f);
	assert_string_equal(puts_, "c1/schemata<MB:0=20\n|c1/tasks<4711|");
	rdt_remove(&f->p, NULL);
	assert_false(exists("c1"));
	/* Of somebody who lives: not. */
	group("c1", FRESH, "12\n");
	f = fresh((struct spec_intel_rdt){ .mem_bw_schema = "MB:0=20" });
	refused(f, -EEXIST, "linux.intelRdt: the group c1 exists and is in use; give a closID to share it");
	assert_string_equal(puts_, "");
	assert_true(exists("c1"));
	/* It went meanwhile: the remains are taken over. */
	group("c1", FRESH, "");
	f = fresh((struct spec_intel_rdt){ 0 });
	applied(f);
	rdt_remove(&f->p, NULL);
}

static void a_named_group(void **state)
{
	struct fixture *f = fresh((struct spec_intel_rdt){ .clos_id = "gold", .l3_cache_schema = "L3:0=f" });

	/* Made, and not removed with the partition. */
	applied(f);
	assert_string_equal(puts_, "gold/schemata<L3:0=f\n|gold/tasks<4711|");
	assert_null(f->p.intel_rdt);
	rdt_remove(&f->p, NULL);
	assert_true(exists("gold"));
	/* Found, with what is wanted: joined, and not written to. */
	group("gold", "    L3:0=000f;1=0fff\n    MB:0=100;1=100\n", "12\n");
	f = fresh((struct spec_intel_rdt){ .clos_id = "gold", .l3_cache_schema = "L3:0=f" });
	applied(f);
	assert_string_equal(puts_, "gold/tasks<4711|");
	/* The same without a schema. */
	f = fresh((struct spec_intel_rdt){ .clos_id = "gold" });
	applied(f);
	assert_string_equal(puts_, "gold/tasks<4711|");
	/* There is none, and nothing to make it with. */
	f = fresh((struct spec_intel_rdt){ .clos_id = "silver" });
	refused(f, -ENOENT,
		"linux.intelRdt.closID \"silver\": there is no such group, and no schema to make it with");
	assert_false(exists("silver"));
	/* The root group. */
	f = fresh((struct spec_intel_rdt){ .clos_id = "/", .enable_monitoring = true });
	applied(f);
	assert_string_equal(puts_, "tasks<4711|mon_groups/c1/tasks<4711|");
	assert_string_equal(f->p.intel_rdt, "./mon_groups/c1");
	rdt_remove(&f->p, NULL);
	assert_false(exists("mon_groups/c1"));
	assert_true(exists("mon_groups"));
}

static void schemas_are_compared(void **state)
{
	static const struct {
		const char *l3, *mb,
			*other; /* the line of l3, mb or schemata that differs: the last one given */
		bool same;
	} all[] = {
		{ "L3:0=7f0;1=1f", "MB:0=20;1=70", NULL, true },
		{ "L3:1=1f;0=7f0", NULL, NULL, true },
		{ "L3:0=7F0", NULL, NULL, true },
		{ " L3:0=07f0 ; 1=0001f\nMB:0=99", NULL, NULL, true },
		{ "L3:0=7f", NULL, NULL, false },
		{ "L3:0=7f00", NULL, NULL, false },
		{ "L3:2=1f", NULL, NULL, false },
		{ "L3:0=7f0;1=1e", NULL, NULL, false },
		{ "L3CODE:0=7f0", NULL, NULL, false },
		{ "L3:0", NULL, NULL, false },
		{ NULL, "MB:0=20", NULL, true },
		{ NULL, "MB:0= 20;1=  70", NULL, true },
		{ NULL, "MB:0=2", NULL, false },
		{ NULL, "MB:0=200", NULL, false },
		{ NULL, NULL, "L2:0=f", true },
		{ NULL, NULL, "L2:0=e", false },
		{ NULL, NULL, "nonsense", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct fixture *f = fresh((struct spec_intel_rdt){ .clos_id = "gold",
			.l3_cache_schema = all[i].l3,
			.mem_bw_schema = all[i].mb,
			.schemata = all[i].other ? (char *[]){ (char *)all[i].other, NULL } : NULL });
		int r;

		group("gold", "    L3:0=7f0;1=01f\n    L2:0=0f;1=ff\n    MB:0= 20;1= 70\n", "12\n");
		r = rdt_apply(&f->s, &f->p, &f->e);
		if (r != (all[i].same ? 0 : -EEXIST))
			fail_msg("pair %zu: %d", i, r);
		assert_string_equal(puts_, all[i].same ? "gold/tasks<4711|" : "");
	}
	assert_int_equal(fresh((struct spec_intel_rdt){ 0 })->e.code, 0);
}

static void failures_leave_nothing(void **state)
{
	struct fixture *f = fresh((struct spec_intel_rdt){ .clos_id = "new", .mem_bw_schema = "MB:0=1" });
	int dir = open(TOP "/info", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* In the kernel's words. */
	file_at(dir, "last_cmd_status", "MB value 1 out of range [10,100]\n");
	refuse = "MB:";
	refused(f, -EINVAL,
		"linux.intelRdt: write \"MB:0=1\" to the schemata of group new: Invalid argument; MB value 1 "
		"out of range [10,100]");
	assert_false(exists("new"));
	unlinkat(dir, "last_cmd_status", 0);
	close(dir);
	f = fresh((struct spec_intel_rdt){ .mem_bw_schema = "MB:0=1" });
	refuse = "MB:";
	refused(f, -EINVAL, "linux.intelRdt: write \"MB:0=1\" to the schemata of group c1: Invalid argument");
	assert_false(exists("c1"));
	/* The process cannot be moved: after everything was made. */
	f = fresh((struct spec_intel_rdt){ .clos_id = "gold", .enable_monitoring = true });
	group("gold", FRESH, "");
	refuse = "4711";
	refused(f, -EINVAL, "linux.intelRdt: put process 4711 into group gold: Invalid argument");
	assert_false(exists("gold/mon_groups/c1"));
	assert_true(exists("gold"));
	f = fresh((struct spec_intel_rdt){ 0 });
	refuse_mkdir = ENOSPC;
	refused(f, -ENOSPC,
		"linux.intelRdt: make group c1: all classes of service of the processor are in use");
}

static void an_update(void **state)
{
	struct fixture *f = fresh((struct spec_intel_rdt){ 0 });

	assert_int_equal(rdt_update(&f->p, NULL, NULL, &f->e), 0);
	assert_int_equal(rdt_update(&f->p, "L3:0=f", NULL, &f->e), -EOPNOTSUPP);
	assert_non_null(strstr(f->e.text, "container \"c1\" has no resctrl group of its own"));
	applied(f);
	puts_[0] = '\0';
	assert_int_equal(rdt_update(&f->p, "L3:0=f", "MB:0=30", &f->e), 0);
	assert_int_equal(rdt_update(&f->p, NULL, "MB:0=40", &f->e), 0);
	assert_string_equal(puts_, "c1/schemata<L3:0=f\nMB:0=30\n|c1/schemata<MB:0=40\n|");
	rdt_remove(&f->p, NULL);
}

/* A create that was killed has not recorded what it made. */
static void a_wreck(void **state)
{
	struct fixture *f = fresh((struct spec_intel_rdt){ 0 });

	f->p.creating = true;
	group("c1", FRESH, "12\n");
	rdt_remove(&f->p, NULL);
	assert_true(exists("c1"));
	group("c1", FRESH, "");
	rdt_remove(&f->p, NULL);
	assert_false(exists("c1"));
	f = fresh((struct spec_intel_rdt){ .clos_id = "gold" });
	f->p.creating = true;
	group("gold", FRESH, "");
	group("gold/mon_groups/c1", FRESH, "");
	rdt_remove(&f->p, NULL);
	assert_false(exists("gold/mon_groups/c1"));
	assert_true(exists("gold"));
	/* A whole partition without a group has none. */
	f = fresh((struct spec_intel_rdt){ 0 });
	group("c1", FRESH, "");
	rdt_remove(&f->p, NULL);
	assert_true(exists("c1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_there),
		cmocka_unit_test(a_group_of_its_own),
		cmocka_unit_test(without_a_schema_nothing_is_written),
		cmocka_unit_test(left_over_or_in_use),
		cmocka_unit_test(a_named_group),
		cmocka_unit_test(schemas_are_compared),
		cmocka_unit_test(failures_leave_nothing),
		cmocka_unit_test(an_update),
		cmocka_unit_test(a_wreck),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
