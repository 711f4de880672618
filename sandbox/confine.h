/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up what a sandbox's processes do not need: before a guest's first instruction.
 *
 *   monitor   namespaces of its own, an empty root, nobody's uid, no capabilities, not dumpable, a filter
 *   vCPUs     the same, and a filter that leaves them KVM_RUN and waking the monitor
 *   files     a root with the shared directories in it and nothing else, no network, powers over files only,
 * a filter of its own (p9.h) QEMU      a root with the host's libraries, read-only, nobody's uid, no
 * capabilities, QEMU's own filter
 */
#ifndef SANDBOX_CONFINE_H
#define SANDBOX_CONFINE_H

#include "base/err.h"
#include "sandbox/ask.h"

/* Whose files are nobody's, and who may do nothing with them. */
#define CONFINE_ID 65534

/* New ones of these (CLONE_NEW*); mounts go neither way any more. */
int confine_namespaces(int flags, struct err *e);
/* An empty, read-only root. */
int confine_root(struct err *e);
/* Nobody, without capabilities, for good. */
int confine_identity(struct err *e);
/* What the server of directories keeps. */
int confine_server(struct err *e);
/* All of these for the monitor; its filter (filter.h) comes last. */
int confine_monitor(struct err *e);

/* Closes every descriptor from 3 on but these and the shares'. */
void confine_keep(const int *keep, size_t n, const struct vm_share *shares, size_t n_shares);

#endif
