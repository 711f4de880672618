/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's life (see supervise.h). */
#include "launch/supervise.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "launch/supervisor.h"
#include "runtime/partition.h"

#define BACKOFF_MIN  100
#define BACKOFF_MAX  60000
#define GOOD_LIFE_MS 10000 /* after so long a life the next try is the first again */
#define DRAIN_MS     1000
#define IDLE_MS	     1000

int64_t supervisor_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- telling who started us ---------------------------------------------------------------------- */

/* sd_notify(3): the main process of a service says that it is ready. */
static void notify_ready(const char *path)
{
	static const char ready[] = "READY=1";
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || (path[0] != '/' && path[0] != '@') || len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	sendto(fd, ready, sizeof(ready) - 1, MSG_NOSIGNAL, (struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static void report(struct supervisor *s, const struct err *e)
{
	if (s->own_lock) {
		flock(s->dir, LOCK_UN);
		s->own_lock = false;
	}
	if (s->notify && e->code == 0)
		notify_ready(s->notify);
	if (s->report < 0)
		return;
	/* At most PIPE_BUF bytes, so whole; nobody there (EPIPE) is as good as told. */
	(void)!write(s->report, e, sizeof(*e));
	s->report = fd_close(s->report);
}

/* --- from one phase to the next -------------------------------------------------------------------- */

static bool wants_restart(const struct supervisor *s)
{
	/* The first start is for whoever asked for it to judge. */
	if (s->stopped || !s->ran)
		return false;
	switch (s->restart) {
	case LAUNCH_RESTART_NO:
		return false;
	case LAUNCH_RESTART_ON_FAILURE:
		return s->status != 0 && (s->restart_max == 0 || s->restarts < s->restart_max);
	case LAUNCH_RESTART_ALWAYS:
	case LAUNCH_RESTART_UNLESS_STOPPED:
		return true;
	}
	return false;
}

static void begin_start(struct supervisor *s)
{
	s->phase = SV_STARTING;
	s->until = 0;
	s->failed = s->oom.killed = false;
	if (s->by_template && s->mnt_template < 0)
		s->mnt_template = supervisor_template(s);
	err_clear(&s->error);
	if (supervisor_start(s) < 0)
		s->failed = true;
}

static void begin_wait(struct supervisor *s)
{
	s->phase = SV_WAITING;
	s->until = supervisor_now() + s->backoff;
	s->backoff = s->backoff * 2 < BACKOFF_MAX ? s->backoff * 2 : BACKOFF_MAX;
}

/* The payload is gone, or never was: it is written down, and what the runtime has of it goes. */
static void begin_end(struct supervisor *s)
{
	bool again = wants_restart(s);
	struct timespec now;

	s->phase = SV_ENDING;
	s->until = 0;
	clock_gettime(CLOCK_REALTIME, &now);
	log_time(&now, s->finished);
	if (supervisor_end(s, again ? LAUNCH_PHASE_WAITING : LAUNCH_PHASE_ENDED) < 0)
		s->phase = again ? SV_WAITING : SV_DONE;
	if (s->phase == SV_WAITING)
		begin_wait(s);
}

static void start_failed(struct supervisor *s, const struct err *why)
{
	s->error = *why;
	s->status = 125; /* as docker run, for what is no failure of the command */
	s->pid = s->last_pid = 0;
	rt_oom_read(&s->oom);
	supervisor_close_payload(s);
	report(s, why);
	begin_end(s);
}

static void came_up(struct supervisor *s, const struct supervisor_answer *a)
{
	s->pid = s->last_pid = a->pid;
	memcpy(s->started, a->started, sizeof(s->started));
	s->since = supervisor_now();
	s->phase = SV_UP;
	s->ran = true;
	supervisor_take_console(s);
	report(s, &a->error);
	/* Its end was asked for while it was not yet there. */
	if (s->stopped)
		supervisor_stop(s);
}

static void serve_answer(struct supervisor *s)
{
	struct supervisor_answer a;

	if (s->answers < 0 || !supervisor_answer(s, &a))
		return;
	if (s->phase == SV_STARTING && a.error.code == 0)
		came_up(s, &a);
	else if (s->phase == SV_STARTING)
		start_failed(s, &a.error);
}

static void after_end(struct supervisor *s)
{
	/* Also what was said by those that the deletion has ended. */
	supervisor_read_all(s);
	supervisor_close_payload(s);
	supervisor_tell_exit(s, false);
	if (wants_restart(s))
		begin_wait(s);
	else
		s->phase = SV_DONE;
}

static void payload_ended(struct supervisor *s, int status)
{
	s->pid = 0;
	s->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (supervisor_now() - s->since >= GOOD_LIFE_MS)
		s->backoff = BACKOFF_MIN;
	s->phase = SV_DRAINING;
	s->until = supervisor_now() + DRAIN_MS;
}

static void worker_ended(struct supervisor *s)
{
	static const struct err lost = { ECHILD, "the process that was to start it was killed" };

	s->worker = 0;
	s->answers = fd_close(s->answers);
	if (s->phase == SV_STARTING)
		start_failed(s, &lost);
	else if (s->phase == SV_ENDING)
		after_end(s);
}

/*
 * A worker's answer is read before anybody is reaped: the payload becomes our child only after its worker has
 * gone, which has answered by then, so its pid is known when its end is seen.
 */
static void reap(struct supervisor *s)
{
	siginfo_t info = { 0 };
	int status;

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
		pid_t pid = info.si_pid;

		serve_answer(s);
		if (pid == s->pid)
			rt_oom_read(&s->oom);
		if (waitpid(pid, &status, WNOHANG) != pid)
			return;
		if (pid == s->worker)
			worker_ended(s);
		else if (pid == s->stopper)
			s->stopper = 0;
		else if (pid == s->pid)
			payload_ended(s, status);
		info.si_pid = 0;
	}
}

/* --- signals --------------------------------------------------------------------------------------- */

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigprocmask(SIG_BLOCK, set, NULL);
	signal(SIGHUP, SIG_IGN);
}

static void asked_to_stop(struct supervisor *s)
{
	/* Asked twice: no more patience. */
	if (s->stopped && s->phase == SV_UP && s->pid > 0)
		kill(s->pid, SIGKILL);
	s->stopped = true;
	if (s->phase == SV_UP && s->stopper == 0)
		supervisor_stop(s);
}

static void serve_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			asked_to_stop(s);
	reap(s);
}

/* --- the loop ---------------------------------------------------------------------------------------- */

static int timeout(const struct supervisor *s)
{
	int64_t now = supervisor_now(), due = supervisor_io_due(s);

	if (s->phase == SV_DRAINING && !supervisor_throttled(s))
		return 0;
	if (s->until && s->until < due)
		due = s->until;
	if (due == INT64_MAX)
		return -1;
	return due <= now ? 0 : due - now < 60000 ? (int)(due - now) : 60000;
}

static void go_on(struct supervisor *s)
{
	bool late = s->until && supervisor_now() >= s->until;

	if (s->failed && s->phase == SV_STARTING) {
		struct err why = s->error;

		start_failed(s, &why);
	}
	if (s->phase == SV_DRAINING && (late || (!supervisor_throttled(s) && !supervisor_read(s))))
		begin_end(s);
	if (s->phase == SV_WAITING && s->stopped)
		s->phase = SV_DONE;
	if (s->phase == SV_WAITING && late) {
		s->restarts++;
		begin_start(s);
	}
}

/*
 * A sleep that gets long is slept light, and a longer one on next to nothing. That never returns, but for a
 * failure: loop() begins again in another image of the program.
 */
static int sleep_until_woken(struct supervisor *s, struct pollfd *p, nfds_t n, int ms)
{
	const int most = ms < 0 ? INT_MAX : ms, doze = supervisor_doze_after(s);
	int slept = most < IDLE_MS ? most : IDLE_MS, r = poll(p, n, slept);

	if (r < 0)
		r = -errno;
	if (r == 0 && slept < doze && slept < most) {
		int more = (doze < most ? doze : most) - slept;

		r = supervisor_memory_sleep(p, n, slept + more == INT_MAX ? -1 : more);
		slept += more;
	}
	if (r == 0 && slept >= doze && slept < most)
		supervisor_doze(s, p, n);
	return r < 0 && r != -EINTR ? r : 0;
}

static void loop(struct supervisor *s)
{
	struct pollfd p[SUPERVISOR_POLLS_ALL];

	while (s->phase != SV_DONE) {
		int n;

		p[0] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = s->answers, .events = POLLIN };
		rt_oom_poll(&s->oom, p + 2);
		n = 2 + RT_OOM_POLLS + supervisor_poll_set(s, p + 2 + RT_OOM_POLLS);
		if (sleep_until_woken(s, p, (nfds_t)n, s->failed ? 0 : timeout(s)) < 0)
			break;
		/* First: it will not be there for long. */
		rt_oom_look(&s->oom, p + 2);
		supervisor_serve(s, p + 2 + RT_OOM_POLLS);
		if (p[1].revents)
			serve_answer(s);
		if (p[0].revents)
			serve_signals(s);
		go_on(s);
	}
}

/* --- beginning and end --------------------------------------------------------------------------------- */

static int take_record(struct supervisor *s, const struct launch_dir *d, struct err *e)
{
	const struct launch_record *r = &d->record;

	if (d->damaged)
		return err_text(e, EINVAL,
			"partition \"%s\": launch.json is damaged; remove it with \"ringfence rm --force\"",
			s->name);
	s->rt = launch_rt(s->ctx, r);
	s->path = strdup(d->path);
	if (s->rt.root)
		s->rt.root = strdup(s->rt.root);
	if (!s->path)
		return err_set(e, ENOMEM, "partition \"%s\"", s->name);
	s->tty = r->tty;
	s->interactive = r->interactive;
	s->rm = r->rm;
	s->by_template = str_eq(r->network, "none") && r->ids >= 0 && !r->tty;
	s->restart = r->restart;
	s->restart_max = r->restart_max;
	s->stop_timeout = r->stop_timeout;
	s->stop_signal = rt_signal_parse(r->stop_signal, e);
	return s->stop_signal < 0 ? s->stop_signal : 0;
}

/* Not for the second time, and with nothing left of a run whose supervisor was killed. */
static int check_alone(struct supervisor *s, const struct launch_dir *d, struct arena *a, struct err *e)
{
	struct launch_state state;
	struct rt_info info;
	bool runs = false;
	int r = launch_state_read(d, a, &state, e);

	if (r < 0)
		return r;
	if (rt_info(&s->rt, s->name, &info, NULL) == 0) {
		runs = info.status != RT_STOPPED;
		rt_info_free(&info);
	}
	if (runs || launch_supervised(&state))
		return err_text(e, EBUSY, "partition \"%s\" runs already; stop it first", s->name);
	return rt_delete(&s->rt, s->name, true, e);
}

static int set_up(struct supervisor *s, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_dir d = LAUNCH_DIR_INIT;
	int64_t log_max = 0;
	sigset_t set;
	char letter;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "supervise \"%s\"", s->name);
	block_signals(&set);
	/* Whoever starts us holds the lock. A service manager does not. */
	s->own_lock = s->report < 0;
	r = launch_dir_open(s->ctx, s->name, s->own_lock, a, &d, e);
	if (r < 0)
		return r;
	r = take_record(s, &d, e);
	if (r == 0 && s->own_lock)
		r = check_alone(s, &d, a, e);
	if (r == 0 && s->own_lock)
		r = launch_rename_finish(s->ctx, &d, a, e);
	log_max = d.record.log_max;
	s->dir = TAKE_FD(d.fd);
	launch_dir_close(&d);
	if (r < 0)
		return r;
	if (fchdir(s->dir) < 0)
		return err_set(e, errno, "enter %s", s->path);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		return err_set(e, errno, "make a signal descriptor");
	s->listener = control_listen(CONTROL_SOCKET, SOCK_SEQPACKET);
	if (s->listener < 0)
		return err_set(e, -s->listener, "make the control socket of partition \"%s\"", s->name);
	r = launch_log_open(&s->log, s->dir, log_max, e);
	if (r < 0)
		return r;
	/* We were executed by descriptor or by /proc/self/exe, and would be called "exe". */
	prctl(PR_SET_NAME, "ringfence");
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	rt_proc_stat(getpid(), &s->start_time, &letter);
	fd_get_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", s->boot_id, sizeof(s->boot_id));
	return supervisor_write_state(s, LAUNCH_PHASE_STARTING, 0, getpid(), e);
}

/* In this order: when we are gone, or our socket, all of it has been done. */
static int finish(struct supervisor *s, struct err *e)
{
	struct err ignored = ERR_INIT;
	bool failed = !s->ran && s->error.code;

	supervisor_write_state(s, LAUNCH_PHASE_ENDED, 0, 0, &ignored);
	unlink(CONTROL_SOCKET);
	/* Until the answer of a stopper is there, that is what the others wait for: this one is to be
	 * removed. */
	if (s->stopper > 0)
		waitpid(s->stopper, NULL, 0);
	if (s->rm && !s->keep && !failed)
		launch_rm(s->ctx, s->name, false, true, &ignored);
	supervisor_tell_exit(s, true);
	supervisor_close_clients(s);
	if (failed) {
		*e = s->error;
		return -e->code;
	}
	return s->stopped ? 0 : s->status;
}

static int begin(struct supervisor *s, int report_fd, struct err *e)
{
	/* Not for the payload, whose readiness nobody waits for. */
	s->notify = report_fd < 0 ? getenv("NOTIFY_SOCKET") : NULL;
	s->notify = s->notify ? strdup(s->notify) : NULL;
	unsetenv("NOTIFY_SOCKET");
	if (report_fd >= 0)
		fd_cloexec(report_fd, true);
	s->report = report_fd;
	s->dir = s->mnt_template = s->answers = s->signals = s->listener = s->console = s->from[0] =
		s->from[1] = s->to = s->log.fd = -EBADF;
	s->oom = (struct rt_oom)RT_OOM_INIT;
	s->backoff = BACKOFF_MIN;
	return set_up(s, e);
}

int launch_supervise(
	const struct launch_ctx *ctx, const char *name, int report_fd, bool may_doze, struct err *e)
{
	static struct supervisor s;
	int r;

	s.ctx = ctx;
	s.name = name;
	for (int i = 0; i < SUPERVISOR_CLIENTS; i++)
		s.clients[i].fd = -EBADF;
	if (may_doze && supervisor_awake(&s)) {
		/* As the process was called before. */
		prctl(PR_SET_NAME, "ringfence");
	} else {
		r = begin(&s, report_fd, e);
		if (r < 0) {
			report(&s, e);
			return r;
		}
		s.doze_ms = may_doze ? IDLE_MS : 0;
		begin_start(&s);
	}
	loop(&s);
	return finish(&s, e);
}
