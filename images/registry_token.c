/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a challenge to a header: basic authentication, and tokens of a token service (distribution's "Token
 * Authentication Specification": GET with realm, service and scope; with an identity token, OAuth2's POST).
 *
 * What a challenge says is input. The scope that is asked for is always our own: to pull this repository;
 * that of the challenge comes beside it, since some registries know only theirs. It can do no harm: whatever
 * the token is good for, it goes to the registry that asked for it, as do the credentials.
 */
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "images/base64.h"
#include "images/challenge.h"
#include "images/registry_internal.h"

#define REPLY_MAX   (256 * 1024)
#define TOKEN_MAX   (32 * 1024) /* libcurl and servers have limits for headers */
#define SECONDS	    60
#define EXPIRES	    60 /* the specification: where a token service does not say */
#define EXPIRES_MAX 86400
#define MARGIN	    5
#define CLIENT	    PACKAGE_NAME

/* --- the session's credentials ------------------------------------------------------------------ */

static int look_for_credentials(struct rg_session *s, struct err *e)
{
	int r;

	if (s->looked)
		return 0;
	if (s->o.user) {
		s->credentials.user = s->o.user;
		s->credentials.password = s->o.password ? s->o.password : "";
	} else {
		r = img_auth_find(
			s->a, s->o.authfile, s->o.helpers, s->at.host, s->at.path, &s->credentials, e);
		if (r < 0)
			return err_wrap(e, "credentials for %s", s->at.host);
	}
	s->looked = true;
	return 0;
}

static int no_memory(struct rg_session *s, struct err *e)
{
	return err_set(e, ENOMEM, "registry %s", s->at.host);
}

/* "Authorization: Basic …". */
static char *basic_header(struct arena *a, const struct img_credentials *c)
{
	const char *pair = arena_printf(a, "%s:%s", c->user, c->password);
	const char *encoded = pair ? base64_encode(a, pair, strlen(pair)) : NULL;

	return encoded ? arena_printf(a, "Authorization: Basic %s", encoded) : NULL;
}

static int set_header(struct rg_session *s, const char *header, int64_t lasts, struct err *e)
{
	char *copy = header ? strdup(header) : NULL;
	struct timespec now;

	if (!copy)
		return no_memory(s, e);
	clock_gettime(CLOCK_MONOTONIC, &now);
	free(s->authorization);
	s->authorization = copy;
	s->generation++;
	s->expires = lasts > 0 ? now.tv_sec + lasts : 0;
	return 1;
}

static int use_basic(struct rg_session *s, struct arena *a, struct err *e)
{
	const char *header;

	if (!s->credentials.user || s->credentials.is_token)
		return 0;
	header = basic_header(a, &s->credentials);
	if (header && s->authorization && str_eq(header, s->authorization))
		return 0; /* that is what was refused */
	return set_header(s, header, 0, e);
}

/* --- tokens ------------------------------------------------------------------------------------- */

/* What can stand in a header as it is: no blanks, no line breaks. */
static bool is_token(const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n > TOKEN_MAX)
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text >= 127)
			return false;
	return true;
}

static int read_token(
	struct rg_session *s, struct arena *a, const struct rg_text *t, const char *realm, struct err *e)
{
	const char *token = "", *access = "";
	const struct json *j;
	int64_t lasts = 0;
	int r = json_parse(a, t->s ? t->s : "", t->len, "the token service's answer", &j, e);

	if (r == 0 && json_get(j, "token"))
		r = json_as_string(json_get(j, "token"), "token", &token, e);
	if (r == 0 && json_get(j, "access_token"))
		r = json_as_string(json_get(j, "access_token"), "access_token", &access, e);
	if (r == 0 && json_get(j, "expires_in"))
		r = json_as_i64(json_get(j, "expires_in"), "expires_in", &lasts, e);
	if (r < 0)
		return err_wrap(e, "token service %s", realm);
	token = *token ? token : access;
	if (!is_token(token))
		return err_text(e, EBADMSG,
			"token service %s: there is no token in its answer that could be used", realm);
	lasts = lasts <= 0 ? EXPIRES : lasts > EXPIRES_MAX ? EXPIRES_MAX : lasts;
	lasts = lasts > 2 * MARGIN ? lasts - MARGIN : lasts;
	return set_header(s, arena_printf(a, "Authorization: Bearer %s", token), lasts, e);
}

static bool add_query(char **url, const char *name, const char *value)
{
	char *more = *url && value && *value ? img_url_add_query(*url, name, value) : *url;

	if (more != *url) {
		free(*url);
		*url = more;
	}
	return more != NULL;
}

/* "repository:library/debian:pull"; "" where nothing but our credentials is to be tried. */
static const char *own_scope(struct rg_session *s, struct arena *a)
{
	return *s->at.path ? arena_printf(a, "repository:%s:pull", s->at.path) : "";
}

static char *query_url(struct rg_session *s, struct arena *a, const struct img_challenge *c,
	const char *scope, const char *realm)
{
	char *url = strdup(realm);
	bool ok = add_query(&url, "service", c->service) && add_query(&url, "scope", scope) &&
		  (!c->scope || str_eq(c->scope, scope) || add_query(&url, "scope", c->scope)) &&
		  (!s->credentials.user || s->credentials.is_token ||
			  add_query(&url, "account", s->credentials.user));

	if (!ok) {
		free(url);
		return NULL;
	}
	return url;
}

static bool form_add(struct strbuf *b, const char *name, const char *value)
{
	_cleanup_free_ char *encoded = value ? img_url_encode(value) : NULL;

	if (!value || !*value)
		return true;
	strbuf_printf(b, "%s%s=%s", b->len ? "&" : "", name, encoded ? encoded : "");
	return encoded && !b->failed;
}

/* OAuth2: the identity token is in the body, which must not go elsewhere: no redirects. */
static int post_for_token(struct img_registry *g, const char *realm, const struct img_challenge *c,
	const char *scope, struct rg_text *t, struct err *e)
{
	_cleanup_strbuf_ struct strbuf form = { 0 };
	struct img_http_request q = {
		.url = realm, .max = REPLY_MAX, .seconds = SECONDS, .sink = rg_text_sink, .arg = t
	};

	if (!form_add(&form, "grant_type", "refresh_token") || !form_add(&form, "service", c->service) ||
		!form_add(&form, "scope", scope) || !form_add(&form, "client_id", CLIENT) ||
		!form_add(&form, "refresh_token", g->s->credentials.password))
		return no_memory(g->s, e);
	q.form = form.s;
	return img_http_do(g->http, &q, &g->reply, e);
}

static int get_for_token(struct img_registry *g, struct arena *a, const char *realm, const char *url,
	struct rg_text *t, struct err *e)
{
	struct rg_ask q = { .max = REPLY_MAX, .seconds = SECONDS, .sink = rg_text_sink, .arg = t };
	const char *header = NULL;
	bool own;

	if (g->s->credentials.user) {
		header = basic_header(a, &g->s->credentials);
		if (!header)
			return no_memory(g->s, e);
	}
	return rg_follow(g, url, realm, header, &q, &own, e);
}

/* Until the token service has answered for good, or for the last time. */
static int ask_for_token(struct img_registry *g, struct arena *a, const struct img_challenge *c,
	const char *realm, struct rg_text *t, struct err *e)
{
	const char *scope = own_scope(g->s, a);
	_cleanup_free_ char *url = scope ? query_url(g->s, a, c, scope, realm) : NULL;

	if (!url)
		return no_memory(g->s, e);
	for (int n = 0;; n++) {
		int r;

		rg_text_reset(t);
		err_clear(e);
		if (g->s->credentials.is_token)
			r = post_for_token(g, realm, c, scope, t, e);
		else
			r = get_for_token(g, a, realm, url, t, e);
		if (!rg_is_passing(g, r) || n >= rg_retries(g))
			return r;
		r = rg_pause(g, n, e);
		if (r < 0)
			return r;
	}
}

/* The realm: a whole URL that our credentials may go to. */
static int check_realm(struct rg_session *s, const struct img_challenge *c, char **out, struct err *e)
{
	bool plain = __atomic_load_n(&s->plain, __ATOMIC_ACQUIRE);
	int r;

	if (!c->realm || !*c->realm)
		return err_text(e, EBADMSG, "registry %s wants a token, and does not say whose", s->at.host);
	r = img_url_resolve(plain ? s->plain_base : s->tls_base, c->realm, out, e);
	if (r < 0)
		return err_wrap(e, "token service of registry %s", s->at.host);
	if (img_url_is_https(*out) || s->at.insecure)
		return 0;
	free(*out);
	*out = NULL;
	return err_text(e, EPERM,
		"registry %s names a token service without TLS, which credentials must not be sent to; if "
		"all of "
		"this is to be so, declare the registry insecure",
		s->at.host);
}

static int use_bearer(struct img_registry *g, struct arena *a, const struct img_challenge *c, struct err *e)
{
	struct rg_session *s = g->s;
	_cleanup_free_ char *realm = NULL;
	struct rg_text t = { 0 };
	int r = check_realm(s, c, &realm, e), status;

	if (r < 0)
		return r;
	r = ask_for_token(g, a, c, realm, &t, e);
	status = g->reply.head.status;
	if (r < 0) {
		err_wrap(e, "token for %s", s->at.host);
	} else if (status == 200) {
		r = read_token(s, a, &t, realm, e);
	} else if ((status == 401 || status == 403 || status == 400) && s->credentials.user) {
		if (s->credentials.is_token)
			r = err_text(e, EACCES,
				"token service of %s does not take the identity token (HTTP status %d)",
				s->at.host, status);
		else
			r = err_text(e, EACCES,
				"token service of %s does not take the password of user \"%s\" (HTTP status "
				"%d)",
				s->at.host, s->credentials.user, status);
		err_hint(e, "\"ringfence login %s\" sets another", s->at.host);
	} else {
		const char *what = arena_printf(a, "token service of %s", s->at.host);

		r = rg_status_text(g, what ? what : s->at.host, e);
	}
	rg_text_reset(&t);
	return r;
}

/* --- choosing ----------------------------------------------------------------------------------- */

static const struct img_challenge *find(const struct img_challenge *list, size_t n, const char *scheme)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].scheme, scheme))
			return &list[i];
	return NULL;
}

static int authorize(struct img_registry *g, struct arena *a, struct err *e)
{
	struct rg_session *s = g->s;
	const struct img_challenge *bearer;
	struct img_challenge *list = NULL;
	size_t n = 0;
	int r;

	r = img_challenge_parse(a, g->reply.head.challenges, &list, &n, e);
	if (r < 0)
		return err_wrap(e, "registry %s", s->at.host);
	if (n == 0)
		return 0;
	r = look_for_credentials(s, e);
	if (r < 0)
		return r;
	bearer = find(list, n, "bearer");
	if (bearer)
		return use_bearer(g, a, bearer, e);
	if (find(list, n, "basic"))
		return use_basic(s, a, e);
	return err_text(e, EOPNOTSUPP,
		"registry %s wants authentication by \"%.40s\", which is not known here", s->at.host,
		list[0].scheme);
}

int rg_authorize(struct img_registry *g, unsigned int used, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct rg_session *s = g->s;
	int r = 1;

	if (!a)
		return no_memory(s, e);
	pthread_mutex_lock(&s->lock);
	if (s->generation == used)
		r = authorize(g, a, e);
	pthread_mutex_unlock(&s->lock);
	return r;
}
