/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a run lives: one directory, which has all that the run makes on this host, or names it.
 *
 *   BASE/ringfence-bench/ID/lock      locked as long as the run lives; its pid is in it
 *                          /record    the designs and programs of the run, for who has to clean up after it
 *                          /rootfs, /bundles, /state/DESIGN, /log
 *
 * Theory of operation. A benchmark is killed now and then, also by the OOM killer that it has called itself,
 * and what it leaves must not be looked for by hand. So cleaning up needs nothing that only the run knew: the
 * record is written before anything is started, every name begins with "rfb-ID", every process has the mark
 * (proc.h). site_clean() asks the designs' own programs to delete what their state directories list, kills
 * the processes that are left, removes cgroups of that name, unmounts what is mounted in the directory, and
 * removes it. A run that ends, or is interrupted, does the same: there is no second way, which nobody tests.
 *
 * BASE is a tmpfs where there is one, as /run is on a host with systemd, so that a disk's journal is no
 * runtime's work. It must allow programs to be run.
 */
#ifndef BENCH_SITE_H
#define BENCH_SITE_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct site {
	char id[17];
	char path[PATH_MAX]; /* absolute, shorter than PATH_MAX by 256 at least */
	int dir, lock;	     /* -EBADF: none */
};
#define SITE_INIT                             \
	{                                     \
		.dir = -EBADF, .lock = -EBADF \
	}

/* What a record says. */
struct site_record {
	const char *designs, *runtime, *kernel, *payload,
		*floor; /* a list as on the command line; paths or "" */
};

/* base: NULL for the default. Makes the directory and writes the record. */
int site_make(struct site *s, const char *base, const struct site_record *record, struct err *e);

/* "PATH/NAME" of the site, malloc()ed, with the directories in NAME made; NULL for want of memory. */
char *site_path(const struct site *s, const char *name);
int site_make_dir(const struct site *s, const char *name, char **path, struct err *e);

/* Asks the designs of a record to delete their instances: design.h knows how, and this module is below it. */
typedef void site_ask_designs(const struct site *s, const struct site_record *record);

/*
 * Cleans up after this site, which is ours or a dead one's, and closes it. What could not be removed is told
 * in `left` (a line each, may be NULL). 0, or -EBUSY if something is left.
 */
int site_clean(struct site *s, site_ask_designs *ask, struct strbuf *left, struct err *e);

/*
 * Cleans up after all runs below base (NULL: all defaults) that do not live any more. *cleaned, *living: how
 * many. 0, or the error of the last one that could not be cleaned.
 */
int site_clean_dead(const char *base, site_ask_designs *ask, size_t *cleaned, size_t *living,
	struct strbuf *left, struct err *e);

#endif
