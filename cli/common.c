/* SPDX-License-Identifier: Apache-2.0 */
/* What several verbs need: ids by pattern (see cli.h). */
#include "cli/cli.h"

#include <regex.h>

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
