/* SPDX-License-Identifier: Apache-2.0 */
/* A child that borrows our memory: what it writes stays, what it closes is its own, we stand still until it
 * is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "base/spawn.h"

struct shared {
	int fd, code;
	pid_t pid;
	char *text;
	const char *program;
};

static void scribble(void *arg)
{
	struct shared *s = arg;
	volatile char deep[64 * 1024];

	/* Far below the parent's frames, and over all of it. */
	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = (char)0xAA;
	close(s->fd);
	s->text = strdup("from the child");
	s->code = deep[100] == (char)0xAA ? 7 : 8;
	_exit(s->code);
}

static void execute(void *arg)
{
	struct shared *s = arg;
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"sleep 0.3; exit 5", NULL };

	s->code = 1;
	execve(s->program, argv, NULL);
	s->code = errno;
	_exit(127);
}

static void die(void *arg)
{
	kill(getpid(), SIGKILL);
}

static void name_itself(void *arg)
{
	struct shared *s = arg;

	/* Set by the kernel before we run. */
	s->code = s->pid == getpid();
	_exit(0);
}

static void need_it(void)
{
	if (!spawn_can_borrow())
		skip();
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_shares_memory_not_descriptors(void **state)
{
	struct clone_args args = { 0 };
	struct shared s = { .fd = open("/dev/null", O_RDONLY | O_CLOEXEC) };
	char around[256];
	pid_t pid;

	need_it();
	memset(around, 0x55, sizeof(around));
	pid = spawn_borrowing(&args, scribble, &s);
	assert_true(pid > 0);
	/* No wait was needed. */
	assert_int_equal(s.code, 7);
	assert_string_equal(s.text, "from the child");
	free(s.text);
	for (size_t i = 0; i < sizeof(around); i++)
		assert_int_equal(around[i], 0x55);
	assert_true(fcntl(s.fd, F_GETFD) >= 0);
	close(s.fd);
	assert_int_equal(WEXITSTATUS(wait_for(pid)), 7);
}

static void test_goes_on_at_exec(void **state)
{
	struct clone_args args = { 0 };
	struct shared s = { .program = "/bin/sh" };
	int status;
	pid_t pid;

	need_it();
	pid = spawn_borrowing(&args, execute, &s);
	assert_true(pid > 0);
	assert_int_equal(s.code, 1);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	assert_int_equal(WEXITSTATUS(wait_for(pid)), 5);
}

static void test_exec_fails(void **state)
{
	struct clone_args args = { 0 };
	struct shared s = { .program = "/nonexistent" };
	pid_t pid;

	need_it();
	pid = spawn_borrowing(&args, execute, &s);
	assert_true(pid > 0);
	assert_int_equal(s.code, ENOENT);
	assert_int_equal(WEXITSTATUS(wait_for(pid)), 127);
}

static void test_killed(void **state)
{
	struct clone_args args = { 0 };
	pid_t pid;

	need_it();
	pid = spawn_borrowing(&args, die, NULL);
	assert_true(pid > 0);
	assert_int_equal(WTERMSIG(wait_for(pid)), SIGKILL);
}

static void test_knows_its_pid(void **state)
{
	struct shared s = { .code = -1 };
	struct clone_args args = { .flags = CLONE_PARENT_SETTID, .parent_tid = (uint64_t)(uintptr_t)&s.pid };
	pid_t pid;

	need_it();
	pid = spawn_borrowing(&args, name_itself, &s);
	assert_true(pid > 0);
	assert_int_equal(s.pid, pid);
	assert_int_equal(s.code, 1);
	wait_for(pid);
}

static void test_refused(void **state)
{
	/* The kernel does not take these two together. */
	struct clone_args args = { .flags = CLONE_NEWNS | CLONE_FS };

	need_it();
	assert_int_equal(spawn_borrowing(&args, die, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_memory_not_descriptors),
		cmocka_unit_test(test_goes_on_at_exec),
		cmocka_unit_test(test_exec_fails),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_knows_its_pid),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
