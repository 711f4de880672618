/* SPDX-License-Identifier: Apache-2.0 */
/* Which range of user ids a partition gets (see ids.h): what --userns says, and the data directory's part. */
#include "launch/ids.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/path.h"
#include "launch/ids_internal.h"
#include "runtime/partition.h"

int launch_ids_take(const struct launch_ctx *ctx, const char *name, int64_t *first, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_close_ int ids = -EBADF, partitions = -EBADF;
	struct ids_grants g;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "take a range of user ids");
	r = ids_grants_read("/etc/subuid", "/etc/subgid", a, &g, e);
	if (r < 0)
		return r;
	ids = launch_data_open(ctx, "ids", true, a, NULL, e);
	if (ids < 0)
		return ids;
	partitions = launch_data_open(ctx, "partitions", true, a, NULL, e);
	if (partitions < 0)
		return partitions;
	return ids_take_at(ids, partitions, &g, name, first, e);
}

/* `first` -1: all. */
static int give_back(const struct launch_ctx *ctx, const char *name, int64_t first, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_close_ int ids = -EBADF;

	if (!a)
		return err_set(e, ENOMEM, "give back a range of user ids");
	ids = launch_data_open(ctx, "ids", false, a, NULL, e);
	if (ids == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (ids < 0)
		return TAKE_FD(ids);
	return first < 0 ? ids_give_back_all_at(ids, name, e) : ids_give_back_at(ids, name, first, e);
}

int launch_ids_give_back(const struct launch_ctx *ctx, const char *name, int64_t first, struct err *e)
{
	return first < 0 ? 0 : give_back(ctx, name, first, e);
}

int launch_ids_give_back_all(const struct launch_ctx *ctx, const char *name, struct err *e)
{
	return give_back(ctx, name, -1, e);
}

int launch_ids_rename(
	const struct launch_ctx *ctx, const char *old, const char *name, int64_t first, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_close_ int ids = -EBADF;

	if (first < 0)
		return 0;
	if (!a)
		return err_set(e, ENOMEM, "rename a range of user ids");
	ids = launch_data_open(ctx, "ids", false, a, NULL, e);
	return ids < 0 ? ids : ids_rename_at(ids, old, name, first, e);
}

/* UID:SIZE, of which a root file system and its accounts need some. */
static int explicit_range(const char *text, int64_t *first, uint32_t *n, struct err *e)
{
	const char *colon = strchr(text, ':');
	char uid[16];
	uint32_t from, size;
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (!colon || len == 0 || len >= sizeof(uid))
		return err_text(e, EINVAL, "--userns %.100s: must be auto, host or UID:SIZE", text);
	memcpy(uid, text, len);
	uid[len] = '\0';
	if (str_to_u32(uid, &from) < 0 || str_to_u32(colon + 1, &size) < 0 || size == 0)
		return err_text(e, EINVAL, "--userns %.100s: must be auto, host or UID:SIZE", text);
	/* One that begins at 0 would be the host's own root. */
	if (from == 0)
		return err_text(e, EINVAL,
			"--userns %.100s: the range would begin with the host's root; that is --userns host",
			text);
	if ((uint64_t)from + size > INT32_MAX)
		return err_text(e, EINVAL, "--userns %.100s: goes beyond the last id, 2147483647", text);
	*first = from;
	*n = size;
	return 0;
}

int launch_ids_choose(const struct launch_ctx *ctx, const char *userns, const char *name, int64_t *first,
	uint32_t *n, struct err *e)
{
	bool automatic = !userns || str_eq(userns, "auto");
	int r;

	if (userns && str_eq(userns, "host")) {
		*first = -1;
		*n = 0;
		return 0;
	}
	if (!automatic) {
		r = explicit_range(userns, first, n, e);
		if (r < 0)
			return r;
	}
	if (geteuid() != 0) {
		if (userns)
			return err_text(e, EPERM,
				"--userns %.100s needs root; a user's partition has a user namespace of its "
				"own anyway, with "
				"the ids that /etc/subuid grants",
				userns);
		*first = -1;
		*n = 0;
		return 0;
	}
	if (!launch_ids_usable(ctx)) {
		if (userns)
			return err_text(e, EOPNOTSUPP,
				"--userns %.100s: this host has no user namespaces, or the file system of "
				"the data "
				"directory cannot be mounted with its ids mapped; --userns host goes without",
				userns);
		log_warn("partition \"%s\" gets no user namespace: this host has none, or the file system of "
			 "the data "
			 "directory cannot be mounted with its ids mapped; --userns auto insists on one",
			name);
		*first = -1;
		*n = 0;
		return 0;
	}
	if (!automatic)
		return 0;
	r = launch_ids_take(ctx, name, first, e);
	if (r == 0)
		*n = LAUNCH_IDS;
	return r;
}

/*
 * To try takes a process of its own and as long as a fifth of a start. That it went well is remembered in the
 * runtime's directory, which a boot empties, for the file system that it was tried on; that it did not,
 * never.
 */
bool launch_ids_usable(const struct launch_ctx *ctx)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_close_ int fd = -EBADF, root = -EBADF, made = -EBADF;
	char marker[64];
	const char *path;
	struct stat st;

	if (!a || geteuid() != 0)
		return false;
	fd = launch_data_open(ctx, "partitions", true, a, &path, NULL);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	snprintf(marker, sizeof(marker), ".mappable-%u:%u", major(st.st_dev), minor(st.st_dev));
	root = rt_root_open(ctx->rt, false, NULL);
	if (root >= 0 && fstatat(root, marker, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	if (!launch_ids_can_map(path))
		return false;
	if (root >= 0)
		made = openat(root, marker, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return true;
}
