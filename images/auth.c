/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials out of auth files and helpers (see auth.h). */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/auth_internal.h"
#include "images/base64.h"

#define FILE_MAX      (1024U * 1024U)
#define CONTAINERS    "containers-auth.json" /* what registries.conf calls the files, among helpers */
#define DOCKER_IO     "docker.io"
#define DOCKER_SERVER "https://index.docker.io/v1/" /* what docker calls it */
#define TOKEN_USER    "<token>"			    /* of a helper: the secret is an identity token */

/* --- keys --------------------------------------------------------------------------------------- */

const char *au_key(struct arena *a, const char *key)
{
	static const char *const hub[] = { "index.docker.io", "registry-1.docker.io" };
	size_t len;

	if (str_starts(key, "https://"))
		key += strlen("https://");
	else if (str_starts(key, "http://"))
		key += strlen("http://");
	len = strlen(key);
	while (len > 0 && key[len - 1] == '/')
		len--;
	if (len > 3 && (strncmp(key + len - 3, "/v1", 3) == 0 || strncmp(key + len - 3, "/v2", 3) == 0))
		len -= 3;
	for (size_t i = 0; i < ARRAY_SIZE(hub); i++) {
		size_t n = strlen(hub[i]);

		if (len >= n && strncmp(key, hub[i], n) == 0 && (len == n || key[n] == '/'))
			return arena_printf(a, DOCKER_IO "%.*s", (int)(len - n), key + n);
	}
	return arena_strndup(a, key, len);
}

bool au_is_key(struct arena *a, const char *key, const char *want)
{
	const char *have = au_key(a, key);

	return have && str_eq(have, want);
}

const char *au_server(const char *host)
{
	return str_eq(host, DOCKER_IO) ? DOCKER_SERVER : host;
}

/* --- one entry ---------------------------------------------------------------------------------- */

static int set_credentials(struct arena *a, const char *user, size_t user_len, const char *password,
	bool is_token, struct img_credentials *out, struct err *e)
{
	struct img_credentials c = { .is_token = is_token };

	c.user = arena_strndup(a, user, user_len);
	c.password = arena_strdup(a, password);
	if (!c.user || !c.password)
		return err_set(e, ENOMEM, "credentials");
	*out = c;
	return 0;
}

/* base64 of "user:password"; docker pads the latter with NULs. */
static int decode_auth(
	struct arena *a, const char *text, const char *key, struct img_credentials *out, struct err *e)
{
	_cleanup_free_ char *buf = malloc(BASE64_ROOM(strlen(text)) + 1);
	char *colon;
	size_t len;

	if (!buf)
		return err_set(e, ENOMEM, "credentials");
	if (base64_decode(text, strlen(text), buf, &len) < 0)
		return err_text(e, EINVAL, "auth of \"%.100s\" is not base64", key);
	buf[len] = '\0';
	colon = strchr(buf, ':');
	if (!colon)
		return err_text(e, EINVAL, "auth of \"%.100s\" is not base64 of USER:PASSWORD", key);
	return set_credentials(a, buf, (size_t)(colon - buf), colon + 1, false, out, e);
}

static int text_of(const struct json *obj, const char *name, const char **out, struct err *e)
{
	const struct json *j = json_get(obj, name);

	*out = "";
	return j ? json_as_string(j, name, out, e) : 0;
}

/* An entry of "auths". Docker leaves empty ones where a helper has the credentials. */
static int read_entry(struct arena *a, const struct json *j, struct img_credentials *out, struct err *e)
{
	const char *auth, *token, *user, *password;
	int r;

	if (j->type != JSON_OBJECT)
		return err_text(e, EINVAL, "\"%.100s\" must be an object", j->key);
	r = text_of(j, "identitytoken", &token, e);
	if (r == 0)
		r = text_of(j, "auth", &auth, e);
	if (r == 0)
		r = text_of(j, "username", &user, e);
	if (r == 0)
		r = text_of(j, "password", &password, e);
	if (r < 0)
		return err_wrap(e, "\"%.100s\"", j->key);
	if (*token)
		return set_credentials(a, "", 0, token, true, out, e);
	if (*auth)
		return decode_auth(a, auth, j->key, out, e);
	return *user ? set_credentials(a, user, strlen(user), password, false, out, e) : 0;
}

/* --- helpers ------------------------------------------------------------------------------------ */

static int ask_helper(
	struct arena *a, const char *name, const char *host, struct img_credentials *out, struct err *e)
{
	_cleanup_free_ char *reply = NULL;
	const char *user, *secret;
	const struct json *j;
	int r = au_helper(name, "get", au_server(host), &reply, e);

	if (r == -ENOENT && !(e && e->code))
		return 0;
	if (r < 0)
		return r;
	r = json_parse(a, reply, strlen(reply), "reply", &j, e);
	if (r == 0)
		r = text_of(j, "Username", &user, e);
	if (r == 0)
		r = text_of(j, "Secret", &secret, e);
	/* The parser's own words might quote a secret. */
	if (r < 0)
		return err_text(
			e, EINVAL, "docker-credential-%s get: the reply is not what it should be", name);
	if (!*secret)
		return 0;
	return set_credentials(a, user, strlen(user), secret, str_eq(user, TOKEN_USER), out, e);
}

/* --- files -------------------------------------------------------------------------------------- */

int au_load(struct arena *a, struct au_file *f, bool must, struct err *e)
{
	_cleanup_close_ int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES) && !must)
		return 0;
	r = fd < 0 || fstat(fd, &st) < 0 ? -errno : fd_read_regular(fd, FILE_MAX, &text, &len);
	if (r < 0)
		return err_set(e, r, "read auth file %s", f->path);
	f->trusted = (st.st_uid == geteuid() || st.st_uid == 0) && !(st.st_mode & (S_IWGRP | S_IWOTH));
	if (strspn(text, " \t\r\n") == len)
		return 0;
	r = json_parse(a, text, len, f->path, &f->root, e);
	if (r == 0 && f->root->type != JSON_OBJECT)
		return err_text(e, EINVAL, "auth file %s: must be an object", f->path);
	return r;
}

const struct json *au_section(const struct au_file *f, const char *name)
{
	const struct json *j = json_get(f->root, name);

	return j && j->type == JSON_OBJECT ? j : NULL;
}

static int check_trusted(const struct au_file *f, const char *helper, struct err *e)
{
	if (f->trusted)
		return 0;
	return err_text(e, EPERM,
		"auth file %s names a program to run (docker-credential-%.80s), but it belongs to, or can be "
		"written "
		"by, somebody else",
		f->path, helper);
}

int au_helper_for(struct arena *a, const struct au_file *f, const char *host, const char **out, struct err *e)
{
	const struct json *m;
	const char *name = NULL;

	json_each (m, au_section(f, "credHelpers")) {
		int r;

		if (m->type == JSON_NULL || !au_is_key(a, m->key, host))
			continue;
		r = json_as_string(m, m->key, &name, e);
		if (r < 0)
			return err_wrap(e, "auth file %s", f->path);
	}
	*out = name;
	return name ? check_trusted(f, name, e) : 0;
}

/* "auths": the longest namespace first. */
static int find_entry(struct arena *a, const struct au_file *f, const char *host, const char *path,
	struct img_credentials *out, struct err *e)
{
	const struct json *auths = f->legacy ? f->root : au_section(f, "auths"), *m;
	char *want = arena_printf(a, "%s%s%s", host, *path ? "/" : "", path), *slash;

	if (!want)
		return err_set(e, ENOMEM, "credentials");
	for (;;) {
		json_each (m, auths) {
			int r;

			if (m->type == JSON_NULL || !au_is_key(a, m->key, want))
				continue;
			r = read_entry(a, m, out, e);
			if (r < 0)
				return err_wrap(e, "auth file %s", f->path);
			if (out->user)
				return 0;
		}
		slash = strrchr(want, '/');
		if (!slash)
			return 0;
		*slash = '\0';
	}
}

static int look_into(struct arena *a, const struct au_file *f, const char *host, const char *path,
	struct img_credentials *out, struct err *e)
{
	const char *helper = NULL, *store = "";
	int r = au_helper_for(a, f, host, &helper, e);

	if (r < 0)
		return r;
	/* containers-auth.json(5): where a helper is named, what else the file has for the registry is not
	 * used. */
	if (helper)
		return ask_helper(a, helper, host, out, e);
	r = find_entry(a, f, host, path, out, e);
	if (r < 0 || out->user || f->legacy)
		return r;
	r = text_of(f->root, "credsStore", &store, e);
	if (r < 0)
		return err_wrap(e, "auth file %s", f->path);
	if (!*store)
		return 0;
	r = check_trusted(f, store, e);
	return r < 0 ? r : ask_helper(a, store, host, out, e);
}

/* --- which files -------------------------------------------------------------------------------- */

#define FILES_MAX 4

static char *below(struct arena *a, const char *variable, const char *below_home, const char *name)
{
	const char *dir = variable ? getenv(variable) : NULL, *home = getenv("HOME");

	if (dir && *dir == '/')
		return arena_printf(a, "%s/%s", dir, name);
	return below_home && home && *home == '/' ? arena_printf(a, "%s/%s%s", home, below_home, name) : NULL;
}

char *au_primary(struct arena *a, const char *authfile, bool *given)
{
	const char *env = getenv("REGISTRY_AUTH_FILE");
	char *path;

	if (!authfile && env && *env)
		authfile = env;
	*given = authfile != NULL;
	if (authfile)
		return arena_strdup(a, authfile);
	path = below(a, "XDG_RUNTIME_DIR", NULL, "containers/auth.json");
	return path ? path : arena_printf(a, "/run/containers/%u/auth.json", geteuid());
}

/* Those that there may be, in order. */
static size_t list_files(struct arena *a, const char *authfile, struct au_file list[FILES_MAX], bool *given)
{
	const char *paths[FILES_MAX] = {
		au_primary(a, authfile, given),
		below(a, "XDG_CONFIG_HOME", ".config/", "containers/auth.json"),
		below(a, "DOCKER_CONFIG", ".docker/", "config.json"),
		below(a, NULL, "", ".dockercfg"),
	};
	size_t n = 0;

	for (size_t i = 0; i < FILES_MAX; i++)
		if (paths[i])
			list[n++] = (struct au_file){ .path = paths[i], .legacy = i == FILES_MAX - 1 };
	return n;
}

static int look_into_files(struct arena *a, const char *authfile, const char *host, const char *path,
	struct img_credentials *out, struct err *e)
{
	struct au_file list[FILES_MAX];
	bool given;
	size_t n = list_files(a, authfile, list, &given);
	int r = 0;

	for (size_t i = 0; i < n && r == 0 && !out->user; i++) {
		r = au_load(a, &list[i], i == 0 && given, e);
		if (r == 0 && list[i].root)
			r = look_into(a, &list[i], host, path, out, e);
	}
	return r;
}

int img_auth_find(struct arena *a, const char *authfile, char *const *helpers, const char *host,
	const char *path, struct img_credentials *out, struct err *e)
{
	static char *const only_files[] = { (char *)CONTAINERS, NULL };
	struct img_credentials found = { 0 };
	struct err own = ERR_INIT;
	const char *name;
	int r = 0;

	e = e ? e : &own;
	host = au_key(a, host);
	if (!host)
		return err_set(e, ENOMEM, "credentials");
	strv_each (name, helpers && helpers[0] ? helpers : only_files) {
		if (str_eq(name, CONTAINERS))
			r = look_into_files(a, authfile, host, path, &found, e);
		else
			r = ask_helper(a, name, host, &found, e);
		if (r < 0)
			return r;
		if (found.user)
			break;
	}
	*out = found;
	return 0;
}
