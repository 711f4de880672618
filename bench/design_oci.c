/* SPDX-License-Identifier: Apache-2.0 */
/* Designs that are OCI runtimes, called by their command line: partitions and sandboxes (design.h). */
#include <errno.h>
#include <stdlib.h>

#include "bench/design.h"

static bool is_sandbox(const struct design *d)
{
	return d->kind == &design_sandbox;
}

static int prepare(struct design *d, struct err *e)
{
	static const struct {
		const struct design_kind *kind;
		const char *program, *package;
	} programs[] = {
		{ &design_crun, "crun", "crun" },
		{ &design_runc, "runc", "runc" },
		{ &design_runsc, "runsc", "runsc (gVisor)" },
	};
	int r = design_make_dirs(d, e);

	if (r < 0)
		return r;
	/* The sandbox's parameter is no path. */
	if (d->parameter && !is_sandbox(d))
		return design_find(d, d->parameter, d->kind->name, e);
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (d->kind == programs[i].kind)
			return design_find(d, programs[i].program, programs[i].package, e);
	return design_find(d, d->env->runtime, "ringfence", e);
}

static int command(struct design *d, enum design_verb verb, const char *id, const char *const *payload,
	struct words *w, struct err *e)
{
	static const char *const verbs[] = { "run", "run", "exec", "delete", "create", "start" };
	_cleanup_free_ char *bundle = NULL;
	bool makes = verb == DESIGN_RUN || verb == DESIGN_HOLD || verb == DESIGN_CREATE;
	int r = makes ? design_bundle(d, payload, &bundle, e) : 0;

	if (r < 0)
		return r;
	words_add(w, "%s", d->program);
	words_add(w, "--root");
	words_add(w, "%s", d->state);
	if (d->kind == &design_runsc)
		words_add(w, "--network=none");
	words_add(w, "%s", verbs[verb]);
	if (makes && is_sandbox(d)) {
		words_add(w, "--isolation");
		words_add(w, "sandbox");
		words_add(w, "--accel");
		words_add(w, "%s", d->parameter ? d->parameter : "auto");
	}
	if (verb == DESIGN_HOLD)
		words_add(w, "--detach");
	if (verb == DESIGN_STOP)
		words_add(w, "--force");
	if (makes) {
		words_add(w, "--bundle");
		words_add(w, "%s", bundle);
	}
	words_add(w, "%s", id);
	if (verb == DESIGN_EXEC) {
		words_add(w, "/payload");
		words_add_all(w, payload);
	}
	return 0;
}

/* They all keep a directory for each container below --root. */
static void list(struct design *d, void (*each)(struct design *d, const char *id))
{
	_cleanup_closedir_ DIR *dir = opendir(d->state);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (str_starts(entry->d_name, "rfb-"))
			each(d, entry->d_name);
}

#define OCI .steps = true, .prepare = prepare, .command = command, .list = list

const struct design_kind design_ringfence = {
	.name = "ringfence", .title = "ringfence, a partition", .own_steps = true, OCI
};
const struct design_kind design_crun = { .name = "crun", .title = "crun", OCI };
const struct design_kind design_runc = { .name = "runc", .title = "runc", OCI };
const struct design_kind design_runsc = { .name = "runsc", .title = "gVisor's runsc", OCI };

static const char *const accels[] = { "kvm", "tcg", NULL };
const struct design_kind design_sandbox = { .name = "sandbox",
	.title = "ringfence, a sandbox with a kernel of its own",
	.machine = true,
	.choices = accels,
	OCI };
