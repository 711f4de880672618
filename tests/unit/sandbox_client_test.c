/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a monitor: one that answers, one that refuses, one that is deaf, one that is gone. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "sandbox/client.h"

static int64_t skip_ms; /* what a wait that ends with nothing has taken, as the clock shows it */
static int64_t passed_ms;
static int waits;

int __real_poll(struct pollfd *at, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *at, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *at, nfds_t n, int timeout)
{
	int r = __real_poll(at, n, skip_ms ? 0 : timeout);

	waits++;
	if (r == 0 && skip_ms) {
		assert_in_range(timeout, 1, CLIENT_SECONDS * 1000);
		passed_ms += skip_ms;
	}
	return r;
}

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	int r = __real_clock_gettime(id, t);

	t->tv_sec += passed_ms / 1000;
	return r;
}

struct stage {
	char dir[32];
	struct rt_partition p;
	int listener;
	struct err e;
};

static void set_up(struct stage *s)
{
	static char id[] = "deaf";

	*s = (struct stage){ .dir = "/tmp/rf-client-XXXXXX", .e = ERR_INIT };
	assert_non_null(mkdtemp(s->dir));
	s->p.id = id;
	s->p.dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(s->p.dirfd >= 0);
	s->listener = client_listen(&s->p, &s->e);
	assert_true(s->listener >= 0);
	skip_ms = passed_ms = waits = 0;
}

static void tear_down(struct stage *s)
{
	fd_close(s->listener);
	unlinkat(s->p.dirfd, RT_START_SOCKET, 0);
	close(s->p.dirfd);
	assert_int_equal(rmdir(s->dir), 0);
}

/* A caller that asks already, and its monitor, which has left this for it. */
static int ask(struct stage *s, enum proto_type what, enum proto_type answer, const void *data, size_t len)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct proto_msg m;
		struct proto c;
		int fd;

		fcntl(s->listener, F_SETFL, 0);
		fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
		proto_open(&c, fd);
		if (proto_wait(&c, &m, 20000) < 0 || proto_send(&c, answer, 0, 0, m.serial, data, len) < 0)
			_exit(1);
		_exit(m.type == what ? 0 : 1);
	}
	status = client_ask(&s->p, what, NULL, 0, 0, NULL, &s->e);
	assert_int_equal(waitpid(child, &waits, 0), child);
	assert_int_equal(waits, 0);
	return status;
}

static void answers(void **state)
{
	struct stage s;

	(void)state;
	set_up(&s);
	assert_int_equal(ask(&s, PROTO_UPDATE, PROTO_DONE, NULL, 0), 0);
	assert_int_equal(ask(&s, PROTO_UPDATE, PROTO_ERROR, "\1\0\0\0\0\0\0\0no", 10), -EPERM);
	assert_non_null(strstr(s.e.text, "no"));
	assert_int_equal(ask(&s, PROTO_UPDATE, PROTO_OOM, NULL, 0), -EPROTO);
	tear_down(&s);
}

static void no_answer(void **state)
{
	static const uint8_t kill_it[8] = { SIGKILL };
	struct stage s;

	(void)state;
	set_up(&s);
	skip_ms = 7000;
	assert_int_equal(client_ask(&s.p, PROTO_SIGNAL, NULL, 0, 0, NULL, &s.e), -ETIMEDOUT);
	assert_in_range(passed_ms, CLIENT_SECONDS * 1000, (CLIENT_SECONDS + 7) * 1000);
	/* Who kills does not wait as long. */
	passed_ms = 0;
	assert_int_equal(client_ask(&s.p, PROTO_SIGNAL, kill_it, sizeof(kill_it), 0, NULL, &s.e), -ETIMEDOUT);
	assert_in_range(passed_ms, CLIENT_KILL_SECONDS * 1000, (CLIENT_KILL_SECONDS + 7) * 1000);
	assert_non_null(strstr(s.e.text, "has not answered"));
	tear_down(&s);
}

/* START runs the payload's hooks, however long they take: only a signal ends the wait. */
static void start_waits(void **state)
{
	struct stage s;
	int stop[2];

	(void)state;
	set_up(&s);
	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	assert_int_equal(write(stop[1], "x", 1), 1);
	passed_ms = INT32_MAX;
	assert_int_equal(client_ask(&s.p, PROTO_START, NULL, 0, stop[0], NULL, &s.e), -ECANCELED);
	close(stop[0]);
	close(stop[1]);
	tear_down(&s);
}

static void nobody_there(void **state)
{
	struct stage s;

	(void)state;
	set_up(&s);
	s.listener = fd_close(s.listener);
	assert_int_equal(client_ask(&s.p, PROTO_SIGNAL, NULL, 0, 0, NULL, &s.e), -ESRCH);
	unlinkat(s.p.dirfd, RT_START_SOCKET, 0);
	assert_int_equal(client_ask(&s.p, PROTO_SIGNAL, NULL, 0, 0, NULL, &s.e), -ESRCH);
	tear_down(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(no_answer),
		cmocka_unit_test(start_waits),
		cmocka_unit_test(nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
