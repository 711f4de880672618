/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine, as the monitor wants it: the same description for our own VMM on KVM (vm_kvm.c and its
 * siblings) and for QEMU's microvm by software emulation (qemu.c).
 *
 * Both boot an uncompressed ELF kernel by its PVH entry, with virtio-mmio devices that are named on the
 * kernel's command line ("virtio_mmio.device=4K@0xADDRESS:IRQ"). No PCI, no ACPI, no firmware.
 *
 * Threads
 *   Whoever calls vm_create() has the loop: all devices work in that thread, when vm_serve() is called
 * because vm_poll_fd() is readable. vCPUs are threads of their own; they touch device registers under the
 * transport's lock, and guest memory never.
 */
#ifndef SANDBOX_VM_H
#define SANDBOX_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

#define VM_PORTS_MAX 24
#define VM_DISKS_MAX 40
#define VM_NICS_MAX  4
#define VM_TREES_MAX 2 /* the kernel reads 2 KiB of command line, of which each device takes 35 bytes */
#define VM_VCPUS_MAX 8
#define VM_TAG_MAX   32 /* bytes */

/* A port of the one virtio-console device, which has VIRTIO_CONSOLE_F_MULTIPORT. No console: the guest finds
 * it by name below /sys/class/virtio-ports. */
struct vm_port {
	const char *name;
	int fd; /* our end's peer: a non-blocking stream socket; bytes go both ways as they are */
};

struct vm_disk {
	int fd; /* a regular file or block device, opened with the rights that the guest is to have */
	bool readonly;
	char serial[12]; /* by which the guest knows it; "": "ringfence" */
};

struct vm_nic {
	int fd;		/* a tap with IFF_NO_PI, and IFF_VNET_HDR with a header of 12 bytes; non-blocking */
	uint8_t mac[6]; /* the guest's */
	uint16_t mtu;
};

/* A directory of the host's by virtio-9p, with a mount tag. By KVM only; under QEMU 9p goes by a port. */
struct vm_tree {
	const char *tag;
	int fd; /* the server's peer: a non-blocking stream socket that carries 9P2000.L */
};

struct vm_config {
	int kernel, initrd;  /* read-only; initrd -1: none */
	const char *cmdline; /* the caller's part; the machine adds what the kernel must know of it */
	uint64_t memory;     /* bytes, a multiple of 2 MiB */
	unsigned vcpus;
	/* Where the guest's first serial port (0x3f8; "console=ttyS0") is written to, -1: nowhere.
	 * Non-blocking if it is a pipe or socket: what it does not take at once is lost. */
	int serial;

	struct vm_port ports[VM_PORTS_MAX];
	struct vm_disk disks[VM_DISKS_MAX];
	struct vm_nic nics[VM_NICS_MAX];
	struct vm_tree trees[VM_TREES_MAX];
	unsigned n_ports, n_disks, n_nics, n_trees;
};

/* --- by KVM, in this process ------------------------------------------------------------------- */

struct vm;

/*
 * Makes all of it: memory, kernel and initrd in it, vCPUs, devices; nothing runs yet. `kvm`: a descriptor of
 * /dev/kvm, which stays the caller's and is not needed afterwards. Descriptors of `c` become the machine's on
 * success, and stay the caller's on failure. What can open a file or make a thread is done by vm_start() at
 * the latest, so that the caller may confine itself in between.
 *
 * Devices are, in the order of their addresses: the console if there are ports, the disks, the interfaces,
 * the directories, a source of random numbers, a balloon (which gives memory back that the guest has free).
 */
int vm_create(const struct vm_config *c, int kvm, struct vm **out, struct err *e);
/* Starts the vCPUs' threads. Each calls confine(arg) first, unless that is NULL; 0 or -errno. What they need
 * then, and what the loop needs, is in vm_confine.h. */
int vm_start(struct vm *vm, int (*confine)(void *arg), void *arg, struct err *e);
int vm_poll_fd(const struct vm *vm);

/*
 * How a guest ends: without ACPI, Linux has no way to switch a machine off; reboot(RB_POWER_OFF) and
 * RB_HALT_SYSTEM would merely halt its CPUs, which nobody notices. So the agent calls reboot(RB_AUTOBOOT),
 * and the command line ("reboot=k,warm,panic_cold panic=-1", which vm_create() adds) makes the kernel pulse
 * the keyboard controller's reset, after it has noted in memory whether that is a warm restart, as reboot(2)
 * does, or a cold one, as after a panic.
 */
enum vm_end {
	VM_RUNS,
	VM_OFF,	    /* in order: reboot(RB_AUTOBOOT) */
	VM_RESET,   /* the kernel restarted the machine by itself: a panic (pid 1 ended, no memory …) */
	VM_CRASHED, /* a triple fault */
};

/*
 * Lets the devices work, and tells whether it still runs. When it has ended, the vCPUs are stopped, and what
 * the guest had handed to its devices by then has come out. -errno: a device or vCPU has failed in a way that
 * ends the machine, with the cause.
 */
int vm_serve(struct vm *vm, enum vm_end *end, struct err *e);
/* Ends the vCPUs, frees everything. */
void vm_free(struct vm *vm);
DEFINE_CLEANUP(struct vm *, vm_free);

/* --- whether KVM can do it ----------------------------------------------------------------------- */

enum vm_kvm { VM_KVM_NATIVE, VM_KVM_EMULATED, VM_KVM_NONE };

/*
 * Is a guest's ring 0 run by the processor, or interpreted by the host's kernel, which no kernel gets
 * through? A loop of three instructions in a throw-away machine is timed, for 5 ms at most. `why` gets a
 * sentence for people (VM_WHY_MAX): what /dev/kvm lacks, or nanoseconds a round.
 */
#define VM_WHY_MAX 200
enum vm_kvm vm_kvm_probe(const char *device, char *why);

#endif
