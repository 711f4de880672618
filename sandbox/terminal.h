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

#endif
