/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the host's files a sandbox sees: its root file system and the sources of its bind mounts, each a
 * mount of its own in one directory that the server of directories exports (p9.h).
 *
 * In the caller's mount namespace everything is opened and copied as a detached mount (open_tree(2)), once:
 * what a path leads to later is of no interest. The server, in a mount namespace of its own, attaches them
 * below an empty file system and pivots into that. Read-only is a property of the mount, so the kernel
 * enforces it.
 *
 * An empty tmpfs that is bound to /dev/shm, as engines do it, is memory to be shared, which files behind a
 * server are not: the guest has one of its own in its place, of the same size. The host's cgroups, which
 * podman binds to /sys/fs/cgroup/systemd for an init that is systemd, are not shown at all: the guest's own
 * are writable then, which is what is meant.
 */
#ifndef SANDBOX_SHARE_H
#define SANDBOX_SHARE_H

#include "base/err.h"
#include "runtime/partition.h"
#include "sandbox/ask.h"
#include "sandbox/plan.h"

/*
 * Two connections to one server. The root file system is the sandbox's alone while it runs, so the guest may
 * remember what it has seen and write back when it likes; the rest is others' too, and is asked for each
 * time.
 */
enum { VM_SHARES_ROOT, VM_SHARES_BINDS, VM_SHARES };
struct vm_share_link {
	const char *tag;    /* of a virtio-9p device, by KVM */
	const char *port;   /* of virtio-serial, in QEMU */
	const char *target; /* where the guest has it */
	bool exclusive;
};
extern const struct vm_share_link vm_share_links[VM_SHARES];
/* How many of them it takes; a pod needs all, for what its members bring (pod.h). */
unsigned vm_share_links_needed(const struct vm_share *list, size_t n, bool pod);

/* The list is the partition's; its descriptors are the caller's. `root`: it is one of them. */
int vm_share_open(struct rt_partition *p, bool root, struct vm_share **list, size_t *n, struct err *e);
void vm_share_close(struct vm_share *list, size_t n);

/*
 * In a process that has a mount namespace of its own: makes its root a directory with all of them in it, and
 * nothing else in reach. The root file system is in "/" VM_SHARE_ROOT.
 */
#define VM_SHARE_ROOT "root"
int vm_share_enter(const struct vm_share *list, size_t n, bool pod, struct err *e);

/* In that process's mount namespace: mounts such a directory at `path`. */
int vm_share_attach(const struct vm_share *list, size_t n, const char *path, struct err *e);

/* What that process is called. */
#define VM_FILES_NAME "ringfence-files"

#endif
