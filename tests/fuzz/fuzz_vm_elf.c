/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: a kernel for the sandbox, which may be anybody's file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "sandbox/vm_boot.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

enum { MEMORY = 8 << 20, AROUND = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Guest memory with something around it that nobody may touch. */
static uint8_t *get_memory(void)
{
	static uint8_t *memory;
	uint8_t *all;

	if (memory)
		return memory;
	all = mmap(NULL, MEMORY + 2 * AROUND, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(all != MAP_FAILED && mprotect(all + AROUND, MEMORY, PROT_READ | PROT_WRITE) == 0);
	memory = all + AROUND;
	return memory;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vm_mem mem = { .base = get_memory(), .low = MEMORY };
	_cleanup_close_ int fd = memfd_create("kernel", MFD_CLOEXEC);
	struct vm_kernel k = { .entry = 1 };
	struct vm_initrd initrd;
	struct err e = ERR_INIT;
	int r;

	MUST(fd >= 0 && fd_write_all(fd, data, size) == 0);
	r = vm_elf_load(fd, &mem, &k, &e);
	if (r < 0) {
		MUST(e.code == -r && e.text[0] && k.entry == 1);
	} else {
		MUST(k.start >= VM_KERNEL_MIN && k.start <= k.entry && k.entry < k.end && k.end <= MEMORY);
		/* The same file as its initrd lies behind it, or nowhere. */
		if (vm_initrd_load(fd, &mem, &k, &initrd, &e) == 0)
			MUST(initrd.gpa >= k.end && initrd.size == size && initrd.gpa + size <= MEMORY);
	}
	MUST(madvise(mem.base, MEMORY, MADV_DONTNEED) == 0);
	return 0;
}
