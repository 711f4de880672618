/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of user ids: what is granted, who has which; at once from many processes, and after one was killed.
 */
#include "tests/unit/launch_test.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "launch/ids_internal.h"

#define N INT64_C(65536)

struct place {
	char path[32];
	int dir, ids, partitions;
	struct arena *a;
};

static struct place new_place(void)
{
	struct place p = { .path = "/tmp/launch-ids-XXXXXX", .a = arena_new() };

	assert_non_null(mkdtemp(p.path));
	p.dir = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(p.dir, "ids", 0700), 0);
	assert_int_equal(mkdirat(p.dir, "partitions", 0700), 0);
	p.ids = openat(p.dir, "ids", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p.partitions = openat(p.dir, "partitions", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return p;
}

static void end_place(struct place *p)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", p->path, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	close(p->ids);
	close(p->partitions);
	close(p->dir);
	arena_free(p->a);
}

static struct ids_grants grants(struct arena *a, const char *subuid, const char *subgid)
{
	struct ids_grants g;
	struct err e = ERR_INIT;

	if (ids_grants_parse(arena_strdup(a, subuid), arena_strdup(a, subgid), a, &g, &e) < 0)
		fail_msg("%s", e.text);
	return g;
}

static int64_t take(struct place *p, const struct ids_grants *g, const char *name)
{
	struct err e = ERR_INIT;
	int64_t first = -7;

	assert_true(mkdirat(p->partitions, name, 0700) == 0 || errno == EEXIST);
	if (ids_take_at(p->ids, p->partitions, g, name, &first, &e) < 0)
		fail_msg("%s: %s", name, e.text);
	return first;
}

static void test_grants(void **state)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct ids_grants g = grants(a, "user:100000:65536\nbad\nroot:x:1\n:::\nu:1:0\n", "");
	struct err e = ERR_INIT;

	assert_false(g.granted);
	assert_int_equal(g.n_allowed, 1);
	assert_int_equal(g.allowed[0].first, 524288);
	assert_int_equal(g.allowed[0].first + g.allowed[0].size, 1879048192);
	assert_int_equal(g.n_others, 1);
	g = grants(a, "ringfence:100000:131072\ncontainers:500000:65536\n",
		"ringfence:90000:100000\ncontainers:500000:65536");
	assert_true(g.granted);
	assert_int_equal(g.n_allowed, 2);
	assert_int_equal(g.allowed[0].first, 100000);
	assert_int_equal(g.allowed[0].size, 90000);
	assert_int_equal(
		ids_grants_parse(arena_strdup(a, "ringfence:1:1000"), arena_strdup(a, ""), a, &g, &e),
		-ENOENT);
	assert_non_null(strstr(e.text, "/etc/subuid"));
	g = grants(a, "ringfence:4294900000:67295\ncontainers:2147400000:100000\nringfence:1:65536",
		"ringfence:1:4294967295");
	/* Nothing beyond 2^31-1. */
	assert_int_equal(g.n_allowed, 2);
	for (size_t k = 0; k < g.n_allowed; k++)
		assert_true(g.allowed[k].first + g.allowed[k].size <= INT32_MAX);
}

static void test_take_and_give_back(void **state)
{
	struct place p = new_place();
	struct ids_grants g = grants(p.a, "ringfence:100000:262144\n", "ringfence:100000:262144\n");
	struct err e = ERR_INIT;
	int64_t a = take(&p, &g, "a"), b = take(&p, &g, "b"), c = take(&p, &g, "c"), d = take(&p, &g, "d"),
		got = 1;

	assert_true(a != b && a != c && a != d && b != c && b != d && c != d);
	assert_int_equal((a - 100000) % N, 0);
	mkdirat(p.partitions, "e", 0700);
	assert_int_equal(ids_take_at(p.ids, p.partitions, &g, "e", &got, &e), -EUSERS);
	assert_int_equal(got, 1);
	assert_non_null(strstr(e.text, "all 4 ranges of user ids are taken"));
	/* Not by another's name. */
	assert_int_equal(ids_give_back_at(p.ids, "a", b, &e), 0);
	assert_int_equal(ids_take_at(p.ids, p.partitions, &g, "e", &got, &e), -EUSERS);
	assert_int_equal(ids_give_back_at(p.ids, "b", b, &e), 0);
	assert_int_equal(ids_give_back_at(p.ids, "b", b, &e), 0);
	assert_int_equal(take(&p, &g, "e"), b);
	/* One whose partition is gone is taken over, after a crash. */
	unlinkat(p.partitions, "c", AT_REMOVEDIR);
	assert_int_equal(take(&p, &g, "f"), c);
	/* One of the same name: its own. */
	assert_int_equal(take(&p, &g, "d"), d);
	/* Renamed: not given back under the old name any more. */
	assert_int_equal(ids_rename_at(p.ids, "d", "d2", d, &e), 0);
	assert_int_equal(mkdirat(p.partitions, "d2", 0700), 0);
	assert_int_equal(ids_give_back_at(p.ids, "d", d, &e), 0);
	mkdirat(p.partitions, "g", 0700);
	assert_int_equal(ids_take_at(p.ids, p.partitions, &g, "g", &got, &e), -EUSERS);
	assert_int_equal(ids_give_back_at(p.ids, "d2", d, &e), 0);
	assert_int_equal(take(&p, &g, "g"), d);
	end_place(&p);
}

/* Whatever grants said before: no id is anybody else's. */
static void test_overlap(void **state)
{
	struct place p = new_place();
	struct ids_grants before = grants(p.a, "ringfence:100000:131072\n", "ringfence:100000:131072\n");
	struct ids_grants after = grants(p.a, "ringfence:130000:262144\n", "ringfence:130000:262144\n");
	int64_t first[4];
	struct err e = ERR_INIT;
	int64_t got;

	first[0] = take(&p, &before, "a");
	first[1] = take(&p, &before, "b");
	first[2] = take(&p, &after, "c");
	first[3] = take(&p, &after, "d");
	for (int i = 0; i < 4; i++)
		for (int k = 0; k < i; k++)
			assert_true(llabs(first[i] - first[k]) >= N);
	mkdirat(p.partitions, "e", 0700);
	assert_int_equal(ids_take_at(p.ids, p.partitions, &after, "e", &got, &e), -EUSERS);
	end_place(&p);
}

static bool has_grid(const struct place *p)
{
	struct stat st;

	return fstatat(p->ids, "grid", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The short way is only gone as long as all that is taken fits the grants, and gives the same as the long. */
static void test_grid(void **state)
{
	struct place p = new_place();
	struct ids_grants one = grants(p.a, "ringfence:100000:655360\n", "ringfence:100000:655360\n");
	struct ids_grants other = grants(p.a, "ringfence:130000:655360\n", "ringfence:130000:655360\n");
	struct ids_grants twice = grants(p.a, "ringfence:100000:655360\nringfence:110000:655360\n",
		"ringfence:100000:655360\nringfence:110000:655360\n");
	const struct ids_grants *turns[] = { &one, &one, &other, &one, &other, &twice, &one };
	int64_t first[ARRAY_SIZE(turns)], again;
	char name[] = "a";
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(turns); i++) {
		*name = (char)('a' + i);
		first[i] = take(&p, turns[i], name);
		for (size_t k = 0; k < i; k++)
			assert_true(llabs(first[i] - first[k]) >= N);
		assert_int_equal(has_grid(&p), i < 2);
	}
	/* Given back all that does not fit, the next look finds that it is so again. */
	for (size_t i = 2; i < ARRAY_SIZE(turns); i++) {
		*name = (char)('a' + i);
		assert_int_equal(ids_give_back_at(p.ids, name, first[i], &e), 0);
	}
	again = take(&p, &one, "x");
	assert_true(has_grid(&p) && (again - 100000) % N == 0);
	assert_int_equal(take(&p, &one, "x"), again);
	/* Of a partition that is gone, by the short way. */
	unlinkat(p.partitions, "x", AT_REMOVEDIR);
	for (char c = '0'; c < '7'; c++) {
		*name = c;
		take(&p, &one, name);
	}
	assert_true(has_grid(&p));
	take(&p, &one, "y");
	mkdirat(p.partitions, "z", 0700);
	assert_int_equal(ids_take_at(p.ids, p.partitions, &one, "z", &again, &e), -EUSERS);
	end_place(&p);
}

static void test_others_are_passed_over(void **state)
{
	struct place p = new_place();
	/* All but two ranges of the automatic ones. */
	struct ids_grants g = grants(p.a, "user:524288:1878392832\n", "other:1:1\n");
	int64_t a = take(&p, &g, "a"), b = take(&p, &g, "b"), got;
	struct err e = ERR_INIT;

	assert_true(a >= 524288 + INT64_C(1878392832) && b >= 524288 + INT64_C(1878392832));
	mkdirat(p.partitions, "c", 0700);
	assert_int_equal(ids_take_at(p.ids, p.partitions, &g, "c", &got, &e), -EUSERS);
	end_place(&p);
}

#define CHILDREN 8
#define EACH	 25

/* Many at once, each name by two processes (as two launches of one name could); none has another's. */
static void test_at_once(void **state)
{
	struct place p = new_place();
	struct ids_grants g = grants(p.a, "", "");
	int64_t seen[CHILDREN * EACH];
	pid_t pids[CHILDREN];
	size_t n = 0;

	for (int c = 0; c < CHILDREN; c++) {
		pids[c] = fork();
		if (pids[c] == 0) {
			for (int k = 0; k < EACH; k++) {
				char name[32];
				struct err e = ERR_INIT;
				int64_t first;

				snprintf(name, sizeof(name), "p%d-%d", c, k);
				mkdirat(p.partitions, name, 0700);
				if (ids_take_at(p.ids, p.partitions, &g, name, &first, &e) < 0)
					_exit(1);
				if (k % 5 == 4 && ids_give_back_at(p.ids, name, first, &e) < 0)
					_exit(2);
			}
			_exit(0);
		}
	}
	for (int c = 0; c < CHILDREN; c++) {
		int status;

		waitpid(pids[c], &status, 0);
		assert_int_equal(status, 0);
	}
	for (int c = 0; c < CHILDREN; c++)
		for (int k = 0; k < EACH; k++) {
			char name[32];

			snprintf(name, sizeof(name), "p%d-%d", c, k);
			seen[n] = take(&p, &g, name);
			for (size_t i = 0; i < n; i++)
				assert_true(llabs(seen[i] - seen[n]) >= N);
			n++;
		}
	end_place(&p);
}

/* Killed at any point: the lock is free, and no more than a link to nobody is left. */
static void test_killed(void **state)
{
	struct place p = new_place();
	struct ids_grants g = grants(p.a, "ringfence:100000:131072\n", "ringfence:100000:131072\n");

	for (int k = 0; k < 40; k++) {
		pid_t pid = fork();
		int64_t a, b;
		struct err e = ERR_INIT;

		if (pid == 0) {
			for (;;) {
				int64_t first;

				mkdirat(p.partitions, "victim", 0700);
				if (ids_take_at(p.ids, p.partitions, &g, "victim", &first, &e) == 0)
					ids_give_back_at(p.ids, "victim", first, &e);
			}
		}
		usleep((useconds_t)(500 + k * 61));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		unlinkat(p.partitions, "victim", AT_REMOVEDIR);
		a = take(&p, &g, "a");
		b = take(&p, &g, "b");
		assert_true(a != b);
		assert_int_equal(ids_give_back_at(p.ids, "a", a, &e), 0);
		assert_int_equal(ids_give_back_at(p.ids, "b", b, &e), 0);
	}
	end_place(&p);
}

/* What is there and no link of ours is in nobody's way. */
static void test_debris(void **state)
{
	struct place p = new_place();
	struct ids_grants g = grants(p.a, "ringfence:100000:131072\n", "ringfence:100000:131072\n");
	int64_t a, b;

	assert_int_equal(symlinkat("x", p.ids, "not-a-number"), 0);
	assert_int_equal(symlinkat("../../etc", p.ids, "5"), 0);
	assert_int_equal(symlinkat("x", p.ids, "100000.new"), 0);
	assert_int_equal(mkdirat(p.ids, "-1", 0700), 0);
	a = take(&p, &g, "a");
	b = take(&p, &g, "b");
	assert_true(a != b);
	end_place(&p);
}

static void test_choose(void **state)
{
	static const char *const bad[] = { "", "x", "1", "1:", ":1", "0:65536", "1:0", "-1:5", "1:2147483647",
		"1:2:3", "Auto", "4294967296:1" };
	char data[] = "/tmp/launch-ids-XXXXXX";
	struct rt_ctx rt = { .rootless = -1 };
	struct launch_ctx ctx = { .rt = &rt, .data = data };
	struct err e = ERR_INIT;
	uint32_t n = 5;
	int64_t first = 5;

	assert_non_null(mkdtemp(data));
	assert_int_equal(launch_ids_choose(&ctx, "host", "x", &first, &n, &e), 0);
	assert_int_equal(first, -1);
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		assert_int_equal(launch_ids_choose(&ctx, bad[k], "x", &first, &n, &e), -EINVAL);
		assert_true(str_starts(e.text, "--userns"));
	}
	if (geteuid() == 0 && launch_ids_usable(&ctx)) {
		assert_int_equal(launch_ids_choose(&ctx, "1000:2000", "x", &first, &n, &e), 0);
		assert_int_equal(first, 1000);
		assert_int_equal(n, 2000);
		assert_int_equal(launch_ids_choose(&ctx, NULL, "x", &first, &n, &e), 0);
		assert_true(first > 1000);
		assert_int_equal(n, LAUNCH_IDS);
		assert_int_equal(launch_ids_give_back(&ctx, "x", first, &e), 0);
	}
	{
		struct place p = { .dir = -1, .ids = -1, .partitions = -1 };

		snprintf(p.path, sizeof(p.path), "%s", data);
		end_place(&p);
	}
}

static void test_can_map(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_false(launch_ids_can_map("/proc"));
	assert_false(launch_ids_can_map("/nonexistent"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_take_and_give_back),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_others_are_passed_over),
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_debris),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_can_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
