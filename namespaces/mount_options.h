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
	/*
	 * MS_* of mount(2): flags asked for and flags taken back, the last word wins. A new file system gets
	 * `set`; a bind mount keeps what its source mount had and adds `set` (so `rw` undoes an earlier `ro`
	 * and never makes a read-only host mount writable); `remount` applies both.
	 */
	unsigned long set, clear;
	bool bind, recursive_bind; /* bind, rbind (or type "bind", "rbind") */
	bool remount;
	unsigned long propagation[4]; /* MS_SHARED|MS_REC, … in order */
	int n_propagation;
	uint64_t rec_set, rec_clear; /* MOUNT_ATTR_* for mount_setattr(AT_RECURSIVE): rro, rnosuid, … */
	bool nosymfollow, symfollow;
	enum spec_idmap idmap; /* from the option or the mappings */
	/* Of idmap=uids=..;gids=.. (crun) or the mount's own mappings; NULL: the container's. */
	const struct spec_id_map *uid_map, *gid_map;
	size_t n_uid_map, n_gid_map;
	/* crun's "@": host_id is an id of the container, looked up in the container's own map. */
	bool uid_map_relative, gid_map_relative;
	bool tmpcopyup, copy_symlink, src_nofollow, dest_nofollow;
	const char *data; /* the other words joined by ',', NULL if none: for the file system */
};

/* All words of one mount. Errors name the word and the destination. */
int mnt_options_parse(struct arena *a, const struct spec_mount *m, struct mnt_options *out, struct err *e);

/* MS_* flags as MOUNT_ATTR_* for mount_setattr(2): *clr gets the atime bits when one of them is to change. */
void mnt_flags_to_attr(unsigned long flags, uint64_t *set, uint64_t *clr);

/* All words that are understood (not passed on as data): for `features`. NULL-terminated. */
extern const char *const mnt_option_names[];

#endif
