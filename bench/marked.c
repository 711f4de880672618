/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a run, found in procfs by its mark (proc.h). */
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
	int m = snprintf(mark, sizeof(mark), "RINGFENCE_BENCH_RUN=%s", run),
	    n = snprintf(name, sizeof(name), "rfb-%s", run);

	return pid != getpid() &&
	       (has(pid, "environ", mark, (size_t)m) || has(pid, "cmdline", name, (size_t)n));
}

int proc_each_marked(const char *run, int (*each)(pid_t pid, void *arg), void *arg)
{
	_cleanup_closedir_ DIR *d = opendir("/proc");
	struct dirent *entry;
	int r = 0;

	if (!d)
		return -errno;
	while (r == 0 && (entry = readdir(d))) {
		int pid;

		if (!isdigit((unsigned char)entry->d_name[0]) || str_to_int(entry->d_name, &pid) < 0)
			continue;
		if (is_marked(pid, run))
			r = each(pid, arg);
	}
	return r;
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

struct killing {
	const char *run;
	size_t n;
};

/* By a descriptor, and looked at again: the number may have gone to somebody else since. */
static int kill_one(pid_t pid, void *arg)
{
	struct killing *k = arg;
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0 || !is_marked(pid, k->run))
		return 0;
	syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	k->n++;
	return 0;
}

size_t proc_kill_marked(const char *run, int timeout)
{
	double end = proc_now() + timeout;

	for (;;) {
		struct killing k = { run, 0 };

		proc_each_marked(run, kill_one, &k);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (k.n == 0 || proc_now() > end)
			return k.n;
		poll(NULL, 0, 10);
	}
}
