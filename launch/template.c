/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The template that the mount namespaces of many partitions are made of (namespaces/template.h).
 *
 * Supervisors hold it, by a descriptor each, so that it goes with the last of them. <data>/template names one
 * of them: "PID START FD", START the start time of the process (proc_pid_stat(5), field 22). It is only where
 * to look: what is opened there is asked what it is, and whoever finds nothing makes a new one and writes
 * down himself. Two of them at once are two templates, which does no harm.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysinfo.h>

#include "base/fd.h"
#include "launch/supervisor.h"
#include "namespaces/template.h"
#include "runtime/partition.h"

#define NAME "template"
/* From so many processes on it is worth the network namespace that it takes: about 1 ms, once. */
#define MANY 1000

static bool is_process(pid_t pid, unsigned long long start)
{
	uint64_t now;
	char state;

	return rt_proc_stat(pid, &now, &state) == 0 && now == start;
}

static int find(int data)
{
	_cleanup_close_ int fd = -EBADF;
	unsigned long long start;
	char text[96], path[48];
	int pid, number;

	if (fd_get_at(data, NAME, text, sizeof(text)) < 0 ||
		sscanf(text, "%d %llu %d", &pid, &start, &number) != 3 || pid <= 0 || number < 0)
		return -ENOENT;
	/* Nor is anything opened that is somebody else's. */
	if (!is_process(pid, start))
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, number);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	/* In this order: it was that process's when it was opened. */
	if (fd < 0 || !mnt_is_template(fd) || !is_process(pid, start))
		return -ENOENT;
	return TAKE_FD(fd);
}

int supervisor_template(const struct supervisor *s)
{
	_cleanup_close_ int data = -EBADF;
	struct err why = ERR_INIT;
	struct sysinfo host;
	char text[96];
	int fd;

	if (sysinfo(&host) < 0 || host.procs < MANY)
		return -EBADF;
	data = openat(s->dir, "../..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = data < 0 ? -EBADF : find(data);
	if (data < 0 || fd >= 0)
		return fd;
	fd = mnt_template_new(&why);
	if (fd < 0) {
		log_debug("%s", why.text);
		return -EBADF;
	}
	snprintf(text, sizeof(text), "%d %llu %d\n", (int)getpid(), (unsigned long long)s->start_time, fd);
	fd_replace_at(data, NAME, 0600, text, strlen(text), &why);
	return fd;
}
