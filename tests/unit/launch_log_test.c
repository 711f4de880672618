/* SPDX-License-Identifier: Apache-2.0 */
/* launch/log.c, log_read.c: what goes in comes out, in parts, across rotations, from the end, between two
 * times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"
#include "launch/log.h"

static char top[] = "/tmp/launch_log_test.XXXXXX";
static int dir;
static struct launch_log log_;

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(dir);
	return rmdir(top);
}

static int fresh(void **state)
{
	(void)state;
	return launch_log_open(&log_, dir, 0, NULL);
}

static int clean(void **state)
{
	(void)state;
	launch_log_close(&log_);
	unlinkat(dir, "log", 0);
	unlinkat(dir, "log.1", 0);
	unlinkat(dir, "out", 0);
	return 0;
}

static void add(int stream, const char *s)
{
	launch_log_add(&log_, stream, s, strlen(s));
}

/* What a reader makes of it; malloc()ed. */
static char *get(const struct launch_log_query *q, size_t *len)
{
	int fd = openat(dir, "out", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *text = NULL;
	struct err e = ERR_INIT;

	assert_true(fd >= 0);
	assert_int_equal(launch_log_read(dir, q, fd, &e), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(fd, 64 << 20, &text, len), 0);
	close(fd);
	return text;
}

static void expect(struct launch_log_query q, const char *want)
{
	_cleanup_free_ char *text = get(&q, NULL);

	assert_string_equal(text, want);
}
#define ALL .tail = -1

static void lines(void **state)
{
	_cleanup_free_ char *raw = NULL;

	(void)state;
	add(1, "one\ntwo\n");
	add(2, "wrong\n");
	add(1, "thr");
	add(1, "ee\n\n");
	expect((struct launch_log_query){ ALL }, "one\ntwo\nwrong\nthree\n\n");
	assert_int_equal(fd_read_at(dir, "log", 4096, &raw, NULL), 0);
	/* 2026-11-25T10:00:00.123456789Z stdout F one */
	assert_int_equal(raw[4], '-');
	assert_int_equal(raw[29], 'Z');
	assert_memory_equal(raw + 30, " stdout F one\n", 14);
	assert_non_null(strstr(raw, " stderr F wrong\n"));
	assert_non_null(strstr(raw, " stdout P thr\n"));
	assert_non_null(strstr(raw, " stdout F ee\n"));
	assert_non_null(strstr(raw, " stdout F \n"));
}

static void huge_and_binary(void **state)
{
	const size_t n = 100000;
	_cleanup_free_ char *data = malloc(n), *text = NULL;
	struct launch_log_query q = { ALL };
	size_t len;

	(void)state;
	for (size_t i = 0; i < n; i++)
		data[i] = (char)(i * 7 % 256 == '\n' ? 0 : i * 7 % 256);
	data[n - 1] = '\n';
	launch_log_add(&log_, 1, data, n);
	text = get(&q, &len);
	assert_int_equal(len, n);
	assert_memory_equal(text, data, n);
}

static void tail(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		char s[32];

		snprintf(s, sizeof(s), "line %d\n", i);
		add(1 + i % 2, s);
	}
	add(1, "long ");
	add(2, "other\n");
	add(1, "line");
	expect((struct launch_log_query){ .tail = 0 }, "");
	expect((struct launch_log_query){ .tail = 1 }, "other\n");
	/* A line counts from its first part, and is never shown in half. */
	expect((struct launch_log_query){ .tail = 2 }, "long other\nline");
	expect((struct launch_log_query){ .tail = 3 }, "line 9\nlong other\nline");
	expect((struct launch_log_query){ .tail = 1000, .since_ns = INT64_MAX }, "");
}

static void rotation(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct launch_log_query q = { ALL };
	struct stat a, b;
	int first = -1, last = -1;

	(void)state;
	log_.max = 4096;
	for (int i = 0; i < 500; i++) {
		char s[64];

		snprintf(s, sizeof(s), "%d some line of output\n", i);
		add(1, s);
	}
	assert_int_equal(fstatat(dir, "log", &a, 0), 0);
	assert_int_equal(fstatat(dir, "log.1", &b, 0), 0);
	assert_true(a.st_size <= 4096 && b.st_size <= 4096 && b.st_size > 3900);
	text = get(&q, NULL);
	for (char *p = text; *p; p = strchr(p, '\n') + 1) {
		int n = (int)strtol(p, NULL, 10);

		assert_true(last < 0 || n == last + 1);
		first = first < 0 ? n : first;
		last = n;
	}
	assert_true(first > 300);
	assert_int_equal(last, 499);
	expect((struct launch_log_query){ .tail = 1 }, "499 some line of output\n");
	/* Opened again it goes on. */
	launch_log_close(&log_);
	assert_int_equal(launch_log_open(&log_, dir, 4096, NULL), 0);
	assert_int_equal(log_.size, a.st_size);
}

/* A line that goes on in the next file is one line. */
static void rotation_in_a_line(void **state)
{
	(void)state;
	log_.max = 200;
	add(1, "a\n");
	add(1, "begin ");
	add(1, "------------------------------------------------------------------------------------ ");
	add(1, "end\n");
	expect((struct launch_log_query){ .tail = 1 },
		"begin ------------------------------------------------------------------------------------ "
		"end\n");
}

static void times(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct launch_log_query q = { ALL, .timestamps = true };
	struct timespec t;
	int64_t between;

	(void)state;
	add(1, "before\n");
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	clock_gettime(CLOCK_REALTIME, &t);
	between = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	add(1, "af");
	add(1, "ter\n");
	expect((struct launch_log_query){ ALL, .since_ns = between }, "after\n");
	expect((struct launch_log_query){ ALL, .until_ns = between }, "before\n");
	expect((struct launch_log_query){ ALL, .since_ns = 1, .until_ns = 2 }, "");
	text = get(&q, NULL);
	assert_memory_equal(text + 29, "Z before\n", 9);
	/* Once a line, and not once a part. */
	assert_string_equal(strchr(text, '\n') + 1 + 29, "Z after\n");
}

static void json(void **state)
{
	struct launch_log_query q = { ALL, .json = true };
	_cleanup_free_ char *text = NULL;

	(void)state;
	add(2, "a \"b\"");
	add(2, "\033\n");
	text = get(&q, NULL);
	assert_non_null(strstr(text, "Z\",\"stream\":\"stderr\",\"text\":\"a \\\"b\\\"\\u001"));
	assert_string_equal(text + strlen(text) - 3, "\"}\n");
}

/* A line without an end takes no more memory for it; one that has not ended is shown all the same. */
static void json_partial(void **state)
{
	static char big[3 << 20];
	struct launch_log_query q = { ALL, .json = true };
	_cleanup_free_ char *text = NULL;
	size_t len, n = 0, objects = 0;

	(void)state;
	memset(big, 'x', sizeof(big));
	launch_log_add(&log_, 1, big, sizeof(big));
	add(1, "end\n");
	add(2, "unfinished");
	text = get(&q, &len);
	for (const char *p = text; *p; p = strchr(p, '\n') + 1, objects++) {
		const char *end = strchr(p, '\n');

		assert_true(end - p < (1 << 20) + 16384);
		for (const char *x = strstr(p, "\"text\":\"") + 8; *x == 'x'; x++)
			n++;
		if (objects < 3)
			assert_memory_equal(end - 16, ",\"partial\":true}", 16);
	}
	assert_int_equal(n, sizeof(big));
	assert_int_equal(objects, 5);
	assert_non_null(strstr(text, "xend\"}\n") ? text : strstr(text, "\"end\"}\n"));
	assert_non_null(strstr(text, "\"text\":\"unfinished\",\"partial\":true}\n"));
}

/* What others have written into it, and the torn end of a writer that was killed. */
static void damage(void **state)
{
	int fd = openat(dir, "log", O_WRONLY | O_APPEND | O_CLOEXEC);

	(void)state;
	add(1, "good\n");
	assert_int_equal(fd_write_all(fd, "\n\nnonsense\n2026-11-25T10:00:00.1", 32), 0);
	close(fd);
	launch_log_close(&log_);
	assert_int_equal(launch_log_open(&log_, dir, 0, NULL), 0);
	add(1, "better\n");
	expect((struct launch_log_query){ ALL }, "good\nbetter\n");
	expect((struct launch_log_query){ .tail = 1 }, "better\n");
}

/* RLIMIT_FSIZE is as a full disk: a record that has no room is lost as a whole. */
static void no_room(void **state)
{
	struct rlimit before, small = { .rlim_cur = 100 };

	(void)state;
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	add(1, "fits\n");
	setrlimit(RLIMIT_FSIZE, &small);
	add(1, "is far too long to find room in a file of a hundred bytes\n");
	add(1, "x\n");
	setrlimit(RLIMIT_FSIZE, &before);
	add(1, "fits again\n");
	expect((struct launch_log_query){ ALL }, "fits\nx\nfits again\n");
}

static void nothing_there(void **state)
{
	struct launch_log_query q = { ALL };

	(void)state;
	unlinkat(dir, "log", 0);
	expect(q, "");
	/* A symlink is not followed: the directory is ours, but what is restored from a backup may not be. */
	assert_int_equal(symlinkat("/etc/passwd", dir, "log"), 0);
	assert_true(launch_log_read(dir, &q, 1, NULL) < 0);
	launch_log_close(&log_);
	assert_true(launch_log_open(&log_, dir, 0, NULL) < 0);
}

static int polls;
static bool ended_later(void *arg)
{
	/* Written while it is followed, across two rotations. */
	if (polls == 1) {
		log_.max = 150;
		for (int i = 0; i < 2; i++)
			add(1, i ? "second\n" : "first\n");
	}
	if (polls == 2)
		add(1, "third\n");
	return ++polls > 3;
}

static void follow(void **state)
{
	struct launch_log_query q = { ALL, .follow = true, .ended = ended_later };

	(void)state;
	polls = 0;
	add(1, "before ....................................\n");
	expect(q, "before ....................................\nfirst\nsecond\nthird\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines, fresh, clean),
		cmocka_unit_test_setup_teardown(huge_and_binary, fresh, clean),
		cmocka_unit_test_setup_teardown(tail, fresh, clean),
		cmocka_unit_test_setup_teardown(rotation, fresh, clean),
		cmocka_unit_test_setup_teardown(rotation_in_a_line, fresh, clean),
		cmocka_unit_test_setup_teardown(times, fresh, clean),
		cmocka_unit_test_setup_teardown(json, fresh, clean),
		cmocka_unit_test_setup_teardown(json_partial, fresh, clean),
		cmocka_unit_test_setup_teardown(damage, fresh, clean),
		cmocka_unit_test_setup_teardown(no_room, fresh, clean),
		cmocka_unit_test_setup_teardown(nothing_there, fresh, clean),
		cmocka_unit_test_setup_teardown(follow, fresh, clean),
	};

	return cmocka_run_group_tests_name("launch_log", tests, setup, teardown);
}
