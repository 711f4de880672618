/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence create: a partition set up and waiting for `start`. */
#include "cli/create_options.h"
#include "sandbox/ask.h"

static const struct opt options[] = { CREATE_OPTIONS, { 0 } };

static int create(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	struct rt_create_opts o = *(const struct rt_create_opts *)values;
	int r;

	o.id = args[0];
	r = vm_prefer(cli_isolation(o.isolation), o.accel, e);
	return r < 0 ? r : rt_create(ctx, &o, e);
}

const struct cli_verb verb_create = {
	.executes = true,
	.name = "create",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "Set up a partition, without starting its command",
	.options = options,
	.size = sizeof(struct rt_create_opts),
	.run = create,
};
