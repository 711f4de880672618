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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "launch/supervisor.h"

#define SEGMENTS 16
static struct {
	uintptr_t start;
	size_t len;
} segments[SEGMENTS];
static size_t n_segments;
static uintptr_t page_size; /* 0: not looked yet */

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

static void look_at_the_program(void)
{
	const uintptr_t page = page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	const ElfW(Phdr) *h = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	size_t n = h ? getauxval(AT_PHNUM) : 0;
	uintptr_t base = 0;

	/* What reading the record took, which is gone from the arena, but not from the heap. */
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
 * System calls without libc's functions around them: each of those lies in some other part of the file, of
 * which the kernel maps 64 KiB as soon as it is called.
 */
#if defined(__x86_64__)
#define HERE inline __attribute__((always_inline))
static HERE long call5(long n, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
#define HERE inline __attribute__((always_inline))
static HERE long call5(long n, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
			 x3 __asm__("x3") = d, x4 __asm__("x4") = e;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
}
#else
static long call5(long n, long a, long b, long c, long d, long e)
{
	return syscall(n, a, b, c, d, e) < 0 ? -errno : 0;
}
#endif

/*
 * The stack: what deeper calls have left on it goes, too, but for the nearest kilobyte, in which our own
 * frame is. Where there is no stack (any more) madvise(2) passes over it.
 */
#define REACH (512 * 1024)

static long sleep_light(struct pollfd *p, nfds_t n, int ms)
{
	const struct timespec t = { ms / 1000, (ms % 1000) * 1000000L };
	const uintptr_t page = page_size, here = ((uintptr_t)__builtin_frame_address(0) - 1024) & ~(page - 1);

	for (size_t i = 0; i < n_segments; i++)
		call5(SYS_madvise, (long)segments[i].start, (long)segments[i].len, MADV_DONTNEED, 0, 0);
	if (here > REACH)
		call5(SYS_madvise, (long)(here - REACH), REACH, MADV_DONTNEED, 0, 0);
	return call5(SYS_ppoll, (long)p, (long)n, (long)(ms < 0 ? NULL : &t), 0, 0);
}

int supervisor_memory_sleep(struct pollfd *p, nfds_t n, int ms)
{
	long r;

	/* Only now: most supervisors doze (supervise_doze.c), and never come here. */
	if (page_size == 0)
		look_at_the_program();
	r = sleep_light(p, n, ms);
	return r < 0 ? (int)r : 0;
}
