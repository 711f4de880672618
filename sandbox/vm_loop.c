/* SPDX-License-Identifier: Apache-2.0 */
/* The loop that the devices work in (virtio.h). */
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "sandbox/virtio.h"

enum { BATCH = 16 };

int vm_loop_init(struct vm_loop *l, struct err *e)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, "make an epoll descriptor");
	*l = (struct vm_loop){ .epoll = fd };
	return 0;
}

void vm_loop_free(struct vm_loop *l)
{
	if (l->epoll >= 0)
		close(l->epoll);
	l->epoll = -EBADF;
}

/* What has been reported and not been handled must not call somebody who is gone. */
static void forget(struct vm_loop *l, const struct vm_watch *w)
{
	for (unsigned i = l->next; i < l->n_ready; i++) {
		if (l->ready[i].data.ptr == w)
			l->ready[i].data.ptr = NULL;
	}
}

int vm_loop_set(struct vm_loop *l, struct vm_watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };
	int op = w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == w->events)
		return 0;
	/* Not merely a mask of 0: hang-ups and errors are reported all the same, again and again. */
	if (!events) {
		vm_loop_remove(l, w);
		return 0;
	}
	if (epoll_ctl(l->epoll, op, w->fd, &ev) < 0)
		return -errno;
	w->events = events;
	return 0;
}

void vm_loop_remove(struct vm_loop *l, struct vm_watch *w)
{
	if (w->events)
		(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->events = 0;
	forget(l, w);
}

int vm_loop_serve(struct vm_loop *l, struct err *e)
{
	struct epoll_event batch[BATCH];
	int n = epoll_wait(l->epoll, batch, BATCH, 0);

	if (n < 0)
		return errno == EINTR ? 0 : err_set(e, errno, "wait for devices");
	l->ready = batch;
	l->n_ready = (unsigned)n;
	for (l->next = 0; l->next < l->n_ready;) {
		const struct epoll_event *ev = &batch[l->next++];
		struct vm_watch *w = ev->data.ptr;

		if (w)
			w->ready(w, ev->events);
	}
	l->ready = NULL;
	l->next = l->n_ready = 0;
	return 0;
}
