/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence attach: joins our terminal, or our standard input and output, to a detached partition. */
#include "base/log.h"
#include "cli/launched.h"
#include "launch/supervise.h"

struct attach_options {
	bool no_stdin, sig_proxy;
	const char *detach_keys;
};

#define AT(field) offsetof(struct attach_options, field)
static const struct opt options[] = {
	{ "no-stdin", 0, OPT_BOOL, AT(no_stdin), NULL, "only show its output" },
	{ "sig-proxy", 0, OPT_BOOL, AT(sig_proxy), NULL,
		"pass on signals that come to us (default; =false: they end the attachment)" },
	{ "detach-keys", 0, OPT_STRING, AT(detach_keys), "KEYS",
		"what to type to leave it running, \"\" for nothing (default ctrl-p,ctrl-q)" },
	{ 0 },
};
#undef AT

static const struct attach_options defaults = { .sig_proxy = true };

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	const struct attach_options *o = values;
	struct launch_ctx ctx = cli_launch_ctx(rt);
	struct launch_attach_opts how = {
		.no_stdin = o->no_stdin,
		.no_sig_proxy = !o->sig_proxy,
		.detach_keys = o->detach_keys,
	};
	struct launch_attach_end end;
	int r = launch_attach(&ctx, args[0], &how, &end, e);

	if (r < 0)
		return r;
	if (end.lost)
		log_error("%llu bytes of output were not taken in time and are not shown; \"ringfence logs "
			  "%s\" has them",
			(unsigned long long)end.lost, args[0]);
	return end.status < 0 ? 0 : end.status;
}

const struct cli_verb verb_attach = {
	.name = "attach",
	.args = "NAME",
	.min_args = 1,
	.max_args = 1,
	.summary = "Join our terminal, or standard input and output, to a launched partition",
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct attach_options),
	.run = run,
};
