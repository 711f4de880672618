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
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/attach.h"
#include "runtime/files.h"
#include "sandbox/client.h"
#include "sandbox/terminal.h"

struct report {
	bool exec_failed;
	struct err e; /* code 0: it runs */
};

struct stand_in {
	struct rt_partition *p;
	const char *document;
	int slave; /* -1: 0, 1 and 2 as they are */
	int tell;
};

/* --- the stand-in
 * ---------------------------------------------------------------------------------------------- */

static void tell(struct stand_in *s, const struct report *report)
{
	(void)!write(s->tell, report, sizeof(*report));
	s->tell = fd_close(s->tell);
}

static void give_up(struct stand_in *s, int code, const char *what)
{
	struct report report = { 0 };

	err_set(&report.e, code, "%s", what);
	tell(s, &report);
	_exit(1);
}

static int send_size(struct proto *c, int tty)
{
	struct winsize ws;
	uint8_t data[8];

	if (ioctl(tty, TIOCGWINSZ, &ws) < 0 || (ws.ws_row == 0 && ws.ws_col == 0))
		return 0;
	memcpy(data, (uint16_t[]){ ws.ws_row, ws.ws_col, ws.ws_xpixel, ws.ws_ypixel }, sizeof(data));
	return proto_send(c, PROTO_WINSIZE, 0, 0, 0, data, sizeof(data));
}

static void serve_signals(struct stand_in *s, struct proto *c, int signals)
{
	struct signalfd_siginfo info;
	uint8_t data[8] = { 0 };

	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH && s->slave >= 0)
			send_size(c, 0);
		/* Not the kernel's, but for a terminal that hangs up. */
		if (info.ssi_code <= 0 || info.ssi_signo == SIGHUP) {
			proto_put_u32(data, info.ssi_signo);
			proto_send(c, PROTO_SIGNAL, 0, 0, 0, data, sizeof(data));
		}
	}
}

/* True: it is over, with *status. */
static bool serve_message(struct stand_in *s, struct proto *c, const struct proto_msg *m, int *status)
{
	struct report report = { 0 };

	if (m->type == PROTO_EXIT) {
		*status = (int)(proto_u32(m, 0) & 0xff);
		return true;
	}
	if (m->type == PROTO_ERROR) {
		report.exec_failed = proto_u32(m, 4) & PROTO_EXEC_FAILED;
		proto_error(m, &report.e);
		tell(s, &report);
		*status = 1;
		return true;
	}
	if (m->type == PROTO_DONE && s->tell >= 0) {
		if (s->slave >= 0)
			send_size(c, 0);
		tell(s, &report);
	}
	return false;
}

static void follow(struct stand_in *s, struct proto *c, int signals)
{
	struct pollfd at[2] = { { .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	struct proto_msg m;
	int status, r;

	for (;;) {
		at[0].fd = c->fd;
		at[0].events = (short)(POLLIN | (proto_waits(c) ? POLLOUT : 0));
		if (poll(at, 2, -1) < 0 && errno != EINTR)
			give_up(s, errno, "wait for the monitor");
		if (at[1].revents)
			serve_signals(s, c, signals);
		proto_flush(c);
		while ((r = proto_next(c, &m)) > 0)
			if (serve_message(s, c, &m, &status))
				_exit(status);
		if (r < 0 && s->tell >= 0)
			give_up(s, ESRCH, "cannot exec in a stopped container: the sandbox has ended");
		if (r < 0)
			_exit(128 + SIGKILL);
	}
}

static void stand_in(struct stand_in *s)
{
	int fds[3] = { 0, 1, 2 }, sock, signals, r;
	struct proto c;
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	prctl(PR_SET_NAME, "ringfence-exec");
	setsid();
	if (s->slave >= 0) {
		for (int i = 0; i < 3; i++)
			if (dup2(s->slave, i) < 0)
				give_up(s, errno, "take the terminal");
		if (ioctl(0, TIOCSCTTY, 0) < 0)
			give_up(s, errno, "take the terminal as ours");
	}
	sock = fd_connect_unix(s->p->dirfd, CLIENT_SOCKET, SOCK_STREAM);
	if (sock == -ENOENT)
		sock = fd_connect_unix(s->p->dirfd, RT_START_SOCKET, SOCK_STREAM);
	if (sock < 0 || signals < 0)
		give_up(s, sock < 0 ? -sock : errno,
			"cannot exec in a stopped container: reach the sandbox's monitor");
	proto_open(&c, sock);
	for (int i = 0; i < 3; i++)
		fds[i] = terminal_own(i);
	/* A pidfd or a lock of the partition's is of no use here, and the state directory must not be kept.
	 */
	fd_close(s->p->dirfd);
	fd_close(s->p->rootfd);
	r = proto_send_fds(&c, PROTO_EXEC, 0, 1, s->document, strlen(s->document), fds, 3);
	if (r < 0)
		give_up(s, -r, "talk to the sandbox's monitor");
	for (int i = 0; i < 3; i++)
		fd_close(fds[i]);
	/* They are the monitor's now. The terminal stays ours, to be told its size. */
	if (s->slave < 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		for (int i = 0; i < 3 && null >= 0; i++)
			dup2(null, i);
	}
	follow(s, &c, signals);
}

/* --- the caller
 * ------------------------------------------------------------------------------------------------- */

static char *document(const struct spec_process *proc, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text = NULL;
	char *copy;

	if (w) {
		json_open_object(w, NULL);
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
	struct stand_in *s, const struct rt_exec_opts *o, pid_t *pid, bool *exec_failed, struct err *e)
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
		_exit(1);
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
	struct stand_in s = { .p = p, .slave = -EBADF };
	pid_t pid = 0;
	int r = refuse(o, e);

	if (r == 0)
		r = files_console(o->console_socket, proc->terminal, o->detach, &console, e);
	if (r == 0 && proc->terminal)
		r = terminal_open(proc, console, &master, &slave, e);
	if (r < 0)
		return r;
	text = document(proc, e);
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
