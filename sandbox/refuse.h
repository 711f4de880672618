/* SPDX-License-Identifier: Apache-2.0 */
/* What a sandbox cannot do, named: before anything is made. docs/sandbox.md has the list for users. */
#ifndef SANDBOX_REFUSE_H
#define SANDBOX_REFUSE_H

#include "base/err.h"
#include "runtime/partition.h"
#include "runtime/runtime.h"

/* -EOPNOTSUPP, with what it is and what to do. */
int vm_refuse(const struct rt_partition *p, const struct rt_create_opts *o, struct err *e);

#endif
