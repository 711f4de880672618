/* SPDX-License-Identifier: Apache-2.0 */
/* Readings of procfs and cgroupfs (measure.h). */
#include "bench/measure.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "bench/bench.h"
#include "bench/proc.h"

const struct measure_name measure_names[MEASURE_COUNT] = {
	[MEASURE_HOST] = { "host memory", "bytes", true, false },
	[MEASURE_ACCOUNTED] = { "accounted memory", "bytes", true, false },
	[MEASURE_PSS] = { "processes (PSS)", "bytes", false, false },
	[MEASURE_GUEST] = { "guest memory touched", "bytes", false, false },
	[MEASURE_KERNEL] = { "kernel memory", "bytes", true, false },
	[MEASURE_SLAB] = { "slab", "bytes", true, true },
	[MEASURE_TABLES] = { "page tables", "bytes", true, true },
	[MEASURE_PERCPU] = { "per-cpu memory", "bytes", true, true },
	[MEASURE_STACKS] = { "kernel stacks", "bytes", true, true },
	[MEASURE_CGROUP] = { "charged to memory cgroups by the kernel", "bytes", false, true },
	[MEASURE_CACHE] = { "page cache", "bytes", true, true },
	[MEASURE_PROCESSES] = { "processes", "count", false, true },
	[MEASURE_THREADS] = { "threads", "count", false, true },
};

/* --- processes ---------------------------------------------------------------------------------------- */

struct walk {
	struct reading *out;
	uint64_t guest_memory;
	char **cgroups; /* of memory, sorted at the end */
	size_t n, room;
	bool failed;
};

/* "NAME: N kB" in a line, in bytes; -1: it is another line. */
static double kilobytes(const char *line, const char *name)
{
	size_t n = strlen(name);

	return strncmp(line, name, n) == 0 && line[n] == ':' ? (double)strtoull(line + n + 1, NULL, 10) * 1024
							     : -1;
}

static void add_rollup(pid_t pid, struct reading *out)
{
	_cleanup_fclose_ FILE *f = NULL;
	char line[512], path[64];
	double shared = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		double pss = kilobytes(line, "Pss"), anonymous = kilobytes(line, "Pss_Anon");

		out->v[MEASURE_PSS] += pss > 0 ? pss : 0;
		/* The host's is without everybody's (measure_host()). */
		out->v[MEASURE_HOST] += anonymous > 0 ? anonymous : 0;
		shared += fmax(kilobytes(line, "Shared_Clean"), 0) + fmax(kilobytes(line, "Shared_Dirty"), 0);
	}
	/* Parts of pages, cut to whole KiB (fs/proc/task_mmu.c, __show_smap()): the middle of what was cut.
	 */
	if (shared > 0)
		out->v[MEASURE_PSS] += MEASURE_PSS_CUT / 2;
}

/*
 * Mapping by mapping. A guest's memory is the one that is kept out of core files ("dd"; nothing else in our
 * own monitor is), or is at least half as large as that memory is to be.
 */
static void add_guest(pid_t pid, uint64_t guest_memory, struct reading *out)
{
	_cleanup_fclose_ FILE *f = NULL;
	double size = 0, pss = 0;
	char line[1024], path[64], rights[8];
	bool code = false;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		double s = kilobytes(line, "Size"), p = kilobytes(line, "Pss");

		size = s >= 0 ? s : size;
		pss = p >= 0 ? p : pss;
		/* "7f…-7f… rwxp …": an emulator's translations lie in a mapping that is as large. */
		if (s < 0 && p < 0 && sscanf(line, "%*x-%*x %7s", rights) == 1)
			code = strchr(rights, 'x') != NULL;
		if (strncmp(line, "VmFlags:", 8) != 0)
			continue;
		if (!code && (size >= (double)guest_memory / 2 || strstr(line, " dd")))
			out->v[MEASURE_GUEST] += pss;
		size = pss = 0;
	}
}

/* The path of its memory cgroup below /sys/fs/cgroup, kept if it is of the run. */
static void note_cgroup(struct walk *w, pid_t pid)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], line[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *name = strchr(line, ':'), *at = name ? strchr(name + 1, ':') : NULL, *copy = NULL;
		bool v2 = name && at == name + 1;

		if (!at || (!v2 && strncmp(name, ":memory:", 8) != 0))
			continue;
		at++;
		at[strcspn(at, "\n")] = '\0';
		/* On a mixed host the v2 line says nothing about memory. */
		if (str_eq(at, "/") || asprintf(&copy, "/sys/fs/cgroup%s%s", v2 ? "" : "/memory", at) < 0)
			continue;
		if (w->n == w->room) {
			size_t room = w->room ? 2 * w->room : 256;
			char **more = realloc(w->cgroups, room * sizeof(*more));

			if (!more) {
				w->failed = true;
				free(copy);
				return;
			}
			w->cgroups = more;
			w->room = room;
		}
		w->cgroups[w->n++] = copy;
	}
}

static int add_process(pid_t pid, void *arg)
{
	struct walk *w = arg;
	struct stat st;
	char path[64];

	w->out->v[MEASURE_PROCESSES]++;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	if (stat(path, &st) == 0 && st.st_nlink > 2)
		w->out->v[MEASURE_THREADS] += (double)st.st_nlink - 2;
	add_rollup(pid, w->out);
	if (w->guest_memory)
		add_guest(pid, w->guest_memory, w->out);
	note_cgroup(w, pid);
	return 0;
}

/* --- cgroups ------------------------------------------------------------------------------------------ */

/* What the kernel took for itself on its behalf: v1 has a file, v2 a line of memory.stat. */
static double kernel_charge(const char *cgroup)
{
	char path[PATH_MAX + 64], text[8192];
	const char *line;

	snprintf(path, sizeof(path), "%s/memory.kmem.usage_in_bytes", cgroup);
	if (fd_get_at(AT_FDCWD, path, text, sizeof(text)) > 0)
		return strtod(text, NULL);
	snprintf(path, sizeof(path), "%s/memory.stat", cgroup);
	if (fd_get_at(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return 0;
	line = strstr(text, "\nkernel ");
	return line ? strtod(line + 8, NULL) : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each cgroup once, but those that we ourselves are in: a design that makes none has none. */
static void add_cgroups(struct walk *w, struct reading *out)
{
	struct walk own = { 0 };

	note_cgroup(&own, getpid());
	if (w->n)
		qsort(w->cgroups, w->n, sizeof(*w->cgroups), by_text);
	for (size_t i = 0; i < w->n; i++) {
		bool ours = i > 0 && str_eq(w->cgroups[i], w->cgroups[i - 1]);

		for (size_t k = 0; k < own.n; k++)
			ours |= str_eq(w->cgroups[i], own.cgroups[k]);
		if (!ours)
			out->v[MEASURE_CGROUP] += kernel_charge(w->cgroups[i]);
	}
	for (size_t i = 0; i < own.n; i++)
		free(own.cgroups[i]);
	free(own.cgroups);
}

static unsigned int count_below(DIR *d, const char *run, int depth)
{
	struct dirent *entry;
	unsigned int n = 0;

	while (d && (entry = readdir(d))) {
		_cleanup_closedir_ DIR *below = NULL;
		int fd;

		if (entry->d_name[0] == '.' || entry->d_type != DT_DIR)
			continue;
		n += strstr(entry->d_name, run) != NULL;
		fd = depth > 0 ? openat(dirfd(d), entry->d_name,
					 O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
			       : -1;
		below = fd < 0 ? NULL : fdopendir(fd);
		if (fd >= 0 && !below)
			fd_close(fd);
		n += count_below(below, run, depth - 1);
	}
	return n;
}

unsigned int measure_cgroups(const char *run)
{
	_cleanup_closedir_ DIR *d = opendir("/sys/fs/cgroup");

	return count_below(d, run, 6);
}

/* --- the host ----------------------------------------------------------------------------------------- */

/*
 * Free pages that lie in per-cpu lists, in bytes: the allocator does not count them as free, and keeps
 * hundreds of MiB there when much was freed lately, from which new instances seem to cost nothing.
 */
static double in_percpu_lists(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/zoneinfo", "re");
	double pages = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		const char *p = line + strspn(line, " ");

		if (strncmp(p, "count:", 6) == 0)
			pages += strtod(p + 6, NULL);
	}
	return pages * (double)sysconf(_SC_PAGESIZE);
}

/* Each processor has counts that it has not yet told the others. */
static void fold_counters(void)
{
	_cleanup_close_ int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC);
	char byte;

	/* What there is to read is nothing; that it was read is what counts. */
	if (fd >= 0 && read(fd, &byte, 1) < 0)
		return;
}

void measure_host(struct reading *out)
{
	enum { TOTAL, FREE, BUFFERS, CACHED, SHMEM, SLAB, TABLES, SECOND, PERCPU, STACKS, ANONYMOUS, N };
	static const char *const names[N] = { "MemTotal", "MemFree", "Buffers", "Cached", "Shmem", "Slab",
		"PageTables", "SecPageTables", "Percpu", "KernelStack", "AnonPages" };
	double v[N];

	fold_counters();
	machine_meminfos(names, v, N);
	out->v[MEASURE_SLAB] = v[SLAB];
	out->v[MEASURE_TABLES] = v[TABLES] + v[SECOND];
	out->v[MEASURE_PERCPU] = v[PERCPU];
	out->v[MEASURE_STACKS] = v[STACKS];
	out->v[MEASURE_CACHE] = v[BUFFERS] + v[CACHED] - v[SHMEM];
	out->v[MEASURE_HOST] = v[TOTAL] - v[FREE] - in_percpu_lists() - out->v[MEASURE_CACHE] - v[ANONYMOUS];
	out->v[MEASURE_KERNEL] = v[SLAB] + out->v[MEASURE_TABLES] + v[PERCPU] + v[STACKS];
}

int measure_read(const char *run, uint64_t guest_memory, struct reading *out, struct err *e)
{
	struct walk w = { .out = out, .guest_memory = guest_memory };
	int r;

	*out = (struct reading){ 0 };
	/* First: reading procfs makes slab of its own. */
	measure_host(out);
	r = proc_each_marked(run, add_process, &w);
	add_cgroups(&w, out);
	out->v[MEASURE_ACCOUNTED] = out->v[MEASURE_PSS] + out->v[MEASURE_KERNEL];
	for (size_t i = 0; i < w.n; i++)
		free(w.cgroups[i]);
	free(w.cgroups);
	return r < 0	  ? err_set(e, -r, "look through /proc")
	       : w.failed ? err_set(e, ENOMEM, "list cgroups")
			  : 0;
}
