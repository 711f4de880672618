/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence inspect: partitions as JSON; what is no partition is an image, about which ringfence-image knows.
 */
#include "cli/image_exec.h"
#include "cli/launched.h"

struct inspect_options {
	const char *type, *format, *platform;
};

#define AT(field) offsetof(struct inspect_options, field)
static const struct opt options[] = {
	{ "type", 0, OPT_STRING, AT(type), "TYPE",
		"partition or image (default: a partition if there is one, else an image)" },
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "json, which is all there is" },
	{ "platform", 0, OPT_STRING, AT(platform), "OS/ARCH[/VARIANT]", "an index's image for this machine" },
	{ 0 },
};
#undef AT

enum type { ANY, PARTITION, IMAGE };

static int parse_type(const char *text, enum type *out, struct err *e)
{
	if (!text)
		*out = ANY;
	/* docker's and podman's word for them. */
	else if (str_eq(text, "partition") || str_eq(text, "container"))
		*out = PARTITION;
	else if (str_eq(text, "image"))
		*out = IMAGE;
	else
		return err_text(e, EINVAL, "option --type must be partition or image, not \"%s\"", text);
	return 0;
}

static int inspect_images(
	const struct rt_ctx *rt, const struct inspect_options *o, char *const *names, struct err *e)
{
	char verb[] = "inspect", platform[] = "--platform", dashes[] = "--";
	size_t n = strv_len(names), k = 0;
	_cleanup_free_ char **argv = calloc(n + 5, sizeof(*argv));
	const struct log_options log = {
		.log = rt->log, .log_format = rt->log_format, .log_level = rt->log_level, .debug = rt->debug
	};

	if (!argv)
		return err_set(e, ENOMEM, "inspect");
	argv[k++] = verb;
	if (o->platform) {
		argv[k++] = platform;
		argv[k++] = (char *)o->platform;
	}
	argv[k++] = dashes;
	for (size_t i = 0; i < n; i++)
		argv[k++] = names[i];
	return image_exec(&log, rt->data, rt->store, argv, e);
}

static bool is_partition(const struct launch_ctx *ctx, const char *name, struct arena *a)
{
	struct launch_info info;

	return launch_info(ctx, name, a, &info, NULL) == 0;
}

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	const struct inspect_options *o = values;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	struct launch_ctx ctx = cli_launch_ctx(rt);
	size_t partitions = 0, others = 0;
	const char *name;
	enum type type = ANY;
	int r = a && w ? parse_type(o->type, &type, e) : err_set(e, ENOMEM, "inspect");

	if (r == 0)
		r = cli_format_is_json(o->format, "json", e);
	if (r < 0)
		return r;
	if (type == ANY && o->platform)
		type = IMAGE;
	if (type == PARTITION && o->platform)
		return err_text(e, EINVAL, "--platform is about images, --type %s is not", o->type);
	if (type == IMAGE)
		return inspect_images(rt, o, args, e);
	if (type == ANY) {
		strv_each (name, args)
			*(is_partition(&ctx, name, a) ? &partitions : &others) += 1;
		if (!partitions)
			return inspect_images(rt, o, args, e);
		if (others)
			return err_text(e, EINVAL,
				"partitions and what is none cannot be shown together: ask about %s with "
				"--type image",
				others == 1 ? "the image" : "the images");
	}
	json_open_array(w, NULL);
	strv_each (name, args) {
		r = launch_inspect(&ctx, name, a, w, e);
		if (r < 0)
			return r;
	}
	json_close_array(w);
	return cli_print_json(w, e);
}

const struct cli_verb verb_inspect = {
	.name = "inspect",
	.args = "NAME|IMAGE...",
	.min_args = 1,
	.max_args = -1,
	.summary = "Show all about partitions or images, as JSON",
	.options = options,
	.size = sizeof(struct inspect_options),
	.run = run,
};
