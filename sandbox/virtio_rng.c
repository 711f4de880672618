/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio entropy device (virtio 1.2, 5.4): the host's getrandom(2), a little at a time.
 *
 * A buffer gets REQUEST bytes at most, which is more than Linux asks for at once; a guest that asks in a loop
 * spends its own time on kicks.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <linux/virtio_ids.h>

#include "sandbox/virtio_internal.h"

#define QUEUE_SIZE 8
#define REQUEST	   256U /* getrandom(2) gives that much at once, and is not interrupted */
#define BATCH	   32U

struct rng {
	struct virtio_dev dev;
	struct vq queue;
};

static bool answer(struct rng *r, const struct vq_chain *c)
{
	uint8_t bytes[REQUEST];
	size_t len = c->in_len < REQUEST ? c->in_len : REQUEST;

	if (c->n_out) {
		virtio_break(&r->dev, "a buffer for random bytes is not to be written");
		return false;
	}
	/* Nothing rather than what is not random. */
	if (getrandom(bytes, len, 0) != (ssize_t)len)
		len = 0;
	vq_put(c->iov, c->n_in, 0, bytes, len);
	explicit_bzero(bytes, sizeof(bytes));
	vq_push(&r->queue, c->head, (uint32_t)len);
	return true;
}

static void serve(struct virtio_dev *d)
{
	struct rng *r = (struct rng *)d;
	struct vq_chain c;
	unsigned n;

	for (n = 0; n < BATCH && d->running; n++) {
		if (virtio_pop(d, &r->queue, &c)) {
			if (!answer(r, &c))
				return;
		} else if (!d->running || vq_wait(&r->queue)) {
			break;
		}
	}
	if (n == BATCH)
		virtio_again(d);
	virtio_signal(d, &r->queue);
}

static void free_rng(struct virtio_dev *d)
{
	(void)d;
}

int virtio_rng_new(const struct vm_mem *mem, struct vm_loop *loop, struct virtio_dev **out, struct err *e)
{
	static const struct virtio_class class = { "entropy", VIRTIO_ID_RNG, serve, NULL, NULL, free_rng };
	_cleanup_free_ struct rng *r = calloc(1, sizeof(*r));
	int result;

	if (!r)
		return err_set(e, ENOMEM, "make the virtio entropy device");
	r->queue.max = QUEUE_SIZE;
	r->dev.queues = &r->queue;
	r->dev.n_queues = 1;
	result = virtio_init(&r->dev, &class, mem, loop, 0, e);
	if (result < 0)
		return result;
	*out = &TAKE_PTR(r)->dev;
	return 0;
}
