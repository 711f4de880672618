/* SPDX-License-Identifier: Apache-2.0 */
/* The words of mounts[].options (config.md, "Linux mount options") as flags; pure. */
#ifndef NAMESPACES_MOUNT_OPTIONS_H
#define NAMESPACES_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "spec/spec.h"

struct mnt_options {
	unsigned long set, clear;	/* MS_* of mount(2): flags asked for and flags taken back, the last word wins */
	bool bind, recursive_bind;	/* bind, rbind */
	bool remount;
	unsigned long propagation[4];	/* MS_SHARED|MS_REC, … in order */
	int n_propagation;
	uint64_t rec_set, rec_clear;	/* MOUNT_ATTR_* for mount_setattr(AT_RECURSIVE): rro, rnosuid, … */
	bool nosymfollow, symfollow;
	enum spec_idmap idmap;		/* from the option or the mappings */
	const struct spec_id_map *uid_map, *gid_map; /* of idmap=uids=..#gids=.. (crun); NULL: the mount's own or the container's */
	size_t n_uid_map, n_gid_map;
	bool map_relative;		/* crun's "@": container ids are looked up in the container's own map */
	bool tmpcopyup, copy_symlink, src_nofollow, dest_nofollow;
	const char *data;		/* the other words joined by ',', NULL if none: for the file system */
};

/* All words of one mount. Errors name the word and the destination. */
int mnt_options_parse(struct arena *a, const struct spec_mount *m, struct mnt_options *out, struct err *e);

/* All words that are understood (not passed on as data): for `features`. NULL-terminated. */
extern const char *const mnt_option_names[];

#endif
