/* SPDX-License-Identifier: Apache-2.0 */
/* config.md#process: who runs, what, where, with which rights and limits. */
#include "spec/parse.h"

#include <linux/sched.h>

#include "base/str.h"

/* --- user ----------------------------------------------------------------------------------------------- */

static int read_umask(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_user *u = out;
	int64_t v;
	int r = sp_get_i64(p, at, j, 0, 0777, &v);

	if (r < 0)
		return r;
	u->has_umask = true;
	u->umask = (mode_t)v;
	return 0;
}

/*
 * The text asks for uid and gid, the schema does not, and both crun and runc take 0 for an absent one. The
 * number (uid_t)-1 is refused: setresuid(2) would take it as "leave it as it is", which is root.
 */
static const struct sp_field user_fields[] = {
	SP_MAY("uid", sp_id, offsetof(struct spec_user, uid), NULL),
	SP_MAY("gid", sp_id, offsetof(struct spec_user, gid), NULL),
	SP_MAY("umask", read_umask, 0, NULL),
	SP_MAY("additionalGids", sp_list, 0,
		SP_LIST(offsetof(struct spec_user, additional_gids),
			offsetof(struct spec_user, n_additional_gids), sizeof(uint32_t), sp_id, NULL)),
	SP_END,
};

/* --- console size --------------------------------------------------------------------------------------- */

struct size {
	int64_t height, width;
};

/* struct winsize has 16 bits for each. */
static int read_cells(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return sp_get_i64(p, at, j, 0, UINT16_MAX, out);
}

static const struct sp_field size_fields[] = {
	SP_MUST("height", read_cells, offsetof(struct size, height), NULL),
	SP_MUST("width", read_cells, offsetof(struct size, width), NULL),
	SP_END,
};

static int read_console_size(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_process *proc = out;
	struct size s;
	int r = sp_object(p, at, j, size_fields, &s);

	if (r < 0)
		return r;
	/* containerd and Docker write {"height":0,"width":0} for "none". */
	proc->has_console_size = s.height || s.width;
	proc->console_height = (uint16_t)s.height;
	proc->console_width = (uint16_t)s.width;
	return 0;
}

/* --- args, env, cwd ------------------------------------------------------------------------------------- */

static int read_args(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	char ***args = out;
	int r = sp_strv(p, at, j, args, NULL);

	if (r == 0 && !**args)
		return sp_refuse(p, at, " must have at least one element: the program to run");
	return r;
}

/* An entry without '=' is handed on, as runc and crun do: it is no variable for anybody, and harmless. */
static int read_env(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	char ***env = out;
	struct sp_at here = { .up = at };
	const char *s;
	int r = sp_strv_or_null(p, at, j, env, NULL);

	if (r < 0)
		return r;
	strv_each (s, *env) {
		if (!strchr(s, '=')) {
			r = sp_note(p, &here, ": \"%.100s\" is no NAME=value", s);
			if (r < 0)
				return r;
		}
		here.index++;
	}
	return 0;
}

/* --- capabilities --------------------------------------------------------------------------------------- */

/* So many unknown names are kept for the warning; looking for duplicates among them stays cheap. */
#define UNKNOWN_MAX 64

static int add_unknown(struct sp *p, const struct sp_at *at, struct spec_caps *caps, const char *name)
{
	size_t n = strv_len(caps->unknown);

	if (strv_has(caps->unknown, name) || n == UNKNOWN_MAX)
		return 0;
	if (!caps->unknown) {
		caps->unknown = arena_calloc(p->arena, UNKNOWN_MAX + 1, sizeof(char *));
		if (!caps->unknown)
			return sp_no_memory(p);
	}
	caps->unknown[n] = (char *)name;
	return sp_note(p, at, ": unknown capability %.100s is left out", name);
}

static int read_cap_set(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_caps *caps = out;
	const size_t *offset = arg;
	struct sp_at here = { .up = at };
	const struct json *m;
	uint64_t set = 0;
	int r = sp_want(p, at, j, JSON_ARRAY);

	if (r < 0)
		return r;
	json_each (m, j) {
		int cap;

		r = sp_want(p, &here, m, JSON_STRING);
		if (r < 0)
			return r;
		cap = spec_cap_from_name(m->text);
		if (cap >= 0)
			set |= UINT64_C(1) << cap;
		else
			r = add_unknown(p, &here, caps, m->text);
		if (r < 0)
			return r;
		here.index++;
	}
	memcpy((char *)out + *offset, &set, sizeof(set));
	return 0;
}

#define CAP_SET(name) SP_MAY(#name, read_cap_set, 0, &(const size_t){ offsetof(struct spec_caps, name) })
static const struct sp_field caps_fields[] = {
	CAP_SET(bounding),
	CAP_SET(effective),
	CAP_SET(inheritable),
	CAP_SET(permitted),
	CAP_SET(ambient),
	SP_END,
};

static int read_caps(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_caps *caps = out;

	caps->present = true;
	return sp_object(p, at, j, caps_fields, caps);
}

/* --- rlimits -------------------------------------------------------------------------------------------- */

static int read_resource(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	int *resource = out;
	uint64_t v;
	int r = sp_get_word(p, at, j, spec_rlimit_words, "limit", &v);

	if (r == 0)
		*resource = (int)v;
	return r;
}

static const struct sp_field rlimit_fields[] = {
	SP_MUST("type", read_resource, offsetof(struct spec_rlimit, resource), NULL),
	SP_MUST("soft", sp_u64, offsetof(struct spec_rlimit, soft), NULL),
	SP_MUST("hard", sp_u64, offsetof(struct spec_rlimit, hard), NULL),
	SP_END,
};

static int read_rlimit(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_rlimit *l = out;
	struct sp_at soft = { .up = at, .name = "soft" };
	int r = sp_object(p, at, j, rlimit_fields, l);

	if (r == 0 && l->soft > l->hard)
		return sp_refuse(p, &soft, " (%llu) must not exceed the hard limit (%llu)",
			(unsigned long long)l->soft, (unsigned long long)l->hard);
	return r;
}

static int read_rlimits(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	static const struct sp_list list = { .list = offsetof(struct spec_process, rlimits),
		.count = offsetof(struct spec_process, n_rlimits),
		.size = sizeof(struct spec_rlimit),
		.read = read_rlimit };
	struct spec_process *proc = out;
	uint64_t seen = 0;
	int r = sp_list(p, at, j, out, &list);

	if (r < 0)
		return r;
	for (size_t i = 0; i < proc->n_rlimits; i++) {
		struct sp_at element = { .up = at, .index = i }, type = { .up = &element, .name = "type" };
		uint64_t bit = UINT64_C(1) << proc->rlimits[i].resource;

		if (seen & bit)
			return sp_refuse(p, &type, ": the same limit is listed twice");
		seen |= bit;
	}
	return 0;
}

/* --- scheduler, I/O priority, affinity ------------------------------------------------------------------ */

static int read_policy(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_scheduler *s = out;
	uint64_t v;
	int r = sp_get_word(p, at, j, spec_sched_policy_words, "policy", &v);

	if (r == 0)
		s->policy = (uint32_t)v;
	return r;
}

static int read_nice(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_scheduler *s = out;
	int64_t v;
	int r = sp_get_i64(p, at, j, -20, 19, &v);

	if (r < 0)
		return r;
	s->has_nice = true;
	s->nice = (int32_t)v;
	return 0;
}

static int read_priority(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_scheduler *s = out;
	int64_t v;
	int r = sp_get_i64(p, at, j, 0, 99, &v);

	if (r == 0)
		s->priority = (int32_t)v;
	return r;
}

static int read_sched_flags(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_scheduler *s = out;

	return sp_get_flags(p, at, j, spec_sched_flag_words, "flag", &s->flags);
}

static const struct sp_field scheduler_fields[] = {
	SP_MUST("policy", read_policy, 0, NULL),
	SP_MAY("nice", read_nice, 0, NULL),
	SP_MAY("priority", read_priority, 0, NULL),
	SP_MAY("flags", read_sched_flags, 0, NULL),
	SP_MAY("runtime", sp_u64, offsetof(struct spec_scheduler, runtime), NULL),
	SP_MAY("deadline", sp_u64, offsetof(struct spec_scheduler, deadline), NULL),
	SP_MAY("period", sp_u64, offsetof(struct spec_scheduler, period), NULL),
	SP_END,
};

/* Zeros are what Go writes for a property that nobody set, so only other values can contradict the policy. */
static int read_scheduler(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_scheduler *s = out;
	struct sp_at priority = { .up = at, .name = "priority" }, runtime = { .up = at, .name = "runtime" };
	int r = sp_object(p, at, j, scheduler_fields, s);
	bool real_time;

	if (r < 0)
		return r;
	s->present = true;
	real_time = s->policy == SCHED_FIFO || s->policy == SCHED_RR;
	if (s->priority != 0 && !real_time)
		return sp_refuse(p, &priority, " is for SCHED_FIFO and SCHED_RR only");
	if (s->priority == 0 && real_time)
		return sp_refuse(p, &priority, " must be from 1 to 99 with SCHED_FIFO and SCHED_RR");
	if (s->policy != SCHED_DEADLINE) {
		if (s->runtime || s->deadline || s->period)
			return sp_refuse(p, at, ": runtime, deadline and period are for SCHED_DEADLINE only");
		return 0;
	}
	/* sched(7): runtime <= deadline <= period, where a period of 0 stands for the deadline. */
	if (s->runtime == 0 || s->runtime > s->deadline)
		return sp_refuse(
			p, &runtime, " must be more than 0 and at most the deadline with SCHED_DEADLINE");
	if (s->period != 0 && s->deadline > s->period)
		return sp_refuse(p, at, ": the deadline must not exceed the period");
	return 0;
}

static int read_class(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_io_priority *io = out;
	uint64_t v;
	int r = sp_get_word(p, at, j, spec_io_class_words, "class", &v);

	if (r == 0)
		io->class = (int)v;
	return r;
}

static int read_level(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_io_priority *io = out;
	int64_t v;
	int r = sp_get_i64(p, at, j, 0, 7, &v);

	if (r == 0)
		io->priority = (int)v;
	return r;
}

static const struct sp_field io_priority_fields[] = {
	SP_MUST("class", read_class, 0, NULL),
	SP_MAY("priority", read_level, 0, NULL),
	SP_END,
};

static int read_io_priority(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_io_priority *io = out;
	int r = sp_object(p, at, j, io_priority_fields, io);

	io->present = r == 0;
	return r;
}

/* The schema's pattern; security/ makes a mask of it. */
static int read_cpus(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **s = out;
	int r = sp_text(p, at, j, out, NULL);

	if (r == 0 && *s && (*s)[strspn(*s, "0123456789, -")])
		return sp_refuse(p, at, " must be a list of CPUs such as \"0-3,7\", not \"%.100s\"", *s);
	return r;
}

static const struct sp_field affinity_fields[] = {
	SP_MAY("initial", read_cpus, offsetof(struct spec_process, cpu_affinity_initial), NULL),
	SP_MAY("final", read_cpus, offsetof(struct spec_process, cpu_affinity_final), NULL),
	SP_END,
};

/* --- the whole ------------------------------------------------------------------------------------------ */

static int read_oom_score_adj(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec_process *proc = out;
	int64_t v;
	int r = sp_get_i64(p, at, j, -1000, 1000, &v);

	if (r < 0)
		return r;
	proc->has_oom_score_adj = true;
	proc->oom_score_adj = (int)v;
	return 0;
}

#define AT(member) offsetof(struct spec_process, member)
static const struct sp_field process_fields[] = {
	SP_MAY("terminal", sp_bool, AT(terminal), NULL),
	SP_MAY("consoleSize", read_console_size, 0, NULL),
	SP_MAY("user", sp_section, AT(user), user_fields),
	SP_MAY("args", read_args, AT(args), NULL),
	SP_MAY("env", read_env, AT(env), NULL),
	SP_MUST("cwd", sp_path, AT(cwd), NULL),
	SP_MAY("capabilities", read_caps, AT(caps), NULL),
	SP_MAY("rlimits", read_rlimits, 0, NULL),
	SP_MAY("noNewPrivileges", sp_bool, AT(no_new_privileges), NULL),
	SP_MAY("apparmorProfile", sp_text, AT(apparmor_profile), NULL),
	SP_MAY("selinuxLabel", sp_text, AT(selinux_label), NULL),
	SP_MAY("oomScoreAdj", read_oom_score_adj, 0, NULL),
	SP_MAY("scheduler", read_scheduler, AT(scheduler), NULL),
	SP_MAY("ioPriority", read_io_priority, AT(io_priority), NULL),
	SP_MAY("execCPUAffinity", sp_section, 0, affinity_fields),
	SP_END,
};

int sp_process(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	return sp_object(p, at, j, process_fields, out);
}
