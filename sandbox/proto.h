/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the monitor of a sandbox and the agent in its guest say to each other, and the verbs of the command
 * line to the monitor: frames on a stream (a virtio-serial port; a Unix socket).
 *
 * Theory of operation
 *   A frame is a header of 16 bytes, little endian, and at most PROTO_DATA_MAX bytes of data. A message is
 * one frame, or several of one kind with PROTO_MORE in all but the last. A request has a serial number that
 * is not 0 and is answered once, with the same number: PROTO_DONE or PROTO_ERROR. What happens by itself
 * (output, an exit) has serial 0.
 *
 *   `id` names a process: 0 is the partition's first one, others are given out by the monitor and used once:
 * for exec, and for the first process of each further partition that shares the machine, a pod's. That is
 * such a partition's number, too, by which START, SIGNAL, UPDATE, STATS, PIDS, PAUSE, RESUME and SYNC name
 * it; CREATE with a number other than 0 makes one, its config in the document. The order of a process's life:
 * its EXEC (or START) is answered; STDOUT and STDERR frames come until an empty one, which is the end of that
 * stream; EXIT is the last frame of an id, after both ends. A process that could not be started has an ERROR
 * and no EXIT.
 *
 *   Nobody sends more than PROTO_WINDOW bytes of a stream ahead of what the other side has taken (CREDIT), so
 * that neither side needs more memory than that for a stream, and one that is not read holds up none of the
 * others.
 *
 * Trust: to the monitor, what comes out of the guest is hostile: lengths, ids, serials, text (which is shown
 * to people only after it was made printable) and order. A violation ends the sandbox. The guest trusts its
 * monitor.
 */
#ifndef SANDBOX_PROTO_H
#define SANDBOX_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PROTO_VERSION	  1
#define PROTO_DATA_MAX	  65536
#define PROTO_MESSAGE_MAX (16U << 20)	      /* of all its frames together */
#define PROTO_WINDOW	  131072	      /* bytes */
#define PROTO_PORT	  "ringfence.control" /* the name of the virtio-serial port */

enum proto_type {
	/* To the guest. JSON documents are described in plan.h. */
	PROTO_SETUP = 1, /* JSON: time, file systems, network. The first one */
	PROTO_CREATE,	 /* JSON: how config.json is to be run; CONFIG came before */
	PROTO_CONFIG,	 /* config.json as the caller wrote it; no answer */
	PROTO_START,
	PROTO_EXEC,    /* JSON: the process */
	PROTO_SIGNAL,  /* u32 signal number, u32 flags (PROTO_ALL) */
	PROTO_WINSIZE, /* u16 rows, columns, x and y pixels; no answer */
	PROTO_STDIN,   /* bytes; none: its end. No answer */
	PROTO_UPDATE,  /* JSON: linux.resources */
	PROTO_STATS,   /* DONE has the "data" object of an `events` line */
	PROTO_PIDS,    /* DONE has a JSON array of pids as the guest counts them */
	PROTO_PAUSE,   /* by the guest's kernel; one of several partitions */
	PROTO_RESUME,
	PROTO_SYNC, /* write back what has been written to files of the host */
	PROTO_OFF,  /* end everything, sync, power off; no answer */

	/* Either way: u32 bytes of the stream in `flags` have been taken (0 stdin, 1 stdout, 2 stderr). */
	PROTO_CREDIT = 64,
	PROTO_DNS, /* a query from the guest; what the resolver says to it (dns.h) */

	/* From the guest. */
	PROTO_READY = 128, /* u32 PROTO_VERSION, then the kernel's release as text; once, unasked */
	PROTO_DONE,	   /* data as the request says, mostly none */
	PROTO_ERROR,	   /* u32 errno, u32 PROTO_EXEC_FAILED or 0, then the text */
	PROTO_STDOUT,	   /* bytes; none: its end */
	PROTO_STDERR,
	PROTO_EXIT, /* u32 status as a shell tells it: 0..255, 128 + signal */
	PROTO_OOM,  /* the partition's memory limit has killed somebody */
	PROTO_LOG,  /* text for the log, level warning */
};

#define PROTO_MORE	  1U /* in flags */
#define PROTO_ALL	  1U /* of SIGNAL: every process of the partition */
#define PROTO_EXEC_FAILED 1U /* of ERROR: it is the program's own exec that failed */

struct proto_msg {
	enum proto_type type;
	uint16_t flags;
	uint32_t id, serial;
	const uint8_t *data; /* valid until the next call; a NUL follows that is not counted */
	size_t len;
};

/* One end of a connection. Its descriptor is non-blocking, and closed by proto_close(). */
struct proto {
	int fd;
	bool is_socket; /* then descriptors may come with a frame */
	int passed[4];	/* descriptors that came, in order, -1: none; whoever takes one writes -1 there */
	uint8_t *in, *out, *whole;
	size_t in_len, in_at, in_room, out_len, out_at, out_room, whole_len, whole_room;
	struct proto_msg partial; /* of a message in several frames */
	uint8_t next;		  /* the byte that a NUL stands in for */
};

void proto_open(struct proto *p, int fd);
void proto_close(struct proto *p);

/* Queues a message, in as many frames as it takes, and writes what can be written now. Errors: -EPIPE (and
 * what write(2) says) when the other side is gone, -ENOMEM, -EMSGSIZE. */
int proto_send(struct proto *p, enum proto_type type, uint16_t flags, uint32_t id, uint32_t serial,
	const void *data, size_t len);
/* The same with descriptors that go along with it; only on sockets, only with nothing queued. */
int proto_send_fds(struct proto *p, enum proto_type type, uint32_t id, uint32_t serial, const void *data,
	size_t len, const int *fds, unsigned n_fds);
/* Writes what is queued. 0: all of it, or as much as can be now (proto_waits()). */
int proto_flush(struct proto *p);
bool proto_waits(const struct proto *p);    /* something is queued: poll for POLLOUT */
size_t proto_queued(const struct proto *p); /* bytes */

/*
 * The next message, reading if there is none yet. 1: *m is set; 0: none now; -EPIPE: the other side has
 * closed; -EPROTO: it does not speak this; other errors of read(2).
 */
int proto_next(struct proto *p, struct proto_msg *m);

/* For the command line, which has nothing else to do: waits for it. timeout in ms, -1: none. -ETIMEDOUT. */
int proto_wait(struct proto *p, struct proto_msg *m, int timeout);

/* What is in the data at `at`; 0 if it is too short for that. */
uint32_t proto_u32(const struct proto_msg *m, size_t at);
void proto_put_u32(uint8_t *at, uint32_t v);

/* An ERROR message as an error, made printable. Returns -errno, never 0. */
int proto_error(const struct proto_msg *m, struct err *e);

#endif
