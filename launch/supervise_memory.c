/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A supervisor's memory while it sleeps. Of its own there are about 90 KiB. What remains are pages of the
 * program's file: nobody else's if no other ringfence runs, and mapped 64 KiB around each address that was
 * touched. They are forgotten before a long sleep and come back from the file as needed.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "launch/supervisor.h"

#define SEGMENTS 16
static struct {
	uintptr_t start;
	size_t len;
} segments[SEGMENTS];
static size_t n_segments;

static void add(uintptr_t start, size_t len)
{
	if (n_segments && segments[n_segments - 1].start + segments[n_segments - 1].len == start) {
		segments[n_segments - 1].len += len;
	} else if (n_segments < SEGMENTS) {
		segments[n_segments].start = start;
		segments[n_segments++].len = len;
	}
}

/* Bits of an entry of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst). */
#define PM_FILE	   (UINT64_C(1) << 61)
#define PM_SWAP	   (UINT64_C(1) << 62)
#define PM_PRESENT (UINT64_C(1) << 63)

/*
 * Constants that have been relocated and made read-only: a page that was written to is ours alone and must
 * stay, and nobody can write to the others any more.
 */
static void add_relocated(uintptr_t start, uintptr_t end, uintptr_t page)
{
	_cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	for (uintptr_t at = start; fd >= 0 && at < end; at += page) {
		if (pread(fd, &entry, sizeof(entry), (off_t)(at / page * sizeof(entry))) != sizeof(entry))
			return;
		if (!(entry & PM_SWAP) && (!(entry & PM_PRESENT) || (entry & PM_FILE)))
			add(at, page);
	}
}

void supervisor_memory_begin(void)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const ElfW(Phdr) *h = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	size_t n = h ? getauxval(AT_PHNUM) : 0;
	uintptr_t base = 0;

	/* What reading the record took: the arena is gone, but not from the heap. */
	malloc_trim(0);
	for (size_t i = 0; i < n; i++)
		if (h[i].p_type == PT_PHDR)
			base = (uintptr_t)h - h[i].p_vaddr;
	for (size_t i = 0; i < n; i++) {
		uintptr_t start = (base + h[i].p_vaddr) & ~(page - 1),
			  end = base + h[i].p_vaddr + h[i].p_memsz;

		if (h[i].p_type == PT_LOAD && !(h[i].p_flags & PF_W))
			add(start, ((end + page - 1) & ~(page - 1)) - start);
		else if (h[i].p_type == PT_GNU_RELRO)
			add_relocated(start, end & ~(page - 1), page);
	}
}

/*
 * What deeper calls have left on the stack. A page is spared for what signal handlers and the red zone of
 * this function's callees use; where there is no stack any more madvise(2) passes over it.
 */
static void forget_stack(void)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), reach = 512 * 1024;
	uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(page - 1);

	if (here > reach)
		madvise((void *)(here - reach), reach - page, MADV_DONTNEED);
}

void supervisor_memory_forget(void)
{
	forget_stack();
	/* Last: what is called after this comes back, 64 KiB a call. */
	for (size_t i = 0; i < n_segments; i++)
		madvise((void *)segments[i].start, segments[i].len, MADV_DONTNEED);
}
