/* SPDX-License-Identifier: Apache-2.0 */
/* Memory map, initrd, command line and start_info of a guest. */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "sandbox/vm_boot.h"

/* xen/include/public/arch-x86/hvm/start_info.h; all little endian, as the machine is. */
struct start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t n_memmap, reserved;
};
struct module {
	uint64_t gpa, size, cmdline, reserved;
};
struct range {
	uint64_t start, size;
	uint32_t type, reserved;
};
enum { START_MAGIC = 0x336ec578, RANGE_RAM = 1, RANGE_RESERVED = 2, RANGES_MAX = 4 };

#define MODULE_AT  (VM_START_INFO + 0x100)
#define MEMMAP_AT  (VM_START_INFO + 0x200)
#define CMDLINE_AT (VM_START_INFO + 0x1000)

/* A small guest's tables: of its pages, per CPU, of hashes, and its first page tables; bytes. */
#define TABLES 0x400000ULL
#define PAGE   4096ULL

unsigned vm_device_irq(unsigned device)
{
	/* 0 timer, 1 keyboard, 2 cascade, 3 and 4 serial, 8 clock: whoever believes in an old PC finds them
	 * free. */
	static const uint8_t irqs[] = { 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23 };

	return irqs[device % ARRAY_SIZE(irqs)];
}

int vm_mem_split(uint64_t bytes, uint64_t *low, uint64_t *high, struct err *e)
{
	if (bytes % VM_HUGE_PAGE != 0)
		return err_text(e, EINVAL, "a guest's memory of %llu bytes is no multiple of 2 MiB",
			(unsigned long long)bytes);
	if (bytes < VM_MEMORY_MIN || bytes > VM_MEMORY_MAX)
		return err_text(e, EINVAL, "a guest's memory of %llu MiB is not within %llu and %llu MiB",
			(unsigned long long)(bytes >> 20), VM_MEMORY_MIN >> 20, VM_MEMORY_MAX >> 20);
	*low = bytes < VM_HOLE_START ? bytes : VM_HOLE_START;
	*high = bytes - *low;
	return 0;
}

static int read_whole(int fd, uint8_t *to, uint64_t size)
{
	for (uint64_t at = 0; at < size;) {
		ssize_t n = pread(fd, to + at, size - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		at += (uint64_t)n;
	}
	return 0;
}

void vm_mem_prefer_huge(const struct vm_mem *mem, uint64_t start, uint64_t end)
{
	start = (start + VM_HUGE_PAGE - 1) & ~(VM_HUGE_PAGE - 1);
	end &= ~(VM_HUGE_PAGE - 1);
	if (start < end && end <= mem->low)
		(void)madvise(mem->base + start, end - start, MADV_HUGEPAGE);
}

int vm_initrd_load(int fd, const struct vm_mem *mem, const struct vm_kernel *kernel, struct vm_initrd *out,
	struct err *e)
{
	struct stat st;
	uint64_t size, gpa;
	uint8_t *to;
	int r;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "stat the guest's initrd");
	if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		return err_text(e, EINVAL, "the guest's initrd is empty, or no regular file");
	size = (uint64_t)st.st_size;
	if (size > mem->low || mem->low - size < kernel->end) {
		err_text(e, ENOMEM,
			"the guest's initrd of %llu KiB does not fit beside its kernel into %llu MiB of "
			"memory",
			(unsigned long long)(size >> 10), (unsigned long long)(mem->low >> 20));
		return err_hint(e, "give it more memory");
	}
	gpa = (mem->low - size) & ~(PAGE - 1);
	/* It is the first to be there, and the kernel's own tables come below it. */
	if (gpa >= kernel->end + TABLES)
		vm_mem_prefer_huge(mem, gpa - TABLES, mem->low);
	to = gpa >= kernel->end ? vm_mem_at(mem, gpa, size) : NULL;
	if (!to)
		return err_text(e, ENOMEM, "the guest's initrd does not fit beside its kernel");
	r = read_whole(fd, to, size);
	if (r == -ENODATA)
		return err_text(e, EIO, "the guest's initrd became shorter while it was read");
	if (r < 0)
		return err_set(e, -r, "read the guest's initrd");
	out->gpa = gpa;
	out->size = size;
	return 0;
}

int vm_cmdline(const char *first, uint32_t tsc_khz, unsigned n_devices, struct strbuf *out, struct err *e)
{
	size_t start = out->len;

	/* Without a clock of ours the kernel would measure the TSC against the PIT, and fail on a busy host.
	 */
	strbuf_printf(out, "%s%sreboot=k,warm,panic_cold panic=-1", first, *first ? " " : "");
	if (tsc_khz)
		strbuf_printf(out, " tsc_early_khz=%u", tsc_khz);
	for (unsigned i = 0; i < n_devices; i++)
		strbuf_printf(out, " virtio_mmio.device=4K@0x%llx:%u", VM_MMIO_BASE + i * VM_MMIO_STRIDE,
			vm_device_irq(i));
	if (out->failed)
		return err_set(e, ENOMEM, "make the guest's command line");
	if (out->len - start >= VM_CMDLINE_MAX)
		return err_text(e, E2BIG,
			"the guest's command line has %zu characters with its %u devices; the kernel reads "
			"%d",
			out->len - start, n_devices, VM_CMDLINE_MAX - 1);
	return 0;
}

static int put(const struct vm_mem *mem, uint64_t gpa, const void *data, size_t len, struct err *e)
{
	void *to = vm_mem_at(mem, gpa, len);

	if (!to)
		return err_text(e, EINVAL, "no guest memory at 0x%llx", (unsigned long long)gpa);
	memcpy(to, data, len);
	return 0;
}

int vm_start_info_write(
	const struct vm_mem *mem, const char *cmdline, const struct vm_initrd *initrd, struct err *e)
{
	struct range map[RANGES_MAX] = {
		{ 0, VM_LOW_RAM_END, RANGE_RAM, 0 },
		{ VM_LOW_RAM_END, VM_KERNEL_MIN - VM_LOW_RAM_END, RANGE_RESERVED, 0 },
		{ VM_KERNEL_MIN, mem->low - VM_KERNEL_MIN, RANGE_RAM, 0 },
		{ VM_HOLE_END, mem->high, RANGE_RAM, 0 },
	};
	struct start_info info = {
		.magic = START_MAGIC,
		.version = 1,
		.cmdline = CMDLINE_AT,
		.memmap = MEMMAP_AT,
		.n_memmap = mem->high ? 4 : 3,
	};
	size_t len = strlen(cmdline);
	int r;

	if (len >= VM_CMDLINE_MAX)
		return err_text(e, E2BIG, "the guest's command line is too long");
	if (initrd) {
		struct module m = { .gpa = initrd->gpa, .size = initrd->size };

		info.modules = MODULE_AT;
		info.n_modules = 1;
		r = put(mem, MODULE_AT, &m, sizeof(m), e);
		if (r < 0)
			return r;
	}
	r = put(mem, MEMMAP_AT, map, sizeof(map), e);
	if (r < 0)
		return r;
	r = put(mem, CMDLINE_AT, cmdline, len + 1, e);
	if (r < 0)
		return r;
	return put(mem, VM_START_INFO, &info, sizeof(info), e);
}
