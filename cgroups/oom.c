/* SPDX-License-Identifier: Apache-2.0 */
/* Out-of-memory events: v1's eventfd on memory.oom_control, v2's memory.events; and when the last of them can
 * be counted. */
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

/* One file for both: v1's oom_control counts, too (Linux 4.13). */
int cgrp_oom_open(const struct cgrp *c, struct err *e)
{
	const struct cg_node *n = cg_v1(c, "memory");
	const char *file = n ? "memory.oom_control" : "memory.events";
	char path[CG_FILE_MAX];
	int fd;

	if (!n)
		n = cg_v2(c);
	if (!n)
		return no_memory(c, e);
	fd = open(cg_file(path, n, file), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_set(e, errno, "open %s", path) : fd;
}

int cgrp_oom_read(int fd, uint64_t *count)
{
	/* A handful of lines, a word and a number each. */
	char text[512];
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	if (len < 0)
		return -errno;
	text[len] = '\0';
	return cg_find_key(text, "oom_kill", count);
}

int cgrp_oom_count(const struct cgrp *c, uint64_t *count, struct err *e)
{
	_cleanup_close_ int fd = cgrp_oom_open(c, e);
	int r = fd < 0 ? fd : cgrp_oom_read(fd, count);

	return fd >= 0 && r < 0 ? err_set(e, -r, "read the out-of-memory count of cgroup %s", c->path) : r;
}

int cgrp_empty_fd(const struct cgrp *c, struct err *e)
{
	const struct cg_node *n = c->unit ? cg_v2(c) : NULL;
	_cleanup_close_ int fd = -EBADF;
	char path[CG_FILE_MAX];

	if (!n)
		return err_text(e, EOPNOTSUPP, "nobody but ringfence removes this cgroup");
	fd = open(cg_file(path, n, "cgroup.events"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set(e, errno, "open %s", path);
	/* As with memory.events; and should it be empty already, there is nothing to wait for. */
	if (cgrp_empty_seen(fd))
		return err_text(e, ESRCH, "the last process has left %s", path);
	return TAKE_FD(fd);
}

bool cgrp_empty_seen(int fd)
{
	char text[128];
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
	uint64_t populated = 0;

	if (len < 0)
		return true;
	text[len] = '\0';
	return cg_find_key(text, "populated", &populated) < 0 || populated == 0;
}
