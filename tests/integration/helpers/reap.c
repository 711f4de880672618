/* SPDX-License-Identifier: Apache-2.0 */
/* rft reap: runs one case as its subreaper, as conmon or a shim would, and tells which processes the case
 * left behind. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rft.h"

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

/* Children of ours, which by now are all that is left of the case: says who, and ends them if asked to. */
static int children(bool tell, bool end)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d))) {
		char name[64] = "", cmd[256] = "", path[64];
		int fd;

		if (e->d_name[0] < '0' || e->d_name[0] > '9' ||
			parent_of(e->d_name, name, sizeof name) != getpid())
			continue;
		n++;
		snprintf(path, sizeof path, "/proc/%.20s/cmdline", e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			ssize_t got = read(fd, cmd, sizeof cmd - 1);

			for (ssize_t i = 0; i < got - 1; i++)
				if (!cmd[i])
					cmd[i] = ' ';
			close(fd);
		}
		if (tell)
			printf("left behind: process %s (%s) %s\n", e->d_name, name, cmd);
		if (end)
			kill((pid_t)number(e->d_name), SIGKILL);
	}
	if (d)
		closedir(d);
	return n;
}

/* A mount namespace of the case's own, shared within itself as systemd makes a host's, so that propagation
 * shows. */
static void private_mounts(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL))
		die("mount namespace");
}

/* Waits for `pid` (or, if 0, for all children) up to a point in time. Returns false if that passed. */
static bool wait_until(pid_t pid, int *status, double end)
{
	for (;;) {
		int st;
		pid_t got = waitpid(-1, &st, WNOHANG);

		if (got > 0 && got == pid) {
			*status = st;
			return true;
		}
		if (got < 0 && errno == ECHILD)
			return true;
		if (got > 0)
			continue;
		if (now() > end)
			return false;
		sleep_ms(5);
	}
}

/* rft reap SECONDS GRACE COMMAND…: exits as COMMAND does; 99 if it left processes behind, 98 after SECONDS.
 */
int cmd_reap(int argc, char **argv)
{
	double limit = number_fraction(argv[1]), grace = number_fraction(argv[2]);
	int status = 0, rounds = 0, rc;
	sigset_t none;
	pid_t pid;

	(void)argc;
	sigemptyset(&none);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		die("PR_SET_CHILD_SUBREAPER");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	private_mounts();
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execvp(argv[3], argv + 3);
		die("%s", argv[3]);
	}
	if (!wait_until(pid, &status, now() + limit)) {
		printf("timeout: the case ran for more than %s s\n", argv[1]);
		children(true, false);
		kill(-pid, SIGKILL);
		wait_until(pid, &status, now() + 5);
		rc = 98;
	} else {
		rc = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	if (!wait_until(0, &status, now() + grace) && children(true, true) > 0 && (rc == 0 || rc == 77))
		rc = 99;
	while (rounds++ < 50 && children(false, true) > 0)
		wait_until(0, &status, now() + 0.1);
	return rc;
}
