/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox's root file system: a directory of the host's by 9p, or disks.
 *
 * As disks it is one or more EROFS images, below an overlay that the guest makes. What is written goes to a
 * file of the host's that has no name, as ext4, and ends with the sandbox; where the root is read-only it is
 * a tmpfs, for places to mount on. Everything that a program reads is then in the guest's page cache without
 * a message, and nothing of it is on the host where commit, cp or a restart could find it.
 *
 * Annotations (both optional):
 *   io.ringfence.sandbox.root        disk, share (by 9p), or auto (default): disks where nobody can tell the
 *                                    difference but by the clock
 *   io.ringfence.sandbox.root-image  the path of an EROFS image with all that is in the layers of the overlay
 *                                    on "/". `launch` names one if what is written is not to be kept
 */
#ifndef SANDBOX_ROOT_H
#define SANDBOX_ROOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "runtime/partition.h"

#define VM_ROOT_ANNOTATION	 "io.ringfence.sandbox.root"
#define VM_ROOT_IMAGE_ANNOTATION "io.ringfence.sandbox.root-image"

struct vm_root {
	bool disk;	     /* else a share, and nothing else here counts */
	bool readonly;	     /* whatever config.json says of root.readonly */
	const char **images; /* the uppermost first */
	size_t n;
	bool writable; /* by an empty ext4, `scratch`, until it has become a disk's; else on a tmpfs of the
			  guest's */
	int scratch;
};

/* Strings are the spec's or the partition's. -EINVAL: disks were asked for, and cannot be. */
int vm_root_choose(struct rt_partition *p, struct vm_root *out, struct err *e);
void vm_root_close(struct vm_root *root);

#endif
