/* SPDX-License-Identifier: Apache-2.0 */
/* Programs: their words, their start and end, and how a run's are found again (proc.h). */
#include "bench/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"

#define MARK	 "RINGFENCE_BENCH_RUN"
#define SAID_MAX (4u << 20)

extern char **environ;

/* --- words -------------------------------------------------------------------------------------------- */

void words_add(struct words *w, const char *fmt, ...)
{
	char **at = realloc(w->at, (w->n + 2) * sizeof(*at));
	char *word = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&word, fmt, ap);
	va_end(ap);
	if (at)
		w->at = at;
	if (!at || r < 0) {
		if (r >= 0)
			free(word);
		w->failed = true;
		return;
	}
	w->at[w->n++] = word;
	w->at[w->n] = NULL;
}

void words_add_all(struct words *w, const char *const *words)
{
	for (; words && *words; words++)
		words_add(w, "%s", *words);
}

void words_reset(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->at[i]);
	free(w->at);
	*w = (struct words){ 0 };
}

/* --- time and signals --------------------------------------------------------------------------------- */

double proc_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

volatile bool proc_stop;

/*
 * Whoever says it twice means it: what is left then is what `ringfence bench clean` is for. But timeout(1)
 * and terminals reach us by our process group and by ourselves, at one time.
 */
static void on_stop(int sig)
{
	static double first;
	double now = proc_now();

	if (proc_stop && now - first > 1000) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	if (!proc_stop)
		first = now;
	proc_stop = true;
}

static void on_child(int sig)
{
	/* Only there to interrupt a wait. */
}

void proc_catch_signals(void)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction stop = { .sa_handler = on_stop }, child = { .sa_handler = on_child };

	for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
		sigaction(stops[i], &stop, NULL);
	sigaction(SIGCHLD, &child, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* --- starting ----------------------------------------------------------------------------------------- */

static char **marked_environment;
static size_t at_the_end; /* of it, where one more goes */

int proc_mark(const char *run, struct err *e)
{
	size_t n = strv_len(environ);
	char **env = calloc(n + 3, sizeof(*env)), *mark;

	if (!env || asprintf(&mark, MARK "=%s", run) < 0) {
		free(env);
		return err_set(e, ENOMEM, "make an environment");
	}
	memcpy(env, environ, n * sizeof(*env));
	env[n] = mark;
	free(marked_environment);
	marked_environment = env;
	at_the_end = n + 1;
	return 0;
}

void proc_tell(char *variable)
{
	if (marked_environment)
		marked_environment[at_the_end] = variable;
}

int proc_spawn(const struct words *w, int out, int err, pid_t *pid, double *began, struct err *e)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	if (w->failed || !w->n)
		return err_set(e, ENOMEM, "make a command line");
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, err, 2);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	*began = proc_now();
	r = posix_spawnp(
		pid, w->at[0], &files, &attr, w->at, marked_environment ? marked_environment : environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return r ? err_set(e, r, "run %s", w->at[0]) : 0;
}

static bool take(int fd, struct strbuf *into)
{
	char text[4096];
	ssize_t n = read(fd, text, sizeof(text));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0)
		return false;
	if (into && into->len < SAID_MAX)
		strbuf_add(into, text, (size_t)n);
	return true;
}

/* Waits up to `wait` ms for output or the process's end. True if something was read. */
static bool listen_to(int *fds, struct strbuf **into, int pidfd, int wait)
{
	struct pollfd p[3] = { { .fd = fds[0], .events = POLLIN }, { .fd = fds[1], .events = POLLIN },
		{ .fd = pidfd, .events = POLLIN } };
	bool some = false;

	if (poll(p, 3, wait) <= 0)
		return false;
	for (int i = 0; i < 2; i++) {
		if (!p[i].revents)
			continue;
		if (take(fds[i], into[i]))
			some = true;
		else
			fds[i] = fd_close(fds[i]);
	}
	return some;
}

/* Until the process has ended: a pipe that something else keeps open is not waited for. */
static int converse(pid_t pid, int timeout, int *fds, struct strbuf **into)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	double end = proc_now() + timeout;
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		/* Where there is no such descriptor: looked for every 20 ms. */
		listen_to(fds, into, pidfd, pidfd < 0 ? 20 : 1000);
		/* A runtime may wait until what it ended is gone, and we are who has to see to that. */
		proc_reap_strangers();
		if (proc_now() < end)
			continue;
		kill(-pid, SIGKILL);
		waitpid(pid, &status, 0);
		return -ETIME;
	}
	while (listen_to(fds, into, -EBADF, 0))
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int proc_run(const struct words *w, int timeout, struct strbuf *out, struct strbuf *said, struct err *e)
{
	int o[2] = { -EBADF, -EBADF }, s[2] = { -EBADF, -EBADF }, r;
	struct strbuf *into[2] = { out, said };
	int reads[2];
	double began;
	pid_t pid;

	if (pipe2(o, O_CLOEXEC) < 0 || pipe2(s, O_CLOEXEC) < 0) {
		r = err_set(e, errno, "make a pipe");
		fd_close(o[0]);
		fd_close(o[1]);
		return r;
	}
	r = proc_spawn(w, o[1], s[1], &pid, &began, e);
	fd_close(o[1]);
	fd_close(s[1]);
	reads[0] = o[0];
	reads[1] = s[0];
	if (r == 0) {
		proc_watch(pid);
		r = converse(pid, timeout, reads, into);
		proc_unwatch(pid);
		if (r < 0)
			err_set(e, -r, "wait for %s, which was given %d s", w->at[0], timeout / 1000);
	}
	fd_close(reads[0]);
	fd_close(reads[1]);
	return r;
}

void proc_last_line(const char *text, struct strbuf *out)
{
	const char *line = NULL, *end;

	for (const char *p = text; p && *p; p = *end ? end + 1 : end) {
		end = p + strcspn(p, "\n");
		if (end > p + strspn(p, " \t\r"))
			line = p;
		if (!*end)
			break;
	}
	for (; line && *line && *line != '\n' && out->len < 300;) {
		size_t n = str_shown_len((const unsigned char *)line, strlen(line), NULL);

		strbuf_add(out, n ? line : " ", n ? n : 1);
		line += n ? n : 1;
	}
	if (!out->s)
		strbuf_puts(out, "");
}

int proc_must(const struct words *w, int timeout, struct err *e)
{
	_cleanup_strbuf_ struct strbuf said = { 0 }, last = { 0 };
	int r = proc_run(w, timeout, NULL, &said, e);

	if (r <= 0)
		return r;
	proc_last_line(said.s, &last);
	return err_text(e, EIO, "%s ended with status %d: %s", w->at[0], r, last.s ? last.s : "");
}

char *proc_find(const char *name)
{
	const char *dirs = getenv("PATH");
	char path[PATH_MAX];
	struct stat st;

	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? realpath(name, NULL) : NULL;
	for (const char *d = dirs ? dirs : "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"; *d;) {
		int n = (int)strcspn(d, ":");

		if (n && snprintf(path, sizeof(path), "%.*s/%s", n, d, name) < (int)sizeof(path) &&
			stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0)
			return strdup(path);
		d += n + (d[n] == ':');
	}
	return NULL;
}

/* --- children ----------------------------------------------------------------------------------------- */

/* Of whom somebody waits for the end. */
static pid_t watched[PROC_WATCHED_MAX];
static size_t n_watched;

static bool is_watched(pid_t pid)
{
	for (size_t i = 0; i < n_watched; i++)
		if (watched[i] == pid)
			return true;
	return false;
}

bool proc_watch(pid_t pid)
{
	if (n_watched == PROC_WATCHED_MAX)
		return false;
	watched[n_watched++] = pid;
	return true;
}

void proc_unwatch(pid_t pid)
{
	for (size_t i = 0; i < n_watched; i++)
		if (watched[i] == pid) {
			watched[i] = watched[--n_watched];
			return;
		}
}

/* One that is watched has ended, and the kernel shows no other before it was taken: so all are asked. */
static void reap_one_by_one(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/thread-self/children", "re");
	int pid;

	while (f && fscanf(f, "%d", &pid) == 1)
		if (!is_watched(pid))
			waitpid(pid, NULL, WNOHANG);
}

void proc_reap_strangers(void)
{
	for (;;) {
		siginfo_t info = { 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return;
		if (is_watched(info.si_pid)) {
			reap_one_by_one();
			return;
		}
		waitpid(info.si_pid, NULL, WNOHANG);
	}
}
