/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence wait: waits until launched partitions have ended for good, and prints their exit codes. */
#include "cli/launched.h"

struct wait_options {
	const char *format;
};

#define AT(field) offsetof(struct wait_options, field)
static const struct opt options[] = {
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "text (default): a line each, or json" },
	{ 0 },
};
#undef AT

/* Printed as soon as it is known: what follows may take any time. */
static int print_code(struct json_writer *w, const char *name, int code, struct err *e)
{
	char text[16];

	if (!w) {
		snprintf(text, sizeof(text), "%d\n", code);
		return cli_print(text, strlen(text), e);
	}
	json_open_object(w, NULL);
	json_put_string(w, "name", name);
	json_put_i64(w, "exitCode", code);
	json_close_object(w);
	return 0;
}

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	const struct wait_options *o = values;
	struct launch_ctx ctx = cli_launch_ctx(rt);
	int json = cli_format_is_json(o->format, "text", e), r = 0;
	_cleanup_(json_writer_freep) struct json_writer *w = json == 1 ? json_writer_new(false) : NULL;
	const char *name;

	if (json < 0)
		return json;
	if (json && !w)
		return err_set(e, ENOMEM, "write JSON");
	if (w)
		json_open_array(w, NULL);
	strv_each (name, args) {
		int code = 0;

		r = launch_wait(&ctx, name, &code, e);
		if (r == 0)
			r = print_code(w, name, code, e);
		if (r < 0)
			return r;
	}
	if (!w)
		return 0;
	json_close_array(w);
	return cli_print_json(w, e);
}

const struct cli_verb verb_wait = {
	.name = "wait",
	.args = "NAME...",
	.min_args = 1,
	.max_args = -1,
	.summary = "Wait until launched partitions have ended, and print their exit codes",
	.options = options,
	.size = sizeof(struct wait_options),
	.run = run,
};
