/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ringfence-image: the program behind `ringfence pull`, `load`, `images` and their kin, which needs libcurl,
 * libarchive and libcrypto. Global options, the table of verbs, the one error message, the exit status.
 */
#include "cli/image/image.h"

#include <signal.h>

#include "base/log.h"

static const struct {
	const struct image_verb *verb;
	const char *summary;
} verbs[] = {
#define X(name, summary) { &verb_##name, summary },
	IMAGE_VERBS(X)
#undef X
};

struct global_options {
	const char *store;
	struct log_options log;
	bool version;
};

#define AT(field) offsetof(struct global_options, field)
static const struct opt global_table[] = {
	{ "store", 0, OPT_STRING, AT(store), "DIR",
		"where images are kept (default $RINGFENCE_STORE, /var/lib/ringfence/store, or "
		"~/.local/share/ringfence/store)" },
	LOG_OPTIONS(AT(log)),
	{ "version", 'v', OPT_BOOL, AT(version), NULL, "print the version" },
	{ 0 },
};
#undef AT

/* With the summary of the table. */
static bool find_verb(const char *name, struct image_verb *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!str_eq(verbs[i].verb->name, name))
			continue;
		*out = *verbs[i].verb;
		out->summary = verbs[i].summary;
		return true;
	}
	if (!str_eq(name, verb_commit_layer.name))
		return false;
	*out = verb_commit_layer;
	return true;
}

static int print_help(const struct image_verb *v, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	if (v) {
		cli_describe_verb(&v->verb, &out);
	} else {
		strbuf_puts(&out, "Usage: ringfence-image [OPTIONS] COMMAND [ARGUMENTS]\n\nCommands:\n");
		for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
			cli_list_verb(verbs[i].verb->name, verbs[i].summary, &out);
		strbuf_puts(&out, "\nOptions:\n");
		options_describe(global_table, &out);
	}
	return out.failed ? err_set(e, ENOMEM, "help") : cli_print(out.s, out.len, e);
}

static int run_verb(
	const struct image_verb *v, const struct image_ctx *ctx, int argc, char **argv, struct err *e)
{
	void *options;
	int first = 0, r = cli_parse_verb(&v->verb, argc, argv, &options, &first, e);

	if (r == OPTIONS_HELP)
		r = print_help(v, e);
	else if (r == 0)
		r = v->run(ctx, options, argv + first, e);
	cli_free_options(&v->verb, options);
	return r;
}

static int run(int argc, char **argv, struct err *e)
{
	static const char version[] =
		PACKAGE_NAME "-image version " PACKAGE_VERSION "\ncommit: " GIT_COMMIT "\n";
	struct global_options o = { 0 };
	struct image_verb v;
	struct image_ctx ctx;
	int first = argc, r;

	r = options_parse(global_table, false, &o, argc, argv, &first, e);
	if (r < 0)
		return err_hint(e, "see \"ringfence-image --help\"");
	if (r == OPTIONS_HELP)
		return print_help(NULL, e);
	if (o.version)
		return cli_print(version, strlen(version), e);
	r = cli_open_log(&o.log, e);
	if (r < 0)
		return r;
	if (first >= argc)
		return err_text(e, EINVAL, "no command given; see \"ringfence-image --help\"");
	if (!find_verb(argv[first], &v))
		return err_text(
			e, EINVAL, "unknown command \"%s\"; see \"ringfence-image --help\"", argv[first]);
	ctx.store = o.store;
	return run_verb(&v, &ctx, argc - first, argv + first, e);
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	int r;

	cli_fill_stdio();
	/* Errors of what would end us halfway: a reader that has gone (EPIPE), RLIMIT_FSIZE (EFBIG). */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	r = run(argc, argv, &e);
	if (e.code)
		log_error("%s", e.text);
	return r < 0 ? 1 : r;
}
