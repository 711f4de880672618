/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence import: a root file system as an image. */
#include "cli/image/image.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/image/progress.h"
#include "images/transfer.h"

struct import_options {
	char **changes, **excludes, **include_mounts;
	const char *message, *author, *compression;
	bool from_host, quiet;
};

#define AT(field) offsetof(struct import_options, field)
static const struct opt options[] = {
	{ "change", 'c', OPT_LIST, AT(changes), "INSTRUCTION",
		"of a Dockerfile: CMD, ENTRYPOINT, ENV, USER, WORKDIR, LABEL, EXPOSE, VOLUME or STOPSIGNAL" },
	{ "message", 'm', OPT_STRING, AT(message), "TEXT", "for the history" },
	{ "author", 0, OPT_STRING, AT(author), "TEXT", "who made it" },
	{ "compression", 0, OPT_STRING, AT(compression), "HOW", "zstd (default), gzip or none" },
	{ "exclude", 0, OPT_LIST, AT(excludes), "PATTERN", "leave out what has such a path or name" },
	{ "from-host", 0, OPT_BOOL, AT(from_host), NULL, "the root file system of this host" },
	{ "include-mount", 0, OPT_LIST, AT(include_mounts), "DIR", "also what is mounted there" },
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL, "only the digest" },
	{ 0 },
};
#undef AT

static int check(const struct import_options *o, size_t n, const char *path, struct err *e)
{
	if (o->from_host && n != 1)
		return err_text(e, EINVAL, "import: --from-host takes only the NAME");
	if (!o->from_host && str_eq(path, "-") && isatty(STDIN_FILENO))
		return err_text(e, EINVAL,
			"import: standard input is a terminal; say \"import FILE NAME\" or \"import DIR "
			"NAME\"");
	return 0;
}

static void tell_changed(int64_t changed)
{
	if (changed)
		fprintf(stderr,
			"ringfence: %lld files changed or vanished while they were read; --log-level warning "
			"names "
			"them\n",
			(long long)changed);
}

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(progress_freep) struct progress *progress = NULL;
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct import_options *o = values;
	size_t n = strv_len(args);
	const char *path = n == 2 ? args[0] : "-";
	struct img_import_opts io = {
		.name = args[n - 1],
		.message = o->message,
		.author = o->author,
		.changes = o->changes,
		.excludes = o->excludes,
		.from_host = o->from_host,
		.include_mounts = o->include_mounts,
	};
	struct img_name name;
	int64_t changed;
	char line[IMG_DIGEST_MAX + 2];
	int r = a ? check(o, n, path, e) : err_set(e, ENOMEM, "import");

	if (r == 0)
		r = img_compression_parse(o->compression, &io.compression, e);
	if (!o->quiet)
		progress = progress_new("read");
	if (r == 0 && !o->quiet && !progress)
		r = err_set(e, ENOMEM, "import");
	if (r == 0)
		r = img_store_open(ctx->store, true, IMG_SHARED, -1, &s, e);
	if (r == 0)
		r = img_import(
			s, o->from_host ? NULL : path, &io, progress_calls(progress), a, &name, &changed, e);
	progress_free(TAKE_PTR(progress));
	if (r < 0)
		return r;
	if (!o->quiet)
		tell_changed(changed);
	snprintf(line, sizeof(line), "%s\n", name.target.digest.text);
	return cli_print(line, strlen(line), e);
}

const struct image_verb verb_import = {
	.name = "import",
	.args = "[FILE|DIR|-] NAME",
	.min_args = 1,
	.max_args = 2,
	.options = options,
	.size = sizeof(struct import_options),
	.run = run,
};
