/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence list: all partitions below the root, as a table, as ids, or as JSON. */
#include "cli/cli.h"

#include <stdint.h>

struct list_options {
	const char *format;
	bool quiet;
};

#define AT(field) offsetof(struct list_options, field)
static const struct opt options[] = {
	{ "format", 'f', OPT_STRING, AT(format), "FORMAT", "table (default) or json" },
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL, "ids only" },
	{ 0 },
};
#undef AT

enum { COLUMNS = 6 };
#define COLUMN_MIN 12
#define COLUMN_GAP 3

static const char *const heads[COLUMNS] = { "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER" };

/* The cell's text; `pid` is room for a number. */
static const char *cell(const struct rt_info *i, int column, char pid[static 16])
{
	const char *const text[COLUMNS] = { i->id, pid, rt_status_names[i->status], i->bundle, i->created,
		i->owner };

	snprintf(pid, 16, "%d", (int)i->pid);
	return text[column] ? text[column] : "";
}

static void add_row(struct strbuf *b, const char *const text[COLUMNS], const size_t width[COLUMNS])
{
	for (int c = 0; c < COLUMNS - 1; c++)
		strbuf_printf(b, "%-*s", (int)width[c], text[c]);
	strbuf_printf(b, "%s\n", text[COLUMNS - 1]);
}

static void add_table(struct strbuf *b, const struct rt_info *list, size_t n)
{
	size_t width[COLUMNS];
	char pid[16];

	for (int c = 0; c < COLUMNS; c++) {
		width[c] = strlen(heads[c]);
		for (size_t i = 0; i < n; i++) {
			size_t len = strlen(cell(&list[i], c, pid));

			width[c] = len > width[c] ? len : width[c];
		}
		width[c] = width[c] + COLUMN_GAP > COLUMN_MIN ? width[c] + COLUMN_GAP : COLUMN_MIN;
	}
	add_row(b, heads, width);
	for (size_t i = 0; i < n; i++) {
		const char *text[COLUMNS];

		for (int c = 0; c < COLUMNS; c++)
			text[c] = cell(&list[i], c, pid);
		add_row(b, text, width);
	}
}

static int print_json(const struct rt_info *list, size_t n, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);

	if (!w)
		return err_set(e, ENOMEM, "list");
	json_open_array(w, NULL);
	for (size_t i = 0; i < n; i++) {
		json_open_object(w, NULL);
		rt_info_write(&list[i], w);
		json_close_object(w);
	}
	json_close_array(w);
	return cli_print_json(w, e);
}

static int print(const struct list_options *o, bool json, const struct rt_info *list, size_t n, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	if (json)
		return print_json(list, n, e);
	if (o->quiet) {
		for (size_t i = 0; i < n; i++)
			strbuf_printf(&b, "%s\n", list[i].id);
	} else {
		add_table(&b, list, n);
	}
	if (b.failed)
		return err_set(e, ENOMEM, "list");
	return b.len ? cli_print(b.s, b.len, e) : 0;
}

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct list_options *o = values;
	int json = cli_format_is_json(o->format, "table", e);
	struct rt_info *list = NULL;
	size_t n = 0;
	int r;

	if (json < 0)
		return json;
	r = rt_list(ctx, &list, &n, e);
	if (r < 0)
		return r;
	r = print(o, json, list, n, e);
	for (size_t i = 0; i < n; i++)
		rt_info_free(&list[i]);
	free(list);
	return r;
}

const struct cli_verb verb_list = {
	.name = "list",
	.summary = "List all partitions",
	.options = options,
	.size = sizeof(struct list_options),
	.run = run,
};
