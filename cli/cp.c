/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence cp: files from the host into a partition, out of it, and as tar streams. */
#include "cli/cli.h"

#include "launch/cp.h"

struct cp_options {
	struct launch_cp_opts cp;
	bool quiet;
};

#define AT(field) offsetof(struct cp_options, field)
static const struct opt options[] = {
	{ "archive", 'a', OPT_BOOL, AT(cp.archive), NULL, "keep owners and file capabilities" },
	{ "follow-link", 'L', OPT_BOOL, AT(cp.follow), NULL,
		"copy what a symlink given as the source leads to" },
	{ "overwrite", 0, OPT_BOOL, AT(cp.overwrite), NULL,
		"let a directory take the place of a file, and the other way round" },
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL,
		"say nothing about devices and sockets that were left out" },
	{ 0 },
};
#undef AT

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct launch_ctx lc = { .rt = ctx, .data = ctx->data, .store = ctx->store };
	const struct cp_options *o = values;
	struct launch_cp_report report = { 0 };
	int r = launch_cp(&lc, args[0], args[1], &o->cp, &report, e);

	if (r == 0 && report.skipped && !o->quiet)
		fprintf(stderr, "ringfence: cp: %llu left out, first %s\n",
			(unsigned long long)report.skipped, report.first);
	return r;
}

const struct cli_verb verb_cp = {
	.name = "cp",
	.args = "NAME:PATH HOST-PATH|- | HOST-PATH|- NAME:PATH",
	.min_args = 2,
	.max_args = 2,
	.summary = "Copy files out of a partition or into one",
	.options = options,
	.size = sizeof(struct cp_options),
	.run = run,
};
