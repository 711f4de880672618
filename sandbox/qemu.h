/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine of vm.h as QEMU's "microvm": a child with the same kernel, initramfs, devices and channels. By
 * software emulation, for hosts whose KVM cannot run a kernel: slower by an order of magnitude, and tens of
 * MiB more. Or by KVM, to be compared with our own machine.
 *
 * It is confined as the monitor is, but that it needs its program, libraries and firmware: its root has the
 * host's /usr and /lib*, read-only, the kernel and the initramfs.
 */
#ifndef SANDBOX_QEMU_H
#define SANDBOX_QEMU_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "sandbox/vm.h"

/* Where it is, or -ENOENT with what to install. */
int qemu_find(char *path, size_t size, struct err *e);

/* *pid is our child; it ends when the guest does, and is killed when we die. Descriptors of `c` stay the
 * caller's. */
int qemu_start(const struct vm_config *c, bool kvm, pid_t *pid, struct err *e);

#endif
