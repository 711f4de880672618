/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence load: images from an archive or a directory into the store. */
#include "cli/image/image.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/image/progress.h"
#include "images/transfer.h"

struct load_options {
	const char *input;
	bool quiet;
};

#define AT(field) offsetof(struct load_options, field)
static const struct opt options[] = {
	{ "input", 'i', OPT_STRING, AT(input), "FILE",
		"an oci-archive, docker-archive or OCI layout directory (default: standard input)" },
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL, "only the digests" },
	{ 0 },
};
#undef AT

static int print_names(const struct img_name *names, size_t n, bool quiet, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (quiet)
			strbuf_printf(&out, "%s\n", names[i].target.digest.text);
		else
			strbuf_printf(&out, "Loaded image: %s\n",
				names[i].name ? names[i].name : names[i].target.digest.text);
	}
	return out.failed ? err_set(e, ENOMEM, "load") : cli_print(out.s, out.len, e);
}

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(progress_freep) struct progress *progress = NULL;
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct load_options *o = values;
	const char *path = o->input ? o->input : "-";
	struct img_name *names;
	size_t n;
	int r;

	if (!o->quiet)
		progress = progress_new("read");
	if (!a || (!o->quiet && !progress))
		return err_set(e, ENOMEM, "load");
	if (str_eq(path, "-") && isatty(STDIN_FILENO))
		return err_text(
			e, EINVAL, "load: standard input is a terminal; say --input FILE, or \"load <FILE\"");
	r = img_store_open(ctx->store, true, IMG_SHARED, -1, &s, e);
	if (r == 0)
		r = img_load(s, path, args[0], progress_calls(progress), a, &names, &n, e);
	progress_free(TAKE_PTR(progress));
	return r < 0 ? r : print_names(names, n, o->quiet, e);
}

const struct image_verb verb_load = {
	.name = "load",
	.args = "[NAME]",
	.max_args = 1,
	.options = options,
	.size = sizeof(struct load_options),
	.run = run,
};
