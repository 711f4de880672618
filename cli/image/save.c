/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence save: images of the store to an archive or directory. */
#include "cli/image/image.h"

#include <unistd.h>

#include "cli/image/progress.h"
#include "images/transfer.h"

struct save_options {
	const char *output, *format;
	bool quiet;
};

#define AT(field) offsetof(struct save_options, field)
static const struct opt options[] = {
	{ "output", 'o', OPT_STRING, AT(output), "PATH", "a file or directory (default: standard output)" },
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "oci-archive (default), docker-archive or oci-dir" },
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL, "show nothing" },
	{ 0 },
};
#undef AT

static int parse_format(const char *text, enum img_archive *out, struct err *e)
{
	static const char *const formats[] = {
		[IMG_OCI_ARCHIVE] = "oci-archive",
		[IMG_OCI_DIR] = "oci-dir",
		[IMG_DOCKER_ARCHIVE] = "docker-archive",
	};

	*out = IMG_OCI_ARCHIVE;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]) && text; i++)
		if (str_eq(formats[i], text)) {
			*out = (enum img_archive)i;
			return 0;
		}
	return text ? err_text(e, EINVAL,
			      "option --format must be oci-archive, docker-archive or oci-dir, not \"%s\"",
			      text)
		    : 0;
}

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(progress_freep) struct progress *progress = NULL;
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	const struct save_options *o = values;
	const char *path = o->output ? o->output : "-";
	enum img_archive format;
	int r = parse_format(o->format, &format, e);

	if (r < 0)
		return r;
	if (format == IMG_OCI_DIR && str_eq(path, "-"))
		return err_text(e, EINVAL, "save: format oci-dir needs --output DIR");
	if (str_eq(path, "-") && isatty(STDOUT_FILENO))
		return err_text(e, EINVAL,
			"save: standard output is a terminal; say --output FILE, or \"save … >FILE\"");
	if (!o->quiet)
		progress = progress_new("written");
	if (!o->quiet && !progress)
		return err_set(e, ENOMEM, "save");
	r = img_store_open(ctx->store, false, IMG_SHARED, -1, &s, e);
	if (r == 0)
		r = img_save(s, args, format, path, progress_calls(progress), e);
	progress_free(TAKE_PTR(progress));
	return r < 0 ? err_wrap(e, "save") : 0;
}

const struct image_verb verb_save = {
	.name = "save",
	.args = "IMAGE...",
	.min_args = 1,
	.max_args = -1,
	.options = options,
	.size = sizeof(struct save_options),
	.run = run,
};
