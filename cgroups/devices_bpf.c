/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device rules as a BPF_PROG_TYPE_CGROUP_DEVICE program, for cgroup v2.
 *
 * Theory of operation: the last rule that matches a device decides, for each kind of access by itself. The
 * program goes through the rules from the last to the first with the set of accesses not yet decided (r2): a
 * deny rule that has any of them denies the request, an allow rule takes its own out of the set and allows
 * the request when the set is empty. Past the first rule nothing is allowed.
 *
 *   Loading it is what a start on cgroup v2 spends most on by itself, and the kernel's verifier takes a
 * branch at a time. So a device is one number, which is compared at once, and rules that follow each other
 * and say the same of different devices share what they do.
 */
#include "cgroups/internal.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

enum {
	ALL = SPEC_DEV_READ | SPEC_DEV_WRITE | SPEC_DEV_MKNOD,
	INSNS_PER_RULE = 10,
	INSNS_AROUND = 16,
	GROUP_MAX = 1000
};

/*
 * A device as a number: its type, major and minor number. Both are of 31 bits in a rule, and of less in the
 * kernel (include/linux/kdev_t.h), so that none is cut off.
 */
enum { NUMBER_BITS = 31 };

static uint64_t number_on(uint64_t before, int64_t next)
{
	return before << NUMBER_BITS | (uint64_t)next;
}

static struct bpf_insn load(int dst, size_t offset)
{
	return (struct bpf_insn){ .code = BPF_LDX | BPF_MEM | BPF_W,
		.dst_reg = dst & 15,
		.src_reg = BPF_REG_1,
		.off = (short)offset };
}

static struct bpf_insn alu(int op, int dst, int imm)
{
	return (struct bpf_insn){
		.code = (unsigned char)(BPF_ALU64 | op | BPF_K), .dst_reg = dst & 15, .imm = imm
	};
}

static struct bpf_insn alu_registers(int op, int dst, int src)
{
	return (struct bpf_insn){
		.code = (unsigned char)(BPF_ALU64 | op | BPF_X), .dst_reg = dst & 15, .src_reg = src & 15
	};
}

static struct bpf_insn move(int dst, int src)
{
	return alu_registers(BPF_MOV, dst, src);
}

/* The offset is filled in when it is known. */
static struct bpf_insn jump(int op, int dst, int imm)
{
	return (struct bpf_insn){
		.code = (unsigned char)(BPF_JMP | op | BPF_K), .dst_reg = dst & 15, .imm = imm
	};
}

static struct bpf_insn leave(void)
{
	return (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
}

static unsigned int accesses(const struct spec_dev_rule *r)
{
	unsigned int v = 0;

	v |= r->access & SPEC_DEV_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0;
	v |= r->access & SPEC_DEV_READ ? BPF_DEVCG_ACC_READ : 0;
	v |= r->access & SPEC_DEV_WRITE ? BPF_DEVCG_ACC_WRITE : 0;
	return v;
}

/* --- the program -------------------------------------------------------------------------------- */

/* r2: accesses not yet decided, r3: type, r5: minor, r7: type and major, r8: the device's number. */
static void emit_device(struct bpf_insn *p, size_t *n)
{
	p[(*n)++] = load(BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	p[(*n)++] = move(BPF_REG_3, BPF_REG_2);
	p[(*n)++] = alu(BPF_AND, BPF_REG_3, 0xffff);
	p[(*n)++] = alu(BPF_RSH, BPF_REG_2, 16);
	p[(*n)++] = load(BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, major));
	p[(*n)++] = load(BPF_REG_5, offsetof(struct bpf_cgroup_dev_ctx, minor));
	p[(*n)++] = move(BPF_REG_7, BPF_REG_3);
	p[(*n)++] = alu(BPF_LSH, BPF_REG_7, NUMBER_BITS);
	p[(*n)++] = alu_registers(BPF_OR, BPF_REG_7, BPF_REG_4);
	p[(*n)++] = move(BPF_REG_8, BPF_REG_7);
	p[(*n)++] = alu(BPF_LSH, BPF_REG_8, NUMBER_BITS);
	p[(*n)++] = alu_registers(BPF_OR, BPF_REG_8, BPF_REG_5);
}

/* Compares and jumps if the device is the rule's; where to is for the caller to fill in. */
static size_t emit_match(const struct spec_dev_rule *r, struct bpf_insn *p, size_t *n)
{
	const unsigned int type = r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;

	if (r->major < 0 && r->minor < 0) {
		p[*n] = jump(BPF_JEQ, BPF_REG_3, (int)type);
	} else if (r->major < 0) {
		p[*n] = jump(BPF_JNE, BPF_REG_3, (int)type);
		p[(*n)++].off = 1;
		p[*n] = jump(BPF_JEQ, BPF_REG_5, (int)r->minor);
	} else {
		const bool any = r->minor < 0;
		const uint64_t of_major = number_on(type, r->major);
		const uint64_t number = any ? of_major : number_on(of_major, r->minor);

		/* The one instruction of two (Documentation/bpf/standardization/instruction-set.rst). */
		p[(*n)++] = (struct bpf_insn){
			.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = BPF_REG_9, .imm = (int)(uint32_t)number
		};
		p[(*n)++] = (struct bpf_insn){ .imm = (int)(uint32_t)(number >> 32) };
		p[*n] = (struct bpf_insn){ .code = BPF_JMP | BPF_JEQ | BPF_X,
			.dst_reg = any ? BPF_REG_7 : BPF_REG_8,
			.src_reg = BPF_REG_9 };
	}
	return (*n)++;
}

static bool same_effect(const struct spec_dev_rule *a, const struct spec_dev_rule *b)
{
	return a->allow == b->allow && (a->access & ALL) == (b->access & ALL);
}

/* What happens to a device that one of them matched. The jump that leads on, or 0: there is none. */
static size_t emit_effect(const struct spec_dev_rule *r, struct bpf_insn *p, size_t *n)
{
	size_t on = 0;

	if ((r->access & ALL) != ALL && r->allow) {
		p[(*n)++] = alu(BPF_AND, BPF_REG_2, ~(int)accesses(r));
		on = (*n)++;
		p[on] = jump(BPF_JNE, BPF_REG_2, 0);
	} else if ((r->access & ALL) != ALL) {
		p[(*n)++] = move(BPF_REG_6, BPF_REG_2);
		p[(*n)++] = alu(BPF_AND, BPF_REG_6, (int)accesses(r));
		on = (*n)++;
		p[on] = jump(BPF_JEQ, BPF_REG_6, 0);
	}
	p[(*n)++] = alu(BPF_MOV, BPF_REG_0, r->allow);
	p[(*n)++] = leave();
	return on;
}

/*
 * The rules before `*i` that have the same effect; *i is the first of them then. True if that decides
 * everything: nothing after it would be reached, and the verifier refuses such code.
 */
static bool emit_group(const struct spec_dev_rule *rules, size_t *i, struct bpf_insn *p, size_t *n)
{
	const struct spec_dev_rule *first = &rules[*i - 1];
	size_t hits[GROUP_MAX], n_hits = 0, past = 0, on;
	bool all = false;

	while (*i > 0 && !all && n_hits < GROUP_MAX && same_effect(first, &rules[*i - 1])) {
		all = rules[*i - 1].type == 'a';
		if (!all)
			hits[n_hits++] = emit_match(&rules[*i - 1], p, n);
		(*i)--;
	}
	if (!all) {
		past = (*n)++;
		p[past] = jump(BPF_JA, 0, 0);
	}
	for (size_t k = 0; k < n_hits; k++)
		p[hits[k]].off = (short)(*n - hits[k] - 1);
	on = emit_effect(first, p, n);
	if (on)
		p[on].off = (short)(*n - on - 1);
	if (past)
		p[past].off = (short)(*n - past - 1);
	return all && !on;
}

int cg_dev_program(
	const struct spec_dev_rule *rules, size_t n, struct bpf_insn **out, size_t *count, struct err *e)
{
	_cleanup_free_ struct bpf_insn *p = calloc(n * INSNS_PER_RULE + INSNS_AROUND, sizeof(*p));
	bool decided = false, denies = false;
	size_t k = 0;

	if (!p)
		return err_set(e, ENOMEM, "device program");
	emit_device(p, &k);
	for (size_t i = n; i > 0 && !decided;) {
		denies |= !rules[i - 1].allow;
		decided = emit_group(rules, &i, p, &k);
	}
	if (!decided) {
		p[k++] = alu(BPF_MOV, BPF_REG_0, 0);
		p[k++] = leave();
		denies = true;
	}
	*count = denies ? k : 0;
	*out = TAKE_PTR(p);
	return 0;
}

/* --- loading, attaching ---------------------------------------------------------------------- */

static int bpf(int cmd, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

#define NAME "ringfence"

static int load_program(const struct bpf_insn *p, size_t n, struct err *e)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uintptr_t)p,
		.insn_cnt = (uint32_t)n,
		.license = (uintptr_t) "Apache-2.0",
		.prog_name = NAME,
	};
	int fd = bpf(BPF_PROG_LOAD, &attr);

	/* Before 5.11 programs are charged to RLIMIT_MEMLOCK. */
	if (fd == -EPERM && setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0)
		fd = bpf(BPF_PROG_LOAD, &attr);
	return fd < 0 ? err_set(e, -fd, "load the program for linux.resources.devices (%zu instructions)", n)
		      : fd;
}

enum { PROGRAMS_MAX = 64 }; /* the kernel's own bound for one cgroup and type */

/* Ours, and not systemd's or another's: those stay. */
static bool is_ours(int fd)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = {
		.info = { .bpf_fd = (uint32_t)fd, .info_len = sizeof(info), .info = (uintptr_t)&info },
	};

	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0 && strncmp(info.name, NAME, sizeof(info.name)) == 0;
}

/* Our programs attached to the cgroup itself now, as descriptors. */
static int attached(int dir, int *fds, size_t *n)
{
	uint32_t ids[PROGRAMS_MAX];
	union bpf_attr attr = {
		.query = { .target_fd = (uint32_t)dir,
			.attach_type = BPF_CGROUP_DEVICE,
			.prog_ids = (uintptr_t)ids,
			.prog_cnt = PROGRAMS_MAX },
	};
	int r = bpf(BPF_PROG_QUERY, &attr);
	size_t count = attr.query.prog_cnt;

	*n = 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < count && i < PROGRAMS_MAX; i++) {
		union bpf_attr get = { .prog_id = ids[i] };

		r = bpf(BPF_PROG_GET_FD_BY_ID, &get);
		if (r >= 0 && is_ours(r))
			fds[(*n)++] = r;
		else if (r >= 0)
			fd_close(r);
		else if (r != -ENOENT)
			return r;
	}
	return 0;
}

static int attach(int dir, int program, int old, struct err *e)
{
	union bpf_attr attr = {
		.target_fd = (uint32_t)dir,
		.attach_bpf_fd = (uint32_t)program,
		.attach_type = BPF_CGROUP_DEVICE,
		/* Several programs at one cgroup must all allow: systemd's and ours do not push each other
		   out. */
		.attach_flags = BPF_F_ALLOW_MULTI,
	};
	int r;

	if (old >= 0) {
		/* One step: no moment without rules, none with both (since 5.6). */
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)old;
		r = bpf(BPF_PROG_ATTACH, &attr);
		if (r != -EINVAL)
			return r < 0 ? err_set(e, -r, "replace the device program of the cgroup") : 0;
		attr.attach_flags = BPF_F_ALLOW_MULTI;
		attr.replace_bpf_fd = 0;
	}
	r = bpf(BPF_PROG_ATTACH, &attr);
	if (r < 0)
		return err_set(e, -r, "attach the program for linux.resources.devices to the cgroup");
	return old >= 0 ? 1 : 0;
}

static void detach(int dir, int program)
{
	union bpf_attr attr = {
		.target_fd = (uint32_t)dir,
		.attach_bpf_fd = (uint32_t)program,
		.attach_type = BPF_CGROUP_DEVICE,
	};

	bpf(BPF_PROG_DETACH, &attr);
}

int cg_dev_bpf(
	const struct cg_node *n, const struct spec_dev_rule *rules, size_t count, bool fresh, struct err *e)
{
	_cleanup_close_ int dir = -EBADF, program = -EBADF;
	_cleanup_free_ struct bpf_insn *p = NULL;
	int old[PROGRAMS_MAX], r;
	char path[CG_FILE_MAX];
	size_t k, n_old = 0;

	r = cg_dev_program(rules, count, &p, &k, e);
	if (r < 0 || (k == 0 && fresh))
		return r;
	snprintf(path, sizeof(path), "%s%s", n->mount, n->path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, errno, "open %s", path);
	if (k > 0) {
		program = load_program(p, k, e);
		if (program < 0)
			return program;
	}
	/* A cgroup that we have just made has none. */
	if (!fresh) {
		r = attached(dir, old, &n_old);
		if (r < 0)
			err_set(e, -r, "read the device programs of cgroup %s", n->path);
	}
	if (r == 0 && program >= 0)
		r = attach(dir, program, n_old > 0 ? old[0] : -1, e);
	for (size_t i = 0; i < n_old; i++) {
		if (r >= 0 && (i > 0 || r == 1 || program < 0))
			detach(dir, old[i]);
		fd_close(old[i]);
	}
	return r < 0 ? err_wrap(e, "cgroup %s", n->path) : 0;
}
