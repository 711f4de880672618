/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a registry: redirects, credentials at the right places, trying again, and what its refusals mean. */
#include <stdio.h>
#include <strings.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "images/registry_internal.h"

#define REDIRECTS_MAX 8
#define RETRIES	      5
#define PAUSE_MS      500 /* before the second try; then twice as long each time */
#define PAUSE_MAX_MS  30000
#define WAIT_MAX      120 /* seconds that a server may tell us to wait */

/* --- one try ------------------------------------------------------------------------------------ */

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static int go_on_to(struct img_registry *g, char **url, struct err *e)
{
	char *next = NULL;
	int r;

	if (!g->reply.head.location[0])
		return err_text(e, EBADMSG, "redirected (%d), but not told where to", g->reply.head.status);
	r = img_url_resolve(*url, g->reply.head.location, &next, e);
	if (r < 0)
		return r;
	if (img_url_is_https(*url) && !img_url_is_https(next) && !g->s->at.insecure) {
		free(next);
		return err_text(
			e, EPERM, "redirected from https to http, where everybody can listen and answer");
	}
	free(*url);
	*url = next;
	return 0;
}

int rg_follow(struct img_registry *g, const char *url, const char *origin, const char *authorization,
	const struct rg_ask *q, bool *own, struct err *e)
{
	_cleanup_free_ char *at = strdup(url);
	char shown[IMG_URL_SHOWN];
	int r;

	for (int hop = 0; at && hop <= REDIRECTS_MAX; hop++) {
		const char *headers[5] = { NULL };
		struct img_http_request hq = {
			.url = at,
			.headers = headers,
			.max = q->max,
			.seconds = q->seconds,
			.head = q->head,
			.sink = q->sink,
			.arg = q->arg,
		};
		size_t n = 0;

		for (size_t i = 0; q->headers[i]; i++)
			headers[n++] = q->headers[i];
		*own = origin && img_url_same_origin(at, origin);
		if (*own && authorization)
			headers[n++] = authorization;
		r = img_http_do(g->http, &hq, &g->reply, e);
		if (r < 0 || !is_redirect(g->reply.head.status))
			return r;
		r = go_on_to(g, &at, e);
		if (r < 0) {
			g->reply.fault = HTTP_REFUSED;
			img_url_shown(at, shown, sizeof(shown));
			return err_wrap(e, "GET %s", shown);
		}
	}
	img_url_shown(url, shown, sizeof(shown));
	if (!at) {
		g->reply.fault = HTTP_OURS;
		return err_set(e, ENOMEM, "GET %s", shown);
	}
	g->reply.fault = HTTP_REFUSED;
	return err_text(e, ELOOP, "GET %s: redirected more than %d times", shown, REDIRECTS_MAX);
}

/* The credentials of now, as a header; NULL: none yet, or no longer. */
static char *current_authorization(struct rg_session *s, unsigned int *generation, int *r)
{
	struct timespec now;
	char *header = NULL;

	*r = 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&s->lock);
	*generation = s->generation;
	if (s->authorization && (!s->expires || now.tv_sec < s->expires)) {
		header = strdup(s->authorization);
		*r = header ? 0 : -ENOMEM;
	}
	pthread_mutex_unlock(&s->lock);
	return header;
}

/* An insecure registry may speak TLS or not: what answers first is kept to. */
static int follow_from_base(
	struct img_registry *g, const struct rg_ask *q, const char *authorization, bool *own, struct err *e)
{
	struct rg_session *s = g->s;
	bool plain = __atomic_load_n(&s->plain, __ATOMIC_ACQUIRE),
	     settled = __atomic_load_n(&s->settled, __ATOMIC_ACQUIRE);
	struct err first = ERR_INIT;
	int r;

	for (;;) {
		const char *base = plain ? s->plain_base : s->tls_base;
		_cleanup_strbuf_ struct strbuf url = { 0 };

		strbuf_printf(&url, "%s%s", base, q->path);
		if (url.failed) {
			g->reply.fault = HTTP_OURS;
			return err_set(e, ENOMEM, "registry %s", s->at.host);
		}
		r = rg_follow(g, url.s, base, authorization, q, own, e);
		if (r < 0 && !settled && !plain && s->at.insecure && *own &&
			(g->reply.fault == HTTP_UNREACHABLE || g->reply.fault == HTTP_TLS ||
				g->reply.fault == HTTP_CUT)) {
			first = e ? *e : first;
			err_clear(e);
			plain = true;
			continue;
		}
		break;
	}
	if (g->reply.head.status && !settled) {
		__atomic_store_n(&s->plain, plain, __ATOMIC_RELEASE);
		__atomic_store_n(&s->settled, true, __ATOMIC_RELEASE);
	}
	if (r < 0 && first.code)
		err_wrap(e, "%.400s; then", first.text);
	if (r < 0 && *own && g->reply.fault == HTTP_TLS && !s->at.insecure)
		err_hint(e,
			"the certificate of an authority of your own belongs into "
			"/etc/containers/certs.d/%s/ca.crt; "
			"a registry without TLS has to be declared insecure",
			s->at.host);
	return r;
}

int rg_ask(struct img_registry *g, const struct rg_ask *q, struct err *e)
{
	bool own = false;

	if (q->url)
		return rg_follow(g, q->url, NULL, NULL, q, &own, e);
	for (int i = 0;; i++) {
		_cleanup_free_ char *authorization = NULL;
		unsigned int generation;
		int r;

		authorization = current_authorization(g->s, &generation, &r);
		if (r < 0) {
			g->reply.fault = HTTP_OURS;
			return err_set(e, r, "registry %s", g->s->at.host);
		}
		r = follow_from_base(g, q, authorization, &own, e);
		/* Another host's challenge is none of our business. Twice: a token may end just now. */
		if (r < 0 || g->reply.head.status != 401 || !own || i == 2)
			return r;
		r = rg_authorize(g, generation, e);
		if (r < 0)
			g->reply.fault = g->reply.fault == HTTP_OURS ? HTTP_OURS : HTTP_REFUSED;
		if (r <= 0)
			return r;
	}
}

/* --- and again ---------------------------------------------------------------------------------- */

int rg_retries(const struct img_registry *g)
{
	return g->s->o.retries < 0 ? 0 : g->s->o.retries ? g->s->o.retries : RETRIES;
}

bool rg_is_passing(struct img_registry *g, int r)
{
	int status = g->reply.head.status;

	if (r < 0 && g->reply.fault == HTTP_UNREACHABLE)
		return __atomic_load_n(&g->s->settled, __ATOMIC_ACQUIRE); /* it was there a moment ago */
	if (r < 0)
		return g->reply.fault == HTTP_CUT;
	return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
	       status == 504;
}

static bool must_stop(struct img_registry *g)
{
	return g->s->o.stop && g->s->o.stop(g->s->o.stop_arg);
}

int rg_pause(struct img_registry *g, int n, struct err *e)
{
	int after = g->reply.head.retry_after;
	struct timespec now, slice = { .tv_nsec = 50 * 1000 * 1000 };
	int64_t ms = n > 6 ? PAUSE_MAX_MS : (int64_t)PAUSE_MS << n, end;

	if (g->reply.fault == HTTP_FINE && after > WAIT_MAX)
		return err_text(e, EBUSY, "registry %s is busy, and asks to be left alone for %d seconds",
			g->s->at.host, after);
	ms = ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : ms;
	clock_gettime(CLOCK_MONOTONIC, &now);
	/* Threads that were cut off together should not come back together. */
	ms += ms * (now.tv_nsec / 1000 % 256) / 1024;
	if (g->reply.fault == HTTP_FINE && after > 0)
		ms = (int64_t)after * 1000;
	log_debug("registry %s: trying again in %lld ms", g->s->at.host, (long long)ms);
	end = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + ms;
	while ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 < end) {
		if (must_stop(g))
			return err_text(e, EINTR, "registry %s: stopped", g->s->at.host);
		nanosleep(&slice, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	return 0;
}

int rg_ask_patiently(struct img_registry *g, const struct rg_ask *q, void (*reset)(void *arg), struct err *e)
{
	for (int n = 0;; n++) {
		int r;

		reset(q->arg);
		err_clear(e);
		r = rg_ask(g, q, e);
		if (!rg_is_passing(g, r) || n >= rg_retries(g))
			return r;
		r = rg_pause(g, n, e);
		if (r < 0)
			return r;
	}
}

/* --- refusals ----------------------------------------------------------------------------------- */

void rg_printable(const char *text, char *buf, size_t size)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++)
		buf[n++] = *text >= ' ' && *text < 127 ? *text : ' ';
	while (n > 0 && buf[n - 1] == ' ')
		n--;
	buf[n] = '\0';
}

/* {"errors":[{"code":…,"message":…}]}, or a plain line. */
static void error_message(struct img_registry *g, char *buf, size_t size)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const char *text = g->reply.text, *code = "", *message = "";
	const struct json *j, *list, *m;

	buf[0] = '\0';
	if (a && json_parse(a, text, strlen(text), "answer", &j, NULL) == 0) {
		list = j->type == JSON_OBJECT ? json_get(j, "errors") : NULL;
		m = list && list->type == JSON_ARRAY ? list->first : NULL;
		if (!m || m->type != JSON_OBJECT)
			return;
		if (json_get(m, "code"))
			json_as_string(json_get(m, "code"), "code", &code, NULL);
		if (json_get(m, "message"))
			json_as_string(json_get(m, "message"), "message", &message, NULL);
		text = arena_printf(a, "%s%s%s", message, *message && *code ? ", " : "", code);
		if (text)
			rg_printable(text, buf, size);
	} else if (strncasecmp(g->reply.head.type, "text/plain", strlen("text/plain")) == 0) {
		rg_printable(text, buf, size);
		buf[strcspn(text, "\r\n") < strlen(buf) ? strcspn(text, "\r\n") : strlen(buf)] = '\0';
	}
}

static int errno_of(int status)
{
	switch (status) {
	case 401:
	case 403:
		return EACCES;
	case 404:
	case 410:
		return ENOENT;
	case 408:
	case 504:
		return ETIMEDOUT;
	case 429:
	case 503:
		return EBUSY;
	default:
		return EIO;
	}
}

static const char *meaning_of(int status)
{
	switch (status) {
	case 401:
		return "authentication is required, or there is no such repository";
	case 403:
		return "access is denied";
	case 404:
		return "the registry does not have it";
	case 410:
		return "the registry does not have it any more";
	case 429:
		return "the registry is asked too often";
	default:
		return status >= 500 ? "the registry has a fault"
				     : "the registry does not answer as registries do";
	}
}

int rg_status_text(struct img_registry *g, const char *what, struct err *e)
{
	int status = g->reply.head.status;
	char message[200];

	error_message(g, message, sizeof(message));
	return err_text(e, errno_of(status), "%s: %s (HTTP status %d%s%s)", what, meaning_of(status), status,
		*message ? ": " : "", message);
}

int rg_status_error(struct img_registry *g, const char *what, struct err *e)
{
	int r = rg_status_text(g, what, e);
	struct rg_session *s = g->s;

	if (r != -EACCES)
		return r;
	pthread_mutex_lock(&s->lock);
	if (s->credentials.user && *s->credentials.user)
		err_hint(e, "asked as user \"%s\"", s->credentials.user);
	else if (!s->credentials.user)
		err_hint(e, "\"ringfence login %s\" is for those who have an account there", s->at.host);
	pthread_mutex_unlock(&s->lock);
	return r;
}
