/* SPDX-License-Identifier: Apache-2.0 */
/* rft inspect: everything a process can learn about itself, as key=value lines. rft fds: its open
 * descriptors. */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "rft.h"

extern char **environ;

/* Kernel ABI, since glibc 2.36 has no sched_getattr(). */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

static void ids(void)
{
	gid_t groups[256];
	int n = getgroups(256, groups);
	mode_t mask = umask(0);

	umask(mask);
	printf("uid=%u\ngid=%u\neuid=%u\negid=%u\numask=%04o\ngroups=", getuid(), getgid(), geteuid(),
		getegid(), mask);
	for (int i = 0; i < n; i++)
		printf("%s%u", i ? "," : "", groups[i]);
	printf("\npid=%d\nppid=%d\nsid=%d\npgid=%d\n", getpid(), getppid(), getsid(0), getpgid(0));
}

/* CapInh, NoNewPrivs, Seccomp, …: as /proc/self/status has them. */
static void status(void)
{
	char line[512];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof line, f)) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon++ = 0;
		while (*colon == ' ' || *colon == '\t')
			colon++;
		printf("%s=%s", line, colon);
	}
	if (f)
		fclose(f);
	printf("securebits=%#x\nkeepcaps=%d\ndumpable=%d\n", prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS),
		prctl(PR_GET_DUMPABLE));
}

static void limits(void)
{
	static const char *const names[] = { "cpu", "fsize", "data", "stack", "core", "rss", "nproc",
		"nofile", "memlock", "as", "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime" };

	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit r;

		if (getrlimit((__rlimit_resource_t)i, &r) == 0)
			printf("rlimit.%s=%lld:%lld\n", names[i], (long long)r.rlim_cur,
				(long long)r.rlim_max);
	}
}

static void scheduling(void)
{
	struct attr a = { .size = sizeof a };
	unsigned long mask[128] = { 0 }, nodes[16] = { 0 };
	int mode = 0, n = 0, persona = personality(0xffffffff), prio;
	long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);

	if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) == 0)
		printf("sched.policy=%u\nsched.flags=%#llx\nsched.nice=%d\nsched.priority=%u\nsched.runtime=%"
		       "llu\n"
		       "sched.deadline=%llu\nsched.period=%llu\n",
			a.policy, (unsigned long long)a.flags, a.nice, a.priority,
			(unsigned long long)a.runtime, (unsigned long long)a.deadline,
			(unsigned long long)a.period);
	prio = (int)syscall(SYS_ioprio_get, 1, 0);
	printf("ioprio=%d:%d\n", prio >> 13, prio & 7);
	printf("affinity=");
	for (long i = 0; i < bytes * 8; i++)
		if (mask[i / 64] >> (i % 64) & 1)
			printf("%s%ld", n++ ? "," : "", i);
	printf("\npersonality=%#x\n", persona);
	if (syscall(SYS_get_mempolicy, &mode, nodes, 1024, NULL, 0) == 0)
		printf("mempolicy.mode=%d\nmempolicy.flags=%#x\nmempolicy.nodes=%#lx\n", mode & 0xff,
			mode & ~0xff, nodes[0]);
}

static void tty_and_keys(void)
{
	char path[256], fd[64];
	long key = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
	char description[256] = "";

	for (int i = 0; i < 3; i++) {
		snprintf(fd, sizeof fd, "/proc/self/fd/%d", i);
		if (link_of(fd, path, sizeof path) == 0)
			printf("fd.%d=%s\n", i, path);
		printf("isatty.%d=%d\n", i, isatty(i));
	}
	printf("ctty=%d\n", tcgetsid(0) == getsid(0));
	if (key > 0)
		syscall(SYS_keyctl, KEYCTL_DESCRIBE, key, description, sizeof description - 1);
	printf("keyring=%ld\nkeyring.name=%s\n", key,
		strrchr(description, ';') ? strrchr(description, ';') + 1 : "");
}

static void links_and_files(void)
{
	static const char *const ns[] = { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" };
	static const char *const files[] = { "oom_score_adj", "setgroups", "loginuid", "attr/current" };
	char path[64], buf[512];

	for (size_t i = 0; i < sizeof ns / sizeof *ns; i++) {
		snprintf(path, sizeof path, "/proc/self/ns/%s", ns[i]);
		if (link_of(path, buf, sizeof buf) == 0)
			printf("ns.%s=%s\n", ns[i], buf);
	}
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		FILE *f;

		snprintf(path, sizeof path, "/proc/self/%s", files[i]);
		f = fopen(path, "re");
		if (f && fgets(buf, sizeof buf, f)) {
			buf[strcspn(buf, "\n")] = 0;
			printf("%s=%s\n", files[i], buf);
		}
		if (f)
			fclose(f);
	}
	printf("exe=%s\n", link_of("/proc/self/exe", buf, sizeof buf) ? "" : buf);
	printf("root=%s\n", link_of("/proc/self/root", buf, sizeof buf) ? "" : buf);
	printf("cwd.link=%s\n", link_of("/proc/self/cwd", buf, sizeof buf) ? "" : buf);
}

int cmd_inspect(int argc, char **argv)
{
	struct utsname u;
	struct timespec mono, boot;
	char cwd[4096];
	int sig = 0;

	for (int i = 1; i < argc; i++)
		printf("arg.%d=%s\n", i, argv[i]);
	for (char **v = environ; *v; v++)
		printf("env.%s\n", *v);
	printf("n_env=");
	for (char **v = environ; *v; v++)
		sig++;
	printf("%d\ncwd=%s\n", sig, getcwd(cwd, sizeof cwd) ? cwd : "?");
	ids();
	status();
	limits();
	scheduling();
	tty_and_keys();
	links_and_files();
	uname(&u);
	printf("hostname=%s\ndomainname=%s\nmachine=%s\n", u.nodename, u.domainname, u.machine);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	printf("clock.monotonic=%lld\nclock.boottime=%lld\n", (long long)mono.tv_sec, (long long)boot.tv_sec);
	prctl(PR_GET_PDEATHSIG, &sig);
	printf("pdeathsig=%d\n", sig);
	prctl(PR_GET_CHILD_SUBREAPER, &sig);
	printf("subreaper=%d\n", sig);
	return 0;
}

/* One line a descriptor: number, what it is, and its close-on-exec flag is by nature off. */
int cmd_fds(int argc, char **argv)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	(void)argc;
	(void)argv;
	if (!d)
		die("/proc/self/fd");
	while ((e = readdir(d))) {
		char path[300], to[4096];

		if (e->d_name[0] == '.' || number(e->d_name) == dirfd(d))
			continue;
		snprintf(path, sizeof path, "/proc/self/fd/%s", e->d_name);
		link_of(path, to, sizeof to);
		printf("%s %s\n", e->d_name, to);
	}
	closedir(d);
	return 0;
}
