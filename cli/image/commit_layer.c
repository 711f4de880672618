/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence-image commit-layer: an overlayfs upper directory as one more layer. For ringfence itself, which
 * knows where a partition has it. */
#include "cli/image/image.h"

#include <fcntl.h>
#include <stdio.h>

#include "cli/image/progress.h"
#include "images/transfer.h"

struct commit_options {
	char **changes;
	const char *base, *upper, *message, *author, *compression;
	int uid_offset, gid_offset, ids;
	bool quiet;
};

#define AT(field) offsetof(struct commit_options, field)
static const struct opt options[] = {
	{ "base", 0, OPT_STRING, AT(base), "IMAGE", "the image below" },
	{ "upper", 0, OPT_STRING, AT(upper), "DIR", "the upper directory; nobody may be writing to it" },
	{ "change", 'c', OPT_LIST, AT(changes), "INSTRUCTION", "of a Dockerfile, as import has them" },
	{ "message", 'm', OPT_STRING, AT(message), "TEXT", "for the history" },
	{ "author", 0, OPT_STRING, AT(author), "TEXT", "who made it" },
	{ "compression", 0, OPT_STRING, AT(compression), "HOW", "zstd (default), gzip or none" },
	{ "uid-offset", 0, OPT_COUNT, AT(uid_offset), "N", "what owners have more than in the image" },
	{ "gid-offset", 0, OPT_COUNT, AT(gid_offset), "N", "and groups" },
	{ "ids", 0, OPT_COUNT, AT(ids), "N", "how many there are from there on (default: all)" },
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL, "only the digest" },
	{ 0 },
};
#undef AT

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(progress_freep) struct progress *progress = NULL;
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct commit_options *o = values;
	struct img_commit_opts co = {
		.name = args[0],
		.message = o->message,
		.author = o->author,
		.changes = o->changes,
		.uid_shift = (uint32_t)o->uid_offset,
		.gid_shift = (uint32_t)o->gid_offset,
		.shift_count = (uint32_t)o->ids,
	};
	_cleanup_close_ int upper = -EBADF;
	char line[IMG_DIGEST_MAX + 2];
	struct img_name name;
	int r;

	if (!o->quiet)
		progress = progress_new("read");
	if (!a || (!o->quiet && !progress))
		return err_set(e, ENOMEM, "commit-layer");
	if (!o->base || !o->upper)
		return err_text(e, EINVAL, "commit-layer: --base IMAGE and --upper DIR must be given");
	r = img_compression_parse(o->compression, &co.compression, e);
	if (r < 0)
		return r;
	upper = open(o->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (upper < 0)
		return err_set(e, errno, "commit-layer: open %s", o->upper);
	r = img_store_open(ctx->store, false, IMG_SHARED, -1, &s, e);
	if (r == 0)
		r = img_commit(s, o->base, upper, &co, progress_calls(progress), a, &name, e);
	progress_free(TAKE_PTR(progress));
	if (r < 0)
		return err_wrap(e, "commit %s", o->upper);
	snprintf(line, sizeof(line), "%s\n", name.target.digest.text);
	return cli_print(line, strlen(line), e);
}

const struct image_verb verb_commit_layer = {
	.name = "commit-layer",
	.args = "NAME",
	.min_args = 1,
	.max_args = 1,
	.summary = "Make an image of another one and an overlayfs upper directory",
	.options = options,
	.size = sizeof(struct commit_options),
	.run = run,
};
