/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio network device (virtio 1.2, 5.1): a tap of the host, one pair of queues, no control queue.
 *
 * Theory of operation
 *   Every packet has a header of 12 bytes before it, in the guest's queues as on the tap. What the driver
 * agreed to take unfinished (no checksum, TCP segments of 64 KiB) the tap is told with TUNSETOFFLOAD; what
 * the guest leaves unfinished is checked here, against what was agreed and for consistency, before the host's
 * kernel gets to see it.
 *
 *   To the guest: the tap is read only while there is a buffer, one packet at a time, into memory of ours,
 * from where it is copied: how long a packet is, and so how many buffers it needs, is not known before. If
 * there are too few it waits here, and the next ones in the tap.
 *
 *   From the guest: packets go out of the guest's own memory by writev(2). One that the host refuses is lost,
 * as on any wire; the driver has kept to the rules.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

#include "base/fd.h"
#include "sandbox/virtio_internal.h"

#define QUEUE_SIZE 128 /* of which the one for receiving is filled with about 1.5 KiB each by Linux */
#define HEADER	   sizeof(struct virtio_net_hdr_v1)
#define FRAME_MIN  14U
#define FRAME_MAX  (65535U + 18U) /* Ethernet with a VLAN's tag */
#define BATCH	   64U

enum { RX, TX };

struct net {
	struct virtio_dev dev;
	struct virtio_net_config config;
	struct vq queues[2];
	int fd;
	struct vm_watch watch;
	bool dead; /* the tap is gone */
	bool full; /* it takes nothing now */

	/* The driver's: gone with a reset. */
	bool told;    /* the tap knows what was agreed */
	bool starved; /* no buffers for what is waiting */
	size_t len;   /* of the packet that waits; 0: none */
	uint8_t packet[HEADER + FRAME_MAX];
};

static bool agreed(const struct net *x, unsigned bit)
{
	return virtio_has(&x->dev, bit);
}

static void arm(struct net *x)
{
	uint32_t want = 0;

	if (x->dev.running && !x->dead && !x->starved)
		want |= EPOLLIN;
	if (x->dev.running && !x->dead && x->full)
		want |= EPOLLOUT;
	/* If it fails, for want of memory, the next kick tries again. */
	vm_loop_set(x->dev.loop, &x->watch, want);
}

/* --- to the guest --------------------------------------------------------------------------------------- */

/* Did the driver agree to take this? The tap may still hold what an earlier one did. */
static bool welcome(const struct net *x, const struct virtio_net_hdr_v1 *h)
{
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && !agreed(x, VIRTIO_NET_F_GUEST_CSUM))
		return false;
	switch (h->gso_type) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return agreed(x, VIRTIO_NET_F_GUEST_TSO4);
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return agreed(x, VIRTIO_NET_F_GUEST_TSO6);
	case VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN:
		return agreed(x, VIRTIO_NET_F_GUEST_TSO4) && agreed(x, VIRTIO_NET_F_GUEST_ECN);
	case VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN:
		return agreed(x, VIRTIO_NET_F_GUEST_TSO6) && agreed(x, VIRTIO_NET_F_GUEST_ECN);
	default:
		return false;
	}
}

/* A packet from the tap, if there is one that the driver wants. False: there is none now. */
static bool receive(struct net *x)
{
	struct virtio_net_hdr_v1 h;
	ssize_t n = read(x->fd, x->packet, sizeof(x->packet));

	if (n < 0) {
		/* EFAULT: a packet that was too long is gone. Else the tap is (EBADFD), and must not be
		 * waited for: epoll would tell of the error for ever. */
		x->dead = errno != EAGAIN && errno != EINTR && errno != EFAULT;
		return errno == EFAULT;
	}
	if (n == 0) {
		x->dead = true;
		return false;
	}
	if ((size_t)n < HEADER + FRAME_MIN)
		return true;
	memcpy(&h, x->packet, sizeof(h));
	/* Known only now; a driver without merged buffers must find 1. */
	h.num_buffers = 1;
	/* That the checksum is right is something to say to who knows of checksums only. */
	if (!agreed(x, VIRTIO_NET_F_GUEST_CSUM))
		h.flags &= (uint8_t)~VIRTIO_NET_HDR_F_DATA_VALID;
	memcpy(x->packet, &h, sizeof(h));
	x->len = welcome(x, &h) ? (size_t)n : 0;
	return true;
}

/* One buffer more for the packet: how much went into it, or 0: no buffer, or a broken device. */
static uint32_t put_piece(struct net *x, struct vq_chain *c, size_t at)
{
	uint32_t len;

	if (!virtio_pop(&x->dev, &x->queues[RX], c))
		return 0;
	if (c->n_out || (at == 0 && c->in_len < HEADER)) {
		virtio_break(&x->dev, "a buffer for packets is too short, or not to be written");
		return 0;
	}
	len = x->len - at < c->in_len ? (uint32_t)(x->len - at) : c->in_len;
	vq_put(c->iov, c->n_in, 0, x->packet + at, len);
	return len;
}

/*
 * Puts the packet that waits into buffers: one, or as many as it takes if that was agreed. False: it still
 * waits, for more (x->starved) or since more has come just now; or the device is broken.
 */
static bool deliver(struct net *x)
{
	struct vq *q = &x->queues[RX];
	struct vq_chain first, more;
	uint16_t heads[VQ_SIZE_MAX], count;
	uint32_t lens[VQ_SIZE_MAX];
	size_t at = 0;
	uint16_t n = 0;

	do {
		uint32_t len = put_piece(x, n == 0 ? &first : &more, at);

		if (!x->dev.running)
			return false;
		if (len == 0) {
			/* Those that there are do not count: one more is waited for. */
			x->starved = vq_wait(q);
			vq_unpop(q, n);
			return false;
		}
		heads[n] = n == 0 ? first.head : more.head;
		lens[n] = len;
		at += len;
		n++;
		/* Too long for this driver. */
		if (at < x->len && !agreed(x, VIRTIO_NET_F_MRG_RXBUF)) {
			vq_unpop(q, 1);
			x->len = 0;
			return true;
		}
	} while (at < x->len && n < q->size);
	/* All buffers that there can be, and too little: it would wait for ever. */
	if (at < x->len) {
		vq_unpop(q, n);
		x->len = 0;
		return true;
	}
	count = n;
	vq_put(first.iov, first.n_in, offsetof(struct virtio_net_hdr_v1, num_buffers), &count, sizeof(count));
	for (unsigned i = 0; i < n; i++)
		vq_push(q, heads[i], lens[i]);
	x->len = 0;
	return true;
}

static void to_guest(struct net *x)
{
	struct vq *q = &x->queues[RX];
	unsigned n;

	x->starved = false;
	for (n = 0; n < BATCH && x->dev.running; n++) {
		if (x->len == 0) {
			x->starved = !vq_any(q) && vq_wait(q);
			if (x->starved || x->dead || !receive(x))
				break;
			if (x->len == 0)
				continue;
		}
		if (!deliver(x) && x->starved)
			break;
	}
	/* The tap tells of the next ones, but not of one that is here. */
	if (n == BATCH && x->len)
		virtio_again(&x->dev);
	virtio_signal(&x->dev, q);
}

/* --- from the guest ------------------------------------------------------------------------------------- */

/*
 * The header as the host's kernel gets it. False: what it asks for was not agreed, or makes no sense. The
 * kernel checks it, too, with code that has had its share of errors.
 */
static bool check_header(const struct net *x, struct virtio_net_hdr_v1 *h, uint32_t len)
{
	bool ecn = h->gso_type & VIRTIO_NET_HDR_GSO_ECN;

	h->num_buffers = 0;
	h->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (h->flags == 0)
		h->csum_start = h->csum_offset = 0;
	else if (!agreed(x, VIRTIO_NET_F_CSUM) || h->csum_start < FRAME_MIN ||
		 (uint32_t)h->csum_start + h->csum_offset + 2 > len)
		return false;
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		h->gso_size = h->hdr_len = 0;
		return !ecn;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		if (!agreed(x, VIRTIO_NET_F_HOST_TSO4))
			return false;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		if (!agreed(x, VIRTIO_NET_F_HOST_TSO6))
			return false;
		break;
	default:
		return false;
	}
	return h->flags && h->gso_size > 0 && h->hdr_len <= len && (!ecn || agreed(x, VIRTIO_NET_F_HOST_ECN));
}

/* True: it is sent, or lost; false: the tap takes nothing now. */
static bool transmit(struct net *x, struct vq_chain *c)
{
	struct iovec iov[VQ_SIZE_MAX + 1], *rest = c->iov;
	uint32_t len = c->out_len - (uint32_t)HEADER;
	struct virtio_net_hdr_v1 h;
	unsigned n;

	vq_get(c->iov, c->n_out, 0, &h, sizeof(h));
	if (len < FRAME_MIN || len > FRAME_MAX || x->dead || !check_header(x, &h, len))
		return true;
	n = vq_cut(&rest, c->n_out, HEADER, len);
	iov[0] = (struct iovec){ &h, sizeof(h) };
	memcpy(iov + 1, rest, n * sizeof(iov[0]));
	if (writev(x->fd, iov, (int)n + 1) >= 0 || errno != EAGAIN)
		return true;
	x->full = true;
	return false;
}

static void from_guest(struct net *x)
{
	struct virtio_dev *d = &x->dev;
	struct vq *q = &x->queues[TX];
	struct vq_chain c;
	unsigned n;

	for (n = 0; n < BATCH && d->running && !x->full; n++) {
		if (!virtio_pop(d, q, &c)) {
			if (!d->running || vq_wait(q))
				break;
			continue;
		}
		if (c.n_in || c.out_len < HEADER) {
			virtio_break(d, "a packet has no header, or is not to be read");
			return;
		}
		if (transmit(x, &c))
			vq_push(q, c.head, 0);
		else
			vq_unpop(q, 1);
	}
	if (n == BATCH)
		virtio_again(d);
	virtio_signal(d, q);
}

/* --- the device ----------------------------------------------------------------------------------------- */

static unsigned tap_offloads(const struct net *x)
{
	unsigned f = 0;

	if (agreed(x, VIRTIO_NET_F_GUEST_CSUM))
		f |= TUN_F_CSUM;
	if (agreed(x, VIRTIO_NET_F_GUEST_TSO4))
		f |= TUN_F_TSO4;
	if (agreed(x, VIRTIO_NET_F_GUEST_TSO6))
		f |= TUN_F_TSO6;
	if (agreed(x, VIRTIO_NET_F_GUEST_ECN))
		f |= TUN_F_TSO_ECN;
	return f;
}

static void serve(struct virtio_dev *d)
{
	struct net *x = (struct net *)d;

	/* If it fails, what the driver cannot take is dropped by welcome(). */
	if (d->running && !x->told) {
		ioctl(x->fd, TUNSETOFFLOAD, (unsigned long)tap_offloads(x));
		x->told = true;
	}
	from_guest(x);
	if (x->starved || x->len)
		to_guest(x);
	arm(x);
}

static void tap_ready(struct vm_watch *w, uint32_t events)
{
	struct net *x = w->arg;

	pthread_mutex_lock(&x->dev.lock);
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR) && x->full) {
		x->full = false;
		from_guest(x);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		to_guest(x);
	arm(x);
	pthread_mutex_unlock(&x->dev.lock);
}

static void reset(struct virtio_dev *d)
{
	struct net *x = (struct net *)d;

	x->told = x->starved = false;
	x->len = 0;
}

/* What needs what: virtio 1.2, 5.1.3.1. */
static bool accept_features(const struct virtio_dev *d, uint64_t features)
{
	static const struct {
		unsigned feature, a, b; /* one of these */
	} needs[] = {
		{ VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_CSUM },
		{ VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_CSUM },
		{ VIRTIO_NET_F_GUEST_ECN, VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_TSO6 },
		{ VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_CSUM, VIRTIO_NET_F_CSUM },
		{ VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_CSUM, VIRTIO_NET_F_CSUM },
		{ VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6 },
	};

	(void)d;
	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
		if (features & VIRTIO_FEATURE(needs[i].feature) &&
			!(features & (VIRTIO_FEATURE(needs[i].a) | VIRTIO_FEATURE(needs[i].b))))
			return false;
	return true;
}

static void free_net(struct virtio_dev *d)
{
	struct net *x = (struct net *)d;

	vm_loop_remove(d->loop, &x->watch);
	fd_close(x->fd);
}

static uint64_t describe(struct net *x, const struct vm_nic *nic)
{
	uint64_t features = VIRTIO_FEATURE(VIRTIO_NET_F_MAC) | VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) |
			    VIRTIO_FEATURE(VIRTIO_NET_F_CSUM) | VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4) |
			    VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO6) | VIRTIO_FEATURE(VIRTIO_NET_F_HOST_ECN);

	memcpy(x->config.mac, nic->mac, sizeof(x->config.mac));
	/* The smallest that IPv4 and the specification allow. */
	if (nic->mtu >= 68) {
		x->config.mtu = nic->mtu;
		features |= VIRTIO_FEATURE(VIRTIO_NET_F_MTU);
	}
	/* Only what the tap can be told. */
	if (ioctl(nic->fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) == 0 &&
		ioctl(nic->fd, TUNSETOFFLOAD, 0) == 0)
		features |= VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) |
			    VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4) |
			    VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ECN);
	return features;
}

int virtio_net_new(const struct vm_mem *mem, struct vm_loop *loop, const struct vm_nic *nic,
	struct virtio_dev **out, struct err *e)
{
	static const struct virtio_class class = { "network", VIRTIO_ID_NET, serve, reset, accept_features,
		free_net };
	_cleanup_free_ struct net *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return err_set(e, ENOMEM, "make a virtio network device");
	x->fd = nic->fd;
	x->watch = (struct vm_watch){ .fd = nic->fd, .ready = tap_ready, .arg = x };
	x->queues[RX].max = x->queues[TX].max = QUEUE_SIZE;
	x->dev.queues = x->queues;
	x->dev.n_queues = 2;
	x->dev.config = &x->config;
	x->dev.config_len = sizeof(x->config);
	r = virtio_init(&x->dev, &class, mem, loop, describe(x, nic), e);
	if (r < 0)
		return r;
	*out = &TAKE_PTR(x)->dev;
	return 0;
}
