/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a run, found in procfs (proc.h): by the mark in the environment, by a name of the run in
 * the command line, by a cgroup of that name, and all that descends from one of these. Monitors start what
 * they confine with an empty environment; engines name cgroups as they please; so none of these alone is
 * enough.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "bench/proc.h"

/* An environment may be longer; the mark is at its end, where posix_spawn() put it, or early, where a config
 * did. */
#define ENVIRONMENT_MAX (256u << 10)

struct process {
	pid_t pid, parent;
	unsigned long long start; /* since boot: with the pid, who it is */
	bool ours;
};

struct table {
	struct process *at;
	size_t n, room;
};

static char text[ENVIRONMENT_MAX];

static bool has(pid_t pid, const char *file, const char *what, size_t len)
{
	char path[64];
	ssize_t n, all = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while ((n = read(fd, text + all, sizeof(text) - (size_t)all)) > 0)
		all += n;
	close(fd);
	return all > 0 && memmem(text, (size_t)all, what, len) != NULL;
}

static bool is_marked(pid_t pid, const char *run)
{
	char mark[128], name[128];
	size_t m = (size_t)snprintf(mark, sizeof(mark), "RINGFENCE_BENCH_RUN=%s", run);
	size_t n = (size_t)snprintf(name, sizeof(name), "rfb-%s", run);

	return has(pid, "environ", mark, m) || has(pid, "cmdline", name, n) || has(pid, "cgroup", name, n);
}

/* Parent and start out of /proc/PID/stat; false for one that is gone, or only waits to be reaped. */
static bool read_stat(struct process *p)
{
	char path[64], stat[1024], state;
	const char *end;
	int parent;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)p->pid);
	if (fd_get_at(AT_FDCWD, path, stat, sizeof(stat)) <= 0)
		return false;
	/* Behind the name, which may have anything in it. */
	end = strrchr(stat, ')');
	if (!end || sscanf(end + 1,
			    " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
			    &state, &parent, &p->start) != 3)
		return false;
	p->parent = parent;
	return state != 'Z' && state != 'X';
}

static int by_pid(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int read_table(const char *run, struct table *t)
{
	_cleanup_closedir_ DIR *d = opendir("/proc");
	struct dirent *entry;

	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		struct process p = { 0 };
		int pid;

		if (!isdigit((unsigned char)entry->d_name[0]) || str_to_int(entry->d_name, &pid) < 0)
			continue;
		p.pid = pid;
		if (pid == getpid() || !read_stat(&p))
			continue;
		if (t->n == t->room) {
			size_t room = t->room ? 2 * t->room : 1024;
			struct process *at = realloc(t->at, room * sizeof(*at));

			if (!at)
				return -ENOMEM;
			t->at = at;
			t->room = room;
		}
		p.ours = is_marked(p.pid, run);
		t->at[t->n++] = p;
	}
	if (t->n)
		qsort(t->at, t->n, sizeof(*t->at), by_pid);
	return 0;
}

/* What descends from ours is ours. */
static void add_children(struct table *t)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < t->n; i++) {
			const struct process key = { .pid = t->at[i].parent };
			const struct process *parent =
				t->at[i].ours ? NULL : bsearch(&key, t->at, t->n, sizeof(key), by_pid);

			if (parent && parent->ours)
				more = t->at[i].ours = true;
		}
	}
}

static int each_process(const char *run, int (*each)(const struct process *p, void *arg), void *arg)
{
	struct table t = { 0 };
	int r = read_table(run, &t);

	if (r == 0)
		add_children(&t);
	for (size_t i = 0; i < t.n && r == 0; i++)
		if (t.at[i].ours)
			r = each(&t.at[i], arg);
	free(t.at);
	return r;
}

struct by_pid {
	int (*each)(pid_t pid, void *arg);
	void *arg;
};

static int hand_on(const struct process *p, void *arg)
{
	const struct by_pid *b = arg;

	return b->each(p->pid, b->arg);
}

int proc_each_marked(const char *run, int (*each)(pid_t pid, void *arg), void *arg)
{
	struct by_pid b = { each, arg };

	return each_process(run, hand_on, &b);
}

static int count_one(pid_t pid, void *arg)
{
	++*(size_t *)arg;
	return 0;
}

size_t proc_count_marked(const char *run)
{
	size_t n = 0;

	proc_each_marked(run, count_one, &n);
	return n;
}

/* By a descriptor, and looked at again: the number may have gone to somebody else since. */
static int kill_one(const struct process *p, void *arg)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	struct process now = { .pid = p->pid };

	if (fd < 0 || !read_stat(&now) || now.start != p->start)
		return 0;
	syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	++*(size_t *)arg;
	return 0;
}

size_t proc_kill_marked(const char *run, int timeout)
{
	double end = proc_now() + timeout;

	for (;;) {
		size_t n = 0;

		each_process(run, kill_one, &n);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (n == 0 || proc_now() > end)
			return n;
		poll(NULL, 0, 10);
	}
}
