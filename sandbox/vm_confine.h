/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that the machine's threads make once they run: what a filter for each has to allow, so
 * that whatever takes over a thread by a hole in a device or in KVM can ask the host for that and nothing
 * else. No new machines, vCPUs, devices or memory among it: of KVM's ioctls a vCPU has KVM_RUN, the loop
 * none.
 */
#ifndef SANDBOX_VM_CONFINE_H
#define SANDBOX_VM_CONFINE_H

#include <stddef.h>
#include <stdint.h>

struct vm_syscall {
	const char *name;
	int arg; /* the one argument that must have this value, counted from 0; -1: none */
	uint64_t value;
};

/* A vCPU's thread, from confine() (vm_start()) to its end. */
extern const struct vm_syscall vm_vcpu_syscalls[];
extern const size_t vm_vcpu_n_syscalls;

/* vm_serve() and vm_free(), in the loop's thread: to be added to what its owner needs. */
extern const struct vm_syscall vm_loop_syscalls[];
extern const size_t vm_loop_n_syscalls;

#endif
