/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio memory balloon (virtio 1.2, 5.5), for free page reporting: what the guest's kernel has had free for
 * a while (Linux: 2 s, in blocks of 4 MiB) it tells, and the host takes it back; the guest finds it zeroed
 * when it uses it again. Nobody inflates the balloon: the machine keeps the size that it was made with.
 *
 * Linux leaves 128 MiB alone (mm/page_reporting.c, "watermark"), since so much may be under way at once, and
 * is nobody's meanwhile: a small machine gives nothing back.
 *
 * Trust: a guest that tells of memory that it uses loses what is in it, and nothing else. It can ask for as
 * much work as it likes; a batch of it is done at a time.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>

#include "sandbox/virtio_internal.h"

/*
 * The queues of what is offered, and no others, in the order of the specification: as Linux counts them
 * (drivers/virtio/virtio_balloon.c), and QEMU.
 */
enum { INFLATE, DEFLATE, REPORTING, QUEUES };

#define QUEUE_SIZE 64 /* at least 32, or Linux' driver does without all of it (mm/page_reporting.h) */
#define BATCH	   4U
#define REPORT_MAX (256U << 20) /* bytes in a chain; Linux: 32 blocks of 4 MiB */

struct balloon {
	struct virtio_dev dev;
	struct virtio_balloon_config config; /* nothing is wanted */
	struct vq queues[QUEUES];
	uintptr_t page;
};

/* Only whole pages of ours, which are never larger than what Linux reports. */
static void give_back(const struct balloon *b, const struct iovec *v)
{
	uintptr_t start = ((uintptr_t)v->iov_base + b->page - 1) & -b->page,
		  end = ((uintptr_t)v->iov_base + v->iov_len) & -b->page;

	if (start < end)
		(void)madvise((void *)start, end - start, MADV_DONTNEED);
}

static bool report(struct balloon *b, const struct vq_chain *c)
{
	if (c->n_out) {
		virtio_break(&b->dev, "free memory is told of by buffers that are to be read");
		return false;
	}
	for (unsigned i = 0; i < c->n_in; i++)
		give_back(b, &c->iov[i]);
	vq_push(&b->queues[REPORTING], c->head, 0);
	return true;
}

static void serve(struct virtio_dev *d)
{
	struct balloon *b = (struct balloon *)d;
	struct vq_chain c;

	for (unsigned i = 0; i < QUEUES; i++) {
		struct vq *q = &b->queues[i];
		unsigned n;

		for (n = 0; n < BATCH && d->running; n++) {
			if (!virtio_pop(d, q, &c)) {
				if (!d->running || vq_wait(q))
					break;
			} else if (i != REPORTING) {
				/* Nobody asked for it. */
				vq_push(q, c.head, 0);
			} else if (!report(b, &c)) {
				return;
			}
		}
		if (n == BATCH)
			virtio_again(d);
		virtio_signal(d, q);
	}
}

static void free_balloon(struct virtio_dev *d)
{
	(void)d;
}

int virtio_balloon_new(const struct vm_mem *mem, struct vm_loop *loop, struct virtio_dev **out, struct err *e)
{
	static const struct virtio_class class = { "balloon", VIRTIO_ID_BALLOON, serve, NULL, NULL,
		free_balloon };
	_cleanup_free_ struct balloon *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return err_set(e, ENOMEM, "make the virtio balloon device");
	b->page = (uintptr_t)sysconf(_SC_PAGESIZE);
	for (unsigned i = 0; i < QUEUES; i++)
		b->queues[i].max = QUEUE_SIZE;
	b->queues[REPORTING].most = REPORT_MAX;
	b->dev.queues = b->queues;
	b->dev.n_queues = QUEUES;
	b->dev.config = &b->config;
	b->dev.config_len = sizeof(b->config);
	r = virtio_init(&b->dev, &class, mem, loop, VIRTIO_FEATURE(VIRTIO_BALLOON_F_REPORTING), e);
	if (r < 0)
		return r;
	*out = &TAKE_PTR(b)->dev;
	return 0;
}
