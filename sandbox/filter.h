/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that a monitor's threads may make once the guest runs: all others end the process.
 * Compiled before the monitor is forked, so that it never runs libseccomp.
 */
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

#include <stdbool.h>

#include "base/err.h"
#include "security/seccomp.h"

struct vm_filters {
	struct seccomp_prog loop, vcpu; /* vcpu: only with a machine in the process */
};

/* `cache_dirfd`: as for seccomp_prepare(). */
int vm_filters_prepare(struct vm_filters *f, bool kvm, int cache_dirfd, struct err *e);
void vm_filters_free(struct vm_filters *f);
/* In the thread that it is for, which has no_new_privs. */
int vm_filter_install(const struct seccomp_prog *p, struct err *e);

#endif
