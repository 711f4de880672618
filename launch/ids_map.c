/* SPDX-License-Identifier: Apache-2.0 */
/* Can a place be mounted with its ids mapped? By trying, in a mount that is attached nowhere. */
#include "base/fd.h"
#include "launch/ids.h"
#include "namespaces/mount_calls.h"
#include "namespaces/ns.h"

bool launch_ids_can_map(const char *path)
{
	static const struct spec_id_map map = { .container_id = 0, .host_id = 524288, .size = LAUNCH_IDS };
	_cleanup_close_ int userns = ns_map_userns(&map, 1, &map, 1, path, NULL), tree = -EBADF;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };

	if (userns < 0)
		return false;
	tree = sys_clone_tree(AT_FDCWD, path, 0);
	if (tree < 0)
		return false;
	attr.userns_fd = (uint64_t)userns;
	return sys_mount_setattr(tree, "", 0, &attr) == 0;
}
