/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a supervisor, and telling it that the end is wanted (see supervise.h). */
#include "launch/supervise.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "launch/control.h"
#include "runtime/program.h"

static const char *const managers[] = {
	[CGRP_CGROUPFS] = "cgroupfs",
	[CGRP_SYSTEMD] = "systemd",
	[CGRP_DISABLED] = "disabled",
};

const char *launch_dir_data(const struct launch_dir *d, struct arena *a)
{
	return arena_strndup(a, d->path, strlen(d->path) - strlen(d->record.name) - strlen("/partitions/"));
}

/* Room for the program, six global options with their values, the verb with two arguments and an option. */
struct command_line {
	const char *argv[20];
	size_t n;
};

static void add(struct command_line *c, const char *option, const char *value)
{
	if (!value)
		return;
	c->argv[c->n++] = option;
	c->argv[c->n++] = value;
}

/* In the child of a fork(2): what is written here nobody else sees. */
static void execute(const struct launch_ctx *ctx, const struct launch_dir *d, int report)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct rt_ctx rt = launch_rt(ctx, &d->record);
	const char *store = NULL;
	struct command_line c = { .argv = { "ringfence" }, .n = 1 };
	int null = open("/dev/null", O_RDWR);
	char fd[16], self[PATH_MAX];
	sigset_t none;

	/* Out of reach of payloads we have no path that the kernel knows: it is told, for what comes with us.
	 */
	if (rt_own_program(self, sizeof(self), NULL) == 0)
		c.argv[0] = self;
	/* Absolute all of them: its working directory is the partition's. */
	if (!a || launch_store_path(ctx, a, &store, NULL) < 0)
		store = ctx->store;
	add(&c, "--root", rt.root ? path_absolute(rt.root) : NULL);
	add(&c, "--data", a ? launch_dir_data(d, a) : ctx->data);
	add(&c, "--store", store);
	add(&c, "--cgroup-manager", managers[rt.manager]);
	if (rt.rootless >= 0)
		add(&c, "--rootless", rt.rootless ? "true" : "false");
	snprintf(fd, sizeof(fd), "%d", report);
	add(&c, "supervise", "--report");
	c.argv[c.n++] = fd;
	c.argv[c.n++] = d->record.name;
	/* Out of reach of a terminal's hang-up, and of a shell that signals its jobs. */
	setsid();
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	fd_cloexec_from(3);
	fd_cloexec(report, false);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A service manager waits for our caller's word, or for ours: the payload has none to say through us.
	 */
	unsetenv("NOTIFY_SOCKET");
	execv("/proc/self/exe", (char *const *)c.argv);
}

/* What the supervisor says; its end without a word is an error, too. */
static int hear(int fd, pid_t pid, struct err *e)
{
	struct err said;
	size_t have = 0;
	ssize_t n;
	int status = 0;

	do {
		n = read(fd, (char *)&said + have, sizeof(said) - have);
		if (n > 0)
			have += (size_t)n;
	} while (n > 0 ? have < sizeof(said) : n < 0 && errno == EINTR);
	if (have == sizeof(said) && said.code == 0)
		return 0;
	/* Nothing of it is left when we say that it failed. */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (have == sizeof(said)) {
		said.text[sizeof(said.text) - 1] = '\0';
		return err_text(e, said.code, "%s", said.text);
	}
	if (WIFSIGNALED(status))
		return err_text(
			e, ECHILD, "the partition's supervisor was killed by signal %d", WTERMSIG(status));
	return err_text(e, ECHILD, "the partition's supervisor could not be executed: is /proc mounted?");
}

int launch_supervisor_start(const struct launch_ctx *ctx, const struct launch_dir *d, struct err *e)
{
	_cleanup_close_ int ours = -EBADF;
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, "make a pipe to the supervisor");
	ours = p[0];
	pid = fork();
	if (pid == 0) {
		execute(ctx, d, p[1]);
		_exit(127);
	}
	fd_close(p[1]);
	if (pid < 0)
		return err_set(e, errno, "make a process for the supervisor");
	return hear(ours, pid, e);
}

int launch_supervisor_stop(const struct launch_dir *d, bool keep, struct err *e)
{
	_cleanup_close_ int sock = control_connect(d->fd);
	char flag = keep ? CONTROL_KEEP : 0;
	int r;

	if (sock == -ENOENT || sock == -ECONNREFUSED)
		return 0;
	if (sock < 0)
		return err_set(e, -sock, "talk to the supervisor of partition \"%s\"", d->record.name);
	r = control_ask(sock, CONTROL_STOP, &flag, 1, e);
	/* It has ended while we asked. */
	if (r == -ECONNRESET && e)
		err_clear(e);
	return r >= 0 ? 1 : r == -ECONNRESET ? 0 : r;
}
