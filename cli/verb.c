/* SPDX-License-Identifier: Apache-2.0 */
/* Running a verb, as far as it is the same in both programs (see verb.h). */
#include "cli/verb.h"

#include <fcntl.h>
#include <poll.h>

#include "base/log.h"
#include "base/str.h"

static int check_args(const struct verb *v, int n, struct err *e)
{
	if (n < v->min_args)
		return err_text(e, EINVAL, "\"%s\" requires %s", v->name, v->args);
	if (v->max_args >= 0 && n > v->max_args)
		return err_text(e, EINVAL, "\"%s\" takes %s%s", v->name,
			v->args ? "no more than " : "no arguments", v->args ? v->args : "");
	return 0;
}

int cli_parse_verb(const struct verb *v, int argc, char **argv, void **options, int *first, struct err *e)
{
	int r;

	*options = calloc(1, v->size ? v->size : 1);
	if (!*options)
		return err_set(e, ENOMEM, "%s", v->name);
	if (v->defaults)
		memcpy(*options, v->defaults, v->size);
	r = options_parse(v->options, !v->in_order, *options, argc, argv, first, e);
	if (r == 0)
		r = check_args(v, argc - *first, e);
	if (r < 0)
		err_hint(e, "see \"ringfence %s --help\"", v->name);
	return r;
}

void cli_free_options(const struct verb *v, void *options)
{
	if (options)
		options_free(v->options, options);
	free(options);
}

void cli_describe_verb(const struct verb *v, struct strbuf *out)
{
	strbuf_printf(out, "Usage: ringfence %s [OPTIONS]%s%s\n\n%s.\n\nOptions:\n", v->name,
		v->args ? " " : "", v->args ? v->args : "", v->summary);
	options_describe(v->options, out);
}

void cli_list_verb(const char *name, const char *summary, struct strbuf *out)
{
	strbuf_printf(out, "  %-10s%s\n", name, summary);
}

int cli_open_log(const struct log_options *o, struct err *e)
{
	enum log_level level = LOG_LEVEL_ERROR;

	if (o->log_level && log_level_parse(o->log_level, &level) < 0)
		return err_text(e, EINVAL,
			"option --log-level must be error, warning, info or debug, not \"%s\"", o->log_level);
	return log_open(o->log, o->log_format, o->debug ? LOG_LEVEL_DEBUG : level, e);
}

void cli_fill_stdio(void)
{
	struct pollfd p[3] = { { .fd = 0 }, { .fd = 1 }, { .fd = 2 } };

	if (poll(p, 3, 0) <= 0)
		return;
	for (int i = 0; i < 3; i++)
		if (p[i].revents & POLLNVAL)
			(void)!open("/dev/null", O_RDWR);
}
