/* SPDX-License-Identifier: Apache-2.0 */
/* The eight namespaces: what to create, what to join, id maps, clock offsets. */
#ifndef NAMESPACES_NS_H
#define NAMESPACES_NS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "spec/spec.h"

/* CLONE_NEW* of the namespaces that the spec lists without a path. */
uint64_t ns_new_flags(const struct spec *s);

/* True if that process is in the same namespace of this kind as we are. */
bool ns_is_of(pid_t pid, enum spec_ns kind);

/* True if a user namespace other than the runtime's own is created or joined. */
bool ns_has_user(const struct spec *s);

/* Is the partition's namespace of that kind the runtime's own, not listed or by path? */
bool ns_is_ours(const struct spec *s, enum spec_ns kind);

/* Refuses what would change the host in a namespace that is its own: its name, or its network devices. */
int ns_check_ours(const struct spec *s, struct err *e);

/*
 * Opens every namespace that is given by path (O_RDONLY|O_CLOEXEC, in the parent, with the host's view of the
 * path) and checks with NS_GET_NSTYPE that it is an nsfs file of that type; anything else is -EINVAL, naming
 * the path. fds[kind] is -1 where there is no path. A path that names the runtime's own user namespace is
 * closed again and left -1 (joining it is EINVAL).
 */
int ns_open_paths(const struct spec *s, int fds[SPEC_NS_KINDS], struct err *e);
void ns_close(int fds[SPEC_NS_KINDS]);

/* setns(2) to one of them. */
int ns_join(int fd, enum spec_ns kind, struct err *e);

/*
 * Joins all that are open, in an order that works: with privilege over the target the user namespace comes
 * last of those that need the old one's rights, else first; the mount namespace last of all since paths
 * change their meaning. PID and time only act on children.
 */
int ns_join_all(const int fds[SPEC_NS_KINDS], struct err *e);

/*
 * Writes uid_map, gid_map and setgroups of the new user namespace that `pid` is in. As root (or with one's
 * own single id) directly; otherwise through newuidmap(1) and newgidmap(1) (absolute paths only, empty
 * environment). Deny of setgroups where the kernel asks for it. The text of an error names the map and
 * /etc/subuid or the missing package. `settle`: nobody asked for more than the first line, which is one's own
 * id; where the helper refuses the rest, that one must do.
 */
int ns_write_maps(pid_t pid, const struct spec_id_map *uid, size_t n_uid, const struct spec_id_map *gid,
	size_t n_gid, bool settle, struct err *e);
bool ns_has_map_helpers(void);
/* A user namespace that has these maps and nothing else, for MOUNT_ATTR_IDMAP (mount_setattr(2)): an fd,
 * O_CLOEXEC. `what` is what is to be mapped, for errors. */
int ns_map_userns(const struct spec_id_map *uid, size_t n_uid, const struct spec_id_map *gid, size_t n_gid,
	const char *what, struct err *e);

/* The maps of a user namespace. */
struct ns_maps {
	struct spec_id_map *uid, *gid;
	size_t n_uid, n_gid;
};

/*
 * Those of a namespace that is there (userns_fd; -1: our own), as seen from our own user namespace; the lists
 * are `a`'s. Forks a process into it, for the kernel shows maps by process.
 */
int ns_read_maps(int userns_fd, struct arena *a, struct ns_maps *out, struct err *e);

/* Do two lists say the same, in whatever order and in however many pieces? */
bool ns_same_map(const struct spec_id_map *a, size_t n_a, const struct spec_id_map *b, size_t n_b,
	struct arena *arena);

/*
 * A config that names a user namespace by path and maps as well, as containerd and CRI-O write it for pods:
 * -EINVAL unless the maps are those that the namespace has.
 */
int ns_check_maps(const struct spec *s, const struct ns_maps *there, struct arena *a, struct err *e);

/* The host id that a container id has, through a map; -1 if it has none. An empty map is the identity. */
int64_t ns_map_to_host(const struct spec_id_map *map, size_t n, uint32_t container_id);

/*
 * unshare(CLONE_NEWTIME) and the offsets, in the parent: only children born afterwards are in it. *saved is
 * an fd of the time namespace that children had before; ns_time_restore() goes back to it, so that hooks of
 * the runtime see the host's clocks.
 */
int ns_time_prepare(const struct spec *s, int *saved, struct err *e);
int ns_time_restore(int saved, struct err *e);

#endif
