/* SPDX-License-Identifier: Apache-2.0 */
/* What registry*.c share; private to them. */
#ifndef IMAGES_REGISTRY_INTERNAL_H
#define IMAGES_REGISTRY_INTERNAL_H

#include <pthread.h>
#include <time.h>

#include "images/auth.h"
#include "images/http.h"
#include "images/registry.h"

/* What the connections to one place share. */
struct rg_session {
	pthread_mutex_t
		lock; /* of all below that changes, also while a token is fetched: one of us does that */
	int refs;
	struct arena *a;
	struct img_endpoint at;
	struct img_registry_opts o;
	char *tls_base, *plain_base; /* "https://host:port", "http://…" */
	bool plain;		     /* the latter it is */
	bool settled;		     /* it has answered */

	bool looked; /* for credentials */
	struct img_credentials credentials;
	char *authorization;	 /* the header, malloc()ed; NULL: none yet */
	unsigned int generation; /* of `authorization`: counts its changes */
	time_t expires;		 /* CLOCK_MONOTONIC; 0: never */
};

struct img_registry {
	struct rg_session *s;
	struct img_http *http;
	struct img_http_reply reply; /* too large for a thread's stack */
};

struct rg_ask {
	const char *path;	/* below the base: "/v2/…" */
	const char *url;	/* instead: anywhere else, without credentials */
	const char *headers[3]; /* beside the credentials; NULL-terminated */
	int64_t max;
	int seconds;
	int (*head)(void *arg, const struct img_http_head *h, struct err *e);
	img_sink *sink;
	void *arg;
};

/* One try, with redirects and, at 401, credentials. 0 with whatever status; g->reply has the answer. */
int rg_ask(struct img_registry *g, const struct rg_ask *q, struct err *e);
/* The same, again and again while it may help; for what is small, and begins anew at every try: `reset`. */
int rg_ask_patiently(struct img_registry *g, const struct rg_ask *q, void (*reset)(void *arg), struct err *e);

/* May the answer be better another time? `r`: what rg_ask() said. */
bool rg_is_passing(struct img_registry *g, int r);
/* Waits before try `n` + 1, as long as the server says. -EINTR; -EBUSY: too long. */
int rg_pause(struct img_registry *g, int n, struct err *e);
int rg_retries(const struct img_registry *g);
/* An error out of a status that is none of those wanted; `what` was asked for. The first with what may be
 * done about it, for which it takes the session's lock. */
int rg_status_error(struct img_registry *g, const char *what, struct err *e);
int rg_status_text(struct img_registry *g, const char *what, struct err *e);

/* One request with its redirects; `authorization` (a header; may be NULL) goes to the origin of `origin`
 * only. */
int rg_follow(struct img_registry *g, const char *url, const char *origin, const char *authorization,
	const struct rg_ask *q, bool *own, struct err *e);

/*
 * After a 401 from the registry itself that came although `used` was the generation of what was sent. 1:
 * there is something better now; 0: there is not.
 */
int rg_authorize(struct img_registry *g, unsigned int used, struct err *e);

/* A body as a text; refuses more than `max`. */
struct rg_text {
	char *s;
	size_t len;
};
img_sink rg_text_sink;
void rg_text_reset(void *arg); /* frees */

/* What strangers have to say, in one line of printable ASCII, at most size - 1 bytes. */
void rg_printable(const char *text, char *buf, size_t size);

#endif
