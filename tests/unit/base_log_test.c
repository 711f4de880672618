/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the log: levels, formats, what goes to the file and what to stderr, forged lines, times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"

static char dir[] = "/tmp/base_log_test.XXXXXX";
static char file[64];

static int make_dir(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/log", dir);
	return 0;
}

static int remove_dir(void **state)
{
	unlink(file);
	return rmdir(dir);
}

/* The file's text, which is removed. malloc()ed. */
static char *take_file(void)
{
	char *text = NULL;

	assert_int_equal(fd_read_at(AT_FDCWD, file, 1 << 20, &text, NULL), 0);
	assert_int_equal(unlink(file), 0);
	return text;
}

/* Writes one message and returns what came out on stderr. malloc()ed. */
static char *with_stderr(enum log_level level, const char *message)
{
	int saved = dup(STDERR_FILENO), ends[2];
	char *text = NULL;

	assert_true(saved >= 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	log_msg(level, "%s", message);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(saved);
	assert_int_equal(fd_read_all(ends[0], 1 << 20, &text, NULL), 0);
	close(ends[0]);
	return text;
}

static void test_levels(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;

	assert_int_equal(log_level_parse("error", &level), 0);
	assert_int_equal(level, LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse("Warning", &level), 0);
	assert_int_equal(level, LOG_LEVEL_WARNING);
	assert_int_equal(log_level_parse("DEBUG", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
	assert_int_equal(log_level_parse("", &level), -EINVAL);
	assert_int_equal(level, LOG_LEVEL_DEBUG);

	assert_int_equal(log_open(NULL, NULL, LOG_LEVEL_WARNING, NULL), 0);
	assert_true(log_enabled(LOG_LEVEL_ERROR));
	assert_true(log_enabled(LOG_LEVEL_WARNING));
	assert_false(log_enabled(LOG_LEVEL_INFO));
}

static void test_stderr(void **state)
{
	char *text;

	assert_int_equal(log_open(NULL, "text", LOG_LEVEL_DEBUG, NULL), 0);
	text = with_stderr(LOG_LEVEL_ERROR, "no such thing");
	assert_string_equal(text, "ringfence: no such thing\n");
	free(text);
	text = with_stderr(LOG_LEVEL_DEBUG, "step");
	assert_string_equal(text, "ringfence: debug: step\n");
	free(text);

	assert_int_equal(log_open(NULL, NULL, LOG_LEVEL_ERROR, NULL), 0);
	text = with_stderr(LOG_LEVEL_WARNING, "hm");
	assert_string_equal(text, "");
	free(text);
}

/* A name from inside a partition must not forge a line or reach the terminal as an escape sequence. */
static void test_control_characters(void **state)
{
	char *text;

	assert_int_equal(log_open(NULL, "text", LOG_LEVEL_ERROR, NULL), 0);
	text = with_stderr(LOG_LEVEL_ERROR, "exec \"a\nringfence: all is well\x1b[2J\x7f\tb\xc3\xa9\"");
	assert_string_equal(text, "ringfence: exec \"a\\nringfence: all is well\\x1b[2J\\x7f b\xc3\xa9\"\n");
	free(text);
}

static void test_text_file(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;
	char *text, *on_stderr;
	bool json = true;
	int fd;

	assert_int_equal(log_open(file, NULL, LOG_LEVEL_WARNING, &e), 0);
	fd = log_fd(&json);
	assert_true(fd >= 0);
	assert_false(json);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_APPEND);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07133, 0);

	on_stderr = with_stderr(LOG_LEVEL_ERROR, "bad");
	assert_string_equal(on_stderr, "ringfence: bad\n");
	free(on_stderr);
	on_stderr = with_stderr(LOG_LEVEL_WARNING, "odd");
	assert_string_equal(on_stderr, "");
	free(on_stderr);
	text = take_file();
	assert_non_null(strstr(text, "Z error: bad\n"));
	assert_non_null(strstr(text, "Z warning: odd\n"));
	free(text);
}

/* podman reads the whole file as one document, containerd as a stream of them. */
static void test_json_file(void **state)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	char target[80], *text, *on_stderr;
	const struct json *doc;
	const char *s;
	bool json = false;

	snprintf(target, sizeof(target), "file:%s", file);
	assert_int_equal(log_open(target, "json", LOG_LEVEL_ERROR, NULL), 0);
	assert_true(log_fd(&json) >= 0);
	assert_true(json);
	log_warn("not now");
	log_debug("nor this");
	on_stderr = with_stderr(LOG_LEVEL_ERROR, "container \"x\"\nis \xff odd");
	assert_string_equal(on_stderr, "ringfence: container \"x\"\\nis \\xff odd\n");
	free(on_stderr);

	text = take_file();
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_int_equal(json_parse(a, text, strlen(text), "log", &doc, NULL), 0);
	assert_int_equal(json_as_string(json_get(doc, "msg"), "msg", &s, NULL), 0);
	assert_string_equal(s, "container \"x\"\nis \xef\xbf\xbd odd");
	assert_int_equal(json_as_string(json_get(doc, "level"), "level", &s, NULL), 0);
	assert_string_equal(s, "error");
	assert_int_equal(json_as_string(json_get(doc, "time"), "time", &s, NULL), 0);
	assert_int_equal(strlen(s), strlen("2023-11-23T04:20:40.941621226Z"));
	free(text);
}

/* What drives a terminal: C0 and C1 controls, what turns the direction of writing; other text stays. */
static void test_terminal(void **state)
{
	char *text;

	assert_int_equal(log_open(NULL, NULL, LOG_LEVEL_ERROR, NULL), 0);
	text = with_stderr(LOG_LEVEL_ERROR, "a\x1b[2Jb\xc2\x9b"
					    "1mc\xe2\x80\xae"
					    "d\xc3\xa4\xe2\x82\xac");
	assert_string_equal(text, "ringfence: a\\x1b[2Jb\\xc2\\x9b1mc\\xe2\\x80\\xaed\xc3\xa4\xe2\x82\xac\n");
	free(text);
}

static void test_json_stderr(void **state)
{
	char *text;

	assert_int_equal(log_open(NULL, "json", LOG_LEVEL_ERROR, NULL), 0);
	text = with_stderr(LOG_LEVEL_ERROR, "bad");
	assert_memory_equal(text, "{\"msg\":\"bad\",\"level\":\"error\",\"time\":\"", 37);
	free(text);
}

static void test_refused(void **state)
{
	struct err e = ERR_INIT;
	bool json;

	assert_int_equal(log_open(file, "text", LOG_LEVEL_ERROR, NULL), 0);
	assert_int_equal(log_open(NULL, "xml", LOG_LEVEL_DEBUG, &e), -EINVAL);
	assert_string_equal(e.text, "log format must be text or json, not \"xml\"");
	assert_int_equal(log_open("/nonexistent/log", NULL, LOG_LEVEL_DEBUG, &e), -ENOENT);
	assert_string_equal(e.text, "open log file /nonexistent/log: No such file or directory");
	/* The earlier log goes on. */
	assert_true(log_fd(&json) >= 0);
	assert_false(log_enabled(LOG_LEVEL_DEBUG));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(log_open(NULL, NULL, LOG_LEVEL_ERROR, NULL), 0);
	assert_int_equal(log_fd(&json), -1);
}

static void test_errno_is_kept(void **state)
{
	char *text;

	assert_int_equal(log_open(NULL, NULL, LOG_LEVEL_ERROR, NULL), 0);
	errno = EXDEV;
	text = with_stderr(LOG_LEVEL_DEBUG, "nothing");
	free(text);
	assert_int_equal(log_open(file, NULL, LOG_LEVEL_WARNING, NULL), 0);
	errno = EXDEV;
	log_warn("note");
	assert_int_equal(errno, EXDEV);
	free(take_file());
}

static void test_time(void **state)
{
	static const struct {
		int64_t secs;
		long ns;
		const char *text;
	} times[] = {
		{ 0, 0, "1970-01-01T00:00:00.000000000Z" },
		{ 951782399, 999999999, "2000-02-28T23:59:59.999999999Z" },
		{ 951782400, 1, "2000-02-29T00:00:00.000000001Z" },
		{ 1709164800, 0, "2024-02-29T00:00:00.000000000Z" },
		{ 1735689599, 0, "2024-12-31T23:59:59.000000000Z" },
		{ 1735689600, 0, "2025-01-01T00:00:00.000000000Z" },
		{ 4107542400, 0, "2100-03-01T00:00:00.000000000Z" },
		{ -1, 0, "1969-12-31T23:59:59.000000000Z" },
	};
	char buf[LOG_TIME_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		log_time(&(struct timespec){ .tv_sec = times[i].secs, .tv_nsec = times[i].ns }, buf);
		assert_string_equal(buf, times[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_stderr),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_text_file),
		cmocka_unit_test(test_json_file),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_json_stderr),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_errno_is_kept),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
