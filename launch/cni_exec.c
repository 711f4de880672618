/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin run (CNI specification 1.0.0, section 2): parameters in the environment, configuration on its
 * stdin, result or error on its stdout.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "launch/cni.h"

#define SAID_MAX 512 /* of its stderr */

struct running {
	const struct cni_call *call;
	pid_t pid;
	int pidfd, in, out, err;
	size_t sent;
	struct strbuf text;
	char said[SAID_MAX + 1];
	size_t n_said;
	bool too_much;
};

/* --- the child -------------------------------------------------------------------------------- */

static void child(const struct cni_call *c, char *const *env, int in, int out, int err, pid_t parent)
{
	char *args[] = { (char *)c->program, NULL };
	sigset_t none;

	/* Killed in our place: it must not go on when nobody holds the lock any more. Its own children are of
	 * its group. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	setpgid(0, 0);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || chdir("/") < 0)
		_exit(127);
	fd_cloexec_from(3);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(c->program, args, env);
	dprintf(2, "execute it: %s", strerror(errno));
	_exit(127);
}

static int environment(const struct cni_call *c, struct arena *a, char ***out, struct err *e)
{
	char **env = arena_calloc(a, 8, sizeof(*env));
	size_t n = 0;

	if (!env)
		return err_set(e, ENOMEM, "CNI plugin %s", c->type);
	env[n++] = arena_printf(a, "CNI_COMMAND=%s", c->command);
	env[n++] = arena_printf(a, "CNI_CONTAINERID=%s", c->container);
	env[n++] = arena_printf(a, "CNI_IFNAME=" CNI_IFNAME);
	env[n++] = arena_printf(a, "CNI_PATH=%s", c->path);
	/* They look for iptables and the like. */
	env[n++] = arena_printf(a, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	if (c->netns)
		env[n++] = arena_printf(a, "CNI_NETNS=%s", c->netns);
	for (size_t i = 0; i < n; i++)
		if (!env[i])
			return err_set(e, ENOMEM, "CNI plugin %s", c->type);
	*out = env;
	return 0;
}

static int start(struct running *run, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	int p[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	pid_t parent = getpid();
	char **env = NULL;
	int r = a ? environment(run->call, a, &env, e) : err_set(e, ENOMEM, "run a CNI plugin");

	for (int i = 0; r == 0 && i < 3; i++)
		if (pipe2(p[i], O_CLOEXEC) < 0)
			r = err_set(e, errno, "make a pipe");
	if (r == 0) {
		fflush(NULL);
		run->pid = fork();
		if (run->pid == 0)
			child(run->call, env, p[0][0], p[1][1], p[2][1], parent);
		if (run->pid < 0)
			r = err_set(e, errno, "fork");
	}
	fd_close(p[0][0]);
	fd_close(p[1][1]);
	fd_close(p[2][1]);
	run->in = p[0][1];
	run->out = p[1][0];
	run->err = p[2][0];
	if (r < 0)
		return r;
	setpgid(run->pid, run->pid);
	run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	for (int i = 0; i < 3; i++)
		fcntl(i == 0 ? run->in : i == 1 ? run->out : run->err, F_SETFL, O_NONBLOCK);
	return 0;
}

/* --- the parent ------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void feed(struct running *run)
{
	const struct cni_call *c = run->call;
	ssize_t n = write(run->in, c->input + run->sent, c->input_len - run->sent);

	if (n > 0)
		run->sent += (size_t)n;
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || run->sent == c->input_len)
		run->in = fd_close(run->in);
}

static void listen_out(struct running *run)
{
	char buf[16384];
	ssize_t n = 0;

	while (run->out >= 0 && !run->too_much) {
		n = read(run->out, buf, sizeof(buf));
		if (n <= 0)
			break;
		if (run->text.len + (size_t)n > CNI_OUTPUT_MAX)
			run->too_much = true;
		else
			strbuf_add(&run->text, buf, (size_t)n);
	}
	if (n == 0 && run->out >= 0 && !run->too_much)
		run->out = fd_close(run->out);
}

static void listen_err(struct running *run)
{
	char buf[4096];
	ssize_t n = run->err >= 0 ? read(run->err, buf, sizeof(buf)) : -1;

	if (n == 0)
		run->err = fd_close(run->err);
	if (n <= 0)
		return;
	if ((size_t)n > SAID_MAX - run->n_said)
		n = (ssize_t)(SAID_MAX - run->n_said);
	memcpy(run->said + run->n_said, buf, (size_t)n);
	run->n_said += (size_t)n;
}

static bool has_ended(const struct running *run)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0 ? errno != EINTR
										     : info.si_pid != 0;
}

/* Until it ends, by itself or because it says too much or takes too long. True if its time was over. */
static bool attend(struct running *run, int *status)
{
	int64_t deadline = now_ms() + (int64_t)run->call->seconds * 1000;
	bool killed = false, late = false;

	for (;;) {
		struct pollfd p[4] = {
			{ .fd = run->pidfd, .events = POLLIN },
			{ .fd = run->in, .events = POLLOUT },
			{ .fd = run->too_much ? -1 : run->out, .events = POLLIN },
			{ .fd = run->err, .events = POLLIN },
		};
		int64_t left = deadline - now_ms();

		if (!killed && (left <= 0 || run->too_much)) {
			late = left <= 0;
			killed = true;
			kill(-run->pid, SIGKILL);
			kill(run->pid, SIGKILL);
		}
		poll(p, 4, run->pidfd < 0 ? 10 : killed ? -1 : (int)left);
		if (p[1].revents)
			feed(run);
		if (p[2].revents)
			listen_out(run);
		if (p[3].revents)
			listen_err(run);
		if ((p[0].revents || run->pidfd < 0) && has_ended(run))
			break;
	}
	/* As long as it is not reaped, its group is nobody else's. A plugin that starts a server puts it into
	 * a session of its own. */
	kill(-run->pid, SIGKILL);
	while (waitpid(run->pid, status, 0) < 0 && errno == EINTR)
		;
	listen_out(run);
	listen_err(run);
	return late;
}

/* --- what it said ----------------------------------------------------------------------------- */

/* For an error's one line: no control characters, which a terminal would obey. */
static const char *plain(char *s)
{
	for (char *p = s; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return s;
}

/* Section 5, "Error": code, msg, details. */
static bool error_object(const struct running *run, char *buf, size_t size)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct json *j, *msg, *details;
	struct err ignored = ERR_INIT;

	if (!a || !run->text.s || json_parse(a, run->text.s, run->text.len, "error", &j, &ignored) < 0)
		return false;
	msg = json_get(j, "msg");
	details = json_get(j, "details");
	if (!msg || msg->type != JSON_STRING)
		return false;
	snprintf(buf, size, "%.400s%s%.200s", msg->text,
		details && details->type == JSON_STRING && *details->text ? ": " : "",
		details && details->type == JSON_STRING ? details->text : "");
	plain(buf);
	return true;
}

static int judge(struct running *run, int status, bool late, struct err *e)
{
	const struct cni_call *c = run->call;
	char why[640];

	run->said[run->n_said] = '\0';
	if (run->too_much)
		return err_text(e, EFBIG, "CNI plugin %s (%s) was killed: it printed more than %d bytes",
			c->type, c->command, CNI_OUTPUT_MAX);
	if (late)
		return err_text(e, ETIMEDOUT, "CNI plugin %s (%s) was killed: it took longer than %d s",
			c->type, c->command, c->seconds);
	if (run->text.failed)
		return err_set(e, ENOMEM, "read what CNI plugin %s says", c->type);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (error_object(run, why, sizeof(why)))
		return err_text(e, EIO, "CNI plugin %s (%s) failed: %s", c->type, c->command, why);
	if (WIFSIGNALED(status))
		err_text(e, EIO, "CNI plugin %s (%s) was killed by signal %d", c->type, c->command,
			WTERMSIG(status));
	else
		err_text(e, EIO, "CNI plugin %s (%s) failed with exit status %d and without a word of why",
			c->type, c->command, WEXITSTATUS(status));
	if (run->n_said)
		err_hint(e, "on stderr: %s", plain(run->said));
	return -EIO;
}

int cni_exec(const struct cni_call *c, char **out, size_t *len, struct err *e)
{
	struct running run = { .call = c, .pidfd = -EBADF, .in = -EBADF, .out = -EBADF, .err = -EBADF };
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	int status = 0, r = start(&run, e);

	if (r == 0) {
		bool late = attend(&run, &status);

		r = judge(&run, status, late, e);
	}
	signal(SIGPIPE, old);
	fd_close(run.pidfd);
	fd_close(run.in);
	fd_close(run.out);
	fd_close(run.err);
	if (r == 0) {
		*len = run.text.len;
		*out = run.text.s ? TAKE_PTR(run.text.s) : strdup("");
		if (!*out)
			r = err_set(e, ENOMEM, "read what CNI plugin %s says", c->type);
	}
	strbuf_reset(&run.text);
	return r;
}
