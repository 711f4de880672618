/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to a registry, and the manifests it has (see registry.h). */
#include "images/registry.h"

#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/str.h"
#include "images/registry_internal.h"

#define TIMEOUT	    60
#define PATIENCE    5 /* a document may take this times the timeout in all */
#define DOCKER_IO   "docker.io"
#define DOCKER_HOST "registry-1.docker.io" /* that of its API */

#define ACCEPT                                                                                          \
	"Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, " \
	"application/vnd.docker.distribution.manifest.list.v2+json, "                                   \
	"application/vnd.docker.distribution.manifest.v2+json"

/* --- opening ------------------------------------------------------------------------------------ */

static char *copy(struct arena *a, const char *s, bool *failed)
{
	char *c = s ? arena_strdup(a, s) : NULL;

	*failed = *failed || (s && !c);
	return c;
}

static char **copy_list(struct arena *a, char *const *list, bool *failed)
{
	size_t n = strv_len(list);
	char **c = list ? arena_calloc(a, n + 1, sizeof(*c)) : NULL;

	*failed = *failed || (list && !c);
	for (size_t i = 0; c && i < n; i++)
		c[i] = copy(a, list[i], failed);
	return c;
}

/* The first directory with certificates for a host; NULL: there is none. */
static char *find_certs(struct arena *a, const char *host)
{
	const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
	char *candidates[] = {
		config && *config == '/' ? arena_printf(a, "%s/containers/certs.d/%s", config, host) : NULL,
		home && *home == '/' ? arena_printf(a, "%s/.config/containers/certs.d/%s", home, host) : NULL,
		arena_printf(a, "/etc/containers/certs.d/%s", host),
		arena_printf(a, "/etc/docker/certs.d/%s", host),
	};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
		if (candidates[i] && stat(candidates[i], &st) == 0 && S_ISDIR(st.st_mode))
			return candidates[i];
	return NULL;
}

static void session_free(struct rg_session *s)
{
	pthread_mutex_destroy(&s->lock);
	free(s->authorization);
	arena_free(s->a);
	free(s);
}

static int session_new(
	const struct img_endpoint *at, const struct img_registry_opts *o, struct rg_session **out)
{
	struct rg_session *s = calloc(1, sizeof(*s));
	bool failed = false;
	const char *host;

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->refs = 1;
	s->a = arena_new();
	if (!s->a) {
		session_free(s);
		return -ENOMEM;
	}
	s->o = *o;
	s->o.user = copy(s->a, o->user, &failed);
	s->o.password = copy(s->a, o->password, &failed);
	s->o.authfile = copy(s->a, o->authfile, &failed);
	s->o.helpers = copy_list(s->a, o->helpers, &failed);
	s->at.host = copy(s->a, at->host, &failed);
	s->at.path = copy(s->a, at->path ? at->path : "", &failed);
	s->at.insecure = o->tls_verify_set ? !o->tls_verify : at->insecure;
	s->o.timeout = o->timeout > 0 ? o->timeout : TIMEOUT;
	host = str_eq(at->host, DOCKER_IO) ? DOCKER_HOST : at->host;
	s->tls_base = arena_printf(s->a, "https://%s", host);
	s->plain_base = arena_printf(s->a, "http://%s", host);
	s->o.cert_dir = o->cert_dir ? copy(s->a, o->cert_dir, &failed) : find_certs(s->a, at->host);
	if (failed || !s->tls_base || !s->plain_base) {
		session_free(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

static void session_drop(struct rg_session *s)
{
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) == 0)
		session_free(s);
}

/* Takes over the caller's hold of the session. */
static int connect_to(struct rg_session *s, struct img_registry **out, struct err *e)
{
	struct img_http_opts ho = {
		.cert_dir = s->o.cert_dir,
		.verify = !s->at.insecure,
		.timeout = s->o.timeout,
		.stop = s->o.stop,
		.stop_arg = s->o.stop_arg,
	};
	struct img_registry *g = calloc(1, sizeof(*g));
	int r = g ? img_http_open(&ho, &g->http, e) : err_set(e, ENOMEM, "registry %s", s->at.host);

	if (r < 0) {
		free(g);
		session_drop(s);
		return r;
	}
	g->s = s;
	*out = g;
	return 0;
}

int img_registry_open(const struct img_endpoint *at, const struct img_registry_opts *o,
	struct img_registry **out, struct err *e)
{
	struct rg_session *s;
	int r = session_new(at, o, &s);

	return r < 0 ? err_set(e, r, "registry %s", at->host) : connect_to(s, out, e);
}

int img_registry_again(struct img_registry *g, struct img_registry **out, struct err *e)
{
	__atomic_add_fetch(&g->s->refs, 1, __ATOMIC_ACQ_REL);
	return connect_to(g->s, out, e);
}

void img_registry_close(struct img_registry *g)
{
	if (!g)
		return;
	img_http_close(g->http);
	session_drop(g->s);
	free(g);
}

/* --- texts -------------------------------------------------------------------------------------- */

int rg_text_sink(void *arg, const void *data, size_t len, struct err *e)
{
	struct rg_text *t = arg;
	char *more = realloc(t->s, t->len + len + 1);

	if (!more)
		return err_set(e, ENOMEM, "receive a document");
	t->s = more;
	memcpy(t->s + t->len, data, len);
	t->len += len;
	t->s[t->len] = '\0';
	return 0;
}

void rg_text_reset(void *arg)
{
	struct rg_text *t = arg;

	free(t->s);
	*t = (struct rg_text){ 0 };
}

static inline void text_cleanup(struct rg_text *t)
{
	rg_text_reset(t);
}

/* --- manifests ---------------------------------------------------------------------------------- */

/* Docker's first format has no digests of configs, and names layers that may not be there any more. */
static bool is_schema1(const char *type, const struct rg_text *t)
{
	_cleanup_(arena_freep) struct arena *a = NULL;
	const struct json *j, *version;
	int64_t v = 0;

	if (strcasestr(type, "docker.distribution.manifest.v1+"))
		return true;
	a = arena_new();
	if (!a || json_parse(a, t->s, t->len, "manifest", &j, NULL) < 0 || j->type != JSON_OBJECT)
		return false;
	version = json_get(j, "schemaVersion");
	return version && json_as_i64(version, "schemaVersion", &v, NULL) == 0 && v == 1;
}

/* The digest of what came: that which was asked for, or which the server says, or our own. */
static int check_digest(struct img_registry *g, const char *what, const struct rg_text *t,
	struct img_digest *out, struct err *e)
{
	const char *said = g->reply.head.digest;
	struct img_digest d;
	int r;

	img_digest_of(t->s, t->len, out);
	if (*said) {
		char shown[100];

		rg_printable(said, shown, sizeof(shown));
		r = img_digest_parse(said, &d, NULL);
		if (r == -EINVAL)
			return err_text(e, EBADMSG, "%s: Docker-Content-Digest is \"%s\", which is no digest",
				what, shown);
		if (r == 0) {
			r = img_digest_check(t->s, t->len, &d, (int64_t)t->len, "Docker-Content-Digest", e);
			if (r < 0)
				return r;
			*out = d;
		}
	}
	if (strchr(what, ':')) {
		r = img_digest_parse(what, &d, e);
		if (r == 0)
			r = img_digest_check(t->s, t->len, &d, (int64_t)t->len, "the manifest", e);
		if (r < 0)
			return r;
		*out = d;
	}
	return 0;
}

static int check_manifest(struct img_registry *g, const char *name, const char *what, struct rg_text *t,
	struct img_digest *digest, struct err *e)
{
	const struct img_http_head *h = &g->reply.head;
	char encoding[64];
	int r;

	if (*h->encoding && strcasecmp(h->encoding, "identity") != 0) {
		rg_printable(h->encoding, encoding, sizeof(encoding));
		return err_text(e, EBADMSG,
			"%s: the server sends it encoded (Content-Encoding: %s), without being "
			"asked for that",
			name, encoding);
	}
	if (t->len == 0)
		return err_text(e, EBADMSG, "%s: the manifest is empty", name);
	if (is_schema1(h->type, t))
		return err_text(e, EOPNOTSUPP,
			"%s is in docker's image format of 2014 (manifest schema 1), which names no "
			"verifiable config; "
			"it has to be pushed again by a current tool",
			name);
	r = check_digest(g, what, t, digest, e);
	return r < 0 ? err_wrap(e, "%s", name) : 0;
}

int img_registry_manifest(struct img_registry *g, const char *what, char **text, size_t *len,
	char **media_type, struct img_digest *digest, struct err *e)
{
	_cleanup_(text_cleanup) struct rg_text t = { 0 };
	_cleanup_strbuf_ struct strbuf path = { 0 }, name = { 0 };
	struct rg_ask q = {
		.headers = { ACCEPT },
		.max = IMG_DOCUMENT_MAX,
		.seconds = PATIENCE * g->s->o.timeout,
		.sink = rg_text_sink,
		.arg = &t,
	};
	struct img_digest d;
	char *type;
	int r;

	strbuf_printf(&path, "/v2/%s/manifests/%s", g->s->at.path, what);
	strbuf_printf(&name, "%s/%s%s%s", g->s->at.host, g->s->at.path, strchr(what, ':') ? "@" : ":", what);
	if (path.failed || name.failed)
		return err_set(e, ENOMEM, "registry %s", g->s->at.host);
	q.path = path.s;
	r = rg_ask_patiently(g, &q, rg_text_reset, e);
	if (r < 0)
		return r;
	if (g->reply.head.status != 200)
		return rg_status_error(g, name.s, e);
	r = check_manifest(g, name.s, what, &t, &d, e);
	if (r < 0)
		return r;
	type = strndup(g->reply.head.type, strcspn(g->reply.head.type, "; \t"));
	if (!type)
		return err_set(e, ENOMEM, "registry %s", g->s->at.host);
	*media_type = type;
	*text = TAKE_PTR(t.s);
	*len = t.len;
	*digest = d;
	return 0;
}

int img_registry_ping(struct img_registry *g, struct err *e)
{
	_cleanup_(text_cleanup) struct rg_text t = { 0 };
	struct rg_ask q = {
		.path = "/v2/",
		.max = 65536,
		.seconds = PATIENCE * g->s->o.timeout,
		.sink = rg_text_sink,
		.arg = &t,
	};
	int r = rg_ask_patiently(g, &q, rg_text_reset, e);

	if (r < 0 || g->reply.head.status == 200)
		return r < 0 ? r : 0;
	return rg_status_error(g, g->s->at.host, e);
}
