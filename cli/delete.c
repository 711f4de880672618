/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence delete: give back everything that a partition holds. */
#include "cli/cli.h"

struct delete_options {
	bool force, regex;
};

#define AT(field) offsetof(struct delete_options, field)
static const struct opt options[] = {
	{ "force", 'f', OPT_BOOL, AT(force), NULL, "kill what still runs; an unknown CONTAINER is no error" },
	{ "regex", 'r', OPT_BOOL, AT(regex), NULL, "CONTAINER is a regular expression: all that match" },
	{ 0 },
};
#undef AT

static int delete_one(const struct rt_ctx *ctx, const char *id, const void *arg, struct err *e)
{
	const bool *force = arg;

	return rt_delete(ctx, id, *force, e);
}

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct delete_options *o = values;

	return cli_for_each(ctx, args[0], o->regex, delete_one, &o->force, e);
}

const struct cli_verb verb_delete = {
	.name = "delete",
	.args = "CONTAINER",
	.min_args = 1,
	.max_args = 1,
	.summary = "Remove a stopped partition",
	.options = options,
	.size = sizeof(struct delete_options),
	.run = run,
};
