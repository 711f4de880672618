/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs from a registry into the store, several at once (see transfer.h).
 *
 * Each thread has connections of its own and takes the next item that nobody has taken. The first failure
 * stops them all: their exchanges ask about it (img_registry_opts.stop), and what they have received so far
 * is kept.
 */
#include <signal.h>

#include "base/log.h"
#include "base/str.h"
#include "images/transfer_internal.h"

#define PARALLEL     3
#define PARALLEL_MAX 32
#define TELL_EVERY   (256 * 1024) /* bytes between two calls of the progress */

/* --- items -------------------------------------------------------------------------------------- */

int pull_find(const struct pull *p, const struct img_digest *d)
{
	for (size_t i = 0; i < p->n_items; i++)
		if (img_digest_eq(&p->items[i].d.digest, d))
			return (int)i;
	return -ENOENT;
}

int pull_add(struct pull *p, const struct img_descriptor *d, bool is_config)
{
	int i = pull_find(p, &d->digest);

	if (i >= 0)
		return i;
	if (p->n_items == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		struct pull_item *more = realloc(p->items, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->items = more;
		p->room = room;
	}
	p->items[p->n_items] = (struct pull_item){ .d = *d, .is_config = is_config };
	return (int)p->n_items++;
}

/* --- connections -------------------------------------------------------------------------------- */

size_t pull_endpoint(const struct pull *p, size_t i)
{
	return (p->chosen + i) % p->place->n_endpoints;
}

int pull_connect(struct pull *p, size_t endpoint, struct img_registry **out, struct err *e)
{
	int r = 0;

	pthread_mutex_lock(&p->lock);
	if (!p->connections[endpoint])
		r = img_registry_open(&p->place->endpoints[endpoint], &p->ro, &p->connections[endpoint], e);
	*out = p->connections[endpoint];
	pthread_mutex_unlock(&p->lock);
	return r;
}

struct worker {
	struct pull *p;
	struct img_registry **connections; /* one for each endpoint; NULL: none yet */
};

static int connect_worker(struct worker *w, size_t endpoint, struct img_registry **out, struct err *e)
{
	struct img_registry *first;
	int r;

	if (!w->connections[endpoint]) {
		r = pull_connect(w->p, endpoint, &first, e);
		if (r == 0)
			r = img_registry_again(first, &w->connections[endpoint], e);
		if (r < 0)
			return r;
	}
	*out = w->connections[endpoint];
	return 0;
}

/* --- one blob ----------------------------------------------------------------------------------- */

struct receipt {
	struct pull *p;
	struct img_writer *writer;
	int item;
	int64_t at, told;
	bool failed; /* the store, not the registry */
};

static int receive(void *arg, const void *data, size_t len, struct err *e)
{
	struct receipt *x = arg;
	struct img_progress *progress = &x->p->progress.base;
	int r = img_writer_add(x->writer, data, len, e);

	x->failed = r < 0;
	if (r < 0)
		return r;
	x->at += (int64_t)len;
	if (x->at - x->told >= TELL_EVERY) {
		progress->at(progress, x->item, x->at);
		x->told = x->at;
	}
	return 0;
}

/*
 * From one endpoint. *local: what failed has nothing to do with it. Content that turns out wrong, and that
 * was begun by somebody before us, is fetched once more from its beginning: that may have been the wrong
 * part.
 */
static int fetch_from(struct worker *w, size_t endpoint, int item, bool *local, struct err *e)
{
	struct pull *p = w->p;
	const struct img_descriptor *d = &p->items[item].d;
	struct receipt x = { .p = p, .item = item };
	struct img_progress *progress = &p->progress.base;
	struct img_registry *g;
	int64_t have;
	int r;

	*local = true;
	for (;;) {
		r = connect_worker(w, endpoint, &g, e);
		if (r == 0)
			r = img_writer_open(p->s, &d->digest, d->size, &x.writer, &have, e);
		if (r < 0)
			return r;
		x.at = x.told = have;
		if (have)
			progress->at(progress, item, have);
		r = img_registry_blob(g, d, have, receive, &x, e);
		if (r < 0) {
			/* On a full disk it would be in everybody's way. */
			img_writer_abort(x.writer, r != -ENOSPC && r != -EDQUOT && r != -EFBIG);
			*local = x.failed;
			return r;
		}
		r = img_writer_commit(x.writer, NULL, NULL, e);
		if (r != -EBADMSG)
			return r;
		if (have == 0) {
			*local = false;
			return err_wrap(e, "%s/%s", p->place->endpoints[endpoint].host,
				p->place->endpoints[endpoint].path);
		}
		log_debug("%s: what was there before was of no use", d->digest.text);
		err_clear(e);
	}
}

/* What a descriptor carries in itself. */
static int put_inline(struct pull *p, const struct img_descriptor *d)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct img_writer *w;
	const char *data;
	int64_t have;
	size_t len;
	int r = a ? img_descriptor_data(a, d, "data", &data, &len, NULL) : -ENOMEM;

	if (r == 0)
		r = img_writer_open(p->s, &d->digest, d->size, &w, &have, NULL);
	if (r < 0)
		return r;
	r = img_writer_restart(w, NULL);
	if (r == 0)
		r = img_writer_add(w, data, len, NULL);
	if (r == 0)
		return img_writer_commit(w, NULL, NULL, NULL);
	img_writer_abort(w, false);
	return r;
}

bool pull_is_stopped(void *arg)
{
	struct pull *p = arg;

	return __atomic_load_n(&p->stop, __ATOMIC_ACQUIRE) ||
	       (p->o->registry.stop && p->o->registry.stop(p->o->registry.stop_arg));
}

/* The first endpoint's error is the one that counts. */
static int fetch(struct worker *w, int item, struct err *e)
{
	struct pull *p = w->p;
	const struct pull_item *it = &p->items[item];
	int r = -ENOENT;

	if (it->d.data && put_inline(p, &it->d) == 0)
		return 0;
	for (size_t i = 0; i < p->place->n_endpoints; i++) {
		struct err why = ERR_INIT;
		bool local;

		r = fetch_from(w, pull_endpoint(p, i), item, &local, &why);
		if (r == 0) {
			err_clear(e);
			return 0;
		}
		if (i == 0 || local)
			*e = why;
		if (local || pull_is_stopped(p))
			break;
	}
	return err_wrap(e, it->is_config ? "config" : "layer");
}

/* --- threads ------------------------------------------------------------------------------------ */

/* The next item that nobody has taken, and the store does not have; -1: none. Configs first, since nothing
 * can be unpacked without. */
static int take(struct pull *p)
{
	int item = -1;

	pthread_mutex_lock(&p->lock);
	while (item < 0 && p->next < 2 * p->n_items && !__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
		size_t i = p->next % p->n_items;

		if (!p->items[i].done && p->items[i].is_config == (p->next < p->n_items))
			item = (int)i;
		p->next++;
	}
	pthread_mutex_unlock(&p->lock);
	return item;
}

static void report(struct pull *p, int item, const struct err *e)
{
	pthread_mutex_lock(&p->lock);
	if (!e->code) {
		p->items[item].done = true;
	} else if (!p->failure.code) {
		p->failure = *e;
		__atomic_store_n(&p->stop, true, __ATOMIC_RELEASE);
	}
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static void tell_begin(struct pull *p, int item)
{
	const struct pull_item *it = &p->items[item];
	struct img_progress *progress = &p->progress.base;
	char what[IMG_DIGEST_MAX + 16];

	snprintf(what, sizeof(what), "%s %s", it->is_config ? "config" : "layer", it->d.digest.text);
	progress->begin(progress, item, what, it->d.size);
}

static void *work(void *arg)
{
	struct pull *p = arg;
	struct worker w = { .p = p, .connections = calloc(p->place->n_endpoints, sizeof(*w.connections)) };
	struct img_progress *progress = &p->progress.base;
	int item;

	while ((item = take(p)) >= 0) {
		const struct img_descriptor *d = &p->items[item].d;
		struct err e = ERR_INIT;

		tell_begin(p, item);
		if (w.connections)
			fetch(&w, item, &e);
		else
			err_set(&e, ENOMEM, "fetch %s", d->digest.text);
		progress->end(progress, item, e.code ? "failed" : "done");
		report(p, item, &e);
	}
	for (size_t i = 0; w.connections && i < p->place->n_endpoints; i++)
		img_registry_close(w.connections[i]);
	free(w.connections);
	return NULL;
}

/* Items that need no thread. How many are left. */
static size_t skip_present(struct pull *p)
{
	struct img_progress *progress = &p->progress.base;
	size_t left = 0;

	for (size_t i = 0; i < p->n_items; i++) {
		const struct img_descriptor *d = &p->items[i].d;

		p->items[i].done = img_blob_has(p->s, &d->digest, d->size);
		if (!p->items[i].done) {
			left++;
			continue;
		}
		tell_begin(p, (int)i);
		progress->end(progress, (int)i, "already there");
	}
	return left;
}

int pull_start(struct pull *p, struct err *e)
{
	size_t left = skip_present(p), n = p->o->parallel > 0 ? (size_t)p->o->parallel : PARALLEL;
	sigset_t all, old;
	int r = 0;

	n = n > PARALLEL_MAX ? PARALLEL_MAX : n;
	n = n > left ? left : n;
	p->threads = calloc(n + 1, sizeof(*p->threads));
	if (!p->threads)
		return err_set(e, ENOMEM, "fetch image");
	/* Signals are for whoever called us. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (r == 0 && p->n_threads < n) {
		r = pthread_create(&p->threads[p->n_threads], NULL, work, p);
		p->n_threads += r == 0;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r && p->n_threads == 0 ? err_set(e, r, "start a thread to fetch the image") : 0;
}

int pull_wait(struct pull *p, size_t item, struct err *e)
{
	int r = 0;

	pthread_mutex_lock(&p->lock);
	while (!p->items[item].done && !p->failure.code)
		pthread_cond_wait(&p->changed, &p->lock);
	if (!p->items[item].done)
		r = err_text(e, p->failure.code, "%s", p->failure.text);
	pthread_mutex_unlock(&p->lock);
	return r;
}

int pull_finish(struct pull *p, bool stop, struct err *e)
{
	if (stop)
		__atomic_store_n(&p->stop, true, __ATOMIC_RELEASE);
	for (size_t i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	p->n_threads = 0;
	return p->failure.code ? err_text(e, p->failure.code, "%s", p->failure.text) : 0;
}
