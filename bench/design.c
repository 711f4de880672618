/* SPDX-License-Identifier: Apache-2.0 */
/* The table of designs, what is common to them, and whether one can be measured here (design.h). */
#include "bench/design.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/path.h"
#include "bench/life.h"

/* A runtime that hangs when it deletes something must not hang the benchmark. */
#define STOP_TIMEOUT 30000

static const struct design_kind *const kinds[] = { &design_host, &design_floor, &design_ringfence,
	&design_launch, &design_crun, &design_runc, &design_runsc, &design_podman, &design_sandbox,
	&design_qemu, &design_firecracker, &design_cloud_hypervisor, &design_fake };

/* --- the list ----------------------------------------------------------------------------------------- */

static const struct design_kind *find_kind(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strlen(kinds[i]->name) == len && memcmp(kinds[i]->name, name, len) == 0)
			return kinds[i];
	return NULL;
}

static int unknown(const char *name, struct err *e)
{
	_cleanup_strbuf_ struct strbuf known = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		strbuf_printf(&known, "%s%s", i ? ", " : "", kinds[i]->name);
	return err_text(
		e, EINVAL, "no design is called \"%s\"; there are %s", name, known.s ? known.s : "none");
}

static int parse_one(
	const char *word, size_t len, const struct design_env *env, struct designs *out, struct err *e)
{
	_cleanup_free_ char *name = strndup(word, len);
	struct design *at = realloc(out->at, (out->n + 1) * sizeof(*at));
	const char *colon = name ? strchr(name, ':') : NULL;
	const struct design_kind *kind;

	if (at)
		out->at = at;
	if (!name || !at)
		return err_set(e, ENOMEM, "read the list of designs");
	kind = find_kind(name, colon ? (size_t)(colon - name) : len);
	if (!kind)
		return unknown(name, e);
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(at[i].name, name))
			return err_text(e, EINVAL, "the design %s is listed twice", name);
	at += out->n;
	*at = (struct design){ .kind = kind, .env = env, .log = -EBADF };
	at->parameter = colon && colon[1] ? strdup(colon + 1) : NULL;
	at->name = TAKE_PTR(name);
	out->n++;
	return 0;
}

/* What "all" stands for: not what is only there to compare with, or to test with. */
static int add_all(const struct design_env *env, struct designs *out, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds) && r == 0; i++)
		if (kinds[i] != &design_host && kinds[i] != &design_fake)
			r = parse_one(kinds[i]->name, strlen(kinds[i]->name), env, out, e);
	return r;
}

int designs_parse(const char *list, const struct design_env *env, struct designs *out, struct err *e)
{
	int r = 0;

	while (*list && r == 0) {
		size_t n = strcspn(list, ",");

		if (n == 3 && memcmp(list, "all", 3) == 0)
			r = add_all(env, out, e);
		else if (n)
			r = parse_one(list, n, env, out, e);
		list += n + (list[n] == ',');
	}
	if (r == 0 && out->n == 0)
		r = err_text(e, EINVAL, "the list of designs is empty");
	if (r < 0) {
		designs_free(out);
		*out = (struct designs){ 0 };
	}
	return r;
}

int designs_add_host(const struct design_env *env, struct designs *list, struct err *e)
{
	struct design host;
	int r;

	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].kind == &design_host)
			return 0;
	r = parse_one("host", 4, env, list, e);
	if (r < 0)
		return r;
	host = list->at[list->n - 1];
	host.only_overhead = true;
	memmove(list->at + 1, list->at, (list->n - 1) * sizeof(host));
	list->at[0] = host;
	return 0;
}

void designs_free(struct designs *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct design *d = &list->at[i];

		free(d->name);
		free(d->parameter);
		free(d->program);
		free(d->state);
		free(d->scratch);
		free(d->version);
		free(d->reason);
		fd_close(d->log);
	}
	free(list->at);
	*list = (struct designs){ 0 };
}

/* --- for the kinds ------------------------------------------------------------------------------------ */

/* The design's name as a part of a path: a parameter may have slashes. */
static void file_name(const struct design *d, char *out, size_t size)
{
	size_t n = 0;

	for (const char *p = d->name; *p && n + 1 < size; p++)
		out[n++] = strchr("/:+=", *p) ? '_' : *p;
	out[n] = '\0';
}

int design_make_dirs(struct design *d, struct err *e)
{
	char name[128], path[160];
	int r;

	file_name(d, name, sizeof(name));
	snprintf(path, sizeof(path), "state/%s", name);
	r = d->state ? 0 : site_make_dir(d->env->site, path, &d->state, e);
	snprintf(path, sizeof(path), "scratch/%s", name);
	if (r == 0 && !d->scratch)
		r = site_make_dir(d->env->site, path, &d->scratch, e);
	return r;
}

static int open_log(struct design *d, struct err *e)
{
	_cleanup_free_ char *dir = NULL;
	char name[128], path[160];
	int r = site_make_dir(d->env->site, "log", &dir, e);

	if (r < 0)
		return r;
	file_name(d, name, sizeof(name));
	snprintf(path, sizeof(path), "log/%s", name);
	d->log = openat(d->env->site->dir, path, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	return d->log < 0 ? err_set(e, errno, "open %s/%s", d->env->site->path, path) : 0;
}

int design_find(struct design *d, const char *program, const char *package, struct err *e)
{
	d->program = d->program ? d->program : proc_find(program);
	if (!d->program)
		return err_text(e, ENOENT, "%s is not there; install %s, or name its path as %s:PATH",
			program, package, d->kind->name);
	return 0;
}

off_t design_log_end(const struct design *d)
{
	return lseek(d->log, 0, SEEK_END);
}

void design_said(const struct design *d, off_t from, struct strbuf *out)
{
	char text[8193];
	off_t end = design_log_end(d);
	ssize_t n;

	if (end - from > (off_t)sizeof(text) - 1)
		from = end - ((off_t)sizeof(text) - 1);
	n = pread(d->log, text, sizeof(text) - 1, from);
	text[n > 0 ? n : 0] = '\0';
	proc_last_line(text, out);
}

void design_new_id(struct design *d, char *id, size_t size)
{
	char name[64];

	file_name(d, name, sizeof(name));
	name[24] = '\0';
	snprintf(id, size, "rfb-%s-%s-%llu", d->env->site->id, name, (unsigned long long)++d->serial);
}

/* --- stopping ----------------------------------------------------------------------------------------- */

static int stop_attached(struct design *d, const char *id, pid_t pid)
{
	siginfo_t info;

	if (d->kind->may_stop && !d->kind->may_stop(d, id))
		return 0;
	/* One that has ended by itself was reaped, and its number may be somebody else's by now. */
	if (pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return 0;
}

int design_stop(struct design *d, const char *id, pid_t pid, struct err *e)
{
	static const char *const none[] = { NULL };
	_cleanup_words_ struct words w = { 0 };
	int r;

	if (d->kind->attached)
		return stop_attached(d, id, pid);
	r = d->kind->command(d, DESIGN_STOP, id, none, &w, e);
	if (r == 0)
		r = proc_must(&w, STOP_TIMEOUT, e);
	proc_reap_strangers();
	return r;
}

static void stop_listed(struct design *d, const char *id)
{
	design_stop(d, id, 0, NULL);
}

void designs_clean(const struct site *s, const struct site_record *record)
{
	const struct design_env env = { .site = s,
		.runtime = record->runtime,
		.kernel = record->kernel,
		.payload = record->payload,
		.floor = record->floor,
		.timeout = STOP_TIMEOUT };
	struct designs list = { 0 };

	if (designs_parse(record->designs, &env, &list, NULL) < 0)
		return;
	for (size_t i = 0; i < list.n; i++) {
		struct design *d = &list.at[i];
		char name[128], path[160];

		d->cleaning = true;
		file_name(d, name, sizeof(name));
		snprintf(path, sizeof(path), "state/%s", name);
		/* Never prepared: it has nothing. */
		if (faccessat(s->dir, path, F_OK, 0) == 0 && d->kind->list && d->kind->prepare(d, NULL) == 0)
			d->kind->list(d, stop_listed);
	}
	designs_free(&list);
}

/* --- probing ------------------------------------------------------------------------------------------ */

static int try_once(struct design *d, struct err *e)
{
	struct life l;
	char id[96];
	int r;

	design_new_id(d, id, sizeof(id));
	r = life_begin(&l, d, DESIGN_RUN, id, life_first, NULL, e);
	if (r < 0)
		return r;
	r = life_until(&l, true, true);
	if (r == -EINTR)
		err_text(e, EINTR, "interrupted");
	else
		r = life_verdict(&l, e);
	life_drop(&l);
	/* Whatever a failed try left. */
	if (r < 0 && !d->kind->attached)
		design_stop(d, id, 0, NULL);
	return r;
}

/* Tries what may emulate the machine, best first. */
static int try_choices(struct design *d, struct err *e)
{
	_cleanup_strbuf_ struct strbuf reasons = { 0 };
	bool given = d->parameter != NULL;
	int r = -ENOENT;

	if (given || !d->kind->choices)
		return try_once(d, e);
	for (const char *const *c = d->kind->choices; *c && r < 0 && r != -EINTR; c++) {
		struct err why = ERR_INIT;

		free(d->parameter);
		d->parameter = strdup(*c);
		r = d->parameter ? try_once(d, &why) : -ENOMEM;
		if (r < 0)
			strbuf_printf(&reasons, "%sby %s: %s", reasons.len ? "; " : "", *c, why.text);
	}
	if (r < 0)
		return err_text(e, -r, "%s", reasons.s ? reasons.s : "no memory");
	return 0;
}

static void set_detail(struct design *d)
{
	static const struct {
		const char *choice, *detail;
	} details[] = {
		{ "kvm", "KVM" },
		{ "tcg", "software emulation" },
		{ "qemu", "QEMU by KVM" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(details) && d->kind->machine; i++)
		if (d->parameter && str_eq(d->parameter, details[i].choice))
			d->detail = details[i].detail;
	/* Those that know nothing else. */
	if (d->kind->machine && !d->kind->choices)
		d->detail = "KVM";
}

static void ask_version(struct design *d)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };

	if (d->kind->version) {
		d->kind->version(d, &text);
	} else if (d->program) {
		_cleanup_words_ struct words w = { 0 };

		words_add(&w, "%s", d->program);
		words_add(&w, "--version");
		if (proc_run(&w, 10000, &text, NULL, NULL) < 0)
			return;
	}
	if (text.s)
		text.s[strcspn(text.s, "\n")] = '\0';
	d->version = text.s ? strdup(text.s) : NULL;
}

int design_probe(struct design *d, struct err *e)
{
	struct err why = ERR_INIT;
	int r;

	free(d->reason);
	d->reason = NULL;
	r = design_make_dirs(d, &why);
	if (r == 0)
		r = open_log(d, &why);
	if (r == 0)
		r = d->kind->prepare(d, &why);
	if (r == 0) {
		ask_version(d);
		r = try_choices(d, &why);
	}
	if (r == -ENOMEM || r == -EINTR || proc_stop)
		return r < 0 ? err_text(e, -r, "%s", why.text) : err_text(e, EINTR, "interrupted");
	if (r < 0) {
		d->reason = strdup(why.text);
		return d->reason ? 0 : err_set(e, ENOMEM, "try %s", d->name);
	}
	set_detail(d);
	return 0;
}
