/* SPDX-License-Identifier: Apache-2.0 */
/* What a vCPU is before it runs: its CPUID, registers and MSRs. */
#include <asm/kvm_para.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "sandbox/vm_internal.h"

/* Bits of CPUID that are ours to decide; names as in Linux' cpufeatures.h. */
enum {
	L1_ECX_VMX = 1U << 5,
	L1_ECX_DEADLINE = 1U << 24,
	L1_ECX_XSAVE = 1U << 26,
	L1_ECX_OSXSAVE = 1U << 27,
	L1_ECX_AVX = 1U << 28,
	L1_ECX_HYPERVISOR = 1U << 31,
	L1_EDX_HTT = 1U << 28,
	L7_EBX_SGX = 1U << 2,
	L7_EBX_PT = 1U << 25,
	LD1_EAX_XSAVEC = 1U << 1,
	X1_ECX_SVM = 1U << 2,
};
enum { LEVEL_SMT = 1, LEVEL_CORE = 2 };

int vm_cpuid_supported(int kvm, struct kvm_cpuid2 **out, struct err *e)
{
	_cleanup_free_ struct kvm_cpuid2 *c =
		calloc(1, sizeof(*c) + (VM_CPUID_MAX + VM_CPUID_MORE) * sizeof(c->entries[0]));

	if (!c)
		return err_set(e, ENOMEM, "ask KVM for its CPUID");
	c->nent = VM_CPUID_MAX;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c) < 0)
		return err_set(e, errno, "ask KVM for its CPUID");
	*out = TAKE_PTR(c);
	return 0;
}

static unsigned bits_for(unsigned n)
{
	unsigned bits = 0;

	while ((1U << bits) < n)
		bits++;
	return bits;
}

/* How many logical CPUs share a cache (leaf 4 and its sibling of AMD's have the same layout there). */
static void share_cache(struct kvm_cpuid_entry2 *x, unsigned vcpus)
{
	unsigned level = (x->eax >> 5) & 7;
	unsigned sharing = level >= 3 ? vcpus : 1;

	x->eax = (x->eax & ~(0xFFFU << 14)) | (sharing - 1) << 14;
}

static void filter_entry(struct kvm_cpuid_entry2 *x, unsigned id, unsigned vcpus, bool deadline)
{
	switch (x->function) {
	case 1:
		x->ebx = (x->ebx & 0xFFFFU) | id << 24 | (1U << bits_for(vcpus)) << 16;
		/* Linux looks for kvm-clock only where it believes in a hypervisor. */
		x->ecx |= L1_ECX_HYPERVISOR;
		x->ecx &= ~(L1_ECX_VMX | L1_ECX_DEADLINE | L1_ECX_OSXSAVE);
		if (deadline)
			x->ecx |= L1_ECX_DEADLINE;
		x->edx = vcpus > 1 ? x->edx | L1_EDX_HTT : x->edx & ~L1_EDX_HTT;
		break;
	case 4:
		share_cache(x, vcpus);
		x->eax = (x->eax & ~(0x3FU << 26)) | ((1U << bits_for(vcpus)) - 1) << 26;
		break;
	case 7:
		if (x->index == 0)
			x->ebx &= ~(L7_EBX_SGX | L7_EBX_PT);
		break;
	case 0xA: /* counters of performance: a clock for whoever wants to watch a neighbour */
		x->eax = x->ebx = x->ecx = x->edx = 0;
		break;
	case 0x80000001: /* no machines in the machine */
		x->ecx &= ~X1_ECX_SVM;
		break;
	case 0x80000008:
		x->ecx = (vcpus - 1) | bits_for(vcpus) << 12;
		break;
	case 0x8000001D:
		share_cache(x, vcpus);
		break;
	case 0x8000001E:
		x->eax = id;
		x->ebx = id;
		x->ecx = 0;
		break;
	default:
		break;
	}
}

/*
 * A KVM whose SVM is emulated by QEMU 7.2 offers XSAVEC with an area of 0 bytes; no processor does. There,
 * XSETBV does not leave the guest, so KVM restores another XCR0 than the guest has set, and the guest loses
 * registers. Without XSAVE it uses FXSAVE, which works.
 */
static bool has_broken_xsave(const struct kvm_cpuid2 *c)
{
	for (uint32_t i = 0; i < c->nent; i++) {
		const struct kvm_cpuid_entry2 *x = &c->entries[i];

		if (x->function == 0xD && x->index == 1)
			return (x->eax & LD1_EAX_XSAVEC) && x->ebx == 0;
	}
	return false;
}

/* Leaves that are left out: of a machine in the machine, of enclaves and traces, and the host's topology. */
static bool is_left_out(uint32_t function)
{
	switch (function) {
	case 0xB:
	case 0x12:
	case 0x14:
	case 0x1F:
	case 0x8000000A:
	case 0x8000001F:
		return true;
	default:
		return false;
	}
}

/* One package, a thread a core. */
static void add_topology(struct kvm_cpuid2 *c, unsigned id, unsigned vcpus)
{
	const struct kvm_cpuid_entry2 levels[] = {
		{ .function = 0xB, .index = 0, .eax = 0, .ebx = 1, .ecx = LEVEL_SMT << 8, .edx = id },
		{ .function = 0xB,
			.index = 1,
			.eax = bits_for(vcpus),
			.ebx = vcpus,
			.ecx = 1 | LEVEL_CORE << 8,
			.edx = id },
		{ .function = 0xB, .index = 2, .ecx = 2, .edx = id },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(levels); i++) {
		c->entries[c->nent] = levels[i];
		c->entries[c->nent++].flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	}
}

void vm_cpuid_filter(struct kvm_cpuid2 *c, unsigned id, unsigned vcpus, bool deadline)
{
	bool no_xsave = has_broken_xsave(c);
	uint32_t n = 0, max = 0;

	for (uint32_t i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *x = &c->entries[i];

		if (x->function == 0)
			max = x->eax;
		if (is_left_out(x->function) || (no_xsave && x->function == 0xD))
			continue;
		filter_entry(x, id, vcpus, deadline);
		if (no_xsave && x->function == 1)
			x->ecx &= ~(L1_ECX_XSAVE | L1_ECX_AVX);
		c->entries[n++] = *x;
	}
	c->nent = n;
	if (max >= 0xB)
		add_topology(c, id, vcpus);
}

/* What a PC's firmware leaves behind. */
static int set_msrs(const struct vm_vcpu *v, struct err *e)
{
	static const struct kvm_msr_entry entries[] = {
		{ .index = 0x1A0, .data = 1 }, /* IA32_MISC_ENABLE: fast strings */
		{ .index = 0x2FF,
			.data = 0x806 }, /* MTRRdefType: on, write-back. Without, Linux does without PAT */
	};
	_cleanup_free_ struct kvm_msrs *m = calloc(1, sizeof(*m) + sizeof(entries));
	int n;

	if (!m)
		return err_set(e, ENOMEM, "set the MSRs of vCPU %u", v->id);
	m->nmsrs = ARRAY_SIZE(entries);
	memcpy(m->entries, entries, sizeof(entries));
	n = ioctl(v->fd, KVM_SET_MSRS, m);

	if (n < 0)
		return err_set(e, errno, "set the MSRs of vCPU %u", v->id);
	if (n != (int)ARRAY_SIZE(entries))
		return err_text(e, EIO, "KVM has no MSR 0x%x for vCPU %u", entries[n].index, v->id);
	return 0;
}

/* The 8259 interrupts the first CPU by LINT0, and NMIs come by LINT1, as the MP table says. */
static int set_lapic(const struct vm_vcpu *v, struct err *e)
{
	enum { LVT_LINT0 = 0x350, LVT_LINT1 = 0x360, MODE_NMI = 4 << 8, MODE_EXTINT = 7 << 8 };
	struct kvm_lapic_state s;
	uint32_t x;

	if (ioctl(v->fd, KVM_GET_LAPIC, &s) < 0)
		return err_set(e, errno, "read the local APIC of vCPU %u", v->id);
	if (v->id == 0) {
		x = MODE_EXTINT;
		memcpy(s.regs + LVT_LINT0, &x, sizeof(x));
	}
	x = MODE_NMI;
	memcpy(s.regs + LVT_LINT1, &x, sizeof(x));
	if (ioctl(v->fd, KVM_SET_LAPIC, &s) < 0)
		return err_set(e, errno, "set the local APIC of vCPU %u", v->id);
	return 0;
}

int vm_cpu_setup(const struct vm *vm, const struct vm_vcpu *v, const struct kvm_cpuid2 *supported,
	bool deadline, struct err *e)
{
	const size_t size =
		sizeof(*supported) + (VM_CPUID_MAX + VM_CPUID_MORE) * sizeof(supported->entries[0]);
	_cleanup_free_ struct kvm_cpuid2 *c = malloc(size);
	int r;

	if (!c)
		return err_set(e, ENOMEM, "set the CPUID of vCPU %u", v->id);
	memcpy(c, supported, size);
	vm_cpuid_filter(c, v->id, vm->n_vcpus, deadline);
	if (ioctl(v->fd, KVM_SET_CPUID2, c) < 0)
		return err_set(e, errno, "set the CPUID of vCPU %u", v->id);
	r = set_msrs(v, e);
	return r < 0 ? r : set_lapic(v, e);
}

/* How PVH has a CPU enter the kernel: 32 bits, flat segments, no paging, no interrupts. */
int vm_cpu_boot(const struct vm_vcpu *v, uint32_t entry, uint64_t start_info, struct err *e)
{
	enum { CODE = 0xB, DATA = 0x3, TSS = 0xB, CR0_PE_ET = 0x11, EFLAGS_FIXED = 2 };
	const struct kvm_segment flat = { .limit = UINT32_MAX, .present = 1, .db = 1, .s = 1, .g = 1 };
	struct kvm_regs regs = { .rip = entry, .rbx = start_info, .rflags = EFLAGS_FIXED };
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
		return err_set(e, errno, "read the registers of vCPU %u", v->id);
	s.cs = s.ds = flat;
	s.cs.type = CODE;
	s.cs.selector = 0x8;
	s.ds.type = DATA;
	s.ds.selector = 0x10;
	s.es = s.fs = s.gs = s.ss = s.ds;
	s.tr = (struct kvm_segment){ .limit = 0x67, .type = TSS, .present = 1, .selector = 0x18 };
	s.cr0 = CR0_PE_ET;
	s.cr4 = 0;
	s.efer = 0;
	if (ioctl(v->fd, KVM_SET_SREGS, &s) < 0 || ioctl(v->fd, KVM_SET_REGS, &regs) < 0)
		return err_set(e, errno, "set the registers of vCPU %u", v->id);
	return 0;
}
