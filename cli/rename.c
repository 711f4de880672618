/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence rename: gives a launched partition that does not run another name. */
#include "cli/launched.h"

struct rename_options {
	const char *format;
};

static const struct opt options[] = {
	{ "format", 0, OPT_STRING, offsetof(struct rename_options, format), "FORMAT",
		"text (default): nothing, or json" },
	{ 0 },
};

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	const struct rename_options *o = values;
	_cleanup_(json_writer_freep) struct json_writer *w = NULL;
	struct launch_ctx ctx = cli_launch_ctx(rt);
	int json = cli_format_is_json(o->format, "text", e), r;

	if (json < 0)
		return json;
	w = json_writer_new(false);
	if (!w)
		return err_set(e, ENOMEM, "rename");
	r = launch_rename(&ctx, args[0], args[1], e);
	if (r < 0 || !json)
		return r;
	json_open_object(w, NULL);
	json_put_string(w, "name", args[1]);
	json_put_string(w, "was", args[0]);
	json_close_object(w);
	return cli_print_json(w, e);
}

const struct cli_verb verb_rename = {
	.name = "rename",
	.args = "NAME NEW-NAME",
	.min_args = 2,
	.max_args = 2,
	.summary = "Give a launched partition that does not run another name",
	.options = options,
	.size = sizeof(struct rename_options),
	.run = run,
};
