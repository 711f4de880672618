/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of a partition that no cgroup counts. */
#include "runtime/engine_ns.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/str.h"

/* The number behind "NAME" at the beginning of a line of /proc/PID/FILE; 0 if there is none (any more). */
static uint64_t figure(pid_t pid, const char *file, const char *name)
{
	char path[64], text[2048];
	uint64_t v = 0;
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	if (fd_get_at(AT_FDCWD, path, text, sizeof(text)) < 0)
		return 0;
	at = strstr(text, name);
	if (at && (at == text || at[-1] == '\n'))
		v = strtoull(at + strlen(name), NULL, 10);
	return v;
}

/*
 * A lean partition (CGRP_ANNOTATION) has no cgroup that counts memory or block I/O. What its processes have
 * comes near: their PSS (proc_pid_smaps_rollup: "Pss", in KiB) lacks page cache that nobody has mapped, and
 * the kernel's own; and to a process's bytes (proc_pid_io) the kernel adds those of the children it waited
 * for.
 */
void ns_usage_by_processes(const struct rt_partition *p, struct cgrp_usage *u)
{
	_cleanup_free_ pid_t *pids = NULL;
	uint64_t memory = 0, io_read = 0, io_write = 0;
	struct err ignored;
	size_t n = 0;

	if ((u->memory != UINT64_MAX && u->io_read != UINT64_MAX) ||
		cgrp_pids(p->cgroup, &pids, &n, &ignored) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (u->memory == UINT64_MAX)
			memory += figure(pids[i], "smaps_rollup", "Pss:") << 10;
		if (u->io_read == UINT64_MAX) {
			io_read += figure(pids[i], "io", "read_bytes:");
			io_write += figure(pids[i], "io", "write_bytes:");
		}
	}
	if (u->memory == UINT64_MAX)
		u->memory = memory;
	if (u->io_read == UINT64_MAX) {
		u->io_read = io_read;
		u->io_write = io_write;
	}
}
