/* SPDX-License-Identifier: Apache-2.0 */
/* The machine on KVM: made of its parts, started, served, and taken apart. */
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "sandbox/vm_internal.h"

#define HUGE_PAGE	((size_t)2 << 20)
#define HUGE_PAGES_FROM (512ULL << 20) /* bytes of memory, from which on the host's policy decides */

/* --- KVM ------------------------------------------------------------------------------------------ */

static int check_kvm(int kvm, struct err *e)
{
	static const struct {
		int cap;
		const char *what;
	} needed[] = {
		{ KVM_CAP_USER_MEMORY, "user memory" },
		{ KVM_CAP_IRQCHIP, "interrupt controllers" },
		{ KVM_CAP_PIT2, "a timer (PIT)" },
		{ KVM_CAP_IRQFD, "irqfd" },
		{ KVM_CAP_IOEVENTFD, "ioeventfd" },
		{ KVM_CAP_EXT_CPUID, "CPUID" },
		{ KVM_CAP_IMMEDIATE_EXIT, "immediate exits" },
	};
	int version = ioctl(kvm, KVM_GET_API_VERSION, 0);

	if (version < 0)
		return err_set(e, errno, "ask KVM for its version");
	if (version != KVM_API_VERSION)
		return err_text(e, EOPNOTSUPP, "KVM speaks version %d of its interface, not %d", version,
			KVM_API_VERSION);
	for (unsigned i = 0; i < ARRAY_SIZE(needed); i++) {
		if (ioctl(kvm, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
			return err_text(e, EOPNOTSUPP, "KVM of this host lacks %s", needed[i].what);
	}
	return 0;
}

static int make_vm(struct vm *vm, int kvm, struct err *e)
{
	const struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	uint64_t identity = VM_IDENTITY_ADDR;
	int size;

	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		return err_text(e, EOPNOTSUPP, "KVM of this host has no room for a vCPU's exits");
	vm->run_size = (size_t)size;
	do
		vm->fd = ioctl(kvm, KVM_CREATE_VM, 0);
	while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0)
		return err_set(e, errno, "make a virtual machine");
	/* Only Intel's processors have a use for these, but all have the calls. */
	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
		ioctl(vm->fd, KVM_SET_TSS_ADDR, VM_TSS_ADDR) < 0)
		return err_set(e, errno, "place KVM's own pages");
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return err_set(e, errno, "make the machine's interrupt controllers");
	if (ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0)
		return err_set(e, errno, "make the machine's timer");
	return 0;
}

static int add_slot(
	const struct vm *vm, uint32_t slot, uint64_t gpa, uint64_t size, uint8_t *at, struct err *e)
{
	const struct kvm_userspace_memory_region region = {
		.slot = slot, .guest_phys_addr = gpa, .memory_size = size, .userspace_addr = (uintptr_t)at
	};

	if (size > 0 && ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return err_set(e, errno, "give the machine %llu MiB of memory at 0x%llx",
			(unsigned long long)(size >> 20), (unsigned long long)gpa);
	return 0;
}

static int make_memory(struct vm *vm, uint64_t bytes, struct err *e)
{
	uint64_t low, high;
	size_t before;
	void *at;
	int r;

	r = vm_mem_split(bytes, &low, &high, e);
	if (r < 0)
		return r;
	/* Where a huge page begins in the guest, one can begin in our mapping, too. */
	at = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return err_set(e, errno, "map %llu MiB of memory for the machine",
			(unsigned long long)(bytes >> 20));
	before = -(uintptr_t)at % HUGE_PAGE;
	if (before)
		munmap(at, before);
	at = (uint8_t *)at + before;
	munmap((uint8_t *)at + bytes, HUGE_PAGE - before);
	vm->mem = (struct vm_mem){ .base = at, .low = low, .high = high };
	vm->mem_size = bytes;
	/* A core file has no business with a guest's secrets, and a child none with its memory. */
	(void)madvise(at, bytes, MADV_DONTDUMP);
	(void)madvise(at, bytes, MADV_DONTFORK);
	/* Huge pages cost a small guest a quarter of its memory, for what it never uses of them. */
	if (bytes < HUGE_PAGES_FROM)
		(void)madvise(at, bytes, MADV_NOHUGEPAGE);
	r = add_slot(vm, VM_SLOT_LOW, 0, low, at, e);
	return r < 0 ? r : add_slot(vm, VM_SLOT_HIGH, VM_HOLE_END, high, (uint8_t *)at + low, e);
}

static int make_vcpu(struct vm *vm, unsigned i, struct err *e)
{
	struct vm_vcpu *v = &vm->vcpus[i];
	void *run;

	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, i);
	if (v->fd < 0)
		return err_set(e, errno, "make vCPU %u", i);
	run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (run == MAP_FAILED)
		return err_set(e, errno, "map the exits of vCPU %u", i);
	v->run = run;
	return 0;
}

static int make_vcpus(struct vm *vm, int kvm, struct err *e)
{
	_cleanup_free_ struct kvm_cpuid2 *supported = NULL;
	bool deadline = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	int r;

	r = vm_cpuid_supported(kvm, &supported, e);
	for (unsigned i = 0; r == 0 && i < vm->n_vcpus; i++) {
		r = make_vcpu(vm, i, e);
		if (r == 0)
			r = vm_cpu_setup(vm, &vm->vcpus[i], supported, deadline, e);
	}
	return r;
}

/* --- devices -------------------------------------------------------------------------------------- */

static int add_irq(const struct vm *vm, int fd, unsigned irq, struct err *e)
{
	const struct kvm_irqfd x = { .fd = (uint32_t)fd, .gsi = irq };

	if (ioctl(vm->fd, KVM_IRQFD, &x) < 0)
		return err_set(e, errno, "connect interrupt %u", irq);
	return 0;
}

/* Takes over d, also when it fails. */
static int add_device(struct vm *vm, struct virtio_dev *d, bool any_length, struct err *e)
{
	unsigned i = vm->n_devices;
	const struct kvm_ioeventfd kick = {
		.addr = VM_MMIO_BASE + i * VM_MMIO_STRIDE + VIRTIO_NOTIFY,
		.len = any_length ? 0 : 4, /* 0: of any length, which Intel's processors tell soonest */
		.fd = virtio_kick_fd(d),
	};

	vm->devices[vm->n_devices++] = d;
	if (ioctl(vm->fd, KVM_IOEVENTFD, &kick) < 0)
		return err_set(e, errno, "connect the queues of device %u", i);
	return add_irq(vm, virtio_irq_fd(d), vm_device_irq(i), e);
}

/* Devices close what they are given, but on failure everything stays the caller's: they get duplicates. */
static int dup_fd(int fd, int *out, struct err *e)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return err_set(e, errno, "duplicate descriptor %d for a device", fd);
	*out = copy;
	return 0;
}

static int add_console(struct vm *vm, const struct vm_config *c, bool any_length, struct err *e)
{
	struct vm_port ports[VM_PORTS_MAX];
	struct virtio_dev *d = NULL;
	unsigned n = 0;
	int r = 0;

	if (c->n_ports == 0)
		return 0;
	for (; r == 0 && n < c->n_ports; n += r == 0) {
		ports[n].name = c->ports[n].name;
		r = dup_fd(c->ports[n].fd, &ports[n].fd, e);
	}
	if (r == 0)
		r = virtio_console_new(&vm->mem, &vm->loop, ports, n, &d, e);
	if (r < 0) {
		while (n > 0)
			fd_close(ports[--n].fd);
		return r;
	}
	return add_device(vm, d, any_length, e);
}

static int add_disk(struct vm *vm, const struct vm_disk *disk, bool any_length, struct err *e)
{
	struct vm_disk copy = *disk;
	struct virtio_dev *d = NULL;
	int r;

	r = dup_fd(disk->fd, &copy.fd, e);
	if (r < 0)
		return r;
	r = virtio_blk_new(&vm->mem, &vm->loop, &copy, &d, e);
	if (r < 0) {
		fd_close(copy.fd);
		return r;
	}
	return add_device(vm, d, any_length, e);
}

static int add_nic(struct vm *vm, const struct vm_nic *nic, bool any_length, struct err *e)
{
	struct vm_nic copy = *nic;
	struct virtio_dev *d = NULL;
	int r;

	r = dup_fd(nic->fd, &copy.fd, e);
	if (r < 0)
		return r;
	r = virtio_net_new(&vm->mem, &vm->loop, &copy, &d, e);
	if (r < 0) {
		fd_close(copy.fd);
		return r;
	}
	return add_device(vm, d, any_length, e);
}

static int add_tree(struct vm *vm, const struct vm_tree *tree, bool any_length, struct err *e)
{
	struct vm_tree copy = *tree;
	struct virtio_dev *d = NULL;
	int r;

	r = dup_fd(tree->fd, &copy.fd, e);
	if (r < 0)
		return r;
	r = virtio_9p_new(&vm->mem, &vm->loop, &copy, &d, e);
	if (r < 0) {
		fd_close(copy.fd);
		return r;
	}
	return add_device(vm, d, any_length, e);
}

static int make_devices(struct vm *vm, const struct vm_config *c, int kvm, struct err *e)
{
	bool any_length = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_IOEVENTFD_ANY_LENGTH) > 0;
	struct virtio_dev *rng = NULL, *balloon = NULL;
	int r;

	r = add_console(vm, c, any_length, e);
	for (unsigned i = 0; r == 0 && i < c->n_disks; i++)
		r = add_disk(vm, &c->disks[i], any_length, e);
	for (unsigned i = 0; r == 0 && i < c->n_nics; i++)
		r = add_nic(vm, &c->nics[i], any_length, e);
	for (unsigned i = 0; r == 0 && i < c->n_trees; i++)
		r = add_tree(vm, &c->trees[i], any_length, e);
	if (r == 0)
		r = virtio_rng_new(&vm->mem, &vm->loop, &rng, e);
	if (r == 0)
		r = add_device(vm, rng, any_length, e);
	if (r == 0)
		r = virtio_balloon_new(&vm->mem, &vm->loop, &balloon, e);
	return r < 0 ? r : add_device(vm, balloon, any_length, e);
}

/* --- what the devices are not ----------------------------------------------------------------------- */

static void on_ended(struct vm_watch *w, uint32_t events)
{
	uint64_t n;

	(void)events;
	(void)!read(w->fd, &n, sizeof(n));
}

static int make_loop(struct vm *vm, struct err *e)
{
	int r;

	r = vm_loop_init(&vm->loop, e);
	if (r < 0)
		return r;
	vm->ended = (struct vm_watch){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = on_ended };
	if (vm->ended.fd < 0)
		return err_set(e, errno, "make an eventfd");
	r = vm_loop_set(&vm->loop, &vm->ended, EPOLLIN);
	return r < 0 ? err_set(e, -r, "wait for the end of the machine") : 0;
}

static int check_serial(int fd, struct err *e)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "look at the descriptor of the serial port");
	if (!(flags & O_NONBLOCK) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		return err_text(e, EINVAL, "the descriptor of the serial port is a pipe that would block");
	return 0;
}

static int make_serial(struct vm *vm, int fd, struct err *e)
{
	int r = fd >= 0 ? check_serial(fd, e) : 0;

	if (r < 0 || fd < 0)
		return r;
	vm->serial.irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->serial.irq_fd < 0)
		return err_set(e, errno, "make an eventfd");
	return add_irq(vm, vm->serial.irq_fd, VM_IRQ_SERIAL, e);
}

static int make_boot(struct vm *vm, const struct vm_config *c, struct err *e)
{
	_cleanup_strbuf_ struct strbuf cmdline = { 0 };
	struct vm_initrd initrd;
	struct vm_kernel kernel;
	int khz = ioctl(vm->vcpus[0].fd, KVM_GET_TSC_KHZ, 0);
	int r;

	r = vm_elf_load(c->kernel, &vm->mem, &kernel, e);
	if (r == 0 && c->initrd >= 0)
		r = vm_initrd_load(c->initrd, &vm->mem, &kernel, &initrd, e);
	if (r == 0)
		r = vm_cmdline(c->cmdline, khz > 0 ? (uint32_t)khz : 0, vm->n_devices, &cmdline, e);
	if (r == 0)
		r = vm_start_info_write(&vm->mem, cmdline.s, c->initrd >= 0 ? &initrd : NULL, e);
	if (r == 0)
		r = vm_mptable_write(&vm->mem, vm->n_vcpus, e);
	return r < 0 ? r : vm_cpu_boot(&vm->vcpus[0], kernel.entry, VM_START_INFO, e);
}

/* --- vm.h ------------------------------------------------------------------------------------------- */

static int check_config(const struct vm_config *c, struct err *e)
{
	if (c->vcpus < 1 || c->vcpus > VM_VCPUS_MAX)
		return err_text(e, EINVAL, "a guest has 1 to %d CPUs, not %u", VM_VCPUS_MAX, c->vcpus);
	if (c->n_ports > VM_PORTS_MAX || c->n_disks > VM_DISKS_MAX || c->n_nics > VM_NICS_MAX)
		return err_text(e, EINVAL, "a guest has at most %d ports, %d disks and %d network interfaces",
			VM_PORTS_MAX, VM_DISKS_MAX, VM_NICS_MAX);
	if (c->n_trees > VM_TREES_MAX)
		return err_text(e, EINVAL, "a guest has at most %d directories by 9p", VM_TREES_MAX);
	return 0;
}

static void close_config(const struct vm_config *c)
{
	fd_close(c->kernel);
	fd_close(c->initrd);
	for (unsigned i = 0; i < c->n_ports; i++)
		fd_close(c->ports[i].fd);
	for (unsigned i = 0; i < c->n_disks; i++)
		fd_close(c->disks[i].fd);
	for (unsigned i = 0; i < c->n_nics; i++)
		fd_close(c->nics[i].fd);
	for (unsigned i = 0; i < c->n_trees; i++)
		fd_close(c->trees[i].fd);
}

static struct vm *new_vm(unsigned vcpus)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return NULL;
	vm->fd = vm->loop.epoll = vm->ended.fd = -EBADF;
	vm_serial_init(&vm->serial, -EBADF, -EBADF);
	vm->n_vcpus = vcpus;
	for (unsigned i = 0; i < VM_VCPUS_MAX; i++)
		vm->vcpus[i] = (struct vm_vcpu){ .vm = vm, .id = i, .fd = -EBADF };
	atomic_flag_clear(&vm->claimed);
	sem_init(&vm->ready, 0, 0);
	return vm;
}

int vm_create(const struct vm_config *c, int kvm, struct vm **out, struct err *e)
{
	_cleanup_(vm_freep) struct vm *vm = NULL;
	int r;

	r = check_config(c, e);
	if (r == 0)
		r = check_kvm(kvm, e);
	if (r < 0)
		return r;
	vm = new_vm(c->vcpus);
	if (!vm)
		return err_set(e, ENOMEM, "make a virtual machine");
	r = make_vm(vm, kvm, e);
	if (r == 0)
		r = make_memory(vm, c->memory, e);
	if (r == 0)
		r = make_vcpus(vm, kvm, e);
	if (r == 0)
		r = make_loop(vm, e);
	if (r == 0)
		r = make_serial(vm, c->serial, e);
	if (r == 0)
		r = make_devices(vm, c, kvm, e);
	if (r == 0)
		r = make_boot(vm, c, e);
	if (r < 0)
		return r;
	close_config(c);
	vm->serial.fd = c->serial;
	*out = TAKE_PTR(vm);
	return 0;
}

int vm_start(struct vm *vm, int (*confine)(void *arg), void *arg, struct err *e)
{
	/* An arena of malloc's for each thread would reserve 64 MiB of addresses, for nothing: they do not
	 * allocate. */
	(void)mallopt(M_ARENA_MAX, 1);
	vm->confine = confine;
	vm->confine_arg = arg;
	return vm_vcpus_start(vm, e);
}

int vm_poll_fd(const struct vm *vm)
{
	return vm->loop.epoll;
}

/* What the guest has handed out before it ended still reaches its devices. */
static int drain(struct vm *vm, struct err *e)
{
	enum { ROUNDS = 100 };
	struct pollfd p = { .fd = vm->loop.epoll, .events = POLLIN };

	for (unsigned i = 0; i < ROUNDS && poll(&p, 1, 0) > 0; i++) {
		int r = vm_loop_serve(&vm->loop, e);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A restart in order says that it is a warm one, a panic's does not (vm_boot.h): the command line has it so.
 */
static enum vm_end judge(struct vm *vm, int end)
{
	const void *at = vm_mem_at(&vm->mem, VM_REBOOT_MODE, sizeof(uint16_t));
	uint16_t mode = 0;

	if (at)
		memcpy(&mode, at, sizeof(mode));
	return end == VM_RESET && mode == VM_REBOOT_WARM ? VM_OFF : (enum vm_end)end;
}

int vm_serve(struct vm *vm, enum vm_end *end, struct err *e)
{
	int r = vm_loop_serve(&vm->loop, e), how;

	if (r < 0)
		return r;
	*end = VM_RUNS;
	/* Afterwards, since the loop has taken the note that it has ended out of the eventfd. */
	how = atomic_load(&vm->end);
	if (how == VM_RUNS)
		return 0;
	vm_vcpus_stop(vm);
	r = drain(vm, e);
	if (r < 0)
		return r;
	vm_serial_flush(&vm->serial);
	if (how < 0)
		return err_text(e, -how, "%s", vm->failure.text);
	*end = judge(vm, how);
	return 0;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	vm_vcpus_stop(vm);
	vm_serial_flush(&vm->serial);
	for (unsigned i = 0; i < vm->n_devices; i++)
		virtio_free(vm->devices[i]);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		if (vm->vcpus[i].run)
			munmap(vm->vcpus[i].run, vm->run_size);
		fd_close(vm->vcpus[i].fd);
	}
	fd_close(vm->fd);
	fd_close(vm->serial.irq_fd);
	fd_close(vm->serial.fd);
	fd_close(vm->ended.fd);
	vm_loop_free(&vm->loop);
	if (vm->mem.base)
		munmap(vm->mem.base, vm->mem_size);
	sem_destroy(&vm->ready);
	free(vm);
}
