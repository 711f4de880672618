/* SPDX-License-Identifier: Apache-2.0 */
/* URLs, taken apart and put together by libcurl (see http.h). */
#include <curl/curl.h>
#include <stdio.h>
#include <strings.h>

#include "base/str.h"
#include "images/http.h"

static CURLU *parse(const char *url, const char *base)
{
	CURLU *u = curl_url();

	if (!u)
		return NULL;
	if ((base && curl_url_set(u, CURLUPART_URL, base, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) ||
		curl_url_set(u, CURLUPART_URL, url, base ? CURLU_URLENCODE : 0) != CURLUE_OK) {
		curl_url_cleanup(u);
		return NULL;
	}
	return u;
}

/* libcurl's memory is for curl_free(). */
static char *own(char *text)
{
	char *copy = text ? strdup(text) : NULL;

	curl_free(text);
	return copy;
}

static char *part(CURLU *u, CURLUPart which, unsigned int flags)
{
	char *text = NULL;

	return u && curl_url_get(u, which, &text, flags) == CURLUE_OK ? own(text) : NULL;
}

int img_url_resolve(const char *base, const char *reference, char **out, struct err *e)
{
	CURLU *u = parse(reference, base);
	_cleanup_free_ char *scheme = part(u, CURLUPART_SCHEME, 0), *user = part(u, CURLUPART_USER, 0),
			    *password = part(u, CURLUPART_PASSWORD, 0), *url = NULL;
	const char *why = NULL;

	/* Fragments are not for servers. */
	if (u)
		curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	url = part(u, CURLUPART_URL, 0);
	curl_url_cleanup(u);
	if (!url || !scheme)
		why = "it is no URL";
	else if (strcasecmp(scheme, "https") != 0 && strcasecmp(scheme, "http") != 0)
		why = "its scheme is neither https nor http";
	else if (user || password)
		why = "it has a user name in it";
	if (why)
		return err_text(e, EINVAL, "cannot go where the server leads to: %s", why);
	*out = TAKE_PTR(url);
	return 0;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart which)
{
	_cleanup_free_ char *x = part(a, which, CURLU_DEFAULT_PORT), *y = part(b, which, CURLU_DEFAULT_PORT);

	return x && y && strcasecmp(x, y) == 0;
}

bool img_url_same_origin(const char *a, const char *b)
{
	CURLU *x = parse(a, NULL), *y = parse(b, NULL);
	bool same = x && y && same_part(x, y, CURLUPART_SCHEME) && same_part(x, y, CURLUPART_HOST) &&
		    same_part(x, y, CURLUPART_PORT);

	curl_url_cleanup(x);
	curl_url_cleanup(y);
	return same;
}

bool img_url_is_https(const char *url)
{
	return strncasecmp(url, "https://", strlen("https://")) == 0;
}

char *img_url_encode(const char *text)
{
	return own(curl_easy_escape(NULL, text, 0));
}

char *img_url_add_query(const char *url, const char *name, const char *value)
{
	_cleanup_free_ char *encoded = img_url_encode(value);
	_cleanup_strbuf_ struct strbuf query = { 0 };
	CURLU *u = parse(url, NULL);
	char *out = NULL;

	strbuf_printf(&query, "%s=%s", name, encoded ? encoded : "");
	if (u && encoded && !query.failed &&
		curl_url_set(u, CURLUPART_QUERY, query.s, CURLU_APPENDQUERY) == CURLUE_OK)
		out = part(u, CURLUPART_URL, 0);
	curl_url_cleanup(u);
	return out;
}

void img_url_shown(const char *url, char *buf, size_t size)
{
	const char *host = strstr(url, "://");
	size_t scheme, n;

	host = host ? host + strlen("://") : url;
	scheme = (size_t)(host - url);
	/* A user and password end at the last '@' before the path. */
	for (size_t i = strcspn(host, "/?#"); i > 0; i--)
		if (host[i - 1] == '@') {
			host += i;
			break;
		}
	n = strcspn(host, "?#");
	snprintf(buf, size, "%.*s%.*s", scheme > 20 ? 20 : (int)scheme, url, n > 280 ? 280 : (int)n, host);
	for (char *p = buf; *p; p++)
		if (*p <= ' ' || *p >= 127)
			*p = '?';
}
