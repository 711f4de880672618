/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence stop: tells launched partitions to end, and makes them. */
#include "cli/launched.h"

struct stop_options {
	int seconds;
	bool all;
	const char *format;
};

#define AT(field) offsetof(struct stop_options, field)
static const struct opt options[] = {
	{ "time", 't', OPT_COUNT, AT(seconds), "SECONDS",
		"until SIGKILL follows the stop signal; 0: at once (default: as launched, 10)" },
	{ "timeout", 0, OPT_COUNT, AT(seconds), "SECONDS", NULL },
	{ "all", 'a', OPT_BOOL, AT(all), NULL, "all partitions that run" },
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "text (default): their names, or json" },
	{ 0 },
};
#undef AT

static const struct stop_options defaults = { .seconds = -1 };

static int stop_one(const struct launch_ctx *ctx, const char *name, const void *arg, struct err *e)
{
	return launch_stop(ctx, name, *(const int *)arg, e);
}

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	const struct stop_options *o = values;
	struct launch_ctx ctx = cli_launch_ctx(rt);
	int json = cli_format_is_json(o->format, "text", e);

	return json < 0 ? json : cli_each_running(&ctx, args, o->all, json, stop_one, &o->seconds, e);
}

const struct cli_verb verb_stop = {
	.name = "stop",
	.args = "NAME...",
	.max_args = -1,
	.summary = "Stop launched partitions: their stop signal, then SIGKILL",
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct stop_options),
	.run = run,
};
