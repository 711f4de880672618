/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine on KVM with guests of a few instructions: they run on any /dev/kvm, also on one that interprets
 * ring 0. Skipped without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "sandbox/vm.h"
#include "sandbox/vm_confine.h"

#define ENTRY	0x200000U
#define PROGRAM 512

/* Instructions of 32 bits, flat, EBX has start_info. */
#define OUT_SERIAL(c) 0x66, 0xBA, 0xF8, 0x03, 0xB0, (c), 0xEE /* mov $0x3f8,%dx; mov $c,%al; out %al,%dx */
#define RESET	      0xB0, 0xFE, 0xE6, 0x64		      /* mov $0xfe,%al; out %al,$0x64 */
#define WARM	      0x66, 0xC7, 0x05, 0x72, 0x04, 0, 0, 0x34, 0x12 /* movw $0x1234,0x472 */
#define STOP	      0xF4, 0xEB, 0xFD				     /* 1: hlt; jmp 1b */
#define FOREVER	      0xEB, 0xFE				     /* 1: jmp 1b */

struct image {
	Elf64_Ehdr head;
	Elf64_Phdr phdrs[2];
	Elf64_Nhdr note;
	char name[4];
	uint64_t entry;
	uint8_t code[PROGRAM];
};

struct guest {
	struct vm_config c;
	struct vm *vm;
	int kvm, text, port; /* our ends */
	char said[4096];
	size_t len;
};

static int make_kernel(const uint8_t *code, size_t len)
{
	struct image i = {
		.head = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				  EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_phoff = offsetof(struct image, phdrs),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2 },
		.phdrs = { { .p_type = PT_LOAD,
				   .p_offset = offsetof(struct image, code),
				   .p_paddr = ENTRY,
				   .p_filesz = PROGRAM,
				   .p_memsz = PROGRAM },
			{ .p_type = PT_NOTE,
				.p_offset = offsetof(struct image, note),
				.p_filesz = 12 + 4 + 8 } },
		.note = { .n_namesz = 4, .n_descsz = 8, .n_type = 18 },
		.name = "Xen",
		.entry = ENTRY,
	};
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	/* A guest that runs on past its end. */
	memset(i.code, 0xF4, sizeof(i.code));
	assert_true(fd >= 0 && len <= PROGRAM);
	memcpy(i.code, code, len);
	assert_int_equal(fd_write_all(fd, &i, sizeof(i)), 0);
	return fd;
}

static void prepare(struct guest *g, const uint8_t *code, size_t len)
{
	int p[2], s[2];

	*g = (struct guest){ .kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC) };
	if (g->kvm < 0)
		skip();
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s), 0);
	g->text = p[0];
	g->port = s[1];
	g->c = (struct vm_config){ .kernel = make_kernel(code, len),
		.initrd = -1,
		.cmdline = "test",
		.memory = 16ULL << 20,
		.vcpus = 1,
		.serial = p[1],
		.ports = { { "p", s[0] } },
		.n_ports = 1 };
}

static void make(struct guest *g, const uint8_t *code, size_t len)
{
	struct err e = ERR_INIT;

	prepare(g, code, len);
	if (vm_create(&g->c, g->kvm, &g->vm, &e) < 0)
		fail_msg("%s", e.text);
}

static void start(struct guest *g)
{
	struct err e = ERR_INIT;

	if (vm_start(g->vm, NULL, NULL, &e) < 0)
		fail_msg("%s", e.text);
}

/* Serves it until it ends, for 20 s at most. */
static enum vm_end run(struct guest *g)
{
	struct pollfd p = { .fd = vm_poll_fd(g->vm), .events = POLLIN };
	enum vm_end end = VM_RUNS;
	struct err e = ERR_INIT;
	ssize_t n;

	while (end == VM_RUNS) {
		assert_int_equal(poll(&p, 1, 20000), 1);
		if (vm_serve(g->vm, &end, &e) < 0)
			fail_msg("%s", e.text);
	}
	n = read(g->text, g->said, sizeof(g->said) - 1);
	g->len = n > 0 ? (size_t)n : 0;
	return end;
}

static void drop(struct guest *g)
{
	vm_free(g->vm);
	close(g->kvm);
	close(g->text);
	close(g->port);
}

static enum vm_end run_code(struct guest *g, const uint8_t *code, size_t len)
{
	enum vm_end end;

	make(g, code, len);
	start(g);
	end = run(g);
	drop(g);
	return end;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_ends(void **state)
{
	static const uint8_t off[] = { OUT_SERIAL('h'), OUT_SERIAL('i'), OUT_SERIAL('\n'), WARM, RESET,
		STOP };
	static const uint8_t cold[] = { OUT_SERIAL('x'), RESET, STOP };
	static const uint8_t cf9[] = { WARM, 0x66, 0xBA, 0xF9, 0x0C, 0xB0, 0x06, 0xEE, STOP };
	static const uint8_t triple[] = { OUT_SERIAL('y'), 0x0F, 0x0B };
	struct guest g;

	assert_int_equal(run_code(&g, off, sizeof(off)), VM_OFF);
	assert_string_equal(g.said, "hi\n");
	assert_int_equal(run_code(&g, cold, sizeof(cold)), VM_RESET);
	assert_string_equal(g.said, "x");
	assert_int_equal(run_code(&g, cf9, sizeof(cf9)), VM_OFF);
	assert_int_equal(run_code(&g, triple, sizeof(triple)), VM_CRASHED);
	assert_string_equal(g.said, "y");
}

/* What the guest finds: start_info in EBX, zeroed memory, the answers of ports and of addresses without a
 * device. */
static void test_world(void **state)
{
	static const uint8_t code[] = {
		0x81,
		0x3B,
		0x78,
		0xC5,
		0x6E,
		0x33, /* cmpl $0x336ec578,(%ebx) */
		0x75,
		0x3D, /* jne bad */
		0xE4,
		0x71, /* in $0x71,%al: the clock */
		0x84,
		0xC0, /* test %al,%al */
		0x75,
		0x37, /* jnz bad */
		0xE4,
		0x64, /* in $0x64,%al: the keyboard controller */
		0x84,
		0xC0, /* test %al,%al */
		0x75,
		0x31, /* jnz bad */
		0xE5,
		0xE8, /* in $0xe8,%eax: nothing */
		0x83,
		0xF8,
		0xFF, /* cmp $-1,%eax */
		0x75,
		0x2A, /* jne bad */
		0xA1,
		0,
		0,
		0,
		0xE0, /* mov 0xe0000000,%eax: nothing */
		0x83,
		0xF8,
		0xFF, /* cmp $-1,%eax */
		0x75,
		0x20, /* jne bad */
		0xA1,
		0,
		0,
		0,
		0xD0, /* mov 0xd0000000,%eax: the console's magic number */
		0x3D,
		0x76,
		0x69,
		0x72,
		0x74, /* cmp $"virt",%eax */
		0x75,
		0x14,		 /* jne bad */
		OUT_SERIAL('g'), /* 7 bytes */
		WARM,		 /* 9 bytes */
		RESET,
		/* bad: */
		OUT_SERIAL('b'),
		RESET,
		STOP,
	};
	struct guest g;

	assert_int_equal(run_code(&g, code, sizeof(code)), VM_OFF);
	assert_string_equal(g.said, "g");
}

/* Every register of every device, in every width, read and written, and what lies behind: the machine
 * survives. */
static void test_pokes(void **state)
{
	static const uint8_t code[] = {
		0xBE,
		0,
		0,
		0,
		0xD0, /* mov $0xd0000000,%esi */
		0x8B,
		0x06, /* 1: mov (%esi),%eax */
		0x89,
		0x06, /* mov %eax,(%esi) */
		0x8A,
		0x46,
		0x01, /* mov 1(%esi),%al */
		0xC6,
		0x46,
		0x03,
		0xFF, /* movb $0xff,3(%esi) */
		0x66,
		0x8B,
		0x46,
		0x03, /* mov 3(%esi),%ax */
		0xC7,
		0x06,
		0xFF,
		0xFF,
		0xFF,
		0xFF, /* movl $-1,(%esi) */
		0x83,
		0xC6,
		0x34, /* add $0x34,%esi */
		0x81,
		0xFE,
		0,
		0x28,
		0,
		0xD0, /* cmp $0xd0002800,%esi: there are two devices */
		0x72,
		0xE0, /* jb 1b */
		OUT_SERIAL('k'),
		WARM,
		RESET,
		STOP,
	};
	struct guest g;

	assert_int_equal(run_code(&g, code, sizeof(code)), VM_OFF);
	assert_string_equal(g.said, "k");
}

/* rep outsb: one exit with many bytes. */
static void test_string(void **state)
{
	static const uint8_t code[] = {
		0xBE,
		0x20,
		0x00,
		0x20,
		0x00, /* mov $0x200020,%esi */
		0xB9,
		9,
		0,
		0,
		0, /* mov $9,%ecx */
		0x66,
		0xBA,
		0xF8,
		0x03, /* mov $0x3f8,%dx */
		0xF3,
		0x6E, /* rep outsb */
		WARM,
		RESET,
		STOP, /* ends at 0x20 */
		'm',
		'a',
		'n',
		'y',
		' ',
		'o',
		'n',
		'e',
		's',
	};
	struct guest g;

	assert_int_equal(run_code(&g, code, sizeof(code)), VM_OFF);
	assert_string_equal(g.said, "many ones");
}

/* A guest that gives nothing back is stopped at once, whether it works or sleeps. */
static void test_stop(void **state)
{
	static const uint8_t busy[] = { FOREVER }, idle[] = { STOP };

	for (unsigned i = 0; i < 4; i++) {
		struct guest g;
		double t;

		prepare(&g, i & 1 ? idle : busy, i & 1 ? sizeof(idle) : sizeof(busy));
		g.c.vcpus = i & 2 ? 4 : 1;
		assert_int_equal(vm_create(&g.c, g.kvm, &g.vm, NULL), 0);
		/* Also before it runs. */
		if (i < 3)
			start(&g);
		poll(NULL, 0, 50);
		t = now();
		drop(&g);
		assert_true(now() - t < 5);
	}
}

static atomic_int confined;

static int confine(void *arg)
{
	int n = atomic_fetch_add(&confined, 1);

	return n == *(int *)arg ? -EACCES : 0;
}

static void test_confine(void **state)
{
	static const uint8_t code[] = { FOREVER };
	struct err e = ERR_INIT;
	struct guest g;
	int fails = 1;

	prepare(&g, code, sizeof(code));
	g.c.vcpus = 3;
	assert_int_equal(vm_create(&g.c, g.kvm, &g.vm, NULL), 0);
	atomic_store(&confined, 0);
	assert_int_equal(vm_start(g.vm, confine, &fails, &e), -EACCES);
	assert_non_null(strstr(e.text, "confine the thread"));
	assert_int_equal(atomic_load(&confined), 3);
	drop(&g);
	fails = -1;
	prepare(&g, code, sizeof(code));
	assert_int_equal(vm_create(&g.c, g.kvm, &g.vm, NULL), 0);
	assert_int_equal(vm_start(g.vm, confine, &fails, &e), 0);
	drop(&g);
}

/* As the monitor does it: what is not in the table kills. */
static int filter(void *arg)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = f ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < vm_vcpu_n_syscalls; i++) {
		const struct vm_syscall *x = &vm_vcpu_syscalls[i];

		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(x->name), x->arg >= 0,
			((struct scmp_arg_cmp){ .arg = (unsigned)(x->arg >= 0 ? x->arg : 0),
				.op = SCMP_CMP_EQ,
				.datum_a = x->value }));
	}
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	return r;
}

static char logged[256];
static pid_t logged_by;

void __wrap_log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void __wrap_log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	logged_by = gettid();
	va_start(ap, fmt);
	vsnprintf(logged, sizeof(logged), fmt, ap);
	va_end(ap);
}

/* A driver that breaks the rules in a vCPU's thread is logged by another, since that one may not. */
static void test_log(void **state)
{
	static const uint8_t code[] = {
		0xBE,
		0,
		0,
		0,
		0xD0, /* mov $0xd0000000,%esi */
		0xC7,
		0x46,
		0x70,
		3,
		0,
		0,
		0, /* movl $3,0x70(%esi): status, acknowledge and driver */
		0xC7,
		0x46,
		0x44,
		1,
		0,
		0,
		0, /* movl $1,0x44(%esi): a queue is ready, without features agreed */
		WARM,
		RESET,
		STOP,
	};
	struct err e = ERR_INIT;
	struct guest g;

#if defined(__SANITIZE_ADDRESS__)
	/* Its run-time library makes calls that the filter forbids (sandbox/filter.c). */
	skip();
#endif
	make(&g, code, sizeof(code));
	assert_int_equal(vm_start(g.vm, filter, NULL, &e), 0);
	assert_int_equal(run(&g), VM_OFF);
	drop(&g);
	assert_non_null(strstr(logged, "virtio console device breaks the rules"));
	assert_int_equal(logged_by, gettid());
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* On failure everything stays the caller's, on success it is the machine's. */
static void test_owners(void **state)
{
	static const uint8_t code[] = { FOREVER };
	struct err e = ERR_INIT;
	struct guest g;
	int kernel, first;

	prepare(&g, code, sizeof(code));
	kernel = g.c.kernel;
	g.c.kernel = open("/dev/null", O_RDONLY | O_CLOEXEC);
	first = dup(0);
	close(first);
	assert_int_equal(vm_create(&g.c, g.kvm, &g.vm, &e), -ENOEXEC);
	assert_true(is_open(g.c.kernel) && is_open(g.c.ports[0].fd) && is_open(g.c.serial));
	/* Nor is anything left of it. */
	assert_int_equal(dup(0), first);
	close(first);
	close(g.c.kernel);
	g.c.kernel = kernel;
	assert_int_equal(vm_create(&g.c, g.kvm, &g.vm, &e), 0);
	assert_false(is_open(g.c.kernel) || is_open(g.c.ports[0].fd));
	drop(&g);
	assert_false(is_open(g.c.serial));
}

static void refuse(struct guest *g, int code, const char *why)
{
	struct err e = ERR_INIT;

	assert_int_equal(vm_create(&g->c, g->kvm, &g->vm, &e), -code);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" is not in \"%s\"", why, e.text);
}

static void test_refused(void **state)
{
	static const uint8_t code[] = { FOREVER };
	struct guest g;
	int p[2];

	prepare(&g, code, sizeof(code));
	g.c.vcpus = 0;
	refuse(&g, EINVAL, "CPUs");
	g.c.vcpus = VM_VCPUS_MAX + 1;
	refuse(&g, EINVAL, "CPUs");
	g.c.vcpus = 1;
	g.c.memory = 3ULL << 19;
	refuse(&g, EINVAL, "2 MiB");
	g.c.memory = 16ULL << 20;
	g.c.n_disks = VM_DISKS_MAX + 1;
	refuse(&g, EINVAL, "disks");
	g.c.n_disks = 0;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	fd_close(g.c.serial);
	g.c.serial = p[1];
	refuse(&g, EINVAL, "block");
	fd_close(p[0]);
	fd_close(p[1]);
	g.c.serial = -1;
	g.c.n_disks = 1;
	g.c.disks[0].fd = 9999;
	refuse(&g, EBADF, "descriptor 9999");
	g.c.n_disks = 0;
	fd_close(g.kvm);
	g.kvm = open("/dev/null", O_RDWR | O_CLOEXEC);
	refuse(&g, ENOTTY, "KVM");
	fd_close(g.c.kernel);
	fd_close(g.c.ports[0].fd);
	drop(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_world),
		cmocka_unit_test(test_pokes),
		cmocka_unit_test(test_string),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_confine),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
