/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-console with several ports (virtio 1.2, 5.3), none of them a console: named streams between guest
 * and host.
 *
 * Theory of operation
 *   A port is a stream socket of ours and two queues. Bytes are lost nowhere: the socket is read only while
 * the guest has the port open (Linux throws away what comes to a closed one) and has buffers there, and
 * straight into those; a chain that the guest sends is given back when the socket has taken all of it. So a
 * reader that does not read stops the writer at the other end, both ways, and nothing is stored in between.
 *
 *   What the peer wrote before it closed reaches the guest before the news that it has closed, since the news
 * is made of the end of the stream. A guest that closes a port, or resets the device, does not close the
 * socket: the stream stops, and goes on with whoever opens the port next. Only the part of a chain that was
 * sent before a reset is gone.
 *
 *   Messages to the guest are not queued but made from what is yet to be told about each port, when there is
 * a buffer for them: a guest cannot make us remember more than three bits a port.
 *
 * Linux fills a receive queue with a page each as soon as the port is there, so these are short.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>

#include "base/fd.h"
#include "sandbox/virtio_internal.h"

#define RX_SIZE	     32
#define TX_SIZE	     64
#define CONTROL_SIZE 16

#define RX_CHAINS    16U	/* that are filled by one system call */
#define RX_IOVS	     64U	/* of those together */
#define BATCH	     64U	/* chains of a queue before it is others' turn */
#define BYTES	     (1U << 20) /* likewise */

enum { QUEUE_CONTROL_RX = 2, QUEUE_CONTROL_TX = 3 };

struct console;

struct port {
	struct console *c;
	char *name;
	int fd;
	struct vm_watch watch;
	unsigned rx, tx; /* queues */

	/* The socket's. */
	bool host_eof; /* the peer has closed, and all that it wrote was read */
	bool deaf;     /* nobody will read what is written */
	bool full;     /* it takes nothing now */

	/* The driver's: gone with a reset. */
	bool guest_open;
	bool starved; /* no buffers */
	size_t sent;  /* bytes of the next chain of tx that have been sent */
	bool say_add, say_name, say_open;
};

struct console {
	struct virtio_dev dev;
	struct virtio_console_config config;
	unsigned n;
	struct port ports[VM_PORTS_MAX];
	struct vq queues[2 * (VM_PORTS_MAX + 1)];
};

/* --- what the loop waits for --------------------------------------------------------------------------- */

static void arm(struct port *p)
{
	struct virtio_dev *d = &p->c->dev;
	uint32_t want = 0;

	if (d->running && p->guest_open && !p->starved && !p->host_eof)
		want |= EPOLLIN;
	if (d->running && p->full && !p->deaf)
		want |= EPOLLOUT;
	/* If it fails, for want of memory, the next kick tries again. */
	vm_loop_set(d->loop, &p->watch, want);
}

/* --- control ------------------------------------------------------------------------------------------- */

/* One message to the guest. False: there is no buffer for it. */
static bool say(struct console *c, unsigned id, uint16_t event, uint16_t value, const char *text)
{
	const struct virtio_console_control m = { id, event, value };
	struct vq *q = &c->queues[QUEUE_CONTROL_RX];
	size_t len = sizeof(m) + (text ? strlen(text) : 0);
	struct vq_chain chain;

	if (!virtio_pop(&c->dev, q, &chain))
		return false;
	if (chain.n_out || chain.in_len < len) {
		virtio_break(&c->dev, "a buffer for control messages is too short, or not to be written");
		return false;
	}
	vq_put(chain.iov, chain.n_in, 0, &m, sizeof(m));
	if (text)
		vq_put(chain.iov, chain.n_in, sizeof(m), text, strlen(text));
	vq_push(q, chain.head, (uint32_t)len);
	return true;
}

static bool say_pending(struct port *p)
{
	unsigned id = (unsigned)(p - p->c->ports);

	if (p->say_add && !say(p->c, id, VIRTIO_CONSOLE_PORT_ADD, 1, NULL))
		return false;
	p->say_add = false;
	if (p->say_name && !say(p->c, id, VIRTIO_CONSOLE_PORT_NAME, 1, p->name))
		return false;
	p->say_name = false;
	if (p->say_open && !say(p->c, id, VIRTIO_CONSOLE_PORT_OPEN, !p->host_eof, NULL))
		return false;
	p->say_open = false;
	return true;
}

static void say_all(struct console *c)
{
	struct vq *q = &c->queues[QUEUE_CONTROL_RX];
	unsigned rounds = 0;
	bool done;

	do {
		done = true;
		for (unsigned i = 0; i < c->n && done; i++)
			done = say_pending(&c->ports[i]);
	} while (!done && c->dev.running && !vq_wait(q) && ++rounds < BATCH);
	if (rounds == BATCH)
		virtio_again(&c->dev);
	virtio_signal(&c->dev, q);
}

static void hear(struct console *c, const struct virtio_console_control *m)
{
	struct port *p = m->id < c->n ? &c->ports[m->id] : NULL;

	switch (m->event) {
	case VIRTIO_CONSOLE_DEVICE_READY:
		for (unsigned i = 0; m->value == 1 && i < c->n; i++)
			c->ports[i].say_add = true;
		break;
	case VIRTIO_CONSOLE_PORT_READY:
		if (!p || m->value != 1)
			break;
		p->say_name = true;
		/* A port whose peer has gone already was never open. */
		p->say_open = !p->host_eof;
		break;
	case VIRTIO_CONSOLE_PORT_OPEN:
		if (!p)
			break;
		p->guest_open = m->value == 1;
		p->starved = false;
		break;
	default:
		break; /* there may be new ones */
	}
}

static void hear_all(struct console *c)
{
	struct vq *q = &c->queues[QUEUE_CONTROL_TX];
	struct virtio_console_control m;
	struct vq_chain chain;
	unsigned n = 0;

	do {
		while (n < BATCH && virtio_pop(&c->dev, q, &chain)) {
			if (chain.n_in || vq_get(chain.iov, chain.n_out, 0, &m, sizeof(m)) < sizeof(m)) {
				virtio_break(&c->dev, "a control message is too short, or not to be read");
				return;
			}
			hear(c, &m);
			vq_push(q, chain.head, 0);
			n++;
		}
	} while (n < BATCH && c->dev.running && !vq_wait(q));
	if (n >= BATCH)
		virtio_again(&c->dev);
	virtio_signal(&c->dev, q);
}

/* --- to the guest --------------------------------------------------------------------------------------- */

/* Chains with room for a read. */
struct gathered {
	struct iovec iov[RX_IOVS];
	unsigned n_iov, n;
	struct {
		uint16_t head;
		uint32_t len;
	} chain[RX_CHAINS];
};

static void gather(struct port *p, struct gathered *g)
{
	struct virtio_dev *d = &p->c->dev;
	struct vq *q = &p->c->queues[p->rx];
	uint64_t len = 0;
	struct vq_chain c;

	g->n = g->n_iov = 0;
	while (g->n < RX_CHAINS && len < BYTES && virtio_pop(d, q, &c)) {
		unsigned n = c.n_in < RX_IOVS ? c.n_in : RX_IOVS;

		if (c.n_out) {
			virtio_break(d, "a buffer to be filled is not to be written");
			return;
		}
		/* Of a chain of very many pieces the first ones are used. */
		if (n > RX_IOVS - g->n_iov) {
			vq_unpop(q, 1);
			return;
		}
		memcpy(g->iov + g->n_iov, c.iov, n * sizeof(c.iov[0]));
		g->chain[g->n].head = c.head;
		g->chain[g->n].len = 0;
		for (unsigned i = 0; i < n; i++)
			g->chain[g->n].len += (uint32_t)c.iov[i].iov_len;
		len += g->chain[g->n].len;
		g->n_iov += n;
		g->n++;
	}
}

/* Gives back the chains that `len` bytes have gone to; the others come again. */
static void scatter(struct port *p, const struct gathered *g, size_t len)
{
	struct vq *q = &p->c->queues[p->rx];
	unsigned i = 0;

	for (; i < g->n && len > 0; i++) {
		uint32_t here = len < g->chain[i].len ? (uint32_t)len : g->chain[i].len;

		vq_push(q, g->chain[i].head, here);
		len -= here;
	}
	vq_unpop(q, g->n - i);
}

/* Reads what the socket has into what buffers there are. */
static void to_guest(struct port *p)
{
	struct virtio_dev *d = &p->c->dev;
	struct vq *q = &p->c->queues[p->rx];
	size_t total = 0;

	/* The loop comes again while there is something to read. */
	for (unsigned round = 0; round < BATCH && total < BYTES; round++) {
		struct gathered g;
		struct msghdr m = { .msg_iov = g.iov };
		ssize_t n;

		if (!d->running || !p->guest_open || p->host_eof)
			break;
		gather(p, &g);
		if (!d->running)
			return;
		p->starved = g.n == 0 && !vq_any(q) && vq_wait(q);
		if (p->starved)
			break;
		if (g.n == 0)
			continue;
		m.msg_iovlen = g.n_iov;
		n = recvmsg(p->fd, &m, MSG_DONTWAIT);
		scatter(p, &g, n > 0 ? (size_t)n : 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			p->host_eof = true;
			p->say_open = true;
			break;
		}
		total += (size_t)n;
	}
	virtio_signal(d, q);
}

/* --- from the guest ------------------------------------------------------------------------------------- */

/* Sends what of the chain has not been sent. True: all of it is. */
static bool send_chain(struct port *p, struct vq_chain *c)
{
	struct iovec *iov = c->iov;
	unsigned n = vq_cut(&iov, c->n_out, p->sent, SIZE_MAX);
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t done;

	/* Shorter than it was, or nobody is there: then it is done with. */
	if (n == 0 || p->deaf)
		return true;
	done = sendmsg(p->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (done >= 0) {
		p->sent += (size_t)done;
		return p->sent >= c->out_len;
	}
	if (errno == EAGAIN)
		p->full = true;
	else if (errno != EINTR)
		p->deaf = true;
	return p->deaf;
}

static void from_guest(struct port *p)
{
	struct virtio_dev *d = &p->c->dev;
	struct vq *q = &p->c->queues[p->tx];
	size_t total = 0;
	struct vq_chain c;
	unsigned n;

	for (n = 0; n < BATCH && total < BYTES && !p->full; n++) {
		if (!virtio_pop(d, q, &c)) {
			if (!d->running || vq_wait(q))
				break;
			continue;
		}
		if (c.n_in) {
			virtio_break(d, "a buffer to be sent is to be written");
			return;
		}
		total += c.out_len;
		if (send_chain(p, &c)) {
			vq_push(q, c.head, 0);
			p->sent = 0;
		} else {
			vq_unpop(q, 1);
		}
	}
	if (n >= BATCH || total >= BYTES)
		virtio_again(d);
	virtio_signal(d, q);
}

/* --- the device ----------------------------------------------------------------------------------------- */

static void serve(struct virtio_dev *d)
{
	struct console *c = (struct console *)d;

	if (d->running)
		hear_all(c);
	for (unsigned i = 0; i < c->n && d->running; i++) {
		from_guest(&c->ports[i]);
		/* Others have their socket watched, which tells when there is something to read. */
		if (c->ports[i].starved)
			to_guest(&c->ports[i]);
	}
	if (d->running)
		say_all(c);
	for (unsigned i = 0; i < c->n; i++)
		arm(&c->ports[i]);
}

static void port_ready(struct vm_watch *w, uint32_t events)
{
	struct port *p = w->arg;
	struct console *c = p->c;

	pthread_mutex_lock(&c->dev.lock);
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR) && p->full) {
		p->full = false;
		from_guest(p);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		to_guest(p);
	if (c->dev.running && p->say_open)
		say_all(c);
	arm(p);
	/* Something may have broken the device, which is all ports' end. */
	for (unsigned i = 0; i < c->n && !c->dev.running; i++)
		arm(&c->ports[i]);
	pthread_mutex_unlock(&c->dev.lock);
}

static void reset(struct virtio_dev *d)
{
	struct console *c = (struct console *)d;

	for (unsigned i = 0; i < c->n; i++) {
		struct port *p = &c->ports[i];

		p->guest_open = p->starved = false;
		p->say_add = p->say_name = p->say_open = false;
		p->sent = 0;
	}
}

/* Without several ports the only one is a console. */
static bool accept_features(const struct virtio_dev *d, uint64_t features)
{
	(void)d;
	return features & VIRTIO_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT);
}

static void free_ports(struct console *c)
{
	for (unsigned i = 0; i < c->n; i++)
		free(c->ports[i].name);
}

static void free_console(struct virtio_dev *d)
{
	struct console *c = (struct console *)d;

	for (unsigned i = 0; i < c->n; i++) {
		vm_loop_remove(d->loop, &c->ports[i].watch);
		fd_close(c->ports[i].fd);
	}
	free_ports(c);
}

static void init_queues(struct console *c)
{
	c->dev.queues = c->queues;
	c->dev.n_queues = 2 * (c->n + 1);
	for (unsigned i = 0; i < c->n; i++) {
		/* The control queues are the second pair. */
		c->ports[i].rx = i == 0 ? 0 : 2 * (i + 1);
		c->ports[i].tx = c->ports[i].rx + 1;
	}
	for (unsigned i = 0; i < c->dev.n_queues; i += 2) {
		c->queues[i].max = i == QUEUE_CONTROL_RX ? CONTROL_SIZE : RX_SIZE;
		c->queues[i + 1].max = i == QUEUE_CONTROL_RX ? CONTROL_SIZE : TX_SIZE;
	}
}

int virtio_console_new(const struct vm_mem *mem, struct vm_loop *loop, const struct vm_port *ports,
	unsigned n_ports, struct virtio_dev **out, struct err *e)
{
	static const struct virtio_class class = { "console", VIRTIO_ID_CONSOLE, serve, reset,
		accept_features, free_console };
	_cleanup_free_ struct console *c = NULL;
	int r = 0;

	if (n_ports == 0 || n_ports > VM_PORTS_MAX)
		return err_text(
			e, EINVAL, "a virtio console has 1 to %d ports, and not %u", VM_PORTS_MAX, n_ports);
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(e, ENOMEM, "make the virtio console");
	for (c->n = 0; c->n < n_ports && r == 0; c->n++) {
		struct port *p = &c->ports[c->n];

		*p = (struct port){ .c = c, .fd = ports[c->n].fd, .name = strdup(ports[c->n].name) };
		p->watch = (struct vm_watch){ .fd = p->fd, .ready = port_ready, .arg = p };
		if (!p->name)
			r = err_set(e, ENOMEM, "make the virtio console");
	}
	init_queues(c);
	c->config.max_nr_ports = n_ports;
	c->dev.config = &c->config;
	c->dev.config_len = sizeof(c->config);
	if (r == 0)
		r = virtio_init(&c->dev, &class, mem, loop, VIRTIO_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT), e);
	if (r < 0) {
		free_ports(c);
		return r;
	}
	*out = &TAKE_PTR(c)->dev;
	return 0;
}
