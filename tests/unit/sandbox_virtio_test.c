/* SPDX-License-Identifier: Apache-2.0 */
/* The transport of virtio devices and the console: what a driver may do, and what none should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>

#include "sandbox/vq.h"
#include "sandbox_driver.h"

enum { RX0 = 0, TX0 = 1, CONTROL_RX = 2, CONTROL_TX = 3, RX1 = 4, TX1 = 5 };
enum { PAGE = 4096 };

static struct drv v;
static int peer[2]; /* the other ends of the ports */

static int set_up(void **state)
{
	struct vm_port ports[2] = { { .name = "ringfence.control" }, { .name = "ringfence.s0" } };
	struct err e = ERR_INIT;

	(void)state;
	drv_open(&v);
	for (unsigned i = 0; i < 2; i++) {
		int s[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s), 0);
		ports[i].fd = s[0];
		peer[i] = s[1];
	}
	assert_int_equal(virtio_console_new(&v.mem, &v.loop, ports, 2, &v.d, &e), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	drv_close(&v);
	for (unsigned i = 0; i < 2; i++)
		if (peer[i] >= 0)
			close(peer[i]);
	return 0;
}

static struct drv_buf buf(uint64_t at, uint32_t len, bool write)
{
	return (struct drv_buf){ at, len, write };
}

/* Buffers for the device, one a page from DRV_DATA + q * 1 MiB. */
static void fill(unsigned q, unsigned n, uint32_t len)
{
	for (unsigned i = 0; i < n; i++) {
		struct drv_buf b =
			buf(DRV_DATA + q * 0x100000 + (v.q[q].avail % v.q[q].size) * PAGE, len, true);

		drv_put(&v, q, &b, 1);
	}
}

static uint8_t *at(unsigned q, uint16_t head)
{
	return v.mem.base + drv_desc(&v, q, head)->addr;
}

static void control(uint32_t id, uint16_t event, uint16_t value)
{
	const struct virtio_console_control m = { id, event, value };
	struct drv_buf b = buf(DRV_DATA + 0x80000 + (v.q[CONTROL_TX].avail % 16) * 16, sizeof(m), false);
	uint16_t head;

	memcpy(v.mem.base + b.at, &m, sizeof(m));
	drv_put(&v, CONTROL_TX, &b, 1);
	drv_go(&v, CONTROL_TX);
	assert_true(drv_used(&v, CONTROL_TX, &head, NULL));
}

static void expect(uint32_t id, uint16_t event, uint16_t value, const char *text)
{
	struct virtio_console_control m;
	uint16_t head;
	uint32_t len;

	assert_true(drv_used(&v, CONTROL_RX, &head, &len));
	memcpy(&m, at(CONTROL_RX, head), sizeof(m));
	assert_int_equal(m.id, id);
	assert_int_equal(m.event, event);
	assert_int_equal(m.value, value);
	assert_int_equal(len, sizeof(m) + (text ? strlen(text) : 0));
	if (text)
		assert_memory_equal(at(CONTROL_RX, head) + sizeof(m), text, strlen(text));
}

static void start(void)
{
	drv_start(&v, DRV_ALL);
	fill(CONTROL_RX, 16, PAGE);
	control(UINT32_MAX, VIRTIO_CONSOLE_DEVICE_READY, 1);
	expect(0, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	expect(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	for (uint32_t i = 0; i < 2; i++) {
		control(i, VIRTIO_CONSOLE_PORT_READY, 1);
		expect(i, VIRTIO_CONSOLE_PORT_NAME, 1, i ? "ringfence.s0" : "ringfence.control");
		expect(i, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
		control(i, VIRTIO_CONSOLE_PORT_OPEN, 1);
	}
	assert_false(drv_used(&v, CONTROL_RX, NULL, NULL));
}

/* --- the transport -------------------------------------------------------------------------------------- */

static void registers(void **state)
{
	uint8_t eight[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct virtio_console_config config;

	(void)state;
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_VERSION), 2);
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_CONSOLE);
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_CONFIG_GENERATION), 0);
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_SHM_LEN_LOW), UINT32_MAX);
	virtio_read(v.d, VIRTIO_MMIO_CONFIG, &config, 8);
	assert_int_equal(config.max_nr_ports, 2);
	virtio_read(v.d, VIRTIO_MMIO_CONFIG + 5, eight, 2);
	assert_int_equal(eight[0] | eight[1], 0);
	/* Odd places, odd lengths, behind the end. */
	for (uint64_t offset = 0; offset < VIRTIO_MMIO_SIZE; offset++)
		for (unsigned len = 1; len <= 8; len++) {
			memset(eight, 0xff, 8);
			virtio_read(v.d, offset, eight, len);
			if (offset < VIRTIO_MMIO_CONFIG && (offset % 4 || len != 4))
				for (unsigned i = 0; i < len; i++)
					assert_int_equal(eight[i], 0);
			for (unsigned i = len; i < 8; i++)
				assert_int_equal(eight[i], 0xff);
			if (offset % 4 || len != 4)
				virtio_write(v.d, offset, eight, len);
		}
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_STATUS), 0);
}

static void features_are_agreed(void **state)
{
	uint64_t offered = drv_offered(&v);
	const uint64_t one = 1ULL << VIRTIO_F_VERSION_1, ports = 1ULL << VIRTIO_CONSOLE_F_MULTIPORT;

	(void)state;
	assert_true(offered & one);
	assert_true(drv_negotiate(&v, offered));
	assert_true(drv_negotiate(&v, one | ports));
	assert_false(drv_negotiate(&v, ports));			   /* no legacy drivers */
	assert_false(drv_negotiate(&v, one));			   /* no console among the ports */
	assert_false(drv_negotiate(&v, one | ports | 1ULL << 60)); /* was not offered */
	/* Without agreement there are no queues and no DRIVER_OK. */
	drv_write(&v, VIRTIO_MMIO_STATUS, 7);
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_STATUS), 3);
	assert_false(drv_queues(&v));
	assert_true(drv_dead(&v));
	drv_write(&v, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_STATUS), 0);
	/* DRIVER_OK before all else. */
	drv_write(&v, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_STATUS), 0);
}

static void frozen_when_it_runs(void **state)
{
	uint16_t head;

	(void)state;
	start();
	/* Elsewhere, larger, switched off, with other features: nothing of it happens. */
	for (unsigned i = 0; i < v.n_queues; i++) {
		drv_queue_at(&v, i, 0x8000, DRV_RAM - 16, DRV_RAM - 16, DRV_RAM - 16);
		drv_write(&v, VIRTIO_MMIO_QUEUE_READY, 0);
		assert_int_equal(drv_read(&v, VIRTIO_MMIO_QUEUE_READY), 1);
	}
	drv_write(&v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	drv_write(&v, VIRTIO_MMIO_DRIVER_FEATURES, 0);
	drv_write(&v, VIRTIO_MMIO_STATUS, 3); /* no way back but by a reset */
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_STATUS), 15);
	fill(RX0, 1, PAGE);
	drv_go(&v, RX0);
	assert_int_equal(write(peer[0], "hello", 5), 5);
	assert_true(drv_loop(&v));
	assert_true(drv_used(&v, RX0, &head, NULL));
	assert_memory_equal(at(RX0, head), "hello", 5);
	assert_false(drv_dead(&v));
}

static void queues_that_cannot_be(void **state)
{
	static const struct {
		uint32_t size;
		uint64_t desc, avail, used;
	} bad[] = {
		{ 0, 0x10000, 0x11000, 0x12000 },
		{ 3, 0x10000, 0x11000, 0x12000 },
		{ 64, 0x10000, 0x11000, 0x12000 }, /* the receive queue is shorter */
		{ 0x80000000, 0x10000, 0x11000, 0x12000 },
		{ 16, DRV_RAM - 16, 0x11000, 0x12000 },
		{ 16, 0x10000, DRV_RAM, 0x12000 },
		{ 16, 0x10000, 0x11000, UINT64_MAX - 3 },
		{ 16, 0x10001, 0x11000, 0x12000 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(drv_negotiate(&v, drv_offered(&v)));
		drv_queue_at(&v, RX0, bad[i].size, bad[i].desc, bad[i].avail, bad[i].used);
		assert_int_equal(drv_read(&v, VIRTIO_MMIO_QUEUE_READY), 0);
		assert_true(drv_dead(&v));
		/* And dead it stays. */
		drv_queue_at(&v, RX0, 16, 0x10000, 0x11000, 0x12000);
		drv_write(&v, VIRTIO_MMIO_STATUS, 0x4f);
		assert_true(drv_loop(&v));
		assert_int_equal(drv_read(&v, VIRTIO_MMIO_QUEUE_READY), 0);
	}
	start();
}

static void a_queue_that_there_is_not(void **state)
{
	(void)state;
	assert_true(drv_negotiate(&v, drv_offered(&v)));
	for (uint32_t i = 6; i; i <<= 1) {
		drv_queue_at(&v, i, 16, 0x10000, 0x11000, 0x12000);
		assert_int_equal(drv_read(&v, VIRTIO_MMIO_QUEUE_READY), 0);
		assert_int_equal(drv_read(&v, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	}
	assert_false(drv_dead(&v));
}

static void interrupts(void **state)
{
	(void)state;
	start();
	drv_irq(&v);
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	drv_write(&v, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	assert_int_equal(drv_read(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	/* A driver that has not seen the last one yet needs no other. */
	fill(RX0, 4, PAGE);
	drv_go(&v, RX0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(write(peer[0], "x", 1), 1);
		assert_true(drv_loop(&v));
		assert_int_equal(drv_irq(&v), i == 0);
	}
	/* A broken one is told so. */
	drv_avail(&v, RX0)->idx += 100;
	assert_int_equal(write(peer[0], "x", 1), 1);
	assert_true(drv_loop(&v));
	assert_true(drv_dead(&v));
	assert_true(drv_irq(&v));
	assert_true(drv_read(&v, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
}

/* --- the console ---------------------------------------------------------------------------------------- */

static void bytes_go_both_ways(void **state)
{
	struct drv_buf b[2] = { buf(DRV_DATA, 3, false), buf(DRV_DATA + 100, 4, false) };
	uint16_t head;
	uint32_t len;
	char text[16];

	(void)state;
	start();
	memcpy(v.mem.base + DRV_DATA, "abc", 3);
	memcpy(v.mem.base + DRV_DATA + 100, "defg", 4);
	drv_put(&v, TX1, b, 2);
	drv_go(&v, TX1);
	assert_int_equal(read(peer[1], text, sizeof(text)), 7);
	assert_memory_equal(text, "abcdefg", 7);
	assert_true(drv_used(&v, TX1, &head, &len));
	assert_int_equal(len, 0);
	assert_true(read(peer[0], text, sizeof(text)) < 0 && errno == EAGAIN);
	/* Into two buffers, of two bytes each. */
	fill(RX1, 3, 2);
	drv_go(&v, RX1);
	assert_int_equal(write(peer[1], "1234", 4), 4);
	assert_true(drv_loop(&v));
	assert_true(drv_used(&v, RX1, &head, &len));
	assert_int_equal(len, 2);
	assert_memory_equal(at(RX1, head), "12", 2);
	assert_true(drv_used(&v, RX1, &head, &len));
	assert_memory_equal(at(RX1, head), "34", 2);
	assert_false(drv_used(&v, RX1, &head, &len));
}

static void nothing_is_read_without_buffers(void **state)
{
	uint16_t head;
	uint32_t len;

	(void)state;
	start();
	assert_int_equal(write(peer[0], "12345", 5), 5);
	assert_true(drv_loop(&v)); /* does not spin either */
	assert_false(drv_dead(&v));
	fill(RX0, 1, 3);
	drv_go(&v, RX0);
	assert_true(drv_used(&v, RX0, &head, &len));
	assert_int_equal(len, 3);
	fill(RX0, 1, 3);
	drv_go(&v, RX0);
	assert_true(drv_used(&v, RX0, &head, &len));
	assert_int_equal(len, 2);
	/* Nor into a port that is closed: Linux would throw it away. */
	control(0, VIRTIO_CONSOLE_PORT_OPEN, 0);
	fill(RX0, 4, 100);
	drv_go(&v, RX0);
	assert_int_equal(write(peer[0], "678", 3), 3);
	assert_true(drv_loop(&v));
	assert_false(drv_used(&v, RX0, &head, &len));
	control(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	assert_true(drv_used(&v, RX0, &head, &len));
	assert_int_equal(len, 3);
	assert_memory_equal(at(RX0, head), "678", 3);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 8));
}

/* More than fits in between, while the other side does not read: nothing lost, nothing twice, in order. */
static void a_peer_that_does_not_read(void **state)
{
	enum { CHUNK = 32768, TOTAL = 64 * CHUNK };
	size_t put = 0, got = 0;
	uint8_t text[50000];
	bool stopped = false;

	(void)state;
	start();
	while (got < TOTAL) {
		unsigned free_slots = v.q[TX0].size - (uint16_t)(v.q[TX0].avail - v.q[TX0].used);
		ssize_t n;

		while (put < TOTAL && free_slots >= 4) {
			/* As many buffers as there are slots, each of them in its place. */
			struct drv_buf b = buf(DRV_DATA + put, CHUNK, false);

			for (unsigned i = 0; i < CHUNK; i++)
				v.mem.base[b.at + i] = pattern(put + i);
			drv_put(&v, TX0, &b, 1);
			put += CHUNK;
			free_slots--;
		}
		drv_go(&v, TX0);
		if (put == TOTAL && drv_used_ring(&v, TX0)->idx != v.q[TX0].avail)
			stopped = true;
		n = read(peer[0], text, sizeof(text));
		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			if (text[i] != pattern(got + (size_t)i))
				fail_msg("byte %zu is wrong", got + (size_t)i);
		got += (size_t)n;
		assert_true(drv_loop(&v));
		while (drv_used(&v, TX0, NULL, NULL))
			;
	}
	assert_true(stopped);
	assert_true(drv_loop(&v));
	assert_int_equal(drv_used_ring(&v, TX0)->idx, v.q[TX0].avail);
	assert_true(read(peer[0], text, sizeof(text)) < 0 && errno == EAGAIN);
}

static void a_guest_that_reads_slowly(void **state)
{
	enum { TOTAL = 3000000 };
	size_t put = 0, got = 0;
	uint8_t text[10000];

	(void)state;
	start();
	while (got < TOTAL) {
		uint16_t head;
		uint32_t len;

		while (put < TOTAL) {
			size_t n = TOTAL - put < sizeof(text) ? TOTAL - put : sizeof(text);
			ssize_t done;

			for (size_t i = 0; i < n; i++)
				text[i] = pattern(put + i);
			done = write(peer[1], text, n);
			if (done < 0)
				break;
			put += (size_t)done;
		}
		assert_true(drv_loop(&v));
		fill(RX1, (unsigned)(got % 5) + 1, (uint32_t)(got % 1001) + 1);
		drv_go(&v, RX1);
		while (drv_used(&v, RX1, &head, &len)) {
			for (uint32_t i = 0; i < len; i++)
				if (at(RX1, head)[i] != pattern(got + i))
					fail_msg("byte %zu is wrong", got + i);
			got += len;
		}
	}
	assert_int_equal(got, TOTAL);
}

static void a_peer_that_goes(void **state)
{
	struct drv_buf b = buf(DRV_DATA, 3, false);
	uint16_t head;
	uint32_t len;

	(void)state;
	start();
	/* What it wrote last comes first. */
	assert_int_equal(write(peer[1], "last", 4), 4);
	close(peer[1]);
	peer[1] = -1;
	assert_true(drv_loop(&v));
	assert_false(drv_used(&v, CONTROL_RX, &head, &len));
	fill(RX1, 1, PAGE);
	drv_go(&v, RX1);
	assert_true(drv_used(&v, RX1, &head, &len));
	assert_memory_equal(at(RX1, head), "last", 4);
	fill(RX1, 1, PAGE);
	drv_go(&v, RX1);
	expect(1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL);
	assert_false(drv_used(&v, CONTROL_RX, &head, &len));
	/* What is still sent goes nowhere, and comes back. */
	drv_put(&v, TX1, &b, 1);
	drv_go(&v, TX1);
	assert_true(drv_used(&v, TX1, &head, &len));
	assert_false(drv_dead(&v));
	/* The other one lives. */
	drv_put(&v, TX0, &b, 1);
	drv_go(&v, TX0);
	assert_int_equal(read(peer[0], v.mem.base + DRV_DATA + 100, 10), 3);
	/* After a reset it has never been open. */
	drv_start(&v, DRV_ALL);
	fill(CONTROL_RX, 16, PAGE);
	control(UINT32_MAX, VIRTIO_CONSOLE_DEVICE_READY, 1);
	expect(0, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	expect(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	control(1, VIRTIO_CONSOLE_PORT_READY, 1);
	expect(1, VIRTIO_CONSOLE_PORT_NAME, 1, "ringfence.s0");
	assert_false(drv_used(&v, CONTROL_RX, &head, &len));
}

static void a_peer_that_goes_while_the_socket_is_full(void **state)
{
	(void)state;
	start();
	for (unsigned i = 0; i < 64; i++) {
		struct drv_buf b = buf(DRV_DATA + i * 32768, 32768, false);

		drv_put(&v, TX0, &b, 1);
	}
	drv_go(&v, TX0);
	assert_true(drv_used_ring(&v, TX0)->idx < 64);
	/* Its end is told to a port that waits to send; it must not be read into one that is closed. */
	control(0, VIRTIO_CONSOLE_PORT_OPEN, 0);
	fill(RX0, 4, PAGE);
	drv_go(&v, RX0);
	assert_int_equal(write(peer[0], "last", 4), 4);
	close(peer[0]);
	peer[0] = -1;
	assert_true(drv_loop(&v));
	assert_int_equal(drv_used_ring(&v, TX0)->idx, 64);
	assert_int_equal(drv_used_ring(&v, RX0)->idx, 0);
	control(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	assert_int_equal(drv_used_ring(&v, RX0)->idx, 1);
	expect(0, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL);
	assert_false(drv_dead(&v));
}

static void messages_wait_for_buffers(void **state)
{
	uint16_t head;

	(void)state;
	drv_start(&v, DRV_ALL);
	for (int i = 0; i < 1000; i++)
		control(UINT32_MAX, VIRTIO_CONSOLE_DEVICE_READY, 1);
	control(0, VIRTIO_CONSOLE_PORT_READY, 1);
	control(7, VIRTIO_CONSOLE_PORT_READY, 1);
	control(7, VIRTIO_CONSOLE_PORT_OPEN, 1);
	control(0, 77, 1);
	fill(CONTROL_RX, 1, PAGE);
	drv_go(&v, CONTROL_RX);
	expect(0, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	fill(CONTROL_RX, 15, PAGE);
	drv_go(&v, CONTROL_RX);
	expect(0, VIRTIO_CONSOLE_PORT_NAME, 1, "ringfence.control");
	expect(0, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	expect(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	assert_false(drv_used(&v, CONTROL_RX, &head, NULL));
	assert_false(drv_dead(&v));
}

/* Each of these kills the device, and a reset brings it back. */
static void hostile_chains(void **state)
{
	static const struct {
		unsigned q;
		struct drv_buf b[2];
		unsigned n;
	} bad[] = {
		{ TX0, { { DRV_RAM, 1, false } }, 1 },
		{ TX0, { { DRV_DATA, UINT32_MAX, false } }, 1 },
		{ TX0, { { UINT64_MAX, 2, false } }, 1 },
		{ TX0, { { DRV_DATA, 0, false } }, 1 },
		{ TX0, { { DRV_DATA, 4, true } }, 1 },
		{ TX0, { { DRV_DATA, 4, false }, { DRV_DATA, 4, true } }, 2 },
		{ TX0, { { DRV_DATA, 4, true }, { DRV_DATA, 4, false } }, 2 },
		{ RX0, { { DRV_DATA, 4, false } }, 1 },
		{ RX0, { { DRV_DATA, 4, false }, { DRV_DATA, 4, true } }, 2 },
		{ RX0, { { DRV_RAM - 1, 2, true } }, 1 },
		{ CONTROL_TX, { { DRV_DATA, 7, false } }, 1 },
		{ CONTROL_TX, { { DRV_DATA, 8, true } }, 1 },
		{ CONTROL_RX, { { DRV_DATA, 7, true } }, 1 },
		{ CONTROL_RX, { { DRV_DATA, 16, false } }, 1 },
	};

	(void)state;
	assert_int_equal(write(peer[0], "abc", 3), 3);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint16_t used;

		start();
		/* Something to say, and no buffer for it but the bad one. */
		while (v.q[CONTROL_RX].used != v.q[CONTROL_RX].avail) {
			control(0, VIRTIO_CONSOLE_PORT_READY, 1);
			while (drv_used(&v, CONTROL_RX, NULL, NULL))
				;
		}
		control(0, VIRTIO_CONSOLE_PORT_READY, 1);
		used = drv_used_ring(&v, bad[i].q)->idx;
		drv_put(&v, bad[i].q, bad[i].b, bad[i].n);
		drv_go(&v, bad[i].q);
		if (!drv_dead(&v))
			fail_msg("case %u: the device lives", i);
		assert_int_equal(drv_used_ring(&v, bad[i].q)->idx, used);
		/* However often it is kicked. */
		for (int k = 0; k < 100; k++)
			drv_go(&v, bad[i].q);
		assert_int_equal(drv_used_ring(&v, bad[i].q)->idx, used);
	}
	start();
	assert_false(drv_dead(&v));
}

/* A chain that refers to itself, and an index that runs ahead. */
static void hostile_rings(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		start();
		*drv_desc(&v, TX0, 0) = (struct vring_desc){ DRV_DATA, 1, VRING_DESC_F_NEXT, 0 };
		if (i == 0)
			drv_offer(&v, TX0, 0);
		else if (i == 1)
			drv_offer(&v, TX0, 64);
		else
			drv_avail(&v, TX0)->idx = 65;
		drv_go(&v, TX0);
		assert_true(drv_dead(&v));
	}
}

/* --- threads -------------------------------------------------------------------------------------------- */

static atomic_bool stop;

/* A vCPU that resets the device and sets it up, over and over, while the loop works on it. */
static void *resets(void *arg)
{
	(void)arg;
	while (!stop) {
		drv_write(&v, VIRTIO_MMIO_STATUS, 0);
		if (!drv_negotiate(&v, drv_offered(&v)) || !drv_queues(&v))
			return arg;
		drv_write(&v, VIRTIO_MMIO_STATUS, 15);
		fill(CONTROL_RX, 8, PAGE);
		fill(RX0, 16, 100);
		for (int i = 0; i < 16; i++) {
			const struct virtio_console_control m = { 0, VIRTIO_CONSOLE_PORT_OPEN, 1 };
			struct drv_buf b = buf(DRV_DATA + 0x80000, sizeof(m), false);

			memcpy(v.mem.base + b.at, &m, sizeof(m));
			drv_put(&v, i % 2 ? TX0 : CONTROL_TX, &b, 1);
			drv_kick(&v, TX0);
		}
	}
	return NULL;
}

static void a_reset_while_the_loop_works(void **state)
{
	struct err e = ERR_INIT;
	uint8_t text[4096] = { 0 };
	pthread_t t;
	void *failed;

	(void)state;
	stop = false;
	assert_int_equal(pthread_create(&t, NULL, resets, &v), 0);
	for (int i = 0; i < 20000; i++) {
		if (write(peer[0], text, 64) < 0)
			assert_int_equal(errno, EAGAIN);
		assert_true(vm_loop_serve(&v.loop, &e) >= 0);
		while (read(peer[0], text, sizeof(text)) > 0)
			;
	}
	stop = true;
	assert_int_equal(pthread_join(t, &failed), 0);
	assert_null(failed);
	assert_true(drv_loop(&v));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(registers),
		T(features_are_agreed),
		T(frozen_when_it_runs),
		T(queues_that_cannot_be),
		T(a_queue_that_there_is_not),
		T(interrupts),
		T(bytes_go_both_ways),
		T(nothing_is_read_without_buffers),
		T(a_peer_that_does_not_read),
		T(a_guest_that_reads_slowly),
		T(a_peer_that_goes),
		T(a_peer_that_goes_while_the_socket_is_full),
		T(messages_wait_for_buffers),
		T(hostile_chains),
		T(hostile_rings),
		T(a_reset_while_the_loop_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
