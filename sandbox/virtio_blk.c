/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio block device (virtio 1.2, 5.2): a file or block device of the host.
 *
 * Theory of operation
 *   A request is carried out when it is found, by one preadv(2) or pwritev(2) on the guest's own buffers, in
 * the loop's thread. That costs: while the host's disk makes us wait, this guest's console and network wait,
 * too (its vCPUs go on), and there is never more than one request under way. A thread for each disk would
 * cost every sandbox that memory and a switch a request, and most disks here are images in the page cache.
 * Between two batches the others have their turn.
 *
 *   What is read-only is so three times: the guest is told, requests that would write are refused, and the
 * descriptor cannot write; so a descriptor that can is not taken for a read-only disk.
 *
 *   A request of the wrong shape (no header, no room for its status) breaks the device. One that only asks
 * for the wrong thing (behind the end, to write what is read-only, half a sector) fails with its status.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include "base/fd.h"
#include "sandbox/virtio_internal.h"

#define SECTOR	   512U
#define QUEUE_SIZE 128
#define SEGMENTS   (QUEUE_SIZE - 2U) /* header and status are descriptors, too */
#define SEGMENT	   65536U
#define BATCH	   32U
#define BYTES	   (4U << 20)
#define TRIM_MAX   (1U << 21) /* sectors; only blocks are given back or marked, nothing is written */

_Static_assert(SEGMENTS *SEGMENT + SECTOR < VQ_CHAIN_BYTES, "what the guest is promised fits in a chain");

struct blk {
	struct virtio_dev dev;
	struct virtio_blk_config config;
	struct vq queue;
	int fd;
	bool readonly, trims;
	uint64_t sectors;
	char id[VIRTIO_BLK_ID_BYTES];
};

static bool within(const struct blk *b, uint64_t sector, uint64_t n)
{
	return sector <= b->sectors && n <= b->sectors - sector;
}

/* Through short reads and writes; the end of a file that has become shorter is an error. */
static uint8_t transfer(
	const struct blk *b, struct iovec *iov, unsigned n, uint64_t sector, uint64_t len, bool write)
{
	uint64_t done = 0;

	if (len == 0 || len % SECTOR || !within(b, sector, len / SECTOR))
		return VIRTIO_BLK_S_IOERR;
	n = vq_cut(&iov, n, 0, len);
	while (done < len) {
		off_t at = (off_t)(sector * SECTOR + done);
		ssize_t r = write ? pwritev(b->fd, iov, (int)n, at) : preadv(b->fd, iov, (int)n, at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return VIRTIO_BLK_S_IOERR;
		done += (uint64_t)r;
		n = vq_cut(&iov, n, (size_t)r, len - done);
	}
	return VIRTIO_BLK_S_OK;
}

static int zero(const struct blk *b, bool unmap, off_t at, off_t len)
{
	/* tmpfs knows holes only, and a hole reads as zeroes. */
	if (!unmap && fallocate(b->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, at, len) == 0)
		return 0;
	return fallocate(b->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len);
}

/* Discard and write zeroes: one range, which is what the guest was told. */
static uint8_t trim(const struct blk *b, const struct iovec *iov, unsigned n, size_t len, bool zeroes)
{
	struct virtio_blk_discard_write_zeroes range;
	uint32_t known = zeroes ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;

	if (!b->trims)
		return VIRTIO_BLK_S_UNSUPP;
	if (len != sizeof(range))
		return VIRTIO_BLK_S_IOERR;
	vq_get(iov, n, 0, &range, sizeof(range));
	if (range.flags & ~known)
		return VIRTIO_BLK_S_UNSUPP;
	if (range.num_sectors == 0 || range.num_sectors > TRIM_MAX ||
		!within(b, range.sector, range.num_sectors))
		return VIRTIO_BLK_S_IOERR;
	if (zero(b, !zeroes || range.flags, (off_t)(range.sector * SECTOR),
		    (off_t)range.num_sectors * SECTOR) == 0)
		return VIRTIO_BLK_S_OK;
	/* A file system that cannot: nothing has to happen for a discard. */
	return errno != EOPNOTSUPP ? VIRTIO_BLK_S_IOERR : zeroes ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_OK;
}

static uint8_t identify(const struct blk *b, const struct iovec *iov, unsigned n, size_t len)
{
	if (len < sizeof(b->id))
		return VIRTIO_BLK_S_IOERR;
	vq_put(iov, n, 0, b->id, sizeof(b->id));
	return VIRTIO_BLK_S_OK;
}

/* c is a request of the right shape; its status. */
static uint8_t carry_out(const struct blk *b, struct vq_chain *c, const struct virtio_blk_outhdr *h)
{
	struct iovec *out = c->iov, *in = c->iov + c->n_out;
	size_t out_len = c->out_len - sizeof(*h), in_len = c->in_len - 1;
	unsigned n_out = vq_cut(&out, c->n_out, sizeof(*h), out_len);

	switch (h->type) {
	case VIRTIO_BLK_T_IN:
		return transfer(b, in, c->n_in, h->sector, in_len, false);
	case VIRTIO_BLK_T_GET_ID:
		return identify(b, in, c->n_in, in_len);
	case VIRTIO_BLK_T_OUT:
		return b->readonly ? VIRTIO_BLK_S_IOERR : transfer(b, out, n_out, h->sector, out_len, true);
	case VIRTIO_BLK_T_FLUSH:
		return b->readonly || fdatasync(b->fd) == 0 ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return b->readonly ? VIRTIO_BLK_S_IOERR
				   : trim(b, out, n_out, out_len, h->type == VIRTIO_BLK_T_WRITE_ZEROES);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/* Returns what it counts for in bytes, or -1: the device is broken. */
static int64_t request(struct blk *b, struct vq_chain *c)
{
	const struct iovec *last = &c->iov[c->n_out + c->n_in - 1];
	uint8_t *status_at = (uint8_t *)last->iov_base + last->iov_len - 1, status;
	struct virtio_blk_outhdr h;
	uint32_t written = 1;
	int64_t bytes = (int64_t)c->out_len + c->in_len;

	if (c->n_in == 0 || vq_get(c->iov, c->n_out, 0, &h, sizeof(h)) < sizeof(h)) {
		virtio_break(&b->dev, "a request has no header, or no room for its status");
		return -1;
	}
	status = carry_out(b, c, &h);
	/* The length counts from the start, and the status is at the end. */
	if (c->in_len > 1)
		written = status == VIRTIO_BLK_S_OK && h.type == VIRTIO_BLK_T_IN ? c->in_len : 0;
	*(volatile uint8_t *)status_at = status;
	vq_push(&b->queue, c->head, written);
	/* These may take long, however short they are. */
	if (h.type != VIRTIO_BLK_T_IN && h.type != VIRTIO_BLK_T_OUT)
		bytes = BYTES;
	return bytes;
}

static void serve(struct virtio_dev *d)
{
	struct blk *b = (struct blk *)d;
	int64_t total = 0, bytes;
	struct vq_chain c;
	unsigned n;

	for (n = 0; n < BATCH && total < BYTES && d->running; n++) {
		if (virtio_pop(d, &b->queue, &c)) {
			bytes = request(b, &c);
			if (bytes < 0)
				return;
			total += bytes;
		} else if (!d->running || vq_wait(&b->queue)) {
			break;
		}
	}
	if (n == BATCH || total >= BYTES)
		virtio_again(d);
	virtio_signal(d, &b->queue);
}

static void free_blk(struct virtio_dev *d)
{
	fd_close(((struct blk *)d)->fd);
}

/* What the descriptor is, and whether it has the rights that the guest is to have. */
static int look_at(struct blk *b, const struct vm_disk *disk, struct err *e)
{
	int flags = fcntl(disk->fd, F_GETFL);
	struct stat st;
	uint64_t size;

	if (flags < 0 || fstat(disk->fd, &st) < 0)
		return err_set(e, errno, "look at the file of a disk");
	if (flags & O_PATH || (flags & O_ACCMODE) != (disk->readonly ? O_RDONLY : O_RDWR))
		return err_text(e, EINVAL, "the file of a %s disk is not opened for %s",
			disk->readonly ? "read-only" : "writable",
			disk->readonly ? "reading alone" : "reading and writing");
	if (S_ISREG(st.st_mode))
		size = (uint64_t)st.st_size;
	else if (!S_ISBLK(st.st_mode))
		return err_text(e, EINVAL, "a disk is neither a regular file nor a block device");
	else if (ioctl(disk->fd, BLKGETSIZE64, &size) < 0)
		return err_set(e, errno, "get the size of a block device");
	b->sectors = size / SECTOR;
	if (b->sectors == 0)
		return err_text(e, EINVAL, "a disk is shorter than a sector of %u bytes", SECTOR);
	b->readonly = disk->readonly;
	b->trims = !disk->readonly && S_ISREG(st.st_mode);
	return 0;
}

static uint64_t describe(struct blk *b)
{
	uint64_t features = VIRTIO_FEATURE(VIRTIO_BLK_F_SEG_MAX) | VIRTIO_FEATURE(VIRTIO_BLK_F_SIZE_MAX) |
			    VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH);

	b->config = (struct virtio_blk_config){
		.capacity = b->sectors, .size_max = SEGMENT, .seg_max = SEGMENTS
	};
	if (b->readonly)
		features |= VIRTIO_FEATURE(VIRTIO_BLK_F_RO);
	if (b->trims) {
		features |= VIRTIO_FEATURE(VIRTIO_BLK_F_DISCARD) | VIRTIO_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
		b->config.max_discard_sectors = b->config.max_write_zeroes_sectors = TRIM_MAX;
		b->config.max_discard_seg = b->config.max_write_zeroes_seg = 1;
		b->config.discard_sector_alignment = 4096 / SECTOR;
		b->config.write_zeroes_may_unmap = 1;
	}
	return features;
}

int virtio_blk_new(const struct vm_mem *mem, struct vm_loop *loop, const struct vm_disk *disk,
	struct virtio_dev **out, struct err *e)
{
	static const struct virtio_class class = { "block", VIRTIO_ID_BLOCK, serve, NULL, NULL, free_blk };
	_cleanup_free_ struct blk *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return err_set(e, ENOMEM, "make a virtio block device");
	r = look_at(b, disk, e);
	if (r < 0)
		return r;
	b->fd = disk->fd;
	memcpy(b->id, disk->serial, sizeof(disk->serial));
	if (!*b->id)
		snprintf(b->id, sizeof(b->id), "ringfence");
	b->queue.max = QUEUE_SIZE;
	b->dev.queues = &b->queue;
	b->dev.n_queues = 1;
	b->dev.config = &b->config;
	b->dev.config_len = sizeof(b->config);
	r = virtio_init(&b->dev, &class, mem, loop, describe(b), e);
	if (r < 0)
		return r;
	*out = &TAKE_PTR(b)->dev;
	return 0;
}
