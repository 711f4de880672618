/* SPDX-License-Identifier: Apache-2.0 */
/* A user namespace for its maps only: what mount_setattr(2) takes them from. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "namespaces/ns.h"

/*
 * The process that the namespace is made with borrows our memory, as a copy of the page tables would take
 * longer than all the rest, and a fault for each page that we touch afterwards. It has a stack of its own and
 * writes nothing else. AddressSanitizer wants to know of every stack: there it gets a copy.
 */
#ifdef __SANITIZE_ADDRESS__
#define SHARED 0
#else
#define SHARED CLONE_VM
#endif
#define STACK_SIZE 8192

struct holder {
	int in, out;
};

/* By raw system calls that cannot fail in a way that matters: errno is shared. */
static int hold(void *arg)
{
	const struct holder *h = arg;
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	close(h->out);
	while (read(h->in, &c, 1) < 0 && errno == EINTR)
		;
	return 0;
}

int ns_map_userns(const struct spec_id_map *uid, size_t n_uid, const struct spec_id_map *gid, size_t n_gid,
	const char *what, struct err *e)
{
	char stack[STACK_SIZE] __attribute__((aligned(16)));
	_cleanup_close_ int in = -EBADF, out = -EBADF;
	int pipefd[2], fd = -EBADF, r;
	struct holder h;
	char path[40];
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_set(e, errno, "idmap %s", what);
	in = h.in = pipefd[0];
	out = h.out = pipefd[1];
	pid = clone(hold, stack + STACK_SIZE, CLONE_NEWUSER | SHARED | SIGCHLD, &h);
	if (pid < 0)
		return err_set(e, errno, "idmap %s: make a user namespace", what);
	r = ns_write_maps(pid, uid, n_uid, gid, n_gid, false, e);
	if (r == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? err_set(e, errno, "open %s", path) : 0;
	}
	out = fd_close(out);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? err_wrap(e, "idmap %s", what) : fd;
}
