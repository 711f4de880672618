/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges of host user ids for the user namespaces of partitions: 65,536 each, a different one for each
 * partition, so that one that breaks out is nobody to the others.
 *
 *   Taken from the ranges that /etc/subuid and /etc/subgid grant to "ringfence" or "containers" (subuid(5),
 * as podman's --userns=auto); without such a line from 524288 to 1879048191, the range that systemd keeps for
 * containers (systemd.io/UIDS-GIDS), passing over what subuid and subgid grant to others.
 *   <data>/ids/FIRST, a symlink to the partition's name, says that the range that begins there is taken (by
 * its first id and not by a number, so that a change of the grants changes nobody's ids). One whose partition
 * is gone, or of the same name, is taken over. So the partition's directory must be there before its range is
 * taken, and gone, or of another name, when it is given back to others.
 */
#ifndef LAUNCH_IDS_H
#define LAUNCH_IDS_H

#include "launch/record.h"

#define LAUNCH_IDS 65536

/* The first id of the range. -EUSERS: all are taken; -ENOENT: the grant is too small. */
int launch_ids_take(const struct launch_ctx *ctx, const char *name, int64_t *first, struct err *e);
/* One that is not there, or is another's by now, is no error; nor is `first` -1. */
int launch_ids_give_back(const struct launch_ctx *ctx, const char *name, int64_t first, struct err *e);
/* Whatever that name has: of a partition whose record is missing or damaged. */
int launch_ids_give_back_all(const struct launch_ctx *ctx, const char *name, struct err *e);
int launch_ids_rename(
	const struct launch_ctx *ctx, const char *old, const char *name, int64_t first, struct err *e);
/*
 * What --userns says: "auto" takes a range, "host" (or one that cannot be, where nothing was said) none,
 * "UID:SIZE" that one, which is nobody else's business. Fills in *first (-1: none) and *n.
 */
int launch_ids_choose(const struct launch_ctx *ctx, const char *userns, const char *name, int64_t *first,
	uint32_t *n, struct err *e);
/* Can what lies at `path` be mounted with its ids mapped? By trying, in a mount that nobody sees. */
bool launch_ids_can_map(const char *path);
/* Whether a root file system can have a user namespace here: by trying (user namespaces, idmapped mounts),
 * once a boot. */
bool launch_ids_usable(const struct launch_ctx *ctx);

#endif
