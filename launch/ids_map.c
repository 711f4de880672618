/* SPDX-License-Identifier: Apache-2.0 */
/* Can a place be mounted with its ids mapped? By trying, in a mount that is attached nowhere. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "launch/ids.h"
#include "namespaces/mount_calls.h"
#include "namespaces/ns.h"

/* A user namespace for its map only: which one does not matter. */
static int make_userns(void)
{
	static const struct spec_id_map map = { .container_id = 0, .host_id = 524288, .size = LAUNCH_IDS };
	_cleanup_close_ int in = -EBADF, out = -EBADF;
	int pipefd[2], fd = -EBADF, r;
	char path[40], c;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return -errno;
	in = pipefd[0];
	out = pipefd[1];
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		close(out);
		while (read(in, &c, 1) < 0 && errno == EINTR)
			;
		_exit(0);
	}
	r = ns_write_maps(pid, &map, 1, &map, 1, false, NULL);
	if (r == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : 0;
	}
	out = fd_close(out);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? r : fd;
}

bool launch_ids_can_map(const char *path)
{
	_cleanup_close_ int userns = make_userns(), tree = -EBADF;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };

	if (userns < 0)
		return false;
	tree = sys_clone_tree(AT_FDCWD, path, 0);
	if (tree < 0)
		return false;
	attr.userns_fd = (uint64_t)userns;
	return sys_mount_setattr(tree, "", 0, &attr) == 0;
}
