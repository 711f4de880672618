/* SPDX-License-Identifier: Apache-2.0 */
/* No design at all: the payload as a process of the host, which is what overhead is compared with (design.h).
 */
#include "bench/design.h"

static int prepare(struct design *d, struct err *e)
{
	return design_find(d, d->env->payload, "ringfence's own", e);
}

static int command(struct design *d, enum design_verb verb, const char *id, const char *const *payload,
	struct words *w, struct err *e)
{
	words_add(w, "%s", d->program);
	words_add_all(w, payload);
	/* Looked at by nobody but who looks for it. */
	words_add(w, "%s", id);
	return 0;
}

static void version(struct design *d, struct strbuf *out)
{
	strbuf_puts(out, PACKAGE_VERSION);
}

const struct design_kind design_host = { .name = "host",
	.title = "a process of this host, without any design",
	.attached = true,
	.prepare = prepare,
	.command = command,
	.version = version };
