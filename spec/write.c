/* SPDX-License-Identifier: Apache-2.0 */
/* A process and resources as JSON: for who runs them elsewhere. */
#include "spec/features.h"
#include "spec/spec.h"

#include "base/str.h"

static const char *word_of(const struct spec_word *words, uint64_t value)
{
	for (; words->name; words++)
		if (words->value == value)
			return words->name;
	return NULL;
}

static void put_caps(struct json_writer *w, const char *name, uint64_t set)
{
	json_open_array(w, name);
	for (int i = 0; i < 64; i++)
		if (set & 1ULL << i && spec_cap_name(i))
			json_put_string(w, NULL, spec_cap_name(i));
	json_close_array(w);
}

static void put_user(struct json_writer *w, const struct spec_user *u)
{
	json_open_object(w, "user");
	json_put_u64(w, "uid", u->uid);
	json_put_u64(w, "gid", u->gid);
	if (u->has_umask)
		json_put_u64(w, "umask", u->umask);
	json_open_array(w, "additionalGids");
	for (size_t i = 0; i < u->n_additional_gids; i++)
		json_put_u64(w, NULL, u->additional_gids[i]);
	json_close_array(w);
	json_close_object(w);
}

static void put_scheduler(struct json_writer *w, const struct spec_scheduler *s)
{
	if (!s->present)
		return;
	json_open_object(w, "scheduler");
	json_put_string(w, "policy", word_of(spec_sched_policy_words, s->policy));
	if (s->has_nice)
		json_put_i64(w, "nice", s->nice);
	json_put_i64(w, "priority", s->priority);
	json_open_array(w, "flags");
	for (const struct spec_word *f = spec_sched_flag_words; f->name; f++)
		if (s->flags & f->value)
			json_put_string(w, NULL, f->name);
	json_close_array(w);
	json_put_u64(w, "runtime", s->runtime);
	json_put_u64(w, "deadline", s->deadline);
	json_put_u64(w, "period", s->period);
	json_close_object(w);
}

static void put_io_priority(struct json_writer *w, const struct spec_io_priority *io)
{
	if (!io->present)
		return;
	json_open_object(w, "ioPriority");
	json_put_string(w, "class", word_of(spec_io_class_words, (uint64_t)io->class));
	json_put_i64(w, "priority", io->priority);
	json_close_object(w);
}

static void put_rlimits(struct json_writer *w, const struct spec_process *p)
{
	json_open_array(w, "rlimits");
	for (size_t i = 0; i < p->n_rlimits; i++) {
		json_open_object(w, NULL);
		json_put_string(w, "type", word_of(spec_rlimit_words, (uint64_t)p->rlimits[i].resource));
		json_put_u64(w, "soft", p->rlimits[i].soft);
		json_put_u64(w, "hard", p->rlimits[i].hard);
		json_close_object(w);
	}
	json_close_array(w);
}

void spec_write_process(struct json_writer *w, const char *name, const struct spec_process *p)
{
	json_open_object(w, name);
	json_put_bool(w, "terminal", p->terminal);
	if (p->has_console_size) {
		json_open_object(w, "consoleSize");
		json_put_u64(w, "height", p->console_height);
		json_put_u64(w, "width", p->console_width);
		json_close_object(w);
	}
	put_user(w, &p->user);
	json_put_strv(w, "args", p->args);
	json_put_strv(w, "env", p->env);
	json_put_string(w, "cwd", p->cwd);
	if (p->caps.present) {
		json_open_object(w, "capabilities");
		put_caps(w, "bounding", p->caps.bounding);
		put_caps(w, "effective", p->caps.effective);
		put_caps(w, "inheritable", p->caps.inheritable);
		put_caps(w, "permitted", p->caps.permitted);
		put_caps(w, "ambient", p->caps.ambient);
		json_close_object(w);
	}
	put_rlimits(w, p);
	json_put_bool(w, "noNewPrivileges", p->no_new_privileges);
	if (p->has_oom_score_adj)
		json_put_i64(w, "oomScoreAdj", p->oom_score_adj);
	put_scheduler(w, &p->scheduler);
	put_io_priority(w, &p->io_priority);
	json_close_object(w);
}

static void put_i64(struct json_writer *w, const char *name, const struct spec_i64 *v)
{
	if (v->has)
		json_put_i64(w, name, v->v);
}

static void put_u64(struct json_writer *w, const char *name, const struct spec_u64 *v)
{
	if (v->has)
		json_put_u64(w, name, v->v);
}

void spec_write_resources(struct json_writer *w, const char *name, const struct spec_resources *r)
{
	json_open_object(w, name);
	json_open_object(w, "memory");
	put_i64(w, "limit", &r->mem_limit);
	put_i64(w, "reservation", &r->mem_reservation);
	put_i64(w, "swap", &r->mem_swap);
	if (r->has_disable_oom_killer)
		json_put_bool(w, "disableOOMKiller", r->disable_oom_killer);
	json_close_object(w);
	json_open_object(w, "cpu");
	put_u64(w, "shares", &r->cpu_shares);
	put_i64(w, "quota", &r->cpu_quota);
	put_u64(w, "period", &r->cpu_period);
	put_u64(w, "burst", &r->cpu_burst);
	put_i64(w, "idle", &r->cpu_idle);
	json_close_object(w);
	if (r->pids_limit.has) {
		json_open_object(w, "pids");
		json_put_i64(w, "limit", r->pids_limit.v);
		json_close_object(w);
	}
	json_close_object(w);
}
