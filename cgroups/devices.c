/* SPDX-License-Identifier: Apache-2.0 */
/* Device rules: the default ones, and the form in which a v1 devices cgroup holds an ordered list. No side
 * effects. */
#include "cgroups/internal.h"

#include <inttypes.h>
#include <stdio.h>

enum { ALL = SPEC_DEV_READ | SPEC_DEV_WRITE | SPEC_DEV_MKNOD, RW = SPEC_DEV_READ | SPEC_DEV_WRITE };

/*
 * What every partition may use, after the config's own rules, as with runc: the nodes that the spec wants in
 * /dev, pseudo-terminals, and mknod of anything (a node that cannot be opened is harmless, and package
 * managers and image builds make them).
 */
static const struct spec_dev_rule defaults[] = {
	{ .allow = true, .type = 'c', .major = -1, .minor = -1, .access = SPEC_DEV_MKNOD },
	{ .allow = true, .type = 'b', .major = -1, .minor = -1, .access = SPEC_DEV_MKNOD },
	{ .allow = true, .type = 'c', .major = 1, .minor = 3, .access = RW },	 /* null */
	{ .allow = true, .type = 'c', .major = 1, .minor = 5, .access = RW },	 /* zero */
	{ .allow = true, .type = 'c', .major = 1, .minor = 7, .access = RW },	 /* full */
	{ .allow = true, .type = 'c', .major = 1, .minor = 8, .access = RW },	 /* random */
	{ .allow = true, .type = 'c', .major = 1, .minor = 9, .access = RW },	 /* urandom */
	{ .allow = true, .type = 'c', .major = 5, .minor = 0, .access = RW },	 /* tty */
	{ .allow = true, .type = 'c', .major = 5, .minor = 2, .access = RW },	 /* ptmx */
	{ .allow = true, .type = 'c', .major = 136, .minor = -1, .access = RW }, /* pts */
};

static bool is_all(const struct spec_dev_rule *r)
{
	return r->type == 'a' && r->major < 0 && r->minor < 0;
}

int cg_dev_rules(
	struct arena *a, const struct spec_resources *r, struct spec_dev_rule **out, size_t *n, struct err *e)
{
	size_t count = r ? r->n_devices : 0;
	/* 'a' rules may become two, one for each type. */
	struct spec_dev_rule *v = arena_calloc(a, 2 * count + ARRAY_SIZE(defaults), sizeof(*v));
	size_t k = 0;

	if (!v)
		return err_set(e, ENOMEM, "device rules");
	for (size_t i = 0; i < count; i++) {
		const struct spec_dev_rule *d = &r->devices[i];

		if ((d->type != 'a' && d->type != 'b' && d->type != 'c') || d->major > INT32_MAX ||
			d->minor > INT32_MAX || !(d->access & ALL))
			return err_text(e, EINVAL,
				"linux.resources.devices[%zu]: type a, b or c, device numbers below 2^31 and "
				"an access out of r, w, m are "
				"wanted",
				i);
		v[k] = *d;
		if (d->type == 'a' && !((d->access & ALL) == ALL && is_all(d))) {
			/* "all" with a number or with less than all access is a rule for blocks and one for
			 * characters. */
			v[k].type = 'b';
			v[++k] = *d;
			v[k].type = 'c';
		}
		k++;
	}
	memcpy(v + k, defaults, sizeof(defaults));
	*out = v;
	*n = k + ARRAY_SIZE(defaults);
	return 0;
}

/* a's devices include b's. */
static bool covers(const struct spec_dev_rule *a, const struct spec_dev_rule *b)
{
	return a->type == b->type && (a->major < 0 || a->major == b->major) &&
	       (a->minor < 0 || a->minor == b->minor);
}

static bool overlaps(const struct spec_dev_rule *a, const struct spec_dev_rule *b)
{
	return a->type == b->type && (a->major < 0 || b->major < 0 || a->major == b->major) &&
	       (a->minor < 0 || b->minor < 0 || a->minor == b->minor);
}

int cg_dev_flatten(struct spec_dev_rule *rules, size_t *n, bool *allow_all, struct err *e)
{
	char text[64];
	size_t kept = 0;
	bool all = false; /* nothing is allowed before the first rule */

	for (size_t i = 0; i < *n; i++) {
		struct spec_dev_rule r = rules[i];

		if (is_all(&r)) {
			all = r.allow;
			kept = 0;
			continue;
		}
		if (r.allow != all) { /* one exception more */
			size_t k;

			for (k = 0; k < kept; k++)
				if (covers(&rules[k], &r) && covers(&r, &rules[k]))
					break;
			if (k < kept) {
				rules[k].access |= r.access;
				continue;
			}
			rules[kept++] = r;
			continue;
		}
		/* Back to the general state: from every exception within. */
		for (size_t k = 0; k < kept; k++) {
			if (!overlaps(&rules[k], &r) || !(rules[k].access & r.access))
				continue;
			if (!covers(&r, &rules[k])) {
				cg_dev_text(&r, text, sizeof(text));
				return err_text(e, EINVAL,
					"linux.resources.devices: %s '%s' makes an exception to a wider rule "
					"before it, which the devices "
					"controller of cgroup v1 cannot hold",
					r.allow ? "allowing" : "denying", text);
			}
			rules[k].access &= (uint8_t)~r.access;
			if (!rules[k].access)
				rules[k--] = rules[--kept];
		}
	}
	*n = kept;
	*allow_all = all;
	return 0;
}

void cg_dev_text(const struct spec_dev_rule *r, char *buf, size_t size)
{
	char major[24] = "*", minor[24] = "*";

	if (r->major >= 0)
		snprintf(major, sizeof(major), "%" PRId64, r->major);
	if (r->minor >= 0)
		snprintf(minor, sizeof(minor), "%" PRId64, r->minor);
	snprintf(buf, size, "%c %s:%s %s%s%s", r->type, major, minor, r->access & SPEC_DEV_READ ? "r" : "",
		r->access & SPEC_DEV_WRITE ? "w" : "", r->access & SPEC_DEV_MKNOD ? "m" : "");
}

int cg_write_devices(const struct cgrp *c, const struct spec_resources *r, bool fresh, struct err *e)
{
	const struct cg_node *v1 = cg_v1(c, "devices"), *v2 = cg_v2(c);
	struct spec_dev_rule *rules;
	size_t n;
	int q;

	/* An update without device rules leaves them as they are. */
	if (!fresh && (!r || r->n_devices == 0))
		return 0;
	if (!v1 && !v2) {
		/* What the user asked for must hold; the defaults need no cgroup where mknod is impossible
		 * anyway. */
		if (r && r->n_devices > 0 && !c->rootless)
			return err_text(e, ENODEV,
				"linux.resources.devices needs the devices controller (v1) or cgroup v2, and "
				"neither is mounted on this "
				"host");
		return 0;
	}
	q = cg_dev_rules(c->arena, r, &rules, &n, e);
	if (q < 0)
		return q;
	fresh = fresh && (v1 ? v1->made : v2->made);
	q = v1 ? cg_dev_v1(v1, rules, n, fresh, e) : cg_dev_bpf(v2, rules, n, fresh, e);
	/* Rootless: the kernel grants no program and no v1 write, and no device node can be made or mounted
	 * either. */
	if (c->rootless && (q == -EPERM || q == -EACCES)) {
		err_clear(e);
		return 0;
	}
	return q;
}
