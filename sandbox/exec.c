/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec into a sandbox (see client.h).
 *
 * The stand-in is forked before anything is said: its standard streams, ours or a new terminal's, go to the
 * monitor as descriptors, so no byte of them passes through it. It reports through a pipe when the guest's
 * process runs or why it does not, which is also when we write the pid file: as for any other exec, its
 * absence says that there never was a process.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/attach.h"
#include "runtime/files.h"
#include "sandbox/client.h"
#include "sandbox/stand_in.h"
#include "sandbox/terminal.h"

struct report {
	bool exec_failed;
	struct err e; /* code 0: it runs */
};

struct executor {
	struct rt_partition *p;
	const char *document;
	int slave; /* -1: 0, 1 and 2 as they are */
	int tell;
};

/* --- the stand-in
 * ---------------------------------------------------------------------------------------------- */

static void report_it(struct stand_in *s, const struct proto_msg *done, bool exec_failed, const struct err *e)
{
	struct executor *x = s->arg;
	struct report report = { .exec_failed = exec_failed };

	if (!done)
		report.e = *e;
	(void)!write(x->tell, &report, sizeof(report));
	x->tell = fd_close(x->tell);
}

_Noreturn static void stand_in(struct executor *x)
{
	struct stand_in s = { .sync = -EBADF, .fate = -EBADF, .tell = report_it, .arg = x };
	_cleanup_close_ int dir = client_dir(x->p);
	struct err e = ERR_INIT;

	if (dir < 0)
		err_text(&e, ESRCH, "cannot exec in a stopped container: the sandbox has ended");
	if (dir < 0 || stand_in_begin(&s, "ringfence-exec", x->slave, &e) < 0 ||
		stand_in_ask(&s, dir, PROTO_EXEC, x->document, &e) < 0) {
		if (e.code == ENOENT || e.code == ECONNREFUSED)
			err_text(&e, ESRCH, "cannot exec in a stopped container: the sandbox has ended");
		stand_in_give_up(&s, &e);
	}
	/* A pidfd or a lock of the partition's is of no use here, and the state directory must not be kept.
	 */
	dir = fd_close(dir);
	fd_close(x->p->dirfd);
	fd_close(x->p->rootfd);
	stand_in_confine(&s);
	stand_in_follow(&s);
}

/* --- the caller
 * ------------------------------------------------------------------------------------------------- */

static char *document(const struct rt_partition *p, const struct spec_process *proc, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text = NULL;
	char *copy;

	if (w) {
		json_open_object(w, NULL);
		json_put_u64(w, "partition", client_number(p));
		spec_write_process(w, "process", proc);
		json_close_object(w);
		text = json_writer_text(w, NULL);
	}
	copy = text ? strdup(text) : NULL;
	if (!copy)
		err_set(e, ENOMEM, "write the process");
	return copy;
}

static int refuse(const struct rt_exec_opts *o, struct err *e)
{
	if (o->preserve_fds > 0)
		return err_text(e, EOPNOTSUPP,
			"--preserve-fds: descriptors of the host's kernel cannot be given to a process in a "
			"sandbox");
	if (o->cgroups && o->cgroups[0])
		return err_text(e, EOPNOTSUPP, "--cgroup: a sandbox's cgroups are its own kernel's");
	if (o->apparmor || o->process_label)
		return err_text(e, EOPNOTSUPP,
			"%s: labels of the host's mean nothing to the kernel of a sandbox",
			o->apparmor ? "--apparmor" : "--process-label");
	return 0;
}

/* False: a signal told us to stop first. */
static bool comes(int from, int stop)
{
	struct pollfd at[2] = { { .fd = from, .events = POLLIN }, { .fd = stop, .events = POLLIN } };

	while (stop >= 0 && poll(at, 2, -1) < 0 && errno == EINTR)
		;
	return !at[1].revents;
}

/* In a paused sandbox that may take for ever, or until we are told to stop (`stop`, or -1). */
static int await_report(int from, int stop, pid_t pid, bool *exec_failed, struct err *e)
{
	struct report report;
	ssize_t n;

	if (!comes(from, stop)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err_text(e, ECANCELED, "interrupted by a signal before the sandbox answered");
	}
	do
		n = read(from, &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(report) && report.e.code == 0)
		return 0;
	waitpid(pid, NULL, 0);
	if (n != (ssize_t)sizeof(report))
		return err_text(e, ECANCELED, "the process that was to stand in for the command was killed");
	*exec_failed = report.exec_failed;
	return err_text(e, report.e.code, "%s", report.e.text);
}

static int begin(
	struct executor *s, const struct rt_exec_opts *o, pid_t *pid, bool *exec_failed, struct err *e)
{
	_cleanup_close_ int stop = o->ignore_paused ? attach_stop_fd(e) : -EBADF;
	int pipe_[2], r;

	if (o->ignore_paused && stop < 0)
		return stop;
	if (pipe2(pipe_, O_CLOEXEC) < 0)
		return err_set(e, errno, "make a pipe");
	s->tell = pipe_[1];
	if (!o->detach)
		attach_begin();
	*pid = fork();
	if (*pid == 0) {
		close(pipe_[0]);
		stand_in(s);
	}
	close(pipe_[1]);
	r = *pid < 0 ? err_set(e, errno, "make a process to stand in for the command")
		     : await_report(pipe_[0], stop, *pid, exec_failed, e);
	close(pipe_[0]);
	return r;
}

int client_exec(struct rt_partition *p, const struct rt_exec_opts *o, const struct spec_process *proc,
	int *status, bool *exec_failed, struct err *e)
{
	_cleanup_close_ int console = -EBADF, master = -EBADF, slave = -EBADF;
	_cleanup_free_ char *text = NULL;
	struct executor s = { .p = p, .slave = -EBADF };
	pid_t pid = 0;
	int r = refuse(o, e);

	if (r == 0)
		r = files_console(o->console_socket, proc->terminal, o->detach, &console, e);
	if (r == 0 && proc->terminal)
		r = terminal_open(proc, console, &master, &slave, e);
	if (r < 0)
		return r;
	text = document(p, proc, e);
	if (!text)
		return -e->code;
	s.document = text;
	s.slave = slave;
	r = begin(&s, o, &pid, exec_failed, e);
	if (r == 0)
		r = files_write_pid(o->pid_file, pid, e);
	if (r == 0)
		r = files_send_pidfd(o->pidfd_socket, pid, e);
	slave = fd_close(slave);
	/* Nobody knows of it: its process in the guest ends with it. */
	if (r < 0 && pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (r == 0 && !o->detach) {
		if (master >= 0 && !proc->has_console_size)
			attach_copy_size(master);
		r = attach_wait(pid, TAKE_FD(master), true, NULL, status, e);
	}
	return r;
}
