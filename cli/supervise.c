/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence supervise: what launch and restart run for a detached partition (launch/supervise.h). Not for
 * people. */
#include "cli/entry.h"
#include "cli/launched.h"
#include "launch/supervise.h"

struct supervise_options {
	int report;
};

#define AT(field) offsetof(struct supervise_options, field)
static const struct opt options[] = {
	{ "report", 0, OPT_COUNT, AT(report), "FD", "where to tell that it runs, or why it does not" },
	{ 0 },
};
#undef AT

static const struct supervise_options defaults = { .report = -1 };

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	const struct supervise_options *o = values;
	struct launch_ctx ctx = cli_launch_ctx(rt);

	return launch_supervise(&ctx, args[0], o->report, rf_start != NULL, e);
}

const struct cli_verb verb_supervise = {
	.executes = true,
	.hidden = true,
	.name = "supervise",
	.args = "NAME",
	.min_args = 1,
	.max_args = 1,
	.summary = "Be the parent of a detached partition",
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct supervise_options),
	.run = run,
};
