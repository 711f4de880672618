/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rft reap: the process above a worker of the suite. It is the subreaper of the worker's cases, as conmon or
 * a shim would be, ends those that take too long, and tells what they left behind: processes and cgroups.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rft.h"

/* The worker's end of the conversation. */
#define WORKER_FD 8

static pid_t worker;
static int signals, sock, last_fd;
static const char *last_words;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static pid_t parent_of(const char *pid, char *name, size_t size)
{
	char path[64], line[1024];
	FILE *f;
	char *close_paren, *open_paren;
	int ppid = -1;

	snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fgets(line, sizeof line, f) && (close_paren = strrchr(line, ')')) &&
		(open_paren = strchr(line, '('))) {
		*close_paren = 0;
		snprintf(name, size, "%s", open_paren + 1);
		sscanf(close_paren + 1, " %*c %d", &ppid);
	}
	fclose(f);
	return ppid;
}

/* The beginning of /proc/PID/NAME as one line, or nothing. */
static void line_of(const char *pid, const char *name, char *out, size_t size)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof path, "/proc/%.20s/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, out, size - 1);
	while (got > 0 && (!out[got - 1] || out[got - 1] == '\n'))
		got--;
	out[got > 0 ? got : 0] = 0;
	for (ssize_t i = 0; i < got; i++)
		if (!out[i] || out[i] == '\n')
			out[i] = ' ';
	if (fd >= 0)
		close(fd);
}

static void tell(const char *pid, const char *name)
{
	char cmd[256];

	line_of(pid, "cmdline", cmd, sizeof cmd);
	dprintf(sock, "left behind: process %s (%s) %s\n", pid, name, cmd);
}

/* Of a case that hangs: all that runs below `parent`, where it waits and in which system call. */
static void tell_tree(pid_t parent, int depth)
{
	DIR *d = depth < 16 ? opendir("/proc") : NULL;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char name[64] = "", wchan[64], call[128], cmd[160];

		if (e->d_name[0] < '0' || e->d_name[0] > '9' ||
			parent_of(e->d_name, name, sizeof name) != parent || number(e->d_name) == worker)
			continue;
		line_of(e->d_name, "wchan", wchan, sizeof wchan);
		line_of(e->d_name, "syscall", call, sizeof call);
		line_of(e->d_name, "cmdline", cmd, sizeof cmd);
		dprintf(sock, "hangs: %*s%s (%s) %s, in %s, call %s\n", 2 * depth, "", e->d_name, name, cmd,
			wchan, call);
		tell_tree((pid_t)number(e->d_name), depth + 1);
	}
	if (d)
		closedir(d);
}

/* Is the worker our only child? The kernel need not have that file. */
static bool alone(void)
{
	char path[64], text[64] = "", *end;
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof text - 1) < 0)
		text[0] = 'x';
	close(fd);
	return strtol(text, &end, 10) == worker && end[strspn(end, " ")] == 0;
}

/* Children of ours but for the worker, which is all that is left of a case: says who, and ends them if asked
 * to.
 */
static int children(bool say, bool end)
{
	DIR *d = alone() ? NULL : opendir("/proc");
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d))) {
		char name[64] = "";

		if (e->d_name[0] < '0' || e->d_name[0] > '9' ||
			parent_of(e->d_name, name, sizeof name) != getpid() || number(e->d_name) == worker)
			continue;
		n++;
		if (say)
			tell(e->d_name, name);
		if (end)
			kill((pid_t)number(e->d_name), SIGKILL);
	}
	if (d)
		closedir(d);
	return n;
}

/* With everything that is below us. */
static void end_all(int status)
{
	if (worker > 0)
		kill(worker, SIGKILL);
	worker = 0;
	for (int round = 0; round < 50 && children(false, true) > 0; round++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		sleep_ms(20);
	}
	dprintf(last_fd, "%s\n", last_words);
	exit(status);
}

/* Waits for a signal, or for the descriptor if it is not -1, and reaps. */
static void pause_for(int fd, int ms)
{
	struct pollfd p[] = { { .fd = signals, .events = POLLIN }, { .fd = fd, .events = POLLIN } };
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	poll(p, 2, ms);
	while (read(signals, &info, sizeof info) == sizeof info)
		if (info.ssi_signo != SIGCHLD)
			end_all(128 + (int)info.ssi_signo);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == worker) {
			worker = 0;
			end_all(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		}
}

/* Directories below `path` whose name has `id` in it and no further digit: how many. */
static int cgroups(char *path, size_t size, const char *id, bool say)
{
	size_t len = strlen(path);
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d))) {
		const char *found = strstr(e->d_name, id);
		char after = found ? found[strlen(id)] : '0';

		if (e->d_type != DT_DIR || e->d_name[0] == '.' || len + strlen(e->d_name) + 2 > size)
			continue;
		snprintf(path + len, size - len, "/%s", e->d_name);
		if (after < '0' || after > '9') {
			n++;
			if (say)
				dprintf(sock, "left behind: cgroup %s\n", path);
		}
		n += cgroups(path, size, id, say);
		path[len] = 0;
	}
	if (d)
		closedir(d);
	return n;
}

static int cgroups_below(const char *top, const char *id, bool say)
{
	char path[4096];

	snprintf(path, sizeof path, "%s", top);
	return cgroups(path, sizeof path, id, say);
}

/* One case: "PID SECONDS GRACE ID DIRECTORY". The answer's last line is "end" and 0, 98 (late) or 99
 * (leftovers). */
static void serve(char *line)
{
	char id[256], top[256];
	double limit, grace, end;
	int pid, pidfd, rc = 0;

	if (sscanf(line, "%d %lf %lf %255s %255s", &pid, &limit, &grace, id, top) != 5)
		die("request \"%s\"", line);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	end = now() + limit;
	while (pidfd >= 0 && now() < end) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };

		pause_for(pidfd, 1000);
		if (poll(&p, 1, 0) > 0)
			rc = -1;
		if (rc < 0)
			break;
	}
	if (pidfd >= 0 && rc == 0) {
		dprintf(sock, "timeout: the case ran for more than %g s\n", limit);
		rc = 98;
		tell_tree(worker, 0);
		tell_tree(getpid(), 0);
		kill(pid, SIGKILL);
		children(true, false);
	} else {
		rc = 0;
	}
	if (pidfd >= 0)
		close(pidfd);

	end = now() + grace;
	while (children(false, false) > 0 && now() < end)
		pause_for(-1, 20);
	if (children(rc == 0, true) > 0) {
		rc = rc ? rc : 99;
		for (int round = 0; round < 50 && children(false, true) > 0; round++)
			pause_for(-1, 100);
	}
	/* systemd, for one, removes them in its own time. */
	for (end = now() + grace; cgroups_below(top, id, false) > 0 && now() < end;)
		pause_for(-1, 20);
	if (cgroups_below(top, id, true) > 0)
		rc = rc ? rc : 99;
	dprintf(sock, "end %d\n", rc);
}

/* A mount namespace of the worker's own, shared within itself as systemd makes a host's, so that propagation
 * shows. */
static void private_mounts(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL))
		die("mount namespace");
}

static void run_worker(int theirs, char **argv)
{
	sigset_t none;

	sigemptyset(&none);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(theirs, WORKER_FD) < 0)
		die("descriptor %d", WORKER_FD);
	execvp(argv[0], argv);
	die("%s", argv[0]);
}

/* rft reap COMMAND…: with a socket as its descriptor 8, on which it names its cases one by one: see serve().
 */
int cmd_reap(int argc, char **argv)
{
	int pair[2];
	sigset_t set;

	if (argc < 4)
		return 2;
	last_fd = (int)number(argv[1]);
	last_words = argv[2];
	if (fcntl(last_fd, F_SETFD, FD_CLOEXEC))
		die("descriptor %d", last_fd);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		die("reap");
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	private_mounts();
	worker = fork();
	if (worker == 0)
		run_worker(pair[1], argv + 3);
	close(pair[1]);
	sock = pair[0];
	for (;;) {
		static char line[1024];
		static size_t len;
		struct pollfd p = { .fd = sock, .events = POLLIN };
		char *newline;
		ssize_t n;

		pause_for(sock, -1);
		if (poll(&p, 1, 0) <= 0)
			continue;
		n = read(sock, line + len, sizeof line - 1 - len);
		if (n <= 0) {
			sock = -1; /* all ends are closed: only the worker's end is awaited */
			continue;
		}
		len += (size_t)n;
		line[len] = 0;
		newline = strchr(line, '\n');
		if (!newline)
			continue;
		*newline = 0;
		serve(line);
		len = 0;
	}
}
