/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's first and last moments: file systems, the root, ports, the power. */
#include <fcntl.h>
#include <linux/reboot.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "sandbox/guest/guest.h"

#define PORTS	  "/sys/class/virtio-ports"
#define FILES_MAX 1048576 /* fs.nr_open */

static int mount_on(
	const char *type, const char *target, unsigned long flags, const char *data, struct err *e)
{
	if (mkdir(target, 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, "make %s", target);
	if (mount(type, target, type, flags, data) < 0)
		return err_set(
			e, errno, "mount %s on %s: is it built into the guest's kernel?", type, target);
	return 0;
}

/*
 * The initial ramfs has no parent, and pivot_root(2) wants one: a tmpfs is moved over it, as switch_root
 * does. What is left below is our own program; read-only, so that nothing that we execute can write to it by
 * way of /proc/PID/exe (CVE-2019-5736).
 */
static int new_root(struct err *e)
{
	int r = mount_on("tmpfs", "/root", 0, "mode=755", e);

	if (r < 0)
		return r;
	unlink("/init");
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return err_set(e, errno, "make the initial file system read-only");
	if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
		chdir("/") < 0)
		return err_set(e, errno, "move into a root of our own");
	return 0;
}

/* Whoever opens /dev/null or a pipe must not become 0, 1 or 2: the initial file system has no console. */
static int standard_fds(struct err *e)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return err_set(e, errno, "open /dev/null");
	} while (fd < 3);
	close(fd);
	for (int i = 0; i < 3; i++) {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0 || dup2(fd, i) < 0)
			return err_set(e, errno, "open /dev/null");
		close(fd);
	}
	return 0;
}

int guest_boot(struct err *e)
{
	const unsigned long plain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	/* The kernel gives pid 1 little of either. */
	const struct rlimit files = { FILES_MAX, FILES_MAX }, processes = { RLIM_INFINITY, RLIM_INFINITY };
	int r;

	umask(0);
	r = new_root(e);
	if (r == 0)
		r = mount_on("devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=755", e);
	if (r == 0)
		r = standard_fds(e);
	if (r == 0)
		r = mount_on("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=620,ptmxmode=666", e);
	if (r == 0)
		r = mount_on("proc", "/proc", plain, NULL, e);
	if (r == 0)
		r = mount_on("sysfs", "/sys", plain, NULL, e);
	if (r == 0)
		r = mount_on("cgroup2", "/sys/fs/cgroup", plain, "nsdelegate", e);
	if (r == 0)
		r = mount_on("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755", e);
	if (r == 0)
		r = mount_on("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777", e);
	umask(022);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_NPROC, &processes);
	/*
	 * A partition may ask for more than its limit, since the host has more, and meets the limit when it
	 * uses that. So here, where the machine is little larger than the limit.
	 */
	if (r == 0)
		(void)fd_put_at(AT_FDCWD, "/proc/sys/vm/overcommit_memory", "1");
	/* A machine that is killed loses what it has not written back: no more than the last moment. */
	if (r == 0)
		(void)fd_put_at(AT_FDCWD, "/proc/sys/vm/dirty_writeback_centisecs", "10");
	if (r == 0)
		(void)fd_put_at(AT_FDCWD, "/proc/sys/vm/dirty_expire_centisecs", "10");
	return r;
}

void guest_limits(void)
{
	const struct rlimit files = { 1024, FILES_MAX };

	setrlimit(RLIMIT_NOFILE, &files);
}

static int port_number(const char *name, char *device, size_t size)
{
	_cleanup_closedir_ DIR *d = opendir(PORTS);
	struct dirent *de;
	char file[300], text[128];

	while (d && (de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/name", de->d_name);
		if (fd_get_at(dirfd(d), file, text, sizeof(text)) <= 0 || !str_eq(text, name))
			continue;
		return snprintf(device, size, "/dev/%s", de->d_name) < (int)size ? 0 : -ENAMETOOLONG;
	}
	return -ENOENT;
}

int guest_port(const char *name, int ms, struct err *e)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int64_t until = guest_now() + ms;
	_cleanup_close_ int fd = -EBADF;
	char device[300];

	/* Its name comes in a message of its own, some time after the device. */
	while (port_number(name, device, sizeof(device)) < 0) {
		if (guest_now() >= until)
			return err_text(e, ENODEV, "the machine has no virtio-serial port \"%s\"", name);
		nanosleep(&pause, NULL);
	}
	fd = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set(e, errno, "open port \"%s\" (%s)", name, device);
	/* So does word that the host has its side open: to read before that is to find the end. */
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 0) >= 0 && !(p.revents & POLLHUP))
			return TAKE_FD(fd);
		if (guest_now() >= until)
			return err_text(e, ETIMEDOUT, "nobody is at the other end of port \"%s\"", name);
		nanosleep(&pause, NULL);
	}
}

void guest_complain(const char *text)
{
	_cleanup_close_ int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char line[ERR_TEXT_MAX + 40];
	int n = snprintf(line, sizeof(line), "<2>ringfence-guest: %s\n", text);

	if (fd >= 0 && n > 0)
		(void)!write(fd, line, strlen(line));
	else
		fprintf(stderr, "ringfence-guest: %s\n", text);
}

void guest_power_off(void)
{
	kill(-1, SIGKILL);
	/* "reboot=t" on the kernel's command line: by a triple fault, which any monitor takes for the end. */
	reboot(RB_AUTOBOOT);
	_exit(1);
}
