/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks: programs run at named moments of a partition's life (see hooks.h). */
#include "runtime/hooks.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/* How much of a hook's output is kept for the message. */
#define SAID_MAX 1024

struct running {
	pid_t pid;
	int pidfd;
	int in;	 /* its stdin: the state document */
	int out; /* what it prints */
	size_t sent;
	char said[SAID_MAX];
	size_t n_said;
};

static int redirect(const char *path, int pipe_fd, int target)
{
	int fd = pipe_fd;

	if (path)
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	/* dup2() onto itself would leave it O_CLOEXEC. */
	if (fd == target)
		return fd_cloexec(fd, false);
	return dup2(fd, target) < 0 ? -errno : 0;
}

/* In the forked child. Tells why it failed through its own output, which the parent keeps. */
static void run_child(const struct spec_hook *h, const struct hooks_env *env, int in, int out)
{
	static char *const no_env[] = { NULL };
	char *args[] = { (char *)h->path, NULL };
	const char *step = "redirect its output";
	sigset_t none;
	int r;

	r = redirect(NULL, in, 0);
	if (r == 0)
		r = redirect(env->err_path, out, 2);
	if (r == 0)
		r = redirect(env->out_path, out, 1);
	if (r == 0 && env->cwd) {
		step = "chdir to the bundle";
		r = chdir(env->cwd) < 0 ? -errno : 0;
	}
	/* Descriptors that were inherited on purpose (--preserve-fds) are the payload's, not the hook's. */
	fd_cloexec_from(3);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (r == 0 && env->confine) {
		step = "give up privileges";
		r = env->confine(env->arg);
	}
	if (r == 0) {
		execve(h->path, h->args ? h->args : args, h->env ? h->env : no_env);
		r = -errno;
		step = "execute it";
	}
	dprintf(2, "%s: %s", step, strerror(-r));
	_exit(127);
}

static int spawn(const struct spec_hook *h, const struct hooks_env *env, struct running *run, struct err *e)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0)
		return err_set(e, errno, "make a pipe");
	if (pipe2(out, O_CLOEXEC) < 0) {
		fd_close(in[0]);
		fd_close(in[1]);
		return err_set(e, errno, "make a pipe");
	}
	fflush(NULL);
	run->pid = fork();
	if (run->pid == 0)
		run_child(h, env, in[0], out[1]);
	fd_close(in[0]);
	fd_close(out[1]);
	run->in = in[1];
	run->out = out[0];
	if (run->pid < 0) {
		fd_close(run->in);
		fd_close(run->out);
		return err_set(e, errno, "fork");
	}
	fcntl(run->in, F_SETFL, O_NONBLOCK);
	fcntl(run->out, F_SETFL, O_NONBLOCK);
	run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void listen_to(struct running *run)
{
	char buf[1024];
	ssize_t n;

	for (;;) {
		n = read(run->out, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if ((size_t)n > sizeof(run->said) - 1 - run->n_said)
			n = (ssize_t)(sizeof(run->said) - 1 - run->n_said);
		memcpy(run->said + run->n_said, buf, (size_t)n);
		run->n_said += (size_t)n;
	}
	if (n == 0)
		run->out = fd_close(run->out);
}

static void feed(struct running *run, const char *state)
{
	size_t len = strlen(state);
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	ssize_t n = write(run->in, state + run->sent, len - run->sent);

	signal(SIGPIPE, old);
	if (n > 0)
		run->sent += (size_t)n;
	/* A hook that does not read its stdin closes it: that is its own affair. */
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || run->sent == len)
		run->in = fd_close(run->in);
}

/* Why a hook was killed, if it was. */
enum end { ENDED, TIMED_OUT, STOPPED };

/* Waits for its end, feeding and listening meanwhile. */
static enum end attend(
	struct running *run, const struct spec_hook *h, const struct hooks_env *env, int *status)
{
	int64_t deadline = h->timeout ? now_ms() + (int64_t)h->timeout * 1000 : INT64_MAX;
	enum end killed = ENDED;

	for (;;) {
		struct pollfd p[4] = {
			{ .fd = run->pidfd, .events = POLLIN },
			{ .fd = run->in, .events = POLLOUT },
			{ .fd = run->out, .events = POLLIN },
			{ .fd = env->stop_fd && !killed ? env->stop_fd : -1, .events = POLLIN },
		};
		int64_t left = deadline - now_ms();
		/* Without pidfd_open(2) (before 5.3) its end is looked for every 10 ms. */
		int wait = run->pidfd < 0 ? 10 : -1;
		pid_t r;

		if (!killed && left <= 0) {
			kill(run->pid, SIGKILL);
			killed = TIMED_OUT;
		}
		if (!killed && left < INT32_MAX && (wait < 0 || left < wait))
			wait = (int)left;
		poll(p, 4, wait);
		if (!killed && p[3].revents) {
			kill(run->pid, SIGKILL);
			killed = STOPPED;
		}
		if (p[1].revents)
			feed(run, env->state);
		if (p[2].revents)
			listen_to(run);
		if (p[0].revents || run->pidfd < 0) {
			r = waitpid(run->pid, status, run->pidfd < 0 ? WNOHANG : 0);
			if (r == run->pid || (r < 0 && errno != EINTR))
				break;
		}
	}
	if (run->out >= 0)
		listen_to(run);
	return killed;
}

static int run_one(const struct spec_hook *h, enum spec_hook_kind kind, size_t index,
	const struct hooks_env *env, struct err *e)
{
	struct running run = { .pidfd = -EBADF, .in = -EBADF, .out = -EBADF };
	char *said = run.said;
	int status = 0, r;
	enum end killed;

	log_debug("%s hook %zu: %s", spec_hook_names[kind], index, h->path);
	r = spawn(h, env, &run, e);
	if (r < 0)
		return err_wrap(e, "%s hook %zu (%s)", spec_hook_names[kind], index, h->path);
	killed = attend(&run, h, env, &status);
	fd_close(run.in);
	fd_close(run.out);
	fd_close(run.pidfd);
	if (!killed && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	said[run.n_said] = '\0';
	for (size_t i = 0; i < run.n_said; i++)
		if ((unsigned char)said[i] < ' ')
			said[i] = ' ';
	if (killed == STOPPED)
		err_text(e, ECANCELED, "%s hook %zu (%s) was killed: %s", spec_hook_names[kind], index,
			h->path, env->stop_why);
	else if (killed)
		err_text(e, ETIMEDOUT, "%s hook %zu (%s) was killed: it ran longer than its timeout of %d s",
			spec_hook_names[kind], index, h->path, h->timeout);
	else if (WIFSIGNALED(status))
		err_text(e, EIO, "%s hook %zu (%s) was killed by signal %d", spec_hook_names[kind], index,
			h->path, WTERMSIG(status));
	else
		err_text(e, EIO, "%s hook %zu (%s) failed: exit status %d", spec_hook_names[kind], index,
			h->path, WEXITSTATUS(status));
	if (run.n_said)
		err_hint(e, "it said: %.600s", said);
	return -e->code;
}

int hooks_run(const struct spec_hooks *h, enum spec_hook_kind kind, const struct hooks_env *env,
	int keep_going, struct err *e)
{
	for (size_t i = 0; i < h->n[kind]; i++) {
		struct err mine = ERR_INIT;
		int r = run_one(&h->list[kind][i], kind, i, env, &mine);

		if (r == 0)
			continue;
		if (!keep_going) {
			if (e)
				*e = mine;
			return r;
		}
		log_warn("%s", mine.text);
	}
	return 0;
}
