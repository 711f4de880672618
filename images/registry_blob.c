/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs: as a stream of bytes that goes on where a connection was cut (see registry.h). */
#include <stdio.h>

#include "base/str.h"
#include "images/registry_internal.h"

/* A cut connection is no failure if this much came over it: a server that cuts each is only slow. */
#define GETTING_ON (256 * 1024)

struct blob {
	img_sink *sink;
	void *arg;
	int64_t at, size; /* the next byte to hand on; all of them */
	int64_t skip;	  /* bytes of this answer that were handed on before */
	bool no_ranges;	  /* this server is not good at them */
	bool asked;	  /* for a range, this time */
	const char *what; /* for errors */
};

static int other_size(const struct blob *b, int64_t size, struct err *e)
{
	return err_text(e, EBADMSG, "%s: the server has %lld bytes of that name, and the image says %lld",
		b->what, (long long)size, (long long)b->size);
}

/* "bytes 100-199/200"; the total may be "*". */
static bool parse_range(const char *text, int64_t *first, int64_t *last, int64_t *total)
{
	char a[24], b[24], c[24];
	int end = 0;

	if (sscanf(text, "bytes %23[0-9]-%23[0-9]/%23[0-9*]%n", a, b, c, &end) != 3 || text[end] ||
		str_to_i64(a, first) < 0 || str_to_i64(b, last) < 0)
		return false;
	if (str_eq(c, "*")) {
		*total = -1;
		return true;
	}
	return str_to_i64(c, total) == 0;
}

/* -ERANGE: ask without. */
static int check_partial(struct blob *b, const struct img_http_head *h, struct err *e)
{
	int64_t first, last, total;

	if (!b->asked)
		return err_text(
			e, EBADMSG, "%s: the server sends a part, and was asked for the whole", b->what);
	if (!parse_range(h->range, &first, &last, &total) || first != b->at || last < first ||
		(h->length >= 0 && h->length != last - first + 1)) {
		b->no_ranges = true;
		return err_text(e, ERANGE, "%s: the server sends another part than the one from byte %lld on",
			b->what, (long long)b->at);
	}
	if (total >= 0 && total != b->size)
		return other_size(b, total, e);
	b->skip = 0;
	return 0;
}

static int check_head(void *arg, const struct img_http_head *h, struct err *e)
{
	struct blob *b = arg;

	if (h->status == 206)
		return check_partial(b, h, e);
	b->skip = b->at;
	if (h->length >= 0 && h->length != b->size)
		return other_size(b, h->length, e);
	return 0;
}

static int take(void *arg, const void *data, size_t len, struct err *e)
{
	struct blob *b = arg;
	const char *p = data;
	size_t over = b->skip < (int64_t)len ? (size_t)b->skip : len;
	int r;

	b->skip -= (int64_t)over;
	p += over;
	len -= over;
	if (len == 0)
		return 0;
	if ((int64_t)len > b->size - b->at)
		return err_text(e, EBADMSG, "%s: more comes than the %lld bytes that the image says", b->what,
			(long long)b->size);
	r = b->sink(b->arg, p, len, e);
	if (r == 0)
		b->at += (int64_t)len;
	return r;
}

static int cut_short(const struct blob *b, struct err *e)
{
	return err_text(e, ECONNRESET, "%s: the answer ended after %lld of %lld bytes", b->what,
		(long long)b->at, (long long)b->size);
}

/* One answer. 0: all is there; 1: it is worth going on; -errno: it is not. */
static int receive(struct img_registry *g, struct blob *b, struct rg_ask *q, struct err *e)
{
	char range[64];
	int r, status;

	b->asked = b->at > 0 && !b->no_ranges;
	snprintf(range, sizeof(range), "Range: bytes=%lld-", (long long)b->at);
	q->headers[0] = b->asked ? range : NULL;
	r = rg_ask(g, q, e);
	status = g->reply.head.status;
	if (r == -ERANGE && g->reply.fault == HTTP_OURS)
		return 1;
	if (r < 0)
		return rg_is_passing(g, r) ? 1 : r;
	if (status == 200 || status == 206) {
		if (b->at == b->size)
			return 0;
		cut_short(b, e);
		return 1;
	}
	/* What we have cannot be too much, for its size is known: that server's cannot be the same content,
	 * or it is not good at ranges. */
	if (status == 416 && b->asked) {
		b->no_ranges = true;
		rg_status_error(g, b->what, e);
		return 1;
	}
	r = rg_status_error(g, b->what, e);
	return rg_is_passing(g, 0) ? 1 : r;
}

static int receive_all(struct img_registry *g, struct blob *b, struct rg_ask *q, struct err *e)
{
	int tries = 0;

	while (b->at < b->size) {
		int64_t before = b->at;
		int r;

		err_clear(e);
		r = receive(g, b, q, e);
		if (r <= 0)
			return r;
		if (b->at - before >= GETTING_ON) {
			tries = 0;
			continue;
		}
		if (tries == rg_retries(g))
			return e->code ? -e->code : -EIO;
		r = rg_pause(g, tries++, e);
		if (r < 0)
			return r;
	}
	err_clear(e);
	return 0;
}

/* Layers that registries were not allowed to have. */
static int receive_from_urls(
	struct img_registry *g, struct blob *b, struct rg_ask *q, char *const *urls, struct err *e)
{
	const char *url;
	int r = -ENOENT;

	strv_each (url, urls) {
		_cleanup_free_ char *checked = NULL;

		r = img_url_resolve(url, url, &checked, e);
		if (r == 0 && !img_url_is_https(checked) && !g->s->at.insecure)
			r = err_text(e, EPERM, "%s: its own place is without TLS", b->what);
		if (r < 0)
			continue;
		q->path = NULL;
		q->url = checked;
		b->no_ranges = false;
		r = receive_all(g, b, q, e);
		if (r == 0 || g->reply.fault == HTTP_OURS)
			return r;
	}
	return r;
}

int img_registry_blob(struct img_registry *g, const struct img_descriptor *d, int64_t from, img_sink *sink,
	void *arg, struct err *e)
{
	_cleanup_strbuf_ struct strbuf path = { 0 }, what = { 0 };
	struct blob b = { .sink = sink, .arg = arg, .at = from, .size = d->size };
	struct rg_ask q = { .max = d->size, .head = check_head, .sink = take, .arg = &b };
	struct err own = ERR_INIT;
	int r;

	e = e ? e : &own;
	if (from < 0 || from > d->size)
		return err_text(e, EINVAL, "%s: it has no byte %lld", d->digest.text, (long long)from);
	strbuf_printf(&path, "/v2/%s/blobs/%s", g->s->at.path, d->digest.text);
	strbuf_printf(&what, "%s/%s@%s", g->s->at.host, g->s->at.path, d->digest.text);
	if (path.failed || what.failed)
		return err_set(e, ENOMEM, "registry %s", g->s->at.host);
	q.path = path.s;
	b.what = what.s;
	r = receive_all(g, &b, &q, e);
	if (r == -ENOENT && d->urls && d->urls[0])
		r = receive_from_urls(g, &b, &q, d->urls, e);
	return r;
}
