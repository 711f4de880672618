/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange after another, over libcurl: the one place that sets limits, TLS, timeouts and proxies
 * (from the environment). It follows no redirects, keeps no cookies, sends no credentials but those in the
 * headers it is given, and knows nothing of registries.
 */
#ifndef IMAGES_HTTP_H
#define IMAGES_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

struct img_http_opts {
	/* A directory with *.crt (authorities, beside the system's), NAME.cert and NAME.key (of ours); NULL:
	 * none. */
	const char *cert_dir;
	bool verify;		 /* the server's certificate */
	int timeout;		 /* seconds in which next to nothing comes; > 0 */
	bool (*stop)(void *arg); /* asked about once a second: true ends the exchange; NULL: never */
	void *stop_arg;
};

/* A handle is for one thread, and keeps its connection for what follows. The options are copied. */
struct img_http;
int img_http_open(const struct img_http_opts *o, struct img_http **out, struct err *e);
void img_http_close(struct img_http *h);
DEFINE_CLEANUP(struct img_http *, img_http_close);

/* What stands before a body. Strings are "" where the server said nothing, and live in the reply. */
struct img_http_head {
	int status;
	int64_t length;	 /* of the body; -1: not said */
	int retry_after; /* seconds; -1: not said */
	char type[256], location[8192], digest[192], encoding[64], range[128];
	char challenges[8192]; /* all WWW-Authenticate, joined by ", " */
};

struct img_http_request {
	const char *url;
	const char *const *headers; /* "Name: value"; NULL-terminated */
	const char *form;	    /* POST of application/x-www-form-urlencoded; NULL: GET */
	int64_t max; /* of the body at status 200 and 206, in bytes; more is refused (-EMSGSIZE) */
	int seconds; /* for all of it; 0: as long as something comes */
	/* At status 200 and 206: the head before the body, then the body. An error of theirs ends the
	 * exchange, and is what comes back. `head` may be NULL. */
	int (*head)(void *arg, const struct img_http_head *h, struct err *e);
	int (*sink)(void *arg, const void *data, size_t len, struct err *e);
	void *arg;
};

enum img_http_fault {
	HTTP_FINE,	  /* there is a whole answer, whatever its status */
	HTTP_UNREACHABLE, /* no name, no connection */
	HTTP_TLS,	  /* no common ground, or a certificate that is not trusted */
	HTTP_CUT,	  /* begun, and not ended; or nothing came for too long */
	HTTP_REFUSED,	  /* over a limit, or no HTTP */
	HTTP_OURS,	  /* head(), sink() or stop() said so (-EINTR) */
};

struct img_http_reply {
	enum img_http_fault fault;
	struct img_http_head head;
	char text[4096]; /* the beginning of the body at other statuses */
};

/* 0 with HTTP_FINE, or a negative errno. Only the scheme, host and path of the URL are named in errors. */
int img_http_do(
	struct img_http *h, const struct img_http_request *q, struct img_http_reply *reply, struct err *e);

/* --- URLs */

/* A reference as in a Location header, against the URL it came with. malloc()ed. -EINVAL: no URL of http or
 * https, or one with a user in it. */
int img_url_resolve(const char *base, const char *reference, char **out, struct err *e);
/* The same scheme, host and port? False also for what is no URL. */
bool img_url_same_origin(const char *a, const char *b);
bool img_url_is_https(const char *url);
/* The URL with ?name=value added, encoded. malloc()ed; NULL without memory or for what is no URL. */
char *img_url_add_query(const char *url, const char *name, const char *value);
/* For messages: without what may be a secret (user and query), at most 300 characters, printable. */
#define IMG_URL_SHOWN 320
void img_url_shown(const char *url, char *buf, size_t size);
/* For forms. malloc()ed; NULL without memory. */
char *img_url_encode(const char *text);

#endif
