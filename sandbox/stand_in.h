/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process of the host that stands for one in a guest: what engines wait for and signal. It holds the
 * connection to the monitor, hands on signals and sizes of its terminal, and ends with the status of the
 * guest's process. Streams are the monitor's: it is given the descriptors, so no byte passes through here.
 *
 * If the connection ends, so does the stand-in; if the stand-in ends, the monitor kills what it stands for.
 */
#ifndef SANDBOX_STAND_IN_H
#define SANDBOX_STAND_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "sandbox/proto.h"

struct stand_in {
	int sync; /* of a creator (runtime/sync.h), whose end is ours until it has said SYNC_GO; -1: none */
	int fate; /* fate.h, or -1 */
	bool tty; /* descriptor 0 is its terminal */
	int patience; /* ms for the answer to what was asked; 0: for ever */
	/* Called once, with the answer to what was asked: NULL (and e), or a DONE. */
	void (*tell)(struct stand_in *s, const struct proto_msg *done, bool exec_failed, const struct err *e);
	void *arg;

	/* Its own. */
	struct proto c;
	int signals;
	bool told, committed;
	uint64_t kills;
};

/* In the forked child: its name (15 bytes), a session of its own, `slave` (or -1) as terminal and standard
 * streams, signals held. -errno. */
int stand_in_begin(struct stand_in *s, const char *name, int slave, struct err *e);

/* Sends the request with the standard streams to the monitor whose sockets are in the directory. */
int stand_in_ask(struct stand_in *s, int dirfd, enum proto_type what, const char *document, struct err *e);

/*
 * Gives up all that it does not need from here on: what it hears comes from a monitor that a guest may have
 * taken over. What cannot be given up ends it, as stand_in_give_up().
 */
void stand_in_confine(struct stand_in *s);

/* Stays until it is over. */
_Noreturn void stand_in_follow(struct stand_in *s);

/* Tells why it comes to nothing, and ends. */
_Noreturn void stand_in_give_up(struct stand_in *s, const struct err *e);

#endif
