/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in guest memory when the first vCPU starts: kernel, initrd, and the tables that tell the kernel
 * about its machine. No KVM here: everything can be tested with a file and a piece of memory.
 *
 * Theory of operation
 *   The kernel is entered as PVH has it (xen/include/public/arch-x86/hvm/start_info.h): 32 bits, no paging,
 * EBX points to a start_info with command line, initrd and memory map. CPUs and interrupts are found in an MP
 * table (Intel's MultiProcessor Specification 1.4), since there is no ACPI.
 *
 *   0x1000    start_info, list of modules, memory map
 *   0x2000    command line
 *   0x9FC00   MP table: the last KiB below 640 KiB is one of three places where it is looked for
 *   1 MiB …   the kernel's segments, where its ELF headers want them
 *   … low     the initrd, at the end of the memory below the hole
 *
 * Trust: kernel and initrd may be a user's. Every number in them is checked before it is used, and nothing is
 * written but into guest memory, by vm_mem_at().
 */
#ifndef SANDBOX_VM_BOOT_H
#define SANDBOX_VM_BOOT_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "sandbox/vm_mem.h"

/* --- where devices are: [VM_MMIO_BASE, + n * 4 KiB), each with one of these interrupts ---------------- */

#define VM_MMIO_BASE   0xD0000000ULL
#define VM_MMIO_STRIDE 0x1000
#define VM_IRQS	       24 /* the in-kernel IOAPIC's pins: a GSI is a pin is an interrupt of the ISA bus */
#define VM_IRQ_SERIAL  4

/* The interrupt of the device with this number. There are 18 for devices; a machine that has more devices
 * shares them, which Linux' driver allows. */
unsigned vm_device_irq(unsigned device);

/* --- memory -------------------------------------------------------------------------------------- */

#define VM_HUGE_PAGE 0x200000ULL /* bytes */

/*
 * Huge pages for what lies in [start, end) of memory that the guest uses all of anyway: a boot mostly waits
 * for pages to be mapped one by one.
 */
void vm_mem_prefer_huge(const struct vm_mem *mem, uint64_t start, uint64_t end);

#define VM_MEMORY_MIN (16ULL << 20)
#define VM_MEMORY_MAX (1ULL << 40)

/* How `bytes` are split around the hole. Refused: not a multiple of 2 MiB, too small, too large. */
int vm_mem_split(uint64_t bytes, uint64_t *low, uint64_t *high, struct err *e);

/* --- kernel, initrd, tables ---------------------------------------------------------------------- */

#define VM_KERNEL_MIN 0x100000ULL /* no segment may lie below this */

struct vm_kernel {
	uint32_t entry;	     /* PVH: a physical address */
	uint64_t start, end; /* what its segments span, with what is zeroed */
};

/* Loads the segments of an uncompressed x86-64 ELF kernel by pread(2). */
int vm_elf_load(int fd, const struct vm_mem *mem, struct vm_kernel *out, struct err *e);

struct vm_initrd {
	uint64_t gpa, size;
};

/* Loads a regular file to the end of the low memory, above `kernel`. */
int vm_initrd_load(int fd, const struct vm_mem *mem, const struct vm_kernel *kernel, struct vm_initrd *out,
	struct err *e);

#define VM_CMDLINE_MAX 2048 /* with the NUL: COMMAND_LINE_SIZE of x86 */

/* The whole command line: the caller's part, then what the kernel must know of the machine: how to end it
 * (vm.h), the TSC's frequency (0: unknown), where the devices are. */
int vm_cmdline(const char *first, uint32_t tsc_khz, unsigned n_devices, struct strbuf *out, struct err *e);

#define VM_START_INFO 0x1000ULL /* goes into EBX */

/* Writes start_info and what it points to. `initrd` may be NULL. */
int vm_start_info_write(
	const struct vm_mem *mem, const char *cmdline, const struct vm_initrd *initrd, struct err *e);

#define VM_MPTABLE     0x9FC00ULL
#define VM_LAPIC_ADDR  0xFEE00000U
#define VM_IOAPIC_ADDR 0xFEC00000U
#define VM_LOW_RAM_END VM_MPTABLE /* of the RAM below 1 MiB that the kernel may use */

int vm_mptable_write(const struct vm_mem *mem, unsigned vcpus, struct err *e);

/* --- how it ended --------------------------------------------------------------------------------- */

/* The 16-bit word in which a PC's BIOS is told what kind of a restart is coming; Linux writes it just before.
 */
#define VM_REBOOT_MODE 0x472ULL
#define VM_REBOOT_WARM 0x1234

#endif
