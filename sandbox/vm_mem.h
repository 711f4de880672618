/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory, and the one way to it. Addresses and lengths come from the guest: whoever wants to touch its
 * memory asks here, with both, and uses what comes back for that length only. The guest can change what is in
 * it at any moment: what is checked is copied out first.
 *
 * RAM is one mapping: guest-physical [0, low) and, where there is more than fits below the hole for devices,
 * [4 GiB, 4 GiB + high), which lies behind the first part in our mapping.
 */
#ifndef SANDBOX_VM_MEM_H
#define SANDBOX_VM_MEM_H

#include <stddef.h>
#include <stdint.h>

#define VM_HOLE_START 0xC0000000ULL /* 3 GiB: RAM below ends here at the latest */
#define VM_HOLE_END   0x100000000ULL

struct vm_mem {
	uint8_t *base;
	uint64_t low, high; /* bytes */
};

/* NULL unless all of [gpa, gpa + len) is RAM of one piece; also for len 0. */
static inline void *vm_mem_at(const struct vm_mem *m, uint64_t gpa, uint64_t len)
{
	if (len == 0)
		return NULL;
	if (gpa < m->low)
		return len <= m->low - gpa ? m->base + gpa : NULL;
	if (gpa < VM_HOLE_END)
		return NULL;
	gpa -= VM_HOLE_END;
	return gpa < m->high && len <= m->high - gpa ? m->base + m->low + gpa : NULL;
}

#endif
