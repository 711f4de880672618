/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ringfence doctor: what this host can do, what is missing, and what to do about it. It looks, and tries
 * where only trying tells, in namespaces and machines that are gone when it has the answer; it changes
 * nothing.
 */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"

enum { CHECKS_MAX = 32, NAME_WIDTH = 20, STATE_WIDTH = 9 };

struct doctor_options {
	const char *format;
};

#define AT(field) offsetof(struct doctor_options, field)
static const struct opt options[] = {
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "text (default) or json" },
	{ 0 },
};
#undef AT

static const char *const state_names[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_LIMITED] = "limited",
	[DOCTOR_MISSING] = "missing",
};

struct part {
	const char *name, *title;
	const struct doctor_check *checks;
	struct doctor_finding found[CHECKS_MAX];
	bool possible;
};

const char *doctor_say(struct doctor *d, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	const char *s;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s = arena_printf(d->arena, "%s", text);
	return s ? s : "no memory to say why";
}

static void examine(struct doctor *d, struct part *p)
{
	p->possible = true;
	for (size_t i = 0; i < CHECKS_MAX && p->checks[i].name; i++) {
		struct doctor_finding *f = &p->found[i];

		*f = (struct doctor_finding){ .state = DOCTOR_OK, .why = "" };
		p->checks[i].look(d, f);
		if (p->checks[i].vital && f->state == DOCTOR_MISSING)
			p->possible = false;
	}
}

static void add_text(struct strbuf *b, const struct part *p)
{
	strbuf_printf(b, "%s: %s\n", p->title, p->possible ? "can run here" : "cannot run here");
	for (size_t i = 0; p->checks[i].name; i++) {
		const struct doctor_finding *f = &p->found[i];

		strbuf_printf(b, "  %-*s %-*s %s\n", NAME_WIDTH, p->checks[i].name, STATE_WIDTH,
			state_names[f->state], f->why);
		if (f->what)
			strbuf_printf(b, "  %*s -> %s\n", NAME_WIDTH + STATE_WIDTH, "", f->what);
	}
}

static void add_json(struct json_writer *w, const struct part *p)
{
	json_open_object(w, p->name);
	json_put_bool(w, "possible", p->possible);
	json_open_array(w, "checks");
	for (size_t i = 0; p->checks[i].name; i++) {
		json_open_object(w, NULL);
		json_put_string(w, "name", p->checks[i].name);
		json_put_string(w, "state", state_names[p->found[i].state]);
		json_put_bool(w, "needed", p->checks[i].vital);
		json_put_string(w, "why", p->found[i].why);
		if (p->found[i].what)
			json_put_string(w, "advice", p->found[i].what);
		json_close_object(w);
	}
	json_close_array(w);
	json_close_object(w);
}

static int print_json(const struct doctor *d, const struct part *parts, size_t n, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);

	if (!w)
		return err_set(e, ENOMEM, "doctor");
	json_open_object(w, NULL);
	for (size_t i = 0; i < n; i++)
		add_json(w, &parts[i]);
	if (d->accel == VM_ACCEL_AUTO)
		json_put_null(w, "accel");
	else
		json_put_string(w, "accel", vm_accel_names[d->accel]);
	json_close_object(w);
	return cli_print_json(w, e);
}

static int print_text(const struct part *parts, size_t n, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_puts(&b, "\n");
		add_text(&b, &parts[i]);
	}
	return b.failed ? err_set(e, ENOMEM, "doctor") : cli_print(b.s, b.len, e);
}

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct doctor_options *o = values;
	_cleanup_(arena_freep) struct arena *arena = arena_new();
	struct doctor d = { .ctx = ctx, .arena = arena, .root = geteuid() == 0, .kvm = VM_KVM_NONE };
	struct part parts[] = {
		{ .name = "partitions", .title = "Partitions", .checks = doctor_host },
		{ .name = "sandboxes", .title = "Sandboxes", .checks = doctor_sandbox },
	};
	int json = cli_format_is_json(o->format, "text", e), r;

	if (json < 0)
		return json;
	if (!arena)
		return err_set(e, ENOMEM, "doctor");
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		examine(&d, &parts[i]);
	r = json ? print_json(&d, parts, ARRAY_SIZE(parts), e) : print_text(parts, ARRAY_SIZE(parts), e);
	return r < 0 ? r : parts[0].possible ? 0 : CLI_FAILURE;
}

const struct cli_verb verb_doctor = {
	.name = "doctor",
	.summary = "Tell what this host can do and what is missing",
	.options = options,
	.size = sizeof(struct doctor_options),
	.run = run,
};
