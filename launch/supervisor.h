/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a supervisor: what its files share. One of them exists in a process, and it is static: what
 * is not touched takes no memory, and nothing is allocated while it sleeps.
 */
#ifndef LAUNCH_SUPERVISOR_H
#define LAUNCH_SUPERVISOR_H

#include <poll.h>

#include "base/log.h"
#include "launch/control.h"
#include "launch/log.h"
#include "launch/supervise.h"

#define SUPERVISOR_STAYING 16 /* that are attached, or wait */
#define SUPERVISOR_CLIENTS (SUPERVISOR_STAYING + 4)
#define SUPERVISOR_CONSOLE "console" /* where the runtime sends the terminal to, while it starts */

struct supervisor_client {
	int fd;		 /* -1: a free place */
	uint64_t number; /* in the order in which they came */
	bool attached, waiting;
	bool owes;	     /* has not taken the message in `out` */
	bool owes_exit;	     /* nor the one that tells the end */
	bool lagging;	     /* is passed over until it takes something again */
	uint64_t lost;	     /* bytes that it was passed over for */
	int64_t since, last; /* ms: when it began to owe; when that last ended */
	int budget;	     /* ms for which it may still hold the payload up */
};

enum supervisor_phase {
	SV_STARTING, /* a child creates and starts */
	SV_UP,
	SV_DRAINING, /* the payload has ended; what it said is read to the end */
	SV_ENDING,   /* a child writes it down and deletes */
	SV_WAITING,  /* to start it again */
	SV_DONE
};

struct supervisor {
	const struct launch_ctx *ctx;
	const char *name, *path, *notify; /* notify: the socket of a service manager, or NULL */
	struct rt_ctx rt;		  /* root: a copy of ours */

	/*
	 * From here to `log` there are numbers, descriptors and texts, which are kept through a doze
	 * (supervise_doze.c) as they are.
	 */
	bool tty, interactive, rm; /* out of the record, as all to stop_timeout */
	enum launch_restart restart;
	int restart_max, stop_signal, stop_timeout;

	enum supervisor_phase phase;
	int64_t since,
		until;	/* ms, CLOCK_MONOTONIC: when the payload came up; when the phase is over, 0: never */
	pid_t pid;	/* the payload, not yet reaped */
	pid_t last_pid; /* what state.json says */
	pid_t worker, stopper;
	int backoff, restarts, status;
	bool stopped, keep, failed, ran;
	bool own_lock; /* on `dir`, until it runs */
	uint64_t start_time;
	char boot_id[40], started[LOG_TIME_MAX], finished[LOG_TIME_MAX];
	int64_t dozed; /* ms: when it last fell asleep; 0: never */
	int doze_ms;   /* of silence, before it does so again; 0: never */

	/* What a template suits (runtime/prepare_ns.c): a user namespace, no terminal, and no network but a
	 * loopback device, ever. */
	bool by_template;
	int mnt_template; /* or -EBADF: none (yet) */

	int dir;     /* the partition's; also the working directory */
	int report;  /* to launch_supervisor_start(), -1 once it has been told */
	int answers; /* of the worker that starts */
	/*
	 * Of the payload. Also without a limit of its own: it may get one by `update`, and the host's end
	 * counts, too. A descriptor takes nothing of our memory.
	 */
	struct rt_oom oom;
	int signals, listener, console;
	int from[2], to;    /* the payload's output and its input; a terminal is from[0] and to */
	int64_t deaf_until; /* ms: the terminal has nobody at its other end just now */
	struct launch_log log;

	struct err error; /* why the last start failed */
	struct supervisor_client clients[SUPERVISOR_CLIENTS];
	char in[CONTROL_CHUNK]; /* what the payload has not taken */
	size_t in_at, in_len;
	bool close_input; /* after that */
	char out[CONTROL_MAX];
	size_t out_len;
};

/* What the worker that starts tells. */
struct supervisor_answer {
	pid_t pid;
	char started[LOG_TIME_MAX];
	struct err error; /* code 0: it went well */
};

int64_t supervisor_now(void); /* ms */

/* --- supervise_work.c: what is done by children ------------------------------------------------- */

/* Creates and starts the payload; makes its pipes. A failure is in s->error. */
int supervisor_start(struct supervisor *s);
/* Writes down how it ended and what comes next, and deletes the runtime's partition. */
int supervisor_end(struct supervisor *s, enum launch_phase next);
/* Tells the payload to end, and makes it. */
int supervisor_stop(struct supervisor *s);
/* Takes the worker's answer, if it is there; and s->oom, which goes ahead of it. */
/* template.c: the host's template, if there are so many partitions that it is worth it; else -EBADF. */
int supervisor_template(const struct supervisor *s);

bool supervisor_answer(struct supervisor *s, struct supervisor_answer *a);
/* state.json as things are now; `supervisor`: our pid, or 0 as our last word. */
int supervisor_write_state(
	const struct supervisor *s, enum launch_phase phase, pid_t pid, pid_t supervisor, struct err *e);

/* --- supervise_io.c: output, input, clients ------------------------------------------------------- */

/* poll(2) for s->from, s->to, the listener and the clients; `p` has room for SUPERVISOR_POLLS. The number
 * used. */
#define SUPERVISOR_POLLS (4 + SUPERVISOR_CLIENTS)
struct pollfd;
int supervisor_poll_set(struct supervisor *s, struct pollfd *p);
/* Serves what poll(2) said of them. */
void supervisor_serve(struct supervisor *s, const struct pollfd *p);
/* The next moment (ms) that supervisor_serve() must be called at, though nothing happened; INT64_MAX: none.
 */
int64_t supervisor_io_due(const struct supervisor *s);
/* Reads what there is of output. False when there is nothing more now. */
bool supervisor_read(struct supervisor *s);
/* All there is, for the log: attached clients get of it what they can take at once. Takes half a second at
 * most. */
void supervisor_read_all(struct supervisor *s);
/* Is a client holding the payload up? */
bool supervisor_throttled(const struct supervisor *s);
/* The terminal that the runtime has sent, if it has. */
void supervisor_take_console(struct supervisor *s);
/* Tells attached clients the exit status, at the very end those who wait, too. */
void supervisor_tell_exit(struct supervisor *s, bool at_the_end);
void supervisor_close_payload(struct supervisor *s);
void supervisor_close_clients(struct supervisor *s);

/* --- supervise_memory.c ---------------------------------------------------------------------------- */

/* A long poll(2), with next to nothing of the program in memory. 0: something is ready, or the time (ms, -1:
 * none) is up; negative errno. */
int supervisor_memory_sleep(struct pollfd *p, nfds_t n, int ms);

/* --- supervise_doze.c ------------------------------------------------------------------------------- */

#define SUPERVISOR_POLLS_ALL (2 + RT_OOM_POLLS + SUPERVISOR_POLLS)
/*
 * A nap of `ms` (-1: as long as it takes) is over without anything having happened: may it be slept on next
 * to nothing (doze.h)? The silence (ms) before that is to be so and so long; INT_MAX: it may not.
 */
int supervisor_doze_after(const struct supervisor *s);
/* Does so; `p` is what is waited for. Returns only if it is not possible; nothing has changed then. */
void supervisor_doze(struct supervisor *s, const struct pollfd *p, nfds_t n);
/* In a process that has dozed and is awake again: takes everything up, and true. */
bool supervisor_awake(struct supervisor *s);

/* stop.c, for a child of the supervisor and for launch_stop(): the signal, `seconds` of patience, SIGKILL. */
int launch_end_payload(const struct rt_ctx *rt, const char *name, int sig, int seconds, struct err *e);

#endif
