/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the parent half (the runtime) and the child half (the partition's first process before its exec) talk:
 * named messages, one datagram each, over a SOCK_SEQPACKET pair. Both ends are O_CLOEXEC: that the socket
 * closes without an error is how the parent learns that the payload was executed, and that it closes is how
 * the child learns that its parent died.
 */
#ifndef RUNTIME_SYNC_H
#define RUNTIME_SYNC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum sync_msg {
	SYNC_CLOSED, /* not sent: the peer is gone */

	/* child to parent */
	SYNC_ERROR,	 /* a struct err: the child gives up */
	SYNC_EXEC_ERROR, /* the same, and it is the payload that could not be executed */
	SYNC_WARN,	 /* text for a warning */
	SYNC_NEED_MAPS,	 /* waits for id maps (and what else needs the new namespaces): answered by SYNC_GO */
	SYNC_HOOKS,	 /* mounts are done, before pivot_root: prestart and createRuntime hooks; answered by
			    SYNC_GO */
	SYNC_MASTER,	 /* the terminal's master, as an fd */
	SYNC_CREATED,  /* everything is set up: answered by SYNC_START, or by SYNC_GO once it is recorded and
			  may wait at the start socket */
	SYNC_LISTENER, /* the number of the seccomp notify fd, to be taken with pidfd_getfd(2); answered by
			  SYNC_GO when the agent has it */

	/* parent to child */
	SYNC_TEMPLATE, /* before the SYNC_GO that answers SYNC_NEED_MAPS: fds for mnt_ctx; number 0: the mount
			  namespace, 1: the sysfs */
	SYNC_GO,
	SYNC_START,
};

struct sync_frame {
	uint32_t msg;
	int32_t number; /* a pid; an errno */
	char text[ERR_TEXT_MAX];
};

/* 0 or -errno (-EPIPE: the peer is gone). `fd` is -1 or a descriptor that goes with it. */
int sync_send(int sock, enum sync_msg msg, int number, const char *text, int fd);

/* The next message, or SYNC_CLOSED, or -errno. *fd (may be NULL) gets a descriptor or -1. */
int sync_recv(int sock, struct sync_frame *f, int *fd);

/* Child, before it ends: sends e as SYNC_ERROR or SYNC_EXEC_ERROR. */
void sync_send_err(int sock, enum sync_msg msg, const struct err *e);

/* The error in a frame of these two kinds, into e; returns it negative. */
int sync_err(const struct sync_frame *f, struct err *e);

/* Child: waits for `wanted`; the parent's death or anything else ends the process. */
void sync_expect(int sock, enum sync_msg wanted);

/*
 * Child, with its filter on: tells the number of the listener by write(2), the one call that a profile may
 * not notify on, and waits with read(2) until the agent has it; these two are all that a profile has to let
 * through for it. `sock` points to the socket. The listener stays open until it closes at the exec. For
 * payload_restrict().
 */
void sync_hand_over(int listener, void *sock);

/*
 * Where the kernel writes the number of the process that a joiner clones (CLONE_PARENT_SETTID), 0 until then:
 * a page that parent and joiner share. So the number is known before that process has done anything, and also
 * if the joiner is killed right after it; and the process itself does not have the page: who gets hold of it
 * inside the partition cannot have us signal, wait for and kill whomever he names, as he could if the number
 * came in a message.
 */
pid_t *sync_birth_page(struct err *e);
void sync_birth_hide(pid_t *page); /* joiner, before the clone */
void sync_birth_free(pid_t *page);

#endif
