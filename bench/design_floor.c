/* SPDX-License-Identifier: Apache-2.0 */
/* The speed limit: the bare system calls of a partition, by the program of floor.c (design.h). */
#include <errno.h>
#include <stdlib.h>

#include "bench/design.h"

/* All that the default config says, and not only what isolates (floor.c, -w). */
static bool is_whole(const struct design *d)
{
	return d->parameter && str_eq(d->parameter, "whole");
}

static int prepare(struct design *d, struct err *e)
{
	if (d->parameter && !is_whole(d))
		return err_text(
			e, EINVAL, "floor: the parameter must be \"whole\", not \"%s\"", d->parameter);
	return design_find(d, d->env->floor, "ringfence's own", e);
}

static int command(struct design *d, enum design_verb verb, const char *id, const char *const *payload,
	struct words *w, struct err *e)
{
	_cleanup_free_ char *root = NULL;
	int r = design_rootfs(d, &root, e);

	if (r < 0)
		return r;
	words_add(w, "%s", d->program);
	words_add(w, "%s", verb == DESIGN_EXEC ? "-x" : verb == DESIGN_STOP ? "-k" : "-n");
	words_add(w, "%s", id);
	if (verb == DESIGN_HOLD)
		words_add(w, "-d");
	if ((verb == DESIGN_RUN || verb == DESIGN_HOLD) && is_whole(d))
		words_add(w, "-w");
	if (verb == DESIGN_RUN || verb == DESIGN_HOLD)
		words_add(w, "%s", root);
	if (verb != DESIGN_STOP) {
		words_add(w, "/payload");
		words_add_all(w, payload);
	}
	return 0;
}

static void version(struct design *d, struct strbuf *out)
{
	strbuf_puts(out, PACKAGE_VERSION);
}

const struct design_kind design_floor = { .name = "floor",
	.title = "the bare system calls of a partition",
	.prepare = prepare,
	.command = command,
	.version = version };
