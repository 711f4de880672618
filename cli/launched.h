/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs for launched partitions share. */
#ifndef CLI_LAUNCHED_H
#define CLI_LAUNCHED_H

#include "cli/cli.h"
#include "launch/record.h"

static inline struct launch_ctx cli_launch_ctx(const struct rt_ctx *rt)
{
	return (struct launch_ctx){ .rt = rt, .data = rt->data, .store = rt->store };
}

/*
 * Calls act() for each name, several at once and each in a process of its own, all of them even if some fail,
 * and prints the names of those that went well: a line each, or with `json` at the end an array of {"name":…}
 * or
 * {"name":…,"error":…}. The error counts the failures and quotes the first.
 */
int cli_each_launched(const struct launch_ctx *ctx, char *const *names, bool json,
	int (*act)(const struct launch_ctx *ctx, const char *name, const void *arg, struct err *e),
	const void *arg, struct err *e);

/* As above, for `stop`, `restart` and their kin: with `all` the partitions that run, and then no name may be
 * given. */
int cli_each_running(const struct launch_ctx *ctx, char *const *names, bool all, bool json,
	int (*act)(const struct launch_ctx *ctx, const char *name, const void *arg, struct err *e),
	const void *arg, struct err *e);

#endif
