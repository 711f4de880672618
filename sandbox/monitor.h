/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor: the process that a sandbox is to the host. It is the partition's recorded process; its end is
 * the partition's end, and its exit status the payload's.
 *
 * Theory of operation
 *   `create` forks it. While it still has the host's rights it joins the partition's cgroup and network
 * namespace, forks the server of directories, lets the creator run the hooks that set the network up,
 * connects the network, and makes the machine: by KVM in its own process, or QEMU as its child. Then it gives
 * everything up: an empty root, no capabilities, a uid that owns nothing, a filter on its system calls. What
 * it goes on with are descriptors.
 *
 *   From then on it is one poll loop: the control channel to the agent in the guest (proto.h), the payload's
 * standard streams, which it inherited from the creator, a socket in the state directory on which verbs call
 * (client.h), and signals, which it hands on to the payload. The agent is told, in this order: SETUP, CONFIG,
 * CREATE; then the creator hears that it is created. When the payload has ended and all it said is written,
 * the machine is turned off and the monitor exits.
 *
 *   It dies with its creator until that has recorded it; QEMU and the server of directories die with it.
 *
 * Memory: one buffer a stream that has something in it; nothing for what sleeps.
 */
#ifndef SANDBOX_MONITOR_H
#define SANDBOX_MONITOR_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/partition.h"
#include "sandbox/ask.h"
#include "sandbox/filter.h"
#include "sandbox/proto.h"

/* What the creator gives it. */
struct monitor_birth {
	struct rt_partition *p;
	struct vm_ask *ask;
	struct vm_filters *filters;
	const char *config; /* config.json, as text */
	size_t config_len;
	const char *create; /* the CREATE document */
	int netns;	    /* to join, or -1: a new one */
	int sync;	    /* its end of the pair with the creator (runtime/sync.h) */
	int listener;	    /* the socket for verbs */
	int fate;	    /* fate.h */
	int slave;	    /* the payload's terminal on the host's side, or -1: it has our 0, 1 and 2 */
	bool has_hooks;	    /* the creator wants to run some, once the network namespace is there */
};

/* In the forked child; never returns. */
void monitor_main(struct monitor_birth *b) __attribute__((noreturn));

/* --- what its files share ------------------------------------------------------------------------- */

struct monitor_client;

/* Bytes from the guest on their way to a descriptor of the host's. */
struct monitor_sink {
	int fd;
	uint8_t *data;
	size_t at, len, room;
	bool ended;  /* nothing more will come */
	bool broken; /* nobody reads: it is thrown away */
	size_t owed; /* bytes that were taken, and the guest has not been told */
};

/* A process in the guest. */
struct monitor_proc {
	struct monitor_proc *next;
	uint32_t id;
	struct monitor_client *owner; /* NULL: the first process */
	int in;
	bool in_ended;
	size_t window; /* bytes of stdin that may still be sent */
	struct monitor_sink out[2];
	bool exited;
	int status;
	/* Of a further partition (CREATE): its first process, whose number is the partition's. */
	bool first;
	enum { PROC_CREATED, PROC_STARTING, PROC_UP } phase;
};

/* A verb that waits for an answer of the guest's. */
struct monitor_client {
	struct monitor_client *next;
	struct proto proto;
	struct monitor_proc *proc; /* its exec's */
	uint32_t ours, theirs;	   /* serials of the request under way, 0: none */
	enum proto_type asked;
	uint32_t about; /* the number of the partition that it is about, or of the process that it makes */
	bool gone;	/* without a descriptor; what is left is the place for an answer */
};

enum monitor_phase { MON_BOOT, MON_SETUP, MON_CREATE, MON_CREATED, MON_STARTING, MON_UP, MON_ENDED, MON_OFF };

struct monitor {
	struct monitor_birth *b;
	enum monitor_phase phase;
	struct vm *vm; /* KVM */
	pid_t qemu;    /* or this */
	pid_t server;
	struct proto guest;
	int serial;	 /* the guest's console, for when it dies */
	char said[2048]; /* … the last of it */
	size_t said_len;
	int sync, listener, signals;
	int dns; /* the resolver (dns.h), -1: none */
	bool committed, started;
	bool confined; /* nobody's powers any more */
	bool full;     /* who calls cannot be let in for a moment */
	bool more;     /* there may be messages of the guest's that have been read and not been served */
	char *setup;   /* the SETUP document */
	uint32_t next_serial, next_id;
	struct monitor_proc *procs;
	struct monitor_client *clients;
	int status;
	uint64_t oom_kills;
	int warnings;	  /* that the creator was told */
	int64_t deadline; /* ms, CLOCK_MONOTONIC; 0: none */
	bool killed;	  /* somebody wants it to end */
};

/* monitor_setup.c: everything up to the filter on our system calls, which is the last. */
int monitor_set_up(struct monitor *m, struct err *e);

/* monitor_io.c: streams */
struct monitor_proc *monitor_proc_new(struct monitor *m, int in, int out, int err);
void monitor_proc_free(struct monitor *m, struct monitor_proc *p);
struct monitor_proc *monitor_proc_find(struct monitor *m, uint32_t id);
/* The first process of a further partition. */
struct monitor_proc *monitor_member_find(struct monitor *m, uint32_t number);
/* Takes bytes of the guest's; -EPROTO when it sends more than it may. len 0: the end. */
int monitor_sink_put(struct monitor_sink *s, const uint8_t *data, size_t len);
/* Adds what the streams wait for to p, at most MONITOR_POLLS of one process; the number. */
#define MONITOR_POLLS 3
unsigned monitor_proc_poll(struct monitor *m, struct monitor_proc *p, struct pollfd *at);
/* Moves what can be moved. -errno: the control channel is gone. */
int monitor_proc_serve(struct monitor *m, struct monitor_proc *p, const struct pollfd *at);
/* Nothing more comes for it; of a terminal: it has hung up. */
int monitor_proc_input_ends(struct monitor *m, struct monitor_proc *p);
/* All that it said is where it belongs, and it has ended. */
bool monitor_proc_done(const struct monitor_proc *p);

/* monitor_clients.c: verbs */
void monitor_welcome(struct monitor *m);
int monitor_client_serve(struct monitor *m, struct monitor_client *c);
/* An answer of the guest's to what a verb asked: true if it was one. */
bool monitor_answer(struct monitor *m, const struct proto_msg *msg);
/* Its exec has ended, or the sandbox has. */
void monitor_client_exit(struct monitor *m, struct monitor_client *c, int status);
/* A partition that it stands for was short of memory. */
void monitor_client_oom(struct monitor_client *c);
void monitor_clients_reap(struct monitor *m);

/* monitor_guest.c: the control channel */
int monitor_guest_serve(struct monitor *m, struct err *e);
int monitor_send_signal(struct monitor *m, uint32_t id, int sig, bool all, uint32_t serial);
int monitor_send_size(struct monitor *m, uint32_t id, int tty);
/* What the resolver has said. */
int monitor_dns_serve(struct monitor *m);
/* Whether the guest takes what is said to it, so that more may be. */
bool monitor_guest_takes(const struct monitor *m);

/* It is to be over within MONITOR_KILL_MS, whatever the guest does. */
#define MONITOR_KILL_MS 3000
void monitor_kill(struct monitor *m);
/* The end, with a reason that the creator hears if it still listens. */
void monitor_fail(struct monitor *m, const struct err *e) __attribute__((noreturn));
void monitor_exit(struct monitor *m, int status) __attribute__((noreturn));

#endif
