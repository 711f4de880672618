/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a monitor leaves in the state directory for whoever asks: how often the guest's kernel has killed for
 * want of memory, and why the sandbox has ended if that was not the payload's end. The creator makes the
 * file; the monitor, which cannot open anything, has a descriptor of it. Two lines, as cgrp_oom_read() reads
 * them:
 *
 *     oom_kill NUMBER
 *     failure TEXT
 */
#ifndef SANDBOX_FATE_H
#define SANDBOX_FATE_H

#include "base/err.h"
#include "runtime/partition.h"

#define VM_FATE_FILE "sandbox"
#define VM_FATE_MAX  400 /* bytes of the whole */

/* Makes it: a descriptor to write by, the caller's. */
int vm_fate_make(const struct rt_partition *p, struct err *e);
/* Replaces what it says; why: NULL, or a text of which what cannot be printed is left out. */
void vm_fate_write(int fd, uint64_t kills, const char *why);

/* For who reads it: a descriptor for cgrp_oom_read(); the number of kills; the reason, the partition's, or
 * NULL. */
int vm_fate_open(const struct rt_partition *p, struct err *e);
int vm_fate_oom_count(const struct rt_partition *p, uint64_t *n, struct err *e);
const char *vm_fate_failure(const struct rt_partition *p);
/* An inotify(7) descriptor that is readable when it has changed. */
int vm_fate_watch(const struct rt_partition *p, struct err *e);

#endif
