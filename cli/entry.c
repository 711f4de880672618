/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF entry point of the static build: puts our program file out of reach (runtime/seal.h) before libc
 * starts.
 *
 * And it is where a supervisor dozes (launch/doze.h).
 *
 * Nothing of libc is usable here: no TLS (so no stack protector), no resolved memcpy(), no errno. Whatever
 * fails is simply left for main(), which checks and says why. Only x86-64 has the few lines of assembly;
 * elsewhere main() does it all.
 */
#include "cli/entry.h"

#if defined(__x86_64__) && defined(RF_STATIC_ENTRY)

#include <elf.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "launch/doze.h"

static long sys5(long nr, long a, long b, long c, long d, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}

static int is(const char *s, const char *word)
{
	while (*s && *s == *word) {
		s++;
		word++;
	}
	return *s == *word;
}

/* The verbs that execute something inside. An option's value that looks like one costs an exec, no more. */
static int executes(char **argv)
{
	for (int i = 1; argv[0] && argv[i]; i++)
		if (is(argv[i], "run") || is(argv[i], "create") || is(argv[i], "exec") ||
			is(argv[i], "launch") || is(argv[i], "restart") || is(argv[i], "supervise") ||
			is(argv[i], "restore"))
			return 1;
	return 0;
}

/* getauxval(3); 0: it is not there. */
static unsigned long auxiliary(char **envp, unsigned long type)
{
	const unsigned long *aux;

	while (*envp)
		envp++;
	for (aux = (const unsigned long *)(envp + 1); *aux != AT_NULL; aux += 2)
		if (*aux == type)
			return aux[1];
	return 0;
}

static int starts(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return 0;
	return 1;
}

static int executed_by_descriptor(char **envp)
{
	const char *name = (const char *)auxiliary(envp, AT_EXECFN);

	return name && starts(name, "/dev/fd/");
}

/* --- a supervisor's doze ------------------------------------------------------------------------- */

/* Every read is followed by a look at what it was: a text that ends too early has no digits. */
static int bytes(const char *hex, unsigned char *out, int n)
{
	for (int i = 0; i < n; i++) {
		int v = 0;

		for (int k = 0; k < 2; k++, hex++) {
			if (*hex >= '0' && *hex <= '9')
				v = v << 4 | (*hex - '0');
			else if (*hex >= 'a' && *hex <= 'f')
				v = v << 4 | (*hex - 'a' + 10);
			else
				return 0;
		}
		out[i] = (unsigned char)v;
	}
	return 1;
}

/*
 * The program's file is mapped 64 KiB around each address that was touched, and if no other ringfence runs
 * that is our memory. It comes back as needed. Nothing of it has been written to so far, but by the kernel
 * where the last page of the data goes on with zeros.
 */
static void forget_file(char **envp)
{
	const Elf64_Phdr *h = (const Elf64_Phdr *)auxiliary(envp, AT_PHDR);
	const unsigned long n = auxiliary(envp, AT_PHNUM), page = auxiliary(envp, AT_PAGESZ);
	unsigned long base = 0;

	for (unsigned long i = 0; h && i < n; i++)
		if (h[i].p_type == PT_PHDR)
			base = (unsigned long)h - h[i].p_vaddr;
	for (unsigned long i = 0; h && page && i < n; i++) {
		unsigned long start = base + h[i].p_vaddr, end = start + h[i].p_filesz;

		start &= ~(page - 1);
		end = (h[i].p_flags & PF_W ? end : end + page - 1) & ~(page - 1);
		if (h[i].p_type == PT_LOAD && end > start)
			sys5(SYS_madvise, (long)start, (long)(end - start), MADV_DONTNEED, 0, 0);
	}
}

/* 1: it has slept, or could not, and main() goes on with it. The program is out of reach already: it was when
 * it executed itself. */
static int dozed(char **argv, char **envp)
{
	static const char name[] = DOZE_NAME;
	struct pollfd p[DOZE_POLLS];
	char *found = 0;
	long r = 0;
	int supervises = 0;

	for (char **v = envp; *v; v++)
		if (starts(*v, DOZE_ASLEEP))
			found = *v;
	if (!found || auxiliary(envp, AT_SECURE))
		return 0;
	for (int i = 1; argv[i]; i++)
		supervises |= is(argv[i], "supervise");
	if (!supervises || !bytes(found + sizeof(DOZE_ASLEEP) - 1, (unsigned char *)p, sizeof(p)))
		return 0;
	sys5(SYS_prctl, PR_SET_NAME, (long)name, 0, 0, 0);
	forget_file(envp);
	/* Stopped and continued (SIGSTOP), it begins again by itself. Other failures are main()'s to see. */
	while (r == 0)
		r = sys5(SYS_ppoll, (long)p, DOZE_POLLS, 0, 0, 0);
	for (int i = 0; DOZE_AWAKE[i]; i++)
		found[i] = DOZE_AWAKE[i];
	return 1;
}

/* --- entered by the kernel ------------------------------------------------------------------------- */

__attribute__((used, noinline)) void rf_early(long *stack)
{
	static const char self[] = "/proc/self/exe";
	static struct mount_attr attr;
	long argc = stack[0];
	char **argv = (char **)(stack + 1), **envp = argv + argc + 1;
	long fd;

	if (argc < 2 || !executes(argv))
		return;
	if (dozed(argv, envp))
		return;
	/* That is what execveat(2) of a descriptor leaves: we have been here. main() makes sure that it was
	 * us. */
	if (executed_by_descriptor(envp))
		return;
	fd = sys5(SYS_open_tree, AT_FDCWD, (long)self, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 0, 0);
	if (fd < 0)
		return;
	attr.attr_set = MOUNT_ATTR_RDONLY;
	if (sys5(SYS_mount_setattr, fd, (long)"", AT_EMPTY_PATH, (long)&attr, sizeof(attr)) == 0)
		sys5(SYS_execveat, fd, (long)"", (long)argv, (long)envp, AT_EMPTY_PATH);
	sys5(SYS_close, fd, 0, 0, 0, 0);
}

/* The kernel enters with the stack pointer at argc (System V ABI, "Process Initialization") and rdx to be
 * kept for _start. */
__asm__(".globl rf_start\n"
	".type rf_start, @function\n"
	"rf_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rbx\n"
	"	mov %rdx, %r12\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call rf_early\n"
	"	mov %r12, %rdx\n"
	"	mov %rbx, %rsp\n"
	"	jmp _start\n");

#endif
