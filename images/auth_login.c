/* SPDX-License-Identifier: Apache-2.0 */
/* Login and logout: credentials into an auth file or a helper, and out of it (see auth.h). */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "images/auth_internal.h"
#include "images/base64.h"

struct login {
	struct arena *a;
	struct au_file file;
	const char *name; /* of the file in `dir` */
	int dir;	  /* locked: two logins at once must not lose one */
	const char *host; /* as au_key() has it; NULL: all */
	struct err *e;
};

static int no_memory(struct login *l)
{
	return err_set(l->e, ENOMEM, "write %s", l->file.path);
}

/* mkdir -p, for a path that is ours. */
static int make_directory(char *path, struct err *e)
{
	for (char *p = strchr(path + 1, '/');; p = strchr(p + 1, '/')) {
		if (p)
			*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return err_set(e, errno, "make directory %s", path);
		if (!p)
			return 0;
		*p = '/';
	}
}

static int open_directory(struct login *l, bool make)
{
	_cleanup_free_ char *path = path_absolute(l->file.path);
	char *slash = path ? strrchr(path, '/') : NULL;
	_cleanup_close_ int fd = -EBADF;
	int r = 0;

	if (!slash)
		return no_memory(l);
	l->name = arena_strdup(l->a, slash + 1);
	if (!l->name)
		return no_memory(l);
	slash[slash == path] = '\0';
	if (make)
		r = make_directory(path, l->e);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_set(l->e, errno, "lock directory %s", path);
	if (fd < 0)
		return err_set(l->e, errno, "open directory %s", path);
	l->dir = TAKE_FD(fd);
	return 0;
}

static int begin(struct login *l, const char *authfile, const char *host, bool make)
{
	bool given;
	int r;

	l->dir = -EBADF;
	l->a = arena_new();
	if (!l->a)
		return err_set(l->e, ENOMEM, "auth file");
	l->file.path = au_primary(l->a, authfile, &given);
	l->host = host ? au_key(l->a, host) : NULL;
	if (!l->file.path || (host && !l->host))
		return err_set(l->e, ENOMEM, "auth file");
	r = open_directory(l, make);
	return r < 0 ? r : au_load(l->a, &l->file, !make, l->e);
}

static void end(struct login *l)
{
	fd_close(l->dir);
	arena_free(l->a);
}

/* The document anew: without the entries for the host, and with `auth` for it (NULL: none). */
static int rewrite(struct login *l, const char *auth, size_t *dropped)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	const struct json *m;
	const char *text;
	size_t len;

	*dropped = 0;
	if (!w)
		return no_memory(l);
	json_open_object(w, NULL);
	json_open_object(w, "auths");
	json_each (m, au_section(&l->file, "auths")) {
		if (!l->host || au_is_key(l->a, m->key, l->host))
			++*dropped;
		else
			json_put_json(w, m->key, m);
	}
	if (auth) {
		json_open_object(w, l->host);
		json_put_string(w, "auth", auth);
		json_close_object(w);
	}
	json_close_object(w);
	json_each (m, l->file.root)
		if (!str_eq(m->key, "auths"))
			json_put_json(w, m->key, m);
	json_close_object(w);
	text = json_writer_text(w, &len);
	if (!text)
		return no_memory(l);
	if (!auth && !*dropped)
		return 0;
	return fd_replace_at(l->dir, l->name, 0600, text, len, l->e);
}

static int store_in_helper(struct login *l, const char *helper, const char *user, const char *password)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text;
	int r;

	if (!w)
		return no_memory(l);
	json_open_object(w, NULL);
	json_put_string(w, "ServerURL", au_server(l->host));
	json_put_string(w, "Username", user);
	json_put_string(w, "Secret", password);
	json_close_object(w);
	text = json_writer_text(w, NULL);
	if (!text)
		return no_memory(l);
	r = au_helper(helper, "store", text, NULL, l->e);
	return r == -ENOENT ? err_text(l->e, EIO, "docker-credential-%s cannot store credentials", helper)
			    : r;
}

static int store_in_file(struct login *l, const char *user, const char *password)
{
	const char *pair = arena_printf(l->a, "%s:%s", user, password), *auth;
	size_t dropped;

	auth = pair ? base64_encode(l->a, pair, strlen(pair)) : NULL;
	return auth ? rewrite(l, auth, &dropped) : no_memory(l);
}

int img_auth_store(
	const char *authfile, const char *host, const char *user, const char *password, struct err *e)
{
	struct login l = { .e = e };
	const char *helper;
	int r;

	if (!*user || strchr(user, ':'))
		return err_text(e, EINVAL, "user name \"%.80s\" %s", user,
			*user ? "must not have a \":\"" : "is empty");
	r = begin(&l, authfile, host, true);
	if (r == 0)
		r = au_helper_for(l.a, &l.file, l.host, &helper, e);
	if (r == 0)
		r = helper ? store_in_helper(&l, helper, user, password) : store_in_file(&l, user, password);
	end(&l);
	return r;
}

int img_auth_remove(const char *authfile, const char *host, struct err *e)
{
	struct login l = { .e = e };
	const char *helper = NULL;
	size_t dropped = 0;
	int r = begin(&l, authfile, host, false);

	if (r == 0 && host)
		r = au_helper_for(l.a, &l.file, l.host, &helper, e);
	if (r == 0 && helper) {
		r = au_helper(helper, "erase", au_server(l.host), NULL, e);
		dropped = r == 0;
		r = r == -ENOENT ? 0 : r;
	} else if (r == 0) {
		r = rewrite(&l, NULL, &dropped);
	}
	if (r == -ENOENT || (r == 0 && dropped == 0)) {
		err_clear(e);
		r = err_text(e, ENOENT, "not logged in to %s", host ? host : "any registry");
	}
	end(&l);
	return r;
}
