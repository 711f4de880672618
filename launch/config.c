/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json of a launched partition (see config.h).
 *
 * Theory of operation
 *   Everything is read first, into struct cfg, a file for each subject; then it is written. What a label says
 * is the image's word, and nothing that the runtime or one that it stands in for acts on may come from there
 * (CVE-2026-53488): such a key is left out, with no error, since images carry anything. What --annotation
 * says is the caller's.
 */
#include "launch/config_internal.h"

#include <stdio.h>

#include "cgroups/cgroup.h"
#include "launch/config.h"

int cfg_no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "write config.json");
}

void cfg_add(struct cfg_vec *v, struct arena *a, const char *s)
{
	if (v->failed || !s) {
		v->failed = true;
		return;
	}
	if (v->n + 1 >= v->room) {
		size_t room = v->room ? v->room * 2 : 8;
		char **bigger = arena_calloc(a, room, sizeof(*bigger));

		if (!bigger) {
			v->failed = true;
			return;
		}
		if (v->n)
			memcpy(bigger, v->v, v->n * sizeof(*bigger));
		v->v = bigger;
		v->room = room;
	}
	v->v[v->n++] = (char *)s;
	v->v[v->n] = NULL;
}

void cfg_add_all(struct cfg_vec *v, struct arena *a, char *const *list)
{
	const char *s;

	strv_each (s, list)
		cfg_add(v, a, s);
}

/* FNV-1a. */
static size_t hash(const char *s, size_t len)
{
	uint32_t h = 2166136261U;

	while (len--)
		h = (h ^ (unsigned char)*s++) * 16777619U;
	return h;
}

static size_t *name_slot(
	size_t *at, size_t room, const struct cfg_vec *v, const char *name, size_t len, char end)
{
	for (size_t k = hash(name, len) & (room - 1);; k = (k + 1) & (room - 1))
		if (!at[k] || (strncmp(v->v[at[k] - 1], name, len) == 0 && v->v[at[k] - 1][len] == end))
			return &at[k];
}

static bool names_grow(struct cfg_names *t, struct arena *a, const struct cfg_vec *v, char end)
{
	size_t room = t->room ? t->room * 2 : 64, *at = arena_calloc(a, room, sizeof(*at));

	if (!at)
		return false;
	for (size_t k = 0; k < t->room; k++)
		if (t->at[k]) {
			const char *s = v->v[t->at[k] - 1];

			*name_slot(at, room, v, s, (size_t)(strchrnul(s, end) - s), end) = t->at[k];
		}
	t->at = at;
	t->room = room;
	return true;
}

size_t cfg_name(
	struct cfg_names *t, struct arena *a, const struct cfg_vec *v, const char *name, size_t len, char end)
{
	size_t *slot;

	if (t->n * 2 >= t->room && !names_grow(t, a, v, end))
		return SIZE_MAX;
	slot = name_slot(t->at, t->room, v, name, len, end);
	if (!*slot) {
		*slot = v->n + 1;
		t->n++;
	}
	return *slot - 1;
}

char **cfg_split(struct arena *a, const char *text, char sep, size_t *n)
{
	struct cfg_vec v = { 0 };

	for (;;) {
		const char *end = strchrnul(text, sep);

		cfg_add(&v, a, arena_strndup(a, text, (size_t)(end - text)));
		if (!*end)
			break;
		text = end + 1;
	}
	*n = v.n;
	return v.failed ? NULL : v.v;
}

bool cfg_pair(struct arena *a, const char *text, const char **key, const char **value)
{
	const char *equals = strchr(text, '=');

	*key = equals ? arena_strndup(a, text, (size_t)(equals - text)) : text;
	*value = equals ? equals + 1 : "";
	return equals != NULL;
}

int launch_restart_parse(const char *text, enum launch_restart *out, int *max, struct err *e)
{
	static const char with_number[] = "on-failure:";
	int n;

	*max = 0;
	if (!text) {
		*out = LAUNCH_RESTART_NO;
		return 0;
	}
	for (int i = LAUNCH_RESTART_NO; i <= (int)LAUNCH_RESTART_UNLESS_STOPPED; i++)
		if (str_eq(text, launch_restart_names[i])) {
			*out = (enum launch_restart)i;
			return 0;
		}
	if (str_starts(text, with_number) && str_to_int(text + strlen(with_number), &n) == 0 && n > 0) {
		*out = LAUNCH_RESTART_ON_FAILURE;
		*max = n;
		return 0;
	}
	return err_text(e, EINVAL,
		"--restart %.100s: must be no, on-failure, on-failure:NUMBER, always or unless-stopped",
		text);
}

/* --- annotations -------------------------------------------------------------------------------- */

/*
 * Keys that make this runtime (cgroups/, runtime/), or another that is given the same bundle, do something.
 * A final '.' or '/' stands for a prefix.
 */
static const char *const acted_on[] = { "bundle", "cdi.k8s.io/", "com.github.containers.", "dev.gvisor.",
	"io.container.manager", "io.containerd.", "io.katacontainers.", "io.kubernetes.", "io.podman.",
	"io.ringfence.", "krun.", "module.wasm.", "org.criu.", "org.ringfence.", "org.systemd.property.",
	"ringfence.", "run.oci." };

static bool is_acted_on(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(acted_on); i++) {
		const char *k = acted_on[i], last = k[strlen(k) - 1];

		if (last == '.' || last == '/' ? str_starts(key, k) : str_eq(key, k))
			return true;
	}
	return false;
}

struct pairs {
	struct cfg_vec list; /* key, value, … */
	struct cfg_names keys;
};

static void put_pair(struct pairs *p, struct arena *a, const char *key, const char *value)
{
	size_t at = p->list.failed ? SIZE_MAX : cfg_name(&p->keys, a, &p->list, key, strlen(key), '\0');

	if (at == SIZE_MAX) {
		p->list.failed = true;
	} else if (at < p->list.n) {
		p->list.v[at + 1] = (char *)value;
	} else {
		cfg_add(&p->list, a, key);
		cfg_add(&p->list, a, value);
	}
}

/* NULL: none, or no memory (*failed). */
static const char *joined(struct arena *a, char *const *list, bool *failed)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	const char *s, *out = NULL;

	/* An image may expose every port there is: not a copy of all that came before with each. */
	strv_each (s, list) {
		strbuf_puts(&b, b.len ? "," : "");
		strbuf_puts(&b, s);
	}
	if (b.s && !b.failed)
		out = arena_strdup(a, b.s);
	*failed = b.failed || (b.s && !out);
	return out;
}

/* conversion.md: what is said of the image itself; a label of the same key wins. */
static void image_annotations(struct cfg *c, struct pairs *p)
{
	const struct launch_image *i = c->i;
	bool failed = false;
	const char *const known[][2] = {
		{ "org.opencontainers.image.os", i->os },
		{ "org.opencontainers.image.architecture", i->architecture },
		{ "org.opencontainers.image.variant", i->variant },
		{ "org.opencontainers.image.author", i->author },
		{ "org.opencontainers.image.created", i->created },
		{ "org.opencontainers.image.stopSignal", i->stop_signal },
		{ "org.opencontainers.image.exposedPorts", joined(c->a, i->exposed_ports, &failed) },
	};

	p->list.failed |= failed;
	for (size_t k = 0; k < ARRAY_SIZE(known); k++)
		if (known[k][1])
			put_pair(p, c->a, known[k][0], known[k][1]);
	for (char *const *l = i->labels; l && l[0] && l[1]; l += 2)
		if (!is_acted_on(l[0]))
			put_pair(p, c->a, l[0], l[1]);
}

static int annotations(struct cfg *c, struct err *e)
{
	struct pairs p = { 0 };
	const char *s, *key, *value;

	image_annotations(c, &p);
	strv_each (s, c->o->labels) {
		cfg_pair(c->a, s, &key, &value);
		if (!key)
			return cfg_no_memory(e);
		if (!*key)
			return err_text(e, EINVAL, "--label %.200s: must be KEY or KEY=VALUE", s);
		if (!is_acted_on(key))
			put_pair(&p, c->a, key, value);
	}
	if (c->lean)
		put_pair(&p, c->a, CGRP_ANNOTATION, "lean");
	strv_each (s, c->o->annotations) {
		bool has = cfg_pair(c->a, s, &key, &value);

		if (has && !key)
			return cfg_no_memory(e);
		if (!has || !*key)
			return err_text(e, EINVAL, "--annotation %.200s: must be KEY=VALUE", s);
		put_pair(&p, c->a, key, value);
	}
	/* Last, so that it wins: it is the engine that is asked (docs/sandbox.md). */
	if (c->o->isolation)
		put_pair(&p, c->a, "io.ringfence.isolation", c->o->isolation);
	if (c->o->accel)
		put_pair(&p, c->a, "io.ringfence.sandbox.accel", c->o->accel);
	if (c->i->root_image)
		put_pair(&p, c->a, "io.ringfence.sandbox.root-image", c->i->root_image);
	if (p.list.failed)
		return cfg_no_memory(e);
	if (p.list.n == 0)
		return 0;
	json_open_object(c->w, "annotations");
	for (size_t k = 0; k + 1 < p.list.n; k += 2)
		json_put_string(c->w, p.list.v[k], p.list.v[k + 1]);
	json_close_object(c->w);
	return 0;
}

/* --- hooks -------------------------------------------------------------------------------------- */

static void put_hook(struct cfg *c, const char *kind, const char *what, int timeout)
{
	const struct launch_places *at = c->at;

	json_open_array(c->w, kind);
	json_open_object(c->w, NULL);
	json_put_string(c->w, "path", at->self);
	json_open_array(c->w, "args");
	json_put_string(c->w, NULL, "ringfence");
	if (at->rt_root) {
		json_put_string(c->w, NULL, "--root");
		json_put_string(c->w, NULL, at->rt_root);
	}
	if (at->data) {
		json_put_string(c->w, NULL, "--data");
		json_put_string(c->w, NULL, at->data);
	}
	json_put_string(c->w, NULL, "network-hook");
	json_put_string(c->w, NULL, what);
	json_close_array(c->w);
	if (c->net->hook_env)
		json_put_strv(c->w, "env", c->net->hook_env);
	if (timeout)
		json_put_i64(c->w, "timeout", timeout);
	json_close_object(c->w);
	json_close_array(c->w);
}

static void hooks(struct cfg *c)
{
	if (!c->net->hooks)
		return;
	json_open_object(c->w, "hooks");
	put_hook(c, "createRuntime", "up", LAUNCH_NETWORK_HOOK_SECONDS);
	put_hook(c, "poststop", "down", 0);
	json_close_object(c->w);
}

/* --- the record --------------------------------------------------------------------------------- */

static int stop_signal(struct cfg *c, struct err *e)
{
	const char *said = c->o->stop_signal			     ? c->o->stop_signal
			   : c->o->boot				     ? "SIGRTMIN+3"
			   : c->i->stop_signal && *c->i->stop_signal ? c->i->stop_signal
								     : "SIGTERM";

	c->r->stop_signal = said;
	if (rt_signal_parse(said, e) >= 0)
		return 0;
	if (c->o->stop_signal)
		return err_wrap(e, "--stop-signal");
	err_wrap(e, "the image's StopSignal");
	return err_hint(e, "--stop-signal says another");
}

static int labels(struct cfg *c, struct err *e)
{
	struct cfg_vec v = { 0 };

	for (char *const *l = c->i->labels; l && l[0] && l[1]; l += 2)
		cfg_add(&v, c->a, arena_printf(c->a, "%s=%s", l[0], l[1]));
	cfg_add_all(&v, c->a, c->o->labels);
	c->r->labels = v.v;
	return v.failed ? cfg_no_memory(e) : 0;
}

static int record(struct cfg *c, struct err *e)
{
	const struct launch_opts *o = c->o;
	struct launch_record *r = c->r;
	int s;

	r->command = c->args;
	r->detach = o->detach;
	r->interactive = o->interactive;
	r->tty = o->tty;
	r->rm = o->rm;
	r->boot = o->boot;
	s = launch_restart_parse(o->restart, &r->restart, &r->restart_max, e);
	if (s < 0)
		return s;
	if (o->rm && r->restart != LAUNCH_RESTART_NO)
		return err_text(e, EINVAL, "--rm and --restart %s contradict each other", o->restart);
	if (o->log_max.has && o->log_max.v < -1)
		return err_text(e, EINVAL, "--log-max must be a number of bytes, or -1 for no limit");
	r->log_max = !o->log_max.has ? (int64_t)10 << 20 : o->log_max.v < 0 ? 0 : o->log_max.v;
	if (o->stop_timeout < -1)
		return err_text(e, EINVAL, "--stop-timeout must not be negative");
	r->stop_timeout = o->stop_timeout < 0 ? 10 : o->stop_timeout;
	s = stop_signal(c, e);
	if (s < 0)
		return s;
	r->volumes = c->volumes.v;
	r->anonymous_volumes = c->anonymous.v;
	return c->volumes.failed || c->anonymous.failed ? cfg_no_memory(e) : labels(c, e);
}

/* --- the whole ---------------------------------------------------------------------------------- */

static int refuse(const struct launch_opts *o, struct err *e)
{
	if (o->privileged)
		return err_text(e, EINVAL,
			"--privileged is not supported: it is every protection switched off; say what is "
			"needed, with "
			"--cap-add, --device, --security-opt unmask=ALL, --security-opt seccomp=unconfined "
			"or "
			"--userns host");
	if (o->isolation && !str_eq(o->isolation, "partition") && !str_eq(o->isolation, "sandbox"))
		return err_text(e, EINVAL, "--isolation %.100s: must be partition or sandbox", o->isolation);
	if (o->accel && !(o->isolation && str_eq(o->isolation, "sandbox")))
		return err_text(
			e, EINVAL, "--accel is about a sandbox's machine: it needs --isolation sandbox");
	if (o->accel && !str_eq(o->accel, "auto") && !str_eq(o->accel, "kvm") && !str_eq(o->accel, "tcg") &&
		!str_eq(o->accel, "qemu"))
		return err_text(e, EINVAL, "--accel %.100s: must be auto, kvm, tcg or qemu", o->accel);
	if (o->boot && o->init)
		return err_text(e, EINVAL, "--boot and --init contradict each other: systemd is the init");
	return 0;
}

static int write_document(struct cfg *c, struct err *e)
{
	int r;

	json_open_object(c->w, NULL);
	/* idmapped mounts without maps of their own came with 1.1 or later, and no other runtime needs this
	 * bundle. */
	json_put_string(c->w, "ociVersion", "1.2.0");
	cfg_put_process(c);
	json_open_object(c->w, "root");
	json_put_string(c->w, "path", "root");
	json_put_bool(c->w, "readonly", c->o->read_only);
	json_close_object(c->w);
	json_put_string(c->w, "hostname", c->hostname);
	cfg_put_mounts(c);
	hooks(c);
	r = annotations(c, e);
	if (r < 0)
		return r;
	json_open_object(c->w, "linux");
	cfg_put_linux(c);
	r = cfg_put_seccomp(c, e);
	if (r < 0)
		return r;
	json_close_object(c->w);
	json_close_object(c->w);
	return 0;
}

int launch_config(const struct launch_opts *o, const struct launch_image *i, const struct launch_places *at,
	const struct launch_network_plan *net, struct launch_record *r, struct arena *a, const char **text,
	size_t *len, struct err *e)
{
	static int (*const steps[])(struct cfg *, struct err *) = { cfg_process, cfg_security, cfg_linux,
		cfg_mounts, cfg_resources, record };
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	struct launch_record filled = *r;
	struct cfg c = { .o = o, .i = i, .at = at, .net = net, .r = &filled, .a = a, .w = w };
	const char *body;
	char *copy;
	size_t n;
	int s = refuse(o, e);

	if (s < 0)
		return s;
	if (!w)
		return cfg_no_memory(e);
	c.userns = r->ids >= 0;
	for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
		s = steps[k](&c, e);
		if (s < 0)
			return s;
	}
	s = write_document(&c, e);
	if (s < 0)
		return s;
	body = json_writer_text(w, &n);
	copy = body ? arena_alloc(a, n + 2) : NULL;
	if (!copy)
		return cfg_no_memory(e);
	memcpy(copy, body, n);
	copy[n] = '\n';
	*r = filled;
	*text = copy;
	*len = n + 1;
	return 0;
}
