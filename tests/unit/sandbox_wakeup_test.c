/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kicks and interrupts that both sides leave out where they can: a driver in a thread of its own, the loop,
 * and an echo at the other end all sleep whenever there is nothing to do. One wake-up that is lost, and they
 * sleep for good.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_console.h>
#include <linux/virtio_net.h>

#include "base/fd.h"
#include "sandbox_driver.h"

#define PATIENCE 10000 /* ms; only a lost wake-up takes that long */
#define ROOM	 4096U
#define RX_AT	 DRV_DATA
#define TX_AT	 (DRV_DATA + 0x200000)

static struct drv v;
static int peer;
static atomic_bool done;

struct run {
	unsigned rx, tx;	 /* queues */
	unsigned header;	 /* before each piece */
	unsigned piece, rx_room; /* bytes */
	uint64_t total;
	uint64_t kicks, kicks_saved, interrupts;
	const char *failed;
};

static uint16_t load(const uint16_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

/* Makes a buffer available, and kicks if the device has asked for that. */
static void add(struct run *r, unsigned q, uint16_t slot, struct drv_buf b)
{
	const uint8_t *event_at = (const uint8_t *)drv_used_ring(&v, q) + 4 + 8 * v.q[q].size;
	uint16_t old = v.q[q].avail, event;

	*drv_desc(&v, q, slot) = (struct vring_desc){ b.at, b.len, b.write ? VRING_DESC_F_WRITE : 0, 0 };
	drv_offer(&v, q, slot);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = load((const uint16_t *)(const void *)event_at);
	if (vring_need_event(event, v.q[q].avail, old)) {
		drv_kick(&v, q);
		r->kicks++;
	} else {
		r->kicks_saved++;
	}
}

static bool has_used(unsigned q)
{
	return load(&drv_used_ring(&v, q)->idx) != v.q[q].used;
}

/* Asks for the next interrupt of both queues; false: something has come meanwhile. */
static bool may_sleep(const struct run *r)
{
	for (unsigned i = 0; i < 2; i++) {
		unsigned q = i ? r->rx : r->tx;

		__atomic_store_n(&drv_avail(&v, q)->ring[v.q[q].size], v.q[q].used, __ATOMIC_RELAXED);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !has_used(r->tx) && !has_used(r->rx);
}

static bool take(unsigned q, uint16_t *slot, uint32_t *len)
{
	const struct vring_used *u = drv_used_ring(&v, q);

	if (!has_used(q))
		return false;
	*slot = (uint16_t)u->ring[v.q[q].used % v.q[q].size].id;
	*len = u->ring[v.q[q].used % v.q[q].size].len;
	v.q[q].used++;
	return true;
}

static struct drv_buf rx_buf(const struct run *r, uint16_t slot)
{
	return (struct drv_buf){ RX_AT + slot * ROOM, r->rx_room, true };
}

static void *guest(void *arg)
{
	struct pollfd p = { .fd = virtio_irq_fd(v.d), .events = POLLIN };
	struct run *r = arg;
	uint64_t put = 0, got = 0, n;
	uint16_t slot, fresh = 0;
	uint32_t len;

	for (slot = 0; slot < v.q[r->rx].size; slot++)
		add(r, r->rx, slot, rx_buf(r, slot));
	while (got < r->total && !r->failed) {
		bool idle = true;

		while (take(r->rx, &slot, &len)) {
			uint32_t at = r->header;

			for (; at < len; at++, got++)
				if (v.mem.base[RX_AT + slot * ROOM + at] != (uint8_t)(got % 251))
					r->failed = "a byte is wrong";
			add(r, r->rx, slot, rx_buf(r, slot));
			idle = false;
		}
		while (put < r->total) {
			unsigned size = v.q[r->tx].size;

			if (take(r->tx, &slot, &len))
				;
			else if (fresh < size)
				slot = fresh++;
			else
				break;
			memset(v.mem.base + TX_AT + slot * ROOM, 0, r->header);
			for (uint32_t i = 0; i < r->piece; i++)
				v.mem.base[TX_AT + slot * ROOM + r->header + i] = (uint8_t)(put++ % 251);
			add(r, r->tx, slot,
				(struct drv_buf){ TX_AT + slot * ROOM, r->header + r->piece, false });
			idle = false;
		}
		if (!idle || !may_sleep(r))
			continue;
		if (put >= r->total && has_used(r->tx))
			continue;
		if (poll(&p, 1, PATIENCE) <= 0)
			r->failed = "nobody wakes the driver";
		if (read(p.fd, &n, sizeof(n)) > 0)
			r->interrupts++;
	}
	done = true;
	drv_kick(&v, r->tx);
	return NULL;
}

static void *echo(void *arg)
{
	static uint8_t text[65536];
	struct pollfd p = { .fd = peer };

	while (!done) {
		ssize_t n = recv(peer, text, sizeof(text), MSG_DONTWAIT), put = 0;

		if (n <= 0) {
			p.events = POLLIN;
			poll(&p, 1, 100);
			continue;
		}
		while (put < n && !done) {
			ssize_t w = send(peer, text + put, (size_t)(n - put), MSG_DONTWAIT | MSG_NOSIGNAL);

			if (w > 0) {
				put += w;
				continue;
			}
			p.events = POLLOUT;
			poll(&p, 1, 100);
		}
	}
	return arg;
}

static void run(struct run *r)
{
	struct pollfd p = { .fd = v.loop.epoll, .events = POLLIN };
	struct err e = ERR_INIT;
	pthread_t threads[2];

	done = false;
	assert_int_equal(pthread_create(&threads[0], NULL, echo, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, guest, r), 0);
	while (!done) {
		poll(&p, 1, 2 * PATIENCE);
		assert_true(vm_loop_serve(&v.loop, &e) >= 0);
	}
	pthread_join(threads[1], NULL);
	pthread_join(threads[0], NULL);
	print_message("%llu bytes, %llu kicks, %llu saved, %llu interrupts\n", (unsigned long long)r->total,
		(unsigned long long)r->kicks, (unsigned long long)r->kicks_saved,
		(unsigned long long)r->interrupts);
	if (r->failed)
		fail_msg("%s", r->failed);
	assert_false(drv_dead(&v));
}

static int set_up_sockets(int type)
{
	int s[2];

	drv_open(&v);
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s), 0);
	peer = s[1];
	return s[0];
}

static int tear_down(void **state)
{
	(void)state;
	drv_close(&v);
	close(peer);
	return 0;
}

static int console_set_up(void **state)
{
	struct vm_port port = { .name = "p", .fd = set_up_sockets(SOCK_STREAM) };
	const struct virtio_console_control m = { 0, VIRTIO_CONSOLE_PORT_OPEN, 1 };
	struct drv_buf b = { DRV_DATA, sizeof(m), false };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(virtio_console_new(&v.mem, &v.loop, &port, 1, &v.d, &e), 0);
	drv_start(&v, DRV_ALL);
	memcpy(v.mem.base + DRV_DATA, &m, sizeof(m));
	drv_put(&v, 3, &b, 1);
	drv_go(&v, 3);
	return 0;
}

static int net_set_up(void **state)
{
	struct vm_nic nic = { .fd = set_up_sockets(SOCK_SEQPACKET) };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(virtio_net_new(&v.mem, &v.loop, &nic, &v.d, &e), 0);
	drv_start(&v, DRV_ALL);
	return 0;
}

static void console_large(void **state)
{
	struct run r = { .rx = 0, .tx = 1, .piece = 4000, .rx_room = 4096, .total = 4000 * 5000 };

	(void)state;
	run(&r);
}

static void console_small(void **state)
{
	struct run r = { .rx = 0, .tx = 1, .piece = 10, .rx_room = 7, .total = 10 * 30000 };

	(void)state;
	run(&r);
}

static void net_whole(void **state)
{
	struct run r = { .rx = 0,
		.tx = 1,
		.header = sizeof(struct virtio_net_hdr_v1),
		.piece = 1000,
		.rx_room = 1500,
		.total = 1000 * 20000 };

	(void)state;
	run(&r);
}

#define T(f, s) cmocka_unit_test_setup_teardown(f, s, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(console_large, console_set_up),
		T(console_small, console_set_up),
		T(net_whole, net_set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
