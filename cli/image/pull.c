/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence pull: an image from a registry into the store. */
#include "cli/image/image.h"

#include <stdio.h>

#include "cli/image/creds.h"
#include "cli/image/progress.h"

struct pull_options {
	const char *platform, *creds, *authfile, *cert_dir, *conf, *policy;
	int tls_verify, parallel, retries, timeout;
	bool all_platforms, unpack, quiet;
};

#define AT(field) offsetof(struct pull_options, field)
static const struct opt options[] = {
	{ "platform", 0, OPT_STRING, AT(platform), "OS/ARCH[/VARIANT]", "for another machine than this" },
	{ "all-platforms", 'a', OPT_BOOL, AT(all_platforms), NULL,
		"all images of a list, not only this machine's" },
	{ "creds", 0, OPT_STRING, AT(creds), "USER[:PASSWORD]", "instead of those in auth files" },
	{ "authfile", 0, OPT_STRING, AT(authfile), "FILE",
		"credentials (default $REGISTRY_AUTH_FILE, see login)" },
	{ "cert-dir", 0, OPT_STRING, AT(cert_dir), "DIR",
		"certificates (default /etc/containers/certs.d/HOST)" },
	{ "tls-verify", 0, OPT_TRI, AT(tls_verify), NULL, "=false: http, or TLS with any certificate" },
	{ "registries-conf", 0, OPT_STRING, AT(conf), "FILE", "instead of /etc/containers/registries.conf" },
	{ "policy", 0, OPT_STRING, AT(policy), "POLICY",
		"always (default) or missing: only if it is not in the store" },
	{ "unpack", 0, OPT_BOOL, AT(unpack), NULL, "also unpack it" },
	{ "parallel", 0, OPT_COUNT, AT(parallel), "N", "layers at once (default 3)" },
	{ "retry", 0, OPT_COUNT, AT(retries), "N", "tries after one that failed (default 5)" },
	{ "timeout", 0, OPT_COUNT, AT(timeout), "SECONDS", "without a sign of the registry (default 60)" },
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL, "only the digest" },
	{ 0 },
};
#undef AT

static const struct pull_options defaults = { .tls_verify = -1, .retries = 5 };

static int fill(const struct pull_options *o, struct arena *a, struct img_pull_opts *out, struct err *e)
{
	*out = (struct img_pull_opts){
		.registry = {
			.authfile = o->authfile,
			.cert_dir = o->cert_dir,
			.tls_verify_set = o->tls_verify >= 0,
			.tls_verify = o->tls_verify > 0,
			.timeout = o->timeout,
			.retries = o->retries ? o->retries : -1,
		},
		.registries_conf = o->conf,
		.all_platforms = o->all_platforms,
		.parallel = o->parallel,
		.unpack = o->unpack,
	};
	if (o->policy && !str_eq(o->policy, "always") && !str_eq(o->policy, "missing"))
		return err_text(
			e, EINVAL, "option --policy must be always or missing, not \"%s\"", o->policy);
	out->only_if_missing = o->policy && str_eq(o->policy, "missing");
	if (o->creds) {
		int r = creds_parse(a, o->creds, &out->registry.user, &out->registry.password, e);

		if (r < 0)
			return r;
	}
	return o->platform ? img_platform_parse(a, o->platform, &out->platform, e) : 0;
}

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_(progress_freep) struct progress *progress = NULL;
	const struct pull_options *o = values;
	struct img_pull_opts po;
	struct img_name name;
	char line[IMG_DIGEST_MAX + 2];
	int r;

	if (!o->quiet)
		progress = progress_new("received");
	if (!a || (!o->quiet && !progress))
		return err_set(e, ENOMEM, "pull");
	r = fill(o, a, &po, e);
	if (r == 0)
		r = img_store_open(ctx->store, true, IMG_SHARED, -1, &s, e);
	if (r == 0)
		r = img_pull(s, args[0], &po, progress_calls(progress), a, &name, e);
	progress_free(TAKE_PTR(progress));
	if (r < 0)
		return r;
	snprintf(line, sizeof(line), "%s\n", name.target.digest.text);
	return cli_print(line, strlen(line), e);
}

const struct image_verb verb_pull = {
	.name = "pull",
	.args = "IMAGE",
	.min_args = 1,
	.max_args = 1,
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct pull_options),
	.run = run,
};
