/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence ls: launched partitions, as a table, as names, or as JSON. */
#include <fnmatch.h>
#include <time.h>

#include "cli/image/text.h"
#include "cli/launched.h"

struct ls_options {
	const char *format;
	bool quiet, running, no_trunc, all;
	char **filters;
};

#define AT(field) offsetof(struct ls_options, field)
static const struct opt options[] = {
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL, "names only" },
	{ "running", 0, OPT_BOOL, AT(running), NULL, "only those that run (also paused)" },
	{ "filter", 'f', OPT_LIST, AT(filters), "KEY=VALUE",
		"only those with that name=PATTERN, status=STATUS, image=PATTERN or label=KEY[=VALUE]" },
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "table (default) or json" },
	{ "no-trunc", 0, OPT_BOOL, AT(no_trunc), NULL, "whole commands and image names" },
	/* docker's and podman's word for what is done here anyway. */
	{ "all", 'a', OPT_BOOL, AT(all), NULL, NULL },
	{ 0 },
};
#undef AT

/* --- filters ------------------------------------------------------------------------------------ */

/* As docker and podman: a pattern may also be just a part of the name. */
static bool like(const char *pattern, const char *text)
{
	return text && (strstr(text, pattern) || fnmatch(pattern, text, 0) == 0);
}

static bool has_label(const struct launch_record *r, const char *want)
{
	size_t n = strlen(want);
	const char *label;

	strv_each (label, r->labels)
		if (str_eq(label, want) ||
			(!strchr(want, '=') && strncmp(label, want, n) == 0 && label[n] == '='))
			return true;
	return false;
}

/* 1: it is kept; 0: not. */
static int match(const char *filter, const struct launch_info *i, struct err *e)
{
	const struct launch_record *r = i->record;

	if (str_starts(filter, "name="))
		return like(filter + 5, r->name);
	if (str_starts(filter, "image="))
		return like(filter + 6, r->image) || like(filter + 6, r->image_name);
	if (str_starts(filter, "label="))
		return has_label(r, filter + 6);
	if (str_starts(filter, "status=")) {
		for (int s = 0; s <= LAUNCH_LOST; s++)
			if (str_eq(filter + 7, launch_status_names[s]))
				return (int)i->status == s;
		return err_text(e, EINVAL,
			"option --filter: status must be created, running, paused, restarting, exited or "
			"lost, "
			"not \"%s\"",
			filter + 7);
	}
	return err_text(
		e, EINVAL, "option --filter must be name=, status=, image= or label=, not \"%s\"", filter);
}

static int keep(const struct ls_options *o, const struct launch_info *i, struct err *e)
{
	const char *filter;
	int r = 1;

	strv_each (filter, o->filters) {
		int own = match(filter, i, e);

		if (own < 0)
			return own;
		r = r && own;
	}
	if (o->running && i->status != LAUNCH_RUNNING && i->status != LAUNCH_PAUSED)
		return 0;
	return r;
}

/* A filter that is none is an error also where there is no partition. */
static int check_filters(const struct ls_options *o, struct err *e)
{
	static const struct launch_record none = { .name = "" };
	const struct launch_info i = { .record = &none };
	int r = keep(o, &i, e);

	return r < 0 ? r : 0;
}

/* --- the table ---------------------------------------------------------------------------------- */

enum { COLUMNS = 6 };
static const char *const heads[COLUMNS + 1] = { "NAME", "IMAGE", "STATUS", "CREATED", "PORTS", "COMMAND" };
#define COMMAND_WIDTH 30
#define IMAGE_WIDTH   40

static void add_age(struct strbuf *b, const char *time_text, bool ago)
{
	int64_t then = time_text ? text_time(time_text) : TEXT_NO_TIME;
	char age[TEXT_MAX];
	struct timespec now;
	size_t n;

	if (then == TEXT_NO_TIME)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	text_age(now.tv_sec > then ? now.tv_sec - then : 0, age);
	n = strlen(age);
	if (!ago && str_ends(age, " ago"))
		n -= strlen(" ago");
	strbuf_printf(b, "%s%.*s", b->len ? " " : "", (int)n, age);
}

static void add_status(struct strbuf *b, const struct launch_info *i)
{
	strbuf_puts(b, launch_status_names[i->status]);
	if (i->status == LAUNCH_EXITED) {
		strbuf_printf(b, " (%d)", i->exit_code);
		add_age(b, i->finished, true);
	} else if (i->status == LAUNCH_RUNNING || i->status == LAUNCH_PAUSED) {
		add_age(b, i->started, false);
	} else if (i->status == LAUNCH_LOST) {
		add_age(b, i->started, true);
	}
}

static void add_ports(struct strbuf *b, const struct launch_record *r)
{
	for (size_t i = 0; i < r->n_ports; i++) {
		const struct launch_port *p = &r->ports[i];

		strbuf_printf(b, "%s%s:%u->%u/%s", i ? ", " : "", p->host_ip, (unsigned int)p->host_port,
			(unsigned int)p->port, p->protocol);
	}
}

/* At most `width` characters of a text, the last one U+2026 where it is cut; 0: all. */
static void add_cut(struct strbuf *b, const char *text, size_t width)
{
	size_t n = 0, used = 0;

	if (!width || text_width(text) <= width) {
		strbuf_puts(b, text);
		return;
	}
	while (text[n] && (used < width - 1 || (text[n] & 0xc0) == 0x80))
		used += (text[n++] & 0xc0) != 0x80;
	while (n && (text[n] & 0xc0) == 0x80)
		n--;
	strbuf_add(b, text, n);
	strbuf_puts(b, "\xe2\x80\xa6");
}

static void add_command(struct strbuf *b, char *const *command, bool whole)
{
	_cleanup_strbuf_ struct strbuf all = { 0 };
	const char *word;

	strv_each (word, command)
		strbuf_printf(&all, "%s%s", all.len ? " " : "", word);
	if (all.s)
		add_cut(b, all.s, whole ? 0 : COMMAND_WIDTH);
}

static void add_cell(struct table *t, struct strbuf *b)
{
	table_add(t, b->s);
	t->failed |= b->failed;
	strbuf_reset(b);
	*b = (struct strbuf){ 0 };
}

static void add_row(struct table *t, const struct launch_info *i, bool whole)
{
	const struct launch_record *r = i->record;
	struct strbuf b = { 0 };

	table_add(t, r->name);
	add_cut(&b, r->image ? r->image : "-", whole ? 0 : IMAGE_WIDTH);
	add_cell(t, &b);
	add_status(&b, i);
	add_cell(t, &b);
	add_age(&b, r->created, true);
	add_cell(t, &b);
	add_ports(&b, r);
	add_cell(t, &b);
	add_command(&b, r->command, whole);
	add_cell(t, &b);
}

/* --- the verb ----------------------------------------------------------------------------------- */

static int print_json(const struct launch_info *list, size_t n, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);

	if (!w)
		return err_set(e, ENOMEM, "ls");
	json_open_array(w, NULL);
	for (size_t i = 0; i < n; i++) {
		json_open_object(w, NULL);
		launch_info_write(&list[i], w);
		json_close_object(w);
	}
	json_close_array(w);
	return cli_print_json(w, e);
}

static int print(
	const struct ls_options *o, bool json, const struct launch_info *list, size_t n, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	_cleanup_(table_freep) struct table t = { .heads = heads };

	if (o->quiet) {
		for (size_t i = 0; i < n; i++)
			strbuf_printf(&b, "%s\n", list[i].record->name);
	} else if (json) {
		return print_json(list, n, e);
	} else {
		for (size_t i = 0; i < n; i++)
			add_row(&t, &list[i], o->no_trunc);
		table_write(&t, true, &b);
	}
	if (b.failed || t.failed)
		return err_set(e, ENOMEM, "ls");
	return b.len ? cli_print(b.s, b.len, e) : 0;
}

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	const struct ls_options *o = values;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_ctx ctx = cli_launch_ctx(rt);
	int json = cli_format_is_json(o->format, "table", e);
	struct launch_info *list = NULL;
	size_t n = 0, kept = 0;
	int r = json;

	(void)args;
	if (r >= 0 && !a)
		r = err_set(e, ENOMEM, "ls");
	if (r >= 0)
		r = check_filters(o, e);
	if (r >= 0)
		r = launch_list(&ctx, a, &list, &n, e);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = keep(o, &list[i], e);
		if (r > 0)
			list[kept++] = list[i];
	}
	return r < 0 ? r : print(o, json, list, kept, e);
}

const struct cli_verb verb_ls = {
	.name = "ls",
	.summary = "List launched partitions",
	.options = options,
	.size = sizeof(struct ls_options),
	.run = run,
};
