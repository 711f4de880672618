/* SPDX-License-Identifier: Apache-2.0 */
/* config.md#posix-platform-hooks: programs of the host that run at six moments of a partition's life. */
#include "spec/parse.h"

#include <limits.h>

/* "If set, timeout MUST be greater than zero." */
static int read_timeout(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	int *timeout = out;
	int64_t v;
	int r = sp_get_i64(p, at, j, 1, INT_MAX, &v);

	if (r == 0)
		*timeout = (int)v;
	return r;
}

static const struct sp_field hook_fields[] = {
	SP_MUST("path", sp_path, offsetof(struct spec_hook, path), NULL),
	SP_MAY("args", sp_strv_or_null, offsetof(struct spec_hook, args), NULL),
	SP_MAY("env", sp_strv_or_null, offsetof(struct spec_hook, env), NULL),
	SP_MAY("timeout", read_timeout, offsetof(struct spec_hook, timeout), NULL),
	SP_END,
};

int sp_hooks(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	int r = sp_want(p, at, j, JSON_OBJECT);

	for (int kind = 0; r == 0 && kind < SPEC_HOOK_KINDS; kind++) {
		struct sp_list list = {
			.list = offsetof(struct spec_hooks, list) + (size_t)kind * sizeof(struct spec_hook *),
			.count = offsetof(struct spec_hooks, n) + (size_t)kind * sizeof(size_t),
			.size = sizeof(struct spec_hook),
			.read = sp_section,
			.arg = hook_fields,
		};
		struct sp_at here = { .up = at, .name = spec_hook_names[kind] };
		const struct json *m = json_get(j, here.name);

		if (m)
			r = sp_list(p, &here, m, out, &list);
	}
	return r;
}
