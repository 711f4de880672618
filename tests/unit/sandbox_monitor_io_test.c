/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's streams: windows, order, readers who are slow or gone, a guest that does not read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "runtime/sync.h"
#include "sandbox/monitor.h"

struct stage {
	struct monitor m;
	struct proto guest; /* the agent's end */
	struct monitor_proc *p;
	int in, out, err; /* our ends of its streams */
};

static void set_up_with(struct stage *s, int in, int out, int err)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	proto_open(&s->m.guest, fds[0]);
	proto_open(&s->guest, fds[1]);
	s->m.phase = MON_UP;
	s->p = monitor_proc_new(&s->m, in, out, err);
	assert_non_null(s->p);
}

static void set_up(struct stage *s)
{
	int in[2], out[2], err[2];

	*s = (struct stage){ 0 };
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	set_up_with(s, in[0], out[1], err[1]);
	s->in = in[1];
	s->out = out[0];
	s->err = err[0];
	assert_true(fcntl(s->out, F_SETFL, O_NONBLOCK) == 0);
}

static void tear_down(struct stage *s)
{
	while (s->m.procs)
		monitor_proc_free(&s->m, s->m.procs);
	proto_close(&s->m.guest);
	proto_close(&s->guest);
	fd_close(s->in);
	fd_close(s->out);
	fd_close(s->err);
}

/* One round of the monitor's loop, for this process. What poll(2) said. */
static int turn(struct stage *s)
{
	struct pollfd at[MONITOR_POLLS];
	int n;

	assert_int_equal(monitor_proc_poll(&s->m, s->p, at), MONITOR_POLLS);
	n = poll(at, MONITOR_POLLS, 0);
	assert_true(n >= 0);
	assert_int_equal(monitor_proc_serve(&s->m, s->p, at), 0);
	/* As before the next wait. */
	monitor_proc_poll(&s->m, s->p, at);
	return n;
}

/* All credit that has come for a stream. */
static size_t credit(struct stage *s, uint16_t stream)
{
	struct proto_msg m;
	size_t sum = 0;

	while (proto_next(&s->guest, &m) > 0)
		if (m.type == PROTO_CREDIT && m.flags == stream && m.id == s->p->id)
			sum += proto_u32(&m, 0);
	return sum;
}

/* --- output --------------------------------------------------------------------------------------- */

static void window(void **state)
{
	static const uint8_t data[PROTO_WINDOW + 1];
	struct monitor_sink sink = { .fd = -1 };

	(void)state;
	assert_int_equal(monitor_sink_put(&sink, data, PROTO_WINDOW + 1), -EPROTO);
	assert_int_equal(monitor_sink_put(&sink, data, PROTO_WINDOW), 0);
	assert_int_equal(monitor_sink_put(&sink, data, 1), -EPROTO);
	assert_int_equal(sink.len, PROTO_WINDOW);
	/* The end takes no room, comes once, and is the last. */
	assert_int_equal(monitor_sink_put(&sink, NULL, 0), 0);
	assert_int_equal(monitor_sink_put(&sink, data, 1), -EPROTO);
	assert_int_equal(monitor_sink_put(&sink, NULL, 0), -EPROTO);
	free(sink.data);
}

static void order(void **state)
{
	uint8_t next_in = 0, next_out = 0, buf[3000], got[5000];
	size_t put = 0, taken = 0, told = 0;
	struct stage s;

	(void)state;
	set_up(&s);
	/* A small pipe, and a reader who takes other pieces than those that are put. */
	fcntl(s.out, F_SETPIPE_SZ, 4096);
	for (int i = 0; i < 500; i++) {
		size_t len = (size_t)(i * 37) % sizeof(buf) + 1;
		ssize_t n;

		if (len <= PROTO_WINDOW - s.p->out[0].len) {
			for (size_t k = 0; k < len; k++)
				buf[k] = next_in++;
			assert_int_equal(monitor_sink_put(&s.p->out[0], buf, len), 0);
			put += len;
		}
		turn(&s);
		n = i % 3 ? read(s.out, got, (size_t)(i * 61) % sizeof(got) + 1) : 0;
		for (ssize_t k = 0; k < n; k++)
			assert_int_equal(got[k], next_out++);
		taken += n > 0 ? (size_t)n : 0;
		told += credit(&s, 1);
	}
	while (taken < put) {
		ssize_t n = read(s.out, got, sizeof(got));

		for (ssize_t k = 0; k < n; k++)
			assert_int_equal(got[k], next_out++);
		taken += n > 0 ? (size_t)n : 0;
		turn(&s);
		told += credit(&s, 1);
	}
	assert_int_equal(taken, put);
	assert_int_equal(told, put);
	/* Nothing is kept for a stream that has nothing in it. */
	assert_null(s.p->out[0].data);
	tear_down(&s);
}

static void slow_reader_holds_up_nobody(void **state)
{
	static const uint8_t data[PROTO_WINDOW];
	uint8_t byte;
	struct stage s;

	(void)state;
	set_up(&s);
	assert_int_equal(monitor_sink_put(&s.p->out[0], data, PROTO_WINDOW), 0);
	/* As many as a pipe takes, and then poll(2) has nothing to say. */
	for (int i = 0; i < 1000 && turn(&s) > 0; i++)
		;
	assert_int_equal(turn(&s), 0);
	assert_true(s.p->out[0].len > 0);
	assert_int_equal(credit(&s, 1), PROTO_WINDOW - s.p->out[0].len);
	assert_int_equal(monitor_sink_put(&s.p->out[1], (const uint8_t *)"x", 1), 0);
	assert_int_equal(turn(&s), 1);
	assert_int_equal(read(s.err, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	/* It has said all only when it is written. */
	s.p->exited = true;
	assert_false(monitor_proc_done(s.p));
	tear_down(&s);
}

static void reader_who_is_gone(void **state)
{
	struct stage s;

	(void)state;
	set_up(&s);
	s.out = fd_close(s.out);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(monitor_sink_put(&s.p->out[0], (const uint8_t *)"lost", 4), 0);
		turn(&s);
		assert_true(s.p->out[0].broken);
		assert_int_equal(s.p->out[0].len, 0);
		/* The payload does not hang on it. */
		assert_int_equal(credit(&s, 1), 4);
	}
	s.p->exited = true;
	assert_true(monitor_proc_done(s.p));
	tear_down(&s);
}

/* With a terminal there is no stderr; whoever sends some all the same does not keep us from ending. */
static void nowhere_to_go(void **state)
{
	struct stage s = { .in = -1, .out = -1, .err = -1 };

	(void)state;
	set_up_with(&s, -1, -1, -1);
	assert_int_equal(monitor_sink_put(&s.p->out[1], (const uint8_t *)"lost", 4), 0);
	s.p->exited = true;
	assert_true(monitor_proc_done(s.p));
	turn(&s);
	assert_int_equal(s.p->out[1].len, 0);
	assert_int_equal(credit(&s, 2), 4);
	tear_down(&s);
}

/* One that sends for ever and never reads what it gets for it: what waits for it is bounded. */
static void guest_that_does_not_read(void **state)
{
	struct stage s;
	uint8_t got[4096];
	size_t told, sent = 0;

	(void)state;
	set_up(&s);
	for (int i = 0; i < 60000; i++) {
		assert_int_equal(monitor_sink_put(&s.p->out[0], (const uint8_t *)"y", 1), 0);
		sent++;
		turn(&s);
		if (i % 100 == 0)
			while (read(s.out, got, sizeof(got)) > 0)
				;
	}
	assert_true(proto_queued(&s.m.guest) < 3 * PROTO_DATA_MAX);
	/* And once it reads it hears of all that was taken. */
	told = 0;
	for (int i = 0; i < 100000 && (told < sent || proto_waits(&s.m.guest)); i++) {
		while (read(s.out, got, sizeof(got)) > 0)
			;
		told += credit(&s, 1);
		assert_int_equal(proto_flush(&s.m.guest), 0);
		turn(&s);
	}
	assert_int_equal(told, sent);
	tear_down(&s);
}

/* --- input ---------------------------------------------------------------------------------------- */

static void input_keeps_to_the_window(void **state)
{
	static const uint8_t data[4096];
	struct proto_msg m;
	struct stage s;
	size_t got = 0;

	(void)state;
	set_up(&s);
	fcntl(s.in, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 200; i++) {
		(void)!write(s.in, data, sizeof(data));
		turn(&s);
		while (proto_next(&s.guest, &m) > 0) {
			assert_int_equal(m.type, PROTO_STDIN);
			got += m.len;
		}
	}
	assert_int_equal(got, PROTO_WINDOW);
	assert_int_equal(s.p->window, 0);
	/* Then nobody listens, whatever is there. */
	assert_int_equal(turn(&s), 0);
	s.p->window = 10;
	turn(&s);
	assert_int_equal(proto_next(&s.guest, &m), 1);
	assert_int_equal(m.len, 10);
	tear_down(&s);
}

static void end_of_input(void **state)
{
	struct proto_msg m;
	struct stage s;

	(void)state;
	set_up(&s);
	s.in = fd_close(s.in);
	turn(&s);
	assert_int_equal(proto_next(&s.guest, &m), 1);
	assert_int_equal(m.type, PROTO_STDIN);
	assert_int_equal(m.len, 0);
	/* Once: its hang-up does not wake us again. */
	assert_int_equal(turn(&s), 0);
	assert_int_equal(proto_next(&s.guest, &m), 0);
	tear_down(&s);
}

static void no_input_before_the_start(void **state)
{
	struct stage s;

	(void)state;
	set_up(&s);
	assert_int_equal(write(s.in, "x", 1), 1);
	s.m.phase = MON_CREATED;
	assert_int_equal(turn(&s), 0);
	s.m.phase = MON_UP;
	assert_int_equal(turn(&s), 1);
	tear_down(&s);
}

static void identities(void **state)
{
	struct monitor_proc *other;
	struct stage s;

	(void)state;
	set_up(&s);
	other = monitor_proc_new(&s.m, -1, -1, -1);
	assert_non_null(other);
	assert_int_not_equal(other->id, s.p->id);
	assert_ptr_equal(monitor_proc_find(&s.m, other->id), other);
	assert_ptr_equal(monitor_proc_find(&s.m, s.p->id), s.p);
	monitor_proc_free(&s.m, other);
	assert_null(monitor_proc_find(&s.m, 1));
	assert_ptr_equal(monitor_proc_find(&s.m, 0), s.p);
	tear_down(&s);
}

/* The descriptor is given up when all has been read, and not before. */
static void end_of_output(void **state)
{
	struct stage s;
	char text[8];

	(void)state;
	set_up(&s);
	assert_int_equal(monitor_sink_put(&s.p->out[0], (const uint8_t *)"last", 4), 0);
	assert_int_equal(monitor_sink_put(&s.p->out[0], NULL, 0), 0);
	assert_true(s.p->out[0].fd >= 0);
	turn(&s);
	assert_int_equal(read(s.out, text, sizeof(text)), 4);
	assert_true(s.p->out[0].fd < 0);
	assert_int_equal(read(s.out, text, sizeof(text)), 0);
	assert_int_equal(monitor_sink_put(&s.p->out[0], (const uint8_t *)"more", 4), -EPROTO);
	/* With nothing left to be written, at once. */
	assert_int_equal(monitor_sink_put(&s.p->out[1], NULL, 0), 0);
	assert_true(s.p->out[1].fd < 0);
	assert_int_equal(read(s.err, text, sizeof(text)), 0);
	tear_down(&s);
}

/* A verb that has asked for something; its own end, or -1 for one that has gone. */
static struct monitor_client *caller(
	struct stage *s, enum proto_type asked, uint32_t serial, struct proto *end)
{
	struct monitor_client *c = calloc(1, sizeof(*c));
	int fds[2];

	assert_non_null(c);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	proto_open(&c->proto, fds[0]);
	c->asked = asked;
	c->ours = serial;
	c->theirs = 1;
	c->gone = !end;
	c->next = s->m.clients;
	s->m.clients = c;
	if (end)
		proto_open(end, fds[1]);
	else
		close(fds[1]);
	return c;
}

/* The guest says this; what the monitor makes of it. */
static int hears(struct stage *s, enum proto_type type, uint32_t serial, const void *data, size_t len)
{
	struct err e = ERR_INIT;

	assert_int_equal(proto_send(&s->guest, type, 0, 0, serial, data, len), 0);
	return monitor_guest_serve(&s->m, &e);
}

/* Of who is gone nothing is kept but the place for an answer, which can be given once. */
static void callers_who_are_gone(void **state)
{
	struct stage s;
	struct monitor_client *c;

	(void)state;
	set_up(&s);
	s.m.phase = MON_STARTING;
	caller(&s, PROTO_SIGNAL, 16, NULL);
	c = caller(&s, PROTO_START, 17, NULL);
	monitor_clients_reap(&s.m);
	assert_ptr_equal(s.m.clients, c);
	assert_non_null(c->next);
	assert_true(c->proto.fd < 0 && c->next->proto.fd < 0);
	assert_int_equal(hears(&s, PROTO_DONE, 16, NULL, 0), 0);
	monitor_clients_reap(&s.m);
	assert_null(c->next);
	/* From this one something follows. */
	assert_int_equal(hears(&s, PROTO_DONE, 17, NULL, 0), 0);
	assert_int_equal(s.m.phase, MON_UP);
	monitor_clients_reap(&s.m);
	assert_null(s.m.clients);
	assert_int_equal(hears(&s, PROTO_DONE, 17, NULL, 0), -EPROTO);
	tear_down(&s);
}

/* Its process may only come to be after it has gone: it is killed then, and its streams are closed before. */
static void exec_that_is_gone(void **state)
{
	struct proto_msg msg;
	struct monitor_client *c;
	struct stage s;
	int out[2];

	(void)state;
	set_up(&s);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	c = caller(&s, PROTO_EXEC, 16, NULL);
	c->proc = monitor_proc_new(&s.m, -1, out[1], -1);
	assert_non_null(c->proc);
	monitor_clients_reap(&s.m);
	assert_int_equal(read(out[0], &msg, 1), 0);
	assert_int_equal(proto_next(&s.guest, &msg), 0);
	assert_int_equal(hears(&s, PROTO_DONE, 16, NULL, 0), 0);
	monitor_clients_reap(&s.m);
	assert_null(s.m.clients);
	assert_int_equal(proto_next(&s.guest, &msg), 1);
	assert_int_equal(msg.type, PROTO_SIGNAL);
	assert_int_equal(proto_u32(&msg, 0), SIGKILL);
	close(out[0]);
	tear_down(&s);
}

/* One whose exec runs, and which asks for nothing just now, is not meant by any answer. */
static void answers_to_nothing(void **state)
{
	struct stage s;
	struct proto end;
	struct monitor_client *c;

	(void)state;
	for (int i = 0; i < 2; i++) {
		enum proto_type type = i ? PROTO_ERROR : PROTO_DONE;

		set_up(&s);
		c = caller(&s, PROTO_EXEC, 0, &end);
		c->proc = monitor_proc_new(&s.m, -1, -1, -1);
		assert_int_equal(hears(&s, type, 0, "\0\0\0\0\0\0\0\0", 8), -EPROTO);
		assert_non_null(c->proc);
		assert_int_equal(hears(&s, type, 16, "\0\0\0\0\0\0\0\0", 8), -EPROTO);
		assert_int_equal(hears(&s, type, 1, "\0\0\0\0\0\0\0\0", 8), -EPROTO);
		c->gone = true;
		monitor_clients_reap(&s.m);
		proto_close(&end);
		tear_down(&s);
	}
}

/* What the runtime in the guest says of a config is printable, short, and for the creator. */
static void warnings(void **state)
{
	struct sync_frame f;
	struct stage s;
	int sync[2], fd;

	(void)state;
	set_up(&s);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sync), 0);
	s.m.sync = sync[0];
	s.m.phase = MON_CREATE;
	assert_int_equal(hears(&s, PROTO_LOG, 0, "one\n\033[2Jtwo\n", 12), 0);
	assert_int_equal(sync_recv(sync[1], &f, &fd), SYNC_WARN);
	assert_string_equal(f.text, "one [2Jtwo");
	for (int i = 0; i < 40; i++)
		assert_int_equal(hears(&s, PROTO_LOG, 0, "again", 5), 0);
	for (int i = 1; i < 16; i++)
		assert_int_equal(sync_recv(sync[1], &f, &fd), SYNC_WARN);
	assert_true(recv(sync[1], &f, sizeof(f), MSG_DONTWAIT) < 0);
	close(sync[0]);
	close(sync[1]);
	tear_down(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window),
		cmocka_unit_test(order),
		cmocka_unit_test(slow_reader_holds_up_nobody),
		cmocka_unit_test(reader_who_is_gone),
		cmocka_unit_test(nowhere_to_go),
		cmocka_unit_test(guest_that_does_not_read),
		cmocka_unit_test(input_keeps_to_the_window),
		cmocka_unit_test(end_of_input),
		cmocka_unit_test(end_of_output),
		cmocka_unit_test(callers_who_are_gone),
		cmocka_unit_test(exec_that_is_gone),
		cmocka_unit_test(answers_to_nothing),
		cmocka_unit_test(warnings),
		cmocka_unit_test(no_input_before_the_start),
		cmocka_unit_test(identities),
	};

	/* As the monitor has it. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
