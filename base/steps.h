/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a start spends its time on: a line for each step when it is done, into the file that
 * $RINGFENCE_STEP_TIMES names (appended to; made if it is not there; ignored with AT_SECURE). A line is
 *
 *   PID NANOSECONDS NAME
 *
 * NANOSECONDS by CLOCK_MONOTONIC; a step took the time since the line before. Without the variable a step
 * costs a comparison. The first process inside writes its steps, too, by a descriptor from outside, which it
 * has until it executes the payload: for measuring, not for production.
 */
#ifndef BASE_STEPS_H
#define BASE_STEPS_H

extern int steps_fd; /* -1: nobody wants to know */

/* Once, in the beginning. */
void steps_open(void);
void steps_write(const char *name);

static inline void step_done(const char *name)
{
	if (steps_fd >= 0)
		steps_write(name);
}

#endif
