/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: a virtqueue alone; the input is its registers, and then all of the guest's memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/vq.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define LOW  0x2000U
#define HIGH 0x400U
#define POPS 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct registers {
	uint8_t size_log, features;
	uint16_t desc, avail, used;
};

static void in_ram(const struct vm_mem *m, const struct iovec *x)
{
	const uint8_t *from = x->iov_base;

	MUST(x->iov_len > 0 && from >= m->base && x->iov_len <= m->low + m->high);
	MUST(from + x->iov_len <= m->base + m->low + m->high);
	/* Not across the hole. */
	MUST(from >= m->base + m->low || from + x->iov_len <= m->base + m->low);
}

static void look_at(const struct vm_mem *m, const struct vq *q, struct vq_chain *c)
{
	struct iovec *iov = c->iov;
	uint64_t out = 0, in = 0;
	uint8_t byte = 0;

	MUST(c->n_out + c->n_in > 0 && c->n_out + c->n_in <= (int)q->size && c->head < q->size);
	for (unsigned i = 0; i < (unsigned)c->n_out + c->n_in; i++) {
		in_ram(m, &c->iov[i]);
		*(i < c->n_out ? &out : &in) += c->iov[i].iov_len;
	}
	MUST(out == c->out_len && in == c->in_len && out + in <= VQ_CHAIN_BYTES);
	MUST(vq_get(c->iov, c->n_out, c->out_len, &byte, 1) == 0);
	MUST(vq_put(c->iov + c->n_out, c->n_in, c->in_len, &byte, 1) == 0);
	MUST((vq_cut(&iov, c->n_out, c->out_len / 2, SIZE_MAX) == 0) == (c->out_len == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vq_chain c;
	struct vm_mem m = { .low = LOW, .high = HIGH };
	struct registers r = { 0 };
	struct vq q = { .max = VQ_SIZE_MAX };
	int got = 1;

	m.base = aligned_alloc(16, LOW + HIGH);
	MUST(m.base);
	memset(m.base, 0, LOW + HIGH);
	memcpy(&r, data, size < sizeof(r) ? size : sizeof(r));
	if (size > sizeof(r))
		memcpy(m.base, data + sizeof(r),
			size - sizeof(r) < LOW + HIGH ? size - sizeof(r) : LOW + HIGH);
	q.size = r.size_log > 40 ? r.size_log : 1U << (r.size_log % 10);
	/* Some of them above the hole. */
	q.desc_at = r.desc & 1 ? VM_HOLE_END + (r.desc & 0xfff0U) : r.desc;
	q.avail_at = r.avail;
	q.used_at = r.used;
	if (vq_start(&q, &m, (uint64_t)r.features << 24) == 0)
		for (int i = 0; i < POPS && got == 1; i++) {
			got = vq_pop(&q, &c);
			MUST(got == 0 || got == 1 || (got == -EPROTO && q.why));
			if (got != 1)
				break;
			look_at(&m, &q, &c);
			vq_push(&q, c.head, c.in_len);
			vq_notify(&q);
			if (i % 8 == 7)
				vq_wait(&q);
		}
	free(m.base);
	return 0;
}
