/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ringfence-image: the program behind `ringfence pull`, `load`, `images` and their kin, which needs libcurl,
 * libarchive and libcrypto. Global options, the table of verbs, the one error message, the exit status.
 */
#include "cli/image/image.h"

#include <fcntl.h>
#include <signal.h>

#include "base/log.h"

static const struct image_verb *const verbs[] = { &verb_pull, NULL };

struct global_options {
	const char *store, *log, *log_format, *log_level;
	bool debug, version;
};

#define AT(field) offsetof(struct global_options, field)
static const struct opt global_table[] = {
	{ "store", 0, OPT_STRING, AT(store), "DIR",
		"where images are kept (default $RINGFENCE_STORE, /var/lib/ringfence/store, or "
		"~/.local/share/ringfence/store)" },
	{ "log", 0, OPT_STRING, AT(log), "TARGET",
		"where errors are also written: [file:]PATH, journald:ID or syslog:ID" },
	{ "log-format", 0, OPT_STRING, AT(log_format), "FORMAT", "of the log: text (default) or json" },
	{ "log-level", 0, OPT_STRING, AT(log_level), "LEVEL", "error (default), warning, info or debug" },
	{ "debug", 0, OPT_BOOL, AT(debug), NULL, "the same as --log-level debug" },
	{ "version", 'v', OPT_BOOL, AT(version), NULL, "print the version" },
	{ 0 },
};
#undef AT

static const struct image_verb *find_verb(const char *name)
{
	for (size_t i = 0; verbs[i]; i++)
		if (str_eq(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static int print_help(const struct image_verb *v, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	if (v) {
		strbuf_printf(&out, "Usage: ringfence %s [OPTIONS]%s%s\n\n%s.\n\nOptions:\n", v->name,
			v->args ? " " : "", v->args ? v->args : "", v->summary);
		options_describe(v->options, &out);
	} else {
		strbuf_puts(&out, "Usage: ringfence-image [OPTIONS] COMMAND [ARGUMENTS]\n\nCommands:\n");
		for (size_t i = 0; verbs[i]; i++)
			strbuf_printf(&out, "  %-10s%s\n", verbs[i]->name, verbs[i]->summary);
		strbuf_puts(&out, "\nOptions:\n");
		options_describe(global_table, &out);
	}
	return out.failed ? err_set(e, ENOMEM, "help") : cli_print(out.s, out.len, e);
}

static int check_args(const struct image_verb *v, int n, struct err *e)
{
	if (n < v->min_args)
		return err_text(e, EINVAL, "\"%s\" requires %s", v->name, v->args);
	if (v->max_args >= 0 && n > v->max_args)
		return err_text(e, EINVAL, "\"%s\" takes %s%s", v->name,
			v->args ? "no more than " : "no arguments", v->args ? v->args : "");
	return 0;
}

static int run_verb(
	const struct image_verb *v, const struct image_ctx *ctx, int argc, char **argv, struct err *e)
{
	void *options = calloc(1, v->size ? v->size : 1);
	int first = 0, r;

	if (!options)
		return err_set(e, ENOMEM, "%s", v->name);
	if (v->defaults)
		memcpy(options, v->defaults, v->size);
	r = options_parse(v->options, !v->in_order, options, argc, argv, &first, e);
	if (r == 0)
		r = check_args(v, argc - first, e);
	if (r < 0)
		err_hint(e, "see \"ringfence %s --help\"", v->name);
	else if (r == OPTIONS_HELP)
		r = print_help(v, e);
	else
		r = v->run(ctx, options, argv + first, e);
	options_free(v->options, options);
	free(options);
	return r;
}

static int open_log(const struct global_options *o, struct err *e)
{
	enum log_level level = LOG_LEVEL_ERROR;

	if (o->log_level && log_level_parse(o->log_level, &level) < 0)
		return err_text(e, EINVAL,
			"option --log-level must be error, warning, info or debug, not \"%s\"", o->log_level);
	return log_open(o->log, o->log_format, o->debug ? LOG_LEVEL_DEBUG : level, e);
}

static int run(int argc, char **argv, struct err *e)
{
	static const char version[] =
		PACKAGE_NAME "-image version " PACKAGE_VERSION "\ncommit: " GIT_COMMIT "\n";
	struct global_options o = { 0 };
	const struct image_verb *v;
	struct image_ctx ctx;
	int first = argc, r;

	r = options_parse(global_table, false, &o, argc, argv, &first, e);
	if (r < 0)
		return err_hint(e, "see \"ringfence-image --help\"");
	if (r == OPTIONS_HELP)
		return print_help(NULL, e);
	if (o.version)
		return cli_print(version, strlen(version), e);
	r = open_log(&o, e);
	if (r < 0)
		return r;
	if (first >= argc)
		return err_text(e, EINVAL, "no command given; see \"ringfence-image --help\"");
	v = find_verb(argv[first]);
	if (!v)
		return err_text(
			e, EINVAL, "unknown command \"%s\"; see \"ringfence-image --help\"", argv[first]);
	ctx.store = o.store;
	return run_verb(v, &ctx, argc - first, argv + first, e);
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	int r;

	/* With 0, 1 or 2 closed the next file opened would take the number, and messages would go into it. */
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", O_RDWR);
	/* Errors of what would end us halfway: a reader that has gone (EPIPE), RLIMIT_FSIZE (EFBIG). */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	r = run(argc, argv, &e);
	if (e.code)
		log_error("%s", e.text);
	return r < 0 ? 1 : r;
}
