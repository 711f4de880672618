/* SPDX-License-Identifier: Apache-2.0 */
/* An ELF kernel, straight from its file into guest memory. */
#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "sandbox/vm_boot.h"

enum {
	PHDRS_MAX = 64,
	NOTES_MAX = 65536,     /* bytes of one PT_NOTE segment */
	NOTE_PHYS32_ENTRY = 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
};

struct loader {
	int fd;
	const struct vm_mem *mem;
	Elf64_Phdr phdrs[PHDRS_MAX];
	unsigned n;
};

/* All of [offset, offset + len) of the file. A file that ends early is -ENODATA. */
static int read_at(int fd, void *buf, uint64_t len, uint64_t offset)
{
	uint8_t *at = buf;

	if (offset > INT64_MAX || len > INT64_MAX - offset)
		return -ENODATA;
	while (len > 0) {
		ssize_t n = pread(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		at += n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int read_failed(int r, struct err *e)
{
	if (r == -ENODATA)
		return err_text(e, ENOEXEC, "load the guest's kernel: the file is cut off");
	return err_set(e, -r, "read the guest's kernel");
}

static int check_header(int fd, const Elf64_Ehdr *h, struct err *e)
{
	char magic[4];

	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0) {
		err_text(e, ENOEXEC, "load the guest's kernel: it is no ELF file");
		if (read_at(fd, magic, sizeof(magic), 0x202) == 0 && memcmp(magic, "HdrS", 4) == 0)
			err_hint(e, "it is a compressed bzImage: take the vmlinux that it was made of "
				    "(scripts/extract-vmlinux of Linux unpacks it)");
		return -ENOEXEC;
	}
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
		h->e_machine != EM_X86_64 || (h->e_type != ET_EXEC && h->e_type != ET_DYN))
		return err_text(e, ENOEXEC, "load the guest's kernel: it is no kernel for x86-64");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > PHDRS_MAX)
		return err_text(e, ENOEXEC,
			"load the guest's kernel: %u program headers of %u bytes are not what it should have",
			h->e_phnum, h->e_phentsize);
	return 0;
}

/* A segment lies in low memory, above the tables, and on no other one. */
static int check_segment(const struct loader *l, unsigned i, struct err *e)
{
	const Elf64_Phdr *p = &l->phdrs[i];

	if (p->p_memsz < p->p_filesz)
		return err_text(
			e, ENOEXEC, "load the guest's kernel: segment %u is smaller than its file", i);
	if (p->p_paddr < VM_KERNEL_MIN)
		return err_text(e, ENOEXEC, "load the guest's kernel: segment %u lies below 1 MiB", i);
	if (p->p_paddr >= l->mem->low || p->p_memsz > l->mem->low - p->p_paddr) {
		err_text(e, ENOEXEC,
			"load the guest's kernel: its segment %u, 0x%llx bytes at 0x%llx, is not within the "
			"machine's %llu MiB of memory",
			i, (unsigned long long)p->p_memsz, (unsigned long long)p->p_paddr,
			(unsigned long long)(l->mem->low >> 20));
		return err_hint(e, "give it more memory");
	}
	for (unsigned k = 0; k < i; k++) {
		const Elf64_Phdr *o = &l->phdrs[k];

		if (o->p_type == PT_LOAD && o->p_memsz > 0 && p->p_paddr < o->p_paddr + o->p_memsz &&
			o->p_paddr < p->p_paddr + p->p_memsz)
			return err_text(
				e, ENOEXEC, "load the guest's kernel: segments %u and %u overlap", k, i);
	}
	return 0;
}

/* Where they are, all of them checked. */
static int find_segments(const struct loader *l, struct vm_kernel *k, struct err *e)
{
	k->start = UINT64_MAX;
	k->end = 0;
	for (unsigned i = 0; i < l->n; i++) {
		const Elf64_Phdr *p = &l->phdrs[i];
		int r;

		if (p->p_type != PT_LOAD || p->p_memsz == 0)
			continue;
		r = check_segment(l, i, e);
		if (r < 0)
			return r;
		if (p->p_paddr < k->start)
			k->start = p->p_paddr;
		if (p->p_paddr + p->p_memsz > k->end)
			k->end = p->p_paddr + p->p_memsz;
	}
	if (k->end == 0)
		return err_text(e, ENOEXEC, "load the guest's kernel: it has nothing to load");
	return 0;
}

static int load_segments(const struct loader *l, struct err *e)
{
	for (unsigned i = 0; i < l->n; i++) {
		const Elf64_Phdr *p = &l->phdrs[i];
		void *to;
		int r;

		/* What is not in the file is zero, as fresh memory is. */
		if (p->p_type != PT_LOAD || p->p_filesz == 0)
			continue;
		to = vm_mem_at(l->mem, p->p_paddr, p->p_filesz);
		if (!to)
			return err_text(e, ENOEXEC, "load the guest's kernel: segment %u", i);
		r = read_at(l->fd, to, p->p_filesz, p->p_offset);
		if (r < 0)
			return read_failed(r, e);
	}
	return 0;
}

static uint32_t align4(uint32_t n)
{
	return (n + 3) & ~3U;
}

/* The PVH entry among the notes of one segment. */
static bool find_entry(const uint8_t *notes, uint32_t len, uint64_t *entry)
{
	static const char owner[4] = "Xen";
	uint32_t at = 0;

	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr h;
		uint32_t name, desc, value;

		memcpy(&h, notes + at, sizeof(h));
		at += sizeof(h);
		/* NOTES_MAX bounds both, so nothing wraps below. */
		if (h.n_namesz > len - at || h.n_descsz > len - at)
			return false;
		name = at;
		desc = name + align4(h.n_namesz);
		if (desc > len || h.n_descsz > len - desc)
			return false;
		if (h.n_type == NOTE_PHYS32_ENTRY && h.n_namesz == sizeof(owner) &&
			memcmp(notes + name, owner, sizeof(owner)) == 0) {
			if (h.n_descsz == sizeof(*entry)) {
				memcpy(entry, notes + desc, sizeof(*entry));
				return true;
			}
			if (h.n_descsz == sizeof(value)) {
				memcpy(&value, notes + desc, sizeof(value));
				*entry = value;
				return true;
			}
			return false;
		}
		if (align4(h.n_descsz) > len - desc)
			return false;
		at = desc + align4(h.n_descsz);
	}
	return false;
}

static int read_entry(const struct loader *l, uint64_t *entry, struct err *e)
{
	for (unsigned i = 0; i < l->n; i++) {
		const Elf64_Phdr *p = &l->phdrs[i];
		_cleanup_free_ uint8_t *notes = NULL;
		int r;

		if (p->p_type != PT_NOTE || p->p_filesz == 0)
			continue;
		if (p->p_filesz > NOTES_MAX)
			return err_text(e, ENOEXEC,
				"load the guest's kernel: its notes have more than %d bytes", NOTES_MAX);
		notes = malloc(p->p_filesz);
		if (!notes)
			return err_set(e, ENOMEM, "load the guest's kernel");
		r = read_at(l->fd, notes, p->p_filesz, p->p_offset);
		if (r < 0)
			return read_failed(r, e);
		if (find_entry(notes, (uint32_t)p->p_filesz, entry))
			return 0;
	}
	err_text(e, ENOEXEC, "load the guest's kernel: it has no PVH entry (an ELF note of Xen's, type %d)",
		NOTE_PHYS32_ENTRY);
	return err_hint(e, "build it with CONFIG_PVH=y");
}

/* The entry lies in what came from the file; a segment that was skipped has its say nowhere. */
static bool in_segment(const struct loader *l, uint64_t addr)
{
	for (unsigned i = 0; i < l->n; i++) {
		const Elf64_Phdr *p = &l->phdrs[i];

		if (p->p_type == PT_LOAD && p->p_memsz > 0 && addr >= p->p_paddr &&
			addr - p->p_paddr < p->p_filesz)
			return true;
	}
	return false;
}

int vm_elf_load(int fd, const struct vm_mem *mem, struct vm_kernel *out, struct err *e)
{
	struct loader l = { .fd = fd, .mem = mem };
	struct vm_kernel k;
	Elf64_Ehdr h;
	uint64_t entry = 0;
	int r;

	r = read_at(fd, &h, sizeof(h), 0);
	if (r < 0)
		return read_failed(r, e);
	r = check_header(fd, &h, e);
	if (r < 0)
		return r;
	l.n = h.e_phnum;
	r = read_at(fd, l.phdrs, l.n * sizeof(l.phdrs[0]), h.e_phoff);
	if (r < 0)
		return read_failed(r, e);
	r = read_entry(&l, &entry, e);
	if (r < 0)
		return r;
	r = find_segments(&l, &k, e);
	if (r < 0)
		return r;
	vm_mem_prefer_huge(mem, k.start, k.end);
	r = load_segments(&l, e);
	if (r < 0)
		return r;
	if (!in_segment(&l, entry) || entry > UINT32_MAX)
		return err_text(e, ENOEXEC,
			"load the guest's kernel: its entry, 0x%llx, is in none of its segments",
			(unsigned long long)entry);
	k.entry = (uint32_t)entry;
	*out = k;
	return 0;
}
