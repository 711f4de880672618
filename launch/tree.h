/* SPDX-License-Identifier: Apache-2.0 */
/* Trees that partitions have written: removed. Private to launch/. */
#ifndef LAUNCH_TREE_H
#define LAUNCH_TREE_H

#include "base/err.h"
#include "base/str.h"

/*
 * parent/name, and all that is in it: renamed away first, so that a kill -9 in the middle leaves no half of
 * it under its name; what is left so is removed by whoever comes next. `locked`: an fd of it that is
 * flock()ed already, or -1. 0 or -errno; -EXDEV, -EBUSY: something is mounted in it.
 */
int launch_tree_remove(int parent, const char *name, int locked);

/*
 * work(arg) in a process that is root of a user namespace with all ids that partitions of this user, who is
 * not root, have. What it returns (0 or -errno), or why there is no such process.
 */
int launch_as_users(int (*work)(void *arg), void *arg, struct err *e);

#endif
