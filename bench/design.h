/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Designs: ways to run the payload apart from the host, each behind the same few commands.
 *
 * A design is a program that is called as its users call it. What differs between designs is the command line
 * for each verb, and what has to be prepared; measuring, waiting, counting and cleaning up are the same for
 * all and are not here. To add one: a file design_NAME.c with a struct design_kind, and a line in design.c.
 *
 * On the command line a design is NAME or NAME:PARAMETER, and a result's rows name it so:
 *
 *   host                  no design: a process of the host, which overhead is compared with
 *   floor[:whole]         the bare system calls (floor.c)
 *   ringfence[:PATH]      a partition; also crun, runc, runsc
 *   launch[:PATH]         what `ringfence launch` makes of an image
 *   sandbox[:ACCEL]       a partition with a kernel of its own; ACCEL: kvm, tcg or qemu as in --accel
 *   podman[:RUNTIME]      podman, with conmon
 *   qemu[:kvm|tcg]        QEMU's microvm with the payload as its init, no agent
 *   firecracker[:PATH], cloud-hypervisor[:PATH]
 *   fake:KEY=VALUE+…      a process with a cost that is known; keys: cost=SIZE delay=USEC leak=N (every Nth
 * is left behind) fail=N (every Nth does not start) nest=1 (in a child without a
 *                         mark): the benchmark's own test
 *
 * Where a parameter chooses what emulates the machine and none is given, the best that works here is taken,
 * and `detail` says which it was.
 */
#ifndef BENCH_DESIGN_H
#define BENCH_DESIGN_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/proc.h"
#include "bench/site.h"

enum design_verb {
	DESIGN_RUN,  /* the payload once, in the foreground, until it has ended */
	DESIGN_HOLD, /* the payload, left running */
	DESIGN_EXEC, /* one more payload in a held instance, in the foreground */
	DESIGN_STOP, /* ends a held instance, with all that belongs to it */
	/* Of OCI runtimes, as engines call them: all but the payload, and the payload. */
	DESIGN_CREATE,
	DESIGN_START,
};

/* What a design needs to know of the run. All paths are absolute. */
struct design_env {
	const struct site *site;
	const char *runtime; /* ringfence */
	const char *kernel;  /* a guest's; "" if there is none */
	const char *payload, *floor;
	uint64_t guest_memory; /* bytes of a virtual machine */
	int timeout;	       /* ms for a start */
};

struct design;

struct design_kind {
	const char *name, *title;
	/* The held instance is the process that was started, which stays in the foreground; STOP is not
	 * asked. */
	bool attached;
	bool machine; /* has guest memory */
	/* What a held payload says does not come to us: that HOLD has returned stands for it. */
	bool says_on_return;
	bool steps;	/* has CREATE and START */
	bool own_steps; /* tells what it does, as in base/steps.h */
	/* What may emulate it, best first: parameters; NULL: there is no choice. */
	const char *const *choices;

	/* Finds the program, makes what instances share. An error is the reason why the design is not
	 * measured. */
	int (*prepare)(struct design *d, struct err *e);
	/* The command line for an instance `id`. `payload`: the words of the payload's command line behind
	 * its name. May make files; is not timed. -ENOTSUP: the design has no such verb, and why. */
	int (*command)(struct design *d, enum design_verb verb, const char *id, const char *const *payload,
		struct words *w, struct err *e);
	/* One line: which version it is. NULL: `program --version` says so. */
	void (*version)(struct design *d, struct strbuf *out);
	/* Calls `each` for every instance that its state lists. NULL: processes and cgroups tell it all. */
	void (*list)(struct design *d, void (*each)(struct design *d, const char *id));
	/* For attached ones: whether the harness shall end it. NULL: yes. The fake's leak. */
	bool (*may_stop)(struct design *d, const char *id);
};

struct design {
	const struct design_kind *kind;
	const struct design_env *env;
	char *name;	 /* as on the command line */
	char *parameter; /* behind the colon, or the choice that works; NULL: none */
	char *program, *state, *scratch;
	char *version;
	const char *detail; /* how the machine is emulated; NULL: there is none */
	char *reason;	    /* why it is not measured; NULL: it is */
	int log;	    /* what its programs say to standard error, appended; -EBADF: not yet */
	bool only_overhead; /* nobody asked for it: it is there to compare overhead with */
	bool cleaning;	    /* what a run has left is to be removed: nothing new is made */
	uint64_t serial;    /* of instances */
	uint64_t cost, delay, leak, fail, nest; /* the fake's */
};

struct designs {
	struct design *at;
	size_t n;
};

/* Adds the host in front of a list, if it is not in it. */
int designs_add_host(const struct design_env *env, struct designs *list, struct err *e);

/* From a comma-separated list. -EINVAL, with what is wrong with it. Nothing is touched yet. */
int designs_parse(const char *list, const struct design_env *env, struct designs *out, struct err *e);
void designs_free(struct designs *d);

/*
 * Prepares the design and tries it once, which is also what says how its machine is emulated. On failure
 * `reason` is set and is all that comes of it; -ENOMEM and -EINTR are returned as errors.
 */
int design_probe(struct design *d, struct err *e);

/* A new instance's id: "rfb-RUN-NAME-N". */
void design_new_id(struct design *d, char *id, size_t size);

/* Ends a held instance; pid: of an attached one. An error says what the design's program said. */
int design_stop(struct design *d, const char *id, pid_t pid, struct err *e);

/* Asks all designs of a record to delete what they list: for site_clean(). */
site_ask_designs designs_clean;

/* The last line that was said to the log behind `from`, put into out. */
void design_said(const struct design *d, off_t from, struct strbuf *out);
off_t design_log_end(const struct design *d);

/* --- for the kinds */

/* state and scratch directories of the design, made; program found in $PATH or as the parameter says. */
int design_make_dirs(struct design *d, struct err *e);
int design_find(struct design *d, const char *program, const char *package, struct err *e);

/* A root file system for payloads, shared by designs. malloc()ed path. */
int design_rootfs(struct design *d, char **path, struct err *e);

/* A bundle whose process has these words (behind "/payload"), made when it is not there. malloc()ed path. */
int design_bundle(struct design *d, const char *const *payload, char **path, struct err *e);

/* An initramfs with the payload as /init and a console. malloc()ed path. */
int design_initramfs(struct design *d, char **path, struct err *e);

/* "init=…" words for a guest: the payload's, as a machine's first process. Appended, with blanks between. */
void design_guest_words(const char *const *payload, struct strbuf *out);

extern const struct design_kind design_host, design_floor, design_ringfence, design_crun, design_runc,
	design_runsc, design_sandbox, design_launch, design_podman, design_qemu, design_firecracker,
	design_cloud_hypervisor, design_fake;

#endif
