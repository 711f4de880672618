/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ringfence launch: a partition of an image, as people make them from a shell (design.h). It chooses its own
 * mounts, cgroups, user namespace and seccomp filter, and a held one has a supervisor, which keeps its log
 * and its exit status. The image is the payload's root file system.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/design.h"

#define IMAGE	       "bench-payload"
#define IMPORT_TIMEOUT 30000

static void add_globals(const struct design *d, struct words *w)
{
	words_add(w, "%s", d->program);
	words_add(w, "--root");
	words_add(w, "%s/root", d->state);
	words_add(w, "--data");
	words_add(w, "%s", d->state);
}

static int import(struct design *d, struct err *e)
{
	_cleanup_words_ struct words w = { 0 };
	_cleanup_free_ char *root = NULL;
	int r = design_rootfs(d, &root, e);

	if (r < 0)
		return r;
	add_globals(d, &w);
	words_add(&w, "import");
	words_add(&w, "--quiet");
	words_add(&w, "%s", root);
	words_add(&w, IMAGE);
	return proc_must(&w, IMPORT_TIMEOUT, e);
}

static int prepare(struct design *d, struct err *e)
{
	int r = design_make_dirs(d, e);

	if (r == 0)
		r = design_find(d, d->parameter ? d->parameter : d->env->runtime, "ringfence", e);
	/* Who cleans up has no use for an image, and perhaps no room. */
	return r < 0 || !d->env->payload || !*d->env->payload || d->cleaning ? r : import(d, e);
}

static int command(struct design *d, enum design_verb verb, const char *id, const char *const *payload,
	struct words *w, struct err *e)
{
	static const char *const verbs[] = { "launch", "launch", "exec", "rm" };
	bool makes = verb == DESIGN_RUN || verb == DESIGN_HOLD;

	if ((size_t)verb >= ARRAY_SIZE(verbs))
		return err_text(e, ENOTSUP, "launch has no such verb");
	add_globals(d, w);
	words_add(w, "%s", verbs[verb]);
	if (verb == DESIGN_RUN)
		words_add(w, "--rm");
	if (verb == DESIGN_HOLD)
		words_add(w, "--detach");
	if (verb == DESIGN_STOP)
		words_add(w, "--force");
	if (makes) {
		words_add(w, "--env");
		words_add(w, "RINGFENCE_BENCH_RUN=%s", d->env->site->id);
		words_add(w, IMAGE);
	}
	words_add(w, "%s", id);
	if (makes)
		words_add(w, "--");
	if (verb != DESIGN_STOP) {
		words_add(w, "/payload");
		words_add_all(w, payload);
	}
	return 0;
}

/* Each has a directory below DATA/partitions. */
static void list(struct design *d, void (*each)(struct design *d, const char *id))
{
	_cleanup_strbuf_ struct strbuf path = { 0 };
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;

	strbuf_printf(&path, "%s/partitions", d->state);
	dir = path.failed ? NULL : opendir(path.s);
	while (dir && (entry = readdir(dir)))
		if (str_starts(entry->d_name, "rfb-"))
			each(d, entry->d_name);
}

const struct design_kind design_launch = { .name = "launch",
	.title = "ringfence launch, a partition of an image, with a supervisor when it is held",
	.says_on_return = true,
	.prepare = prepare,
	.command = command,
	.list = list };
