/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine of QEMU's "microvm", with the guest kernel that sandboxes boot and the payload as its
 * init: what a hypervisor costs that has no agent, no file system of the host's and no network (design.h).
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/design.h"

static int prepare(struct design *d, struct err *e)
{
	_cleanup_free_ char *initramfs = NULL;

	if (d->parameter && !str_eq(d->parameter, "kvm") && !str_eq(d->parameter, "tcg"))
		return err_text(e, EINVAL, "%s: the parameter is kvm or tcg", d->name);
	if (!*d->env->kernel)
		return err_text(e, ENOENT,
			"there is no kernel for guests; ./bootstrap kernel builds one, or name it "
			"with --kernel");
	if (design_initramfs(d, &initramfs, e) < 0)
		return -e->code;
	return design_find(d, "qemu-system-x86_64", "qemu-system-x86", e);
}

static int command(struct design *d, enum design_verb verb, const char *id, const char *const *payload,
	struct words *w, struct err *e)
{
	static const char *const fixed[] = { "-M", "microvm,acpi=off,pit=on,pic=on,rtc=on,isa-serial=on",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-chardev",
		"stdio,id=console,signal=off", "-serial", "chardev:console", "-smp", "1", NULL };
	static const char *const by_kvm[] = { "-accel", "kvm", "-cpu", "host", NULL };
	static const char *const by_tcg[] = { "-accel", "tcg,tb-size=64", "-cpu", "max", NULL };
	_cleanup_strbuf_ struct strbuf append = { 0 };
	_cleanup_free_ char *initramfs = NULL;
	int r;

	if (verb == DESIGN_EXEC)
		return err_text(e, ENOTSUP, "%s has nobody inside who could start something", d->name);
	r = design_initramfs(d, &initramfs, e);
	if (r < 0)
		return r;
	words_add(w, "%s", d->program);
	words_add(w, "-name");
	words_add(w, "%s", id);
	words_add_all(w, fixed);
	words_add_all(w, d->parameter && str_eq(d->parameter, "tcg") ? by_tcg : by_kvm);
	words_add(w, "-m");
	words_add(w, "%lluM", (unsigned long long)(d->env->guest_memory >> 20));
	words_add(w, "-kernel");
	words_add(w, "%s", d->env->kernel);
	words_add(w, "-initrd");
	words_add(w, "%s", initramfs);
	/* Either end of the guest is a reset, and that QEMU's own (-no-reboot). */
	strbuf_puts(&append, "console=ttyS0 quiet reboot=t panic=-1 rdinit=/init --");
	design_guest_words(payload, &append);
	words_add(w, "-append");
	words_add(w, "%s", append.s ? append.s : "");
	return append.failed ? err_set(e, ENOMEM, "make a command line") : 0;
}

static const char *const choices[] = { "kvm", "tcg", NULL };
const struct design_kind design_qemu = { .name = "qemu",
	.title = "QEMU microvm, the payload as its init",
	.attached = true,
	.machine = true,
	.choices = choices,
	.prepare = prepare,
	.command = command };
