/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of config*.c share: one of these is filled in, then written. */
#ifndef LAUNCH_CONFIG_INTERNAL_H
#define LAUNCH_CONFIG_INTERNAL_H

#include "base/json.h"
#include "launch/config.h"

/* A growing NULL-terminated vector in an arena. After an out-of-memory `failed` stays set. */
struct cfg_vec {
	char **v;
	size_t n, room;
	bool failed;
};
void cfg_add(struct cfg_vec *v, struct arena *a, const char *s);
void cfg_add_all(struct cfg_vec *v, struct arena *a, char *const *list);

/* Names that a vector has, for vectors as long as an image likes to have them; empty: all zero. */
struct cfg_names {
	size_t *at; /* a hash table: places in the vector + 1 */
	size_t room, n;
};
/*
 * The place of the element that begins with these `len` bytes and then `end`. One that is not there is
 * entered as `v->n`, where the caller adds it now. SIZE_MAX: no memory.
 */
size_t cfg_name(struct cfg_names *t, struct arena *a, const struct cfg_vec *v, const char *name, size_t len,
	char end);

enum cfg_origin {
	CFG_DEFAULT, /* gives way to whatever is wanted at its destination */
	CFG_IMAGE,   /* a Volume of the image: gives way to what an option says */
	CFG_OPTION,
	CFG_LAST, /* over everything */
};

struct cfg_mount {
	enum cfg_origin origin;
	const char *destination; /* clean */
	const char *type, *source;
	struct cfg_vec options;
};

struct cfg_device {
	const char *path, *access; /* inside; "rwm" */
	char type;
	unsigned int major, minor;
	unsigned int mode;
	uint32_t uid, gid;
};

struct cfg {
	const struct launch_opts *o;
	const struct launch_image *i;
	const struct launch_places *at;
	const struct launch_network_plan *net;
	struct launch_record *r;
	struct arena *a;
	struct json_writer *w;

	bool userns;	/* one of our own making, with r->ids */
	bool cgroup_ns; /* see cfg_linux() */
	bool lean; /* cgroups only where they limit something (CGRP_ANNOTATION): v1, and no machine of its own
		    */

	/* process */
	char *const *args;
	struct cfg_vec env;
	struct cfg_names env_names;
	const char *cwd, *home, *hostname;
	struct spec_user user;
	struct spec_rlimit *rlimits;
	size_t n_rlimits;

	/* security */
	uint64_t caps, added; /* of the bounding set; those of them that --cap-add named */
	bool no_new_privileges, seccomp_off;
	const char *seccomp_file, *apparmor, *label;
	struct cfg_vec masked, readonly, sysctl; /* sysctl: key, value, … */

	struct cfg_mount *mounts;
	size_t n_mounts, room_mounts;
	struct cfg_vec volumes, anonymous;

	struct cfg_device *devices;
	size_t n_devices, room_devices;
	int64_t cpu_quota; /* microseconds in CFG_CPU_PERIOD; 0: none */
};

#define CFG_CPU_PERIOD 100000
#define CFG_PATH       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The zone's passwd(5) and group(5). */
extern const char launch_zone_passwd[], launch_zone_group[];

/* A directory, made if it is not there, held; its mode does not depend on the umask. */
int cfg_make_dir(int at, const char *name, mode_t mode, struct err *e);

int cfg_no_memory(struct err *e);

/* Read options and image into the structure … */
int cfg_process(struct cfg *c, struct err *e);
int cfg_security(struct cfg *c, struct err *e);
int cfg_mounts(struct cfg *c, struct err *e);
int cfg_volumes(struct cfg *c, struct err *e); /* called by cfg_mounts() */
int cfg_linux(struct cfg *c, struct err *e);
int cfg_resources(struct cfg *c, struct err *e);
/* … and write it, into the open object of the document or of its member `linux`. */
void cfg_put_process(struct cfg *c);
void cfg_put_mounts(struct cfg *c);
void cfg_put_linux(struct cfg *c);
void cfg_put_resources(struct cfg *c);
void cfg_put_devices(struct cfg *c);
int cfg_put_seccomp(struct cfg *c, struct err *e);
/* seccomp=FILE: runtime-spec's own form, or Docker's, as the section for `caps`. */
int cfg_put_seccomp_file(struct cfg *c, const char *path, struct err *e);

/*
 * A mount that is wanted at `destination`, which is absolute; `option` names it in errors ("-v /a:/b").
 * NULL: no memory, or something of the same or a higher origin is there (*r tells).
 */
struct cfg_mount *cfg_mount(struct cfg *c, enum cfg_origin origin, const char *option,
	const char *destination, const char *type, const char *source, int *r, struct err *e);
/* Splits at `sep` (no quoting); parts may be empty. */
char **cfg_split(struct arena *a, const char *text, char sep, size_t *n);
/* KEY and VALUE of "KEY=VALUE"; false: there is no "=". */
bool cfg_pair(struct arena *a, const char *text, const char **key, const char **value);
/* Comma separated words of --tmpfs into the options of a tmpfs. */
int cfg_tmpfs_options(
	struct cfg *c, struct cfg_mount *m, const char *option, char *const *words, struct err *e);

#endif
