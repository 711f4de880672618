/* SPDX-License-Identifier: Apache-2.0 */
/* Where compiled seccomp filters are kept: .seccomp below the state root (no partition's id starts with a
 * dot). */
#ifndef RUNTIME_SECCOMP_CACHE_H
#define RUNTIME_SECCOMP_CACHE_H

#include <fcntl.h>
#include <sys/stat.h>

#define RT_SECCOMP_CACHE ".seccomp"

/* A directory fd, or negative: then filters are compiled each time. */
static inline int seccomp_cache_open(int rootfd)
{
	int fd = openat(rootfd, RT_SECCOMP_CACHE, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && mkdirat(rootfd, RT_SECCOMP_CACHE, 0700) == 0)
		fd = openat(rootfd, RT_SECCOMP_CACHE, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd;
}

#endif
