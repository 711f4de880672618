/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The speed limit: the bare system calls that a partition of the default config needs, and nothing else. No
 * config, no state, no checks, no recovery: cgroups made and joined, five namespaces, the default mounts and
 * devices, pivot_root, execve. What a runtime takes longer than this, in one paired run, is the runtime's own
 * cost.
 *
 * `floor ROOTFS CMD` runs something; its cgroups are called -n NAME, or floor-PID; -d leaves it running.
 * `floor -x NAME CMD` runs something in one that was left running, `floor -k NAME` ends it and removes its
 * cgroups.
 *
 * With -w it is the whole of the default config that is done so, and not what isolates alone: the loopback
 * device, device rules, the cgroup mount, links in /dev, masked and read-only paths, capabilities, limits,
 * the session keyring, no_new_privs. What a runtime takes longer than that is spent by itself; what that
 * takes longer than without it, by the kernel, for what the config says.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <grp.h>
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

/* --- -w: the rest of the default config ----------------------------------------------------------------- */

static bool whole;

static void put_rules(const char *dir)
{
	static const char *const rules[] = { "c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",
		"c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm" };
	char path[512];
	int fd;

	put(dir, "devices.deny", "a", 1);
	snprintf(path, sizeof(path), "%.255s/devices.allow", dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	need(fd, path);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		need(write(fd, rules[i], strlen(rules[i])), path);
	close(fd);
}

static void loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	need(fd, "socket");
	need(ioctl(fd, SIOCSIFFLAGS, &r), "loopback device");
	close(fd);
}

static void bind_read_only(const char *what, const char *where)
{
	if (mount(what, where, NULL, MS_BIND, NULL) < 0 && errno == ENOENT)
		return;
	need(mount(NULL, where, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		     NULL),
		where);
}

/* Each hierarchy's own cgroup below a tmpfs, as the mount type "cgroup" means. */
static void mount_cgroups(int v2)
{
	const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (v2) {
		bind_read_only(dirs[0], "sys/fs/cgroup");
		return;
	}
	need(mount("cgroup", "sys/fs/cgroup", "tmpfs", safe, "mode=755"), "cgroup mount");
	for (int i = 0; i < n_dirs; i++) {
		const char *controller = dirs[i] + sizeof(ROOT);
		char to[64];

		snprintf(to, sizeof(to), "sys/fs/cgroup/%.16s", controller);
		*strchrnul(to + strlen("sys/fs/cgroup/"), '/') = '\0';
		need(mkdir(to, 0755), to);
		bind_read_only(dirs[i], to);
	}
	need(mount(NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | safe, NULL),
		"cgroup mount");
}

static void protect_paths(void)
{
	static const char *const read_only[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys",
		"proc/sysrq-trigger" };
	static const char *const masked[] = { "proc/acpi", "proc/asound", "proc/kcore", "proc/keys",
		"proc/latency_stats", "proc/sched_debug", "proc/scsi", "proc/timer_list", "sys/firmware" };
	struct stat st;

	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++)
		bind_read_only(read_only[i], read_only[i]);
	for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++)
		if (stat(masked[i], &st) == 0)
			need(mount(S_ISDIR(st.st_mode) ? "sys/kernel/debug" : "dev/null", masked[i], NULL,
				     MS_BIND, NULL),
				masked[i]);
}

static void make_links(void)
{
	static const char *const links[][2] = { { "/proc/self/fd", "dev/fd" },
		{ "/proc/self/fd/0", "dev/stdin" }, { "/proc/self/fd/1", "dev/stdout" },
		{ "/proc/self/fd/2", "dev/stderr" }, { "/proc/kcore", "dev/core" },
		{ "pts/ptmx", "dev/ptmx" } };

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		need(symlink(links[i][0], links[i][1]), links[i][1]);
}

static void be_the_user(void)
{
	const unsigned int keep = 1U << CAP_KILL | 1U << CAP_NET_BIND_SERVICE | 1U << CAP_AUDIT_WRITE;
	const struct rlimit files = { 1024, 1024 };
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { { .effective = keep, .permitted = keep } };

	need(setrlimit(RLIMIT_NOFILE, &files), "limit of files");
	for (int c = 0; c < 64; c++)
		if ((c > 31 || !(keep & 1U << c)) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			break;
	need(setgroups(0, NULL), "groups");
	need(setresgid(0, 0, 0), "group");
	need(setresuid(0, 0, 0), "user");
	need(syscall(SYS_capset, &head, caps), "capabilities");
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

/* --- all others ------------------------------------------------------------------------------------------
 */

static void make_root(const char *rootfs, int v2)
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
	if (whole) {
		make_links();
		mount_cgroups(v2);
		protect_paths();
	}
	need(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	need(umount2(".", MNT_DETACH), "umount");
	need(chdir("/"), "chdir");
	if (whole)
		need(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "read-only /");
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

	while ((opt = getopt(argc, argv, "+n:dwx:k:")) != -1) {
		if (opt == '?')
			return 2;
		if (opt == 'd')
			detach = true;
		else if (opt == 'w')
			whole = true;
		else
			name = optarg;
		exec |= opt == 'x';
		end |= opt == 'k';
	}
	if (argc - optind < (end ? 0 : exec ? 1 : 2)) {
		fprintf(stderr, "usage: floor [-n NAME] [-d] [-w] ROOTFS CMD [ARG...] | -x NAME CMD [ARG...] "
				"| -k NAME\n");
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
	for (int i = 0; whole && !v2 && i < n_dirs; i++)
		if (strncmp(dirs[i], ROOT "/devices/", sizeof(ROOT "/devices/") - 1) == 0)
			put_rules(dirs[i]);
	pid = syscall(SYS_clone3, &clone, sizeof(clone));
	need(pid, "clone3");
	if (pid == 0) {
		join_cgroups(v2);
		if (whole) {
			need(setsid(), "session");
			need(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL), "keyring");
			loopback_up();
		}
		make_root(argv[0], v2);
		need(sethostname("floor", 5), "hostname");
		if (whole)
			be_the_user();
		execv(argv[1], argv + 1);
		_exit(127);
	}
	if (detach)
		return 0;
	status = wait_for((pid_t)pid);
	remove_cgroups();
	return status;
}
