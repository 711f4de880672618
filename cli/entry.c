/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF entry point of the static build: puts our program file out of reach (runtime/seal.h) before libc
 * starts.
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
#include <sys/syscall.h>

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

static int executed_by_descriptor(char **envp)
{
	static const char prefix[] = "/dev/fd/";
	const unsigned long *aux;
	const char *name;

	while (*envp)
		envp++;
	for (aux = (const unsigned long *)(envp + 1); *aux != AT_NULL; aux += 2) {
		if (*aux != AT_EXECFN)
			continue;
		name = (const char *)aux[1];
		for (int i = 0; prefix[i]; i++)
			if (name[i] != prefix[i])
				return 0;
		return 1;
	}
	return 0;
}

__attribute__((used, noinline)) void rf_early(long *stack)
{
	static const char self[] = "/proc/self/exe";
	static struct mount_attr attr;
	long argc = stack[0];
	char **argv = (char **)(stack + 1), **envp = argv + argc + 1;
	long fd;

	if (argc < 2 || !executes(argv))
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
