/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: directories that outlive partitions, <data>/volumes/NAME/_data.
 *
 * In use is a volume that the launch.json of any partition names, whether that runs or not. Labels, and when
 * it was made, are in volume.json beside _data; one that `launch` made has none. What is to be removed is
 * renamed away first and looked at again, so that a launch that comes at the same moment keeps its volume,
 * and a kill -9 leaves no half of one under its name.
 */
#ifndef LAUNCH_VOLUME_H
#define LAUNCH_VOLUME_H

#include "launch/launch.h"

struct launch_volume {
	const char *name, *path; /* of _data */
	const char *created;	 /* RFC 3339 */
	char *const *labels;	 /* "KEY=VALUE" */
	char *const *used_by;	 /* names of partitions */
	bool anonymous;		 /* its name was made up by `launch` or `create` */
};

/* All, by name; in the arena. */
int launch_volume_list(
	const struct launch_ctx *ctx, struct arena *a, struct launch_volume **out, size_t *n, struct err *e);
/* -ENOENT */
int launch_volume_find(const struct launch_ctx *ctx, const char *name, struct arena *a,
	struct launch_volume *out, struct err *e);
/* One that is there already is success, as with docker. `name` NULL: one is made up, and put into *made. */
int launch_volume_create(const struct launch_ctx *ctx, const char *name, char *const *labels, struct arena *a,
	const char **made, struct err *e);
/* -EBUSY: in use, and by whom. `force`: one that is not there is success. */
int launch_volume_rm(const struct launch_ctx *ctx, const char *name, bool force, struct err *e);
/* As a part of removing that partition, whose own use does not count. -EBUSY: others use it; -ENOENT. */
int launch_volume_rm_with(const struct launch_ctx *ctx, const char *name, const char *partition,
	struct arena *a, struct err *e);
/* Those that nobody uses; without `all` only anonymous ones. Calls removed() for each that went. */
int launch_volume_prune(const struct launch_ctx *ctx, bool all, void (*removed)(const char *name, void *arg),
	void *arg, struct err *e);
/* Is that a name that was made up? */
bool launch_volume_made_up(const char *name);

#endif
