/* SPDX-License-Identifier: Apache-2.0 */
/* The data directory: where it is, its parts, and the image store's default place in it. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "launch/record.h"
#include "runtime/partition.h"

#define DEFAULT_DATA "/var/lib/ringfence"

/* As images/roots.c has it, which knows the store as "store" in this directory. */
static char *data_path(const struct launch_ctx *ctx)
{
	const char *given = ctx->data && *ctx->data ? ctx->data : getenv("RINGFENCE_DATA"), *home;
	char *path = NULL;

	if (given && *given)
		return path_absolute(given);
	if (rt_caller() == 0)
		return strdup(DEFAULT_DATA);
	home = getenv("XDG_DATA_HOME");
	if (home && *home == '/')
		return asprintf(&path, "%s/ringfence", home) < 0 ? NULL : path;
	home = getenv("HOME");
	if (!home || *home != '/') {
		errno = ENOENT;
		return NULL;
	}
	return asprintf(&path, "%s/.local/share/ringfence", home) < 0 ? NULL : path;
}

static int find_data(const struct launch_ctx *ctx, char **out, struct err *e)
{
	*out = data_path(ctx);
	if (*out)
		return 0;
	if (errno == ENOENT)
		return err_text(e, ENOENT, "no place for partitions: HOME is not set; say --data DIR");
	return err_set(e, errno, "data directory");
}

/* Somebody else's would change under us, and what is launched out of it runs with our rights. */
static int check_owner(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "data directory %s", path);
	if (st.st_uid != rt_caller())
		return err_text(e, EPERM,
			"data directory %s belongs to user %u, not to you; choose another one with --data",
			path, (unsigned int)st.st_uid);
	if (st.st_mode & 022)
		return err_text(e, EPERM,
			"data directory %s can be written to by others; take that away with chmod go-w",
			path);
	return 0;
}

static int open_top(const char *path, bool create, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0 && errno == ENOENT && create) {
		r = path_make(path, 0700, e);
		if (r < 0)
			return r;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return err_set(e, errno, "data directory %s", path);
	r = check_owner(fd, path, e);
	return r < 0 ? r : TAKE_FD(fd);
}

int launch_data_open(const struct launch_ctx *ctx, const char *sub, bool create, struct arena *a,
	const char **path, struct err *e)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int top = -EBADF;
	int fd, r = find_data(ctx, &data, e);
	const char *whole = NULL;

	if (r < 0)
		return r;
	if (path) {
		whole = arena_printf(a, "%s/%s", data, sub);
		if (!whole)
			return err_set(e, ENOMEM, "%s/%s", data, sub);
	}
	top = open_top(data, create, e);
	if (top < 0)
		return top;
	fd = openat(top, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && create) {
		if (mkdirat(top, sub, 0700) < 0 && errno != EEXIST)
			return err_set(e, errno, "make %s/%s", data, sub);
		fd = openat(top, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return err_set(e, errno, "open %s/%s", data, sub);
	if (path)
		*path = whole;
	return fd;
}

int launch_store_path(const struct launch_ctx *ctx, struct arena *a, const char **out, struct err *e)
{
	const char *given = ctx->store && *ctx->store ? ctx->store : getenv("RINGFENCE_STORE");
	_cleanup_free_ char *path = NULL;
	int r;

	if (given && *given) {
		path = path_absolute(given);
		if (!path)
			return err_set(e, errno, "image store %s", given);
		*out = arena_strdup(a, path);
	} else {
		r = find_data(ctx, &path, e);
		if (r < 0)
			return r;
		*out = arena_printf(a, "%s/store", path);
	}
	return *out ? 0 : err_set(e, ENOMEM, "image store");
}
