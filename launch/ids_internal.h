/* SPDX-License-Identifier: Apache-2.0 */
/* What ids.c is made of, for it and for tests: no data directory, no /etc of the host. */
#ifndef LAUNCH_IDS_INTERNAL_H
#define LAUNCH_IDS_INTERNAL_H

#include "launch/ids.h"

struct ids_range {
	int64_t first, size;
};

/* Where ranges may lie. A file that is missing grants nothing. */
struct ids_grants {
	struct ids_range *allowed; /* of both files */
	size_t n_allowed;
	struct ids_range *others; /* granted to others: passed over, if nothing was granted to us */
	size_t n_others;
	bool granted; /* by a line for "ringfence" or "containers" */
};
int ids_grants_read(
	const char *subuid, const char *subgid, struct arena *a, struct ids_grants *out, struct err *e);
/* Pure: both texts, which are changed. */
int ids_grants_parse(char *subuid, char *subgid, struct arena *a, struct ids_grants *out, struct err *e);

int ids_take_at(
	int ids, int partitions, const struct ids_grants *g, const char *name, int64_t *first, struct err *e);
int ids_give_back_at(int ids, const char *name, int64_t first, struct err *e);
int ids_give_back_all_at(int ids, const char *name, struct err *e);
int ids_rename_at(int ids, const char *old, const char *name, int64_t first, struct err *e);

#endif
