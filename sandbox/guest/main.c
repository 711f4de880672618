/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's loop (see guest.h). */
#include "sandbox/guest/guest.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/path.h"

#define BOOT_MS	    30000 /* for the host to be there */
#define OFF_MS	    10000 /* for everything to end and be written back */
#define WORKERS_MAX 64	  /* at once; further requests wait in the channel */

int64_t guest_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int guest_put_file(const char *path, const void *data, size_t len, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : fd_write_all(fd, data, len);

	if (r == 0)
		return 0;
	if (fd >= 0)
		unlink(path);
	return err_set(e, -r, "write %s", path);
}

/* --- the channel
 * ---------------------------------------------------------------------------------------------- */

void guest_say(struct guest *g, enum proto_type type, uint16_t flags, uint32_t id, uint32_t serial,
	const void *data, size_t len)
{
	/* Nobody waits for it: a signal that was handed on. */
	if (serial == 0 && (type == PROTO_DONE || type == PROTO_ERROR))
		return;
	if (!g->gone && proto_send(&g->port, type, flags, id, serial, data, len) < 0)
		g->gone = true;
}

void guest_refuse(struct guest *g, uint32_t id, uint32_t serial, const struct err *e, bool exec_failed)
{
	uint8_t data[8 + ERR_TEXT_MAX];
	size_t len = strnlen(e->text, sizeof(e->text));

	proto_put_u32(data, (uint32_t)e->code);
	proto_put_u32(data + 4, exec_failed ? PROTO_EXEC_FAILED : 0);
	memcpy(data + 8, e->text, len);
	guest_say(g, PROTO_ERROR, 0, id, serial, data, 8 + len);
}

static void say_ready(struct guest *g)
{
	uint8_t data[4 + sizeof(((struct utsname *)NULL)->release)];
	struct utsname u;
	size_t len;

	uname(&u);
	len = strlen(u.release);
	proto_put_u32(data, PROTO_VERSION);
	memcpy(data + 4, u.release, len);
	guest_say(g, PROTO_READY, 0, 0, 0, data, 4 + len);
}

/* Not while so many are at work that there is no telling what one more would do to the guest's memory. */
static bool listens(const struct guest *g)
{
	return g->n_workers < WORKERS_MAX && !g->off;
}

static void serve_channel(struct guest *g)
{
	struct proto_msg m;
	int r = 0;

	while (!g->gone && listens(g) && (r = proto_next(&g->port, &m)) > 0)
		guest_request(g, &m);
	if (r < 0)
		g->gone = true;
	/* There may be more in our own memory, which poll(2) knows nothing of. */
	g->held = !listens(g);
}

/* --- poll
 * ------------------------------------------------------------------------------------------------------ */

int guest_poll_add(struct guest *g, int fd, short events)
{
	if (fd < 0)
		return -1;
	if (g->n_polls == g->polls_room) {
		int room = g->polls_room ? 2 * g->polls_room : 16;
		struct pollfd *bigger = realloc(g->polls, (size_t)room * sizeof(*bigger));

		if (!bigger)
			return -1;
		g->polls = bigger;
		g->polls_room = room;
	}
	g->polls[g->n_polls] = (struct pollfd){ .fd = fd, .events = events };
	return g->n_polls++;
}

short guest_polled(const struct guest *g, int place)
{
	return place < 0 ? 0 : g->polls[place].revents;
}

/* --- children
 * ------------------------------------------------------------------------------------------------------ */

static void reap(struct guest *g)
{
	static const char lost[] = "the process that serves the host's directories in the guest has ended";
	siginfo_t info = { 0 };
	int status;

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
		pid_t pid = info.si_pid;

		guest_take_answers(g);
		if (waitpid(pid, &status, WNOHANG) != pid)
			return;
		if (pid == g->relay && !g->off)
			guest_say(g, PROTO_LOG, 0, 0, 0, lost, sizeof(lost) - 1);
		else if (!guest_worker_ended(g, pid))
			guest_process_ended(g, pid, status);
		info.si_pid = 0;
	}
}

static void serve_signals(struct guest *g)
{
	struct signalfd_siginfo info;

	while (read(g->signals, &info, sizeof(info)) == sizeof(info))
		;
	reap(g);
}

/* --- the loop
 * ---------------------------------------------------------------------------------------------------------
 */

static void fill_polls(struct guest *g, int *channel, int *signals)
{
	short events = (short)((listens(g) ? POLLIN : 0) | (proto_waits(&g->port) ? POLLOUT : 0));

	g->n_polls = 0;
	*signals = guest_poll_add(g, g->signals, POLLIN);
	*channel = guest_poll_add(g, g->gone || !events ? -1 : g->port.fd, events);
	guest_partitions_poll(g);
	guest_dns_poll(g);
	for (struct guest_worker *w = g->workers; w; w = w->next)
		w->polled = guest_poll_add(g, w->sock, POLLIN);
	if (!g->gone)
		guest_processes_poll(g);
}

/* One round. */
static void turn(struct guest *g)
{
	int channel, signals, ms = g->gone ? -1 : guest_processes_due(g);
	bool answers = false;

	fill_polls(g, &channel, &signals);
	if (g->off_until) {
		int64_t left = g->off_until - guest_now();

		ms = left < 0 ? 0 : ms < 0 || left < ms ? (int)left : ms;
	}
	if (poll(g->polls, (nfds_t)g->n_polls, ms) < 0)
		return;
	if (channel >= 0 && (guest_polled(g, channel) & POLLOUT) && proto_flush(&g->port) < 0)
		g->gone = true;
	guest_processes_serve(g);
	for (struct guest_worker *w = g->workers; w; w = w->next)
		answers |= guest_polled(g, w->polled) != 0;
	if (answers)
		guest_take_answers(g);
	guest_partitions_serve(g);
	guest_dns_serve(g);
	if (guest_polled(g, signals))
		serve_signals(g);
	if ((guest_polled(g, channel) & ~POLLOUT) || (g->held && listens(g)))
		serve_channel(g);
}

static void wind_down(struct guest *g)
{
	const struct proto_msg none = { .type = PROTO_OFF };

	g->off = true;
	g->off_until = guest_now() + OFF_MS;
	if (guest_work(g, WORK_OFF, &none, NULL) < 0)
		return;
	while (g->off_until && guest_now() < g->off_until)
		turn(g);
}

static void live(struct guest *g)
{
	say_ready(g);
	while (!g->gone && !g->off)
		turn(g);
	wind_down(g);
}

/* --- beginning
 * -------------------------------------------------------------------------------------------------------- */

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int begin(struct guest *g, int fd, struct err *e)
{
	int r = path_make(GUEST_BUNDLE, 0755, e);

	if (r < 0)
		return r;
	if (!guest_partition_new(g, 0))
		return err_set(e, errno, "make the directories of the partition");
	g->signals = open_signals();
	if (g->signals < 0)
		return err_set(e, errno, "make a signalfd");
	/* As pid 1 has it anyway. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 || fd_cloexec(fd, true) < 0)
		return err_set(e, errno, "use descriptor %d", fd);
	proto_open(&g->port, fd);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "ringfence-guest is the first process of a sandbox's guest.\n"
			"For tests: ringfence-guest --socket FD [--cgroup PATH]\n");
	return 125;
}

int main(int argc, char **argv)
{
	static struct guest g = { .cgroup = "/partition", .dns = -EBADF };
	struct err e = ERR_INIT;
	int fd = -EBADF, r = 0;

	g.machine = argc < 2 || !str_eq(argv[1], "--socket");
	if (g.machine && getpid() != 1)
		return usage();
	if (!g.machine) {
		if ((argc != 3 && argc != 5) || str_to_int(argv[2], &fd) < 0 ||
			(argc == 5 && !str_eq(argv[3], "--cgroup")))
			return usage();
		g.cgroup = argc == 5 ? argv[4] : g.cgroup;
	}
	if (g.machine)
		r = guest_boot(&e);
	if (r == 0 && g.machine)
		r = fd = guest_port(PROTO_PORT, BOOT_MS, &e);
	if (r >= 0)
		r = begin(&g, fd, &e);
	if (r < 0)
		guest_complain(e.text);
	else
		live(&g);
	if (g.machine)
		guest_power_off();
	return r < 0;
}
