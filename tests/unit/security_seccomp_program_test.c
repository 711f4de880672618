/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp_enosys.c and seccomp_shrink.c: programs in, programs out, compared by running them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <linux/audit.h>
#include <cmocka.h>

#include "security/seccomp_internal.h"
#include "tests/unit/security_bpf.h"

#define RET(v)	       BPF_STMT(BPF_RET | BPF_K, (v))
#define LD(f)	       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, f))
#define ALLOW	       SECCOMP_RET_ALLOW
#define ENOSYS_VERDICT (SECCOMP_RET_ERRNO | ENOSYS)

static struct sysf_code make(const struct sock_filter *insns, size_t n)
{
	struct sysf_code c = { .insns = malloc(n * sizeof(*insns)), .n = n };

	assert_non_null(c.insns);
	memcpy(c.insns, insns, n * sizeof(*insns));
	return c;
}

static uint32_t ask(const struct sysf_code *c, uint32_t arch, uint32_t nr)
{
	return bpf_ask(c->insns, c->n, arch, nr, 0, 0);
}

/* --- ENOSYS ----------------------------------------------------------------------------------- */

static const struct sock_filter marker[] = { RET(SECCOMP_RET_ERRNO | 77) };
#define PASSED (SECCOMP_RET_ERRNO | 77)

static void enosys_by_architecture(void **state)
{
	_cleanup_code_ struct sysf_code c = make(marker, 1);
	const struct sysf_arch archs[] = {
		{ AUDIT_ARCH_X86_64, false, 450 },
		{ AUDIT_ARCH_I386, false, 449 },
		{ AUDIT_ARCH_X86_64, true, SYSF_X32_BIT | 547 },
		{ AUDIT_ARCH_AARCH64, false, 448 },
		{ AUDIT_ARCH_ARM, false, 447 },
		{ AUDIT_ARCH_S390X, false, 446 },
	};

	assert_int_equal(sysf_enosys_prepend(&c, archs, 6, NULL), 0);
	assert_int_equal(ask(&c, AUDIT_ARCH_X86_64, 0), PASSED);
	assert_int_equal(ask(&c, AUDIT_ARCH_X86_64, 450), PASSED);
	assert_int_equal(ask(&c, AUDIT_ARCH_X86_64, 451), ENOSYS_VERDICT);
	assert_int_equal(ask(&c, AUDIT_ARCH_X86_64, SYSF_X32_BIT - 1), ENOSYS_VERDICT);
	assert_int_equal(ask(&c, AUDIT_ARCH_X86_64, SYSF_X32_BIT), PASSED);
	assert_int_equal(ask(&c, AUDIT_ARCH_X86_64, SYSF_X32_BIT | 547), PASSED);
	assert_int_equal(ask(&c, AUDIT_ARCH_X86_64, SYSF_X32_BIT | 548), ENOSYS_VERDICT);
	assert_int_equal(ask(&c, AUDIT_ARCH_I386, 449), PASSED);
	assert_int_equal(ask(&c, AUDIT_ARCH_I386, 450), ENOSYS_VERDICT);
	assert_int_equal(ask(&c, AUDIT_ARCH_I386, UINT32_MAX), ENOSYS_VERDICT);
	assert_int_equal(ask(&c, AUDIT_ARCH_AARCH64, 448), PASSED);
	assert_int_equal(ask(&c, AUDIT_ARCH_AARCH64, 449), ENOSYS_VERDICT);
	assert_int_equal(ask(&c, AUDIT_ARCH_ARM, 447), PASSED);
	assert_int_equal(ask(&c, AUDIT_ARCH_ARM, 448), ENOSYS_VERDICT);
	assert_int_equal(ask(&c, AUDIT_ARCH_ARM, 0x0f0005), PASSED); /* set_tls */
	assert_int_equal(ask(&c, AUDIT_ARCH_S390X, 1), PASSED);
	assert_int_equal(ask(&c, AUDIT_ARCH_S390X, 447), ENOSYS_VERDICT);
	assert_int_equal(ask(&c, AUDIT_ARCH_S390X, 0), ENOSYS_VERDICT);
	assert_int_equal(ask(&c, AUDIT_ARCH_RISCV64, 9999), PASSED);
}

static void enosys_leaves_x32_alone_without_x32(void **state)
{
	_cleanup_code_ struct sysf_code c = make(marker, 1);
	const struct sysf_arch arch = { AUDIT_ARCH_X86_64, false, 10 };

	assert_int_equal(sysf_enosys_prepend(&c, &arch, 1, NULL), 0);
	assert_int_equal(ask(&c, AUDIT_ARCH_X86_64, 11), ENOSYS_VERDICT);
	assert_int_equal(ask(&c, AUDIT_ARCH_X86_64, SYSF_X32_BIT | 600), PASSED);
	assert_int_equal(ask(&c, AUDIT_ARCH_X86_64, UINT32_MAX), PASSED);
}

/* --- shrinking -------------------------------------------------------------------------------- */

static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525U + 1013904223U;
	return (seed >> 8) % below;
}

static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0, UINT32_MAX };

static uint32_t constant(int holds)
{
	static const uint32_t odd[] = { 0, 1, 0x40000000, 0x40000001, 0x7fffffff, 0x80000000, UINT32_MAX,
		UINT32_MAX - 1 };

	if (holds == 1)
		return archs[rnd(3)];
	return rnd(8) == 0 ? odd[rnd(8)] : rnd(40);
}

/*
 * A random program of the kind that can be shrunk. As the accumulator's content must be known at every
 * instruction whatever way leads there, jumps only go to loads and returns, and what was loaded is what the
 * following comparisons are made for.
 */
static size_t random_program(struct sock_filter *p, size_t n)
{
	static const uint16_t jumps[] = { BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET };
	static const uint32_t offsets[] = { 4, 0, 16, 20, 24, 8 };
	size_t blocks = n / 4;

	/* Blocks of four: load, perhaps AND, a jump to two later blocks; the last two are returns. */
	for (size_t b = 0; b < blocks; b++) {
		struct sock_filter *i = p + b * 4;
		int holds = rnd(3) == 0 ? 1 : rnd(2) == 0 ? 0 : 2; /* nr, arch, data */
		size_t left = blocks - b - 1;
		uint32_t off = holds == 1 ? offsets[0] : holds == 0 ? offsets[1] : offsets[2 + rnd(4)];
		uint16_t op = holds == 1 ? BPF_JEQ : holds == 0 ? jumps[rnd(3)] : jumps[rnd(4)];
		uint32_t yes, no;

		if (left < 2) {
			for (int k = 0; k < 4; k++)
				i[k] = (struct sock_filter)RET(rnd(3) ? ALLOW : SECCOMP_RET_ERRNO | rnd(4));
			continue;
		}
		yes = 1 + rnd(left < 40 ? (uint32_t)left : 40);
		no = 1 + rnd(left < 4 ? (uint32_t)left : 4);
		i[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, off);
		i[1] = holds == 2 && rnd(2) ? (struct sock_filter)BPF_STMT(
						      BPF_ALU | BPF_AND | BPF_K, 0xff0f00ff | rnd(256))
					    : (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0);
		if (rnd(6) == 0) {
			i[2] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1 + (yes - 1) * 4);
			i[3] = (struct sock_filter)RET(99);
			continue;
		}
		i[2] = (struct sock_filter)BPF_JUMP(BPF_JMP | op | BPF_K, constant(holds),
			(uint8_t)(1 + (yes - 1) * 4), (uint8_t)(1 + (no - 1) * 4));
		i[3] = (struct sock_filter)RET(98);
	}
	return blocks * 4;
}

static void same_verdicts(const struct sock_filter *p, size_t n, const struct sysf_code *c)
{
	for (int k = 0; k < 4000; k++) {
		struct seccomp_data d = { .arch = archs[rnd(5)], .nr = (int)constant(0) };

		d.instruction_pointer = constant(2);
		for (int a = 0; a < 6; a++)
			d.args[a] = (uint64_t)constant(2) << 32 | constant(2);
		if (bpf_run(p, n, &d) != bpf_run(c->insns, c->n, &d))
			fail_msg("seed run %d: arch %#x nr %#x: %#x, shrunk %#x", k, d.arch,
				(unsigned int)d.nr, bpf_run(p, n, &d), bpf_run(c->insns, c->n, &d));
	}
}

static void shrunk_programs_decide_alike(void **state)
{
	static struct sock_filter p[3000];
	int shrunk = 0;

	for (uint32_t run = 1; run <= 400; run++) {
		_cleanup_code_ struct sysf_code c = { 0 };
		size_t n;

		seed = run * 7919;
		n = random_program(p, 20 + rnd(run < 350 ? 400 : 2900));
		c = make(p, n);
		if (!sysf_shrink(&c)) {
			assert_memory_equal(c.insns, p, n * sizeof(*p));
			continue;
		}
		shrunk++;
		assert_true(c.n < n);
		same_verdicts(p, n, &c);
	}
	/* Or else the test has tested nothing. */
	assert_true(shrunk > 200);
}

/*
 * As libseccomp writes it: one comparison for each number; here the even ones of a range, and all from 300 to
 * 399.
 */
static size_t linear_program(struct sock_filter *p)
{
	size_t n = 0;

	p[n++] = (struct sock_filter)LD(arch);
	p[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	p[n++] = (struct sock_filter)RET(SECCOMP_RET_KILL_THREAD);
	p[n++] = (struct sock_filter)LD(nr);
	for (uint32_t nr = 0; nr < 400; nr++) {
		if (nr < 20 ? nr % 2 : nr < 300)
			continue;
		p[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
		p[n++] = (struct sock_filter)RET(ALLOW);
	}
	p[n++] = (struct sock_filter)RET(SECCOMP_RET_ERRNO | 1);
	return n;
}

static void a_list_becomes_ranges(void **state)
{
	struct sock_filter p[1000];
	size_t n = linear_program(p);
	_cleanup_code_ struct sysf_code c = make(p, n);

	assert_true(sysf_shrink(&c));
	assert_true(c.n < 40);
	for (uint32_t nr = 0; nr < 500; nr++)
		assert_int_equal(ask(&c, AUDIT_ARCH_X86_64, nr),
			ask(&(struct sysf_code){ p, n }, AUDIT_ARCH_X86_64, nr));
	assert_int_equal(ask(&c, AUDIT_ARCH_X86_64, UINT32_MAX), SECCOMP_RET_ERRNO | 1);
	assert_int_equal(ask(&c, AUDIT_ARCH_I386, 0), SECCOMP_RET_KILL_THREAD);
}

/* Forward jumps are 8 bits wide: thousands of leaves need intermediate stops. */
static void far_jumps(void **state)
{
	static struct sock_filter p[14000];
	size_t n = 0;
	_cleanup_code_ struct sysf_code c = { 0 };

	p[n++] = (struct sock_filter)LD(nr);
	for (uint32_t nr = 0; nr < 1700; nr++) {
		/* Three jumps to the next instruction make room to be shorter. */
		p[n++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0);
		p[n++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0);
		p[n++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0);
		p[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr * 2, 0, 4);
		p[n++] = (struct sock_filter)LD(args[1]);
		p[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, nr + 1, 0, 1);
		p[n++] = (struct sock_filter)RET(SECCOMP_RET_ERRNO | (nr & 0x7ff));
		p[n++] = (struct sock_filter)RET(SECCOMP_RET_TRACE | (nr & 0x7ff));
	}
	p[n++] = (struct sock_filter)RET(ALLOW);
	c = make(p, n);
	assert_true(sysf_shrink(&c));
	for (uint32_t nr = 0; nr < 5200; nr++) {
		for (uint64_t arg = 0; arg < 5; arg++)
			assert_int_equal(bpf_ask(c.insns, c.n, 1, nr, 7, arg * nr / 2),
				bpf_ask(p, n, 1, nr, 7, arg * nr / 2));
	}
}

static void strange_programs_are_left_alone(void **state)
{
	const struct sock_filter arithmetic[] = { LD(nr), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 5, 0, 1), RET(0), RET(ALLOW), RET(1) };
	const struct sock_filter masked_number[] = { LD(nr), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), RET(0), RET(ALLOW), RET(1) };
	const struct sock_filter bits_of_number[] = { LD(nr), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 5, 0, 1),
		RET(0), RET(ALLOW), RET(1) };
	const struct sock_filter arch_range[] = { LD(arch), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 5, 0, 1),
		RET(0), RET(ALLOW), RET(1) };
	const struct sock_filter runs_out[] = { LD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 5, 0, 9),
		RET(0), RET(1) };
	const struct sock_filter nothing_loaded[] = { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 5, 0, 1), RET(0),
		RET(1), RET(2) };
	const struct {
		const struct sock_filter *p;
		size_t n;
	} all[] = { { arithmetic, 6 }, { masked_number, 6 }, { bits_of_number, 5 }, { arch_range, 5 },
		{ runs_out, 4 }, { nothing_loaded, 4 } };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_code_ struct sysf_code c = make(all[i].p, all[i].n);

		assert_false(sysf_shrink(&c));
		assert_int_equal(c.n, all[i].n);
		assert_memory_equal(c.insns, all[i].p, all[i].n * sizeof(*c.insns));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enosys_by_architecture),
		cmocka_unit_test(enosys_leaves_x32_alone_without_x32),
		cmocka_unit_test(shrunk_programs_decide_alike),
		cmocka_unit_test(a_list_becomes_ranges),
		cmocka_unit_test(far_jumps),
		cmocka_unit_test(strange_programs_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
