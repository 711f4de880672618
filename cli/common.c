/* SPDX-License-Identifier: Apache-2.0 */
/* What several verbs need: printing, formats, ids by pattern (see cli.h). */
#include "cli/cli.h"

#include <regex.h>

#include "base/fd.h"

int cli_print(const char *text, size_t len, struct err *e)
{
	int r = fd_write_all(STDOUT_FILENO, text, len);

	return r < 0 ? err_set(e, r, "write to standard output") : 0;
}

int cli_print_json(struct json_writer *w, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	const char *text = json_writer_text(w, NULL);

	if (text)
		strbuf_printf(&b, "%s\n", text);
	if (!text || b.failed)
		return err_set(e, ENOMEM, "write JSON");
	return cli_print(b.s, b.len, e);
}

int cli_format_is_json(const char *format, const char *plain, struct err *e)
{
	if (!format || str_eq(format, plain))
		return 0;
	if (str_eq(format, "json"))
		return 1;
	return err_text(e, EINVAL, "option --format must be %s or json, not \"%s\"", plain, format);
}

static int compile(regex_t *re, const char *pattern, struct err *e)
{
	char why[200];
	int r = regcomp(re, pattern, REG_EXTENDED | REG_NOSUB);

	if (r == 0)
		return 0;
	regerror(r, re, why, sizeof(why));
	return err_text(e, EINVAL, "regular expression \"%s\": %s", pattern, why);
}

int cli_for_each(const struct rt_ctx *ctx, const char *name, bool regex,
	int (*act)(const struct rt_ctx *ctx, const char *id, const void *arg, struct err *e), const void *arg,
	struct err *e)
{
	struct rt_info *list = NULL;
	size_t n = 0, matched = 0, failed = 0;
	struct err each, first = ERR_INIT;
	regex_t re;
	int r;

	if (!regex)
		return act(ctx, name, arg, e);
	r = compile(&re, name, e);
	if (r < 0)
		return r;
	r = rt_list(ctx, &list, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (regexec(&re, list[i].id, 0, NULL, 0) != 0)
			continue;
		matched++;
		err_clear(&each);
		if (act(ctx, list[i].id, arg, &each) < 0 && failed++ == 0)
			first = each;
	}
	for (size_t i = 0; i < n; i++)
		rt_info_free(&list[i]);
	free(list);
	regfree(&re);
	if (failed == 0)
		return r;
	*e = first;
	return matched > 1 ? err_wrap(e, "%zu of %zu failed, first", failed, matched) : -e->code;
}
