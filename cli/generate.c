/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ringfence generate systemd: a unit that has systemd keep a launched partition: started at boot, stopped at
 * shutdown. Its main process is the partition's supervisor, which tells that the partition runs
 * (sd_notify(3)) and takes SIGTERM for `stop`.
 */
#include "cli/launched.h"

#include <fcntl.h>
#include <limits.h>

#include "base/fd.h"
#include "base/path.h"
#include "launch/supervise.h"

struct generate_options {
	bool files;
	const char *restart, *format;
};

#define AT(field) offsetof(struct generate_options, field)
static const struct opt options[] = {
	{ "files", 0, OPT_BOOL, AT(files), NULL, "write ringfence-NAME.service here instead of printing it" },
	{ "restart-policy", 0, OPT_STRING, AT(restart), "POLICY",
		"systemd's Restart=: on-failure (default), no, always, on-success, on-abnormal, on-abort or "
		"on-watchdog" },
	{ "format", 0, OPT_STRING, AT(format), "FORMAT",
		"text (default), or json: an object of file name and text" },
	{ 0 },
};
#undef AT

/* What follows the payload's end before SIGKILL would come: poststop hooks, the network. */
#define AFTER_SECONDS 30

static int check_policy(const char *policy, struct err *e)
{
	static const char *const known[] = { "no", "always", "on-success", "on-failure", "on-abnormal",
		"on-abort", "on-watchdog" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq(policy, known[i]))
			return 0;
	return err_text(e, EINVAL,
		"option --restart-policy must be one of systemd's: no, always, on-success, on-failure, "
		"on-abnormal, "
		"on-abort or on-watchdog, not \"%s\"",
		policy);
}

/* A word of a command line or a path, as systemd.service(5), "COMMAND LINES", and systemd.syntax(7) have it.
 */
static void put_word(struct strbuf *b, const char *s, bool command)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/.:@+-=,";
	bool quote = s[strspn(s, plain)] != '\0';

	if (quote)
		strbuf_puts(b, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < ' ' || c == 0x7f)
			strbuf_printf(b, "\\x%02x", c);
		else if (c == '"' || c == '\\')
			strbuf_printf(b, "\\%c", c);
		else if (c == '%' || (c == '$' && command))
			strbuf_printf(b, "%c%c", c, c);
		else
			strbuf_add(b, s, 1);
	}
	if (quote)
		strbuf_puts(b, "\"");
}

static void put_option(struct strbuf *b, const char *option, const char *value)
{
	if (!value)
		return;
	strbuf_printf(b, " %s ", option);
	put_word(b, value, true);
}

struct unit {
	const struct launch_dir *d;
	struct rt_ctx rt;
	const char *self, *data, *store, *restart;
};

static void put_command(struct strbuf *b, const struct unit *u, const char *verb)
{
	static const char *const managers[] = {
		[CGRP_CGROUPFS] = NULL,
		[CGRP_SYSTEMD] = "systemd",
		[CGRP_DISABLED] = "disabled",
	};

	put_word(b, u->self, true);
	put_option(b, "--root", u->rt.root);
	put_option(b, "--data", u->data);
	put_option(b, "--store", u->store);
	put_option(b, "--cgroup-manager", managers[u->rt.manager]);
	strbuf_printf(b, " %s ", verb);
	put_word(b, u->d->record.name, true);
	strbuf_puts(b, "\n");
}

static void put_unit(struct strbuf *b, const struct unit *u)
{
	const struct launch_record *r = &u->d->record;

	strbuf_printf(b, "# Written by \"ringfence generate systemd %s\"\n[Unit]\n", r->name);
	strbuf_printf(b, "Description=Partition %s\nDocumentation=man:ringfence(8)\n", r->name);
	strbuf_puts(b, "Wants=network-online.target\nAfter=network-online.target\nRequiresMountsFor=");
	put_word(b, u->d->path, false);
	if (u->store) {
		strbuf_puts(b, " ");
		put_word(b, u->store, false);
	}
	strbuf_puts(b, "\n\n[Service]\nType=notify\nNotifyAccess=main\nExecStart=");
	put_command(b, u, "supervise");
	strbuf_puts(b, "ExecStop=");
	put_command(b, u, "stop");
	/* The supervisor is told, and ends the rest in good order; who is left over then is killed. */
	strbuf_printf(b,
		"KillMode=mixed\nTimeoutStopSec=%lld\nSuccessExitStatus=130 137 "
		"143\nRestart=%s\nDelegate=yes\n",
		(long long)r->stop_timeout + AFTER_SECONDS, u->restart);
	strbuf_puts(b, "\n[Install]\nWantedBy=default.target\n");
}

static int tell(const struct generate_options *o, bool json, const char *name, const struct strbuf *text,
	struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = NULL;
	_cleanup_strbuf_ struct strbuf file = { 0 };
	int r;

	strbuf_printf(&file, "ringfence-%s.service", name);
	if (file.failed || text->failed)
		return err_set(e, ENOMEM, "generate");
	if (o->files) {
		r = fd_replace_at(AT_FDCWD, file.s, 0644, text->s, text->len, e);
		if (r < 0)
			return r;
	}
	if (json) {
		w = json_writer_new(false);
		if (!w)
			return err_set(e, ENOMEM, "write JSON");
		json_open_object(w, NULL);
		json_put_string(w, file.s, text->s);
		json_close_object(w);
		return cli_print_json(w, e);
	}
	if (!o->files)
		return cli_print(text->s, text->len, e);
	strbuf_puts(&file, "\n");
	return cli_print(file.s, file.len, e);
}

static int self_path(char path[PATH_MAX], struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (n < 0)
		return err_set(e, errno, "find our own program");
	path[n] = '\0';
	return 0;
}

static int describe(const struct launch_ctx *ctx, const struct generate_options *o, bool json,
	const char *name, struct arena *a, struct err *e)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	struct launch_dir d = LAUNCH_DIR_INIT;
	struct unit u = { .d = &d, .restart = o->restart ? o->restart : "on-failure" };
	_cleanup_free_ char *root = NULL;
	char self[PATH_MAX];
	int r = self_path(self, e);

	if (r == 0)
		r = launch_dir_open(ctx, name, false, a, &d, e);
	if (r < 0)
		return r;
	if (d.damaged) {
		r = err_text(e, EINVAL,
			"partition \"%s\": launch.json is damaged; remove it with \"ringfence rm --force\"",
			name);
	} else {
		u.data = launch_dir_data(&d, a);
		r = u.data ? 0 : err_set(e, ENOMEM, "generate");
	}
	if (r == 0 && (ctx->store || getenv("RINGFENCE_STORE")))
		r = launch_store_path(ctx, a, &u.store, e);
	if (r == 0) {
		u.rt = launch_rt(ctx, &d.record);
		if (u.rt.root)
			u.rt.root = root = path_absolute(u.rt.root);
		u.self = self;
		put_unit(&text, &u);
		r = tell(o, json, name, &text, e);
	}
	launch_dir_close(&d);
	return r;
}

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	const struct generate_options *o = values;
	struct launch_ctx ctx = cli_launch_ctx(rt);
	_cleanup_(arena_freep) struct arena *a = arena_new();
	int json = cli_format_is_json(o->format, "text", e), r = json;

	if (!a)
		return err_set(e, ENOMEM, "generate");
	if (r >= 0 && !str_eq(args[0], "systemd"))
		r = err_text(e, EINVAL, "generate knows systemd, not \"%s\"", args[0]);
	if (r >= 0 && o->restart)
		r = check_policy(o->restart, e);
	return r < 0 ? r : describe(&ctx, o, json, args[1], a, e);
}

const struct cli_verb verb_generate = {
	.name = "generate",
	.args = "systemd NAME",
	.min_args = 2,
	.max_args = 2,
	.summary = "Print a systemd unit that keeps a launched partition running",
	.options = options,
	.size = sizeof(struct generate_options),
	.run = run,
};
