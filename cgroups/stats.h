/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of statistics share. */
#ifndef CGROUPS_STATS_H
#define CGROUPS_STATS_H

#include "cgroups/internal.h"

/* The first number of a file; "max" is UINT64_MAX. False if there is none. */
bool cg_stat_number(const struct cg_node *n, const char *file, uint64_t *v);
void cg_stat_put_number(struct json_writer *w, const struct cg_node *n, const char *file, const char *name);

/* Picks values out of "key value" lines. */
struct cg_pick {
	const char *key;
	uint64_t v;
	bool have;
};

/* For cg_lines(); `arg` is an array of struct cg_pick, ended by one without a key. */
void cg_stat_pick(char *line, void *arg);
void cg_stat_put_picked(struct json_writer *w, const struct cg_pick *p, const char *name, uint64_t factor);
/* The object "psi" out of a *.pressure file, if there is one. */
void cg_stat_put_pressure(struct json_writer *w, const struct cg_node *v2, const char *file);

/* stats_io.c: what is in the objects "blkio" and "hugetlb"; nothing for a NULL node. */
void cg_stat_blkio(struct json_writer *w, const struct cg_node *n, const struct cg_node *v2);
void cg_stat_hugetlb(struct json_writer *w, const struct cg_node *n);

#endif
