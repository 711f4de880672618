/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence state: the state document of one partition. */
#include "cli/cli.h"

static const struct opt options[] = { { 0 } };

static int state(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	struct rt_info info = { 0 };
	int r;

	if (!w)
		return err_set(e, ENOMEM, "state of container \"%s\"", args[0]);
	r = rt_info(ctx, args[0], &info, e);
	if (r < 0)
		return r;
	json_open_object(w, NULL);
	rt_info_write(&info, w);
	json_close_object(w);
	rt_info_free(&info);
	return cli_print_json(w, e);
}

const struct cli_verb verb_state = {
	.name = "state",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "Print the state of a partition as JSON",
	.options = options,
	.run = state,
};
