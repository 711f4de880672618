/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-9p (device id 9): 9P2000.L between the guest's kernel and a server behind a stream socket (p9.h),
 * with one queue. What the guest puts into the readable part of a chain is a request; the reply goes to the
 * writable part of the same chain. The driver is Linux's net/9p/trans_virtio.c, which finds the device by its
 * tag.
 *
 * One device is one connection, and so one attach. A sandbox has two: its root file system, and one directory
 * with all of its other shares in it (share.h).
 *
 * Theory of operation
 *   The server stays a process of its own, and the device knows no more of 9p than the seven bytes that every
 * message begins with: size, type, tag. A request is copied once, into a buffer of ours, checked there and
 * sent from there; the next one is taken from the queue when the socket has all of it. So what was checked is
 * what is sent, and a reset amid a request does not leave half of one in the stream. The server answers in
 * order: what is under way is a list, first in, first out, of which each reply must carry the first one's
 * tag. A reply's header is read into our memory, the rest straight into the chain.
 *
 *   Nothing blocks: a socket that is full or empty is waited for by the loop. Replies are read whatever the
 * state of the request that is being sent, and each has a place to go, so the two ends never wait for each
 * other. A chain is not taken before there is a place for it in the list.
 *
 * Limits
 *   One request of MESSAGE bytes at most is stored, which is the server's own limit (P9_MSIZE_MAX); UNDER_WAY
 * requests are under way, and more wait in the guest's queue. A piece of work ends after BATCH messages, or
 * BYTES bytes.
 *
 * Failure
 *   A request that is shorter than its header, whose size field is less than a header, more than the bytes
 * given or more than MESSAGE; a chain without room for an error; a tag that is under way already; a reply
 * that is longer than its chain: the driver's fault, and the device stops until it is reset. After a reset
 * the replies to what was under way are read and dropped, and the stream goes on with the next request. A
 * server that is gone, or says what was not asked for, is gone for good. The driver knows no hang-up, and
 * whoever waits would wait for ever: so whatever is and will be asked is answered with EIO.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <linux/virtio_9p.h>
#include <linux/virtio_ids.h>

#include "base/fd.h"
#include "sandbox/p9_internal.h"
#include "sandbox/virtio_internal.h"

#define QUEUE_SIZE 128 /* as many pieces as Linux makes of a request and its reply together */
#define UNDER_WAY  16U
#define MESSAGE	   P9_MSIZE_MAX
#define ERROR_SIZE (P9_HEADER + 4U) /* Rlerror: the shortest reply that must fit */
#define BATCH	   64U		    /* messages each way before it is others' turn */
#define BYTES	   (1U << 20)	    /* likewise */

/* What was asked and has not been answered. */
struct asked {
	uint16_t head, tag, n_in;
	bool stale; /* by a driver that has reset the device since: its chain is not ours any more */
	uint32_t in_len;
	struct iovec in[QUEUE_SIZE];
};

struct p9 {
	struct virtio_dev dev;
	struct vq queue;
	struct {
		uint16_t len; /* little endian, as we are (vq.c) */
		char tag[VM_TAG_MAX];
	} config;
	int fd;
	struct vm_watch watch;
	bool full; /* the socket takes nothing now */
	bool gone; /* the server */

	uint8_t *request; /* MESSAGE bytes */
	uint32_t len, sent;

	struct asked asked[UNDER_WAY];
	unsigned first, n;

	uint8_t header[P9_HEADER]; /* of the reply that is being read */
	uint32_t size, got;	   /* of it; size: once the header is there and right */
};

static uint32_t get32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

static uint16_t get_tag(const uint8_t *message)
{
	uint16_t v;

	memcpy(&v, message + 5, sizeof(v));
	return le16toh(v);
}

static void arm(struct p9 *p)
{
	uint32_t want = 0;

	if (p->dev.running && !p->gone)
		want = EPOLLIN | (p->full ? EPOLLOUT : 0);
	/* If it fails, for want of memory, the next kick tries again. */
	vm_loop_set(p->dev.loop, &p->watch, want);
}

static struct asked *nth(struct p9 *p, unsigned i)
{
	return &p->asked[(p->first + i) % UNDER_WAY];
}

static void answered(struct p9 *p, uint32_t size)
{
	const struct asked *a = nth(p, 0);

	if (!a->stale)
		vq_push(&p->queue, a->head, size);
	p->first = (p->first + 1) % UNDER_WAY;
	p->n--;
	p->size = p->got = 0;
}

/* --- a server that is gone -------------------------------------------------------------------------------
 */

static void answer_error(struct p9 *p)
{
	const struct asked *a = nth(p, 0);
	uint8_t m[ERROR_SIZE];
	struct p9_out out = { .buf = m, .cap = sizeof(m) };

	p9_put32(&out, ERROR_SIZE);
	p9_put8(&out, P9_RLERROR);
	p9_put16(&out, a->tag);
	p9_put32(&out, EIO);
	if (!a->stale)
		vq_put(a->in, a->n_in, 0, m, sizeof(m));
	answered(p, ERROR_SIZE);
}

static void lose(struct p9 *p)
{
	p->gone = true;
	p->full = false;
	p->len = p->sent = 0;
	while (p->n > 0)
		answer_error(p);
}

/* --- requests --------------------------------------------------------------------------------------------
 */

/* The copy of the chain's readable part, and a place in the list. False: the device has stopped. */
static bool take(struct p9 *p, const struct vq_chain *c)
{
	size_t copied = vq_get(c->iov, c->n_out, 0, p->request, MESSAGE);
	uint32_t size = copied >= P9_HEADER ? get32(p->request) : 0;
	struct asked *a = nth(p, p->n);

	if (size < P9_HEADER || size > copied) {
		virtio_break(&p->dev, "a request's size is not that of its bytes");
		return false;
	}
	if (c->in_len < ERROR_SIZE) {
		virtio_break(&p->dev, "a request has no room for its reply");
		return false;
	}
	a->tag = get_tag(p->request);
	for (unsigned i = 0; i < p->n; i++)
		if (!nth(p, i)->stale && nth(p, i)->tag == a->tag) {
			virtio_break(&p->dev, "a request has the tag of one that is under way");
			return false;
		}
	a->head = c->head;
	a->stale = false;
	a->in_len = c->in_len;
	a->n_in = c->n_in;
	memcpy(a->in, c->iov + c->n_out, c->n_in * sizeof(a->in[0]));
	p->n++;
	p->len = size;
	p->sent = 0;
	return true;
}

/* Sends what is left of the request. */
static void send_request(struct p9 *p)
{
	while (p->sent < p->len) {
		struct iovec iov = { p->request + p->sent, p->len - p->sent };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n = sendmsg(p->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			p->full = true;
		else if (n < 0)
			lose(p);
		if (n < 0)
			return;
		p->sent += (uint32_t)n;
	}
	p->len = p->sent = 0;
}

static void requests(struct p9 *p)
{
	struct virtio_dev *d = &p->dev;
	size_t total = 0;
	struct vq_chain c;
	unsigned n = 0;

	while (d->running && !p->full && n < BATCH && total < BYTES) {
		/* One that a driver before this one has left there, too. */
		send_request(p);
		if (p->full || p->n == UNDER_WAY)
			break;
		if (!virtio_pop(d, &p->queue, &c)) {
			if (!d->running || vq_wait(&p->queue))
				break;
			continue;
		}
		if (!take(p, &c))
			return;
		n++;
		total += p->len;
		if (p->gone)
			lose(p);
	}
	if (n == BATCH || total >= BYTES)
		virtio_again(d);
}

/* --- replies ---------------------------------------------------------------------------------------------
 */

/* What the next bytes of the stream are read into. */
static unsigned place(struct p9 *p, uint8_t *waste, size_t n_waste, struct iovec *room, struct iovec **iov)
{
	const struct asked *a = nth(p, 0);

	*iov = room;
	if (p->n == 0 || p->got < P9_HEADER) {
		room[0] = (struct iovec){ p->header + p->got, P9_HEADER - p->got };
		return 1;
	}
	if (a->stale) {
		size_t left = p->size - p->got;

		room[0] = (struct iovec){ waste, left < n_waste ? left : n_waste };
		return 1;
	}
	memcpy(room, a->in, a->n_in * sizeof(room[0]));
	return vq_cut(iov, a->n_in, p->got, p->size - p->got);
}

/* The header is there. */
static void check_reply(struct p9 *p)
{
	const struct asked *a = nth(p, 0);
	uint32_t size = get32(p->header);

	if (size < P9_HEADER || size > MESSAGE || get_tag(p->header) != a->tag) {
		lose(p);
		return;
	}
	p->size = size;
	/* What is left of it is read when the device has been reset, and dropped. */
	if (!a->stale && size > a->in_len)
		virtio_break(&p->dev, "a request has no room for its reply");
}

static bool read_some(struct p9 *p, size_t *total)
{
	struct iovec room[QUEUE_SIZE], *iov;
	uint8_t waste[4096];
	struct msghdr m = { 0 };
	ssize_t n;

	m.msg_iovlen = place(p, waste, sizeof(waste), room, &iov);
	m.msg_iov = iov;
	n = recvmsg(p->fd, &m, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	/* Nobody there, or an answer that nobody asked for. */
	if (n <= 0 || p->n == 0) {
		lose(p);
		return false;
	}
	p->got += (uint32_t)n;
	*total += (size_t)n;
	if (p->got == P9_HEADER && p->size == 0)
		check_reply(p);
	return !p->gone && p->dev.running;
}

static void replies(struct p9 *p)
{
	size_t total = 0;

	/* The loop comes again while there is something to read. */
	for (unsigned n = 0; n < 2 * BATCH && total < BYTES && p->dev.running && !p->gone; n++) {
		if (!read_some(p, &total))
			break;
		if (p->size == 0 || p->got < p->size)
			continue;
		if (!nth(p, 0)->stale)
			vq_put(nth(p, 0)->in, nth(p, 0)->n_in, 0, p->header, P9_HEADER);
		answered(p, p->size);
	}
}

/* --- the device ------------------------------------------------------------------------------------------
 */

static void serve(struct virtio_dev *d)
{
	struct p9 *p = (struct p9 *)d;

	requests(p);
	virtio_signal(d, &p->queue);
	arm(p);
}

static void ready(struct vm_watch *w, uint32_t events)
{
	struct p9 *p = w->arg;

	pthread_mutex_lock(&p->dev.lock);
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		p->full = false;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		replies(p);
	/* There may be a place for what waits. */
	requests(p);
	virtio_signal(&p->dev, &p->queue);
	arm(p);
	pthread_mutex_unlock(&p->dev.lock);
}

static void reset(struct virtio_dev *d)
{
	struct p9 *p = (struct p9 *)d;

	for (unsigned i = 0; i < p->n; i++)
		nth(p, i)->stale = true;
}

static void free_p9(struct virtio_dev *d)
{
	struct p9 *p = (struct p9 *)d;

	vm_loop_remove(d->loop, &p->watch);
	fd_close(p->fd);
	free(p->request);
}

int virtio_9p_new(const struct vm_mem *mem, struct vm_loop *loop, const struct vm_tree *tree,
	struct virtio_dev **out, struct err *e)
{
	static const struct virtio_class class = { "9p", VIRTIO_ID_9P, serve, reset, NULL, free_p9 };
	_cleanup_free_ struct p9 *p = NULL;
	size_t len = strlen(tree->tag);
	int r;

	if (len == 0 || len > VM_TAG_MAX)
		return err_text(e, EINVAL, "the tag of a virtio 9p device has 1 to %d bytes, not %zu",
			VM_TAG_MAX, len);
	p = calloc(1, sizeof(*p));
	if (p)
		p->request = malloc(MESSAGE);
	if (!p || !p->request)
		return err_set(e, ENOMEM, "make the virtio 9p device");
	p->fd = tree->fd;
	p->watch = (struct vm_watch){ .fd = p->fd, .ready = ready, .arg = p };
	p->config.len = (uint16_t)len;
	memcpy(p->config.tag, tree->tag, len);
	p->queue.max = QUEUE_SIZE;
	p->dev.queues = &p->queue;
	p->dev.n_queues = 1;
	p->dev.config = &p->config;
	p->dev.config_len = (unsigned)(sizeof(p->config.len) + len);
	r = virtio_init(&p->dev, &class, mem, loop, VIRTIO_FEATURE(VIRTIO_9P_MOUNT_TAG), e);
	if (r < 0) {
		free(p->request);
		return r;
	}
	*out = &TAKE_PTR(p)->dev;
	return 0;
}
