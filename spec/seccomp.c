/* SPDX-License-Identifier: Apache-2.0 */
/* config-linux.md#seccomp: the section's structure. What its words mean is security/'s business. */
#include "spec/parse.h"

#define ARG(member) offsetof(struct spec_seccomp_arg, member)
static const struct sp_field arg_fields[] = {
	SP_MUST("index", sp_u32, ARG(index), NULL),
	SP_MUST("value", sp_u64, ARG(value), NULL),
	SP_MAY("valueTwo", sp_u64, ARG(value_two), NULL),
	SP_MUST("op", sp_nonempty, ARG(op), NULL),
	SP_END,
};

static int read_rule_errno(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_seccomp_rule *rule = out;

	rule->has_errno_ret = true;
	return sp_u32(p, at, j, &rule->errno_ret, NULL);
}

static int read_names(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	char ***names = out;
	int r = sp_strv(p, at, j, names, NULL);

	if (r == 0 && !**names)
		return sp_refuse(p, at, " must have at least one element");
	return r;
}

#define RULE(member) offsetof(struct spec_seccomp_rule, member)
static const struct sp_field rule_fields[] = {
	SP_MUST("names", read_names, RULE(names), NULL),
	SP_MUST("action", sp_nonempty, RULE(action), NULL),
	SP_MAY("errnoRet", read_rule_errno, 0, NULL),
	SP_MAY("args", sp_list, 0,
		SP_LIST(RULE(args), RULE(n_args), sizeof(struct spec_seccomp_arg), sp_section, arg_fields)),
	SP_END,
};

static int read_default_errno(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_seccomp *s = out;

	s->has_default_errno_ret = true;
	return sp_u32(p, at, j, &s->default_errno_ret, NULL);
}

#define AT(member) offsetof(struct spec_seccomp, member)
static const struct sp_field seccomp_fields[] = {
	SP_MUST("defaultAction", sp_nonempty, AT(default_action), NULL),
	SP_MAY("defaultErrnoRet", read_default_errno, 0, NULL),
	SP_MAY("architectures", sp_strv_or_null, AT(architectures), NULL),
	SP_MAY("flags", sp_strv, AT(flags), NULL),
	SP_MAY("listenerPath", sp_path_or_empty, AT(listener_path), NULL),
	SP_MAY("listenerMetadata", sp_text, AT(listener_metadata), NULL),
	SP_MAY("syscalls", sp_list, 0,
		SP_LIST(AT(rules), AT(n_rules), sizeof(struct spec_seccomp_rule), sp_section, rule_fields)),
	SP_END,
};

int sp_seccomp(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_seccomp *s = out;
	struct sp_at metadata = { .up = at, .name = "listenerMetadata" };
	int r = sp_object(p, at, j, seccomp_fields, s);

	if (r < 0)
		return r;
	if (s->listener_metadata && !s->listener_path)
		return sp_refuse(p, &metadata, " is set without listenerPath");
	s->text_len = j->end - j->start;
	s->text = arena_strndup(p->arena, p->text + j->start, s->text_len);
	if (!s->text)
		return sp_no_memory(p);
	s->present = true;
	return 0;
}
