/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a program, explaining why it does not run, and homes out of a hostile passwd file. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/lookup.h"

static char dir[] = "/tmp/ringfence-unit-XXXXXX";
static struct arena *arena;

static int set_up(void **state)
{
	arena = arena_new();
	return arena && mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return chdir("/") == 0 ? rmdir(dir) : -1;
}

static void put(const char *name, mode_t mode, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void refused(const char *name, char *const *env, int code, const char *text)
{
	struct err e = ERR_INIT;
	const char *path;

	assert_int_equal(lookup_program(arena, name, env, &path, &e), -code);
	assert_string_equal(e.text, text);
}

static void test_program(void **state)
{
	char *const env[] = { arena_printf(arena, "PATH=/nonexistent:%s:/bin", dir), NULL };
	struct err e = ERR_INIT;
	const char *path;

	put("yes-run", 0755, "#!/bin/sh\n");
	put("no-run", 0644, "");
	assert_int_equal(lookup_program(arena, "yes-run", env, &path, &e), 0);
	assert_string_equal(path, arena_printf(arena, "%s/yes-run", dir));
	assert_int_equal(lookup_program(arena, "./yes-run", env, &path, &e), 0);
	assert_string_equal(path, "./yes-run");
	refused("no-such", env, ENOENT,
		arena_printf(arena,
			"exec: \"no-such\": executable file not found in $PATH; it is "
			"\"/nonexistent:%s:/bin\"",
			dir));
	refused("no-such", (char *[]){ "PATH=", NULL }, ENOENT,
		"exec: \"no-such\": executable file not found in $PATH; it is \"\"");
	refused("no-such", (char *[]){ "HOME=/", NULL }, ENOENT,
		"exec: \"no-such\": executable file not found in $PATH; process.env does not set it, so it "
		"is "
		"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	refused("no-such -l", env, ENOENT,
		"exec: \"no-such -l\": executable file not found in $PATH; is it several words? each word is "
		"a string "
		"of its own in process.args, which no shell takes apart");
	refused("/no/such", env, ENOENT, "exec: \"/no/such\": stat /no/such: no such file or directory");
	refused("/etc", env, EACCES, "exec: \"/etc\": permission denied: it is a directory");
	refused("./no-run", env, EACCES,
		"exec: \"./no-run\": permission denied: it is not executable for this user");
	refused("", env, ENOENT, "exec: \"\": executable file not found in $PATH: process.args[0] is empty");
	unlink("yes-run");
	unlink("no-run");
}

static void explained(const char *content, int code, const char *needle)
{
	struct err e = ERR_INIT;

	put("x", 0755, content);
	assert_int_equal(lookup_explain("x", "./x", code, &e), -code);
	if (!strstr(e.text, needle))
		fail_msg("\"%s\" not in \"%s\"", needle, e.text);
	unlink("x");
}

static void test_explain(void **state)
{
	explained("#!/no/interp -x\n", ENOENT,
		"its interpreter /no/interp, named in the first line: no such file or directory");
	explained("#!/bin/sh\r\necho\r\n", ENOENT, "carriage return");
	explained("#! /no/interp", ENOENT, "/no/interp");
	explained("plain text", ENOEXEC, "exec format error: neither a program");
	explained("#!\n", ENOEXEC, "names no interpreter");
	explained("", ENOEXEC, "exec format error");
	explained("x", EACCES, "permission denied");
	explained("#!/etc\n", EACCES,
		"permission denied: its interpreter /etc, named in the first line, is a directory");
	put("no-run", 0644, "");
	explained("#!./no-run\n", EACCES,
		"its interpreter ./no-run, named in the first line, is not executable for this user");
	unlink("no-run");
	/* Its interpreter is not to blame. */
	explained("#!/bin/sh\n", EACCES, "exec: \"x\": permission denied");
	/* An ELF head that ends too early, or lies, must not lead anywhere. */
	explained("\x7f"
		  "ELF\x02\x01\x01",
		ENOENT, "no such file or directory");
}

static void home_is(const char *passwd, unsigned int uid, const char *home)
{
	int root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	put("etc/passwd", 0644, passwd);
	assert_string_equal(lookup_home(arena, root, uid), home);
	close(root);
}

static void test_home(void **state)
{
	int root;

	mkdir("etc", 0755);
	home_is("root:x:0:0::/root:/bin/sh\nme:x:1000:1000:Me:/home/me:/bin/sh\n", 1000, "/home/me");
	home_is("root:x:0:0::/root:/bin/sh", 0, "/root");
	/* A name that looks like a number is a name. */
	home_is("1000:x:0:0::/root:/bin/sh\n", 1000, "/");
	home_is("a:x:1000x:0::/h:/bin/sh\nb:x:-1:0::/h:\n:::::\n\n::\n", 1000, "/");
	home_is("a:x:5:0::\n", 5, "/");
	home_is("a:x:5:0::/only", 5, "/only");
	unlink("etc/passwd");
	/* A FIFO must not be waited for, a link must not lead out. */
	assert_int_equal(mkfifo("etc/passwd", 0644), 0);
	root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_string_equal(lookup_home(arena, root, 0), "/");
	unlink("etc/passwd");
	assert_int_equal(symlink("/proc/self/root/etc/passwd", "etc/passwd"), 0);
	assert_string_equal(lookup_home(arena, root, 0), "/");
	close(root);
	unlink("etc/passwd");
	rmdir("etc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_home),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
