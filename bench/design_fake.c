/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A design whose cost is known: a process with so much memory and so long a start as was said (design.h).
 * What is measured of it tells whether the benchmark measures; and it can leave things behind, or fail.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/design.h"

#define COST_MIN 65536

static int take_key(struct design *d, const char *key, const char *value, struct err *e)
{
	const struct {
		const char *name;
		uint64_t *to;
		bool size;
	} keys[] = { { "cost", &d->cost, true }, { "delay", &d->delay, false }, { "leak", &d->leak, false },
		{ "fail", &d->fail, false }, { "nest", &d->nest, false } };
	int64_t size = -1;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!str_eq(key, keys[i].name))
			continue;
		if (keys[i].size ? str_to_size(value, &size) < 0 || size < 0
				 : str_to_u64(value, keys[i].to) < 0)
			return err_text(e, EINVAL, "%s: \"%s\" is no value for %s", d->name, value, key);
		if (keys[i].size)
			*keys[i].to = (uint64_t)size;
		return 0;
	}
	return err_text(
		e, EINVAL, "%s: the keys are cost, delay, leak, fail and nest, not \"%s\"", d->name, key);
}

static int prepare(struct design *d, struct err *e)
{
	_cleanup_free_ char *words = strdup(d->parameter ? d->parameter : "");
	int r = words ? 0 : err_set(e, ENOMEM, "prepare %s", d->name);

	for (char *p = words; r == 0 && *p;) {
		size_t n = strcspn(p, "+");
		bool last = p[n] == '\0';
		char *equals;

		p[n] = '\0';
		equals = strchr(p, '=');
		if (!equals) {
			r = err_text(e, EINVAL, "%s: \"%s\" is not KEY=VALUE", d->name, p);
			break;
		}
		*equals = '\0';
		r = take_key(d, p, equals + 1, e);
		p += n + !last;
	}
	if (d->cost < COST_MIN)
		d->cost = COST_MIN;
	return r < 0 ? r : design_find(d, d->env->payload, "ringfence's own", e);
}

static int command(struct design *d, enum design_verb verb, const char *id, const char *const *payload,
	struct words *w, struct err *e)
{
	uint64_t serial = 0;
	const char *dash = strrchr(id, '-');

	if (dash)
		str_to_u64(dash + 1, &serial);
	words_add(w, "%s", d->program);
	if (d->fail && serial % d->fail == 0) {
		words_add(w, "as-it-was-told-to-fail");
	} else if (verb == DESIGN_HOLD) {
		words_add(w, "%s", d->nest ? "nest" : "hold");
		words_add(w, "%llu", (unsigned long long)d->cost);
		words_add(w, "%llu", (unsigned long long)d->delay);
	} else if (str_eq(payload[0], "first")) {
		words_add(w, "late");
		words_add(w, "%llu", (unsigned long long)d->delay);
	} else {
		words_add_all(w, payload);
	}
	words_add(w, "%s", id);
	return 0;
}

/* Every `leak`th is left running. */
static bool may_stop(struct design *d, const char *id)
{
	uint64_t serial = 0;
	const char *dash = strrchr(id, '-');

	return !d->leak || !dash || str_to_u64(dash + 1, &serial) < 0 || serial % d->leak != 0;
}

static void version(struct design *d, struct strbuf *out)
{
	strbuf_puts(out, PACKAGE_VERSION);
}

const struct design_kind design_fake = { .name = "fake",
	.title = "a process of a known cost",
	.attached = true,
	.prepare = prepare,
	.command = command,
	.version = version,
	.may_stop = may_stop };
