/* SPDX-License-Identifier: Apache-2.0 */
/* Mount namespaces made from a template (see template.h). */
#include "namespaces/template.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "namespaces/mount_state.h"

#define EMPTY	  "empty"
#define READ_ONLY (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* --- a new one ------------------------------------------------------------------------------------------ */

static int covered(void)
{
	struct stat st;

	/* An empty directory of its own on one that is not empty: which of them there are is the machine's.
	 */
	for (const char *const *at = (const char *const[]){ "sys/firmware", "sys/power", "sys/dev", NULL };
		*at; at++)
		if (stat(*at, &st) == 0 && S_ISDIR(st.st_mode) && mount(EMPTY, *at, NULL, MS_BIND, NULL) == 0)
			return 0;
	return -1;
}

/* In a process of its own: 0, or an errno. */
static int build(void)
{
	_cleanup_close_ int net = -EBADF;

	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return errno;
	/* What sysfs shows is empty as soon as nobody has the network namespace any more. */
	net = sys_clone_tree(AT_FDCWD, "/proc/self/ns/net", 0);
	if (net < 0)
		return -net;
	/* Anywhere: nobody else sees it. */
	if (mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		    "mode=555,size=4k,nr_inodes=8") < 0 ||
		chdir("/proc") < 0 || mkdir("sys", 0555) < 0 || mkdir(EMPTY, 0555) < 0 ||
		mknod("net", S_IFREG | 0400, 0) < 0 || sys_attach(net, AT_FDCWD, "net") < 0 ||
		mount("sysfs", "sys", "sysfs", READ_ONLY, NULL) < 0 || covered() < 0)
		return errno;
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
		mount(NULL, "/", NULL, MS_REMOUNT | READ_ONLY, NULL) < 0)
		return errno;
	return 0;
}

static void build_and_wait(int in, int out, pid_t parent)
{
	int code;
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	code = getppid() == parent ? build() : ESRCH;
	if (write(out, &code, sizeof(code)) == sizeof(code))
		(void)!read(in, &c, 1);
	_exit(0);
}

/* Of a child that waits until `in` closes. */
static int take_built(pid_t pid, int out, struct err *e)
{
	int code, fd;
	char path[48];
	ssize_t n;

	do
		n = read(out, &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(code))
		return err_text(e, ECANCELED, "make a template for mount namespaces: its process ended");
	if (code)
		return err_set(e, code, "make a template for mount namespaces");
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "open %s", path) : fd;
}

int mnt_template_new(struct err *e)
{
	int go[2], said[2], fd;
	pid_t parent = getpid(), pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		return err_set(e, errno, "make a template for mount namespaces");
	if (pipe2(said, O_CLOEXEC) < 0) {
		fd = err_set(e, errno, "make a template for mount namespaces");
		fd_close(go[0]);
		fd_close(go[1]);
		return fd;
	}
	pid = fork();
	if (pid == 0) {
		fd_close(go[1]);
		fd_close(said[0]);
		build_and_wait(go[0], said[1], parent);
	}
	fd_close(go[0]);
	fd_close(said[1]);
	if (pid < 0)
		fd = err_set(e, errno, "make a template for mount namespaces");
	else
		fd = take_built(pid, said[0], e);
	fd_close(go[1]);
	fd_close(said[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return fd;
}

bool mnt_is_template(int fd)
{
	return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNS;
}

/* --- a copy --------------------------------------------------------------------------------------------- */

/*
 * The process that goes there borrows our memory and our descriptors: see map_userns.c. What it opens it puts
 * on numbers that we have kept for it.
 */
#ifdef __SANITIZE_ADDRESS__
#define SHARED 0
#else
#define SHARED CLONE_VM
#endif
#define STACK_SIZE 16384

struct copier {
	int from, userns, proc;
	int ns, sysfs; /* numbers */
};

/* By raw system calls: errno is shared. Its exit status is an errno. */
static int copy(void *arg)
{
	const struct copier *c = arg;
	int tree, ns;

	if (setns(c->from, CLONE_NEWNS) < 0 || setns(c->userns, CLONE_NEWUSER) < 0 ||
		unshare(CLONE_NEWNS) < 0)
		return errno;
	/* With what covers it: without, it cannot be had. */
	tree = sys_clone_tree(AT_FDCWD, "/sys", AT_RECURSIVE);
	if (tree < 0)
		return -tree;
	if (dup3(tree, c->sysfs, O_CLOEXEC) < 0)
		return errno;
	close(tree);
	ns = openat(c->proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (ns < 0 || dup3(ns, c->ns, O_CLOEXEC) < 0)
		return errno;
	close(ns);
	return 0;
}

int mnt_template_copy(int from, int userns, int *sysfs, struct err *e)
{
	char stack[STACK_SIZE] __attribute__((aligned(16)));
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC), ns = -EBADF,
			    tree = -EBADF;
	struct copier c = { .from = from, .userns = userns, .proc = proc };
	int status;
	pid_t pid;

	if (proc < 0)
		return err_set(e, errno, "open /proc");
	ns = c.ns = fcntl(proc, F_DUPFD_CLOEXEC, 3);
	tree = c.sysfs = fcntl(proc, F_DUPFD_CLOEXEC, 3);
	if (ns < 0 || tree < 0)
		return err_set(e, errno, "copy a template for mount namespaces");
	pid = clone(copy, stack + STACK_SIZE, SHARED | CLONE_FILES | CLONE_VFORK | SIGCHLD, &c);
	if (pid < 0)
		return err_set(e, errno, "copy a template for mount namespaces");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return err_set(e, WIFEXITED(status) ? WEXITSTATUS(status) : ECANCELED,
			"copy a template for mount namespaces");
	*sysfs = TAKE_FD(tree);
	return TAKE_FD(ns);
}
