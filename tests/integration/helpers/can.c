/* SPDX-License-Identifier: Apache-2.0 */
/* rft can WHAT: asks the kernel, by trying, whether this machine can do a thing at all. Exit status 0: yes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rft.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

/* As in linux/mount.h, which does not go together with sys/mount.h everywhere. */
struct attrs {
	uint64_t set, clear, propagation, userns_fd;
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return -1;
	rc = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	close(fd);
	return rc;
}

/* A child that waits in a user namespace with 0 mapped to `host`. */
static pid_t userns_child(const char *host)
{
	int sync[2];
	char c, path[64], map[64];
	pid_t pid;

	if (pipe2(sync, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid == 0) {
		c = unshare(CLONE_NEWUSER) ? 'n' : 'y';
		if (write(sync[1], &c, 1) == 1)
			pause();
		_exit(0);
	}
	if (read(sync[0], &c, 1) != 1 || c != 'y')
		return -1;
	snprintf(map, sizeof map, "0 %s 65536", host);
	snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
	if (write_file(path, map))
		return -1;
	snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
	return write_file(path, map) ? -1 : pid;
}

static bool can_userns(const char *arg)
{
	pid_t pid = userns_child("100000");

	(void)arg;
	if (pid > 0)
		kill(pid, SIGKILL);
	return pid > 0;
}

/* Is the file system that the directory is on one that can be mounted with an id map? */
static bool can_idmap(const char *dir)
{
	pid_t pid = userns_child("100000");
	struct attrs a = { .set = 0x00100000 /* MOUNT_ATTR_IDMAP */ };
	char path[64];
	int tree, ns, rc;

	if (pid < 0)
		return false;
	snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, dir, OPEN_TREE_CLONE | O_CLOEXEC);
	a.userns_fd = (uint64_t)ns;
	rc = (int)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &a, sizeof a);
	kill(pid, SIGKILL);
	return ns >= 0 && tree >= 0 && rc == 0;
}

static bool can_mount_setattr(const char *arg)
{
	struct attrs a = { .set = 1 /* MOUNT_ATTR_RDONLY */ };
	int tree = (int)syscall(
		SYS_open_tree, AT_FDCWD, arg ? arg : "/", OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE);

	return tree >= 0 &&
	       syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &a, sizeof a) == 0;
}

static bool can_timens(const char *arg)
{
	(void)arg;
	return unshare(0x80 /* CLONE_NEWTIME */) == 0;
}

static bool can_netns(const char *arg)
{
	(void)arg;
	return unshare(CLONE_NEWNET) == 0;
}

/* rft can cap N: is that capability in our bounding set and effective? */
static bool can_cap(const char *arg)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long eff = 0;

	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, "CapEff:", 7))
			eff = strtoull(line + 7, NULL, 16);
	if (f)
		fclose(f);
	return eff >> number(arg) & 1;
}

static bool can_raise_rlimit(const char *arg)
{
	struct rlimit r;

	(void)arg;
	if (getrlimit(RLIMIT_NOFILE, &r))
		return false;
	r.rlim_max++;
	return setrlimit(RLIMIT_NOFILE, &r) == 0;
}

static bool can_rt(const char *arg)
{
	struct sched_param p = { .sched_priority = 1 };

	(void)arg;
	return sched_setscheduler(0, SCHED_RR, &p) == 0;
}

static bool can_deadline(const char *arg)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = { .size = sizeof a, .policy = 6, .runtime = 1000000, .deadline = 10000000, .period = 20000000 };

	(void)arg;
	return syscall(SYS_sched_setattr, 0, &a, 0) == 0;
}

static bool can_mempolicy(const char *arg)
{
	unsigned long nodes = 1;

	/* Linux 6.9; the header may be older. */
	return syscall(SYS_set_mempolicy, arg ? (int)number(arg) : MPOL_BIND, &nodes, 64) == 0;
}

static bool can_seccomp_flag(const char *arg)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned int)number(arg), NULL) < 0 &&
	       errno == EFAULT;
}

static bool can_tmpfs_in_userns(const char *arg)
{
	(void)arg;
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && mount("x", "/tmp", "tmpfs", 0, NULL) == 0;
}

static bool can_mknod(const char *dir)
{
	char path[4096];
	bool ok;

	snprintf(path, sizeof path, "%s/.rft-node-%d", dir, getpid());
	ok = mknod(path, S_IFCHR | 0600, makedev(1, 3)) == 0;
	unlink(path);
	return ok;
}

static bool can_int80(const char *arg)
{
	pid_t pid = fork();
	int st;

	(void)arg;
	if (pid == 0)
		_exit(cmd_int80(0, NULL));
	return waitpid(pid, &st, 0) == pid && WIFEXITED(st) && WEXITSTATUS(st) == 0;
}

static const struct {
	const char *name;
	bool (*ask)(const char *arg);
} questions[] = {
	{ "userns", can_userns },
	{ "idmap", can_idmap },
	{ "mount_setattr", can_mount_setattr },
	{ "timens", can_timens },
	{ "netns", can_netns },
	{ "cap", can_cap },
	{ "raise_rlimit", can_raise_rlimit },
	{ "rt", can_rt },
	{ "deadline", can_deadline },
	{ "mempolicy", can_mempolicy },
	{ "seccomp_flag", can_seccomp_flag },
	{ "tmpfs_in_userns", can_tmpfs_in_userns },
	{ "mknod", can_mknod },
	{ "int80", can_int80 },
};

int cmd_can(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof questions / sizeof *questions; i++)
		if (!strcmp(questions[i].name, argv[1]))
			return !questions[i].ask(argc > 2 ? argv[2] : NULL);
	return 2;
}
