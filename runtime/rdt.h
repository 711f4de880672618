/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.intelRdt: cache and memory bandwidth allocation through the resctrl file system
 * (config-linux.md#intelrdt, Documentation/filesystems/resctrl.rst).
 */
#ifndef RUNTIME_RDT_H
#define RUNTIME_RDT_H

#include "base/err.h"
#include "runtime/partition.h"
#include "spec/spec.h"

/* Before anything is made: resctrl must be mounted if the config asks for it, closID must be one path
 * component or "/". */
int rdt_check(const struct spec *s, struct err *e);
/* The group made or found, its schemata written and compared, p->pid put into it. Sets p->intel_rdt if the
 * group is ours to remove. */
int rdt_apply(const struct spec *s, struct rt_partition *p, struct err *e);
/* `update --l3-cache-schema / --mem-bw-schema`; NULL leaves one alone. */
int rdt_update(const struct rt_partition *p, const char *l3_schema, const char *mb_schema, struct err *e);
void rdt_remove(const struct rt_partition *p, struct err *e);

#endif
