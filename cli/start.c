/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence start: the command of a created partition runs. */
#include "cli/cli.h"

static const struct opt options[] = { { 0 } };

static int start_one(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	return rt_start(ctx, args[0], e);
}

const struct cli_verb verb_start = {
	.name = "start",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "Run the command of a created partition",
	.options = options,
	.run = start_one,
};
