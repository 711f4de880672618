/* SPDX-License-Identifier: Apache-2.0 */
/* The machine on KVM, as far as it needs none: the ELF loader, tables, command line, CPUID, serial port,
 * loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "sandbox/vm_confine.h"
#include "sandbox/vm_internal.h"

enum { MIB = 1 << 20 };
#define MEMORY (32ULL * MIB)

static struct vm_mem mem;

static int set_up(void **state)
{
	void *at = mmap(
		NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return -1;
	mem = (struct vm_mem){ .base = at, .low = MEMORY };
	return 0;
}

static int tear_down(void **state)
{
	return munmap(mem.base, MEMORY);
}

/* --- memory --------------------------------------------------------------------------------------- */

static void test_split(void **state)
{
	uint64_t low = 1, high = 1;

	assert_int_equal(vm_mem_split(64ULL * MIB, &low, &high, NULL), 0);
	assert_int_equal(low, 64ULL * MIB);
	assert_int_equal(high, 0);
	assert_int_equal(vm_mem_split(VM_HOLE_START, &low, &high, NULL), 0);
	assert_int_equal(low, VM_HOLE_START);
	assert_int_equal(high, 0);
	assert_int_equal(vm_mem_split(VM_HOLE_START + 2 * MIB, &low, &high, NULL), 0);
	assert_int_equal(low, VM_HOLE_START);
	assert_int_equal(high, 2 * MIB);
	assert_int_equal(vm_mem_split(64ULL * MIB + 4096, &low, &high, NULL), -EINVAL);
	assert_int_equal(vm_mem_split(2 * MIB, &low, &high, NULL), -EINVAL);
	assert_int_equal(vm_mem_split(0, &low, &high, NULL), -EINVAL);
	assert_int_equal(vm_mem_split(UINT64_MAX - 2 * MIB + 1, &low, &high, NULL), -EINVAL);
	assert_int_equal(low, VM_HOLE_START);
}

static void test_at(void **state)
{
	const struct vm_mem m = { .base = (uint8_t *)0x1000, .low = 0x10000, .high = 0x2000 };

	assert_ptr_equal(vm_mem_at(&m, 0, 0x10000), m.base);
	assert_ptr_equal(vm_mem_at(&m, 0xFFFF, 1), m.base + 0xFFFF);
	assert_null(vm_mem_at(&m, 0xFFFF, 2));
	assert_null(vm_mem_at(&m, 0x10000, 1));
	assert_null(vm_mem_at(&m, 0, 0));
	assert_null(vm_mem_at(&m, 1, UINT64_MAX));
	assert_null(vm_mem_at(&m, VM_HOLE_END - 1, 1));
	assert_ptr_equal(vm_mem_at(&m, VM_HOLE_END, 0x2000), m.base + 0x10000);
	assert_null(vm_mem_at(&m, VM_HOLE_END + 0x1FFF, 2));
	assert_null(vm_mem_at(&m, UINT64_MAX, 1));
	assert_null(vm_mem_at(&m, VM_HOLE_END, UINT64_MAX));
}

/* --- the ELF loader -------------------------------------------------------------------------------- */

struct note {
	Elf64_Nhdr head;
	char name[4];
	uint64_t entry;
};
struct image {
	Elf64_Ehdr head;
	Elf64_Phdr phdrs[3]; /* text, data, note */
	struct note note;
	char text[64], data[16], rest[512];
};

static struct image good(void)
{
	struct image i = {
		.head = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				  EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_phoff = offsetof(struct image, phdrs),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 3 },
		.phdrs = { { .p_type = PT_LOAD,
				   .p_offset = offsetof(struct image, text),
				   .p_vaddr = 0xffffffff80200000,
				   .p_paddr = 2 * MIB,
				   .p_filesz = 64,
				   .p_memsz = 64 },
			{ .p_type = PT_LOAD,
				.p_offset = offsetof(struct image, data),
				.p_paddr = 4 * MIB,
				.p_filesz = 16,
				.p_memsz = 4096 },
			{ .p_type = PT_NOTE,
				.p_offset = offsetof(struct image, note),
				.p_filesz = sizeof(struct note),
				.p_memsz = sizeof(struct note) } },
		.note = { .head = { .n_namesz = 4, .n_descsz = 8, .n_type = 18 },
			.name = "Xen",
			.entry = 2 * MIB + 32 },
		.text = "text",
		.data = "data",
	};

	return i;
}

static int load_bytes(const void *data, size_t len, struct vm_kernel *k, struct err *e)
{
	_cleanup_close_ int fd = memfd_create("kernel", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, data, len), 0);
	return vm_elf_load(fd, &mem, k, e);
}

static void test_elf(void **state)
{
	struct image i = good();
	struct vm_kernel k;
	struct err e = ERR_INIT;

	assert_int_equal(load_bytes(&i, sizeof(i), &k, &e), 0);
	assert_int_equal(k.entry, 2 * MIB + 32);
	assert_int_equal(k.start, 2 * MIB);
	assert_int_equal(k.end, 4 * MIB + 4096);
	assert_string_equal((char *)mem.base + 2 * MIB, "text");
	assert_string_equal((char *)mem.base + 4 * MIB, "data");

	/* An entry of 4 bytes, as old kernels have it. */
	i.note.head.n_descsz = 4;
	assert_int_equal(load_bytes(&i, sizeof(i), &k, &e), 0);
	assert_int_equal(k.entry, 2 * MIB + 32);
	/* Another's note before it. */
	i = good();
	i.note.head.n_type = 17;
	assert_int_equal(load_bytes(&i, sizeof(i), &k, &e), -ENOEXEC);
	/* A segment with nothing in memory may say what it likes. */
	i = good();
	i.phdrs[1].p_paddr = 0;
	i.phdrs[1].p_memsz = i.phdrs[1].p_filesz = 0;
	assert_int_equal(load_bytes(&i, sizeof(i), &k, &e), 0);
}

static void refused(const struct image *i, const char *why)
{
	struct vm_kernel k = { .entry = 42 };
	struct err e = ERR_INIT;

	assert_int_equal(load_bytes(i, sizeof(*i), &k, &e), -ENOEXEC);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" is not in \"%s\"", why, e.text);
	assert_int_equal(k.entry, 42);
}

static void test_elf_header(void **state)
{
	struct image i = good();
	struct vm_kernel k;
	struct err e = ERR_INIT;

	i.head.e_ident[0] = 0;
	refused(&i, "no ELF file");
	memcpy(i.rest + 0x202 - offsetof(struct image, rest), "HdrS", 4);
	refused(&i, "bzImage");
	i = good();
	i.head.e_ident[EI_CLASS] = ELFCLASS32;
	refused(&i, "x86-64");
	i = good();
	i.head.e_machine = EM_AARCH64;
	refused(&i, "x86-64");
	i = good();
	i.head.e_type = ET_REL;
	refused(&i, "x86-64");
	i = good();
	i.head.e_phnum = 0;
	refused(&i, "program headers");
	i.head.e_phnum = 65;
	refused(&i, "program headers");
	i = good();
	i.head.e_phentsize = 32;
	refused(&i, "program headers");
	i = good();
	i.head.e_phoff = UINT64_MAX;
	refused(&i, "cut off");
	i.head.e_phoff = INT64_MAX - 8;
	refused(&i, "cut off");
	i.head.e_phoff = sizeof(i) - 4;
	refused(&i, "cut off");
	i = good();
	assert_int_equal(load_bytes(&i, 10, &k, &e), -ENOEXEC);
	assert_int_equal(load_bytes(&i, 0, &k, &e), -ENOEXEC);
}

static void test_elf_segments(void **state)
{
	struct image i = good();

	i.phdrs[1].p_memsz = 8;
	refused(&i, "smaller than its file");
	i = good();
	i.phdrs[1].p_paddr = MIB - 1;
	refused(&i, "below 1 MiB");
	i = good();
	i.phdrs[1].p_paddr = MEMORY - 4095;
	refused(&i, "more memory");
	i.phdrs[1].p_paddr = MEMORY;
	refused(&i, "more memory");
	i.phdrs[1].p_paddr = UINT64_MAX - 100;
	refused(&i, "more memory");
	i.phdrs[1].p_paddr = VM_HOLE_END;
	refused(&i, "more memory");
	i = good();
	i.phdrs[1].p_memsz = UINT64_MAX;
	refused(&i, "more memory");
	i.phdrs[1].p_filesz = UINT64_MAX;
	refused(&i, "more memory");
	i = good();
	i.phdrs[1].p_filesz = i.phdrs[1].p_memsz;
	refused(&i, "cut off");
	i = good();
	i.phdrs[1].p_offset = UINT64_MAX - 4;
	refused(&i, "cut off");
	i = good();
	i.phdrs[1].p_paddr = 2 * MIB + 63;
	refused(&i, "overlap");
	i.phdrs[1].p_paddr = 2 * MIB - 1;
	refused(&i, "overlap");
	i = good();
	i.phdrs[0].p_type = i.phdrs[1].p_type = PT_NULL;
	refused(&i, "nothing to load");
}

static void test_elf_notes(void **state)
{
	struct image i = good();

	i.note.name[0] = 'x';
	refused(&i, "CONFIG_PVH");
	i = good();
	i.phdrs[2].p_type = PT_NULL;
	refused(&i, "CONFIG_PVH");
	i = good();
	i.note.head.n_namesz = UINT32_MAX;
	refused(&i, "CONFIG_PVH");
	i.note.head.n_namesz = UINT32_MAX - 2; /* would be 0 after rounding up */
	refused(&i, "CONFIG_PVH");
	i = good();
	i.note.head.n_descsz = UINT32_MAX - 1;
	refused(&i, "CONFIG_PVH");
	i.note.head.n_descsz = 6;
	refused(&i, "CONFIG_PVH");
	i.note.head.n_descsz = 9;
	refused(&i, "CONFIG_PVH");
	i = good();
	i.phdrs[2].p_filesz = 11;
	refused(&i, "CONFIG_PVH");
	i.phdrs[2].p_filesz = 1 << 20;
	refused(&i, "notes");
	i = good();
	i.note.entry = 2 * MIB + 64;
	refused(&i, "entry");
	i.note.entry = 4 * MIB + 16; /* only zeros there */
	refused(&i, "entry");
	i.note.entry = (1ULL << 32) + 2 * MIB;
	refused(&i, "entry");
}

/* --- initrd, command line, start_info ---------------------------------------------------------------- */

static void test_initrd(void **state)
{
	_cleanup_close_ int fd = memfd_create("initrd", MFD_CLOEXEC),
			    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct vm_kernel k = { .start = MIB, .end = 20ULL * MIB };
	struct vm_initrd i = { 0 };
	struct err e = ERR_INIT;

	assert_int_equal(vm_initrd_load(null, &mem, &k, &i, &e), -EINVAL);
	assert_int_equal(vm_initrd_load(fd, &mem, &k, &i, &e), -EINVAL);
	assert_int_equal(fd_write_all(fd, "archive", 7), 0);
	assert_int_equal(vm_initrd_load(fd, &mem, &k, &i, &e), 0);
	assert_int_equal(i.gpa, MEMORY - 4096);
	assert_int_equal(i.size, 7);
	assert_memory_equal(mem.base + i.gpa, "archive", 7);
	/* As much as there is room for, and a byte more. */
	assert_int_equal(ftruncate(fd, 12 * MIB), 0);
	assert_int_equal(vm_initrd_load(fd, &mem, &k, &i, &e), 0);
	assert_int_equal(i.gpa, 20ULL * MIB);
	assert_int_equal(ftruncate(fd, 12 * MIB + 1), 0);
	assert_int_equal(vm_initrd_load(fd, &mem, &k, &i, &e), -ENOMEM);
	assert_int_equal(ftruncate(fd, 33 * MIB), 0);
	assert_int_equal(vm_initrd_load(fd, &mem, &k, &i, &e), -ENOMEM);
	assert_non_null(strstr(e.text, "more memory"));
	assert_int_equal(i.size, 12 * MIB);
}

static void test_cmdline(void **state)
{
	_cleanup_strbuf_ struct strbuf b = { 0 }, all = { 0 };
	_cleanup_free_ char *longest = calloc(1, VM_CMDLINE_MAX + 1);
	struct err e = ERR_INIT;

	assert_int_equal(vm_cmdline("quiet", 2000000, 2, &b, &e), 0);
	assert_string_equal(b.s, "quiet reboot=k,warm,panic_cold panic=-1 tsc_early_khz=2000000 "
				 "virtio_mmio.device=4K@0xd0000000:5 virtio_mmio.device=4K@0xd0001000:6");
	strbuf_reset(&b);
	assert_int_equal(vm_cmdline("", 0, 0, &b, &e), 0);
	assert_string_equal(b.s, "reboot=k,warm,panic_cold panic=-1");
	/* Everything that a machine can have leaves the caller two hundred, of which our own words take 80.
	 */
	assert_int_equal(vm_cmdline("", UINT32_MAX, VM_DEVICES_MAX, &all, &e), 0);
	assert_true(all.len < VM_CMDLINE_MAX - 200);

	memset(longest, 'x', VM_CMDLINE_MAX - 1 - 34);
	strbuf_reset(&b);
	assert_int_equal(vm_cmdline(longest, 0, 0, &b, &e), 0);
	assert_int_equal(b.len, VM_CMDLINE_MAX - 1);
	longest[VM_CMDLINE_MAX - 1 - 34] = 'x';
	strbuf_reset(&b);
	assert_int_equal(vm_cmdline(longest, 0, 0, &b, &e), -E2BIG);
}

static uint64_t u64(uint64_t gpa)
{
	uint64_t v;

	memcpy(&v, mem.base + gpa, sizeof(v));
	return v;
}

static uint32_t u32(uint64_t gpa)
{
	uint32_t v;

	memcpy(&v, mem.base + gpa, sizeof(v));
	return v;
}

static void test_start_info(void **state)
{
	const struct vm_initrd initrd = { .gpa = 31ULL * MIB, .size = 12345 };
	struct vm_mem large = mem;
	uint64_t map;
	struct err e = ERR_INIT;

	assert_int_equal(vm_start_info_write(&mem, "a b", &initrd, &e), 0);
	assert_int_equal(u32(VM_START_INFO), 0x336ec578);
	assert_int_equal(u32(VM_START_INFO + 4), 1);
	assert_int_equal(u32(VM_START_INFO + 12), 1);
	assert_int_equal(u64(u64(VM_START_INFO + 16)), initrd.gpa);
	assert_int_equal(u64(u64(VM_START_INFO + 16) + 8), initrd.size);
	assert_string_equal((char *)mem.base + u64(VM_START_INFO + 24), "a b");
	assert_int_equal(u64(VM_START_INFO + 32), 0);
	map = u64(VM_START_INFO + 40);
	assert_int_equal(u32(VM_START_INFO + 48), 3);
	/* RAM, the MP table and the rest below 1 MiB, RAM: without a gap. */
	assert_int_equal(u64(map), 0);
	assert_int_equal(u64(map + 8), VM_MPTABLE);
	assert_int_equal(u32(map + 16), 1);
	assert_int_equal(u64(map + 24), VM_MPTABLE);
	assert_int_equal(u32(map + 24 + 16), 2);
	assert_int_equal(u64(map + 48), MIB);
	assert_int_equal(u64(map + 56), MEMORY - MIB);

	large.high = 6ULL * MIB;
	assert_int_equal(vm_start_info_write(&large, "", NULL, &e), 0);
	assert_int_equal(u32(VM_START_INFO + 12), 0);
	assert_int_equal(u32(VM_START_INFO + 48), 4);
	assert_int_equal(u64(map + 72), VM_HOLE_END);
	assert_int_equal(u64(map + 80), 6ULL * MIB);
}

static uint8_t sum(uint64_t gpa, size_t len)
{
	uint8_t s = 0;

	while (len-- > 0)
		s += mem.base[gpa++];
	return s;
}

static void test_mptable(void **state)
{
	static const unsigned sizes[] = { 20, 8, 8, 8, 8 };
	struct err e = ERR_INIT;

	for (unsigned cpus = 1; cpus <= VM_VCPUS_MAX; cpus++) {
		unsigned seen[5] = { 0 }, length, entries;
		uint64_t table = VM_MPTABLE + 16, at = table + 44;

		assert_int_equal(vm_mptable_write(&mem, cpus, &e), 0);
		assert_memory_equal(mem.base + VM_MPTABLE, "_MP_", 4);
		assert_int_equal(u32(VM_MPTABLE + 4), table);
		assert_int_equal(sum(VM_MPTABLE, 16), 0);
		assert_memory_equal(mem.base + table, "PCMP", 4);
		length = mem.base[table + 4] | mem.base[table + 5] << 8;
		entries = mem.base[table + 34] | mem.base[table + 35] << 8;
		assert_int_equal(sum(table, length), 0);
		assert_int_equal(u32(table + 36), 0xFEE00000);
		while (at < table + length) {
			uint8_t type = mem.base[at];

			assert_true(type < 5);
			if (type == 0) {
				assert_int_equal(mem.base[at + 1], seen[0]);
				assert_int_equal(mem.base[at + 3], seen[0] ? 1 : 3);
			}
			if (type == 2)
				assert_true(mem.base[at + 1] >= cpus);
			if (type == 3) {
				assert_int_equal(mem.base[at + 5], seen[3]);
				assert_int_equal(mem.base[at + 7], seen[3]);
			}
			seen[type]++;
			at += sizes[type];
		}
		assert_int_equal(at, table + length);
		assert_true(at <= VM_MPTABLE + 1024);
		assert_int_equal(seen[0], cpus);
		assert_int_equal(seen[1], 1);
		assert_int_equal(seen[2], 1);
		assert_int_equal(seen[3], VM_IRQS);
		assert_int_equal(seen[4], 2);
		assert_int_equal(entries, cpus + 1 + 1 + VM_IRQS + 2);
	}
	assert_int_equal(vm_mptable_write(&mem, 0, &e), -EINVAL);
	assert_int_equal(vm_mptable_write(&mem, VM_VCPUS_MAX + 1, &e), -EINVAL);
	for (unsigned i = 0; i < VM_DEVICES_MAX; i++) {
		assert_in_range(vm_device_irq(i), 5, VM_IRQS - 1);
		assert_int_not_equal(vm_device_irq(i), 8);
	}
}

/* --- CPUID ------------------------------------------------------------------------------------------ */

static struct kvm_cpuid2 *cpuid(const struct kvm_cpuid_entry2 *entries, unsigned n)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + (n + VM_CPUID_MORE) * sizeof(*entries));

	assert_non_null(c);
	c->nent = n;
	memcpy(c->entries, entries, n * sizeof(*entries));
	return c;
}

static const struct kvm_cpuid_entry2 *leaf(const struct kvm_cpuid2 *c, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < c->nent; i++) {
		if (c->entries[i].function == function && c->entries[i].index == index)
			return &c->entries[i];
	}
	return NULL;
}

static void test_cpuid(void **state)
{
	const struct kvm_cpuid_entry2 host[] = {
		{ .function = 0, .eax = 0x1F },
		{ .function = 1, .ebx = 0xFF100800, .ecx = 1U << 5 | 1U << 26 | 1U << 28, .edx = 1U << 28 },
		{ .function = 4, .index = 0, .eax = 0xFC004121 },
		{ .function = 4, .index = 3, .eax = 0xFC1FC163 },
		{ .function = 7, .ebx = 1U << 2 | 1U << 25 | 1U << 5 },
		{ .function = 0xA, .eax = 0x07300404 },
		{ .function = 0xB, .index = 0, .eax = 1, .ebx = 2 },
		{ .function = 0xB, .index = 1, .eax = 7, .ebx = 64 },
		{ .function = 0xD, .index = 0, .ebx = 576 },
		{ .function = 0xD, .index = 1, .eax = 0xF, .ebx = 832 },
		{ .function = 0x14, .eax = 1 },
		{ .function = 0x40000000, .ebx = 0x4b4d564b },
		{ .function = 0x80000001, .ecx = 1U << 2 | 1U },
	};
	_cleanup_free_ struct kvm_cpuid2 *c = cpuid(host, ARRAY_SIZE(host)),
					 *one = cpuid(host, ARRAY_SIZE(host));

	vm_cpuid_filter(c, 2, 3, true);
	assert_int_equal(leaf(c, 1, 0)->ebx, 0x02040800);
	assert_int_equal(leaf(c, 1, 0)->ecx, 1U << 31 | 1U << 24 | 1U << 26 | 1U << 28);
	assert_int_equal(leaf(c, 1, 0)->edx, 1U << 28);
	assert_int_equal(leaf(c, 4, 0)->eax, 0x0C000121); /* 4 ids in the package, L1: its own */
	assert_int_equal(leaf(c, 4, 3)->eax, 0x0C008163); /* L3: everybody's */
	assert_int_equal(leaf(c, 7, 0)->ebx, 1U << 5);
	assert_int_equal(leaf(c, 0xA, 0)->eax, 0);
	assert_int_equal(leaf(c, 0xB, 0)->ebx, 1);
	assert_int_equal(leaf(c, 0xB, 1)->eax, 2);
	assert_int_equal(leaf(c, 0xB, 1)->ebx, 3);
	assert_int_equal(leaf(c, 0xB, 1)->edx, 2);
	assert_non_null(leaf(c, 0xD, 1));
	assert_null(leaf(c, 0x14, 0));
	assert_non_null(leaf(c, 0x40000000, 0));
	assert_int_equal(leaf(c, 0x80000001, 0)->ecx, 1);

	vm_cpuid_filter(one, 0, 1, false);
	assert_int_equal(leaf(one, 1, 0)->ebx, 0x00010800);
	assert_int_equal(leaf(one, 1, 0)->ecx & 1U << 24, 0);
	assert_int_equal(leaf(one, 1, 0)->edx, 0);
}

/* What an emulated SVM offers. */
static void test_cpuid_xsave(void **state)
{
	const struct kvm_cpuid_entry2 host[] = {
		{ .function = 0, .eax = 0xD },
		{ .function = 1, .ecx = 1U << 26 | 1U << 28 | 1 },
		{ .function = 0xD, .index = 0, .ebx = 576 },
		{ .function = 0xD, .index = 1, .eax = 7, .ebx = 0 },
	};
	_cleanup_free_ struct kvm_cpuid2 *c = cpuid(host, ARRAY_SIZE(host));

	vm_cpuid_filter(c, 0, 1, false);
	assert_int_equal(leaf(c, 1, 0)->ecx, 1U << 31 | 1);
	assert_null(leaf(c, 0xD, 0));
	assert_null(leaf(c, 0xD, 1));
}

/* --- the serial port --------------------------------------------------------------------------------- */

static void test_serial(void **state)
{
	_cleanup_close_ int irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct vm_serial s;
	char text[256] = "";
	uint64_t n = 0;
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	vm_serial_init(&s, p[1], irq);
	/* What a driver does to see whether there is one: scratch, loop-back, FIFO. */
	vm_serial_write(&s, 7, 0x5A);
	assert_int_equal(vm_serial_read(&s, 7), 0x5A);
	vm_serial_write(&s, 4, 0x1A);
	assert_int_equal(vm_serial_read(&s, 6) & 0xF0, 0x90);
	vm_serial_write(&s, 0, 'x');
	vm_serial_write(&s, 4, 0x0B);
	vm_serial_write(&s, 2, 1);
	assert_int_equal(vm_serial_read(&s, 2), 0xC1);
	vm_serial_write(&s, 3, 0x80);
	vm_serial_write(&s, 0, 12);
	vm_serial_write(&s, 1, 1);
	assert_int_equal(vm_serial_read(&s, 0), 12);
	assert_int_equal(vm_serial_read(&s, 1), 1);
	vm_serial_write(&s, 3, 3);
	assert_int_equal(vm_serial_read(&s, 0), 0);
	assert_int_equal(vm_serial_read(&s, 5), 0x60);
	assert_int_equal(read(irq, &n, sizeof(n)), -1);
	/* An interrupt when it is asked for, when it is empty again, and once each. */
	vm_serial_write(&s, 1, 2);
	assert_int_equal(read(irq, &n, sizeof(n)), sizeof(n));
	assert_int_equal(vm_serial_read(&s, 2), 0xC2);
	assert_int_equal(vm_serial_read(&s, 2), 0xC1);
	for (const char *c = "hello"; *c; c++)
		vm_serial_write(&s, 0, (uint8_t)*c);
	assert_int_equal(read(irq, &n, sizeof(n)), sizeof(n));
	assert_int_equal(vm_serial_read(&s, 2), 0xC2);
	/* Text waits for the end of the line or of the burst; that in the loop-back went nowhere. */
	assert_int_equal(read(p[0], text, sizeof(text)), -1);
	vm_serial_write(&s, 1, 0);
	assert_int_equal(read(p[0], text, sizeof(text)), 5);
	assert_string_equal(text, "hello");
	vm_serial_write(&s, 0, 'a');
	vm_serial_write(&s, 0, '\n');
	assert_int_equal(read(p[0], text, sizeof(text)), 2);
	/* Nobody reads: it goes on, and what is lost is lost. */
	for (unsigned i = 0; i < 200000; i++)
		vm_serial_write(&s, 0, 'y');
	assert_int_equal(read(p[0], text, sizeof(text)), sizeof(text));
	close(p[0]);
	close(p[1]);
}

/* --- the loop --------------------------------------------------------------------------------------- */

static struct vm_loop loop;
static unsigned calls;
static struct vm_watch *to_remove;

static void on_ready(struct vm_watch *w, uint32_t events)
{
	uint64_t n;

	assert_int_equal(events, EPOLLIN);
	calls++;
	if (w->arg)
		assert_int_equal(read(w->fd, &n, sizeof(n)), sizeof(n));
	if (to_remove)
		vm_loop_remove(&loop, to_remove);
	to_remove = NULL;
}

static void test_loop(void **state)
{
	struct vm_watch a = { .fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), .ready = on_ready },
			b = { .fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), .ready = on_ready, .arg = &b };
	struct err e = ERR_INIT;

	assert_int_equal(vm_loop_init(&loop, &e), 0);
	assert_int_equal(vm_loop_serve(&loop, &e), 0);
	assert_int_equal(vm_loop_set(&loop, &a, EPOLLIN), 0);
	assert_int_equal(vm_loop_set(&loop, &b, EPOLLIN), 0);
	calls = 0;
	assert_int_equal(vm_loop_serve(&loop, &e), 0);
	assert_int_equal(calls, 2);
	assert_int_equal(vm_loop_serve(&loop, &e), 0);
	assert_int_equal(calls, 3);
	/* Asleep, not even a hang-up calls it. */
	assert_int_equal(vm_loop_set(&loop, &a, 0), 0);
	assert_int_equal(vm_loop_serve(&loop, &e), 0);
	assert_int_equal(calls, 3);
	assert_int_equal(vm_loop_set(&loop, &a, EPOLLIN), 0);
	/* Of two that are ready, the first takes the other out. */
	assert_int_equal(eventfd_write(b.fd, 1), 0);
	to_remove = &a;
	a.arg = &a;
	assert_int_equal(vm_loop_serve(&loop, &e), 0);
	assert_true(calls == 4 || calls == 5);
	calls = 0;
	vm_loop_remove(&loop, &b);
	assert_int_equal(vm_loop_set(&loop, &a, 0), 0);
	a.arg = b.arg = NULL;
	assert_int_equal(eventfd_write(a.fd, 1), 0);
	assert_int_equal(eventfd_write(b.fd, 1), 0);
	assert_int_equal(vm_loop_set(&loop, &b, EPOLLIN), 0);
	assert_int_equal(vm_loop_set(&loop, &a, EPOLLIN), 0);
	to_remove = &a;
	assert_int_equal(vm_loop_serve(&loop, &e), 0);
	assert_int_equal(calls, 1);
	assert_int_equal(a.events, 0);
	close(a.fd);
	close(b.fd);
	vm_loop_free(&loop);
}

/* --- the rest --------------------------------------------------------------------------------------- */

static void test_confine(void **state)
{
	unsigned ioctls = 0;

	for (size_t i = 0; i < vm_vcpu_n_syscalls; i++) {
		if (strcmp(vm_vcpu_syscalls[i].name, "ioctl") != 0)
			continue;
		ioctls++;
		assert_int_equal(vm_vcpu_syscalls[i].arg, 1);
		assert_int_equal(vm_vcpu_syscalls[i].value, KVM_RUN);
	}
	assert_int_equal(ioctls, 1);
	for (size_t i = 0; i < vm_loop_n_syscalls; i++) {
		if (strcmp(vm_loop_syscalls[i].name, "ioctl") == 0)
			assert_int_equal(vm_loop_syscalls[i].value >> 8 & 0xFF, 'T'); /* a tap's, not KVM's */
	}
}

static void test_probe(void **state)
{
	enum vm_kvm found;
	char why[VM_WHY_MAX] = "";

	assert_int_equal(vm_kvm_probe("/nowhere/kvm", why), VM_KVM_NONE);
	assert_non_null(strstr(why, "/nowhere/kvm"));
	assert_int_equal(vm_kvm_probe("/dev/null", why), VM_KVM_NONE);
	/* Whatever it finds here, it says so. */
	why[0] = '\0';
	assert_in_range(vm_kvm_probe("/dev/kvm", why), VM_KVM_NATIVE, VM_KVM_NONE);
	assert_non_null(strstr(why, "/dev/kvm"));
	print_message("%s\n", why);
	/* On a busy machine, too, always the same. */
	found = vm_kvm_probe("/dev/kvm", why);
	for (int i = 0; i < 30; i++)
		assert_int_equal(vm_kvm_probe("/dev/kvm", why), found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_at),
		cmocka_unit_test_setup_teardown(test_elf, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_elf_header, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_elf_segments, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_elf_notes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_initrd, set_up, tear_down),
		cmocka_unit_test(test_cmdline),
		cmocka_unit_test_setup_teardown(test_start_info, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mptable, set_up, tear_down),
		cmocka_unit_test(test_cpuid),
		cmocka_unit_test(test_cpuid_xsave),
		cmocka_unit_test(test_serial),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_confine),
		cmocka_unit_test(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
