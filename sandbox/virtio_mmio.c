/* SPDX-License-Identifier: Apache-2.0 */
/* The transport of virtio devices: registers, negotiation, status, interrupts (see virtio_internal.h). */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <linux/virtio_mmio.h>

#include "base/fd.h"
#include "base/log.h"
#include "sandbox/virtio_internal.h"

#define THE_MAGIC   0x74726976U /* "virt" */
#define THE_VERSION 2U
#define THE_VENDOR  0x43464652U /* "RFFC": nobody hands these out; it only must not be an emulator's */

static void ring(int eventfd)
{
	const uint64_t one = 1;

	/* Fails only when 2^64 - 2 rings were not taken: then it has rung. */
	if (write(eventfd, &one, sizeof(one)) < 0)
		return;
}

static void interrupt(struct virtio_dev *d, unsigned why)
{
	atomic_fetch_or(&d->isr, why);
	ring(d->irq);
}

/* --- for the devices --------------------------------------------------------------------------------- */

void virtio_break(struct virtio_dev *d, const char *why)
{
	if (d->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	d->running = false;
	d->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (d->status & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt(d, VIRTIO_MMIO_INT_CONFIG);
	if (d->told)
		return;
	/* Said by the loop: a vCPU's thread, where this may be, has no system calls for a log (vm_confine.h).
	 */
	d->why = why ? why : "unknown";
	ring(d->kick);
}

static void tell(struct virtio_dev *d)
{
	if (d->why && !d->told) {
		log_warn("the guest's driver of its virtio %s device breaks the rules: %s; the device has "
			 "stopped",
			d->class->name, d->why);
		d->told = true;
	}
}

void virtio_signal(struct virtio_dev *d, struct vq *q)
{
	if (d->running && q->ready && vq_notify(q))
		interrupt(d, VIRTIO_MMIO_INT_VRING);
}

void virtio_again(struct virtio_dev *d)
{
	ring(d->kick);
}

bool virtio_pop(struct virtio_dev *d, struct vq *q, struct vq_chain *c)
{
	int r;

	if (!d->running)
		return false;
	r = vq_pop(q, c);
	if (r < 0)
		virtio_break(d, q->why);
	return r > 0;
}

static void serve(struct vm_watch *w, uint32_t events)
{
	struct virtio_dev *d = w->arg;
	uint64_t rings;

	(void)events;
	/* Taken before the work: a kick in between rings again. */
	if (read(d->kick, &rings, sizeof(rings)) < 0)
		return;
	pthread_mutex_lock(&d->lock);
	d->class->serve(d);
	tell(d);
	pthread_mutex_unlock(&d->lock);
}

int virtio_init(struct virtio_dev *d, const struct virtio_class *class, const struct vm_mem *mem,
	struct vm_loop *loop, uint64_t offered, struct err *e)
{
	_cleanup_close_ int kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	_cleanup_close_ int irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r;

	if (kick < 0 || irq < 0)
		return err_set(e, errno, "make an eventfd for the virtio %s device", class->name);
	d->kicked = (struct vm_watch){ .fd = kick, .ready = serve, .arg = d };
	r = vm_loop_set(loop, &d->kicked, EPOLLIN);
	if (r < 0)
		return err_set(e, -r, "watch the kicks of the virtio %s device", class->name);
	d->class = class;
	d->mem = mem;
	d->loop = loop;
	d->kick = TAKE_FD(kick);
	d->irq = TAKE_FD(irq);
	d->offered = offered | VIRTIO_FEATURE(VIRTIO_F_VERSION_1) |
		     VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX);
	pthread_mutex_init(&d->lock, NULL);
	return 0;
}

void virtio_free(struct virtio_dev *d)
{
	if (!d)
		return;
	vm_loop_remove(d->loop, &d->kicked);
	d->class->free(d);
	fd_close(d->kick);
	fd_close(d->irq);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

int virtio_kick_fd(const struct virtio_dev *d)
{
	return d->kick;
}

int virtio_irq_fd(const struct virtio_dev *d)
{
	return d->irq;
}

/* --- status ------------------------------------------------------------------------------------------ */

static void reset(struct virtio_dev *d)
{
	d->running = false;
	d->status = 0;
	d->features = 0;
	d->offered_sel = d->features_sel = d->queue_sel = 0;
	atomic_store(&d->isr, 0);
	for (unsigned i = 0; i < d->n_queues; i++)
		vq_reset(&d->queues[i]);
	if (d->class->reset)
		d->class->reset(d);
	/* Its watches are the loop's. */
	ring(d->kick);
}

static bool acceptable(const struct virtio_dev *d)
{
	return (d->features & ~d->offered) == 0 && virtio_has(d, VIRTIO_F_VERSION_1) &&
	       (!d->class->accept || d->class->accept(d, d->features));
}

static void set_status(struct virtio_dev *d, uint32_t new)
{
	uint32_t old = d->status, set;

	new &= 0xff;
	if (new == 0) {
		reset(d);
		return;
	}
	/* Bits are only ever added, in their order; DEVICE_NEEDS_RESET is ours. */
	if (old & ~new & ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	set = new & ~old & ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET;
	if (set & VIRTIO_CONFIG_S_FEATURES_OK &&
		(!(new &VIRTIO_CONFIG_S_DRIVER) || old & VIRTIO_CONFIG_S_DRIVER_OK || !acceptable(d)))
		set &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	if (set & VIRTIO_CONFIG_S_DRIVER_OK && !((old | set) & VIRTIO_CONFIG_S_FEATURES_OK))
		set &= ~(uint32_t)VIRTIO_CONFIG_S_DRIVER_OK;
	d->status |= set;
	if (d->status & VIRTIO_CONFIG_S_FAILED)
		d->running = false;
	else if (set & VIRTIO_CONFIG_S_DRIVER_OK && !(d->status & VIRTIO_CONFIG_S_NEEDS_RESET))
		d->running = true;
	ring(d->kick);
}

/* --- registers --------------------------------------------------------------------------------------- */

static struct vq *selected(struct virtio_dev *d)
{
	return d->queue_sel < d->n_queues ? &d->queues[d->queue_sel] : NULL;
}

static void set_half(uint64_t *at, bool high, uint32_t value)
{
	if (high)
		*at = (*at & 0xffffffffU) | (uint64_t)value << 32;
	else
		*at = (*at & ~0xffffffffULL) | value;
}

/* Frozen from QueueReady, and for all queues from DRIVER_OK, to the reset. */
static void write_queue(struct virtio_dev *d, uint64_t offset, uint32_t value)
{
	struct vq *q = selected(d);

	if (!q || q->ready || d->status & (VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET))
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->size = value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&q->desc_at, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&q->avail_at, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&q->used_at, offset == VIRTIO_MMIO_QUEUE_USED_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		/* What the rings look like depends on features, so these come first. */
		if (value == 1 && !(d->status & VIRTIO_CONFIG_S_FEATURES_OK))
			virtio_break(d, "a queue is made ready before the features are agreed");
		else if (value == 1 && vq_start(q, d->mem, d->features) < 0)
			virtio_break(d, q->why);
		break;
	default:
		break;
	}
}

static void write_register(struct virtio_dev *d, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		d->offered_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		d->features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		if (d->status & VIRTIO_CONFIG_S_FEATURES_OK || !(d->status & VIRTIO_CONFIG_S_DRIVER))
			break;
		if (d->features_sel < 2)
			set_half(&d->features, d->features_sel == 1, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		d->queue_sel = value;
		break;
	case VIRTIO_MMIO_STATUS:
		set_status(d, value);
		break;
	default:
		write_queue(d, offset, value);
	}
}

void virtio_write(struct virtio_dev *d, uint64_t offset, const void *data, unsigned len)
{
	uint32_t value;

	/* No device here has configuration that can be written. */
	if (offset >= VIRTIO_MMIO_CONFIG || offset % 4 || len != 4)
		return;
	memcpy(&value, data, sizeof(value));
	if (offset == VIRTIO_MMIO_QUEUE_NOTIFY) {
		ring(d->kick);
	} else if (offset == VIRTIO_MMIO_INTERRUPT_ACK) {
		atomic_fetch_and(&d->isr, ~value);
	} else {
		pthread_mutex_lock(&d->lock);
		write_register(d, offset, value);
		pthread_mutex_unlock(&d->lock);
	}
}

static uint32_t read_register(struct virtio_dev *d, uint64_t offset)
{
	const struct vq *q = selected(d);

	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return d->offered_sel < 2 ? (uint32_t)(d->offered >> (32 * d->offered_sel)) : 0;
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return q ? q->max : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return q && q->ready;
	case VIRTIO_MMIO_STATUS:
		return d->status;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return UINT32_MAX; /* there is no such region */
	default:
		return 0; /* the generation of the configuration, too: it never changes */
	}
}

static uint32_t read_fixed(struct virtio_dev *d, uint64_t offset)
{
	uint32_t value;

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return THE_MAGIC;
	case VIRTIO_MMIO_VERSION:
		return THE_VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return d->class->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return THE_VENDOR;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return atomic_load(&d->isr);
	default:
		pthread_mutex_lock(&d->lock);
		value = read_register(d, offset);
		pthread_mutex_unlock(&d->lock);
		return value;
	}
}

void virtio_read(struct virtio_dev *d, uint64_t offset, void *data, unsigned len)
{
	uint32_t value;

	memset(data, 0, len);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		offset -= VIRTIO_MMIO_CONFIG;
		if (offset < d->config_len)
			memcpy(data, (const uint8_t *)d->config + offset,
				len < d->config_len - offset ? len : d->config_len - offset);
	} else if (offset % 4 == 0 && len == 4) {
		value = read_fixed(d, offset);
		memcpy(data, &value, sizeof(value));
	}
}
