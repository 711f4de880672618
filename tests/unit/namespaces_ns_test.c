/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces by path, id maps, clock offsets. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "namespaces/ns.h"

#define SKIPPED 77

static struct err err;

/* Runs a check in a process of its own: namespaces cannot be left again. */
static void in_child(int (*check)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(check());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* A process that waits in new namespaces. */
static pid_t held(unsigned long flags)
{
	pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static void drop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_flags(void **state)
{
	struct spec s = { 0 };

	assert_int_equal(ns_new_flags(&s), 0);
	s.ns[SPEC_NS_PID].present = s.ns[SPEC_NS_MOUNT].present = s.ns[SPEC_NS_NETWORK].present = true;
	s.ns[SPEC_NS_NETWORK].path = "/proc/self/ns/net";
	assert_int_equal(ns_new_flags(&s), CLONE_NEWPID | CLONE_NEWNS);
}

static void test_has_user(void **state)
{
	struct spec s = { 0 };

	assert_false(ns_has_user(&s));
	s.ns[SPEC_NS_USER].present = true;
	assert_true(ns_has_user(&s));
	s.ns[SPEC_NS_USER].path = "/proc/self/ns/user";
	assert_false(ns_has_user(&s));
}

static void test_map_to_host(void **state)
{
	const struct spec_id_map map[] = { { 0, 100000, 10 }, { 20, 5, 1 }, { 4294967290U, 1, 5 } };

	assert_int_equal(ns_map_to_host(NULL, 0, 7), 7);
	assert_int_equal(ns_map_to_host(map, 3, 0), 100000);
	assert_int_equal(ns_map_to_host(map, 3, 9), 100009);
	assert_int_equal(ns_map_to_host(map, 3, 10), -1);
	assert_int_equal(ns_map_to_host(map, 3, 20), 5);
	assert_int_equal(ns_map_to_host(map, 3, 4294967294U), 5);
	assert_int_equal(ns_map_to_host(map, 3, 4294967295U), -1);
}

static int open_one(enum spec_ns kind, const char *path, int fds[SPEC_NS_KINDS])
{
	struct spec s = { 0 };

	s.ns[kind].present = true;
	s.ns[kind].path = path;
	err_clear(&err);
	return ns_open_paths(&s, fds, &err);
}

static void test_open_paths(void **state)
{
	int fds[SPEC_NS_KINDS];

	assert_int_equal(open_one(SPEC_NS_UTS, "/proc/self/ns/uts", fds), 0);
	assert_true(fds[SPEC_NS_UTS] >= 0);
	assert_int_equal(fcntl(fds[SPEC_NS_UTS], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fds[SPEC_NS_PID], -1);
	ns_close(fds);
	assert_int_equal(fds[SPEC_NS_UTS], -1);
	/* Joining one's own user namespace is EINVAL: it is left out. */
	assert_int_equal(open_one(SPEC_NS_USER, "/proc/self/ns/user", fds), 0);
	assert_int_equal(fds[SPEC_NS_USER], -1);
}

static void test_open_wrong_things(void **state)
{
	static const char *const wrong[] = { "/proc/self/ns/mnt", "/dev/null", "/etc/passwd",
		"/proc/self/status", "/", NULL };
	char fifo[] = "/tmp/ns-fifo-XXXXXX";
	int fds[SPEC_NS_KINDS];

	for (size_t i = 0; wrong[i]; i++) {
		assert_int_equal(open_one(SPEC_NS_UTS, wrong[i], fds), -EINVAL);
		assert_non_null(strstr(err.text, wrong[i]));
		assert_int_equal(fds[SPEC_NS_UTS], -1);
	}
	assert_int_equal(open_one(SPEC_NS_UTS, "/nonexistent", fds), -ENOENT);
	/* Must not wait for a writer. */
	assert_non_null(mkdtemp(fifo));
	rmdir(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	alarm(10);
	assert_int_equal(open_one(SPEC_NS_UTS, fifo, fds), -EINVAL);
	alarm(0);
	unlink(fifo);
}

static int join_all_inside(void)
{
	struct spec_id_map map[] = { { 0, 0, 1000 } };
	pid_t pid = held(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET);
	int fds[SPEC_NS_KINDS], r;
	char path[64], other[64];
	struct spec s = { 0 };
	struct stat a, b;

	if (pid < 0)
		return SKIPPED;
	r = ns_write_maps(pid, map, 1, map, 1, false, &err);
	for (int k = 0; k < SPEC_NS_KINDS; k++) {
		static char paths[SPEC_NS_KINDS][64];

		snprintf(paths[k], sizeof(paths[k]), "/proc/%d/ns/%s", (int)pid, spec_ns_proc_names[k]);
		s.ns[k].present = k == SPEC_NS_USER || k == SPEC_NS_MOUNT || k == SPEC_NS_UTS ||
				  k == SPEC_NS_IPC || k == SPEC_NS_NETWORK;
		s.ns[k].path = paths[k];
	}
	if (r == 0)
		r = ns_open_paths(&s, fds, &err);
	if (r == 0)
		r = ns_join_all(fds, &err);
	for (int k = 0; k < SPEC_NS_KINDS && r == 0; k++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, spec_ns_proc_names[k]);
		snprintf(other, sizeof(other), "/proc/self/ns/%s", spec_ns_proc_names[k]);
		if (s.ns[k].present && (stat(path, &a) < 0 || stat(other, &b) < 0 || a.st_ino != b.st_ino))
			r = -EXDEV;
	}
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	drop(pid);
	return r < 0 ? 1 : 0;
}

static void test_join_all(void **state)
{
	if (geteuid() != 0)
		skip();
	in_child(join_all_inside);
}

/* Without privilege over the host the user namespace must come first. */
static int join_unprivileged(void)
{
	struct spec_id_map map[] = { { 0, 4321, 1 } };
	int fds[SPEC_NS_KINDS], r;
	char paths[2][64];
	struct spec s = { 0 };
	pid_t pid;

	if (geteuid() != 0 || setresgid(4321, 4321, 4321) < 0 || setresuid(4321, 4321, 4321) < 0)
		return SKIPPED;
	/* A change of user makes a process, and its /proc files, root's. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	pid = held(CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWNET);
	if (pid < 0)
		return SKIPPED;
	/* A single own id needs no helper, but gives up setgroups. */
	r = ns_write_maps(pid, map, 1, map, 1, false, &err);
	snprintf(paths[0], sizeof(paths[0]), "/proc/%d/ns/user", (int)pid);
	snprintf(paths[1], sizeof(paths[1]), "/proc/%d/ns/net", (int)pid);
	s.ns[SPEC_NS_USER] = (struct spec_ns_entry){ true, paths[0] };
	s.ns[SPEC_NS_NETWORK] = (struct spec_ns_entry){ true, paths[1] };
	if (r == 0)
		r = ns_open_paths(&s, fds, &err);
	if (r == 0)
		r = ns_join_all(fds, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	drop(pid);
	return r < 0 ? 1 : 0;
}

static void test_join_unprivileged(void **state)
{
	in_child(join_unprivileged);
}

static void test_maps(void **state)
{
	struct spec_id_map map[] = { { 0, 100000, 1000 }, { 1000, 5, 1 } };
	char path[64], text[256];
	unsigned int a[6];
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = held(CLONE_NEWUSER);
	if (pid < 0)
		skip();
	assert_int_equal(ns_write_maps(pid, map, 2, map, 1, false, &err), 0);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	assert_true(fd_get_at(AT_FDCWD, path, text, sizeof(text)) > 0);
	assert_int_equal(sscanf(text, "%u %u %u %u %u %u", &a[0], &a[1], &a[2], &a[3], &a[4], &a[5]), 6);
	assert_int_equal(a[1], 100000);
	assert_int_equal(a[4], 5);
	/* A map is written once. */
	assert_true(ns_write_maps(pid, map, 2, map, 1, false, &err) < 0);
	drop(pid);
}

static void test_too_many_maps(void **state)
{
	static struct spec_id_map map[5000];
	pid_t pid;

	if (geteuid() != 0)
		skip();
	for (uint32_t i = 0; i < 5000; i++)
		map[i] = (struct spec_id_map){ i * 2, i * 2, 1 };
	pid = held(CLONE_NEWUSER);
	if (pid < 0)
		skip();
	assert_int_equal(ns_write_maps(pid, map, 5000, map, 5000, false, &err), -EINVAL);
	assert_non_null(strstr(err.text, "340"));
	drop(pid);
}

static void test_same_map(void **state)
{
	static const struct {
		struct spec_id_map a[3], b[3];
		size_t n_a, n_b;
		bool same;
	} all[] = {
		{ { { 0, 100, 10 } }, { { 0, 100, 10 } }, 1, 1, true },
		{ { { 0, 100, 10 } }, { { 0, 100, 11 } }, 1, 1, false },
		{ { { 0, 100, 10 } }, { { 1, 100, 10 } }, 1, 1, false },
		{ { { 0, 100, 10 } }, { { 0, 101, 10 } }, 1, 1, false },
		/* The order says nothing. */
		{ { { 5, 7, 1 }, { 0, 100, 5 } }, { { 0, 100, 5 }, { 5, 7, 1 } }, 2, 2, true },
		/* One range in pieces. */
		{ { { 0, 100, 10 } }, { { 4, 104, 6 }, { 0, 100, 4 } }, 1, 2, true },
		{ { { 0, 100, 10 } }, { { 4, 105, 6 }, { 0, 100, 4 } }, 1, 2, false },
		{ { { 0, 100, 10 } }, { { 5, 105, 5 }, { 0, 100, 4 } }, 1, 2, false },
		{ { { 0, 100, 10 } }, { { 0 } }, 1, 0, false },
		{ { { 0 } }, { { 0 } }, 0, 0, true },
		/* No sum may wrap into a match. */
		{ { { 0, 4294967290U, 5 }, { 5, 4294967295U, 1 } }, { { 0, 4294967290U, 6 } }, 2, 1, true },
		{ { { 0, 4294967295U, 1 }, { 1, 0, 1 } }, { { 0, 4294967295U, 1 }, { 1, 0, 1 } }, 2, 2,
			true },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (ns_same_map(all[i].a, all[i].n_a, all[i].b, all[i].n_b, a) != all[i].same)
			fail_msg("pair %zu", i);
	arena_free(a);
}

static void test_read_maps(void **state)
{
	struct spec_id_map map[] = { { 1000, 5, 1 }, { 0, 100000, 1000 } };
	struct spec s = { .ns[SPEC_NS_USER] = { true, "/path/of/it" } };
	struct arena *a = arena_new();
	struct ns_maps m = { 0 };
	char path[64];
	pid_t pid;
	int fd;

	assert_int_equal(ns_read_maps(-1, a, &m, &err), 0);
	assert_true(m.n_uid > 0 && m.n_gid > 0);
	if (geteuid() != 0)
		skip();
	pid = held(CLONE_NEWUSER);
	if (pid < 0)
		skip();
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Before they are written there are none. */
	assert_int_equal(ns_read_maps(fd, a, &m, &err), 0);
	assert_int_equal(m.n_uid + m.n_gid, 0);
	assert_int_equal(ns_write_maps(pid, map, 2, map, 1, false, &err), 0);
	assert_int_equal(ns_read_maps(fd, a, &m, &err), 0);
	assert_true(ns_same_map(m.uid, m.n_uid, map, 2, a));
	assert_true(ns_same_map(m.gid, m.n_gid, map, 1, a));
	/* A config without maps, with the same, with others. */
	assert_int_equal(ns_check_maps(&s, &m, a, &err), 0);
	s.uid_map = map;
	s.n_uid_map = 2;
	assert_int_equal(ns_check_maps(&s, &m, a, &err), 0);
	s.gid_map = map;
	s.n_gid_map = 2;
	assert_int_equal(ns_check_maps(&s, &m, a, &err), -EINVAL);
	assert_string_equal(err.text,
		"linux.gidMappings (1000 5 1, 0 100000 1000) is not what the user namespace /path/of/it has "
		"(1000 5 1): a namespace that is joined keeps its own; leave the property out, or say the "
		"same");
	close(fd);
	/* What is no user namespace. */
	fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	assert_int_equal(ns_read_maps(fd, a, &m, &err), -EINVAL);
	close(fd);
	drop(pid);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	arena_free(a);
}

static int time_inside(void)
{
	struct spec s = { .time_monotonic = { true, 86400, 0 }, .time_boottime = { true, -5, 1 } };
	struct timespec host, inside = { 0 };
	int saved, status, pipefd[2];
	pid_t pid;

	if (access("/proc/self/ns/time", F_OK) < 0 || geteuid() != 0)
		return SKIPPED;
	clock_gettime(CLOCK_MONOTONIC, &host);
	if (ns_time_prepare(&s, &saved, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	if (pipe(pipefd) < 0)
		return 2;
	pid = fork();
	if (pid == 0) {
		clock_gettime(CLOCK_MONOTONIC, &inside);
		_exit(write(pipefd[1], &inside, sizeof(inside)) != sizeof(inside));
	}
	waitpid(pid, &status, 0);
	if (read(pipefd[0], &inside, sizeof(inside)) != sizeof(inside) || inside.tv_sec - host.tv_sec < 86000)
		return 3;
	if (ns_time_restore(saved, &err) < 0)
		return 4;
	pid = fork();
	if (pid == 0) {
		clock_gettime(CLOCK_MONOTONIC, &inside);
		_exit(inside.tv_sec - host.tv_sec > 1000);
	}
	waitpid(pid, &status, 0);
	return status ? 5 : 0;
}

static void test_time(void **state)
{
	in_child(time_inside);
}

static int bad_time_inside(void)
{
	/* The kernel refuses an offset that makes the clock negative. */
	struct spec s = { .time_monotonic = { true, -1000000000, 0 } };
	int saved = -1;

	if (access("/proc/self/ns/time", F_OK) < 0 || geteuid() != 0)
		return SKIPPED;
	if (ns_time_prepare(&s, &saved, &err) >= 0 || saved != -1)
		return 1;
	return strstr(err.text, "timeOffsets") ? 0 : 2;
}

static void test_bad_time(void **state)
{
	in_child(bad_time_inside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_has_user),
		cmocka_unit_test(test_map_to_host),
		cmocka_unit_test(test_open_paths),
		cmocka_unit_test(test_open_wrong_things),
		cmocka_unit_test(test_join_all),
		cmocka_unit_test(test_join_unprivileged),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_too_many_maps),
		cmocka_unit_test(test_same_map),
		cmocka_unit_test(test_read_maps),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_bad_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
