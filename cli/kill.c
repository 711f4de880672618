/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence kill: a signal to a partition's first process, or to all of them. */
#include "cli/cli.h"

struct kill_options {
	bool all, regex;
};

#define AT(field) offsetof(struct kill_options, field)
static const struct opt options[] = {
	{ "all", 'a', OPT_BOOL, AT(all), NULL, "signal every process; one that is not running is no error" },
	{ "regex", 'r', OPT_BOOL, AT(regex), NULL, "CONTAINER is a regular expression: all that match" },
	{ 0 },
};
#undef AT

struct what {
	int sig;
	bool all;
};

static int kill_one(const struct rt_ctx *ctx, const char *id, const void *arg, struct err *e)
{
	const struct what *w = arg;

	return rt_kill(ctx, id, w->sig, w->all, e);
}

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct kill_options *o = values;
	struct what w = { .all = o->all };

	w.sig = rt_signal_parse(args[1] ? args[1] : "SIGTERM", e);
	if (w.sig < 0)
		return w.sig;
	return cli_for_each(ctx, args[0], o->regex, kill_one, &w, e);
}

const struct cli_verb verb_kill = {
	.name = "kill",
	.args = "CONTAINER [SIGNAL]",
	.min_args = 1,
	.max_args = 2,
	.in_order = true, /* kill(1)'s "-9" is then a signal that is none, not an option */
	.summary = "Send a signal (default: SIGTERM) to a partition's first process",
	.options = options,
	.size = sizeof(struct kill_options),
	.run = run,
};
