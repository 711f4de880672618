/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP over libcurl, bounded in all that a server decides (see http.h). */
#include "images/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "base/str.h"
#include "images/http_internal.h"

#define HEADERS_MAX (64 * 1024) /* bytes of all of them, those of 1xx answers included */
#define ERROR_MAX   (64 * 1024) /* bytes of a body that is only read for what it says of an error */
#define CONNECT_MAX 30		/* seconds */
#define SLOW	    100		/* bytes a second: less is as good as nothing */
#define RECEIVE	    (256L * 1024)

struct img_http {
	CURL *curl;
	struct img_http_opts o;
	char error[CURL_ERROR_SIZE];

	/* The exchange that is under way */
	const struct img_http_request *q;
	struct img_http_reply *reply;
	struct err *e;
	size_t headers; /* bytes */
	int64_t body;
	bool has_body, ours, too_long;
	const char *refused; /* why, if it was for what the server sent */
};

/* --- callbacks ---------------------------------------------------------------------------------- */

static bool is_content(const struct img_http *h)
{
	return h->reply->head.status == 200 || h->reply->head.status == 206;
}

/* The value of a header of this name; false: another one. A value that does not fit is refused. */
static bool take_header(
	struct img_http *h, const char *line, size_t len, const char *name, char *buf, size_t size)
{
	size_t n = strlen(name), used = strlen(buf);

	if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
		return false;
	line += n + 1;
	len -= n + 1;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	if (used && used + 2 < size) {
		memcpy(buf + used, ", ", 2);
		used += 2;
	}
	if (used + len >= size)
		h->refused = "a header is too long";
	else if (memchr(line, '\0', len))
		h->refused = "a header has a NUL character";
	else
		memcpy(buf + used, line, len);
	buf[h->refused ? 0 : used + len] = '\0';
	return true;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct img_http *h = arg;
	struct img_http_head *head = &h->reply->head;
	size_t len = size * n;

	h->headers += len;
	if (h->headers > HEADERS_MAX)
		h->refused = "the headers are endless";
	if (h->has_body || h->refused)
		return h->refused ? 0 : len; /* trailers say nothing */
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r' || line[len - 1] == ' '))
		len--;
	if (len > 5 && strncmp(line, "HTTP/", 5) == 0) {
		memset(head, 0, sizeof(*head));
		return size * n;
	}
#define TAKE(name, field) take_header(h, line, len, name, head->field, sizeof(head->field))
	if (!TAKE("Content-Type", type) && !TAKE("Location", location) &&
		!TAKE("Docker-Content-Digest", digest) && !TAKE("Content-Encoding", encoding) &&
		!TAKE("Content-Range", range))
		TAKE("WWW-Authenticate", challenges);
#undef TAKE
	return h->refused ? 0 : size * n;
}

/* Before the first byte of the body, or at the end where there is none. */
static int finish_head(struct img_http *h)
{
	struct img_http_head *head = &h->reply->head;
	curl_off_t length = -1, after = 0;
	long status = 0;
	int r;

	if (h->has_body)
		return 0;
	h->has_body = true;
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(h->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &after);
	head->status = (int)status;
	head->length = length;
	head->retry_after = after <= 0 ? -1 : after > 86400 ? 86400 : (int)after;
	if (!is_content(h))
		return 0;
	r = h->q->head ? h->q->head(h->q->arg, head, h->e) : 0;
	h->ours = r < 0;
	if (r == 0 && length > h->q->max) {
		h->too_long = true;
		return -EMSGSIZE;
	}
	return r;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct img_http *h = arg;
	size_t len = size * n;

	if (finish_head(h) < 0)
		return 0;
	h->body += (int64_t)len;
	if (is_content(h)) {
		h->too_long = h->body > h->q->max;
		if (h->too_long)
			return 0;
		h->ours = h->q->sink(h->q->arg, data, len, h->e) < 0;
		return h->ours ? 0 : len;
	}
	if (h->body - (int64_t)len < (int64_t)sizeof(h->reply->text) - 1) {
		size_t used = (size_t)(h->body - (int64_t)len), room = sizeof(h->reply->text) - 1 - used;

		memcpy(h->reply->text + used, data, len < room ? len : room);
	}
	return h->body > ERROR_MAX ? 0 : len;
}

static int on_progress(void *arg, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
	struct img_http *h = arg;

	return h->o.stop && h->o.stop(h->o.stop_arg);
}

/* --- errors ------------------------------------------------------------------------------------- */

static enum img_http_fault fault_of(struct img_http *h, CURLcode code)
{
	curl_off_t begun = 0;

	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_PROXY:
		return HTTP_UNREACHABLE;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT:
		return HTTP_TLS;
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
		return HTTP_CUT;
	case CURLE_OPERATION_TIMEDOUT:
		curl_easy_getinfo(h->curl, CURLINFO_PRETRANSFER_TIME_T, &begun);
		return begun > 0 ? HTTP_CUT : HTTP_UNREACHABLE;
	default:
		return HTTP_REFUSED;
	}
}

static int code_of(enum img_http_fault fault, CURLcode code)
{
	switch (fault) {
	case HTTP_UNREACHABLE:
		return code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : EHOSTUNREACH;
	case HTTP_CUT:
		return code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : ECONNRESET;
	case HTTP_TLS:
		return EPROTO;
	default:
		return EBADMSG;
	}
}

static int explain(struct img_http *h, CURLcode code)
{
	const char *method = h->q->form ? "POST" : "GET";
	char url[320], why[CURL_ERROR_SIZE];

	img_url_shown(h->q->url, url, sizeof(url));
	if (h->ours) {
		h->reply->fault = HTTP_OURS;
		return h->e && h->e->code ? -h->e->code : -EIO;
	}
	if (code == CURLE_ABORTED_BY_CALLBACK) {
		h->reply->fault = HTTP_OURS;
		return err_text(h->e, EINTR, "%s %s: stopped", method, url);
	}
	if (code == CURLE_OUT_OF_MEMORY) {
		h->reply->fault = HTTP_OURS;
		return err_set(h->e, ENOMEM, "%s %s", method, url);
	}
	if (h->too_long) {
		h->reply->fault = HTTP_REFUSED;
		return err_text(h->e, EMSGSIZE,
			"%s %s: the answer is longer than the %lld bytes that it may have", method, url,
			(long long)h->q->max);
	}
	if (h->refused) {
		h->reply->fault = HTTP_REFUSED;
		return err_text(h->e, EBADMSG, "%s %s: %s", method, url, h->refused);
	}
	h->reply->fault = fault_of(h, code);
	snprintf(why, sizeof(why), "%s", h->error[0] ? h->error : curl_easy_strerror(code));
	for (char *p = why; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	return err_text(h->e, code_of(h->reply->fault, code), "%s %s: %s", method, url, why);
}

/*
 * libcurl takes no HTTP_PROXY in capitals, which is what a CGI program would have from a client's header, and
 * other tools do unless they look like such a program. The rest of the variables it knows. NULL: as it likes.
 */
static const char *other_proxy(const char *url)
{
	if (img_url_is_https(url) || getenv("http_proxy") || getenv("REQUEST_METHOD"))
		return NULL;
	return getenv("HTTP_PROXY");
}

/* --- the exchange ------------------------------------------------------------------------------- */

static struct curl_slist *make_headers(const char *const *headers)
{
	struct curl_slist *list = NULL, *more;

	/* What is asked for is bytes with a digest, not a representation of them. */
	list = curl_slist_append(NULL, "Accept-Encoding: identity");
	for (size_t i = 0; list && headers && headers[i]; i++) {
		more = curl_slist_append(list, headers[i]);
		if (!more) {
			curl_slist_free_all(list);
			return NULL;
		}
		list = more;
	}
	return list;
}

int img_http_do(
	struct img_http *h, const struct img_http_request *q, struct img_http_reply *reply, struct err *e)
{
	struct err own = ERR_INIT;
	struct curl_slist *headers = make_headers(q->headers);
	char url[320];
	CURLcode code;
	int r = 0;

	memset(reply, 0, sizeof(*reply));
	if (!headers) {
		reply->fault = HTTP_OURS;
		return err_set(e, ENOMEM, "HTTP request");
	}
	h->q = q;
	h->reply = reply;
	h->e = e ? e : &own;
	h->headers = 0;
	h->body = 0;
	h->has_body = h->ours = h->too_long = false;
	h->refused = NULL;
	h->error[0] = '\0';
	curl_easy_setopt(h->curl, CURLOPT_URL, q->url);
	curl_easy_setopt(h->curl, CURLOPT_PROXY, other_proxy(q->url));
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h->curl, CURLOPT_TIMEOUT, (long)q->seconds);
	if (q->form)
		curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, q->form);
	else
		curl_easy_setopt(h->curl, CURLOPT_HTTPGET, 1L);
	code = curl_easy_perform(h->curl);
	if (code == CURLE_WRITE_ERROR && !h->ours && !h->too_long && !h->refused && h->has_body &&
		!is_content(h))
		code = CURLE_OK; /* enough was read of an error */
	if (code == CURLE_OK && finish_head(h) < 0)
		code = CURLE_WRITE_ERROR;
	if (code != CURLE_OK)
		r = explain(h, code);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	img_url_shown(q->url, url, sizeof(url));
	log_debug("%s %s: %d, %lld bytes", q->form ? "POST" : "GET", url, reply->head.status,
		(long long)h->body);
	return r;
}

/* --- the handle --------------------------------------------------------------------------------- */

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool set_options(struct img_http *h)
{
	CURL *c = h->curl;
	long connect = h->o.timeout < CONNECT_MAX ? h->o.timeout : CONNECT_MAX;
	bool ok = true;

#define SET(option, value) (ok = curl_easy_setopt(c, option, value) == CURLE_OK && ok)
	SET(CURLOPT_ERRORBUFFER, h->error);
	SET(CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	/* A connection a thread: HTTP/2 could share one, and has more that can go wrong. */
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, h->o.verify ? 1L : 0L);
	SET(CURLOPT_SSL_VERIFYHOST, h->o.verify ? 2L : 0L);
	SET(CURLOPT_HEADEROPT,
		(long)CURLHEADER_SEPARATE); /* a proxy does not see the registry's credentials */
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, connect);
	SET(CURLOPT_LOW_SPEED_LIMIT, (long)SLOW);
	SET(CURLOPT_LOW_SPEED_TIME, (long)h->o.timeout);
	SET(CURLOPT_BUFFERSIZE, RECEIVE);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, h);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, h);
	SET(CURLOPT_NOPROGRESS, 0L);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, h);
#undef SET
	return ok;
}

int img_http_open(const struct img_http_opts *o, struct img_http **out, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	_cleanup_(img_http_closep) struct img_http *h = calloc(1, sizeof(*h));
	int r;

	pthread_once(&once, init_curl);
	if (!h)
		return err_set(e, ENOMEM, "HTTP client");
	h->o = *o;
	h->curl = curl_easy_init();
	if (!h->curl)
		return err_set(e, ENOMEM, "HTTP client");
	if (!set_options(h))
		return err_text(e, EOPNOTSUPP,
			"HTTP client: this libcurl (%s) lacks something that is needed", curl_version());
	r = img_http_set_certs(h->curl, o->cert_dir, e);
	if (r < 0)
		return r;
	*out = TAKE_PTR(h);
	return 0;
}

void img_http_close(struct img_http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h);
}
