/* SPDX-License-Identifier: Apache-2.0 */
/* Networks of /etc/cni/net.d and the programs that they name (CNI specification 1.0.0, section 1). */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "launch/cni.h"

#define PLUGINS_MAX 32
#define FILES_MAX   256

static const char usual_path[] = "/usr/lib/cni:/usr/libexec/cni:/opt/cni/bin";
static const char conf_dir[] = "/etc/cni/net.d";

const char *cni_path(struct arena *a, struct err *e)
{
	const char *env = getenv("CNI_PATH"), *path = usual_path;

	if (env && *env)
		path = arena_printf(a, "%s:%s", env, usual_path);
	if (!path)
		err_set(e, ENOMEM, "search for CNI plugins");
	return path;
}

/* --- plugins ---------------------------------------------------------------------------------- */

int cni_plugin_find(const char *type, const char *path, struct arena *a, const char **program, struct err *e)
{
	const char *dir = path;

	if (!*type || strchr(type, '/') || type[0] == '.')
		return err_text(e, EINVAL, "\"%s\" is no name of a CNI plugin", type);
	while (dir) {
		const char *end = strchr(dir, ':');
		int len = (int)(end ? end - dir : (ptrdiff_t)strlen(dir));
		char *file = arena_printf(a, "%.*s/%s", len, dir, type);
		struct stat st;

		if (!file)
			return err_set(e, ENOMEM, "search for CNI plugin \"%s\"", type);
		/* A relative directory would be another one in the hook. */
		if (*dir == '/' && stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0) {
			*program = file;
			return 0;
		}
		dir = end ? end + 1 : NULL;
	}
	return err_text(e, ENOENT,
		"CNI plugin \"%s\" is in none of %s; install it (Debian: containernetworking-plugins)", type,
		path);
}

/* --- lists ------------------------------------------------------------------------------------ */

/* Section 1, "name": the first character is a letter or digit, then '_', '.' and '-' as well. */
static bool good_name(const char *s)
{
	static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t first = strspn(s, alnum);

	return first > 0 && strlen(s) < 128 &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] == '\0';
}

static int check_version(const struct json *list, struct err *e)
{
	static const char *const known[] = { "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0" };
	const struct json *v = json_get(list, "cniVersion");

	for (size_t i = 0; v && v->type == JSON_STRING && i < ARRAY_SIZE(known); i++)
		if (str_eq(v->text, known[i]))
			return 0;
	return err_text(e, EINVAL, "cniVersion is \"%.40s\"; known are 0.3.0 to 1.1.0",
		v && v->text ? v->text : "(missing)");
}

static int check_plugin(
	const struct json *plugin, const char *path, bool *publishes, struct arena *a, struct err *e)
{
	const struct json *type = json_get(plugin, "type"), *ipam = json_get(plugin, "ipam");
	const struct json *maps = json_get(json_get(plugin, "capabilities"), "portMappings");
	const char *program;
	int r;

	if (plugin->type != JSON_OBJECT || !type || type->type != JSON_STRING)
		return err_text(e, EINVAL, "a plugin has no type");
	if (maps && maps->type == JSON_BOOL && maps->boolean)
		*publishes = true;
	r = cni_plugin_find(type->text, path, a, &program, e);
	type = json_get(ipam, "type");
	if (r == 0 && type && type->type == JSON_STRING && *type->text)
		r = cni_plugin_find(type->text, path, a, &program, e);
	return r;
}

int cni_conf_check(const struct json *list, const char *path, bool ports, struct arena *a, struct err *e)
{
	const struct json *name = json_get(list, "name"), *plugins = json_get(list, "plugins"), *p;
	bool publishes = false;
	int r;

	if (!name || name->type != JSON_STRING || !good_name(name->text))
		return err_text(e, EINVAL, "a network's name must be letters, digits, '_', '.' and '-'");
	if (!plugins || plugins->type != JSON_ARRAY || plugins->count == 0 || plugins->count > PLUGINS_MAX)
		return err_text(e, EINVAL, "network \"%s\": plugins must be a list of 1 to %d", name->text,
			PLUGINS_MAX);
	r = check_version(list, e);
	json_each (p, plugins)
		if (r == 0)
			r = check_plugin(p, path, &publishes, a, e);
	if (r == 0 && ports && !publishes)
		r = err_text(e, EINVAL,
			"it publishes no ports: none of its plugins has the capability portMappings (as "
			"portmap "
			"has)");
	return r < 0 ? err_wrap(e, "network \"%s\"", name->text) : 0;
}

/* A file of one plugin, as before there were lists: its name and version are the list's. */
static int as_list(const struct json *conf, struct arena *a, const struct json **out, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text = NULL;
	size_t len;

	if (w) {
		json_open_object(w, NULL);
		json_put_json(w, "cniVersion", json_get(conf, "cniVersion"));
		json_put_json(w, "name", json_get(conf, "name"));
		json_open_array(w, "plugins");
		json_put_json(w, NULL, conf);
		json_close_array(w);
		json_close_object(w);
		text = json_writer_text(w, &len);
	}
	return text ? json_parse(a, text, len, "network", out, e) : err_set(e, ENOMEM, "read a network");
}

/* --- the directory ----------------------------------------------------------------------------- */

static int is_conf(const struct dirent *d)
{
	return d->d_name[0] != '.' && (str_ends(d->d_name, ".conflist") || str_ends(d->d_name, ".conf") ||
					      str_ends(d->d_name, ".json"));
}

static int read_file(int dir, const char *file, struct arena *a, const struct json **out, struct err *e)
{
	/* Such files may be symlinks: the directory is the administrator's. */
	_cleanup_close_ int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	const struct json *j = NULL;
	size_t len;
	int r;

	if (fd < 0)
		return err_set(e, errno, "open %s", file);
	r = fd_read_regular(fd, CNI_OUTPUT_MAX, &text, &len);
	if (r < 0)
		return err_set(e, -r, "read %s", file);
	r = json_parse(a, text, len, file, &j, e);
	if (r == 0 && json_get(j, "name") && !json_get(j, "plugins") && json_get(j, "type"))
		r = as_list(j, a, &j, e);
	if (r == 0)
		*out = j;
	return r;
}

struct search {
	const char *name;
	const struct json *found;
	struct strbuf others;
	struct err bad; /* of the first file that could not be read */
};

static void look_at(struct search *s, int dir, const char *file, struct arena *a)
{
	const struct json *j = NULL, *name;
	struct err e = ERR_INIT;

	if (read_file(dir, file, a, &j, &e) < 0) {
		if (!s->bad.code)
			s->bad = e;
		return;
	}
	name = json_get(j, "name");
	if (!name || name->type != JSON_STRING || !good_name(name->text))
		return;
	if (str_eq(name->text, s->name))
		s->found = j;
	else
		strbuf_printf(&s->others, ", %s", name->text);
}

static int search_dir(const char *path, struct search *s, struct arena *a, struct err *e)
{
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **list = NULL;
	int n;

	if (dir < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "look for networks in %s", path);
	n = scandirat(dir, ".", &list, is_conf, alphasort);
	if (n < 0)
		return err_set(e, errno, "look for networks in %s", path);
	for (int i = 0; i < n; i++) {
		/* By name: of two with one name the first counts. */
		if (!s->found && i < FILES_MAX)
			look_at(s, dir, list[i]->d_name, a);
		free(list[i]);
	}
	free(list);
	return 0;
}

int cni_conf_find(const char *name, struct arena *a, const struct json **out, bool *own, struct err *e)
{
	const char *env = getenv("NETCONFPATH"), *path = env && *env ? env : conf_dir;
	struct search s = { .name = name ? name : CNI_OWN_NETWORK };
	int r = search_dir(path, &s, a, e);

	*own = r == 0 && !s.found && str_eq(s.name, CNI_OWN_NETWORK);
	if (r == 0 && s.found)
		*out = s.found;
	else if (*own)
		r = cni_own_conf(a, out, e);
	else if (r == 0) {
		r = err_text(e, ENOENT, "no network \"%s\" in %s; there is %s%.300s", name, path,
			CNI_OWN_NETWORK, s.others.s ? s.others.s : "");
		if (s.bad.code)
			err_hint(e, "not understood: %.300s", s.bad.text);
	}
	strbuf_reset(&s.others);
	return r;
}
