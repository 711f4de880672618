/* SPDX-License-Identifier: Apache-2.0 */
/* A driver of virtio devices in plain memory (see sandbox_driver.h). */
#include "sandbox_driver.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

void drv_open(struct drv *v)
{
	struct err e = ERR_INIT;

	memset(v, 0, sizeof(*v));
	v->mem.base = aligned_alloc(4096, DRV_RAM);
	MUST(v->mem.base);
	memset(v->mem.base, 0, DRV_RAM);
	v->mem.low = DRV_RAM;
	MUST(vm_loop_init(&v->loop, &e) == 0);
}

void drv_close(struct drv *v)
{
	virtio_free(v->d);
	vm_loop_free(&v->loop);
	free(v->mem.base);
}

uint32_t drv_read(struct drv *v, uint64_t offset)
{
	uint32_t value;

	virtio_read(v->d, offset, &value, sizeof(value));
	return value;
}

void drv_write(struct drv *v, uint64_t offset, uint32_t value)
{
	virtio_write(v->d, offset, &value, sizeof(value));
}

uint64_t drv_offered(struct drv *v)
{
	uint64_t low;

	drv_write(v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = drv_read(v, VIRTIO_MMIO_DEVICE_FEATURES);
	drv_write(v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return low | (uint64_t)drv_read(v, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

bool drv_negotiate(struct drv *v, uint64_t features)
{
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE;

	drv_write(v, VIRTIO_MMIO_STATUS, 0);
	MUST(drv_read(v, VIRTIO_MMIO_STATUS) == 0);
	drv_write(v, VIRTIO_MMIO_STATUS, status);
	drv_write(v, VIRTIO_MMIO_STATUS, status |= VIRTIO_CONFIG_S_DRIVER);
	v->features = features;
	drv_write(v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	drv_write(v, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
	drv_write(v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	drv_write(v, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	drv_write(v, VIRTIO_MMIO_STATUS, status |= VIRTIO_CONFIG_S_FEATURES_OK);
	return drv_read(v, VIRTIO_MMIO_STATUS) == status;
}

void drv_queue_at(struct drv *v, unsigned i, uint32_t size, uint64_t desc, uint64_t avail, uint64_t used)
{
	drv_write(v, VIRTIO_MMIO_QUEUE_SEL, i);
	drv_write(v, VIRTIO_MMIO_QUEUE_NUM, size);
	drv_write(v, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)desc);
	drv_write(v, VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)(desc >> 32));
	drv_write(v, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)avail);
	drv_write(v, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (uint32_t)(avail >> 32));
	drv_write(v, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)used);
	drv_write(v, VIRTIO_MMIO_QUEUE_USED_HIGH, (uint32_t)(used >> 32));
	drv_write(v, VIRTIO_MMIO_QUEUE_READY, 1);
}

bool drv_queues(struct drv *v)
{
	bool ready = true;

	v->n_queues = 0;
	for (unsigned i = 0; i < DRV_QUEUES; i++) {
		struct drv_queue *q = &v->q[i];

		drv_write(v, VIRTIO_MMIO_QUEUE_SEL, i);
		*q = (struct drv_queue){ .size = (uint16_t)drv_read(v, VIRTIO_MMIO_QUEUE_NUM_MAX),
			.at = DRV_RINGS + i * 0x4000 };
		if (q->size == 0)
			break;
		memset(v->mem.base + q->at, 0, 0x4000);
		drv_queue_at(v, i, q->size, q->at, q->at + 0x1000, q->at + 0x2000);
		ready = ready && drv_read(v, VIRTIO_MMIO_QUEUE_READY) == 1;
		v->n_queues++;
	}
	return ready;
}

void drv_start(struct drv *v, uint64_t features)
{
	MUST(drv_negotiate(v, features & drv_offered(v)));
	MUST(drv_queues(v));
	drv_write(v, VIRTIO_MMIO_STATUS, drv_read(v, VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_DRIVER_OK);
	MUST(drv_loop(v));
}

struct vring_desc *drv_desc(struct drv *v, unsigned q, unsigned i)
{
	return (struct vring_desc *)(void *)(v->mem.base + v->q[q].at) + i;
}

struct vring_avail *drv_avail(struct drv *v, unsigned q)
{
	return (struct vring_avail *)(void *)(v->mem.base + v->q[q].at + 0x1000);
}

struct vring_used *drv_used_ring(struct drv *v, unsigned q)
{
	return (struct vring_used *)(void *)(v->mem.base + v->q[q].at + 0x2000);
}

uint16_t drv_chain(struct drv *v, unsigned q, const struct drv_buf *b, unsigned n)
{
	uint16_t size = v->q[q].size, head = (uint16_t)(v->q[q].next_desc % size);

	for (unsigned i = 0; i < n; i++) {
		uint16_t at = (uint16_t)(v->q[q].next_desc++ % size), next = (uint16_t)((at + 1) % size);
		bool more = i + 1 < n;

		*drv_desc(v, q, at) = (struct vring_desc){ b[i].at, b[i].len,
			(uint16_t)((more ? VRING_DESC_F_NEXT : 0) | (b[i].write ? VRING_DESC_F_WRITE : 0)),
			more ? next : 0 };
	}
	return head;
}

void drv_offer(struct drv *v, unsigned q, uint16_t head)
{
	struct vring_avail *a = drv_avail(v, q);

	a->ring[v->q[q].avail++ % v->q[q].size] = head;
	__atomic_store_n(&a->idx, v->q[q].avail, __ATOMIC_RELEASE);
}

uint16_t drv_put(struct drv *v, unsigned q, const struct drv_buf *b, unsigned n)
{
	uint16_t head = drv_chain(v, q, b, n);

	drv_offer(v, q, head);
	return head;
}

bool drv_used(struct drv *v, unsigned q, uint16_t *head, uint32_t *len)
{
	const struct vring_used *u = drv_used_ring(v, q);
	struct drv_queue *x = &v->q[q];

	if (__atomic_load_n(&u->idx, __ATOMIC_ACQUIRE) == x->used)
		return false;
	if (head)
		*head = (uint16_t)u->ring[x->used % x->size].id;
	if (len)
		*len = u->ring[x->used % x->size].len;
	x->used++;
	/* As Linux does: tell me about the next one. */
	drv_avail(v, q)->ring[x->size] = x->used;
	return true;
}

void drv_kick(struct drv *v, unsigned q)
{
	drv_write(v, VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

bool drv_loop(struct drv *v)
{
	struct pollfd p = { .fd = v->loop.epoll, .events = POLLIN };
	struct err e = ERR_INIT;

	for (int i = 0; i < 10000; i++) {
		if (poll(&p, 1, 0) == 0)
			return true;
		if (vm_loop_serve(&v->loop, &e) < 0)
			return false;
	}
	return false;
}

void drv_go(struct drv *v, unsigned q)
{
	drv_kick(v, q);
	MUST(drv_loop(v));
}

bool drv_irq(struct drv *v)
{
	uint64_t n;

	return read(virtio_irq_fd(v->d), &n, sizeof(n)) > 0;
}

bool drv_dead(struct drv *v)
{
	return drv_read(v, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}
