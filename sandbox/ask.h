/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a partition's config asks of a sandbox: its machine's size, its kernel, what of the host's files it
 * sees; and what a sandbox cannot do, refused by name before anything is made.
 *
 * Annotations (all optional):
 *   io.ringfence.isolation            "sandbox" chooses this engine
 *   io.ringfence.sandbox.accel        auto (default), kvm, tcg, qemu
 *   io.ringfence.sandbox.memory       the machine's memory, a size ("256M"); otherwise the memory limit and
 *                                     VM_GUEST_OWN more, or VM_MEMORY_DEFAULT without a limit
 *   io.ringfence.sandbox.vcpus        1 to VM_VCPUS_MAX; otherwise as many as the CPU quota fills, or one
 *   io.ringfence.sandbox.kernel       path of an uncompressed kernel with a PVH entry (or vm.kernel.path)
 *   io.ringfence.sandbox.kernel-args  words for its command line, after ours
 * and those by which engines make pods (pod.h).
 */
#ifndef SANDBOX_ASK_H
#define SANDBOX_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "runtime/partition.h"
#include "runtime/runtime.h"
#include "sandbox/disk.h"
#include "sandbox/root.h"
#include "sandbox/vm.h"

#define VM_ANNOTATION	     "io.ringfence.sandbox."
#define VM_ACCEL_ANNOTATION  VM_ANNOTATION "accel"
#define VM_MEMORY_DEFAULT    (512ULL << 20) /* bytes; what of it is never touched costs nothing */
#define VM_MEMORY_LEAST	     (32ULL << 20)  /* by KVM; docs/sandbox.md, Figures, has what was measured */
#define VM_MEMORY_LEAST_QEMU (48ULL << 20)  /* in QEMU the same kernel takes about 10 MiB more */
#define VM_GUEST_OWN	     (40ULL << 20)  /* what kernel and agent need beside the partition's own limit */

/* KVM: our own machine; TCG, QEMU: QEMU's microvm, by software emulation, and by KVM, to be compared with. */
enum vm_accel { VM_ACCEL_AUTO, VM_ACCEL_KVM, VM_ACCEL_TCG, VM_ACCEL_QEMU };
extern const char *const vm_accel_names[];

/* Something of the host's that is shown to the guest, under its own name in the served directory. */
struct vm_share {
	char name[16];
	int fd; /* a detached copy of the mount, not yet attached anywhere */
	bool is_dir;
	int mount; /* index into spec.mounts; -1: the root file system */
	/* SHM, CGROUP: not shown, and fd is -1: the guest has its own. DISK: a block device's node, and the
	 * guest has the device (disk.h). */
	enum { VM_SHARE_FILES, VM_SHARE_SHM, VM_SHARE_CGROUP, VM_SHARE_DISK } kind;
	uint64_t shm_size; /* bytes; 0: as the guest's kernel has it */
	dev_t rdev;
};

struct vm_ask {
	bool pod;	      /* it is made to be shared (pod.h) */
	enum vm_accel accel;  /* never AUTO any more */
	char why[VM_WHY_MAX]; /* about accel */
	uint64_t memory;
	unsigned vcpus;
	const char *kernel_path, *kernel_args;
	int kvm, kernel, guest; /* descriptors; kvm -1: not to be used; guest: the agent's program */
	struct vm_root root;
	struct vm_share *shares;
	size_t n_shares;
	struct vm_disk_ask *disks;
	size_t n_disks;
};

/* Does this config, or the way in which we were called, ask for a sandbox? */
bool vm_wanted(const struct spec *s);
/* What the command line says, before everything else: --isolation, --accel. NULL: nothing. -EINVAL. */
int vm_prefer(const char *isolation, const char *accel, struct err *e);

/* The kernel and the agent where the config names none: of the environment, built, or installed with us. They
 * need not be there. */
const char *vm_kernel_default(void);
void vm_agent_default(char *path, size_t size);

/* Opens and checks everything. Memory is the partition's. */
int vm_ask(struct rt_partition *p, const struct rt_create_opts *o, struct vm_ask *out, struct err *e);
void vm_ask_free(struct vm_ask *ask);

/* The limits of the host's cgroup: the config's, with room for what the machine itself takes. */
int vm_host_resources(
	const struct rt_partition *p, const struct vm_ask *ask, struct spec_resources *out, struct err *e);

/* Those of a process that only stands for what runs in a pod's sandbox. */
void vm_stand_in_resources(const struct rt_partition *p, struct spec_resources *out);

/* The CREATE document (plan.h); member: of one that joins a pod, whose config goes along, and which shares
 * these namespaces (bits of enum spec_ns) with it. malloc()ed. */
char *vm_create_document(
	const struct rt_partition *p, const struct vm_ask *ask, bool member, unsigned join, struct err *e);

#endif
