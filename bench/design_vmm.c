/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual machines of Firecracker and Cloud Hypervisor, as that of design_qemu.c: the same kernel, the
 * payload as init, one processor, no devices but a console. Both need KVM.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/json.h"
#include "bench/design.h"

static bool is_firecracker(const struct design *d)
{
	return d->kind == &design_firecracker;
}

static int prepare(struct design *d, struct err *e)
{
	_cleanup_free_ char *initramfs = NULL;
	int r = design_make_dirs(d, e);

	if (r == 0)
		r = design_find(d, d->parameter ? d->parameter : d->kind->name, d->kind->title, e);
	if (r == 0 && access("/dev/kvm", R_OK | W_OK) < 0)
		r = err_set(e, errno, "open /dev/kvm, which it needs");
	if (r == 0 && !*d->env->kernel)
		r = err_text(e, ENOENT,
			"there is no kernel for guests; ./bootstrap kernel builds one, or name it with "
			"--kernel");
	return r < 0 ? r : design_initramfs(d, &initramfs, e);
}

static int boot_words(const char *const *payload, struct strbuf *out, struct err *e)
{
	strbuf_puts(out, "console=ttyS0 quiet reboot=k panic=-1 pci=off rdinit=/init --");
	design_guest_words(payload, out);
	return out->failed ? err_set(e, ENOMEM, "make a command line") : 0;
}

/* Firecracker is told by a file. One for each payload: they differ in nothing else. */
static int firecracker_config(
	struct design *d, const char *const *payload, const char *initramfs, char **path, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	_cleanup_close_ int dir = open(d->scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_strbuf_ struct strbuf words = { 0 };
	const char *text;
	char name[64];
	size_t len;
	int r = boot_words(payload, &words, e);

	if (r < 0 || !w || dir < 0)
		return r < 0 ? r : err_set(e, w ? errno : ENOMEM, "write a config to %s", d->scratch);
	snprintf(name, sizeof(name), "%s%s.json", payload[0], payload[1] ? payload[1] : "");
	json_open_object(w, NULL);
	json_open_object(w, "boot-source");
	json_put_string(w, "kernel_image_path", d->env->kernel);
	json_put_string(w, "initrd_path", initramfs);
	json_put_string(w, "boot_args", words.s);
	json_close_object(w);
	json_open_array(w, "drives");
	json_close_array(w);
	json_open_object(w, "machine-config");
	json_put_i64(w, "vcpu_count", 1);
	json_put_u64(w, "mem_size_mib", d->env->guest_memory >> 20);
	json_close_object(w);
	json_close_object(w);
	text = json_writer_text(w, &len);
	if (!text || asprintf(path, "%s/%s", d->scratch, name) < 0)
		return err_set(e, ENOMEM, "write a config to %s", d->scratch);
	r = fd_replace_at(dir, name, 0644, text, len, e);
	if (r < 0) {
		free(*path);
		*path = NULL;
	}
	return r;
}

static int cloud_hypervisor(
	struct design *d, const char *const *payload, const char *initramfs, struct words *w, struct err *e)
{
	static const char *const fixed[] = { "--cpus", "boot=1", "--serial", "tty", "--console", "off",
		NULL };
	_cleanup_strbuf_ struct strbuf words = { 0 };
	int r = boot_words(payload, &words, e);

	if (r < 0)
		return r;
	words_add_all(w, fixed);
	words_add(w, "--kernel");
	words_add(w, "%s", d->env->kernel);
	words_add(w, "--initramfs");
	words_add(w, "%s", initramfs);
	words_add(w, "--memory");
	words_add(w, "size=%lluM", (unsigned long long)(d->env->guest_memory >> 20));
	words_add(w, "--cmdline");
	words_add(w, "%s", words.s);
	return 0;
}

static int command(struct design *d, enum design_verb verb, const char *id, const char *const *payload,
	struct words *w, struct err *e)
{
	_cleanup_free_ char *initramfs = NULL, *config = NULL;
	int r;

	if (verb == DESIGN_EXEC)
		return err_text(e, ENOTSUP, "%s has nobody inside who could start something", d->name);
	r = design_initramfs(d, &initramfs, e);
	if (r < 0)
		return r;
	words_add(w, "%s", d->program);
	if (!is_firecracker(d))
		return cloud_hypervisor(d, payload, initramfs, w, e);
	r = firecracker_config(d, payload, initramfs, &config, e);
	if (r < 0)
		return r;
	words_add(w, "--no-api");
	words_add(w, "--config-file");
	words_add(w, "%s", config);
	words_add(w, "--id");
	words_add(w, "%s", id);
	return 0;
}

#define VMM .attached = true, .machine = true, .prepare = prepare, .command = command

const struct design_kind design_firecracker = { .name = "firecracker", .title = "Firecracker", VMM };
const struct design_kind design_cloud_hypervisor = {
	.name = "cloud-hypervisor", .title = "Cloud Hypervisor", VMM
};
