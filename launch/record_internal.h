/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that keep, list and remove partitions share; private to launch/. */
#ifndef LAUNCH_RECORD_INTERNAL_H
#define LAUNCH_RECORD_INTERNAL_H

#include "base/json.h"
#include "launch/record.h"

#define LAUNCH_RECORD_FILE "launch.json"
#define LAUNCH_STATE_FILE  "state.json"

/* flock(2) with a limit, in milliseconds (0: now or never): a verb that hangs must not make every other one
 * hang with it. 0, -EBUSY, -errno. */
int launch_lock(int fd, int ms);
/* The same with LOCK_SH or LOCK_EX. */
int launch_lock_as(int fd, int how, int ms);
/* Opens <data>/partitions, and fills in the path and the record's name. The caller's to launch_dir_close()
 * also on failure. */
int launch_dir_begin(const struct launch_ctx *ctx, const char *name, bool create, struct arena *a,
	struct launch_dir *d, struct err *e);

/* launch.json into d->record, whose name stays the directory's. -ENOENT, -EINVAL; then of the record only
 * the name is set. */
int launch_record_read(struct launch_dir *d, struct arena *a, struct err *e);
/* As state.json of an open directory; `dir`'s name is not asked. */
int launch_state_read_at(int dir, struct arena *a, struct launch_state *out, struct err *e);

/* This boot's id, read once; "" if it cannot be told. */
const char *launch_boot_id(void);
/* Does the process `pid` live that was born at `start` (0: whenever)? */
bool launch_process_lives(pid_t pid, uint64_t start);

/* All members into an open object. */
void launch_record_put(struct json_writer *w, const struct launch_record *r);
void launch_state_put(struct json_writer *w, const struct launch_state *s);

/* info.c: how the partition of an open directory is. */
int launch_look(const struct launch_ctx *ctx, const struct launch_dir *d, struct arena *a,
	struct launch_info *out, struct err *e);

/*
 * rm.c: all that belongs to a locked directory, then the directory. What of it runs is ended first. `force`:
 * goes on where a step fails, and tells the first failure at the end. Of a damaged one goes what can be found
 * out by its name.
 */
int launch_remove(const struct launch_ctx *ctx, struct launch_dir *d, bool force, bool volumes,
	struct arena *a, struct err *e);

#endif
