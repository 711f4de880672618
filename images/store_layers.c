/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacked layers: whether one is there, and how it comes to be (see store.h; unpack.h does the work). */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "images/roots.h"
#include "images/store_internal.h"
#include "images/transfer.h"
#include "images/unpack.h"

#define OVERLAY_MAX    500 /* OVL_MAX_STACK of the kernel (fs/overlayfs/params.h) */
#define LAYER_NAME_MAX 144

/* --- layer.json --------------------------------------------------------------------------------- */

static int optional_digest(const struct json *j, struct img_digest *out, struct err *e)
{
	const char *text;
	int r;

	out->text[0] = '\0';
	if (!j)
		return 0;
	r = json_as_string(j, "parent", &text, e);
	return r < 0 ? r : img_digest_parse(text, out, e);
}

static int required_i64(const struct json *obj, const char *name, int64_t *out, struct err *e)
{
	const struct json *j = json_get(obj, name);

	return j ? json_as_i64(j, name, out, e) : err_text(e, EINVAL, "%s is missing", name);
}

int st_layer_read(int dir, const char *what, struct img_layer *out, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_free_ char *text = NULL;
	struct img_layer l = { 0 };
	const struct json *j;
	const char *diff_id = "";
	struct stat st;
	size_t len;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "layer %s", what);
	r = fd_read_at(dir, ST_LAYER_JSON, 65536, &text, &len);
	if (r < 0)
		return err_set(e, r, "read " ST_LAYER_JSON " of layer %s", what);
	r = json_parse(a, text, len, ST_LAYER_JSON, &j, e);
	if (r == 0 && json_get(j, "diffID"))
		r = json_as_string(json_get(j, "diffID"), "diffID", &diff_id, e);
	if (r == 0)
		r = img_digest_parse(diff_id, &l.diff_id, e);
	if (r == 0)
		r = optional_digest(json_get(j, "parent"), &l.parent, e);
	if (r == 0)
		r = required_i64(j, "bytes", &l.bytes, e);
	if (r == 0)
		r = required_i64(j, "entries", &l.entries, e);
	if (r == 0)
		r = required_i64(j, "leftOut", &l.left_out, e);
	if (r == 0 && json_get(j, "rootless"))
		r = json_as_bool(json_get(j, "rootless"), "rootless", &l.rootless, e);
	if (r == 0 && json_get(j, "noOwners"))
		r = json_as_bool(json_get(j, "noOwners"), "noOwners", &l.no_owners, e);
	if (r < 0) {
		err_wrap(e, "layer %s", what);
		return -EBADMSG;
	}
	if (fstatat(dir, IMG_LAYER_EROFS, &st, AT_SYMLINK_NOFOLLOW) == 0)
		l.erofs_bytes = st.st_size;
	if (fstatat(dir, IMG_ROOT_EROFS, &st, AT_SYMLINK_NOFOLLOW) == 0)
		l.erofs_bytes += st.st_size;
	*out = l;
	return 0;
}

static int write_layer_json(int dir, const struct img_layer *l, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	_cleanup_close_ int fd = -EBADF;
	const char *text;
	size_t len;
	int r;

	if (!w)
		return err_set(e, ENOMEM, "write " ST_LAYER_JSON);
	json_open_object(w, NULL);
	json_put_string(w, "diffID", l->diff_id.text);
	if (l->parent.text[0])
		json_put_string(w, "parent", l->parent.text);
	json_put_i64(w, "bytes", l->bytes);
	json_put_i64(w, "entries", l->entries);
	json_put_i64(w, "leftOut", l->left_out);
	json_put_bool(w, "rootless", l->rootless);
	json_put_bool(w, "noOwners", l->no_owners);
	json_close_object(w);
	text = json_writer_text(w, &len);
	if (!text)
		return err_set(e, ENOMEM, "write " ST_LAYER_JSON);
	fd = openat(dir, ST_LAYER_JSON, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : fd_write_all(fd, text, len);
	return r < 0 ? err_set(e, r, "write " ST_LAYER_JSON) : 0;
}

int img_layer_open(
	struct img_store *s, const struct img_digest *chain_id, struct img_layer *info, struct err *e)
{
	_cleanup_close_ int dir = -EBADF, diff = -EBADF;
	struct img_layer l;
	int r;

	dir = openat(s->layers, img_digest_hex(chain_id), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT)
		return err_text(e, ENOENT, "layer %s is not unpacked", chain_id->text);
	if (dir < 0)
		return err_set(e, errno, "open layer %s", chain_id->text);
	r = st_layer_read(dir, chain_id->text, &l, e);
	if (r < 0) {
		err_hint(e, "see \"ringfence store check\"");
		return r;
	}
	diff = openat(dir, "diff", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (diff < 0)
		return err_set(e, errno, "open layer %s", chain_id->text);
	if (info)
		*info = l;
	return TAKE_FD(diff);
}

/* --- unpacking ---------------------------------------------------------------------------------- */

struct job {
	struct img_store *s;
	const struct img_image *image;
	struct img_progress *progress;
	int *diffs; /* of the layers so far, base first */
	size_t n;   /* the one that is being unpacked */
	struct img_digest chain, parent;
	int blob;
	bool rootless;
};

static ssize_t read_blob(void *arg, void *buf, size_t size)
{
	const struct job *j = arg;
	ssize_t n;

	do {
		n = read(j->blob, buf, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static bool tell_progress(void *arg, int64_t packed)
{
	const struct job *j = arg;

	if (j->progress)
		j->progress->at(j->progress, (int)j->n, packed);
	return false;
}

/*
 * Without root's powers (a user's store, or root in a user namespace) there are no trusted.* attributes, and
 * what goes with them. Asked of the kernel, for an effective user id of 0 says little.
 */
static bool is_rootless(int dir)
{
	static const char probe[] = "trusted.ringfence.probe";

	if (fsetxattr(dir, probe, "", 0, 0) == 0) {
		fremovexattr(dir, probe);
		return false;
	}
	return errno != EOPNOTSUPP || geteuid() != 0;
}

/* Into `dir`, which is in tmp/: diff/, then layer.json. */
static int fill(struct job *j, int dir, struct err *e)
{
	_cleanup_close_ int diff = -EBADF;
	_cleanup_free_ int *lowers = NULL;
	struct img_unpacked got;
	struct img_unpack u = {
		.read = read_blob,
		.arg = j,
		.tick = tell_progress,
		.tick_arg = j,
		.n_lowers = j->n,
		.diff_id = j->image->config.diff_ids[j->n],
	};
	struct img_layer l;
	int r;

	if (mkdirat(dir, "diff", 0700) < 0)
		return err_set(e, errno, "make a directory in %s/tmp", j->s->path);
	diff = openat(dir, "diff", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	lowers = calloc(j->n + 1, sizeof(*lowers));
	if (diff < 0 || !lowers)
		return err_set(e, errno, "open a directory in %s/tmp", j->s->path);
	for (size_t i = 0; i < j->n; i++)
		lowers[i] = j->diffs[j->n - 1 - i];
	u.dir = diff;
	u.lowers = lowers;
	u.rootless = is_rootless(diff);
	u.no_owners = geteuid() != 0;
	r = img_unpack(&u, &got, e);
	if (r < 0)
		return r;
	l = (struct img_layer){ .diff_id = got.diff_id,
		.parent = j->parent,
		.bytes = got.tree.bytes,
		.entries = got.tree.entries,
		.left_out = got.left_out,
		.rootless = u.rootless,
		.no_owners = u.no_owners };
	r = write_layer_json(dir, &l, e);
	/* Once for all of it, and before it has its name. */
	if (r == 0 && syncfs(dir) < 0)
		return err_set(e, errno, "sync image store %s", j->s->path);
	return r;
}

/*
 * The layer that is unpacked as this one, if it is. A ChainID is a digest like any other: an image that gives
 * another's as its first layer's diff_id would get what is no base layer, and was never compared with its
 * own. -EEXIST.
 */
static int open_unpacked(const struct job *j, struct err *e)
{
	const struct img_digest *diff_id = &j->image->config.diff_ids[j->n];
	struct img_layer l;
	int fd = img_layer_open(j->s, &j->chain, &l, e);

	if (fd < 0 || (img_digest_eq(&l.diff_id, diff_id) && str_eq(l.parent.text, j->parent.text)))
		return fd;
	fd_close(fd);
	return err_text(e, EEXIST,
		"layer %zu: its diff_id %s is the ChainID of another image's layer: the config is forged",
		j->n, diff_id->text);
}

/* Gives tmp/name its name. Somebody may have been quicker; a wreck may be in the way. */
static int give_name(struct job *j, const char *name, struct err *e)
{
	const char *hex = img_digest_hex(&j->chain);

	for (int i = 0; i < 2; i++) {
		_cleanup_close_ int there = -EBADF;
		int r;

		if (renameat(j->s->tmp, name, j->s->layers, hex) == 0)
			return 0;
		if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
			break;
		there = open_unpacked(j, NULL);
		if (there >= 0)
			return img_tree_remove(j->s->tmp, name, e);
		if (there == -EEXIST)
			return open_unpacked(j, e);
		r = st_layer_remove(j->s, hex, e);
		if (r < 0)
			return r;
	}
	return err_set(e, errno, "name layer %s in image store %s", j->chain.text, j->s->path);
}

static int unpack_into_tmp(struct job *j, struct err *e)
{
	_cleanup_close_ int dir = -EBADF;
	char name[ST_TMP_NAME_MAX];
	int r;

	st_tmp_name(j->s, "layer", name);
	if (mkdirat(j->s->tmp, name, 0700) < 0)
		return err_set(e, errno, "make a directory in %s/tmp", j->s->path);
	dir = openat(j->s->tmp, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? err_set(e, errno, "open a directory in %s/tmp", j->s->path) : fill(j, dir, e);
	if (r == 0)
		r = give_name(j, name, e);
	if (r < 0) {
		(void)img_tree_remove(j->s->tmp, name, NULL);
		if (r == -ENOSPC || r == -EDQUOT)
			err_hint(e, "\"ringfence prune\" removes what is not needed");
	}
	return r;
}

/* One process a layer; the others wait, and find it done. */
static int unpack_one(struct job *j, struct err *e)
{
	char lock_name[LAYER_NAME_MAX];
	_cleanup_close_ int lock = -EBADF;
	int fd, r;

	snprintf(lock_name, sizeof(lock_name), "unpacking-%s", img_digest_hex(&j->chain));
	lock = openat(j->s->tmp, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = lock < 0 ? -errno : st_flock(lock, LOCK_EX, -1);
	if (r < 0)
		return err_set(e, r, "lock layer %s", j->chain.text);
	fd = open_unpacked(j, NULL);
	if (fd < 0) {
		r = unpack_into_tmp(j, e);
		fd = r < 0 ? r : open_unpacked(j, e);
	}
	unlinkat(j->s->tmp, lock_name, 0);
	return fd;
}

static int do_layer(struct job *j, struct err *e)
{
	const struct img_descriptor *d = &j->image->manifest.layers[j->n];
	struct img_progress *p = j->progress;
	int fd = open_unpacked(j, NULL);

	if (fd >= 0)
		return fd;
	if (fd == -EEXIST)
		return open_unpacked(j, e);
	j->blob = img_blob_open(j->s, &d->digest, e);
	if (j->blob < 0) {
		fd = j->blob;
		err_wrap(e, "layer %zu", j->n);
		return fd;
	}
	if (p) {
		char what[IMG_DIGEST_MAX + 16];

		snprintf(what, sizeof(what), "layer %s", d->digest.text);
		p->begin(p, (int)j->n, what, d->size);
	}
	fd = unpack_one(j, e);
	j->blob = fd_close(j->blob);
	if (p)
		p->end(p, (int)j->n, fd < 0 ? "failed" : "unpacked");
	if (fd < 0)
		err_wrap(e, "layer %zu (%s)", j->n, d->digest.text);
	return fd;
}

/* A descriptor for each layer, and some. */
static void allow_descriptors(size_t n)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur >= n + 128)
		return;
	lim.rlim_cur = lim.rlim_max < n + 128 ? lim.rlim_max : n + 128;
	(void)setrlimit(RLIMIT_NOFILE, &lim);
}

/* To layer n from those before it, whose ChainID is in j->chain. */
static void next_chain(struct job *j)
{
	const struct img_digest *diff_id = &j->image->config.diff_ids[j->n];

	j->parent = j->chain;
	if (j->n == 0)
		j->chain = *diff_id;
	else
		img_chain_next(&j->chain, diff_id);
}

static int begin(struct job *j, struct err *e)
{
	size_t n = j->image->manifest.n_layers;

	if (n > OVERLAY_MAX)
		return err_text(e, E2BIG, "image has %zu layers, and overlayfs takes no more than %d", n,
			OVERLAY_MAX);
	j->diffs = calloc(n + 1, sizeof(*j->diffs));
	if (!j->diffs)
		return err_set(e, ENOMEM, "unpack image");
	allow_descriptors(n);
	return 0;
}

static void end(struct job *j)
{
	for (size_t i = 0; i < j->n; i++)
		fd_close(j->diffs[i]);
	free(j->diffs);
}

int img_layer_unpack(struct img_store *s, const struct img_image *image, size_t n,
	struct img_progress *progress, struct err *e)
{
	struct job j = { .s = s, .image = image, .progress = progress, .blob = -EBADF };
	int r = begin(&j, e);

	if (r < 0)
		return r;
	for (next_chain(&j); j.n < n && r >= 0; next_chain(&j)) {
		r = open_unpacked(&j, e);
		j.diffs[j.n++] = r;
	}
	if (r >= 0) {
		r = do_layer(&j, e);
		fd_close(r);
	}
	end(&j);
	return r < 0 ? r : 0;
}

int img_layers_unpack(
	struct img_store *s, const struct img_image *image, struct img_progress *progress, struct err *e)
{
	struct job j = { .s = s, .image = image, .progress = progress, .blob = -EBADF };
	int r = begin(&j, e);

	if (r < 0)
		return r;
	while (r >= 0 && j.n < image->manifest.n_layers) {
		next_chain(&j);
		r = do_layer(&j, e);
		j.diffs[j.n++] = r;
	}
	end(&j);
	return r < 0 ? r : 0;
}
