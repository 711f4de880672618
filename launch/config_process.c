/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a launched partition: command, environment, user, limits (image-spec conversion.md). */
#include "launch/config_internal.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/path.h"
#include "spec/features.h"

/* --- command ------------------------------------------------------------------------------------ */

/* A word, or a JSON array of words as podman takes it. */
static int entrypoint(struct cfg *c, struct cfg_vec *v, struct err *e)
{
	const char *text = c->o->entrypoint, *s;
	const struct json *list, *item;
	int r;

	if (*text != '[') {
		if (*text)
			cfg_add(v, c->a, text);
		return 0;
	}
	r = json_parse(c->a, text, strlen(text), "--entrypoint", &list, e);
	if (r < 0)
		return r;
	json_each (item, list) {
		r = json_as_string(item, "--entrypoint", &s, e);
		if (r < 0)
			return r;
		cfg_add(v, c->a, s);
	}
	return 0;
}

static int args(struct cfg *c, struct err *e)
{
	static const char *const boot[] = { "/sbin/init", NULL }, *const shell[] = { "/bin/bash", "-l",
		NULL };
	const struct launch_opts *o = c->o;
	bool given = o->command && *o->command;
	struct cfg_vec v = { 0 };
	int r;

	if (o->init)
		cfg_add_all(&v, c->a, (char *const[]){ (char *)"/run/ringfence-init", (char *)"--", NULL });
	if (o->entrypoint) {
		r = entrypoint(c, &v, e);
		if (r < 0)
			return r;
		/* The image's Cmd was made for the image's Entrypoint. */
		cfg_add_all(&v, c->a, o->command);
	} else if (o->boot) {
		cfg_add_all(&v, c->a, given ? o->command : (char *const *)boot);
	} else {
		cfg_add_all(&v, c->a, c->i->entrypoint);
		cfg_add_all(&v, c->a, given ? o->command : c->i->cmd);
		if (c->i->host && v.n == (o->init ? 2 : 0))
			cfg_add_all(&v, c->a, (char *const *)shell);
	}
	if (v.failed)
		return cfg_no_memory(e);
	if (v.n == (o->init ? 2 : 0))
		return err_text(e, EINVAL, "image %.200s has no command: say what to run, after \"--\"",
			c->i->name ? c->i->name : o->image);
	if (!*v.v[o->init ? 2 : 0])
		return err_text(e, EINVAL, "the command to run is an empty word");
	c->args = v.v;
	return 0;
}

/* --- environment -------------------------------------------------------------------------------- */

static size_t name_len(const char *s)
{
	return strcspn(s, "=");
}

static bool has_env(const struct cfg *c, const char *name)
{
	return strv_env(c->env.v, name) != NULL;
}

/* One variable has one value: a later one takes the place of an earlier. */
static void set_env(struct cfg *c, const char *s)
{
	size_t at = SIZE_MAX;

	if (s && !c->env.failed)
		at = cfg_name(&c->env_names, c->a, &c->env, s, name_len(s), '=');
	if (at == SIZE_MAX)
		c->env.failed = true;
	else if (at < c->env.n)
		c->env.v[at] = (char *)s;
	else
		cfg_add(&c->env, c->a, s);
}

/* "NAME=value", or "NAME": ours, and nothing if we have none. */
static int option_env(struct cfg *c, const char *s, const char *option, struct err *e)
{
	const char *ours;

	if (*s == '=' || !*s)
		return err_text(e, EINVAL, "%s: \"%.200s\" has no name before the \"=\"", option, s);
	if (strchr(s, '=')) {
		set_env(c, s);
		return 0;
	}
	ours = getenv(s);
	if (ours)
		set_env(c, arena_printf(c->a, "%s=%s", s, ours));
	return 0;
}

#define ENV_FILE_MAX (1U << 20)

static int env_file(struct cfg *c, const char *path, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	const char *option = arena_printf(c->a, "--env-file %s", path);
	size_t len, n;
	char **lines;
	int r = fd_read_at(AT_FDCWD, path, ENV_FILE_MAX, &text, &len);

	if (r == -ELOOP) {
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

		r = fd < 0 ? -errno : fd_read_all(fd, ENV_FILE_MAX, &text, &len);
	}
	if (r < 0)
		return err_set(e, -r, "read --env-file %s", path);
	if (memchr(text, '\0', len))
		return err_text(e, EINVAL,
			"--env-file %s: a NUL byte is in it; it must be lines of NAME=value", path);
	lines = option ? cfg_split(c->a, text, '\n', &n) : NULL;
	if (!lines)
		return cfg_no_memory(e);
	for (size_t k = 0; k < n; k++) {
		char *line = lines[k] + strspn(lines[k], " \t");
		size_t end = strlen(line);

		if (end && line[end - 1] == '\r')
			line[--end] = '\0';
		if (!end || *line == '#')
			continue;
		r = option_env(c, line, option, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int env(struct cfg *c, struct err *e)
{
	const char *s;
	int r;

	strv_each (s, c->i->env) {
		/* Of an image: no name is no variable. */
		if (*s && *s != '=' && strchr(s, '='))
			set_env(c, s);
	}
	if (!has_env(c, "PATH"))
		set_env(c, "PATH=" CFG_PATH);
	if (c->i->host && !has_env(c, "LANG"))
		set_env(c, "LANG=C.UTF-8");
	if (c->o->boot)
		set_env(c, "container=ringfence");
	strv_each (s, c->o->env_files) {
		r = env_file(c, s, e);
		if (r < 0)
			return r;
	}
	strv_each (s, c->o->env) {
		r = option_env(c, s, "--env", e);
		if (r < 0)
			return r;
	}
	if (c->o->tty && !has_env(c, "TERM"))
		set_env(c, "TERM=xterm");
	if (!has_env(c, "HOME"))
		set_env(c, arena_printf(c->a, "HOME=%s", c->home));
	if (!has_env(c, "HOSTNAME"))
		set_env(c, arena_printf(c->a, "HOSTNAME=%s", c->hostname));
	return c->env.failed ? cfg_no_memory(e) : 0;
}

/* --- limits ------------------------------------------------------------------------------------- */

static int limit(const char *s, uint64_t *out)
{
	if (str_eq(s, "-1") || str_eq(s, "unlimited")) {
		*out = UINT64_MAX;
		return 0;
	}
	return str_to_u64(s, out);
}

static const char *rlimit_name(int resource)
{
	for (const struct spec_word *w = spec_rlimit_words; w->name; w++)
		if ((int)w->value == resource)
			return w->name;
	return NULL;
}

/* NAME=SOFT[:HARD], with or without "RLIMIT_". */
static int ulimit(struct cfg *c, const char *s, struct err *e)
{
	struct spec_rlimit *l = &c->rlimits[c->n_rlimits];
	const struct spec_word *w = NULL;
	const char *name, *value;
	char full[32], **parts;
	size_t n;

	if (!cfg_pair(c->a, s, &name, &value))
		return err_text(e, EINVAL, "--ulimit %.100s: must be NAME=SOFT or NAME=SOFT:HARD", s);
	parts = cfg_split(c->a, value, ':', &n);
	if (!name || !parts)
		return cfg_no_memory(e);
	if (strncasecmp(name, "rlimit_", 7) == 0)
		name += 7;
	if (strlen(name) < 20) {
		snprintf(full, sizeof(full), "RLIMIT_%s", name);
		for (char *p = full; *p; p++)
			*p = (char)toupper((unsigned char)*p);
		w = spec_word_find(spec_rlimit_words, full);
	}
	if (!w)
		return err_text(e, EINVAL,
			"--ulimit %.100s: no such limit; there are as, core, cpu, data, fsize, locks, "
			"memlock, "
			"msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending and stack",
			s);
	l->resource = (int)w->value;
	if (n > 2 || limit(parts[0], &l->soft) < 0 || limit(parts[n - 1], &l->hard) < 0)
		return err_text(e, EINVAL,
			"--ulimit %.100s: must be NAME=SOFT or NAME=SOFT:HARD, numbers or \"unlimited\"", s);
	if (l->soft > l->hard)
		return err_text(e, EINVAL, "--ulimit %.100s: the soft limit is above the hard one", s);
	for (size_t k = 0; k < c->n_rlimits; k++)
		if (c->rlimits[k].resource == l->resource) {
			c->rlimits[k] = *l;
			return 0;
		}
	c->n_rlimits++;
	return 0;
}

static int ulimits(struct cfg *c, struct err *e)
{
	const char *s;
	int r = 0;

	c->rlimits = arena_calloc(c->a, strv_len(c->o->ulimits) + 1, sizeof(*c->rlimits));
	if (!c->rlimits)
		return cfg_no_memory(e);
	strv_each (s, c->o->ulimits) {
		r = ulimit(c, s, e);
		if (r < 0)
			break;
	}
	return r;
}

/* --- user, directory, name ---------------------------------------------------------------------- */

static int user(struct cfg *c, struct err *e)
{
	const char *said = c->o->user ? c->o->user : c->i->user;
	int64_t n = c->r->n_ids;
	int r;

	if (c->o->user && !*c->o->user)
		return err_text(e, EINVAL, "--user must not be empty");
	r = launch_user(said, c->i, c->a, &c->user, &c->home, e);
	if (r < 0)
		return err_wrap(e, "%s", c->o->user ? "--user" : "the image's User");
	if (c->userns && (c->user.uid >= n || c->user.gid >= n))
		return err_text(e, EINVAL,
			"user %u:%u is beyond the %lld ids of the partition's user namespace; --userns "
			"UID:SIZE gives "
			"it more, --userns host all",
			c->user.uid, c->user.gid, (long long)n);
	for (size_t k = 0; c->userns && k < c->user.n_additional_gids; k++)
		if (c->user.additional_gids[k] >= n)
			return err_text(e, EINVAL,
				"group %u of the user is beyond the %lld ids of the partition's user "
				"namespace",
				c->user.additional_gids[k], (long long)n);
	return 0;
}

static int workdir(struct cfg *c, struct err *e)
{
	const char *said = c->o->workdir;
	char clean[PATH_MAX];

	if (said && *said != '/')
		return err_text(e, EINVAL, "--workdir %.200s: must be an absolute path", said);
	if (!said)
		said = c->i->host				 ? "/root"
		       : c->i->working_dir && *c->i->working_dir ? c->i->working_dir
								 : "/";
	if (path_clean(said, clean, sizeof(clean)) < 0)
		return err_text(e, EINVAL, "the working directory is longer than a path can be");
	c->cwd = arena_strdup(c->a, clean);
	return c->cwd ? 0 : cfg_no_memory(e);
}

/* hostname(7), and what a name of a partition may have; at most 64 bytes (HOST_NAME_MAX). */
static int hostname(struct cfg *c, struct err *e)
{
	const char *s = c->o->hostname;

	if (!s) {
		c->hostname = arena_strndup(c->a, c->r->name, strnlen(c->r->name, HOST_NAME_MAX));
		return c->hostname ? 0 : cfg_no_memory(e);
	}
	if (!*s || strlen(s) > HOST_NAME_MAX)
		return err_text(e, EINVAL, "--hostname %.100s: must have 1 to %d letters", s, HOST_NAME_MAX);
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_' && *p != '.')
			return err_text(e, EINVAL,
				"--hostname: must be made of letters, digits, \".\", \"-\" and \"_\"");
	c->hostname = s;
	return 0;
}

int cfg_process(struct cfg *c, struct err *e)
{
	static int (*const steps[])(
		struct cfg *, struct err *) = { args, user, workdir, hostname, env, ulimits };

	for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
		int r = steps[k](c, e);

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- writing ------------------------------------------------------------------------------------ */

static void put_caps(struct cfg *c, const char *name, uint64_t set)
{
	json_open_array(c->w, name);
	for (int k = 0; k <= SPEC_CAP_LAST; k++)
		if (set & (UINT64_C(1) << k))
			json_put_string(c->w, NULL, spec_cap_name(k));
	json_close_array(c->w);
}

/*
 * As the kernel's own rules make it: root has all of the bounding set, another user none; but what --cap-add
 * names is meant for the program, and reaches one that is not root by the ambient set alone. Inheritable and
 * ambient stay empty otherwise (CVE-2022-24769, CVE-2016-8867).
 */
static void put_capabilities(struct cfg *c)
{
	uint64_t ambient = c->user.uid ? c->added & c->caps : 0;
	uint64_t effective = c->user.uid ? ambient : c->caps;

	json_open_object(c->w, "capabilities");
	put_caps(c, "bounding", c->caps);
	put_caps(c, "effective", effective);
	put_caps(c, "permitted", effective);
	if (ambient) {
		put_caps(c, "inheritable", ambient);
		put_caps(c, "ambient", ambient);
	}
	json_close_object(c->w);
}

void cfg_put_process(struct cfg *c)
{
	struct json_writer *w = c->w;

	json_open_object(w, "process");
	json_put_bool(w, "terminal", c->o->tty);
	json_open_object(w, "user");
	json_put_u64(w, "uid", c->user.uid);
	json_put_u64(w, "gid", c->user.gid);
	if (c->user.n_additional_gids) {
		json_open_array(w, "additionalGids");
		for (size_t k = 0; k < c->user.n_additional_gids; k++)
			json_put_u64(w, NULL, c->user.additional_gids[k]);
		json_close_array(w);
	}
	json_close_object(w);
	json_put_strv(w, "args", c->args);
	json_put_strv(w, "env", c->env.v);
	json_put_string(w, "cwd", c->cwd);
	put_capabilities(c);
	if (c->n_rlimits) {
		json_open_array(w, "rlimits");
		for (size_t k = 0; k < c->n_rlimits; k++) {
			json_open_object(w, NULL);
			json_put_string(w, "type", rlimit_name(c->rlimits[k].resource));
			json_put_u64(w, "soft", c->rlimits[k].soft);
			json_put_u64(w, "hard", c->rlimits[k].hard);
			json_close_object(w);
		}
		json_close_array(w);
	}
	json_put_bool(w, "noNewPrivileges", c->no_new_privileges);
	if (c->apparmor)
		json_put_string(w, "apparmorProfile", c->apparmor);
	if (c->label)
		json_put_string(w, "selinuxLabel", c->label);
	json_close_object(w);
}
