/* SPDX-License-Identifier: Apache-2.0 */
/* What payloads run from: a root file system, OCI bundles, an initramfs (design.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "bench/design.h"

#define PAYLOAD "/payload"

static int copy_file(const char *from, const char *to, mode_t mode, struct err *e)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC), out = -EBADF;
	ssize_t n = 1;

	if (in < 0)
		return err_set(e, errno, "open %s", from);
	out = open(to, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (out < 0)
		return err_set(e, errno, "make %s", to);
	while (n > 0)
		n = sendfile(out, in, NULL, 1 << 24);
	return n < 0 || fchmod(out, mode) < 0 ? err_set(e, errno, "copy %s to %s", from, to) : 0;
}

int design_rootfs(struct design *d, char **path, struct err *e)
{
	static const char *const dirs[] = { "rootfs", "rootfs/dev", "rootfs/proc", "rootfs/sys",
		"rootfs/tmp" };
	_cleanup_free_ char *payload = site_path(d->env->site, "rootfs" PAYLOAD), *root = NULL;
	int r = payload ? 0 : err_set(e, ENOMEM, "make a root file system");

	for (size_t i = 0; i < ARRAY_SIZE(dirs) && r == 0; i++) {
		_cleanup_free_ char *made = NULL;

		r = site_make_dir(d->env->site, dirs[i], &made, e);
		if (i == 0)
			root = TAKE_PTR(made);
	}
	if (r == 0 && access(payload, X_OK) < 0)
		r = copy_file(d->env->payload, payload, 0755, e);
	if (r == 0)
		*path = TAKE_PTR(root);
	return r;
}

/* --- bundles ------------------------------------------------------------------------------------------ */

/* The config that `ringfence spec` writes, which is runc's and crun's default: once a run. */
static int default_config(struct design *d, char **text, size_t *len, struct err *e)
{
	_cleanup_free_ char *dir = NULL, *file = site_path(d->env->site, "spec/config.json");
	_cleanup_words_ struct words w = { 0 };
	int r = site_make_dir(d->env->site, "spec", &dir, e);

	if (r < 0 || !file)
		return r < 0 ? r : err_set(e, ENOMEM, "make a config");
	if (access(file, F_OK) < 0) {
		words_add(&w, "%s", d->env->runtime);
		words_add(&w, "spec");
		words_add(&w, "--bundle");
		words_add(&w, "%s", dir);
		r = proc_must(&w, 10000, e);
		if (r < 0)
			return r;
	}
	r = fd_read_at(AT_FDCWD, file, 1 << 20, text, len);
	return r < 0 ? err_set(e, -r, "read %s", file) : 0;
}

static void put_process(
	struct json_writer *w, const struct design *d, const struct json *process, const char *const *payload)
{
	const struct json *m;
	char mark[64];

	snprintf(mark, sizeof(mark), "RINGFENCE_BENCH_RUN=%s", d->env->site->id);
	json_open_object(w, "process");
	json_each (m, process) {
		if (str_eq(m->key, "terminal") || str_eq(m->key, "args") || str_eq(m->key, "env"))
			continue;
		json_put_json(w, m->key, m);
	}
	json_put_bool(w, "terminal", false);
	json_open_array(w, "args");
	json_put_string(w, NULL, PAYLOAD);
	for (; *payload; payload++)
		json_put_string(w, NULL, *payload);
	json_close_array(w);
	json_open_array(w, "env");
	json_put_string(w, NULL, "PATH=/");
	json_put_string(w, NULL, mark);
	json_close_array(w);
	json_close_object(w);
}

static int write_config(struct design *d, const char *bundle, const struct json *config, const char *root,
	const char *const *payload, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	_cleanup_close_ int dir = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct json *m;
	const char *text;
	size_t len;

	if (!w || dir < 0)
		return err_set(e, w ? errno : ENOMEM, "write a config to %s", bundle);
	json_open_object(w, NULL);
	json_each (m, config) {
		if (str_eq(m->key, "process")) {
			put_process(w, d, m, payload);
		} else if (str_eq(m->key, "root")) {
			json_open_object(w, "root");
			json_put_string(w, "path", root);
			json_put_bool(w, "readonly", true);
			json_close_object(w);
		} else {
			json_put_json(w, m->key, m);
		}
	}
	if (d->kind->machine) {
		char memory[32];

		snprintf(memory, sizeof(memory), "%lluM",
			(unsigned long long)(d->env->guest_memory / (1 << 20)));
		json_open_object(w, "annotations");
		json_put_string(w, "io.ringfence.sandbox.memory", memory);
		json_close_object(w);
	}
	json_close_object(w);
	text = json_writer_text(w, &len);
	if (!text)
		return err_set(e, ENOMEM, "write a config to %s", bundle);
	return fd_replace_at(dir, "config.json", 0644, text, len, e);
}

int design_bundle(struct design *d, const char *const *payload, char **path, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_strbuf_ struct strbuf name = { 0 };
	_cleanup_free_ char *bundle = NULL, *config = NULL, *root = NULL, *text = NULL;
	const struct json *j;
	size_t len;
	int r;

	strbuf_printf(&name, "%s/bundle", d->kind->machine ? "bundles/machine" : "bundles/partition");
	for (const char *const *p = payload; *p; p++)
		strbuf_printf(&name, "-%s", *p);
	if (!a || name.failed)
		return err_set(e, ENOMEM, "make a bundle");
	bundle = site_path(d->env->site, name.s);
	if (!bundle || asprintf(&config, "%s/config.json", bundle) < 0)
		return err_set(e, ENOMEM, "make a bundle");
	if (access(config, F_OK) == 0) {
		*path = TAKE_PTR(bundle);
		return 0;
	}
	r = path_make(bundle, 0755, e);
	if (r == 0)
		r = design_rootfs(d, &root, e);
	if (r == 0)
		r = default_config(d, &text, &len, e);
	if (r == 0)
		r = json_parse(a, text, len, "the default config.json", &j, e);
	if (r == 0)
		r = write_config(d, bundle, j, root, payload, e);
	if (r == 0)
		*path = TAKE_PTR(bundle);
	return r;
}

/* --- an initramfs ------------------------------------------------------------------------------------- */

/* A member of a "newc" archive (linux, Documentation/driver-api/early-userspace/buffer-format.rst). */
static void put_member(struct strbuf *out, const char *name, unsigned mode, const char *data, size_t len,
	unsigned major, unsigned minor)
{
	static unsigned inode = 1;
	static const char zeros[4];

	strbuf_printf(out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", inode++, mode, 0u,
		0u, 1u, 0u, (unsigned)len, 0u, 0u, major, minor, (unsigned)strlen(name) + 1, 0u);
	strbuf_add(out, name, strlen(name) + 1);
	strbuf_add(out, zeros, (4 - out->len % 4) % 4);
	if (len)
		strbuf_add(out, data, len);
	strbuf_add(out, zeros, (4 - out->len % 4) % 4);
}

int design_initramfs(struct design *d, char **path, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	_cleanup_free_ char *payload = NULL, *file = site_path(d->env->site, "initramfs");
	size_t len;
	int r;

	if (!file)
		return err_set(e, ENOMEM, "make an initramfs");
	if (access(file, F_OK) == 0) {
		*path = TAKE_PTR(file);
		return 0;
	}
	r = fd_read_at(AT_FDCWD, d->env->payload, 16 << 20, &payload, &len);
	if (r < 0)
		return err_set(e, -r, "read %s", d->env->payload);
	put_member(&out, "dev", S_IFDIR | 0755, NULL, 0, 0, 0);
	put_member(&out, "dev/console", S_IFCHR | 0600, NULL, 0, 5, 1);
	put_member(&out, "init", S_IFREG | 0755, payload, len, 0, 0);
	put_member(&out, "payload", S_IFREG | 0755, payload, len, 0, 0);
	put_member(&out, "TRAILER!!!", 0, NULL, 0, 0, 0);
	if (out.failed)
		return err_set(e, ENOMEM, "make an initramfs");
	r = fd_replace_at(d->env->site->dir, "initramfs", 0644, out.s, out.len, e);
	if (r == 0)
		*path = TAKE_PTR(file);
	return r;
}

void design_guest_words(const char *const *payload, struct strbuf *out)
{
	for (const char *const *p = payload; *p; p++) {
		/* In a machine whose init they are, these two have to end it. */
		bool ends = p == payload && (str_eq(*p, "first") || str_eq(*p, "work"));

		strbuf_printf(out, " %s%s", ends ? "vm-" : "", *p);
	}
}
