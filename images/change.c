/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of a Dockerfile, into a config (see change.h). */
#include "images/change.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>

#include "images/change_internal.h"

struct change {
	struct arena *a;
	struct img_config *c;
	bool cmd_set;	  /* by one of the changes */
	const char *word; /* the instruction, for errors */
	struct err *err;
};

static int no_memory(struct change *x)
{
	return err_set(x->err, ENOMEM, "change %s", x->word);
}

static int refuse(struct change *x, const char *why)
{
	return err_text(x->err, EINVAL, "change %s %s", x->word, why);
}

/* --- vectors ------------------------------------------------------------------------------------ */

/* Adds `text` behind, or in the place of item `at`. */
static int strv_put(struct change *x, char ***v, size_t at, const char *text)
{
	size_t n = strv_len(*v);
	char **copy = arena_calloc(x->a, n + 2, sizeof(*copy));

	if (!copy || !text)
		return no_memory(x);
	if (n)
		memcpy(copy, *v, n * sizeof(*copy));
	copy[at < n ? at : n] = (char *)text;
	*v = copy;
	return 0;
}

static size_t find_env(char *const *env, const char *name, size_t len)
{
	size_t i = 0;

	for (; env && env[i]; i++)
		if (strncmp(env[i], name, len) == 0 && env[i][len] == '=')
			break;
	return i;
}

static int set_env(struct change *x, const char *name, size_t len, const char *value)
{
	return strv_put(x, &x->c->env, find_env(x->c->env, name, len),
		arena_printf(x->a, "%.*s=%s", (int)len, name, value));
}

static int set_label(struct change *x, const char *name, size_t len, const char *value)
{
	const char *key = arena_strndup(x->a, name, len);
	size_t i = 0;
	int r;

	if (!key)
		return no_memory(x);
	for (; x->c->labels && x->c->labels[i]; i += 2)
		if (str_eq(x->c->labels[i], key))
			return strv_put(x, &x->c->labels, i + 1, value);
	r = strv_put(x, &x->c->labels, SIZE_MAX, key);
	return r < 0 ? r : strv_put(x, &x->c->labels, SIZE_MAX, value);
}

/* A set, as ExposedPorts and Volumes are. */
static int add_to(struct change *x, char ***set, const char *text)
{
	return strv_has(*set, text) ? 0 : strv_put(x, set, SIZE_MAX, text);
}

/* --- instructions ------------------------------------------------------------------------------- */

/* A JSON array of strings; 0: it is none. */
static int json_words(struct change *x, const char *text, char ***out)
{
	const struct json *j, *item;
	char **list;
	size_t n = 0;

	if (*text != '[' || json_parse(x->a, text, strlen(text), x->word, &j, NULL) < 0 ||
		j->type != JSON_ARRAY)
		return 0;
	list = arena_calloc(x->a, j->count + 1, sizeof(*list));
	if (!list)
		return no_memory(x);
	json_each (item, j) {
		if (item->type != JSON_STRING)
			return 0;
		list[n++] = (char *)item->text;
	}
	*out = list;
	return 1;
}

static int command(struct change *x, const char *text, char ***out)
{
	int r = json_words(x, text, out);

	if (r != 0)
		return r < 0 ? r : 0;
	*out = arena_calloc(x->a, 4, sizeof(**out));
	if (!*out)
		return no_memory(x);
	(*out)[0] = (char *)"/bin/sh";
	(*out)[1] = (char *)"-c";
	(*out)[2] = arena_strdup(x->a, text);
	return (*out)[2] ? 0 : no_memory(x);
}

static int do_cmd(struct change *x, const char *text)
{
	x->cmd_set = true;
	return command(x, text, &x->c->cmd);
}

static int do_entrypoint(struct change *x, const char *text)
{
	if (!x->cmd_set)
		x->c->cmd = NULL;
	return command(x, text, &x->c->entrypoint);
}

/* NAME=VALUE words, or NAME and the rest. */
static int pairs(struct change *x, const char *text,
	int (*set)(struct change *x, const char *name, size_t len, const char *value))
{
	char **words;
	int r = change_words(x->a, text, x->c->env, &words, x->err);

	if (r < 0)
		return err_wrap(x->err, "change %s", x->word);
	if (words[0] && !strchr(words[0], '=')) {
		const char *rest = text + strcspn(text, " \t"), *value;

		rest += strspn(rest, " \t");
		if (!*rest)
			return refuse(x, "needs NAME=VALUE");
		r = change_expand(x->a, rest, x->c->env, &value, x->err);
		return r < 0 ? err_wrap(x->err, "change %s", x->word)
			     : set(x, words[0], strlen(words[0]), value);
	}
	for (size_t i = 0; words[i] && r == 0; i++) {
		const char *eq = strchr(words[i], '=');

		if (!eq || eq == words[i])
			return refuse(x, "needs NAME=VALUE");
		r = set(x, words[i], (size_t)(eq - words[i]), eq + 1);
	}
	return r;
}

static int do_env(struct change *x, const char *text)
{
	return pairs(x, text, set_env);
}

static int do_label(struct change *x, const char *text)
{
	return pairs(x, text, set_label);
}

static int one_word(struct change *x, const char *text, const char **out)
{
	char **words;
	int r = change_words(x->a, text, x->c->env, &words, x->err);

	if (r < 0)
		return err_wrap(x->err, "change %s", x->word);
	if (!words[0] || words[1])
		return refuse(x, "needs one word");
	*out = words[0];
	return 0;
}

static int do_user(struct change *x, const char *text)
{
	return one_word(x, text, &x->c->user);
}

/* A relative one is below the one before. */
static int do_workdir(struct change *x, const char *text)
{
	const char *dir, *old = x->c->working_dir && *x->c->working_dir ? x->c->working_dir : "/";
	int r = one_word(x, text, &dir);

	if (r < 0)
		return r;
	if (*dir != '/')
		dir = arena_printf(x->a, "%s%s%s", old, str_ends(old, "/") ? "" : "/", dir);
	x->c->working_dir = dir;
	return dir ? 0 : no_memory(x);
}

static bool is_port(const char *s)
{
	uint32_t n[2] = { 0, 0 };
	char part[16];

	for (int i = 0; i < 2; i++) {
		size_t len = strspn(s, "0123456789");

		if (len == 0 || len >= sizeof(part))
			return false;
		snprintf(part, sizeof(part), "%.*s", (int)len, s);
		if (str_to_u32(part, &n[i]) < 0 || n[i] == 0 || n[i] > 65535)
			return false;
		s += len;
		if (*s != '-' || i == 1)
			break;
		s++;
	}
	return (!*s || str_eq(s, "/tcp") || str_eq(s, "/udp") || str_eq(s, "/sctp")) &&
	       (!n[1] || n[1] >= n[0]);
}

static int do_expose(struct change *x, const char *text)
{
	char **words;
	int r = change_words(x->a, text, x->c->env, &words, x->err);

	if (r < 0)
		return err_wrap(x->err, "change %s", x->word);
	for (size_t i = 0; words[i] && r == 0; i++) {
		const char *port = strchr(words[i], '/') ? words[i] : arena_printf(x->a, "%s/tcp", words[i]);

		if (!port)
			return no_memory(x);
		if (!is_port(port))
			return err_text(x->err, EINVAL,
				"change EXPOSE: \"%.80s\" is no PORT[-PORT][/tcp|udp|sctp]", words[i]);
		r = add_to(x, &x->c->exposed_ports, port);
	}
	return r;
}

static int do_volume(struct change *x, const char *text)
{
	char **words;
	int r = json_words(x, text, &words);

	if (r == 0)
		r = change_words(x->a, text, x->c->env, &words, x->err);
	for (size_t i = 0; r >= 0 && words[i]; i++)
		r = *words[i] ? add_to(x, &x->c->volumes, words[i]) : refuse(x, "needs paths");
	return r < 0 ? r : 0;
}

static int do_stopsignal(struct change *x, const char *text)
{
	const char *name;
	int n, r = one_word(x, text, &name);

	if (r < 0)
		return r;
	if (str_to_int(name, &n) == 0 ? n < 1 || n > SIGRTMAX : !isalpha((unsigned char)*name))
		return err_text(x->err, EINVAL, "change STOPSIGNAL: \"%.40s\" is no signal", name);
	x->c->stop_signal = name;
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct change *x, const char *text);
} instructions[] = {
	{ "CMD", do_cmd },
	{ "ENTRYPOINT", do_entrypoint },
	{ "ENV", do_env },
	{ "EXPOSE", do_expose },
	{ "LABEL", do_label },
	{ "STOPSIGNAL", do_stopsignal },
	{ "USER", do_user },
	{ "VOLUME", do_volume },
	{ "WORKDIR", do_workdir },
};

static int change_one(struct change *x, const char *text)
{
	size_t len;
	char *rest;

	text += strspn(text, " \t");
	len = strcspn(text, " \t=");
	rest = arena_strdup(x->a, text + len + strspn(text + len, " \t"));
	if (!rest)
		return no_memory(x);
	for (size_t n = strlen(rest); n && isspace((unsigned char)rest[n - 1]); n--)
		rest[n - 1] = '\0';
	/* podman's second spelling: "CMD=/bin/sh". */
	if (*rest == '=')
		rest++;
	for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
		x->word = instructions[i].name;
		if (strlen(x->word) == len && strncasecmp(x->word, text, len) == 0)
			return *rest ? instructions[i].run(x, rest) : refuse(x, "says nothing");
	}
	return err_text(x->err, EINVAL,
		"change \"%.60s\" must begin with CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, "
		"VOLUME or "
		"WORKDIR",
		text);
}

int img_config_change(struct arena *a, struct img_config *c, char *const *changes, struct err *e)
{
	struct change x = { .a = a, .c = c, .word = "", .err = e };
	const char *text;
	int r;

	strv_each (text, changes) {
		r = change_one(&x, text);
		if (r < 0)
			return r;
	}
	return 0;
}
