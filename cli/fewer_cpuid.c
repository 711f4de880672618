/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fewer-cpuid FILE: a step of our own static build, after the link (link-static). Takes out of the copy of
 * libc in FILE what it asks the processor about its caches before main().
 *
 * Theory of operation
 *   In a virtual machine each CPUID is an exit to the hypervisor: 1 to 2 us, and 10 to 20 us where that is
 *   itself in a machine. A static glibc executes some 70 of them in each start, which by then can cost more
 *   than all system calls of a partition together; 50 are for the sizes of caches (sysdeps/x86/dl-cacheinfo.h
 *   of glibc), from which nothing follows but for which sizes memcpy() changes its way of copying.
 *
 *   The functions that ask are static ones of libc-start.o, so they cannot be replaced by the linker; they
 * are found by their names in FILE's symbol table and get another beginning. handle_intel() and handle_amd(),
 * which tell a size, return 1 MiB whatever was asked for. get_common_cache_info(), which divides what several
 * threads share, returns at once. So memcpy() of more than 768 KiB goes past the caches. Nothing else of ours
 * looks at these figures (sysconf(3), _SC_LEVEL1_DCACHE_SIZE and its kin).
 *
 * What is not there, or is not as it is expected (another libc, another machine), is left as it is, and the
 * program starts as it did. An error is a file that cannot be read or written.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	uint8_t *at;
	size_t size;
};

/* A table of n entries of so many bytes is in the file. */
static const void *table(const struct file *f, uint64_t offset, uint64_t n, uint64_t size)
{
	return offset <= f->size && n <= (f->size - offset) / size ? f->at + offset : NULL;
}

/* Where the file has what will be at this address; NULL: nowhere. */
static uint8_t *place(const struct file *f, uint64_t address, uint64_t len)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)f->at;
	const Elf64_Phdr *p = table(f, h->e_phoff, h->e_phnum, sizeof(*p));

	for (int i = 0; p && i < h->e_phnum; i++) {
		uint64_t at = address - p[i].p_vaddr;

		if (p[i].p_type != PT_LOAD || !(p[i].p_flags & PF_X) || address < p[i].p_vaddr ||
			at > p[i].p_filesz || len > p[i].p_filesz - at ||
			!table(f, p[i].p_offset, 1, p[i].p_filesz ? p[i].p_filesz : 1))
			continue;
		return f->at + p[i].p_offset + at;
	}
	return NULL;
}

/* The name, or what the compiler made of it for constant arguments; not one whose way to return differs. */
static bool is_called(const char *name, const char *wanted)
{
	size_t n = strlen(wanted);

	if (strncmp(name, wanted, n) != 0)
		return false;
	name += n;
	if (strncmp(name, ".constprop.", 11) == 0)
		name += 11 + strspn(name + 11, "0123456789");
	return !*name;
}

static void shorten(const struct file *f, const Elf64_Sym *s, const char *name)
{
	static const uint8_t mib[] = { 0xb8, 0x00, 0x00, 0x10, 0x00, 0xc3 }, /* mov $0x100000,%eax; ret */
		nothing[] = { 0xc3 };
	static const struct {
		const char *name;
		const uint8_t *code;
		size_t len;
	} functions[] = {
		{ "handle_intel", mib, sizeof(mib) },
		{ "handle_amd", mib, sizeof(mib) },
		{ "get_common_cache_info", nothing, sizeof(nothing) },
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		size_t len = functions[i].len;
		uint8_t *at = is_called(name, functions[i].name) && s->st_size >= 64
				      ? place(f, s->st_value, s->st_size)
				      : NULL;

		/* It must ask, or call who asks: else it is something else of that name. */
		if (at && (memmem(at, s->st_size, "\x0f\xa2", 2) || memmem(at, s->st_size, "\xe8", 1)))
			memcpy(at, functions[i].code, len);
	}
}

static void shorten_all(const struct file *f)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)f->at;
	const Elf64_Shdr *sections;

	if (f->size < sizeof(*h) || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 ||
		h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_machine != EM_X86_64)
		return;
	sections = table(f, h->e_shoff, h->e_shnum, sizeof(*sections));
	for (int i = 0; sections && i < h->e_shnum; i++) {
		const Elf64_Shdr *s = &sections[i], *strings;
		const Elf64_Sym *symbols;
		const char *names;

		if (s->sh_type != SHT_SYMTAB || s->sh_link >= h->e_shnum)
			continue;
		strings = &sections[s->sh_link];
		symbols = table(f, s->sh_offset, s->sh_size / sizeof(*symbols), sizeof(*symbols));
		names = table(f, strings->sh_offset, 1, strings->sh_size ? strings->sh_size : 1);
		if (!symbols || !names || strings->sh_size == 0 || names[strings->sh_size - 1])
			continue;
		for (size_t k = 0; k < s->sh_size / sizeof(*symbols); k++)
			if (ELF64_ST_TYPE(symbols[k].st_info) == STT_FUNC &&
				symbols[k].st_name < strings->sh_size)
				shorten(f, &symbols[k], names + symbols[k].st_name);
	}
}

int main(int argc, char **argv)
{
	struct file f;
	struct stat st;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "Usage: fewer-cpuid FILE\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		fprintf(stderr, "fewer-cpuid: open %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	f.size = (size_t)st.st_size;
	f.at = mmap(NULL, f.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (f.at == MAP_FAILED) {
		fprintf(stderr, "fewer-cpuid: map %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	shorten_all(&f);
	return 0;
}
