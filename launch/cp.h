/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files between the host and a partition: `ringfence cp`.
 *
 * Theory of operation
 *   The inside is hostile and may race: any component may be a symlink, and may become one between two calls
 * (CVE-2018-15664); programs and libraries in it are somebody else's (CVE-2019-14271, CVE-2019-10152). So
 * nothing of it is executed or loaded, and its mount namespace is not entered either: a descriptor of the
 * partition's root, as /proc/PID/root shows it, leads openat2(RESOLVE_IN_ROOT) through its mounts, volumes
 * and tmpfs included. Of one that does not run, the file systems are mounted as the runtime would, in a mount
 * namespace of our own that goes with us, however we end (cp_root.c).
 *
 *   What is copied goes from a source to a sink: a source is a tree (cp_tree.c) or a tar stream
 * (cp_tar_read.c), a sink a tree (cp_write.c) or a tar stream (cp_tar_write.c). Both are done here and not by
 * ringfence-image: tar is a small format, and so a stream passes the same checks as a tree, in one process
 * that nobody has to hand descriptors to, with no library that parses what the inside wrote. Compressed
 * streams are refused, with the filter that helps.
 *
 *   Devices and sockets are never opened. They are not made in a tree, on neither side: a device node with a
 * mode of the partition's choice would give every user of the host what the partition was not given. File
 * systems of the kernel (proc, sysfs, cgroups, …) are neither read nor written: a write that is harmless
 * inside is done by the host's root here. On the host's side no set-user-id or set-group-id bit and no file
 * capability arrives. A tar stream has them all: it is data, and whoever extracts it decides.
 *
 *   Ids are the container's. What is copied in belongs to the partition's root, what is copied out to the
 * caller; with `archive` both keep their numbers. Extended attributes of the user.* kind are copied, and
 * security.capability inwards and into streams with `archive`; access control lists are not.
 */
#ifndef LAUNCH_CP_H
#define LAUNCH_CP_H

#include "launch/launch.h"

struct launch_cp_opts {
	bool archive;	/* -a: owners and file capabilities too */
	bool follow;	/* -L: a symlink that was named as the source is followed */
	bool overwrite; /* a directory may take the place of a file, and the other way round */
};

/* What was done. */
struct launch_cp_report {
	uint64_t files, skipped;
	char first[256]; /* the first thing that was skipped, and why; escaped for a terminal */
};

/*
 * One of `from` and `to` is NAME:PATH, the other a path of the host or "-", a tar stream on stdin or stdout.
 * A path that begins with '/' or '.' is the host's, whatever colons it has. Destinations as with docker and
 * podman: an existing directory gets the source below it, unless the source ends in "/."; a missing one is
 * made if its parent is there; a trailing slash demands a directory.
 */
int launch_cp(const struct launch_ctx *ctx, const char *from, const char *to, const struct launch_cp_opts *o,
	struct launch_cp_report *report, struct err *e);

#endif
