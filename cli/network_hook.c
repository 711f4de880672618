/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence network-hook: what config.json of a launched partition has for hooks. Not for people. */
#include "cli/cli.h"
#include "launch/network.h"

static const struct opt options[] = { { 0 } };

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	struct launch_ctx launch = { .rt = ctx, .data = ctx->data, .store = ctx->store };

	return launch_network_hook(&launch, args[0], e);
}

const struct cli_verb verb_network_hook = {
	.hidden = true,
	.name = "network-hook",
	.args = "up|down",
	.min_args = 1,
	.max_args = 1,
	.summary = "Set up or take down the network of a launched partition, whose state is on stdin",
	.options = options,
	.run = run,
};
