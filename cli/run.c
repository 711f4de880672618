/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence run: create, start, and wait for a partition. */
#include "cli/create_options.h"
#include "sandbox/ask.h"

static const struct opt options[] = {
	CREATE_OPTIONS,
	{ "detach", 'd', OPT_BOOL, CREATE_AT(detach), NULL, "return as soon as the command runs" },
	{ "keep", 0, OPT_BOOL, CREATE_AT(keep), NULL, "do not delete the partition when it has ended" },
	{ 0 },
};

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	struct rt_create_opts o = *(const struct rt_create_opts *)values;
	int status = 0, r;

	o.id = args[0];
	r = vm_prefer(cli_isolation(o.isolation), o.accel, e);
	if (r == 0)
		r = rt_run(ctx, &o, &status, e);
	return r < 0 ? r : status;
}

const struct cli_verb verb_run = {
	.executes = true,
	.name = "run",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "Create and start a partition, wait for it, and exit with its status",
	.options = options,
	.size = sizeof(struct rt_create_opts),
	.run = run,
};
