/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio 9p device, driven from plain memory, with the test as the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_9p.h>

#include "base/fd.h"
#include "sandbox/p9_internal.h"
#include "sandbox_driver.h"

#define ROOM   4096U
#define OUT(i) (DRV_DATA + (i)*2 * ROOM)
#define IN(i)  (OUT(i) + ROOM)
#define LARGE  (DRV_DATA + 0x200000U)
#define TYPE   P9_TREAD

static struct drv v;
static int server = -1;

static int set_up(void **state)
{
	struct vm_tree tree = { .tag = "s0" };
	struct err e = ERR_INIT;
	int s[2];

	(void)state;
	drv_open(&v);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s), 0);
	tree.fd = s[0];
	server = s[1];
	assert_int_equal(virtio_9p_new(&v.mem, &v.loop, &tree, &v.d, &e), 0);
	drv_start(&v, DRV_ALL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	drv_close(&v);
	server = fd_close(server);
	return 0;
}

static void header(void *at, uint32_t size, uint8_t type, uint16_t tag)
{
	memcpy(at, &size, 4);
	memcpy((uint8_t *)at + 4, &type, 1);
	memcpy((uint8_t *)at + 5, &tag, 2);
}

/* A request of `given` bytes that says it has `size`, in two pieces, with `room` for its reply in two. */
static uint16_t ask(unsigned i, uint16_t tag, uint32_t size, uint32_t given, uint32_t room)
{
	const struct drv_buf b[4] = { { OUT(i), 3, false }, { OUT(i) + 3, given - 3, false },
		{ IN(i), 5, true }, { IN(i) + 5, room - 5, true } };
	uint8_t *at = v.mem.base + OUT(i);

	memset(at, (int)tag, ROOM);
	header(at, size, TYPE, tag);
	return drv_put(&v, 0, b, 4);
}

static void reply(uint16_t tag, uint32_t size, uint32_t given)
{
	uint8_t m[ROOM];

	memset(m, 0x55 + tag, sizeof(m));
	header(m, size, TYPE + 1, tag);
	assert_int_equal(send(server, m, given, MSG_NOSIGNAL), given);
	assert_true(drv_loop(&v));
}

/* What the server is sent: one request with this tag. */
static void asked(uint16_t tag, uint32_t size)
{
	uint8_t m[ROOM], want[ROOM];

	memset(want, (int)tag, sizeof(want));
	header(want, size, TYPE, tag);
	assert_int_equal(recv(server, m, size, 0), size);
	assert_memory_equal(m, want, size);
}

static void nothing_asked(void)
{
	uint8_t byte;

	assert_int_equal(recv(server, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void back(uint16_t head, uint32_t len)
{
	uint16_t h;
	uint32_t n;

	assert_true(drv_used(&v, 0, &h, &n));
	assert_int_equal(h, head);
	assert_int_equal(n, len);
}

static void is_error(unsigned i, uint16_t tag)
{
	uint8_t want[11];
	uint32_t code = EIO;

	header(want, sizeof(want), P9_RLERROR, tag);
	memcpy(want + 7, &code, 4);
	assert_memory_equal(v.mem.base + IN(i), want, sizeof(want));
}

static void configuration(void **state)
{
	uint8_t tag[5];

	(void)state;
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_DEVICE_ID), 9);
	assert_true(drv_offered(&v) & 1ULL << VIRTIO_9P_MOUNT_TAG);
	virtio_read(v.d, VIRTIO_MMIO_CONFIG, tag, sizeof(tag));
	assert_memory_equal(tag, "\2\0s0\0", 5);
}

static void requests_and_replies(void **state)
{
	uint16_t a = ask(0, 7, 100, 100, 200), b = ask(1, 8, 7, 7, 11);
	uint8_t want[193];

	(void)state;
	drv_go(&v, 0);
	asked(7, 100);
	asked(8, 7);
	assert_false(drv_used(&v, 0, NULL, NULL));
	drv_irq(&v);
	/* By and by. */
	reply(7, 200, 3);
	assert_false(drv_used(&v, 0, NULL, NULL));
	memset(want, 0x44, sizeof(want));
	assert_int_equal(send(server, (uint8_t[]){ 0, TYPE + 1, 7, 0 }, 4, 0), 4);
	assert_true(drv_loop(&v));
	assert_int_equal(send(server, want, 193, 0), 193);
	assert_true(drv_loop(&v));
	assert_true(drv_irq(&v));
	back(a, 200);
	assert_memory_equal(v.mem.base + IN(0) + 7, want, 193);
	assert_int_equal(v.mem.base[IN(0)], 200);
	assert_int_equal(v.mem.base[IN(0) + 4], TYPE + 1);
	reply(8, 7, 7);
	back(b, 7);
	/* Of more bytes than a request says it has, those are sent. */
	a = ask(0, 7, 50, 100, 11);
	drv_go(&v, 0);
	asked(7, 50);
	nothing_asked();
	reply(7, 11, 11);
	back(a, 11);
	assert_false(drv_dead(&v));
}

static void more_than_can_be_under_way(void **state)
{
	uint16_t heads[30];

	(void)state;
	for (uint16_t i = 0; i < 30; i++)
		heads[i] = ask(i, i, 20, 20, 11);
	drv_go(&v, 0);
	for (uint16_t i = 0; i < 16; i++)
		asked(i, 20);
	nothing_asked();
	for (uint16_t i = 0; i < 30; i++) {
		reply(i, 11, 11);
		back(heads[i], 11);
		if (i + 16 < 30)
			asked((uint16_t)(i + 16), 20);
	}
	nothing_asked();
}

/* One that the socket does not take at once. */
static void a_large_request(void **state)
{
	const struct drv_buf b[2] = { { LARGE, P9_MSIZE_MAX, false }, { IN(0), 11, true } };
	uint8_t *at = v.mem.base + LARGE, part[60000];
	size_t got = 0;
	uint16_t head;

	(void)state;
	for (size_t i = 0; i < P9_MSIZE_MAX; i++)
		at[i] = (uint8_t)(i * 7 + i / 256);
	header(at, P9_MSIZE_MAX, P9_TWRITE, 1);
	head = drv_put(&v, 0, b, 2);
	drv_go(&v, 0);
	while (got < P9_MSIZE_MAX) {
		ssize_t n = recv(server, part, sizeof(part), 0);

		assert_true(n > 0);
		assert_memory_equal(part, at + got, n);
		got += (size_t)n;
		assert_true(drv_loop(&v));
	}
	nothing_asked();
	reply(1, 11, 11);
	back(head, 11);
	/* A byte more is refused. */
	header(at, P9_MSIZE_MAX + 1, P9_TWRITE, 1);
	drv_put(&v, 0, (struct drv_buf[]){ { LARGE, P9_MSIZE_MAX + 1, false }, b[1] }, 2);
	drv_go(&v, 0);
	assert_true(drv_dead(&v));
	nothing_asked();
}

static void hostile_requests(void **state)
{
	const struct {
		uint32_t size, given, room;
	} bad[] = {
		{ 6, 20, 20 },
		{ 0, 20, 20 },
		{ 21, 20, 20 },
		{ UINT32_MAX, 20, 20 },
		{ 7, 6, 20 },
		{ 20, 20, 10 },
	};
	const struct drv_buf only_in = { IN(0), 100, true }, only_out = { OUT(0), 7, false },
			     empty = { OUT(0), 0, false };
	const struct drv_buf *one[] = { &only_in, &only_out, &empty };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ask(0, 1, bad[i].size, bad[i].given, bad[i].room);
		drv_go(&v, 0);
		assert_true(drv_dead(&v));
		nothing_asked();
		drv_start(&v, DRV_ALL);
	}
	for (size_t i = 0; i < 3; i++) {
		header(v.mem.base + OUT(0), 7, TYPE, 1);
		drv_put(&v, 0, one[i], 1);
		drv_go(&v, 0);
		assert_true(drv_dead(&v));
		nothing_asked();
		drv_start(&v, DRV_ALL);
	}
	ask(0, 1, 20, 20, 20);
	ask(1, 1, 20, 20, 20);
	drv_go(&v, 0);
	assert_true(drv_dead(&v));
	assert_false(drv_used(&v, 0, NULL, NULL));
}

/* What was under way before is nobody's; the stream goes on. */
static void a_reset(void **state)
{
	uint8_t zero[40] = { 0 };
	uint16_t head;

	(void)state;
	ask(0, 1, 20, 20, 40);
	ask(1, 2, 20, 20, 40);
	drv_go(&v, 0);
	asked(1, 20);
	asked(2, 20);
	reply(1, 40, 10);
	drv_start(&v, DRV_ALL);
	memset(v.mem.base + IN(0), 0, 40);
	/* The same tag again is not twice. */
	head = ask(2, 2, 30, 30, 40);
	drv_go(&v, 0);
	asked(2, 30);
	assert_int_equal(send(server, zero, 30, 0), 30);
	reply(2, 40, 40);
	assert_false(drv_used(&v, 0, NULL, NULL));
	assert_memory_equal(v.mem.base + IN(0), zero, 40);
	assert_memory_equal(v.mem.base + IN(1), zero, 40);
	reply(2, 11, 11);
	back(head, 11);
	assert_false(drv_dead(&v));
}

static void a_reply_without_room(void **state)
{
	uint16_t head;

	(void)state;
	ask(0, 1, 20, 20, 40);
	drv_go(&v, 0);
	asked(1, 20);
	reply(1, 41, 41);
	assert_true(drv_dead(&v));
	assert_false(drv_used(&v, 0, NULL, NULL));
	/* What was left of it is dropped. */
	drv_start(&v, DRV_ALL);
	head = ask(0, 3, 20, 20, 40);
	drv_go(&v, 0);
	asked(3, 20);
	reply(3, 40, 40);
	back(head, 40);
}

/* Whoever waits is told, and whoever asks later. */
static void a_server_that_is_gone(void **state)
{
	uint16_t a = ask(0, 1, 20, 20, 40), b = ask(1, 2, 20, 20, 40);

	(void)state;
	drv_go(&v, 0);
	reply(1, 40, 10);
	server = fd_close(server);
	assert_true(drv_loop(&v));
	back(a, 11);
	back(b, 11);
	is_error(0, 1);
	is_error(1, 2);
	a = ask(0, 9, 20, 20, 11);
	drv_go(&v, 0);
	back(a, 11);
	is_error(0, 9);
	assert_false(drv_dead(&v));
}

static void a_server_that_lies(void **state)
{
	const struct {
		uint16_t tag;
		uint32_t size;
	} bad[] = { { 2, 11 }, { 1, 6 }, { 1, P9_MSIZE_MAX + 1 } };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint16_t head = ask(0, 1, 20, 20, 40);

		drv_go(&v, 0);
		reply(bad[i].tag, bad[i].size, 7);
		back(head, 11);
		is_error(0, 1);
		tear_down(state);
		set_up(state);
	}
	/* Nobody has asked. */
	reply(1, 7, 7);
	(void)ask(0, 1, 20, 20, 40);
	drv_go(&v, 0);
	assert_true(drv_used(&v, 0, NULL, NULL));
	is_error(0, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(configuration),
		T(requests_and_replies),
		T(more_than_can_be_under_way),
		T(a_large_request),
		T(hostile_requests),
		T(a_reset),
		T(a_reply_without_room),
		T(a_server_that_is_gone),
		T(a_server_that_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
