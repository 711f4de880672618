/* SPDX-License-Identifier: Apache-2.0 */
/* The engine "sandbox": partitions with a kernel of their own (docs/sandbox.md). cli/main.c registers it. */
#ifndef SANDBOX_ENGINE_H
#define SANDBOX_ENGINE_H

#include "runtime/engine.h"

extern const struct rt_engine vm_engine;
/* … those that share one with others, as members of a pod (pod.h). */
extern const struct rt_engine vm_member_engine;

#endif
