/* SPDX-License-Identifier: Apache-2.0 */
/* The root directory, below which every partition has its own, and the ids in it (see partition.h). */
#include "runtime/partition.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

char *rt_default_root(struct err *e)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	char *path = NULL;

	if (rt_caller() == 0) {
		path = strdup("/run/ringfence");
	} else if (run && *run == '/') {
		if (asprintf(&path, "%s/ringfence", run) < 0)
			path = NULL;
	} else {
		err_text(e, EINVAL,
			"no place for the state of partitions: XDG_RUNTIME_DIR is not set; set it, or give "
			"--root DIR");
		return NULL;
	}
	if (!path)
		err_set(e, ENOMEM, "choose the state directory");
	return path;
}

static int mkdir_parents(const char *path, struct err *e)
{
	char dir[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(dir))
		return err_set(e, ENAMETOOLONG, "make directory %s", path);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(dir, path, i);
		dir[i] = '\0';
		if (mkdir(dir, i == len ? 0700 : 0755) < 0 && errno != EEXIST)
			return err_set(e, errno, "make directory %s for the state of partitions", dir);
	}
	return 0;
}

int rt_root_open(const struct rt_ctx *ctx, bool create, struct err *e)
{
	_cleanup_free_ char *chosen = NULL;
	const char *root = ctx->root;
	int fd, r;

	if (!root) {
		root = chosen = rt_default_root(e);
		if (!root)
			return -(e && e->code ? e->code : EINVAL);
	}
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && create) {
		r = mkdir_parents(root, e);
		if (r < 0)
			return r;
		fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return err_set(e, errno, "open the state directory %s", root);
	return fd;
}

char *rt_root_tag(const struct rt_ctx *ctx, struct err *e)
{
	_cleanup_free_ char *fallback = NULL, *absolute = NULL;
	char clean[PATH_MAX], *tag = NULL;
	int r;

	if (ctx->root) {
		absolute = path_absolute(ctx->root);
		if (!absolute) {
			err_set(e, errno, "the state directory %s: find out where the working directory is",
				ctx->root);
			return NULL;
		}
		r = path_clean(absolute, clean, sizeof(clean));
		if (r < 0) {
			err_set(e, -r, "the state directory %s", absolute);
			return NULL;
		}
		fallback = rt_default_root(NULL);
	}
	if (!ctx->root || (fallback && str_eq(clean, fallback)))
		tag = strdup("");
	else if (asprintf(&tag, "%08x", (unsigned int)XXH3_64bits(clean, strlen(clean))) < 0)
		tag = NULL;
	if (!tag)
		err_set(e, ENOMEM, "name the state directory");
	return tag;
}

int rt_check_id(const char *id, struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
	size_t n = strlen(id);

	if (n == 0)
		return err_text(e, EINVAL, "container id is empty");
	if (n > RT_ID_MAX || strspn(id, allowed) != n || id[0] == '.')
		return err_text(e, EINVAL,
			"invalid container id \"%.64s\": use up to %d letters, digits, '_', '+', '-' and "
			"'.', not starting with '.'",
			id, RT_ID_MAX);
	return 0;
}
