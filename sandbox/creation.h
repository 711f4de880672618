/* SPDX-License-Identifier: Apache-2.0 */
/* How a sandbox comes to be: the part of the engine (engine.c) that is used once in its life. */
#ifndef SANDBOX_CREATION_H
#define SANDBOX_CREATION_H

#include "runtime/engine.h"

/* For struct rt_engine, of both. What the config says of a pod decides which of them it will be: a member's
 * p->engine becomes vm_engine where there is no such pod. */
int vm_create_partition(
	struct rt_partition *p, const struct rt_create_opts *o, struct rt_launch *l, struct err *e);

/*
 * A network namespace given by path may outlive the sandbox, whose interfaces would receive nothing any more.
 * Best effort: it may be gone already, which is as well. `netns` -1: none.
 */
void vm_give_network_back(int netns);

#endif
