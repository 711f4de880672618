/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether KVM runs a guest's ring 0 on the processor.
 *
 * Some hosts that are guests themselves have a /dev/kvm that is complete but for that: ring 3 runs natively
 * and ring 0 is interpreted, at about a microsecond an instruction and without some of them. Nothing in the
 * interface tells, so it is measured: a loop of three instructions takes a nanosecond a round on a processor,
 * some tens where SVM is emulated by QEMU, and thousands where it is interpreted.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "base/cleanup.h"
#include "sandbox/vm_internal.h"

enum { ROUNDS = 1000, TRIES = 4, SLOW_NS = 500, CODE_SIZE = 4096 };

/* inc %eax; dec %ecx; jnz -4; hlt */
static const uint8_t loop_code[] = { 0x40, 0x49, 0x75, 0xFC, 0xF4 };

struct probe {
	int kvm, vm;
	struct vm_vcpu cpu;
	uint8_t *code;
	size_t run_size;
};

static void probe_free(struct probe *p)
{
	if (p->cpu.run)
		munmap(p->cpu.run, p->run_size);
	cleanup_closep(&p->cpu.fd);
	cleanup_closep(&p->vm);
	cleanup_closep(&p->kvm);
	if (p->code)
		munmap(p->code, CODE_SIZE);
}

/* The step that failed, with errno; NULL: all is there. */
static const char *make_cpu(struct probe *p)
{
	int size = ioctl(p->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *at;

	p->cpu.fd = ioctl(p->vm, KVM_CREATE_VCPU, 0);
	if (p->cpu.fd < 0 || size < (int)sizeof(struct kvm_run))
		return "make a vCPU";
	at = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, p->cpu.fd, 0);
	if (at == MAP_FAILED)
		return "map a vCPU";
	p->cpu.run = at;
	p->run_size = (size_t)size;
	return vm_cpu_boot(&p->cpu, 0, 0, NULL) < 0 ? "set registers" : NULL;
}

static const char *make_machine(struct probe *p, const char *device)
{
	struct kvm_userspace_memory_region region = { .memory_size = CODE_SIZE };
	uint64_t identity = VM_IDENTITY_ADDR;
	void *at;

	p->kvm = open(device, O_RDWR | O_CLOEXEC);
	if (p->kvm < 0)
		return "open it";
	if (ioctl(p->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return "talk to it";
	p->vm = ioctl(p->kvm, KVM_CREATE_VM, 0);
	if (p->vm < 0)
		return "make a machine";
	if (ioctl(p->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
		ioctl(p->vm, KVM_SET_TSS_ADDR, VM_TSS_ADDR) < 0)
		return "place its own pages";
	at = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return "map memory";
	p->code = at;
	memcpy(p->code, loop_code, sizeof(loop_code));
	region.userspace_addr = (uintptr_t)p->code;
	if (ioctl(p->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return "give it memory";
	return make_cpu(p);
}

/* Our own time: on a busy machine others have the processor in between. */
static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Nanoseconds that it takes; -errno. */
static int64_t run_rounds(const struct probe *p, unsigned rounds)
{
	const struct kvm_regs regs = { .rcx = rounds, .rflags = 2 };
	int64_t start;

	if (ioctl(p->cpu.fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	start = now();
	while (ioctl(p->cpu.fd, KVM_RUN, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	/* Without an interrupt controller in the kernel, a halt comes to us. */
	return p->cpu.run->exit_reason == KVM_EXIT_HLT ? now() - start : -EIO;
}

/*
 * Nanoseconds a round, at best; -errno. What it costs to enter and leave is measured apart, and matters where
 * that is much: as often as the rounds, since one figure that is too high would make any processor look fast.
 */
static int64_t measure(const struct probe *p)
{
	int64_t best = INT64_MAX, enter = INT64_MAX;

	for (unsigned i = 0; i < TRIES && best / ROUNDS >= SLOW_NS; i++) {
		int64_t one = run_rounds(p, 1), all = one < 0 ? one : run_rounds(p, ROUNDS);

		if (all < 0)
			return all;
		enter = one < enter ? one : enter;
		best = all < best ? all : best;
	}
	return best > enter ? (best - enter) / (ROUNDS - 1) : best / ROUNDS;
}

enum vm_kvm vm_kvm_probe(const char *device, char *why)
{
	_cleanup_(probe_free) struct probe p = { .kvm = -EBADF, .vm = -EBADF, .cpu.fd = -EBADF };
	const char *step = make_machine(&p, device);
	int64_t ns;

	if (step) {
		snprintf(why, VM_WHY_MAX, "%s: cannot %s: %s", device, step, strerror(errno));
		return VM_KVM_NONE;
	}
	ns = measure(&p);
	if (ns < 0) {
		snprintf(why, VM_WHY_MAX, "%s: a machine does not run: %s", device, strerror((int)-ns));
		return VM_KVM_NONE;
	}
	if (ns >= SLOW_NS) {
		snprintf(why, VM_WHY_MAX,
			"%s interprets a guest's kernel: a loop of 3 instructions takes %lld ns a round, not "
			"1",
			device, (long long)ns);
		return VM_KVM_EMULATED;
	}
	/* Entering and leaving takes longer than that, so smaller figures are noise. */
	snprintf(why, VM_WHY_MAX, "%s: a loop of 3 instructions takes %s%lld ns a round", device,
		ns < 10 ? "less than " : "", ns < 10 ? 10LL : (long long)ns);
	return VM_KVM_NATIVE;
}
