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

#include "launch/network.h"
#include "launch/record.h"

/* What launch needs of an image, from images/roots.h; or the host's own root. */
struct launch_image {
	bool host; /* the sparse-root zone: no layers; /usr and its kin are bound read-only */
	const char *name, *target, *id;
	char *const *lower;	/* absolute paths of unpacked layers, top first */
	const char *root_image; /* all of it as one EROFS image; NULL: there is none, or none is wanted */
	bool userxattr;		/* the layers are of a user that is not root */
	char *const *env, *const *entrypoint, *const *cmd, *const *exposed_ports, *const *volumes;
	char *const *labels; /* "key", "value", …, NULL */
	const char *user, *working_dir, *stop_signal;
	const char *author, *created, *os, *architecture, *variant;
	/* A regular file of it, as the partition would see it: an fd, or -ENOENT. For passwd and group. */
	int (*open_file)(const struct launch_image *i, const char *path, struct err *e);
	const void *arg; /* of open_file */
};

/* Where things of the partition are; all absolute, but for what may be NULL. */
struct launch_places {
	const char *bundle;	    /* with root/, upper/ and work/; etc/ (launch_etc_write()) */
	const char *host;	    /* the lower directory of the zone "host" (host.h), or NULL */
	const char *volumes;	    /* <data>/volumes */
	const char *self;	    /* our program, for hooks */
	const char *data, *rt_root; /* --data and --root of the hooks; rt_root NULL: the default */
	bool rootless;		    /* not root: the runtime adds a user namespace of its own */
};

/*
 * The document, pretty, with a final newline, in the arena. Fills in of `r` what the options and the image
 * say together: command, detach, interactive, tty, rm, boot, restart, restart_max, log_max, stop_signal,
 * stop_timeout, volumes, anonymous_volumes, labels; name, ids, n_ids, network, ports and dns are there
 * already. Volumes that must be made first are only named (launch_volumes_make()). -EINVAL names the option.
 */
int launch_config(const struct launch_opts *o, const struct launch_image *i, const struct launch_places *at,
	const struct launch_network_plan *net, struct launch_record *r, struct arena *a, const char **text,
	size_t *len, struct err *e);

/* "no", "on-failure[:N]", "always", "unless-stopped"; NULL: no. *max 0: no limit. */
int launch_restart_parse(const char *text, enum launch_restart *out, int *max, struct err *e);

/*
 * What is bound on /etc/hosts, /etc/hostname and /etc/resolv.conf: <bundle>/etc/NAME. `address`: the
 * partition's own, or NULL while it has none (then the network hook adds the line to etc/hosts).
 */
int launch_etc_write(int bundle, const struct launch_opts *o, const struct launch_record *r,
	const char *address, struct err *e);

/* Makes those of r->volumes that are not there: NAME/_data below `volumes` (<data>/volumes). */
int launch_volumes_make(int volumes, const struct launch_record *r, struct err *e);

/*
 * Fills those volumes of the document that are empty (and not "nocopy") with what the image has where they
 * are mounted, owners and modes included. After launch_volumes_make().
 */
int launch_volumes_fill(const struct launch_places *at, const struct launch_image *i, const char *config,
	size_t len, struct err *e);

/*
 * USER[:GROUP] of an image or --user: numbers verbatim, 0 to 2^31-1; names from the image's own passwd and
 * group files. Additional groups only if the user is a name and no group was said (conversion.md). Never
 * falls back to root (CVE-2024-40635, CVE-2026-46680).
 */
int launch_user(const char *text, const struct launch_image *i, struct arena *a, struct spec_user *out,
	const char **home, struct err *e);

#endif
