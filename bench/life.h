/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A life: one command of a design, from just before it is started to its end, with the moments between.
 *
 * begun -> first (the payload's mark came) -> ended (the command's process is gone). Of a command that leaves
 * the payload running the mark may come after the end. Times are proc_now()'s; NAN: has not happened. Lives
 * are pumped from one place: life_pump() waits until something happens to any of those that it is given.
 */
#ifndef BENCH_LIFE_H
#define BENCH_LIFE_H

#include "bench/design.h"

struct life {
	struct design *design;
	char id[96];
	pid_t pid;
	int pidfd, out; /* out: its output's reading end; -EBADF once it is over */
	bool keeps_out; /* `out` belongs to somebody else */
	bool marked, over;
	double begun, first, ended,
		cpu; /* ms; cpu: user and system time of the command and what it waited for */
	int status;  /* exit status, 128 + N for a signal */
	off_t log_from;
	double answered; /* ms: when a whole line had come behind the mark; NAN: not */
	char said[64];	 /* behind the mark */
	size_t n_said;
};

/*
 * Starts it. `pipe`: NULL, and the payload's output is a pipe of this life; or a pipe that all held instances
 * share (a pipe each would be counted as the design's memory).
 */
int life_begin(struct life *l, struct design *d, enum design_verb verb, const char *id,
	const char *const *payload, const int *pipe, struct err *e);

/* Waits up to `timeout` ms for something to happen to any of them. -EINTR: proc_stop. */
int life_pump(struct life *const *lives, size_t n, int timeout);

/* Pumps this one until it is over (`end`) and marked (`mark`), at most the run's timeout. 0, -ETIME or
 * -EINTR. */
int life_until(struct life *l, bool mark, bool end);

/* Kills the command, closes what is open. */
void life_drop(struct life *l);

/* After its end: 0 if it has marked and its status is 0; else what went wrong, with its own last words. */
int life_verdict(const struct life *l, struct err *e);

/* The words of the payload that only says its mark. */
extern const char *const life_first[];

/* --- held instances */

struct held {
	char id[96];
	pid_t pid; /* of an attached one, else 0 */
};

/* The pipe that they all say their mark to. */
int held_pipe(int *pipe, struct err *e);
void held_pipe_close(int *pipe);

/*
 * Starts one and waits for its mark. *start: ms to the mark. On failure what was made of it is ended again;
 * the error is why.
 */
int held_start(struct held *h, struct design *d, const char *const *payload, const int *pipe, double *start,
	struct err *e);

#endif
