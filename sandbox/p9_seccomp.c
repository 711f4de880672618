/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that the server of directories is left with. Written by hand: libseccomp belongs to
 * security/, costs more time than the whole server needs to start, and there is nothing to be decided here.
 */
#include "sandbox/p9_internal.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define ARCH AUDIT_ARCH_RISCV64
#endif

/* Some are missing where a newer one does the same. */
static const int calls[] = {
	/* the loop */
	SYS_recvfrom,
	SYS_sendto,
	SYS_ppoll,
#ifdef SYS_poll
	SYS_poll,
#endif
	SYS_restart_syscall,
	SYS_close,
	/* files */
	SYS_openat,
	SYS_statx,
	SYS_fstat,
	SYS_newfstatat,
	SYS_fstatfs,
	SYS_pread64,
	SYS_pwrite64,
	SYS_lseek,
	SYS_getdents64,
	SYS_fsync,
	SYS_fdatasync,
	SYS_ftruncate,
	SYS_readlinkat,
	/* names */
	SYS_mkdirat,
	SYS_mknodat,
	SYS_symlinkat,
	SYS_linkat,
	SYS_unlinkat,
	SYS_renameat2,
#ifdef SYS_renameat
	SYS_renameat,
#endif
	/* attributes */
	SYS_fchownat,
	SYS_fchown,
	SYS_fchmodat,
	SYS_fchmod,
	SYS_utimensat,
	SYS_getxattr,
	SYS_listxattr,
	SYS_setxattr,
	SYS_removexattr,
	/* itself: its user, memory (never to be executed, see below), the end */
	SYS_geteuid,
	SYS_brk,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_exit_group,
	SYS_exit,
	SYS_rt_sigreturn,
};

int p9_confine(struct err *e)
{
#ifdef ARCH
	struct sock_filter f[ARRAY_SIZE(calls) + 16];
	struct sock_fprog prog = { .filter = f };
	unsigned n = 0;

#define ADD(...) f[n++] = (struct sock_filter)__VA_ARGS__
	ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
	ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
	/* Memory can be had, but not to be executed. The upper half of the argument is not looked at by the
	 * kernel, either. */
	ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0));
	ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 4));
	ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		offsetof(struct seccomp_data, args[2]) + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)));
	ADD(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1));
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		ADD(BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], (uint8_t)(ARRAY_SIZE(calls) - i), 0));
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
#undef ADD
	prog.len = (unsigned short)n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "set no_new_privs for the server of directories");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_set(e, errno, "restrict the system calls of the server of directories");
	return 0;
#else
	return err_text(e, ENOSYS,
		"the server of directories cannot be confined on this machine: its system calls are not "
		"known");
#endif
}
