/* SPDX-License-Identifier: Apache-2.0 */
/* A driver of virtio devices in plain memory, for tests: it does what a guest's would, and what none should.
 */
#ifndef TESTS_SANDBOX_DRIVER_H
#define TESTS_SANDBOX_DRIVER_H

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "sandbox/virtio.h"

#define DRV_RAM	   (8U << 20)
#define DRV_RINGS  0x10000U  /* 16 KiB a queue */
#define DRV_DATA   0x100000U /* what tests put their buffers into */
#define DRV_QUEUES 50
#define DRV_ALL	   UINT64_MAX /* features: all that there are */

struct drv_queue {
	uint16_t size, next_desc, avail, used;
	uint32_t at;
};

struct drv {
	struct vm_mem mem;
	struct vm_loop loop;
	struct virtio_dev *d;
	uint64_t features;
	unsigned n_queues;
	struct drv_queue q[DRV_QUEUES];
};

struct drv_buf {
	uint64_t at;
	uint32_t len;
	bool write; /* by the device */
};

void drv_open(struct drv *v);
/* Frees the device, too. */
void drv_close(struct drv *v);

uint32_t drv_read(struct drv *v, uint64_t offset);
void drv_write(struct drv *v, uint64_t offset, uint32_t value);
/* One step after the other, for tests that want to do one of them differently. */
uint64_t drv_offered(struct drv *v);
bool drv_negotiate(struct drv *v, uint64_t features);
void drv_queue_at(struct drv *v, unsigned i, uint32_t size, uint64_t desc, uint64_t avail, uint64_t used);
bool drv_queues(struct drv *v);
/* All of it: reset, features (those of them that are offered), queues of their largest size, DRIVER_OK. */
void drv_start(struct drv *v, uint64_t features);

/* Writes a chain's descriptors; its head. drv_offer(): makes a head available. drv_put(): both. */
uint16_t drv_chain(struct drv *v, unsigned q, const struct drv_buf *b, unsigned n);
void drv_offer(struct drv *v, unsigned q, uint16_t head);
uint16_t drv_put(struct drv *v, unsigned q, const struct drv_buf *b, unsigned n);
struct vring_desc *drv_desc(struct drv *v, unsigned q, unsigned i);
struct vring_avail *drv_avail(struct drv *v, unsigned q);
struct vring_used *drv_used_ring(struct drv *v, unsigned q);
/* The next chain that came back, if there is one. */
bool drv_used(struct drv *v, unsigned q, uint16_t *head, uint32_t *len);

void drv_kick(struct drv *v, unsigned q);
/* Serves until nothing is ready; false: that did not end. */
bool drv_loop(struct drv *v);
void drv_go(struct drv *v, unsigned q); /* both */
bool drv_irq(struct drv *v);		/* was there an interrupt since? */
bool drv_dead(struct drv *v);

#endif
