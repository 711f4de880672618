/* SPDX-License-Identifier: Apache-2.0 */
/* The MP table: which CPUs there are, and that each interrupt of the ISA bus is a pin of the one IOAPIC. */
#include <stdbool.h>
#include <string.h>

#include "sandbox/vm.h"
#include "sandbox/vm_boot.h"

/* Intel MultiProcessor Specification 1.4, chapter 4. Entries are a multiple of 4 bytes, so nothing is padded.
 */
struct pointer {
	char signature[4];
	uint32_t table;
	uint8_t length, revision, checksum, features[5];
};
struct header {
	char signature[4];
	uint16_t length;
	uint8_t revision, checksum;
	char oem[8], product[12];
	uint32_t oem_table;
	uint16_t oem_size, entries;
	uint32_t lapic;
	uint16_t extended_length;
	uint8_t extended_checksum, reserved;
};
struct processor {
	uint8_t type, apic_id, apic_version, flags;
	uint32_t signature, features, reserved[2];
};
struct bus {
	uint8_t type, id;
	char name[6];
};
struct ioapic {
	uint8_t type, id, version, flags;
	uint32_t address;
};
struct interrupt {
	uint8_t type, kind;
	uint16_t flags; /* 0: as the bus has it, which is edge-triggered, active high */
	uint8_t bus, bus_irq, apic_id, pin;
};

enum { PROCESSOR, BUS, IOAPIC, INTERRUPT, LOCAL_INTERRUPT };
enum { KIND_INT, KIND_NMI, KIND_SMI, KIND_EXTINT };
enum { ENABLED = 1, BOOTS = 2, REVISION = 4, APIC_VERSION = 0x14, IOAPIC_VERSION = 0x11, EVERY_APIC = 0xFF };

struct table {
	struct pointer pointer;
	struct header header;
	struct processor processors[VM_VCPUS_MAX]; /* what follows moves up if there are fewer */
	struct bus bus;
	struct ioapic ioapic;
	struct interrupt interrupts[VM_IRQS], local[2];
};
_Static_assert(sizeof(struct pointer) == 16 && sizeof(struct header) == 44 &&
		       sizeof(struct processor) == 20 && sizeof(struct bus) == 8 &&
		       sizeof(struct ioapic) == 8 && sizeof(struct interrupt) == 8,
	"layout of the MP table");
_Static_assert(sizeof(struct table) <= 1024, "the last KiB below 640 KiB");

/* What makes all bytes add up to 0. */
static uint8_t checksum(const void *data, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += ((const uint8_t *)data)[i];
	return (uint8_t)-sum;
}

static uint8_t *add(uint8_t *at, const void *entry, size_t len)
{
	memcpy(at, entry, len);
	return at + len;
}

static uint8_t *add_interrupts(uint8_t *at, uint8_t ioapic)
{
	for (uint8_t i = 0; i < VM_IRQS; i++) {
		struct interrupt x = { INTERRUPT, KIND_INT, 0, 0, i, ioapic, i };

		at = add(at, &x, sizeof(x));
	}
	at = add(at, &(struct interrupt){ LOCAL_INTERRUPT, KIND_EXTINT, 0, 0, 0, 0, 0 },
		sizeof(struct interrupt));
	return add(at, &(struct interrupt){ LOCAL_INTERRUPT, KIND_NMI, 0, 0, 0, EVERY_APIC, 1 },
		sizeof(struct interrupt));
}

int vm_mptable_write(const struct vm_mem *mem, unsigned vcpus, struct err *e)
{
	uint8_t *start = vm_mem_at(mem, VM_MPTABLE, sizeof(struct table)), *at;
	struct pointer p = { "_MP_", VM_MPTABLE + sizeof(p), 1, REVISION, 0, { 0 } };
	struct header h = { .signature = "PCMP",
		.revision = REVISION,
		.oem = { 'R', 'I', 'N', 'G', 'F', 'E', 'N', 'C' },
		.product = { 'S', 'A', 'N', 'D', 'B', 'O', 'X', ' ', ' ', ' ', ' ', ' ' },
		.lapic = VM_LAPIC_ADDR };
	/* An id that no CPU has. */
	const uint8_t ioapic = (uint8_t)(vcpus + 1);

	if (vcpus < 1 || vcpus > VM_VCPUS_MAX)
		return err_text(e, EINVAL, "a guest has 1 to %d CPUs, not %u", VM_VCPUS_MAX, vcpus);
	if (!start)
		return err_text(e, EINVAL, "no guest memory for the MP table");

	at = start + sizeof(p) + sizeof(h);
	for (uint8_t i = 0; i < vcpus; i++) {
		struct processor c = { PROCESSOR, i, APIC_VERSION, (uint8_t)(ENABLED | (i ? 0 : BOOTS)),
			0x600, 0x201 /* FPU, APIC */, { 0 } };

		at = add(at, &c, sizeof(c));
	}
	at = add(at, &(struct bus){ BUS, 0, { 'I', 'S', 'A', ' ', ' ', ' ' } }, sizeof(struct bus));
	at = add(at, &(struct ioapic){ IOAPIC, ioapic, IOAPIC_VERSION, ENABLED, VM_IOAPIC_ADDR },
		sizeof(struct ioapic));
	at = add_interrupts(at, ioapic);

	h.entries = (uint16_t)(vcpus + 2 + VM_IRQS + 2);
	h.length = (uint16_t)(at - start - (ptrdiff_t)sizeof(p));
	memcpy(start + sizeof(p), &h, sizeof(h));
	h.checksum = checksum(start + sizeof(p), h.length);
	memcpy(start + sizeof(p), &h, sizeof(h));
	p.checksum = checksum(&p, sizeof(p));
	memcpy(start, &p, sizeof(p));
	return 0;
}
