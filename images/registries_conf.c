/* SPDX-License-Identifier: Apache-2.0 */
/* registries.conf and its drop-ins, from TOML to structs, checked and merged (see registries.h). */
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/registries_internal.h"
#include "images/toml.h"

#define CONF_MAX    (1024U * 1024U)
#define SYSTEM_CONF "/etc/containers/registries.conf"
#define LEARNT_CONF "/var/cache/containers/short-name-aliases.conf"

struct loader {
	struct arena *a;
	struct img_registries *rs;
	const char *file; /* that is being read */
	struct err *e;
};

static int no_memory(struct loader *l)
{
	return err_set(l->e, ENOMEM, "read %s", l->file);
}

__attribute__((format(printf, 3, 4))) static int refuse(
	struct loader *l, const struct toml *at, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_text(l->e, EINVAL, "%s: line %d: %s", l->file, at->line, text);
}

/* --- values ------------------------------------------------------------------------------------- */

static int read_strings(struct loader *l, const struct toml *root, const char *key, char ***out)
{
	const struct toml *list = NULL, *m;
	char **v;
	size_t n = 0;
	int r = toml_get_list(root, key, l->file, TOML_ARRAY, &list, l->e);

	if (r < 0 || !list)
		return r;
	v = arena_calloc(l->a, list->count + 1, sizeof(*v));
	if (!v)
		return no_memory(l);
	toml_each (m, list) {
		if (m->type != TOML_STRING || !*m->text)
			return refuse(l, m, "%s must be an array of strings that are not empty", key);
		v[n++] = (char *)m->text;
	}
	*out = v;
	return 0;
}

/* A prefix or location: without a trailing '/', and not a URL. */
static int read_place(struct loader *l, const struct toml *table, const char *key, const char **out)
{
	const char *text = NULL;
	size_t len;
	int r = toml_get_string(table, key, l->file, &text, l->e);

	if (r < 0 || !text)
		return r;
	if (strstr(text, "://"))
		return refuse(l, toml_get(table, key),
			"%s must begin with a host, not with \"http://\" or the like", key);
	len = strlen(text);
	while (len > 0 && text[len - 1] == '/')
		len--;
	*out = arena_strndup(l->a, text, len);
	return *out ? 0 : no_memory(l);
}

/* --- [[registry]] ------------------------------------------------------------------------------- */

static int read_pull(struct loader *l, const struct toml *table, enum rs_pull *out)
{
	const char *text = "";
	int r = toml_get_string(table, "pull-from-mirror", l->file, &text, l->e);

	if (r < 0)
		return r;
	if (str_eq(text, "digest-only"))
		*out = RS_PULL_DIGEST;
	else if (str_eq(text, "tag-only"))
		*out = RS_PULL_TAG;
	else if (!*text || str_eq(text, "all"))
		*out = RS_PULL_ALL;
	else
		return refuse(l, table,
			"pull-from-mirror must be \"all\", \"digest-only\" or \"tag-only\", not \"%.60s\"",
			text);
	return 0;
}

static int read_mirror(struct loader *l, const struct toml *table, bool by_digest, struct rs_mirror *m)
{
	int r;

	if (table->type != TOML_TABLE)
		return refuse(l, table, "mirror must be an array of tables");
	r = read_place(l, table, "location", &m->location);
	if (r == 0)
		r = toml_get_bool(table, "insecure", l->file, &m->insecure, l->e);
	if (r == 0)
		r = read_pull(l, table, &m->pull);
	if (r < 0)
		return r;
	if (!m->location || !*m->location)
		return refuse(l, table, "a mirror needs a location");
	if (rs_is_wildcard(m->location))
		return refuse(l, table, "location \"%.100s\" must not be a wildcard", m->location);
	if (by_digest && m->pull != RS_PULL_ALL)
		return refuse(
			l, table, "pull-from-mirror cannot go with mirror-by-digest-only of the registry");
	return 0;
}

static int read_mirrors(struct loader *l, const struct toml *table, struct rs_registry *reg)
{
	const struct toml *list = NULL, *m;
	struct rs_mirror **end = &reg->mirrors;
	int r = toml_get_list(table, "mirror", l->file, TOML_ARRAY, &list, l->e);

	if (r < 0)
		return r;
	toml_each (m, list) {
		struct rs_mirror *mirror = arena_calloc(l->a, 1, sizeof(*mirror));

		if (!mirror)
			return no_memory(l);
		r = read_mirror(l, m, reg->mirrors_by_digest, mirror);
		if (r < 0)
			return r;
		if (reg->mirrors_by_digest)
			mirror->pull = RS_PULL_DIGEST;
		*end = mirror;
		end = &mirror->next;
	}
	return 0;
}

static int check_places(struct loader *l, const struct toml *table, struct rs_registry *reg)
{
	if (!reg->prefix || !*reg->prefix)
		reg->prefix = reg->location;
	if (!reg->prefix || !*reg->prefix)
		return refuse(l, table, "a registry needs a prefix or a location");
	if (reg->location && rs_is_wildcard(reg->location))
		return refuse(l, table, "location \"%.100s\" must not be a wildcard", reg->location);
	if (rs_is_wildcard(reg->prefix)) {
		if (reg->prefix[1] != '.' || !reg->prefix[2] || strpbrk(reg->prefix + 1, "*/:@"))
			return refuse(l, table,
				"prefix \"%.100s\": a wildcard must have the form \"*.example.com\", without "
				"port "
				"and path",
				reg->prefix);
		if (!reg->location)
			reg->location = "";
		return 0;
	}
	if (strchr(reg->prefix, '*'))
		return refuse(l, table, "prefix \"%.100s\": a wildcard can only stand at its beginning",
			reg->prefix);
	if (!reg->location || !*reg->location)
		return refuse(l, table,
			"registry \"%.100s\" needs a location, since its prefix is no wildcard", reg->prefix);
	return 0;
}

static struct rs_registry *find_registry(struct img_registries *rs, const char *prefix)
{
	for (struct rs_registry *r = rs->registries; r; r = r->next)
		if (str_eq(r->prefix, prefix))
			return r;
	return NULL;
}

/* Of equal prefixes the one of the later file counts, and in one file they must agree on what is forbidden.
 */
static int keep_registry(struct loader *l, const struct toml *table, struct rs_registry *reg)
{
	struct rs_registry *old = find_registry(l->rs, reg->prefix);

	if (!old) {
		reg->next = l->rs->registries;
		l->rs->registries = reg;
		return 0;
	}
	if (str_eq(old->file, l->file) && (old->insecure != reg->insecure || old->blocked != reg->blocked))
		return refuse(l, table,
			"prefix \"%.100s\" is there twice, with different \"insecure\" or \"blocked\"",
			reg->prefix);
	reg->next = old->next;
	*old = *reg;
	return 0;
}

static int read_registry(struct loader *l, const struct toml *table)
{
	struct rs_registry *reg = arena_calloc(l->a, 1, sizeof(*reg));
	int r;

	if (!reg)
		return no_memory(l);
	if (table->type != TOML_TABLE)
		return refuse(l, table, "registry must be an array of tables");
	reg->file = l->file;
	r = read_place(l, table, "prefix", &reg->prefix);
	if (r == 0)
		r = read_place(l, table, "location", &reg->location);
	if (r == 0)
		r = toml_get_bool(table, "insecure", l->file, &reg->insecure, l->e);
	if (r == 0)
		r = toml_get_bool(table, "blocked", l->file, &reg->blocked, l->e);
	if (r == 0)
		r = toml_get_bool(table, "mirror-by-digest-only", l->file, &reg->mirrors_by_digest, l->e);
	if (r == 0)
		r = check_places(l, table, reg);
	if (r == 0)
		r = read_mirrors(l, table, reg);
	return r < 0 ? r : keep_registry(l, table, reg);
}

/* --- [aliases] ---------------------------------------------------------------------------------- */

static int read_alias(struct loader *l, const struct toml *m)
{
	struct rs_alias *alias = arena_calloc(l->a, 1, sizeof(*alias));
	struct img_ref name, value;

	if (!alias)
		return no_memory(l);
	if (m->type != TOML_STRING)
		return refuse(l, m, "alias \"%.100s\" must be a string", m->key);
	if (img_ref_parse(l->a, m->key, &name, NULL) < 0 || name.registry || name.tag ||
		name.digest.text[0] || str_eq(m->key, "localhost"))
		return refuse(
			l, m, "alias \"%.100s\" is no short name (without registry, tag and digest)", m->key);
	if (*m->text && (img_ref_parse(l->a, m->text, &value, NULL) < 0 || !value.registry || value.tag ||
				value.digest.text[0]))
		return refuse(l, m,
			"alias for \"%.100s\" is no whole name (with a registry, without tag and digest)",
			m->text);
	alias->name = m->key;
	alias->value = m->text;
	alias->next = l->rs->aliases;
	l->rs->aliases = alias;
	return 0;
}

/* --- a file ------------------------------------------------------------------------------------- */

static int read_mode(struct loader *l, const struct toml *root)
{
	const char *mode = NULL;
	int r = toml_get_string(root, "short-name-mode", l->file, &mode, l->e);

	if (r < 0 || !mode || !*mode)
		return r;
	if (!str_eq(mode, "enforcing") && !str_eq(mode, "permissive") && !str_eq(mode, "disabled"))
		return refuse(l, toml_get(root, "short-name-mode"),
			"short-name-mode must be \"enforcing\", \"permissive\" or \"disabled\", not "
			"\"%.60s\"",
			mode);
	l->rs->enforcing = str_eq(mode, "enforcing");
	return 0;
}

static int read_root(struct loader *l, const struct toml *root)
{
	const struct toml *list = NULL, *m;
	int r = 0;

	if (toml_get(root, "registries"))
		return refuse(l, toml_get(root, "registries"),
			"[registries] is version 1 of the format: write unqualified-search-registries and "
			"[[registry]] instead (containers-registries.conf(5))");
	r = read_strings(l, root, "unqualified-search-registries", &l->rs->search);
	if (r == 0)
		r = read_strings(l, root, "credential-helpers", &l->rs->helpers);
	if (r == 0)
		r = read_mode(l, root);
	if (r == 0)
		r = toml_get_list(root, "registry", l->file, TOML_ARRAY, &list, l->e);
	for (m = list ? list->first : NULL; m && r == 0; m = m->next)
		r = read_registry(l, m);
	list = NULL;
	if (r == 0)
		r = toml_get_list(root, "aliases", l->file, TOML_TABLE, &list, l->e);
	for (m = list ? list->first : NULL; m && r == 0; m = m->next)
		r = read_alias(l, m);
	return r;
}

/* 0, or -ENOENT without a text. */
static int read_file(struct loader *l, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	const struct toml *root;
	size_t len;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return -ENOENT;
	r = fd < 0 ? -errno : fd_read_regular(fd, CONF_MAX, &text, &len);
	if (r < 0)
		return err_set(l->e, r, "read %s", path);
	l->file = arena_strdup(l->a, path);
	if (!l->file)
		return err_set(l->e, ENOMEM, "read %s", path);
	r = toml_parse(l->a, text, len, path, &root, l->e);
	return r < 0 ? r : read_root(l, root);
}

static int by_name(const void *x, const void *y)
{
	const char *const *a = x, *const *b = y;

	return strcmp(*a, *b);
}

/* Names of the drop-ins, sorted. A directory that is not there has none. */
static int list_dropins(struct loader *l, const char *dir, char ***out, size_t *n)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	_cleanup_free_ char **list = NULL;
	const struct dirent *entry;
	size_t used = 0, room = 0;

	if (!d && errno != ENOENT && errno != ENOTDIR)
		return err_set(l->e, errno, "read %s", dir);
	while (d && (entry = readdir(d))) {
		if (!str_ends(entry->d_name, ".conf"))
			continue;
		if (used == room) {
			char **more = realloc(list, (room = room ? 2 * room : 16) * sizeof(*list));

			if (!more)
				return err_set(l->e, ENOMEM, "read %s", dir);
			list = more;
		}
		list[used] = arena_printf(l->a, "%s/%s", dir, entry->d_name);
		if (!list[used++])
			return err_set(l->e, ENOMEM, "read %s", dir);
	}
	if (used)
		qsort(list, used, sizeof(*list), by_name);
	*out = TAKE_PTR(list);
	*n = used;
	return 0;
}

static int read_dropins(struct loader *l, const char *conf)
{
	const char *dir = arena_printf(l->a, "%s.d", conf);
	_cleanup_free_ char **list = NULL;
	size_t n = 0;
	int r;

	if (!dir)
		return err_set(l->e, ENOMEM, "read %s.d", conf);
	r = list_dropins(l, dir, &list, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		r = read_file(l, list[i]);
		if (r == -ENOENT)
			r = 0; /* gone meanwhile, or a link to nowhere */
	}
	return r;
}

/* Below the user's directory for configuration or caches; NULL: there is none. */
static char *users_file(struct loader *l, const char *variable, const char *below_home, const char *name)
{
	const char *dir = getenv(variable), *home = getenv("HOME");

	if (dir && *dir == '/')
		return arena_printf(l->a, "%s/%s", dir, name);
	return home && *home == '/' ? arena_printf(l->a, "%s/%s/%s", home, below_home, name) : NULL;
}

/* Short names that podman has asked its user about. */
static int read_learnt(struct loader *l)
{
	const char *path = geteuid() == 0 ? LEARNT_CONF
					  : users_file(l, "XDG_CACHE_HOME", ".cache",
						    "containers/short-name-aliases.conf");
	int r = path ? read_file(l, path) : 0;

	return r == -ENOENT ? 0 : r;
}

static int read_usual(struct loader *l)
{
	const char *users = users_file(l, "XDG_CONFIG_HOME", ".config", "containers/registries.conf");
	int r = users ? read_file(l, users) : -ENOENT;

	if (r == -ENOENT) {
		r = read_file(l, SYSTEM_CONF);
		if (r == 0 || r == -ENOENT)
			r = read_dropins(l, SYSTEM_CONF);
	}
	if (r == 0 && users)
		r = read_dropins(l, users);
	return r < 0 ? r : read_learnt(l);
}

int img_registries_load(struct arena *a, const char *conf, const struct img_registries **out, struct err *e)
{
	struct loader l = { .a = a, .rs = arena_calloc(a, 1, sizeof(*l.rs)), .e = e };
	const char *env = getenv("CONTAINERS_REGISTRIES_CONF");
	int r;

	if (!l.rs)
		return err_set(e, ENOMEM, "read registries.conf");
	if (!conf && env && *env)
		conf = env;
	r = conf ? read_file(&l, conf) : read_usual(&l);
	if (r == -ENOENT && conf)
		return err_set(e, ENOENT, "read %s", conf);
	if (r < 0)
		return r;
	*out = l.rs;
	return 0;
}

char *const *img_registries_helpers(const struct img_registries *rs)
{
	return rs->helpers;
}
