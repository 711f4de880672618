/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vCPUs' threads, and what their exits ask for.
 *
 * Theory of operation
 *   A thread runs its vCPU until the machine ends. It waits for nobody: queues are notified by ioeventfds
 * that never bring it here, registers and the serial port are answered under a lock that is held for a
 * moment. It opens nothing, allocates nothing, and touches no guest memory; what it calls is in vm_confine.c.
 *
 *   To stop it, immediate_exit is set and a signal is sent. The signal is blocked but for the time within
 * KVM_RUN, so it is never delivered: no handler, and nothing that a stray one could do. It stays pending,
 * which ends every later KVM_RUN at once, too.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/cleanup.h"
#include "sandbox/vm_internal.h"

#if defined(__SANITIZE_ADDRESS__)
#define STACK_SIZE ((size_t)1 << 20)
#else
#define STACK_SIZE ((size_t)64 << 10)
#endif
#define KICK_SIGNAL SIGRTMIN

/* --- the end -------------------------------------------------------------------------------------- */

static void tell(struct vm *vm, int end)
{
	const uint64_t one = 1;

	atomic_store(&vm->end, end);
	(void)!write(vm->ended.fd, &one, sizeof(one));
}

static void end_machine(struct vm *vm, enum vm_end how)
{
	if (!atomic_flag_test_and_set(&vm->claimed))
		tell(vm, (int)how);
}

__attribute__((format(printf, 3, 4))) static void fail_machine(struct vm *vm, int code, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	if (atomic_flag_test_and_set(&vm->claimed))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (code == EIO)
		err_text(&vm->failure, code, "%s", text);
	else
		err_set(&vm->failure, code, "%s", text);
	tell(vm, -code);
}

/* --- exits ---------------------------------------------------------------------------------------- */

void vm_mmio(struct vm *vm, uint64_t addr, uint8_t *data, unsigned len, bool is_write)
{
	uint64_t offset = addr - VM_MMIO_BASE;
	uint64_t i = offset / VM_MMIO_STRIDE;

	if (addr >= VM_MMIO_BASE && i < vm->n_devices) {
		offset %= VM_MMIO_STRIDE;
		if (is_write)
			virtio_write(vm->devices[i], offset, data, len);
		else
			virtio_read(vm->devices[i], offset, data, len);
	} else if (!is_write) {
		memset(data, 0xFF, len); /* nobody drives the bus */
	}
}

static uint8_t read_port(struct vm *vm, uint16_t port)
{
	switch (port) {
	case 0x64: /* keyboard controller: takes commands */
	case 0x70:
	case 0x71: /* clock: anything but "an update is going on", which a kernel waits for */
		return 0;
	case VM_SERIAL_PORT ... VM_SERIAL_LAST:
		return vm_serial_read(&vm->serial, port - VM_SERIAL_PORT);
	default:
		return 0xFF;
	}
}

static void write_port(struct vm *vm, uint16_t port, uint8_t value)
{
	enum { KBD_RESET = 0xFE, CF9_RESET = 4 };

	switch (port) {
	case 0x64:
		if (value == KBD_RESET)
			end_machine(vm, VM_RESET);
		break;
	case 0xCF9:
		if (value & CF9_RESET)
			end_machine(vm, VM_RESET);
		break;
	case VM_SERIAL_PORT ... VM_SERIAL_LAST:
		vm_serial_write(&vm->serial, port - VM_SERIAL_PORT, value);
		break;
	default:
		break;
	}
}

/* Everything that is here has registers of a byte; wider accesses reach the first one. */
void vm_pio(struct vm *vm, uint16_t port, uint8_t *data, unsigned len, bool is_write)
{
	if (is_write) {
		write_port(vm, port, data[0]);
	} else {
		memset(data, 0xFF, len);
		data[0] = read_port(vm, port);
	}
}

static void exit_io(struct vm *vm, struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	size_t bytes = (size_t)run->io.size * run->io.count;

	/* The kernel's word for it; but it would be our memory. */
	if (run->io.data_offset > vm->run_size || bytes > vm->run_size - run->io.data_offset)
		return;
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size)
		vm_pio(vm, run->io.port, data, run->io.size, run->io.direction == KVM_EXIT_IO_OUT);
}

static void exit_system_event(struct vm *vm, const struct kvm_run *run)
{
	switch (run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		end_machine(vm, VM_OFF);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		end_machine(vm, VM_RESET);
		break;
	default:
		end_machine(vm, VM_CRASHED);
		break;
	}
}

static void handle_exit(struct vm_vcpu *v)
{
	struct kvm_run *run = v->run;
	struct vm *vm = v->vm;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		exit_io(vm, run);
		break;
	case KVM_EXIT_MMIO:
		vm_mmio(vm, run->mmio.phys_addr, run->mmio.data,
			run->mmio.len < sizeof(run->mmio.data) ? run->mmio.len : sizeof(run->mmio.data),
			run->mmio.is_write);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SHUTDOWN: /* a triple fault */
		end_machine(vm, VM_CRASHED);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		exit_system_event(vm, run);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		fail_machine(vm, EIO, "the processor refuses to enter vCPU %u (reason 0x%llx)", v->id,
			(unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		fail_machine(vm, EIO, "KVM gave up vCPU %u (internal error %u%s)", v->id,
			run->internal.suberror,
			run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
				? ": an instruction that it does not emulate"
				: "");
		break;
	default:
		fail_machine(vm, EIO, "vCPU %u stopped for a reason that is not expected (%u)", v->id,
			run->exit_reason);
		break;
	}
}

/* --- threads -------------------------------------------------------------------------------------- */

static void *run_vcpu(void *arg)
{
	struct vm_vcpu *v = arg;
	struct vm *vm = v->vm;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", v->id);
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	v->confined = vm->confine ? vm->confine(vm->confine_arg) : 0;
	/* Afterwards v->confined belongs to vm_vcpus_start(). */
	bool go = v->confined >= 0;
	sem_post(&vm->ready);
	/* Who has ended the machine does not go on to execute what comes behind that. */
	while (go && !atomic_load(&vm->stop) && atomic_load(&vm->end) == VM_RUNS) {
		if (ioctl(v->fd, KVM_RUN, 0) < 0) {
			/* EAGAIN: a CPU that the first one has just started. */
			if (errno == EINTR || errno == EAGAIN)
				continue;
			fail_machine(vm, errno, "run vCPU %u", v->id);
			continue;
		}
		handle_exit(v);
	}
	return NULL;
}

/* Inside KVM_RUN everything but the kick is blocked; the thread itself blocks everything. */
static int set_signals(const struct vm_vcpu *v, struct err *e)
{
	const uint64_t set = ~(1ULL << (KICK_SIGNAL - 1));
	/* The set follows its length at once, on no boundary of its own. */
	_Alignas(struct kvm_signal_mask) uint8_t mask[sizeof(struct kvm_signal_mask) + sizeof(set)];
	const struct kvm_signal_mask head = { .len = sizeof(set) };

	memcpy(mask, &head, sizeof(head));
	memcpy(mask + sizeof(head), &set, sizeof(set));
	if (ioctl(v->fd, KVM_SET_SIGNAL_MASK, mask) < 0)
		return err_set(e, errno, "set the signal mask of vCPU %u", v->id);
	return 0;
}

static int start_thread(struct vm_vcpu *v, struct err *e)
{
	pthread_attr_t attr;
	size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
	int r;

	r = pthread_attr_init(&attr);
	if (r)
		return err_set(e, r, "start the thread of vCPU %u", v->id);
	/* Below this much of it is the C library's own (TLS). */
	(void)pthread_attr_setstacksize(&attr, least > STACK_SIZE / 2 ? least + STACK_SIZE : STACK_SIZE);
	r = pthread_create(&v->thread, &attr, run_vcpu, v);
	pthread_attr_destroy(&attr);
	if (r)
		return err_set(e, r, "start the thread of vCPU %u", v->id);
	v->started = true;
	return 0;
}

int vm_vcpus_start(struct vm *vm, struct err *e)
{
	sigset_t all, old;
	int r = 0;

	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		r = set_signals(&vm->vcpus[i], e);
		if (r < 0)
			return r;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (unsigned i = 0; r == 0 && i < vm->n_vcpus; i++)
		r = start_thread(&vm->vcpus[i], e);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	for (unsigned i = 0; i < vm->n_vcpus && vm->vcpus[i].started; i++) {
		while (sem_wait(&vm->ready) < 0)
			;
	}
	for (unsigned i = 0; r == 0 && i < vm->n_vcpus; i++) {
		if (vm->vcpus[i].confined < 0)
			r = err_set(e, -vm->vcpus[i].confined, "confine the thread of vCPU %u", i);
	}
	if (r < 0)
		vm_vcpus_stop(vm);
	return r;
}

void vm_vcpus_stop(struct vm *vm)
{
	atomic_store(&vm->stop, true);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct vm_vcpu *v = &vm->vcpus[i];

		if (!v->started)
			continue;
		*(volatile uint8_t *)&v->run->immediate_exit = 1;
		pthread_kill(v->thread, KICK_SIGNAL);
	}
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		if (vm->vcpus[i].started)
			pthread_join(vm->vcpus[i].thread, NULL);
		vm->vcpus[i].started = false;
	}
}
