/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence commit: an image out of what a partition has changed. */
#include "cli/cli.h"

#include "launch/commit.h"

struct commit_options {
	const char *message, *author, *format;
	char **changes;
	bool pause, squash, quiet;
};

#define AT(field) offsetof(struct commit_options, field)
static const struct opt options[] = {
	{ "message", 'm', OPT_STRING, AT(message), "TEXT", "for the history of the image" },
	{ "author", 'a', OPT_STRING, AT(author), "TEXT", "who made it" },
	{ "change", 'c', OPT_LIST, AT(changes), "INSTRUCTION",
		"of a Dockerfile, such as \"CMD /bin/sh\"; may be repeated" },
	{ "pause", 'p', OPT_BOOL, AT(pause), NULL, "pause it meanwhile (default; =false: do not)" },
	{ "squash", 's', OPT_BOOL, AT(squash), NULL,
		"refused: layers below are shared with the image it is of" },
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL, "only the digest" },
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "text (default): the digest, or json" },
	{ 0 },
};
#undef AT

static int print_json(const char *digest, const char *image, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);

	if (!w)
		return err_set(e, ENOMEM, "commit");
	json_open_object(w, NULL);
	json_put_string(w, "digest", digest);
	json_put_string(w, "image", image);
	json_close_object(w);
	return cli_print_json(w, e);
}

static const struct commit_options defaults = { .pause = true };

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct launch_ctx lc = { .rt = ctx, .data = ctx->data, .store = ctx->store };
	const struct commit_options *o = values;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	int json = cli_format_is_json(o->format, "text", e);
	const struct launch_commit_opts co = { .image = args[1],
		.message = o->message,
		.author = o->author,
		.changes = o->changes,
		.pause = o->pause,
		.quiet = o->quiet || json };
	const char *id, *image;
	char *line;
	int r;

	if (json < 0)
		return json;
	if (!a)
		return err_set(e, ENOMEM, "commit");
	if (o->squash)
		return err_text(e, EOPNOTSUPP,
			"option --squash is not supported: the layers below stay, shared with the image that "
			"\"%s\" is of",
			args[0]);
	r = launch_commit(&lc, args[0], &co, a, &id, &image, e);
	if (r < 0)
		return r;
	if (json)
		return print_json(id, image, e);
	if (!o->quiet)
		fprintf(stderr, "ringfence: commit: \"%s\" is now image %s\n", args[0], image);
	line = arena_printf(a, "%s\n", id);
	return line ? cli_print(line, strlen(line), e) : err_set(e, ENOMEM, "commit");
}

const struct cli_verb verb_commit = {
	.name = "commit",
	.args = "NAME [IMAGE]",
	.min_args = 1,
	.max_args = 2,
	.summary = "Make an image of what a partition has changed",
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct commit_options),
	.run = run,
};
