/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What users of a partition without root have written is theirs, by the subordinate ids of whoever launched
 * it: he may not even look into it. Root of a user namespace with the same ids may, and removes it.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "launch/tree.h"
#include "namespaces/ns.h"
#include "runtime/partition.h"
#include "runtime/subids.h"

/* A config without a user namespace: the runtime adds the one that each partition of this user has. */
static const char nothing[] = "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"root\"},"
			      "\"process\":{\"cwd\":\"/\",\"args\":[\"/\"],\"user\":{\"uid\":0,\"gid\":0}},"
			      "\"linux\":{\"namespaces\":[]}}";

static int write_maps(pid_t pid, struct err *e)
{
	_cleanup_(spec_freep) struct spec *s = NULL;
	int r = spec_parse(nothing, sizeof(nothing) - 1, &s, e);

	if (r == 0)
		r = rt_adapt_spec(s, e);
	if (r == 0)
		r = subids_extend(s, e);
	if (r < 0)
		return r;
	return ns_write_maps(pid, s->uid_map, s->n_uid_map, s->gid_map, s->n_gid_map, true, e);
}

/* ready: it has its namespace; go: that has its ids. */
static _Noreturn void child(int ready, int go, int (*work)(void *arg), void *arg)
{
	char byte = 0;
	int r = 0;

	if (unshare(CLONE_NEWUSER) < 0)
		r = -errno;
	if (r == 0 && (fd_write_all(ready, &byte, 1) < 0 || read(go, &byte, 1) != 1))
		r = -EPERM;
	if (r == 0)
		r = work(arg);
	_exit(-r);
}

int launch_as_users(int (*work)(void *arg), void *arg, struct err *e)
{
	int ready[2] = { -EBADF, -EBADF }, go[2] = { -EBADF, -EBADF }, status, r = 0;
	char byte;
	pid_t pid = -1;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		r = err_set(e, errno, "make a pipe");
	if (r == 0) {
		pid = fork();
		if (pid == 0) {
			/* Its end of file must be seen. */
			fd_close(go[1]);
			child(ready[1], go[0], work, arg);
		}
		if (pid < 0)
			r = err_set(e, errno, "fork");
	}
	ready[1] = fd_close(ready[1]);
	go[0] = fd_close(go[0]);
	/* Without it the child says why not, when it ends. */
	if (r == 0 && read(ready[0], &byte, 1) == 1) {
		r = write_maps(pid, e);
		if (r == 0 && fd_write_all(go[1], &byte, 1) < 0)
			r = -EPIPE;
	}
	fd_close(ready[0]);
	fd_close(go[1]);
	if (pid > 0) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
		if (r == 0)
			r = WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
	}
	return r;
}
