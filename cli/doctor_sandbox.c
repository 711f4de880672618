/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence doctor: what sandboxes need beside that. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/doctor.h"
#include "sandbox/net.h"
#include "sandbox/qemu.h"

static void look_rights(struct doctor *d, struct doctor_finding *f)
{
	f->why = d->root ? "root" : "a user";
	if (d->root)
		return;
	f->state = DOCTOR_MISSING;
	f->why = "a user: a sandbox's network, directories and confinement are made with root's powers";
	f->what = "run as root";
}

static void look_kvm(struct doctor *d, struct doctor_finding *f)
{
	char *why = arena_alloc(d->arena, VM_WHY_MAX);

	if (!why) {
		f->state = DOCTOR_MISSING;
		f->why = "no memory";
		return;
	}
	d->kvm = vm_kvm_probe("/dev/kvm", why);
	f->why = why;
	if (d->kvm == VM_KVM_NATIVE)
		return;
	f->state = d->kvm == VM_KVM_NONE ? DOCTOR_MISSING : DOCTOR_LIMITED;
	if (access("/dev/kvm", F_OK) == 0 && access("/dev/kvm", R_OK | W_OK) < 0) {
		f->what = "run as root, or be allowed to read and write /dev/kvm";
		return;
	}
	f->what = d->kvm == VM_KVM_NONE ? "load kvm_intel or kvm_amd, and switch virtualization on in the "
					  "firmware; in a virtual "
					  "machine, ask its host for nested virtualization"
					: "ask this machine's host for nested virtualization; until then "
					  "sandboxes run by software "
					  "emulation";
}

static void look_qemu(struct doctor *d, struct doctor_finding *f)
{
	struct err e = ERR_INIT;
	char path[PATH_MAX];

	if (qemu_find(path, sizeof(path), &e) == 0) {
		f->why = doctor_say(d, "%s", path);
		return;
	}
	f->state = d->kvm == VM_KVM_NATIVE ? DOCTOR_LIMITED : DOCTOR_MISSING;
	f->why = doctor_say(d, "%s", e.text);
	f->what = d->kvm == VM_KVM_NATIVE ? "needed for --accel tcg only"
					  : "install the package qemu-system-x86";
}

/* After the two above. */
static void look_accel(struct doctor *d, struct doctor_finding *f)
{
	char path[PATH_MAX];

	if (d->kvm == VM_KVM_NATIVE) {
		d->accel = VM_ACCEL_KVM;
		f->why = "auto takes kvm";
	} else if (qemu_find(path, sizeof(path), NULL) == 0) {
		d->accel = VM_ACCEL_TCG;
		f->state = DOCTOR_LIMITED;
		f->why = "auto takes tcg: software emulation, slower by an order of magnitude";
	} else {
		f->state = DOCTOR_MISSING;
		f->why = "neither KVM nor QEMU";
	}
}

/* What the kernel says of itself, "Linux version 6.1.2 (…": NULL where it does not. */
static const char *version_in(struct doctor *d, int fd, off_t size)
{
	static const char said[] = "Linux version ";
	char *text = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0), *at;
	const char *version = NULL;

	if (text == MAP_FAILED)
		return NULL;
	at = memmem(text, (size_t)size, said, sizeof(said) - 1);
	if (at && at - text + 80 < size) {
		size_t n = 0;

		at += sizeof(said) - 1;
		while (n < 64 && at[n] > ' ' && at[n] < 0x7f)
			n++;
		version = doctor_say(d, "Linux %.*s", (int)n, at);
	}
	munmap(text, (size_t)size);
	return version;
}

static void look_guest_kernel(struct doctor *d, struct doctor_finding *f)
{
	const char *path = vm_kernel_default(), *version;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char magic[4] = "";
	struct stat st;

	if (fd < 0) {
		f->state = DOCTOR_MISSING;
		f->why = doctor_say(d, "%s: %s", path, strerror(errno));
		f->what = "./bootstrap kernel, or libexec/ringfence/guest-kernel/build, makes it; "
			  "RINGFENCE_GUEST_KERNEL names another";
		return;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || pread(fd, magic, 4, 0) != 4 ||
		memcmp(magic, "\177ELF", 4) != 0) {
		f->state = DOCTOR_MISSING;
		f->why = doctor_say(d, "%s is no uncompressed kernel (an ELF file, \"vmlinux\")", path);
		f->what = "scripts/extract-vmlinux of Linux's source makes one of a bzImage";
		return;
	}
	version = version_in(d, fd, st.st_size);
	f->why = doctor_say(d, "%s, %s", version ? version : "of a version that it does not tell", path);
}

static void look_agent(struct doctor *d, struct doctor_finding *f)
{
	char path[PATH_MAX];

	vm_agent_default(path, sizeof(path));
	f->why = doctor_say(d, "%s", path);
	if (access(path, R_OK) == 0)
		return;
	f->state = DOCTOR_MISSING;
	f->why = doctor_say(d, "%s: %s", path, strerror(errno));
	f->what = "install it (make install); RINGFENCE_GUEST_AGENT names another";
}

/* --- the network, in a namespace that goes with the process ----------------------------------------- */

static int make_interface(struct err *e)
{
	struct ifreq ifr = { .ifr_name = "doctor0", .ifr_flags = IFF_TAP | IFF_NO_PI };
	int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC), sock;

	if (tun < 0)
		return err_set(e, errno, "open /dev/net/tun");
	if (ioctl(tun, TUNSETIFF, &ifr) < 0)
		return err_set(e, errno, "make a tap device");
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ifr.ifr_flags = IFF_UP;
	if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &ifr) < 0)
		return err_set(e, errno, "switch a tap device on");
	return 0;
}

static int connect_once(struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	struct vm_nic nics[VM_NICS_MAX];
	unsigned n = 0;
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return err_set(e, errno, "make a network namespace");
	r = make_interface(e);
	if (r < 0)
		return r;
	json_open_object(w, NULL);
	return vm_net_connect(nics, &n, w, e);
}

static void look_network(struct doctor *d, struct doctor_finding *f)
{
	struct err e = ERR_INIT;
	int tell[2], status;
	pid_t pid;

	f->state = DOCTOR_MISSING;
	f->why = "not tried: that takes root";
	if (!d->root)
		return;
	f->why = "no process could be made to try";
	if (pipe2(tell, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		int r = connect_once(&e);

		(void)!write(tell[1], &e, sizeof(e));
		_exit(r < 0);
	}
	close(tell[1]);
	if (pid > 0 && read(tell[0], &e, sizeof(e)) == sizeof(e) && waitpid(pid, &status, 0) == pid) {
		f->state = e.code ? DOCTOR_MISSING : DOCTOR_OK;
		f->why = e.code ? doctor_say(d, "%s", e.text)
				: "a tap device beside an interface, and tc's redirection between them";
		f->what = e.code ? "load the modules tun, sch_ingress, cls_u32, act_mirred" : NULL;
	}
	close(tell[0]);
}

const struct doctor_check doctor_sandbox[] = {
	{ "rights", true, look_rights },
	{ "kvm", false, look_kvm },
	{ "qemu", false, look_qemu },
	{ "acceleration", true, look_accel },
	{ "guest's kernel", true, look_guest_kernel },
	{ "guest's agent", true, look_agent },
	{ "network: tun, tc", true, look_network },
	{ 0 },
};
