/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence-image prepare: an image made ready to be started from; what `ringfence launch` runs when it is
 * not. */
#include "cli/image/image.h"

#include <stdio.h>

#include "cli/image/creds.h"
#include "cli/image/progress.h"

struct prepare_options {
	const char *pull, *format, *platform, *creds, *authfile, *cert_dir, *conf;
	int tls_verify;
	bool quiet, root_image;
};

#define AT(field) offsetof(struct prepare_options, field)
static const struct opt options[] = {
	{ "pull", 0, OPT_STRING, AT(pull), "WHEN", "missing (default), always or never" },
	{ "format", 0, OPT_STRING, AT(format), "FORMAT",
		"what layers are mounted from: dir (default), or erofs: image files, made by mkfs.erofs" },
	{ "root-image", 0, OPT_BOOL, AT(root_image), NULL,
		"also make an EROFS image of the whole root file system, for sandboxes" },
	{ "platform", 0, OPT_STRING, AT(platform), "OS/ARCH[/VARIANT]", "for another machine than this" },
	{ "creds", 0, OPT_STRING, AT(creds), "USER[:PASSWORD]", "instead of those in auth files" },
	{ "authfile", 0, OPT_STRING, AT(authfile), "FILE",
		"credentials (default $REGISTRY_AUTH_FILE, see login)" },
	{ "cert-dir", 0, OPT_STRING, AT(cert_dir), "DIR",
		"certificates (default /etc/containers/certs.d/HOST)" },
	{ "tls-verify", 0, OPT_TRI, AT(tls_verify), NULL, "=false: http, or TLS with any certificate" },
	{ "registries-conf", 0, OPT_STRING, AT(conf), "FILE", "instead of /etc/containers/registries.conf" },
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL, "only the digest" },
	{ 0 },
};
#undef AT

static const struct prepare_options defaults = { .tls_verify = -1 };

enum pull { PULL_MISSING, PULL_ALWAYS, PULL_NEVER };

struct prepare {
	const struct prepare_options *o;
	enum pull pull;
	bool erofs;
	struct img_pull_opts po;
	struct progress *progress; /* NULL: --quiet */
	struct img_store *s;
	struct arena *a;
};

static int read_options(struct prepare *p, struct err *e)
{
	const struct prepare_options *o = p->o;
	if (!o->pull || str_eq(o->pull, "missing"))
		p->pull = PULL_MISSING;
	else if (str_eq(o->pull, "always"))
		p->pull = PULL_ALWAYS;
	else if (str_eq(o->pull, "never"))
		p->pull = PULL_NEVER;
	else
		return err_text(
			e, EINVAL, "option --pull must be missing, always or never, not \"%s\"", o->pull);
	if (o->format && !str_eq(o->format, "dir") && !str_eq(o->format, "erofs"))
		return err_text(e, EINVAL, "option --format must be dir or erofs, not \"%s\"", o->format);
	p->erofs = o->format && str_eq(o->format, "erofs");
	p->po = (struct img_pull_opts){
		.registry = {
			.authfile = o->authfile,
			.cert_dir = o->cert_dir,
			.tls_verify_set = o->tls_verify >= 0,
			.tls_verify = o->tls_verify > 0,
			.retries = 5,
		},
		.registries_conf = o->conf,
		.unpack = true,
	};
	if (o->creds) {
		int r = creds_parse(p->a, o->creds, &p->po.registry.user, &p->po.registry.password, e);

		if (r < 0)
			return r;
	}
	return o->platform ? img_platform_parse(p->a, o->platform, &p->po.platform, e) : 0;
}

static int pull(struct prepare *p, const char *what, struct img_image *image, struct err *e)
{
	struct img_name name;
	int r = img_pull(p->s, what, &p->po, progress_calls(p->progress), p->a, &name, e);

	return r < 0 ? r : img_image_load(p->s, p->a, &name, &p->po.platform, image, e);
}

static int find(struct prepare *p, const char *what, struct img_image *image, struct err *e)
{
	const struct img_platform *platform = p->o->platform ? &p->po.platform : NULL;
	int r;

	if (p->pull == PULL_ALWAYS)
		return pull(p, what, image, e);
	r = img_image_find(p->s, p->a, what, platform, image, e);
	if (r != -ENOENT)
		return r;
	if (p->pull == PULL_NEVER)
		return err_hint(e, "--pull missing would fetch it");
	err_clear(e);
	return pull(p, what, image, e);
}

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct prepare p = { .o = values, .a = a };
	struct img_image image;
	char line[IMG_DIGEST_MAX + 2];
	int r;

	if (!p.o->quiet)
		p.progress = progress_new("received");
	if (!a || (!p.o->quiet && !p.progress))
		return err_set(e, ENOMEM, "prepare");
	r = read_options(&p, e);
	if (r == 0)
		r = img_store_open(ctx->store, true, IMG_SHARED, -1, &s, e);
	p.s = s;
	if (r == 0)
		r = find(&p, args[0], &image, e);
	if (r == 0)
		r = img_layers_unpack(s, &image, progress_calls(p.progress), e);
	if (r == 0 && p.erofs)
		r = img_layers_erofs(s, &image, progress_calls(p.progress), e);
	if (r == 0 && p.o->root_image)
		r = img_root_erofs(s, &image, e);
	progress_free(p.progress);
	if (r == 0)
		r = img_ready_set(s, &image, p.o->platform ? &p.po.platform : NULL, p.erofs, e);
	if (r < 0)
		return r;
	snprintf(line, sizeof(line), "%s\n", image.target.digest.text);
	return cli_print(line, strlen(line), e);
}

const struct image_verb verb_prepare = {
	.name = "prepare",
	.args = "IMAGE",
	.min_args = 1,
	.max_args = 1,
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct prepare_options),
	.run = run,
};
