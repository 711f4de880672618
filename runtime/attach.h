/* SPDX-License-Identifier: Apache-2.0 */
/* Staying with a process in the foreground: its signals, its terminal, its end. */
#ifndef RUNTIME_ATTACH_H
#define RUNTIME_ATTACH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/runtime.h"

/*
 * Holds back the signals that attach_wait() will deal with. To be called before the process is let go; the
 * mask stays for the rest of our life.
 */
void attach_begin(void);

/* After attach_begin(): a descriptor that is readable once a signal has come that asks us to end. -1 and an
 * error. */
int attach_stop_fd(struct err *e);

/*
 * Waits for `pid`, our child, and reaps it and whatever else becomes our child; signals sent to us are sent
 * on to it. With `master` >= 0, our stdin and stdout are joined to that terminal: raw mode while it lasts,
 * its size follows ours. *status is as the shell tells it: exit status, or 128 + signal. `oom`, if there is
 * one, is read as soon as that can be. `remote`: the terminal that the process sees is not this one but
 * another, behind it, whose line discipline is not to be asked from here (a sandbox's). Takes over (closes)
 * master.
 */
int attach_wait(pid_t pid, int master, bool remote, struct rt_oom *oom, int *status, struct err *e);

/* The size of our own terminal to it, if we have one. */
void attach_copy_size(int master);

#endif
