/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said on a supervisor's socket. AF_UNIX, SOCK_SEQPACKET: a message is one command byte and what
 * follows; nothing else frames it. Both ends are the same program on the same host, so numbers are in its
 * byte order.
 *
 *   to the supervisor                         from it
 *     ATTACH                                    READY flags (CONTROL_TTY, CONTROL_STDIN), or REFUSED text
 *     INPUT data   RESIZE rows,columns          OUTPUT stream data   LOST count   EXIT status
 *     CLOSE_INPUT
 *     STOP keep                                 READY 0
 *     WAIT                                      READY 0, and at the very end EXIT status
 *
 * Peers are known by SO_PEERCRED: root, and whoever the supervisor runs as (CVE-2020-15257: a socket that any
 * process may talk to is a way to the host's root).
 */
#ifndef LAUNCH_CONTROL_H
#define LAUNCH_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define CONTROL_SOCKET "control"
#define CONTROL_CHUNK  8192		   /* bytes of input or output in a message */
#define CONTROL_MAX    (CONTROL_CHUNK + 2) /* a whole message */

enum {
	CONTROL_ATTACH = 'A',
	CONTROL_INPUT = 'I',
	CONTROL_RESIZE = 'R', /* two uint16_t */
	CONTROL_CLOSE_INPUT = 'C',
	CONTROL_STOP = 'S', /* a byte: CONTROL_KEEP, or 0 */
	CONTROL_WAIT = 'W',

	CONTROL_READY = 'Y',
	CONTROL_REFUSED = 'N',
	CONTROL_OUTPUT = 'O', /* a byte: 1 stdout, 2 stderr */
	CONTROL_LOST = 'L',   /* uint64_t: bytes of output that were left out */
	CONTROL_EXIT = 'X',   /* int32_t: exit status */
};
#define CONTROL_TTY   1
#define CONTROL_STDIN 2 /* somebody reads what is sent as INPUT */
#define CONTROL_KEEP  1 /* with STOP: not to be removed, whatever --rm said: it is started again */

/* The supervisor's: in the working directory. -errno. */
int control_listen(const char *name, int type);
/* Accepts one; the fd, or -errno (-EPERM: somebody else's process). */
int control_accept(int listener);

/* To the supervisor of the partition whose directory `dir` is. -ENOENT or -ECONNREFUSED: none is there. */
int control_connect(int dir);
/* A message of a command byte and data; -EAGAIN with MSG_DONTWAIT in flags. */
int control_send(int sock, char command, const void *data, size_t len, int flags);
/* Waits for one, `ms` at most. Its length, 0 at the end, -ETIMEDOUT. */
ssize_t control_receive(int sock, void *buf, size_t size, int ms);
/* Sends a command and waits for READY, 10 s. The flags of it, or -errno; -ECONNRESET: it has just ended. */
int control_ask(int sock, char command, const void *data, size_t len, struct err *e);

#endif
