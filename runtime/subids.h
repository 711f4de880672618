/* SPDX-License-Identifier: Apache-2.0 */
/* Subordinate ids: what /etc/subuid and /etc/subgid grant to a user (subuid(5)). */
#ifndef RUNTIME_SUBIDS_H
#define RUNTIME_SUBIDS_H

#include "base/err.h"
#include "spec/spec.h"

/*
 * Appends them, from container id 1 on, to maps that the runtime itself added (spec.maps_added): with one id
 * alone hardly an image can be used. Does nothing where newuidmap(1) and newgidmap(1), which it takes to
 * write such a map, are not there. For `create`; a partition that lives has its maps.
 */
int subids_extend(struct spec *s, struct err *e);

/*
 * The ranges of one file's text that are granted to `user` or `id`, as lines of a map from container id
 * *next on, which is moved behind them. Returns how many (at most `room`). Lines that make no sense are
 * passed over, as newuidmap(1) does. Pure.
 */
size_t subids_parse(
	char *text, const char *user, uint32_t id, uint32_t *next, struct spec_id_map *out, size_t room);

#endif
