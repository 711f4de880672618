/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that ringfence-bench runs: their words, how they are started, and which processes of this host are
 * of a run.
 *
 * Every program is started with "RINGFENCE_BENCH_RUN=ID" in its environment, which all that it starts
 * inherits, and with names that begin with "rfb-ID". So whatever a design leaves running, on purpose or not,
 * is found again in procfs by one or the other: no design has to tell which processes it consists of, and
 * none can forget one. Nothing here is for several threads.
 */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* A command line; zero-initialise. After a failure for want of memory `failed` stays set. */
struct words {
	char **at; /* NULL-terminated once there is one */
	size_t n;
	bool failed;
};

void words_add(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void words_add_all(struct words *w, const char *const *words); /* NULL-terminated */
void words_reset(struct words *w);
#define _cleanup_words_ _cleanup_(words_reset)

/* Milliseconds of CLOCK_MONOTONIC. */
double proc_now(void);

/*
 * Signals. After proc_catch_signals() INT, TERM and HUP are only seen by who waits in here: the first sets
 * proc_stop, which ends waits with -EINTR; the next one ends us, without cleaning up. CHLD interrupts waits.
 */
extern volatile bool proc_stop;
void proc_catch_signals(void);

/* The environment of programs: ours, and the mark of this run. Until it is called there is none. */
int proc_mark(const char *run, struct err *e);
/* "NAME=VALUE" for programs that are started from now on; NULL: no more. Borrowed. */
void proc_tell(char *variable);

/*
 * Starts w (w->at[0] is looked for in $PATH) in a process group of its own, so that a Ctrl-C of the terminal
 * is ours alone, with no signal blocked or ignored. out, err: its descriptors 1 and 2; input is /dev/null.
 * *began: the time just before (proc_now()).
 */
int proc_spawn(const struct words *w, int out, int err, pid_t *pid, double *began, struct err *e);

/*
 * Runs w to its end, at most `timeout` ms: then it is killed (-ETIME). Returns the exit status (128 + N for a
 * signal). What it says to standard output is put into `out`, what to standard error into `said`, 4 MiB each
 * at most; either may be NULL. Not ended by proc_stop: it is what cleans up.
 */
int proc_run(const struct words *w, int timeout, struct strbuf *out, struct strbuf *said, struct err *e);

/* The same, for who only wants it to work: an error has the last line of what it said. */
int proc_must(const struct words *w, int timeout, struct err *e);

/* The last line of a text that is not empty, without what a terminal acts upon; "" if there is none. At most
 * 300 bytes. */
void proc_last_line(const char *text, struct strbuf *out);

/* An executable file of this name in $PATH, or `name` itself if it has a slash. malloc()ed, or NULL. */
char *proc_find(const char *name);

/*
 * Children that somebody waits for, PROC_WATCHED_MAX at most (false: too many). All others, which a design
 * left to whom it came from, are waited for by proc_reap_strangers(), so that a runtime sees them go.
 */
#define PROC_WATCHED_MAX 1024
bool proc_watch(pid_t pid);
void proc_unwatch(pid_t pid);
void proc_reap_strangers(void);

/* --- processes of a run ------------------------------------------------------------------------------- */

/* Calls `each` for every process of `run`, but us (marked.c says how they are found); a return value but 0
 * ends it and is returned. */
int proc_each_marked(const char *run, int (*each)(pid_t pid, void *arg), void *arg);
size_t proc_count_marked(const char *run);

/* Kills them all, and waits up to `timeout` ms until they are gone. Returns how many are not. */
size_t proc_kill_marked(const char *run, int timeout);

#endif
