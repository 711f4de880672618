/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boots a kernel with one program as its initramfs on KVM, through sandbox/vm.h. What it writes to its serial
 * port and its virtio-serial port goes to stdout; what was measured to stderr.
 *
 * Exit status: 0 off, 3 reset, 4 crashed, 1 an error, 5 time is up.
 */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/initrd.h"
#include "sandbox/vm.h"
#include "sandbox/vm_confine.h"

enum { EXIT_RESET = 3, EXIT_CRASHED, EXIT_LATE };

struct options {
	/* leave: ms after it is up; echo: bytes through the port and back */
	unsigned memory, cpus, seconds, leave, echo, disks;
	const char *append, *kernel, *init, *device, *disk;
	bool figures, filters;
};

struct run {
	const struct options *o;
	struct vm *vm;
	int serial, port;
	double started, up;
	unsigned sent, got; /* bytes of the port */
	bool asked_to_end;
	char tail[64]; /* of what the serial port said, to find the sign that the guest is up */
	size_t tail_len;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int fail(const struct err *e)
{
	fprintf(stderr, "vm_boot: %s\n", e->text);
	return 1;
}

static int make_initrd(const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_set(e, errno, "open %s", path) : vm_initrd_make(fd, e);
}

/* --- figures ---------------------------------------------------------------------------------------- */

/*
 * PSS of this process in KiB, apart for the guest's memory: what is left out of core files ("dd"). How the
 * kernel has cut that into mappings is its own affair.
 */
static void show_memory(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long long pss = 0, guest = 0, rest = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Pss: %llu kB", &pss) == 1)
			continue;
		if (str_starts(line, "VmFlags:"))
			*(strstr(line, " dd ") ? &guest : &rest) += pss;
	}
	fprintf(stderr, "vm_boot: guest's memory touched %llu KiB, PSS of the rest %llu KiB\n", guest, rest);
}

static void look_for_sign(struct run *r, const char *text, size_t len)
{
	static const char sign[] = "init: up";

	for (size_t i = 0; i < len && !r->up; i++) {
		if (r->tail_len == sizeof(r->tail)) {
			memmove(r->tail, r->tail + 1, sizeof(r->tail) - 1);
			r->tail_len--;
		}
		r->tail[r->tail_len++] = text[i];
		if (r->tail_len >= sizeof(sign) - 1 &&
			memcmp(r->tail + r->tail_len - (sizeof(sign) - 1), sign, sizeof(sign) - 1) == 0) {
			r->up = now();
			fprintf(stderr, "vm_boot: init after %.0f ms\n", r->up - r->started);
			if (r->o->figures)
				show_memory();
		}
	}
}

/* --- the run ---------------------------------------------------------------------------------------- */

static void read_serial(struct run *r)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(r->serial, buf, sizeof(buf))) > 0) {
		(void)fd_write_all(STDOUT_FILENO, buf, (size_t)n);
		look_for_sign(r, buf, (size_t)n);
	}
}

/* Sends numbered bytes, and compares what comes back. */
static int serve_port(struct run *r)
{
	uint8_t buf[4096];
	ssize_t n;

	while (r->sent < r->o->echo) {
		unsigned len = r->o->echo - r->sent;

		if (len > sizeof(buf))
			len = sizeof(buf);
		for (unsigned i = 0; i < len; i++)
			buf[i] = (uint8_t)((r->sent + i) * 7 >> 3);
		n = send(r->port, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0)
			break;
		r->sent += (unsigned)n;
	}
	while ((n = recv(r->port, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < n; i++, r->got++) {
			if (buf[i] != (uint8_t)(r->got * 7 >> 3)) {
				fprintf(stderr, "vm_boot: byte %u came back wrong\n", r->got);
				return -1;
			}
		}
	}
	if (r->o->echo && r->got == r->o->echo && !r->asked_to_end) {
		fprintf(stderr, "vm_boot: %u bytes came back\n", r->got);
		r->asked_to_end = send(r->port, "end\n", 4, MSG_NOSIGNAL) == 4;
	}
	return 0;
}

static int serve(struct run *r, struct err *e)
{
	static const char *const words[] = { "runs", "off", "reset", "crashed" };
	enum vm_end end = VM_RUNS;
	bool late = false;

	while (end == VM_RUNS && !late) {
		struct pollfd p[] = {
			{ .fd = vm_poll_fd(r->vm), .events = POLLIN },
			{ .fd = r->serial, .events = POLLIN },
			{ .fd = r->port, .events = (short)(POLLIN | (r->sent < r->o->echo ? POLLOUT : 0)) },
		};
		double until =
			r->up > 0 && r->o->leave ? r->up + r->o->leave : r->started + r->o->seconds * 1e3;
		int left = (int)(until - now());

		late = left <= 0 || poll(p, ARRAY_SIZE(p), left) == 0;
		if (p[0].revents && vm_serve(r->vm, &end, e) < 0)
			return fail(e);
		read_serial(r);
		if (serve_port(r) < 0)
			return 1;
	}
	fprintf(stderr, "vm_boot: %s after %.0f ms\n", late ? "time is up" : words[end], now() - r->started);
	if (late)
		return EXIT_LATE;
	return end == VM_OFF ? 0 : end == VM_RESET ? EXIT_RESET : EXIT_CRASHED;
}

/* The calling thread gets a filter that allows what is in the table, and kills for the rest. */
static int filter(const struct vm_syscall *table, size_t n, const char *const *more)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = f ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++) {
		int nr = seccomp_syscall_resolve_name(table[i].name);

		if (table[i].arg < 0)
			r = seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0);
		else
			r = seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 1,
				((struct scmp_arg_cmp){ .arg = (unsigned)table[i].arg,
					.op = SCMP_CMP_EQ,
					.datum_a = table[i].value }));
	}
	for (; r == 0 && more && *more; more++) {
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(*more), 0);
		r = r == -EEXIST ? 0 : r;
	}
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	return r;
}

static int filter_vcpu(void *arg)
{
	(void)arg;
	return filter(vm_vcpu_syscalls, vm_vcpu_n_syscalls, NULL);
}

/* The loop's thread is also the one that talks to the guest and reads its own memory's figures. */
static int filter_loop(void)
{
	static const char *const ours[] = { "sendto", "recvfrom", "exit_group", "clock_gettime", "openat",
		"newfstatat", "brk", "mmap", NULL };

	return filter(vm_loop_syscalls, vm_loop_n_syscalls, ours);
}

static int boot(const struct options *o)
{
	struct run r = { .o = o, .serial = -EBADF, .port = -EBADF, .started = now() };
	_cleanup_(vm_freep) struct vm *vm = NULL;
	_cleanup_close_ int kvm = open(o->device, O_RDWR | O_CLOEXEC);
	struct vm_config c = { .memory = (uint64_t)o->memory << 20, .vcpus = o->cpus, .cmdline = o->append };
	struct err e = ERR_INIT;
	int text[2], port[2];

	c.kernel = open(o->kernel, O_RDONLY | O_CLOEXEC);
	c.initrd = o->init ? make_initrd(o->init, &e) : -1;
	if (o->init && c.initrd < 0)
		return fail(&e);
	if (kvm < 0 || c.kernel < 0 || pipe2(text, O_CLOEXEC | O_NONBLOCK) < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, port) < 0) {
		perror("vm_boot: open what it takes");
		return 1;
	}
	(void)fcntl(text[1], F_SETPIPE_SZ, 1 << 20);
	c.serial = text[1];
	r.serial = text[0];
	c.ports[0] = (struct vm_port){ "ringfence.control", port[0] };
	r.port = port[1];
	c.n_ports = 1;
	for (; c.n_disks < o->disks; c.n_disks++)
		c.disks[c.n_disks] =
			(struct vm_disk){ .fd = open(o->disk, O_RDONLY | O_CLOEXEC), .readonly = true };
	if (vm_create(&c, kvm, &vm, &e) < 0)
		return fail(&e);
	fprintf(stderr, "vm_boot: made after %.1f ms\n", now() - r.started);
	if (vm_start(vm, o->filters ? filter_vcpu : NULL, NULL, &e) < 0)
		return fail(&e);
	if (o->filters && filter_loop() < 0)
		return 1;
	r.vm = vm;
	return serve(&r, &e);
}

static unsigned number(const char *s)
{
	uint32_t n = 0;

	if (str_to_u32(s, &n) < 0) {
		fprintf(stderr, "vm_boot: not a number: %s\n", s);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	struct options o = {
		.memory = 64, .cpus = 1, .seconds = 60, .append = "console=ttyS0", .device = "/dev/kvm"
	};
	char why[VM_WHY_MAX];
	int c;

	while ((c = getopt(argc, argv, "m:c:t:l:e:a:d:D:n:fps")) >= 0) {
		switch (c) {
		case 'm':
			o.memory = number(optarg);
			break;
		case 'c':
			o.cpus = number(optarg);
			break;
		case 't':
			o.seconds = number(optarg);
			break;
		case 'l':
			o.leave = number(optarg);
			break;
		case 'e':
			o.echo = number(optarg);
			break;
		case 'a':
			o.append = optarg;
			break;
		case 'd':
			o.device = optarg;
			break;
		case 'D':
			o.disk = optarg;
			o.disks = o.disks ? o.disks : 1;
			break;
		case 'n':
			o.disks = number(optarg);
			break;
		case 's':
			o.filters = true;
			break;
		case 'f':
			o.figures = true;
			break;
		case 'p': {
			enum vm_kvm k;
			double t = now();

			k = vm_kvm_probe(o.device, why);
			fprintf(stderr, "vm_boot: probe %d in %.1f ms: %s\n", (int)k, now() - t, why);
			return (int)k;
		}
		default:
			fprintf(stderr,
				"Usage: vm_boot -p | [OPTION...] KERNEL [INIT]\n"
				"  -p only probe   -d DEVICE (/dev/kvm)   -m MIB   -c CPUS   -a "
				"COMMAND-LINE\n"
				"  -t SECONDS at most   -l MS then leave   -D FILE a disk   -n N such disks\n"
				"  -e BYTES through the port and back   -f figures   -s seccomp filters\n");
			return 2;
		}
	}
	if (optind >= argc || o.disks > VM_DISKS_MAX)
		return 2;
	o.kernel = argv[optind];
	o.init = argv[optind + 1];
	return boot(&o);
}
