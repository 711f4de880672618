/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a process that is not our child. */
#ifndef LAUNCH_PIDFD_H
#define LAUNCH_PIDFD_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* -ESRCH: there is none. O_CLOEXEC, as all pidfds are. */
static inline int pidfd_of(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

/* Has it ended within `ms` (-1: whenever)? */
static inline bool pidfd_wait(int fd, int64_t ms)
{
	struct timespec now;
	int64_t end = 0, left = ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + ms;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int n = poll(&p, 1, ms < 0 ? -1 : left < INT32_MAX ? (int)left : INT32_MAX);

		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = end - ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
		if (ms >= 0 && left <= 0)
			return false;
	}
}

#endif
