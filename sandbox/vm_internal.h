/* SPDX-License-Identifier: Apache-2.0 */
/* The machine on KVM, for the vm_*.c files: its parts, and who of its threads touches them. */
#ifndef SANDBOX_VM_INTERNAL_H
#define SANDBOX_VM_INTERNAL_H

#include <linux/kvm.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sandbox/virtio.h"
#include "sandbox/vm.h"
#include "sandbox/vm_boot.h"
#include "sandbox/vm_mem.h"
#include "sandbox/vm_serial.h"

/* Memory slots of KVM. RAM only so far: persistent memory (a file of the host's, read-only) and the memory of
 * a snapshot get their slots here. */
enum { VM_SLOT_LOW, VM_SLOT_HIGH };

/* Kept away from everything that lies in the hole; only Intel's processors want them. */
#define VM_TSS_ADDR	 0xFFFBD000UL
#define VM_IDENTITY_ADDR 0xFFFBC000ULL

#define VM_DEVICES_MAX	 (1 + VM_DISKS_MAX + VM_NICS_MAX + VM_TREES_MAX + 2) /* and console, rng, balloon */

struct vm_vcpu {
	struct vm *vm;
	unsigned id;
	int fd;
	struct kvm_run *run; /* shared with KVM; written by others than its thread: immediate_exit */
	pthread_t thread;
	bool started;
	int confined; /* what confine() said; for vm_start() */
};

struct vm {
	int fd;
	size_t run_size;
	struct vm_mem mem; /* of the loop's thread, once the guest runs */
	size_t mem_size;

	struct vm_vcpu vcpus[VM_VCPUS_MAX];
	unsigned n_vcpus;

	struct vm_loop loop;
	struct virtio_dev *devices[VM_DEVICES_MAX]; /* constant once the guest runs */
	unsigned n_devices;

	struct vm_serial serial; /* has a lock */

	/* How it ended: the first vCPU that notices writes `failure`, then `end`, then the eventfd. */
	atomic_flag claimed;
	atomic_int end; /* enum vm_end, or -errno with the text in `failure` */
	struct err failure;
	struct vm_watch ended;

	/* For the vCPUs' threads. */
	atomic_bool stop;
	int (*confine)(void *arg);
	void *confine_arg;
	sem_t ready;
};

/* vm_cpu.c: what a vCPU is and knows before it runs. */
struct kvm_cpuid2;
int vm_cpuid_supported(int kvm, struct kvm_cpuid2 **out, struct err *e);
/* Makes what KVM supports the CPUID of one of `vcpus`. Room for VM_CPUID_MORE entries must be there. */
#define VM_CPUID_MAX  256
#define VM_CPUID_MORE 4
void vm_cpuid_filter(struct kvm_cpuid2 *c, unsigned id, unsigned vcpus, bool deadline);
int vm_cpu_setup(const struct vm *vm, const struct vm_vcpu *v, const struct kvm_cpuid2 *supported,
	bool deadline, struct err *e);
int vm_cpu_boot(const struct vm_vcpu *v, uint32_t entry, uint64_t start_info, struct err *e);

/* vm_vcpu.c: the threads. */
int vm_vcpus_start(struct vm *vm, struct err *e);
void vm_vcpus_stop(struct vm *vm);
/* What an exit asks for; for tests. */
void vm_mmio(struct vm *vm, uint64_t addr, uint8_t *data, unsigned len, bool is_write);
void vm_pio(struct vm *vm, uint16_t port, uint8_t *data, unsigned len, bool is_write);

#endif
