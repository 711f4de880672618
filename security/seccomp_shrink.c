/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same decisions in fewer instructions.
 *
 * Theory of operation
 *   libseccomp makes one comparison a system call and architecture: 1,000 instructions for Docker's profile.
 *   On every start the kernel checks, translates and compiles them anew, and runs them for each system call
 *   it knows, to find the ones that are always allowed: most of a millisecond. But most neighbours in the
 *   table share their fate, so a few ranges say the same.
 *
 *   1. scan(): which architectures and numbers does the program compare with? Between two such numbers all
 *      decisions are equal.
 *   2. For each architecture and each range of numbers, walk() executes the program as far as it goes
 *      without a system call's arguments. What is left is a verdict or a test of arguments: a node of a graph
 *      in which equal nodes are one (node()).
 *   3. Neighbouring ranges with the same node are joined; build() makes a binary search of the rest.
 *   4. place() writes the graph from its leaves to its root, that is from the program's end to its start,
 *      since classic BPF only jumps forward.
 *
 *   Whatever depends on arguments is kept as it was, comparison by comparison, so equivalence does not depend
 *   on what the rules mean. A program that does anything but what libseccomp writes (loads, AND of an
 *   argument, jumps, constant returns) is left alone.
 */
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "security/seccomp_internal.h"

/* Above this the work is not worth it, and walk() would recurse deep. */
#define INSNS_MAX 16384U
#define NODES_MAX 32768U /* a power of two; the table has twice as many slots */
#define NO_NODE	  UINT32_MAX

/* A conditional jump reaches 255 instructions; the far side may still need one instruction in between. */
#define REACH 253U

/* Single numbers that differ from all around them are tested by a chain of up to this many equalities. */
#define HOLES_MAX 3

#define LD_ABS	  (BPF_LD | BPF_W | BPF_ABS)
#define AND_K	  (BPF_ALU | BPF_AND | BPF_K)
#define RET_K	  (BPF_RET | BPF_K)
#define JA	  (BPF_JMP | BPF_JA)
#define JEQ	  (BPF_JMP | BPF_JEQ | BPF_K)
#define JGT	  (BPF_JMP | BPF_JGT | BPF_K)
#define JGE	  (BPF_JMP | BPF_JGE | BPF_K)
#define JSET	  (BPF_JMP | BPF_JSET | BPF_K)

/* What the accumulator holds. */
enum acc { ACC_NONE, ACC_ARCH, ACC_NR, ACC_DATA };

struct node {
	uint16_t code;
	uint32_t k;
	uint32_t yes, no;  /* nodes; the next one of a load or AND is `yes` */
	uint32_t position; /* place(): counted from the program's end, from 1; 0: not written yet */
};

struct set {
	uint32_t *v;
	size_t n, room;
};

/* Numbers from `low` up to the next range's. */
struct range {
	uint32_t low, node;
};

struct shrink {
	const struct sock_filter *in;
	size_t n;
	uint8_t *accs; /* scan(): which values of the accumulator (bits) reach each instruction */
	struct set archs, cuts;

	uint32_t arch, nr;    /* walk(): the case at hand */
	uint32_t round;	      /* its number, */
	uint32_t *memo_round; /* and what has been found in it, by instruction */
	uint32_t *memo_node;

	struct node *nodes;
	uint32_t n_nodes;
	uint32_t *slots;

	struct sock_filter *out; /* backwards; at most n */
	uint32_t n_out;
	bool failed;
};

static void set_add(struct shrink *s, struct set *set, uint32_t v)
{
	uint32_t *more;

	for (size_t i = set == &s->archs ? 0 : set->n; i < set->n; i++) {
		if (set->v[i] == v)
			return;
	}
	if (set->n == set->room) {
		size_t room = set->room ? set->room * 2 : 64;

		more = realloc(set->v, room * sizeof(*more));
		if (!more) {
			s->failed = true;
			return;
		}
		set->v = more;
		set->room = room;
	}
	set->v[set->n++] = v;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static enum acc loaded(uint32_t offset)
{
	if (offset == offsetof(struct seccomp_data, arch))
		return ACC_ARCH;
	return offset == offsetof(struct seccomp_data, nr) ? ACC_NR : ACC_DATA;
}

/* --- 1: what is compared ---------------------------------------------------------------------- */

static bool note_comparison(struct shrink *s, const struct sock_filter *i, enum acc acc)
{
	switch (acc) {
	case ACC_ARCH:
		if (i->code != JEQ)
			return false;
		set_add(s, &s->archs, i->k);
		return true;
	case ACC_NR:
		if (i->code == JSET)
			return false;
		if (i->code != JGT)
			set_add(s, &s->cuts, i->k);
		if (i->code != JGE && i->k != UINT32_MAX)
			set_add(s, &s->cuts, i->k + 1);
		return true;
	case ACC_DATA:
		return true;
	default:
		return false;
	}
}

/* One instruction with one kind of accumulator: marks where it leads. False: not understood. */
static bool scan_one(struct shrink *s, size_t pc, enum acc acc)
{
	const struct sock_filter *i = &s->in[pc];
	size_t left = s->n - pc - 1; /* instructions behind this one */

	switch (i->code) {
	case RET_K:
		return true;
	case LD_ABS:
		if (left < 1)
			return false;
		s->accs[pc + 1] |= (uint8_t)(1U << loaded(i->k));
		return true;
	case AND_K:
		if (left < 1 || acc != ACC_DATA)
			return false;
		s->accs[pc + 1] |= 1U << ACC_DATA;
		return true;
	case JA:
		if (i->k >= left)
			return false;
		s->accs[pc + 1 + i->k] |= (uint8_t)(1U << acc);
		return true;
	case JEQ:
	case JGT:
	case JGE:
	case JSET:
		if (i->jt >= left || i->jf >= left || !note_comparison(s, i, acc))
			return false;
		s->accs[pc + 1 + i->jt] |= (uint8_t)(1U << acc);
		s->accs[pc + 1 + i->jf] |= (uint8_t)(1U << acc);
		return true;
	default:
		return false;
	}
}

static bool scan(struct shrink *s)
{
	size_t kept = 0;

	/* Jumps only go forward, so one pass sees every instruction after all that lead to it. */
	s->accs[0] = 1U << ACC_NONE;
	set_add(s, &s->cuts, 0);
	for (size_t pc = 0; pc < s->n; pc++) {
		for (enum acc acc = ACC_NONE; acc <= ACC_DATA; acc++) {
			if ((s->accs[pc] & 1U << acc) && !scan_one(s, pc, acc))
				return false;
		}
	}
	if (s->failed)
		return false;
	qsort(s->cuts.v, s->cuts.n, sizeof(*s->cuts.v), compare_u32);
	for (size_t i = 0; i < s->cuts.n; i++) {
		if (kept == 0 || s->cuts.v[i] != s->cuts.v[kept - 1])
			s->cuts.v[kept++] = s->cuts.v[i];
	}
	s->cuts.n = kept;
	return true;
}

/* --- 2: what is left of a case ---------------------------------------------------------------- */

/* The node of this content, an old one if there is. */
static uint32_t node(struct shrink *s, uint16_t code, uint32_t k, uint32_t yes, uint32_t no)
{
	uint32_t slot = (code * 31U + k) * 2654435761U + yes * 40503U + no * 2246822519U;

	if (s->failed)
		return NO_NODE;
	/* Decided without looking, or a load that nobody looks at. */
	if (code == LD_ABS && (s->nodes[yes].code == RET_K || s->nodes[yes].code == LD_ABS))
		return yes;
	if (code != LD_ABS && code != AND_K && code != RET_K && yes == no)
		return yes;
	for (slot ^= slot >> 15;; slot++) {
		uint32_t *at = &s->slots[slot & (2 * NODES_MAX - 1)];
		const struct node *n;

		if (*at == NO_NODE) {
			if (s->n_nodes == NODES_MAX)
				break;
			*at = s->n_nodes;
			s->nodes[s->n_nodes] = (struct node){ .code = code, .k = k, .yes = yes, .no = no };
			return s->n_nodes++;
		}
		n = &s->nodes[*at];
		if (n->code == code && n->k == k && n->yes == yes && n->no == no)
			return *at;
	}
	s->failed = true;
	return NO_NODE;
}

static bool holds(const struct sock_filter *i, uint32_t v)
{
	switch (i->code) {
	case JEQ:
		return v == i->k;
	case JGT:
		return v > i->k;
	default:
		return v >= i->k; /* JGE: scan() lets no other one through */
	}
}

static uint32_t walk(struct shrink *s, uint32_t pc, enum acc acc)
{
	uint32_t start = pc, result;
	bool memo = acc == ACC_DATA;

	if (memo && s->memo_round[pc] == s->round)
		return s->memo_node[pc];
	for (;;) {
		const struct sock_filter *i = &s->in[pc];

		if (s->failed)
			return NO_NODE;
		pc++;
		if (i->code == RET_K) {
			result = node(s, RET_K, i->k, 0, 0);
			break;
		}
		if (i->code == JA) {
			pc += i->k;
		} else if (i->code == LD_ABS && loaded(i->k) != ACC_DATA) {
			acc = loaded(i->k);
		} else if (i->code == LD_ABS || i->code == AND_K) {
			uint32_t next = walk(s, pc, ACC_DATA);

			result = node(s, i->code, i->k, next, 0);
			break;
		} else if (acc == ACC_DATA) {
			uint32_t yes = walk(s, pc + i->jt, acc), no = walk(s, pc + i->jf, acc);

			result = node(s, i->code, i->k, yes, no);
			break;
		} else {
			pc += holds(i, acc == ACC_ARCH ? s->arch : s->nr) ? i->jt : i->jf;
		}
	}
	if (memo) {
		s->memo_round[start] = s->round;
		s->memo_node[start] = result;
	}
	return result;
}

/* --- 3: ranges -------------------------------------------------------------------------------- */

/* A binary search in ranges[0..n). */
static uint32_t build(struct shrink *s, const struct range *ranges, size_t n)
{
	size_t half = n / 2;
	uint32_t below, above;

	if (n == 1)
		return ranges[0].node;
	above = build(s, ranges + half, n - half);
	below = build(s, ranges, half);
	return node(s, JGE, ranges[half].low, above, below);
}

/*
 * Turns a range, a single number and a range of the same node as the first into one range whose node tests
 * for the number. Returns the new count.
 */
static size_t fold_holes(struct shrink *s, struct range *r, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n;) {
		size_t holes = 0;
		uint32_t whole = r[i].node, low = r[i].low;

		while (holes < HOLES_MAX && i + 2 < n && r[i + 2].node == r[i].node &&
			r[i + 2].low - r[i + 1].low == 1) {
			whole = node(s, JEQ, r[i + 1].low, r[i + 1].node, whole);
			i += 2;
			holes++;
		}
		r[out].low = low;
		r[out++].node = whole;
		i++;
	}
	return out;
}

/* All numbers of s->arch. */
static uint32_t one_arch(struct shrink *s, struct range *ranges)
{
	size_t n = 0;

	for (size_t i = 0; i < s->cuts.n && !s->failed; i++) {
		uint32_t id;

		s->nr = s->cuts.v[i];
		s->round++;
		id = walk(s, 0, ACC_NONE);
		if (n > 0 && ranges[n - 1].node == id)
			continue;
		ranges[n].low = s->nr;
		ranges[n++].node = id;
	}
	if (s->failed)
		return NO_NODE;
	n = fold_holes(s, ranges, n);
	return node(s, LD_ABS, offsetof(struct seccomp_data, nr), build(s, ranges, n), 0);
}

static uint32_t whole_program(struct shrink *s)
{
	_cleanup_free_ struct range *ranges = calloc(s->cuts.n, sizeof(*ranges));
	uint32_t rest;

	if (!ranges) {
		s->failed = true;
		return NO_NODE;
	}
	/* Any architecture that is not compared with stands for all those. */
	for (size_t i = 0; i < s->archs.n; i++) {
		if (s->arch == s->archs.v[i]) {
			s->arch++;
			i = (size_t)-1;
		}
	}
	rest = one_arch(s, ranges);
	/* From the last to the first, so that the first one compared with stays the first. */
	for (size_t i = s->archs.n; i-- > 0 && !s->failed;) {
		s->arch = s->archs.v[i];
		rest = node(s, JEQ, s->arch, one_arch(s, ranges), rest);
	}
	return node(s, LD_ABS, offsetof(struct seccomp_data, arch), rest, 0);
}

/* --- 4: from graph to program ----------------------------------------------------------------- */

static void emit(struct shrink *s, uint16_t code, uint32_t jt, uint32_t jf, uint32_t k)
{
	if (s->n_out >= s->n) {
		s->failed = true; /* as long as what we had */
		return;
	}
	s->out[s->n_out++] = (struct sock_filter){ code, (uint8_t)jt, (uint8_t)jf, k };
}

/*
 * Makes the node begin right behind the instruction that is written next. A return is repeated, the rest is
 * jumped to.
 */
static void adjoin(struct shrink *s, uint32_t id)
{
	struct node *n = &s->nodes[id];

	if (n->code == RET_K) {
		emit(s, RET_K, 0, 0, n->k);
		n->position = s->n_out;
	} else {
		emit(s, JA, 0, 0, s->n_out - n->position);
	}
}

/* Where a jump to the node can go to from here: its own place, or one made nearby. */
static uint32_t near(struct shrink *s, uint32_t id)
{
	if (s->n_out - s->nodes[id].position <= REACH)
		return s->nodes[id].position;
	adjoin(s, id);
	return s->n_out;
}

static void place(struct shrink *s, uint32_t id)
{
	struct node *n = &s->nodes[id];
	uint32_t yes, no;

	if (n->position || s->failed)
		return;
	switch (n->code) {
	case RET_K:
		emit(s, RET_K, 0, 0, n->k);
		break;
	case LD_ABS:
	case AND_K:
		place(s, n->yes);
		if (s->nodes[n->yes].position != s->n_out)
			adjoin(s, n->yes);
		emit(s, n->code, 0, 0, n->k);
		break;
	default:
		place(s, n->yes);
		place(s, n->no);
		yes = near(s, n->yes);
		no = near(s, n->no);
		emit(s, n->code, s->n_out - yes, s->n_out - no, n->k);
		break;
	}
	n->position = s->n_out;
}

static bool prepare(struct shrink *s, const struct sysf_code *code)
{
	s->in = code->insns;
	s->n = code->n;
	s->accs = calloc(s->n, sizeof(*s->accs));
	s->memo_round = calloc(s->n, sizeof(*s->memo_round));
	s->memo_node = calloc(s->n, sizeof(*s->memo_node));
	s->nodes = malloc(NODES_MAX * sizeof(*s->nodes));
	s->slots = malloc(2 * NODES_MAX * sizeof(*s->slots));
	s->out = malloc(s->n * sizeof(*s->out));
	if (!s->accs || !s->memo_round || !s->memo_node || !s->nodes || !s->slots || !s->out)
		return false;
	memset(s->slots, 0xff, 2 * NODES_MAX * sizeof(*s->slots));
	return true;
}

static void release(struct shrink *s)
{
	free(s->accs);
	free(s->memo_round);
	free(s->memo_node);
	free(s->nodes);
	free(s->slots);
	free(s->out);
	free(s->archs.v);
	free(s->cuts.v);
}

bool sysf_shrink(struct sysf_code *code)
{
	struct shrink s = { 0 };
	bool done = false;
	uint32_t root;

	if (code->n == 0 || code->n > INSNS_MAX)
		return false;
	if (prepare(&s, code) && scan(&s)) {
		root = whole_program(&s);
		if (!s.failed)
			place(&s, root);
		done = !s.failed && s.n_out < s.n;
	}
	if (done) {
		for (uint32_t i = 0; i < s.n_out; i++)
			code->insns[i] = s.out[s.n_out - 1 - i];
		code->n = s.n_out;
	}
	release(&s);
	return done;
}
