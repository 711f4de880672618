/* SPDX-License-Identifier: Apache-2.0 */
/* What the store's content takes (see store.h). */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "images/store_internal.h"

struct count {
	struct img_store *s;
	struct img_usage *u;
	int dir;
};

static int count_blob(const char *name, void *arg, struct err *e)
{
	struct count *c = arg;
	struct stat st;

	if (fstatat(c->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
		c->u->blobs++;
		c->u->blob_bytes += st.st_size;
	}
	return 0;
}

static int count_layer(const char *name, void *arg, struct err *e)
{
	struct count *c = arg;
	struct img_layer layer;
	_cleanup_close_ int fd = openat(c->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && st_layer_read(fd, name, &layer, NULL) == 0) {
		c->u->layers++;
		c->u->layer_bytes += layer.bytes + layer.erofs_bytes;
	}
	return 0;
}

static int count_tmp(const char *name, void *arg, struct err *e)
{
	struct count *c = arg;
	struct stat st;

	if (fstatat(c->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (str_starts(name, ST_PARTIAL)) {
		c->u->partials++;
		c->u->partial_bytes += st.st_size;
	} else {
		c->u->other_bytes += st.st_size;
	}
	return 0;
}

int img_store_usage(struct img_store *s, struct img_usage *out, struct err *e)
{
	static const char *const algorithms[] = { "sha256", "sha512" };
	struct img_usage u = { 0 };
	struct count c = { .s = s, .u = &u };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(algorithms); i++) {
		_cleanup_close_ int fd =
			openat(s->blobs, algorithms[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return err_set(e, errno, "read blobs/%s of image store %s", algorithms[i], s->path);
		c.dir = fd;
		r = st_each_name(fd, count_blob, &c, e);
	}
	c.dir = s->layers;
	if (r == 0)
		r = st_each_name(c.dir, count_layer, &c, e);
	c.dir = s->tmp;
	if (r == 0)
		r = st_each_name(c.dir, count_tmp, &c, e);
	if (r == 0)
		*out = u;
	return r;
}
