/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio devices over MMIO (virtio 1.2, 4.2.2: version 2 of the transport; no legacy interface), and the loop
 * that they work in.
 *
 * Threads: virtio_read() and virtio_write() are called by vCPU threads and take the device's lock; everything
 * else is the loop's thread. A kick is an eventfd (the VMM makes it a KVM ioeventfd on QueueNotify, so that
 * no vCPU waits for a device); an interrupt is an eventfd, too (KVM irqfd).
 *
 * Configuration freezes when the driver sets DRIVER_OK: queue addresses and sizes, and features, are taken
 * then and written to no more until a reset. A driver that breaks the rules gets DEVICE_NEEDS_RESET and a
 * dead device, never a dead monitor.
 */
#ifndef SANDBOX_VIRTIO_H
#define SANDBOX_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "sandbox/vm.h"
#include "sandbox/vm_mem.h"

#define VIRTIO_MMIO_SIZE 0x1000 /* bytes of registers of a device */
#define VIRTIO_NOTIFY	 0x50	/* QueueNotify */

/* --- the loop: an epoll descriptor and who is to be called ----------------------------------------- */

struct epoll_event;
struct vm_loop {
	int epoll;
	struct epoll_event *ready; /* while it serves: what is reported, from `next` on not yet handled */
	unsigned next, n_ready;
};

struct vm_watch {
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT as armed now; the loop's to change, 0 at first */
	void (*ready)(struct vm_watch *w, uint32_t events);
	void *arg;
};

int vm_loop_init(struct vm_loop *l, struct err *e);
void vm_loop_free(struct vm_loop *l);
/* Adds it, changes what it waits for (0: nothing, not even a hang-up), or takes it out again (before its fd
 * is closed; also from within a ready(), its own or another's). vm_loop_set(): 0 or -errno of epoll_ctl(2).
 */
int vm_loop_set(struct vm_loop *l, struct vm_watch *w, uint32_t events);
void vm_loop_remove(struct vm_loop *l, struct vm_watch *w);
/* Calls whoever is ready now; never waits. */
int vm_loop_serve(struct vm_loop *l, struct err *e);

/* --- devices ------------------------------------------------------------------------------------- */

struct virtio_dev;

/* They take over the descriptors when they succeed. `kick` and `irq`: eventfds, see above; made and closed by
 * the device (virtio_kick_fd(), virtio_irq_fd()). */
int virtio_console_new(const struct vm_mem *mem, struct vm_loop *loop, const struct vm_port *ports,
	unsigned n_ports, struct virtio_dev **out, struct err *e);
int virtio_blk_new(const struct vm_mem *mem, struct vm_loop *loop, const struct vm_disk *disk,
	struct virtio_dev **out, struct err *e);
int virtio_net_new(const struct vm_mem *mem, struct vm_loop *loop, const struct vm_nic *nic,
	struct virtio_dev **out, struct err *e);
int virtio_9p_new(const struct vm_mem *mem, struct vm_loop *loop, const struct vm_tree *tree,
	struct virtio_dev **out, struct err *e);
int virtio_balloon_new(
	const struct vm_mem *mem, struct vm_loop *loop, struct virtio_dev **out, struct err *e);
int virtio_rng_new(const struct vm_mem *mem, struct vm_loop *loop, struct virtio_dev **out, struct err *e);
void virtio_free(struct virtio_dev *d);
DEFINE_CLEANUP(struct virtio_dev *, virtio_free);

/* Registers; offset < VIRTIO_MMIO_SIZE. Any length 1..8 and any alignment may come; what the specification
 * has no meaning for reads as 0 and is ignored when written. */
void virtio_read(struct virtio_dev *d, uint64_t offset, void *data, unsigned len);
void virtio_write(struct virtio_dev *d, uint64_t offset, const void *data, unsigned len);

int virtio_kick_fd(const struct virtio_dev *d);
int virtio_irq_fd(const struct virtio_dev *d);

#endif
