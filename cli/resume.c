/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence resume: a paused partition goes on. */
#include "cli/cli.h"

static const struct opt options[] = { { 0 } };

static int resume_one(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	return rt_resume(ctx, args[0], e);
}

const struct cli_verb verb_resume = {
	.name = "resume",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "Let a paused partition go on",
	.options = options,
	.run = resume_one,
};
