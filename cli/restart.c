/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence restart: stops launched partitions, if they run, and runs them again. */
#include "cli/launched.h"

struct restart_options {
	int seconds;
	bool all;
	const char *format;
};

#define AT(field) offsetof(struct restart_options, field)
static const struct opt options[] = {
	{ "time", 't', OPT_COUNT, AT(seconds), "SECONDS",
		"until SIGKILL follows the stop signal; 0: at once (default: as launched, 10)" },
	{ "timeout", 0, OPT_COUNT, AT(seconds), "SECONDS", NULL },
	{ "all", 'a', OPT_BOOL, AT(all), NULL, "all partitions that run" },
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "text (default): their names, or json" },
	{ 0 },
};
#undef AT

static const struct restart_options defaults = { .seconds = -1 };

static int restart_one(const struct launch_ctx *ctx, const char *name, const void *arg, struct err *e)
{
	return launch_restart(ctx, name, *(const int *)arg, e);
}

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	const struct restart_options *o = values;
	struct launch_ctx ctx = cli_launch_ctx(rt);
	int json = cli_format_is_json(o->format, "text", e);

	return json < 0 ? json : cli_each_running(&ctx, args, o->all, json, restart_one, &o->seconds, e);
}

const struct cli_verb verb_restart = {
	.executes = true,
	.name = "restart",
	.args = "NAME...",
	.max_args = -1,
	.summary = "Run launched partitions again, and stop them first if they run",
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct restart_options),
	.run = run,
};
