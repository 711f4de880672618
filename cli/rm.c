/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence rm: removes launched partitions. */
#include "cli/launched.h"

struct rm_options {
	bool force, volumes, all;
	const char *format;
};

#define AT(field) offsetof(struct rm_options, field)
static const struct opt options[] = {
	{ "force", 'f', OPT_BOOL, AT(force), NULL,
		"also one that runs (it is killed), and whatever is left of a broken one" },
	{ "volumes", 'v', OPT_BOOL, AT(volumes), NULL, "its anonymous volumes too" },
	{ "all", 'a', OPT_BOOL, AT(all), NULL, "all partitions" },
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "text (default): their names, or json" },
	{ 0 },
};
#undef AT

static int remove_one(const struct launch_ctx *ctx, const char *name, const void *arg, struct err *e)
{
	const struct rm_options *o = arg;
	int r = launch_rm(ctx, name, o->force, o->volumes, e);

	/* With --force what is not there is as good as removed; so are those that others remove meanwhile. */
	if (r == -ENOENT && (o->force || o->all)) {
		err_clear(e);
		return 0;
	}
	return r;
}

static int names_of_all(const struct launch_ctx *ctx, struct arena *a, char ***out, struct err *e)
{
	struct launch_info *list;
	size_t n;
	int r = launch_list(ctx, a, &list, &n, e);

	if (r < 0)
		return r;
	*out = arena_calloc(a, n + 1, sizeof(**out));
	if (!*out)
		return err_set(e, ENOMEM, "list partitions");
	for (size_t i = 0; i < n; i++)
		(*out)[i] = (char *)list[i].record->name;
	return 0;
}

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	const struct rm_options *o = values;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_ctx ctx = cli_launch_ctx(rt);
	char **every = NULL;
	int json = cli_format_is_json(o->format, "text", e), r = json < 0 ? json : 0;

	if (r == 0 && !a)
		r = err_set(e, ENOMEM, "rm");
	if (r == 0 && !o->all && !args[0])
		return err_text(e, EINVAL, "no partition named; say which, or --all");
	if (r == 0 && o->all && args[0])
		return err_text(
			e, EINVAL, "option --all means all of them: \"%s\" cannot be named as well", args[0]);
	if (r == 0 && o->all)
		r = names_of_all(&ctx, a, &every, e);
	return r < 0 ? r : cli_each_launched(&ctx, o->all ? every : args, json, remove_one, o, e);
}

const struct cli_verb verb_rm = {
	.name = "rm",
	.args = "[NAME...]",
	.max_args = -1,
	.summary = "Remove launched partitions",
	.options = options,
	.size = sizeof(struct rm_options),
	.run = run,
};
