/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest's kernel has, told by pid 1.
 *
 *   boot_probe archive >FILE	the initramfs with this program in it
 *   boot_probe			in the guest, as /init: a line for each thing on the console, then the end
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/initrd.h"

static int archive(void)
{
	struct err e = ERR_INIT;
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int fd = vm_initrd_make(self, &e);
	char buf[65536];
	ssize_t n;

	if (fd < 0) {
		fprintf(stderr, "boot_probe: %s\n", e.text);
		return 1;
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (fd_write_all(1, buf, (size_t)n) < 0)
			return 1;
	return n < 0;
}

/* `there`: the kernel knows it, whatever else it says. */
static void tell(const char *what, bool there)
{
	printf("%s %s\n", there ? "has" : "lacks", what);
}

static void call(const char *what, long r)
{
	tell(what, r >= 0 || errno != ENOSYS);
}

static void namespace(const char *name, int flag)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(flag) < 0);
	waitpid(pid, &status, 0);
	tell(name, pid > 0 && status == 0);
}

static void open_socket(const char *name, int domain, int type)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, 0);

	tell(name, fd >= 0);
	if (fd >= 0)
		close(fd);
}

/* The words of a file, each behind `prefix`. */
static void words(const char *prefix, const char *path)
{
	char word[64];
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return;
	while (fscanf(f, "%63s", word) == 1)
		printf("has %s:%s\n", prefix, word);
	fclose(f);
}

static void memory(void)
{
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "Mem", 3) == 0)
			printf("%s", line);
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	char ring[256] = { 0 };
	struct timespec now;
	struct utsname name;
	unsigned long context = 0;

	if (argc == 2 && strcmp(argv[1], "archive") == 0)
		return archive();
	if (getpid() != 1) {
		fprintf(stderr, "usage: boot_probe archive\n");
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	uname(&name);
	printf("init after %ld ms\nrelease %s\n", (long)(now.tv_sec * 1000 + now.tv_nsec / 1000000),
		name.release);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	memory();
	words("pid_max", "/proc/sys/kernel/pid_max");
	tell("devtmpfs", mount("dev", "/dev", "devtmpfs", 0, NULL) == 0);
	tell("cgroup2", mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) == 0);
	words("controller", "/sys/fs/cgroup/cgroup.controllers");
	words("fs", "/proc/filesystems");
	namespace("ns:mnt", CLONE_NEWNS);
	namespace("ns:uts", CLONE_NEWUTS);
	namespace("ns:ipc", CLONE_NEWIPC);
	namespace("ns:user", CLONE_NEWUSER);
	namespace("ns:pid", CLONE_NEWPID);
	namespace("ns:net", CLONE_NEWNET);
	namespace("ns:cgroup", CLONE_NEWCGROUP);
	namespace("ns:time", 0x80);
	open_socket("socket:unix", AF_UNIX, SOCK_STREAM);
	open_socket("socket:inet", AF_INET, SOCK_STREAM);
	open_socket("socket:inet6", AF_INET6, SOCK_DGRAM);
	open_socket("socket:packet", AF_PACKET, SOCK_RAW);
	open_socket("socket:netlink", AF_NETLINK, SOCK_RAW);
	open_socket("socket:vsock", 40, SOCK_STREAM);
	open_socket("socket:alg", 38, SOCK_SEQPACKET);
	tell("seccomp", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) < 0 && errno == EFAULT);
	call("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, NULL, 0));
	call("io_uring", syscall(SYS_io_uring_setup, 1, ring));
	call("aio", syscall(SYS_io_setup, 1, &context));
	call("inotify", inotify_init1(IN_CLOEXEC));
	call("fanotify", fanotify_init(FAN_CLOEXEC, 0));
	call("keys", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
	call("mqueue", syscall(SYS_mq_open, "x", O_RDWR | O_CREAT, 0600, NULL));
	call("userfaultfd", syscall(SYS_userfaultfd, 0));
	call("kexec", syscall(SYS_kexec_load, 0, 0, NULL, 0));
	call("init_module", syscall(SYS_init_module, NULL, 0, ""));
	tell("/dev/mem", access("/dev/mem", F_OK) == 0);
	tell("/proc/self/io", access("/proc/self/io", F_OK) == 0);
	printf("end\n");
	fflush(stdout);
	/* Without ACPI there is no other way off: see docs/sandbox.md. */
	reboot(RB_AUTOBOOT);
	return 1;
}
