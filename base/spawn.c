/* SPDX-License-Identifier: Apache-2.0 */
/* clone3(2) for a child that borrows our memory (see spawn.h). */
#include "base/spawn.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#if defined(__x86_64__) || defined(__aarch64__)

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
/* The sanitizer's marks around the variables of frames that the child never returned from. */
#define DEEPEST 1048576U
#define FORGET_CHILDS_FRAMES() \
	__asan_unpoison_memory_region((char *)__builtin_frame_address(0) - DEEPEST, DEEPEST)
#else
#define FORGET_CHILDS_FRAMES() ((void)0)
#endif

/*
 * In assembly because no compiler knows of a call that returns twice on one stack: what it keeps in a frame
 * for the one branch it may overwrite in the other. Here the child never comes back to a frame of ours: it
 * only goes deeper.
 */
long spawn_clone3(struct clone_args *args, size_t size, void (*run)(void *), void *arg);

#if defined(__x86_64__)
__asm__(".text\n"
	".globl spawn_clone3\n"
	".hidden spawn_clone3\n"
	".type spawn_clone3, @function\n"
	"spawn_clone3:\n"
	"	endbr64\n"
	/* The call clobbers rcx and r11 only, and the child starts with our registers. */
	"	mov %rdx, %r8\n"
	"	mov %rcx, %r9\n"
	"	mov $435, %eax\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	ret\n"
	/* The return address, which is the parent's, stays above. */
	"1:	xor %ebp, %ebp\n"
	"	and $-16, %rsp\n"
	"	mov %r9, %rdi\n"
	"	call *%r8\n"
	"	hlt\n"
	".size spawn_clone3, .-spawn_clone3\n");
#else
__asm__(".text\n"
	".globl spawn_clone3\n"
	".hidden spawn_clone3\n"
	".type spawn_clone3, %function\n"
	"spawn_clone3:\n"
	"	mov x9, x2\n"
	"	mov x10, x3\n"
	"	mov x8, #435\n"
	"	svc #0\n"
	"	cbz x0, 1f\n"
	"	ret\n"
	"1:	mov x29, xzr\n"
	"	mov x30, xzr\n"
	"	mov x0, x10\n"
	"	blr x9\n"
	"	brk #0\n"
	".size spawn_clone3, .-spawn_clone3\n");
#endif

bool spawn_can_borrow(void)
{
	return true;
}

pid_t spawn_borrowing(struct clone_args *args, void (*run)(void *arg), void *arg)
{
	long pid;

	args->flags |= CLONE_VM | CLONE_VFORK;
	args->exit_signal = SIGCHLD;
	pid = spawn_clone3(args, sizeof(*args), run, arg);
	FORGET_CHILDS_FRAMES();
	return (pid_t)pid;
}

#else

bool spawn_can_borrow(void)
{
	return false;
}

pid_t spawn_borrowing(struct clone_args *args, void (*run)(void *arg), void *arg)
{
	return -ENOSYS;
}

#endif
