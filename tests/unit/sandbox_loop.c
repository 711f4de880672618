/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of sandbox/virtio.h, for tests of the devices alone. */
#include <errno.h>
#include <sys/epoll.h>

#include "sandbox/virtio.h"

int vm_loop_init(struct vm_loop *l, struct err *e)
{
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll < 0 ? err_set(e, errno, "make an epoll descriptor") : 0;
}

int vm_loop_set(struct vm_loop *l, struct vm_watch *w, uint32_t events)
{
	struct epoll_event x = { .events = events, .data.ptr = w };

	w->events = events;
	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &x) == 0)
		return 0;
	if (errno == ENOENT && epoll_ctl(l->epoll, EPOLL_CTL_ADD, w->fd, &x) == 0)
		return 0;
	return -errno;
}

void vm_loop_remove(struct vm_loop *l, struct vm_watch *w)
{
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->events = 0;
}

int vm_loop_serve(struct vm_loop *l, struct err *e)
{
	struct epoll_event x[16];
	int n = epoll_wait(l->epoll, x, ARRAY_SIZE(x), 0);

	if (n < 0 && errno != EINTR)
		return err_set(e, errno, "wait for events");
	for (int i = 0; i < n; i++) {
		struct vm_watch *w = x[i].data.ptr;

		w->ready(w, x[i].events);
	}
	return n > 0 ? n : 0;
}
