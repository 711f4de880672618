/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence rename: gives a launched partition that does not run another name. */
#include "cli/launched.h"

static const struct opt options[] = { { 0 } };

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	struct launch_ctx ctx = cli_launch_ctx(rt);

	return launch_rename(&ctx, args[0], args[1], e);
}

const struct cli_verb verb_rename = {
	.name = "rename",
	.args = "NAME NEW-NAME",
	.min_args = 2,
	.max_args = 2,
	.summary = "Give a launched partition that does not run another name",
	.options = options,
	.run = run,
};
