/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroups of this very host: frozen, killed with all that they fork, counted, out of memory, busy. */
#include "tests/unit/cgroups_live.h"

static void freeze(bool by_v2)
{
	struct cgrp *c;
	bool frozen = true;
	pid_t pid;

	params.visible = by_v2;
	c = create();
	if (by_v2) {
		/* Leave the v2 cgroup only. */
		const struct cg_node *n = cg_v2(c);

		for (size_t i = 0; i < c->n; i++)
			if (!c->node[i].v2)
				ok(cg_remove(&c->node[i], cg_now(), &e));
		c->node[0] = *n;
		c->n = 1;
	}
	pid = spawn_sleeper(c);
	ok(cgrp_frozen(c, &frozen, &e));
	assert_false(frozen);
	ok(cgrp_freeze(c, &e));
	ok(cgrp_frozen(c, &frozen, &e));
	assert_true(frozen);
	/* A frozen cgroup belongs to somebody. */
	assert_true(cg_check_frozen(by_v2 ? cg_v2(c) : cg_main(c), &e) < 0);
	ok(cgrp_thaw(c, &e));
	ok(cgrp_frozen(c, &frozen, &e));
	assert_false(frozen);
	/* A frozen one dies of cgrp_kill() all the same. */
	ok(cgrp_freeze(c, &e));
	ok(cgrp_kill(c, SIGKILL, &e));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	destroy(c);
}

static void test_freeze(void **state)
{
	NEED_CGROUPS();
	freeze(false);
}

static void test_freeze_v2(void **state)
{
	const struct cgrp_host *h;

	NEED_CGROUPS();
	ok(cgrp_host(&h, &e));
	if (h->mode != CGRP_MODE_MIXED && h->mode != CGRP_MODE_V2)
		skip();
	freeze(true);
}

/* Forks as fast as it can, in sub-cgroups that it makes and freezes itself, 40 levels deep. */
static void fork_about(const struct cgrp *c)
{
	const struct cg_node *n = cg_main(c);
	char dir[CG_FILE_MAX], text[16];
	size_t len = (size_t)snprintf(dir, sizeof(dir), "%s%s", n->mount, n->path);

	signal(SIGCHLD, SIG_IGN);
	for (int depth = 0; depth < 40; depth++) {
		len += (size_t)snprintf(dir + len, sizeof(dir) - len, "/s");
		if (mkdir(dir, 0755) == 0 && fork() == 0) {
			int fd, dirfd;

			dirfd = open(dir, O_RDONLY | O_DIRECTORY);
			snprintf(text, sizeof(text), "%d", (int)getpid());
			fd_put_at(dirfd, "cgroup.procs", text);
			fd = openat(dirfd, "freezer.state", O_WRONLY);
			if (depth == 20 && fd >= 0)
				(void)!write(fd, "FROZEN", 6);
			for (;;) {
				pid_t pid = fork();

				if (pid > 0)
					_exit(0);
				usleep(500);
			}
		}
	}
	for (;;)
		pause();
}

static void test_kill_forkers(void **state)
{
	struct cgrp *c;
	size_t n = 1;
	pid_t pid, *pids;

	NEED_CGROUPS();
	c = create();
	pid = spawn(c);
	if (pid == 0)
		fork_about(c);
	for (int i = 0; i < 500 && n <= 10; i++) {
		usleep(10000);
		ok(cgrp_pids(c, &pids, &n, &e));
		free(pids);
	}
	assert_true(n > 10);
	ok(cgrp_kill(c, SIGKILL, &e));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	destroy(c);
}

/* More levels than a path may be long: nothing that goes by name gets there. */
static void test_deep(void **state)
{
	const struct cg_node *n;
	struct cgrp *c;
	char name[201];
	int fd, status;
	pid_t pid;

	NEED_CGROUPS();
	c = create();
	n = cg_main(c);
	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	pid = fork();
	if (pid == 0) {
		char dir[CG_FILE_MAX];

		snprintf(dir, sizeof(dir), "%s%s", n->mount, n->path);
		if (chdir(dir) < 0)
			_exit(1);
		for (int i = 0; i < 40; i++)
			if (mkdir(name, 0755) < 0 || chdir(name) < 0)
				_exit(2);
		fd = open("cgroup.procs", O_WRONLY);
		_exit(fd >= 0 && write(fd, "0", 1) == 1 ? (fork() == 0 ? (pause(), 0) : 0) : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	ok(cgrp_kill(c, SIGKILL, &e));
	usleep(20000);
	destroy(c);
}

/* A busy cgroup is an error with its pids, within bounded time. */
static void test_busy(void **state)
{
	struct cgrp *c;
	char pid_text[16];
	uint64_t start = cg_now();
	pid_t pid;

	NEED_CGROUPS();
	c = create();
	pid = spawn_sleeper(c);
	assert_int_equal(cgrp_destroy(c, &e), -EBUSY);
	assert_in_range(cg_now() - start, 4900000000, 8000000000);
	snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
	assert_non_null(strstr(e.text, pid_text));
	ok(cgrp_kill(c, SIGKILL, &e));
	waitpid(pid, NULL, 0);
	ok(cgrp_destroy(c, &e));
	cgrp_free(c);
}

static void test_stats(void **state)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct json *j, *m;
	struct cgrp_usage u;
	const char *text;
	struct cgrp *c;
	uint64_t v = 0;
	size_t len;
	pid_t pid;

	NEED_CGROUPS();
	limits.pids_limit = (struct spec_i64){ true, 33 };
	limits.mem_limit = (struct spec_i64){ true, 64 << 20 };
	limits.cpus = "0";
	params.visible = true;
	c = create();
	pid = spawn(c);
	if (pid == 0) {
		volatile char *p =
			mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (size_t i = 0; i < 8 << 20; i += 4096)
			p[i] = 1;
		for (;;)
			pause();
	}
	for (int i = 0; i < 500; i++) {
		usleep(10000);
		ok(cgrp_usage(c, &u, &e));
		if (u.memory >= 8 << 20)
			break;
	}
	json_open_object(w, NULL);
	ok(cgrp_stats(c, w, &e));
	json_close_object(w);
	text = json_writer_text(w, &len);
	assert_non_null(text);
	ok(json_parse(a, text, len, "stats", &j, &e));
	m = json_get(json_get(json_get(j, "cpu"), "usage"), "total");
	ok(json_as_u64(m, "cpu", &v, &e));
	assert_true(v > 0);
	ok(json_as_u64(json_get(json_get(json_get(j, "memory"), "usage"), "usage"), "memory", &v, &e));
	assert_in_range(v, 8 << 20, 64 << 20);
	ok(json_as_u64(json_get(json_get(json_get(j, "memory"), "usage"), "limit"), "limit", &v, &e));
	assert_int_equal(v, 64 << 20);
	assert_true(json_get(json_get(j, "memory"), "raw")->count > 5);
	ok(json_as_u64(json_get(json_get(j, "pids"), "current"), "pids", &v, &e));
	assert_int_equal(v, 1);
	ok(json_as_u64(json_get(json_get(j, "pids"), "limit"), "pids", &v, &e));
	assert_int_equal(v, 33);
	assert_int_equal(json_get(json_get(j, "cpuset"), "cpus")->count, 1);
	ok(cgrp_usage(c, &u, &e));
	assert_in_range(u.memory, 8 << 20, 64 << 20);
	assert_int_equal(u.memory_limit, 64 << 20);
	assert_int_equal(u.pids, 1);
	assert_int_equal(u.pids_limit, 33);
	assert_true(u.cpu_ns > 0);
	ok(cgrp_kill(c, SIGKILL, &e));
	waitpid(pid, NULL, 0);
	destroy(c);
}

static void test_oom(void **state)
{
	_cleanup_close_ int fd = -EBADF, kept = -EBADF;
	struct pollfd p;
	struct cgrp *c;
	uint64_t n = 0;
	int status;
	short events;
	pid_t pid;

	NEED_CGROUPS();
	limits.mem_limit = (struct spec_i64){ true, 8 << 20 };
	limits.mem_swap = (struct spec_i64){ true, 8 << 20 };
	c = create();
	fd = cgrp_oom_fd(c, &events, &e);
	ok(fd);
	p = (struct pollfd){ .fd = fd, .events = events };
	assert_int_equal(poll(&p, 1, 0), 0);
	kept = cgrp_oom_open(c, &e);
	ok(kept);
	pid = spawn(c);
	if (pid == 0) {
		volatile char *m =
			mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (size_t i = 0; i < 64 << 20; i += 4096)
			m[i] = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(cgrp_oom_read(kept, &n), 0);
	assert_true(n >= 1);
	assert_int_equal(poll(&p, 1, 1000), 1);
	ok(cgrp_oom_count(c, &n, &e));
	assert_true(n >= 1);
	/* An open file does not keep the cgroup. */
	destroy(c);
	assert_int_equal(cgrp_oom_read(kept, &n), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_freeze, setup),
		cmocka_unit_test_setup(test_freeze_v2, setup),
		cmocka_unit_test_setup(test_kill_forkers, setup),
		cmocka_unit_test_setup(test_deep, setup),
		cmocka_unit_test_setup(test_busy, setup),
		cmocka_unit_test_setup(test_stats, setup),
		cmocka_unit_test_setup(test_oom, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
