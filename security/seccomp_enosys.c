/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ENOSYS for system calls newer than a profile.
 *
 * A libc that finds a new system call refused with EPERM believes it and gives up; with ENOSYS it falls back
 * to the old one. A profile cannot name calls that did not exist when it was written, so with a default
 * action of ERRNO everything above the highest number it names, per architecture, gets ENOSYS. libseccomp
 * cannot say "greater than" of a system call's number: hence these few instructions in front of its program.
 * They fall through into it with nothing assumed about the accumulator.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>

#include "security/seccomp_internal.h"

#ifndef AUDIT_ARCH_ARM
#define AUDIT_ARCH_ARM (40 | __AUDIT_ARCH_LE)
#endif
#ifndef AUDIT_ARCH_S390
#define AUDIT_ARCH_S390 22
#endif
#ifndef AUDIT_ARCH_S390X
#define AUDIT_ARCH_S390X (22 | __AUDIT_ARCH_64BIT)
#endif

/* 32-bit ARM keeps calls of its own (cacheflush, set_tls, …) from here on, far above the common table. */
#define ARM_PRIVATE_BASE 0x0f0000U

/* The longest of the sections below. */
#define SECTION_MAX	       7

#define LOAD(field)	       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN_ENOSYS	       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)
#define IF(op, value, yes, no) BPF_JUMP(BPF_JMP | (op) | BPF_K, (value), (yes), (no))
#define FAR_JUMP	       BPF_STMT(BPF_JMP | BPF_JA, 0)

static size_t put(struct sock_filter *at, const struct sock_filter *insns, size_t n)
{
	memcpy(at, insns, n * sizeof(*at));
	return n;
}

/*
 * One architecture. Its last instruction is a jump to the program proper, whose distance the caller fills in.
 * `x32`: the architecture is x86-64; x32_last is 0 if the profile has nothing for x32, and then its numbers
 * are left to the program (which kills).
 */
static size_t section(struct sock_filter *at, const struct sysf_arch *a, bool x86, uint32_t x32_last)
{
	if (x86 && x32_last > 0) {
		const struct sock_filter code[] = {
			IF(BPF_JEQ, a->audit_arch, 0, 6),
			LOAD(nr),
			IF(BPF_JGE, SYSF_X32_BIT, 1, 0),
			IF(BPF_JGT, a->last, 1, 2),
			IF(BPF_JGT, x32_last, 0, 1),
			RETURN_ENOSYS,
			FAR_JUMP,
		};
		return put(at, code, ARRAY_SIZE(code));
	}
	if (x86 || a->audit_arch == AUDIT_ARCH_ARM) {
		const struct sock_filter code[] = {
			IF(BPF_JEQ, a->audit_arch, 0, 5),
			LOAD(nr),
			IF(BPF_JGE, x86 ? SYSF_X32_BIT : ARM_PRIVATE_BASE, 2, 0),
			IF(BPF_JGT, a->last, 0, 1),
			RETURN_ENOSYS,
			FAR_JUMP,
		};
		return put(at, code, ARRAY_SIZE(code));
	}
	if (a->audit_arch == AUDIT_ARCH_S390 || a->audit_arch == AUDIT_ARCH_S390X) {
		/*
		 * Numbers over 255 go through "svc 0" there, and a number that the kernel does not know stays
		 * 0: so 0, setup(2) of long ago, is what a new system call looks like.
		 */
		const struct sock_filter code[] = {
			IF(BPF_JEQ, a->audit_arch, 0, 5),
			LOAD(nr),
			IF(BPF_JEQ, 0, 1, 0),
			IF(BPF_JGT, a->last, 0, 1),
			RETURN_ENOSYS,
			FAR_JUMP,
		};
		return put(at, code, ARRAY_SIZE(code));
	}
	const struct sock_filter code[] = {
		IF(BPF_JEQ, a->audit_arch, 0, 4),
		LOAD(nr),
		IF(BPF_JGT, a->last, 0, 1),
		RETURN_ENOSYS,
		FAR_JUMP,
	};
	return put(at, code, ARRAY_SIZE(code));
}

int sysf_enosys_prepend(struct sysf_code *code, const struct sysf_arch *archs, size_t n, struct err *e)
{
	static const struct sock_filter load_arch = LOAD(arch);
	struct sock_filter *out;
	uint32_t x32_last = 0;
	size_t head;

	if (n == 0)
		return 0;
	out = malloc((1 + n * SECTION_MAX + code->n) * sizeof(*out));
	if (!out)
		return err_set(e, ENOMEM, "seccomp: add the ENOSYS rule");
	for (size_t i = 0; i < n; i++) {
		if (archs[i].x32)
			x32_last = archs[i].last;
	}
	head = put(out, &load_arch, 1);
	for (size_t i = 0; i < n; i++) {
		/* x32 is part of x86-64's section, and libseccomp always has that with it. */
		if (!archs[i].x32)
			head += section(
				out + head, &archs[i], archs[i].audit_arch == AUDIT_ARCH_X86_64, x32_last);
	}
	/* Of the jumps only ours are here yet: all others are conditional or come with the program. */
	for (size_t i = 0; i < head; i++) {
		if (out[i].code == (BPF_JMP | BPF_JA))
			out[i].k = (uint32_t)(head - i - 1);
	}
	memcpy(out + head, code->insns, code->n * sizeof(*out));
	free(code->insns);
	code->insns = out;
	code->n += head;
	return 0;
}
