/* SPDX-License-Identifier: Apache-2.0 */
/* Device rules: the v1 form, and the v2 program, which is run here by a small interpreter of the instructions
 * that we emit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/bpf.h>
#include <string.h>

#include "cgroups/internal.h"

enum { R = SPEC_DEV_READ, W = SPEC_DEV_WRITE, M = SPEC_DEV_MKNOD, ALL = R | W | M };

#define RULE(allow, type, major, minor, access)   \
	{                                         \
		allow, type, major, minor, access \
	}

static int run(const struct bpf_insn *p, size_t n, char type, int major, int minor, unsigned int access)
{
	unsigned int bits = (access & M ? BPF_DEVCG_ACC_MKNOD : 0) | (access & R ? BPF_DEVCG_ACC_READ : 0) |
			    (access & W ? BPF_DEVCG_ACC_WRITE : 0);
	struct bpf_cgroup_dev_ctx ctx = {
		.access_type = bits << 16 | (type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
		.major = (uint32_t)major,
		.minor = (uint32_t)minor,
	};
	uint64_t r[11] = { 0 };

	for (size_t pc = 0; pc < n; pc++) {
		const struct bpf_insn *i = &p[pc];
		uint64_t imm = (uint64_t)(int64_t)i->imm;
		uint32_t word;

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			assert_int_equal(i->src_reg, 1);
			memcpy(&word, (char *)&ctx + i->off, sizeof(word));
			r[i->dst_reg] = word;
			break;
		case BPF_ALU64 | BPF_MOV | BPF_X:
			r[i->dst_reg] = r[i->src_reg];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			r[i->dst_reg] = imm;
			break;
		case BPF_ALU64 | BPF_AND | BPF_K:
			r[i->dst_reg] &= imm;
			break;
		case BPF_ALU64 | BPF_RSH | BPF_K:
			r[i->dst_reg] >>= imm;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			pc += r[i->dst_reg] != imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += r[i->dst_reg] == imm ? (size_t)i->off : 0;
			break;
		case BPF_ALU64 | BPF_LSH | BPF_K:
			r[i->dst_reg] <<= imm;
			break;
		case BPF_ALU64 | BPF_OR | BPF_X:
			r[i->dst_reg] |= r[i->src_reg];
			break;
		case BPF_LD | BPF_IMM | BPF_DW:
			assert_int_equal(i[1].code, 0);
			r[i->dst_reg] = (uint32_t)i->imm | (uint64_t)(uint32_t)i[1].imm << 32;
			pc++;
			break;
		case BPF_JMP | BPF_JEQ | BPF_X:
			pc += r[i->dst_reg] == r[i->src_reg] ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_JA | BPF_K:
			pc += (size_t)i->off;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)r[0];
		default:
			fail_msg("instruction %zu: code 0x%x", pc, i->code);
		}
	}
	fail_msg("the program ran off its end");
	return -1;
}

/* One request against rules without the defaults. */
static int ask(
	const struct spec_dev_rule *rules, size_t n, char type, int major, int minor, unsigned int access)
{
	_cleanup_free_ struct bpf_insn *p = NULL;
	struct err e = ERR_INIT;
	size_t k;

	assert_int_equal(cg_dev_program(rules, n, &p, &k, &e), 0);
	return k == 0 ? 1 : run(p, k, type, major, minor, access);
}

static void test_program(void **state)
{
	const struct spec_dev_rule rules[] = {
		RULE(false, 'a', -1, -1, ALL),
		RULE(true, 'c', 1, 3, R),
		RULE(true, 'c', 1, 3, W),
		RULE(true, 'c', 10, -1, ALL),
		RULE(false, 'c', 10, 200, W),
		RULE(true, 'b', -1, 7, R | M),
	};
	size_t n = ARRAY_SIZE(rules);

	/* Accesses that two rules allow add up. */
	assert_int_equal(ask(rules, n, 'c', 1, 3, R | W), 1);
	assert_int_equal(ask(rules, n, 'c', 1, 3, R), 1);
	assert_int_equal(ask(rules, n, 'c', 1, 3, M), 0);
	assert_int_equal(ask(rules, n, 'c', 1, 3, R | M), 0);
	assert_int_equal(ask(rules, n, 'b', 1, 3, R), 0);
	/* The last match decides, for each access by itself. */
	assert_int_equal(ask(rules, n, 'c', 10, 1, ALL), 1);
	assert_int_equal(ask(rules, n, 'c', 10, 200, R), 1);
	assert_int_equal(ask(rules, n, 'c', 10, 200, W), 0);
	assert_int_equal(ask(rules, n, 'c', 10, 200, R | W), 0);
	assert_int_equal(ask(rules, n, 'b', 99, 7, R | M), 1);
	assert_int_equal(ask(rules, n, 'b', 99, 7, W), 0);
	assert_int_equal(ask(rules, n, 'b', 99, 8, R), 0);
	/* No rule: nothing. */
	assert_int_equal(ask(rules, 0, 'c', 1, 3, R), 0);
}

static void test_allow_all(void **state)
{
	const struct spec_dev_rule all[] = { RULE(false, 'a', -1, -1, ALL), RULE(true, 'a', -1, -1, ALL),
		RULE(true, 'c', 1, 3, R) };
	const struct spec_dev_rule but[] = { RULE(true, 'a', -1, -1, ALL), RULE(false, 'b', 8, 0, W) };
	struct bpf_insn *p;
	struct err e = ERR_INIT;
	size_t k;

	assert_int_equal(cg_dev_program(all, 3, &p, &k, &e), 0);
	assert_int_equal(k, 0);
	free(p);
	assert_int_equal(ask(but, 2, 'b', 8, 0, W), 0);
	assert_int_equal(ask(but, 2, 'b', 8, 0, R), 1);
	assert_int_equal(ask(but, 2, 'c', 8, 0, W), 1);
}

static void test_defaults(void **state)
{
	struct arena *a = arena_new();
	struct spec_dev_rule deny = RULE(false, 'a', -1, -1, ALL),
			     odd[] = { RULE(true, 'a', 5, -1, R), RULE(true, 'x', 1, 1, R) };
	struct spec_resources r = { .devices = &deny, .n_devices = 1 };
	struct spec_dev_rule *rules;
	struct err e = ERR_INIT;
	size_t n;

	assert_int_equal(cg_dev_rules(a, &r, &rules, &n, &e), 0);
	assert_int_equal(ask(rules, n, 'c', 1, 3, R | W), 1);
	assert_int_equal(ask(rules, n, 'c', 1, 1, R), 0); /* /dev/mem */
	assert_int_equal(ask(rules, n, 'c', 1, 1, M), 1);
	assert_int_equal(ask(rules, n, 'b', 8, 0, R), 0);
	assert_int_equal(ask(rules, n, 'c', 136, 17, R | W), 1);
	assert_int_equal(ask(rules, n, 'c', 5, 1, R), 0); /* the host's /dev/console */
	assert_int_equal(ask(rules, n, 'c', 10, 200, R), 0);
	/* No list at all is the same as "deny all". */
	assert_int_equal(cg_dev_rules(a, NULL, &rules, &n, &e), 0);
	assert_int_equal(ask(rules, n, 'b', 8, 0, R), 0);
	assert_int_equal(ask(rules, n, 'c', 1, 8, R), 1);
	/* "a" with numbers stands for both types. */
	r = (struct spec_resources){ .devices = odd, .n_devices = 1 };
	assert_int_equal(cg_dev_rules(a, &r, &rules, &n, &e), 0);
	assert_int_equal(ask(rules, n, 'b', 5, 9, R), 1);
	assert_int_equal(ask(rules, n, 'c', 5, 9, R), 1);
	assert_int_equal(ask(rules, n, 'c', 5, 9, W), 0);
	r.n_devices = 2;
	assert_int_equal(cg_dev_rules(a, &r, &rules, &n, &e), -EINVAL);
	arena_free(a);
}

static void test_flatten(void **state)
{
	struct spec_dev_rule rules[] = {
		RULE(true, 'c', 9, 9, ALL),
		RULE(false, 'a', -1, -1, ALL),
		RULE(true, 'c', 1, 3, R),
		RULE(true, 'c', 1, 3, W),
		RULE(true, 'c', 10, 200, ALL),
		RULE(true, 'b', 8, -1, ALL),
		RULE(false, 'c', 10, -1, ALL),
		RULE(false, 'b', -1, -1, W),
	};
	size_t n = ARRAY_SIZE(rules);
	struct err e = ERR_INIT;
	char text[64];
	bool all;

	assert_int_equal(cg_dev_flatten(rules, &n, &all, &e), 0);
	assert_false(all);
	assert_int_equal(n, 2);
	cg_dev_text(&rules[0], text, sizeof(text));
	assert_string_equal(text, "c 1:3 rw");
	cg_dev_text(&rules[1], text, sizeof(text));
	assert_string_equal(text, "b 8:* rm");
}

static void test_flatten_all(void **state)
{
	struct spec_dev_rule rules[] = { RULE(true, 'a', -1, -1, ALL), RULE(false, 'c', 1, 1, ALL),
		RULE(true, 'c', 1, -1, R), RULE(false, 'b', 8, 0, W) };
	size_t n = ARRAY_SIZE(rules);
	struct err e = ERR_INIT;
	bool all;

	assert_int_equal(cg_dev_flatten(rules, &n, &all, &e), 0);
	assert_true(all);
	assert_int_equal(n, 2);
	assert_int_equal(rules[0].access, W | M);
}

static void test_flatten_impossible(void **state)
{
	struct spec_dev_rule rules[] = { RULE(true, 'c', 1, -1, ALL), RULE(false, 'c', 1, 1, R) };
	size_t n = ARRAY_SIZE(rules);
	struct err e = ERR_INIT;
	bool all;

	assert_int_equal(cg_dev_flatten(rules, &n, &all, &e), -EINVAL);
	assert_non_null(strstr(e.text, "c 1:1 r"));
	assert_int_equal(n, 2);
}

/* The two forms of one list say the same about every device. */
static void test_agree(void **state)
{
	uint32_t seed = 1;

	for (int round = 0; round < 3000; round++) {
		struct spec_dev_rule rules[6], flat[6];
		size_t n = 0, k;
		bool all;

		for (size_t i = 0; i < 6; i++) {
			seed = seed * 1664525 + 1013904223;
			rules[n++] = (struct spec_dev_rule){ seed >> 31, seed >> 28 & 1 ? 'b' : 'c',
				(int)(seed >> 25 & 3) - 1, (int)(seed >> 22 & 3) - 1,
				(uint8_t)((seed >> 19 & 7) ? seed >> 19 & 7 : 7) };
		}
		memcpy(flat, rules, sizeof(flat));
		k = n;
		if (cg_dev_flatten(flat, &k, &all, NULL) < 0)
			continue;
		for (int major = 0; major < 3; major++)
			for (int minor = 0; minor < 3; minor++)
				for (unsigned int access = 1; access <= ALL; access <<= 1) {
					bool match = false;

					for (size_t i = 0; i < k; i++)
						match |= flat[i].type == 'c' &&
							 (flat[i].major < 0 || flat[i].major == major) &&
							 (flat[i].minor < 0 || flat[i].minor == minor) &&
							 (flat[i].access & access);
					assert_int_equal(ask(rules, n, 'c', major, minor, access),
						all ? !match : match);
				}
	}
}

/* By the words of the theory of operation: the last match decides, for each access. */
static int plainly(const struct spec_dev_rule *rules, size_t n, char type, int64_t major, int64_t minor,
	unsigned int access)
{
	unsigned int left = access;

	for (size_t i = n; i > 0; i--) {
		const struct spec_dev_rule *r = &rules[i - 1];

		if ((r->type != 'a' && r->type != type) || (r->major >= 0 && r->major != major) ||
			(r->minor >= 0 && r->minor != minor))
			continue;
		if (!r->allow && (left & r->access))
			return 0;
		if (r->allow)
			left &= ~(unsigned int)r->access;
		if (r->allow && !left)
			return 1;
	}
	return 0;
}

static void test_plain(void **state)
{
	static const int64_t numbers[] = { -1, 0, 1, 4095, 1048575, INT32_MAX };
	uint32_t seed = 7;

	for (int round = 0; round < 3000; round++) {
		struct spec_dev_rule rules[8];

		for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
			seed = seed * 1664525 + 1013904223;
			rules[i] = (struct spec_dev_rule){ seed >> 31, "bca"[(seed >> 26) % 3],
				numbers[(seed >> 20) % 6], numbers[(seed >> 15) % 6],
				(uint8_t)((seed >> 11 & 7) ? seed >> 11 & 7 : 7) };
			/* As cg_dev_rules() has them. */
			if (rules[i].type == 'a')
				rules[i].major = rules[i].minor = -1;
		}
		for (size_t m = 1; m < 5; m++)
			for (size_t k = 1; k < 5; k++)
				for (unsigned int access = 1; access <= ALL; access++)
					for (const char *type = "bc"; *type; type++)
						assert_int_equal(ask(rules, 8, *type, (int)numbers[m],
									 (int)numbers[k], access),
							plainly(rules, 8, *type, numbers[m], numbers[k],
								access));
	}
}

/* As many as a config may have. */
static void test_many(void **state)
{
	enum { N = 5000 };
	struct spec_dev_rule *rules = calloc(N, sizeof(*rules));

	assert_non_null(rules);
	for (int i = 0; i < N; i++)
		rules[i] = (struct spec_dev_rule){ true, 'c', i, 7, R };
	assert_int_equal(ask(rules, N, 'c', 0, 7, R), 1);
	assert_int_equal(ask(rules, N, 'c', N - 1, 7, R), 1);
	assert_int_equal(ask(rules, N, 'c', 2500, 7, R), 1);
	assert_int_equal(ask(rules, N, 'c', 2500, 7, W), 0);
	assert_int_equal(ask(rules, N, 'c', N, 7, R), 0);
	free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_allow_all),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_flatten),
		cmocka_unit_test(test_flatten_all),
		cmocka_unit_test(test_flatten_impossible),
		cmocka_unit_test(test_agree),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
