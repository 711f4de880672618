/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence login, ringfence logout: credentials for registries, where podman keeps them too. */
#include "cli/image/creds.h"
#include "cli/image/image.h"
#include "cli/image/text.h"
#include "images/auth.h"
#include "images/registry.h"

struct login_options {
	const char *authfile, *username, *cert_dir, *conf;
	int tls_verify;
	bool password_stdin;
};

#define AT(field) offsetof(struct login_options, field)
static const struct opt options[] = {
	{ "authfile", 0, OPT_STRING, AT(authfile), "FILE",
		"where they are kept (default $REGISTRY_AUTH_FILE, or "
		"$XDG_RUNTIME_DIR/containers/auth.json)" },
	{ "username", 'u', OPT_STRING, AT(username), "USER", "instead of asking for it" },
	{ "password-stdin", 0, OPT_BOOL, AT(password_stdin), NULL,
		"read the password from standard input, instead of asking for it" },
	{ "cert-dir", 0, OPT_STRING, AT(cert_dir), "DIR",
		"certificates (default /etc/containers/certs.d/HOST)" },
	{ "tls-verify", 0, OPT_TRI, AT(tls_verify), NULL, "=false: http, or TLS with any certificate" },
	{ "registries-conf", 0, OPT_STRING, AT(conf), "FILE", "instead of /etc/containers/registries.conf" },
	{ 0 },
};
#undef AT

static const struct login_options defaults = { .tls_verify = -1 };

static int say(const char *what, const char *key, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	strbuf_puts(&b, what);
	text_safe(&b, key);
	strbuf_puts(&b, "\n");
	return b.failed ? err_set(e, ENOMEM, "login") : cli_print(b.s, b.len, e);
}

/* What people paste: "https://quay.io/" for "quay.io". */
static const char *key_of(struct arena *a, const char *text)
{
	const char *scheme = strstr(text, "://"), *start = scheme ? scheme + 3 : text;
	size_t n = strlen(start);

	while (n && start[n - 1] == '/')
		n--;
	return arena_strndup(a, start, n);
}

/* Does registries.conf allow to do without TLS there? Also checks the name. */
static int find_endpoint(struct arena *a, const struct login_options *o, const char *key,
	struct img_endpoint *out, const struct img_registries **rs, struct err *e)
{
	const char *host = arena_strndup(a, key, strcspn(key, "/")), *name;
	struct img_candidate *list;
	struct img_ref ref;
	size_t n;
	int r;

	name = host ? arena_printf(a, "%s/login:latest", host) : NULL;
	if (!name)
		return err_set(e, ENOMEM, "login");
	*out = (struct img_endpoint){ .host = host, .path = "", .what = "" };
	r = img_ref_parse(a, name, &ref, e);
	if (r == 0 && !ref.registry)
		r = err_text(e, EINVAL,
			"\"%.200s\" is no registry: those have a '.' or a port in their names", host);
	if (r == 0)
		r = img_registries_load(a, o->conf, rs, e);
	if (r == 0)
		r = img_registries_resolve(a, *rs, &ref, &list, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		for (size_t k = 0; k < list[i].n_endpoints; k++)
			if (str_eq(list[i].endpoints[k].host, host))
				out->insecure = list[i].endpoints[k].insecure;
	return r;
}

static int ask(struct arena *a, const struct login_options *o, const char **user, const char **password,
	struct err *e)
{
	int r = 0;

	*user = o->username;
	if (o->password_stdin && !*user)
		return err_text(e, EINVAL, "option --password-stdin needs --username");
	if (!*user)
		r = creds_ask(a, "Username", true, user, e);
	if (r < 0)
		return err_hint(e, "say --username USER --password-stdin");
	r = o->password_stdin ? creds_read(a, password, e) : creds_ask(a, "Password", false, password, e);
	if (r == -EINVAL && !o->password_stdin)
		err_hint(e, "say --password-stdin");
	return r;
}

/* Whether they are right is asked before anything is written. */
static int try_out(const struct login_options *o, const struct img_endpoint *at,
	const struct img_registries *rs, const char *user, const char *password, struct err *e)
{
	struct img_registry_opts ro = {
		.user = user,
		.password = password,
		.helpers = img_registries_helpers(rs),
		.cert_dir = o->cert_dir,
		.tls_verify_set = o->tls_verify >= 0,
		.tls_verify = o->tls_verify > 0,
		.retries = 1,
	};
	_cleanup_(img_registry_closep) struct img_registry *g = NULL;
	int r = img_registry_open(at, &ro, &g, e);

	return r < 0 ? r : img_registry_ping(g, e);
}

static int run_login(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct login_options *o = values;
	const struct img_registries *rs = NULL;
	const char *key = a ? key_of(a, args[0]) : NULL, *user = NULL, *password = NULL;
	struct img_endpoint at;
	int r;

	if (!key)
		return err_set(e, ENOMEM, "login");
	r = find_endpoint(a, o, key, &at, &rs, e);
	if (r == 0)
		r = ask(a, o, &user, &password, e);
	if (r == 0)
		r = try_out(o, &at, rs, user, password, e);
	if (r < 0)
		return err_wrap(e, "login to %.200s", key);
	r = img_auth_store(o->authfile, key, user, password, e);
	explicit_bzero((char *)password, strlen(password));
	return r < 0 ? r : say("Logged in to ", key, e);
}

const struct image_verb verb_login = {
	.name = "login",
	.args = "REGISTRY",
	.min_args = 1,
	.max_args = 1,
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct login_options),
	.run = run_login,
};

/* --- logout ------------------------------------------------------------------------------------- */

struct logout_options {
	const char *authfile;
	bool all;
};

#define AT(field) offsetof(struct logout_options, field)
static const struct opt logout_options[] = {
	{ "authfile", 0, OPT_STRING, AT(authfile), "FILE",
		"where they are kept (default $REGISTRY_AUTH_FILE, or "
		"$XDG_RUNTIME_DIR/containers/auth.json)" },
	{ "all", 'a', OPT_BOOL, AT(all), NULL, "for all registries" },
	{ 0 },
};
#undef AT

static int run_logout(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct logout_options *o = values;
	const char *key = a && args[0] ? key_of(a, args[0]) : NULL;
	int r;

	if (o->all == (args[0] != NULL))
		return err_text(e, EINVAL, "logout: say REGISTRY, or --all%s", o->all ? ", not both" : "");
	if (!a || (args[0] && !key))
		return err_set(e, ENOMEM, "logout");
	r = img_auth_remove(o->authfile, key, e);
	return r < 0 ? r : say("Logged out of ", key ? key : "all registries", e);
}

const struct image_verb verb_logout = {
	.name = "logout",
	.args = "[REGISTRY]",
	.max_args = 1,
	.options = logout_options,
	.size = sizeof(struct logout_options),
	.run = run_logout,
};
