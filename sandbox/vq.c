/* SPDX-License-Identifier: Apache-2.0 */
/* Split virtqueues (see vq.h). */
#include "sandbox/vq.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/virtio_config.h>

/* Guests are of the host's architecture; the rings are little endian. */
_Static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "rings would have to be converted");
_Static_assert(sizeof(struct vring_desc) == VRING_DESC_ALIGN_SIZE, "a descriptor is 16 bytes");

#define HEADER sizeof(struct vring_avail) /* flags and index; the same for both rings */

static int broken(struct vq *q, const char *why)
{
	q->why = why;
	return -EPROTO;
}

void vq_reset(struct vq *q)
{
	*q = (struct vq){ .max = q->max, .most = q->most };
}

int vq_start(struct vq *q, const struct vm_mem *mem, uint64_t features)
{
	uint64_t n = q->size;

	q->ready = false;
	if (n == 0 || n > q->max || (n & (n - 1)) != 0)
		return broken(q, "the queue's size is no power of two, or too large");
	if (q->desc_at % VRING_DESC_ALIGN_SIZE || q->avail_at % VRING_AVAIL_ALIGN_SIZE ||
		q->used_at % VRING_USED_ALIGN_SIZE)
		return broken(q, "a ring is not aligned");
	q->mem = mem;
	q->desc = vm_mem_at(mem, q->desc_at, n * sizeof(struct vring_desc));
	/* Both rings have one more index at their end. */
	q->avail = vm_mem_at(mem, q->avail_at, HEADER + (n + 1) * sizeof(__virtio16));
	q->used =
		vm_mem_at(mem, q->used_at, HEADER + n * sizeof(struct vring_used_elem) + sizeof(__virtio16));
	if (!q->desc || !q->avail || !q->used)
		return broken(q, "a ring is not in RAM");
	q->avail_event = (void *)((uint8_t *)q->used + HEADER + n * sizeof(struct vring_used_elem));
	q->indirect = features & 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	q->event_idx = features & 1ULL << VIRTIO_RING_F_EVENT_IDX;
	q->next_avail = q->next_used = q->told = 0;
	q->ready = true;
	return 0;
}

/* --- chains -------------------------------------------------------------------------------------- */

/* The barrier keeps the compiler from reading the guest's copy again, which may have changed. Tables of
 * indirect descriptors need not be aligned. */
static struct vring_desc get_desc(const uint8_t *table, unsigned i)
{
	struct vring_desc d;

	memcpy(&d, table + (size_t)i * sizeof(d), sizeof(d));
	__asm__ volatile("" ::: "memory");
	return d;
}

static int add_buffer(struct vq *q, struct vq_chain *c, const struct vring_desc *d)
{
	bool write = d->flags & VRING_DESC_F_WRITE;
	void *at = vm_mem_at(q->mem, d->addr, d->len);

	if (!at)
		return broken(q, "a buffer is empty, or not in RAM");
	if (!write && c->n_in)
		return broken(q, "a buffer to be read comes behind one to be written");
	if (d->len > (q->most ? q->most : VQ_CHAIN_BYTES) - c->out_len - c->in_len)
		return broken(q, "a chain is too long");
	c->iov[c->n_out + c->n_in] = (struct iovec){ at, d->len };
	if (write) {
		c->n_in++;
		c->in_len += d->len;
	} else {
		c->n_out++;
		c->out_len += d->len;
	}
	return 0;
}

static int read_chain(struct vq *q, uint16_t head, struct vq_chain *c)
{
	const uint8_t *table = q->desc;
	uint32_t n_table = q->size;
	bool within = false; /* an indirect table */
	struct vring_desc d;
	unsigned i = head;

	c->head = head;
	c->n_out = c->n_in = 0;
	c->out_len = c->in_len = 0;
	/* Either the chain grows by one, which the queue's size bounds, or a table is entered, once. */
	do {
		if (i >= n_table)
			return broken(q, "a descriptor is outside of its table");
		d = get_desc(table, i);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (!q->indirect || within || d.flags & VRING_DESC_F_NEXT)
				return broken(q, "an indirect descriptor where there may be none");
			n_table = d.len / sizeof(d);
			if (d.len % sizeof(d) || n_table > q->size)
				return broken(q, "an indirect table has the wrong size");
			table = vm_mem_at(q->mem, d.addr, d.len);
			if (!table)
				return broken(q, "an indirect table is empty, or not in RAM");
			within = true;
			i = 0;
			d.flags = VRING_DESC_F_NEXT;
			continue;
		}
		if ((uint32_t)c->n_out + c->n_in >= q->size)
			return broken(q, "a chain is longer than the queue, or a loop");
		if (add_buffer(q, c, &d) < 0)
			return -EPROTO;
		i = d.next;
	} while (d.flags & VRING_DESC_F_NEXT);
	return 0;
}

int vq_pop(struct vq *q, struct vq_chain *c)
{
	uint16_t waiting, head;

	if (!q->ready)
		return 0;
	/* Whatever the driver wrote before it moved the index is there after this. */
	waiting = (uint16_t)(__atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE) - q->next_avail);
	if (waiting == 0)
		return 0;
	if (waiting > q->size)
		return broken(q, "the available index is further ahead than the queue is long");
	head = __atomic_load_n(&q->avail->ring[q->next_avail & (q->size - 1)], __ATOMIC_RELAXED);
	if (read_chain(q, head, c) < 0)
		return -EPROTO;
	q->next_avail++;
	return 1;
}

bool vq_any(const struct vq *q)
{
	return q->ready && __atomic_load_n(&q->avail->idx, __ATOMIC_RELAXED) != q->next_avail;
}

void vq_unpop(struct vq *q, unsigned n)
{
	q->next_avail = (uint16_t)(q->next_avail - n);
}

void vq_push(struct vq *q, uint16_t head, uint32_t written)
{
	struct vring_used_elem *at = &q->used->ring[q->next_used & (q->size - 1)];

	__atomic_store_n(&at->id, head, __ATOMIC_RELAXED);
	__atomic_store_n(&at->len, written, __ATOMIC_RELAXED);
	q->next_used++;
	/* The element, and what was written to the buffers, before the index. */
	__atomic_store_n(&q->used->idx, q->next_used, __ATOMIC_RELEASE);
}

/* --- who wants to be told ---------------------------------------------------------------------------- */

bool vq_notify(struct vq *q)
{
	uint16_t before = q->told, event;

	if (before == q->next_used)
		return false;
	q->told = q->next_used;
	/* The driver says what it wants, then looks at the index; we move the index, then look at what it
	 * wants. With a fence on both sides one of the two sees the other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!q->event_idx)
		return !(__atomic_load_n(&q->avail->flags, __ATOMIC_RELAXED) & VRING_AVAIL_F_NO_INTERRUPT);
	event = __atomic_load_n(&q->avail->ring[q->size], __ATOMIC_RELAXED);
	return vring_need_event(event, q->next_used, before);
}

bool vq_wait(struct vq *q)
{
	if (!q->ready)
		return true;
	/* Without event indices the driver kicks whenever it likes: used->flags stays 0. */
	if (q->event_idx)
		__atomic_store_n(q->avail_event, q->next_avail, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&q->avail->idx, __ATOMIC_RELAXED) == q->next_avail;
}

/* --- buffers ----------------------------------------------------------------------------------------- */

size_t vq_get(const struct iovec *iov, unsigned n, size_t skip, void *buf, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t here = iov[i].iov_len;

		if (skip >= here) {
			skip -= here;
			continue;
		}
		here = here - skip < len - done ? here - skip : len - done;
		memcpy((uint8_t *)buf + done, (const uint8_t *)iov[i].iov_base + skip, here);
		done += here;
		skip = 0;
	}
	/* See get_desc(). */
	__asm__ volatile("" ::: "memory");
	return done;
}

size_t vq_put(const struct iovec *iov, unsigned n, size_t skip, const void *buf, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t here = iov[i].iov_len;

		if (skip >= here) {
			skip -= here;
			continue;
		}
		here = here - skip < len - done ? here - skip : len - done;
		memcpy((uint8_t *)iov[i].iov_base + skip, (const uint8_t *)buf + done, here);
		done += here;
		skip = 0;
	}
	return done;
}

unsigned vq_cut(struct iovec **iov, unsigned n, size_t skip, size_t len)
{
	unsigned kept = 0;

	while (n > 0 && skip >= (*iov)->iov_len) {
		skip -= (*iov)->iov_len;
		(*iov)++;
		n--;
	}
	if (n > 0 && skip > 0) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + skip;
		(*iov)->iov_len -= skip;
	}
	while (kept < n && len > 0) {
		struct iovec *x = &(*iov)[kept++];

		x->iov_len = x->iov_len < len ? x->iov_len : len;
		len -= x->iov_len;
	}
	return kept;
}
