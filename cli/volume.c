/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence volume: ls, create, inspect, rm, prune. */
#include "cli/cli.h"

#include "launch/volume.h"

struct volume_options {
	bool quiet, force, all;
	const char *format;
	char **labels;
};

#define AT(field) offsetof(struct volume_options, field)
static const struct opt options[] = {
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "ls: table (default) or json" },
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL, "ls: names only" },
	{ "label", 'l', OPT_LIST, AT(labels), "KEY=VALUE", "create: a label; may be repeated" },
	{ "force", 'f', OPT_BOOL, AT(force), NULL,
		"rm: one that is not there is no error; prune: do not ask" },
	{ "all", 'a', OPT_BOOL, AT(all), NULL, "prune: those that have a name of their own, too" },
	{ 0 },
};
#undef AT

/* --- printing --------------------------------------------------------------------------------- */

static void put_labels(struct json_writer *w, char *const *labels)
{
	const char *label;

	json_open_object(w, "Labels");
	strv_each (label, labels) {
		const char *eq = strchr(label, '=');
		_cleanup_free_ char *key = strndup(label, (size_t)(eq - label));

		if (key)
			json_put_string(w, key, eq + 1);
	}
	json_close_object(w);
}

/* docker's and podman's members, and who uses it. */
static void put_volume(struct json_writer *w, const struct launch_volume *v)
{
	json_open_object(w, NULL);
	json_put_string(w, "Name", v->name);
	json_put_string(w, "Driver", "local");
	json_put_string(w, "Mountpoint", v->path);
	json_put_string(w, "CreatedAt", v->created);
	put_labels(w, v->labels);
	json_put_string(w, "Scope", "local");
	json_put_bool(w, "Anonymous", v->anonymous);
	json_put_strv(w, "UsedBy", v->used_by);
	json_close_object(w);
}

static int print_json(const struct launch_volume *list, size_t n, bool pretty, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(pretty);

	if (!w)
		return err_set(e, ENOMEM, "volume");
	json_open_array(w, NULL);
	for (size_t i = 0; i < n; i++)
		put_volume(w, &list[i]);
	json_close_array(w);
	return cli_print_json(w, e);
}

static void add_users(struct strbuf *b, char *const *users)
{
	const char *name, *comma = "";

	strv_each (name, users) {
		strbuf_printf(b, "%s%s", comma, name);
		comma = ",";
	}
}

static int print_table(const struct launch_volume *list, size_t n, bool quiet, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	size_t width = strlen("VOLUME NAME");

	for (size_t i = 0; i < n; i++)
		width = strlen(list[i].name) > width ? strlen(list[i].name) : width;
	if (!quiet)
		strbuf_printf(&b, "%-*s   %-20s   %s\n", (int)width, "VOLUME NAME", "CREATED", "USED BY");
	for (size_t i = 0; i < n; i++) {
		if (quiet) {
			strbuf_printf(&b, "%s\n", list[i].name);
			continue;
		}
		strbuf_printf(&b, "%-*s   %.19sZ   ", (int)width, list[i].name, list[i].created);
		add_users(&b, list[i].used_by);
		strbuf_puts(&b, "\n");
	}
	if (b.failed)
		return err_set(e, ENOMEM, "volume");
	return b.len ? cli_print(b.s, b.len, e) : 0;
}

/* --- the commands ----------------------------------------------------------------------------- */

static int ls(const struct launch_ctx *ctx, const struct volume_options *o, char *const *args,
	struct arena *a, struct err *e)
{
	int json = cli_format_is_json(o->format, "table", e), r;
	struct launch_volume *list;
	size_t n;

	(void)args;
	if (json < 0)
		return json;
	r = launch_volume_list(ctx, a, &list, &n, e);
	if (r < 0)
		return r;
	return json ? print_json(list, n, false, e) : print_table(list, n, o->quiet, e);
}

static int create(const struct launch_ctx *ctx, const struct volume_options *o, char *const *args,
	struct arena *a, struct err *e)
{
	const char *name;
	char *line;
	int r = launch_volume_create(ctx, args[0], o->labels, a, &name, e);

	if (r < 0)
		return r;
	line = arena_printf(a, "%s\n", name);
	return line ? cli_print(line, strlen(line), e) : err_set(e, ENOMEM, "volume");
}

static int inspect(const struct launch_ctx *ctx, const struct volume_options *o, char *const *args,
	struct arena *a, struct err *e)
{
	size_t n = strv_len(args);
	struct launch_volume *list = arena_calloc(a, n, sizeof(*list));

	(void)o;
	if (!list)
		return err_set(e, ENOMEM, "volume");
	for (size_t i = 0; i < n; i++) {
		int r = launch_volume_find(ctx, args[i], a, &list[i], e);

		if (r < 0)
			return r;
	}
	return print_json(list, n, true, e);
}

/* All of them, even if some fail; the first failure is told. */
static int rm(const struct launch_ctx *ctx, const struct volume_options *o, char *const *args,
	struct arena *a, struct err *e)
{
	int failed = 0;
	const char *name;

	strv_each (name, args) {
		struct err each = ERR_INIT;
		char *line = arena_printf(a, "%s\n", name);
		int r = launch_volume_rm(ctx, name, o->force, &each);

		if (r == 0 && line)
			r = cli_print(line, strlen(line), &each);
		if (r < 0 && failed++ == 0)
			*e = each;
	}
	return failed ? -e->code : 0;
}

static void print_removed(const char *name, void *arg)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	strbuf_printf(&b, "%s\n", name);
	if (!b.failed)
		cli_print(b.s, b.len, arg);
}

static int prune(const struct launch_ctx *ctx, const struct volume_options *o, char *const *args,
	struct arena *a, struct err *e)
{
	struct err ignored = ERR_INIT;

	(void)args, (void)a;
	if (!o->force) {
		char answer[8] = "";

		if (!isatty(STDIN_FILENO))
			return err_text(e, EINVAL,
				"volume prune removes what is in volumes for good: say --force where nobody "
				"can be asked");
		fprintf(stderr, "Remove all %svolumes that no partition uses, with what is in them? [y/N] ",
			o->all ? "" : "anonymous ");
		if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
			return 0;
	}
	return launch_volume_prune(ctx, o->all, print_removed, &ignored, e);
}

static const struct command {
	const char *name, *args;
	int min, max;
	bool quiet, force, all, format, labels; /* the options that it has */
	int (*run)(const struct launch_ctx *ctx, const struct volume_options *o, char *const *args,
		struct arena *a, struct err *e);
} commands[] = {
	{ .name = "ls", .quiet = true, .format = true, .run = ls },
	{ .name = "create", .args = "[NAME]", .max = 1, .labels = true, .run = create },
	{ .name = "inspect", .args = "NAME...", .min = 1, .max = -1, .run = inspect },
	{ .name = "rm", .args = "NAME...", .min = 1, .max = -1, .force = true, .run = rm },
	{ .name = "prune", .force = true, .all = true, .run = prune },
};

static int check(const struct command *c, const struct volume_options *o, int n, struct err *e)
{
	const char *bad = o->quiet && !c->quiet	    ? "--quiet"
			  : o->force && !c->force   ? "--force"
			  : o->all && !c->all	    ? "--all"
			  : o->format && !c->format ? "--format"
			  : o->labels && !c->labels ? "--label"
						    : NULL;

	if (bad)
		return err_text(e, EINVAL, "\"volume %s\" has no option %s", c->name, bad);
	if (n < c->min)
		return err_text(e, EINVAL, "\"volume %s\" requires %s", c->name, c->args);
	if (c->max >= 0 && n > c->max)
		return err_text(e, EINVAL, "\"volume %s\" takes %s%s", c->name,
			c->args ? "no more than " : "no arguments", c->args ? c->args : "");
	return 0;
}

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct launch_ctx lc = { .rt = ctx, .data = ctx->data, .store = ctx->store };
	_cleanup_(arena_freep) struct arena *a = arena_new();
	int r;

	if (!a)
		return err_set(e, ENOMEM, "volume");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!str_eq(args[0], commands[i].name))
			continue;
		r = check(&commands[i], values, (int)strv_len(args) - 1, e);
		return r < 0 ? r : commands[i].run(&lc, values, args + 1, a, e);
	}
	return err_text(e, EINVAL, "\"volume\" knows ls, create, inspect, rm and prune, not \"%s\"", args[0]);
}

const struct cli_verb verb_volume = {
	.name = "volume",
	.args = "ls | create [NAME] | inspect NAME... | rm NAME... | prune",
	.min_args = 1,
	.max_args = -1,
	.summary = "List, make, show and remove volumes",
	.options = options,
	.size = sizeof(struct volume_options),
	.run = run,
};
