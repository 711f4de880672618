/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a supervisor has children do: they may take memory and time, and give both back. The one that starts
 * the payload answers through a socket before it ends; if it was killed, it has not answered.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "launch/network.h"
#include "launch/supervisor.h"
#include "runtime/partition.h"

int supervisor_write_state(
	const struct supervisor *s, enum launch_phase phase, pid_t pid, pid_t supervisor, struct err *e)
{
	const struct launch_dir d = {
		.partitions = -EBADF, .fd = s->dir, .path = s->path, .record = { .name = s->name }
	};
	const struct launch_state state = {
		.phase = phase,
		.boot_id = s->boot_id[0] ? s->boot_id : NULL,
		.pid = pid,
		.supervisor = supervisor,
		.supervisor_start = supervisor ? s->start_time : 0,
		.started = s->started[0] ? s->started : NULL,
		.finished = s->finished[0] ? s->finished : NULL,
		.exit_code = s->status,
		.oom_killed = s->oom.killed,
		.stopped_by_user = s->stopped,
		.restarts = s->restarts,
		.error = s->error.code ? s->error.text : NULL,
	};

	return launch_state_write(&d, &state, e);
}

/* Of the message that brings s->oom's descriptors. If we have too many open already, only they are lost. */
#define AHEAD 1

bool supervisor_answer(struct supervisor *s, struct supervisor_answer *a)
{
	ssize_t n;

	do {
		int fds[2] = { -EBADF, -EBADF };
		size_t n_fds = 2;

		n = fd_recv(s->answers, a, sizeof(*a), fds, &n_fds);
		if (n == AHEAD) {
			s->oom.fd = fds[0];
			s->oom.empty = fds[1];
			s->oom.looks = 0;
		}
	} while (n == AHEAD || n == -EBADMSG);
	if (n == (ssize_t)sizeof(*a))
		return true;
	/* Nothing comes any more: it is its end that counts. */
	if (n == 0)
		s->answers = fd_close(s->answers);
	return false;
}

/* In the child 0. The parent gets its pid, and its answer later through s->answers if there is to be one. */
static pid_t fork_worker(struct supervisor *s, int *answer)
{
	int pair[2] = { -EBADF, -EBADF };
	sigset_t ours;
	pid_t pid;

	if (answer && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		pid = -errno;
		fd_close(pair[0]);
		fd_close(pair[1]);
		return pid;
	}
	if (pid > 0) {
		fd_close(pair[1]);
		if (answer)
			s->answers = pair[0];
		return pid;
	}
	fd_close(pair[0]);
	if (answer)
		*answer = pair[1];
	/* As main() has it: what we run starts with none blocked, and finds none ignored. */
	sigemptyset(&ours);
	sigaddset(&ours, SIGPIPE);
	sigaddset(&ours, SIGXFSZ);
	sigprocmask(SIG_SETMASK, &ours, NULL);
	signal(SIGHUP, SIG_DFL);
	return 0;
}

/* --- start ------------------------------------------------------------------------------------------ */

/* Ours in pipes[i], the payload's in ends[i]. */
static int make_stdio(struct supervisor *s, int ends[3])
{
	int p[2];

	for (int i = 0; i < 3; i++)
		ends[i] = -EBADF;
	if (s->tty) {
		s->console = control_listen(SUPERVISOR_CONSOLE, SOCK_STREAM);
		return s->console < 0 ? s->console : 0;
	}
	for (int i = 0; i < 3; i++) {
		int *mine = i == 0 ? &s->to : &s->from[i - 1];

		if (i == 0 && !s->interactive)
			continue;
		if (pipe2(p, O_CLOEXEC) < 0)
			return -errno;
		ends[i] = p[i != 0];
		*mine = p[i == 0];
		/* Whoever the payload's first process turns its children into may open /dev/stderr, too. */
		if (fcntl(*mine, F_SETFL, O_NONBLOCK) < 0 || fchmod(ends[i], i == 0 ? 0644 : 0622) < 0)
			return -errno;
	}
	return 0;
}

/* The network of another partition (container:NAME), as that one runs now. */
static int join_network(const struct supervisor *s, struct err *e)
{
	_cleanup_(arena_freep) struct arena *arena = arena_new();
	struct launch_dir d;
	int r = arena ? launch_dir_open(s->ctx, s->name, false, arena, &d, e)
		      : err_set(e, ENOMEM, "partition \"%s\"", s->name);

	if (r < 0)
		return r;
	r = d.damaged ? 0 : launch_network_join(s->ctx, &d.record, e);
	launch_dir_close(&d);
	return r;
}

static int run_payload(struct supervisor *s, int answer, struct supervisor_answer *a)
{
	struct rt_oom oom = { .fd = -EBADF, .empty = -EBADF, .to = answer };
	const struct rt_create_opts o = {
		.id = s->name,
		.bundle = s->path,
		.console_socket = s->tty ? SUPERVISOR_CONSOLE : NULL,
		.detach = true,
		.oom = &oom,
		.mnt_template = s->mnt_template > 0 ? s->mnt_template : 0,
	};
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	struct err ignored = ERR_INIT;
	struct timespec now;
	int status, r;

	r = join_network(s, &a->error);
	if (r == 0)
		r = rt_run(&s->rt, &o, &status, &a->error);
	if (r < 0) {
		launch_network_explain(&a->error);
		return r;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	log_time(&now, a->started);
	memcpy(s->started, a->started, sizeof(s->started));
	/* Also of one that has ended meanwhile. */
	r = rt_partition_open(&s->rt, s->name, RT_UNLOCKED, &p, &a->error);
	if (r < 0)
		return r;
	a->pid = p->pid;
	/* A full disk is no reason to end it: the runtime knows that it runs, too. */
	supervisor_write_state(s, LAUNCH_PHASE_UP, a->pid, getppid(), &ignored);
	return 0;
}

static void start_child(struct supervisor *s, const int ends[3], int answer, pid_t parent)
{
	struct supervisor_answer a = { 0 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* If the supervisor is killed, so are we: the runtime leaves nothing behind that runs unrecorded. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (null < 0)
		err_set(&a.error, errno, "open /dev/null");
	for (int i = 0; i < 3 && null >= 0; i++)
		if (dup2(ends[i] >= 0 ? ends[i] : null, i) < 0)
			err_set(&a.error, errno, "set up standard input and output");
	if (!a.error.code)
		run_payload(s, answer, &a);
	fd_send(answer, &a, sizeof(a), NULL, 0);
	_exit(0);
}

int supervisor_start(struct supervisor *s)
{
	int ends[3], answer = -EBADF, r;
	pid_t parent = getpid(), pid;

	s->deaf_until = 0;
	r = make_stdio(s, ends);
	if (r < 0) {
		err_set(&s->error, -r, "make pipes for the output of partition \"%s\"", s->name);
	} else {
		pid = fork_worker(s, &answer);
		if (pid == 0)
			start_child(s, ends, answer, parent);
		if (pid < 0)
			r = err_set(
				&s->error, (int)-pid, "make a process to start partition \"%s\"", s->name);
		else
			s->worker = pid;
	}
	for (int i = 0; i < 3; i++)
		fd_close(ends[i]);
	return r;
}

/* --- end -------------------------------------------------------------------------------------------- */

int supervisor_end(struct supervisor *s, enum launch_phase next)
{
	struct err ignored = ERR_INIT;
	pid_t pid = fork_worker(s, NULL);

	if (pid > 0)
		s->worker = pid;
	if (pid != 0)
		return pid < 0 ? (int)pid : 0;
	/* Not tied to the supervisor's life: if that is killed, this is still done. */
	supervisor_write_state(s, next, 0, getppid(), &ignored);
	/* Force: there may be others than the first process, where they have no namespace that ends with it.
	 */
	rt_delete(&s->rt, s->name, true, &ignored);
	_exit(0);
}

/* --- stop ------------------------------------------------------------------------------------------- */

int supervisor_stop(struct supervisor *s)
{
	struct err ignored = ERR_INIT;
	pid_t pid = fork_worker(s, NULL);

	if (pid > 0)
		s->stopper = pid;
	if (pid != 0)
		return pid < 0 ? (int)pid : 0;
	launch_end_payload(&s->rt, s->name, s->stop_signal, s->stop_timeout, &ignored);
	_exit(0);
}
