/* SPDX-License-Identifier: Apache-2.0 */
/* What monitor, agent and verbs say to each other: in pieces, too much, with descriptors, and not at all. */
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
#include "sandbox/proto.h"

#define HEADER 16

struct line {
	struct proto a; /* ours to test */
	int b;		/* the other side's end, raw */
};

static void open_line(struct line *l)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	proto_open(&l->a, fds[0]);
	l->b = fds[1];
}

static void close_line(struct line *l)
{
	proto_close(&l->a);
	fd_close(l->b);
}

static void header(uint8_t *h, uint32_t len, uint8_t type, uint16_t flags, uint32_t id, uint32_t serial)
{
	proto_put_u32(h, len);
	h[4] = type;
	h[5] = 0;
	h[6] = (uint8_t)flags;
	h[7] = (uint8_t)(flags >> 8);
	proto_put_u32(h + 8, id);
	proto_put_u32(h + 12, serial);
}

/* One frame as it is, written by hand. */
static void put(struct line *l, uint8_t type, uint16_t flags, uint32_t id, uint32_t serial, const char *data)
{
	uint8_t frame[HEADER + 100];
	size_t len = strlen(data);

	header(frame, (uint32_t)len, type, flags, id, serial);
	memcpy(frame + HEADER, data, len);
	assert_int_equal(write(l->b, frame, HEADER + len), HEADER + len);
}

static void expect(struct line *l, enum proto_type type, uint32_t id, uint32_t serial, const char *data)
{
	struct proto_msg m;

	assert_int_equal(proto_next(&l->a, &m), 1);
	assert_int_equal(m.type, type);
	assert_int_equal(m.id, id);
	assert_int_equal(m.serial, serial);
	assert_int_equal(m.len, strlen(data));
	/* With the NUL that is not counted. */
	assert_string_equal((const char *)m.data, data);
}

static void expect_code(struct line *l, int code)
{
	struct proto_msg m;

	assert_int_equal(proto_next(&l->a, &m), code);
}

/* --- frames --------------------------------------------------------------------------------------- */

static void byte_by_byte(void **state)
{
	struct line l;
	uint8_t frame[HEADER + 5];

	(void)state;
	open_line(&l);
	header(frame, 5, PROTO_STDOUT, 7, 0x01020304, 0xfffffffe);
	memcpy(frame + HEADER, "hello", 5);
	for (size_t i = 0; i < sizeof(frame); i++) {
		expect_code(&l, 0);
		assert_int_equal(write(l.b, frame + i, 1), 1);
	}
	/* Flag 7 has PROTO_MORE: the message is not over. */
	expect_code(&l, 0);
	put(&l, PROTO_STDOUT, 0, 0x01020304, 0xfffffffe, " you");
	expect(&l, PROTO_STDOUT, 0x01020304, 0xfffffffe, "hello you");
	expect_code(&l, 0);
	close_line(&l);
}

/* The NUL behind a message stands where the next header begins. */
static void many_at_once(void **state)
{
	struct line l;

	(void)state;
	open_line(&l);
	for (uint32_t i = 1; i <= 100; i++)
		put(&l, PROTO_STDOUT, 0, i, 0, i % 3 ? "text" : "");
	for (uint32_t i = 1; i <= 100; i++)
		expect(&l, PROTO_STDOUT, i, 0, i % 3 ? "text" : "");
	expect_code(&l, 0);
	fd_close(l.b);
	l.b = -EBADF;
	expect_code(&l, -EPIPE);
	close_line(&l);
}

static void what_came_before_the_end(void **state)
{
	struct line l;

	(void)state;
	open_line(&l);
	put(&l, PROTO_EXIT, 0, 3, 0, "abcd");
	put(&l, PROTO_EXIT, 0, 4, 0, "abcd");
	/* Half a header does not count. */
	assert_int_equal(write(l.b, "\1\0\0", 3), 3);
	fd_close(l.b);
	l.b = -EBADF;
	expect(&l, PROTO_EXIT, 3, 0, "abcd");
	expect(&l, PROTO_EXIT, 4, 0, "abcd");
	expect_code(&l, -EPIPE);
	close_line(&l);
}

static void too_long_or_reserved(void **state)
{
	struct line l;
	uint8_t h[HEADER];

	(void)state;
	open_line(&l);
	header(h, PROTO_DATA_MAX + 1, PROTO_STDOUT, 0, 0, 0);
	assert_int_equal(write(l.b, h, HEADER), HEADER);
	expect_code(&l, -EPROTO);
	close_line(&l);

	open_line(&l);
	header(h, UINT32_MAX, PROTO_STDOUT, 0, 0, 0);
	assert_int_equal(write(l.b, h, HEADER), HEADER);
	expect_code(&l, -EPROTO);
	close_line(&l);

	open_line(&l);
	header(h, 0, PROTO_STDOUT, 0, 0, 0);
	h[5] = 1;
	assert_int_equal(write(l.b, h, HEADER), HEADER);
	expect_code(&l, -EPROTO);
	close_line(&l);
}

/* --- messages of several frames ------------------------------------------------------------------- */

static void pieces_of_another(void **state)
{
	static const struct {
		uint8_t type;
		uint32_t id, serial;
	} others[] = { { PROTO_STDERR, 1, 2 }, { PROTO_STDOUT, 9, 2 }, { PROTO_STDOUT, 1, 9 } };
	struct line l;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		open_line(&l);
		put(&l, PROTO_STDOUT, PROTO_MORE, 1, 2, "first");
		expect_code(&l, 0);
		put(&l, others[i].type, 0, others[i].id, others[i].serial, "second");
		expect_code(&l, -EPROTO);
		close_line(&l);
	}
	/* For ever nothing more would be no end either. */
	open_line(&l);
	put(&l, PROTO_STDOUT, PROTO_MORE, 1, 2, "first");
	put(&l, PROTO_STDOUT, PROTO_MORE, 1, 2, "");
	expect_code(&l, -EPROTO);
	close_line(&l);
}

/* In CREDIT the same bit names a stream; it may come between pieces. */
static void credit_between(void **state)
{
	struct line l;

	(void)state;
	open_line(&l);
	put(&l, PROTO_DONE, PROTO_MORE, 0, 5, "be");
	put(&l, PROTO_CREDIT, 1, 3, 0, "abcd");
	put(&l, PROTO_DONE, 0, 0, 5, "gun");
	expect(&l, PROTO_CREDIT, 3, 0, "abcd");
	expect(&l, PROTO_DONE, 0, 5, "begun");
	close_line(&l);
}

static void largest(void **state)
{
	uint8_t *data = malloc(PROTO_MESSAGE_MAX + 1);
	struct proto sender;
	struct proto_msg m;
	struct line l;
	int r = 0;

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < PROTO_MESSAGE_MAX; i++)
		data[i] = (uint8_t)(i * 31 >> 3);
	open_line(&l);
	proto_open(&sender, l.b);
	assert_int_equal(proto_send(&sender, PROTO_CONFIG, 0, 0, 0, data, PROTO_MESSAGE_MAX + 1), -EMSGSIZE);
	assert_false(proto_waits(&sender));
	assert_int_equal(proto_send(&sender, PROTO_CONFIG, 0, 0, 7, data, PROTO_MESSAGE_MAX), 0);
	assert_true(proto_waits(&sender));
	while (r == 0) {
		assert_int_equal(proto_flush(&sender), 0);
		r = proto_next(&l.a, &m);
	}
	assert_int_equal(r, 1);
	assert_int_equal(m.serial, 7);
	assert_int_equal(m.len, PROTO_MESSAGE_MAX);
	assert_memory_equal(m.data, data, PROTO_MESSAGE_MAX);
	assert_int_equal(m.data[m.len], 0);
	assert_false(proto_waits(&sender));
	/* What was long is not kept. */
	assert_int_equal(sender.out_room, 0);
	free(data);
	close_line(&l);
	sender.fd = -EBADF;
	proto_close(&sender);
}

static void one_byte_more_than_the_largest(void **state)
{
	uint8_t *frame = calloc(1, HEADER + PROTO_DATA_MAX);
	struct proto_msg m;
	struct line l;
	int r = 0;

	(void)state;
	assert_non_null(frame);
	open_line(&l);
	header(frame, PROTO_DATA_MAX, PROTO_DONE, PROTO_MORE, 0, 1);
	for (size_t sent = 0; sent < PROTO_MESSAGE_MAX; sent += PROTO_DATA_MAX)
		for (size_t at = 0; at < HEADER + PROTO_DATA_MAX;) {
			ssize_t n = write(l.b, frame + at, HEADER + PROTO_DATA_MAX - at);

			assert_true(n > 0 || errno == EAGAIN);
			at += n > 0 ? (size_t)n : 0;
			assert_int_equal(proto_next(&l.a, &m), 0);
		}
	header(frame, 1, PROTO_DONE, 0, 0, 1);
	assert_int_equal(write(l.b, frame, HEADER + 1), HEADER + 1);
	while (r == 0)
		r = proto_next(&l.a, &m);
	assert_int_equal(r, -EPROTO);
	free(frame);
	close_line(&l);
}

/* --- descriptors ---------------------------------------------------------------------------------- */

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void descriptors(void **state)
{
	struct proto sender;
	struct line l;
	int fds[3], got[3];

	(void)state;
	open_line(&l);
	proto_open(&sender, l.b);
	assert_true(sender.is_socket);
	for (int i = 0; i < 3; i++)
		fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(proto_send_fds(&sender, PROTO_EXEC, 0, 1, "{}", 2, fds, 3), 0);
	expect(&l, PROTO_EXEC, 0, 1, "{}");
	for (int i = 0; i < 3; i++) {
		got[i] = l.a.passed[i];
		assert_true(got[i] >= 0 && got[i] != fds[i]);
		assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
	}
	assert_int_equal(l.a.passed[3], -1);
	/* More than there is room for: those are closed, and those that nobody took when the line is. */
	assert_int_equal(proto_send_fds(&sender, PROTO_EXEC, 0, 2, "{}", 2, fds, 3), 0);
	expect(&l, PROTO_EXEC, 0, 2, "{}");
	assert_true(l.a.passed[3] >= 0);
	got[0] = l.a.passed[3];
	assert_int_equal(proto_send_fds(&sender, PROTO_EXEC, 0, 3, "", 0, fds, 5), -EINVAL);
	sender.fd = -EBADF;
	proto_close(&sender);
	close_line(&l);
	for (int i = 0; i < 3; i++) {
		assert_false(is_open(got[i]));
		close(fds[i]);
	}
	/* No more than the lowest descriptors are in use. */
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(fds[0] <= got[1]);
	close(fds[0]);
}

static void no_descriptors_on_a_pipe(void **state)
{
	struct proto p;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	proto_open(&p, fds[1]);
	assert_false(p.is_socket);
	assert_int_equal(proto_send_fds(&p, PROTO_EXEC, 0, 1, "", 0, fds, 1), -EINVAL);
	assert_int_equal(proto_send(&p, PROTO_OFF, 0, 0, 0, NULL, 0), 0);
	proto_close(&p);
	proto_open(&p, fds[0]);
	{
		struct proto_msg m;

		assert_int_equal(proto_wait(&p, &m, 1000), 0);
		assert_int_equal(m.type, PROTO_OFF);
		assert_int_equal(proto_next(&p, &m), -EPIPE);
	}
	proto_close(&p);
}

/* --- the rest ------------------------------------------------------------------------------------- */

static void waiting_ends(void **state)
{
	struct proto_msg m;
	struct line l;

	(void)state;
	open_line(&l);
	assert_int_equal(proto_wait(&l.a, &m, 20), -ETIMEDOUT);
	put(&l, PROTO_DONE, 0, 0, 1, "");
	assert_int_equal(proto_wait(&l.a, &m, 20), 0);
	fd_close(l.b);
	l.b = -EBADF;
	/* To write to who is gone is no reason not to hear what he said. */
	assert_true(proto_send(&l.a, PROTO_START, 0, 0, 1, NULL, 0) < 0);
	assert_int_equal(proto_wait(&l.a, &m, 20), -EPIPE);
	close_line(&l);
}

static void numbers(void **state)
{
	const uint8_t data[6] = { 1, 2, 3, 4, 5, 6 };
	struct proto_msg m = { .data = data, .len = 6 };

	(void)state;
	assert_int_equal(proto_u32(&m, 0), 0x04030201);
	assert_int_equal(proto_u32(&m, 2), 0x06050403);
	assert_int_equal(proto_u32(&m, 3), 0);
	assert_int_equal(proto_u32(&m, SIZE_MAX), 0);
	m.len = 3;
	assert_int_equal(proto_u32(&m, 0), 0);
	m.len = 0;
	assert_int_equal(proto_u32(&m, 0), 0);
}

static void errors_can_be_printed(void **state)
{
	uint8_t data[8 + 2 * ERR_TEXT_MAX];
	struct proto_msg m = { .data = data, .len = 8 + 5 };
	struct err e = ERR_INIT;

	(void)state;
	memset(data, 0, sizeof(data));
	proto_put_u32(data, ENOENT);
	memcpy(data + 8,
		"a\033[\x9b"
		"b",
		5);
	assert_int_equal(proto_error(&m, &e), -ENOENT);
	assert_string_equal(e.text, "a?[?b");
	/* Never 0, and never a number that would be taken for something else. */
	proto_put_u32(data, 0);
	assert_int_equal(proto_error(&m, &e), -EPROTO);
	proto_put_u32(data, UINT32_MAX);
	assert_int_equal(proto_error(&m, &e), -EPROTO);
	m.len = 2;
	assert_int_equal(proto_error(&m, &e), -EPROTO);
	assert_true(e.text[0]);
	memset(data, 'x', sizeof(data));
	m.len = sizeof(data);
	assert_true(proto_error(&m, &e) < 0);
	assert_true(strlen(e.text) < ERR_TEXT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(what_came_before_the_end),
		cmocka_unit_test(too_long_or_reserved),
		cmocka_unit_test(pieces_of_another),
		cmocka_unit_test(credit_between),
		cmocka_unit_test(largest),
		cmocka_unit_test(one_byte_more_than_the_largest),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(no_descriptors_on_a_pipe),
		cmocka_unit_test(waiting_ends),
		cmocka_unit_test(numbers),
		cmocka_unit_test(errors_can_be_printed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
