/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of img_pull() share; private to them. */
#ifndef IMAGES_TRANSFER_INTERNAL_H
#define IMAGES_TRANSFER_INTERNAL_H

#include <pthread.h>

#include "images/transfer.h"

/* A blob that the image needs. */
struct pull_item {
	struct img_descriptor d;
	bool is_config;
	bool done; /* it is in the store */
};

/* The caller's progress, one call at a time. */
struct pull_progress {
	struct img_progress base;
	struct img_progress *to;
	pthread_mutex_t lock;
};

struct pull {
	struct img_store *s;
	const struct img_pull_opts *o;
	struct img_registry_opts ro;
	struct arena *a; /* the calling thread's */
	struct pull_progress progress;

	/* Where the image is: the endpoints of one name, and of them the one that had it. */
	const struct img_candidate *place;
	size_t chosen;
	struct img_registry **connections; /* the calling thread's, one for each endpoint; NULL: none yet */

	struct pull_item *items;
	size_t n_items, room;
	size_t walks, text_bytes; /* documents of indexes, and all their bytes */

	pthread_mutex_t lock; /* of all below, and of `connections` and items' `done` while threads run */
	pthread_cond_t changed;
	size_t next; /* to be taken by a thread: configs below n_items, then the others */
	pthread_t *threads;
	size_t n_threads;
	struct err failure; /* the first */
	bool stop;	    /* atomic */
};

/* --- transfer_fetch.c: blobs, in threads */

/* Adds an item, once. Its index, or -ENOMEM. */
int pull_add(struct pull *p, const struct img_descriptor *d, bool is_config);
int pull_find(const struct pull *p, const struct img_digest *d);
/* Threads that fetch all items that the store does not have. */
int pull_start(struct pull *p, struct err *e);
/* Until an item is there, or something has failed. */
int pull_wait(struct pull *p, size_t item, struct err *e);
/* Until all have ended; `stop`: at once. What has failed, if anything has. */
int pull_finish(struct pull *p, bool stop, struct err *e);

/* img_registry_opts.stop, for a struct pull. */
bool pull_is_stopped(void *arg);

/* Our own connection to an endpoint; opens it. */
int pull_connect(struct pull *p, size_t endpoint, struct img_registry **out, struct err *e);
/* The i-th endpoint to try: the chosen one first, those that did not have the image last. */
size_t pull_endpoint(const struct pull *p, size_t i);

#endif
