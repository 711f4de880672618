/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of a terminal whose other end is in a guest: a pty whose slave is raw, so that only the
 * guest's own line discipline acts. */
#ifndef SANDBOX_TERMINAL_H
#define SANDBOX_TERMINAL_H

#include "base/err.h"
#include "spec/spec.h"

/* The master goes to the console socket, or, where that is -1, to *master. */
int terminal_open(
	const struct spec_process *proc, int console_socket, int *master, int *slave, struct err *e);

/*
 * The same pipe or terminal as a description of its own, which does not block: whoever else reads or writes
 * there may be faster after poll(2) has said that it can be done, and the monitor has other things to do than
 * to wait for the next time. What is neither, or cannot be opened again, is duplicated. -1: it is not open.
 */
int terminal_own(int fd);

#endif
