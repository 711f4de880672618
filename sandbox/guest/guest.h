/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent: pid 1 of a sandbox's guest. It does what the monitor asks for over the control channel (proto.h,
 * plan.h), by means of the same runtime that makes partitions on a host.
 *
 * Theory of operation
 *   One process, one poll(2) loop that never waits for anything else. What takes time or memory (mounts,
 * create, start, exec, statistics) is done by a worker: a fork(2) that calls the runtime, answers over a
 * socket pair, with descriptors where there are some, and is gone. So the agent stays as small as it was
 * after boot, and any number of requests are under way at once.
 *
 *   A payload is the child of a worker, or of one's child, and is the agent's as soon as that has ended: pid
 * 1 gets all orphans. A worker has answered before it ends, and answers are read before anybody is reaped, so
 * a pid is always known when its end is seen. It stays unreaped until then: a signal cannot reach a stranger.
 *
 *   Output is read only while the monitor has room for it (CREDIT) and the control channel takes what is
 * written, so that nothing piles up here: a program that writes faster waits at its own pipe.
 *
 * Trust: the agent trusts its monitor; the payload is no more trusted than on a host. The monitor trusts
 * neither.
 */
#ifndef SANDBOX_GUEST_GUEST_H
#define SANDBOX_GUEST_GUEST_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "runtime/runtime.h"
#include "sandbox/plan.h"
#include "sandbox/proto.h"
#include "spec/spec.h"

#define GUEST_BUNDLE PLAN_DIR "/bundle" /* below it a directory for each partition, named by its number */
#define GUEST_UPPER  PLAN_DIR "/upper"	/* a tmpfs: what the payload writes where its root is read-only */
#define GUEST_ROOT   PLAN_DIR "/root"	/* where a root of layers is mounted, in the partition's namespace */
#define GUEST_SHM    PLAN_DIR "/shm"	/* the memory that the partitions of a pod share */
#define GUEST_STATE  "/run/ringfence"	/* below it the runtime's --root of each, likewise */

/* --- what a worker brings ------------------------------------------------------------------------------ */

enum guest_fd { GUEST_IN, GUEST_OUT, GUEST_ERR, GUEST_OOM, GUEST_FDS };

/* One packet, with the descriptors that `fds` has bits of, in that order; then text_len + log_len bytes. */
struct guest_answer {
	struct err error; /* code 0: it went well */
	pid_t pid;
	bool exec_failed;
	bool terminal; /* GUEST_OUT is its master side, for input too */
	short oom_how; /* poll(2) events of GUEST_OOM */
	uint32_t fds, text_len, log_len;
};

enum guest_work {
	WORK_SETUP,
	WORK_CREATE,
	WORK_START,
	WORK_EXEC,
	WORK_SIGNAL,
	WORK_UPDATE,
	WORK_STATS,
	WORK_PIDS,
	WORK_PAUSE,
	WORK_RESUME,
	WORK_SYNC,
	WORK_DELETE, /* of ourselves: nobody asked, nobody is answered */
	WORK_OFF,
};

struct guest_worker {
	struct guest_worker *next;
	enum guest_work what;
	uint32_t id, serial;
	pid_t pid;
	int sock, polled; /* its place in the poll set, -1: none */
	bool headed;	  /* the answer's first packet is there */
	struct guest_answer a;
	int fds[GUEST_FDS];
	char *text; /* text_len + log_len */
	size_t have;
};

/* --- processes ----------------------------------------------------------------------------------------- */

struct guest_stream {
	int fd, polled;
	uint32_t room;	/* bytes that the monitor still takes */
	bool bounded;	/* its process is gone, and so is the time that others get to say something */
	size_t left;	/* bytes that are still read then */
	bool over;	/* its end has been said */
	int64_t silent; /* ms: a terminal that nobody has open is not looked at until then */
};

struct guest_process {
	struct guest_process *next;
	uint32_t id;
	pid_t pid;     /* 0: none yet, or reaped */
	bool answered; /* START or EXEC is: what it says may be passed on */
	bool terminal, ended;
	uint32_t status;
	int64_t since; /* ms: its end */
	struct guest_stream out[2];
	int in, in_polled;
	uint8_t *input; /* what it has not taken; NULL: nothing */
	size_t in_at, in_len;
	bool close_input; /* after that */
	bool sized;
	struct winsize size;
};

/* --- partitions ---------------------------------------------------------------------------------------- */

/* Its first process has the same number: 0 is the sandbox's own, others joined it (a pod's). */
struct guest_partition {
	struct guest_partition *next;
	uint32_t id;
	enum { GUEST_EMPTY, GUEST_CREATED, GUEST_STARTED } phase;
	bool under_way; /* from this phase to the next one */
	bool removed;	/* what it left behind is gone, or never was */
	int oom, oom_polled;
	short oom_how;
	uint64_t oom_seen;
	struct guest_late *late; /* a refusal that waits until nothing is left, or NULL */
};

struct guest_late {
	uint32_t serial;
	bool exec_failed;
	struct err error;
};

struct guest {
	struct proto port;
	bool machine;	    /* we are its pid 1; else a test's */
	const char *cgroup; /* the first partition's; those of others are beside it, with their numbers */
	bool gone;	    /* the monitor is, or says what we do not understand */
	bool held;	    /* its requests wait for workers to end */
	bool off;	    /* it has been asked for */
	int64_t off_until;  /* ms: no more patience */
	bool set_up, setting_up;
	struct guest_partition *partitions;
	pid_t relay;
	int signals;
	int dns, dns_polled; /* the resolver's socket, -1: none */
	struct guest_worker *workers;
	unsigned n_workers;
	struct guest_process *processes;
	struct pollfd *polls;
	int n_polls, polls_room;
};

int64_t guest_now(void); /* ms, CLOCK_MONOTONIC */
/* To the monitor; a failure is g->gone. */
void guest_say(struct guest *g, enum proto_type type, uint16_t flags, uint32_t id, uint32_t serial,
	const void *data, size_t len);
void guest_refuse(struct guest *g, uint32_t id, uint32_t serial, const struct err *e, bool exec_failed);
/* A new file of ours, 0600; nothing is left of one that could not be written. */
int guest_put_file(const char *path, const void *data, size_t len, struct err *e);
/* Adds to g->polls; the place. -1: fd is none, or no memory. */
int guest_poll_add(struct guest *g, int fd, short events);
/* What poll(2) said of a place. */
short guest_polled(const struct guest *g, int place);

/* --- boot.c: the machine ------------------------------------------------------------------------------- */

/* File systems, a root that can be pivoted out of, limits. */
int guest_boot(struct err *e);
/* In a worker: limits as a payload on a host finds them. */
void guest_limits(void);
/* The port of that name, once the host is there, waiting `ms` at most. The descriptor is non-blocking. */
int guest_port(const char *name, int ms, struct err *e);
/* The last words, where somebody may read them: on the console. */
void guest_complain(const char *text);
_Noreturn void guest_power_off(void);

/* --- shares.c: in a worker ----------------------------------------------------------------------------- */

/* Everything that SETUP asks for. *relay: the process that carries the shares' messages, or 0; *dns: the
 * resolver's socket, or -1. */
int guest_set_up(const struct guest *g, const struct json *setup, pid_t *relay, int *dns, struct err *e);
/* Written back and unmounted, as far as that goes. */
void guest_take_down(void);

/* --- relay.c -------------------------------------------------------------------------------------------- */

struct guest_pair {
	int port, sock;
};
/* Copies between the two of each pair, both ways, until all are closed. Does not return. */
_Noreturn void guest_relay(const struct guest_pair *pairs, unsigned n);

/* --- adapt.c: config.json as it is run in a guest ------------------------------------------------------ */

struct guest_plan {
	const struct guest *g;
	uint32_t number; /* of the partition */
	pid_t first;	 /* the process whose namespaces it may be told to join: that of number 0 */
	const struct json *json;
	const char *id, *root;
	bool creating; /* what belongs to the whole guest is to be set */
};

/* For number 0 of g, into the arena. */
int guest_plan_parse(const struct guest *g, const char *text, size_t len, struct arena *a,
	struct guest_plan *out, struct err *e);
/* Keeps what CREATE says for those that come after it, and the config that comes with it, if one does. */
int guest_plan_keep(const struct proto_msg *create, struct arena *a, struct err *e);
/* What has been kept for that partition, into the arena. -ESRCH: nothing. */
int guest_plan_read(
	const struct guest *g, uint32_t number, struct arena *a, struct guest_plan *out, struct err *e);
/* Where the files of a partition are, and its state. */
#define GUEST_PATH_MAX 64
void guest_bundle(uint32_t number, const char *file, char path[GUEST_PATH_MAX]);
void guest_state(uint32_t number, char path[GUEST_PATH_MAX]);
/* For rt_set_adapter(); arg: struct guest_plan. */
int guest_adapt(struct spec *s, void *arg, struct err *e);
void guest_adapt_resources(struct spec_resources *r);
/* The tmpfs for what is written to a root of read-only layers. */
int guest_make_upper(const struct guest_plan *plan, struct err *e);
/* The memory that a pod shares, if it has not been made yet. */
int guest_make_shm(const struct guest_plan *plan, struct err *e);
/* The text of a process.json, without what only means something on the host. NULL: no memory. */
char *guest_adapt_process(const struct json *process);

/* --- disks.c -------------------------------------------------------------------------------------------- */

#define GUEST_DISK_PATH 32
/* The monitor's n-th disk: "/dev/vdX" and its numbers. -ENODEV. */
int guest_disk_find(unsigned n, char path[GUEST_DISK_PATH], dev_t *rdev, struct err *e);
/* CREATE's "disks": before anything is dropped from config.json's mounts. */
int guest_adapt_disks(struct spec *s, const struct guest_plan *plan, struct err *e);
/* Where the kernel shows block devices; for tests. */
extern const char *guest_disks_sys;

/* --- work.c, tasks.c: workers --------------------------------------------------------------------------- */

/* What a worker does, and has. */
struct guest_task {
	const struct guest *g;
	const struct proto_msg *m;
	struct guest_answer a;
	int fds[GUEST_FDS];
	struct strbuf text;
	struct arena *arena;
};

/* Lets a worker do what `m` asks for. An error has not begun. */
int guest_work(struct guest *g, enum guest_work what, const struct proto_msg *m, struct err *e);
/* Reads what workers have to say, and acts on the answers that are whole. */
void guest_take_answers(struct guest *g);
/* If `pid` is a worker's: it has ended. */
bool guest_worker_ended(struct guest *g, pid_t pid);
/* In the worker. */
int guest_do(enum guest_work what, struct guest_task *t, struct err *e);

/* --- requests.c ------------------------------------------------------------------------------------------
 */

/* Acts on one message of the monitor's. */
void guest_request(struct guest *g, const struct proto_msg *m);
/* Acts on what a worker has brought. */
void guest_answered(struct guest *g, struct guest_worker *w);

/* --- process.c -------------------------------------------------------------------------------------------
 */

struct guest_process *guest_process_new(struct guest *g, uint32_t id);
struct guest_process *guest_process_find(const struct guest *g, uint32_t id);
void guest_process_free(struct guest *g, struct guest_process *p);
/* Takes the descriptors out of the worker's answer. */
void guest_process_adopt(struct guest_process *p, struct guest_worker *w);
void guest_process_input(struct guest *g, struct guest_process *p, const uint8_t *data, size_t len);
/* What came before the process was there. */
void guest_process_push(struct guest *g, struct guest_process *p);
void guest_process_resize(struct guest_process *p, const struct proto_msg *m);
/* If `pid` is a process's: it has ended with that status of waitpid(2). */
void guest_process_ended(struct guest *g, pid_t pid, int status);
void guest_process_credit(struct guest *g, uint32_t id, unsigned stream, uint32_t n);
/* The poll set of all; what poll(2) said; what time brings. */
void guest_processes_poll(struct guest *g);
void guest_processes_serve(struct guest *g);
/* ms until guest_processes_serve() must be called though nothing has happened; -1: never. */
int guest_processes_due(const struct guest *g);

/* --- dns.c ---------------------------------------------------------------------------------------------- */

void guest_dns_poll(struct guest *g);
void guest_dns_serve(struct guest *g);
void guest_dns_answer(struct guest *g, const struct proto_msg *m);

/* --- partitions.c --------------------------------------------------------------------------------------- */

/* With its directory. NULL: errno says why not. */
struct guest_partition *guest_partition_new(struct guest *g, uint32_t id);
struct guest_partition *guest_partition_find(const struct guest *g, uint32_t id);
/* Has what it left behind removed: it is under way then, and `removed` afterwards. */
void guest_partition_remove(struct guest *g, struct guest_partition *p);
/*
 * What a worker could not do: what is left of the partition is removed before anybody hears of it, if a
 * worker can be had for that. It is guest_refuse()d in any case.
 */
void guest_partition_undo(struct guest *g, struct guest_partition *p, const struct guest_worker *w);
/* With its files; a refusal that waits is said. */
void guest_partition_free(struct guest *g, struct guest_partition *p);
/* Out of memory: what there is of news is told. */
void guest_look_for_oom(struct guest *g, struct guest_partition *p);
void guest_partitions_poll(struct guest *g);
void guest_partitions_serve(struct guest *g);

#endif
