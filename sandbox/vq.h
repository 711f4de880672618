/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split virtqueues (virtio 1.2, 2.7), the device's side.
 *
 * Trust: rings, descriptors and indirect tables lie in memory that the guest writes to at any moment. Each
 * value is read once, into memory of ours, checked there and used from there. A chain has at most as many
 * descriptors as the queue (so a loop is found), its buffers lie in RAM, and all of it is at most
 * VQ_CHAIN_BYTES long, or what the device has said. What breaks the rules is -EPROTO, with the rule in
 * q->why; such a queue must not be touched again until it is started anew.
 *
 * Nothing is kept about chains that are under way: whoever pops one remembers its head and gives it back with
 * vq_push(), once. A head that the guest offers twice is two chains.
 *
 * Threads: a queue is its device's, and only touched with the device's lock held.
 */
#ifndef SANDBOX_VQ_H
#define SANDBOX_VQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/virtio_ring.h>

#include "sandbox/vm_mem.h"

#define VQ_SIZE_MAX    256U	   /* descriptors */
#define VQ_CHAIN_BYTES (16U << 20) /* unless a device says so; what they announce as their limits is less */

struct vq {
	uint16_t max;  /* the largest size, at most VQ_SIZE_MAX; the device's choice */
	uint32_t most; /* bytes in a chain; 0: VQ_CHAIN_BYTES */

	/* What the driver has written to the registers. */
	uint32_t size;
	uint64_t desc_at, avail_at, used_at;
	bool ready;

	/* Since vq_start(). */
	const struct vm_mem *mem;
	const uint8_t *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t *avail_event; /* behind the used ring */
	bool indirect, event_idx;
	uint16_t next_avail, next_used, told; /* told: next_used when vq_notify() was asked last */
	const char *why;
};

/* What the device may read comes first. */
struct vq_chain {
	uint16_t head, n_out, n_in;
	uint32_t out_len, in_len;
	struct iovec iov[VQ_SIZE_MAX];
};

/* Takes the registers as they are, and `features` as negotiated. 0 or -EPROTO; then the queue is not ready.
 */
int vq_start(struct vq *q, const struct vm_mem *mem, uint64_t features);
/* As after power on. */
void vq_reset(struct vq *q);

/* The next chain. 1: here it is; 0: there is none, or the queue is not ready; -EPROTO. */
int vq_pop(struct vq *q, struct vq_chain *c);
/* The last n that were popped are not wanted yet, and come again. */
void vq_unpop(struct vq *q, unsigned n);
/* The device is done with a chain and has written so many bytes to the start of its writable part. */
void vq_push(struct vq *q, uint16_t head, uint32_t written);

/* Is there one? */
bool vq_any(const struct vq *q);

/* Does the driver want an interrupt for what was pushed since this was asked last? */
bool vq_notify(struct vq *q);
/* Asks for a kick when more comes. False: more has come already, and there may be no kick for it. */
bool vq_wait(struct vq *q);

/* Copies between a buffer and iov, `skip` bytes into it; returns how much was there. */
size_t vq_get(const struct iovec *iov, unsigned n, size_t skip, void *buf, size_t len);
size_t vq_put(const struct iovec *iov, unsigned n, size_t skip, const void *buf, size_t len);
/* Cuts iov to len bytes after the first skip ones, in place; the number of what is left, from *iov on. */
unsigned vq_cut(struct iovec **iov, unsigned n, size_t skip, size_t len);

#endif
