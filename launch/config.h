/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an image and options to config.json: image-spec's conversion.md, and what keeps a stranger's program
 * in its place where nobody asked for anything else: a user namespace, our own seccomp profile
 * (seccomp_profile.h), masked paths, no new privileges, few capabilities, limits on processes. Pure but for
 * what it reads of the image, of
 * --env-file and seccomp=FILE, and of host devices.
 */
#ifndef LAUNCH_CONFIG_H
#define LAUNCH_CONFIG_H

#include "launch/record.h"

/* What launch needs of an image, from images/roots.h; or the host's own root. */
struct launch_image {
	bool host; /* the sparse-root zone: no layers; /usr and its kin are bound read-only */
	const char *name, *target, *id;
	char *const *lower; /* absolute paths of unpacked layers, top first */
	bool userxattr;	    /* the layers are of a user that is not root */
	char *const *env, *const *entrypoint, *const *cmd, *const *exposed_ports, *const *volumes;
	char *const *labels; /* "key", "value", …, NULL */
	const char *user, *working_dir, *stop_signal;
	const char *author, *created, *os, *architecture, *variant;
	/* A regular file of it, as the partition would see it: an fd, or -ENOENT. For passwd and group. */
	int (*open_file)(const struct launch_image *i, const char *path, struct err *e);
	const void *arg; /* of open_file */
};

/* Where things of the partition are; all absolute. */
struct launch_places {
	const char *bundle;  /* with root/, upper/ and work/ */
	const char *volumes; /* <data>/volumes */
	const char *self;    /* our program, for hooks and --init */
};

/*
 * The document, pretty, with a final newline, in the arena. Fills in of `r` what the options and the image
 * say together (command, stop_signal, volumes, anonymous_volumes, …); name, ids, network and ports are there
 * already. Volumes that must be made first are only named. -EINVAL names the option.
 */
int launch_config(const struct launch_opts *o, const struct launch_image *i, const struct launch_places *at,
	struct launch_record *r, struct arena *a, const char **text, size_t *len, struct err *e);

/*
 * USER[:GROUP] of an image or --user: numbers verbatim, 0 to 2^31-1; names from the image's own passwd and
 * group files. Additional groups only if the user is a name and no group was said (conversion.md). Never
 * falls back to root (CVE-2024-40635, CVE-2026-46680).
 */
int launch_user(const char *text, const struct launch_image *i, struct arena *a, struct spec_user *out,
	const char **home, struct err *e);

#endif
