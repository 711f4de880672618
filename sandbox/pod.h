/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods: partitions that share one sandbox. A pod's members trust each other and share a network; what is
 * between them and the host is one machine.
 *
 * Theory of operation
 *   Engines that make pods make a partition first that holds the pod (Kubernetes' pause container), and
 * then its members, which say so by annotation. The first one's sandbox is made with room for others: it has
 * the connection for binds in any case, and its server of directories an empty place for their files. A
 * member's create puts its root file system and the sources of its binds there, as mounts in the server's
 * mount namespace, which it enters for that; then a process of the host (stand_in.h), the member's recorded
 * one, asks the monitor to have it created in the guest (CREATE with a number of its own, proto.h).
 *
 *   Who is given the network namespace of a sandbox by its process ("/proc/PID/ns/net": --network=container:)
 * is a member likewise: there is no network but the guest's. Any sandbox with binds has a place for those.
 *
 * Trust
 *   Annotations may be an image's, so one that names a pod is not enough: a member is who has also been given
 * the pod's network namespace, which only the engine decides on.
 */
#ifndef SANDBOX_POD_H
#define SANDBOX_POD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/partition.h"
#include "sandbox/ask.h"

enum vm_role { VM_ALONE, VM_POD, VM_MEMBER };

/*
 * By the annotations of containerd's CRI plugin (io.kubernetes.cri.container-type, …sandbox-id) and of CRI-O
 * and podman (io.kubernetes.cri-o.ContainerType, …SandboxID); what podman makes may become one. *pod (may be
 * NULL): the id of a member's pod, the spec's.
 */
enum vm_role vm_role(const struct spec *s, const char **pod);

/* Of a pod, by CRI: what all its members may have together; 0: not said. Bytes; microseconds. */
uint64_t vm_pod_memory(const struct spec *s);
bool vm_pod_cpu(const struct spec *s, uint64_t *quota, uint64_t *period);

struct vm_pod {
	struct rt_partition *p;
	unsigned join; /* namespaces to share with it: bits of enum spec_ns */
};

/* Does it want to be a member of some pod? */
bool vm_pod_wanted(const struct spec *s);

/*
 * Opens the pod of a member. 1: it is a sandbox that lives, with the network namespace `netns` (an open
 * descriptor); 0: it is none, or another's, or has another network; -errno.
 */
int vm_pod_open(const struct rt_partition *member, int netns, struct vm_pod *out, struct err *e);
void vm_pod_close(struct vm_pod *pod);

/* Takes out of the member's config the namespaces that are the pod's: they are to be joined in the guest. */
void vm_pod_take_namespaces(struct vm_pod *pod, struct spec *s);

/* Puts a member's files where the guest sees them: below VM_POD_DIR/<id> of the connection for binds. The
 * descriptors stay the caller's. */
int vm_pod_attach(
	const struct vm_pod *pod, const char *id, const struct vm_share *list, size_t n, struct err *e);
/* Takes them away. What is not there, or no longer has a server, is no error. */
int vm_pod_detach(const struct rt_partition *member, struct err *e);

/* In the server's root. */
#define VM_POD_DIR "pod"

/* What a member's state says, by annotation. */
#define VM_POD_ANNOTATION      VM_ANNOTATION "pod"
#define VM_INSTANCE_ANNOTATION VM_ANNOTATION "pod-instance"
#define VM_NUMBER_ANNOTATION   VM_ANNOTATION "number"

/*
 * Tells the pod whose state directory that is from another one of the same name, before it or after: the
 * directory's inode and when it was made, where the file system knows (statx(2), STATX_BTIME).
 */
#define VM_INSTANCE_MAX 64
void vm_pod_instance(int dirfd, char text[VM_INSTANCE_MAX]);

#endif
