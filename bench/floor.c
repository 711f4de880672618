/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The speed limit: the bare system calls that a partition of the default config needs, and nothing else. No
 * config, no state, no checks, no recovery: cgroups made and joined, five namespaces, the default mounts and
 * devices, pivot_root, execve. What a runtime takes longer than this, in one paired run, is the runtime's own
 * cost.
 *
 *   floor ROOTFS CMD [ARG...]
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
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

static char dirs[N_V1][128];
static int n_dirs;

static void put(const char *dir, const char *file, const char *text, size_t len)
{
	char path[256];
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

static void make_cgroups(int v2)
{
	if (v2) {
		snprintf(dirs[0], sizeof(dirs[0]), ROOT "/floor-%d", (int)getpid());
		need(mkdir(dirs[0], 0755), dirs[0]);
		n_dirs = 1;
		return;
	}
	for (size_t i = 0; i < N_V1; i++) {
		snprintf(dirs[n_dirs], sizeof(dirs[0]), ROOT "/%s/floor-%d", v1[i], (int)getpid());
		if (mkdir(dirs[n_dirs], 0755) < 0) {
			if (errno == ENOENT)
				continue;
			need(-1, dirs[n_dirs]);
		}
		if (strcmp(v1[i], "cpuset") == 0) {
			inherit_cpuset(dirs[n_dirs], "cpuset.cpus");
			inherit_cpuset(dirs[n_dirs], "cpuset.mems");
		}
		n_dirs++;
	}
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
	int v2, status;
	long pid;

	if (argc < 3) {
		fprintf(stderr, "usage: floor ROOTFS CMD [ARG...]\n");
		return 2;
	}
	need(statfs(ROOT, &fs), ROOT);
	v2 = fs.f_type == CGROUP2_SUPER_MAGIC;
	make_cgroups(v2);
	pid = syscall(SYS_clone3, &clone, sizeof(clone));
	need(pid, "clone3");
	if (pid == 0) {
		/* "0" by the one thread itself: the way that does not wait for an RCU grace period. */
		for (int i = 0; i < n_dirs; i++)
			put(dirs[i], v2 ? "cgroup.procs" : "tasks", "0", 1);
		make_root(argv[1]);
		need(sethostname("floor", 5), "hostname");
		execv(argv[2], argv + 2);
		_exit(127);
	}
	need(waitpid((pid_t)pid, &status, 0), "wait");
	for (int i = 0; i < n_dirs; i++)
		while (rmdir(dirs[i]) < 0 && errno == EBUSY)
			usleep(50);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
