/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that does to a virtio device what a fuzzer says (see fuzz_virtio.h). */
#include "fuzz_virtio.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "base/fd.h"

/* Where a start puts the rings of queue i: descriptors, available, used; 4 KiB a queue. */
#define RINGS(i) (0x10000U + (i)*0x1000U)
#define AVAIL	 0x800U
#define USED	 0xa00U
#define QUEUES	 8U
#define TURNS	 4000 /* far more than the work of a full device takes */

static uint16_t n_avail[QUEUES], n_desc[QUEUES];

uint64_t fuzz_get(struct fuzz *f, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes && f->at < f->end; i++)
		v |= (uint64_t)*f->at++ << (8 * i);
	return v;
}

static void put(struct fuzz *f, uint64_t offset, uint32_t value)
{
	virtio_write(f->d, offset, &value, 4);
}

static uint32_t get(struct fuzz *f, uint64_t offset)
{
	uint32_t value;

	virtio_read(f->d, offset, &value, 4);
	return value;
}

/* Copies from the input to guest memory, as far as either goes. */
static void fill(struct fuzz *f, uint32_t at, size_t len)
{
	size_t there = (size_t)(f->end - f->at);

	at %= FUZZ_RAM;
	len = len < there ? len : there;
	len = len < FUZZ_RAM - at ? len : FUZZ_RAM - at;
	memcpy(f->mem.base + at, f->at, len);
	f->at += len;
}

static void agree(struct fuzz *f, uint64_t mask)
{
	uint64_t features;

	put(f, VIRTIO_MMIO_STATUS, 0);
	put(f, VIRTIO_MMIO_STATUS, 3);
	put(f, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	features = get(f, VIRTIO_MMIO_DEVICE_FEATURES) & mask;
	put(f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	put(f, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	put(f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(f, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	put(f, VIRTIO_MMIO_STATUS, 11);
}

static void start(struct fuzz *f, uint64_t mask)
{
	agree(f, mask);
	for (uint32_t i = 0; i < QUEUES; i++) {
		uint32_t max;

		put(f, VIRTIO_MMIO_QUEUE_SEL, i);
		max = get(f, VIRTIO_MMIO_QUEUE_NUM_MAX);
		memset(f->mem.base + RINGS(i), 0, 0x1000);
		n_avail[i] = n_desc[i] = 0;
		/* Not all of it, so that rings are smaller, too. */
		put(f, VIRTIO_MMIO_QUEUE_NUM, max > 8 ? max / 4 : max);
		put(f, VIRTIO_MMIO_QUEUE_DESC_LOW, RINGS(i));
		put(f, VIRTIO_MMIO_QUEUE_AVAIL_LOW, RINGS(i) + AVAIL);
		put(f, VIRTIO_MMIO_QUEUE_USED_LOW, RINGS(i) + USED);
		put(f, VIRTIO_MMIO_QUEUE_READY, max != 0);
	}
	put(f, VIRTIO_MMIO_STATUS, 15);
}

static uint16_t queue_size(struct fuzz *f, uint32_t q)
{
	uint32_t max;

	put(f, VIRTIO_MMIO_QUEUE_SEL, q);
	max = get(f, VIRTIO_MMIO_QUEUE_NUM_MAX);
	return (uint16_t)(max > 8 ? max / 4 : max ? max : 1);
}

static void put_desc(struct fuzz *f, uint32_t q, unsigned i, struct vring_desc d)
{
	memcpy(f->mem.base + RINGS(q) + (i % 128) * sizeof(d), &d, sizeof(d));
}

static void set_avail(struct fuzz *f, uint32_t q, unsigned slot, uint16_t head, uint16_t idx)
{
	uint8_t *at = f->mem.base + RINGS(q) + AVAIL;

	memcpy(at + 4 + (slot % 128) * 2, &head, 2);
	memcpy(at + 2, &idx, 2);
}

/* A chain of up to four buffers, mostly good, with the first one filled from the input. */
static void offer(struct fuzz *f)
{
	uint32_t q = (uint32_t)fuzz_get(f, 1) % QUEUES, first = 0;
	unsigned n = (unsigned)fuzz_get(f, 1) % 4 + 1, writes = (unsigned)fuzz_get(f, 1);
	uint16_t size = queue_size(f, q), head = n_desc[q] % size;

	for (unsigned i = 0; i < n; i++) {
		uint32_t at = (uint32_t)fuzz_get(f, 2) * 2 + FUZZ_RAM / 2, len = (uint32_t)fuzz_get(f, 2);
		uint16_t flags = (uint16_t)((i + 1 < n ? VRING_DESC_F_NEXT : 0) |
					    (writes & 1U << i ? VRING_DESC_F_WRITE : 0) |
					    (writes & 16U << i ? VRING_DESC_F_INDIRECT : 0));

		if (i == 0)
			first = at;
		put_desc(f, q, n_desc[q] % size,
			(struct vring_desc){ at, len, flags, (uint16_t)((n_desc[q] + 1) % size) });
		n_desc[q]++;
	}
	fill(f, first, fuzz_get(f, 1));
	set_avail(f, q, n_avail[q] % size, head, (uint16_t)(n_avail[q] + 1));
	n_avail[q]++;
}

static void host_writes(struct fuzz *f)
{
	static uint8_t text[8192];
	int fd = f->host[fuzz_get(f, 1) % 3];
	size_t len = fuzz_get(f, 2) % sizeof(text), given = fuzz_get(f, 1), there = (size_t)(f->end - f->at);

	/* The start from the input, the rest as it is. */
	given = given < there ? given : there;
	memcpy(text, f->at, given);
	f->at += given;
	if (fd >= 0)
		(void)!send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void host_reads(struct fuzz *f)
{
	static uint8_t text[65536];
	int fd = f->host[fuzz_get(f, 1) % 3];

	if (fd >= 0)
		(void)!recv(fd, text, fuzz_get(f, 2), MSG_DONTWAIT);
}

static void turn(struct fuzz *f)
{
	struct err e = ERR_INIT;

	MUST(vm_loop_serve(&f->loop, &e) >= 0);
}

static void access_register(struct fuzz *f, bool write)
{
	uint64_t offset = fuzz_get(f, 2) % VIRTIO_MMIO_SIZE;
	unsigned len = (unsigned)fuzz_get(f, 1) % 8 + 1;
	uint8_t *exact = malloc(len);

	MUST(exact);
	if (write) {
		for (unsigned i = 0; i < len; i++)
			exact[i] = (uint8_t)fuzz_get(f, 1);
		virtio_write(f->d, offset, exact, len);
	} else {
		virtio_read(f->d, offset, exact, len);
	}
	free(exact);
}

static void step(struct fuzz *f)
{
	uint32_t q;
	uint16_t i;

	switch (fuzz_get(f, 1) % 15) {
	case 0:
		q = (uint32_t)fuzz_get(f, 1) % 64;
		put(f, q * 4, (uint32_t)fuzz_get(f, 4));
		break;
	case 1:
	case 2:
		access_register(f, f->at[-1] % 15 == 1);
		break;
	case 3:
		q = (uint32_t)fuzz_get(f, 4);
		fill(f, q, fuzz_get(f, 1));
		break;
	case 4:
		put(f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		turn(f);
		break;
	case 5:
		turn(f);
		break;
	case 6:
		host_writes(f);
		break;
	case 7:
		host_reads(f);
		break;
	case 8:
		start(f, fuzz_get(f, 4));
		break;
	case 9:
	case 10:
		offer(f);
		break;
	case 11:
		q = (uint32_t)fuzz_get(f, 1) % QUEUES;
		i = (uint16_t)fuzz_get(f, 1);
		put_desc(f, q, i,
			(struct vring_desc){ fuzz_get(f, 8), (uint32_t)fuzz_get(f, 4),
				(uint16_t)fuzz_get(f, 2), (uint16_t)fuzz_get(f, 2) });
		break;
	case 12:
		q = (uint32_t)fuzz_get(f, 1) % QUEUES;
		i = (uint16_t)fuzz_get(f, 2);
		n_avail[q] = (uint16_t)fuzz_get(f, 2);
		set_avail(f, q, (uint16_t)(n_avail[q] - 1), i, n_avail[q]);
		break;
	case 13:
		q = (uint32_t)fuzz_get(f, 1) % 3;
		f->host[q] = fd_close(f->host[q]);
		break;
	case 14: /* and no further, so that its queues are as it pleases */
		agree(f, fuzz_get(f, 4));
		break;
	}
}

void fuzz_open(struct fuzz *f, const uint8_t *data, size_t size)
{
	static uint8_t *ram;
	struct err e = ERR_INIT;

	if (!ram)
		ram = aligned_alloc(4096, FUZZ_RAM);
	MUST(ram);
	memset(ram, 0, FUZZ_RAM);
	memset(n_avail, 0, sizeof(n_avail));
	memset(n_desc, 0, sizeof(n_desc));
	*f = (struct fuzz){ .at = data,
		.end = data + size,
		.mem = { .base = ram, .low = FUZZ_RAM },
		.host = { -EBADF, -EBADF, -EBADF } };
	MUST(vm_loop_init(&f->loop, &e) == 0);
}

void fuzz_run(struct fuzz *f)
{
	struct pollfd p = { .fd = f->loop.epoll, .events = POLLIN };
	int turns = 0;

	while (f->at < f->end)
		step(f);
	/* A guest that does nothing any more must not keep the monitor busy. */
	while (poll(&p, 1, 0) > 0) {
		MUST(turns++ < TURNS);
		turn(f);
	}
	virtio_free(f->d);
	for (unsigned i = 0; i < 3; i++)
		fd_close(f->host[i]);
	vm_loop_free(&f->loop);
}
