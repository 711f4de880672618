/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence events: statistics and out-of-memory events, a JSON line each. */
#include "cli/cli.h"

struct events_options {
	bool stats;
	int interval; /* ms */
};

#define AT(field) offsetof(struct events_options, field)
static const struct opt options[] = {
	{ "stats", 0, OPT_BOOL, AT(stats), NULL, "print the statistics once and return" },
	{ "interval", 0, OPT_DURATION, AT(interval), "DURATION",
		"between statistics: 500ms, 1m30s, … (default 5s)" },
	{ 0 },
};
#undef AT

static const struct events_options defaults = { .interval = 5000 };

/* One write a line: a reader never sees half of one. */
static int print_line(const char *text, void *arg)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	strbuf_printf(&b, "%s\n", text);
	if (b.failed)
		return err_set(arg, ENOMEM, "print an event");
	return cli_print(b.s, b.len, arg);
}

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct events_options *o = values;
	_cleanup_free_ char *line = NULL;
	int r;

	if (o->stats) {
		r = rt_stats(ctx, args[0], &line, e);
		return r < 0 ? r : print_line(line, e);
	}
	if (o->interval <= 0)
		return err_text(e, EINVAL, "option --interval must be more than 0");
	return rt_events(ctx, args[0], o->interval, print_line, e, e);
}

const struct cli_verb verb_events = {
	.name = "events",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "Print statistics and out-of-memory events as JSON lines",
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct events_options),
	.run = run,
};
