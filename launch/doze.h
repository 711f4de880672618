/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A supervisor that dozes: how launch/supervise_doze.c, which falls asleep, and the ELF entry point
 * (cli/entry.c), which sleeps, understand each other.
 *
 * Theory of operation
 *   A supervisor that has had nothing to do for a second needs no more than a few numbers and a poll(2). So
 * it executes its own program again, with its descriptors open and those numbers in a variable of the
 * environment. The entry point finds it there, and sleeps before libc starts: of the 90 KiB that a process of
 * this program has written to by the time main() is reached, and of the page tables for them, next to nothing
 * has come about. When something happens it renames the variable and lets libc start; main() finds its way
 * to launch_supervise(), which goes on where it was. pid, parent, children, start time, working directory,
 * signal mask and session are the process's, and stay.
 *
 *   Nothing can get lost: all that is waited for is still there after the poll(2). What wakes up is the same
 * file as what fell asleep (/proc/self/exe), also if another version has been installed meanwhile.
 *
 * The variable: DOZE_ASLEEP, then in hexadecimal digits DOZE_POLLS structures pollfd, and what is nobody's
 * business but the supervisor's. Believed only without AT_SECURE (getauxval(3)) and of `supervise`: whoever
 * can set it could as well execute something else.
 */
#ifndef LAUNCH_DOZE_H
#define LAUNCH_DOZE_H

#include <poll.h>

#define DOZE_ASLEEP "RINGFENCE_DOZES="
#define DOZE_AWAKE  "RINGFENCE_WAKES=" /* of the same length */
#define DOZE_POLLS  6
#define DOZE_NAME   "ringfence" /* prctl(2), PR_SET_NAME */

#endif
