/* SPDX-License-Identifier: Apache-2.0 */
/* Is a partition's process the one that was recorded, and what follows for its status (see partition.h). */
#include "runtime/partition.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/engine.h"

const char *const rt_status_names[] = {
	[RT_CREATING] = "creating",
	[RT_CREATED] = "created",
	[RT_RUNNING] = "running",
	[RT_PAUSED] = "paused",
	[RT_STOPPED] = "stopped",
};

int rt_partition_status(const struct rt_partition *p, enum rt_status *out, struct err *e)
{
	if (p->damaged || p->creating) {
		/* While its creator lives, it holds the lock; we may be the creator ourselves. */
		if (rt_partition_busy(p) || (p->locked && !p->damaged)) {
			*out = RT_CREATING;
			return 0;
		}
		/* Whoever was at it when we read has come to its end since: a delete, or a create. */
		if (!p->locked && !rt_partition_there(p))
			return err_text(e, ENOENT, "container \"%s\" does not exist", p->id);
		if (!p->locked && !p->saved && !p->damaged &&
			faccessat(p->dirfd, RT_STATE_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			*out = RT_CREATING;
		else
			*out = RT_STOPPED;
		return 0;
	}
	return p->engine->status(p, out, e);
}

int rt_proc_stat(pid_t pid, uint64_t *start_time, char *state)
{
	char path[32], text[1024], *p;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	n = fd_get_at(AT_FDCWD, path, text, sizeof(text));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	/* The command name may hold blanks and parentheses: the last ')' ends it (proc(5)). */
	p = strrchr(text, ')');
	if (!p || p[1] != ' ')
		return -ESRCH;
	*state = p[2];
	/* p + 2 is field 3; field 22 is the start time. */
	p += 2;
	for (int field = 3; field < 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -ESRCH;
		p++;
	}
	p[strcspn(p, " ")] = '\0';
	return str_to_u64(p, start_time) < 0 ? -ESRCH : 0;
}

bool rt_alive(const struct rt_partition *p)
{
	uint64_t start;
	char state;

	return p->pid > 0 && rt_proc_stat(p->pid, &start, &state) == 0 && start == p->start_time &&
	       state != 'Z' && state != 'X';
}

int rt_pidfd(const struct rt_partition *p)
{
	int fd;

	if (p->pid <= 0)
		return -ESRCH;
	fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (fd < 0)
		return -errno;
	/* The pidfd is held: if the process is ours now, it cannot be replaced by another behind our back. */
	if (!rt_alive(p)) {
		fd_close(fd);
		return -ESRCH;
	}
	return fd;
}
