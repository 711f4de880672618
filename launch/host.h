/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone "host": a root file system that is this host's own /usr, read-only, with all else its own. Private
 * to launch/.
 */
#ifndef LAUNCH_HOST_H
#define LAUNCH_HOST_H

#include "launch/record.h"

/*
 * The lower directory of its overlay, for the partition whose directory `d` is, which is just being made: one
 * that is there and still what this host has, or a new one. It stays for as long as that directory does.
 * *path: in the arena.
 */
int launch_host_take(const struct launch_ctx *ctx, const struct launch_dir *d, struct arena *a,
	const char **path, struct err *e);

/* Nothing is removed of what partitions use until this is closed. -ENOENT: there is nothing of that kind. */
int launch_host_hold(const struct launch_ctx *ctx, struct arena *a, struct err *e);

/* Writes it into an empty directory: links to /usr, and an /etc with nothing of the host's but what programs
 * of /usr look for. */
int launch_host_write(int root, struct err *e);

/* What it is made of; each ends with a NULL. */
extern const char *const host_copied[];	  /* of /etc */
extern const char *const host_into_usr[]; /* links in / */
extern const char *const host_texts[];

/* Of /etc: far more than any host has, so that a mistake there fills no disk. */
#define HOST_ENTRIES_MAX 20000

#endif
