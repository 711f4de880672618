/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the whole store back, and repairing it (see store.h). */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "images/roots.h"
#include "images/store_internal.h"
#include "images/unpack.h"

struct check {
	struct img_store *s;
	bool repair;
	void (*found)(const char *text, void *arg);
	void *arg;
	int faults;
	const char *algorithm;
	int dir;
};

static void fault(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void fault(struct check *c, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX + 200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->faults++;
	if (c->found)
		c->found(text, c->arg);
}

/* --- blobs -------------------------------------------------------------------------------------- */

int st_hash_file(int fd, const struct img_digest *like, struct img_digest *out)
{
	_cleanup_(img_hash_freep) struct img_hash *h = img_hash_new(like);
	_cleanup_free_ char *buf = malloc(256 * 1024);

	if (!h || !buf)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, buf, 256 * 1024);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		img_hash_add(h, buf, (size_t)n);
	}
	img_hash_end(h, out);
	return 0;
}

static int check_blob(const char *name, void *arg, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	struct check *c = arg;
	struct img_digest want, got;
	char text[NAME_MAX + 16];
	int r;

	snprintf(text, sizeof(text), "%s:%s", c->algorithm, name);
	if (img_digest_parse(text, &want, NULL) < 0)
		return 0;
	fd = img_blob_open(c->s, &want, e);
	if (fd == -EBADMSG) {
		fault(c, "blob %s is no regular file", text);
		return c->repair ? img_tree_remove(c->dir, name, e) : 0;
	}
	if (fd < 0)
		return fd;
	r = st_hash_file(fd, &want, &got);
	if (r == -EIO)
		snprintf(got.text, sizeof(got.text), "not readable");
	else if (r < 0)
		return err_set(e, r, "read blob %s", text);
	else if (img_digest_eq(&got, &want))
		return 0;
	fault(c, "blob %s is damaged: its content is %s", text, got.text);
	if (c->repair && unlinkat(c->dir, name, 0) < 0)
		return err_set(e, errno, "remove blob %s", text);
	return 0;
}

static int check_blobs(struct check *c, struct err *e)
{
	static const char *const algorithms[] = { "sha256", "sha512" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(algorithms); i++) {
		_cleanup_close_ int fd =
			openat(c->s->blobs, algorithms[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return err_set(
				e, errno, "read blobs/%s of image store %s", algorithms[i], c->s->path);
		c->algorithm = algorithms[i];
		c->dir = fd;
		r = st_each_name(fd, check_blob, c, e);
	}
	return r;
}

/* --- the index ---------------------------------------------------------------------------------- */

/* Manifests and indexes among the blobs, for an index that has to be made anew. Those that an index leads to
 * are not listed themselves. */
struct found {
	struct check *c;
	struct arena *a;
	struct img_descriptor *list;
	struct st_marks children;
	size_t n, room;
};

static int note_children(struct found *f, const char *text, size_t len)
{
	struct img_index x;

	if (img_index_parse(f->a, text, len, "index", &x, NULL) < 0)
		return 0;
	for (size_t i = 0; i < x.n_manifests; i++)
		if (x.manifests[i].digest.text[0])
			st_mark(&f->children, &f->children.blobs, x.manifests[i].digest.text);
	return f->children.failed ? -ENOMEM : 0;
}

static int find_document(const char *name, void *arg, struct err *e)
{
	struct found *f = arg;
	struct img_descriptor d = { 0 };
	_cleanup_free_ char *text = NULL;
	char digest[NAME_MAX + 16];
	size_t len;

	snprintf(digest, sizeof(digest), "%s:%s", f->c->algorithm, name);
	if (img_digest_parse(digest, &d.digest, NULL) < 0 ||
		fd_read_at(f->c->dir, name, IMG_DOCUMENT_MAX, &text, &len) < 0 ||
		img_digest_check(text, len, &d.digest, -1, digest, NULL) < 0)
		return 0;
	d.media = img_document_kind(text, len);
	d.size = (int64_t)len;
	d.media_type = d.media == IMG_MEDIA_INDEX ? "application/vnd.oci.image.index.v1+json"
						  : "application/vnd.oci.image.manifest.v1+json";
	if (d.media == IMG_MEDIA_INDEX && note_children(f, text, len) < 0)
		return err_set(e, ENOMEM, "look for images");
	if (d.media != IMG_MEDIA_INDEX && d.media != IMG_MEDIA_MANIFEST)
		return 0;
	if (f->n == f->room) {
		struct img_descriptor *more =
			realloc(f->list, (f->room = f->room ? f->room * 2 : 64) * sizeof(*more));

		if (!more)
			return err_set(e, ENOMEM, "look for images");
		f->list = more;
	}
	f->list[f->n++] = d;
	return 0;
}

static int make_index_anew(struct check *c, struct err *e)
{
	static const char *const algorithms[] = { "sha256", "sha512" };
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct found f = { .c = c, .a = a };
	size_t kept = 0;
	int r = a ? 0 : err_set(e, ENOMEM, "look for images");

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(algorithms); i++) {
		_cleanup_close_ int fd =
			openat(c->s->blobs, algorithms[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			continue;
		c->algorithm = algorithms[i];
		c->dir = fd;
		r = st_each_name(fd, find_document, &f, e);
	}
	for (size_t i = 0; i < f.n; i++)
		if (!st_is_marked(&f.children.blobs, f.list[i].digest.text))
			f.list[kept++] = f.list[i];
	if (r == 0)
		r = st_index_replace(c->s, f.list, kept, e);
	st_marks_free(&f.children);
	free(f.list);
	return r;
}

/* --- names -------------------------------------------------------------------------------------- */

/* Is the content of a manifest all there? Layers that may be fetched from elsewhere (urls) need not be. */
static int check_manifest(
	struct check *c, struct arena *a, const char *text, size_t len, const char *what, struct err *e)
{
	struct img_manifest m;
	int r = img_manifest_parse(a, text, len, what, &m, e);

	if (r < 0)
		return r;
	if (!img_blob_has(c->s, &m.config.digest, m.config.size) && !m.config.data)
		return err_text(e, ENOENT, "%s: config %s is missing", what, m.config.digest.text);
	for (size_t i = 0; i < m.n_layers; i++)
		if (!m.layers[i].urls && !img_blob_has(c->s, &m.layers[i].digest, m.layers[i].size))
			return err_text(e, ENOENT, "%s: layer %s is missing", what, m.layers[i].digest.text);
	if (img_manifest_check(&m, what, NULL) == 0) {
		struct img_config config;

		r = img_blob_read(c->s, &m.config, what, a, &text, &len, e);
		if (r == 0)
			r = img_config_parse(a, text, len, what, &config, e);
		if (r == 0)
			r = img_image_check(&m, &config, what, e);
	}
	return r;
}

/* `seen`: documents of this name that are known to be whole, each with the depth it was found at. */
static int check_target(struct check *c, struct st_marks *seen, const struct img_descriptor *d,
	const char *what, int depth, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	char mark[IMG_DIGEST_MAX + 32];
	enum img_media kind;
	struct img_index x;
	size_t len, present = 0;
	const char *text;
	int r;

	snprintf(mark, sizeof(mark), "%d %lld %s", depth, (long long)d->size, d->digest.text);
	if (st_is_marked(&seen->documents, mark))
		return 0;
	r = a ? img_blob_read(c->s, d, what, a, &text, &len, e) : err_set(e, ENOMEM, "check %s", what);
	if (r < 0)
		return r;
	st_mark(seen, &seen->documents, mark);
	kind = img_document_kind(text, len);
	if (kind == IMG_MEDIA_MANIFEST)
		return check_manifest(c, a, text, len, what, e);
	if (kind != IMG_MEDIA_INDEX)
		return err_text(e, EBADMSG, "%s is neither a manifest nor an index", what);
	r = img_index_parse(a, text, len, what, &x, e);
	/* Of an index's images usually one is there, this machine's; what is there must be whole. */
	for (size_t i = 0; r == 0 && i < x.n_manifests; i++) {
		const struct img_descriptor *m = &x.manifests[i];

		if (m->media != IMG_MEDIA_OTHER && img_blob_has(c->s, &m->digest, -1)) {
			present++;
			r = depth ? check_target(c, seen, m, what, depth - 1, e) : 0;
		}
	}
	if (r == 0 && x.n_manifests && !present)
		return err_text(
			e, ENOENT, "%s: none of the index's %zu images is there", what, x.n_manifests);
	return r;
}

struct name_check {
	struct check *c;
	bool failed; /* for a reason that is not the entry's */
};

static bool check_entry(const struct img_descriptor *d, void *arg)
{
	_cleanup_(st_marks_free) struct st_marks seen = { 0 };
	struct name_check *n = arg;
	const char *name = st_entry_name(d) ? st_entry_name(d) : d->digest.text;
	struct err why = ERR_INIT;
	int r;

	/* Another tool's, of a kind that we know nothing about. */
	if (!d->digest.text[0] || (d->media == IMG_MEDIA_OTHER && *d->media_type))
		return true;
	r = check_target(n->c, &seen, d, name, 4, &why);
	if (r == 0)
		return true;
	if (r == -ENOMEM || seen.failed) {
		n->failed = true;
		return true;
	}
	fault(n->c, "image %s: %s", name, why.text);
	return !n->c->repair;
}

static int check_names(struct check *c, struct err *e)
{
	_cleanup_close_ int lock = st_lock(c->s, ST_INDEX_LOCK, LOCK_EX, e);
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct name_check n = { .c = c };
	struct err why = ERR_INIT;
	struct img_index x;
	int r;

	if (lock < 0)
		return lock;
	if (!a)
		return err_set(e, ENOMEM, "check names");
	r = st_index_read(c->s, a, NULL, &x, &why);
	if (r < 0 && r != -ENOMEM) {
		fault(c, "%s", why.text);
		if (!c->repair)
			return 0;
		r = make_index_anew(c, e);
	}
	if (r == 0)
		r = st_index_filter(c->s, check_entry, &n, e);
	return r == 0 && n.failed ? err_set(e, ENOMEM, "check names") : r;
}

/* --- uses --------------------------------------------------------------------------------------- */

static int check_use(const char *name, void *arg, struct err *e)
{
	struct check *c = arg;
	_cleanup_free_ char *text = NULL;
	struct img_digest d;

	if (name[0] == '.')
		return 0;
	if (fd_read_at(c->s->uses, name, IMG_DIGEST_MAX, &text, NULL) == 0 &&
		img_digest_parse(text, &d, NULL) == 0)
		return 0; /* that its image is there, its user has to see to */
	fault(c, "uses/%s cannot be read", name);
	return c->repair ? img_tree_remove(c->s->uses, name, e) : 0;
}

/* --- layers ------------------------------------------------------------------------------------- */

/* Its EROFS image: without one the layer is as good as before, and `prepare` makes another. */
static int check_erofs(struct check *c, const char *name, int dir, struct err *e)
{
	static const struct {
		const char *file, *more;
	} images[] = { { IMG_LAYER_EROFS, "" }, { IMG_ROOT_EROFS, " with all below it" } };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(images) && r == 0; i++) {
		struct err why = ERR_INIT;

		if (st_erofs_check(dir, images[i].file, &why) == 0)
			continue;
		fault(c, "the EROFS image of layer %s%s is damaged: %s", name, images[i].more, why.text);
		r = c->repair ? img_tree_remove(dir, images[i].file, e) : 0;
	}
	return r;
}

static int check_layer(const char *name, void *arg, struct err *e)
{
	struct check *c = arg;
	_cleanup_close_ int dir = -EBADF, diff = -EBADF;
	struct img_layer layer;
	struct img_tree tree;
	struct err why = ERR_INIT;
	int r;

	dir = openat(c->s->layers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? err_set(&why, errno, "it cannot be opened") : st_layer_read(dir, name, &layer, &why);
	if (r == 0) {
		diff = openat(dir, "diff", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = diff < 0 ? err_set(&why, errno, "its diff directory cannot be opened")
			     : img_tree_count(diff, &tree, &why);
	}
	if (r == 0 && (tree.entries != layer.entries || tree.bytes != layer.bytes))
		r = err_text(&why, EBADMSG,
			"it has %lld files of %lld bytes, and had %lld of %lld when it was unpacked",
			(long long)tree.entries, (long long)tree.bytes, (long long)layer.entries,
			(long long)layer.bytes);
	if (r == 0)
		return check_erofs(c, name, dir, e);
	fault(c, "unpacked layer %s is damaged: %s", name, why.text);
	return c->repair ? st_layer_remove(c->s, name, e) : 0;
}

int img_store_check(struct img_store *s, bool repair, void (*found)(const char *text, void *arg), void *arg,
	struct err *e)
{
	struct check c = { .s = s, .repair = repair, .found = found, .arg = arg };
	int r;

	if (s->lock != IMG_EXCLUSIVE)
		return err_text(e, EINVAL, "checking needs the image store's exclusive lock");
	r = check_blobs(&c, e);
	if (r == 0)
		r = check_names(&c, e);
	if (r == 0)
		r = st_each_name(s->uses, check_use, &c, e);
	if (r == 0)
		r = st_each_name(s->layers, check_layer, &c, e);
	if (r == 0)
		r = st_ready_check(s, repair, found, arg, e);
	return r < 0 ? r : c.faults + r;
}
