/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, watching and judging one command of a design (life.h). */
#include "bench/life.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"

#define MARK 6
/* Lives at once. */
#define PUMP_MAX 1024

const char *const life_first[] = { "first", NULL };

int life_begin(struct life *l, struct design *d, enum design_verb verb, const char *id,
	const char *const *payload, const int *pipe, struct err *e)
{
	_cleanup_words_ struct words w = { 0 };
	int own[2] = { -EBADF, -EBADF }, r;

	*l = (struct life){ .design = d,
		.pidfd = -EBADF,
		.out = -EBADF,
		.begun = NAN,
		.first = NAN,
		.ended = NAN,
		.cpu = NAN,
		.answered = NAN };
	snprintf(l->id, sizeof(l->id), "%s", id);
	r = d->kind->command(d, verb, id, payload, &w, e);
	if (r < 0)
		return r;
	if (!pipe) {
		if (pipe2(own, O_CLOEXEC) < 0)
			return err_set(e, errno, "make a pipe");
		fcntl(own[0], F_SETFL, O_NONBLOCK);
	}
	l->keeps_out = pipe != NULL;
	l->out = pipe ? pipe[0] : own[0];
	l->log_from = design_log_end(d);
	r = proc_spawn(&w, pipe ? pipe[1] : own[1], d->log, &l->pid, &l->begun, e);
	fd_close(own[1]);
	if (r < 0) {
		l->pid = 0;
		l->over = true;
		l->out = pipe ? -EBADF : fd_close(l->out);
		return r;
	}
	/* Too many, and an end may be missed: nobody has as many at once (PUMP_MAX). */
	proc_watch(l->pid);
	l->pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
	return l->pidfd < 0 ? err_set(e, errno, "watch process %d", (int)l->pid) : 0;
}

static void note_output(struct life *l, double now)
{
	char text[512], *mark = NULL;
	ssize_t n;

	while ((n = read(l->out, text, sizeof(text))) > 0) {
		const char *rest = text;

		/* A machine's console says other things before. */
		if (!l->marked) {
			mark = memchr(text, MARK, (size_t)n);
			if (!mark)
				continue;
			l->marked = true;
			l->first = now;
			rest = mark + 1;
		}
		for (; rest < text + n && l->n_said + 1 < sizeof(l->said); rest++) {
			l->said[l->n_said++] = *rest;
			if (*rest == '\n' && isnan(l->answered))
				l->answered = now;
		}
	}
	if (n == 0 && !l->keeps_out)
		l->out = fd_close(l->out);
}

static void note_end(struct life *l, double now)
{
	struct rusage u;
	int status;

	if (wait4(l->pid, &status, WNOHANG, &u) != l->pid)
		return;
	proc_unwatch(l->pid);
	l->over = true;
	l->ended = now;
	l->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	l->cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
		 (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
	/* Not its peak memory: the kernel counts that of ours in, which it was born with. */
	l->pidfd = fd_close(l->pidfd);
	/* What it said just before. */
	if (l->out >= 0)
		note_output(l, now);
}

int life_pump(struct life *const *lives, size_t n, int timeout)
{
	static struct pollfd p[2 * PUMP_MAX];
	sigset_t none, blocked, before;
	struct timespec wait = { timeout / 1000, timeout % 1000 * 1000000L };
	double now;
	int r;

	if (n > PUMP_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		p[2 * i] = (struct pollfd){ .fd = lives[i]->out, .events = POLLIN };
		p[2 * i + 1] = (struct pollfd){ .fd = lives[i]->pidfd, .events = POLLIN };
	}
	/* A signal between this question and the wait must not be lost. */
	sigfillset(&blocked);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &blocked, &before);
	r = proc_stop ? -EINTR : ppoll(p, 2 * n, &wait, &none);
	now = proc_now();
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (proc_stop)
		return -EINTR;
	for (size_t i = 0; i < n && r > 0; i++) {
		if (p[2 * i].revents && lives[i]->out >= 0)
			note_output(lives[i], now);
		if (p[2 * i + 1].revents)
			note_end(lives[i], now);
	}
	proc_reap_strangers();
	return 0;
}

int life_until(struct life *l, bool mark, bool end)
{
	double until = proc_now() + l->design->env->timeout;

	while ((end && !l->over) || (mark && !l->marked)) {
		struct life *one = l;
		double left = until - proc_now();
		int r;

		if (left <= 0)
			return -ETIME;
		/* Whoever has ended without a mark, and whose output nobody holds, says no more; and if it
		 * failed nothing comes either. */
		if (l->over && (l->out < 0 || l->status != 0))
			return 0;
		r = life_pump(&one, 1, left > 1000 ? 1000 : (int)left + 1);
		if (r < 0)
			return r;
	}
	return 0;
}

void life_drop(struct life *l)
{
	if (l->pid > 0 && !l->over) {
		kill(-l->pid, SIGKILL);
		kill(l->pid, SIGKILL);
		waitpid(l->pid, NULL, 0);
		proc_unwatch(l->pid);
		l->over = true;
	}
	l->pidfd = fd_close(l->pidfd);
	if (!l->keeps_out)
		fd_close(l->out);
	l->out = -EBADF;
}

int life_verdict(const struct life *l, struct err *e)
{
	_cleanup_strbuf_ struct strbuf last = { 0 };
	const char *name = l->design->name;

	if (l->over && l->marked && l->status == 0)
		return 0;
	design_said(l->design, l->log_from, &last);
	if (!l->over)
		return err_text(e, ETIME, "%s did not get %s within %d s%s%s", name,
			l->marked ? "to its end" : "to the payload", l->design->env->timeout / 1000,
			last.len ? ": " : "", last.s ? last.s : "");
	if (l->status != 0)
		return err_text(e, EIO, "%s ended with status %d%s%s", name, l->status, last.len ? ": " : "",
			last.s ? last.s : "");
	return err_text(e, EIO, "%s ended before the payload said anything%s%s", name, last.len ? ": " : "",
		last.s ? last.s : "");
}

int held_pipe(int *pipe, struct err *e)
{
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return err_set(e, errno, "make a pipe");
	fcntl(pipe[0], F_SETFL, O_NONBLOCK);
	return 0;
}

void held_pipe_close(int *pipe)
{
	pipe[0] = fd_close(pipe[0]);
	pipe[1] = fd_close(pipe[1]);
}

int held_start(struct held *h, struct design *d, const char *const *payload, const int *pipe, double *start,
	struct err *e)
{
	bool attached = d->kind->attached;
	struct life l;
	int r;

	h->pid = 0;
	design_new_id(d, h->id, sizeof(h->id));
	r = life_begin(&l, d, DESIGN_HOLD, h->id, payload, pipe, e);
	if (r == 0) {
		r = life_until(&l, !d->kind->says_on_return, !attached);
		if (r == 0 && d->kind->says_on_return && l.over && l.status == 0) {
			l.marked = true;
			l.first = l.ended;
		}
		if (r == -EINTR)
			err_text(e, EINTR, "interrupted");
	}
	if (r == 0 && (!l.marked || (l.over && (attached || l.status != 0)))) {
		r = life_verdict(&l, e);
		if (r == 0)
			r = err_text(e, EIO, "%s ended, and was to stay", d->name);
	} else if (r == -ETIME) {
		life_verdict(&l, e);
	}
	*start = l.first - l.begun;
	if (r == 0 && attached) {
		/* No longer watched: a descriptor each would be memory that is not the design's. */
		h->pid = l.pid;
		proc_unwatch(l.pid);
		l.pid = 0;
	}
	life_drop(&l);
	if (r < 0)
		design_stop(d, h->id, 0, NULL);
	return r;
}
