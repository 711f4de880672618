/* SPDX-License-Identifier: Apache-2.0 */
/* What `doctor` looks at (doctor.c), for its two lists: partitions (doctor_host.c), sandboxes
 * (doctor_sandbox.c). */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "runtime/runtime.h"
#include "sandbox/ask.h"

enum doctor_state { DOCTOR_OK, DOCTOR_LIMITED, DOCTOR_MISSING };

struct doctor {
	const struct rt_ctx *ctx;
	struct arena *arena;
	bool root;
	enum vm_kvm kvm;     /* once it was looked at */
	enum vm_accel accel; /* what `auto` takes; AUTO: nothing */
};

/* In the arena, or literal. */
struct doctor_finding {
	enum doctor_state state;
	const char *why;  /* what was found */
	const char *what; /* what to do about it, NULL: nothing */
};

struct doctor_check {
	const char *name;
	bool vital; /* without it there is no partition (or sandbox) at all */
	void (*look)(struct doctor *d, struct doctor_finding *f);
};

/* Ends with an entry without a name. */
extern const struct doctor_check doctor_host[], doctor_sandbox[];

/* Is it in the running kernel, or a module of it that is loaded when it is needed? Nothing is loaded. */
enum doctor_state doctor_filesystem(struct doctor *d, const char *name);
/* The text, in the arena. */
const char *doctor_say(struct doctor *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
