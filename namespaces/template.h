/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mount namespace to make those of partitions of: an empty, read-only root, and a sysfs.
 *
 * Theory of operation
 *   Two things that every partition does take longer the more of them there are. pivot_root(2) looks at each
 * process of the host, in case its root is the one that goes (fs/fs_struct.c, chroot_fs_refs()): 0.25 us
 * each. Mounting a sysfs looks at each one that there is, in case it shows the same network namespace
 * (fs/super.c, sget_fc()): 0.35 us each. With 10,000 partitions, and a supervisor for each, that is 9 ms of a
 * start that takes 6.
 *   So both are done once, for a namespace that others are made from. A partition's first process comes into
 * a copy of it and attaches its own tree on top of the root that is there, as all mount namespaces have their
 * root on top of the kernel's own: what lies below is an empty directory that nobody can write to, also for
 * who unmounts all he can. The sysfs shows a network namespace in which there is only a loopback device, so
 * it is only for partitions whose own has nothing else either. One of its directories is covered, so that the
 * kernel does not take it for a full one, of which whoever makes a user namespace may mount another
 * (fs/namespace.c, mnt_already_visible()).
 *   A template lives as long as somebody has it open: it leaves nothing behind.
 */
#ifndef NAMESPACES_TEMPLATE_H
#define NAMESPACES_TEMPLATE_H

#include <stdbool.h>

#include "base/err.h"

/* A new one's fd, O_CLOEXEC, the caller's. Needs CAP_SYS_ADMIN. */
int mnt_template_new(struct err *e);

/* Whether this is one that mnt_template_copy() will take. */
bool mnt_is_template(int fd);

/*
 * A copy that belongs to the user namespace `userns`, for whoever is root in it; *sysfs: a detached mount of
 * its sysfs. Both fds are the caller's.
 */
int mnt_template_copy(int from, int userns, int *sysfs, struct err *e);

#endif
