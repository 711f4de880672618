/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU as the machine (see qemu.h). */
#include "sandbox/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "namespaces/mount_calls.h"
#include "sandbox/confine.h"
#include "sandbox/vm_boot.h"

#define PROGRAM	   "/usr/bin/qemu-system-x86_64"
#define MIB	   (1ULL << 20)
#define PLACES	   8 /* for devices that microvm has without ACPI */
#define AT_THE_END " reboot=t panic=-1"
#define A_DEVICE   " virtio_mmio.device=512@0xfeb00e00:12" /* as QEMU writes it */

int qemu_find(char *path, size_t size, struct err *e)
{
	if (access(PROGRAM, X_OK) < 0)
		return err_hint((err_set(e, errno, "software emulation: run " PROGRAM), e),
			"install the package qemu-system-x86");
	snprintf(path, size, "%s", PROGRAM);
	return 0;
}

/* --- its clock
 * ------------------------------------------------------------------------------------------------------- */

#define TSC_NS 20000000 /* what it is measured over: to some millionths */

static uint64_t raw_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Both clocks at one moment: the reading that took the least time of a few, so that nobody came between. */
static void read_both(uint64_t *ns, uint64_t *tsc)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 16; i++) {
		uint64_t before = raw_ns(), cycles = __builtin_ia32_rdtsc(), after = raw_ns();

		if (after - before < best) {
			best = after - before;
			*ns = before + best / 2;
			*tsc = cycles;
		}
	}
}

/*
 * By software emulation the guest's time-stamp counter is the host's. Its kernel would measure it, and its
 * timers, against an emulated timer chip; on a busy host it gives up doing so and counts ticks, loses some,
 * or panics ("IO-APIC + timer doesn't work"). So it is told
 * (Documentation/admin-guide/kernel-parameters.txt).
 */
static const char *clock_words(void)
{
	static char words[80];
	struct timespec t = { .tv_nsec = TSC_NS };
	uint64_t ns[2], tsc[2];

	read_both(&ns[0], &tsc[0]);
	nanosleep(&t, NULL);
	read_both(&ns[1], &tsc[1]);
	snprintf(words, sizeof(words), " no_timer_check tsc=reliable tsc_early_khz=%u",
		(unsigned)((tsc[1] - tsc[0]) * 1000000 / (ns[1] - ns[0])));
	return words;
}

/* --- its command line
 * ---------------------------------------------------------------------------------------- */

struct args {
	char *at[128 + 6 * (VM_PORTS_MAX + VM_DISKS_MAX + VM_NICS_MAX)];
	size_t n;
	bool failed;
};

static void add(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct args *a, const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, fmt);
	if (a->n + 1 >= ARRAY_SIZE(a->at) || vasprintf(&s, fmt, ap) < 0)
		a->failed = true;
	else
		a->at[a->n++] = s;
	va_end(ap);
}

static void add_words(struct args *a, const char *const *words)
{
	for (; *words; words++)
		add(a, "%s", *words);
}

static void add_ports(struct args *a, const struct vm_config *c)
{
	add(a, "-device");
	add(a, "virtio-serial-device,max_ports=%u", c->n_ports + 1);
	for (unsigned i = 0; i < c->n_ports; i++) {
		add(a, "-chardev");
		add(a, "socket,id=p%u,fd=%d", i, c->ports[i].fd);
		add(a, "-device");
		/* Number 0 is kept for a console. */
		add(a, "virtserialport,chardev=p%u,nr=%u,name=%s", i, i + 1, c->ports[i].name);
	}
}

/*
 * By descriptor: QEMU opens nothing. It is not to try with fewer rights first, which a descriptor has not,
 * nor to lock what the creator has locked.
 */
static void add_disks(struct args *a, const struct vm_config *c)
{
	for (unsigned i = 0; i < c->n_disks; i++) {
		const struct vm_disk *d = &c->disks[i];
		struct stat st;
		bool device = fstat(d->fd, &st) == 0 && S_ISBLK(st.st_mode);

		add(a, "-add-fd");
		add(a, "fd=%d,set=%u", d->fd, i + 1);
		add(a, "-drive");
		add(a,
			"if=none,id=d%u,format=raw,file.driver=%s,file.filename=/dev/fdset/%u,"
			"file.locking=off,auto-read-only=off,discard=unmap,readonly=%s",
			i, device ? "host_device" : "file", i + 1, d->readonly ? "on" : "off");
		add(a, "-device");
		add(a, "virtio-blk-device,drive=d%u,serial=%s", i, d->serial);
	}
}

static void add_nics(struct args *a, const struct vm_config *c)
{
	for (unsigned i = 0; i < c->n_nics; i++) {
		const uint8_t *m = c->nics[i].mac;

		add(a, "-netdev");
		add(a, "tap,id=n%u,fd=%d,vhost=off", i, c->nics[i].fd);
		add(a, "-device");
		add(a, "virtio-net-device,netdev=n%u,mac=%02x:%02x:%02x:%02x:%02x:%02x", i, m[0], m[1], m[2],
			m[3], m[4], m[5]);
	}
}

/*
 * Console, random numbers, and the rest: QEMU would complain of a bus, and nobody would know which. And what
 * it adds to the command line for each of them the kernel would cut off without a word.
 */
static int check_places(const struct vm_config *c, struct err *e)
{
	unsigned devices = 2 + c->n_nics + c->n_disks;
	size_t len = strlen(c->cmdline) + sizeof(AT_THE_END) + devices * sizeof(A_DEVICE);

	if (devices > PLACES)
		return err_text(e, E2BIG,
			"%u disks and %u network interfaces: QEMU's machine has places for %u of them; by "
			"KVM "
			"(--accel kvm) a sandbox has up to %d disks",
			c->n_disks, c->n_nics, PLACES - 2, VM_DISKS_MAX);
	if (len >= VM_CMDLINE_MAX)
		return err_text(e, E2BIG,
			"the guest's command line has %zu characters with its %u devices; the kernel reads "
			"%d",
			len, devices, VM_CMDLINE_MAX - 1);
	return 0;
}

static void build_args(struct args *a, const struct vm_config *c, bool kvm)
{
	static const char *const fixed[] = { "-M", "microvm,acpi=off,pit=on,pic=on,rtc=on,isa-serial=on",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-global",
		"virtio-mmio.force-legacy=false", "-sandbox",
		"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", "-kernel",
		"/kernel", "-initrd", "/initrd", "-device", "virtio-rng-device", NULL };
	static const char *const by_tcg[] = { "-accel", "tcg,tb-size=64", "-cpu", "max", NULL };
	static const char *const by_kvm[] = { "-accel", "kvm", "-cpu", "host", NULL };

	add(a, "%s", PROGRAM);
	add_words(a, fixed);
	add_words(a, kvm ? by_kvm : by_tcg);
	add(a, "-m");
	add(a, "%lluM", (unsigned long long)(c->memory / MIB));
	add(a, "-smp");
	add(a, "%u", c->vcpus);
	add(a, "-append");
	/* Either end of the guest is a reset, and that QEMU's own (-no-reboot). */
	add(a, "%s reboot=t panic=-1%s", c->cmdline, kvm ? "" : clock_words());
	if (c->serial >= 0) {
		add(a, "-chardev");
		add(a, "socket,id=serial,fd=%d", c->serial);
		add(a, "-serial");
		add(a, "chardev:serial");
	}
	add_ports(a, c);
	add_disks(a, c);
	add_nics(a, c);
	a->at[a->n] = NULL;
}

/* --- its root
 * ------------------------------------------------------------------------------------------------- */

/* A directory of the host's in the new root: a symlink stays one. */
static int show(int root, const char *path, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
	_cleanup_close_ int tree = -EBADF;
	char target[256];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	int r;

	if (n > 0) {
		target[n] = '\0';
		return symlinkat(target, root, path + 1) < 0 ? err_set(e, errno, "make QEMU's %s", path) : 0;
	}
	if (errno == ENOENT)
		return 0;
	tree = sys_clone_tree(AT_FDCWD, path, AT_RECURSIVE);
	if (tree < 0)
		return err_set(e, -tree, "show %s to QEMU", path);
	r = sys_mount_setattr(tree, "", AT_RECURSIVE, &attr);
	if (r == 0 && mkdirat(root, path + 1, 0755) < 0)
		r = -errno;
	if (r == 0)
		r = sys_attach(tree, root, path + 1);
	return r < 0 ? err_set(e, -r, "show %s to QEMU", path) : 0;
}

static int copy(int root, const char *name, int from, struct err *e)
{
	_cleanup_close_ int to = openat(root, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
	off_t at = 0;
	ssize_t n = 1;

	while (to >= 0 && n > 0)
		n = sendfile(to, from, &at, 16 * MIB);
	return to < 0 || n < 0 ? err_set(e, errno, "give QEMU its %s", name) : 0;
}

/* The kernel as a mount, not a copy: its pages are shared by all sandboxes. */
static int show_file(int root, const char *name, int tree, struct err *e)
{
	_cleanup_close_ int place = openat(root, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
	int r = place < 0 ? -errno : sys_attach(tree, root, name);

	return r < 0 ? err_set(e, -r, "give QEMU its %s", name) : 0;
}

/* QEMU opens it by its path, as nobody. */
static int show_kvm(int root, struct err *e)
{
	struct stat st;

	if (stat("/dev/kvm", &st) < 0 || !S_ISCHR(st.st_mode))
		return err_set(e, errno ? errno : ENODEV, "look at /dev/kvm");
	if (mkdirat(root, "dev", 0755) < 0 || mknodat(root, "dev/kvm", S_IFCHR | 0666, st.st_rdev) < 0 ||
		fchmodat(root, "dev/kvm", 0666, 0) < 0)
		return err_set(e, errno, "give QEMU its /dev/kvm");
	return 0;
}

static int enter_root(const struct vm_config *c, bool kvm, int kernel, struct err *e)
{
	static const char *const shown[] = { "/usr", "/lib", "/lib64", "/bin", NULL };
	_cleanup_close_ int fs = sys_fsopen("tmpfs"), root = -EBADF;
	struct mount_attr sealed = { .attr_set = MOUNT_ATTR_RDONLY };
	int r = fs < 0 ? fs : sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755");

	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (r == 0)
		root = sys_fsmount(fs, kvm ? MOUNT_ATTR_NOSUID : MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (r < 0 || root < 0)
		return err_set(e, r < 0 ? -r : -root, "make QEMU's root");
	r = sys_attach(root, AT_FDCWD, "/");
	if (r < 0)
		return err_set(e, -r, "mount QEMU's root");
	for (size_t i = 0; shown[i]; i++) {
		r = show(root, shown[i], e);
		if (r < 0)
			return r;
	}
	r = show_file(root, "kernel", kernel, e);
	if (r == 0)
		r = copy(root, "initrd", c->initrd, e);
	if (r == 0 && kvm)
		r = show_kvm(root, e);
	if (r < 0)
		return r;
	r = sys_mount_setattr(root, "", 0, &sealed);
	if (r < 0)
		return err_set(e, -r, "make QEMU's root read-only");
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
		chdir("/") < 0)
		return err_set(e, errno, "enter QEMU's root");
	return 0;
}

/* --- the child
 * ------------------------------------------------------------------------------------------------- */

static int keep_open(const struct vm_config *c)
{
	int r = c->serial >= 0 ? fd_cloexec(c->serial, false) : 0;

	for (unsigned i = 0; i < c->n_ports && r == 0; i++)
		r = fd_cloexec(c->ports[i].fd, false);
	for (unsigned i = 0; i < c->n_disks && r == 0; i++)
		r = fd_cloexec(c->disks[i].fd, false);
	for (unsigned i = 0; i < c->n_nics && r == 0; i++)
		r = fd_cloexec(c->nics[i].fd, false);
	return r;
}

/* In a pid namespace of its own nobody can ask who the parent is; only the parent reads what we tell. */
static bool is_orphan(int tell)
{
	struct pollfd p = { .fd = tell };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
}

static void run(const struct vm_config *c, bool kvm, const struct args *a, int kernel, int tell)
{
	static char *const env[] = { NULL };
	struct err e = ERR_INIT;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;
	int r = null < 0 ? err_set(&e, errno, "open /dev/null") : 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < 2 && r == 0; i++)
		if (dup2(null, i) < 0)
			r = err_set(&e, errno, "set up QEMU's standard streams");
	/* What it complains about is part of why the machine ended. */
	if (r == 0 && dup2(c->serial >= 0 ? c->serial : null, 2) < 0)
		r = err_set(&e, errno, "set up QEMU's standard streams");
	if (r == 0)
		r = keep_open(c);
	if (r == 0)
		r = confine_namespaces(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET, &e);
	if (r == 0)
		r = enter_root(c, kvm, kernel, &e);
	if (r == 0)
		r = confine_identity(&e);
	/* After the change of user, which takes it back. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (r == 0 && !is_orphan(tell)) {
		execve(PROGRAM, a->at, env);
		err_set(&e, errno, "run " PROGRAM);
	}
	(void)!write(tell, &e, sizeof(e));
	_exit(1);
}

int qemu_start(const struct vm_config *c, bool kvm, pid_t *pid, struct err *e)
{
	/* In the mount namespace that it was opened in: the child has one of its own. */
	_cleanup_close_ int kernel = sys_clone_tree(c->kernel, "", 0);
	struct args a = { 0 };
	char path[64];
	struct err why;
	/* All sandboxes have the same user, who may kill and trace his processes: it sees nobody else's. */
	struct clone_args clone_args = { .flags = CLONE_NEWPID, .exit_signal = SIGCHLD };
	pid_t child;
	int tell[2], r = qemu_find(path, sizeof(path), e);
	ssize_t n;

	if (r == 0)
		r = check_places(c, e);
	if (r < 0)
		return r;
	if (kernel < 0)
		return err_set(e, -kernel, "show the guest's kernel to QEMU");
	build_args(&a, c, kvm);
	if (a.failed)
		return err_set(e, ENOMEM, "QEMU's command line");
	if (pipe2(tell, O_CLOEXEC) < 0)
		return err_set(e, errno, "make a pipe");
	child = (pid_t)syscall(SYS_clone3, &clone_args, sizeof(clone_args));
	if (child == 0) {
		close(tell[0]);
		run(c, kvm, &a, kernel, tell[1]);
	}
	r = child < 0 ? err_set(e, errno, "make a process for QEMU") : 0;
	close(tell[1]);
	/* Closed by its exec. */
	n = r == 0 ? read(tell[0], &why, sizeof(why)) : 0;
	close(tell[0]);
	for (size_t i = 0; i < a.n; i++)
		free(a.at[i]);
	if (r < 0)
		return r;
	if (n == (ssize_t)sizeof(why))
		return err_text(e, why.code, "%s", why.text);
	*pid = child;
	return 0;
}
