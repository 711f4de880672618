/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence stats: what partitions use, again and again or once. */
#include "cli/cli.h"

#include <time.h>

#include "launch/stats.h"

struct stats_options {
	bool all, no_stream, json;
	int interval; /* ms */
	const char *format;
};

#define AT(field) offsetof(struct stats_options, field)
static const struct opt options[] = {
	{ "all", 'a', OPT_BOOL, AT(all), NULL, "those that do not run, too" },
	{ "no-stream", 0, OPT_BOOL, AT(no_stream), NULL, "print them once and return" },
	{ "interval", 'i', OPT_DURATION, AT(interval), "DURATION",
		"between two prints: 500ms, 5s, … (default 1s)" },
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "table (default) or json" },
	{ "json", 0, OPT_BOOL, AT(json), NULL, "the same as --format json" },
	{ 0 },
};
#undef AT

static const struct stats_options defaults = { .interval = 1000 };

static void wait_ms(int ms)
{
	const struct timespec t = { ms / 1000, (ms % 1000) * 1000000L };

	nanosleep(&t, NULL);
}

/* Those that are to be shown, moved to the front of a copy. */
static struct launch_sample *chosen(const struct launch_sample *list, size_t *n, bool all)
{
	struct launch_sample *out = calloc(*n + 1, sizeof(*out));
	size_t kept = 0;

	for (size_t i = 0; out && i < *n; i++)
		if (all || list[i].running)
			out[kept++] = list[i];
	*n = kept;
	return out;
}

static int print_table(const struct launch_sample *list, size_t n, bool redraw, bool first, struct err *e)
{
	_cleanup_free_ const struct launch_sample **rows = calloc(n + 1, sizeof(*rows));
	_cleanup_strbuf_ struct strbuf b = { 0 };

	if (!rows)
		return err_set(e, ENOMEM, "stats");
	for (size_t i = 0; i < n; i++)
		rows[i] = &list[i];
	if (redraw)
		strbuf_puts(&b, "\033[H\033[J");
	else if (!first)
		strbuf_puts(&b, "\n");
	figure_table(&b, rows, n, figure_host_memory(), false);
	return b.failed ? err_set(e, ENOMEM, "stats") : cli_print(b.s, b.len, e);
}

static int print_json(const struct launch_sample *list, size_t n, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);

	if (!w)
		return err_set(e, ENOMEM, "stats");
	figure_json(w, list, n, figure_host_memory());
	return cli_print_json(w, e);
}

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct launch_ctx lc = { .rt = ctx, .data = ctx->data, .store = ctx->store };
	const struct stats_options *o = values;
	_cleanup_(launch_stats_freep) struct launch_stats *s = NULL;
	int json = o->json ? 1 : cli_format_is_json(o->format, "table", e), r;
	const struct launch_sample *list;
	size_t n;

	if (json < 0)
		return json;
	if (o->interval <= 0)
		return err_text(e, EINVAL, "option --interval must be more than 0");
	r = launch_stats_new(&lc, args, &s, e);
	if (r == 0)
		r = launch_stats_pass(s, &list, &n, e);
	/* CPU time is a difference: the first line is due when there is one. */
	for (bool first = true; r == 0; first = false) {
		_cleanup_free_ struct launch_sample *shown = NULL;

		wait_ms(first && o->interval > 1000 ? 1000 : o->interval);
		r = launch_stats_pass(s, &list, &n, e);
		if (r < 0)
			break;
		shown = chosen(list, &n, o->all || args[0]);
		if (!shown)
			r = err_set(e, ENOMEM, "stats");
		else
			r = json ? print_json(shown, n, e)
				 : print_table(shown, n, isatty(STDOUT_FILENO) && !o->no_stream, first, e);
		if (o->no_stream)
			break;
	}
	/* Whoever read has seen enough. */
	if (r == -EPIPE) {
		err_clear(e);
		r = 0;
	}
	return r;
}

const struct cli_verb verb_stats = {
	.name = "stats",
	.args = "[NAME...]",
	.max_args = -1,
	.summary = "Show what partitions use: CPU, memory, network, block I/O, pressure",
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct stats_options),
	.run = run,
};
