/* SPDX-License-Identifier: Apache-2.0 */
/* Staying with a process in the foreground (see attach.h). */
#include "runtime/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"

/* Not more than a pipe takes at once after POLLOUT (pipe(7), PIPE_BUF): so no write here ever blocks. */
#define CHUNK 4096

/* All but those that are about ourselves: job control, faults, and what cannot be caught. */
static void forwarded(sigset_t *set)
{
	static const int ours[] = { SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGPIPE, SIGSEGV, SIGBUS, SIGFPE,
		SIGILL, SIGTRAP, SIGABRT, SIGSYS };

	sigfillset(set);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		sigdelset(set, ours[i]);
}

void attach_begin(void)
{
	sigset_t set;

	forwarded(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int attach_stop_fd(struct err *e)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
		sigaddset(&set, ending[i]);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_set(e, errno, "make a signal descriptor") : fd;
}

/* Who is waited for, and what is told of its end. */
struct awaited {
	pid_t pid;
	int *status;
	struct rt_oom *oom;
	bool remote; /* see attach.h */
};

static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reaps what ended, up to and including `a`: then nobody else is waited for. True when it was among them. */
static bool reap(const struct awaited *a)
{
	int st;
	pid_t p;

	while ((p = waitpid(-1, &st, WNOHANG)) > 0) {
		if (p == a->pid) {
			if (a->oom)
				rt_oom_read(a->oom);
			*a->status = shell_status(st);
			return true;
		}
	}
	if (p == 0 || errno == EINTR)
		return false;
	/* There is none any more: nobody will ever tell how it ended. */
	*a->status = 255;
	return true;
}

/* --- without a terminal
 * ----------------------------------------------------------------------------------------------------------------
 */

/* Until there is a signal, with an eye on the cgroup meanwhile. */
static void watch_cgroup(struct rt_oom *oom, int sigfd)
{
	struct pollfd p[1 + RT_OOM_POLLS] = { { .fd = sigfd, .events = POLLIN } };

	while (oom->empty >= 0 && !p[0].revents) {
		rt_oom_poll(oom, p + 1);
		if (poll(p, ARRAY_SIZE(p), -1) > 0)
			rt_oom_look(oom, p + 1);
	}
}

static void wait_plain(const struct awaited *a)
{
	_cleanup_close_ int sigfd = -EBADF;
	sigset_t set;
	siginfo_t info;

	forwarded(&set);
	if (a->oom && a->oom->empty >= 0)
		sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		int sig;

		if (sigfd >= 0)
			watch_cgroup(a->oom, sigfd);
		sig = sigwaitinfo(&set, &info);
		if (sig == SIGCHLD) {
			if (reap(a))
				return;
		} else if (sig > 0 && sig != SIGWINCH) {
			/* Not reaped yet, so the pid is still its own. */
			kill(a->pid, sig);
		}
	}
}

/* --- with one
 * -----------------------------------------------------------------------------------------------------------------------------
 */

struct relay {
	int from, to;
	char buf[CHUNK];
	size_t start, end;
	bool closed; /* nothing more comes from `from` */
};

static void relay_read(struct relay *r)
{
	ssize_t n = read(r->from, r->buf, sizeof(r->buf));

	if (n > 0) {
		r->start = 0;
		r->end = (size_t)n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		/* A master answers EIO when the last slave has gone. */
		r->closed = true;
	}
}

static void relay_write(struct relay *r)
{
	ssize_t n = write(r->to, r->buf + r->start, r->end - r->start);

	if (n > 0) {
		r->start += (size_t)n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		/* Nobody listens: what is left is dropped, so that the partition does not hang on it. */
		r->start = r->end;
	}
}

static bool relay_full(const struct relay *r)
{
	return r->start < r->end;
}

void attach_copy_size(int master)
{
	struct winsize ws;

	if (ioctl(0, TIOCGWINSZ, &ws) == 0 || ioctl(1, TIOCGWINSZ, &ws) == 0)
		ioctl(master, TIOCSWINSZ, &ws);
}

static bool serve_signals(int sigfd, int master, const struct awaited *a)
{
	struct signalfd_siginfo info;
	bool ended = false;

	while (read(sigfd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			ended = reap(a) || ended;
		else if (info.ssi_signo == SIGWINCH)
			attach_copy_size(master);
		else if (!ended)
			kill(a->pid, (int)info.ssi_signo);
	}
	return ended;
}

/* End of a stdin that is no terminal: the partition's terminal is told as a person would, with its
 * end-of-file character. */
static void send_eof(int master, bool remote)
{
	struct termios t;

	if (tcgetattr(master, &t) == 0 && (remote || (t.c_lflag & ICANON)))
		(void)!write(master, &t.c_cc[VEOF], 1);
}

static void relay_terminal(const struct awaited *a, int master, int sigfd)
{
	struct relay in = { .from = 0, .to = master }, out = { .from = master, .to = 1 };
	bool ended = false, told_eof = false;

	while (!ended || relay_full(&out) || !out.closed) {
		struct pollfd p[5 + RT_OOM_POLLS] = {
			{ .fd = sigfd, .events = POLLIN },
			{ .fd = in.closed || relay_full(&in) || ended ? -1 : 0, .events = POLLIN },
			{ .fd = relay_full(&in) && !out.closed ? master : -1, .events = POLLOUT },
			{ .fd = out.closed || relay_full(&out) ? -1 : master, .events = POLLIN },
			{ .fd = relay_full(&out) ? 1 : -1, .events = POLLOUT },
		};
		int n;

		rt_oom_poll(a->oom, p + 5);
		/* Its end is known: only what the terminal still holds is awaited, and a background process
		 * may keep it open. */
		n = poll(p, ARRAY_SIZE(p), ended ? 100 : -1);
		if (n > 0)
			rt_oom_look(a->oom, p + 5);
		if (n == 0 && !relay_full(&out))
			break;
		if (p[0].revents)
			ended = serve_signals(sigfd, master, a) || ended;
		if (p[1].revents)
			relay_read(&in);
		if (p[2].revents)
			relay_write(&in);
		if (p[3].revents)
			relay_read(&out);
		if (p[4].revents)
			relay_write(&out);
		if (in.closed && !relay_full(&in) && !told_eof) {
			told_eof = true;
			send_eof(master, a->remote);
		}
	}
}

static void wait_terminal(const struct awaited *a, int master, int sigfd)
{
	struct termios saved, raw;
	bool is_tty = tcgetattr(0, &saved) == 0;

	if (is_tty) {
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(0, TCSANOW, &raw);
	}
	fcntl(master, F_SETFL, O_NONBLOCK);
	relay_terminal(a, master, sigfd);
	if (is_tty)
		tcsetattr(0, TCSADRAIN, &saved);
}

int attach_wait(pid_t pid, int master, bool remote, struct rt_oom *oom, int *status, struct err *e)
{
	const struct awaited a = { pid, status, oom, .remote = remote };
	_cleanup_close_ int sigfd = -EBADF, terminal = master;
	sigset_t set;

	if (terminal < 0) {
		wait_plain(&a);
		return 0;
	}
	forwarded(&set);
	sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sigfd < 0)
		return err_set(e, errno, "make a signal descriptor");
	wait_terminal(&a, terminal, sigfd);
	return 0;
}
