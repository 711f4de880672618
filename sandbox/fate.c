/* SPDX-License-Identifier: Apache-2.0 */
/* What a monitor leaves for whoever asks (see fate.h). */
#include "sandbox/fate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"

#define FAILURE "failure "

int vm_fate_make(const struct rt_partition *p, struct err *e)
{
	int fd = openat(p->dirfd, VM_FATE_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_set(e, errno, "create " VM_FATE_FILE " of container \"%s\"", p->id);
	vm_fate_write(fd, 0, NULL);
	return fd;
}

void vm_fate_write(int fd, uint64_t kills, const char *why)
{
	char text[VM_FATE_MAX];
	int n = snprintf(text, sizeof(text), "oom_kill %llu\n", (unsigned long long)kills);

	if (why) {
		n += snprintf(text + n, sizeof(text) - (size_t)n, FAILURE);
		for (; *why && n < (int)sizeof(text) - 1; why++)
			if (*why >= ' ' && *why <= '~')
				text[n++] = *why;
		text[n++] = '\n';
	}
	/* One that cannot be written changes nothing for who wrote it: it ends all the same. */
	if (fd >= 0)
		(void)!pwrite(fd, text, (size_t)n, 0);
}

int vm_fate_open(const struct rt_partition *p, struct err *e)
{
	int fd = openat(p->dirfd, VM_FATE_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? err_set(e, errno, "open " VM_FATE_FILE " of container \"%s\"", p->id) : fd;
}

int vm_fate_oom_count(const struct rt_partition *p, uint64_t *n, struct err *e)
{
	_cleanup_close_ int fd = vm_fate_open(p, e);
	int r = fd < 0 ? fd : cgrp_oom_read(fd, n);

	return fd >= 0 && r < 0 ? err_set(e, -r, "read " VM_FATE_FILE " of container \"%s\"", p->id) : r;
}

const char *vm_fate_failure(const struct rt_partition *p)
{
	_cleanup_close_ int fd = vm_fate_open(p, NULL);
	char text[VM_FATE_MAX + 1], *why;
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return NULL;
	text[n] = '\0';
	why = strstr(text, "\n" FAILURE);
	if (!why)
		return NULL;
	why += strlen("\n" FAILURE);
	why[strcspn(why, "\n")] = '\0';
	return arena_strdup(p->arena, why);
}

int vm_fate_watch(const struct rt_partition *p, struct err *e)
{
	_cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/" VM_FATE_FILE, p->dirfd);
	if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
		return err_set(e, errno, "watch " VM_FATE_FILE " of container \"%s\"", p->id);
	return TAKE_FD(fd);
}
