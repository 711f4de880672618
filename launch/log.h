/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a partition: lines as CRI has them, so that other tools read it,
 *   2026-11-25T10:00:00.123456789Z stdout F the line
 * with P in the place of F for a part whose line goes on (at most 8 KiB a part; output whose newline has not
 * come is a part, too). Rotated by size: "log" becomes "log.1", so at most twice log_max is kept. Everything
 * in it was said by the partition: a reader that shows it on a terminal shows it as it is, as `cat` would,
 * like every other runtime.
 */
#ifndef LAUNCH_LOG_H
#define LAUNCH_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define LAUNCH_LOG_FILE	  "log"
#define LAUNCH_LOG_OLDER  "log.1"
#define LAUNCH_LOG_PART	  8192 /* bytes of output in one record */
#define LAUNCH_LOG_HEADER 40   /* bytes before them: time, stream and tag are of fixed length */

/* No allocation, no stdio: it lives in the supervisor. */
struct launch_log {
	int dir, fd;	   /* dir: borrowed */
	int64_t max, size; /* max 0: no limit */
	bool torn; /* a write failed halfway, and the file could not be cut back: a newline goes first */
};

/* Goes on with the one that is there. */
int launch_log_open(struct launch_log *l, int dir, int64_t max, struct err *e);
/* stream: 1 stdout, 2 stderr. A full disk loses output, never the supervisor. */
void launch_log_add(struct launch_log *l, int stream, const char *data, size_t len);
void launch_log_close(struct launch_log *l);

struct launch_log_query {
	int64_t tail;		    /* lines; -1: all */
	int64_t since_ns, until_ns; /* of the epoch; 0: no bound */
	bool follow, timestamps;
	/* A line as a JSON object {"time","stream","text"}, for --format json. Needs no timestamps. With
	 * "partial": true if its newline has not come, or it goes on in the next one because it is longer
	 * than a MiB. */
	bool json;
	/* follow: asked when nothing is left; true: it has ended, and so do we. */
	bool (*ended)(void *arg);
	void *arg;
};
/*
 * Writes what matches to our stdout and stderr (`out` both, if it is not -1). Any number of readers, and no
 * lock: a rotation under way is noticed. A missing log is an empty one. A reader of ours that has gone
 * (EPIPE) is no error.
 */
int launch_log_read(int dir, const struct launch_log_query *q, int out, struct err *e);

#endif
