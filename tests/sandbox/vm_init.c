/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's side of vm_boot: the only file of an initramfs. Says that it is up, answers what comes through
 * its port, and ends in the way that the kernel's command line names ("end=off", "panic", "triple", "cf9",
 * "none").
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The virtio-serial port of this name, or -1. */
static int open_named(const char *wanted)
{
	DIR *d = opendir("/sys/class/virtio-ports");
	struct dirent *entry;
	int fd = -1;

	while (d && fd < 0 && (entry = readdir(d))) {
		char path[600], name[64] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
		f = fopen(path, "re");
		if (f && fgets(name, sizeof(name), f))
			name[strcspn(name, "\n")] = '\0';
		if (f)
			fclose(f);
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		if (strcmp(name, wanted) == 0)
			fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (d)
		closedir(d);
	return fd;
}

static int open_port(void)
{
	int fd = -1;

	/* The device may be found a moment after us. */
	for (int i = 0; fd < 0 && i < 200; i++) {
		fd = open_named("ringfence.control");
		if (fd < 0)
			usleep(10000);
	}
	return fd;
}

/* Sends back all that comes, until a line "end". */
static void echo_port(void)
{
	char buf[4096];
	int fd = open_port();
	ssize_t n;

	if (fd < 0) {
		printf("init: no port\n");
		return;
	}
	while ((n = read(fd, buf, sizeof(buf))) >= 0) {
		if (n == 0) { /* nobody at the other end yet */
			usleep(1000);
			continue;
		}
		if (n == 4 && memcmp(buf, "end\n", 4) == 0)
			break;
		for (ssize_t at = 0, w; at < n; at += w) {
			w = write(fd, buf + at, (size_t)(n - at));
			if (w < 0)
				break;
		}
	}
	close(fd);
}

static void show(const char *path, const char *start)
{
	char line[256];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, start, strlen(start)) == 0)
			printf("init: %s", line);
	}
	if (f)
		fclose(f);
}

/* What the disk of this number holds, added up. */
static void read_disk(unsigned n)
{
	static unsigned char buf[65536];
	unsigned long long sum = 0, bytes = 0;
	char path[16];
	ssize_t len;
	int fd;

	/* vda … vdz, vdaa … */
	if (n < 26)
		snprintf(path, sizeof(path), "/dev/vd%c", 'a' + n);
	else
		snprintf(path, sizeof(path), "/dev/vd%c%c", 'a' + n / 26 - 1, 'a' + n % 26);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (len = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < len; i++)
			sum += buf[i];
		bytes += (unsigned long long)len;
	}
	printf("init: disk %u: %llu bytes, sum %llu\n", n, bytes, sum);
	close(fd);
}

/* All at once, so that their interrupts meet. */
static void read_disks(unsigned n)
{
	fflush(stdout);
	for (unsigned i = 0; i < n; i++) {
		if (fork() == 0) {
			read_disk(i);
			fflush(stdout);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
}

static void end(const char *how)
{
	fflush(stdout);
	if (strcmp(how, "off") == 0)
		reboot(RB_AUTOBOOT);
	while (strcmp(how, "none") == 0)
		pause();
	/* "panic": the kernel does not survive its first process. */
	exit(1);
}

int main(void)
{
	const char *how = getenv("end");
	struct utsname u;

	mkdir("/proc", 0755);
	mkdir("/dev", 0755);
	mkdir("/sys", 0755);
	(void)mount("sys", "/sys", "sysfs", 0, NULL);
	(void)mount("proc", "/proc", "proc", 0, NULL);
	(void)mount("dev", "/dev", "devtmpfs", 0, NULL);
	uname(&u);
	printf("init: up, Linux %s, %ld CPUs\n", u.release, sysconf(_SC_NPROCESSORS_ONLN));
	if (getenv("verbose")) {
		show("/proc/meminfo", "MemTotal");
		show("/proc/meminfo", "MemAvailable");
		show("/proc/uptime", "");
		show("/proc/interrupts", "");
		show("/sys/devices/system/clocksource/clocksource0/current_clocksource", "");
	}
	fflush(stdout);
	if (getenv("disks"))
		read_disks((unsigned)strtoul(getenv("disks"), NULL, 10));
	if (getenv("port"))
		echo_port();
	end(how ? how : "off");
	return 0;
}
