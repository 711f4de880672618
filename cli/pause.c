/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence pause: every process of a partition is frozen. */
#include "cli/cli.h"

static const struct opt options[] = { { 0 } };

static int pause_one(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	return rt_pause(ctx, args[0], e);
}

const struct cli_verb verb_pause = {
	.name = "pause",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "Freeze all processes of a partition",
	.options = options,
	.run = pause_one,
};
