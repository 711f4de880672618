/* SPDX-License-Identifier: Apache-2.0 */
/* State directories: made once, read back, told apart, removed; and what a wreck looks like. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/engine.h"
#include "runtime/files.h"

static char root[] = "/tmp/ringfence-unit-XXXXXX";
static struct rt_ctx ctx = { .root = root };

static int make_root(void **state)
{
	return mkdtemp(root) ? 0 : -1;
}

static int drop_root(void **state)
{
	return rmdir(root);
}

static void fill(struct rt_partition *p)
{
	static struct spec_annotation notes[] = { { "a/b", "\"quoted\"" } };

	p->engine = &rt_engine_ns;
	p->bundle = "/b";
	p->rootfs = "/b/rootfs";
	p->created = "2026-01-01T00:00:00.000000000Z";
	p->oci_version = "1.3.0";
	p->annotations = notes;
	p->n_annotations = 1;
}

static void test_id_grammar(void **state)
{
	static const char *const good[] = { "a", "A-b_c+d.e", "0", "x.." };
	static const char *const bad[] = { "", ".", "..", ".a", "a/b", "a b", "\xc3\xa4", "a\n" };
	char longest[300];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(rt_check_id(good[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(rt_check_id(bad[i], NULL), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	longest[RT_ID_MAX] = '\0';
	assert_int_equal(rt_check_id(longest, NULL), 0);
	longest[RT_ID_MAX] = 'a';
	longest[RT_ID_MAX + 1] = '\0';
	assert_int_equal(rt_check_id(longest, NULL), -EINVAL);
}

static void test_round_trip(void **state)
{
	struct rt_partition *p, *q;
	struct err e = ERR_INIT;
	enum rt_status status;
	char *json;
	char letter;

	assert_int_equal(rt_partition_new(&ctx, "one", &p, &e), 0);
	assert_int_equal(rt_partition_new(&ctx, "one", &q, &e), -EEXIST);
	assert_non_null(strstr(e.text, "exists"));
	fill(p);
	/* Our own creation in progress: a second reader sees that, since we hold the lock. */
	assert_int_equal(rt_partition_save(p, &e), 0);
	assert_int_equal(rt_partition_open(&ctx, "one", RT_UNLOCKED, &q, &e), 0);
	assert_int_equal(rt_partition_status(q, &status, &e), 0);
	assert_int_equal(status, RT_CREATING);
	rt_partition_free(q);

	p->pid = getpid();
	p->creating = false;
	assert_int_equal(rt_proc_stat(p->pid, &p->start_time, &letter), 0);
	assert_int_equal(rt_partition_save(p, &e), 0);
	rt_partition_free(p);

	assert_int_equal(rt_partition_open(&ctx, "one", RT_LOCKED, &q, &e), 0);
	assert_false(q->damaged);
	assert_string_equal(q->bundle, "/b");
	assert_string_equal(q->annotations[0].value, "\"quoted\"");
	assert_int_equal(rt_partition_status(q, &status, &e), 0);
	assert_int_equal(status, RT_RUNNING);
	json = rt_partition_state_json(q, "running", 7);
	assert_non_null(strstr(json, "\"root\":\"/b/rootfs\""));
	assert_non_null(strstr(json, "\"pid\":7"));
	free(json);
	/* A recycled pid is somebody else's. */
	q->start_time++;
	assert_false(rt_alive(q));
	assert_int_equal(rt_pidfd(q), -ESRCH);
	assert_int_equal(rt_partition_remove(q, &e), 0);
	rt_partition_free(q);
	assert_int_equal(rt_partition_open(&ctx, "one", RT_LOCKED, &q, &e), -ENOENT);
	assert_string_equal(e.text, "container \"one\" does not exist");
}

static void test_damaged(void **state)
{
	static const char *const contents[] = { "", "{", "[]", "{}", "{\"bundle\":\"/b\"}",
		"{\"bundle\":\"/b\",\"engine\":\"no such\"}" };
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
		struct rt_partition *p, *q;
		enum rt_status status;

		assert_int_equal(rt_partition_new(&ctx, "wreck", &p, &e), 0);
		assert_int_equal(
			fd_replace_at(p->dirfd, RT_STATE_FILE, 0600, contents[i], strlen(contents[i]), &e),
			0);
		rt_partition_free(p);
		assert_int_equal(rt_partition_open(&ctx, "wreck", RT_UNLOCKED, &q, &e), 0);
		assert_true(q->damaged);
		assert_int_equal(rt_partition_status(q, &status, &e), 0);
		assert_int_equal(status, RT_STOPPED);
		rt_partition_free(q);
		assert_int_equal(rt_delete(&ctx, "wreck", true, &e), 0);
		assert_int_equal(rt_delete(&ctx, "wreck", true, &e), 0);
		assert_int_equal(rt_delete(&ctx, "wreck", false, &e), -ENOENT);
	}
}

static void test_list(void **state)
{
	static const char *const ids[] = { "b", "c", "a" };
	struct rt_info *list;
	struct err e = ERR_INIT;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct rt_partition *p;

		assert_int_equal(rt_partition_new(&ctx, ids[i], &p, &e), 0);
		fill(p);
		assert_int_equal(rt_partition_save(p, &e), 0);
		rt_partition_free(p);
	}
	assert_int_equal(rt_list(&ctx, &list, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].id, "a");
	assert_string_equal(list[2].id, "c");
	/* Its creator has gone without recording a process. */
	assert_int_equal(list[0].status, RT_STOPPED);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(rt_delete(&ctx, list[i].id, false, &e), 0);
		rt_info_free(&list[i]);
	}
	free(list);
	assert_int_equal(rt_list(&(struct rt_ctx){ .root = "/nonexistent/root" }, &list, &n, &e), -ENOENT);
}

static void test_signals(void **state)
{
	static const struct {
		const char *text;
		int sig;
	} good[] = { { "9", SIGKILL }, { "KILL", SIGKILL }, { "sigkill", SIGKILL }, { "SIGTERM", SIGTERM },
		{ "usr1", SIGUSR1 }, { "64", 64 }, { "0", 0 } };
	static const char *const bad[] = { "", "65", "-9", "KILLX", "SIG", "9x", "RTMIN+99", "RTMIN-1",
		"RTMAX+1" };
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(rt_signal_parse(good[i].text, &e), good[i].sig);
	assert_int_equal(rt_signal_parse("RTMIN", &e), SIGRTMIN);
	assert_int_equal(rt_signal_parse("SIGRTMIN+3", &e), SIGRTMIN + 3);
	assert_int_equal(rt_signal_parse("rtmax-2", &e), SIGRTMAX - 2);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(rt_signal_parse(bad[i], &e), -EINVAL);
}

static void test_pid_file(void **state)
{
	char path[64], text[16];
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "%s/pid", root);
	assert_int_equal(files_write_pid(path, 4711, &e), 0);
	assert_int_equal(fd_get_at(AT_FDCWD, path, text, sizeof(text)), 4);
	assert_string_equal(text, "4711");
	assert_int_equal(files_write_pid(path, 1, &e), 0);
	assert_int_equal(fd_get_at(AT_FDCWD, path, text, sizeof(text)), 1);
	unlink(path);
	assert_int_equal(files_write_pid("/nonexistent/dir/pid", 1, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent/dir/pid"));
}

static void test_console_rules(void **state)
{
	struct err e = ERR_INIT;
	int fd;

	assert_int_equal(files_console(NULL, false, true, &fd, &e), 0);
	assert_int_equal(fd, -EBADF);
	assert_int_equal(files_console(NULL, true, false, &fd, &e), 0);
	assert_int_equal(files_console(NULL, true, true, &fd, &e), -EINVAL);
	assert_non_null(strstr(e.text, "detach without setting console socket"));
	assert_int_equal(files_console("/s", false, true, &fd, &e), -EINVAL);
	assert_int_equal(files_console("/s", true, false, &fd, &e), -EINVAL);
	assert_int_equal(files_console("/nonexistent/s", true, true, &fd, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_id_grammar),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_pid_file),
		cmocka_unit_test(test_console_rules),
	};

	return cmocka_run_group_tests(tests, make_root, drop_root);
}
