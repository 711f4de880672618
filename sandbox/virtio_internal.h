/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the transport (virtio_mmio.c) and the devices behind it share.
 *
 * Locking
 *   Each device has one mutex. It guards the registers, the queues and all that the device keeps about its
 * driver. virtio_read() and virtio_write() take it in a vCPU's thread; serve() and the callbacks of a
 * device's own watches take it in the loop's thread. Two registers do without, since every interrupt and
 * every kick would wait for the device's work: interrupt status is an atomic word, and QueueNotify only
 * writes to the eventfd.
 *
 *   The loop (epoll, watches), the descriptors behind a device and guest memory belong to the loop's thread
 * alone. So a reset, which a vCPU's thread may do at any moment between two pieces of the loop's work,
 * changes memory of ours only, and then kicks: serve() finds the device not running and takes its watches out
 * of the loop. What an event still brings in between finds it not running, too. While the mutex is held by
 * the loop, the work is bounded (a batch of chains); a vCPU that writes to a register waits for that long.
 *
 *   When the driver has set DRIVER_OK, queues and features stay as they are until a reset, which is under the
 * mutex; that is what a piece of work can rely on from its start to its end.
 *
 * Work
 *   Nobody works on a queue until it is empty: a driver that fills as fast as the device empties would keep
 * the loop for itself. After a batch virtio_again() makes the device's own kick ready, and the loop comes
 * back to it when the others have had their turn.
 */
#ifndef SANDBOX_VIRTIO_INTERNAL_H
#define SANDBOX_VIRTIO_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <linux/virtio_config.h>

#include "sandbox/virtio.h"
#include "sandbox/vq.h"

#define VIRTIO_FEATURE(bit) (1ULL << (bit))

/* All but free() are called with the device's lock held. */
struct virtio_class {
	const char *name;
	uint32_t id; /* VIRTIO_ID_… */
	/* Loop: a kick, DRIVER_OK or a reset: works if d->running, else takes its watches out of the loop. */
	void (*serve)(struct virtio_dev *d);
	/* Any thread: forgets what it knows about the driver. NULL: nothing. */
	void (*reset)(struct virtio_dev *d);
	/* Any thread: does this set of features make sense? A subset of what was offered. NULL: yes. */
	bool (*accept)(const struct virtio_dev *d, uint64_t features);
	/* Loop: watches, descriptors, memory but for `d` itself. */
	void (*free)(struct virtio_dev *d);
};

/* The first member of each device. */
struct virtio_dev {
	const struct virtio_class *class;
	const struct vm_mem *mem;
	struct vm_loop *loop;
	pthread_mutex_t lock;
	int kick, irq;
	struct vm_watch kicked;
	atomic_uint isr; /* VIRTIO_MMIO_INT_… */

	uint32_t status;
	uint64_t offered, features; /* features: what the driver has written */
	uint32_t offered_sel, features_sel, queue_sel;
	bool running;	 /* DRIVER_OK, and nothing wrong with it since */
	const char *why; /* what a broken driver did, for the log */
	bool told;	 /* that is logged once, not as often as the guest likes */

	const void *config; /* never changes, so its generation is always 0 */
	unsigned config_len;
	struct vq *queues; /* `max` is set */
	unsigned n_queues;
};

/*
 * Fills a zeroed device (all but what is its own), makes its eventfds and has the loop watch the kick.
 * `offered` is without what every device offers: VERSION_1, indirect descriptors, event indices. On failure
 * nothing is left.
 */
int virtio_init(struct virtio_dev *d, const struct virtio_class *class, const struct vm_mem *mem,
	struct vm_loop *loop, uint64_t offered, struct err *e);

/* The driver has broken the rules: the device stops until it is reset. Lock held. */
void virtio_break(struct virtio_dev *d, const char *why);
/* An interrupt, if the driver wants one for what was pushed to q. */
void virtio_signal(struct virtio_dev *d, struct vq *q);
/* There is more to do, but it is the others' turn. */
void virtio_again(struct virtio_dev *d);

static inline bool virtio_has(const struct virtio_dev *d, unsigned bit)
{
	return d->features & VIRTIO_FEATURE(bit);
}

/* vq_pop(); a chain that breaks the rules breaks the device, and is none. */
bool virtio_pop(struct virtio_dev *d, struct vq *q, struct vq_chain *c);

#endif
