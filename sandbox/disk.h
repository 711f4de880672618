/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox's disks: files and block devices of the host's that its guest has as virtio-blk.
 *
 *   a mount whose type is a file system of disks (ext4, erofs, …) and whose source is a regular file or block
 *   device: the guest mounts it inside the partition, with the mount's own options
 *   linux.devices of type b, and bind mounts of a block device's node: the guest's device stands for the
 *   host's, under the same path with numbers of its own; rules for devices follow
 *
 * Theory of operation
 *   `create` opens each once, with no more rights than the guest is to have: what is read-only is so by its
 * descriptor, whatever the guest makes of it. It looks at what a path leads to before that is opened, since
 * to open a FIFO waits and to open some devices acts; and a device is opened by its numbers, not by its name.
 *   Two kernels that both have a file system mounted destroy it. So a file is locked (flock(2): shared to
 * read, exclusive to write), and a block device that may be written is opened with O_EXCL, which the host's
 * own mounts are by. Both belong to the open file: the monitor and QEMU inherit them, and the last one to
 * close gives them back, however it ends.
 *   The n-th disk has the serial number "dN", by which the agent finds it: machines number devices as they
 * like.
 */
#ifndef SANDBOX_DISK_H
#define SANDBOX_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/json.h"
#include "runtime/partition.h"
#include "sandbox/vm.h"

struct vm_share;
struct vm_root;

struct vm_disk_ask {
	int fd;
	bool readonly;
	bool volume;	   /* spec.mounts[mount] is a file system on it; else it is a bind of its node */
	const char *fs;	   /* what SETUP mounts it as, at vm_disk_target(); NULL: it does not */
	int mount, device; /* index into spec.mounts or spec.devices; -1: it is not of these */
	dev_t rdev;	   /* the host's numbers, where the config may name them; 0: a file */
	const char *path;  /* as the config has it, for messages */
};

/* Does `type` name a file system that lives on a disk, for which a mount's source is opened on the host? */
bool vm_disk_is_type(const char *type);

/*
 * What the config's rules allow of a block device: SPEC_DEV_* bits. The last rule that names it counts, as
 * the kernel has it; without any rule everything is allowed. Pure.
 */
uint8_t vm_disk_access(const struct spec_dev_rule *rules, size_t n, dev_t rdev);

/* Where SETUP mounts the n-th disk; returns buf. */
const char *vm_disk_target(unsigned n, char buf[64]);

/*
 * Opens, checks and locks all of them, those of the root file system first; its scratch descriptor becomes a
 * disk's. `shares` is what vm_share_open() found. The list is the partition's,
 * its descriptors are the caller's. -EBUSY: somebody else has it; -E2BIG: more than VM_DISKS_MAX; -EINVAL.
 */
int vm_disks_open(struct rt_partition *p, struct vm_root *root, const struct vm_share *shares,
	size_t n_shares, struct vm_disk_ask **list, size_t *n, struct err *e);
/* Of a member of a pod, whose machine is there already: -EOPNOTSUPP if it asks for a disk. */
int vm_disks_none(struct rt_partition *p, const struct vm_share *shares, size_t n_shares, struct err *e);
void vm_disks_close(struct vm_disk_ask *list, size_t n);

/* The member "disks" of SETUP (plan.h). */
void vm_disks_write_setup(struct json_writer *w, const struct vm_disk_ask *list, size_t n);
/* The member "disks" of CREATE. */
void vm_disks_write(struct json_writer *w, const struct vm_disk_ask *list, size_t n);

#endif
