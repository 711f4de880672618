/* SPDX-License-Identifier: Apache-2.0 */
/* Out-of-memory events: v1's eventfd on memory.oom_control, v2's memory.events. */
#include "cgroups/internal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int no_memory(const struct cgrp *c, struct err *e)
{
	return err_text(e, EOPNOTSUPP, "%s has no memory controller, and so no out-of-memory events",
		c->n ? c->path : "a partition without cgroup");
}

int cgrp_oom_fd(const struct cgrp *c, short *events, struct err *e)
{
	const struct cg_node *n = cg_v1(c, "memory");
	_cleanup_close_ int event = -EBADF, control = -EBADF;
	char path[CG_FILE_MAX], text[64];
	int r;

	if (!n) {
		n = cg_v2(c);
		if (!n)
			return no_memory(c, e);
		event = open(cg_file(path, n, "memory.events"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (event < 0)
			return errno == ENOENT ? no_memory(c, e) : err_set(e, errno, "open %s", path);
		/* kernfs reports a change since the last read: without one, poll() would return at once. */
		if (read(event, text, sizeof(text)) < 0)
			return err_set(e, errno, "read %s", path);
		*events = POLLPRI;
		return TAKE_FD(event);
	}
	control = open(cg_file(path, n, "memory.oom_control"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (control < 0)
		return err_set(e, errno, "open %s", path);
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event < 0)
		return err_set(e, errno, "create an eventfd");
	snprintf(text, sizeof(text), "%d %d", event, control);
	r = cg_put(n, "cgroup.event_control", text, e);
	if (r < 0)
		return r;
	*events = POLLIN;
	return TAKE_FD(event);
}

bool cgrp_oom_seen(int fd, short events)
{
	uint64_t count;
	char text[64];

	if (events & POLLIN)
		return read(fd, &count, sizeof(count)) > 0 || errno == EAGAIN;
	return pread(fd, text, sizeof(text), 0) > 0;
}

int cgrp_oom_count(const struct cgrp *c, uint64_t *count, struct err *e)
{
	const struct cg_node *n = cg_v1(c, "memory");
	int r;

	if (n) {
		r = cg_get_key(n, "memory.oom_control", "oom_kill", count);
	} else {
		n = cg_v2(c);
		if (!n)
			return no_memory(c, e);
		r = cg_get_key(n, "memory.events", "oom_kill", count);
	}
	return r < 0 ? err_set(e, -r, "read the out-of-memory count of cgroup %s", n->path) : 0;
}
