/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The speed limit: the bare system calls that a partition of the default config needs, and nothing else. No
 * config, no state, no checks, no recovery: cgroups made and joined, five namespaces, the default mounts and
 * devices, pivot_root, execve. What a runtime takes longer than this, in one paired run, is the runtime's own
 * cost.
 *
 *   floor [-n NAME] [-d] ROOTFS CMD [ARG...]     NAME: of the cgroups (default: floor-PID); -d: leave it
 * running floor -x NAME CMD [ARG...]                   run something in one that was left running floor -k
 * NAME                                end it, and remove its cgroups
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"

static void need(long r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static const char *const v1[] = { "cpu", "cpuacct", "cpuset", "blkio", "memory", "devices", "freezer",
	"pids" };
#define N_V1 (sizeof(v1) / sizeof(v1[0]))

static char dirs[N_V1][256];
static int n_dirs;
static const char *name;

static void put(const char *dir, const char *file, const char *text, size_t len)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	need(fd, path);
	need(write(fd, text, len), path);
	close(fd);
}

/* A new v1 cpuset is empty and lets nobody in. */
static void inherit_cpuset(const char *dir, const char *file)
{
	char path[256], text[256];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), ROOT "/cpuset/%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	need(fd, path);
	n = read(fd, text, sizeof(text));
	need(n, path);
	close(fd);
	put(dir, file, text, (size_t)n);
}

/* What they are called; with `there`, of those hierarchies that this host has. */
static void name_cgroups(int v2, bool there)
{
	char own[32];

	if (!name) {
		snprintf(own, sizeof(own), "floor-%d", (int)getpid());
		name = own;
	}
	for (size_t i = 0; i < (v2 ? 1 : N_V1); i++) {
		snprintf(dirs[n_dirs], sizeof(dirs[0]), ROOT "%s%s/%s", v2 ? "" : "/", v2 ? "" : v1[i], name);
		if (!there || access(dirs[n_dirs], F_OK) == 0)
			n_dirs++;
	}
	name = NULL;
}

/* A hierarchy that is not there is found out without a call of its own, and forgotten. */
static void make_cgroups(void)
{
	int n = 0;

	for (int i = 0; i < n_dirs; i++) {
		if (mkdir(dirs[i], 0755) < 0) {
			if (errno == ENOENT)
				continue;
			need(-1, dirs[i]);
		}
		if (n != i)
			memcpy(dirs[n], dirs[i], sizeof(dirs[0]));
		if (strncmp(dirs[n], ROOT "/cpuset/", sizeof(ROOT "/cpuset/") - 1) == 0) {
			inherit_cpuset(dirs[n], "cpuset.cpus");
			inherit_cpuset(dirs[n], "cpuset.mems");
		}
		n++;
	}
	n_dirs = n;
}

/* "0" by the one thread itself: the way that does not wait for an RCU grace period. */
static void join_cgroups(int v2)
{
	for (int i = 0; i < n_dirs; i++)
		put(dirs[i], v2 ? "cgroup.procs" : "tasks", "0", 1);
}

/* False once all are gone, or after 5 s. */
static bool remove_cgroups(void)
{
	for (int i = 0; i < n_dirs; i++)
		for (int tries = 0; rmdir(dirs[i]) < 0 && errno == EBUSY; tries++) {
			if (tries == 100000)
				return true;
			usleep(50);
		}
	return false;
}

/* The processes of one that was left running, a number a line. */
static FILE *members(void)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dirs[0]);
	f = n_dirs ? fopen(path, "re") : NULL;
	need(f ? 0 : -1, path);
	return f;
}

static int end_it(void)
{
	FILE *f = members();
	int pid;

	while (fscanf(f, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	fclose(f);
	return remove_cgroups() ? 125 : 0;
}

static int wait_for(pid_t pid)
{
	int status;

	need(waitpid(pid, &status, 0), "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int enter(int v2, char **argv)
{
	FILE *f = members();
	long pid, fd;
	int first;

	if (fscanf(f, "%d", &first) != 1) {
		fprintf(stderr, "floor: nothing runs in %s\n", dirs[0]);
		return 125;
	}
	fclose(f);
	join_cgroups(v2);
	fd = syscall(SYS_pidfd_open, first, 0);
	need(fd, "pidfd_open");
	need(setns((int)fd, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET),
		"setns");
	pid = vfork();
	need(pid, "vfork");
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	return wait_for((pid_t)pid);
}

static void make_root(const char *rootfs)
{
	static const struct {
		const char *path;
		unsigned int major, minor;
	} nodes[] = { { "dev/null", 1, 3 }, { "dev/zero", 1, 5 }, { "dev/full", 1, 7 },
		{ "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 } };
	const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	need(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave /");
	need(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), "bind the root");
	need(chdir(rootfs), rootfs);
	need(mount("proc", "proc", "proc", safe, NULL), "proc");
	need(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"), "dev");
	need(mkdir("dev/pts", 0755), "dev/pts");
	need(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		     "newinstance,ptmxmode=0666,mode=0620,gid=5"),
		"devpts");
	need(mkdir("dev/shm", 01777), "dev/shm");
	need(mount("shm", "dev/shm", "tmpfs", safe, "mode=1777,size=65536k"), "shm");
	need(mkdir("dev/mqueue", 0755), "dev/mqueue");
	need(mount("mqueue", "dev/mqueue", "mqueue", safe, NULL), "mqueue");
	need(mount("sysfs", "sys", "sysfs", safe | MS_RDONLY, NULL), "sysfs");
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		need(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)),
			nodes[i].path);
	need(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	need(umount2(".", MNT_DETACH), "umount");
	need(chdir("/"), "chdir");
}

int main(int argc, char **argv)
{
	struct clone_args clone = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
		.exit_signal = SIGCHLD,
	};
	struct statfs fs;
	bool detach = false, exec = false, end = false;
	int v2, status, opt;
	long pid;

	while ((opt = getopt(argc, argv, "+n:dx:k:")) != -1) {
		if (opt == '?')
			return 2;
		if (opt == 'd')
			detach = true;
		else
			name = optarg;
		exec |= opt == 'x';
		end |= opt == 'k';
	}
	if (argc - optind < (end ? 0 : exec ? 1 : 2)) {
		fprintf(stderr,
			"usage: floor [-n NAME] [-d] ROOTFS CMD [ARG...] | -x NAME CMD [ARG...] | -k NAME\n");
		return 2;
	}
	argv += optind;
	need(statfs(ROOT, &fs), ROOT);
	v2 = fs.f_type == CGROUP2_SUPER_MAGIC;
	name_cgroups(v2, exec || end);
	if (end)
		return end_it();
	if (exec)
		return enter(v2, argv);
	make_cgroups();
	pid = syscall(SYS_clone3, &clone, sizeof(clone));
	need(pid, "clone3");
	if (pid == 0) {
		join_cgroups(v2);
		make_root(argv[0]);
		need(sethostname("floor", 5), "hostname");
		execv(argv[1], argv + 1);
		_exit(127);
	}
	if (detach)
		return 0;
	status = wait_for((pid_t)pid);
	remove_cgroups();
	return status;
}
