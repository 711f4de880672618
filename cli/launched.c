/* SPDX-License-Identifier: Apache-2.0 */
/* Several launched partitions, one after the other (see launched.h). */
#include "cli/launched.h"

static int tell(struct json_writer *w, const char *name, const struct err *failure, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	if (w) {
		json_open_object(w, NULL);
		json_put_string(w, "name", name);
		if (failure->code)
			json_put_string(w, "error", failure->text);
		json_close_object(w);
		return 0;
	}
	if (failure->code)
		return 0;
	strbuf_printf(&b, "%s\n", name);
	return b.failed ? err_set(e, ENOMEM, "%s", name) : cli_print(b.s, b.len, e);
}

int cli_each_launched(const struct launch_ctx *ctx, char *const *names, bool json,
	int (*act)(const struct launch_ctx *ctx, const char *name, const void *arg, struct err *e),
	const void *arg, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json ? json_writer_new(false) : NULL;
	struct err first = ERR_INIT;
	size_t n = 0, failed = 0;
	const char *name;
	int r = 0;

	if (json && !w)
		return err_set(e, ENOMEM, "write JSON");
	if (w)
		json_open_array(w, NULL);
	strv_each (name, names) {
		struct err each = ERR_INIT;

		n++;
		if (act(ctx, name, arg, &each) < 0 && failed++ == 0)
			first = each;
		r = tell(w, name, &each, e);
		if (r < 0)
			return r;
	}
	if (w) {
		json_close_array(w);
		r = cli_print_json(w, e);
	}
	if (failed == 0 || r < 0)
		return r;
	*e = first;
	return n > 1 ? err_wrap(e, "%zu of %zu failed, first", failed, n) : -e->code;
}

static bool runs(const struct launch_info *i)
{
	return i->status == LAUNCH_RUNNING || i->status == LAUNCH_PAUSED || i->status == LAUNCH_RESTARTING;
}

int cli_each_running(const struct launch_ctx *ctx, char *const *names, bool all, bool json,
	int (*act)(const struct launch_ctx *ctx, const char *name, const void *arg, struct err *e),
	const void *arg, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = NULL;
	struct launch_info *list = NULL;
	size_t n = 0, k = 0;
	char **running;
	int r;

	if (!all && !names[0])
		return err_text(e, EINVAL, "no partition named; say which, or --all");
	if (all && names[0])
		return err_text(e, EINVAL, "option --all means all that run: \"%s\" cannot be named as well",
			names[0]);
	if (!all)
		return cli_each_launched(ctx, names, json, act, arg, e);
	a = arena_new();
	r = a ? launch_list(ctx, a, &list, &n, e) : err_set(e, ENOMEM, "list partitions");
	if (r < 0)
		return r;
	running = arena_calloc(a, n + 1, sizeof(*running));
	if (!running)
		return err_set(e, ENOMEM, "list partitions");
	for (size_t i = 0; i < n; i++)
		if (runs(&list[i]))
			running[k++] = arena_strdup(a, list[i].record->name);
	return cli_each_launched(ctx, running, json, act, arg, e);
}
